#include "plugin-api/cni/result.h"

#include <gtest/gtest.h>

#include "base/json/json.h"
#include "plugin-api/cni/prev_result.h"

namespace fairlead::cni {
namespace {

network::Attachment attachment() {
  network::Attachment made{
      .host_links = {{*IfName::parse("br0"), *MacAddress::parse("02:00:00:00:00:01")},
                     {*IfName::parse("flh1"), *MacAddress::parse("02:00:00:00:00:02")}},
      .container_ifname = *IfName::parse("eth0"),
      .container_mac = *MacAddress::parse("02:00:00:00:00:03"),
      .mtu = 1400};
  made.endpoint.addresses = {*Cidr::parse("10.1.0.2/24"), *Cidr::parse("fd00::2/64")};
  made.endpoint.gateways = {*IpAddress::parse("10.1.0.1")};
  made.routes = {{.destination = *Cidr::parse("0.0.0.0/0"),
                  .via = *IpAddress::parse("10.1.0.1"),
                  .mtu = 1300,
                  .table = 0}};
  return made;
}

json::Json result_in(const char* version, const network::Attachment& made = attachment(),
                     const network::Dns& dns = {}) {
  const auto text =
      encode_result(made, {.dns = dns, .netns = "/run/netns/web"}, *find_version(version));
  EXPECT_TRUE(text);
  return text ? *json::parse(*text) : json::Json();
}

TEST(Result, ListsBridgeHostEndAndContainerEnd) {
  const auto interfaces = result_in("1.0.0")["interfaces"];
  EXPECT_EQ(
      interfaces,
      json::Json::parse(
          R"([{"name":"br0","mac":"02:00:00:00:00:01"},{"name":"flh1","mac":"02:00:00:00:00:02"},
      {"name":"eth0","mac":"02:00:00:00:00:03","sandbox":"/run/netns/web"}])"));
}

TEST(Result, TellsTheGatewayOfEachAddressesOwnSubnet) {
  auto made = attachment();
  made.endpoint.addresses = {*Cidr::parse("10.1.0.2/24"), *Cidr::parse("10.2.0.2/24")};
  made.endpoint.gateways = {*IpAddress::parse("10.1.0.1"), *IpAddress::parse("10.2.0.1")};
  EXPECT_EQ(result_in("1.0.0", made)["ips"][1]["gateway"], "10.2.0.1");
  EXPECT_EQ(result_in("0.2.0", made)["ip4"]["ip"], "10.1.0.2/24");  // there is room for one
}

TEST(Result, PointsTheAddressesAtTheContainersEndAlsoWithoutABridge) {
  auto made = attachment();
  made.host_links.erase(made.host_links.begin());
  const auto result = result_in("1.0.0", made);
  EXPECT_EQ(result["ips"][0]["interface"], 1);
  EXPECT_EQ(result["interfaces"][1]["name"], "eth0");
}

TEST(Result, SaysTheFamilyOfAnAddressUntil040Only) {
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    EXPECT_EQ(result_in(version)["ips"][0]["version"], "4") << version;
    EXPECT_EQ(result_in(version)["ips"][1]["version"], "6") << version;
  }
  for (const char* version : {"1.0.0", "1.1.0"})
    EXPECT_FALSE(result_in(version)["ips"][0].contains("version")) << version;
}

TEST(Result, HasMtuAndDetailsOfRoutesSince110) {
  EXPECT_EQ(result_in("1.1.0")["interfaces"][2]["mtu"], 1400);
  EXPECT_EQ(result_in("1.1.0")["routes"][0],
            json::Json::parse(R"({"dst":"0.0.0.0/0","gw":"10.1.0.1","mtu":1300,"table":0})"));
  EXPECT_FALSE(result_in("1.0.0")["interfaces"][2].contains("mtu"));
  EXPECT_EQ(result_in("1.0.0")["routes"][0],
            json::Json::parse(R"({"dst":"0.0.0.0/0","gw":"10.1.0.1"})"));
}

TEST(Result, IsAPairOfFamiliesBefore030) {
  EXPECT_EQ(
      result_in("0.2.0"),
      json::Json::parse(R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.2/24","gateway":"10.1.0.1",
      "routes":[{"dst":"0.0.0.0/0","gw":"10.1.0.1"}]},"ip6":{"ip":"fd00::2/64"}})"));
}

TEST(Result, WithoutAnAddressCannotBeToldBefore030) {
  auto made = attachment();
  made.endpoint.addresses.clear();
  const auto text = encode_result(made, {.netns = "/run/netns/web"}, *find_version("0.1.0"));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::kConfiguration);
  EXPECT_FALSE(result_in("1.0.0", made).contains("ips"));
}

TEST(Result, LeavesEmptySectionsOut) {
  EXPECT_FALSE(result_in("1.0.0").contains("dns"));
  EXPECT_EQ(result_in("1.0.0", attachment(), {.nameservers = {"10.1.0.1"}})["dns"],
            json::Json::parse(R"({"nameservers":["10.1.0.1"]})"));
}

