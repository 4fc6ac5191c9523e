// The class behind make_volume_service. Its verbs are in files by theme: create.cpp (and clones),
// removal.cpp, mounts.cpp, rename.cpp, query.cpp, snapshots.cpp, resize.cpp, trash.cpp,
// schedules.cpp, reconcile.cpp. What they share is in service_common.cpp and changes.cpp.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "volume/service/clone_jobs.h"
#include "volume/service/create_plan.h"
#include "volume/service/jobs.h"
#include "volume/service/reaper.h"
#include "volume/service/records.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {

inline constexpr std::chrono::seconds kLockDeadline(4);  // Podman gives up after 5 s
inline constexpr std::chrono::milliseconds kReconcileLockDeadline(500);

class Service : public VolumeService {
 public:
  Service(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
          Environment environment)
      : records_(store, environment.boot),
        jobs_(store, locks, environment.now),
        locks_(locks),
        backends_(backends),
        now_(std::move(environment.now)) {}

  using VolumeService::create;
  Result<Volume> create(const VolumeSpec& spec, const Progress& progress) override;
  Status remove(const std::string& name) override;
  Result<Volume> mount(const std::string& name, const std::string& client,
                       const std::string& id) override;
  Status unmount(const std::string& name, const std::string& client,
                 const std::string& id) override;
  Result<Volume> inspect(const std::string& name) override;
  Result<std::vector<Volume>> list() override;
  Result<VolumeStatus> status(const Volume& volume) override;
  Result<ReconcileReport> reconcile() override;

  Result<Volume> rename(const std::string& name, const std::string& to) override;
  Result<Volume> set_labels(
      const std::string& name,
      const std::map<std::string, std::optional<std::string>>& labels) override;
  Result<Volume> resize(const std::string& name, std::uint64_t size) override;

  Result<Snapshot> take_snapshot(const std::string& name, const std::string& snapshot,
                                 const Progress& progress) override;
  Result<Snapshot> take_archive_snapshot(const std::string& name) override;
  Status drop_snapshot(const std::string& name, const std::string& snapshot) override;
  Result<Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                             const Progress& progress) override;
  Result<VolumeStatus> usage(const std::string& name, const Progress& progress) override;
  Result<CheckReport> check(const std::string& name, bool repair,
                            const Progress& progress) override;

  Result<std::vector<TrashedVolume>> trash() override;
  Result<Volume> restore_from_trash(const std::string& name_or_id, const std::string& as) override;
  Result<std::size_t> empty_trash(const std::string& name_or_id) override;
  Result<ReconcileReport> keep_schedules() override;

 private:
  using Guard = NamedLocks::Guard;
  struct OpenVolume {
    Stored stored;
    Backend* backend = nullptr;
  };

  // --- service_common.cpp
  Result<Guard> lock(const VolumeName& name, std::chrono::milliseconds deadline = kLockDeadline);
  // Takes both locks, in the order of the names. The first guard is for `name`.
  Result<std::array<std::optional<Guard>, 2>> lock_both(const VolumeName& name,
                                                        const VolumeName& other);
  // Taken by whoever reads a volume for long, and by every verb that would remove or replace the
  // data meanwhile.
  Result<Guard> lock_content(const Volume& volume, std::chrono::milliseconds deadline);
  // Finds only volumes of phase kReady, because those of other phases do not exist for users.
  Result<std::optional<Stored>> ready(const VolumeName& name);
  Result<OpenVolume> open(const VolumeName& name);  // kNotFound; under its lock
  // The same, but first finishes or undoes a change that a crash left open.
  Result<OpenVolume> settled(const VolumeName& name);
  Volume with_path(Volume volume);
  std::string time_name(long long time) const;

  // --- changes.cpp
  Status change(OpenVolume& opened, const Change& change, const Progress& progress);
  Status act(OpenVolume& opened, const Change& change, const Progress& progress);
  void take_back(OpenVolume& opened, const Change& change, const Error& cause);
  Status settle(OpenVolume& opened);
  void keep_size(OpenVolume& opened, const Snapshot& snapshot);

  // --- create.cpp, removal.cpp
  using Maker = std::function<Status(Backend& backend, const Volume& volume, Rollback& undo)>;
  Result<Volume> create_new(CreatePlan plan);
  Result<Volume> clone(CreatePlan plan, const Progress& progress);
  Result<Volume> clone_behind(const CreatePlan& plan);
  Result<std::optional<Volume>> existing(const CreatePlan& plan);
  Result<Volume> build(const CreatePlan& plan, const Maker& make);
  Status clear_leftovers(const Stored& stored);  // what an unfinished create or removal left
  Status begin_removal(Stored& stored, Backend& backend);
  Status finish_removal(const Stored& stored, Backend& backend);
  Status abandon(const Volume& volume);  // undoes an unfinished create

  // --- mounts.cpp
  Status check_single(const OpenVolume& opened, const std::string& client, const std::string& id);
  Status settle_for_mount(OpenVolume& opened);

  // --- snapshots.cpp
  Result<Snapshot> take_under_lock(OpenVolume& opened, const SnapshotName& name,
                                   SnapshotOrigin origin, const Progress& progress);
  Status drop_under_lock(OpenVolume& opened, const Snapshot& snapshot);

  // --- trash.cpp
  Result<std::vector<TrashedVolume>> find_trashed(const std::string& name_or_id);
  Result<Guard> lock_trash(const Volume& volume);
  Result<TrashState> purge_trashed(const TrashedVolume& trashed);
  Result<Volume> bring_back(const TrashedVolume& trashed, const VolumeName& name);

  // --- schedules.cpp
  Status follow_schedule(const Volume& seen, ReconcileReport& report);

  // --- reconcile.cpp
  void heal_all(ReconcileReport& report, const Records::Listing& listing);
  Status heal(const Volume& seen, ReconcileReport& report);
  Status heal_change(Stored& stored, ReconcileReport& report);
  Status unmount_if_idle(const Volume& seen);
  Status drop_archive_leftovers(const Volume& seen, ReconcileReport& report);
  void look_after(const Volume& volume, ReconcileReport& report);
  void empty_due_trash(ReconcileReport& report);
  Result<bool> mend(const Volume& seen);
  // Why the volume has its backend, with the backend's own remark added.
  std::string reason_of(const Volume& volume, const std::string& remark);
  std::string choice_of(const Volume& volume);

  Records records_;
  JobRecords jobs_;
  NamedLocks& locks_;
  BackendRegistry& backends_;
  std::function<long long()> now_;
  Reaper reaper_;
  CloneJobs clone_jobs_;  // the last member, because its threads use all others
};

tl::unexpected<Error> no_such_volume(const VolumeName& name);
const Snapshot* find_snapshot(const Volume& volume, std::string_view name);
std::optional<std::uint64_t> size_of(const Volume& volume);  // its hard limit

// Puts the verb and the volume before what went wrong.
template <class T>
Result<T> in_context(Result<T> result, std::string_view verb, const std::string& name) {
  if (result) return result;
  return fail(with_context(result.error(), fmt::format("{} volume \"{}\"", verb, shown(name))));
}

}  // namespace fairlead::volume
