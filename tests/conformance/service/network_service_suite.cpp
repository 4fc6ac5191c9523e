// What the protocols expect of a NetworkService, wherever it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/api/options.h"
#include "tests/conformance/service/service_world.h"

namespace fairlead::testing {
namespace {

using network::Attachment;
using network::Endpoint;
using network::EndpointRef;
using network::EndpointSpec;
using network::Network;
using network::NetworkSpec;
using network::PortSpec;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().text);
}

// A link of the driver's, as it is shown.
IfName link_of(const network::DriverRecord& links, const std::string& name) {
  return must(IfName::parse(links.shown.at(name)));
}

class NetworkServiceSuite : public ::testing::TestWithParam<Access> {
 protected:
  network::NetworkService& service() { return world_.networks(); }

  static NetworkSpec spec(const std::string& name, const std::string& subnet = "10.20.0.0/24") {
    NetworkSpec spec{.name = must(NetworkName::parse(name))};
    spec.subnets.push_back({.subnet = must(Cidr::parse_subnet(subnet))});
    return spec;
  }
  static EndpointRef ref(const std::string& container, const std::string& network = "shop") {
    return {network::NetworkText{network}, network::endpoint_id(container, "eth0")};
  }
  EndpointSpec endpoint(const std::string& container, std::vector<PortSpec> ports = {}) {
    EndpointSpec spec{.network = network::NetworkText{"shop"},
                      .id = ref(container).id,
                      .container = container,
                      .runtime = "test",
                      .ports = std::move(ports)};
    spec.netns_path = "/run/netns/" + container;
    return spec;
  }
  Result<Attachment> attach(const EndpointSpec& spec) {
    return service().attach(
        spec, network::IntoNetns{world_.netns(*spec.netns_path), must(IfName::parse("eth0"))});
  }

  ServiceWorld world_{GetParam()};
};

TEST_P(NetworkServiceSuite, WhatWasMadeIsListedAndLookedUpTheSame) {
  NetworkSpec wanted = spec("shop");
  wanted.subnets[0].gateway = must(IpAddress::parse("10.20.0.254"));
  wanted.subnets[0].range = must(Cidr::parse_subnet("10.20.0.64/26"));
  wanted.subnets[0].aux["printer"] = must(IpAddress::parse("10.20.0.70"));
  wanted.subnets.push_back({.subnet = must(Cidr::parse_subnet("fd00:20::/64"))});
  wanted.subnets[1].family = Family::kV6;
  wanted.ipv6 = true;
  wanted.labels = {{"team", "a"}, {"empty", ""}};
  wanted.options = must(network::parse_options(
      {{"mtu", "1400"}, {"icc", "false"}, {"rate_in", "10m"}, {"ifname_prefix", "net"}}));
  const Network made = must(service().create_network(wanted));
  EXPECT_THAT(made.id, SizeIs(64));
  EXPECT_EQ(made.name.str(), "shop");
  EXPECT_EQ(made.options, wanted.options);
  EXPECT_EQ(made.labels, wanted.labels);
  ASSERT_THAT(made.subnets, SizeIs(2));
  EXPECT_EQ(made.subnets[0].gateway, wanted.subnets[0].gateway);
  EXPECT_EQ(made.subnets[0].range, wanted.subnets[0].range);
  EXPECT_EQ(made.subnets[0].aux, wanted.subnets[0].aux);
  EXPECT_EQ(made.phase, network::Phase::kReady);
  EXPECT_EQ(made.created, world_.host.now);
  EXPECT_EQ(made.mtu, 1400U);
  EXPECT_NE(made.links.shown.at("bridge"), "");
  for (const std::string& name : {std::string("shop"), made.id, made.id.substr(0, 12)})
    EXPECT_EQ(must(service().inspect_network(network::NetworkText{name})), made);
  const auto listed = must(service().list_networks());
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].network, made);
  EXPECT_EQ(listed[0].endpoints, 0U);
}

