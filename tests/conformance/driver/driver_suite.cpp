// What the service expects of every driver, whatever links it makes. A new driver needs one line in
// the instantiation below.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "network/drivers/registry.h"
#include "tests/support/alone.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using network::Endpoint;
using network::Liveness;
using network::Network;

struct DriverCase {
  const char* mode;
  // The host is on the network and has its gateway's address, and each container a link there.
  // Otherwise the network is that of an interface of the host, and the gateway another machine's.
  bool in_host = true;
  const char* kind = nullptr;  // of its links, where not every kernel has them
};

class DriverSuite : public KernelFixture, public ::testing::WithParamInterface<DriverCase> {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    if (GetParam().kind != nullptr && !must(links().has_kind(GetParam().kind)))
      GTEST_SKIP() << "this kernel has no " << GetParam().kind;
    tunnels_ = must(kernel::open_netlink_tunnels());
    drivers_ = network::make_drivers({links(), *tunnels_, "boot-1"});
    network_ = {.id = std::string(64, 'a'),
                .name = must(NetworkName::parse("shop")),
                .subnets = {{.subnet = cidr("10.40.0.0/24"), .gateway = ip("10.40.0.1")}}};
    network_.options.mode = GetParam().mode;
    network_.options.mtu = 1400;
    if (driver().traits().scope == network::NetworkTraits::Scope::kCluster)
      network_.overlay = {.vni = 42, .local = ip("203.0.113.2")};
    if (!GetParam().in_host) network_.options.parent = outside_network();
    const auto plan = must(driver().plan(network_, {}));
    network_.links = plan.links;
    network_.mtu = plan.mtu;
  }
  // An interface of the host at whose other end the machine with the gateway's address is.
  IfName outside_network() {
    const auto lan = must(links().create_veth({.host_name = ifname("lan0"),
                                               .peer_name = ifname("lan0"),
                                               .peer_netns_fd = netns("router"),
                                               .peer_mac = MacAddress::from_hash("router")}));
    must(links().configure_container({.netns_fd = netns("router"),
                                      .ifindex = lan.peer_index,
                                      .name = ifname("lan0"),
                                      .addresses = {cidr("10.40.0.1/24")}}));
    return ifname("lan0");
  }
  void TearDown() override {
    drivers_.clear();
    tunnels_.reset();
    KernelFixture::TearDown();
  }
  network::Driver& driver() { return *drivers_.at(GetParam().mode); }
  void ensure() {
    Rollback undo;
    must(driver().ensure(network_, undo));
    undo.commit();
  }
  void run_in(const std::string& where, const std::string& command) {
    in(where, [&] { ASSERT_EQ(std::system(command.c_str()), 0) << command; });
  }
  // As Docker takes a link that was left in the host.
  void move_into(const std::string& link, const std::string& container, const std::string& name) {
    const int index = must(links().find(ifname(link))).index;
    must(links().move_inside(index, netns(container), ifname(name)));
  }
  // In the namespace of its name.
  Endpoint endpoint(const std::string& name, const std::string& address) {
    Endpoint endpoint{.id = name,
                      .network_id = network_.id,
                      .addresses = {cidr(address)},
                      .gateways = {ip("10.40.0.1")},
                      .ifname = "eth0",
                      .netns_path = path_of(name),
                      .boot_id = "boot-1",
                      .joined = true};
    if (driver().traits().macs) endpoint.mac = MacAddress::for_ip(cidr(address).address());
    endpoint.links = must(driver().plan_endpoint(network_, endpoint));
    return endpoint;
  }
  std::string path_of(const std::string& container) {
    return fmt::format("/proc/self/fd/{}", netns(container));
  }
  Result<network::EndpointLinks> attach(const Endpoint& endpoint,
                                        const network::Placement& placement) {
    Rollback undo;
    auto made = driver().attach(network_, endpoint, placement, context_, undo);
    if (made) undo.commit();
    return made;
  }
  Result<network::EndpointLinks> attach_in(const Endpoint& endpoint, const std::string& container) {
    return attach(endpoint, network::IntoNetns{netns(container), ifname("eth0")});
  }

  std::unique_ptr<kernel::Tunnels> tunnels_;
  network::Drivers drivers_;
  Network network_;
  NoService context_;
};

TEST_P(DriverSuite, EnsureTwiceIsTheSameAsOnce) {
  ensure();
  const auto before = must(links().list()).size();
  ensure();
  EXPECT_EQ(must(links().list()).size(), before);
}

TEST_P(DriverSuite, UndoOfEnsureLeavesNothing) {
  const auto before = must(links().list()).size();
  {
    Rollback undo;
    must(driver().ensure(network_, undo));
  }
  EXPECT_EQ(must(links().list()).size(), before);
}

