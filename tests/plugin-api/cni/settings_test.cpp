#include "plugin-api/cni/settings.h"

#include <gtest/gtest.h>

#include "plugin-api/cni/ranges.h"

namespace fairlead::cni {
namespace {

using network::GatewayMode;

Decoded<Settings> settings_of(const std::string& text) {
  const auto document = json::parse(text);
  EXPECT_TRUE(document) << text;
  return decode_settings(*json::Object::of(*document, "", json::Keys::kAnyCase),
                         *NetworkName::parse("shop"));
}

void expect_refused(const std::string& text, const std::string& message,
                    ErrorCode code = ErrorCode::kConfiguration) {
  const auto settings = settings_of(text);
  ASSERT_FALSE(settings) << text;
  EXPECT_EQ(settings.error().code, code) << text;
  EXPECT_NE(settings.error().message.find(message), std::string::npos) << settings.error().message;
}

std::string joined(const std::vector<Cidr>& prefixes) {
  std::string text;
  for (const Cidr& prefix : prefixes) text += (text.empty() ? "" : " ") + prefix.to_string();
  return text;
}

// The sets that an endpoint is to have addresses of, "a b | c"; "" when it needs none for the family.
std::string sets_of(const Settings& settings, Family family = Family::kV4) {
  std::string text;
  if (is_plain(settings.ranges, family)) return text;
  for (const AddressRangeSet& set : settings.ranges)
    if (set.front().subnet.family == family)
      text += (text.empty() ? "" : " | ") + joined(prefixes_of(set, settings.network.subnets));
  return text;
}

std::string subnets_of(const Settings& settings) {
  std::string text;
  for (const network::SubnetSpec& subnet : settings.network.subnets)
    text += (text.empty() ? "" : " ") + subnet.subnet->to_string();
  return text;
}

TEST(Settings, AnEmptyConfigurationHasGatewayAndMasquerade) {
  const auto settings = settings_of("{}");
  ASSERT_TRUE(settings);
  EXPECT_TRUE(settings->network.options.masquerade);
  EXPECT_FALSE(settings->network.internal);
  EXPECT_EQ(settings->network.options.gateway_mode_v4, GatewayMode::kNat);
  EXPECT_TRUE(settings->network.subnets.empty());
}

TEST(Settings, GatewayAndMasqueradeAreSwitchedOffInTheBridgePluginsWords) {
  EXPECT_FALSE(settings_of(R"({"ipMasq":false})")->network.options.masquerade);
  const auto settings = settings_of(R"({"isGateway":false})");
  EXPECT_EQ(settings->network.options.gateway_mode_v4, GatewayMode::kIsolated);
  EXPECT_TRUE(settings->network.internal);
  EXPECT_FALSE(settings_of(R"({"isGateway":false,"isDefaultGateway":true})")->network.internal);
}

TEST(Settings, KeysAreFoundInAnyCase) {
  const auto settings = settings_of(
      R"({"IPAM":{"Type":"host-local","Subnet":"10.1.0.0/24"},"MTU":1400,"IpMasq":"FALSE"})");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->network.subnets.at(0).subnet->to_string(), "10.1.0.0/24");
  EXPECT_EQ(settings->network.options.mtu, 1400U);
  EXPECT_FALSE(settings->network.options.masquerade);
}

TEST(Settings, TheNetworkToJoinIsAKeyOrAnOption) {
  EXPECT_EQ(settings_of(R"({"network":"blog"})")->network.options.join->str(), "blog");
  EXPECT_EQ(settings_of(R"({"options":{"network":"blog"}})")->network.options.join->str(), "blog");
  expect_refused(R"({"network":"../x"})", "is not a network name");
}

TEST(Settings, OneOptionWithTwoValuesIsRefused) {
  expect_refused(R"({"mtu":1400,"options":{"mtu":"1500"}})",
                 "field mtu is \"1400\", but options.mtu is \"1500\"");
  EXPECT_TRUE(settings_of(R"({"mtu":1400,"options":{"mtu":"1400"}})"));
  EXPECT_TRUE(settings_of(R"({"mtu":0,"bridge":""})"));
}

TEST(Settings, DockersWordsAreOptionsToo) {
  EXPECT_FALSE(settings_of(R"({"options":{"com.docker.network.bridge.enable_icc":"false"}})")
                   ->network.options.icc);
}

TEST(Settings, SubnetsAreTextOrObjects) {
  const auto settings =
      settings_of(R"({"subnets":["10.1.0.0/24",{"subnet":"fd00::/64","gateway":"fd00::fe"}]})");
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->network.subnets.at(0).subnet->to_string(), "10.1.0.0/24");
  EXPECT_EQ(settings->network.subnets.at(1).gateway->to_string(), "fd00::fe");
  EXPECT_EQ(settings->network.subnets.at(1).family, Family::kV6);
}

