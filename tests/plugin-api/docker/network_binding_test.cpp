#include "plugin-api/docker/network_binding.h"

#include "plugin-api/docker/network_adapter.h"
#include "tests/plugin-api/docker/docker_fixture.h"

namespace fairlead::docker::testing {
namespace {

class NetworkBindingTest : public ::testing::Test {
 protected:
  // docker network create -d fairlead -o network=shop, with these pools
  Status bind(std::vector<IpamData> pools, std::map<std::string, std::string> options = {},
              bool internal = false) {
    options["network"] = "shop";
    return adapter.create_network({.network_id = "d1",
                                   .options = std::move(options),
                                   .internal = internal,
                                   .pools = std::move(pools)});
  }
  void expect_refused(const Status& done, std::string_view reason) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kConflict);
    EXPECT_NE(done.error().text.find(reason), std::string::npos) << done.error().text;
    EXPECT_NE(done.error().text.find("docker network create -d fairlead --ipam-driver fairlead "
                                     "--ipam-opt network=shop -o network=shop"),
              std::string::npos)
        << done.error().text;
  }

  Plugin plugin;
  NetworkAdapter adapter{plugin.networks};
};

TEST_F(NetworkBindingTest, BindsTheIdWhenThePoolsAreTheNetworks) {
  EXPECT_CALL(plugin.networks, create_network).Times(0);
  EXPECT_CALL(plugin.networks, bind_network("d1", network_name("shop"))).WillOnce(Return(shop()));
  const Status done = bind({{"fairlead-local", cidr("10.1.0.0/24"), ip("10.1.0.1"), {}}});
  EXPECT_TRUE(done) << done.error().text;
}

TEST_F(NetworkBindingTest, BindsWithoutPoolsWhenFairleadGivesTheAddresses) {
  EXPECT_CALL(plugin.networks, bind_network).WillOnce(Return(shop()));
  EXPECT_TRUE(bind({}));
}

TEST_F(NetworkBindingTest, BindsToANetworkOfDockersOwnAddresses) {
  network::Network docker_made = shop();
  docker_made.address_source = network::AddressSource::kRuntime;
  ON_CALL(plugin.networks, inspect_network).WillByDefault(Return(docker_made));
  EXPECT_CALL(plugin.networks, bind_network).WillOnce(Return(docker_made));
  EXPECT_TRUE(bind({{"LocalDefault", cidr("10.1.0.0/24"), ip("10.1.0.1"), {}}}));
}

TEST_F(NetworkBindingTest, RefusesASubnetThatIsNotTheNetworks) {
  EXPECT_CALL(plugin.networks, bind_network).Times(0);
  expect_refused(bind({{"LocalDefault", cidr("172.18.0.0/16"), ip("172.18.0.1"), {}}}),
                 "the network has 10.1.0.0/24 and fd00:1::/64");
}

TEST_F(NetworkBindingTest, RefusesAGatewayThatIsNotTheNetworks) {
  EXPECT_CALL(plugin.networks, bind_network).Times(0);
  expect_refused(bind({{"fairlead-local", cidr("10.1.0.0/24"), ip("10.1.0.254"), {}}}),
                 "the gateway 10.1.0.254");
}

TEST_F(NetworkBindingTest, RefusesASecondAllocatorOverTheSameSubnet) {
  EXPECT_CALL(plugin.networks, bind_network).Times(0);
  expect_refused(bind({{"LocalDefault", cidr("10.1.0.0/24"), ip("10.1.0.1"), {}}}),
                 "Docker's own allocator");
}

TEST_F(NetworkBindingTest, TellsHowToReachBothFamilies) {
  const Status done = bind({{"LocalDefault", cidr("172.18.0.0/16"), {}, {}}});
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().text.ends_with(" --ipv6 --subnet 10.1.0.0/24 --subnet fd00:1::/64 shop"))
      << done.error().text;
}

TEST_F(NetworkBindingTest, TakesAnOptionThatTheNetworkHasAndRefusesOthers) {
  network::Network small = shop();
  small.options.mtu = 1400;
  ON_CALL(plugin.networks, inspect_network).WillByDefault(Return(small));
  EXPECT_TRUE(bind({}, {{"mtu", "1400"}}));
  expect_refused(bind({}, {{"mtu", "1500"}}), "mtu=1500");
  expect_refused(bind({}, {{"icc", "false"}}), "icc=false");
}

TEST_F(NetworkBindingTest, RefusesInternalForANetworkThatIsNot) {
  expect_refused(bind({}, {}, true), "not internal");
}

