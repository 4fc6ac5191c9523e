#include "plugin-api/docker/network_adapter.h"

#include "network/api/options.h"
#include "tests/plugin-api/docker/docker_fixture.h"

namespace fairlead::docker::testing {
namespace {

using network::AddressSource;
using ::testing::AllOf;
using ::testing::DoAll;
using ::testing::Field;
using ::testing::SaveArg;

const std::string kNetworkId = "6cdbabb366c67ec4bbb9b54b644edaec9d647ae204ed500b0c70b99c73b5e749";

IpamData pool(std::string_view space, std::string_view subnet, std::string_view gateway = "") {
  return {.address_space = std::string(space),
          .subnet = cidr(subnet),
          .gateway = gateway.empty() ? std::optional<IpAddress>() : ip(gateway),
          .aux = {}};
}

class NetworkAdapterTest : public ::testing::Test {
 protected:
  // The spec that the service is asked to create.
  network::NetworkSpec spec_for(CreateNetworkRequest request) {
    request.network_id = kNetworkId;
    network::NetworkSpec spec;
    EXPECT_CALL(plugin.networks, create_network).WillOnce(DoAll(SaveArg<0>(&spec), Return(shop())));
    const Status done = adapter.create_network(request);
    EXPECT_TRUE(done) << done.error().text;
    return spec;
  }
  std::string refusal_of(CreateNetworkRequest request) {
    request.network_id = kNetworkId;
    EXPECT_CALL(plugin.networks, create_network).Times(0);
    const Status done = adapter.create_network(request);
    EXPECT_FALSE(done);
    return done ? "" : done.error().text;
  }

