#include "plugin-api/bin/cluster.h"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/host.h"
#include "base/state/etcd_store.h"
#include "network/cluster/host_id.h"
#include "network/kernel/underlay.h"
#include "plugin-api/bin/version.h"

namespace fairlead {

namespace {

class EtcdCluster : public ClusterPart {
 public:
  EtcdCluster(std::unique_ptr<state::EtcdStore> store, state::Store& local,
              kernel::Tunnels& tunnels, const std::string& name, network::cluster::HostFacts host,
              const std::string& snapshots)
      : store_(std::move(store)),
        agent_(network::make_agent({.local = local,
                                    .shared = *store_,
                                    .leases = *store_,
                                    .tunnels = tunnels,
                                    .cluster = name,
                                    .host = std::move(host),
                                    .snapshots = snapshots,
                                    .boot_id = boot_id(),
                                    .members = [this] { return members(); }})) {}

  network::Agent& agent() override { return *agent_; }

 private:
  std::vector<network::cluster::StoreMember> members() {
    std::vector<network::cluster::StoreMember> members;
    for (const state::MemberStatus& member : store_->members())
      members.push_back({.endpoint = member.endpoint,
                         .error = member.error,
                         .version = member.version,
                         .is_leader = member.is_leader,
                         .has_leader = member.has_leader});
    return members;
  }

  std::unique_ptr<state::EtcdStore> store_;
  std::unique_ptr<network::Agent> agent_;
};

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

Result<network::cluster::HostFacts> facts_of(const Paths& paths, const ClusterConfig& config,
                                             kernel::Tunnels& tunnels) {
  network::cluster::HostFacts facts{.name = config.host.empty() ? host_name() : config.host,
                                    .version = std::string(kVersion)};
  TRY(facts.id, network::cluster::load_or_make_host_id(paths.state_dir));
  auto vtep = kernel::underlay_address(config.address);
  if (!vtep) return fail(with_context(vtep.error(), "cluster.address"));
  facts.vtep = *vtep;
  TRY(facts.underlay_mtu, tunnels.underlay_mtu(facts.vtep));
  return facts;
}

Result<std::unique_ptr<ClusterPart>> open_cluster(const Paths& paths, const ClusterConfig& config,
                                                  state::Store& local, kernel::Tunnels& tunnels) {
  TRY(auto facts, facts_of(paths, config, tunnels));
  TRY(auto store, state::open_etcd_store(config.etcd));
  const std::string snapshots = paths.state_dir + "/cluster";
  std::error_code failed;
  std::filesystem::create_directories(snapshots, failed);
  if (failed) return fail(Code::kIo, "make the folder {}: {}", snapshots, failed.message());
  return std::make_unique<EtcdCluster>(std::move(store), local, tunnels, config.name,
                                       std::move(facts), snapshots);
}

}  // namespace

MakeCluster make_cluster(const Paths& paths, const ClusterConfig& config) {
  return [paths, config](state::Store& local, kernel::Tunnels& tunnels) {
    auto made = open_cluster(paths, config, local, tunnels);
    if (!made) made = fail(with_context(made.error(), "join the cluster " + config.name));
    return made;
  };
}

}  // namespace fairlead
