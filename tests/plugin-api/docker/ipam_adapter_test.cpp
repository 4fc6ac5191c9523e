#include "plugin-api/docker/ipam_adapter.h"

#include "tests/plugin-api/docker/docker_fixture.h"

namespace fairlead::docker::testing {
namespace {

using ::testing::DoAll;
using ::testing::SaveArg;

class IpamAdapterTest : public ::testing::Test {
 protected:
  Plugin plugin;
  IpamAdapter adapter{plugin.pools};
};

TEST_F(IpamAdapterTest, RequestsThePoolThatWasAskedFor) {
  network::PoolRequest asked;
  EXPECT_CALL(plugin.pools, request_pool)
      .WillOnce(DoAll(SaveArg<0>(&asked), Return(network::Pool{})));
  EXPECT_TRUE(adapter.request_pool({.address_space = "fairlead-local",
                                    .family = Family::kV6,
                                    .subnet = cidr("fd00::/64"),
                                    .prefix_length = 80,
                                    .range = cidr("fd00::100/120"),
                                    .options = {{"network", "shop"}}}));
  EXPECT_EQ(asked.family, Family::kV6);
  EXPECT_EQ(asked.subnet, cidr("fd00::/64"));
  EXPECT_EQ(asked.prefix_length, 80U);
  EXPECT_EQ(asked.range, cidr("fd00::100/120"));
  EXPECT_EQ(asked.join, network_name("shop"));
}

// ---- what dockerd makes of a pool that it did not name: it looks at its host, and asks again

class RejectingDocker : public IpamAdapterTest {
 protected:
  Result<network::Pool> ask(Family family = Family::kV4, const std::string& joined = "shop") {
    std::map<std::string, std::string> options;
    if (!joined.empty()) options["network"] = joined;
    return adapter.request_pool({.address_space = "fairlead-local",
                                 .family = family,
                                 .subnet = {},
                                 .prefix_length = {},
                                 .range = {},
                                 .options = options});
  }
  // The error that ends the loop, with how often it went round; nothing when it does not end.
  std::optional<std::pair<unsigned, Error>> loop(Family family, const std::string& joined) {
    for (unsigned round = 1; round < 1000; ++round)
      if (const auto pool = ask(family, joined); !pool) return std::pair{round, pool.error()};
    return std::nullopt;
  }
  void take(const std::string& pool_id) {
    ASSERT_TRUE(adapter.request_address(
        {.pool_id = pool_id, .address = {}, .use = network::AddressUse::kGateway}));
  }
};

TEST_F(RejectingDocker, IsGivenTheNetworksPoolAndThenOneThatItDoesNotCompare) {
  const auto first = ask();
  ASSERT_TRUE(first);
  EXPECT_EQ(encode(*first), R"({"Data":{},"Pool":"10.1.0.0/24","PoolID":"10.1.0.0/24"})");
  const auto second = ask();
  ASSERT_TRUE(second);
  EXPECT_EQ(encode(*second), R"({"Data":{},"Pool":"0.0.0.0/0","PoolID":"10.1.0.0/24"})");
}

TEST_F(RejectingDocker, IsAskedForTheGatewayWhichTellsThatItTookThePool) {
  for (int networks = 0; networks < 200; ++networks) {
    const auto pool = ask();
    ASSERT_TRUE(pool) << networks << ": " << pool.error().text;
    EXPECT_EQ(pool->subnet, cidr("10.1.0.0/24")) << networks;
    EXPECT_FALSE(pool->gateway);
    take(pool->id);
  }
}

TEST_F(RejectingDocker, IsToldTheGatewayOfThePoolThatItNamed) {
  const auto pool = adapter.request_pool({.address_space = "fairlead-local",
                                          .family = Family::kV4,
                                          .subnet = cidr("10.1.0.0/24"),
                                          .prefix_length = {},
                                          .range = {},
                                          .options = {{"network", "shop"}}});
  ASSERT_TRUE(pool);
  EXPECT_EQ(pool->gateway, ip("10.1.0.1"));
}

TEST_F(RejectingDocker, EndsInAnErrorWhateverItRefuses) {
  for (const Family family : {Family::kV4, Family::kV6}) {
    const auto ended = loop(family, "shop");
    ASSERT_TRUE(ended);
    EXPECT_LE(ended->first, 65U);
    EXPECT_EQ(ended->second.code, Code::kConflict);
    const std::string command =
        family == Family::kV4 ? "with --subnet 10.1.0.0/24" : "with --ipv6 --subnet fd00:1::/64";
    EXPECT_NE(ended->second.text.find(command), std::string::npos) << ended->second.text;
  }
}

TEST_F(RejectingDocker, AlsoEndsInAnErrorWhenEachPoolIsAnotherOne) {
  unsigned pools = 0;
  ON_CALL(plugin.pools, request_pool).WillByDefault([&](const auto&) -> Result<network::Pool> {
    const Cidr subnet = cidr(fmt::format("10.208.{}.0/24", ++pools));
    return network::Pool{.id = subnet.to_string(), .subnet = subnet, .range = {}, .gateway = {}};
  });
  EXPECT_CALL(plugin.pools, release_pool("10.208.65.0/24")).WillOnce(Return(Status()));
  const auto ended = loop(Family::kV4, "");
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->first, 65U) << "dockerd releases what it has been given, not this one";
}

TEST_F(RejectingDocker, MayTryAgainAfterTheError) {
  ASSERT_TRUE(loop(Family::kV6, "shop"));
  const auto pool = ask(Family::kV6);
  ASSERT_TRUE(pool) << pool.error().text;
  EXPECT_EQ(pool->subnet, cidr("fd00:1::/64"));
}

TEST_F(RejectingDocker, StartsAnewWhenItGaveThePoolUp) {
  ASSERT_TRUE(ask());
  ASSERT_TRUE(adapter.release_pool({"10.1.0.0/24"}));
  EXPECT_EQ(ask()->subnet, cidr("10.1.0.0/24"));
}

TEST_F(RejectingDocker, KeepsThePoolThatItWasGivenTwiceAndReleasesOnce) {
  EXPECT_CALL(plugin.pools, release_pool).Times(0);
  ASSERT_TRUE(ask());
  ASSERT_TRUE(ask());
  ASSERT_TRUE(adapter.release_pool({"10.1.0.0/24"}));  // the first; before it asks for the gateway
  take("10.1.0.0/24");
  ::testing::Mock::VerifyAndClearExpectations(&plugin.pools);
  EXPECT_CALL(plugin.pools, release_pool("10.1.0.0/24")).WillOnce(Return(Status()));
  ASSERT_TRUE(adapter.release_pool({"10.1.0.0/24"}));  // with the network
}

TEST_F(RejectingDocker, IsNotConfusedByTheContainersOfTheNetwork) {
  ASSERT_TRUE(ask());
  ASSERT_TRUE(adapter.request_address({.pool_id = "10.1.0.0/24", .address = {}}));
  EXPECT_EQ(ask()->subnet, Cidr());
}

TEST_F(IpamAdapterTest, RefusesUnknownOptionsSpacesAndBadNames) {
  EXPECT_CALL(plugin.pools, request_pool).Times(0);
  EXPECT_FALSE(
      adapter.request_pool({.address_space = "fairlead-local", .options = {{"netwrk", "shop"}}}));
  EXPECT_FALSE(adapter.request_pool({.address_space = "elsewhere", .options = {}}));
  EXPECT_FALSE(adapter.request_pool({.address_space = "", .options = {{"network", "a/b"}}}));
}

TEST_F(IpamAdapterTest, TellsHowToJoinTheNetworkThatHasTheSubnet) {
  ON_CALL(plugin.pools, request_pool)
      .WillByDefault(Return(fail(Code::kExists, "subnet 10.1.0.0/24 is the subnet of shop")));
  const auto pool = adapter.request_pool({.address_space = "fairlead-local",
                                          .family = Family::kV4,
                                          .subnet = cidr("10.1.0.0/24"),
                                          .prefix_length = {},
                                          .range = {},
                                          .options = {}});
  ASSERT_FALSE(pool);
  EXPECT_EQ(pool.error().text,
            "subnet 10.1.0.0/24 is the subnet of shop, or join its network: --ipam-opt "
            "network=NAME -o network=NAME");
}

TEST_F(IpamAdapterTest, LetsDockersOwnOptionsPass) {
  EXPECT_TRUE(adapter.request_pool({.address_space = "fairlead-global",
                                    .options = {{"com.docker.network.ipam.serial", "true"}}}));
}

TEST_F(IpamAdapterTest, RequestsAddressesForTheirUse) {
  EXPECT_CALL(plugin.pools,
              request_address("p", std::optional(ip("10.1.0.1")), network::AddressUse::kGateway))
      .WillOnce(Return(cidr("10.1.0.1/24")));
  EXPECT_EQ(
      adapter
          .request_address(
              {.pool_id = "p", .address = ip("10.1.0.1"), .use = network::AddressUse::kGateway})
          .value(),
      cidr("10.1.0.1/24"));
}

TEST_F(IpamAdapterTest, SucceedsInReleasingWhatIsGone) {
  ON_CALL(plugin.pools, release_pool).WillByDefault(Return(none("no pool")));
  ON_CALL(plugin.pools, release_address).WillByDefault(Return(none("no pool")));
  EXPECT_TRUE(adapter.release_pool({"p"}));
  EXPECT_TRUE(adapter.release_address({"p", ip("10.1.0.7")}));
}

TEST_F(IpamAdapterTest, PassesOnOtherFailures) {
  const Error busy{Code::kUnavailable, 0, "pool p is busy"};
  ON_CALL(plugin.pools, release_address).WillByDefault(Return(fail(busy)));
  EXPECT_EQ(adapter.release_address({"p", ip("10.1.0.7")}).error(), busy);
}

}  // namespace
}  // namespace fairlead::docker::testing
