// Rules of other firewalls, as nft and iptables-nft list them.
#include "network/explain/evaluate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/network/explain/fake_facts.h"

namespace fairlead::explain {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One base chain at the hook forward, with these rules.
Ruleset chain_with(const std::string& rules, const std::string& policy = "accept") {
  std::string json =
      R"({"nftables": [{"table": {"family": "ip", "name": "filter", "handle": 1}},
      {"set": {"family": "ip", "name": "s", "table": "filter", "type": "ipv4_addr", "elem": [{"elem": {"val": "10.0.0.7", "timeout": 60}}]}},
      {"chain": {"family": "ip", "table": "filter", "name": "sub", "handle": 8}},
      {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 2, "type": "filter", "hook": "forward", "prio": 0, "policy": ")" +
      policy + "\"}}";
  return *parse_ruleset(json + (rules.empty() ? "" : "," + rules) + "]}", "");
}

std::string rule(const std::string& statements, const std::string& chain = "FORWARD") {
  return R"({"rule": {"family": "ip", "table": "filter", "chain": ")" + chain +
         R"(", "handle": 5, "expr": [)" + statements + "]}}";
}

Passage pass_through(const Ruleset& rules, std::uint16_t port = 80) {
  Packet packet{
      .source = ip("10.0.0.7"), .destination = ip("10.2.0.2"), .port = port, .in = "eth0"};
  Flow flow{
      .source = packet.source, .destination = packet.destination, .answerer = packet.destination};
  const FakeFacts facts;
  return pass(rules, Layer::kPackets, "forward", packet, flow, facts);
}

TEST(Evaluate, APolicyDecidesWhereNoRuleDoes) {
  EXPECT_TRUE(pass_through(chain_with("")).passes);
  const Passage dropped = pass_through(chain_with("", "drop"));
  EXPECT_FALSE(dropped.passes);
  EXPECT_EQ(dropped.decisions.back().rule, "");
}

TEST(Evaluate, MatchesOfAnonymousSetsRangesAndPrefixes) {
  const std::string statements =
      R"({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": {"set": ["10.9.0.1", {"prefix": {"addr": "10.0.0.0", "len": 16}}]}}},
      {"match": {"op": "!=", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": {"range": [22, 79]}}}, {"drop": null})";
  EXPECT_FALSE(pass_through(chain_with(rule(statements))).passes);
  EXPECT_TRUE(pass_through(chain_with(rule(statements)), 50).passes);
}

TEST(Evaluate, FieldsThatThePacketLacksNeverMatch) {
  const std::string statements =
      R"({"match": {"op": "!=", "left": {"payload": {"protocol": "udp", "field": "dport"}}, "right": 53}}, {"drop": null})";
  EXPECT_TRUE(pass_through(chain_with(rule(statements))).passes);
}

TEST(Evaluate, NamedSetsInterfacesAndStates) {
  const std::string set =
      R"({"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@s"}}, {"drop": null})";
  EXPECT_FALSE(pass_through(chain_with(rule(set))).passes);
  const std::string interface =
      R"({"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth*"}}, {"reject": null})";
  EXPECT_FALSE(pass_through(chain_with(rule(interface))).passes);
  const std::string state =
      R"({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]}}, {"drop": null})";
  EXPECT_TRUE(pass_through(chain_with(rule(state))).passes);
}

TEST(Evaluate, JumpsComeBackAndGotosDoNot) {
  const std::string drop = rule(R"({"drop": null})");
  const std::string sub = rule(R"({"return": null})", "sub");
  EXPECT_FALSE(
      pass_through(chain_with(rule(R"({"jump": {"target": "sub"}})") + "," + drop + "," + sub))
          .passes);
  EXPECT_TRUE(
      pass_through(chain_with(rule(R"({"goto": {"target": "sub"}})") + "," + drop + "," + sub))
          .passes);
}

TEST(Evaluate, WhatAnExtensionOfIptablesDoesIsNotGuessed) {
  const std::string unknown = rule(
      R"({"xt": {"type": "match", "name": "conntrack"}}, {"counter": null}, {"accept": null})");
  const Passage passage = pass_through(chain_with(unknown, "drop"));
  EXPECT_FALSE(passage.passes);
  EXPECT_THAT(passage.unknown, ElementsAre(HasSubstr("conntrack")));
  const std::string remark =
      rule(R"({"xt": {"type": "match", "name": "comment"}}, {"accept": null})");
  EXPECT_TRUE(pass_through(chain_with(remark, "drop")).passes);
}

TEST(Evaluate, WhatIsNoListOfRulesIsRefused) {
  EXPECT_FALSE(parse_ruleset("[]", ""));
  EXPECT_FALSE(parse_ruleset("{", ""));
  EXPECT_FALSE(parse_ruleset("", ""));
}

TEST(Evaluate, RulesHaveTheirTextsByTheirHandles) {
  const Ruleset rules = *parse_ruleset(
      R"({"nftables": [{"chain": {"family": "inet", "table": "t", "name": "c"}}, {"rule": {"family": "inet", "table": "t", "chain": "c", "handle": 7, "expr": []}}]})",
      "table inet t { # handle 1\n\tchain c { # handle 2\n\t\tip saddr { 10.0.0.1,\n\t\t\t10.0.0.2 "
      "} drop # handle 7\n\t}\n}\n");
  EXPECT_EQ(rules.find("inet", "t")->chains.at("c").rules.at(0).text,
            "ip saddr { 10.0.0.1, 10.0.0.2 } drop");
}

}  // namespace
}  // namespace fairlead::explain
