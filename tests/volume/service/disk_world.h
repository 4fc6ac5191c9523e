// A volume service as it runs: SQLite, the backend dir, locks in files.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/state/sqlite_store.h"
#include "tests/volume/scratch.h"
#include "tests/volume/spec.h"
#include "volume/backends/registry.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume::testing {

// One process's view of a state folder; several may be open at once.
struct DiskService {
  explicit DiskService(const std::string& folder)
      : store(state::open_sqlite_store(folder + "/state.db").value()),
        locks(folder + "/locks"),
        backends(make_backends(folder + "/volumes")),
        service(make_volume_service(*store, locks, *backends)) {}

  VolumeService* operator->() { return service.get(); }
  Result<Volume> create(const std::string& name, const Texts& options = {}) {
    return create_volume(*service, name, options);
  }

  std::unique_ptr<state::Store> store;
  NamedLocks locks;
  std::unique_ptr<BackendRegistry> backends;
  std::unique_ptr<VolumeService> service;
};

// Store and disk agree: one folder for each volume, nothing in building, and no name without a
// volume.
inline void expect_agreement(DiskService& world, const std::string& folder,
                             std::optional<std::size_t> trash = 0) {
  const auto volumes = world->list().value();
  EXPECT_EQ(world.store->list("volume/")->size(), volumes.size());
  EXPECT_EQ(world.store->list("volume-name/")->size(), volumes.size());
  if (!is_there(folder + "/volumes")) {
    EXPECT_TRUE(volumes.empty());
    return;
  }
  EXPECT_EQ(entries_in(folder + "/volumes/vol"), volumes.size());
  EXPECT_EQ(entries_in(folder + "/volumes/tmp"), 0U);
  for (int k = 0; k < 2000 && trash && entries_in(folder + "/volumes/trash") > *trash; ++k)
    ::usleep(10000);  // data is removed behind the answer
  EXPECT_TRUE(!trash || entries_in(folder + "/volumes/trash") == *trash);
  for (const Volume& volume : volumes)
    EXPECT_TRUE(is_there(volume.mountpoint)) << volume.name.str();
}

}  // namespace fairlead::volume::testing
