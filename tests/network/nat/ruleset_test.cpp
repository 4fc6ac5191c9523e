// The ruleset as text, without a kernel. FAIRLEAD_UPDATE_GOLDEN=1 writes the golden files anew:
// review their diff.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/network/nat/golden_cases.h"
#include "tests/support/paths.h"

namespace fairlead::nat {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The version is a hash of the rest, which the file shows already.
std::string without_version(std::string text, TableFamily family) {
  const std::string version_text = version(family);
  if (const auto at = text.find(version_text); at != std::string::npos)
    text.replace(at, version_text.size(), "VERSION");
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The lines where the texts differ, between what they have in common at the beginning and at the
// end.
std::string diff(const std::string& expected, const std::string& actual) {
  auto want = lines_of(expected), have = lines_of(actual);
  std::size_t first = 0;
  while (first < want.size() && first < have.size() && want[first] == have[first]) ++first;
  while (want.size() > first && have.size() > first && want.back() == have.back()) {
    want.pop_back();
    have.pop_back();
  }
  std::string text = "@@ line " + std::to_string(first + 1) + "\n";
  for (std::size_t i = first; i < want.size(); ++i) text += "-" + want[i] + "\n";
  for (std::size_t i = first; i < have.size(); ++i) text += "+" + have[i] + "\n";
  return text;
}

class Golden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(Golden, RulesetIsTheReviewedOne) {
  const std::string path =
      fairlead::testing::source_path("tests/golden/nat/") + GetParam().name + ".nft";
  const NatState& state = GetParam().state;
  const TableFamily family = state.senders.empty() ? TableFamily::kInet : TableFamily::kBridge;
  const std::string rendered = without_version(render(state, {}, family), family);
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << rendered;
  const std::string golden = read(path);
  if (golden != rendered)
    ADD_FAILURE() << path << " (FAIRLEAD_UPDATE_GOLDEN=1 writes it)\n" << diff(golden, rendered);
}

std::string test_name(const ::testing::TestParamInfo<GoldenCase>& golden) {
  std::string name = golden.param.name;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, ::testing::ValuesIn(golden_cases()), test_name);

TEST(Ruleset, TheTablesAreOfTwoFamilies) {
  EXPECT_THAT(render_chains(), HasSubstr("table inet fairlead {"));
  EXPECT_THAT(render_chains({}, TableFamily::kBridge), HasSubstr("table bridge fairlead {"));
  EXPECT_THAT(render_chains({}, TableFamily::kBridge), Not(HasSubstr("inet")));
  EXPECT_EQ(render_nothing(TableFamily::kBridge),
            "add table bridge fairlead\ndelete table bridge fairlead\n");
  EXPECT_NE(version(), version(TableFamily::kBridge));
}

// Sets are named by their name alone.
TEST(Ruleset, NoSetIsInBothTables) {
  const auto of_bridges = set_names(TableFamily::kBridge);
  for (const std::string_view name : set_names())
    EXPECT_EQ(std::ranges::count(of_bridges, name), 0) << name;
}

TEST(Ruleset, VersionIsInTheTextAndTheSameWithAndWithoutElements) {
  const auto cases = golden_cases();
  for (const GoldenCase& golden : cases)
    EXPECT_THAT(render(golden.state), HasSubstr("comment \"" + version() + "\""));
}

TEST(Ruleset, ChainsAreTheSameWhateverTheNetworks) {
  const auto chains = [](const std::string& text) { return text.substr(text.find("chain guard")); };
  const auto cases = golden_cases();
  for (const GoldenCase& golden : cases)
    EXPECT_EQ(chains(render(golden.state)),
              chains(render_chains({}, TableFamily::kInet, golden.state)))
        << golden.name;
}

// Limits come and go with ports, and a table is not replaced because of them.
TEST(Ruleset, ChainsThatCountConnectionsAreNoPartOfTheVersion) {
  const auto cases = golden_cases();
  const auto limited = std::ranges::find(cases, "limits", &GoldenCase::name);
  ASSERT_NE(limited, cases.end());
  const std::vector<std::string> limits = limits_of(limited->state);
  EXPECT_THAT(limits, ::testing::ElementsAre("limit_100", "limit_1000000_family", "limit_100_v4",
                                             "limit_5", "limit_5_v4", "limit_5_v6", "limit_6_v4"));
  EXPECT_TRUE(std::ranges::all_of(limits, is_limit));
  for (const char* other :
       {"limit_", "limit_0", "limit_5_v5", "limit_5_", "limits_routed", "refused"})
    EXPECT_FALSE(is_limit(other)) << other;
  EXPECT_THAT(render(limited->state), HasSubstr("comment \"" + version() + "\""));
}

// An earlier version may have made networks on them.
TEST(Ruleset, OddNamesOfRecordsAreElementsAlone) {
  NatState state;
  const std::string without = render(state);
  for (const char* odd : {"a\"b", "up*", "a\\b"}) {
    const NatNetwork network{.bridge = *stored_ifname(odd)};
    state.networks = {network};
    EXPECT_EQ(render(state), without) << odd;
    EXPECT_FALSE(elements_of(state).empty());
  }
  state.networks = {NatNetwork{.bridge = *IfName::parse("br0")}};
  EXPECT_NE(render(state), without);
}

TEST(Elements, WhatIsAddedIsRemoved) {
  const auto cases = golden_cases();
  for (const GoldenCase& golden : cases) {
    const TableFamily family =
        golden.state.senders.empty() ? TableFamily::kInet : TableFamily::kBridge;
    const auto added = difference({}, golden.state, family),
               removed = difference(golden.state, {}, family);
    ASSERT_EQ(added.size(), removed.size());
    EXPECT_EQ(added.size(), elements_of(golden.state, family).size());
    for (std::size_t i = 0; i < added.size(); ++i) {
      EXPECT_EQ(added[i].element, removed[i].element);
      EXPECT_EQ(added[i].kind, kernel::ElementChange::Kind::kAdd);
      EXPECT_EQ(removed[i].kind, kernel::ElementChange::Kind::kRemove);
    }
    EXPECT_TRUE(difference(golden.state, golden.state, family).empty());
  }
}

NatPort port_at(std::optional<IpAddress> host_ip) {
  return {.host_ip = host_ip,
          .host_port = 8080,
          .container_port = 80,
          .target_v4 = *IpAddress::parse("10.1.0.2"),
          .target_v6 = *IpAddress::parse("fd00:1::2")};
}

std::vector<std::string> sets_of(const NatState& state) {
  std::vector<std::string> sets;
  for (const kernel::Element& element : elements_of(state)) sets.push_back(element.set);
  return sets;
}

std::vector<std::string> sets_of(const NatPort& port) { return sets_of(NatState{.ports = {port}}); }

std::vector<std::string> sets_of(const NatUnderlay& underlay) {
  return sets_of(NatState{.underlay = underlay});
}

TEST(Elements, HostAddressDecidesOnFamilies) {
  using ::testing::ElementsAre;
  EXPECT_THAT(sets_of(port_at({})), ElementsAre("published_any_v4", "published_any_v6"));
  EXPECT_THAT(sets_of(port_at(*IpAddress::parse("0.0.0.0"))), ElementsAre("published_any_v4"));
  EXPECT_THAT(sets_of(port_at(*IpAddress::parse("::"))), ElementsAre("published_any_v6"));
  EXPECT_THAT(sets_of(port_at(*IpAddress::parse("192.0.2.1"))), ElementsAre("published_v4"));
  EXPECT_THAT(sets_of(port_at(*IpAddress::parse("::1"))), ElementsAre("published_v6"));
}

TEST(Elements, PortIsPublishedOnlyInFamiliesOfTheContainer) {
  NatPort port = port_at(*IpAddress::parse("2001:db8::1"));
  port.target_v6.reset();
  EXPECT_TRUE(sets_of(port).empty());
}

TEST(Elements, SharedElementOfARoutedNetworkStaysUntilTheLastPortGoes) {
  NatPort first = port_at({}), second = port_at({});
  first.mode_v4 = second.mode_v4 = network::GatewayMode::kRouted;
  first.target_v6.reset();
  second.target_v6.reset();
  second.host_port = 8081;
  const NatState both{.ports = {first, second}}, one{.ports = {second}};
  EXPECT_EQ(difference({}, both).size(), 1U);
  EXPECT_TRUE(difference(both, one).empty());
  EXPECT_TRUE(difference(one, both).empty());
  EXPECT_EQ(difference(one, {}).size(), 1U);
  const std::string text = render(both);
  EXPECT_EQ(text.find("tcp . 10.1.0.2 . 80"), text.rfind("tcp . 10.1.0.2 . 80"));
}

TEST(Elements, AHostPortMovesToAnotherTargetInOneTransaction) {
  NatPort before = port_at({});
  before.target_v6.reset();
  NatPort after = before;
  after.container_port = 81;
  const auto changes = difference({.ports = {before}}, {.ports = {after}});
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].kind, kernel::ElementChange::Kind::kRemove);
  EXPECT_EQ(changes[1].kind, kernel::ElementChange::Kind::kAdd);
  EXPECT_EQ(changes[0].element.key, changes[1].element.key);
}

