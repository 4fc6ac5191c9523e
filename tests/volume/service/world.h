// A volume service over a store and a backend that a test can break.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/state/memory_store.h"
#include "tests/support/fake_backend.h"
#include "tests/volume/scratch.h"
#include "volume/backends/registry.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume::testing {

// Passes everything on, but fails the n-th commit from now (and those after it), before or after it
// was applied.
class FailingStore : public state::Store {
 public:
  enum class When { kBefore, kAfter };
  void fail_commit(int nth, When when, int times = 1) { nth_ = nth, when_ = when, times_ = times; }
  void heal() { times_ = 0; }

  Result<std::optional<state::Record>> get(std::string_view key) override {
    return store_->get(key);
  }
  Result<std::vector<state::Record>> list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) override {
    return store_->list(prefix, start_after, limit);
  }
  Result<state::CommitResult> commit(const state::Txn& txn) override {
    const bool fails = times_ > 0 && --nth_ <= 0;
    if (!fails) return store_->commit(txn);
    --times_;
    if (when_ == When::kAfter) (void)store_->commit(txn);
    return fail(Code::kExhausted, "commit: no space left on device");
  }
  Result<std::unique_ptr<state::Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<state::Event>&)> on_events) override {
    return store_->watch(prefix, after, std::move(on_events));
  }
  Result<std::int64_t> revision() override { return store_->revision(); }

 private:
  std::unique_ptr<state::Store> store_ = state::make_memory_store();
  int nth_ = 0, times_ = 0;
  When when_ = When::kBefore;
};

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
  static VolumeSpec spec(const std::string& name, std::map<std::string, std::string> options = {}) {
    return {.name = VolumeName::parse(name).value(), .options = std::move(options), .labels = {}};
  }
  Result<Volume> create(const std::string& name, std::map<std::string, std::string> options = {}) {
    return service->create(spec(name, std::move(options)));
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
  Backends backends;
  fairlead::testing::FakeBackend* fake = nullptr;
  std::unique_ptr<VolumeService> service;
};

}  // namespace fairlead::volume::testing
