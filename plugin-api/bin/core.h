// Wires the core: every concrete type is named in core.cpp, and only there.
#pragma once

#include <functional>
#include <memory>

#include "base/changes.h"
#include "base/lock.h"
#include "base/result.h"
#include "base/state/store.h"
#include "base/state/store_changes.h"
#include "network/agent/agent.h"
#include "network/api/explain.h"
#include "network/api/names.h"
#include "network/api/service.h"
#include "network/api/traffic.h"
#include "network/service/mender.h"
#include "plugin-api/bin/paths.h"
#include "volume/api/groups.h"
#include "volume/api/service.h"

namespace fairlead {

enum class CoreMode {
  // an exec'd plugin or the command line: waiting for the kernel is left to a child process
  kOneShot,
  kDaemon,  // a process that keeps running: reaper threads, kept sockets
};

// The services for volumes.
class VolumeServices {
 public:
  virtual ~VolumeServices() = default;
  virtual volume::VolumeService& volumes() = 0;
  virtual volume::VolumePools& pools() = 0;
  virtual volume::VolumeArchives& archives() = 0;
  virtual volume::VolumeContent& content() = 0;
  virtual volume::VolumeJobs& jobs() = 0;
  virtual volume::VolumeGroups& groups() = 0;
  virtual state::ReadChanges read_changes() = 0;  // what commits mean for volumes
  // Takes what of the configuration can change while it runs (config.h).
  virtual void configure(const Paths& paths) = 0;
};
// kMakeVolumes of volumes.h. Everything borrowed must outlive the result.
struct MakeVolumes {
  using Make = std::unique_ptr<VolumeServices> (*)(const Paths&, state::Store&, NamedLocks&);
  Make make = nullptr;
  // kConflict when the volumes of this store are in another folder.
  Status (*agree)(const Paths&, state::Store&) = nullptr;
};

// This host's part in a cluster, with everything that it owns.
class ClusterPart {
 public:
  virtual ~ClusterPart() = default;
  virtual network::Agent& agent() = 0;
};
// make_cluster() of cluster.h. Everything borrowed must outlive the result.
using MakeCluster =
    std::function<Result<std::unique_ptr<ClusterPart>>(state::Store&, kernel::Tunnels&)>;

// The services, opened. Those for volumes are created at their first use.
class Core {
 public:
  virtual ~Core() = default;
  virtual network::NetworkService& networks() = 0;
  virtual network::PoolService& pools() = 0;
  virtual network::NameService& names() = 0;
  virtual network::Mender& mender() = 0;
  virtual network::Explainer& explainer() = 0;
  virtual network::TrafficReader& traffic() = 0;
  virtual ChangeFeed& changes() = 0;  // of networks and volumes
  virtual volume::VolumeService& volumes() = 0;
  virtual volume::VolumePools& volume_pools() = 0;
  virtual volume::VolumeArchives& volume_archives() = 0;
  virtual volume::VolumeContent& volume_content() = 0;
  virtual volume::VolumeJobs& volume_jobs() = 0;
  virtual void configure(const Paths& paths) = 0;  // as VolumeServices::configure()
  virtual volume::VolumeGroups& volume_groups() = 0;
  // kInUse when the objects in this network namespace belong to another store; the text names both
  // stores. For processes that run one verb, before they remove anything: a record of this store
  // may be of another namespace, and what has the same address here is not this store's.
  virtual Status claim() = 0;
  // Asks for the addresses of names in policies whose time has come; waits for name servers.
  virtual Status refresh_names() = 0;
  virtual network::Agent* cluster() = 0;  // nullptr: this host is in no cluster
  virtual network::cluster::UnderlayGuard& underlay_guard() = 0;
  // Waits for work that was started and is not finished yet. Called at the daemon's shutdown.
  virtual void finish() = 0;
};

// Opens the store and the kernel's sockets, in the network namespace of the calling thread. Needs
// root. Without `make_volumes` the services for volumes must not be used. The agent of the cluster
// is created but not started.
Result<std::unique_ptr<Core>> open_core(const Paths& paths, CoreMode mode,
                                        const MakeVolumes& make_volumes = {},
                                        const MakeCluster& make_cluster = {});

}  // namespace fairlead
