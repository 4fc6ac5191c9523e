// What the service expects of every driver, whatever links it makes. A new driver needs one line in
// the instantiation below.
#include <gmock/gmock.h>

#include "network/drivers/registry.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using network::Endpoint;
using network::Liveness;
using network::Network;

class DriverSuite : public KernelFixture, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    tunnels_ = must(kernel::open_netlink_tunnels());
    drivers_ = network::make_drivers(links(), *tunnels_);
    network_ = {.id = std::string(64, 'a'),
                .name = must(NetworkName::parse("shop")),
                .subnets = {{.subnet = cidr("10.40.0.0/24"), .gateway = ip("10.40.0.1")}}};
    network_.options.mode = GetParam();
    network_.options.mtu = 1400;
    if (network_.options.mode == "overlay")
      network_.overlay = {.vni = 42, .local = ip("203.0.113.2")};
    const auto plan = must(driver().plan(network_));
    network_.bridge = plan.bridge;
    network_.bridge_mac = plan.bridge_mac;
    network_.mtu = plan.mtu;
  }
  void TearDown() override {
    drivers_.clear();
    tunnels_.reset();
    KernelFixture::TearDown();
  }
  network::Driver& driver() { return *drivers_.at(GetParam()); }
  void ensure() {
    Rollback undo;
    must(driver().ensure(network_, undo));
    undo.commit();
  }
  Endpoint endpoint(const std::string& name, const std::string& address) {
    return {.id = name,
            .network_id = network_.id,
            .addresses = {cidr(address)},
            .gateways = {ip("10.40.0.1")},
            .mac = MacAddress::for_ip(cidr(address).address()),
            .host_ifname = ifname("flh" + name),
            .joined = true};
  }
  Result<network::EndpointLinks> attach_in(const Endpoint& endpoint, const std::string& container) {
    Rollback undo;
    auto made = driver().attach(network_, endpoint,
                                network::IntoNetns{netns(container), ifname("eth0")}, undo);
    if (made) undo.commit();
    return made;
  }

  std::unique_ptr<kernel::Tunnels> tunnels_;
  network::Drivers drivers_;
  Network network_;
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

TEST_P(DriverSuite, AttachedContainersReachEachOtherAndTheHost) {
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
  EXPECT_EQ(made.container_mac, MacAddress::for_ip(ip("10.40.0.2")));
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
  must(attach_in(endpoint("a", "10.40.0.2/24"), "first"));
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
  Rollback undo;
  const auto made = must(driver().attach(network_, a, network::LeaveInHost{}, undo));
  undo.commit();
  EXPECT_TRUE(links().find(made.container_ifname));
  EXPECT_EQ(must(driver().liveness(network_, a)), Liveness::kWaiting);
  must(driver().detach(network_, a));
  EXPECT_EQ(must(driver().liveness(network_, a)), Liveness::kGone);
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

TEST_P(DriverSuite, MendBringsALivingEndpointBackAfterItsNetworksLinksWereLost) {
  ensure();
  const auto a = endpoint("a", "10.40.0.2/24");
  must(attach_in(a, "a"));
  must(links().remove(network_.bridge));
  ensure();
  EXPECT_TRUE(must(driver().mend(network_, a)));
  EXPECT_FALSE(must(driver().mend(network_, a)));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
}

INSTANTIATE_TEST_SUITE_P(Drivers, DriverSuite, ::testing::Values("bridge", "overlay"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace fairlead::testing
