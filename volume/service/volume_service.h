// The VolumeService over a store and the backends of this host.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/host.h"
#include "base/lock.h"
#include "base/state/store.h"
#include "volume/api/backend.h"
#include "volume/api/hooks.h"
#include "volume/api/service.h"

namespace fairlead::volume {

// A disk that is watched, and what lies on it: "volumes", "state", "pool fast".
struct WatchedDisk {
  std::string name;
  DiskRoom room;
};

// Whether a promise of `more` bytes on that disk may be made: warnings, or kExhausted (promises.h).
using Admit =
    std::function<Result<std::vector<std::string>>(const DiskRoom& room, std::uint64_t more)>;

// Where the option `backup` may have backups written: in these folders, on these targets and beneath
// them (backup_plans.h), or anywhere.
struct BackupRoots {
  std::vector<std::string> targets;
  bool anywhere = false;
};

// What tests replace.
struct Environment {
  std::function<long long()> now = unix_time;  // Unix seconds
  std::string boot = boot_id();
  Admit admit = {};                                      // empty: any promise is made
  std::function<std::vector<WatchedDisk>()> disks = {};  // empty: none is watched
  // Run around snapshots; borrowed. nullptr: none are.
  ContainerHooks* hooks = nullptr;
  // Asked each time, because they can change; thread-safe. Empty: nowhere.
  std::function<BackupRoots()> backup_roots = {};
};

// The keys in the store are described in records.h. The lock of a volume is "volume-<name>" in
// `locks`. Everything borrowed must outlive the service. Its destructor stops the background
// removal of data; the next reconcile continues it.
std::unique_ptr<VolumeService> make_volume_service(state::Store& store, NamedLocks& locks,
                                                   BackendRegistry& backends,
                                                   Environment environment = {});

}  // namespace fairlead::volume
