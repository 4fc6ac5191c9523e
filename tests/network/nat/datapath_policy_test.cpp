// Policies and egress=deny, with packets.
#include <gtest/gtest.h>

#include "tests/network/nat/nat_fixture.h"

namespace fairlead::nat {
namespace {

using network::GatewayMode;
using testing::ip;
using testing::must;

AddressRange range(const char* subnet) {
  const Cidr cidr = testing::cidr(subnet);
  return {cidr.first(), cidr.last()};
}

// a1 and a2 on network a, b1 on network b; all of them, the host and the outside serve on ports 80 and 81.
class Policies : public NatFixture {
 protected:
  void networks(NatNetwork a = {}, NatNetwork b = {}) {
    a.bridge = testing::ifname("fl-a");
    b.bridge = testing::ifname("fl-b");
    a.subnets = {testing::cidr("10.1.0.0/24"), testing::cidr("fd00:1::/64")};
    b.subnets = {testing::cidr("10.2.0.0/24"), testing::cidr("fd00:2::/64")};
    create(a);
    create(b);
    run("a1", "fl-a", {"10.1.0.2/24", "fd00:1::2/64"});
    run("a2", "fl-a", {"10.1.0.3/24", "fd00:1::3/64"});
    run("b1", "fl-b", {"10.2.0.2/24", "fd00:2::2/64"});
    services_.push_back(serve_udp("outside", 82));
    for (const char* where : {"a1", "a2", "b1", "host", "outside"})
      for (const std::uint16_t port : {std::uint16_t{80}, std::uint16_t{81}})
        services_.push_back(serve_tcp(where, port));
  }
  static NatNetwork shut() { return {.host_access = false, .leaves = false}; }

  static NatPolicy policy(bool allow, const std::vector<const char*>& from,
                          const std::vector<const char*>& to,
                          std::vector<NatService> services = {{}}) {
    NatPolicy policy{.allow = allow, .services = std::move(services)};
    for (const char* subnet : from) policy.from.push_back(range(subnet));
    for (const char* subnet : to) policy.to.push_back(range(subnet));
    return policy;
  }
  static NatService tcp(std::uint16_t port) { return {6, 6, port, port}; }
  void set(std::vector<NatPolicy> policies) {
    change({.policies = policies_}, {.policies = policies});
    policies_ = std::move(policies);
  }
  void TearDown() override {
    services_.clear();
    NatFixture::TearDown();
  }

  const std::vector<const char*> a_{"10.1.0.0/24", "fd00:1::/64"}, b_{"10.2.0.0/24", "fd00:2::/64"};
  const std::vector<const char*> outside_{"203.0.113.1/32", "2001:db8::1/128"};

