// Claims of host ports, over a store in memory and a host whose sockets are made up.
#include "network/service/port_claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/state/memory_store.h"

namespace fairlead::network {
namespace {

class SocketsOfTheHost : public kernel::HostPorts {
 public:
  Status check_free(std::span<const kernel::HostPort> ports,
                    const kernel::PortUser& user) override {
    allows_missing = user.allow_missing_address;
    for (const kernel::HostPort& port : ports)
      if (taken.contains(port.number)) return fail(Code::kInUse, "in use by nginx (pid 812)");
    return {};
  }
  std::pair<std::uint16_t, std::uint16_t> ephemeral_range() override { return {40000, 40003}; }
  std::set<std::uint16_t> taken;
  bool allows_missing = false;
};

class PortClaimsTest : public ::testing::Test {
 protected:
  static PortClaimant claimant(const std::string& endpoint) { return {.owner = {"net", endpoint}}; }
  Result<std::vector<PublishedPort>> claim(const std::string& endpoint,
                                           std::vector<PortSpec> wanted,
                                           std::vector<PublishedPort> before = {}) {
    state::Txn txn;
    auto ports = claims.plan(claimant(endpoint), wanted, {std::move(before), {}}, txn);
    if (!ports) return fail(ports.error());
    if (!store->commit(txn)) ADD_FAILURE() << "the plan does not commit";
    return std::move(ports->serves);
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

TEST_F(PortClaimsTest, TheSameMappingTwiceIsOne) {
  EXPECT_EQ(claim("a", {spec(80), spec(80)})->size(), 1U);
  const auto merged = *claim("b", {spec(81, "127.0.0.1"), spec(81), spec(81, "::")});
  ASSERT_EQ(merged.size(), 1U) << "whatever their order: every address contains each";
  EXPECT_EQ(merged[0].host_ip, std::nullopt);
  EXPECT_EQ(claim("c", {spec(82, "0.0.0.0"), spec(82, "::"), spec(82, "::1")})->size(), 2U);
  EXPECT_EQ(store->list("port/")->size(), 3U);
}

TEST_F(PortClaimsTest, OnePortOfTheHostDoesNotLeadToTwoOfTheContainer) {
  PortSpec other = spec(80, "127.0.0.1");
  other.container_port = 8080;
  const auto twice = claim("a", {spec(80), other});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::kInUse);
  EXPECT_THAT(twice.error().text, ::testing::HasSubstr("named twice"));
}

PortSpec limited(PortSpec spec, std::uint32_t connections) {
  spec.max_connections = connections;
  return spec;
}

TEST_F(PortClaimsTest, OneMappingHasOneNumberOfConnections) {
  EXPECT_EQ(claim("a", {limited(spec(80), 5), limited(spec(80), 5)})->size(), 1U);
  for (const char* address : {static_cast<const char*>(nullptr), "127.0.0.1"}) {
    const auto twice = claim("b", {limited(spec(81), 5), limited(spec(81, address), 6)});
    ASSERT_FALSE(twice);
    EXPECT_THAT(twice.error().text, ::testing::HasSubstr("different numbers of connections"));
  }
  EXPECT_EQ(claim("c", {limited(spec(82), kMostConnections + 1)}).error().code, Code::kInvalid);
}

// Whoever listens there is reached through the port that is ours already.
TEST_F(PortClaimsTest, AnotherNumberOfConnectionsIsNoOtherPort) {
  const auto before = *claim("a", {limited(spec(80), 5), spec(81)});
  sockets.taken = {80};
  const auto after = claim("a", {limited(spec(80), 6), spec(81)}, before);
  ASSERT_TRUE(after) << after.error().text;
  std::map<std::uint16_t, std::uint32_t> connections;
  for (const PublishedPort& port : *after) connections[port.host_port] = port.max_connections;
  EXPECT_EQ(connections, (std::map<std::uint16_t, std::uint32_t>{{80, 6}, {81, 0}}));
  EXPECT_FALSE(claim("b", {spec(80)}));
}

TEST_F(PortClaimsTest, PortsThatStayAreNeitherReadNorWritten) {
  const auto before = *claim("a", {spec(80), spec(81)});
  state::Txn txn;
  ASSERT_TRUE(
      claims.plan(claimant("a"), std::vector{spec(80), spec(81), spec(82)}, {before, {}}, txn));
  ASSERT_EQ(txn.puts.size(), 1U);
  EXPECT_EQ(txn.puts[0].key, "port/tcp/00082");
  EXPECT_EQ(txn.preconditions.size(), 2U) << "of the port, and of all ranges";
}

TEST_F(PortClaimsTest, ClaimsOfAnotherBootAreVoid) {
  ASSERT_TRUE(claim("a", {spec(80)}));
  PortClaims after_reboot(*store, sockets, "next-boot");
  state::Txn txn;
  EXPECT_TRUE(after_reboot.plan(claimant("b"), std::vector{spec(80)}, {}, txn));
  EXPECT_TRUE(store->commit(txn));
}

TEST_F(PortClaimsTest, ClaimsOfAnotherBootGoWithTheirEndpointAndAreNoStrays) {
  const auto before = *claim("a", {spec(80), spec(81)});
  PortClaims after_reboot(*store, sockets, "next-boot");
  EXPECT_EQ(after_reboot.count_strays().value(), 0U);
  state::Txn txn;
  ASSERT_TRUE(after_reboot.plan(claimant("a"), {}, {{before[0]}, {}}, txn));
  ASSERT_TRUE(store->commit(txn));
  EXPECT_EQ(store->list("port/")->size(), 1U);
  EXPECT_EQ(after_reboot.drop_strays().value(), 0U);
  EXPECT_TRUE(store->list("port/")->empty());
}

TEST_F(PortClaimsTest, TwoPlansForOnePortCannotBothCommit) {
  state::Txn first, second;
  ASSERT_TRUE(claims.plan(claimant("a"), std::vector{spec(80)}, {}, first));
  ASSERT_TRUE(claims.plan(claimant("b"), std::vector{spec(80, "127.0.0.1")}, {}, second));
  EXPECT_TRUE(store->commit(first));
  EXPECT_EQ(store->commit(second).error().code, Code::kConflict);
}

// ---- ranges

class PortRangesTest : public PortClaimsTest {
 protected:
  static PortSpec range(std::uint16_t first, std::uint16_t last, const char* address = nullptr) {
    PortSpec range = spec(first, address, last);
    range.container_port = first;
    range.container_port_end = last;
    return range;
  }
  static std::vector<PortSpec> singles(unsigned first, unsigned last, unsigned shift = 0) {
    std::vector<PortSpec> all;
    for (unsigned number = first; number <= last; ++number) {
      all.push_back(spec(static_cast<std::uint16_t>(number)));
      all.back().container_port = static_cast<std::uint16_t>(number + shift);
    }
    return all;
  }
};

TEST_F(PortRangesTest, HasOneNumberOfConnectionsForEachOfItsPorts) {
  std::vector<PortSpec> ports = singles(7000, 7009);
  for (PortSpec& port : ports) port.max_connections = port.host_port < 7005 ? 5 : 6;
  const auto claimed = claim("a", ports);
  ASSERT_TRUE(claimed) << claimed.error().text;
  EXPECT_EQ(claimed->size(), 10U) << "two ranges would be too short";
  ports = singles(8000, 8099);
  for (PortSpec& port : ports) port.max_connections = 5;
  const auto range_of_one = claim("b", ports);
  ASSERT_EQ(range_of_one->size(), 1U);
  EXPECT_EQ(range_of_one->at(0).max_connections, 5U);
  ports[50].max_connections = 6;
  EXPECT_EQ(claim("b", ports, *range_of_one)->size(), 3U);
}

TEST_F(PortRangesTest, OfTheSameNumbersIsOneClaimHoweverItIsAskedFor) {
  for (const auto& asked : {singles(7000, 16999), std::vector{range(7000, 16999)},
                            std::vector{range(12000, 16999), range(7000, 11999)}}) {
    const auto ports = *claim("a", asked);
    ASSERT_EQ(ports.size(), 1U);
    EXPECT_EQ(ports[0], (PublishedPort{Proto::kTcp, {}, 7000, 7000, 16999}));
    EXPECT_EQ(store->list("port")->size(), 1U);
    ASSERT_TRUE(claim("a", {}, ports));
    EXPECT_TRUE(store->list("port")->empty());
  }
}

TEST_F(PortRangesTest, MayBeShiftedAndShortOnesAreSinglePorts) {
  EXPECT_EQ(claim("a", singles(7000, 7099, 1000))->at(0),
            (PublishedPort{Proto::kTcp, {}, 7000, 8000, 7099}));
  EXPECT_EQ(claim("b", singles(7050, 7060, 1000)).error().code, Code::kInUse);
  EXPECT_EQ(claim("a", singles(8000, 8006))->size(), 7U);
  EXPECT_EQ(claim("a", singles(8100, 8107))->size(), 1U);
  PortSpec shifted = range(9000, 9009);
  shifted.container_port = 19000, shifted.container_port_end = 19009;
  EXPECT_EQ(claim("b", {shifted})->size(), 1U);
  shifted.container_port_end = 19010;
  EXPECT_EQ(claim("c", {shifted}).error().code, Code::kInvalid);
}

TEST_F(PortRangesTest, OfOneRequestDoNotOverlap) {
  const auto ports = *claim("a", {range(7000, 7099), range(7050, 7150, "0.0.0.0"),
                                  range(7140, 7160, "127.0.0.1"), spec(7170, "127.0.0.1")});
  // 127.0.0.1 has 7151 to 7160 of its own.
  ASSERT_EQ(ports.size(), 4U);
  EXPECT_EQ(ports[0].last(), 7099);
  EXPECT_EQ(ports[1].host_port, 7100);
  EXPECT_EQ(ports[1].last(), 7150);
  EXPECT_EQ(ports[2].host_port, 7151);
  EXPECT_EQ(ports[2].last(), 7160);
  EXPECT_EQ(ports[3].container_port, 80) << "another mapping is none of the range's";
}

TEST_F(PortRangesTest, ExcludeWhatOverlapsThemAndNameIt) {
  ASSERT_TRUE(claim("a", {range(7000, 7999, "127.0.0.1")}));
  for (const PortSpec& taken :
       {range(7000, 7999), range(7999, 9000), range(6000, 7000, "0.0.0.0"),
        range(7100, 7200, "127.0.0.1"), spec(7000), spec(7999, "127.0.0.1")})
    EXPECT_EQ(claim("b", {taken}).error().code, Code::kInUse) << taken.host_port;
  for (const PortSpec& free : {range(7000, 7999, "10.0.0.1"), range(8000, 8999), spec(6999),
                               spec(7500, "::"), range(7501, 7999, "::1")})
    EXPECT_TRUE(claim("c", {free})) << free.host_port;
}

TEST_F(PortRangesTest, ARangeDoesNotTakeASinglePortOfAnother) {
  ASSERT_TRUE(claim("a", {spec(7777, "127.0.0.1")}));
  const auto refused = claim("b", {range(7000, 7999)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, ::testing::HasSubstr("port 7777/tcp is published by"));
  EXPECT_TRUE(claim("b", {range(7000, 7999, "::1")}));
  EXPECT_TRUE(claim("c", {range(7778, 7999, "127.0.0.1"), range(7000, 7776, "127.0.0.1")}));
  EXPECT_EQ(claims.holders(std::vector{range(7000, 7999)})->size(), 3U);
}

TEST_F(PortRangesTest, ASinglePortIsNotClaimedBesideARangeThatComesAtTheSameMoment) {
  state::Txn single, range_txn;
  const auto one = claims.plan(claimant("a"), std::vector{spec(7500)}, {}, single);
  const auto all = claims.plan(claimant("b"), std::vector{range(7000, 7999)}, {}, range_txn);
  ASSERT_TRUE(one && all);
  EXPECT_TRUE(store->commit(range_txn));
  EXPECT_TRUE(claims.confirm(claimant("b"), *all));
  EXPECT_EQ(store->commit(single).error().code, Code::kConflict);
}

TEST_F(PortRangesTest, ARangeThatCameTooLateIsNotConfirmed) {
  state::Txn single, range_txn;
  const auto one = claims.plan(claimant("a"), std::vector{spec(7500)}, {}, single);
  const auto all = claims.plan(claimant("b"), std::vector{range(7000, 7999)}, {}, range_txn);
  ASSERT_TRUE(one && all);
  EXPECT_TRUE(store->commit(single));
  EXPECT_TRUE(store->commit(range_txn)) << "the single port does not write the ranges";
  const Status confirmed = claims.confirm(claimant("b"), *all);
  ASSERT_FALSE(confirmed);
  EXPECT_EQ(confirmed.error().code, Code::kInUse);
}

TEST_F(PortRangesTest, AreStraysWithoutTheirEndpoint) {
  ASSERT_TRUE(claim("a", {range(7000, 7999)}));
  EXPECT_EQ(claims.count_strays().value(), 1U);
  EXPECT_EQ(claims.drop_strays().value(), 1U);
  EXPECT_TRUE(store->list("port")->empty());
}

// ---- several endpoints of one container

class SharedPortsTest : public PortClaimsTest {
 protected:
  // Each endpoint has a network of its own.
  static Endpoint endpoint(const std::string& id, const std::string& container) {
    return {.id = id,
            .network_id = "net-" + id,
            .container = container,
            .runtime = "cni",
            .netns_path = container == "docker" ? "/var/run/docker/netns/web" : "",
            .boot_id = "this-boot"};
  }
  static PortClaimant claimant_of(const Endpoint& endpoint) {
    return {.owner = {endpoint.network_id, endpoint.id},
            .container = endpoint.container == "docker" ? "" : endpoint.container,
            .runtime = endpoint.runtime,
            .netns_path = endpoint.netns_path};
  }
  Result<ClaimedPorts> change(Endpoint& endpoint, std::vector<PortSpec> wanted) {
    state::Txn txn;
    auto claimed = claims.plan(claimant_of(endpoint), wanted, claimed_of(endpoint), txn, &heirs);
    if (!claimed) return claimed;
    endpoint.ports = claimed->serves;
    endpoint.standby_ports = claimed->standby;
    txn.puts.push_back({"endpoint/" + endpoint.network_id + "/" + endpoint.id, encode(endpoint)});
    if (!store->commit(txn)) ADD_FAILURE() << "the plan does not commit";
    return claimed;
  }
  std::vector<PortOwner> heirs;
};

TEST_F(SharedPortsTest, OneServesAndTheOtherTakesOver) {
  for (const char* container : {"web", "docker"}) {
    Endpoint first = endpoint("a", container), second = endpoint("b", container);
    ASSERT_TRUE(change(first, {spec(80)}));
    ASSERT_TRUE(change(second, {spec(80)})) << container;
    EXPECT_TRUE(second.ports.empty());
    EXPECT_EQ(second.standby_ports, first.ports);
    EXPECT_EQ(claims.count_strays().value(), 0U);
    sockets.taken = {80};  // whatever binds there does not keep a claim from its turn
    ASSERT_TRUE(change(first, {}));
    ASSERT_EQ(heirs, (std::vector<PortOwner>{{"net-b", "b"}}));
    ASSERT_TRUE(change(second, {spec(80)}));
    EXPECT_EQ(second.ports.size(), 1U);
    EXPECT_TRUE(second.standby_ports.empty());
    EXPECT_TRUE(heirs.empty());
    ASSERT_TRUE(change(second, {}));
    EXPECT_TRUE(store->list("port/")->empty());
    sockets.taken = {};
  }
}

TEST_F(SharedPortsTest, AStandbyKeepsThePortFromOthers) {
  Endpoint first = endpoint("a", "web"), second = endpoint("b", "web"), other = endpoint("c", "db");
  ASSERT_TRUE(change(first, {spec(80)}));
  ASSERT_TRUE(change(second, {spec(80)}));
  ASSERT_TRUE(change(first, {}));
  const auto refused = change(other, {spec(80)});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text,
              ::testing::HasSubstr("port 80/tcp is published by container web of network net-b"));
}

TEST_F(SharedPortsTest, AStandbyGoesWithoutAWord) {
  Endpoint first = endpoint("a", "web"), second = endpoint("b", "web");
  ASSERT_TRUE(change(first, {spec(80)}));
  ASSERT_TRUE(change(second, {spec(80)}));
  ASSERT_TRUE(change(second, {}));
  EXPECT_TRUE(heirs.empty());
  EXPECT_EQ(claims.count_strays().value(), 0U);
}

TEST_F(SharedPortsTest, ARangeIsSharedAsAWhole) {
  PortSpec range = spec(7000, nullptr, 7999);
  range.container_port = 7000, range.container_port_end = 7999;
  Endpoint first = endpoint("a", "web"), second = endpoint("b", "web");
  ASSERT_TRUE(change(first, {range}));
  ASSERT_TRUE(change(second, {range}));
  EXPECT_EQ(second.standby_ports, first.ports);
  EXPECT_EQ(claims.count_strays().value(), 0U);
  ASSERT_TRUE(change(first, {}));
  EXPECT_EQ(heirs, (std::vector<PortOwner>{{"net-b", "b"}}));
  ASSERT_TRUE(change(second, {range}));
  EXPECT_EQ(second.ports.size(), 1U);
  EXPECT_TRUE(second.standby_ports.empty());
}

TEST_F(SharedPortsTest, AnotherPortOfTheSameContainerIsAConflict) {
  Endpoint first = endpoint("a", "web"), second = endpoint("b", "web");
  ASSERT_TRUE(change(first, {spec(80)}));
  PortSpec other = spec(80);
  other.container_port = 8080;
  EXPECT_EQ(change(second, {other}).error().code, Code::kInUse);
}

TEST_F(SharedPortsTest, OneOnMoreAddressesServesToo) {
  Endpoint first = endpoint("a", "web"), second = endpoint("b", "web");
  ASSERT_TRUE(change(first, {spec(80, "127.0.0.1")}));
  ASSERT_TRUE(change(second, {spec(80)}));
  EXPECT_EQ(second.ports.size(), 1U);
  EXPECT_EQ(claims.count_strays().value(), 0U);
}

TEST_F(SharedPortsTest, ContainersWithoutAnIdAreNotTheSame) {
  Endpoint first = endpoint("a", ""), second = endpoint("b", "");
  ASSERT_TRUE(change(first, {spec(80)}));
  EXPECT_EQ(change(second, {spec(80)}).error().code, Code::kInUse);
}

}  // namespace
}  // namespace fairlead::network
