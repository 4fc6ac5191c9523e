#include "network/kernel/links/links.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <set>

#include "base/process.h"
#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/altname.h"
#include "tests/network/kernel/links/links_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::ContainerSpec;
using kernel::RouteSpec;
using kernel::Veth;
using kernel::VethSpec;

// Sends a router advertisement with this prefix (RFC 4861) from the namespace of the thread.
void advertise_router(const std::string& ifname, const std::string& prefix) {
  const unsigned index = ::if_nametoindex(ifname.c_str());
  const UniqueFd socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  ASSERT_TRUE(socket);
  // The kernel fills the checksum in; the source has to be link-local, and the link has none.
  const int on = 1, hops = 255;
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
  ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
  sockaddr_in6 from{.sin6_family = AF_INET6, .sin6_scope_id = index}, to = from;
  ::inet_pton(AF_INET6, "fe80::bad", &from.sin6_addr);
  ::inet_pton(AF_INET6, "ff02::1", &to.sin6_addr);
  std::array<std::uint8_t, 48> packet{134, 0, 0, 0, 64, 0, 7, 8};
  const std::array<std::uint8_t, 12> option{3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0};
  std::ranges::copy(option, packet.begin() + 16);
  ::inet_pton(AF_INET6, prefix.c_str(), packet.data() + 32);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)), 0);
  ASSERT_EQ(::sendto(socket.get(), packet.data(), packet.size(), 0,
                     reinterpret_cast<sockaddr*>(&to), sizeof(to)),
            static_cast<ssize_t>(packet.size()));
}

// ---- names

TEST_F(Links, ALinkHasASecondNameOnce) {
  in("host", [&] {
    for (const char* name : {"fl-one", "fl-two"})
      ASSERT_EQ(std::system(fmt::format("ip link add {} type dummy || ip link add {} type bridge",
                                        name, name)
                                .c_str()),
                0);
    must(kernel::add_altname(ifname("fl-one"), ifname("vethhost0")));
    must(kernel::add_altname(ifname("fl-one"), ifname("vethhost0")));
    EXPECT_EQ(::if_nametoindex("vethhost0"), ::if_nametoindex("fl-one"));
    EXPECT_EQ(kernel::add_altname(ifname("fl-two"), ifname("vethhost0")).error().code,
              Code::kExists);
    EXPECT_EQ(kernel::add_altname(ifname("fl-two"), ifname("fl-one")).error().code, Code::kExists);
    EXPECT_FALSE(kernel::add_altname(ifname("nobody"), ifname("vethhost1")));
  });
}

// ---- bridges

TEST_F(Links, ABridgeHasWhatWasAskedFor) {
  const auto mac = MacAddress::from_hash("one");
  const auto bridge =
      must(links().ensure_bridge({.name = ifname("fl-one"),
                                  .mac = mac,
                                  .mtu = 1400,
                                  .addresses = {cidr("10.1.0.1/24"), cidr("fd00:1::1/64")},
                                  .ipv6 = true,
                                  .alias = "fairlead network one"},
                                 false));
  EXPECT_EQ(bridge.kind, "bridge");
  EXPECT_EQ(bridge.mac, mac);
  EXPECT_EQ(bridge.mtu, 1400U);
  EXPECT_TRUE(bridge.up);
  EXPECT_EQ(bridge.alias, "fairlead network one");
  EXPECT_EQ(sysctl("host", "net/ipv4/conf/fl-one/route_localnet"), "0");
  EXPECT_EQ(sysctl("host", "net/ipv6/conf/fl-one/accept_ra"), "0");
  const auto view = must(links().inspect(netns("host"), ifname("fl-one")));
  const std::set<Cidr> addresses(view.addresses.begin(), view.addresses.end());
  EXPECT_TRUE(addresses.contains(cidr("10.1.0.1/24")));
  EXPECT_TRUE(addresses.contains(cidr("fd00:1::1/64")));
}

TEST_F(Links, AnIpv4BridgeAndItsPortsHaveNoIpv6Address) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const Port port = attach("web", "fl-one", {"10.1.0.2/24"});
  for (const IfName& name : {ifname("fl-one"), port.host_name})
    for (const Cidr& address : must(links().inspect(netns("host"), name)).addresses)
      EXPECT_TRUE(address.is_v4()) << name.str() << " has " << address.to_string();
  EXPECT_EQ(must(links().inspect(netns("web"), ifname("eth0"))).addresses,
            std::vector{cidr("10.1.0.2/24")});
}