 private:
  std::vector<NatPolicy> policies_;
  std::vector<std::unique_ptr<testing::Service>> services_;
};

TEST_F(Policies, AnAllowedPortIsOpenBetweenNetworksInOneDirection) {
  networks();
  EXPECT_TRUE(is_kept_from("a1", "10.2.0.2", 80));
  set({policy(true, a_, b_, {tcp(80)})});
  EXPECT_TRUE(reaches("a1", "10.2.0.2", 80));
  EXPECT_TRUE(reaches("a1", "fd00:2::2", 80));
  EXPECT_TRUE(is_kept_from("a1", "10.2.0.2", 81));
  EXPECT_TRUE(is_kept_from("a1", "fd00:2::2", 81));
  EXPECT_TRUE(is_kept_from("b1", "10.1.0.2", 80));
  EXPECT_FALSE(ping("a1", "10.2.0.2", std::chrono::milliseconds(150)));
  set({});
  EXPECT_TRUE(is_kept_from("a1", "10.2.0.2", 80));
}

TEST_F(Policies, DenyWinsOverAllowWhateverIsNarrower) {
  networks();
  set({policy(true, {"10.1.0.2/32"}, outside_),
       policy(false, {"10.0.0.0/8", "fd00::/8"}, outside_, {tcp(80)})});
  EXPECT_TRUE(is_kept_from("a1", "203.0.113.1", 80));
  EXPECT_TRUE(is_kept_from("a1", "2001:db8::1", 80));
  EXPECT_TRUE(reaches("a1", "203.0.113.1", 81));
  EXPECT_TRUE(reaches("a1", "2001:db8::1", 81));
}

TEST_F(Policies, ADenialCoversPublishedPortsBehindTheHostsAddress) {
  networks();
  publish({.host_port = 8080,
           .container_port = 80,
           .target_v4 = ip("10.2.0.2"),
           .target_v6 = ip("fd00:2::2")});
  EXPECT_TRUE(reaches("a1", "203.0.113.2", 8080));
  set({policy(false, a_, b_)});
  EXPECT_TRUE(is_kept_from("a1", "203.0.113.2", 8080));
  EXPECT_TRUE(is_kept_from("a1", "2001:db8::2", 8080));
  EXPECT_TRUE(reaches("outside", "203.0.113.2", 8080));
}

TEST_F(Policies, ADenialOfThePortsTargetKeepsTheOutsideOut) {
  networks();
  publish({.host_port = 8080,
           .container_port = 80,
           .target_v4 = ip("10.2.0.2"),
           .target_v6 = ip("fd00:2::2")});
  EXPECT_TRUE(reaches("outside", "203.0.113.2", 8080));
  set({policy(false, outside_, b_, {tcp(80)})});
  EXPECT_TRUE(is_kept_from("outside", "203.0.113.2", 8080));
  EXPECT_TRUE(is_kept_from("outside", "2001:db8::2", 8080));
}

TEST_F(Policies, ADenialEndsConnectionsThatThereAre) {
  networks();
  auto flow = udp_client("a1", "203.0.113.1", 82);
  EXPECT_TRUE(flow.ask());
  set({policy(false, a_, outside_)});
  EXPECT_FALSE(flow.ask(std::chrono::milliseconds(150)));
  set({});
  EXPECT_TRUE(flow.ask());
}

TEST_F(Policies, WithoutEgressOnlyWhatIsAllowedLeaves) {
  networks(shut());
  for (const char* elsewhere :
       {"203.0.113.1", "2001:db8::1", "10.2.0.2", "fd00:2::2", "10.1.0.1", "203.0.113.2"})
    EXPECT_TRUE(is_kept_from("a1", elsewhere, 80)) << elsewhere;
  EXPECT_FALSE(ping("a1", "203.0.113.1", std::chrono::milliseconds(150)));
  EXPECT_FALSE(ping("a1", "2001:db8::1", std::chrono::milliseconds(150)));
  EXPECT_TRUE(reaches("a1", "10.1.0.3", 80));
  EXPECT_TRUE(reaches("b1", "203.0.113.1", 80));
  EXPECT_TRUE(reaches("host", "10.1.0.2", 80));
  set({policy(true, a_, outside_, {tcp(80)})});
  EXPECT_TRUE(reaches("a1", "203.0.113.1", 80));
  EXPECT_TRUE(reaches("a1", "2001:db8::1", 80));
  EXPECT_TRUE(is_kept_from("a1", "203.0.113.1", 81));
}

TEST_F(Policies, WithoutEgressPublishedPortsAnswer) {
  networks(shut());
  publish({.host_port = 8080,
           .container_port = 80,
           .target_v4 = ip("10.1.0.2"),
           .target_v6 = ip("fd00:1::2")});
  EXPECT_TRUE(reaches("outside", "203.0.113.2", 8080));
  EXPECT_TRUE(reaches("outside", "2001:db8::2", 8080));
  EXPECT_TRUE(reaches("b1", "10.2.0.1", 8080));
}

TEST_F(Policies, WithoutEgressAnAllowThatGoesTakesItsConnectionsAlong) {
  networks(shut());
  set({policy(true, a_, outside_, {{17, 17, 82, 82}})});
  auto flow = udp_client("a1", "203.0.113.1", 82);
  EXPECT_TRUE(flow.ask());
  set({});
  EXPECT_FALSE(flow.ask(std::chrono::milliseconds(150)));
}

TEST_F(Policies, WithoutEgressNoGatewayModeOpensAWay) {
  NatNetwork routed = shut(), open = shut();
  routed.mode_v4 = routed.mode_v6 = GatewayMode::kRouted;
  open.mode_v4 = open.mode_v6 = GatewayMode::kNatUnprotected;
  networks(routed, open);
  for (const char* subnet : {"10.1.0.0/24", "10.2.0.0/24"})
    add_route("outside", "eth0", subnet, "203.0.113.2");
  for (const char* from : {"a1", "b1"}) {
    EXPECT_TRUE(is_kept_from(from, "203.0.113.1", 80)) << from;
    EXPECT_TRUE(is_kept_from(from, "2001:db8::1", 80)) << from;
  }
}

TEST_F(Policies, ServicesOfTheHostAreOpenedAndClosedByTheirPorts) {
  networks(shut());
  NatPolicy allow = policy(true, a_, {}, {tcp(80)});
  allow.to_host = true;
  set({allow});
  for (const char* host : {"10.1.0.1", "fd00:1::1", "203.0.113.2", "2001:db8::2"}) {
    EXPECT_TRUE(reaches("a1", host, 80)) << host;
    EXPECT_TRUE(is_kept_from("a1", host, 81)) << host;
  }
  NatPolicy deny = policy(false, {"10.2.0.0/24", "fd00:2::/64"}, {});
  deny.to_host = true;
  set({allow, deny});
  EXPECT_TRUE(is_kept_from("b1", "10.2.0.1", 80));
  EXPECT_TRUE(is_kept_from("b1", "fd00:2::1", 80));
  EXPECT_TRUE(reaches("b1", "203.0.113.1", 80));
  EXPECT_TRUE(reaches("b1", "2001:db8::1", 80));
  EXPECT_TRUE(reaches("host", "10.2.0.2", 80));
}

TEST_F(Policies, AllowDoesNotOpenInternalNetworks) {
  networks({.internal = true});
  set({policy(true, {"0.0.0.0/0", "::/0"}, {"0.0.0.0/0", "::/0"})});
  EXPECT_TRUE(is_kept_from("b1", "10.1.0.2", 80));
  EXPECT_TRUE(is_kept_from("a1", "203.0.113.1", 80));
  EXPECT_TRUE(reaches("b1", "203.0.113.1", 80));
}

}  // namespace
}  // namespace fairlead::nat
