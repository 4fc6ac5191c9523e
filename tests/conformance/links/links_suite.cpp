// What every implementation of Links must do: the kernel's, and the fake that other tests rely on.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>

#include "network/kernel/host/netns.h"
#include "network/kernel/host/sysctl.h"
#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/links.h"
#include "tests/support/fake_links.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

// A host with nothing but lo, and namespaces by name.
class World {
 public:
  virtual ~World() = default;
  virtual kernel::Links& links() = 0;
  virtual int netns(const std::string& name) = 0;
};

class FakeWorld : public World {
 public:
  static Result<std::unique_ptr<World>> make() { return std::unique_ptr<World>(new FakeWorld()); }
  kernel::Links& links() override { return links_; }
  int netns(const std::string& name) override {
    UniqueFd& fd = namespaces_[name];
    // gives the namespace an identity
    if (!fd) fd.reset(::memfd_create(name.c_str(), MFD_CLOEXEC));
    return fd.get();
  }

 private:
  FakeLinks links_;
  std::map<std::string, UniqueFd> namespaces_;
};

class KernelWorld : public World {
 public:
  static Result<std::unique_ptr<World>> make() {
    TRY(UniqueFd host, kernel::new_netns());
    return std::unique_ptr<World>(new KernelWorld(std::move(host)));
  }
  ~KernelWorld() override {
    links_->finish_removals();
    links_.reset();
    if (::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
  }
  kernel::Links& links() override { return *links_; }
  int netns(const std::string& name) override {
    UniqueFd& fd = namespaces_[name];
    if (!fd) fd = must(kernel::new_netns());
    return fd.get();
  }

 private:
  explicit KernelWorld(UniqueFd host)
      : home_(must(kernel::current_netns())), host_(std::move(host)) {
    if (::setns(host_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("enter a namespace");
    must(kernel::write_sysctl("net/ipv4/ip_forward", "0"));
    must(kernel::write_sysctl("net/ipv6/conf/all/forwarding", "0"));
    links_ = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
  }
  UniqueFd home_, host_;
  std::map<std::string, UniqueFd> namespaces_;
  std::unique_ptr<kernel::Links> links_;
};

template <class WorldType>
class LinksSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = WorldType::make();
    if (!made) GTEST_SKIP() << made.error().text;
    world_ = std::move(*made);
  }
  kernel::Links& links() { return world_->links(); }
  int netns(const std::string& name) { return world_->netns(name); }

  kernel::BridgeSpec bridge_spec(const std::string& name) {
    return {.name = ifname(name),
            .mac = MacAddress::from_hash(name),
            .mtu = 1450,
            .alias = "alias of " + name};
  }
  kernel::Link bridge(const std::string& name = "fl-one") {
    return must(links().ensure_bridge(bridge_spec(name), false));
  }
  kernel::VethSpec veth_spec(const std::string& host_name, int master = 0,
                             const std::string& container = "web") {
    return {.host_name = ifname(host_name),
            .peer_name = ifname("eth0"),
            .peer_netns_fd = netns(container),
            .peer_mac = must(MacAddress::parse("02:fa:0a:01:00:02")),
            .mtu = 1450,
            .master = master};
  }
  kernel::ContainerSpec container_spec(const kernel::Veth& veth,
                                       const std::string& container = "web") {
    return {.netns_fd = netns(container),
            .ifindex = veth.peer_index,
            .name = ifname("eth0"),
            .addresses = {cidr("10.1.0.2/24"), cidr("fd00:1::2/64")},
            .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("10.1.0.1")},
                       {.destination = cidr("::/0"), .via = ip("fd00:1::1")}}};
  }
  template <class T>
  static void expect_code(const Result<T>& result, Code code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().text;
  }

  std::unique_ptr<World> world_;
};

using Worlds = ::testing::Types<FakeWorld, KernelWorld>;
struct WorldNames {
  template <class T>
  static std::string GetName(int) {
    return std::is_same_v<T, FakeWorld> ? "Fake" : "Kernel";
  }
};
TYPED_TEST_SUITE(LinksSuite, Worlds, WorldNames);

// ---- finding

TYPED_TEST(LinksSuite, WhatIsNotThereIsNotFound) {
  this->expect_code(this->links().find(ifname("nothing")), Code::kNotFound);
  this->expect_code(this->links().find(4711), Code::kNotFound);
  this->expect_code(this->links().inspect(this->netns("web"), ifname("eth0")), Code::kNotFound);
  this->expect_code(this->links().settle(4711), Code::kNotFound);
}

