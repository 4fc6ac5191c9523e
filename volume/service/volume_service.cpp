#include "volume/service/volume_service.h"

#include "volume/service/creation.h"
#include "volume/service/inspection.h"
#include "volume/service/mounts.h"
#include "volume/service/properties.h"
#include "volume/service/reconciler.h"
#include "volume/service/recovery.h"
#include "volume/service/schedules.h"
#include "volume/service/snapshot_mounts.h"
#include "volume/service/snapshots.h"
#include "volume/service/space_watch.h"
#include "volume/service/trash.h"

namespace fairlead::volume {

namespace {

// The groups of verbs, each of which borrows from those before it.
class Service : public VolumeService {
 public:
  Service(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
          Environment environment)
      : volumes_(store, locks, backends, std::move(environment)) {}

  using VolumeService::create;
  Result<Volume> create(const VolumeSpec& spec, const Progress& progress) override {
    return creation_.create(spec, progress);
  }
  Status remove(const std::string& name) override { return removal_.remove(name); }
  Result<Volume> mount(const std::string& name, const std::string& client,
                       const std::string& id) override {
    return mounts_.mount(name, client, id);
  }
  Status unmount(const std::string& name, const std::string& client,
                 const std::string& id) override {
    return mounts_.unmount(name, client, id);
  }
  Result<Volume> inspect(const std::string& name) override { return inspection_.inspect(name); }
  Result<std::vector<Volume>> list() override { return inspection_.list(); }
  Result<VolumeStatus> status(const Volume& volume) override { return inspection_.status(volume); }
  Result<ReconcileReport> reconcile() override { return reconciler_.reconcile(); }
  std::vector<std::string> problems() override {
    auto problems = space_watch_.problems();
    (void)lost_.look();  // what it could not look at, reconcile tells
    if (std::string text = lost_.text(); !text.empty()) problems.push_back(std::move(text));
    return problems;
  }
  Result<RecoverReport> recover(const RecoverRequest& request) override {
    return recovery_.recover(request);
  }
  Result<ReconcileReport> watch_space() override { return space_watch_.round(); }

  Result<Volume> rename(const std::string& name, const std::string& to) override {
    return properties_.rename(name, to);
  }
  Result<Volume> set_labels(
      const std::string& name,
      const std::map<std::string, std::optional<std::string>>& labels) override {
    return properties_.set_labels(name, labels);
  }
  Result<Volume> set_options(
      const std::string& name,
      const std::map<std::string, std::optional<std::string>>& options) override {
    return properties_.set_options(name, options);
  }
  Result<Volume> resize(const std::string& name, std::uint64_t size) override {
    return properties_.resize(name, size);
  }

  Result<Snapshot> take_snapshot(const std::string& name, const std::string& snapshot,
                                 const Progress& progress) override {
    return snapshots_.take(name, snapshot, progress);
  }
  Result<Snapshot> take_archive_snapshot(const std::string& name) override {
    return snapshots_.take_for_archive(name);
  }
  Status drop_snapshot(const std::string& name, const std::string& snapshot) override {
    return snapshots_.drop(name, snapshot);
  }
  Result<Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                             const Progress& progress) override {
    return snapshots_.roll_back(name, snapshot, progress);
  }
  Result<SnapshotView> mount_snapshot(const std::string& name, const std::string& snapshot,
                                      const std::string& client, const std::string& id) override {
    return snapshot_mounts_.mount(name, snapshot, client, id);
  }
  Status unmount_snapshot(const std::string& name, const std::string& snapshot,
                          const std::string& client, const std::string& id) override {
    return snapshot_mounts_.unmount(name, snapshot, client, id);
  }
  Result<SnapshotView> inspect_snapshot(const std::string& name,
                                        const std::string& snapshot) override {
    return snapshot_mounts_.inspect(name, snapshot);
  }
  Result<std::map<std::string, std::uint64_t>> snapshot_space(const std::string& name) override {
    return inspection_.snapshot_space(name);
  }
  Result<VolumeStatus> usage(const std::string& name, const Progress& progress) override {
    return inspection_.usage(name, progress);
  }
  Result<CheckReport> check(const std::string& name, bool repair,
                            const Progress& progress) override {
    return inspection_.check(name, repair, progress);
  }

  Result<std::vector<TrashedVolume>> trash() override { return trash_.list(); }
  Result<Volume> restore_from_trash(const std::string& name_or_id, const std::string& as) override {
    return trash_.restore(name_or_id, as);
  }
  Result<std::size_t> empty_trash(const std::string& name_or_id) override {
    return trash_.empty(name_or_id);
  }
  Result<ReconcileReport> keep_schedules() override { return schedules_.keep(); }

 private:
  LockedVolumes volumes_;
  Changes changes_{volumes_};
  Removal removal_{volumes_};
  Mounts mounts_{volumes_, changes_};
  Properties properties_{volumes_, changes_, removal_};
  Inspection inspection_{volumes_, changes_};
  SnapshotMounts snapshot_mounts_{volumes_, changes_};
  Snapshots snapshots_{volumes_, changes_, snapshot_mounts_};
  Groups groups_{volumes_, changes_};
  Schedules schedules_{volumes_, changes_, snapshots_, groups_};
  Trash trash_{volumes_, removal_};
  LostVolumes lost_{volumes_.records(), volumes_.backends()};
  Recovery recovery_{volumes_, lost_};
  SpaceWatch space_watch_{volumes_, changes_};
  Reconciler reconciler_{
      volumes_, {changes_, removal_, inspection_, snapshots_, snapshot_mounts_, trash_, lost_}};
  Creation creation_{volumes_, changes_, removal_, lost_};  // the last: its threads use the others
};

}  // namespace

std::unique_ptr<VolumeService> make_volume_service(state::Store& store, NamedLocks& locks,
                                                   BackendRegistry& backends,
                                                   Environment environment) {
  return std::make_unique<Service>(store, locks, backends, std::move(environment));
}

}  // namespace fairlead::volume