TEST_F(Links, WhatSomebodyChangedOnABridgeIsMended) {
  kernel::BridgeSpec spec{.name = ifname("fl-one"),
                          .mac = MacAddress::from_hash("one"),
                          .mtu = 1450,
                          .addresses = {cidr("10.1.0.1/24")},
                          .alias = "one"};
  const int index = must(links().ensure_bridge(spec, false)).index;
  kernel::BridgeSpec other = spec;
  other.mac = MacAddress::from_hash("two");
  other.mtu = 1300;
  other.alias = "two";
  other.addresses = {cidr("10.9.0.1/24")};
  must(links().ensure_bridge(other, false));
  in("host", [] { must(kernel::write_sysctl("net/ipv6/conf/fl-one/accept_ra", "1")); });

  const auto mended = must(links().ensure_bridge(spec, false));
  EXPECT_EQ(mended.index, index);
  EXPECT_EQ(mended.mac, spec.mac);
  EXPECT_EQ(mended.mtu, 1450U);
  EXPECT_EQ(mended.alias, "one");
  EXPECT_EQ(sysctl("host", "net/ipv6/conf/fl-one/accept_ra"), "0");
  // Addresses of others are left alone.
  EXPECT_EQ(must(links().inspect(netns("host"), ifname("fl-one"))).addresses.size(), 2U);
}

TEST_F(Links, AForeignBridgeOnlyGetsAddresses) {
  add_bridge("br0", {"10.1.0.1/24"});
  const auto before = must(links().find(ifname("br0")));
  const auto after = must(links().ensure_bridge({.name = ifname("br0"),
                                                 .mac = MacAddress::from_hash("other"),
                                                 .mtu = 1300,
                                                 .addresses = {cidr("10.2.0.1/24")},
                                                 .alias = "other"},
                                                true));
  EXPECT_EQ(after.mac, before.mac);
  EXPECT_EQ(after.mtu, before.mtu);
  EXPECT_EQ(after.alias, before.alias);
  EXPECT_EQ(must(links().inspect(netns("host"), ifname("br0"))).addresses.size(), 2U);
}

// The containers' gateway would change its MAC whenever the port that lent it goes.
TEST_F(Links, ABridgeOfSomebodyElsesKeepsTheMacThatItIsTold) {
  const auto ip_command = [](const std::vector<std::string>& words) {
    std::vector<std::string> argv{"ip", "link"};
    argv.insert(argv.end(), words.begin(), words.end());
    ASSERT_EQ(must(run_process(argv, std::chrono::seconds(10))).exit_code, 0);
  };
  const auto port = [&](const std::string& name, const std::string& mac) {
    ip_command({"add", name, "address", mac, "type", "veth", "peer", "name", "p" + name});
    ip_command({"set", name, "master", "br0", "up"});
  };
  ip_command({"add", "br0", "type", "bridge"});
  port("v1", "02:00:00:00:00:55");
  const auto inherited = must(links().find(ifname("br0")));
  EXPECT_EQ(inherited.mac.to_string(), "02:00:00:00:00:55");
  must(links().set_mac(inherited.index, inherited.mac));
  port("v2", "02:00:00:00:00:11");
  EXPECT_EQ(must(links().find(ifname("br0"))).mac, inherited.mac);
  must(links().remove(ifname("v1")));
  links().finish_removals();
  EXPECT_EQ(must(links().find(ifname("br0"))).mac, inherited.mac);
}

TEST_F(Links, ABridgeWithManyPortsKeepsItsMac) {
  const auto mac = add_bridge("fl-one", {"10.1.0.1/24"}).mac;
  for (int i = 2; i < 8; ++i)
    attach(fmt::format("c{}", i), "fl-one", {fmt::format("10.1.0.{}/24", i)});
  EXPECT_EQ(must(links().find(ifname("fl-one"))).mac, mac);
}

// ---- veth

TEST_F(Links, AFailedCreationLeavesNothing) {
  const auto bridge = add_bridge("fl-one", {"10.1.0.1/24"});
  must(links().create_veth(veth_spec("veth0", "web", bridge.index)));
  const auto count = must(links().list()).size();
  // The name is taken in the container, then on the host; then there is no such bridge.
  for (const VethSpec& spec : {veth_spec("veth1", "web"), veth_spec("veth0", "db")}) {
    const auto made = links().create_veth(spec);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::kExists) << made.error().text;
  }
  EXPECT_FALSE(links().create_veth(veth_spec("veth2", "db", 4242)));
  EXPECT_EQ(must(links().list()).size(), count);
  EXPECT_FALSE(links().inspect(netns("db"), ifname("eth0")));
}

