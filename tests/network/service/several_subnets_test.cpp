// Several subnets of a family in one network: which of them an endpoint gets an address of, and what
// the rest of the network makes of it. Over a kernel in memory.
#include "network/api/subnet_specs.h"
#include "network/service/address_choice.h"
#include "tests/network/service/addresses_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<Cidr>& addresses) {
  std::vector<std::string> found;
  for (const Cidr& address : addresses) found.push_back(address.to_string());
  return found;
}
std::vector<std::string> texts(const std::vector<IpAddress>& addresses) {
  std::vector<std::string> found;
  for (const IpAddress& address : addresses) found.push_back(address.to_string());
  return found;
}
using Sets = std::vector<network::RangeSet>;
network::RangeSet set(std::vector<std::string> ranges) {
  network::RangeSet found;
  for (const std::string& range : ranges) found.push_back(cidr(range));
  return found;
}

std::vector<std::string> text_of(const std::vector<network::Route>& routes) {
  std::vector<std::string> found;
  for (const network::Route& route : routes)
    found.push_back(route.destination.to_string() +
                    (route.via ? " via " + route.via->to_string() : ""));
  return found;
}

class SeveralSubnets : public AddressesOfHost {
 protected:
  network::Network make(std::vector<std::string> subnets, const std::string& name = "net") {
    network::NetworkSpec spec{.name = NetworkName::parse(name).value()};
    for (const std::string& subnet : subnets)
      spec.subnets.push_back({.family = cidr(subnet).family(), .subnet = cidr(subnet)});
    return must(service().create_network(spec));
  }
  Result<network::Attachment> attach_with(const std::string& container,
                                          std::vector<network::RangeSet> sets,
                                          std::vector<std::string> wanted = {}) {
    network::EndpointSpec spec{.network = network::NetworkText{"net"},
                               .id = network::endpoint_id(container, "eth0"),
                               .container = container,
                               .runtime = "cni",
                               .range_sets = std::move(sets)};
    for (const std::string& address : wanted) spec.addresses.push_back(cidr(address));
    return service().attach(
        spec, {network::IntoNetns{.fd = next_netns_++, .ifname = IfName::parse("eth0").value()}});
  }
  Result<network::Attachment> attach_to(const std::string& container) {
    return attach_with(container, {});
  }
};

TEST_F(SeveralSubnets, TheNextOneIsUsedWhenTheFirstIsFull) {
  make({"10.1.0.0/30", "10.2.0.0/30", "fd01::/64", "fd02::/64"});
  const auto first = must(attach_to("a")).endpoint;
  EXPECT_THAT(texts(first.addresses), ElementsAre("10.1.0.2/30", "fd01::2/64"));
  EXPECT_THAT(texts(first.gateways), ElementsAre("10.1.0.1", "fd01::1"));
  const auto second = must(attach_to("b"));
  EXPECT_THAT(texts(second.endpoint.addresses), ElementsAre("10.2.0.2/30", "fd01::3/64"));
  EXPECT_THAT(texts(second.endpoint.gateways), ElementsAre("10.2.0.1", "fd01::1"));
  EXPECT_THAT(text_of(second.routes), ElementsAre("0.0.0.0/0 via 10.2.0.1", "::/0 via fd01::1",
                                                  "10.1.0.0/30", "fd02::/64"));
  const auto third = attach_to("c");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kExhausted);
  EXPECT_THAT(third.error().text, HasSubstr("no address of 10.1.0.0/30, 10.2.0.0/30 is free"));
  must(service().remove_endpoint({network::NetworkText{"net"}, network::endpoint_id("a", "eth0")}));
  EXPECT_THAT(texts(must(attach_to("c")).endpoint.addresses),
              ElementsAre("10.1.0.2/30", "fd01::4/64"));
}