TEST(Result, IsReadBackAsPrevResult) {
  for (const char* version : {"0.4.0", "1.0.0", "1.1.0"}) {
    const json::Json result = result_in(version);
    const auto previous = decode_prev_result(*json::Object::of(result), "eth0");
    ASSERT_TRUE(previous);
    EXPECT_EQ(previous->addresses, attachment().endpoint.addresses);
    EXPECT_EQ(previous->mac, attachment().container_mac);
    EXPECT_EQ(previous->routes.at(0).destination.to_string(), "0.0.0.0/0");
  }
}

TEST(PrevResult, OnlyTheContainersOwnMacAndAddressesMustBeSo) {
  const auto result = [](const char* name, const char* index) {
    const auto document = json::Json::parse(fmt::format(
        R"({{"interfaces":[{{"name":"{}","sandbox":"/x","mac":"infiniband","mtu":"?"}},{{"name":"net1","sandbox":"/x"}}],
        "ips":[{{"address":"x","interface":{},"gateway":7,"version":4}}]}})",
        name, index));
    return decode_prev_result(*json::Object::of(document, "prevResult"), "net1");
  };
  EXPECT_TRUE(result("ib0", "0"));
  EXPECT_EQ(result("net1", "1").error().text.substr(0, 36), "field prevResult.interfaces[0].mac: ");
  EXPECT_EQ(result("ib0", "1").error().text.substr(0, 33), "field prevResult.ips[0].address: ");
  EXPECT_EQ(result("ib0", "-2").error().text,
            "field prevResult.ips[0].interface must be -1 to 2147483647, not -2");
}

TEST(PrevResult, AddressesOfOtherInterfacesAreNotTheContainers) {
  const auto document = json::Json::parse(
      R"({"interfaces":[{"name":"eth0","sandbox":"/x","mac":"02:00:00:00:00:01"},{"name":"net1","sandbox":"/x"},{"name":"net1"}],
      "ips":[{"address":"10.1.0.2/24","interface":0},{"address":"10.2.0.2/24","interface":1},{"address":"10.3.0.2/24"}]})");
  const auto previous = decode_prev_result(*json::Object::of(document), "net1");
  ASSERT_TRUE(previous);
  EXPECT_EQ(previous->addresses, std::vector{*Cidr::parse("10.2.0.2/24")});
  EXPECT_FALSE(previous->mac);
}

TEST(PrevResult, AnAddressOfNoInterfaceIsTheContainersWhereNoneNamesIt) {
  const auto document = json::Json::parse(
      R"({"interfaces":[{"name":"eth0","sandbox":"/x"},{"name":"net1","sandbox":"/x"}],
      "ips":[{"address":"10.1.0.2/24","interface":0},{"address":"10.3.0.2/24"}]})");
  EXPECT_EQ(decode_prev_result(*json::Object::of(document), "net1")->addresses,
            std::vector{*Cidr::parse("10.3.0.2/24")});
}

Result<json::Json> earlier(const char* text, const char* ifname = "net1") {
  const auto document = json::Json::parse(text);
  return decode_earlier(*json::Object::of(document, "prevResult"), ifname);
}

TEST(Earlier, AnotherInterfaceOfTheNameIsRefusedAndOneOfTheHostIsNot) {
  EXPECT_TRUE(earlier(R"({"interfaces":[{"name":"net1"},{"name":"eth0","sandbox":"/x"}]})"));
  EXPECT_FALSE(earlier(R"({"interfaces":[{"name":"net1","sandbox":"/x"}]})"));
}

TEST(Earlier, WhatIsNoResultIsRefused) {
  for (const char* bad :
       {R"({"interfaces":7})", R"({"interfaces":[7]})", R"({"ips":[{}]})", R"({"ips":"x"})",
        R"({"routes":[{"dst":"x"}]})", R"({"ip4":{"ip":"10.1.0.2/24"}})"})
    EXPECT_FALSE(earlier(bad)) << bad;
  EXPECT_TRUE(earlier("{}"));
}

TEST(Earlier, WhatItHoldsStaysAndOursFollows) {
  const auto joined = joined_results(
      json::Json::parse(
          R"({"cniVersion":"0.4.0","interfaces":[{"name":"a","pciID":"x"}],"ips":[{"address":"1"}],
              "dns":{"nameservers":["1"],"domain":"a"},"custom":{"k":1}})"),
      json::Json::parse(
          R"({"cniVersion":"1.0.0","interfaces":[{"name":"b"},{"name":"c"}],
              "ips":[{"address":"2","interface":1},{"address":"3"}],"routes":[{"dst":"r"}],
              "dns":{"nameservers":["1","2"],"domain":"b","search":["s"]}})"));
  EXPECT_EQ(
      joined,
      json::Json::parse(
          R"({"cniVersion":"1.0.0","interfaces":[{"name":"a","pciID":"x"},{"name":"b"},{"name":"c"}],
                    "ips":[{"address":"1"},{"address":"2","interface":2},{"address":"3"}],
                    "routes":[{"dst":"r"}],"custom":{"k":1},
                    "dns":{"nameservers":["1","2"],"domain":"a","search":["s"]}})"));
}

TEST(Earlier, AnEmptyOneAddsNothing) {
  const auto ours = json::Json::parse(R"({"cniVersion":"1.0.0","interfaces":[{"name":"b"}],
                                          "ips":[{"address":"2","interface":0}]})");
  EXPECT_EQ(joined_results(json::Json::object(), ours), ours);
}

}  // namespace
}  // namespace fairlead::cni
