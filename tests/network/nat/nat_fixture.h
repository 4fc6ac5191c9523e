// Networks and published ports in the world of the kernel fixture, under the real ruleset.
#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "network/kernel/firewall/firewall.h"
#include "network/nat/nat.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::nat {

class NatFixture : public testing::KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    set_sysctl("host", "net/ipv4/ip_forward", "1");
    set_sysctl("host", "net/ipv6/conf/all/forwarding", "1");
    // A router asks for neighbours from its link-local address, once that is confirmed, a second
    // later: bridges do without the confirmation here, and the uplink, made before, knows its
    // neighbour when it routes.
    set_sysctl("host", "net/ipv6/conf/default/accept_dad", "0");
    ASSERT_TRUE(ping("host", "2001:db8::1"));
    firewall_ = testing::must(kernel::open_nft_firewall({std::string(kTable)}, false));
    testing::must(firewall_->run(render_chains()));
  }

  void TearDown() override {
    firewall_.reset();
    KernelFixture::TearDown();
  }

  kernel::Firewall& firewall() { return *firewall_; }

  // Makes the bridge, with the first address of each subnet on it, and lets the firewall know.
  void create(const NatNetwork& network) {
    std::vector<std::string> gateways;
    for (const Cidr& subnet : network.subnets)
      gateways.push_back(Cidr::of(*subnet.first().plus(1), subnet.prefix_length()).to_string());
    add_bridge(network.bridge.str(), gateways);
    allow_loopback(network);
    change({}, {.networks = {network}});
  }

  static NatNetwork dual_stack(const std::string& bridge, const std::string& v4,
                               const std::string& v6) {
    return {.bridge = testing::ifname(bridge), .subnets = {testing::cidr(v4), testing::cidr(v6)}};
  }

  // A container whose port hairpins, as the driver sets it for one with published ports.
  void run(const std::string& container, const std::string& bridge,
           const std::vector<std::string>& addresses) {
    const Port port = attach(container, bridge, addresses);
    testing::must(links().set_port_flags(port.host_index, {.hairpin = true}));
  }

  void publish(const NatPort& port) { change({}, {.ports = {port}}); }
  void unpublish(const NatPort& port) { change({.ports = {port}}, {}); }
  void change(const NatState& before, const NatState& after) {
    testing::must(firewall_->apply(difference(before, after)));
  }

  void call_iptables_for_bridges() {
    set_sysctl("host", "net/bridge/bridge-nf-call-iptables", "1");
    set_sysctl("host", "net/bridge/bridge-nf-call-ip6tables", "1");
  }

  Result<testing::Answer> ask(network::Proto proto, const std::string& from, const std::string& to,
                              std::uint16_t port, std::chrono::milliseconds timeout = kTimeout) {
    return proto == network::Proto::kTcp ? ask_tcp(from, to, port, timeout)
                                         : ask_udp(from, to, port, timeout);
  }

  bool reaches(const std::string& from, const std::string& to, std::uint16_t port) {
    return ask_tcp(from, to, port, std::chrono::milliseconds(2500)).has_value();
  }
  // Drops are silent: the wait is the test's time. Answers take a millisecond.
  bool is_kept_from(const std::string& from, const std::string& to, std::uint16_t port) {
    return !ask_tcp(from, to, port, std::chrono::milliseconds(200)).has_value();
  }

 private:
  // Answers to 127.0.0.1 and [::1] come back on the bridge. The service switches route_localnet on
  // with the first port that needs it; IPv6 accepts a loopback destination only on an interface
  // that has a route for it.
  void allow_loopback(const NatNetwork& network) {
    set_sysctl("host", fmt::format("net/ipv4/conf/{}/route_localnet", network.bridge.str()), "1");
    for (const Cidr& subnet : network.subnets)
      if (!subnet.is_v4())
        in("host", [&] {
          const std::string command =
              fmt::format("ip -6 route append local ::1/128 dev {} table local metric 4096",
                          network.bridge.str());
          ASSERT_EQ(std::system(command.c_str()), 0);
        });
  }

  std::unique_ptr<kernel::Firewall> firewall_;
};

}  // namespace fairlead::nat
