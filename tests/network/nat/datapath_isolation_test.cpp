// What networks may say to each other and to the outside, with packets.
#include <gtest/gtest.h>

#include "tests/network/nat/nat_fixture.h"

namespace fairlead::nat {
namespace {

using network::GatewayMode;
using testing::ip;
using testing::must;

// a1 and a2 on network a, b1 on network b; all of them, the host and the outside serve on port 80.
class Isolation : public NatFixture {
 protected:
  void networks(NatNetwork a, NatNetwork b) {
    a.bridge = testing::ifname("fl-a");
    b.bridge = testing::ifname("fl-b");
    a.subnets = {testing::cidr("10.1.0.0/24"), testing::cidr("fd00:1::/64")};
    b.subnets = {testing::cidr("10.2.0.0/24"), testing::cidr("fd00:2::/64")};
    create(a);
    create(b);
    run("a1", "fl-a", {"10.1.0.2/24", "fd00:1::2/64"});
    run("a2", "fl-a", {"10.1.0.3/24", "fd00:1::3/64"});
    run("b1", "fl-b", {"10.2.0.2/24", "fd00:2::2/64"});
    for (const char* where : {"a1", "a2", "b1", "host", "outside"})
      services_.push_back(serve_tcp(where, 80));
  }
  // The outside knows the way to the networks, as a neighbour on the same wire may.
  void route_back() {
    for (const char* subnet : {"10.1.0.0/24", "10.2.0.0/24"})
      add_route("outside", "eth0", subnet, "203.0.113.2");
    for (const char* subnet : {"fd00:1::/64", "fd00:2::/64"})
      add_route("outside", "eth0", subnet, "2001:db8::2");
  }
  void publish_a1(GatewayMode mode) {
    publish({.host_port = 8080,
             .container_port = 80,
             .target_v4 = ip("10.1.0.2"),
             .target_v6 = ip("fd00:1::2"),
             .mode_v4 = mode,
             .mode_v6 = mode});
  }
  void TearDown() override {
    services_.clear();
    NatFixture::TearDown();
  }

