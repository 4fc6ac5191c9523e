// Networks of mode routed, on the real kernel: what holds on a bridge holds without one.
#include <gmock/gmock.h>

#include <cstdlib>

#include "network/api/policy.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class RoutedNetworks : public ServiceWorld {
 protected:
  static constexpr std::chrono::milliseconds kPatience{3000};  // for what has to come

  network::NetworkSpec routed(const std::string& name, const std::string& subnet,
                              const std::string& second = "") {
    network::NetworkSpec wanted = spec(name, subnet);
    if (!second.empty()) wanted.subnets.push_back({.subnet = cidr(second)});
    wanted.options.mode = "routed";
    return wanted;
  }
  void make(const network::NetworkSpec& wanted) { must(service_->create_network(wanted)); }
  std::vector<std::string> host_links(const std::string& prefix) {
    std::vector<std::string> names;
    for (const kernel::Link& link : must(links().list()))
      if (link.name.starts_with(prefix)) names.push_back(link.name);
    return names;
  }
  void run_in(const std::string& where, const std::string& command) {
    in(where, [&] { ASSERT_EQ(std::system(command.c_str()), 0) << command; });
  }
};

TEST_F(RoutedNetworks, EachContainerHasItsAddressAlone) {
  make(routed("r", "10.20.0.0/24", "fd00:20::/64"));
  const auto a = must(attach_to("r", "a")), b = must(attach_to("r", "b"));
  EXPECT_THAT(a.endpoint.addresses, ElementsAre(cidr("10.20.0.2/32"), cidr("fd00:20::2/128")));
  EXPECT_THAT(a.host_links, ::testing::SizeIs(1));
  EXPECT_THAT(a.host_links.front().name.str(), StartsWith("flr"));
  const auto inside = must(links().inspect(netns("a"), ifname("eth0")));
  EXPECT_THAT(inside.addresses, ::testing::Contains(cidr("10.20.0.2/32")));
  for (const char* to : {"10.20.0.3", "fd00:20::3", "10.20.0.1", "fd00:20::1"})
    EXPECT_TRUE(ping("a", to)) << to;
  EXPECT_TRUE(ping("host", "10.20.0.2"));
  EXPECT_TRUE(ping("host", "fd00:20::2"));
  must(service_->check(
      ref("r", "b"),
      {.netns_fd = netns("b"), .ifname = "eth0", .addresses = b.endpoint.addresses}));
}

// The gateway is on the link alone, and the same one for all.
TEST_F(RoutedNetworks, OneAddressIsASubnet) {
  make(routed("r", "198.18.0.9/32", "fd00:20::9/128"));
  make(routed("s", "198.18.0.10/32", "fd00:21::9/128"));
  const auto a = must(attach_to("r", "a", {port(8080, 80)}));
  must(attach_to("s", "b"));
  EXPECT_THAT(a.endpoint.addresses, ElementsAre(cidr("198.18.0.9/32"), cidr("fd00:20::9/128")));
  const auto server = serve_tcp("a", 80);
  for (const char* address : {"198.18.0.9", "fd00:20::9"}) {
    EXPECT_TRUE(ping("host", address)) << address;
    EXPECT_FALSE(ping("b", address)) << "another network";
  }
  for (const char* far : {"203.0.113.1", "2001:db8::1"}) EXPECT_TRUE(ping("a", far)) << far;
  EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080, kPatience)).server, "a");
  EXPECT_EQ(must(ask_tcp("outside", "2001:db8::2", 8080, kPatience)).server, "a");
  EXPECT_EQ(must(ask_tcp("b", "203.0.113.2", 8080, kPatience)).server, "a");
  EXPECT_EQ(attach_to("r", "c").error().code, Code::kExhausted);
  must(service_->check(
      ref("r", "a"),
      {.netns_fd = netns("a"), .ifname = "eth0", .addresses = a.endpoint.addresses}));
  must(service_->reconcile());
  for (const auto& [net, container] : {std::pair{"r", "a"}, {"s", "b"}}) {
    must(service_->remove_endpoint(ref(net, container)));
    must(service_->remove_network(network::NetworkText{net}));
  }
  EXPECT_EQ(leftovers(), "");
}