TEST_F(SeveralSubnets, AWantedAddressChoosesItsSubnet) {
  make({"10.1.0.0/24", "10.2.0.0/24"});
  const auto one = must(attach_with("a", {}, {"10.2.0.7/32"})).endpoint;
  EXPECT_THAT(texts(one.addresses), ElementsAre("10.2.0.7/24"));
  EXPECT_THAT(texts(one.gateways), ElementsAre("10.2.0.1"));
  const auto both = must(attach_with("b", {}, {"10.2.0.8/24", "10.1.0.8/24"}));
  EXPECT_THAT(texts(both.endpoint.addresses), ElementsAre("10.2.0.8/24", "10.1.0.8/24"));
  EXPECT_THAT(texts(both.endpoint.gateways), ElementsAre("10.2.0.1", "10.1.0.1"));
  ASSERT_EQ(both.routes.size(), 1U);  // one default route, through the first
  EXPECT_EQ(both.routes[0].via, ip("10.2.0.1"));
  const auto none = attach_with("c", {}, {"10.3.0.8/24"});
  EXPECT_THAT(none.error().text,
              HasSubstr("address 10.3.0.8 is in no subnet of network net, which has 10.1.0.0/24, "
                        "10.2.0.0/24"));
  EXPECT_THAT(attach_with("c", {}, {"10.2.0.9/24", "10.2.0.9/32"}).error().text,
              HasSubstr("10.2.0.9 is asked for twice"));
}

TEST_F(SeveralSubnets, EachSetOfRangesGivesAnAddress) {
  make({"10.1.0.0/24", "10.2.0.0/24", "fd01::/64"});
  const auto sets = Sets{set({"10.1.0.0/24"}), set({"10.2.0.128/25"})};
  EXPECT_THAT(texts(must(attach_with("a", sets)).endpoint.addresses),
              ElementsAre("10.1.0.2/24", "10.2.0.128/24", "fd01::2/64"));
  EXPECT_THAT(texts(must(attach_with("b", sets)).endpoint.addresses),
              ElementsAre("10.1.0.3/24", "10.2.0.129/24", "fd01::3/64"));
  // Two sets of one subnet give two addresses of it.
  const auto halves = Sets{set({"10.1.0.64/26"}), set({"10.1.0.128/26"})};
  EXPECT_THAT(texts(must(attach_with("c", halves)).endpoint.addresses),
              ElementsAre("10.1.0.64/24", "10.1.0.128/24", "fd01::4/64"));
}

TEST_F(SeveralSubnets, TheRangesOfASetAreAlternatives) {
  make({"10.1.0.0/30", "10.2.0.0/24"});
  const auto sets = Sets{set({"10.1.0.0/30", "10.2.0.16/30"})};
  EXPECT_THAT(texts(must(attach_with("a", sets)).endpoint.addresses), ElementsAre("10.1.0.2/30"));
  EXPECT_THAT(texts(must(attach_with("b", sets)).endpoint.addresses), ElementsAre("10.2.0.16/24"));
}

TEST_F(SeveralSubnets, AWantedAddressIsThatOfItsSet) {
  make({"10.1.0.0/24", "10.2.0.0/24"});
  const auto halves = Sets{set({"10.1.0.64/26"}), set({"10.1.0.128/26"})};
  EXPECT_THAT(texts(must(attach_with("a", halves, {"10.1.0.128/32"})).endpoint.addresses),
              ElementsAre("10.1.0.64/24", "10.1.0.128/24"));
  // Outside of the ranges, but in the subnet.
  EXPECT_THAT(texts(must(attach_with("b", halves, {"10.1.0.5/32"})).endpoint.addresses),
              ElementsAre("10.1.0.5/24", "10.1.0.129/24"));
  // In none of the sets: in addition.
  EXPECT_THAT(texts(must(attach_with("c", halves, {"10.2.0.5/32"})).endpoint.addresses),
              ElementsAre("10.1.0.65/24", "10.1.0.130/24", "10.2.0.5/24"));
}

TEST_F(SeveralSubnets, SetsThatDoNotFitAreRefused) {
  make({"10.1.0.0/24", "fd01::/64"});
  EXPECT_THAT(attach_with("a", {set({"10.1.0.0/24"}), set({"10.1.0.64/26"})}).error().text,
              HasSubstr("the ranges 10.1.0.0/24 and 10.1.0.64/26 overlap"));
  EXPECT_THAT(attach_with("a", {set({"10.9.0.0/24"})}).error().text,
              HasSubstr("range 10.9.0.0/24 is in no subnet of network net"));
  EXPECT_THAT(attach_with("a", {set({"10.1.0.0/25", "fd01::/80"})}).error().text,
              HasSubstr("of two families"));
  EXPECT_THAT(must(service().list_leases(std::nullopt)), ::testing::SizeIs(2));  // the gateways
}