TYPED_TEST(LinksSuite, TheHostHasItsLoopback) {
  const auto lo = must(this->links().find(ifname("lo")));
  EXPECT_EQ(lo.index, 1);
  EXPECT_EQ(lo.kind, "");
  EXPECT_EQ(lo.mac, MacAddress());
}

TYPED_TEST(LinksSuite, TheListHoldsWhatTheHostHasAndNothingElse) {
  const auto made = this->bridge();
  must(this->links().create_veth(this->veth_spec("veth0", made.index)));
  std::vector<std::string> names;
  for (const auto& link : must(this->links().list())) names.push_back(link.name);
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"fl-one", "lo", "veth0"}));
}

// ---- bridges

TYPED_TEST(LinksSuite, ABridgeIsAsSpecified) {
  const auto made = this->bridge();
  EXPECT_EQ(made.name, "fl-one");
  EXPECT_EQ(made.kind, "bridge");
  EXPECT_EQ(made.mac, MacAddress::from_hash("fl-one"));
  EXPECT_EQ(made.mtu, 1450U);
  EXPECT_EQ(made.alias, "alias of fl-one");
  EXPECT_TRUE(made.up);
  EXPECT_EQ(made.master, 0);
  EXPECT_EQ(must(this->links().find(made.index)).name, "fl-one");
}

TYPED_TEST(LinksSuite, ABridgeIsMadeOnceAndMended) {
  const int index = this->bridge().index;
  auto other = this->bridge_spec("fl-one");
  other.mac = MacAddress::from_hash("other");
  other.alias = "other";
  EXPECT_EQ(must(this->links().ensure_bridge(other, false)).mac, other.mac);
  const auto mended = this->bridge();
  EXPECT_EQ(mended.index, index);
  EXPECT_EQ(mended.mac, MacAddress::from_hash("fl-one"));
  EXPECT_EQ(mended.alias, "alias of fl-one");
}

TYPED_TEST(LinksSuite, ABridgeKeepsTheAddressesOfOthers) {
  auto spec = this->bridge_spec("fl-one");
  spec.addresses = {cidr("10.1.0.1/24")};
  must(this->links().ensure_bridge(spec, false));
  spec.addresses = {cidr("10.2.0.1/24"), cidr("fd00:2::1/64")};
  const int index = must(this->links().ensure_bridge(spec, false)).index;
  must(this->links().remove_address(index, cidr("10.2.0.1/24")));
  must(this->links().remove_address(index, cidr("10.2.0.1/24")));
  const auto occupied = must(this->links().host_routing().occupied_subnets());
  EXPECT_EQ(occupied, (std::vector{cidr("10.1.0.0/24"), cidr("fd00:2::/64")}));
}

TYPED_TEST(LinksSuite, AnotherInterfaceOfTheBridgesNameIsLeftAlone) {
  must(this->links().create_veth(this->veth_spec("fl-one")));
  this->expect_code(this->links().ensure_bridge(this->bridge_spec("fl-one"), false), Code::kExists);
  this->expect_code(this->links().ensure_bridge(this->bridge_spec("fl-one"), true), Code::kExists);
  EXPECT_EQ(must(this->links().find(ifname("fl-one"))).kind, "veth");
}

TYPED_TEST(LinksSuite, AForeignBridgeMustBeThereAndOnlyGetsAddresses) {
  this->expect_code(this->links().ensure_bridge(this->bridge_spec("br0"), true), Code::kNotFound);
  const auto before = this->bridge("br0");
  auto spec = this->bridge_spec("br0");
  spec.mac = MacAddress::from_hash("other");
  spec.mtu = 1300;
  spec.addresses = {cidr("10.1.0.1/24")};
  const auto after = must(this->links().ensure_bridge(spec, true));
  EXPECT_EQ(after.mac, before.mac);
  EXPECT_EQ(after.mtu, before.mtu);
  EXPECT_EQ(must(this->links().host_routing().occupied_subnets()),
            std::vector{cidr("10.1.0.0/24")});
}

TYPED_TEST(LinksSuite, RouteLocalnetIsOffUntilItIsSwitchedOn) {
  const int index = this->bridge().index;
  EXPECT_FALSE(must(this->links().find(index)).route_localnet);
  must(this->links().set_route_localnet(index, true));
  EXPECT_TRUE(must(this->links().find(index)).route_localnet);
  EXPECT_TRUE(this->bridge().route_localnet) << "mending the bridge leaves it alone";
  must(this->links().set_route_localnet(index, false));
  EXPECT_FALSE(must(this->links().find(index)).route_localnet);
  this->expect_code(this->links().set_route_localnet(4711, true), Code::kNotFound);
}