TEST_P(NetworkServiceSuite, ToMakeItAgainIsNoErrorUnlessItDiffers) {
  const Network made = must(service().create_network(spec("shop")));
  EXPECT_EQ(must(service().create_network(spec("shop"))), made);
  NetworkSpec other = spec("shop");
  other.internal = true;
  const auto refused = service().create_network(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("it is not internal"));
}

TEST_P(NetworkServiceSuite, RefusesWhatBelongsToAnotherNetwork) {
  must(service().create_network(spec("shop")));
  const auto refused = service().create_network(spec("other", "10.20.0.128/25"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("10.20.0.0/24"));
}

TEST_P(NetworkServiceSuite, SaysThatThereIsNoSuchNetwork) {
  EXPECT_EQ(service().inspect_network(network::NetworkText{"none"}).error().code, Code::kNotFound);
  EXPECT_EQ(service().remove_network(network::NetworkText{"none"}).error().code, Code::kNotFound);
  EXPECT_EQ(attach(endpoint("web")).error().code, Code::kNotFound);
}

TEST_P(NetworkServiceSuite, RemovesAnEmptyNetworkAlone) {
  must(service().create_network(spec("shop")));
  must(attach(endpoint("web")));
  const Status refused = service().remove_network(network::NetworkText{"shop"});
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("web"));
  must(service().remove_endpoint(ref("web")));
  must(service().remove_network(network::NetworkText{"shop"}));
  EXPECT_THAT(must(service().list_networks()), IsEmpty());
}

TEST_P(NetworkServiceSuite, AttachesWithAllThatWasAskedFor) {
  must(service().create_network(spec("shop")));
  EndpointSpec wanted = endpoint("web", {{.host_port = 8080, .container_port = 80}});
  wanted.addresses = {must(Cidr::parse("10.20.0.9/24"))};
  wanted.mac = must(MacAddress::parse("02:11:22:33:44:55"));
  wanted.aliases = {"www"};
  wanted.names = {
      .name = "default/web-0", .project = "shop", .service = "web", .labels = {{"tier", "front"}}};
  wanted.rates = network::Rates{.in_bits = 1'000'000};
  wanted.routes = {{.destination = must(Cidr::parse_subnet("10.99.0.0/16")),
                    .via = must(IpAddress::parse("10.20.0.3")),
                    .mtu = 1300}};
  const Attachment made = must(attach(wanted));
  EXPECT_EQ(made.container_ifname.str(), "eth0");
  EXPECT_EQ(made.container_mac, *wanted.mac);
  EXPECT_EQ(made.mtu, must(service().inspect_network(network::NetworkText{"shop"})).mtu);
  ASSERT_THAT(made.routes, SizeIs(2));
  EXPECT_EQ(made.routes[0].via, must(IpAddress::parse("10.20.0.1")));
  EXPECT_EQ(made.routes[1], wanted.routes[0]);
  const Endpoint& endpoint = made.endpoint;
  EXPECT_EQ(endpoint.addresses, wanted.addresses);
  EXPECT_EQ(endpoint.aliases, wanted.aliases);
  EXPECT_EQ(endpoint.names, wanted.names);
  EXPECT_EQ(endpoint.rates, *wanted.rates);
  EXPECT_EQ(endpoint.routes, wanted.routes);
  EXPECT_EQ(endpoint.netns_path, "/run/netns/web");
  EXPECT_TRUE(endpoint.joined);
  ASSERT_THAT(endpoint.ports, SizeIs(1));
  EXPECT_EQ(endpoint.ports[0].host_port, 8080);
  Endpoint found = must(service().inspect_endpoint(ref("web")));
  found.boot_id = endpoint.boot_id;  // whose boot it was is the host's own affair
  EXPECT_EQ(found, endpoint);
}

TEST_P(NetworkServiceSuite, AttachesTheSameOnce) {
  must(service().create_network(spec("shop")));
  must(attach(endpoint("web")));
  EXPECT_EQ(attach(endpoint("web")).error().code, Code::kExists);
  must(service().remove_endpoint(ref("web")));
  must(attach(endpoint("web")));
}

