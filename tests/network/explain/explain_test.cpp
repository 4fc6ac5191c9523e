// Questions about a host whose rules a kernel has listed (tests/golden/explain): six networks, two containers on each, and
// the policies `allow a b 80/tcp`, `deny a/a1 outside 443/tcp`, `allow d host 53`. d has egress=deny, c is internal, b has
// icc=false, e is routed without a bridge, g is routed.
#include "network/explain/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/network/explain/fake_facts.h"
#include "tests/support/golden.h"
#include "tests/support/paths.h"

namespace fairlead::explain {
namespace {

using fairlead::testing::read_golden;
using fairlead::testing::source_path;
using network::ExplainPath;
using network::Explanation;
using network::Reach;
using ::testing::HasSubstr;

struct Row {
  const char *name, *network, *address, *bridge, *port, *mac;
};
constexpr Row kRows[] = {
    {"a1", "a", "10.1.0.2/24", "fl-1ee183bf2776", "flh62889bdbe558", "02:fa:0a:01:00:02"},
    {"a2", "a", "10.1.0.3/24", "fl-1ee183bf2776", "flhb0dccc5b87d0", "02:fa:0a:01:00:03"},
    {"b1", "b", "10.2.0.2/24", "fl-c157d11dcf7d", "flhf71f1f158f64", "02:fa:0a:02:00:02"},
    {"b2", "b", "10.2.0.3/24", "fl-c157d11dcf7d", "flh766fc31a57bf", "02:fa:0a:02:00:03"},
    {"c1", "c", "10.3.0.2/24", "fl-c39f1cc8bd3c", "flhc83376fc3a72", "02:fa:0a:03:00:02"},
    {"d1", "d", "10.4.0.2/24", "fl-f82d67b3e1d8", "flh3cddce98b24e", "02:fa:0a:04:00:02"},
    {"g1", "g", "10.6.0.2/24", "fl-803b92ab9482", "flhe34c1661c024", "02:fa:0a:06:00:02"},
};

class Explain : public ::testing::Test {
 protected:
  Explain()
      : rules_(*parse_ruleset(read_golden(source_path("tests/golden/explain/host.json")),
                              read_golden(source_path("tests/golden/explain/host.txt")))) {
    for (const Row& row : kRows) add(row);
    facts_.ways["0.0.0.0/0"] = {"uplink0", ip("203.0.113.2"), ip("203.0.113.1")};
    facts_.own["203.0.113.2"] = "uplink0";
    facts_.isolated = {"flhf71f1f158f64", "flh766fc31a57bf"};
  }

  void add(const Row& row) {
    const Cidr address = *Cidr::parse(row.address);
    network::Endpoint endpoint{.id = row.name, .network_id = row.network, .container = row.name};
    endpoint.addresses = {address};
    endpoint.gateways = {*address.first().plus(1)};
    endpoint.mac = *MacAddress::parse(row.mac);
    if (std::string_view(row.name) == "a1")
      endpoint.ports = {{.host_port = 8097, .container_port = 80}};
    facts_.ways[address.network().to_string()] = {row.bridge, endpoint.gateways[0]};
    facts_.own[endpoint.gateways[0].to_string()] = row.bridge;
    world_.places.push_back({.endpoint = endpoint,
                             .network = row.network,
                             .mode = "bridge",
                             .subnets = {address.network()},
                             .bridge = row.bridge,
                             .port = row.port});
  }

  Result<Explanation> ask(const std::string& from, const std::string& to, std::string_view port) {
    const auto nobody = [](const std::string&) -> Result<std::vector<IpAddress>> {
      return std::vector<IpAddress>();
    };
    TRY(auto a, find_end(from, world_, nobody));
    TRY(auto b, find_end(to, world_, nobody));
    TRY(const auto parsed, network::parse_explain_port(port));
    return explain::explain(world_, {.from = a, .to = b, .port = parsed, .family = Family::kV4});
  }

  void expect(const std::string& from, const std::string& to, std::string_view port, Reach reach,
              const std::string& words) {
    const auto said = ask(from, to, port);
    ASSERT_TRUE(said) << said.error().text;
    EXPECT_EQ(said->reach, reach) << said->sentence;
    std::string text = said->sentence;
    for (const ExplainPath& path : said->paths)
      for (const auto& step : path.steps) text += "\n" + step.what;
    EXPECT_THAT(text, HasSubstr(words)) << from << " -> " << to;
    if (reach == Reach::kYes) EXPECT_NE(said->paths[0].answers, Reach::kNo) << said->sentence;
  }

