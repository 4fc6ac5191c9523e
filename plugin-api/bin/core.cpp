#include "plugin-api/bin/core.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "base/host.h"
#include "base/lock.h"
#include "base/state/lock_folder.h"
#include "base/state/sqlite_store.h"
#include "base/state/store_changes.h"
#include "network/drivers/registry.h"
#include "network/kernel/firewall/counters.h"
#include "network/kernel/links/traffic.h"
#include "network/nat/nat.h"
#include "network/service/events.h"
#include "network/service/network_service.h"
#include "network/service/ownership.h"
#include "network/service/traffic.h"

namespace fairlead {

namespace {

constexpr std::chrono::seconds kReservePeriod{1};

class WiredCore : public Core {
 public:
  WiredCore(Paths paths, const MakeVolumes& make_volumes, std::unique_ptr<state::Store> store,
            std::string lock_folder, std::unique_ptr<kernel::Links> links,
            std::unique_ptr<kernel::Tunnels> tunnels, std::unique_ptr<kernel::Firewall> firewall,
            std::unique_ptr<kernel::Firewall> bridge_firewall,
            std::unique_ptr<kernel::Conntrack> conntrack,
            std::unique_ptr<kernel::HostPorts> host_ports, std::unique_ptr<ClusterPart> cluster,
            const network::StoreMark& mark, bool one_shot)
      : paths_(std::move(paths)),
        make_volumes_(make_volumes),
        store_(std::move(store)),
        locks_(std::move(lock_folder)),
        links_(std::move(links)),
        tunnels_(std::move(tunnels)),
        conntrack_(std::move(conntrack)),
        foreign_firewall_(kernel::make_foreign_firewall(
            {.open = paths_.open_foreign_firewalls, .memory = paths_.firewall_memory()})),
        firewall_(std::move(firewall)),
        bridge_firewall_(std::move(bridge_firewall)),
        host_ports_(std::move(host_ports)),
        resolver_(kernel::make_resolver()),
        cluster_(std::move(cluster)),
        ownership_(*links_, *firewall_, mark),
        drivers_(network::make_drivers(
            {*links_, *tunnels_, boot_id(), on_tunnel_made(), mark, before_forwarding()})),
        networks_(network::make_network_service({.store = *store_,
                                                 .locks = locks_,
                                                 .drivers = drivers_,
                                                 .links = *links_,
                                                 .firewall = *firewall_,
                                                 .bridge_firewall = *bridge_firewall_,
                                                 .conntrack = *conntrack_,
                                                 .host_ports = *host_ports_,
                                                 .foreign_firewall = *foreign_firewall_,
                                                 .boot_id = boot_id(),
                                                 .unix_time = unix_time,
                                                 .cluster = WiredCore::cluster(),
                                                 .mark = mark,
                                                 .hears_of_firewalls = !one_shot,
                                                 .allow_forwarding = paths_.allow_forwarding,
                                                 .uplink_mask = paths_.uplink_mask,
                                                 .resolver = resolver_.get(),
                                                 .names_are_kept = !one_shot})) {}

  network::NetworkService& networks() override { return networks_->networks(); }
  network::PoolService& pools() override { return networks_->pools(); }
  network::NameService& names() override { return networks_->names(); }
  network::Mender& mender() override { return networks_->mender(); }
  network::Explainer& explainer() override { return networks_->explainer(); }
  network::TrafficReader& traffic() override {
    std::call_once(traffic_made_, [this] {
      traffic_ = network::make_traffic_reader(
          {.networks = networks(),
           .read_links = kernel::read_link_traffic,
           .counters = kernel::make_element_counters({std::string(nat::kTable)}),
           .firewall = *firewall_,
           .counts_ports = paths_.count_traffic});
    });
    return *traffic_;
  }
  ChangeFeed& changes() override {
    std::call_once(changes_made_, [this] {
      changes_ = state::make_change_feed(
          *store_, {network::network_changes_in(*store_), made().read_changes()});
    });
    return *changes_;
  }
  volume::VolumeService& volumes() override { return made().volumes(); }
  volume::VolumePools& volume_pools() override { return made().pools(); }
  volume::VolumeArchives& volume_archives() override { return made().archives(); }
  volume::VolumeContent& volume_content() override { return made().content(); }
  volume::VolumeJobs& volume_jobs() override { return made().jobs(); }
  void configure(const Paths& paths) override {
    if (make_volumes_.make != nullptr) made().configure(paths);
  }
  volume::VolumeGroups& volume_groups() override { return made().groups(); }
  Status claim() override { return ownership_.claim(); }
  Status refresh_names() override { return networks_->refresh_names(); }
  network::cluster::UnderlayGuard& underlay_guard() override { return networks_->underlay(); }
  network::Agent* cluster() override { return cluster_ ? &cluster_->agent() : nullptr; }
  void finish() override { links_->finish_removals(); }