TEST_F(RoutedNetworks, TheHostSpeaksUnderItsAddressInTheNetwork) {
  make(routed("r", "10.20.0.0/24", "fd00:20::/64"));
  must(attach_to("r", "a"));
  const auto server = serve_tcp("a", 80);
  EXPECT_EQ(must(ask_tcp("host", "10.20.0.2", 80, kPatience)).client, ip("10.20.0.1"));
  EXPECT_EQ(must(ask_tcp("host", "fd00:20::2", 80, kPatience)).client, ip("fd00:20::1"));
}

TEST_F(RoutedNetworks, NetworksMeetByPublishedPortsOnly) {
  make(routed("r", "10.20.0.0/24"));
  make(routed("s", "10.21.0.0/24"));
  create("bridged", "10.22.0.0/24");
  must(attach_to("r", "a", {port(8080, 80)}));
  must(attach_to("s", "b"));
  must(attach_to("bridged", "c"));
  const auto server = serve_tcp("a", 80), other = serve_tcp("c", 80);
  for (const char* from : {"b", "c", "outside"})
    EXPECT_FALSE(ask_tcp(from, "10.20.0.2", 80)) << from;
  EXPECT_FALSE(ask_tcp("b", "10.22.0.2", 80));
  for (const char* from : {"b", "c", "outside", "a", "host"})
    EXPECT_TRUE(ask_tcp(from, "203.0.113.2", 8080)) << from;
  EXPECT_TRUE(ask_tcp("host", "127.0.0.1", 8080));
}

TEST_F(RoutedNetworks, WithoutIccContainersDoNotReachEachOther) {
  auto wanted = routed("r", "10.20.0.0/24", "fd00:20::/64");
  wanted.options.icc = false;
  make(wanted);
  must(attach_to("r", "a", {port(8080, 80)}));
  must(attach_to("r", "b"));
  const auto server = serve_tcp("a", 80);
  EXPECT_FALSE(ask_tcp("b", "10.20.0.2", 80));
  EXPECT_FALSE(ping("b", "fd00:20::2"));
  EXPECT_TRUE(ask_tcp("b", "203.0.113.2", 8080));
}

TEST_F(RoutedNetworks, AnInternalNetworkHasItsMembersAndItsGatewaysPing) {
  auto wanted = routed("r", "10.20.0.0/24", "fd00:20::/64");
  wanted.internal = true;
  make(wanted);
  must(attach_to("r", "a"));
  must(attach_to("r", "b"));
  const auto server = serve_tcp("a", 80), of_host = serve_tcp("host", 7777);
  EXPECT_TRUE(ask_tcp("b", "10.20.0.2", 80));
  EXPECT_TRUE(ask_tcp("b", "fd00:20::2", 80));
  for (const char* gateway : {"10.20.0.1", "fd00:20::1"}) {
    EXPECT_TRUE(ping("b", gateway)) << gateway;
    EXPECT_FALSE(ask_tcp("b", gateway, 7777)) << gateway;
  }
  run_in("b", "ip route add default via 10.20.0.1");
  EXPECT_FALSE(ping("b", "203.0.113.1"));
  EXPECT_FALSE(ask_tcp("b", "203.0.113.2", 7777));
}

TEST_F(RoutedNetworks, WithEgressDenyOnlyWhatIsAllowedLeaves) {
  auto wanted = routed("r", "10.20.0.0/24", "fd00:20::/64");
  wanted.options.egress = network::Egress::kDeny;
  wanted.options.egress_allow = {must(network::parse_egress_rule("203.0.113.1:81/tcp"))};
  make(wanted);
  make(routed("s", "10.21.0.0/24"));
  must(attach_to("r", "a", {port(8080, 80)}));
  must(attach_to("r", "b"));
  must(attach_to("s", "c", {port(8081, 80)}));
  const auto web = serve_tcp("a", 80), other = serve_tcp("c", 80);
  const auto closed = serve_tcp("outside", 80), open = serve_tcp("outside", 81);
  const auto of_host = serve_tcp("host", 7777);
  EXPECT_TRUE(ask_tcp("b", "10.20.0.2", 80));
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8080));
  EXPECT_TRUE(ask_tcp("a", "203.0.113.1", 81));
  EXPECT_TRUE(ping("a", "10.20.0.1"));
  EXPECT_FALSE(ask_tcp("a", "203.0.113.1", 80));
  EXPECT_FALSE(ping("a", "203.0.113.1"));
  EXPECT_FALSE(ask_tcp("a", "203.0.113.2", 8081));
  EXPECT_FALSE(ask_tcp("a", "203.0.113.2", 7777));
  EXPECT_TRUE(ask_tcp("c", "203.0.113.1", 80));
}