TEST_F(Links, BothEndsMayStayOnTheHost) {
  const Veth veth =
      must(links().create_veth({.host_name = ifname("veth0"), .peer_name = ifname("peer0")}));
  EXPECT_EQ(must(links().find(ifname("peer0"))).index, veth.peer_index);
  EXPECT_EQ(must(links().find(veth.host_index)).peer_index, veth.peer_index);
  EXPECT_FALSE(must(links().find(veth.host_index)).peer_elsewhere);
}

TEST_F(Links, PortFlagsAreSetAndCleared) {
  const auto bridge = add_bridge("fl-one", {"10.1.0.1/24"});
  const Veth veth = must(links().create_veth(veth_spec("veth0", "web", bridge.index)));
  EXPECT_TRUE(links().set_port_flags(veth.host_index, {.hairpin = true, .isolated = true}));
  EXPECT_TRUE(links().set_port_flags(veth.host_index, {}));
  EXPECT_FALSE(links().set_port_flags(bridge.index, {.hairpin = true}));
}

TEST_F(Links, IsolatedPortsReachTheBridgeButNotEachOther) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const Port a = attach("a", "fl-one", {"10.1.0.2/24"});
  const Port b = attach("b", "fl-one", {"10.1.0.3/24"});
  EXPECT_TRUE(ping("a", "10.1.0.3"));
  must(links().set_port_flags(a.host_index, {.isolated = true}));
  must(links().set_port_flags(b.host_index, {.isolated = true}));
  EXPECT_FALSE(ping("a", "10.1.0.3", std::chrono::milliseconds(150)));
  EXPECT_TRUE(ping("a", "10.1.0.1"));
}

// ---- containers

TEST_F(Links, AContainerTalksToItsBridgeAndToOthersInBothFamilies) {
  add_bridge("fl-one", {"10.1.0.1/24", "fd00:1::1/64"});
  attach("a", "fl-one", {"10.1.0.2/24", "fd00:1::2/64"});
  attach("b", "fl-one", {"10.1.0.3/24", "fd00:1::3/64"});
  for (const char* to : {"10.1.0.1", "fd00:1::1", "10.1.0.3", "fd00:1::3", "127.0.0.1", "::1"})
    EXPECT_TRUE(ping("a", to)) << to;
}

TEST_F(Links, RoutesHaveTheirSettings) {
  const Veth veth = must(links().create_veth(veth_spec("veth0", "web")));
  const std::vector<RouteSpec> routes{
      {.destination = cidr("169.254.1.1/32")},
      {.destination = cidr("0.0.0.0/0"), .via = ip("169.254.1.1"), .mtu = 1300, .priority = 7},
      {.destination = cidr("192.0.2.0/24"), .via = ip("169.254.1.1"), .advmss = 900}};
  must(links().configure_container({.netns_fd = netns("web"),
                                    .ifindex = veth.peer_index,
                                    .name = ifname("eth0"),
                                    .addresses = {cidr("10.1.0.2/32")},
                                    .routes = routes}));
  const auto view = must(links().inspect(netns("web"), ifname("eth0")));
  const auto find_route = [&](const Cidr& destination) {
    for (const RouteSpec& route : view.routes)
      if (route.destination == destination) return route;
    return RouteSpec{};
  };
  EXPECT_EQ(find_route(cidr("0.0.0.0/0")).mtu, 1300U);
  EXPECT_EQ(find_route(cidr("0.0.0.0/0")).priority, 7U);
  EXPECT_EQ(find_route(cidr("0.0.0.0/0")).via, ip("169.254.1.1"));
  EXPECT_EQ(find_route(cidr("192.0.2.0/24")).advmss, 900U);
  EXPECT_FALSE(find_route(cidr("169.254.1.1/32")).via);
}

TEST_F(Links, TheFirstFailingStepIsNamed) {
  const Veth veth = must(links().create_veth(veth_spec("veth0", "web")));
  const auto configured = links().configure_container(
      {.netns_fd = netns("web"),
       .ifindex = veth.peer_index,
       .name = ifname("eth0"),
       .addresses = {cidr("10.1.0.2/24")},
       .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("192.0.2.77")}}});
  ASSERT_FALSE(configured);
  EXPECT_TRUE(
      configured.error().text.starts_with("add route 0.0.0.0/0 via 192.0.2.77 through eth0: "))
      << configured.error().text;
  // The kernel's own words.
  EXPECT_NE(configured.error().text.find("gateway"), std::string::npos) << configured.error().text;
}

