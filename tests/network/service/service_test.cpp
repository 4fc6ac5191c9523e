// The service's verbs, on the real kernel.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "base/process.h"
#include "network/cluster/keys.h"
#include "network/drivers/bridge.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// The bridge's MAC as the driver remembers it.
MacAddress mac_of(const network::Network& network) {
  return must(MacAddress::parse(network.links.shown.at("bridge_mac")));
}

class NetworkVerbs : public ServiceWorld {};

TEST_F(NetworkVerbs, CreatedNetworkHasABridgeWithItsGateway) {
  const auto network = create("shop", "10.20.0.0/24");
  const auto bridge = must(links().find(bridge_of(network)));
  EXPECT_EQ(bridge.kind, "bridge");
  EXPECT_TRUE(bridge.up);
  EXPECT_EQ(bridge.mac, mac_of(network));
  EXPECT_EQ(network.subnets.at(0).gateway, ip("10.20.0.1"));
}

TEST_F(NetworkVerbs, CreatingItAgainIsTheSameAndOtherwiseSaysTheDifference) {
  const auto first = create("shop", "10.20.0.0/24");
  EXPECT_EQ(create("shop", "10.20.0.0/24"), first);
  EXPECT_EQ(create("shop"), first);
  const auto other = service_->create_network(spec("shop", "10.21.0.0/24"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kConflict);
  EXPECT_THAT(other.error().text, HasSubstr("it has no subnet 10.21.0.0/24"));
  auto internal = spec("shop");
  internal.internal = true;
  EXPECT_THAT(service_->create_network(internal).error().text, HasSubstr("not internal"));
}

TEST_F(NetworkVerbs, OverlappingSubnetsAreRefusedWithTheHolder) {
  create("shop", "10.20.0.0/24");
  const auto other = service_->create_network(spec("lab", "10.20.0.128/25"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kExists);
  EXPECT_THAT(other.error().text, HasSubstr("10.20.0.0/24"));
  EXPECT_EQ(must(service_->list_networks()).size(), 1U);
}

TEST_F(NetworkVerbs, ChosenSubnetsAvoidTheHostsRoutes) {
  const auto first = create("a"), second = create("b");
  EXPECT_FALSE(first.subnets.at(0).subnet.overlaps(second.subnets.at(0).subnet));
  EXPECT_FALSE(first.subnets.at(0).subnet.overlaps(cidr("203.0.113.0/24")));
}

// The longer prefix would win, and cut the host off from its neighbours of those addresses.
TEST_F(NetworkVerbs, ASubnetInsideANetworkOfTheHostIsRefused) {
  add_bridge("lan0", {"198.18.0.1/16", "fd77::1/48"});
  for (const char* inside :
       {"198.18.0.0/24", "198.18.0.0/16", "198.18.77.0/24", "203.0.113.128/25"})
    EXPECT_EQ(service_->create_network(spec("shop", inside)).error().code, Code::kExists) << inside;
  auto dual = spec("shop", "10.20.0.0/24");
  dual.subnets.push_back({.family = Family::kV6, .subnet = cidr("fd77::/64")});
  const auto refused = service_->create_network(dual);
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("interface lan0 of this host has fd77::/48"));
  EXPECT_EQ(leftovers(), "");
  // A wide route through a gateway is no matter.
  add_route("host", "uplink0", "10.0.0.0/8", "203.0.113.1");
  create("shop", "10.20.0.0/24");
  EXPECT_THAT(service_->create_network(spec("other", "10.20.0.0/25")).error().text,
              HasSubstr("the subnet of network shop"));
}

TEST_F(NetworkVerbs, AVpnForAllTrafficLeavesRoomForNetworks) {
  for (const char* half : {"0.0.0.0/1", "128.0.0.0/1"})
    add_route("host", "uplink0", half, "203.0.113.1");
  for (const char* half : {"::/1", "8000::/1"}) add_route("host", "uplink0", half, "2001:db8::1");
  auto wanted = spec("shop");
  wanted.ipv6 = true;
  EXPECT_THAT(must(service_->create_network(wanted)).subnets, SizeIs(2));
  must(core_->pools().request_pool({}));
}

// docker0 comes up, or a VPN: that is said, and the network stays where it is.
TEST_F(NetworkVerbs, WhatComesUpOverASubnetLaterIsAProblem) {
  const auto network = create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web"));
  EXPECT_THAT(must(service_->status()).problems, IsEmpty());
  add_bridge("docker0", {"10.20.0.129/25"});
  add_route("host", "uplink0", "10.20.0.64/26", "203.0.113.1");
  add_route("host", "uplink0", "10.0.0.0/8", "203.0.113.1");  // wider: no matter
  EXPECT_THAT(must(service_->status()).problems,
              ElementsAre(AllOf(HasSubstr("interface docker0 has 10.20.0.128/25"),
                                HasSubstr("the subnet 10.20.0.0/24 of network shop")),
                          HasSubstr("a route to 10.20.0.64/26 through uplink0")));
  EXPECT_THAT(must(service_->reconcile()).actions, Each(HasSubstr("follow the host's addresses")));
  EXPECT_EQ(must(service_->inspect_network(network::NetworkText{"shop"})), network);
}

TEST_F(NetworkVerbs, ASubnetOfTwoAddressesWorks) {
  auto wanted = spec("pair", "10.20.0.0/31");
  wanted.subnets.push_back({.family = Family::kV6, .subnet = cidr("fd20::/127")});
  must(service_->create_network(wanted));
  EXPECT_EQ(address_of(must(attach_to("pair", "web"))), "10.20.0.1");
  EXPECT_TRUE(ping("web", "10.20.0.0"));
  EXPECT_TRUE(ping("web", "fd20::"));
  EXPECT_TRUE(ping("web", "203.0.113.1"));  // the outside
}

// By whom; or why not.
std::string answered(const Result<Answer>& answer) {
  return answer ? answer->server : answer.error().text;
}

// Containers of the subnets reach each other, the outside, and published ports on each other, whichever
// subnet each of them is in.
TEST_F(NetworkVerbs, SeveralSubnetsOfAFamilyAreOneNetwork) {
  auto wanted = spec("shop", "10.20.0.0/30");
  wanted.subnets.push_back({.subnet = cidr("10.21.0.0/24")});
  for (const char* subnet : {"fd20::/64", "fd21::/64"})
    wanted.subnets.push_back({.family = Family::kV6, .subnet = cidr(subnet)});
  const auto network = must(service_->create_network(wanted));
  EXPECT_EQ(address_of(must(attach_to("shop", "one", {port(8081, 80)}))), "10.20.0.2");
  auto second = endpoint("shop", "two");
  second.addresses = {cidr("fd21::7/64")};
  second.ports = {port(8082, 80)};
  const auto two = must(service_->attach(second, into("two")));
  EXPECT_EQ(address_of(two), "10.21.0.2");
  EXPECT_EQ(address_of(two, 1), "fd21::7");
  const auto one_serves = serve_tcp("one", 80), two_serves = serve_tcp("two", 80);
  for (const auto& [from, to, who] : {std::tuple{"one", "10.21.0.2", "two"},
                                      {"two", "10.20.0.2", "one"},
                                      {"one", "fd21::7", "two"},
                                      {"two", "fd20::2", "one"},
                                      {"host", "10.21.0.2", "two"},
                                      {"host", "fd21::7", "two"}})
    EXPECT_EQ(answered(ask_tcp(from, to, 80)), who) << from << " to " << to;
  for (const auto& [from, number, who] : {std::tuple{"outside", 8082, "two"},
                                          {"one", 8082, "two"},
                                          {"two", 8082, "two"},
                                          {"two", 8081, "one"},
                                          {"host", 8082, "two"}})
    EXPECT_EQ(answered(ask_tcp(from, "203.0.113.2", static_cast<std::uint16_t>(number))), who)
        << from << " to " << number;
  const auto outside = serve_tcp("outside", 90);
  for (const char* from : {"one", "two"})
    EXPECT_EQ(must(ask_tcp(from, "203.0.113.1", 90)).client, ip("203.0.113.2")) << from;
  EXPECT_THAT(must(service_->status()).problems, IsEmpty());
  for (const char* container : {"one", "two"})
    must(service_->check(ref("shop", container), {.netns_fd = netns(container), .ifname = "eth0"}));
  for (const char* container : {"one", "two"})
    must(service_->remove_endpoint(ref("shop", container)));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(leftovers(), "");
}

// Under an address of the other subnet it would be another container that speaks.
TEST_F(NetworkVerbs, AContainerSpeaksUnderItsOwnAddressInWhicheverSubnet) {
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.subnets.push_back({.subnet = cidr("10.21.0.0/24")});
  must(service_->create_network(wanted));
  must(attach_to("shop", "one"));
  must(attach_to("shop", "two"));
  EXPECT_TRUE(ping("one", "10.20.0.3"));
  in("one", [] {
    const std::vector<std::string> other{"ip", "address", "add", "10.21.0.9/32", "dev", "eth0"};
    EXPECT_EQ(must(run_process(other, std::chrono::seconds(10))).exit_code, 0);
    const std::vector<std::string> way{"ip",  "route", "replace", "10.20.0.3/32",
                                       "dev", "eth0",  "src",     "10.21.0.9"};
    EXPECT_EQ(must(run_process(way, std::chrono::seconds(10))).exit_code, 0);
  });
  EXPECT_FALSE(ping("one", "10.20.0.3"));
}

TEST_F(NetworkVerbs, BadSubnetsAreRefusedAndNothingIsLeft) {
  for (const auto& [subnet, gateway, expected] :
       {std::tuple{"10.20.0.0/32", "", "has one address"},
        {"127.0.0.0/8", "", "loopback"},
        {"10.20.0.0/24", "10.21.0.1", "is not in the subnet"}}) {
    auto wanted = spec("shop", subnet);
    if (*gateway != '\0') wanted.subnets[0].gateway = ip(gateway);
    const auto created = service_->create_network(wanted);
    ASSERT_FALSE(created) << subnet;
    EXPECT_THAT(created.error().text, HasSubstr(expected));
  }
  EXPECT_EQ(leftovers(), "");
}

TEST_F(NetworkVerbs, RemovedNetworkLeavesNothing) {
  create("shop", "10.20.0.0/24");
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(leftovers(), "");
  EXPECT_EQ(service_->remove_network(network::NetworkText{"shop"}).error().code, Code::kNotFound);
}

TEST_F(NetworkVerbs, NetworkInUseIsNotRemovedAndNamesItsUsers) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web"));
  const Status removed = service_->remove_network(network::NetworkText{"shop"});
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kInUse);
  EXPECT_THAT(removed.error().text, HasSubstr("1 endpoint uses it (web)"));
  must(attach_to("shop", "db"));
  EXPECT_THAT(service_->remove_network(network::NetworkText{"shop"}).error().text,
              HasSubstr("2 endpoints use it ("));
}

