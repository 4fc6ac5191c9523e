// LockedVolumes: what all verbs stand on. The volumes of one store, taken under their locks, with
// the backends that keep their data. Each group of verbs is a class over it (creation.h, removal.h,
// mounts.h, snapshots.h, ...) and names the other groups that it uses; volume_service.cpp puts them
// together.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"
#include "volume/service/jobs.h"
#include "volume/service/records.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {

inline constexpr std::chrono::seconds kLockDeadline(4);  // Podman gives up after 5 s
inline constexpr std::chrono::milliseconds kReconcileLockDeadline(500);

// A volume that is there for users, read under its lock.
struct OpenVolume {
  Stored stored;
  Backend* backend = nullptr;
};

// Thread-safe. Borrows the store, the locks and the backends.
class LockedVolumes {
 public:
  using Guard = NamedLocks::Guard;

  LockedVolumes(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
                Environment environment);

  Records& records() { return records_; }
  JobRecords& jobs() { return jobs_; }
  BackendRegistry& backends() { return backends_; }
  long long now() const { return now_(); }  // Unix seconds
  const Environment& environment() const { return environment_; }
  // Keeps beside the data what the record says now. Fails no verb: reconcile does it again.
  void write_down(const Volume& volume);
  // Of a promise of `more` bytes below the volumes of this backend.
  Result<std::vector<std::string>> admit(Backend& backend, std::uint64_t more);
  ContainerHooks* hooks() const { return hooks_; }  // nullptr: none are run
  BackupRoots backup_roots() const {
    return environment_.backup_roots ? environment_.backup_roots() : BackupRoots();
  }

  // The lock of a volume, which belongs to its name. kUnavailable, telling what is going on, when
  // the deadline has passed.
  Result<Guard> lock(const VolumeName& name, std::chrono::milliseconds deadline = kLockDeadline);
  // Takes both locks, in the order of the names. The first guard is for `name`.
  Result<std::array<std::optional<Guard>, 2>> lock_both(const VolumeName& name,
                                                        const VolumeName& other);
  // Takes the locks of all of them in the order of their names, which are sorted and differ.
  Result<std::vector<Guard>> lock_all(const std::vector<VolumeName>& names);
  // Held while the hooks of containers that use the volume run, so that those of two snapshots do
  // not mix. Taken without another lock.
  Result<Guard> lock_hooks(const Volume& volume);
  // Taken by whoever reads a volume for long, and by every verb that would remove or replace the
  // data meanwhile.
  Result<Guard> lock_content(const Volume& volume, std::chrono::milliseconds deadline);
  // Held by an export or a backup as long as it reads the present content; fails at once.
  Result<Guard> lock_for_archive(const Volume& volume);
  // Of a removed volume.
  Result<Guard> lock_trash(const Volume& volume);

  // Finds only volumes of phase kReady, because those of other phases do not exist for users.
  Result<std::optional<Stored>> ready(const VolumeName& name);
  Result<OpenVolume> open(const VolumeName& name);  // kNotFound; under its lock
  // The volume with the path of its data filled in.
  Volume with_path(Volume volume);

 private:
  Records records_;
  JobRecords jobs_;
  NamedLocks& locks_;
  BackendRegistry& backends_;
  Environment environment_;
  std::function<long long()> now_;
  ContainerHooks* hooks_;
};

tl::unexpected<Error> no_such_volume(const VolumeName& name);
const Snapshot* find_snapshot(const Volume& volume, std::string_view name);
// The wanted name, or with "-2", "-3", ... where it is taken.
Result<SnapshotName> free_snapshot_name(const Volume& volume, const std::string& wanted);

// Puts the verb and the volume before what went wrong.
template <class T>
Result<T> in_context(Result<T> result, std::string_view verb, const std::string& name) {
  if (result) return result;
  return fail(with_context(result.error(), fmt::format("{} volume \"{}\"", verb, shown(name))));
}

}  // namespace fairlead::volume