TEST_F(Links, ConfiguringTwiceIsTheSameAsOnce) {
  add_bridge("fl-one", {"10.1.0.1/24", "fd00:1::1/64"});
  const Port port = attach("a", "fl-one", {"10.1.0.2/24", "fd00:1::2/64"});
  const ContainerSpec again{.netns_fd = netns("a"),
                            .ifindex = port.container_index,
                            .name = ifname("eth0"),
                            .addresses = {cidr("10.1.0.2/24"), cidr("fd00:1::2/64")},
                            .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("10.1.0.1")}}};
  const auto before = must(links().inspect(netns("a"), ifname("eth0")));
  EXPECT_TRUE(links().configure_container(again));
  const auto after = must(links().inspect(netns("a"), ifname("eth0")));
  EXPECT_EQ(after.addresses, before.addresses);
  EXPECT_EQ(after.routes.size(), before.routes.size());
}

TEST_F(Links, Ipv6IsUsableAtOnceAlsoWhereItWasSwitchedOff) {
  add_bridge("fl-one", {"fd00:1::1/64"});
  in("a", [] { must(kernel::write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")); });
  attach("a", "fl-one", {"fd00:1::2/64"});
  EXPECT_TRUE(ping("a", "fd00:1::1"));
  EXPECT_EQ(sysctl("a", "net/ipv6/conf/eth0/accept_ra"), "0");
}

// CVE-2020-10749: an advertisement would give it an address and a default route through whoever
// sends it.
TEST_F(Links, AContainerWithoutIpv6TakesNoRouterAdvertisement) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  attach("web", "fl-one", {"10.1.0.2/24"});
  attach("evil", "fl-one", {"10.1.0.3/24"});
  EXPECT_EQ(sysctl("web", "net/ipv6/conf/eth0/accept_ra"), "0");
  in("evil", [&] { advertise_router("eth0", "2001:db8:bad::"); });
  ASSERT_TRUE(ping("evil", "10.1.0.2"));  // the advertisement went before this
  EXPECT_EQ(must(links().inspect(netns("web"), ifname("eth0"))).addresses,
            std::vector{cidr("10.1.0.2/24")});
  // The control: the same packet is one that a kernel takes.
  set_sysctl("web", "net/ipv6/conf/eth0/accept_ra", "1");
  in("evil", [&] { advertise_router("eth0", "2001:db8:bad::"); });
  ASSERT_TRUE(ping("evil", "10.1.0.2"));
  EXPECT_EQ(must(links().inspect(netns("web"), ifname("eth0"))).addresses.size(), 2U);
}

// The first packet of a new container: without the GETLINKs, one in ten is lost and waits for a
// second.
TEST_F(Links, NoFirstPacketIsLost) {
  constexpr int kAttaches = 300;
  add_bridge("fl-one", {"10.1.0.1/16"});
  attach("peer", "fl-one", {"10.1.0.2/16"});
  int lost = 0;
  std::vector<std::chrono::microseconds> trips;
  for (int i = 0; i < kAttaches; ++i) {
    const std::string name = fmt::format("c{}", i);
    netns(name);
    attach(name, "fl-one", {fmt::format("10.1.1.{}/16", i % 250 + 1)});
    const auto trip = ping(name, "10.1.0.2");
    if (trip) trips.push_back(*trip);
    lost += trip ? 0 : 1;
    must(links().remove(ifname(fmt::format("veth{}", i + 1))));
  }
  std::ranges::sort(trips);
  ASSERT_FALSE(trips.empty());
  std::cout << "first ping of " << kAttaches << " attaches: lost " << lost << ", median "
            << trips[trips.size() / 2].count() << " us\n";
  EXPECT_EQ(lost, 0);
}

TEST_F(Links, TheFirstPortOfABridgeLosesNothingEither) {
  int lost = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string bridge = fmt::format("fl-{}", i), container = fmt::format("c{}", i);
    add_bridge(bridge, {fmt::format("10.{}.0.1/24", i)});
    attach(container, bridge, {fmt::format("10.{}.0.2/24", i)});
    lost += ping(container, fmt::format("10.{}.0.1", i)) ? 0 : 1;
  }
  EXPECT_EQ(lost, 0);
}

TEST_F(Links, NoFirstIpv6PacketIsLostInEitherDirection) {
  add_bridge("fl-one", {"fd00:1::1/64"});
  attach("peer", "fl-one", {"fd00:1::2/64"});
  int lost = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string name = fmt::format("c{}", i);
    const std::string address = fmt::format("fd00:1::1:{:x}", i + 1);
    netns(name);
    attach(name, "fl-one", {address + "/64"});
    lost += (i % 2 == 0 ? ping(name, "fd00:1::2") : ping("peer", address)) ? 0 : 1;
    must(links().remove(ifname(fmt::format("veth{}", i + 1))));
  }
  EXPECT_EQ(lost, 0);
}