TYPED_TEST(LinksSuite, TheLoopbackGuardIsThereUntilItIsTakenAway) {
  const int index = this->bridge().index;
  EXPECT_FALSE(must(this->links().has_loopback_guard(index)));
  must(this->links().unguard_loopback(index));
  EXPECT_TRUE(must(this->links().guard_loopback(index)));
  EXPECT_TRUE(must(this->links().has_loopback_guard(index)));
  EXPECT_FALSE(must(this->links().guard_loopback(index)));
  must(this->links().unguard_loopback(index));
  EXPECT_FALSE(must(this->links().has_loopback_guard(index)));
  must(this->links().unguard_loopback(index));
  EXPECT_TRUE(must(this->links().guard_loopback(index)));
  this->expect_code(this->links().guard_loopback(4711), Code::kNotFound);
  this->expect_code(this->links().has_loopback_guard(4711), Code::kNotFound);
  must(this->links().unguard_loopback(4711));
}

TYPED_TEST(LinksSuite, ABridgeTakesAMac) {
  const int index = this->bridge().index;
  const auto mac = MacAddress::from_hash("another");
  must(this->links().set_mac(index, mac));
  EXPECT_EQ(must(this->links().find(index)).mac, mac);
  this->expect_code(this->links().set_mac(4711, mac), Code::kNotFound);
}

// ---- veth

TYPED_TEST(LinksSuite, AVethJoinsTheBridgeAndTheContainer) {
  const auto master = this->bridge();
  auto spec = this->veth_spec("veth0", master.index);
  spec.alias = "of web";
  const auto veth = must(this->links().create_veth(spec));
  const auto host = must(this->links().find(veth.host_index));
  EXPECT_EQ(host.name, "veth0");
  EXPECT_EQ(host.kind, "veth");
  EXPECT_EQ(host.master, master.index);
  EXPECT_EQ(host.mac, veth.host_mac);
  EXPECT_EQ(host.mac, MacAddress::from_hash("host side of veth0")) << "not one for udev to change";
  EXPECT_EQ(host.mtu, 1450U);
  EXPECT_EQ(host.alias, "of web");
  EXPECT_EQ(host.peer_index, veth.peer_index);
  EXPECT_TRUE(host.up);
  EXPECT_TRUE(host.peer_elsewhere);
  const auto peer = must(this->links().inspect(this->netns("web"), ifname("eth0"))).link;
  EXPECT_EQ(peer.index, veth.peer_index);
  EXPECT_EQ(peer.peer_index, veth.host_index);
  EXPECT_EQ(peer.mac, must(MacAddress::parse("02:fa:0a:01:00:02")));
  EXPECT_EQ(peer.mtu, 1450U);
  EXPECT_FALSE(peer.up);
}

TYPED_TEST(LinksSuite, TheHostsSideMayStayDown) {
  auto spec = this->veth_spec("veth0");
  spec.host_up = false;
  EXPECT_FALSE(must(this->links().find(must(this->links().create_veth(spec)).host_index)).up);
}

TYPED_TEST(LinksSuite, TakenNamesAreRefusedAndNothingIsLeft) {
  must(this->links().create_veth(this->veth_spec("veth0")));
  this->expect_code(this->links().create_veth(this->veth_spec("veth0", 0, "db")), Code::kExists);
  this->expect_code(this->links().create_veth(this->veth_spec("veth1")), Code::kExists);
  this->expect_code(this->links().find(ifname("veth1")), Code::kNotFound);
  this->expect_code(this->links().inspect(this->netns("db"), ifname("eth0")), Code::kNotFound);
}

TYPED_TEST(LinksSuite, AMissingBridgeIsRefusedAndNothingIsLeft) {
  this->expect_code(this->links().create_veth(this->veth_spec("veth0", 4711)), Code::kNotFound);
  this->expect_code(this->links().find(ifname("veth0")), Code::kNotFound);
  this->expect_code(this->links().inspect(this->netns("web"), ifname("eth0")), Code::kNotFound);
}