TEST_P(NetworkServiceSuite, RemovingWhatIsGoneSucceeds) {
  must(service().remove_endpoint(ref("web")));
  must(service().create_network(spec("shop")));
  must(service().remove_endpoint(ref("web")));
  EXPECT_EQ(service().inspect_endpoint(ref("web")).error().code, Code::kNotFound);
}

TEST_P(NetworkServiceSuite, ListsEndpointsOfAllNetworksAndOfOne) {
  must(service().create_network(spec("shop")));
  must(service().create_network(spec("lab", "10.21.0.0/24")));
  must(attach(endpoint("web")));
  EndpointSpec other = endpoint("db");
  other.network = network::NetworkText{"lab"};
  must(attach(other));
  EXPECT_THAT(must(service().list_endpoints(std::nullopt)), SizeIs(2));
  const auto of_lab = must(service().list_endpoints(network::NetworkText{"lab"}));
  ASSERT_THAT(of_lab, SizeIs(1));
  EXPECT_EQ(of_lab[0].container, "db");
  EXPECT_EQ(service().list_endpoints(network::NetworkText{"none"}).error().code, Code::kNotFound);
}

// What Docker makes in two steps has neither a container nor an interface at first.
TEST_P(NetworkServiceSuite, ListsAnEndpointThatIsOnlyReserved) {
  must(service().create_network(spec("shop")));
  EndpointSpec reserved = endpoint("");
  reserved.id = "0123456789abcdef";
  reserved.netns_path.reset();
  must(world_.host.service->create_endpoint(reserved));
  const auto listed = must(service().list_endpoints(std::nullopt));
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].id, reserved.id);
  EXPECT_EQ(listed[0].container, "");
  EXPECT_EQ(listed[0].ifname, "");
  EXPECT_FALSE(listed[0].joined);
}

TEST_P(NetworkServiceSuite, ReplacesPublishedPorts) {
  must(service().create_network(spec("shop")));
  must(attach(endpoint("web", {{.host_port = 8080, .container_port = 80}})));
  const std::vector<PortSpec> wanted{
      {.proto = network::Proto::kUdp,
       .host_ip = must(IpAddress::parse("127.0.0.1")),
       .host_port = 5353,
       .container_port = 53},
      {.host_port = 7000, .host_port_end = 7005, .container_port = 70}};
  const auto published = must(service().publish(ref("web"), wanted));
  ASSERT_THAT(published, SizeIs(2));
  const auto held = must(service().list_ports());
  ASSERT_THAT(held, SizeIs(2));
  for (const network::PortHolder& holder : held) {
    EXPECT_THAT(published, ::testing::Contains(holder.port));
    EXPECT_EQ(holder.network_name, "shop");
    EXPECT_EQ(holder.endpoint_id, ref("web").id);
    EXPECT_EQ(holder.container, "web");
    EXPECT_THAT(holder.targets, ElementsAre(must(IpAddress::parse("10.20.0.2"))));
  }
  must(service().unpublish(ref("web")));
  EXPECT_THAT(must(service().list_ports()), IsEmpty());
}