// ---- the host

TEST_F(Links, TheDefaultRouteAndWhatIsOccupiedAreTheHosts) {
  EXPECT_EQ(must(links().host_routing().default_route_link()).value().name, "uplink0");
  add_bridge("fl-one", {"10.1.0.1/24"});
  add_route("host", "uplink0", "198.51.100.0/24", "203.0.113.1");
  const auto occupied = must(links().host_routing().occupied_subnets());
  EXPECT_EQ(std::set<Cidr>(occupied.begin(), occupied.end()),
            (std::set<Cidr>{cidr("10.1.0.0/24"), cidr("198.51.100.0/24"), cidr("203.0.113.0/24"),
                            cidr("2001:db8::/64")}));
}

TEST_F(Links, HowManyNeighboursThereMayBeIsKnownToTheFirstNamespaceOnly) {
  for (const Family family : {Family::kV4, Family::kV6})
    EXPECT_EQ(must(links().host_routing().neighbour_limit(family)), std::nullopt);
  const auto own = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
  const auto setting = kernel::read_sysctl("net/ipv4/neigh/default/gc_thresh3");
  const auto limit = must(own->host_routing().neighbour_limit(Family::kV4));
  ASSERT_EQ(limit.has_value(), setting.has_value());
  if (limit) EXPECT_EQ(std::to_string(*limit), *setting);
}

std::set<Cidr> destinations(const std::vector<kernel::HostRoute>& routes) {
  std::set<Cidr> found;
  for (const kernel::HostRoute& route : routes) found.insert(route.destination);
  return found;
}

TEST_F(Links, ARouteThatTakesAllTrafficOccupiesNothing) {
  add_bridge("br0", {"fd00:1::1/64"});
  for (const char* wide : {"0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7"})
    add_route("host", "uplink0", wide, "203.0.113.1");
  for (const char* wide : {"::/1", "8000::/1", "2000::/3", "fc00::/7"})
    add_route("host", "br0", wide, "fd00:1::2");
  add_route("host", "uplink0", "10.0.0.0/8", "203.0.113.1");
  add_route("host", "br0", "fd12::/16", "fd00:1::2");
  const auto subnets = must(links().host_routing().host_subnets());
  EXPECT_EQ(destinations(subnets.routed), (std::set<Cidr>{cidr("10.0.0.0/8"), cidr("fd12::/16")}));
  EXPECT_EQ(destinations(subnets.connected),
            (std::set<Cidr>{cidr("203.0.113.0/24"), cidr("2001:db8::/64"), cidr("fd00:1::/64")}));
}

// `wg-quick` with AllowedIPs: a network inside is as good as inside any other wide route.
TEST_F(Links, ARouteToALinkThatSomebodySetIsNoConnectedNetwork) {
  const std::vector<std::string> vpn{"ip", "route", "add", "10.64.0.0/10", "dev", "uplink0"};
  ASSERT_EQ(must(run_process(vpn, std::chrono::seconds(10))).exit_code, 0);
  const auto subnets = must(links().host_routing().host_subnets());
  EXPECT_EQ(subnets.routed,
            (std::vector{kernel::HostRoute{cidr("10.64.0.0/10"), "uplink0", RT_TABLE_MAIN}}));
  EXPECT_EQ(destinations(subnets.connected).count(cidr("10.64.0.0/10")), 0U);
}

// wg-quick and Tailscale keep their routes in tables of their own, and rules lead there.
TEST_F(Links, RoutesOfOtherTablesAreOccupiedAsWell) {
  const RouteSpec other{.destination = cidr("10.77.0.0/24"), .table = 52};
  const Veth veth =
      must(links().create_veth({.host_name = ifname("vpn0"), .peer_name = ifname("peer0")}));
  must(links().configure_container({.netns_fd = netns("host"),
                                    .ifindex = veth.host_index,
                                    .name = ifname("vpn0"),
                                    .addresses = {cidr("192.0.2.2/32")},
                                    .routes = {other}}));
  const auto subnets = must(links().host_routing().host_subnets());
  EXPECT_EQ(subnets.elsewhere, (std::vector{kernel::HostRoute{cidr("10.77.0.0/24"), "vpn0", 52}}));
  const auto all = must(links().host_routing().occupied_subnets());
  EXPECT_NE(std::ranges::find(all, cidr("10.77.0.0/24")), all.end());
}

