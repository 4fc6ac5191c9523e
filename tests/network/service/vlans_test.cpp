// Networks that are a VLAN of a bridge, on a kernel whose bridges filter VLANs (tests/run.sh guest).
#include <gmock/gmock.h>

#include <cstdlib>

#include "network/drivers/bridge_record.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

//   switch: wire.20, wire.30 ── wire ══ trunk0 ── br0 in the host, which has no address
class Vlans : public ServiceWorld {
 protected:
  void SetUp() override {
    ServiceWorld::SetUp();
    if (IsSkipped()) return;
    if (!filters_vlans())
      GTEST_SKIP() << "this kernel has no bridge VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)";
    netns("switch");
    run_in("host", "ip link add br0 type bridge vlan_filtering 1 && ip link set br0 up");
    run_in("switch", "ip link add wire type veth peer name trunk0 && ip link set lo up");
    links_of_trunk();
  }
  bool filters_vlans() {
    bool able = false;
    in("host", [&] {
      able = std::system(
                 "ip link add probe type bridge vlan_filtering 1 2>/dev/null && "
                 "ip link delete probe") == 0;
    });
    return able;
  }
  void links_of_trunk() {
    run_in("switch",
           fmt::format("ip link set trunk0 netns /proc/{}/fd/{}", ::getpid(), netns("host")));
    run_in("host",
           "ip link set trunk0 master br0 up && bridge vlan add dev trunk0 vid 20 && "
           "bridge vlan add dev trunk0 vid 30");
    run_in("switch",
           "ip link set wire up && for id in 20 30; do "
           "ip link add link wire name wire.$id type vlan id $id && "
           "ip address add 192.168.$id.1/24 dev wire.$id && "
           "ip -6 address add fd00:$id::1/64 dev wire.$id nodad && ip link set wire.$id up; done");
  }
  // With iproute2, which is not the first `ip` of a guest.
  static int run(const std::string& command) {
    static const std::string kIproute2 =
        "ip() { if [ -x /usr/sbin/ip ]; then /usr/sbin/ip \"$@\"; else /usr/bin/ip \"$@\"; fi; }; ";
    return std::system((kIproute2 + command).c_str());
  }
  void run_in(const std::string& where, const std::string& command) {
    in(where, [&] { ASSERT_EQ(run(command), 0) << command; });
  }
  // A guest takes its time.
  bool reaches(const std::string& from, const std::string& to) {
    return ping(from, to, std::chrono::seconds(5)).has_value();
  }
  network::NetworkSpec on_trunk(const std::string& name, std::uint16_t vlan) {
    auto wanted = spec(name, fmt::format("192.168.{}.0/24", vlan));
    wanted.subnets.push_back({.subnet = cidr(fmt::format("fd00:{}::/64", vlan))});
    wanted.options.bridge = ifname("br0");
    wanted.options.vlan = vlan;
    return wanted;
  }
  std::string port_of(const network::Attachment& attachment) {
    return host_side_of(attachment.endpoint).str();
  }
  bool is_in_vlan(const std::string& port, std::uint16_t vlan) {
    return must(links().has_access_vlan(must(links().find(ifname(port))).index, vlan));
  }
};