TEST_F(NetworkVerbs, IdPrefixesAndBoundIdsAreReferences) {
  const auto network = create("shop", "10.20.0.0/24");
  EXPECT_EQ(must(service_->inspect_network(network::NetworkText{network.id.substr(0, 8)})).id,
            network.id);
  must(service_->bind_network(std::string(64, 'd'), network.name));
  EXPECT_EQ(must(service_->inspect_network(network::NetworkText{std::string(64, 'd')})).id,
            network.id);
  EXPECT_TRUE(must(service_->is_bound(std::string(64, 'd'))));
  must(service_->unbind_network(std::string(64, 'd')));
  EXPECT_EQ(service_->inspect_network(network::NetworkText{std::string(64, 'd')}).error().code,
            Code::kNotFound);
  EXPECT_EQ(service_->inspect_network(network::NetworkText{"../shop"}).error().code,
            Code::kNotFound);
}

TEST_F(NetworkVerbs, ReleasedNetworkGoesWithItsLastEndpoint) {
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.labels[network::kMadeForLabel] = "podman";
  const auto made = must(service_->create_network(wanted));
  must(service_->bind_network(made.id, made.name));
  EXPECT_TRUE(must(service_->release_network(std::string(64, 'd'))));  // unknown
  const auto web = must(attach_to("shop", "web"));
  EXPECT_FALSE(must(service_->release_network(made.id)));
  EXPECT_TRUE(must(service_->is_bound(made.id)));
  must(service_->remove_endpoint({network::NetworkText{"shop"}, web.endpoint.id}));
  must(service_->bind_network(std::string(64, 'd'), made.name));  // another runtime
  EXPECT_TRUE(must(service_->release_network(made.id)));
  EXPECT_TRUE(service_->inspect_network(network::NetworkText{"shop"}));
  EXPECT_TRUE(must(service_->release_network(std::string(64, 'd'))));
  EXPECT_EQ(leftovers(), "");
}