TEST_F(RoutedNetworks, PoliciesOpenAndCloseThem) {
  make(routed("r", "10.20.0.0/24"));
  make(routed("s", "10.21.0.0/24"));
  must(attach_to("r", "a"));
  must(attach_to("s", "b"));
  const auto server = serve_tcp("a", 80), far = serve_tcp("outside", 80);
  const auto add = [&](network::PolicyAction action, const char* from, const char* to) {
    return must(service_->add_policy({.action = action,
                                      .from = must(network::parse_policy_end(from)),
                                      .to = must(network::parse_policy_end(to)),
                                      .ports = {}},
                                     false));
  };
  EXPECT_FALSE(ask_tcp("b", "10.20.0.2", 80));
  const auto opened = add(network::PolicyAction::kAllow, "s", "r");
  EXPECT_TRUE(ask_tcp("b", "10.20.0.2", 80));
  EXPECT_FALSE(ping("a", "10.21.0.2"));
  must(service_->remove_policy(opened.id));
  EXPECT_FALSE(ask_tcp("b", "10.20.0.2", 80));
  EXPECT_TRUE(ask_tcp("b", "203.0.113.1", 80));
  add(network::PolicyAction::kDeny, "s", "203.0.113.0/24");
  EXPECT_FALSE(ask_tcp("b", "203.0.113.1", 80));
  EXPECT_TRUE(ask_tcp("a", "203.0.113.1", 80));
}

TEST_F(RoutedNetworks, TheyLeaveUnderTheAddressOfTheirOwnAndPublishRanges) {
  auto wanted = routed("r", "10.20.0.0/24");
  wanted.options.snat_v4 = ip("203.0.113.77");
  make(wanted);
  run_in("host", "ip addr add 203.0.113.77/32 dev lo");
  run_in("outside", "ip route add 203.0.113.77 via 203.0.113.2");
  network::PortSpec range = port(7000, 7000);
  range.host_port_end = range.container_port_end = 7099;
  must(attach_to("r", "a", {range}));
  const auto far = serve_tcp("outside", 80), server = serve_tcp("a", 7042);
  EXPECT_EQ(must(ask_tcp("a", "203.0.113.1", 80, kPatience)).client, ip("203.0.113.77"));
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 7042));
  EXPECT_TRUE(ask_tcp("a", "203.0.113.2", 7042));
}

TEST_F(RoutedNetworks, ContainersOfSeveralSubnetsAreNeighboursByTheHost) {
  for (const bool internal : {false, true}) {
    auto wanted = routed("r", "10.20.0.0/30", "10.21.0.0/24");
    wanted.internal = internal;
    make(wanted);
    const auto a = must(attach_to("r", "a")), b = must(attach_to("r", "b"));
    EXPECT_THAT(a.endpoint.addresses, ElementsAre(cidr("10.20.0.2/32")));
    EXPECT_THAT(b.endpoint.addresses, ElementsAre(cidr("10.21.0.2/32")));
    EXPECT_TRUE(ping("a", "10.21.0.2")) << internal;
    EXPECT_TRUE(ping("b", "10.20.0.2")) << internal;
    for (const char* gateway : {"10.20.0.1", "10.21.0.1"}) EXPECT_TRUE(ping("b", gateway));
    for (const char* name : {"a", "b"}) must(service_->remove_endpoint(ref("r", name)));
    must(service_->remove_network(NetworkName(must(NetworkName::parse("r")))));
  }
}