TYPED_TEST(LinksSuite, ABridgeTakes1023Ports) {
  const auto master = this->bridge();
  for (int i = 0; i < 1023; ++i)
    must(this->links().create_veth({.host_name = ifname(fmt::format("v{}", i)),
                                    .peer_name = ifname(fmt::format("p{}", i)),
                                    .master = master.index,
                                    .host_up = false}));
  this->expect_code(
      this->links().create_veth(
          {.host_name = ifname("v"), .peer_name = ifname("p"), .master = master.index}),
      Code::kExhausted);
  this->expect_code(this->links().find(ifname("v")), Code::kNotFound);
}

// ---- containers

TYPED_TEST(LinksSuite, AContainerHasItsAddressesAndRoutes) {
  const auto veth = must(this->links().create_veth(this->veth_spec("veth0")));
  must(this->links().configure_container(this->container_spec(veth)));
  const auto view = must(this->links().inspect(this->netns("web"), ifname("eth0")));
  EXPECT_TRUE(view.link.up);
  for (const char* address : {"10.1.0.2/24", "fd00:1::2/64"})
    EXPECT_NE(std::ranges::find(view.addresses, cidr(address)), view.addresses.end()) << address;
  EXPECT_EQ(view.addresses.size(), 3U);  // and the link-local one
  for (const char* gateway : {"10.1.0.1", "fd00:1::1"})
    EXPECT_TRUE(std::ranges::any_of(view.routes, [&](const auto& route) {
      return route.via == ip(gateway) && route.destination.prefix_length() == 0 &&
             route.table == 254U;
    })) << gateway;
}

TYPED_TEST(LinksSuite, ConfiguringAgainChangesNothing) {
  const auto veth = must(this->links().create_veth(this->veth_spec("veth0")));
  must(this->links().configure_container(this->container_spec(veth)));
  const auto before = must(this->links().inspect(this->netns("web"), ifname("eth0")));
  must(this->links().configure_container(this->container_spec(veth)));
  const auto after = must(this->links().inspect(this->netns("web"), ifname("eth0")));
  EXPECT_EQ(after.addresses, before.addresses);
  EXPECT_EQ(after.routes.size(), before.routes.size());
}

TYPED_TEST(LinksSuite, AGatewayOutOfReachIsRefused) {
  const auto veth = must(this->links().create_veth(this->veth_spec("veth0")));
  auto spec = this->container_spec(veth);
  spec.routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("192.0.2.1")}};
  EXPECT_FALSE(this->links().configure_container(spec));
  spec.routes.insert(spec.routes.begin(), {.destination = cidr("192.0.2.1/32")});
  EXPECT_TRUE(this->links().configure_container(spec));
}

TYPED_TEST(LinksSuite, ASecondDefaultRouteComesBehindTheFirstAndTakesOver) {
  auto first = this->container_spec(must(this->links().create_veth(this->veth_spec("veth0"))));
  EXPECT_EQ(must(this->links().configure_container(first)), first.routes);
  auto second_link = this->veth_spec("veth1");
  second_link.peer_name = ifname("eth1");
  const kernel::ContainerSpec second{
      .netns_fd = this->netns("web"),
      .ifindex = must(this->links().create_veth(second_link)).peer_index,
      .name = ifname("eth1"),
      .addresses = {cidr("10.2.0.2/24"), cidr("fd00:2::2/64")},
      .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("10.2.0.1")},
                 {.destination = cidr("192.0.2.0/24"), .via = ip("10.2.0.1")},
                 {.destination = cidr("::/0"), .via = ip("fd00:2::1")}}};
  for (int twice = 0; twice < 2; ++twice) {
    const auto added = must(this->links().configure_container(second));
    ASSERT_EQ(added.size(), 3U);
    EXPECT_TRUE(added[0].priority && added[2].priority);
    EXPECT_FALSE(added[1].priority);
    const auto view = must(this->links().inspect(this->netns("web"), ifname("eth1")));
    for (const auto& route : {added[0], added[2]})
      EXPECT_EQ(std::ranges::count_if(view.routes,
                                      [&](const auto& seen) {
                                        return seen.destination == route.destination &&
                                               seen.via == route.via &&
                                               seen.priority == route.priority;
                                      }),
                1)
          << route.destination.to_string();
  }
  // The first comes back: the second's stay the ones that are used.
  must(this->links().remove(ifname("veth0")));
  first.ifindex = must(this->links().create_veth(this->veth_spec("veth0"))).peer_index;
  const auto again = must(this->links().configure_container(first));
  const auto behind = must(this->links().configure_container(second));
  for (const std::size_t family : {0U, 1U})
    EXPECT_GT(again[family].priority.value_or(0), behind[family * 2].priority.value_or(0));
}