  Plugin plugin;
  NetworkAdapter adapter{plugin.networks};
  const EndpointRequest endpoint{.network_id = kNetworkId, .endpoint_id = "e1"};
};

TEST_F(NetworkAdapterTest, NamesANetworkAfterItsId) {
  const auto spec = spec_for({});
  EXPECT_EQ(spec.name.str(), "docker-6cdbabb366c6");
  EXPECT_EQ(spec.id, kNetworkId);
}

TEST_F(NetworkAdapterTest, TakesFairleadsPools) {
  auto request = CreateNetworkRequest{.pools = {pool("fairlead-local", "10.1.0.0/24", "10.1.0.1"),
                                                pool("fairlead-local", "fd00:1::/64")}};
  request.pools[0].aux["router"] = ip("10.1.0.5");
  request.ipv6 = true;
  request.internal = true;
  const auto spec = spec_for(request);
  EXPECT_EQ(spec.address_source, AddressSource::kFairlead);
  EXPECT_TRUE(spec.internal);
  ASSERT_EQ(spec.subnets.size(), 2U);
  EXPECT_EQ(spec.subnets[0], (network::SubnetSpec{.family = Family::kV4,
                                                  .subnet = cidr("10.1.0.0/24"),
                                                  .range = {},
                                                  .gateway = ip("10.1.0.1"),
                                                  .aux = {{"router", ip("10.1.0.5")}}}));
  EXPECT_EQ(spec.subnets[1].family, Family::kV6);
}

// Two hosts of a cluster that are told of the same network at once: the later one joins it.
TEST_F(NetworkAdapterTest, JoinsTheSharedNetworkThatAnotherHostHasJustMade) {
  ON_CALL(plugin.networks, traits)
      .WillByDefault(
          Return(network::NetworkTraits{.scope = network::NetworkTraits::Scope::kCluster}));
  auto shared = shop();
  shared.options = network::parse_options({{"mode", "overlay"}}).value();
  EXPECT_CALL(plugin.networks, inspect_network)
      .WillOnce(Return(fail(Code::kNotFound, "network shop does not exist")))
      .WillRepeatedly(Return(shared));
  EXPECT_CALL(plugin.networks, create_network)
      .WillOnce(Return(fail(Code::kConflict, "subnet 10.96.0.0/16 overlaps that of shop")));
  EXPECT_CALL(plugin.networks, remove_network).Times(0);
  EXPECT_CALL(plugin.networks, bind_network);
  const Status done =
      adapter.create_network({.network_id = std::string(kNetworkId),
                              .options = {{"network", "shop"}, {"mode", "overlay"}}});
  EXPECT_TRUE(done) << done.error().text;
}

TEST_F(NetworkAdapterTest, LeavesAddressesToDockersOwnAllocator) {
  const auto spec = spec_for(
      {.pools = {pool("LocalDefault", "10.1.0.0/24"), pool("LocalDefault", "10.2.0.0/24")}});
  EXPECT_EQ(spec.address_source, AddressSource::kRuntime);
  EXPECT_EQ(spec.subnets.size(), 2U);
}

TEST_F(NetworkAdapterTest, GivesTheAddressesWhenNobodyElseDoes) {
  const auto spec = spec_for({.ipv6 = true});
  EXPECT_EQ(spec.address_source, AddressSource::kFairlead);
  EXPECT_TRUE(spec.subnets.empty());
  EXPECT_TRUE(spec.ipv6);
}

TEST_F(NetworkAdapterTest, MakesAnIpv6OnlyNetworkWithoutPools) {
  const auto spec = spec_for({.ipv4 = false, .ipv6 = true});
  ASSERT_EQ(spec.subnets.size(), 1U);
  EXPECT_EQ(spec.subnets[0].family, Family::kV6);
}

TEST_F(NetworkAdapterTest, TakesDockersNamesOfOptions) {
  const auto spec =
      spec_for({.options = {{"com.docker.network.driver.mtu", "1400"}, {"icc", "false"}}});
  EXPECT_EQ(spec.options.mtu, 1400U);
  EXPECT_FALSE(spec.options.icc);
}

TEST_F(NetworkAdapterTest, RefusesAnOptionItDoesNotKnow) {
  EXPECT_NE(refusal_of({.options = {{"mtuu", "1400"}}}).find("did you mean \"mtu\"?"),
            std::string::npos);
}

TEST_F(NetworkAdapterTest, TakesSeveralSubnetsOfAFamily) {
  const auto spec = spec_for(
      {.pools = {pool("fairlead-local", "10.1.0.0/24"), pool("fairlead-local", "10.2.0.0/24")}});
  ASSERT_EQ(spec.subnets.size(), 2U);
  EXPECT_EQ(spec.subnets[1].subnet, cidr("10.2.0.0/24"));
}

TEST_F(NetworkAdapterTest, RefusesPoolsOfTwoAllocators) {
  EXPECT_NE(refusal_of({.pools = {pool("fairlead-local", "10.1.0.0/24"),
                                  pool("LocalDefault", "fd00::/64")}})
                .find("one IPAM driver"),
            std::string::npos);
}

TEST_F(NetworkAdapterTest, RefusesANetworkOfNoFamily) {
  EXPECT_NE(refusal_of({.ipv4 = false, .ipv6 = false}).find("needs IPv4 or IPv6"),
            std::string::npos);
}

TEST_F(NetworkAdapterTest, RemovesANetworkOfItsOwn) {
  EXPECT_CALL(plugin.networks,
              remove_network(network::NetworkRef(network::RuntimeNetworkId{kNetworkId})))
      .WillOnce(Return(Status()));
  EXPECT_TRUE(adapter.delete_network({kNetworkId}));
}

TEST_F(NetworkAdapterTest, OnlyUnbindsANetworkThatItHadJoined) {
  EXPECT_CALL(plugin.networks, is_bound(kNetworkId)).WillOnce(Return(true));
  EXPECT_CALL(plugin.networks, unbind_network(kNetworkId)).WillOnce(Return(Status()));
  EXPECT_CALL(plugin.networks, remove_network).Times(0);
  EXPECT_TRUE(adapter.delete_network({kNetworkId}));
}

TEST_F(NetworkAdapterTest, SucceedsInRemovingWhatIsGone) {
  ON_CALL(plugin.networks, remove_network).WillByDefault(Return(none("no such network")));
  ON_CALL(plugin.networks, leave).WillByDefault(Return(none("no such network")));
  ON_CALL(plugin.networks, remove_endpoint).WillByDefault(Return(none("no such network")));
  ON_CALL(plugin.networks, unpublish).WillByDefault(Return(none("no such endpoint")));
  EXPECT_TRUE(adapter.delete_network({kNetworkId}));
  EXPECT_TRUE(adapter.leave(endpoint));
  EXPECT_TRUE(adapter.delete_endpoint(endpoint));
  EXPECT_TRUE(adapter.revoke(endpoint));
}

TEST_F(NetworkAdapterTest, SaysWhyANetworkCannotBeRemoved) {
  const Error busy{Code::kInUse, 0, "network shop has endpoints: web"};
  ON_CALL(plugin.networks, remove_network).WillByDefault(Return(fail(busy)));
  EXPECT_EQ(adapter.delete_network({kNetworkId}).error(), busy);
}

TEST_F(NetworkAdapterTest, ReservesAnEndpointWithDockersAddresses) {
  network::EndpointSpec spec;
  EXPECT_CALL(plugin.networks, create_endpoint).WillOnce(DoAll(SaveArg<0>(&spec), Return(web())));
  const auto created = adapter.create_endpoint({.network_id = kNetworkId,
                                                .endpoint_id = "e1",
                                                .addresses = {cidr("10.1.0.7/24")},
                                                .mac = {},
                                                .options = {}});
  ASSERT_TRUE(created) << created.error().text;
  EXPECT_EQ(spec.network, network::NetworkRef(network::RuntimeNetworkId{kNetworkId}));
  EXPECT_EQ(spec.id, "e1");
  EXPECT_EQ(spec.runtime, "docker");
  EXPECT_EQ(spec.address_source, AddressSource::kRuntime);
  EXPECT_EQ(spec.addresses, std::vector{cidr("10.1.0.7/24")});
  EXPECT_FALSE(spec.rates);
  EXPECT_EQ(*created, (CreatedInterface{.addresses = {}, .mac = web().mac}));
}

TEST_F(NetworkAdapterTest, AnswersNoMacWhenOneWasGiven) {
  const auto created = adapter.create_endpoint({.network_id = kNetworkId,
                                                .endpoint_id = "e1",
                                                .addresses = {cidr("10.1.0.7/24")},
                                                .mac = mac("02:42:0a:0a:0a:0a"),
                                                .options = {}});
  EXPECT_EQ(created.value(), CreatedInterface{});
}

TEST_F(NetworkAdapterTest, GivesAddressesWhenDockerBringsNone) {
  network::EndpointSpec spec;
  EXPECT_CALL(plugin.networks, create_endpoint).WillOnce(DoAll(SaveArg<0>(&spec), Return(web())));
  const auto created = adapter.create_endpoint(
      {.network_id = kNetworkId, .endpoint_id = "e1", .addresses = {}, .mac = {}, .options = {}});
  EXPECT_EQ(spec.address_source, AddressSource::kFairlead);
  EXPECT_EQ(created.value().addresses, web().addresses);
}

TEST_F(NetworkAdapterTest, LimitsTheRateOfOneEndpoint) {
  network::EndpointSpec spec;
  EXPECT_CALL(plugin.networks, create_endpoint).WillOnce(DoAll(SaveArg<0>(&spec), Return(web())));
  EXPECT_TRUE(adapter.create_endpoint({.network_id = kNetworkId,
                                       .endpoint_id = "e1",
                                       .addresses = {},
                                       .mac = {},
                                       .options = {{"rate_in", "10m"}}}));
  ASSERT_TRUE(spec.rates);
  EXPECT_EQ(spec.rates->in_bits, 10'000'000U);
}

TEST_F(NetworkAdapterTest, RefusesAnEndpointOptionItDoesNotKnow) {
  EXPECT_CALL(plugin.networks, create_endpoint).Times(0);
  const auto created = adapter.create_endpoint({.network_id = kNetworkId,
                                                .endpoint_id = "e1",
                                                .addresses = {},
                                                .mac = {},
                                                .options = {{"rate_inn", "10m"}}});
  ASSERT_FALSE(created);
  EXPECT_NE(created.error().text.find("did you mean \"rate_in\"?"), std::string::npos);
}

TEST_F(NetworkAdapterTest, RefusesTheNameOfAnInterfaceAndSaysWhatToUse) {
  EXPECT_CALL(plugin.networks, create_endpoint).Times(0);
  const auto created =
      adapter.create_endpoint({.network_id = kNetworkId,
                               .endpoint_id = "e1",
                               .addresses = {},
                               .mac = {},
                               .options = {{"com.docker.network.endpoint.ifname", "foo0"}}});
  ASSERT_FALSE(created);
  EXPECT_NE(created.error().text.find("use -o ifname_prefix=foo when"), std::string::npos);
}

TEST_F(NetworkAdapterTest, JoinLeavesTheLinkInTheHost) {
  EXPECT_CALL(plugin.networks, join(AllOf(Field(&network::EndpointRef::id, "e1")),
                                    ::testing::VariantWith<network::LeaveInHost>(_)))
      .WillOnce(Return(attachment()));
  const auto joined = adapter.join(endpoint);
  ASSERT_TRUE(joined) << joined.error().text;
  EXPECT_EQ(*joined, (Joined{.source_name = "flc0123456789",
                             .destination_prefix = "eth",
                             .gateways = {ip("10.1.0.1"), ip("fd00:1::1")},
                             .routes = {},
                             .disable_gateway_service = false}));
}

TEST_F(NetworkAdapterTest, JoinOfAnInternalNetworkKeepsDockersBridgeAway) {
  network::Attachment internal = attachment();
  internal.endpoint.gateways.clear();
  internal.routes.clear();
  ON_CALL(plugin.networks, join).WillByDefault(Return(internal));
  const auto joined = adapter.join(endpoint);
  ASSERT_TRUE(joined);
  EXPECT_TRUE(joined->gateways.empty());
  EXPECT_TRUE(joined->disable_gateway_service);
}

TEST_F(NetworkAdapterTest, JoinTakesTheGatewayOfTheAddressesOwnSubnet) {
  network::Attachment several = attachment();
  several.endpoint.addresses = {cidr("10.2.0.7/24")};
  several.endpoint.gateways = {ip("10.1.0.1"), ip("10.2.0.1")};
  ON_CALL(plugin.networks, join).WillByDefault(Return(several));
  EXPECT_EQ(adapter.join(endpoint).value().gateways, std::vector{ip("10.2.0.1")});
}

TEST_F(NetworkAdapterTest, JoinPassesOnRoutesBesidesTheDefault) {
  network::Attachment routed = attachment();
  routed.routes.push_back({.destination = cidr("10.9.0.0/16"), .via = ip("10.1.0.2")});
  ON_CALL(plugin.networks, join).WillByDefault(Return(routed));
  const auto joined = adapter.join(endpoint);
  ASSERT_EQ(joined.value().routes.size(), 1U);
  EXPECT_EQ(joined.value().routes[0].destination, cidr("10.9.0.0/16"));
}

TEST_F(NetworkAdapterTest, ProgramReplacesThePublishedPorts) {
  std::vector<network::PortSpec> asked;
  EXPECT_CALL(plugin.networks, publish)
      .WillRepeatedly([&](const auto&, std::span<const network::PortSpec> ports) {
        asked.assign(ports.begin(), ports.end());
        return Result<std::vector<network::PublishedPort>>(std::vector<network::PublishedPort>());
      });
  const network::PortSpec port{.proto = network::Proto::kTcp,
                               .host_ip = {},
                               .host_port = 8080,
                               .host_port_end = 8080,
                               .container_port = 80};
  EXPECT_TRUE(adapter.program({.network_id = kNetworkId, .endpoint_id = "e1", .ports = {port}}));
  EXPECT_EQ(asked, std::vector{port});
  EXPECT_TRUE(adapter.program({.network_id = kNetworkId, .endpoint_id = "e1", .ports = {}}));
  EXPECT_TRUE(asked.empty());
}

TEST_F(NetworkAdapterTest, ProgramSaysWhoHoldsAPort) {
  ON_CALL(plugin.networks, publish)
      .WillByDefault(Return(fail(Error{Code::kInUse, 0, "port 8080 is held by nginx"})));
  EXPECT_EQ(
      adapter.program({.network_id = kNetworkId, .endpoint_id = "e1", .ports = {}}).error().text,
      "port 8080 is held by nginx");
}

TEST_F(NetworkAdapterTest, OperationalInfoHasTheAddressesAndPorts) {
  const auto info = adapter.operational_info(endpoint);
  EXPECT_EQ(info.value(), (OperationalInfo{.addresses = {ip("10.1.0.7"), ip("fd00:1::7")},
                                           .ports = web().ports}));
}

}  // namespace
}  // namespace fairlead::docker::testing