TEST_F(SeveralSubnets, TheBridgeCarriesEachGateway) {
  const auto network = make({"10.1.0.0/24", "10.2.0.0/24", "fd01::/64", "fd02::/64"});
  const auto host = must(host_.links.host_routing().host_subnets());
  for (const char* subnet : {"10.1.0.0/24", "10.2.0.0/24", "fd01::/64", "fd02::/64"})
    EXPECT_TRUE(std::ranges::any_of(host.connected, [&](const kernel::HostRoute& route) {
      return route.destination == cidr(subnet) &&
             route.interface == network::bridge_of(network).str();
    })) << subnet;
  EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(SeveralSubnets, ThatOverlapOrHaveNoNameAreRefused) {
  network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
  spec.subnets = {{.subnet = cidr("10.1.0.0/24")}, {.subnet = cidr("10.1.0.128/25")}};
  EXPECT_THAT(service().create_network(spec).error().text,
              HasSubstr("the subnets 10.1.0.0/24 and 10.1.0.128/25 of the network overlap"));
  spec.subnets = {{.subnet = cidr("10.1.0.0/24")}, {.family = Family::kV4}};
  EXPECT_THAT(service().create_network(spec).error().text, HasSubstr("needs them by name"));
  EXPECT_THAT(must(service().list_networks()), IsEmpty());
}

// Docker names the first pool in each of its requests.
TEST_F(SeveralSubnets, DockerGetsAnAddressOfTheNextPoolWhenTheFirstIsFull) {
  docker_network("net", {"10.1.0.0/30", "10.2.0.0/24"});
  start("net", "a", {must(request("10.1.0.0/30"))});
  const auto second = must(request("10.1.0.0/30"));
  EXPECT_EQ(second.to_string(), "10.2.0.2/24");
  start("net", "b", {second});
  EXPECT_EQ(owner_of("10.2.0.0/24", "10.2.0.2"), "b");
  const auto b = must(service().inspect_endpoint({network::NetworkText{"net"}, "b"}));
  EXPECT_THAT(texts(b.gateways), ElementsAre("10.2.0.1"));
  must(service().remove_endpoint({network::NetworkText{"net"}, "b"}));
  must(pools().release_address("10.1.0.0/30", ip("10.2.0.2")));
  EXPECT_EQ(owner_of("10.2.0.0/24", "10.2.0.2"), "");
  // After a restart Docker asks for what it had, of the pool that it knows.
  EXPECT_EQ(must(request("10.1.0.0/30", "10.2.0.2")).to_string(), "10.2.0.2/24");
}

TEST_F(SeveralSubnets, DockerJoinsWithTheSubnetThatItNames) {
  make({"10.1.0.0/24", "10.2.0.0/24"}, "shop");
  const auto name = NetworkName::parse("shop").value();
  EXPECT_EQ(must(pools().request_pool({.join = name})).subnet, cidr("10.1.0.0/24"));
  EXPECT_EQ(must(pools().request_pool({.subnet = cidr("10.2.0.0/24"), .join = name})).gateway,
            ip("10.2.0.1"));
  EXPECT_FALSE(pools().request_pool({.subnet = cidr("10.3.0.0/24"), .join = name}));
}

TEST_F(SeveralSubnets, GoAwayWithTheirNetwork) {
  make({"10.1.0.0/24", "10.2.0.0/24"});
  must(attach_with("a", {set({"10.1.0.0/24"}), set({"10.2.0.0/24"})}));
  must(service().remove_endpoint({network::NetworkText{"net"}, network::endpoint_id("a", "eth0")}));
  must(service().remove_network(network::NetworkText{"net"}));
  EXPECT_THAT(must(service().list_leases(std::nullopt)), IsEmpty());
  make({"10.2.0.0/24"});
}

// ---- small subnets (RFC 3021, RFC 6164)

TEST_F(SeveralSubnets, ASubnetOfTwoAddressesHasAGatewayAndAContainer) {
  make({"10.1.0.0/31", "fd01::/127"});
  const auto only = must(attach_to("a")).endpoint;
  EXPECT_THAT(texts(only.addresses), ElementsAre("10.1.0.1/31", "fd01::1/127"));
  EXPECT_THAT(texts(only.gateways), ElementsAre("10.1.0.0", "fd01::"));
  EXPECT_EQ(attach_to("b").error().code, Code::kExhausted);
}

// ---- subnets of one address

class OneAddress : public SeveralSubnets {
 protected:
  static network::NetworkSpec single(std::vector<std::string> subnets,
                                     std::vector<std::string> gateways = {}) {
    network::NetworkSpec spec{.name = NetworkName::parse("net").value()};
    for (std::size_t at = 0; at < subnets.size(); ++at) {
      spec.subnets.push_back({.family = cidr(subnets[at]).family(), .subnet = cidr(subnets[at])});
      if (at < gateways.size()) spec.subnets.back().gateway = ip(gateways[at]);
    }
    return spec;
  }
  std::string refusal(const network::NetworkSpec& spec) {
    const auto created = service().create_network(spec);
    return created ? "" : created.error().text;
  }
  // The one address is given, is all there is, and is given again.
  void expect_one(const std::vector<std::string>& addresses,
                  const std::vector<std::string>& gateways) {
    for (int turn = 0; turn < 2; ++turn) {
      const auto only = must(attach_to("a")).endpoint;
      EXPECT_EQ(texts(only.addresses), addresses);
      EXPECT_EQ(texts(only.gateways), gateways);
      EXPECT_EQ(attach_to("b").error().code, Code::kExhausted);
      must(service().remove_endpoint(
          {network::NetworkText{"net"}, network::endpoint_id("a", "eth0")}));
    }
    const auto by_name = must(attach_with("c", {}, addresses)).endpoint;
    EXPECT_EQ(texts(by_name.addresses), addresses);
    must(service().remove_endpoint(
        {network::NetworkText{"net"}, network::endpoint_id("c", "eth0")}));
    must(service().remove_network(network::NetworkText{"net"}));
    EXPECT_THAT(must(service().list_leases(std::nullopt)), IsEmpty());
  }
};

TEST_F(OneAddress, HasTheHostForItsGatewayOnALinkOfItsOwn) {
  auto spec = single({"10.1.0.9/32", "fd01::9/128"});
  spec.options.mode = "routed";
  must(service().create_network(spec));
  expect_one({"10.1.0.9/32", "fd01::9/128"}, {"169.254.1.1", "fe80::1"});
  spec.subnets[0].gateway = ip("169.254.7.7");
  const auto network = must(service().create_network(spec));
  EXPECT_EQ(network.subnets[0].gateway, ip("169.254.7.7"));
}

TEST_F(OneAddress, HasARouterOrNoneOnAnInterfaceOfTheHost) {
  host_.links.put({.name = "eth7", .mac = MacAddress::from_hash("eth7"), .mtu = 1500, .up = true});
  auto spec = single({"203.0.113.7/32", "2001:db8::7/128"}, {"198.51.100.1"});
  spec.options.mode = "macvlan";
  spec.options.parent = IfName::parse("eth7").value();
  must(service().create_network(spec));
  const auto made = must(attach_to("a"));
  EXPECT_THAT(text_of(made.routes), ElementsAre("198.51.100.1/32", "0.0.0.0/0 via 198.51.100.1"));
  must(service().remove_endpoint({network::NetworkText{"net"}, network::endpoint_id("a", "eth0")}));
  expect_one({"203.0.113.7/32", "2001:db8::7/128"}, {"198.51.100.1"});
}

TEST_F(OneAddress, HasNoGatewayOnAnInternalBridge) {
  auto spec = single({"10.1.0.9/32", "fd01::9/128"});
  spec.internal = true;
  EXPECT_EQ(must(service().create_network(spec)).subnets[0].gateway, std::nullopt);
  expect_one({"10.1.0.9/32", "fd01::9/128"}, {});
}

TEST_F(OneAddress, HasAnotherRouterOnABridgeThatHasNoAddress) {
  auto spec = single({"10.1.0.9/32"}, {"192.0.2.1"});
  spec.options.inhibit_ipv4 = true;
  must(service().create_network(spec));
  expect_one({"10.1.0.9/32"}, {"192.0.2.1"});
}

TEST_F(OneAddress, IsRefusedWhereTheBridgeIsTheGateway) {
  for (const char* subnet : {"10.1.0.0/32", "fd01::9/128"})
    EXPECT_THAT(refusal(single({subnet})),
                AllOf(HasSubstr(fmt::format("subnet {} has one address", subnet)),
                      HasSubstr("one for its gateway and one for a container"),
                      HasSubstr("use -o mode=routed")));
  auto spec = single({"10.1.0.9/32"}, {"10.1.0.9"});
  spec.options.mode = "routed";
  EXPECT_THAT(refusal(spec), HasSubstr("is the only address of the subnet"));
  for (const char* wrong : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "fe80::1"}) {
    spec.subnets[0].gateway = ip(wrong);
    EXPECT_THAT(refusal(spec), HasSubstr("is no router of the subnet")) << wrong;
  }
  EXPECT_THAT(must(service().list_networks()), IsEmpty());
}

