// A volume service over a store and a backend that a test can break.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/support/failing_store.h"
#include "tests/support/fake_backend.h"
#include "tests/support/fixed_backends.h"
#include "tests/volume/scratch.h"
#include "tests/volume/spec.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume::testing {

using fairlead::testing::FailingStore;

class FakeServiceTest : public ::testing::Test {
 protected:
  FakeServiceTest() {
    auto owned = std::make_unique<fairlead::testing::FakeBackend>();
    fake = owned.get();
    backends.add("fake", std::move(owned));
    restart();
  }
  // A new process of the same boot, or of another one.
  void restart(const std::string& boot = "boot-1") {
    service =
        make_volume_service(store, locks, backends, {.now = [this] { return now; }, .boot = boot});
  }
  static VolumeSpec spec(const std::string& name, const Texts& options = {}) {
    return spec_of(name, options);
  }
  Result<Volume> create(const std::string& name, const Texts& options = {}) {
    return create_volume(*service, name, options);
  }
  std::size_t keys() { return store.list("", "", 0)->size(); }
  // Waits for the data that is removed behind the answer.
  bool is_clean() {
    for (int k = 0; k < 500 && fake->has_trash(); ++k) ::usleep(10000);
    return keys() == 0 && fake->leftovers() == 0;
  }

  long long now = 1767225600;
  Scratch scratch{Where::kMemory};
  FailingStore store;
  NamedLocks locks{scratch / "locks"};
  fairlead::testing::FixedBackends backends;
  fairlead::testing::FakeBackend* fake = nullptr;
  std::unique_ptr<VolumeService> service;
};

}  // namespace fairlead::volume::testing