 private:
  VolumeServices& made() {
    if (make_volumes_.make == nullptr) std::abort();  // opened without `make_volumes`
    std::call_once(volumes_made_,
                   [this] { volumes_ = make_volumes_.make(paths_, *store_, locks_); });
    return *volumes_;
  }

  network::OnTunnelMade on_tunnel_made() {
    if (!cluster_) return {};
    return [this](const std::string& network_id) { cluster_->agent().on_tunnel_made(network_id); };
  }

  network::BeforeForwarding before_forwarding() {
    return [this](Family family) { return networks_->before_forwarding(family); };
  }

  Paths paths_;
  MakeVolumes make_volumes_;
  std::unique_ptr<state::Store> store_;
  std::once_flag changes_made_;
  std::unique_ptr<ChangeFeed> changes_;
  NamedLocks locks_;
  std::unique_ptr<kernel::Links> links_;
  std::unique_ptr<kernel::Tunnels> tunnels_;
  // Declared before the firewall, so that it is destroyed after it: closing any netfilter socket
  // waits for what nf_tables has to destroy (nfnetlink's release), and a one-shot firewall passes
  // every open netfilter socket to a child process when it is destroyed.
  std::unique_ptr<kernel::Conntrack> conntrack_;
  std::unique_ptr<kernel::ForeignFirewall> foreign_firewall_;
  std::unique_ptr<kernel::Firewall> firewall_, bridge_firewall_;
  std::unique_ptr<kernel::HostPorts> host_ports_;
  std::unique_ptr<kernel::Resolver> resolver_;
  std::unique_ptr<ClusterPart> cluster_;
  network::Ownership ownership_;
  network::Drivers drivers_;
  std::unique_ptr<network::CoreNetworkService> networks_;
  std::once_flag traffic_made_;
  std::unique_ptr<network::TrafficReader> traffic_;
  std::once_flag volumes_made_;
  std::unique_ptr<VolumeServices> volumes_;
};

// The mark names the folder by its canonical path, whatever links lead to it.
Result<network::StoreMark> mark_of(state::Store& store, const Paths& paths) {
  std::error_code error;
  const auto folder = std::filesystem::canonical(paths.state_dir, error);
  return network::load_store_mark(store, error ? paths.state_dir : folder.string());
}

}  // namespace

Result<std::unique_ptr<Core>> open_core(const Paths& paths, CoreMode mode,
                                        const MakeVolumes& make_volumes,
                                        const MakeCluster& make_cluster) {
  if (geteuid() != 0) return fail(Code::kInvalid, "Fairlead needs root: run it with sudo");
  const bool one_shot = mode == CoreMode::kOneShot;
  state::SqliteOptions options;
  if (!one_shot) options.reserve_period = kReservePeriod;
  TRY(auto store, state::open_sqlite_store(paths.database(), options));
  TRY(auto links, kernel::open_netlink_links(one_shot ? kernel::RemovalMode::kProcess
                                                      : kernel::RemovalMode::kThread));
  TRY(auto tunnels, kernel::open_netlink_tunnels());
  TRY(auto firewalls, kernel::open_nft_firewalls("fairlead", one_shot));
  TRY(auto host_ports, kernel::open_host_ports());
  if (make_volumes.agree != nullptr) TRY_STATUS(make_volumes.agree(paths, *store));
  TRY(const auto mark, mark_of(*store, paths));
  TRY(auto lock_folder, state::agree_on_lock_folder(*store, boot_id(), paths.lock_dir()));
  // A daemon refuses to start beside another one in the same network namespace, before it makes any
  // links.
  if (!one_shot) TRY_STATUS(network::Ownership(*links, *firewalls.inet, mark).claim());
  std::unique_ptr<ClusterPart> cluster;
  if (make_cluster) {
    TRY(cluster, make_cluster(*store, *tunnels));
  }
  return std::make_unique<WiredCore>(
      paths, make_volumes, std::move(store), std::move(lock_folder), std::move(links),
      std::move(tunnels), std::move(firewalls.inet), std::move(firewalls.bridge),
      std::move(firewalls.conntrack), std::move(host_ports), std::move(cluster), mark, one_shot);
}

}  // namespace fairlead