// Docker asks for the gateway before it says what kind of network it makes.
TEST_F(OneAddress, DockerIsToldAGatewayThatIsNotInTheSubnet) {
  const auto pool = must(pools().request_pool({.subnet = cidr("10.1.0.9/32")}));
  const auto gateway = must(pools().request_address(pool.id, {}, network::AddressUse::kGateway));
  EXPECT_EQ(gateway, cidr("169.254.1.1/32"));
  auto spec = single({"10.1.0.9/32"}, {"169.254.1.1"});
  EXPECT_THAT(refusal(spec), HasSubstr("use -o mode=routed"));
  spec.options.mode = "routed";
  must(service().create_network(spec));
  EXPECT_EQ(must(request(pool.id)), cidr("10.1.0.9/32"));
  EXPECT_EQ(request(pool.id).error().code, Code::kExhausted);
  must(pools().release_address(pool.id, gateway.address()));
  must(pools().release_address(pool.id, ip("10.1.0.9")));
  EXPECT_EQ(must(request(pool.id)), cidr("10.1.0.9/32"));
}

// ---- VLANs of a bridge, whose ports are tested under another kernel (vlans_test)

TEST_F(OneAddress, AVlanNeedsAKernelWhoseBridgesHaveAny) {
  auto spec = single({"10.1.0.0/24"});
  spec.options.vlan = 20;
  host_.links.lack_vlans_on_bridges();
  EXPECT_THAT(refusal(spec), HasSubstr("this kernel has no bridge VLAN filtering: "
                                       "CONFIG_BRIDGE_VLAN_FILTERING"));
  host_.links.put({.name = "br0", .kind = "bridge", .up = true});
  spec.options.bridge = IfName::parse("br0").value();
  EXPECT_THAT(refusal(spec), HasSubstr("CONFIG_BRIDGE_VLAN_FILTERING"));
  host_.links.put({.name = "br0", .kind = "bridge", .up = true, .filters_vlans = false});
  EXPECT_THAT(refusal(spec), HasSubstr("ip link set br0 type bridge vlan_filtering 1"));
  host_.links.put({.name = "br0", .kind = "bridge", .up = true, .filters_vlans = true});
  spec.options.egress = network::Egress::kDeny;
  EXPECT_THAT(refusal(spec), HasSubstr("egress=deny does not hold in VLAN 20"));
  spec.options.egress = network::Egress::kAllow;
  must(service().create_network(spec));
  const auto a = must(attach_to("a")).endpoint;
  const auto port = must(host_.links.find(host_side_of(a)));
  EXPECT_EQ(host_.links.port_flags(port.index).vlan, 20);
  for (const char* mode : {"macvlan", "routed", "overlay"}) {
    auto other = single({"10.2.0.0/24"});
    other.options.mode = mode;
    other.options.vlan = 20;
    EXPECT_THAT(refusal(other), HasSubstr("option \"vlan\" is for mode \"bridge\"")) << mode;
  }
}

// ---- room

TEST_F(SeveralSubnets, ThereIsRoomAsLongAsAnAttachWouldSucceed) {
  make({"10.1.0.0/30", "10.2.0.0/30"});
  const network::EndpointSpec anybody{.network = network::NetworkText{"net"}};
  network::EndpointSpec both = anybody;
  both.range_sets = {set({"10.1.0.0/30"}), set({"10.2.0.0/30"})};
  must(service().check_room(both));
  must(attach_to("a"));
  must(service().check_room(anybody));
  EXPECT_EQ(service().check_room(both).error().code, Code::kExhausted);
  must(attach_to("b"));
  EXPECT_EQ(service().check_room(anybody).error().code, Code::kExhausted);
  dies("net", network::endpoint_id("a", "eth0"));
  must(service().check_room(anybody));  // the attach would collect it
  must(attach_to("c"));
}

}  // namespace
}  // namespace fairlead::testing
