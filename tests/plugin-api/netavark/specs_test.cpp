#include "plugin-api/netavark/specs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/api/options.h"

namespace fairlead::netavark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Cidr cidr(const char* text) { return *Cidr::parse(text); }
IpAddress ip(const char* text) { return *IpAddress::parse(text); }

Network of_driver(const std::string& driver) {
  return {.name = "shop",
          .id = std::string(64, 'a'),
          .driver = driver,
          .interface = driver == "fairlead" ? "" : "podman1",
          .subnets = {{.subnet = cidr("10.89.0.0/24"), .gateway = ip("10.89.0.1")}},
          .dns = true};
}

network::NetworkSpec spec_of(const Network& network) {
  const auto spec = network_spec(network, "/etc/containers/networks");
  EXPECT_TRUE(spec) << spec.error().text;
  return spec ? *spec : network::NetworkSpec();
}

std::string refusal_of(const Network& network) {
  const auto spec = network_spec(network, "/etc/containers/networks");
  EXPECT_FALSE(spec);
  return spec ? "" : spec.error().text;
}

// ---- networks

TEST(NetworkSpec, OfFairleadsDriverHasFairleadsAddressesAndOptions) {
  Network network = of_driver("fairlead");
  network.options = {{"mtu", "1400"}, {"icc", "false"}};
  const auto spec = spec_of(network);
  EXPECT_EQ(spec.address_source, network::AddressSource::kFairlead);
  EXPECT_EQ(spec.id, network.id);
  EXPECT_EQ(spec.options.mtu, 1400U);
  EXPECT_FALSE(spec.options.icc);
  EXPECT_FALSE(spec.options.bridge);
  EXPECT_EQ(spec.labels.at(kFileLabel), "/etc/containers/networks/shop.json");
}

TEST(NetworkSpec, OfPodmansOwnHasPodmansAddressesBridgeAndDomain) {
  const auto spec = spec_of(of_driver("bridge"));
  EXPECT_EQ(spec.address_source, network::AddressSource::kRuntime);
  EXPECT_EQ(spec.options.bridge->str(), "podman1");
  EXPECT_TRUE(spec.options.dns);
  EXPECT_EQ(spec.options.dns_domain, "dns.podman");
  EXPECT_EQ(spec.labels.at(kFileLabel), "");
  EXPECT_EQ(spec.subnets[0].gateway, ip("10.89.0.1"));
}

TEST(NetworkSpec, WithoutDnsAnswersNoNames) {
  Network network = of_driver("bridge");
  network.dns = false;
  EXPECT_FALSE(spec_of(network).options.dns);
  EXPECT_EQ(spec_of(network).options.dns_domain, "");
}

TEST(NetworkSpec, TakesNetavarksWordsForABridge) {
  Network network = of_driver("bridge");
  network.options = {{"mtu", "1400"},
                     {"vlan", "7"},
                     {"isolate", "false"},
                     {"outbound_addr4", "192.0.2.9"},
                     {"outbound_addr6", "2001:db8::9"},
                     {"metric", "200"},
                     {"no_default_route", "true"}};
  const auto options = spec_of(network).options;
  EXPECT_EQ(options.mtu, 1400U);
  EXPECT_EQ(options.vlan, 7);
  EXPECT_EQ(options.snat_v4, ip("192.0.2.9"));
  EXPECT_EQ(options.snat_v6, ip("2001:db8::9"));
}

TEST(NetworkSpec, IsApartFromOthersWhateverItSays) {
  Network network = of_driver("bridge");
  for (const char* word : {"true", "strict", "1", "false"}) {
    network.options["isolate"] = word;
    EXPECT_EQ(spec_of(network).options, spec_of(of_driver("bridge")).options) << word;
  }
}

TEST(NetworkSpec, TakesFairleadsOptionsForPodmansOwnAsWell) {
  Network network = of_driver("bridge");
  network.options = {{"icc", "false"}, {"rate_in", "10m"}};
  EXPECT_FALSE(spec_of(network).options.icc);
  EXPECT_EQ(spec_of(network).options.rates.in_bits, 10'000'000U);
}

TEST(NetworkSpec, OnABridgeOfSomebodyElsesLeavesTheGatewayToHim) {
  Network network = of_driver("bridge");
  network.options = {{"mode", "unmanaged"}};
  EXPECT_FALSE(spec_of(network).options.masquerade);
  EXPECT_TRUE(spec_of(network).options.inhibit_ipv4);
  EXPECT_EQ(spec_of(network).options.mode, "bridge");
}