TYPED_TEST(LinksSuite, AContainerWithoutTheInterfaceIsNotFound) {
  this->expect_code(this->links().configure_container(
                        {.netns_fd = this->netns("web"), .ifindex = 4711, .name = ifname("eth0")}),
                    Code::kNotFound);
}

// ---- ports

TYPED_TEST(LinksSuite, ALinkJoinsAndLeavesABridge) {
  const auto master = this->bridge();
  const auto veth = must(this->links().create_veth(this->veth_spec("veth0")));
  must(this->links().set_master(veth.host_index, master.index));
  EXPECT_EQ(must(this->links().find(veth.host_index)).master, master.index);
  must(this->links().set_port_flags(veth.host_index, {.hairpin = true}));
  must(this->links().set_master(veth.host_index, 0));
  EXPECT_EQ(must(this->links().find(veth.host_index)).master, 0);
  EXPECT_TRUE(must(this->links().find(veth.host_index)).up);
  this->expect_code(this->links().set_master(4711, master.index), Code::kNotFound);
}

TYPED_TEST(LinksSuite, OnlyPortsHavePortFlags) {
  const auto veth = must(this->links().create_veth(this->veth_spec("veth0")));
  EXPECT_FALSE(this->links().set_port_flags(veth.host_index, {.hairpin = true}));
  this->expect_code(this->links().set_port_flags(4711, {}), Code::kNotFound);
}

// ---- removal

TYPED_TEST(LinksSuite, ARemovedVethIsGoneOnBothSidesAndItsNamesAreFree) {
  for (int i = 0; i < 3; ++i) {
    must(this->links().create_veth(this->veth_spec("veth0")));
    must(this->links().remove(ifname("veth0")));
    this->expect_code(this->links().find(ifname("veth0")), Code::kNotFound);
    this->expect_code(this->links().inspect(this->netns("web"), ifname("eth0")), Code::kNotFound);
  }
}

TYPED_TEST(LinksSuite, RemovingWhatIsGoneSucceeds) {
  EXPECT_TRUE(this->links().remove(ifname("veth0")));
}

TYPED_TEST(LinksSuite, ADeviceOfTheMachineIsNotRemoved) {
  this->expect_code(this->links().remove(ifname("lo")), Code::kUnsupported);
}

TYPED_TEST(LinksSuite, PortsOutliveTheirBridge) {
  const auto master = this->bridge();
  const auto veth = must(this->links().create_veth(this->veth_spec("veth0", master.index)));
  must(this->links().remove(ifname("fl-one")));
  EXPECT_EQ(must(this->links().find(veth.host_index)).master, 0);
}

// ---- the host

TYPED_TEST(LinksSuite, AnnouncementsNeedALink) {
  const int index = this->bridge().index;
  EXPECT_TRUE(this->links().announce(index, ip("10.1.0.2"), MacAddress::for_ip(ip("10.1.0.2"))));
  EXPECT_TRUE(this->links().announce(index, ip("fd00:1::2"), MacAddress::for_ip(ip("fd00:1::2"))));
  EXPECT_FALSE(this->links().announce(4711, ip("10.1.0.2"), MacAddress::for_ip(ip("10.1.0.2"))));
  EXPECT_TRUE(this->links().forget_neighbour(index, ip("10.1.0.77")));
}

TYPED_TEST(LinksSuite, AHostWithoutARouteHasNoDefaultLinkAndOccupiesNothing) {
  EXPECT_FALSE(must(this->links().host_routing().default_route_link()));
  EXPECT_TRUE(must(this->links().host_routing().occupied_subnets()).empty());
}

TYPED_TEST(LinksSuite, ForwardingIsSwitchedOnOnce) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    EXPECT_FALSE(must(this->links().host_routing().is_forwarding(family)));
    EXPECT_TRUE(must(this->links().host_routing().enable_forwarding(family)));
    EXPECT_TRUE(must(this->links().host_routing().is_forwarding(family)));
    EXPECT_FALSE(must(this->links().host_routing().enable_forwarding(family)));
  }
}

