// By which way answers leave, without a kernel.
#include "network/service/surroundings_plan.h"

#include <gtest/gtest.h>

#include <bit>

namespace fairlead::network {
namespace {

constexpr std::uint32_t kMain = 254;

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
Cidr cidr(const char* text) { return *Cidr::parse(text); }

kernel::WayOut way(const char* link, const char* via, std::uint32_t table = kMain,
                   std::uint32_t metric = 0, const char* to = "0.0.0.0/0") {
  return {.link = link, .destination = cidr(to), .via = ip(via), .table = table, .metric = metric};
}
kernel::PolicyRule from(const char* source, std::uint32_t table, std::uint32_t priority = 32765) {
  return {.priority = priority, .table = table, .from = cidr(source)};
}
kernel::PolicyRule main_rule() { return {.priority = 32766, .table = kMain}; }

kernel::RoutingView two_links() {
  return {.addresses = {{"eth0", cidr("192.0.2.1/24")}, {"eth1", cidr("198.51.100.1/24")}},
          .ways = {way("eth0", "192.0.2.254")},
          .rules = {main_rule()}};
}
const std::set<std::string> kOurs{"lo", "fl-shop"};

SurroundingsPlan plan(const kernel::RoutingView& view, const SurroundingsRecord& before = {}) {
  return plan_surroundings(view, kOurs, before);
}

TEST(SurroundingsPlan, AHostWithOneWayOutNeedsNoMarks) {
  EXPECT_TRUE(plan(two_links()).record.uplinks.empty());
  EXPECT_TRUE(plan(two_links()).answers.empty());
}

TEST(SurroundingsPlan, ARuleForAnAddressIsFollowed) {
  kernel::RoutingView view = two_links();
  view.ways.push_back(way("eth1", "198.51.100.254", 200));
  view.rules.insert(view.rules.begin(), from("198.51.100.1/32", 200));
  const auto planned = plan(view);
  ASSERT_EQ(planned.record.uplinks.size(), 1u);
  EXPECT_EQ(planned.record.uplinks[0],
            (UplinkRecord{"eth1", ip("198.51.100.1"), 1, 0x10000000, 200}));
  ASSERT_EQ(planned.answers.size(), 1u);
  EXPECT_TRUE(planned.answers[0].routes.empty());
}

TEST(SurroundingsPlan, TwoAddressesOfAnInterfaceMayHaveTwoTables) {
  kernel::RoutingView view = two_links();
  view.addresses.push_back({"eth1", cidr("198.51.101.1/24")});
  view.ways.push_back(way("eth1", "198.51.100.254", 200));
  view.ways.push_back(way("eth1", "198.51.101.254", 201));
  view.rules.insert(view.rules.begin(),
                    {from("198.51.100.0/24", 200), from("198.51.101.0/24", 201)});
  const auto planned = plan(view);
  ASSERT_EQ(planned.record.uplinks.size(), 2u);
  EXPECT_NE(planned.record.uplinks[0].mark, planned.record.uplinks[1].mark);
}

TEST(SurroundingsPlan, ASecondDefaultRouteGetsATable) {
  kernel::RoutingView view = two_links();
  view.ways.push_back(way("eth1", "198.51.100.254", kMain, 100));
  const auto planned = plan(view);
  ASSERT_EQ(planned.answers.size(), 1u);
  const kernel::AnswerRoute& answer = planned.answers[0];
  EXPECT_EQ(answer.table, kernel::kFirstAnswerTable + 1);
  ASSERT_EQ(answer.routes.size(), 2u);
  EXPECT_EQ(answer.routes[0].destination, cidr("198.51.100.0/24"));
  EXPECT_EQ(answer.routes[1].via, ip("198.51.100.254"));
}

// wg-quick with AllowedIPs = 0.0.0.0/0, and OpenVPN's halves.
TEST(SurroundingsPlan, AVpnForEverythingTakesNoAnswers) {
  kernel::RoutingView view = two_links();
  view.addresses.push_back({"wg0", cidr("10.66.0.2/32")});
  view.ways.push_back({.link = "wg0", .destination = cidr("0.0.0.0/0"), .table = 51820});
  view.rules.insert(view.rules.begin(), {.priority = 32765, .table = 51820, .conditional = true});
  const auto planned = plan(view);
  const auto of = [&](const char* address) {
    for (const UplinkRecord& uplink : planned.record.uplinks)
      if (uplink.address == ip(address)) return uplink.table;
    return 0u;
  };
  EXPECT_EQ(of("192.0.2.1"), kMain);
  EXPECT_EQ(of("10.66.0.2"), 51820u);
  EXPECT_EQ(of("198.51.100.1"), 0u);
}

TEST(SurroundingsPlan, ARuleForTheFirstWayChangesNothing) {
  kernel::RoutingView view = two_links();
  view.ways.push_back(way("eth0", "192.0.2.254", 100));
  view.rules.insert(view.rules.begin(), from("192.0.2.1/32", 100));
  EXPECT_TRUE(plan(view).record.uplinks.empty());
}

TEST(SurroundingsPlan, WaysKeepTheirMarks) {
  kernel::RoutingView view = two_links();
  view.ways.push_back(way("eth1", "198.51.100.254", kMain, 100));
  const auto first = plan(view);
  view.addresses.insert(view.addresses.begin(), {"eth2", cidr("203.0.113.1/24")});
  view.ways.push_back(way("eth2", "203.0.113.254", kMain, 200));
  const auto second = plan(view, first.record);
  ASSERT_EQ(second.record.uplinks.size(), 2u);
  EXPECT_EQ(second.record.uplinks[1], first.record.uplinks[0]);
  EXPECT_EQ(second.record.uplinks[0].number, 2u);
}

TEST(SurroundingsPlan, WithoutMarksLeftAnAddressIsTold) {
  kernel::RoutingView view = two_links();
  for (int i = 0; i < 16; ++i) {
    const std::string link = "ppp" + std::to_string(i),
                      address = "10.9." + std::to_string(i) + ".1";
    view.addresses.push_back({link, cidr((address + "/32").c_str())});
    view.ways.push_back(way(link.c_str(), address.c_str(), kMain, 1000));
  }
  const auto planned = plan(view);
  EXPECT_EQ(planned.record.uplinks.size(), 15u);
  EXPECT_EQ(planned.without_mark, std::vector<std::string>{"10.9.15.1"});
}

TEST(SurroundingsPlan, BroadcastsAreOfSubnetsThatDoNotOverlap) {
  kernel::RoutingView view{.addresses = {{"eth0", cidr("192.0.2.1/24")},
                                         {"eth0", cidr("192.0.2.7/24")},
                                         {"eth0", cidr("192.0.0.1/16")},
                                         {"eth1", cidr("10.0.0.1/31")},
                                         {"fl-shop", cidr("10.1.0.1/24")}}};
  const auto broadcasts = plan(view).record.broadcasts;
  ASSERT_EQ(broadcasts.size(), 3u);
  EXPECT_EQ(broadcasts[0],
            (BroadcastRecord{"eth0", cidr("192.0.2.0/24"), ip("192.0.2.255"), ip("192.0.2.1")}));
  EXPECT_EQ(broadcasts[1].destination, ip("255.255.255.255"));
  EXPECT_EQ(broadcasts[2].destination, ip("192.0.255.255"));
}

TEST(SurroundingsPlan, IsReadAsItWasWritten) {
  kernel::RoutingView view = two_links();
  view.ways.push_back(way("eth1", "198.51.100.254", kMain, 100));
  SurroundingsRecord record = plan(view).record;
  record.boot_id = "boot";
  EXPECT_EQ(*decode_surroundings(encode(record)), record);
}

}  // namespace
}  // namespace fairlead::network
