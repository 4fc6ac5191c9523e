#include "plugin-api/bin/cluster.h"

#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/host.h"
#include "base/log.h"
#include "base/state/etcd_store.h"
#include "base/state/store_changes.h"
#include "network/cluster/host_id.h"
#include "network/kernel/host/underlay.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_keyfile.h"
#include "network/service/events.h"
#include "plugin-api/bin/version.h"

namespace fairlead {

namespace {

// The WireGuard device of this host; without a spec when the kernel has no WireGuard.
struct WireguardDevice {
  std::unique_ptr<kernel::WireguardLinks> links;
  std::optional<kernel::WireguardLinkSpec> spec;

  std::optional<network::WireguardPart> part() const {
    if (!spec) return std::nullopt;
    return network::WireguardPart{*links, *spec};
  }
};

class EtcdCluster : public ClusterPart {
 public:
  EtcdCluster(std::unique_ptr<state::EtcdStore> store, WireguardDevice wireguard,
              state::Store& local, kernel::Tunnels& tunnels, const std::string& name,
              network::cluster::HostInfo host, const std::string& snapshots, StoreTimes& times)
      : store_(std::move(store)),
        timed_(make_timed_store(*store_, times)),
        wireguard_(std::move(wireguard)),
        changes_(state::make_change_feed(local, {network::network_changes_in(local)})),
        agent_(network::make_agent({.local = local,
                                    .changes = *changes_,
                                    .shared = *timed_,
                                    .leases = *store_,
                                    .tunnels = tunnels,
                                    .cluster = name,
                                    .host = std::move(host),
                                    .wireguard = wireguard_.part(),
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
  std::unique_ptr<state::Store> timed_;
  WireguardDevice wireguard_;
  std::unique_ptr<ChangeFeed> changes_;  // its own, which no other subscriber can use up
  std::unique_ptr<network::Agent> agent_;
};

constexpr const char* kWireguardLink = "flw0";

// Encrypted networks need WireGuard in the kernel. A host without it refuses to join such a
// network, and takes part in all others.
Result<WireguardDevice> open_wireguard(const Paths& paths, const ClusterConfig& config,
                                       network::cluster::HostInfo& info) {
  WireguardDevice wireguard;
  TRY(wireguard.links, kernel::open_netlink_wireguard_links());
  const Status probed = wireguard.links->probe();
  if (!probed && probed.error().code == Code::kUnsupported) {
    log::info("no encrypted networks on this host", {{"cause", probed.error().text}});
    return wireguard;
  }
  TRY_STATUS(probed);
  kernel::WireguardLinkSpec spec{.port = config.wireguard_port, .alias = "fairlead " + config.name};
  TRY(spec.name, IfName::parse(kWireguardLink));
  TRY(spec.private_key, kernel::load_or_make_private_key(paths.state_dir));
  TRY(const auto public_key, kernel::public_key_of(spec.private_key));
  const Cidr address = kernel::wireguard_address("fairlead/" + config.name, info.id);
  spec.addresses = {address};
  spec.mtu = info.underlay_mtu - kernel::wireguard_overhead(info.vtep.family());
  TRY_STATUS(wireguard.links->ensure(spec));
  info.wireguard = {public_key.to_string(), spec.port, address.address()};
  wireguard.spec = std::move(spec);
  return wireguard;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

Result<network::cluster::HostInfo> info_of(const Paths& paths, const ClusterConfig& config,
                                           kernel::Tunnels& tunnels) {
  network::cluster::HostInfo info{.name = config.host.empty() ? host_name() : config.host,
                                  .version = std::string(kVersion)};
  TRY(info.id, network::cluster::load_or_make_host_id(paths.state_dir));
  auto vtep = kernel::underlay_address(config.address);
  if (!vtep) return fail(with_context(vtep.error(), "cluster.address"));
  info.vtep = *vtep;
  TRY(info.underlay_mtu, tunnels.underlay_mtu(info.vtep));
  return info;
}

Result<std::unique_ptr<ClusterPart>> open_cluster(const Paths& paths, const ClusterConfig& config,
                                                  state::Store& local, kernel::Tunnels& tunnels,
                                                  StoreTimes& times) {
  TRY(auto info, info_of(paths, config, tunnels));
  TRY(auto wireguard, open_wireguard(paths, config, info));
  for (const std::string& endpoint : config.etcd.endpoints)
    if (endpoint.starts_with("http://"))
      log::warn("cluster.etcd.unencrypted",
                {{"endpoint", endpoint}, {"hint", "use https:// and certificates"}});
  TRY(auto store, state::open_etcd_store(config.etcd));
  const std::string snapshots = paths.state_dir + "/cluster";
  std::error_code failed;
  std::filesystem::create_directories(snapshots, failed);
  if (failed) return fail(Code::kIo, "make the folder {}: {}", snapshots, failed.message());
  return std::make_unique<EtcdCluster>(std::move(store), std::move(wireguard), local, tunnels,
                                       config.name, std::move(info), snapshots, times);
}

}  // namespace

MakeCluster make_cluster(const Paths& paths, const ClusterConfig& config, StoreTimes& times) {
  return [paths, config, &times](state::Store& local, kernel::Tunnels& tunnels) {
    auto made = open_cluster(paths, config, local, tunnels, times);
    if (!made) made = fail(with_context(made.error(), "join the cluster " + config.name));
    return made;
  };
}

}  // namespace fairlead