TEST_F(Links, TheDefaultRouteOfTheLowestMetricCounts) {
  const Veth veth =
      must(links().create_veth({.host_name = ifname("wlan0"), .peer_name = ifname("peer0")}));
  const RouteSpec worse{.destination = cidr("0.0.0.0/0"), .via = ip("192.0.2.1"), .priority = 600};
  must(links().configure_container({.netns_fd = netns("host"),
                                    .ifindex = veth.host_index,
                                    .name = ifname("wlan0"),
                                    .addresses = {cidr("192.0.2.2/24")},
                                    .routes = {worse}}));
  EXPECT_EQ(must(links().host_routing().default_route_link()).value().name, "uplink0");
}

TEST_F(Links, AHostThatLearnsItsRoutesByAdvertisementKeepsDoingSoAsARouter) {
  add_bridge("br0", {"2001:db8:1::1/64"});
  for (const char* name : {"uplink0", "br0"})
    set_sysctl("host", fmt::format("net/ipv6/conf/{}/accept_ra", name), "1");
  const std::vector<std::string> learn{"ip",  "-6",      "route", "add", "2001:db8:9::/64",
                                       "dev", "uplink0", "proto", "ra"};
  ASSERT_EQ(must(run_process(learn, std::chrono::seconds(10))).exit_code, 0);
  EXPECT_TRUE(must(links().host_routing().enable_forwarding(Family::kV6)));
  EXPECT_EQ(sysctl("host", "net/ipv6/conf/all/forwarding"), "1");
  EXPECT_EQ(sysctl("host", "net/ipv6/conf/uplink0/accept_ra"), "2");
  EXPECT_EQ(sysctl("host", "net/ipv6/conf/br0/accept_ra"), "1");
}

// macvlan stands for a network card.
TEST_F(Links, AHostThatForwardsHearsRoutersOnEveryCardThatMayHaveOne) {
  add_bridge("br0", {"2001:db8:1::1/64"});
  const auto plug = [&](const std::string& name, const char* accept_ra) {
    ASSERT_EQ(std::system(("ip link add link uplink0 name " + name + " type macvlan").c_str()), 0);
    set_sysctl("host", fmt::format("net/ipv6/conf/{}/accept_ra", name), accept_ra);
  };
  const auto accept_ra = [&](const std::string& name) {
    return sysctl("host", fmt::format("net/ipv6/conf/{}/accept_ra", name));
  };
  for (const char* name : {"br0", "uplink0"})
    set_sysctl("host", fmt::format("net/ipv6/conf/{}/accept_ra", name), "1");
  plug("wan0", "1");
  plug("wan1", "0");
  must(links().host_routing().enable_forwarding(Family::kV6));
  EXPECT_EQ(accept_ra("wan0"), "2");
  EXPECT_EQ(accept_ra("wan1"), "0");
  EXPECT_EQ(accept_ra("br0"), "1");
  EXPECT_EQ(accept_ra("uplink0"), "1") << "a veth pair, behind which a container may be";
  plug("wan2", "1");
  using kernel::Hearing;
  EXPECT_TRUE(must(links().host_routing().keep_router_advertisements(Hearing::kLearned)).empty());
  EXPECT_EQ(must(links().host_routing().keep_router_advertisements(Hearing::kAny)),
            std::vector<std::string>{"wan2"});
  EXPECT_EQ(accept_ra("wan2"), "2");
  EXPECT_TRUE(must(links().host_routing().keep_router_advertisements(Hearing::kAny)).empty());
}

TEST_F(Links, AForwardingHostRoutes) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  attach("a", "fl-one", {"10.1.0.2/24"});
  add_route("outside", "eth0", "10.1.0.0/24", "203.0.113.2");
  EXPECT_FALSE(ping("a", "203.0.113.1", std::chrono::milliseconds(150)));
  EXPECT_TRUE(must(links().host_routing().enable_forwarding(Family::kV4)));
  EXPECT_TRUE(ping("a", "203.0.113.1"));
}

}  // namespace
}  // namespace fairlead::testing