TYPED_TEST(LinksSuite, RoutesOfAnswersAreWhatWasGivenLast) {
  auto& routing = this->links().host_routing();
  const kernel::Link bridge = this->bridge();
  const std::vector<kernel::AnswerRoute> answers{{.family = Family::kV4,
                                                  .link = bridge.name,
                                                  .mark = 0x10000000,
                                                  .mask = 0xf0000000,
                                                  .table = 200},
                                                 {.family = Family::kV6,
                                                  .link = bridge.name,
                                                  .mark = 0x20000000,
                                                  .mask = 0xf0000000,
                                                  .table = kernel::kFirstAnswerTable + 2,
                                                  .routes = {{.destination = cidr("::/0")}}}};
  EXPECT_FALSE(must(routing.set_answer_routes({})));
  EXPECT_TRUE(must(routing.set_answer_routes(answers)));
  EXPECT_FALSE(must(routing.set_answer_routes(answers)));
  EXPECT_TRUE(must(routing.set_answer_routes(std::span(answers).first(1))));
  EXPECT_TRUE(must(routing.set_answer_routes({})));
  EXPECT_FALSE(must(routing.set_answer_routes({})));
}

TYPED_TEST(LinksSuite, RatesNeedALink) {
  this->expect_code(this->links().set_rates(4711, 1000, 0, 0, 0), Code::kNotFound);
}

// ---- single containers, without a bridge

TYPED_TEST(LinksSuite, AContainerWithoutABridgeIsRoutedTo) {
  kernel::BridgeSpec gateways = this->bridge_spec("fl-gw");
  gateways.addresses = {cidr("10.1.0.1/24"), cidr("fd00:1::1/64")};
  gateways.ipv6 = true;
  must(this->links().ensure_bridge(gateways, false));
  kernel::VethSpec spec = this->veth_spec("flr0");
  spec.host_up = false;
  const auto veth = must(this->links().create_veth(spec));
  const kernel::RoutedLink link{.index = veth.host_index,
                                .name = ifname("flr0"),
                                .container_mac = spec.peer_mac,
                                .addresses = {cidr("10.1.0.2/32"), cidr("fd00:1::2/128")},
                                .source_v4 = ip("10.1.0.1")};
  EXPECT_FALSE(must(this->links().routes_container(link)));
  must(this->links().route_container(link));
  EXPECT_TRUE(must(this->links().routes_container(link)));
  EXPECT_TRUE(must(this->links().find(ifname("flr0"))).up);
  must(this->links().route_container(link));  // idempotent
  auto other = link;
  other.addresses = {cidr("10.1.0.3/32")};
  EXPECT_FALSE(must(this->links().routes_container(other)));
}

TYPED_TEST(LinksSuite, AnAddressIsLedToTheLinkThatWasMadeLast) {
  std::vector<kernel::RoutedLink> links;
  for (const char* name : {"flr0", "flr1"}) {
    kernel::VethSpec spec = this->veth_spec(name, 0, name);
    spec.host_up = false;
    const auto veth = must(this->links().create_veth(spec));
    links.push_back({.index = veth.host_index,
                     .name = ifname(name),
                     .container_mac = spec.peer_mac,
                     .addresses = {cidr("10.1.0.2/32"), cidr("fd00:1::2/128")},
                     .source_v4 = std::nullopt});
    must(this->links().route_container(links.back()));
  }
  EXPECT_FALSE(must(this->links().routes_container(links[0])));
  EXPECT_TRUE(must(this->links().routes_container(links[1])));
}

TYPED_TEST(LinksSuite, ARouteNeedsItsSource) {
  kernel::VethSpec spec = this->veth_spec("flr0");
  const auto veth = must(this->links().create_veth(spec));
  EXPECT_FALSE(this->links().route_container({.index = veth.host_index,
                                              .name = ifname("flr0"),
                                              .container_mac = spec.peer_mac,
                                              .addresses = {cidr("10.1.0.2/32")},
                                              .source_v4 = ip("10.1.0.1")}));
}

TYPED_TEST(LinksSuite, TheHostAnswersForAnAddressUntilItIsToldNotTo) {
  const auto uplink = this->bridge("uplink");
  for (const char* address : {"10.1.0.2", "fd00:1::2"}) {
    must(this->links().answer_for(uplink.index, ip(address), true));
    must(this->links().answer_for(uplink.index, ip(address), true));
    must(this->links().answer_for(uplink.index, ip(address), false));
    must(this->links().answer_for(uplink.index, ip(address), false));
  }
  must(this->links().answer_for(4711, ip("10.1.0.2"), false));
  EXPECT_FALSE(this->links().answer_for(4711, ip("10.1.0.2"), true));
}

}  // namespace
}  // namespace fairlead::testing
