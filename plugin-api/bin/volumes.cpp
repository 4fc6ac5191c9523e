#include "plugin-api/bin/volumes.h"

#include <mutex>

#include "plugin-api/hooks/container_hooks.h"
#include "plugin-api/hooks/docker_runtime.h"
#include "plugin-api/hooks/podman_runtime.h"
#include "volume/backends/disk_room.h"
#include "volume/backends/lost_volumes.h"
#include "volume/backends/pools.h"
#include "volume/backends/registry.h"
#include "volume/service/archive_jobs.h"
#include "volume/service/archives.h"
#include "volume/service/content.h"
#include "volume/service/events.h"
#include "volume/service/groups.h"
#include "volume/service/jobs.h"
#include "volume/service/pools.h"
#include "volume/service/promises.h"
#include "volume/service/volume_folder.h"
#include "volume/service/volume_service.h"
#include "volume/service/volume_views.h"

namespace fairlead {

namespace {

// What of the configuration can change while it runs. Thread-safe.
class LiveSettings {
 public:
  explicit LiveSettings(const Paths& paths) { set(paths); }
  void set(const Paths& paths) {
    const std::scoped_lock hold(guard_);
    bind_roots_ = paths.bind_roots;
    backup_roots_ = {paths.backup_roots, paths.backups_anywhere};
    overcommit_ = paths.overcommit;
  }
  std::vector<std::string> bind_roots() const {
    const std::scoped_lock hold(guard_);
    return bind_roots_;
  }
  volume::BackupRoots backup_roots() const {
    const std::scoped_lock hold(guard_);
    return backup_roots_;
  }
  double overcommit() const {
    const std::scoped_lock hold(guard_);
    return overcommit_;
  }

 private:
  mutable std::mutex guard_;
  std::vector<std::string> bind_roots_;
  volume::BackupRoots backup_roots_;
  double overcommit_ = 1.0;
};

// From the disk up: each member borrows from those before it.
class WiredVolumes : public VolumeServices {
 public:
  WiredVolumes(const Paths& paths, state::Store& store, NamedLocks& locks)
      : settings_(paths),
        state_dir_(paths.state_dir),
        volume_dir_(paths.volumes()),
        disks_(volume::make_pool_disks(paths.volumes(), paths.device_roots)),
        pools_(store, locks, *disks_),
        host_backends_(
            volume::make_backends({paths.volumes(), bind_roots()}, {&pools_, disks_.get()})),
        backends_(volume::make_view_backends(store, locks, *host_backends_)),
        promises_(store, *backends_, &pools_, disks_.get(),
                  [this] { return settings_.overcommit(); }),
        hooks_(make_hooks(paths)),
        service_(volume::make_volume_service(store, locks, *backends_, environment())),
        groups_(volume::make_volume_groups(store, locks, *backends_, environment())),
        archives_(volume::make_volume_archives(*service_, store, locks, *backends_, environment())),
        content_(volume::make_volume_content(*service_, store, locks, *backends_)),
        jobs_(volume::make_volume_jobs(store, locks, job_verbs())) {
    pools_.admit_by(environment().admit);
  }

  volume::VolumeService& volumes() override { return *service_; }
  volume::VolumePools& pools() override { return pools_; }
  volume::VolumeArchives& archives() override { return *archives_; }
  volume::VolumeContent& content() override { return *content_; }
  volume::VolumeJobs& jobs() override { return *jobs_; }
  volume::VolumeGroups& groups() override { return *groups_; }
  state::ReadChanges read_changes() override { return volume::volume_changes; }
  void configure(const Paths& paths) override { settings_.set(paths); }

 private:
  volume::RootList bind_roots() {
    return volume::RootList::asked([this] { return settings_.bind_roots(); });
  }
  volume::Environment environment() {
    volume::Environment environment;
    environment.admit = [this](const volume::DiskRoom& room, std::uint64_t more) {
      return promises_.admit(room, more);
    };
    environment.disks = [this] { return watched_disks(); };
    environment.hooks = hooks_.get();
    environment.backup_roots = [this] { return settings_.backup_roots(); };
    return environment;
  }
  // A disk that cannot be looked at is left out: the volumes on it tell of it.
  std::vector<volume::WatchedDisk> watched_disks() {
    std::vector<volume::WatchedDisk> watched;
    const auto add = [&](const std::string& name, const std::string& path) {
      if (const auto room = volume::room_of(path)) watched.push_back({name, *room});
    };
    add("state", state_dir_);
    add("volumes", volume_dir_);
    const auto pools = pools_.finished();
    for (const auto& pool : pools.value_or(std::vector<volume::VolumePool>{}))
      if (disks_->is_mounted(pool).value_or(false))
        add("pool " + pool.name.str(), disks_->root_of(pool));
    return watched;
  }

  static std::unique_ptr<volume::ContainerHooks> make_hooks(const Paths& paths) {
    if (!paths.run_hooks) return nullptr;
    std::vector<std::unique_ptr<hooks::Runtime>> runtimes;
    if (!paths.docker_socket.empty())
      runtimes.push_back(hooks::make_docker_runtime(paths.docker_socket, paths.plugin_socket()));
    runtimes.push_back(hooks::make_podman_runtime());
    return hooks::make_container_hooks(std::move(runtimes));
  }

  std::map<std::string, volume::JobVerb> job_verbs() {
    auto verbs = volume::service_job_verbs(*service_);
    verbs.merge(volume::archive_job_verbs(*archives_));
    return verbs;
  }

  LiveSettings settings_;
  std::string state_dir_, volume_dir_;
  std::unique_ptr<volume::PoolDisks> disks_;
  volume::Pools pools_;
  std::unique_ptr<volume::BackendRegistry> host_backends_, backends_;
  volume::Promises promises_;
  std::unique_ptr<volume::ContainerHooks> hooks_;
  std::unique_ptr<volume::VolumeService> service_;
  std::unique_ptr<volume::VolumeGroups> groups_;
  std::unique_ptr<volume::VolumeArchives> archives_;
  std::unique_ptr<volume::VolumeContent> content_;
  std::unique_ptr<volume::VolumeJobs> jobs_;
};

}  // namespace

std::unique_ptr<VolumeServices> make_volumes(const Paths& paths, state::Store& store,
                                             NamedLocks& locks) {
  return std::make_unique<WiredVolumes>(paths, store, locks);
}

Status agree_on_volumes(const Paths& paths, state::Store& store) {
  const auto holds = [](const std::string& folder, const volume::FolderOf& of) {
    return volume::holds_data(folder, of.volumes, of.pools);
  };
  return volume::agree_on_volume_folder(store, paths.volumes(), holds);
}

}  // namespace fairlead