TEST(NetworkSpec, OfMacvlanAndIpvlanNamesTheParent) {
  Network network = of_driver("macvlan");
  network.interface = "eth7";
  network.options = {{"mode", "private"}, {"bclim", "-1"}};
  const auto spec = spec_of(network);
  EXPECT_EQ(spec.options.mode, "macvlan");
  EXPECT_EQ(spec.options.parent->str(), "eth7");
  EXPECT_EQ(spec.options.driver.at("macvlan_mode"), "private");
  EXPECT_FALSE(spec.options.dns);
  network.interface = "";
  EXPECT_THAT(refusal_of(network), HasSubstr("name the interface of the host"));
}

TEST(NetworkSpec, WithoutAddressesIsAWire) {
  Network network = of_driver("bridge");
  network.subnets.clear();
  network.ipam_options = {{"driver", "none"}};
  EXPECT_EQ(spec_of(network).address_source, network::AddressSource::kPlugin);
}

TEST(NetworkSpec, RefusesWhatFairleadHasNot) {
  Network network = of_driver("bridge");
  network.options = {{"vrf", "blue"}};
  EXPECT_THAT(refusal_of(network), HasSubstr("vrf"));
  network.options = {{"mode", "bogus"}};
  EXPECT_THAT(refusal_of(network), HasSubstr("neither managed nor unmanaged"));
  network.options = {{"network", "blog"}};
  EXPECT_THAT(refusal_of(network), HasSubstr("cannot join another one"));
  network.options = {{"bogus", "1"}};
  EXPECT_THAT(refusal_of(network), HasSubstr("bogus"));
  network.options.clear();
  network.ipam_options = {{"driver", "dhcp"}};
  EXPECT_THAT(refusal_of(network), HasSubstr("addresses by \"dhcp\" are not supported"));
}

TEST(NetworkSpec, TakesARangeAsAPrefixWhereItIsOne) {
  Network network = of_driver("fairlead");
  network.subnets[0].start = ip("10.89.0.129");
  network.subnets[0].end = ip("10.89.0.255");
  EXPECT_EQ(spec_of(network).subnets[0].range, cidr("10.89.0.128/25"));
  network.subnets[0].start = ip("10.89.1.1");
  EXPECT_THAT(refusal_of(network), HasSubstr("is not one of addresses in 10.89.0.0/24"));
}

TEST(NetworkSpec, KeepsWhatPodmanDropsInItsOptions) {
  Network network = of_driver("fairlead");
  network.dns = false;
  network.dns_servers = {ip("192.0.2.1"), ip("2001:db8::1")};
  add_dns_options(network);
  EXPECT_EQ(network.options.at("dns"), "off");
  EXPECT_EQ(network.options.at("dns_servers"), "192.0.2.1,2001:db8::1");
}

// ---- containers

struct Attach {
  Connections call{.container = {.id = std::string(64, 'c'), .name = "web", .hostname = "host"}};
  Connection connection{.network = of_driver("bridge"),
                        .options = {.network = "shop", .interface = "eth0"}};
  network::Network network{
      .subnets = {{.subnet = cidr("10.89.0.0/24"), .gateway = ip("10.89.0.1")}},
      .address_source = network::AddressSource::kRuntime};
  bool takes_ports = true;

  network::EndpointSpec spec() const {
    const auto made = endpoint_spec(call, connection, network, takes_ports);
    EXPECT_TRUE(made) << made.error().text;
    return made ? *made : network::EndpointSpec();
  }
  std::string refusal() const {
    const auto made = endpoint_spec(call, connection, network, takes_ports);
    EXPECT_FALSE(made);
    return made ? "" : made.error().text;
  }
};

TEST(EndpointSpec, HasTheAddressesThatPodmanGave) {
  Attach attach;
  attach.connection.options.static_ips = {ip("10.89.0.9")};
  attach.connection.options.static_mac = "02:11:22:33:44:55";
  const auto spec = attach.spec();
  EXPECT_EQ(spec.address_source, network::AddressSource::kRuntime);
  EXPECT_THAT(spec.addresses, ElementsAre(cidr("10.89.0.9/24")));
  EXPECT_EQ(spec.mac->to_string(), "02:11:22:33:44:55");
}

TEST(EndpointSpec, AsksFairleadForAnAddressOnItsOwnNetwork) {
  Attach attach;
  attach.connection.network.driver = "fairlead";
  attach.connection.options.static_ips = {ip("10.89.0.9")};
  EXPECT_EQ(attach.spec().address_source, network::AddressSource::kFairlead);
  EXPECT_EQ(attach.spec().addresses[0].address(), ip("10.89.0.9"));
}

TEST(EndpointSpec, HasTheRangeThatIsNoPrefix) {
  Attach attach;
  attach.connection.network.driver = "fairlead";
  attach.connection.network.subnets[0].start = ip("10.89.0.10");
  attach.connection.network.subnets[0].end = ip("10.89.0.12");
  ASSERT_EQ(attach.spec().range_sets.size(), 1U);
  EXPECT_THAT(attach.spec().range_sets[0],
              ElementsAre(cidr("10.89.0.10/31"), cidr("10.89.0.12/32")));
}

