// What of networks and endpoints is a zone and a host.
#include <gtest/gtest.h>

#include "network/dns/directory.h"

namespace fairlead::dns {
namespace {

using network::Endpoint;
using network::Network;
using Names = std::vector<std::string>;

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

network::Subnet subnet(std::string_view cidr, std::string_view gateway) {
  return {.subnet = *Cidr::parse(cidr), .gateway = ip(gateway)};
}

Network shop() {
  Network network{.id = "0123456789abcdef", .name = *NetworkName::parse("shop")};
  network.subnets = {subnet("10.1.0.0/24", "10.1.0.1"), subnet("fd00:1::/64", "fd00:1::1")};
  network.name_servers = {ip("10.1.0.1"), ip("fd00:1::1")};
  return network;
}

TEST(ZoneOf, HasWhatTheNetworkHas) {
  Network network = shop();
  network.options.dns_domain = "shop.internal";
  network.options.dns_servers = {ip("192.0.2.53")};
  network.internal = true;
  EXPECT_EQ(zone_of(network),
            (Zone{.network = "0123456789abcdef",
                  .names = {"shop"},
                  .domain = "shop.internal",
                  .servers = {ip("192.0.2.53")},
                  .gateways = {ip("10.1.0.1"), ip("fd00:1::1")},
                  .subnets = {*Cidr::parse("10.1.0.0/24"), *Cidr::parse("fd00:1::/64")},
                  .internal = true}));
  network.options.dns = false;
  EXPECT_FALSE(zone_of(network).answers);
}

TEST(ZoneOf, IsCalledAsPeopleCallItFirst) {
  Network network = shop();
  network.name = *NetworkName::parse("docker-0123456789ab");
  network.runtimes = {{.id = "other", .name = "lab"},
                      {.id = network.id, .name = "shop_default"},
                      {.id = "third", .name = ""}};
  EXPECT_EQ(zone_of(network).names, (Names{"shop_default", "docker-0123456789ab", "lab"}));
}

TEST(ZoneOf, AGatewayThatIsNotTheHostsIsNone) {
  Network network = shop();
  network.name_servers = {ip("fd00:1::1")};
  EXPECT_EQ(zone_of(network).gateways, std::vector{ip("fd00:1::1")});
  network.name_servers.clear();
  EXPECT_TRUE(zone_of(network).gateways.empty());
}

Endpoint web() {
  Endpoint endpoint{.id = "e1", .network_id = "n1"};
  endpoint.container = std::string(60, '0') + "beef";
  endpoint.runtime = "docker";
  endpoint.addresses = {*Cidr::parse("10.1.0.2/24"), *Cidr::parse("fd00:1::2/64")};
  endpoint.phase = network::Phase::kReady;
  endpoint.joined = true;
  return endpoint;
}

TEST(HostOf, HasItsNamesInTheirOrder) {
  Endpoint endpoint = web();
  endpoint.names.name = "shop_web_1";
  endpoint.names.service = "web";
  endpoint.aliases = {"www", "web"};
  endpoint.names.aliases = {"front", "www"};
  endpoint.names.hostname = "web01";
  EXPECT_EQ(host_of(endpoint).names,
            (Names{"shop_web_1", "web", "www", "front", "web01", "000000000000"}));
}

TEST(HostOf, AOneOffContainerIsNotItsService) {
  Endpoint endpoint = web();
  endpoint.names = {.name = "shop-web-run-1", .service = "web"};
  endpoint.names.labels["com.docker.compose.oneoff"] = "True";
  EXPECT_EQ(host_of(endpoint).names, (Names{"shop-web-run-1", "000000000000"}));
  endpoint.names.labels["com.docker.compose.oneoff"] = "False";
  EXPECT_EQ(host_of(endpoint).names, (Names{"shop-web-run-1", "web", "000000000000"}));
}

TEST(HostOf, DockersHostnameIsItsShortId) {
  Endpoint endpoint = web();
  endpoint.names.name = "web";
  endpoint.names.hostname = "000000000000";
  EXPECT_EQ(host_of(endpoint).names, (Names{"web", "000000000000"}));
}

TEST(HostOf, APodIsFoundInItsNamespace) {
  Endpoint endpoint = web();
  endpoint.names.name = "default/web-0";
  EXPECT_EQ(host_of(endpoint).names, (Names{"web-0", "web-0.default", "000000000000"}));
}

TEST(HostOf, AnIdThatIsAName) {
  Endpoint endpoint = web();
  endpoint.container = "web";
  EXPECT_EQ(host_of(endpoint).names, Names{"web"});
  endpoint.container = "deadbeef";  // somebody's name, of hex digits
  EXPECT_EQ(host_of(endpoint).names, Names{"deadbeef"});
}

TEST(HostOf, AnIdOfContainerdIsANameAfterItsNamespace) {
  Endpoint endpoint = web();
  endpoint.runtime = "cni:shop";
  endpoint.names = {};
  endpoint.aliases = {};
  endpoint.container = "default-web";
  EXPECT_EQ(host_of(endpoint).names, (Names{"web", "default-web"}));
  endpoint.container = "default-" + std::string(64, 'a');
  EXPECT_EQ(host_of(endpoint).names,
            (Names{std::string(12, 'a'), "default-" + std::string(64, 'a')}));
  endpoint.runtime = "api";
  endpoint.container = "default-web";
  EXPECT_EQ(host_of(endpoint).names, Names{"default-web"});
}

TEST(HostOf, ItsOwnerIsTheContainer) {
  Endpoint endpoint = web();
  endpoint.container = "abc";
  EXPECT_EQ(host_of(endpoint).owner, "docker/abc");
  endpoint.container.clear();
  EXPECT_EQ(host_of(endpoint).owner, "e1");
  EXPECT_TRUE(host_of(endpoint).names.empty());
  endpoint.container = "web";
  endpoint.runtime = "cni:shop";  // a network that is joined
  const std::string joined = host_of(endpoint).owner;
  endpoint.runtime = "cni";
  EXPECT_EQ(host_of(endpoint).owner, joined);
}

TEST(HostOf, ItsAddressesPortsAndServers) {
  Endpoint endpoint = web();
  endpoint.ports = {{.host_port = 8080, .container_port = 80}};
  endpoint.standby_ports = {{.host_port = 8081, .container_port = 81}};
  endpoint.names.dns_servers = {ip("192.0.2.1")};
  const Host host = host_of(endpoint);
  EXPECT_EQ(host.network, "n1");
  EXPECT_EQ(host.endpoint, "e1");
  EXPECT_EQ(host.addresses, (std::vector{ip("10.1.0.2"), ip("fd00:1::2")}));
  ASSERT_EQ(host.ports.size(), 2U);
  EXPECT_EQ(host.ports[1].container_port, 81);
  EXPECT_EQ(host.servers, std::vector{ip("192.0.2.1")});
}

TEST(IsHost, WhileItIsThere) {
  EXPECT_TRUE(is_host(web()));
  Endpoint endpoint = web();
  endpoint.joined = false;
  EXPECT_FALSE(is_host(endpoint));
  for (const auto phase : {network::Phase::kCreating, network::Phase::kDeleting}) {
    endpoint = web();
    endpoint.phase = phase;
    EXPECT_FALSE(is_host(endpoint));
  }
}

TEST(ServicePorts, OfTheHost) {
  const ServicePorts services = service_ports_of_host();
  EXPECT_EQ(services("no such service", "tcp"), std::nullopt);
  EXPECT_EQ(services("", ""), std::nullopt);
  if (const auto https = services("https", "tcp")) EXPECT_EQ(https, 443);
}

}  // namespace
}  // namespace fairlead::dns