TEST_F(NetworkVerbs, EndpointWithoutADefaultRouteHasItsOwnRoutesAlone) {
  create("shop", "10.20.0.0/24");
  auto wanted = endpoint("shop", "web");
  wanted.default_route = false;
  wanted.routes = {{.destination = cidr("10.99.0.0/16"), .via = ip("10.20.0.1")}};
  const auto attached = must(service_->attach(wanted, into("web")));
  ASSERT_EQ(attached.routes.size(), 1U);
  EXPECT_EQ(attached.routes[0].destination, cidr("10.99.0.0/16"));
}

TEST_F(NetworkVerbs, OtherServersOfNamesAreRemembered) {
  create("shop", "10.20.0.0/24");
  const std::vector<IpAddress> servers{ip("192.0.2.53")};
  must(service_->set_dns_servers(network::NetworkText{"shop"}, servers));
  must(service_->set_dns_servers(network::NetworkText{"shop"}, servers));
  EXPECT_EQ(must(service_->inspect_network(network::NetworkText{"shop"})).options.dns_servers,
            servers);
  EXPECT_EQ(service_->set_dns_servers(network::NetworkText{"blog"}, servers).error().code,
            Code::kNotFound);
}

TEST_F(NetworkVerbs, ForeignBridgeIsJoinedAndStays) {
  add_bridge("br-mine", {});
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.options.bridge = ifname("br-mine");
  must(service_->create_network(wanted));
  must(attach_to("shop", "web"));
  EXPECT_TRUE(ping("web", "10.20.0.1"));
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_TRUE(links().find(ifname("br-mine")));
  EXPECT_EQ(leftovers(), "");
}

// A bridge as an administrator makes it, without a MAC of its own: "br-mine".
class ForeignBridge : public ServiceWorld {
 protected:
  void SetUp() override {
    ServiceWorld::SetUp();
    if (IsSkipped()) return;
    run("ip link add br-mine type bridge && ip link set br-mine up");
  }
  static void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  network::Network join(const std::string& subnet = "10.20.0.0/24") {
    auto wanted = spec("shop", subnet);
    wanted.options.bridge = ifname("br-mine");
    return must(service_->create_network(wanted));
  }
  MacAddress mac() { return must(links().find(ifname("br-mine"))).mac; }
  std::string localnet(const std::string& bridge = "br-mine") {
    return sysctl("host", "net/ipv4/conf/" + bridge + "/route_localnet");
  }
};

TEST_F(ForeignBridge, KeepsItsMacWhateverPortsComeAndGo) {
  const auto network = join();
  const MacAddress before = mac();
  EXPECT_EQ(mac_of(network), before);
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(must(attach_to("shop", name)).host_links.front().mac, before);
    EXPECT_EQ(mac(), before);
  }
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    must(service_->remove_endpoint(ref("shop", name)));
    EXPECT_EQ(mac(), before);
  }
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(mac(), before);
}

// The administrator's scripts make it in every boot, and no daemon looks after it.
TEST_F(ForeignBridge, MadeAnewItHasItsAddressesAndKeepsItsNewMac) {
  join();
  run("ip link del br-mine && ip link add br-mine type bridge && ip link set br-mine up");
  for (const std::string& boot : {boot_id(), std::string("the next boot")}) {
    start_service(boot);
    const MacAddress fresh = mac();
    const auto web = must(attach_to("shop", "web"));
    EXPECT_EQ(web.host_links.front().mac, fresh);
    EXPECT_EQ(mac(), fresh);
    EXPECT_TRUE(ping("web", "10.20.0.1"));
    EXPECT_EQ(mac_of(must(service_->inspect_network(network::NetworkText{"shop"}))), fresh);
    must(service_->remove_endpoint(ref("shop", "web")));
    EXPECT_EQ(mac(), fresh);
    run("ip addr flush dev br-mine");
  }
  EXPECT_TRUE(must(service_->reconcile()).failures.empty());
}

TEST_F(ForeignBridge, RouteLocalnetIsPutBack) {
  join();
  EXPECT_EQ(localnet(), "0");
  must(attach_to("shop", "web", {port(8080, 80)}));
  EXPECT_EQ(localnet(), "1");
  start_service();  // what was switched on is known to the next process as well
  must(service_->remove_endpoint(ref("shop", "web")));
  EXPECT_EQ(localnet(), "0");
  must(attach_to("shop", "web", {port(8080, 80)}));
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(localnet(), "0");
}

TEST_F(ForeignBridge, RouteLocalnetOfItsOwnStays) {
  set_sysctl("host", "net/ipv4/conf/br-mine/route_localnet", "1");
  join();
  must(attach_to("shop", "web", {port(8080, 80)}));
  must(service_->reconcile());
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(localnet(), "1");
}