  const Ruleset rules_;
  FakeFacts facts_;
  World world_{rules_, facts_, {}};
};

TEST_F(Explain, NeighboursOfABridgeMeetOnIt) {
  expect("a1", "a2", "icmp", Reach::kYes, "without being routed");
  expect("b1", "b2", "80/tcp", Reach::kNo, "icc=false");
}

TEST_F(Explain, NetworksMeetByPoliciesOnly) {
  expect("a1", "b1", "80/tcp", Reach::kYes, "a policy allows it");
  expect("a1", "b1", "81/tcp", Reach::kNo, "published ports only");
  expect("a1", "b1", "80/udp", Reach::kNo, "published ports only");
  expect("b1", "a1", "icmp", Reach::kNo, "published ports only");
}

TEST_F(Explain, WhatLeavesTheHost) {
  expect("a2", "outside", "443/tcp", Reach::kYes, "under another source, 203.0.113.2");
  expect("a1", "outside", "443/tcp", Reach::kNo, "a policy denies it");
  expect("c1", "outside", "443/tcp", Reach::kNo, "internal");
  expect("d1", "outside", "443/tcp", Reach::kNo, "egress=deny");
}

TEST_F(Explain, TheHostItself) {
  expect("a1", "host", "22/tcp", Reach::kYes, "an address of the host");
  expect("d1", "host", "53/udp", Reach::kYes, "a policy allows it");
  expect("d1", "host", "22/tcp", Reach::kNo, "ping and DNS only");
  expect("host", "b1", "22/tcp", Reach::kYes, "");
}

TEST_F(Explain, FromOutsidePortsAreReachedWhereTheyArePublished) {
  expect("outside", "a1", "80/tcp", Reach::kYes, "it goes on to 10.1.0.2:80");
  expect("outside", "a1", "81/tcp", Reach::kNo, "published ports only");
  expect("outside", "g1", "80/tcp", Reach::kYes, "under the container's own address");
  expect("outside", "g1", "81/tcp", Reach::kNo, "not published");
}

TEST_F(Explain, AnotherContainerIsToldOfThePublishedPort) {
  const auto said = ask("d1", "a1", "80/tcp");
  ASSERT_TRUE(said);
  EXPECT_EQ(said->reach, Reach::kNo);
  const auto from_b = ask("b1", "a1", "80/tcp");
  ASSERT_TRUE(from_b);
  EXPECT_EQ(from_b->reach, Reach::kNo);
  ASSERT_EQ(from_b->paths.size(), 2U);
  EXPECT_TRUE(from_b->paths[1].published);
  EXPECT_EQ(from_b->paths[1].reach, Reach::kYes);
}

// As the kernel does (test_explain.RandomPairs, seed 1548912033).
TEST_F(Explain, BridgeNetfilterKeepsWhatItTranslatesOnTheBridge) {
  expect("b2", "203.0.113.2", "8098/tcp", Reach::kYes, "it goes on to 10.2.0.2:80");
  facts_.bridge_netfilter = true;
  expect("b2", "203.0.113.2", "8098/tcp", Reach::kNo, "icc=false");
  expect("a2", "203.0.113.2", "8097/tcp", Reach::kYes, "it goes on to 10.1.0.2:80");
}

TEST_F(Explain, AnAddressIsAskedInItsFamilyOnly) {
  world_.places[0].endpoint.addresses.push_back(*Cidr::parse("fd01::2/64"));
  const auto said = ask("outside", "fd01::2", "80/tcp");
  ASSERT_FALSE(said);  // IPv4 alone is asked for
  EXPECT_THAT(said.error().text, HasSubstr("no IPv4 addresses in common"));
}

TEST_F(Explain, WhoeverSendsUnderAnotherMacIsStoppedAtThePort) {
  world_.places[0].endpoint.mac = *MacAddress::parse("02:fa:0a:01:00:09");
  expect("a1", "a2", "icmp", Reach::kNo, "not its own");
}

TEST_F(Explain, AHostThatDoesNotForwardStopsAll) {
  facts_.forwarding = false;
  expect("a1", "outside", "443/tcp", Reach::kNo, "ip_forward=0");
}

TEST_F(Explain, WithoutRulesEverythingPasses) {
  const Ruleset none;
  const World world{none, facts_, world_.places};
  const Journey journey =
      from_container(world, world.places[5],
                     {.source = ip("0.0.0.0"), .destination = ip("192.0.2.1"), .port = 80});
  EXPECT_EQ(journey.arrival.kind, Arrival::Kind::kOutside);
}

TEST_F(Explain, AnOverlayLeadsOutOfSight) {
  world_.places[0].mode = "overlay";
  expect("a1", "10.1.0.77", "80/tcp", Reach::kUnseen, "tunnel");
}

TEST_F(Explain, NobodyIsSaidToBeNobody) {
  const auto unknown = ask("a1", "nobody", "80");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  expect("a1", "10.1.0.77", "80/tcp", Reach::kNo, "nobody on it is known to have 10.1.0.77");
}

TEST_F(Explain, ANameOfTwoContainersIsAskedBack) {
  world_.places[2].endpoint.container = "a1";
  world_.places[2].endpoint.runtime = "other";
  const auto said = ask("a1", "a2", "80");
  ASSERT_FALSE(said);
  EXPECT_THAT(said.error().text, HasSubstr("b/b1"));
  EXPECT_TRUE(ask("a/a1", "a2", "80"));
}

TEST(ExplainPort, AsItIsTyped) {
  EXPECT_EQ(to_string(*network::parse_explain_port("80")), "80/tcp");
  EXPECT_EQ(to_string(*network::parse_explain_port("53/udp")), "53/udp");
  EXPECT_EQ(to_string(*network::parse_explain_port("ping")), "icmp");
  for (const char* wrong : {"", "0", "65536", "80/sctp", "80/", "-1", "http"})
    EXPECT_FALSE(network::parse_explain_port(wrong)) << wrong;
}

}  // namespace
}  // namespace fairlead::explain