TEST(Elements, OfAnEncryptedTunnelAreOneMoreThanOfAPlainOne) {
  using ::testing::ElementsAre;
  EXPECT_THAT(sets_of(NatUnderlay{.tunnels = {{.vni = 42}}}), ElementsAre("tunnels"));
  EXPECT_THAT(sets_of(NatUnderlay{.tunnels = {{.vni = 42, .encrypted = true}}}),
              ElementsAre("secure_tunnels", "tunnels"));
  EXPECT_THAT(
      sets_of(NatUnderlay{.hosts = {*IpAddress::parse("192.0.2.2"), *IpAddress::parse("fd5c::2")},
                          .wireguard_links = {*IfName::parse("flwg0")}}),
      ElementsAre("secure_links", "tunnel_hosts_v4", "tunnel_hosts_v6"));
}

TEST(Elements, AVniIsThreeBytesInNetworkOrder) {
  const auto changes = difference({}, {.underlay = {.tunnels = {{.vni = 0xabcdef, .port = 8472}}}});
  ASSERT_EQ(changes.size(), 1U);
  const auto key = changes[0].element.key.bytes();
  EXPECT_EQ(std::vector<std::uint8_t>(key.begin(), key.end()),
            (std::vector<std::uint8_t>{0x21, 0x18, 0, 0, 0xab, 0xcd, 0xef, 0}));
  EXPECT_EQ(changes[0].element.verdict->chain, "plain_tunnel");
}