// With another address than its own nothing comes through; the control is its own one.
TEST_F(RoutedNetworks, AContainerSpeaksUnderItsOwnAddressOnly) {
  make(routed("r", "10.20.0.0/24", "fd00:20::/64"));
  must(attach_to("r", "a"));
  must(attach_to("r", "b"));
  must(attach_to("r", "victim"));
  run_in("a",
         "ip addr add 10.20.0.99/32 dev eth0 && ip addr add 198.51.100.9/32 dev eth0 && "
         "ip addr add fd00:20::99/128 dev eth0 nodad");
  const auto from = [&](const std::string& source, const std::string& to) {
    const bool v4 = to.find(':') == std::string::npos;
    run_in("a", fmt::format("ip route replace default via {} dev eth0 src {}",
                            v4 ? "10.20.0.1" : "fd00:20::1", source));
    return ping("a", to).has_value();
  };
  run_in("host", "ip route add 10.20.0.99 dev lo && ip route add 198.51.100.9 dev lo");
  EXPECT_TRUE(from("10.20.0.2", "10.20.0.3"));
  EXPECT_TRUE(from("10.20.0.2", "203.0.113.2"));
  EXPECT_TRUE(from("fd00:20::2", "fd00:20::3"));
  for (const char* forged : {"10.20.0.99", "198.51.100.9"}) {
    EXPECT_FALSE(from(forged, "10.20.0.3")) << forged;
    EXPECT_FALSE(from(forged, "203.0.113.2")) << forged;
  }
  EXPECT_FALSE(from("fd00:20::99", "fd00:20::3"));
}

TEST_F(RoutedNetworks, WhatWasLostIsMended) {
  make(routed("r", "10.20.0.0/24", "fd00:20::/64"));
  must(attach_to("r", "a"));
  must(attach_to("r", "b"));
  for (const std::string& name : host_links("flr")) run_in("host", "ip link set " + name + " down");
  run_in("host", "ip link del " + host_links("fl-").front());
  EXPECT_FALSE(ping("a", "10.20.0.3"));
  EXPECT_THAT(must(service_->reconcile()).failures, IsEmpty());
  EXPECT_TRUE(ping("a", "10.20.0.3"));
  EXPECT_TRUE(ping("a", "fd00:20::3"));
  EXPECT_TRUE(ping("host", "10.20.0.2"));
  EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty());
}

TEST_F(RoutedNetworks, NothingIsLeft) {
  make(routed("r", "10.20.0.0/24", "fd00:20::/64"));
  const std::size_t gateways = must(service_->list_leases(std::nullopt)).size();
  must(attach_to("r", "a", {port(8080, 80)}));
  must(service_->remove_endpoint(ref("r", "a")));
  EXPECT_THAT(host_links("flr"), IsEmpty());
  EXPECT_THAT(must(service_->list_leases(std::nullopt)), ::testing::SizeIs(gateways));
  must(service_->remove_network(NetworkName(must(NetworkName::parse("r")))));
  EXPECT_THAT(host_links("fl"), IsEmpty());
}

TEST_F(RoutedNetworks, WhatItDoesNotHonourIsRefused) {
  const auto said = [&](const std::function<void(network::NetworkSpec&)>& change) {
    auto wanted = routed("r", "10.20.0.0/24");
    change(wanted);
    const auto made = service_->create_network(wanted);
    return made ? std::string() : made.error().text;
  };
  using Spec = network::NetworkSpec;
  EXPECT_THAT(said([](Spec& s) { s.options.spoofing = network::Spoofing::kAllow; }),
              HasSubstr("use mode bridge"));
  EXPECT_THAT(said([](Spec& s) { s.options.inhibit_ipv4 = true; }), HasSubstr("inhibit_ipv4"));
  EXPECT_THAT(said([](Spec& s) { s.options.driver["routed_proxi"] = "eth0"; }),
              HasSubstr("did you mean \"routed_proxy\""));
  EXPECT_THAT(said([](Spec& s) { s.options.driver["routed_proxy"] = "nothing"; }),
              HasSubstr("interface nothing does not exist"));
  EXPECT_THAT(said([](Spec& s) {
                s.internal = true;
                s.options.gateway_mode_v4 = network::GatewayMode::kIsolated;
              }),
              HasSubstr("without a gateway"));
}

}  // namespace
}  // namespace fairlead::testing