 private:
  std::vector<std::unique_ptr<testing::Service>> services_;
};

TEST_F(Isolation, NeighboursTalkAndNetworksDoNot) {
  networks({}, {});
  EXPECT_TRUE(reaches("a1", "10.1.0.3", 80));
  EXPECT_TRUE(reaches("a1", "fd00:1::3", 80));
  EXPECT_TRUE(is_kept_from("a1", "10.2.0.2", 80));
  EXPECT_TRUE(is_kept_from("b1", "fd00:1::2", 80));
  EXPECT_TRUE(reaches("host", "10.1.0.2", 80));
  EXPECT_TRUE(reaches("host", "fd00:2::2", 80));
}

TEST_F(Isolation, NeighboursTalkWhenBridgesCallIptables) {
  networks({}, {});
  call_iptables_for_bridges();
  EXPECT_TRUE(reaches("a1", "10.1.0.3", 80));
  EXPECT_TRUE(reaches("a1", "fd00:1::3", 80));
  EXPECT_TRUE(is_kept_from("a1", "10.2.0.2", 80));
}

TEST_F(Isolation, TheOutsideSeesTheHostsAddressAndReachesNothingUnpublished) {
  networks({}, {});
  route_back();
  EXPECT_EQ(must(ask_tcp("a1", "203.0.113.1", 80)).client, ip("203.0.113.2"));
  EXPECT_EQ(must(ask_tcp("a1", "2001:db8::1", 80)).client, ip("2001:db8::2"));
  EXPECT_TRUE(ping("a1", "203.0.113.1"));
  EXPECT_TRUE(ping("a1", "2001:db8::1"));
  publish_a1(GatewayMode::kNat);
  EXPECT_TRUE(reaches("outside", "203.0.113.2", 8080));
  EXPECT_TRUE(is_kept_from("outside", "10.1.0.2", 80));
  EXPECT_TRUE(is_kept_from("outside", "fd00:1::2", 80));
  EXPECT_FALSE(ping("outside", "10.1.0.2", std::chrono::milliseconds(150)));
}

TEST_F(Isolation, WithoutMasqueradeTheOutsideSeesTheContainer) {
  networks({.masquerade = false}, {});
  route_back();
  EXPECT_EQ(must(ask_tcp("a1", "203.0.113.1", 80)).client, ip("10.1.0.2"));
  EXPECT_EQ(must(ask_tcp("a1", "2001:db8::1", 80)).client, ip("fd00:1::2"));
  EXPECT_EQ(must(ask_tcp("b1", "203.0.113.1", 80)).client, ip("203.0.113.2"));
  EXPECT_TRUE(is_kept_from("outside", "10.1.0.2", 80));
}

TEST_F(Isolation, InternalNetworksTalkToThemselvesAndTheHostOnly) {
  networks({.internal = true}, {});
  route_back();
  publish({.host_port = 8081,
           .container_port = 80,
           .target_v4 = ip("10.2.0.2"),
           .target_v6 = ip("fd00:2::2")});
  EXPECT_TRUE(reaches("a1", "10.1.0.3", 80));
  EXPECT_TRUE(reaches("a1", "10.1.0.1", 80));
  EXPECT_TRUE(reaches("host", "fd00:1::2", 80));
  for (const char* elsewhere : {"203.0.113.1", "2001:db8::1", "10.2.0.2", "fd00:2::2"}) {
    EXPECT_TRUE(is_kept_from("a1", elsewhere, 80)) << elsewhere;
  }
  EXPECT_TRUE(is_kept_from("a1", "10.1.0.1", 8081));
  EXPECT_TRUE(is_kept_from("outside", "10.1.0.2", 80));
  EXPECT_TRUE(is_kept_from("b1", "10.1.0.2", 80));
}

// Without the bridge's own isolation frames between ports pass below the ruleset: only br_netfilter
// shows them to it.
TEST_F(Isolation, WithoutIccNeighboursMeetOnlyThroughPublishedPorts) {
  networks({.icc = false}, {});
  call_iptables_for_bridges();
  publish_a1(GatewayMode::kNat);
  EXPECT_TRUE(is_kept_from("a2", "10.1.0.2", 80));
  EXPECT_TRUE(is_kept_from("a2", "fd00:1::2", 80));
  EXPECT_TRUE(reaches("a2", "10.1.0.1", 8080));
  EXPECT_TRUE(reaches("a2", "fd00:1::1", 8080));
  EXPECT_TRUE(reaches("a2", "203.0.113.1", 80));
}

TEST_F(Isolation, WithoutIccIsolatedPortsStillMeetThroughPublishedPorts) {
  networks({.icc = false}, {});
  publish_a1(GatewayMode::kNat);
  for (const char* port : {"veth0", "veth1"}) {
    const auto link = must(links().find(testing::ifname(port)));
    must(links().set_port_flags(link.index, {.hairpin = true, .isolated = true}));
  }
  EXPECT_TRUE(is_kept_from("a2", "10.1.0.2", 80));
  EXPECT_TRUE(reaches("a2", "10.1.0.1", 8080));
  EXPECT_TRUE(reaches("a2", "fd00:1::1", 8080));
}

TEST_F(Isolation, RoutedNetworksAreReachedAtPublishedPortsWithoutNat) {
  networks({.mode_v4 = GatewayMode::kRouted, .mode_v6 = GatewayMode::kRouted}, {});
  route_back();
  publish_a1(GatewayMode::kRouted);
  EXPECT_EQ(must(ask_tcp("outside", "10.1.0.2", 80)).client, ip("203.0.113.1"));
  EXPECT_TRUE(reaches("outside", "fd00:1::2", 80));
  EXPECT_TRUE(reaches("b1", "10.1.0.2", 80));
  EXPECT_TRUE(ping("outside", "10.1.0.2"));
  EXPECT_EQ(must(ask_tcp("a1", "203.0.113.1", 80)).client, ip("10.1.0.2"));
  EXPECT_TRUE(is_kept_from("outside", "10.1.0.3", 80));
  EXPECT_TRUE(is_kept_from("outside", "203.0.113.2", 8080));
  EXPECT_TRUE(is_kept_from("b1", "10.1.0.3", 80));
}

TEST_F(Isolation, UnprotectedNetworksAreReachedFromOutsideButNotFromOtherNetworks) {
  networks({.mode_v4 = GatewayMode::kNatUnprotected, .mode_v6 = GatewayMode::kNatUnprotected}, {});
  route_back();
  EXPECT_TRUE(reaches("outside", "10.1.0.3", 80));
  EXPECT_TRUE(reaches("outside", "fd00:1::3", 80));
  EXPECT_TRUE(is_kept_from("b1", "10.1.0.3", 80));
  EXPECT_EQ(must(ask_tcp("a1", "203.0.113.1", 80)).client, ip("203.0.113.2"));
  publish_a1(GatewayMode::kNatUnprotected);
  EXPECT_TRUE(reaches("outside", "203.0.113.2", 8080));
}

TEST_F(Isolation, OneFamilyOnlyMeansTheOtherIsShut) {
  create({.bridge = testing::ifname("fl-four"), .subnets = {testing::cidr("10.3.0.0/24")}});
  must(links().ensure_bridge(
      {.name = testing::ifname("fl-four"),
       .mac = MacAddress::from_hash("fl-four"),
       .addresses = {testing::cidr("10.3.0.1/24"), testing::cidr("fd00:3::1/64")},
       .ipv6 = true},
      false));
  run("sly", "fl-four", {"10.3.0.2/24", "fd00:3::2/64"});
  add_route("sly", "eth0", "2001:db8::/64", "fd00:3::1");
  add_route("outside", "eth0", "fd00:3::/64", "2001:db8::2");
  auto service = serve_tcp("outside", 80);
  EXPECT_TRUE(reaches("sly", "203.0.113.1", 80));
  EXPECT_TRUE(is_kept_from("sly", "2001:db8::1", 80));
}

TEST_F(Isolation, NetworkThatIsDismissedLeavesNoElement) {
  networks({}, {});
  publish_a1(GatewayMode::kNat);
  unpublish({.host_port = 8080,
             .container_port = 80,
             .target_v4 = ip("10.1.0.2"),
             .target_v6 = ip("fd00:1::2")});
  change({.networks = {dual_stack("fl-a", "10.1.0.0/24", "fd00:1::/64"),
                       dual_stack("fl-b", "10.2.0.0/24", "fd00:2::/64")}},
         {});
  EXPECT_EQ(must(firewall().list_text()).find("elements"), std::string::npos);
}

// An accept here does not undo the drop of another table, and the other way round.
TEST_F(Isolation, TrafficOfOthersIsNotTouched) {
  networks({}, {});
  add_bridge("foreign", {"172.30.0.1/24"});
  attach("guest", "foreign", {"172.30.0.2/24"});
  add_route("outside", "eth0", "172.30.0.0/24", "203.0.113.2");
  auto service = serve_tcp("guest", 80);
  EXPECT_EQ(must(ask_tcp("guest", "203.0.113.1", 80)).client, ip("172.30.0.2"));
  EXPECT_TRUE(reaches("outside", "172.30.0.2", 80));
  EXPECT_TRUE(is_kept_from("guest", "10.1.0.2", 80));
}

}  // namespace
}  // namespace fairlead::nat