TEST_P(NetworkServiceSuite, ChangesSinglePublishedPorts) {
  must(service().create_network(spec("shop")));
  must(attach(endpoint("web", {{.host_port = 8080, .container_port = 80}})));
  const PortSpec more{.proto = network::Proto::kUdp,
                      .host_ip = must(IpAddress::parse("127.0.0.1")),
                      .host_port = 5353,
                      .container_port = 53};
  EXPECT_THAT(must(service().change_ports(ref("web"), {.remove = {}, .add = {more}})), SizeIs(2));
  EXPECT_THAT(must(service().change_ports(ref("web"), {.remove = {}, .add = {more}})), SizeIs(2))
      << "it is there";
  const network::PortChange swap{
      .remove = {{.host_port = 8080}, {.host_port = 9000, .host_port_end = 9010}},
      .add = {{.host_port = 8081, .container_port = 80},
              {.host_port = 443, .container_port = 443}}};
  const auto all = must(service().change_ports(ref("web"), swap));
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_THAT(must(service().list_ports()), SizeIs(3));
  for (const network::PortHolder& holder : must(service().list_ports())) {
    EXPECT_THAT(all, ::testing::Contains(holder.port));
    EXPECT_NE(holder.port.host_port, 8080);
  }
  must(attach(endpoint("other", {{.host_port = 8080, .container_port = 80}})));
  const auto refused =
      service().change_ports(ref("web"), {.remove = {{.host_port = 443}},
                                          .add = {{.host_port = 444, .container_port = 80},
                                                  {.host_port = 8080, .container_port = 80}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("container other of network shop"));
  EXPECT_THAT(must(service().list_ports()), SizeIs(4)) << "all or nothing";
  EXPECT_THAT(must(service().change_ports(ref("web"), {.remove = {{.host_port = 443}}, .add = {}})),
              SizeIs(2));
  EXPECT_EQ(service().change_ports(ref("nobody"), swap).error().code, Code::kNotFound);
}

TEST_P(NetworkServiceSuite, LimitsTheConnectionsToAPort) {
  auto wanted = spec("shop");
  wanted.options.port_max_connections = 7;
  must(service().create_network(wanted));
  EXPECT_EQ(
      must(service().inspect_network(network::NetworkText{"shop"})).options.port_max_connections,
      7U);
  must(attach(endpoint("web", {{.host_port = 8080, .container_port = 80},
                               {.host_port = 8081, .container_port = 81, .max_connections = 5}})));
  const auto limits = [&] {
    std::map<std::uint16_t, std::uint32_t> limits;
    for (const network::PortHolder& holder : must(service().list_ports()))
      limits[holder.port.host_port] = holder.port.max_connections;
    return limits;
  };
  using Limits = std::map<std::uint16_t, std::uint32_t>;
  EXPECT_EQ(limits(), (Limits{{8080, 7}, {8081, 5}}));
  const auto publish = [&](PortSpec port) {
    return must(service().change_ports(ref("web"), {.remove = {}, .add = {port}}));
  };
  EXPECT_THAT(publish({.host_port = 8081, .container_port = 81, .max_connections = 6}), SizeIs(2));
  EXPECT_EQ(limits(), (Limits{{8080, 7}, {8081, 6}}));
  publish({.host_port = 8081, .container_port = 81});
  EXPECT_EQ(limits(), (Limits{{8080, 7}, {8081, 7}})) << "as the network has it";
  must(service().change_ports(ref("web"), {.remove = {{.host_port = 8080}}, .add = {}}));
  EXPECT_EQ(limits(), (Limits{{8081, 7}}));
  EXPECT_EQ(must(service().inspect_endpoint(ref("web"))).ports.front().max_connections, 7U);
}

TEST_P(NetworkServiceSuite, TheSameMappingTwiceIsPublishedOnce) {
  must(service().create_network(spec("shop")));
  const PortSpec port{.host_port = 8080, .container_port = 80};
  const PortSpec on_any{
      .host_ip = IpAddress::any(Family::kV4), .host_port = 8080, .container_port = 80};
  must(attach(endpoint("web", {port, on_any, port})));
  EXPECT_THAT(must(service().list_ports()), SizeIs(1));
}

TEST_P(NetworkServiceSuite, APortThatIsTakenIsRefusedWithItsHolder) {
  must(service().create_network(spec("shop")));
  must(attach(endpoint("web", {{.host_port = 8080, .container_port = 80}})));
  const auto refused = attach(endpoint("other", {{.host_port = 8080, .container_port = 80}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("web"));
  EXPECT_THAT(must(service().list_endpoints(std::nullopt)), SizeIs(1));
}

TEST_P(NetworkServiceSuite, ChecksTheHostsSideOfAnEndpoint) {
  must(service().create_network(spec("shop")));
  const Attachment made = must(attach(endpoint("web")));
  must(service().check(ref("web"), {}));
  must(world_.host.links.remove(link_of(made.endpoint.links, "host_ifname")));
  EXPECT_FALSE(service().check(ref("web"), {}));
  EXPECT_EQ(service().check(ref("none"), {}).error().code, Code::kNotFound);
}

TEST_P(NetworkServiceSuite, CollectsWhatIsNoLongerValidOfOneRuntime) {
  must(service().create_network(spec("shop")));
  for (const std::string container : {"keep", "lost"}) must(attach(endpoint(container)));
  EndpointSpec of_another = endpoint("other");
  of_another.runtime = "another";
  must(attach(of_another));
  const std::vector<network::ValidAttachment> valid{{"keep", "eth0"}};
  EXPECT_EQ(must(service().collect(network::NetworkText{"shop"}, "test", valid)), 1U);
  std::vector<std::string> left;
  for (const Endpoint& endpoint : must(service().list_endpoints(std::nullopt)))
    left.push_back(endpoint.container);
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("keep", "other"));
}

TEST_P(NetworkServiceSuite, KeepsAddressesByTheNameOfTheContainer) {
  NetworkSpec wanted = spec("shop");
  wanted.subnets.push_back({.subnet = must(Cidr::parse_subnet("10.21.0.0/24"))});
  wanted.reservations = {{"shop/web-0", must(IpAddress::parse("10.21.0.7"))}};
  EXPECT_EQ(must(service().create_network(wanted)).reservations, wanted.reservations);
  const network::NetworkText shop{"shop"};
  const auto kept = must(service().reserve(shop, {"db", must(IpAddress::parse("10.20.0.9"))}));
  EXPECT_THAT(kept.reservations, SizeIs(2));
  EXPECT_EQ(must(service().inspect_network(shop)), kept);
  EXPECT_EQ(service().reserve(shop, {"web", must(IpAddress::parse("10.20.0.9"))}).error().code,
            Code::kExists);
  EndpointSpec pod = endpoint("web");
  pod.known_as = {"shop/web-0"};
  EXPECT_EQ(must(attach(pod)).endpoint.addresses.front().to_string(), "10.21.0.7/24");
  EXPECT_EQ(must(attach(endpoint("db"))).endpoint.addresses.front().to_string(), "10.20.0.9/24");
  must(service().unreserve(shop, must(IpAddress::parse("10.20.0.9"))));
  EXPECT_EQ(must(service().unreserve(shop, must(IpAddress::parse("10.20.0.9")))).reservations,
            wanted.reservations);
}

TEST_P(NetworkServiceSuite, GivesOneAddressOfEachSetOfRanges) {
  NetworkSpec wanted = spec("shop");
  wanted.subnets.push_back({.subnet = must(Cidr::parse_subnet("10.21.0.0/24"))});
  must(service().create_network(wanted));
  EndpointSpec web = endpoint("web");
  web.range_sets = {{must(Cidr::parse_subnet("10.20.0.0/24"))},
                    {must(Cidr::parse_subnet("10.21.0.64/26"))}};
  const Endpoint made = must(attach(web)).endpoint;
  EXPECT_THAT(made.addresses, SizeIs(2));
  EXPECT_EQ(made.addresses.back().to_string(), "10.21.0.64/24");
  EXPECT_EQ(made.gateways.front().to_string(), "10.20.0.1");
}

TEST_P(NetworkServiceSuite, ShowsAndFreesAddresses) {
  must(service().create_network(spec("shop")));
  must(service().create_network(spec("blog", "10.21.0.0/24")));
  const Endpoint web = must(attach(endpoint("web"))).endpoint;
  EXPECT_THAT(must(service().list_leases(std::nullopt)), SizeIs(3));
  const auto leases = must(service().list_leases(network::NetworkText{"shop"}));
  ASSERT_THAT(leases, SizeIs(2));
  EXPECT_EQ(leases[0].use, network::AddressUse::kGateway);
  EXPECT_EQ(leases[1].address, web.addresses.front().address());
  EXPECT_EQ(leases[1].endpoint_id, web.id);
  EXPECT_EQ(leases[1].container, "web");
  EXPECT_EQ(leases[1].since, world_.host.now);
  EXPECT_EQ(service().release_lease(leases[0].address, true).error().code, Code::kInUse);
  EXPECT_EQ(service().release_lease(leases[1].address, false).error().code, Code::kInUse);
  must(service().release_lease(leases[1].address, true));
  EXPECT_EQ(service().release_lease(leases[1].address, true).error().code, Code::kNotFound);
  EXPECT_THAT(must(service().list_endpoints(std::nullopt)), IsEmpty());
}

TEST_P(NetworkServiceSuite, CountsAndReconciles) {
  must(service().create_network(spec("shop")));
  const Attachment made =
      must(attach(endpoint("web", {{.host_port = 8080, .container_port = 80}})));
  const auto status = must(service().status());
  EXPECT_EQ(status.networks, 1U);
  EXPECT_EQ(status.endpoints, 1U);
  EXPECT_EQ(status.ports, 1U);
  EXPECT_THAT(must(service().reconcile()).actions, IsEmpty());
  const Network network = must(service().inspect_network(network::NetworkText{"shop"}));
  must(world_.host.links.remove(link_of(network.links, "bridge")));
  EXPECT_THAT(must(service().reconcile()).actions, ::testing::Not(IsEmpty()));
  EXPECT_TRUE(world_.host.links.find(link_of(network.links, "bridge")));
}

std::string name_of(const ::testing::TestParamInfo<Access>& access) {
  return access.param == Access::kRemote ? "remote" : "in_process";
}
network::PolicySpec policy(network::PolicyAction action, const char* from, const char* to,
                           const std::vector<const char*>& ports = {}) {
  network::PolicySpec spec{.action = action,
                           .from = must(network::parse_policy_end(from)),
                           .to = must(network::parse_policy_end(to)),
                           .ports = {}};
  for (const char* port : ports) spec.ports.push_back(must(network::parse_policy_port(port)));
  return spec;
}

TEST_P(NetworkServiceSuite, PoliciesAreAddedOnceListedAndRemoved) {
  must(service().create_network(spec("shop")));
  const auto asked = policy(network::PolicyAction::kAllow, "shop", "10.0.0.0/8", {"443/tcp", "53"});
  const auto dry = must(service().add_policy(asked, true));
  EXPECT_EQ(dry.id, "");
  EXPECT_EQ(to_string(dry.spec.from), "net:shop");
  EXPECT_THAT(must(service().list_policies()), IsEmpty());
  const auto added = must(service().add_policy(asked, false));
  EXPECT_EQ(must(service().add_policy(asked, false)), added);
  EXPECT_THAT(must(service().list_policies()), ElementsAre(added));
  EXPECT_EQ(must(service().inspect_policy(added.id)), added);
  must(service().remove_policy(added.id));
  EXPECT_EQ(service().remove_policy(added.id).error().code, Code::kNotFound);
  EXPECT_EQ(service().inspect_policy(added.id).error().code, Code::kNotFound);
}

TEST_P(NetworkServiceSuite, RefusedPoliciesSayWhy) {
  must(service().create_network(spec("shop")));
  using enum network::PolicyAction;
  const auto unknown = service().add_policy(policy(kDeny, "shop", "net:db"), false);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_THAT(unknown.error().text, HasSubstr("fairlead network ls"));
  const auto within = service().add_policy(policy(kDeny, "shop", "10.20.0.7"), false);
  EXPECT_EQ(within.error().code, Code::kUnsupported);
  EXPECT_THAT(within.error().text, HasSubstr("icc=false"));
}

TEST_P(NetworkServiceSuite, LabelsOfAnEndpointAreThoseSetLast) {
  must(service().create_network(spec("shop")));
  EndpointSpec wanted = endpoint("web");
  wanted.labels = {{"role", "web"}, {"com.example/team", "a"}};
  EXPECT_EQ(must(attach(wanted)).endpoint.labels, wanted.labels);
  must(service().set_endpoint_labels(ref("web"), {{"role", "db"}}));
  const std::map<std::string, std::string> labels{{"role", "db"}};
  EXPECT_EQ(must(service().inspect_endpoint(ref("web"))).labels, labels);
  EXPECT_EQ(service().set_endpoint_labels(ref("none"), {}).error().code, Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Services, NetworkServiceSuite,
                         ::testing::Values(Access::kInProcess, Access::kRemote), name_of);

}  // namespace
}  // namespace fairlead::testing