TEST(EndpointSpec, NamesTheContainerOnce) {
  Attach attach;
  attach.connection.options.aliases = {"db", std::string(12, 'c'), "host", "web"};
  const auto spec = attach.spec();
  EXPECT_THAT(spec.aliases, ElementsAre("db"));
  EXPECT_EQ(spec.names.name, "web");
  EXPECT_EQ(spec.names.hostname, "host");
}

TEST(EndpointSpec, PublishesRangesAndSeveralProtocols) {
  Attach attach;
  attach.call.container.ports = {
      {"", 8080, 80, 1, "tcp,udp"}, {"127.0.0.1", 9000, 9000, 20, "sctp"}, {"", 0, 53, 1, ""}};
  const auto ports = attach.spec().ports;
  ASSERT_EQ(ports.size(), 4U);
  const auto range = std::ranges::find(ports, network::Proto::kSctp, &network::PortSpec::proto);
  ASSERT_NE(range, ports.end());
  EXPECT_EQ(range->host_port_end, 9019);
  EXPECT_EQ(range->container_port_end, 9019);
  EXPECT_EQ(range->host_ip, ip("127.0.0.1"));
}

TEST(EndpointSpec, PublishesNothingWhereNothingCanBe) {
  Attach attach;
  attach.call.container.ports = {{"", 8080, 80, 1, "tcp"}};
  attach.takes_ports = false;
  EXPECT_TRUE(attach.spec().ports.empty());
  attach.takes_ports = true;
  attach.connection.network.options = {{"mode", "unmanaged"}};
  EXPECT_TRUE(attach.spec().ports.empty());
}

TEST(EndpointSpec, PublishesEachFamilyThatTheNetworkHas) {
  Attach attach;
  attach.call.container.ports = {{"", 8080, 80, 1, "tcp"}, {"192.0.2.1", 8081, 80, 1, "tcp"}};
  ASSERT_EQ(attach.spec().ports.size(), 2U);
  EXPECT_EQ(attach.spec().ports[0].host_ip, ip("0.0.0.0"));
  EXPECT_EQ(attach.spec().ports[1].host_ip, ip("192.0.2.1"));
  attach.network.subnets.push_back({.subnet = cidr("fd89::/64")});
  ASSERT_EQ(attach.spec().ports.size(), 3U);
  EXPECT_EQ(attach.spec().ports[1].host_ip, ip("::"));
}

TEST(EndpointSpec, RefusesRangesThatEndBehindTheLastPort) {
  Attach attach;
  attach.call.container.ports = {{"", 65530, 80, 10, "tcp"}};
  EXPECT_THAT(attach.refusal(), HasSubstr("are not a range of ports"));
  attach.call.container.ports = {{"", 80, 80, 1, "icmp"}};
  EXPECT_FALSE(attach.refusal().empty());
}

TEST(EndpointSpec, HasTheRatesOfTheContainerAlone) {
  Attach attach;
  attach.connection.options.options = {{"rate_in", "10m"}};
  EXPECT_EQ(attach.spec().rates->in_bits, 10'000'000U);
  attach.connection.options.options = {{"mtu", "1400"}};
  EXPECT_THAT(attach.refusal(), HasSubstr("is one of networks"));
}

TEST(EndpointSpec, HasTheRoutesOfTheNetwork) {
  Attach attach;
  attach.connection.network.routes = {{cidr("10.99.0.0/16"), ip("10.89.0.9"), 42, ""}};
  attach.connection.network.options = {{"metric", "200"}};
  const auto routes = attach.spec().routes;
  ASSERT_EQ(routes.size(), 2U);
  EXPECT_EQ(routes[0].priority, 42U);
  EXPECT_EQ(routes[1].destination, cidr("0.0.0.0/0"));
  EXPECT_EQ(routes[1].priority, 200U);
  attach.connection.network.routes[0].type = "blackhole";
  EXPECT_THAT(attach.refusal(), HasSubstr("blackhole"));
}

TEST(EndpointSpec, HasNoWayOutWhereTheNetworkSaysSo) {
  Attach attach;
  EXPECT_TRUE(attach.spec().default_route);
  attach.connection.network.options = {{"no_default_route", "true"}};
  EXPECT_FALSE(attach.spec().default_route);
}

TEST(EndpointRef, IsPodmansIdOrTheNameOfTheJoinedNetwork) {
  Attach attach;
  EXPECT_EQ(to_string(endpoint_ref(attach.call.container, attach.connection).network),
            std::string(64, 'a'));
  attach.connection.network.driver = "fairlead";
  attach.connection.network.options = {{"network", "blog"}};
  EXPECT_EQ(to_string(endpoint_ref(attach.call.container, attach.connection).network), "blog");
}

}  // namespace
}  // namespace fairlead::netavark