TEST(Settings, ARangeThatIsAPrefixIsTheNetworksRange) {
  const auto settings =
      settings_of(R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.128","rangeEnd":"10.1.0.255"})");
  EXPECT_EQ(settings->network.subnets.at(0).range->to_string(), "10.1.0.128/25");
  EXPECT_EQ(sets_of(*settings), "");
}

TEST(Settings, AnyOtherRangeIsGivenOutExactly) {
  const auto settings = settings_of(
      R"({"ipam":{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.10","rangeEnd":"10.1.0.17"}})");
  EXPECT_EQ(settings->network.subnets.at(0).range->to_string(), "10.1.0.0/27");
  EXPECT_EQ(sets_of(*settings), "10.1.0.10/31 10.1.0.12/30 10.1.0.16/31");
}

TEST(Settings, TwoRangesOfOneSubnetAreOnePool) {
  const auto settings = settings_of(
      R"({"ipam":{"ranges":[[{"subnet":"10.1.0.0/24","rangeStart":"10.1.0.8","rangeEnd":"10.1.0.15"},
      {"subnet":"10.1.0.0/24","rangeStart":"10.1.0.32","rangeEnd":"10.1.0.63"}]]}})");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->network.subnets.size(), 1U);
  EXPECT_EQ(sets_of(*settings), "10.1.0.8/29 10.1.0.32/27");
}

TEST(Settings, SubnetsOfOneFamilyAreAlternatives) {
  const auto settings = settings_of(R"({"subnets":["10.1.0.0/24","10.2.0.0/24","fd00::/64"]})");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(subnets_of(*settings), "10.1.0.0/24 10.2.0.0/24 fd00::/64");
  EXPECT_EQ(sets_of(*settings), "");
  EXPECT_EQ(sets_of(*settings, Family::kV6), "");
}

// The inner arrays of host-local are alternatives, and each outer element gives an address.
TEST(Settings, EachSetOfRangesGivesAnAddress) {
  const auto settings = settings_of(
      R"({"ipam":{"type":"host-local","ranges":[[{"subnet":"10.1.0.0/24"}],
      [{"subnet":"10.2.0.0/24"},{"subnet":"10.3.0.0/24","rangeStart":"10.3.0.8","rangeEnd":"10.3.0.15"}],
      [{"subnet":"fd00::/64"}]]}})");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(subnets_of(*settings), "10.1.0.0/24 10.2.0.0/24 10.3.0.0/24 fd00::/64");
  EXPECT_EQ(sets_of(*settings), "10.1.0.0/24 | 10.2.0.0/24 10.3.0.8/29");
  EXPECT_EQ(sets_of(*settings, Family::kV6), "");
}

TEST(Settings, ASetOfTwoSubnetsAloneNeedsNoSets) {
  const auto settings =
      settings_of(R"({"ipam":{"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"10.2.0.0/24"}]]}})");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(sets_of(*settings), "");
}

TEST(Settings, ASetHoldsOneFamily) {
  expect_refused(R"({"ipam":{"ranges":[[{"subnet":"10.1.0.0/24"},{"subnet":"fd00::/64"}]]}})",
                 "of two families; write two sets");
}

TEST(Settings, TwoGatewaysOfOneSubnetAreRefused) {
  expect_refused(R"({"subnets":[{"subnet":"10.1.0.0/24","gateway":"10.1.0.1"},
                 {"subnet":"10.1.0.0/24","gateway":"10.1.0.2"}]})",
                 "the subnet 10.1.0.0/24 has two gateways, 10.1.0.1 and 10.1.0.2");
}