// CVE-2020-8558: the host's services on 127.0.0.1 believe that their clients are on the host.
TEST_F(ForeignBridge, ItsNeighboursDoNotReachTheHostsLoopback) {
  run("ip addr add 172.31.0.1/24 dev br-mine");
  const auto veth =
      must(links().create_veth({.host_name = ifname("lan0"),
                                .peer_name = ifname("eth0"),
                                .peer_netns_fd = netns("lan"),
                                .master = must(links().find(ifname("br-mine"))).index}));
  must(links().configure_container({.netns_fd = netns("lan"),
                                    .ifindex = veth.peer_index,
                                    .name = ifname("eth0"),
                                    .addresses = {cidr("172.31.0.66/24")}}));
  for (const char* each : {"all", "eth0"})
    set_sysctl("lan", fmt::format("net/ipv4/conf/{}/route_localnet", each), "1");
  in("lan", [] {
    run("ip addr flush dev lo; ip route del table local local 127.0.0.0/8 dev lo 2>/dev/null; "
        "ip route add 127.0.0.0/8 via 172.31.0.1 dev eth0 src 172.31.0.66");
  });
  const auto service = serve_udp("host", 9012, "127.0.0.1");
  const auto arrives = [&] { return ask_udp("lan", "127.0.0.1", 9012).has_value(); };
  EXPECT_FALSE(arrives());
  join();
  EXPECT_FALSE(arrives());
  must(attach_to("shop", "web", {port(8080, 80)}));
  EXPECT_FALSE(arrives());
  must(service_->remove_endpoint(ref("shop", "web")));
  must(firewall_->run("flush ruleset"));  // and nobody who repairs it
  EXPECT_FALSE(arrives());
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_FALSE(arrives());
  set_sysctl("host", "net/ipv4/conf/br-mine/route_localnet", "1");
  EXPECT_TRUE(arrives()) << "the control";
}

class Loopback : public ForeignBridge {};

TEST_F(Loopback, IsOpenOnlyWhileAPortAnswersThere) {
  const std::string bridge = bridge_of(create("shop", "10.20.0.0/24")).str();
  must(attach_to("shop", "web"));
  EXPECT_EQ(localnet(bridge), "0");
  must(attach_to("shop", "db", {port(8080, 80)}));
  must(attach_to("shop", "api", {port(8081, 80, network::Proto::kTcp, "127.0.0.1")}));
  const auto db = serve_tcp("db", 80), api = serve_tcp("api", 80);
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8080)).server, "db");
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8081)).server, "api");
  must(service_->remove_endpoint(ref("shop", "db")));
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8081)).server, "api");
  must(service_->publish(ref("shop", "api"), std::vector{port(8082, 80)}));
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8082)).server, "api");
  must(service_->unpublish(ref("shop", "api")));
  EXPECT_EQ(localnet(bridge), "0");
  must(service_->publish(ref("shop", "web"), std::vector{port(8083, 80)}));
  EXPECT_EQ(localnet(bridge), "1");
}

TEST_F(Loopback, IsNotOpenedForPortsOfOtherAddresses) {
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.ipv6 = true;
  const std::string bridge = bridge_of(must(service_->create_network(wanted))).str();
  must(attach_to("shop", "web",
                 {port(8080, 80, network::Proto::kTcp, "203.0.113.2"),
                  port(8081, 80, network::Proto::kTcp, "::"),
                  port(8082, 80, network::Proto::kTcp, "2001:db8::2")}));
  EXPECT_EQ(localnet(bridge), "0");
  must(attach_to("shop", "db", {port(8083, 80, network::Proto::kTcp, "0.0.0.0")}));
  EXPECT_EQ(localnet(bridge), "1");
}

TEST_F(Loopback, ReconcileSetsItAsThePortsNeedIt) {
  const std::string bridge = bridge_of(create("shop", "10.20.0.0/24")).str();
  set_sysctl("host", "net/ipv4/conf/" + bridge + "/route_localnet", "1");  // by an older version
  EXPECT_THAT(must(service_->reconcile()).actions, SizeIs(1));
  EXPECT_EQ(localnet(bridge), "0");
  must(attach_to("shop", "web", {port(8080, 80)}));
  set_sysctl("host", "net/ipv4/conf/" + bridge + "/route_localnet", "0");
  EXPECT_THAT(must(service_->reconcile()).actions, SizeIs(1));
  EXPECT_EQ(localnet(bridge), "1");
  EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty());
}

class EndpointVerbs : public ServiceWorld {};

TEST_F(EndpointVerbs, ContainersReachEachOtherTheHostAndTheOutside) {
  create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web")), db = must(attach_to("shop", "db"));
  EXPECT_TRUE(ping("web", address_of(db)));
  EXPECT_TRUE(ping("web", "10.20.0.1"));
  EXPECT_TRUE(ping("db", "203.0.113.1"));
  EXPECT_EQ(web.container_mac, MacAddress::for_ip(ip(address_of(web))));
}

TEST_F(EndpointVerbs, DualStackContainersReachTheOutsideOverBoth) {
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.ipv6 = true;
  must(service_->create_network(wanted));
  const auto web = must(attach_to("shop", "web"));
  ASSERT_THAT(web.endpoint.addresses, SizeIs(2));
  EXPECT_TRUE(ping("web", "203.0.113.1"));
  EXPECT_TRUE(ping("web", "2001:db8::1"));
}

TEST_F(EndpointVerbs, InternalNetworkHasNoWayOut) {
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.internal = true;
  must(service_->create_network(wanted));
  const auto web = must(attach_to("shop", "web")), db = must(attach_to("shop", "db"));
  EXPECT_TRUE(ping("web", address_of(db)));
  EXPECT_FALSE(ping("web", "203.0.113.1"));
  EXPECT_EQ(attach_to("shop", "api", {port(8080, 80)}).error().code, Code::kInvalid);
}

TEST_F(EndpointVerbs, PublishedPortAnswersFromEverywhere) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(8080, 80)}));
  must(attach_to("shop", "db"));
  const auto server = serve_tcp("web", 80);
  EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("host", "203.0.113.2", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("host", "127.0.0.1", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("db", "203.0.113.2", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("web", "203.0.113.2", 8080)).server, "web");
}

