// Pools as they run: SQLite, locks in files, file systems on loop devices.
#pragma once

#include <sys/mount.h>

#include <chrono>
#include <thread>

#include "base/state/sqlite_store.h"
#include "tests/volume/scratch.h"
#include "tests/volume/spec.h"
#include "volume/backends/pools.h"
#include "volume/backends/registry.h"
#include "volume/kernel/mountinfo.h"
#include "volume/service/pools.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume::testing {

// Takes away what is mounted beneath a folder, the innermost first, and waits for the loop devices:
// the folder cannot be removed before.
inline void unmount_beneath(const std::string& folder) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    auto entries = parse_mountinfo(read_text("/proc/self/mountinfo"));
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry)
      if (entry->mount_point.starts_with(folder + "/"))
        ::umount2(entry->mount_point.c_str(), UMOUNT_NOFOLLOW);
    entries = parse_mountinfo(read_text("/proc/self/mountinfo"));
    if (std::ranges::none_of(entries, [&](const MountEntry& entry) {
          return entry.mount_point.starts_with(folder + "/");
        }))
      return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ADD_FAILURE() << "something stays mounted beneath " << folder;
}

// A scratch folder that may have pools in it.
class PoolScratch {
 public:
  ~PoolScratch() { unmount_beneath(scratch_.path()); }
  const std::string& path() const { return scratch_.path(); }
  std::string operator/(const std::string& name) const { return scratch_ / name; }

 private:
  Scratch scratch_;
};

// One process's view of a state folder; several may be open at once.
struct PoolWorld {
  explicit PoolWorld(const std::string& folder)
      : store(state::open_sqlite_store(folder + "/state.db").value()),
        locks(folder + "/locks"),
        disks(make_pool_disks(folder + "/volumes", {"/"})),
        pools(*store, locks, *disks),
        backends(make_backends({folder + "/volumes", {}}, {&pools, disks.get()})),
        service(make_volume_service(*store, locks, *backends)) {}

  Result<Volume> create(const std::string& name, const Texts& options) {
    return create_volume(*service, name, options);
  }

  std::unique_ptr<state::Store> store;
  NamedLocks locks;
  std::unique_ptr<PoolDisks> disks;
  Pools pools;
  std::unique_ptr<BackendRegistry> backends;
  std::unique_ptr<VolumeService> service;
};

inline PoolSpec pool_spec(const std::string& fstype = "btrfs") {
  return {.name = PoolName::parse("fast").value(),
          .fstype = fstype,
          .size = 400 << 20,
          .device = {},
          .overwrite = false};
}

}  // namespace fairlead::volume::testing
