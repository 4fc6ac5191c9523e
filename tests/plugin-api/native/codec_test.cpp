#include "plugin-api/native/codec.h"

#include <gtest/gtest.h>

#include "tests/plugin-api/native/samples.h"

namespace fairlead::native {
namespace {

using namespace fairlead::testing;

json::Json reparsed(const Document& document) { return json::parse(document.dump()).value(); }

void expect_same(const network::NetworkSpec& a, const network::NetworkSpec& b) {
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.options, b.options);
  EXPECT_EQ(a.subnets, b.subnets);
  EXPECT_EQ(a.ipv6, b.ipv6);
  EXPECT_EQ(a.internal, b.internal);
  EXPECT_EQ(a.address_source, b.address_source);
  EXPECT_EQ(a.labels, b.labels);
}

TEST(NetworkCodec, WhatInspectPrintsIsTheSameNetworkAgain) {
  for (const auto& network : {shop_network(), plain_network()}) {
    const auto spec = decode_network_spec(reparsed(encode_network(network, 3)));
    ASSERT_TRUE(spec) << spec.error().text;
    expect_same(*spec, spec_of(network));
  }
}

TEST(NetworkCodec, ShowsTheWholeNetwork) {
  EXPECT_EQ(reparsed(encode_network(shop_network(), 3)), json::Json::parse(R"({
    "name": "shop", "id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "options": {"mtu": "1400", "icc": "false", "rate_in": "1000000"},
    "subnets": [{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1", "range": "10.89.0.128/25", "aux": {"router": "10.89.0.5"}},
                {"subnet": "fd89::/64", "gateway": "fd89::1"}],
    "ipv6": true, "internal": false, "address_source": "fairlead", "labels": {"team": "a"},
    "reservations": [{"container": "db", "address": "10.89.0.7"}],
    "state": {"phase": "ready", "created": "2026-01-01T00:00:00Z", "bridge": "fl-aaaaaaaaaaaa", "foreign_bridge": false,
              "bridge_mac": "02:00:00:00:00:01", "mtu": 1400, "name_servers": ["10.89.0.1", "fd89::1"], "endpoints": 3}})"));
}

TEST(NetworkCodec, KeepsTheOrderInWhichPeopleRead) {
  EXPECT_TRUE(encode_network(shop_network()).dump().starts_with(R"({"name":"shop","id":"aaaa)"));
}

TEST(NetworkCodec, ANameIsEnough) {
  const auto spec = decode_network_spec(json::Json::parse(R"({"name": "shop"})"));
  ASSERT_TRUE(spec) << spec.error().text;
  network::NetworkSpec wanted;
  wanted.name = NetworkName::parse("shop").value();
  expect_same(*spec, wanted);
}

TEST(NetworkCodec, ASubnetMayBeOnlyAFamily) {
  const auto spec = decode_network_spec(
      json::Json::parse(R"({"name": "shop", "subnets": [{}, {"family": "ipv6"}]})"));
  ASSERT_TRUE(spec) << spec.error().text;
  ASSERT_EQ(spec->subnets.size(), 2U);
  EXPECT_EQ(spec->subnets[0].family, Family::kV4);
  EXPECT_EQ(spec->subnets[1].family, Family::kV6);
  EXPECT_EQ(decode_network_spec(reparsed(encode_network_spec(*spec)))->subnets, spec->subnets);
}

TEST(NetworkCodec, TakesDockersNamesOfOptions) {
  const auto spec = decode_network_spec(
      json::Json::parse(R"({"name": "shop", "options": {"com.docker.network.driver.mtu": 1400}})"));
  ASSERT_TRUE(spec) << spec.error().text;
  EXPECT_EQ(spec->options.mtu, 1400U);
}

AttachRequest full_request() {
  AttachRequest request;
  request.ifname = IfName::parse("net1").value();
  request.spec.network = network::NetworkText{"shop"};
  request.spec.id = "e1";
  request.spec.container = "web";
  request.spec.runtime = "mini";
  request.spec.netns_path = "/run/netns/web";
  request.spec.addresses = {cidr("10.89.0.9/24")};
  request.spec.address_source = network::AddressSource::kRuntime;
  request.spec.ranges = {cidr("10.89.0.0/28")};
  request.spec.range_sets = {{cidr("10.89.0.0/28")}, {cidr("10.90.0.0/28"), cidr("10.91.0.0/24")}};
  request.spec.known_as = {"web-0", "shop/web-0"};
  request.spec.mac = mac("02:00:00:00:00:09");
  request.spec.ports = {{network::Proto::kSctp, ip("::1"), 7000, 7010, 70}};
  request.spec.aliases = {"www"};
  request.spec.rates = network::Rates{1, 2, 3, 4};
  request.spec.routes = {{cidr("10.0.0.0/8"), ip("10.89.0.5"), 1300, 1260, 10, 254, 253}};
  return request;
}

TEST(EndpointCodec, AnAttachSurvivesTheWayThereAndBack) {
  const AttachRequest request = full_request();
  const auto again = decode_attach(reparsed(encode_attach(request)));
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->ifname, request.ifname);
  EXPECT_EQ(again->spec.network, request.spec.network);
  EXPECT_EQ(again->spec.id, request.spec.id);
  EXPECT_EQ(again->spec.container, request.spec.container);
  EXPECT_EQ(again->spec.runtime, request.spec.runtime);
  EXPECT_EQ(again->spec.netns_path, request.spec.netns_path);
  EXPECT_EQ(again->spec.addresses, request.spec.addresses);
  EXPECT_EQ(again->spec.address_source, request.spec.address_source);
  EXPECT_EQ(again->spec.ranges, request.spec.ranges);
  EXPECT_EQ(again->spec.range_sets, request.spec.range_sets);
  EXPECT_EQ(again->spec.known_as, request.spec.known_as);
  EXPECT_EQ(again->spec.mac, request.spec.mac);
  EXPECT_EQ(again->spec.ports, request.spec.ports);
  EXPECT_EQ(again->spec.aliases, request.spec.aliases);
  EXPECT_EQ(again->spec.rates, request.spec.rates);
  EXPECT_EQ(again->spec.routes, request.spec.routes);
}

TEST(EndpointCodec, AnAttachHasSaneDefaults) {
  const auto request =
      decode_attach(json::Json::parse(R"({"network": "shop", "container": "web", "pid": 42})"));
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->ifname.str(), "eth0");
  EXPECT_EQ(request->spec.id, network::endpoint_id("web", "eth0"));
  EXPECT_EQ(request->spec.runtime, "api");
  EXPECT_EQ(request->spec.netns_path, "/proc/42/ns/net");
  EXPECT_FALSE(request->spec.rates);
}

TEST(EndpointCodec, WhatInspectPrintsCanBeAttachedAgain) {
  const network::Endpoint web = web_endpoint();
  const auto request = decode_attach(reparsed(encode_endpoint({web, "shop", 1400})));
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(to_string(request->spec.network), "shop");
  EXPECT_EQ(request->spec.id, web.id);
  EXPECT_EQ(request->ifname.str(), web.ifname);
  EXPECT_EQ(request->spec.addresses, web.addresses);
  EXPECT_EQ(request->spec.mac, web.mac);
  EXPECT_EQ(request->spec.rates, web.rates);
  EXPECT_EQ(request->spec.routes, web.routes);
  ASSERT_EQ(request->spec.ports.size(), 2U);
  EXPECT_EQ(request->spec.ports[0].host_port, 8080);
  EXPECT_EQ(request->spec.ports[1].host_ip, ip("127.0.0.1"));
}

TEST(EndpointCodec, ShowsStateApart) {
  EXPECT_EQ(reparsed(encode_endpoint({web_endpoint(), "shop", 1400}))["state"],
            json::Json::parse(R"({
    "phase": "ready", "joined": true, "network_id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "gateways": ["10.89.0.1", "fd89::1"], "host_ifname": "flh0123456789ab", "mtu": 1400, "created": "2026-01-01T00:00:00Z"})"));
}

TEST(PortCodec, ShowsTheHolder) {
  EXPECT_EQ(reparsed(encode_port_holder(web_port())),
            (json::Json{{"protocol", "udp"},
                        {"host_ip", "127.0.0.1"},
                        {"host_port", 53},
                        {"container_port", 53},
                        {"targets", {"10.89.0.130", "fd89::2"}},
                        {"network", "shop"},
                        {"network_id", kShopId},
                        {"endpoint", web_endpoint().id},
                        {"container", "web"}}));
}

TEST(PortCodec, APortIsTcpOnEveryAddressUnlessSaid) {
  const auto ports = decode_publish(json::Json::parse(R"({"ports": [{"container_port": 80}]})"));
  ASSERT_TRUE(ports) << ports.error().text;
  EXPECT_EQ(*ports,
            (std::vector<network::PortSpec>{{network::Proto::kTcp, std::nullopt, 0, 0, 80}}));
}

TEST(VolumeCodec, WhatInspectPrintsIsTheSameVolumeAgain) {
  const auto spec = decode_volume_spec(reparsed(encode_volume(data_volume(), data_status())));
  ASSERT_TRUE(spec) << spec.error().text;
  EXPECT_EQ(spec->name, data_volume().name);
  EXPECT_EQ(spec->options, data_volume().options);
  EXPECT_EQ(spec->labels, data_volume().labels);
}

TEST(VolumeCodec, ShowsTheWholeVolume) {
  EXPECT_EQ(reparsed(encode_volume(data_volume(), data_status())), json::Json::parse(R"({
    "name": "data", "options": {"backend": "image", "size": "10g"}, "labels": {"team": "a"},
    "state": {"id": "dddddddddddddddddddddddddddddddd", "backend": "image",
              "mountpoint": "/var/lib/fairlead/volumes/dddddddddddddddddddddddddddddddd/_data", "phase": "ready",
              "created": "2026-01-01T00:00:00Z", "mounts": [{"client": "api", "id": "web", "count": 2}], "reason": "asked for",
              "size": 10737418240, "used": 1610612736, "only_in_snapshots": 1048576, "inodes": 655360, "inodes_used": 12, "in_use": true,
              "left_out": {"count": 1, "notes": ["dev/null is a device node; it was left out"]},
              "users": "process 42 of web", "condition": "ok", "health": "ok", "pool": "fast", "last_backup": "2026-01-01T01:00:00Z",
              "warnings": ["more is promised than there is"],
              "last_scheduled_backup": "2026-01-01T01:00:00Z", "last_backup_try": "2026-01-01T02:00:00Z",
              "backup_failing_since": "2026-01-01T02:00:00Z", "backup_failures": 1, "backup_error": "the disk is full",
              "snapshots": [{"name": "monday", "state": {"volume": "data", "id": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
                             "origin": "user", "created": "2026-01-01T00:01:00Z", "size": 10737418240,
                             "group": "55555555555555555555555555555555"}}]}})"));
}

TEST(VolumeCodec, AMountIsOfTheApiUnlessSaid) {
  const auto request = decode_mount(json::Json::parse(R"({"id": "web"})"));
  ASSERT_TRUE(request) << request.error().text;
  EXPECT_EQ(request->client, "api");
  EXPECT_EQ(request->id, "web");
}

TEST(ProblemCodec, SaysWhatRfc9457Asks) {
  EXPECT_EQ(reparsed(encode_problem({Code::kInUse, 0, "remove network shop: web uses it"}, 409,
                                    "It is in use")),
            (json::Json{{"type", "urn:fairlead:problem:in_use"},
                        {"title", "It is in use"},
                        {"status", 409},
                        {"detail", "remove network shop: web uses it"},
                        {"code", "in_use"}}));
}

TEST(Text, NeverFailsOnBytesThatAreNotUtf8) {
  EXPECT_EQ(encode_problem({Code::kIo, 0, "open \xff"}, 500, "t").dump().find('\xff'),
            std::string::npos);
}

}  // namespace
}  // namespace fairlead::native