TEST_F(EndpointVerbs, AnOverlayPublishesPortsAndReachesTheOutsideAsABridgeDoes) {
  join_cluster();
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.options.mode = "overlay";
  EXPECT_EQ(must(service_->create_network(wanted)).mtu, 1450U);
  EXPECT_TRUE(service_->create_network(wanted));
  auto other = spec("shop", "10.21.0.0/24");
  other.options.mode = "overlay";
  EXPECT_EQ(service_->create_network(other).error().code, Code::kConflict);
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto db = must(attach_to("shop", "db"));
  const auto server = serve_tcp("web", 80);
  for (const auto& [from, to] : {std::pair("outside", "203.0.113.2"),
                                 {"host", "203.0.113.2"},
                                 {"host", "127.0.0.1"},
                                 {"db", "203.0.113.2"},
                                 {"web", "203.0.113.2"}})
    EXPECT_EQ(must(ask_tcp(from, to, 8080)).server, "web") << from << " to " << to;
  EXPECT_TRUE(ping("web", address_of(db)));
  EXPECT_TRUE(ping("db", "203.0.113.1"));
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_endpoint(ref("shop", "db")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(leftovers(), "");
}

TEST_F(EndpointVerbs, RemovedEndpointGivesBackEverything) {
  create("shop", "10.20.0.0/24");
  const std::string before = leftovers();
  must(attach_to("shop", "web", {port(8080, 80), port(53, 53, network::Proto::kUdp)}));
  must(service_->remove_endpoint(ref("shop", "web")));
  std::string after = leftovers();
  after.erase(after.find("cursor/"),
              after.find('\n', after.find("cursor/")) + 1 - after.find("cursor/"));
  EXPECT_EQ(after, before);
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_endpoint(ref("nothing", "web")));
}

TEST_F(EndpointVerbs, AttachingTwiceIsRefusedAndTheFirstStays) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web"));
  EXPECT_EQ(attach_to("shop", "web").error().code, Code::kExists);
  EXPECT_TRUE(ping("web", "10.20.0.1"));
}

TEST_F(EndpointVerbs, FailedAttachLeavesNothing) {
  create("shop", "10.20.0.0/24");
  must(links().create_veth(
      {.host_name = ifname("other0"), .peer_name = ifname("eth0"), .peer_netns_fd = netns("web")}));
  const auto failed = attach_to("shop", "web", {port(8080, 80)});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text, HasSubstr("eth0 exists already in the container"));
  EXPECT_THAT(must(service_->list_endpoints(network::NetworkText{"shop"})), IsEmpty());
  EXPECT_THAT(must(service_->list_ports()), IsEmpty());
}

TEST_F(EndpointVerbs, TakenPortsNameTheHolder) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto second = attach_to("shop", "api", {port(8080, 80, network::Proto::kTcp, "127.0.0.1")});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kInUse);
  EXPECT_THAT(second.error().text, HasSubstr("is published by"));
  const auto listener = serve_tcp("host", 9000);
  EXPECT_EQ(attach_to("shop", "api", {port(9000, 80)}).error().code, Code::kInUse);
  must(attach_to("shop", "api", {port(8080, 80, network::Proto::kUdp)}));
}

TEST_F(EndpointVerbs, RangesAndEphemeralPortsAreChosen) {
  create("shop", "10.20.0.0/24");
  auto range = port(7000, 70);
  range.host_port_end = 7001;
  const auto a = must(attach_to("shop", "a", {range})), b = must(attach_to("shop", "b", {range}));
  EXPECT_EQ(a.endpoint.ports.at(0).host_port, 7000);
  EXPECT_EQ(b.endpoint.ports.at(0).host_port, 7001);
  EXPECT_EQ(attach_to("shop", "c", {range}).error().code, Code::kInUse);
  const auto chosen = must(attach_to("shop", "c", {port(0, 80)})).endpoint.ports.at(0).host_port;
  EXPECT_GE(chosen, host_ports_->ephemeral_range().first);
}

TEST_F(EndpointVerbs, PublishReplacesAllOrNothing) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web"));
  must(attach_to("shop", "other", {port(9090, 80)}));
  const auto server = serve_tcp("web", 80);
  const std::vector<network::PortSpec> first{port(8080, 80)}, second{port(8081, 80)},
      bad{port(8082, 80), port(9090, 80)};
  must(service_->publish(ref("shop", "web"), first));
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8080));
  must(service_->publish(ref("shop", "web"), second));
  EXPECT_FALSE(ask_tcp("outside", "203.0.113.2", 8080));
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8081));
  EXPECT_EQ(service_->publish(ref("shop", "web"), bad).error().code, Code::kInUse);
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8081));
  EXPECT_FALSE(ask_tcp("outside", "203.0.113.2", 8082));
  must(service_->unpublish(ref("shop", "web")));
  EXPECT_FALSE(ask_tcp("outside", "203.0.113.2", 8081));
}

TEST_F(EndpointVerbs, DockersWayReservesJoinsLeavesAndRemoves) {
  create("shop", "10.20.0.0/24");
  auto wanted = endpoint("shop", "web");
  wanted.address_source = network::AddressSource::kRuntime;
  wanted.addresses = {cidr("10.20.0.77/24")};
  const auto reserved = must(service_->create_endpoint(wanted));
  EXPECT_EQ(reserved.mac, MacAddress::for_ip(ip("10.20.0.77")));
  const auto joined = must(service_->join(ref("shop", "web"), network::LeaveInHost{}));
  EXPECT_TRUE(links().find(joined.container_ifname));
  EXPECT_EQ(joined.routes.at(0).via, ip("10.20.0.1"));
  must(service_->leave(ref("shop", "web")));
  EXPECT_FALSE(links().find(joined.container_ifname));
  EXPECT_FALSE(must(service_->inspect_endpoint(ref("shop", "web"))).joined);
  must(service_->leave(ref("shop", "web")));
  must(service_->remove_endpoint(ref("shop", "web")));
}