TEST_P(DriverSuite, RemoveTakesEverythingAndSucceedsAgain) {
  const auto before = must(links().list()).size();
  ensure();
  must(driver().remove(network_));
  EXPECT_EQ(must(links().list()).size(), before);
  must(driver().remove(network_));
}

TEST_P(DriverSuite, AttachedContainersReachEachOtherAndTheGateway) {
  ensure();
  must(attach_in(endpoint("a", "10.40.0.2/24"), "a"));
  must(attach_in(endpoint("b", "10.40.0.3/24"), "b"));
  EXPECT_TRUE(ping("a", "10.40.0.3"));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
}

TEST_P(DriverSuite, AttachMakesTheNetworksLinksWhenTheyAreMissing) {
  must(attach_in(endpoint("a", "10.40.0.2/24"), "a"));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
}

TEST_P(DriverSuite, AttachReportsWhatItMade) {
  ensure();
  const auto made = must(attach_in(endpoint("a", "10.40.0.2/24"), "a"));
  EXPECT_EQ(made.container_ifname.str(), "eth0");
  if (driver().traits().macs) EXPECT_EQ(made.container_mac, MacAddress::for_ip(ip("10.40.0.2")));
  EXPECT_EQ(made.mtu, 1400U);
  const auto inside = must(links().inspect(netns("a"), ifname("eth0")));
  EXPECT_EQ(inside.link.mac, made.container_mac);
  EXPECT_EQ(inside.link.mtu, 1400U);
}

TEST_P(DriverSuite, FailedAttachLeavesNothing) {
  ensure();
  must(attach_in(endpoint("a", "10.40.0.2/24"), "a"));
  const auto before = must(links().list()).size();
  const auto second = attach_in(endpoint("b", "10.40.0.3/24"), "a");  // eth0 is taken there
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kExists);
  EXPECT_EQ(must(links().list()).size(), before);
}

TEST_P(DriverSuite, WhatACrashLeftIsReplaced) {
  ensure();
  auto left = endpoint("a", "10.40.0.2/24");
  left.netns_path = path_of("first");
  must(attach_in(left, "first"));
  // The host does not see what is in a container only; the service detaches what a record names.
  if (!GetParam().in_host) must(driver().detach(network_, left));
  must(attach_in(endpoint("a", "10.40.0.2/24"), "second"));
  EXPECT_TRUE(ping("second", "10.40.0.1"));
}

TEST_P(DriverSuite, DetachTakesTheLinkAtOnceAndSucceedsAgain) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  must(attach_in(a, "a"));
  must(driver().detach(network_, a));
  EXPECT_EQ(links().inspect(netns("a"), ifname("eth0")).error().code, Code::kNotFound);
  must(driver().detach(network_, a));
  must(attach_in(a, "a"));
}

TEST_P(DriverSuite, LeftInTheHostItWaitsForTheRuntime) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  const auto made = must(attach(a, network::LeaveInHost{}));
  EXPECT_TRUE(links().find(made.container_ifname));
  EXPECT_EQ(must(driver().liveness(network_, a)), Liveness::kWaiting);
  must(driver().detach(network_, a));
  EXPECT_EQ(must(driver().liveness(network_, a)), Liveness::kGone);
}

TEST_P(DriverSuite, WhatTheRuntimeTookIsAliveUntilItsNamespaceGoes) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  const auto made = must(attach(a, network::LeaveInHost{.netns_path = a.netns_path}));
  move_into(made.container_ifname.str(), "a", "eth7");
  EXPECT_EQ(must(driver().liveness(network_, a)), Liveness::kAlive);
  run_in("a", "ip link del eth7");
  EXPECT_EQ(must(driver().liveness(network_, a)), Liveness::kGone);
}

TEST_P(DriverSuite, ItsOwnLinksAreListedAndNamedByTheRecords) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  must(attach(a, network::LeaveInHost{}));
  std::set<std::string> named, listed;
  for (const IfName& name : driver().links_of(network_)) named.insert(name.str());
  for (const IfName& name : driver().links_of(a)) named.insert(name.str());
  for (const auto& [mode, each] : drivers_)
    for (const network::MadeLink& link : must(each->list_links())) listed.insert(link.name.str());
  EXPECT_EQ(listed, named);
  for (const std::string& name : listed) must(driver().remove_link(ifname(name)));
  EXPECT_THAT(must(driver().list_links()), ::testing::IsEmpty());
}

TEST_P(DriverSuite, CheckFindsALostAddress) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  must(attach_in(a, "a"));
  must(driver().check(network_, a, netns("a"), "eth0"));
  auto other = a;
  other.addresses = {cidr("10.40.0.9/24")};
  EXPECT_THAT(driver().check(network_, other, netns("a"), "eth0").error().text,
              ::testing::HasSubstr("10.40.0.9/24"));
}

