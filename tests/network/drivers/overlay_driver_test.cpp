// The overlay driver over fakes: what it decides, what it refuses, and what it undoes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "network/drivers/bridge.h"
#include "network/drivers/overlay.h"
#include "tests/support/alone.h"
#include "tests/support/fake_tunnels.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using network::Endpoint;
using network::Network;
using network::NetworkSpec;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OverlayDriver : public ::testing::Test {
 protected:
  OverlayDriver() {
    tunnels_.add_underlay(ip("192.0.2.1"), 1500);
    tunnels_.add_underlay(ip("2001:db8:99::1"), 1500);
    network_.overlay = {.vni = 42, .local = ip("192.0.2.1")};
    network_.options.mode = "overlay";
  }
  NetworkSpec spec() {
    return {.name = network_.name, .options = network_.options, .overlay = network_.overlay};
  }
  void make() {
    const auto plan = must(driver_->plan(network_, {}));
    network_.links = plan.links;
    network_.mtu = plan.mtu;
    Rollback undo;
    must(driver_->ensure(network_, undo));
    undo.commit();
  }
  Result<network::EndpointLinks> attach() {
    Rollback undo;
    auto made = driver_->attach(network_, endpoint_, network::LeaveInHost{}, context_, undo);
    if (made) undo.commit();
    return made;
  }
  template <class T>
  static void expect_failure(const Result<T>& result, Code code, const std::string& text) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code);
    EXPECT_THAT(result.error().text, HasSubstr(text));
  }

  FakeLinks links_;
  FakeTunnels tunnels_{links_};
  std::unique_ptr<network::Driver> driver_ =
      network::make_overlay_driver(links_, tunnels_, "boot-1");
  NoService context_;
  Network network_{.id = std::string(64, 'a'),
                   .name = must(NetworkName::parse("shop")),
                   .subnets = {{.subnet = cidr("10.9.0.0/24"), .gateway = ip("10.9.0.1")}}};
  Endpoint endpoint_{.id = "web",
                     .network_id = network_.id,
                     .addresses = {cidr("10.9.0.2/24")},
                     .gateways = {ip("10.9.0.1")},
                     .mac = MacAddress::for_ip(ip("10.9.0.2")),
                     .links = veth("flhweb"),
                     .joined = true};
};

TEST_F(OverlayDriver, TheMtuIsWhatTheUnderlayLeaves) {
  EXPECT_EQ(must(driver_->plan(network_, {})).mtu, 1450U);
  network_.overlay->local = ip("2001:db8:99::1");
  EXPECT_EQ(must(driver_->plan(network_, {})).mtu, 1430U);
  network_.overlay->underlay_mtu = 1400;  // of another host
  EXPECT_EQ(must(driver_->plan(network_, {})).mtu, 1330U);
  network_.overlay->underlay_mtu = 9000;
  EXPECT_EQ(must(driver_->plan(network_, {})).mtu, 1430U);
}

TEST_F(OverlayDriver, AnMtuThatDoesNotFitIsRefusedWithTheLargestThatDoes) {
  network_.options.mtu = 1450;
  EXPECT_EQ(must(driver_->plan(network_, {})).mtu, 1450U);
  network_.options.mtu = 1451;
  expect_failure(driver_->plan(network_, {}), Code::kInvalid, "use at most 1450");
  network_.overlay->local = ip("2001:db8:99::1");
  expect_failure(driver_->plan(network_, {}), Code::kInvalid, "use at most 1430");
  network_.options.mtu = 1280;
  EXPECT_EQ(must(driver_->plan(network_, {})).mtu, 1280U);
}

TEST_F(OverlayDriver, IPv6NeedsItsSmallestMtu) {
  NetworkSpec wanted = spec();
  wanted.options.mtu = 1279;
  EXPECT_TRUE(driver_->validate(wanted));
  wanted.ipv6 = true;
  expect_failure(driver_->validate(wanted), Code::kInvalid, "too small for IPv6");
  wanted.options.mtu = 1280;
  EXPECT_TRUE(driver_->validate(wanted));

  tunnels_.add_underlay(ip("192.0.2.2"), 1300);
  network_.overlay->local = ip("192.0.2.2");
  network_.subnets.push_back({.subnet = cidr("fd00:9::/64")});
  network_.links.shown["bridge"] = "fl-aaaaaaaaaaaa";
  network_.mtu = must(driver_->plan(network_, {})).mtu;
  Rollback undo;
  expect_failure(driver_->ensure(network_, undo), Code::kInvalid, "too small for IPv6");
}

