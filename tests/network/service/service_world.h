// The whole network service over the real kernel, in a world of namespaces.
#pragma once

#include <unistd.h>

#include <filesystem>

#include "base/hash.h"
#include "base/host.h"
#include "base/lock.h"
#include "base/state/memory_store.h"
#include "network/cluster/clock.h"
#include "network/cluster/cluster.h"
#include "network/drivers/registry.h"
#include "network/service/network_service.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {

// Other firewalls are a concern of their own (foreign_firewall_test): here there are none, or what a
// test says, and it is counted what is asked of them.
class NoForeignFirewall : public kernel::ForeignFirewall {
 public:
  Result<kernel::ForeignReport> admit(const std::vector<IfName>& bridges) override {
    ++admitted;
    admitted_bridges = bridges;
    return report;
  }
  Result<kernel::ForeignReport> look() override {
    ++looked;
    return report;
  }
  bool changed() override {
    ++asked;
    return has_changed;
  }
  Status withdraw() override {
    ++withdrawn;
    return {};
  }

  kernel::ForeignReport report;
  bool has_changed = false;
  int admitted = 0, looked = 0, asked = 0, withdrawn = 0;
  std::vector<IfName> admitted_bridges;
};

// A cluster of which this host is the only one.
class OneHostCluster : public network::cluster::ClusterClient {
 public:
  OneHostCluster(state::Store& local, const std::string& boot)
      : info_{.id = std::string(32, 'a'), .name = "h1", .vtep = ip("203.0.113.2")},
        cluster_({.shared = *shared_,
                  .local = local,
                  .leases = *shared_,
                  .info = info_,
                  .boot_id = boot},
                 network::cluster::system_clock()) {
    must(cluster_.membership().join());
  }
  network::cluster::Networks& networks() override { return cluster_.networks(); }
  network::cluster::Addresses& addresses() override { return cluster_.addresses(); }
  network::OverlayParams params_of(const network::cluster::SharedNetwork& network) override {
    return {.vni = network.vni, .local = info_.vtep};
  }

 private:
  const network::cluster::HostInfo info_;
  std::unique_ptr<state::MemoryStore> shared_ = state::make_memory_store();
  network::cluster::Cluster cluster_;
};

class ServiceWorld : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    folder_ = std::filesystem::temp_directory_path() / ("fairlead-test-" + random_hex(8));
    store_ = state::make_memory_store();
    locks_ = std::make_unique<NamedLocks>(folder_.string());
    firewall_ = must(kernel::open_nft_firewall({"fairlead"}, false));
    bridge_firewall_ =
        must(kernel::open_nft_firewall({"fairlead", kernel::TableFamily::kBridge}, false));
    conntrack_ = must(kernel::open_conntrack());
    host_ports_ = must(kernel::open_host_ports());
    tunnels_ = must(kernel::open_netlink_tunnels());
    start_service();
  }
  void TearDown() override {
    core_.reset();
    cluster_.reset();
    drivers_.clear();
    tunnels_.reset();
    firewall_.reset();
    bridge_firewall_.reset();
    KernelFixture::TearDown();
    std::filesystem::remove_all(folder_);
  }

  // A new service over the same store and kernel: a restarted daemon, or another process.
  void start_service(const std::string& boot = boot_id()) {
    core_.reset();
    drivers_ = network::make_drivers({.links = links(),
                                      .tunnels = *tunnels_,
                                      .boot_id = boot,
                                      .before_forwarding = before_forwarding_});
    core_ = network::make_network_service({.store = *store_,
                                           .locks = *locks_,
                                           .drivers = drivers_,
                                           .links = links(),
                                           .firewall = *firewall_,
                                           .bridge_firewall = *bridge_firewall_,
                                           .conntrack = *conntrack_,
                                           .host_ports = *host_ports_,
                                           .foreign_firewall = foreign_,
                                           .boot_id = boot,
                                           .unix_time = [this] { return now_; },
                                           .cluster = cluster_.get(),
                                           .hears_of_firewalls = hears_of_firewalls_,
                                           .allow_forwarding = allow_forwarding_});
    service_ = &core_->networks();
  }

  // From now on there are networks over several hosts.
  void join_cluster() {
    cluster_ = std::make_unique<OneHostCluster>(*store_, boot_id());
    start_service();
  }

  network::NetworkSpec spec(const std::string& name, const std::string& subnet = "") {
    network::NetworkSpec spec{.name = must(NetworkName::parse(name))};
    if (!subnet.empty()) spec.subnets.push_back({.subnet = cidr(subnet)});
    return spec;
  }
  network::Network create(const std::string& name, const std::string& subnet = "") {
    return must(service_->create_network(spec(name, subnet)));
  }
  network::EndpointSpec endpoint(const std::string& net, const std::string& container) {
    return {.network = network::NetworkText{net},
            .id = network::endpoint_id(container, "eth0"),
            .container = container,
            .runtime = "test"};
  }
  network::EndpointRef ref(const std::string& net, const std::string& container) {
    return {network::NetworkText{net}, network::endpoint_id(container, "eth0")};
  }
  // Attaches the namespace `container` with these ports ("8080:80", "53:53/udp").
  Result<network::Attachment> attach_to(const std::string& net, const std::string& container,
                                        std::vector<network::PortSpec> ports = {}) {
    auto wanted = endpoint(net, container);
    wanted.ports = std::move(ports);
    return service_->attach(wanted, into(container));
  }
  network::IntoNetns into(const std::string& container, const std::string& name = "eth0") {
    return {.fd = netns(container), .ifname = ifname(name)};
  }
  static network::PortSpec port(std::uint16_t host, std::uint16_t container,
                                network::Proto proto = network::Proto::kTcp,
                                const std::string& host_ip = "") {
    network::PortSpec spec{.proto = proto, .host_port = host, .container_port = container};
    if (!host_ip.empty()) spec.host_ip = ip(host_ip);
    return spec;
  }
  static std::string address_of(const network::Attachment& attachment, std::size_t index = 0) {
    return attachment.endpoint.addresses.at(index).address().to_string();
  }
  // Everything that records hold, as text: empty when nothing is left.
  std::string leftovers() {
    std::string text;
    for (const state::Record& record : must(store_->list("")))
      if (!record.key.starts_with("pool-guard") && !record.key.starts_with("ula-prefix") &&
          !record.key.starts_with("port-cursor") && !record.key.starts_with("cluster/"))
        text += record.key + "\n";
    for (const kernel::Link& link : must(links().list()))
      if (link.name.starts_with("fl")) text += "link " + link.name + "\n";
    return text + must(firewall_->list_text());
  }

  std::filesystem::path folder_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<NamedLocks> locks_;
  std::unique_ptr<kernel::Firewall> firewall_, bridge_firewall_;
  std::unique_ptr<kernel::Conntrack> conntrack_;
  std::unique_ptr<kernel::HostPorts> host_ports_;
  NoForeignFirewall foreign_;
  std::unique_ptr<OneHostCluster> cluster_;
  std::unique_ptr<kernel::Tunnels> tunnels_;
  network::Drivers drivers_;
  std::unique_ptr<network::CoreNetworkService> core_;
  network::NetworkService* service_ = nullptr;  // of `core_`
  long long now_ = 1'800'000'000;
  bool hears_of_firewalls_ = false;  // from the next start_service() on
  // From the next start_service() on. Without it forwarding is on as if others had done it.
  network::BeforeForwarding before_forwarding_;
  bool allow_forwarding_ = false;
};

}  // namespace fairlead::testing