TEST_F(NetworkBindingTest, ThePoolOfANetworkWithoutItsNameIsAnErrorThatTellsHowToJoinIt) {
  ON_CALL(plugin.networks, create_network)
      .WillByDefault(Return(fail(Code::kExists, "subnet 10.1.0.0/24 is in use on this host")));
  ON_CALL(plugin.networks, list_networks)
      .WillByDefault(Return(std::vector<network::NetworkUsage>{{shop(), 0}}));
  const auto create = [&](const char* subnet) {
    const Status done =
        adapter.create_network({.network_id = "d1",
                                .options = {},
                                .pools = {{"fairlead-local", cidr(subnet), std::nullopt, {}}}});
    return done ? "created" : done.error().text;
  };
  EXPECT_EQ(create("10.1.0.0/24"),
            "subnet 10.1.0.0/24 is that of network shop; this joins it: docker network create -d "
            "fairlead --ipam-driver fairlead --ipam-opt network=shop -o network=shop --ipv6 "
            "--subnet 10.1.0.0/24 --subnet fd00:1::/64 shop");
  EXPECT_EQ(create("10.2.0.0/24"), "subnet 10.1.0.0/24 is in use on this host");
}

TEST_F(NetworkBindingTest, NamesTheNetworkThatDoesNotExist) {
  ON_CALL(plugin.networks, inspect_network).WillByDefault(Return(none("there is no network shop")));
  const Status done = bind({});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_EQ(done.error().text, "join network shop: there is no network shop");
}

TEST_F(NetworkBindingTest, ANetworkOverSeveralHostsIsMadeByTheFirstThatNamesIt) {
  network::Network made = shop();
  made.options.mode = "overlay";
  EXPECT_CALL(plugin.networks, inspect_network)
      .WillOnce(Return(fail(Code::kNotFound, "network shop does not exist")))
      .WillRepeatedly(Return(made));
  network::NetworkSpec asked;
  EXPECT_CALL(plugin.networks, create_network).WillOnce([&](const network::NetworkSpec& spec) {
    asked = spec;
    return made;
  });
  EXPECT_CALL(plugin.networks, bind_network("d1", network_name("shop"))).WillOnce(Return(made));
  const Status done =
      bind({{"fairlead-local", cidr("10.1.0.0/24"), ip("10.1.0.1"), {}}}, {{"mode", "overlay"}});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(asked.name, network_name("shop"));
  EXPECT_TRUE(asked.id.empty()) << "it is the same on all hosts, and Docker's is not";
  EXPECT_EQ(asked.options.mode, "overlay");
  EXPECT_FALSE(asked.options.join);
  EXPECT_EQ(asked.labels.at(network::kMadeForLabel), "docker");
  EXPECT_EQ(asked.subnets.at(0).subnet, cidr("10.1.0.0/24"));
}

TEST_F(NetworkBindingTest, SetsAsideWhatDockerReservedOnTheNetwork) {
  const std::map<std::string, IpAddress> aux{{"printer", ip("10.1.0.9")}};
  ON_CALL(plugin.networks, bind_network).WillByDefault(Return(shop()));
  EXPECT_CALL(plugin.networks,
              reserve_addresses(network::NetworkRef(network::RuntimeNetworkId{"d1"}), aux))
      .WillOnce(Return(Status()))
      .WillOnce(Return(fail(Code::kUnavailable, "shop is busy")));
  EXPECT_TRUE(bind({{"fairlead-local", cidr("10.1.0.0/24"), ip("10.1.0.1"), aux}}));
  EXPECT_CALL(plugin.networks, unbind_network("d1")).WillOnce(Return(Status()));
  EXPECT_FALSE(bind({{"fairlead-local", cidr("10.1.0.0/24"), ip("10.1.0.1"), aux}}));
}

TEST_F(NetworkBindingTest, ANetworkOverSeveralHostsNeedsAName) {
  EXPECT_CALL(plugin.networks, create_network).Times(0);
  const Status done =
      adapter.create_network({.network_id = "d1", .options = {{"mode", "overlay"}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalid);
  EXPECT_NE(done.error().text.find("-o mode=overlay -o network=NAME NAME"), std::string::npos);
}

TEST_F(NetworkBindingTest, WhatCannotBeBoundIsNotLeftBehind) {
  network::Network made = shop();
  made.options.mode = "overlay";
  EXPECT_CALL(plugin.networks, inspect_network)
      .WillOnce(Return(fail(Code::kNotFound, "network shop does not exist")))
      .WillRepeatedly(Return(made));
  EXPECT_CALL(plugin.networks, create_network).WillOnce(Return(made));
  EXPECT_CALL(plugin.networks, bind_network).WillOnce(Return(fail(Code::kConflict, "bound")));
  EXPECT_CALL(plugin.networks, remove_network).WillOnce(Return(Status()));
  EXPECT_FALSE(bind({}, {{"mode", "overlay"}}));
}

}  // namespace
}  // namespace fairlead::docker::testing
