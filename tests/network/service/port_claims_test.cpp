// Claims of host ports, over a store in memory and a host whose sockets are made up.
#include "network/service/port_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/state/memory_store.h"

namespace fairlead::network {
namespace {

class SocketsOfTheHost : public kernel::HostPorts {
 public:
  Status check_free(std::uint8_t, std::optional<IpAddress>, std::uint16_t port) override {
    if (taken.contains(port)) return fail(Code::kInUse, "in use by nginx (pid 812)");
    return {};
  }
  std::pair<std::uint16_t, std::uint16_t> ephemeral_range() override { return {40000, 40003}; }
  std::set<std::uint16_t> taken;
};

class PortClaimsTest : public ::testing::Test {
 protected:
  Result<std::vector<PublishedPort>> claim(const std::string& endpoint,
                                           std::vector<PortSpec> wanted,
                                           std::vector<PublishedPort> before = {}) {
    state::Txn txn;
    auto ports = claims.plan({"net", endpoint}, wanted, before, txn);
    if (ports && !store->commit(txn)) ADD_FAILURE() << "the plan does not commit";
    return ports;
  }
  static PortSpec spec(std::uint16_t port, const char* address = nullptr, std::uint16_t last = 0) {
    PortSpec spec{.host_port = port, .host_port_end = last, .container_port = 80};
    if (address != nullptr) spec.host_ip = *IpAddress::parse(address);
    return spec;
  }

  std::unique_ptr<state::Store> store = state::make_memory_store();
  SocketsOfTheHost sockets;
  PortClaims claims{*store, sockets, "this-boot"};
};

TEST_F(PortClaimsTest, AddressesOfOnePortShareItUnlessTheyOverlap) {
  ASSERT_TRUE(claim("a", {spec(80, "127.0.0.1")}));
  EXPECT_TRUE(claim("b", {spec(80, "10.0.0.1")}));
  EXPECT_TRUE(claim("c", {spec(80, "::")}));
  for (const char* address : {"127.0.0.1", "0.0.0.0", "::1"})
    EXPECT_EQ(claim("d", {spec(80, address)}).error().code, Code::kInUse) << address;
  EXPECT_EQ(claim("d", {spec(80)}).error().code, Code::kInUse);
}

TEST_F(PortClaimsTest, SocketsOfTheHostAreRespectedAndNamed) {
  sockets.taken = {80};
  EXPECT_THAT(claim("a", {spec(80)}).error().text, ::testing::HasSubstr("nginx (pid 812)"));
}

TEST_F(PortClaimsTest, OneOfARangeIsChosen) {
  sockets.taken = {7001};
  EXPECT_EQ(claim("a", {spec(7000, nullptr, 7002)})->at(0).host_port, 7000);
  EXPECT_EQ(claim("b", {spec(7000, nullptr, 7002)})->at(0).host_port, 7002);
  EXPECT_EQ(claim("c", {spec(7000, nullptr, 7002)}).error().code, Code::kInUse);
}

TEST_F(PortClaimsTest, EphemeralPortsGoRoundAndEnd) {
  EXPECT_EQ(claim("a", {spec(0)})->at(0).host_port, 40000);
  EXPECT_EQ(claim("b", {spec(0), spec(0)})->at(1).host_port, 40002);
  ASSERT_TRUE(claim("b", {}, {{Proto::kTcp, {}, 40001, 80}}));
  EXPECT_EQ(claim("c", {spec(0)})->at(0).host_port, 40003);
  EXPECT_EQ(claim("d", {spec(0)})->at(0).host_port, 40001);
  EXPECT_EQ(claim("e", {spec(0)}).error().code, Code::kExhausted);
}

TEST_F(PortClaimsTest, OwnPortsMayBeKeptWhileOthersChange) {
  const auto first = *claim("a", {spec(80), spec(81)});
  sockets.taken = {80, 81};  // whatever listens there is reached through our own publishing
  EXPECT_TRUE(claim("a", {spec(80)}, first));
  sockets.taken = {};
  EXPECT_TRUE(claim("b", {spec(81)}));
}

TEST_F(PortClaimsTest, NamedTwiceIsRefused) {
  EXPECT_EQ(claim("a", {spec(80), spec(80)}).error().code, Code::kInUse);
}

TEST_F(PortClaimsTest, ClaimsOfAnotherBootAreVoid) {
  ASSERT_TRUE(claim("a", {spec(80)}));
  PortClaims after_reboot(*store, sockets, "next-boot");
  state::Txn txn;
  EXPECT_TRUE(after_reboot.plan({"net", "b"}, std::vector{spec(80)}, {}, txn));
  EXPECT_TRUE(store->commit(txn));
}

TEST_F(PortClaimsTest, ClaimsOfAnotherBootGoWithTheirEndpointAndAreNoStrays) {
  const auto before = *claim("a", {spec(80), spec(81)});
  PortClaims after_reboot(*store, sockets, "next-boot");
  EXPECT_EQ(after_reboot.count_strays().value(), 0U);
  state::Txn txn;
  ASSERT_TRUE(after_reboot.plan({"net", "a"}, {}, std::vector{before[0]}, txn));
  ASSERT_TRUE(store->commit(txn));
  EXPECT_EQ(store->list("port/")->size(), 1U);
  EXPECT_EQ(after_reboot.drop_strays().value(), 0U);
  EXPECT_TRUE(store->list("port/")->empty());
}

TEST_F(PortClaimsTest, TwoPlansForOnePortCannotBothCommit) {
  state::Txn first, second;
  ASSERT_TRUE(claims.plan({"net", "a"}, std::vector{spec(80)}, {}, first));
  ASSERT_TRUE(claims.plan({"net", "b"}, std::vector{spec(80, "127.0.0.1")}, {}, second));
  EXPECT_TRUE(store->commit(first));
  EXPECT_EQ(store->commit(second).error().code, Code::kConflict);
}

}  // namespace
}  // namespace fairlead::network