TEST(Elements, OfTheUnderlayOnlyTheDifferenceChanges) {
  const NatUnderlay before{.tunnels = {{.vni = 42}},
                           .hosts = {*IpAddress::parse("192.0.2.2"), *IpAddress::parse("fd5c::2")}};
  NatUnderlay after = before;
  after.hosts.erase(after.hosts.begin());
  after.tunnels[0].encrypted = true;
  const auto changes = difference({.underlay = before}, {.underlay = after});
  ASSERT_EQ(changes.size(), 4U);
  // The verdict of a key changes: its element goes before it comes.
  EXPECT_EQ(changes[0].element.set, "tunnel_hosts_v4");
  EXPECT_EQ(changes[1].element.set, "tunnels");
  EXPECT_EQ(changes[1].kind, kernel::ElementChange::Kind::kRemove);
  EXPECT_EQ(changes[1].element.verdict->chain, "plain_tunnel");
  EXPECT_EQ(changes[2].element.set, "secure_tunnels");
  EXPECT_EQ(changes[3].element.set, "tunnels");
  EXPECT_EQ(changes[3].kind, kernel::ElementChange::Kind::kAdd);
}

TEST(Elements, PortOfARecordTakesModesAndAddressesAlong) {
  network::Network network;
  network.options.gateway_mode_v6 = network::GatewayMode::kRouted;
  network::Endpoint endpoint;
  endpoint.addresses = {*Cidr::parse("fd00:1::2/64"), *Cidr::parse("10.1.0.2/24")};
  const network::PublishedPort published{.host_port = 8080, .container_port = 80};
  NatPort expected = port_at({});
  expected.mode_v6 = network::GatewayMode::kRouted;
  EXPECT_EQ(nat_port(network, endpoint, published), expected);

  network.internal = true;
  EXPECT_TRUE(sets_of(nat_port(network, endpoint, published)).empty());
}

}  // namespace
}  // namespace fairlead::nat
