// Records as JSON text, both ways, and damaged ones.
#include "network/service/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/api/options.h"

namespace fairlead::network {
namespace {

template <class T>
T get(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text;
  return std::move(*result);
}

Network rich_network() {
  Network network{.id = std::string(64, 'a'), .name = get(NetworkName::parse("shop"))};
  network.options.mtu = 1400;
  network.options.icc = false;
  network.options.host_ip_v4 = get(IpAddress::parse("127.0.0.1"));
  network.options.rates.in_bits = 1'000'000;
  network.options.spoofing = Spoofing::kAllow;
  network.options.publish = HostModel::kWeak;
  network.options.trusted_interfaces = {get(IfName::parse("wg0")),
                                        get(IfName::parse("tailscale0"))};
  network.options.host_access = true;
  network.subnets.push_back({.subnet = get(Cidr::parse("10.1.0.0/24")),
                             .gateway = get(IpAddress::parse("10.1.0.1")),
                             .range = get(Cidr::parse("10.1.0.128/25")),
                             .aux = {{"printer", get(IpAddress::parse("10.1.0.9"))}},
                             .pool_id = "10.1.0.0/24"});
  network.subnets.push_back({.subnet = get(Cidr::parse("fd00:1::/64"))});
  network.internal = true;
  network.address_source = AddressSource::kRuntime;
  network.labels["team"] = "a \"b\"";
  network.phase = Phase::kReady;
  network.created = 1'800'000'000;
  network.links.shown = {{"bridge", "fl-aaaaaaaaaaaa"},
                         {"bridge_mac", "02:00:00:00:00:01"},
                         {"foreign_bridge", "true"}};
  network.links.kept = {{"bridge_boot", "this boot"}, {"localnet_opened", "true"}};
  network.mtu = 1400;
  return network;
}

Endpoint rich_endpoint() {
  Endpoint endpoint{
      .id = "e1", .network_id = std::string(64, 'a'), .container = "web", .runtime = "cni"};
  endpoint.addresses = {get(Cidr::parse("10.1.0.2/24")), get(Cidr::parse("fd00:1::2/64"))};
  endpoint.gateways = {get(IpAddress::parse("10.1.0.1"))};
  endpoint.mac = MacAddress::for_ip(endpoint.addresses[0].address());
  endpoint.links.shown = {{"host_ifname", "flh012345678901"}};
  endpoint.ifname = "eth0";
  endpoint.ports = {{Proto::kUdp, get(IpAddress::parse("::")), 53, 5353},
                    {Proto::kTcp, {}, 8080, 80}};
  endpoint.aliases = {"www"};
  endpoint.names = {
      .name = "web", .project = "shop", .service = "front", .labels = {{"tier", "front"}}};
  endpoint.rates.out_bits = 5;
  endpoint.routes = {{.destination = get(Cidr::parse("10.9.0.0/16")),
                      .via = get(IpAddress::parse("10.1.0.7")),
                      .mtu = 1280,
                      .table = 100,
                      .scope = 0}};
  endpoint.netns_path = "/run/netns/web";
  endpoint.boot_id = "b";
  endpoint.phase = Phase::kDeleting;
  endpoint.joined = true;
  endpoint.created = 7;
  return endpoint;
}

TEST(Records, NetworkComesBackAsItWas) {
  EXPECT_EQ(get(decode_network(encode(rich_network()))), rich_network());
}

// Earlier versions took every name of the kernel's; such a network can be used and removed.
TEST(Records, NamesOfInterfacesThatAreRefusedTodayCanBeRead) {
  for (const char* old_name : {"br+lan", "a\\\"b", "x*", "50%", "-br"}) {
    Network network = rich_network();
    network.options.bridge = get(IfName::parse("fl-aaaaaaaaaaaa"));
    network.options.ifname_prefix = "prefix";
    std::string text = encode(network);
    for (std::size_t at = 0; (at = text.find("fl-aaaaaaaaaaaa", at)) != std::string::npos;)
      text.replace(at, 15, old_name);
    text.replace(text.find("prefix\"", text.find("ifname_prefix") + 14), 6, "a+");
    const auto decoded = decode_network(text);
    ASSERT_TRUE(decoded) << decoded.error().text;
    EXPECT_EQ(decoded->options.bridge->str(), decoded->links.shown.at("bridge"));
    EXPECT_EQ(encode(*decoded), text);
  }
  EXPECT_FALSE(parse_options({{"bridge", "br+lan"}}));
  EXPECT_FALSE(parse_options({{"ifname_prefix", "a+"}}));
}

TEST(Records, TrustedInterfacesAreReadAsDockerWritesThemAndNeverAsPatterns) {
  const auto docker = get(
      parse_options({{"com.docker.network.bridge.trusted_host_interfaces", "tailscale0:wg0:wg0"}}));
  EXPECT_EQ(to_map(docker).at("trusted_interfaces"), "tailscale0,wg0");
  for (const char* wrong : {"wg*", "wg+", "a\"b", ",", "wg0,,wg1", "a b", "eth%d"})
    EXPECT_FALSE(parse_options({{"trusted_interfaces", wrong}})) << wrong;
  EXPECT_EQ(get(parse_options({{"host_access", "allow"}})).host_access, true);
  EXPECT_FALSE(parse_options({{"spoofing", "maybe"}}));
  EXPECT_FALSE(parse_options({{"publish", "weak"}}));
}

// Earlier versions had what the driver remembers as fields of the network and of the endpoint.
TEST(Records, WhatEarlierVersionsKnewOfLinksIsTheDrivers) {
  const auto network = get(decode_network(
      R"({"id":"x","name":"a","phase":"ready","bridge":"br0","bridge_mac":"02:00:00:00:00:01",
          "foreign_bridge":true,"bridge_boot":"b1","localnet_opened":true,"mtu":1400})"));
  EXPECT_EQ(
      network.links.shown,
      (std::map<std::string, std::string>{
          {"bridge", "br0"}, {"bridge_mac", "02:00:00:00:00:01"}, {"foreign_bridge", "true"}}));
  EXPECT_EQ(network.links.kept, (std::map<std::string, std::string>{{"bridge_boot", "b1"},
                                                                    {"localnet_opened", "true"}}));
  EXPECT_EQ(get(decode_network(encode(network))), network);
  const auto closed = get(decode_network(
      R"({"id":"x","name":"a","phase":"ready","bridge":"fl-1","localnet_opened":false})"));
  EXPECT_TRUE(closed.links.kept.empty());
  const auto endpoint = get(decode_endpoint(
      R"({"id":"e","network":"x","host_ifname":"flh012345678901","phase":"ready"})"));
  EXPECT_EQ(endpoint.links.shown.at("host_ifname"), "flh012345678901");
  EXPECT_EQ(get(decode_endpoint(encode(endpoint))), endpoint);
}

TEST(Records, AnOverlayComesBackAsItWas) {
  Network network = rich_network();
  network.options.mode = "overlay";
  for (const char* local : {"192.0.2.1", "2001:db8::1"}) {
    network.overlay = {
        .vni = 0xabcdef, .port = 8472, .local = get(IpAddress::parse(local)), .underlay_mtu = 9000};
    EXPECT_EQ(get(decode_network(encode(network))), network);
  }
}

TEST(Records, AnOverlayWithoutItsNumbersIsDamage) {
  const std::string good = R"({"id":"x","name":"a","phase":"ready","overlay":)";
  EXPECT_TRUE(decode_network(good + R"({"vni":1,"port":4789,"local":"192.0.2.1"}})"));
  for (const char* bad :
       {R"({}})", R"({"vni":0,"port":4789,"local":"192.0.2.1"}})",
        R"({"vni":16777216,"port":4789,"local":"192.0.2.1"}})",
        R"({"vni":1,"port":0,"local":"192.0.2.1"}})", R"({"vni":1,"port":4789,"local":"here"}})"})
    EXPECT_FALSE(decode_network(good + bad)) << bad;
}

TEST(Records, EndpointComesBackAsItWas) {
  EXPECT_EQ(get(decode_endpoint(encode(rich_endpoint()))), rich_endpoint());
}

TEST(Records, ClaimsComeBackAsTheyWere) {
  const std::vector<PortClaim> claims{{get(IpAddress::parse("127.0.0.1")), "n", "e", 80, "b"},
                                      {{}, "n", "f", 81, "b"}};
  EXPECT_EQ(get(decode_claims(encode(claims))), claims);
}

TEST(Records, TheUnderlayComesBackAsItWasAndAnOlderOneHasThePortOfAll) {
  const UnderlayRecord underlay{.hosts = {get(IpAddress::parse("192.0.2.1"))},
                                .wireguard_links = {get(IfName::parse("flw0"))},
                                .port = 8472};
  EXPECT_EQ(get(decode_underlay(encode(underlay))), underlay);
  EXPECT_EQ(get(decode_underlay(R"({"hosts":["192.0.2.1"],"secure_links":[]})")).port, 4789);
}

TEST(Records, DamageIsToldAsDamage) {
  for (const char* text : {"{}", "[]", R"({"id":"x","name":"../x","phase":"ready"})", R"({"id":7})",
                           R"({"id":"x","name":"a","phase":"sideways"})"}) {
    const auto decoded = decode_network(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, Code::kIo) << text;
    EXPECT_THAT(decoded.error().text, ::testing::HasSubstr("damaged"));
  }
  EXPECT_FALSE(decode_endpoint("{"));
  EXPECT_FALSE(decode_claims(R"({"claims":[{"network":"n"}]})"));
}

}  // namespace
}  // namespace fairlead::network