TEST_F(Vlans, OfATrunkAreNetworksBesideEachOther) {
  must(service_->create_network(on_trunk("office", 20)));
  must(service_->create_network(on_trunk("guests", 30)));
  const auto a = must(attach_to("office", "a")), b = must(attach_to("guests", "b"));
  must(attach_to("office", "c"));
  EXPECT_TRUE(reaches("a", "192.168.20.1"));
  EXPECT_TRUE(reaches("a", "fd00:20::1"));
  EXPECT_TRUE(reaches("b", "192.168.30.1"));
  EXPECT_TRUE(reaches("a", "192.168.20.3")) << "another container of the VLAN";
  EXPECT_TRUE(is_in_vlan(port_of(a), 20));
  EXPECT_TRUE(is_in_vlan(port_of(b), 30));
  EXPECT_FALSE(is_in_vlan(port_of(b), 20));
  run_in("b", "ip address add 192.168.20.77/24 dev eth0");
  EXPECT_FALSE(ping("b", "192.168.20.1")) << "it is in no other VLAN";
  const auto bridge = must(links().find(ifname("br0")));
  for (const Cidr& address : must(links().addresses(bridge.index)))
    EXPECT_FALSE(address.is_v4()) << "the gateway is a router of the VLAN";
  EXPECT_FALSE(ping("host", "192.168.20.2")) << "the host is not in the VLAN";
  must(service_->check(ref("office", "a"), {.netns_fd = netns("a"), .ifname = "eth0"}));
  const auto refused = attach_to("office", "d", {port(8080, 80)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("VLAN 20 of bridge br0, where the host is not"));
}

// Neither the table of bridges nor the port of the VLAN lets them through.
TEST_F(Vlans, ContainersSendNoTags) {
  for (const auto spoofing : {network::Spoofing::kDeny, network::Spoofing::kAllow}) {
    auto wanted = on_trunk("office", 20);
    wanted.options.spoofing = spoofing;
    must(service_->create_network(wanted));
    must(attach_to("office", "a"));
    run_in("a",
           "ip link add link eth0 name tagged type vlan id 30 && "
           "ip address add 192.168.30.77/24 dev tagged && ip link set tagged up");
    EXPECT_FALSE(ping("a", "192.168.30.1"));
    EXPECT_TRUE(reaches("a", "192.168.20.1"));
    run_in("a", "ip link delete tagged");
    must(service_->remove_endpoint(ref("office", "a")));
    must(service_->remove_network(network::NetworkText{"office"}));
  }
}

TEST_F(Vlans, WhatAPortHasLostIsMended) {
  must(service_->create_network(on_trunk("office", 20)));
  const auto a = must(attach_to("office", "a"));
  for (const char* change : {"bridge vlan delete dev {0} vid 20", "bridge vlan add dev {0} vid 30",
                             "bridge vlan add dev {0} vid 1 pvid untagged",
                             "ip link set {0} nomaster", "ip link set {0} down"}) {
    run_in("host", fmt::format(fmt::runtime(change), port_of(a)));
    EXPECT_FALSE(service_->check(ref("office", "a"), {})) << change;
    must(service_->reconcile());
    EXPECT_TRUE(is_in_vlan(port_of(a), 20)) << change;
    EXPECT_TRUE(reaches("a", "192.168.20.1")) << change;
    must(service_->check(ref("office", "a"), {}));
  }
}

TEST_F(Vlans, OfABridgeOfItsOwnHasTheHostForItsGateway) {
  auto wanted = spec("own", "10.20.0.0/24");
  wanted.options.vlan = 20;
  const auto network = must(service_->create_network(wanted));
  const std::string bridge = network.links.shown.at("bridge");
  const auto a = must(attach_to("own", "a", {port(8080, 80)}));
  must(attach_to("own", "b"));
  EXPECT_TRUE(reaches("a", "10.20.0.1"));
  EXPECT_TRUE(reaches("a", "10.20.0.3"));
  EXPECT_TRUE(reaches("a", "203.0.113.1")) << "and for its way out";
  const auto server = serve_tcp("a", 80);
  EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080, std::chrono::seconds(10))).server, "a");
  EXPECT_TRUE(is_in_vlan(port_of(a), 20));
  EXPECT_TRUE(is_in_vlan(bridge, 20)) << "the bridge itself";
  run_in("host", fmt::format("ip link set {} type bridge vlan_filtering 0", bridge));
  must(service_->reconcile());
  EXPECT_EQ(must(links().find(ifname(bridge))).filters_vlans, true);
  EXPECT_TRUE(reaches("a", "10.20.0.1"));
  run_in("host", fmt::format("ip link delete {}", bridge));
  must(service_->reconcile());
  EXPECT_TRUE(reaches("a", "10.20.0.1"));
  EXPECT_TRUE(is_in_vlan(bridge, 20));
}

TEST_F(Vlans, WhatDoesNotFitIsRefused) {
  must(service_->create_network(on_trunk("office", 20)));
  const auto said = [&](const network::NetworkSpec& wanted) {
    const auto created = service_->create_network(wanted);
    return created ? std::string() : created.error().text;
  };
  auto same = on_trunk("again", 20);
  same.subnets = {{.subnet = cidr("192.168.21.0/24")}};
  EXPECT_THAT(said(same), HasSubstr("bridge br0 belongs to network office, which is its VLAN 20"));
  auto whole = on_trunk("whole", 30);
  whole.options.vlan.reset();
  EXPECT_THAT(said(whole), HasSubstr("belongs to network office"));
  run_in("host", "ip link add br1 type bridge");
  auto unfiltered = on_trunk("plain", 30);
  unfiltered.options.bridge = ifname("br1");
  EXPECT_THAT(said(unfiltered), HasSubstr("ip link set br1 type bridge vlan_filtering 1"));
}

TEST_F(Vlans, LeaveTheTrunkAsItWas) {
  must(service_->create_network(on_trunk("office", 20)));
  must(attach_to("office", "a"));
  must(service_->remove_endpoint(ref("office", "a")));
  must(service_->remove_network(network::NetworkText{"office"}));
  EXPECT_EQ(leftovers(), "");
  EXPECT_EQ(must(links().find(ifname("br0"))).filters_vlans, true);
  run_in("host", "bridge vlan show dev trunk0 | grep -q 20");
}

class NoVlans : public Vlans {
 protected:
  void SetUp() override {
    ServiceWorld::SetUp();
    if (!IsSkipped() && filters_vlans()) GTEST_SKIP() << "the bridges of this kernel filter VLANs";
  }
};

TEST_F(NoVlans, AreSaidAndNothingIsLeft) {
  auto wanted = spec("own", "10.20.0.0/24");
  wanted.options.vlan = 20;
  const auto own = service_->create_network(wanted);
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, Code::kUnsupported);
  EXPECT_THAT(own.error().text, HasSubstr("this kernel has no bridge VLAN filtering: "
                                          "CONFIG_BRIDGE_VLAN_FILTERING"));
  run_in("host", "ip link add br0 type bridge && ip link set br0 up");
  const auto joined = service_->create_network(on_trunk("office", 20));
  ASSERT_FALSE(joined);
  EXPECT_THAT(joined.error().text, HasSubstr("CONFIG_BRIDGE_VLAN_FILTERING"));
  EXPECT_EQ(leftovers(), "");
}

}  // namespace
}  // namespace fairlead::testing