TEST(Settings, WrongSubnetsAreRefusedByName) {
  expect_refused(R"({"subnet":"10.1.0.5/24"})", "field subnet: \"10.1.0.5/24\" has host bits set");
  expect_refused(R"({"subnet":"10.1.0.0"})", "field subnet");
  expect_refused(R"({"subnet":7})", "field subnet must be a string, not number");
  expect_refused(R"({"subnets":"10.1.0.0/24"})", "field subnets must be an array");
  expect_refused(R"({"subnets":[7]})", "field subnets[0]");
  expect_refused(R"({"ipam":{"ranges":[{"subnet":"10.1.0.0/24"}]}})",
                 "field ipam.ranges must hold arrays");
  expect_refused(R"({"ipam":{"ranges":[[{}]]}})", "field ipam.ranges[0].subnet is missing");
  expect_refused(R"({"ipam":{"subnet":"10.1.0.0/24","gateway":"10.2.0.1"}})",
                 "field ipam.gateway: 10.2.0.1 is outside the subnet 10.1.0.0/24");
  expect_refused(R"({"subnet":"10.1.0.0/24","rangeStart":"10.2.0.1"})", "outside the subnet");
  expect_refused(R"({"subnet":"10.1.0.0/24","rangeStart":"10.1.0.9","rangeEnd":"10.1.0.8"})",
                 "ends at 10.1.0.8, before it starts");
}

TEST(Settings, WrongFieldsOfRangesAreRefusedByTheirNames) {
  expect_refused(R"({"subnets":["10.1.0.0/24","fd00::1/64"]})", "field subnets[1]: ");
  expect_refused(R"({"subnets":[{"subnet":"10.1.0.5/24"}]})", "field subnets[0].subnet: ");
  for (const char* key : {"rangeStart", "rangeEnd", "gateway", "range"}) {
    expect_refused(fmt::format(R"({{"ipam":{{"subnet":"10.1.0.0/24","{}":7}}}})", key),
                   fmt::format("field ipam.{} must be a string, not number", key));
    expect_refused(
        fmt::format(
            R"({{"ipam":{{"ranges":[[{{"subnet":"fd00::/64"}}],[{{"subnet":"10.1.0.0/24","{}":"x"}}]]}}}})",
            key),
        fmt::format("field ipam.ranges[1].{}: ", key));
  }
  EXPECT_TRUE(
      settings_of(R"({"subnet":"10.1.0.0/24","rangeStart":"","rangeEnd":null,"gateway":""})"));
}

TEST(Settings, ANetworkWithAForeignIpamPluginHasTheSubnetsThatTheConfigurationNames) {
  const auto subnets_of = [](const char* config) {
    std::vector<std::string> texts;
    const auto settings = settings_of(config);
    EXPECT_TRUE(settings) << config;
    if (!settings) return texts;
    for (const auto& subnet : settings->network.subnets)
      texts.push_back(fmt::format("{} {}", subnet.subnet->to_string(),
                                  subnet.gateway ? subnet.gateway->to_string() : "-"));
    return texts;
  };
  const std::vector<std::string> none;
  EXPECT_EQ(subnets_of(R"({"ipam":{"type":"dhcp"}})"), none);
  EXPECT_EQ(subnets_of(R"({"ipam":{"type":"whereabouts","range":"10.1.0.0/28","routes":"x"}})"),
            none);
  EXPECT_EQ(subnets_of(R"({"subnet":"10.1.0.0/24","ipam":{"type":"dhcp","subnet":7}})"),
            std::vector<std::string>{"10.1.0.0/24 -"});
  EXPECT_EQ(subnets_of(R"({"ipam":{"type":"static","addresses":[
                {"address":"10.1.0.9/24","gateway":"10.1.0.254"},
                {"address":"10.2.0.9/24"},{"address":"fd00::9/64","gateway":"fd00::1"}]}})"),
            (std::vector<std::string>{"10.1.0.0/24 10.1.0.254", "fd00::/64 fd00::1"}));
  EXPECT_EQ(subnets_of(R"({"ipam":{"type":"host-local","delegate":true,
                "ranges":[[{"subnet":"10.1.0.0/24","gateway":"10.1.0.7"}]]}})"),
            std::vector<std::string>{"10.1.0.0/24 10.1.0.7"});
}

TEST(Settings, TheAddressesOfANetworkAreThoseOfItsIpamPlugin) {
  const auto delegated = settings_of(R"({"ipam":{"type":"dhcp","routes":[{"dst":"x"}]}})");
  ASSERT_TRUE(delegated);
  EXPECT_EQ(delegated->network.address_source, network::AddressSource::kPlugin);
  EXPECT_EQ(delegated->ipam, "dhcp");
  const auto own = settings_of(R"({"ipam":{"type":"host-local"}})");
  ASSERT_TRUE(own);
  EXPECT_EQ(own->network.address_source, network::AddressSource::kFairlead);
  EXPECT_EQ(own->ipam, "");
}

