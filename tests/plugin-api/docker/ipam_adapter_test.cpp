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

TEST_F(IpamAdapterTest, RefusesUnknownOptionsSpacesAndBadNames) {
  EXPECT_CALL(plugin.pools, request_pool).Times(0);
  EXPECT_FALSE(
      adapter.request_pool({.address_space = "fairlead-local", .options = {{"netwrk", "shop"}}}));
  EXPECT_FALSE(adapter.request_pool({.address_space = "elsewhere", .options = {}}));
  EXPECT_FALSE(adapter.request_pool({.address_space = "", .options = {{"network", "a/b"}}}));
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