TEST_F(OverlayDriver, WhatIsNoOverlayIsRefused) {
  NetworkSpec wanted = spec();
  wanted.overlay.reset();
  expect_failure(driver_->validate(wanted), Code::kInvalid, "join a cluster");
  wanted = spec();
  wanted.overlay->vni = 1U << 24;
  expect_failure(driver_->validate(wanted), Code::kInvalid, "no VNI");
  wanted = spec();
  wanted.overlay->local = ip("0.0.0.0");
  expect_failure(driver_->validate(wanted), Code::kInvalid, "underlay");
  wanted = spec();
  wanted.options.parent = ifname("eth0");
  EXPECT_FALSE(driver_->validate(wanted));
  network_.overlay->local = ip("192.0.2.99");
  expect_failure(driver_->plan(network_, {}), Code::kNotFound, "192.0.2.99");
}

TEST_F(OverlayDriver, ABridgeOfSomebodyElsesIsNotJoined) {
  links_.put({.name = "br0", .kind = "bridge"});
  network_.options.bridge = ifname("br0");
  expect_failure(driver_->plan(network_, {}), Code::kExists, "choose another name");
}

TEST_F(OverlayDriver, AllHostsHaveTheSameNamesAndAddresses) {
  FakeLinks other_links;
  FakeTunnels other_tunnels(other_links);
  other_tunnels.add_underlay(ip("192.0.2.2"), 1500);
  const auto other = network::make_overlay_driver(other_links, other_tunnels, "boot-1");
  Network there = network_;
  there.overlay->local = ip("192.0.2.2");
  const auto here = must(driver_->plan(network_, {})), elsewhere = must(other->plan(there, {}));
  EXPECT_EQ(here.links, elsewhere.links);
  EXPECT_EQ(network::overlay_device(*network_.overlay).str(), "flx00002a");
}

TEST_F(OverlayDriver, APortLearnsAndFloodsNothingAndHasItsMacPinned) {
  make();
  must(attach());
  const auto port = must(links_.find(host_side_of(endpoint_)));
  EXPECT_EQ(links_.port_flags(port.index), (kernel::PortFlags{.learning = false, .flood = false}));
  EXPECT_THAT(tunnels_.pinned(host_side_of(endpoint_)), ElementsAre(*endpoint_.mac));
  Endpoint published = endpoint_;
  published.ports = {{.host_ip = ip("192.0.2.1"), .host_port = 8080, .container_port = 80}};
  must(driver_->open_ports(network_, published, context_));
  EXPECT_EQ(links_.port_flags(port.index),
            (kernel::PortFlags{.hairpin = true, .learning = false, .flood = false}));
  must(driver_->close_ports(network_, published, endpoint_, context_));
  EXPECT_EQ(links_.port_flags(port.index), (kernel::PortFlags{.learning = false, .flood = false}));
}

TEST_F(OverlayDriver, MendPinsAgain) {
  make();
  must(attach());
  must(links_.remove(bridge_of(network_)));
  make();
  EXPECT_THAT(tunnels_.pinned(host_side_of(endpoint_)), IsEmpty());
  EXPECT_TRUE(must(driver_->mend(network_, endpoint_)));
  EXPECT_THAT(tunnels_.pinned(host_side_of(endpoint_)), ElementsAre(*endpoint_.mac));
  const auto port = must(links_.find(host_side_of(endpoint_)));
  EXPECT_EQ(links_.port_flags(port.index), (kernel::PortFlags{.learning = false, .flood = false}));
}

TEST_F(OverlayDriver, WhateverFailsLeavesNothing) {
  const Error broken{Code::kIo, EIO, "netlink: input/output error"};
  const auto before = must(links_.list()).size();
  tunnels_.fail_next("ensure", broken);
  EXPECT_THROW(make(), std::runtime_error);
  EXPECT_EQ(must(links_.list()).size(), before);
  make();
  const auto made = must(links_.list()).size();
  tunnels_.fail_next("pin", broken);
  EXPECT_FALSE(attach());
  EXPECT_EQ(must(links_.list()).size(), made);
  EXPECT_TRUE(attach());
}

TEST_F(OverlayDriver, CheckFindsALostTunnel) {
  make();
  must(attach());
  must(driver_->check(network_, endpoint_, -1, ""));
  must(links_.remove(ifname("flx00002a")));
  expect_failure(driver_->check(network_, endpoint_, -1, ""), Code::kNotFound, "");
  must(driver_->detach(network_, endpoint_));
  must(attach());  // makes it again
  must(driver_->check(network_, endpoint_, -1, ""));
  auto link = must(links_.find(ifname("flx00002a")));
  link.master = 0;
  links_.put(link);
  expect_failure(driver_->check(network_, endpoint_, -1, ""), Code::kConflict, "not a port");
}

}  // namespace
}  // namespace fairlead::testing