TEST(Settings, AStaticGatewayOutsideOfItsSubnetIsRefused) {
  expect_refused(
      R"({"ipam":{"type":"static","addresses":[{"address":"10.1.0.9/24","gateway":"10.2.0.1"}]}})",
      "the gateway 10.2.0.1 is outside of 10.1.0.0/24");
}

TEST(Settings, WhatCannotBeDoneIsRefusedWithKeyAndValue) {
  for (const char* key :
       {"preserveDefaultVlan", "promiscMode", "disableContainerInterface", "kernelpath"}) {
    expect_refused(fmt::format(R"({{"{}":true}})", key), fmt::format("field {} is true", key),
                   ErrorCode::kUnsupportedField);
    EXPECT_TRUE(settings_of(fmt::format(R"({{"{}":false}})", key))) << key;
  }
  expect_refused(R"({"vlanTrunk":[{"id":5}]})", "field vlanTrunk is [{\"id\":5}]",
                 ErrorCode::kUnsupportedField);
  EXPECT_TRUE(settings_of(R"({"vlan":0,"vlanTrunk":[]})"));
}

TEST(Settings, AVlanIsThatOfTheBridgePlugin) {
  EXPECT_EQ(settings_of(R"({"bridge":"br0","vlan":20})")->network.options.vlan, 20);
  EXPECT_EQ(settings_of(R"({"vlan":20,"options":{"vlan":"20"}})")->network.options.vlan, 20);
  expect_refused(R"({"vlan":20,"options":{"vlan":"30"}})", "field vlan is \"20\"");
  expect_refused(R"({"vlan":4095})", "use 1 to 4094");
  expect_refused(R"({"vlan":70000})", "field vlan");
  expect_refused(R"({"vlan":true})", "field vlan");
}

TEST(Settings, ADeviceIsThatOfThePluginHostDevice) {
  const auto of = [](const char* key, const char* value) {
    return settings_of(
               fmt::format(R"({{"options":{{"mode":"host-device"}},"{}":"{}"}})", key, value))
        ->network.options;
  };
  EXPECT_EQ(of("device", "eth7").parent->str(), "eth7");
  EXPECT_EQ(of("hwaddr", "02:00:00:00:00:07").parent_mac->to_string(), "02:00:00:00:00:07");
  EXPECT_EQ(of("pciBusID", "0000:03:00.1").parent_pci, "0000:03:00.1");
  expect_refused(R"({"options":{"mode":"host-device"},"pciBusID":"../x"})", "is not a PCI address");
  EXPECT_TRUE(settings_of(R"({"device":"eth7"})")) << "it means nothing to a bridge";
}

TEST(Settings, IsolatedPortsAreANetworkWhoseContainersDoNotReachEachOther) {
  EXPECT_FALSE(settings_of(R"({"portIsolation":true})")->network.options.icc);
  EXPECT_TRUE(settings_of(R"({"portIsolation":false})")->network.options.icc);
  expect_refused(R"({"portIsolation":true,"options":{"icc":"true"}})", "icc",
                 ErrorCode::kConfiguration);
}

TEST(Settings, TheFileOfTheNameServersIsNamed) {
  EXPECT_EQ(settings_of(R"({"ipam":{"resolvConf":"/etc/resolv.conf"}})")->resolv_conf,
            "/etc/resolv.conf");
  EXPECT_EQ(settings_of(R"({"ipam":{}})")->resolv_conf, "");
  expect_refused(R"({"ipam":{"resolvConf":7}})", "resolvConf", ErrorCode::kConfiguration);
}

TEST(Settings, WhatContainersSendIsCheckedWithAndWithoutBeingAskedTo) {
  EXPECT_TRUE(settings_of(R"({"macspoofchk":true})"));
  EXPECT_EQ(settings_of(R"({"macspoofchk":false})")->network.options.spoofing,
            network::Spoofing::kDeny);
  EXPECT_EQ(settings_of(R"({"options":{"spoofing":"allow"}})")->network.options.spoofing,
            network::Spoofing::kAllow);
  expect_refused(R"({"macspoofchk":true,"options":{"spoofing":"allow"}})", "leave one of them out");
}