TEST_F(EndpointVerbs, WantedAddressIsGivenOnce) {
  create("shop", "10.20.0.0/24");
  auto wanted = endpoint("shop", "web");
  wanted.addresses = {cidr("10.20.0.50/32")};
  EXPECT_EQ(address_of(must(service_->attach(wanted, into("web")))), "10.20.0.50");
  auto second = endpoint("shop", "db");
  second.addresses = wanted.addresses;
  const auto refused = service_->attach(second, into("db"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  second.addresses = {cidr("10.99.0.1/32")};
  EXPECT_EQ(service_->attach(second, into("db")).error().code, Code::kInvalid);
}

TEST_F(EndpointVerbs, IsolatedContainersReachTheOutsideButNotEachOther) {
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.options.icc = false;
  must(service_->create_network(wanted));
  must(attach_to("shop", "web"));
  const auto db = must(attach_to("shop", "db"));
  EXPECT_FALSE(ping("web", address_of(db)));
  EXPECT_TRUE(ping("web", "203.0.113.1"));
}

TEST_F(EndpointVerbs, NetworksAreIsolatedFromEachOther) {
  create("shop", "10.20.0.0/24");
  create("lab", "10.21.0.0/24");
  must(attach_to("shop", "web"));
  const auto db = must(attach_to("lab", "db"));
  EXPECT_FALSE(ping("web", address_of(db)));
}

TEST_F(EndpointVerbs, CheckFindsWhatIsMissing) {
  create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web", {port(8080, 80)}));
  const network::Expectation expected{
      .netns_fd = netns("web"), .ifname = "eth0", .addresses = web.endpoint.addresses};
  must(service_->check(ref("shop", "web"), expected));
  must(firewall_->run("flush map inet fairlead published_any_v4"));
  EXPECT_THAT(service_->check(ref("shop", "web"), expected).error().text,
              AllOf(HasSubstr("not published"), HasSubstr("8080")));
  must(service_->reconcile());
  must(bridge_firewall_->run("flush set bridge fairlead senders_v4"));
  EXPECT_THAT(service_->check(ref("shop", "web"), expected).error().text,
              AllOf(HasSubstr("can send nothing"), HasSubstr("10.20.0.2")));
  must(service_->reconcile());
  must(service_->check(ref("shop", "web"), expected));
  must(links().remove(host_side_of(web.endpoint)));
  EXPECT_FALSE(service_->check(ref("shop", "web"), expected));
}

TEST_F(EndpointVerbs, CollectRemovesWhatIsNotValid) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "a", {port(8080, 80)}));
  must(attach_to("shop", "b"));
  must(attach_to("shop", "c", {port(8081, 80)}));
  const std::vector<network::ValidAttachment> valid{{"b", "eth0"}};
  EXPECT_EQ(must(service_->collect(network::NetworkText{"shop"}, "test", valid)), 2U);
  EXPECT_THAT(must(service_->list_endpoints(network::NetworkText{"shop"})), SizeIs(1));
  EXPECT_THAT(must(service_->list_ports()), IsEmpty());
}

TEST_F(EndpointVerbs, ManyThreadsAttachAtOnceWithoutSharingAnAddress) {
  create("shop", "10.20.0.0/24");
  constexpr int kCount = 24;
  for (int i = 0; i < kCount; ++i) netns("c" + std::to_string(i));
  std::vector<std::thread> threads;
  std::vector<std::string> addresses(kCount);
  for (int i = 0; i < kCount; ++i)
    threads.emplace_back([&, i] {
      addresses[static_cast<std::size_t>(i)] =
          address_of(must(attach_to("shop", "c" + std::to_string(i))));
    });
  for (auto& thread : threads) thread.join();
  std::ranges::sort(addresses);
  EXPECT_EQ(std::ranges::adjacent_find(addresses), addresses.end());
}

class Reconcile : public ServiceWorld {};

TEST_F(Reconcile, FlushedTableAndDeletedBridgeComeBack) {
  const auto network = create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto server = serve_tcp("web", 80);
  must(firewall_->run("flush ruleset"));
  must(links().remove(bridge_of(network)));
  EXPECT_FALSE(ask_tcp("outside", "203.0.113.2", 8080));
  const auto report = must(service_->reconcile());
  EXPECT_THAT(report.actions, SizeIs(4));  // the bridge, its port, the table, route_localnet
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8080));
  EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty());
}

// Rules, and elements of sets that should be empty as well.
TEST_F(Reconcile, AnAlteredTableIsToldAndMended) {
  create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web", {port(8080, 80)}));
  const network::Expectation expected{.netns_fd = netns("web"), .ifname = "eth0"};
  const std::string address = address_of(web);
  const std::pair<std::string, std::string> cases[] = {
      {"flush chain inet fairlead forward", "of chain forward are missing"},
      {"flush table inet fairlead", "more differences"},
      {"flush ruleset", "the table is missing"},
      {"insert rule inet fairlead forward accept", "rule 1 of chain forward is nobody's"},
      {"add chain inet fairlead forward { policy drop; }", "chain forward is not as written"},
      {"add chain inet fairlead evil { type filter hook forward priority -9; }",
       "chain evil is nobody's"},
      {"add set inet fairlead evil { type ipv4_addr; }", "set evil is nobody's"},
      {"add counter inet fairlead evil", "object evil is nobody's"},
      {"add table inet fairlead { flags dormant; }", "the table is not as written"},
      {"add element inet fairlead published_v6 { tcp . 2001:db8:2::1 . 4445 : fd68::2 . 80 }",
       "element tcp . 2001:db8:2::1 . 4445 : fd68::2 . 80 of set published_v6 is nobody's"},
      {"add element inet fairlead closed { ipv6 . \"evil0\" }",
       "element ipv6 . \"evil0\" of set closed is nobody's"},
      {"add element inet fairlead masquerade_v4 { 10.99.0.0/16 }",
       "element 10.99.0.0/16 of set masquerade_v4 is nobody's"},
      {"add element inet fairlead tunnels { 4789 . 0x77 : goto secure_tunnel }",
       "element 4789 . 119 : goto secure_tunnel of set tunnels is nobody's"},
      {"delete element inet fairlead published_any_v4 { tcp . 8080 }",
       fmt::format("element tcp . 8080 : {} . 80 of set published_any_v4 is missing", address)},
      {"delete element inet fairlead published_any_v4 { tcp . 8080 }; add element inet fairlead "
       "published_any_v4 { tcp . 8080 : 10.20.0.99 . 80 }",
       fmt::format("element tcp . 8080 : {} . 80 of set published_any_v4 is not as written",
                   address)},
      {"flush set inet fairlead hairpin_v4", "of set hairpin_v4 is missing"}};
  for (const auto& [alteration, words] : cases) {
    EXPECT_THAT(must(service_->status()).problems, IsEmpty()) << alteration;
    must(firewall_->run(alteration));
    EXPECT_THAT(must(service_->status()).problems,
                ElementsAre(AllOf(HasSubstr("as it was written"), HasSubstr(words))))
        << alteration;
    EXPECT_THAT(
        must(service_->reconcile()).actions,
        ElementsAre(AllOf(HasSubstr("rendered the firewall table again: "), HasSubstr(words))))
        << alteration;
    EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty()) << alteration;
  }
  EXPECT_THAT(must(service_->status()).notes,
              Contains(HasSubstr(fmt::format("rendered again {} times", std::size(cases)))));
  must(firewall_->run("insert rule inet fairlead forward accept"));
  EXPECT_THAT(service_->check(ref("shop", "web"), expected).error().text,
              HasSubstr("rule 1 of chain forward is nobody's"));
}

