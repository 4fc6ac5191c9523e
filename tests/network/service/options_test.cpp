// Options of networks as texts: those of leaving the host, and Docker's own names.
#include "network/api/options.h"

#include <gtest/gtest.h>

#include "network/api/subnet_specs.h"

namespace fairlead::network {
namespace {

using Texts = std::map<std::string, std::string>;

NetworkOptions parsed(const Texts& texts) {
  auto options = parse_options(texts);
  EXPECT_TRUE(options) << (options ? "" : options.error().text);
  return options.value_or(NetworkOptions());
}
std::string refusal(const Texts& texts) {
  const auto options = parse_options(texts);
  return options ? "" : options.error().text;
}

TEST(NetworkOptions, SnatTakesAnAddressOfEachFamilyUnderEveryName) {
  const Texts shown{{"snat", "192.0.2.7"}, {"snat6", "2001:db8::7"}};
  EXPECT_EQ(to_map(parsed({{"snat", "192.0.2.7,2001:db8::7"}})), shown);
  EXPECT_EQ(to_map(parsed({{"com.docker.network.host_ipv4", "192.0.2.7"},
                           {"com.docker.network.host_ipv6", "2001:db8::7"}})),
            shown);
  EXPECT_EQ(to_map(parsed(shown)), shown);
  EXPECT_NE(refusal({{"snat", "192.0.2.7,192.0.2.8"}}).find("two IPv4 addresses"),
            std::string::npos);
  for (const char* wrong : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "::", "eth0", "192.0.2.0/24", ","})
    EXPECT_NE(refusal({{"snat", wrong}}), "") << wrong;
}

TEST(NetworkOptions, SnatPortsAreARange) {
  EXPECT_EQ(parsed({{"snat_ports", "20000-29999"}}).snat_ports, (PortRange{20000, 29999}));
  EXPECT_EQ(to_map(parsed({{"snat_ports", "20000-29999"}})).at("snat_ports"), "20000-29999");
  for (const char* wrong : {"20000", "29999-20000", "0-5", "1-65536", "a-b", "-", ""})
    EXPECT_NE(refusal({{"snat_ports", wrong}}), "") << wrong;
}

TEST(NetworkOptions, OfTheNameService) {
  EXPECT_TRUE(parsed({}).dns);
  EXPECT_FALSE(parsed({{"dns", "off"}}).dns);
  const Texts shown{{"dns", "off"},
                    {"dns_intercept", "off"},
                    {"dns_domain", "shop.internal"},
                    {"dns_servers", "192.0.2.53,2001:db8::53"}};
  EXPECT_EQ(to_map(parsed({{"dns", "false"},
                           {"dns_intercept", "off"},
                           {"dns_domain", "Shop.Internal."},
                           {"dns_servers", "192.0.2.53, 2001:db8::53 192.0.2.53"}})),
            shown);
  EXPECT_EQ(to_map(parsed(shown)), shown);
  EXPECT_EQ(to_map(parsed({{"dns", "on"}, {"dns_intercept", "yes"}})), Texts());
  EXPECT_EQ(parsed({{"dns_servers", "127.0.0.1"}}).dns_servers.size(), 1U);
  for (const char* wrong : {"maybe", "", "auto"}) EXPECT_NE(refusal({{"dns", wrong}}), "") << wrong;
  const std::string long_label(64, 'a'), long_name(200, 'a');
  for (const std::string& wrong :
       {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("a b"),
        std::string("-a"), std::string("a-"), std::string("sh\xc3\xb6p"), std::string("a.b.."),
        long_label, long_name, std::string("localhost"), std::string("x.LocalHost"),
        std::string("in-addr.arpa"), std::string("invalid")})
    EXPECT_NE(refusal({{"dns_domain", wrong}}), "") << wrong;
  for (const char* wrong : {"0.0.0.0", "::", "224.0.0.251", "ff02::fb", "server", "192.0.2.53:53"})
    EXPECT_NE(refusal({{"dns_servers", wrong}}), "") << wrong;
}

TEST(NetworkOptions, ConnectionsToAPortAreANumber) {
  EXPECT_EQ(parsed({{"port_max_connections", "100"}}).port_max_connections, 100U);
  EXPECT_EQ(to_map(parsed({{"port_max_connections", "1000000"}})).at("port_max_connections"),
            "1000000");
  EXPECT_EQ(to_map(parsed({})), Texts());
  for (const char* wrong : {"0", "-1", "1000001", "4294967296", "4294967297", "many", "", "1k",
                            " 5", "5 ", "0x10", "1.5"}) {
    const std::string said = refusal({{"port_max_connections", wrong}});
    EXPECT_NE(said.find("port_max_connections"), std::string::npos) << wrong << said;
    EXPECT_NE(said.find("is not a number of connections; use 1 to 1000000"), std::string::npos)
        << wrong << said;
  }
}

TEST(NetworkOptions, AVlanIsANumberOfABridge) {
  EXPECT_EQ(parsed({{"vlan", "20"}}).vlan, 20);
  EXPECT_EQ(to_map(parsed({{"vlan", "4094"}})).at("vlan"), "4094");
  for (const char* wrong : {"0", "-1", "4095", "65556", "4294967316", "twenty", "", "20-30"})
    EXPECT_NE(refusal({{"vlan", wrong}}).find("is not a VLAN; use 1 to 4094"), std::string::npos)
        << wrong;
}

TEST(NetworkOptions, ACardHasAMacAddressOrAPlaceOnTheBus) {
  EXPECT_EQ(to_map(parsed({{"parent_mac", "02:AA:00:00:00:01"}})).at("parent_mac"),
            "02:aa:00:00:00:01");
  EXPECT_EQ(parsed({{"parent_pci", "0000:0A:00.1"}}).parent_pci, "0000:0a:00.1");
  EXPECT_EQ(parsed({{"parent_pci", "0a:00.1"}}).parent_pci, "0000:0a:00.1");
  for (const char* wrong : {"", "eth0", "0a:00", "0000:0a:00.1/..", "../../../etc", "0000:0a:00.10",
                            "0000:0g:00.1", "0:0a:00.1"})
    EXPECT_NE(refusal({{"parent_pci", wrong}}).find("is not a PCI address"), std::string::npos)
        << wrong;
  EXPECT_NE(refusal({{"parent_mac", "02:aa"}}), "");
}

TEST(NetworkOptions, MasqueradeExcludeIsAListOfSubnets) {
  EXPECT_EQ(to_map(parsed({{"masquerade_exclude", "10.0.0.0/8,fd00::/8,10.0.0.0/8"}}))
                .at("masquerade_exclude"),
            "10.0.0.0/8,fd00::/8");
  for (const char* wrong : {"10.0.0.1/8", "10.0.0.0", ",", "10.0.0.0/8,,fd00::/8"})
    EXPECT_NE(refusal({{"masquerade_exclude", wrong}}), "") << wrong;
}

TEST(NetworkOptions, WhatDockerDoesItselfIsAccepted) {
  EXPECT_EQ(to_map(parsed({{"com.docker.network.advertise_addr_nmsgs", "3"},
                           {"com.docker.network.advertise_addr_ms", "100"},
                           {"com.docker.network.bridge.default_bridge", "false"}})),
            Texts());
  EXPECT_NE(refusal({{"com.docker.network.advertise_addr_nmsgs", "4"}}), "");
  EXPECT_NE(refusal({{"com.docker.network.advertise_addr_ms", "99"}}), "");
  EXPECT_NE(refusal({{"com.docker.network.bridge.default_bridge", "true"}}).find("docker0"),
            std::string::npos);
}

TEST(NetworkOptions, WhatAnotherProgramHasIsRefusedWithWhatToDo) {
  for (const char* name : {"com.docker.network.driver.overlay.vxlanid_list", "dsr"})
    EXPECT_NE(refusal({{name, "1"}}).find("leave it out"), std::string::npos) << name;
}

// They are proposed to nobody.
TEST(NetworkOptions, NoHintNamesAnOptionThatDoesNothing) {
  EXPECT_EQ(refusal({{"com.docker.network.advertise_addr", "3"}}).find("did you mean"),
            std::string::npos);
  EXPECT_NE(refusal({{"com.docker.network.host_ip4", "192.0.2.1"}})
                .find("did you mean \"com.docker.network.host_ipv4\""),
            std::string::npos);
  for (const std::string& name : option_names()) EXPECT_FALSE(name.starts_with("com.")) << name;
}

NetworkSpec spec_with(const Texts& texts) {
  return {.name = *NetworkName::parse("n"), .options = parsed(texts)};
}

TEST(NetworkOptions, FamiliesMayBeAskedForByOptions) {
  NetworkSpec both = spec_with({{"com.docker.network.enable_ipv6", "true"}});
  EXPECT_TRUE(settle_families(both));
  EXPECT_TRUE(both.ipv6);
  EXPECT_EQ(both.options, NetworkOptions());
  NetworkSpec only_v6 = spec_with({{"enable_ipv6", "1"}, {"enable_ipv4", "false"}});
  EXPECT_TRUE(settle_families(only_v6));
  ASSERT_EQ(wanted_subnets(only_v6).size(), 1u);
  EXPECT_EQ(wanted_subnets(only_v6)[0].family, Family::kV6);
  NetworkSpec plain = spec_with({{"enable_ipv4", "true"}, {"enable_ipv6", "false"}});
  EXPECT_TRUE(settle_families(plain));
  EXPECT_FALSE(plain.ipv6);
  EXPECT_EQ(wanted_subnets(plain).size(), 1u);
}

TEST(NetworkOptions, FamiliesThatContradictTheRestAreRefused) {
  NetworkSpec none = spec_with({{"enable_ipv4", "false"}});
  EXPECT_FALSE(settle_families(none));
  NetworkSpec v6 = spec_with({{"enable_ipv6", "false"}});
  v6.ipv6 = true;
  EXPECT_FALSE(settle_families(v6));
  NetworkSpec v4 = spec_with({{"enable_ipv4", "false"}, {"enable_ipv6", "true"}});
  v4.subnets.push_back({.subnet = *Cidr::parse("10.1.0.0/24")});
  EXPECT_FALSE(settle_families(v4));
}

TEST(NetworkOptions, SnatNeedsNat) {
  const auto valid = [](const Texts& texts) {
    return validate_options(spec_with(texts)).has_value();
  };
  EXPECT_TRUE(valid({{"snat", "192.0.2.7"}, {"snat_ports", "20000-29999"}}));
  EXPECT_FALSE(valid({{"snat_ports", "20000-29999"}}));
  EXPECT_FALSE(valid({{"snat6", "2001:db8::7"}, {"snat_ports", "20000-29999"}}));
  EXPECT_FALSE(valid({{"snat", "192.0.2.7"}, {"masquerade", "false"}}));
  EXPECT_FALSE(valid({{"snat", "192.0.2.7"}, {"gateway_mode_ipv4", "routed"}}));
  EXPECT_TRUE(valid({{"snat", "192.0.2.7"}, {"gateway_mode_ipv6", "routed"}}));
}

}  // namespace
}  // namespace fairlead::network