TEST(Settings, UnknownKeysAreLetThrough) {
  EXPECT_TRUE(settings_of(
      R"({"type":"fairlead","capabilities":{"ips":true},"forceAddress":true,"whatever":[1,{"a":2}]})"));
}

TEST(Settings, UnknownOptionsAreNot) {
  expect_refused(R"({"options":{"mtuu":"1"}})", "did you mean \"mtu\"?");
}

TEST(Settings, RoutesCarryTheirDetails) {
  const auto settings = settings_of(
      R"({"routes":[{"dst":"10.9.0.5/16","gw":"10.1.0.9","mtu":1300,"advmss":1200,"priority":5,"table":100,"scope":0}]})");
  const network::Route& route = settings->routes.at(0);
  EXPECT_EQ(route.destination.to_string(), "10.9.0.0/16");
  EXPECT_EQ(route.via->to_string(), "10.1.0.9");
  EXPECT_EQ(route.mtu, 1300U);
  EXPECT_EQ(route.advmss, 1200U);
  EXPECT_EQ(route.priority, 5U);
  EXPECT_EQ(route.table, 100U);
  EXPECT_EQ(route.scope, 0U);
  expect_refused(R"({"routes":[{"gw":"10.1.0.9"}]})", "field routes[0].dst is missing");
  expect_refused(R"({"routes":[{"dst":"10.9.0.0/16","gw":"x"}]})", "field routes[0].gw");
  expect_refused(R"({"routes":[{"dst":"10.9.0.0/16","mtu":-1}]})", "field routes[0].mtu");
}

TEST(Settings, WrongFieldsOfRoutesAndDnsAreRefusedByTheirNames) {
  expect_refused(R"({"routes":[{"dst":"0.0.0.0/0"},{"dst":7}]})",
                 "field routes[1].dst must be a string");
  expect_refused(R"({"routes":[{"dst":"0.0.0.0/0","gw":7}]})",
                 "field routes[0].gw must be a string");
  expect_refused(R"({"routes":[{"dst":"0.0.0.0"}]})", "field routes[0].dst: ");
  for (const char* key : {"mtu", "advmss", "priority", "table", "scope"})
    expect_refused(fmt::format(R"({{"routes":[{{"dst":"0.0.0.0/0","{}":4294967296}}]}})", key),
                   fmt::format("field routes[0].{} must be 0 to 4294967295", key));
  for (const char* key : {"nameservers", "search", "options"})
    expect_refused(fmt::format(R"({{"dns":{{"{}":["a",7]}}}})", key),
                   fmt::format("field dns.{}[1] must be a string", key));
  EXPECT_FALSE(settings_of(R"({"routes":[{"dst":"0.0.0.0/0","gw":""}]})")->routes.at(0).via);
}

TEST(Settings, TheNetworkToJoinCanBeToldFromAConfigurationThatIsRefused) {
  const auto document = json::parse(R"({"network":"blog","options":{"mtu":[1]},"subnet":5})");
  const auto join = decode_join(*json::Object::of(*document, "", json::Keys::kAnyCase));
  ASSERT_TRUE(join);
  EXPECT_EQ((*join)->str(), "blog");
}

TEST(Ranges, AreTheFewestPrefixesThatHoldExactlyTheAddresses) {
  const auto between = [](const char* first, const char* last) {
    return joined(prefixes_between(*IpAddress::parse(first), *IpAddress::parse(last)));
  };
  EXPECT_EQ(between("10.0.0.0", "10.0.0.255"), "10.0.0.0/24");
  EXPECT_EQ(between("10.0.0.5", "10.0.0.5"), "10.0.0.5/32");
  EXPECT_EQ(between("10.0.0.1", "10.0.0.2"), "10.0.0.1/32 10.0.0.2/32");
  EXPECT_EQ(between("0.0.0.0", "255.255.255.255"), "0.0.0.0/0");
  EXPECT_EQ(between("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "::/0");
  EXPECT_EQ(between("fd00::10", "fd00::2f"), "fd00::10/124 fd00::20/124");
  EXPECT_EQ(prefixes_between(*IpAddress::parse("::1"),
                             *IpAddress::parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"))
                .size(),
            254U);
}

}  // namespace
}  // namespace fairlead::cni
