// The words of policies, and the record of all of them.
#include <gtest/gtest.h>

#include "network/api/options.h"
#include "network/api/policy.h"
#include "network/service/policy_records.h"

namespace fairlead::network {
namespace {

TEST(PolicyText, EveryEndReadsAsItIsWritten) {
  for (const char* text :
       {"any", "outside", "host", "net:shop", "container:web", "container:shop/web",
        "label:role=web", "label:role", "label:a.b/c=d=e", "10.0.0.0/8", "10.0.0.1", "fd00::/64",
        "fd00::1", "dns:github.com", "shop"}) {
    const auto end = parse_policy_end(text);
    ASSERT_TRUE(end) << text;
    EXPECT_EQ(to_string(*end), text);
    EXPECT_EQ(*parse_policy_end(to_string(*end)), *end);
  }
  EXPECT_EQ(to_string(*parse_policy_end("shop/web")), "container:shop/web");
  EXPECT_EQ(to_string(*parse_policy_end("network:shop")), "net:shop");
  EXPECT_EQ(to_string(*parse_policy_end("dns:GitHub.com.")), "dns:github.com");
  EXPECT_EQ(to_string(*parse_policy_end("10.0.0.1/32")), "10.0.0.1");
}

TEST(PolicyText, WhatIsNoEndIsRefused) {
  for (const char* text : {"", "10.0.0.1/8", "10.0.0.0/33", "label:", "label:=x", "net:", "net:a/b",
                           "web:80", "a b", "dns:localhost", "dns:1.2.3", "dns:a..b", "dns:-a.com",
                           "/web", "shop/", "shop/a/b", "\"", "\n"})
    EXPECT_EQ(parse_policy_end(text).error().code, Code::kInvalid) << text;
  for (const char* text : {"*.debian.org", "dns:*.debian.org"})
    EXPECT_EQ(parse_policy_end(text).error().code, Code::kUnsupported) << text;
}

TEST(PolicyText, EveryPortReadsAsItIsWritten) {
  for (const char* text :
       {"443/tcp", "53", "8000-8100/udp", "1-65535/sctp", "tcp", "udp", "sctp", "icmp", "10-20"})
    EXPECT_EQ(to_string(*parse_policy_port(text)), text);
  EXPECT_EQ(to_string(*parse_policy_port("80-80/tcp")), "80/tcp");
  for (const char* text : {"", "0", "65536", "80/icmp", "80/TCP", "80/", "/tcp", "90-80", "80-",
                           "-80", "http", "80/tcp/x", "8 0"})
    EXPECT_EQ(parse_policy_port(text).error().code, Code::kInvalid) << text;
}

TEST(PolicyText, EveryRuleOfANetworkReadsAsItIsWritten) {
  for (const char* text :
       {"github.com", "github.com:443/tcp", "10.0.0.0/8", "10.0.0.0/8:5432/tcp", "10.0.0.1:53",
        "fd00::/8", "[fd00::/8]:443/tcp", "[fd00::1]:53", "outside", "outside:443/tcp",
        "host:3142/tcp", "net:cache", "net:cache:80/tcp", "any:icmp"}) {
    const auto rule = parse_egress_rule(text);
    ASSERT_TRUE(rule) << text << ": " << rule.error().text;
    EXPECT_EQ(to_string(*rule), text);
  }
  for (const char* text : {"localhost", "label:a=b", "container:web", "a/b", "[fd00::1",
                           "[fd00::1]x", "github.com:x", ""})
    EXPECT_FALSE(parse_egress_rule(text)) << text;
}

TEST(PolicyText, TheOptionsOfANetworkReadAsTheyAreWritten) {
  const auto options = parse_options(
      {{"egress", "deny"}, {"egress_allow", "github.com, 10.0.0.0/8:5432/tcp,[fd00::/8]:443/tcp"}});
  ASSERT_TRUE(options) << options.error().text;
  EXPECT_EQ(options->egress_allow.size(), 3U);
  const auto map = to_map(*options);
  EXPECT_EQ(map.at("egress_allow"), "github.com,10.0.0.0/8:5432/tcp,[fd00::/8]:443/tcp");
  EXPECT_EQ(*parse_options(map), *options);
  EXPECT_FALSE(parse_options({{"egress", "no"}}));
}

TEST(PolicyRecords, ReadAsTheyAreWritten) {
  PolicyRecord record{.next = 8};
  record.policies.push_back(
      {.id = "7",
       .spec = {.action = PolicyAction::kDeny,
                .from = *parse_policy_end("label:role=web"),
                .to = *parse_policy_end("10.0.0.0/8"),
                .ports = {*parse_policy_port("443/tcp"), *parse_policy_port("icmp")}},
       .created = 1'800'000'000});
  EXPECT_EQ(*decode_policies(encode(record)), record);
  EXPECT_TRUE(selects_endpoints(encode(record)));
  record.policies[0].spec.from = *parse_policy_end("net:label");
  EXPECT_FALSE(selects_endpoints(encode(record)));
  EXPECT_EQ(decode_policies("{\"policies\":[{\"id\":\"1\"}]}").error().code, Code::kIo);
}

}  // namespace
}  // namespace fairlead::network
