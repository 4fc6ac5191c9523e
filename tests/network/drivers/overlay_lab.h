// Three hosts with one overlay network, and containers on them. The hosts are namespaces on one
// underlay, a bridge in the namespace of the test:
//
//   h1, h2, h3   192.0.2.1 ..3, 2001:db8:99::1 ..3, MTU 1500
//   container n  10.9.0.n, fd00:9::n; its namespace is named by the test ("web")
//
// Everything of the overlay is made by the driver, and every host is told of the containers of the
// others by publish().
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "network/drivers/registry.h"
#include "network/kernel/tunnels/vxlan.h"
#include "tests/support/alone.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {

class OverlayLab : public KernelFixture {
 protected:
  struct Host {
    std::string name;
    IpAddress local;
    std::unique_ptr<kernel::Links> links;
    std::unique_ptr<kernel::Tunnels> tunnels;
    network::Drivers drivers;
    network::Network network;

    network::Driver& driver() { return *drivers.at("overlay"); }
  };
  struct Container {
    int host = 0;
    std::string netns;
    network::Endpoint endpoint;
  };

  void start(Family underlay, const network::NetworkOptions& options = {}) {
    add_bridge("underlay", {"192.0.2.254/24", "2001:db8:99::254/64"});
    for (int k = 1; k <= 3; ++k) add_host(k, underlay, options);
  }
  // What is to be done on a host that is on the underlay and has no network yet. Returns the
  // address under which the tunnels of the others find it.
  virtual IpAddress prepare(int, const IpAddress& underlay) { return underlay; }
  void TearDown() override {
    for (auto& [k, host] : hosts_) host.links->finish_removals();
    hosts_.clear();
    KernelFixture::TearDown();
  }

  Host& host(int k) { return hosts_.at(k); }
  static IfName device() { return ifname("flx00002a"); }

  Container run(int k, const std::string& netns_name, int n) {
    const auto v4 = cidr(fmt::format("10.9.0.{}/24", n)),
               v6 = cidr(fmt::format("fd00:9::{}/64", n));
    Container container{.host = k,
                        .netns = netns_name,
                        .endpoint = {.id = netns_name,
                                     .network_id = host(k).network.id,
                                     .addresses = {v4, v6},
                                     .gateways = {ip("10.9.0.1"), ip("fd00:9::1")},
                                     .mac = MacAddress::for_ip(v4.address()),
                                     .links = veth("flh" + netns_name),
                                     .joined = true}};
    Rollback undo;
    must(host(k).driver().attach(host(k).network, container.endpoint,
                                 network::IntoNetns{netns(netns_name), ifname("eth0")}, context_,
                                 undo));
    undo.commit();
    return container;
  }
  void stop(const Container& container) {
    must(host(container.host).driver().detach(host(container.host).network, container.endpoint));
  }

  std::vector<kernel::RemoteEntry> entries(const Container& container) {
    std::vector<kernel::RemoteEntry> all;
    for (const Cidr& address : container.endpoint.addresses)
      all.push_back({.ip = address.address(),
                     .mac = *container.endpoint.mac,
                     .vtep = host(container.host).local});
    return all;
  }
  // Every host knows where these containers are, and nothing else.
  void publish(const std::vector<Container>& containers) {
    for (auto& [k, each] : hosts_) {
      std::vector<kernel::RemoteEntry> wanted;
      for (const Container& container : containers)
        if (container.host != k)
          for (const auto& entry : entries(container)) wanted.push_back(entry);
      const auto changes = must(each.tunnels->sync(device(), wanted));
      for (const auto& failure : changes.failures) ADD_FAILURE() << failure.error.text;
    }
  }

 private:
  void add_host(int k, Family underlay, const network::NetworkOptions& options) {
    Host& made = hosts_[k];
    made.name = fmt::format("h{}", k);
    const auto v4 = fmt::format("192.0.2.{}", k), v6 = fmt::format("2001:db8:99::{}", k);
    attach(made.name, "underlay", {v4 + "/24", v6 + "/64"});
    made.local = prepare(k, ip(underlay == Family::kV4 ? v4 : v6));
    in(made.name, [&] {
      made.links = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
      made.tunnels = must(kernel::open_netlink_tunnels());
    });
    made.drivers = network::make_drivers({*made.links, *made.tunnels, "boot-1"});
    made.network = {.id = std::string(64, 'a'),
                    .name = must(NetworkName::parse("shop")),
                    .options = options,
                    .subnets = {{.subnet = cidr("10.9.0.0/24"), .gateway = ip("10.9.0.1")},
                                {.subnet = cidr("fd00:9::/64"), .gateway = ip("fd00:9::1")}},
                    .overlay = network::OverlayParams{.vni = 42, .local = made.local}};
    made.network.options.mode = "overlay";
    const auto plan = must(made.driver().plan(made.network, {}));
    made.network.links = plan.links;
    made.network.mtu = plan.mtu;
    Rollback undo;
    must(made.driver().ensure(made.network, undo));
    undo.commit();
  }

  std::map<int, Host> hosts_;
  NoService context_;
};

}  // namespace fairlead::testing
