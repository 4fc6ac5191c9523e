#include "network/dns/resolv_conf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::dns::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> texts(const std::vector<HostServer>& servers) {
  std::vector<std::string> texts;
  for (const HostServer& server : servers)
    texts.push_back(server.address.to_string() + (server.zone.empty() ? "" : "%") + server.zone);
  return texts;
}

std::vector<std::string> parse(std::string_view text) { return texts(parse_resolv_conf(text)); }

TEST(ResolvConf, ServersInTheirOrder) {
  EXPECT_THAT(parse("# by hand\n"
                    "search example.org\n"
                    "nameserver 192.0.2.2\r\n"
                    "nameserver\t2001:db8::1   # at home\n"
                    "nameserver 192.0.2.1;and a comment\n"
                    "options edns0\n"
                    "nameserver fe80::1%eth0"),
              ElementsAre("192.0.2.2", "2001:db8::1", "192.0.2.1", "fe80::1%eth0"));
}

TEST(ResolvConf, WhatIsNoServerIsPassedOver) {
  EXPECT_THAT(parse("; nameserver 192.0.2.1\n"
                    "#nameserver 192.0.2.1\n"
                    "nameservers 192.0.2.1\n"
                    "nameserver192.0.2.1\n"
                    "nameserver\n"
                    "nameserver   \n"
                    "nameserver example.org\n"
                    "nameserver 192.0.2\n"
                    "nameserver 0.0.0.0\n"
                    "nameserver ::\n"
                    "nameserver 224.0.0.251\n"
                    "nameserver 192.0.2.1%eth0\n"
                    "nameserver fe80::1%\n"
                    "nameserver fe80::1%../../etc\n"
                    "nameserver fe80::1%a%b\n"
                    "domain nameserver 192.0.2.9\n"),
              IsEmpty());
  EXPECT_THAT(parse(""), IsEmpty());
  EXPECT_THAT(parse(std::string_view("\0\0\n\0", 4)), IsEmpty());
}

TEST(ResolvConf, EachServerOnceAndNotWithoutEnd) {
  EXPECT_THAT(parse("nameserver 192.0.2.1\nnameserver 192.0.2.1\n"), ElementsAre("192.0.2.1"));
  std::string many;
  for (int i = 1; i < 200; ++i) many += "nameserver 192.0.2." + std::to_string(i) + "\n";
  EXPECT_EQ(parse(many).size(), kMostHostServers);
  std::string late(kMostResolvConf, '\n');
  EXPECT_THAT(parse(late + "nameserver 192.0.2.1\n"), IsEmpty());
}

TEST(ResolvConf, ServersBehindResolvedAreAskedInItsPlace) {
  const auto stub = parse_resolv_conf("nameserver 127.0.0.53\n");
  const auto behind = parse_resolv_conf("nameserver 192.0.2.1\nnameserver 192.0.2.2\n");
  EXPECT_THAT(texts(choose_servers(stub, behind)), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_THAT(texts(choose_servers(stub, {})), ElementsAre("127.0.0.53"));
}

TEST(ResolvConf, OtherLoopbackServersAreAsked) {
  const auto local = parse_resolv_conf("nameserver 127.0.0.1\nnameserver ::1\n");
  const auto behind = parse_resolv_conf("nameserver 192.0.2.1\n");
  EXPECT_THAT(texts(choose_servers(local, behind)), ElementsAre("127.0.0.1", "::1"));
}

TEST(ResolvConf, AHostWithoutServersAsksItself) {
  EXPECT_THAT(texts(choose_servers({}, parse_resolv_conf("nameserver 192.0.2.1\n"))),
              ElementsAre("127.0.0.1"));
}

}  // namespace
}  // namespace fairlead::dns::tests