TEST_F(Reconcile, TwoHostPortsOfOneRoutedPortAreNoDifference) {
  auto routed = spec("shop", "10.20.0.0/24");
  routed.options.gateway_mode_v4 = network::GatewayMode::kRouted;
  must(service_->create_network(routed));
  must(attach_to("shop", "web", {port(8080, 80), port(8081, 80)}));
  EXPECT_THAT(must(service_->status()).problems, IsEmpty());
  EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty());
}

class RoutedPorts : public ServiceWorld {
 protected:
  std::size_t count(const std::string& set) { return must(firewall_->elements(set)).size(); }
};

// Two host ports of one container port are one element where packets come by the container's own
// address.
TEST_F(RoutedPorts, AnElementOfTwoPortsStaysUntilTheLastOneGoes) {
  auto routed = spec("shop", "10.20.0.0/24");
  routed.subnets.push_back({.subnet = cidr("fd00:20::/64")});
  routed.options.gateway_mode_v4 = routed.options.gateway_mode_v6 = network::GatewayMode::kRouted;
  must(service_->create_network(routed));
  const auto udp = network::Proto::kUdp;
  const auto web = must(attach_to(
      "shop", "web", {port(8080, 80), port(8081, 80), port(5300, 53, udp), port(5301, 53, udp)}));
  const auto server = serve_tcp("web", 80);
  const auto set_ports = [&](std::vector<network::PortSpec> ports) {
    must(service_->publish(ref("shop", "web"), ports));
    EXPECT_THAT(must(service_->status()).problems, IsEmpty());
  };
  EXPECT_EQ(count("routed_v4"), 2U);
  set_ports({port(8080, 80), port(5301, 53, udp)});
  EXPECT_EQ(count("routed_v4"), 2U);
  EXPECT_EQ(count("routed_v6"), 2U);
  in("outside", [] { ASSERT_EQ(std::system("ip route add 10.20.0.0/24 via 203.0.113.2"), 0); });
  EXPECT_TRUE(ask_tcp("outside", address_of(web), 80));
  set_ports({port(8080, 80), port(8082, 80)});
  EXPECT_EQ(count("routed_v4"), 1U);
  EXPECT_EQ(count("routed_v6"), 1U);
  must(service_->remove_endpoint(ref("shop", "web")));
  EXPECT_EQ(count("routed_v4"), 0U);
  EXPECT_EQ(count("routed_v6"), 0U);
}

// Somebody attaches while the table is looked at: neither a false alarm nor an element left behind.
TEST_F(Reconcile, WhatComesAndGoesIsNoAlteration) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "stays"));
  netns("guest");
  std::atomic<bool> done = false;
  std::thread others([&] {
    for (int i = 0; i < 15; ++i) {
      EXPECT_TRUE(attach_to("shop", "guest", {port(8080, 80)}));
      EXPECT_TRUE(service_->remove_endpoint(ref("shop", "guest")));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // whoever waits has its turn
    }
    done = true;
  });
  while (!done)
    EXPECT_THAT(must(service_->reconcile()).actions, Not(Contains(HasSubstr("firewall table"))));
  others.join();
  EXPECT_THAT(must(firewall_->elements("published_any_v4")), IsEmpty());
}

// Before this host has any network of the cluster, and after the table was made anew.
TEST_F(Reconcile, ThePortOfTheTunnelsIsGuardedInACluster) {
  create("shop", "10.20.0.0/24");
  EXPECT_THAT(must(firewall_->elements("tunnel_ports")), IsEmpty());
  must(core_->underlay().guard_tunnels());
  EXPECT_THAT(must(firewall_->elements("tunnel_ports")), SizeIs(1));
  must(core_->underlay().guard_underlay({ip("192.0.2.7")}, {}));
  must(core_->underlay().guard_tunnels());
  EXPECT_THAT(must(firewall_->elements("tunnel_ports")), SizeIs(1));
  EXPECT_THAT(must(firewall_->elements("tunnel_hosts_v4")), SizeIs(1));
  must(firewall_->run("flush ruleset"));
  must(service_->reconcile());
  EXPECT_THAT(must(firewall_->elements("tunnel_ports")), SizeIs(1));
}

TEST_F(Reconcile, RecordsOfAnEarlierBootAreVoid) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(8080, 80)}));
  start_service("another-boot");
  must(attach_to("shop", "db", {port(8080, 80)}));
  must(service_->reconcile());
  const auto endpoints = must(service_->list_endpoints(network::NetworkText{"shop"}));
  ASSERT_THAT(endpoints, SizeIs(1));
  EXPECT_EQ(endpoints[0].container, "db");
}

TEST_F(Reconcile, EndpointsWhoseContainerIsGoneAreCollected) {
  create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web", {port(8080, 80)}));
  must(links().remove(host_side_of(web.endpoint)));
  must(service_->reconcile());
  EXPECT_THAT(must(service_->list_endpoints(network::NetworkText{"shop"})), IsEmpty());
  must(attach_to("shop", "db", {port(8080, 80)}));
}

TEST_F(Reconcile, LinksWithoutARecordAreRemoved) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web"));
  store_ = state::make_memory_store();
  start_service();
  must(service_->reconcile());
  EXPECT_EQ(leftovers(), "");
}