TEST_P(DriverSuite, TheHostsEndMayBeCalledVeth) {
  network_.options.host_interface_prefix = network::HostPrefix::kVeth;
  if (!GetParam().in_host) {
    const network::NetworkSpec spec{.name = network_.name, .options = network_.options};
    EXPECT_THAT(driver().validate(spec).error().text,
                ::testing::HasSubstr("host_interface_prefix"));
    return;
  }
  network_.links = must(driver().plan(network_, {})).links;
  ensure();
  // Names as other runtimes choose them, and some that nearly are.
  const std::set<std::string> strangers{"vethflabcdefgh", "vethfl-1",  "vethfl-ABCDEFGH",
                                        "veth1a2b3c4d",   "vethfr-12", "vethfr1234567"};
  for (const std::string& name : strangers)
    must(links().create_veth({.host_name = ifname(name),
                              .peer_name = ifname("eth0"),
                              .peer_netns_fd = netns("stranger of " + name),
                              .peer_mac = MacAddress::from_hash(name)}));
  const auto a = endpoint("a", "10.40.0.2/24");
  const auto made = must(attach_in(a, "a"));
  const std::string host = made.host_links.back().name.str();
  EXPECT_TRUE(host.starts_with("vethfl-") || host.starts_with("vethfr-")) << host;
  EXPECT_EQ(host.size(), 15U);
  EXPECT_TRUE(ping("a", "10.40.0.1"));
  std::set<std::string> listed;
  for (const network::MadeLink& link : must(driver().list_links())) listed.insert(link.name.str());
  // Overlay's veth pairs are the bridge driver's to list.
  for (const network::MadeLink& link : must(drivers_.at("bridge")->list_links()))
    listed.insert(link.name.str());
  EXPECT_TRUE(listed.contains(host));
  for (const std::string& name : strangers) EXPECT_FALSE(listed.contains(name)) << name;
  must(driver().check(network_, a, netns("a"), "eth0"));
  must(driver().detach(network_, a));
  EXPECT_FALSE(links().find(ifname(host)));
  const auto left = must(attach(a, network::LeaveInHost{}));
  EXPECT_TRUE(links().find(left.container_ifname));
  must(driver().detach(network_, a));
}

TEST_P(DriverSuite, AddressesMayComeAfterTheLink) {
  ensure();
  const auto with = endpoint("a", "10.40.0.2/24");
  auto without = with;
  without.addresses.clear();
  without.gateways.clear();
  const auto linked = must(attach_in(without, "a"));
  must(driver().check(network_, without, netns("a"), "eth0"));
  const network::IntoNetns inside{netns("a"), ifname("eth0")};
  for (int time = 0; time < 2; ++time) {  // a second call changes nothing
    Rollback undo;
    const auto given = must(driver().give_addresses(network_, with, inside, context_, undo));
    undo.commit();
    EXPECT_EQ(given.container_ifname, linked.container_ifname);
    EXPECT_EQ(given.container_mac, linked.container_mac);
    EXPECT_EQ(given.mtu, linked.mtu);
    EXPECT_EQ(given.host_links.size(), linked.host_links.size());
    must(driver().check(network_, with, netns("a"), "eth0"));
  }
  EXPECT_TRUE(ping("a", "10.40.0.1"));
  must(driver().detach(network_, with));
  EXPECT_EQ(links().inspect(netns("a"), ifname("eth0")).error().code, Code::kNotFound);
}

TEST_P(DriverSuite, MendBringsALivingEndpointBackAfterItsNetworksLinksWereLost) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  must(attach_in(a, "a"));
  const auto own = driver().links_of(network_);
  EXPECT_EQ(own.empty(), !GetParam().in_host);
  EXPECT_THAT(driver().missing(network_), ::testing::IsEmpty());
  for (const IfName& link : own) must(links().remove(link));
  EXPECT_EQ(driver().missing(network_).size(), own.size());
  ensure();
  EXPECT_EQ(must(driver().mend(network_, a)), !own.empty());
  EXPECT_FALSE(must(driver().mend(network_, a)));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
}

INSTANTIATE_TEST_SUITE_P(Drivers, DriverSuite,
                         ::testing::Values(DriverCase{"bridge"}, DriverCase{"overlay"},
                                           DriverCase{"routed"}, DriverCase{"macvlan", false},
                                           DriverCase{"ipvlan", false, "ipvlan"}),
                         [](const auto& each) { return std::string(each.param.mode); });

}  // namespace
}  // namespace fairlead::testing
