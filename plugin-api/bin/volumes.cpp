#include "plugin-api/bin/volumes.h"

#include "volume/backends/pools.h"
#include "volume/backends/registry.h"
#include "volume/service/archives.h"
#include "volume/service/events.h"
#include "volume/service/jobs.h"
#include "volume/service/pools.h"
#include "volume/service/volume_service.h"

namespace fairlead {

namespace {

// From the disk up: each member borrows from those before it.
class WiredVolumes : public VolumeServices {
 public:
  WiredVolumes(const Paths& paths, state::Store& store, NamedLocks& locks)
      : disks_(volume::make_pool_disks(paths.volumes(), paths.device_roots)),
        pools_(store, locks, *disks_),
        backends_(
            volume::make_backends({paths.volumes(), paths.bind_roots}, {&pools_, disks_.get()})),
        service_(volume::make_volume_service(store, locks, *backends_)),
        archives_(volume::make_volume_archives(*service_, store, locks, *backends_)),
        jobs_(volume::make_volume_jobs(store, locks, job_verbs())) {}

  volume::VolumeService& volumes() override { return *service_; }
  volume::VolumePools& pools() override { return pools_; }
  volume::VolumeArchives& archives() override { return *archives_; }
  volume::VolumeJobs& jobs() override { return *jobs_; }
  state::ReadChanges read_changes() override { return volume::volume_changes; }

 private:
  std::map<std::string, volume::JobVerb> job_verbs() {
    auto verbs = volume::service_job_verbs(*service_);
    verbs.merge(volume::archive_job_verbs(*archives_));
    return verbs;
  }

  std::unique_ptr<volume::PoolDisks> disks_;
  volume::Pools pools_;
  std::unique_ptr<volume::BackendRegistry> backends_;
  std::unique_ptr<volume::VolumeService> service_;
  std::unique_ptr<volume::VolumeArchives> archives_;
  std::unique_ptr<volume::VolumeJobs> jobs_;
};

}  // namespace

std::unique_ptr<VolumeServices> make_volumes(const Paths& paths, state::Store& store,
                                             NamedLocks& locks) {
  return std::make_unique<WiredVolumes>(paths, store, locks);
}

}  // namespace fairlead