TEST_F(Reconcile, AnOverlaysLostTunnelComesBackAndAStrayOneGoes) {
  join_cluster();
  auto wanted = spec("shop", "10.20.0.0/24");
  wanted.options.mode = "overlay";
  const auto made = must(service_->create_network(wanted));
  const IfName tunnel = network::overlay_device(*made.overlay);
  must(attach_to("shop", "web"));
  must(links().remove(tunnel));
  EXPECT_FALSE(must(service_->reconcile()).actions.empty());
  EXPECT_TRUE(links().find(tunnel));
  EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty());
  core_.reset();
  cluster_.reset();
  store_ = state::make_memory_store();
  start_service();
  must(service_->reconcile());
  EXPECT_EQ(leftovers(), "");
}

class Pools : public ServiceWorld {};

TEST_F(Pools, DockersOrderOfCallsLeavesNothing) {
  const auto pool = must(core_->pools().request_pool(
      {.subnet = cidr("10.30.0.0/24"), .range = cidr("10.30.0.128/25")}));
  const auto gateway =
      must(core_->pools().request_address(pool.id, {}, network::AddressUse::kGateway));
  EXPECT_EQ(gateway, cidr("10.30.0.1/24"));
  must(core_->pools().request_address(pool.id, ip("10.30.0.200"), network::AddressUse::kEndpoint));
  auto wanted = spec("docker-1", "10.30.0.0/24");
  wanted.subnets[0].gateway = ip("10.30.0.1");
  wanted.subnets[0].aux["printer"] = ip("10.30.0.200");
  must(service_->create_network(wanted));
  const auto address =
      must(core_->pools().request_address(pool.id, {}, network::AddressUse::kEndpoint));
  EXPECT_TRUE(cidr("10.30.0.128/25").contains(address.address()));
  EXPECT_EQ(core_->pools()
                .request_address(pool.id, address.address(), network::AddressUse::kEndpoint)
                .error()
                .code,
            Code::kExists);
  EXPECT_EQ(core_->pools()
                .request_address(pool.id, ip("10.30.0.200"), network::AddressUse::kEndpoint)
                .error()
                .code,
            Code::kExists);
  must(core_->pools().release_address(pool.id, address.address()));
  must(core_->pools().release_address(pool.id, ip("10.30.0.200")));
  must(core_->pools().release_address(pool.id, ip("10.30.0.1")));
  must(core_->pools().release_pool(pool.id));
  EXPECT_TRUE(service_->inspect_network(network::NetworkText{"docker-1"}));
  must(service_->remove_network(network::NetworkText{"docker-1"}));
  EXPECT_EQ(leftovers(), "");
}

TEST_F(Pools, JoinedNetworkLendsItsPoolAndKeepsItsGateway) {
  create("shop", "10.20.0.0/24");
  const auto pool = must(core_->pools().request_pool({.join = must(NetworkName::parse("shop"))}));
  EXPECT_EQ(pool.subnet, cidr("10.20.0.0/24"));
  EXPECT_EQ(must(core_->pools().request_address(pool.id, {}, network::AddressUse::kGateway)),
            cidr("10.20.0.1/24"));
  const auto docker =
      must(core_->pools().request_address(pool.id, {}, network::AddressUse::kEndpoint));
  const auto web = must(attach_to("shop", "web"));
  EXPECT_NE(docker.address().to_string(), address_of(web));
  must(core_->pools().release_address(pool.id, ip("10.20.0.1")));
  must(core_->pools().release_address(pool.id, ip(address_of(web))));  // not Docker's to release
  must(core_->pools().release_pool(pool.id));
  auto second = endpoint("shop", "db");
  second.addresses = {web.endpoint.addresses[0]};
  EXPECT_EQ(service_->attach(second, into("db")).error().code, Code::kExists);
}

TEST_F(Pools, NetworkOfOneFamilyTellsHowDockerJoinsIt) {
  create("four", "10.20.0.0/24");
  create("six", "fd00:20::/64");
  const auto refused = [&](const char* network, Family family) {
    const auto pool =
        core_->pools().request_pool({.family = family, .join = must(NetworkName::parse(network))});
    return pool ? "given" : pool.error().text;
  };
  EXPECT_EQ(refused("four", Family::kV6),
            "network four has no IPv6 subnet; Docker joins it without --ipv6");
  EXPECT_EQ(
      refused("six", Family::kV4),
      "network six has no IPv4 subnet; Docker joins it with --ipv4=false --ipv6, from version "
      "28 on");
  EXPECT_EQ(refused("six", Family::kV6), "given");
}

TEST_F(Pools, NetworkWithAddressesOfItsRuntimeLendsNoPool) {
  auto docker_s = spec("docker-1", "10.20.0.0/24");
  docker_s.address_source = network::AddressSource::kRuntime;
  must(service_->create_network(docker_s));
  const auto pool = core_->pools().request_pool({.join = must(NetworkName::parse("docker-1"))});
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().code, Code::kConflict);
  EXPECT_NE(pool.error().text.find("make it with addresses from Fairlead"), std::string::npos);
}

TEST_F(Pools, AddressesOfAnOverlayGoBackToTheClusterWithTheirLease) {
  join_cluster();
  auto wanted =
      spec("shop", "10.20.0.0/28");  // too small for blocks: each address is claimed alone
  wanted.options.mode = "overlay";
  must(service_->create_network(wanted));
  const auto claimed = [&] {
    return must(store_->list(network::cluster::keys::kLocalAddresses)).size();
  };
  const auto request = [&] {
    return must(core_->pools().request_address("10.20.0.0/28", {}, network::AddressUse::kEndpoint));
  };
  auto web = endpoint("shop", "web");
  web.address_source = network::AddressSource::kRuntime;
  web.addresses = {request()};
  must(service_->create_endpoint(web));
  must(service_->remove_endpoint(ref("shop", "web")));
  EXPECT_EQ(claimed(), 1U);
  must(core_->pools().release_address("10.20.0.0/28", web.addresses[0].address()));
  EXPECT_EQ(claimed(), 0U);
  request();  // and then Docker forgets it
  web.addresses = {request()};
  must(service_->create_endpoint(web));  // never joined
  now_ += 61;
  must(service_->reconcile());
  EXPECT_EQ(claimed(), 0U);
}

}  // namespace
}  // namespace fairlead::testing
