// Netlink messages as bytes: what is built is what is read, and no input makes a parser read beyond
// it.
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <cstddef>
#include <memory>
#include <random>

#include "network/kernel/events/link_events.h"
#include "network/kernel/events/table_events.h"
#include "network/kernel/links/announce.h"
#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/links/parse.h"
#include "network/kernel/tunnels/vxlan_messages.h"

namespace fairlead::kernel {
namespace {

Cidr cidr(const char* text) { return *Cidr::parse(text); }
IpAddress ip(const char* text) { return *IpAddress::parse(text); }
IfName ifname(const char* text) { return *IfName::parse(text); }

MessageView only_message(const NetlinkMessage& message) {
  Bytes bytes = message.bytes();
  const auto view = take_message(bytes);
  EXPECT_TRUE(view);
  EXPECT_TRUE(bytes.empty());
  return view.value_or(MessageView{});
}

TEST(NetlinkMessage, NestsHoldWhatIsPutWhileTheyLive) {
  NetlinkMessage message(RTM_NEWLINK, 0);
  message.put_struct(ifinfomsg{});
  {
    const auto outer = message.nest(1);
    message.put_u32(2, 42);
    const auto inner = message.nest(3);
    message.put_text(4, "deep");
  }
  message.put_u8(5, 7);
  const Attributes attributes(only_message(message).payload.subspan(sizeof(ifinfomsg)));
  const Attributes outer(attributes.find(1)->data);
  EXPECT_EQ(outer.find(2)->u32(), 42U);
  EXPECT_EQ(Attributes(outer.find(3)->data).find(4)->text(), "deep");
  EXPECT_EQ(attributes.find(5)->u8(), 7);
  EXPECT_FALSE(attributes.find(2));
}

TEST(NetlinkMessage, SeveralInARowAreTakenOneByOne) {
  std::vector<std::uint8_t> both;
  for (const int index : {3, 4}) {
    const NetlinkMessage message = delete_link(index);
    both.insert(both.end(), message.bytes().begin(), message.bytes().end());
  }
  Bytes rest = both;
  EXPECT_EQ(parse_link(take_message(rest)->payload)->link.index, 3);
  EXPECT_EQ(parse_link(take_message(rest)->payload)->link.index, 4);
  EXPECT_FALSE(take_message(rest));
}

TEST(ParseLink, ReadsWhatAVethMessageSays) {
  const NetlinkMessage message = create_veth_pair(
      {.host_name = ifname("veth0"), .peer_name = ifname("eth0"), .mtu = 1400, .master = 9},
      LinkState::kUp);
  // A request carries index 0, which no link has.
  EXPECT_FALSE(parse_link(only_message(message).payload));
  std::vector<std::uint8_t> answer(only_message(message).payload.begin(),
                                   only_message(message).payload.end());
  answer[offsetof(ifinfomsg, ifi_index)] = 12;
  const auto details = parse_link(answer);
  ASSERT_TRUE(details);
  EXPECT_EQ(details->link.index, 12);
  EXPECT_EQ(details->link.name, "veth0");
  EXPECT_EQ(details->link.kind, "veth");
  EXPECT_EQ(details->link.mtu, 1400U);
  EXPECT_EQ(details->link.master, 9);
  EXPECT_TRUE(details->link.up);
}

TEST(ParseAddress, ReadsBothFamilies) {
  for (const char* text : {"10.1.0.2/24", "10.1.0.2/32", "fd00:1::2/64", "fe80::1/64"}) {
    const auto details = parse_address(only_message(add_address(5, cidr(text))).payload);
    ASSERT_TRUE(details) << text;
    EXPECT_EQ(details->ifindex, 5);
    EXPECT_EQ(details->address, cidr(text));
  }
}

TEST(ParseAddress, OfAPointToPointLinkIsTheLocalOne) {
  NetlinkMessage message(RTM_NEWADDR, 0);
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 32;
  message.put_struct(header)
      .put(IFA_ADDRESS, ip("192.0.2.9").bytes())
      .put(IFA_LOCAL, ip("10.0.0.1").bytes());
  EXPECT_EQ(parse_address(only_message(message).payload)->address, cidr("10.0.0.1/32"));
}

TEST(ParseRoute, ReadsWhatWasAskedFor) {
  const RouteSpec route{.destination = cidr("192.0.2.0/24"),
                        .via = ip("10.1.0.1"),
                        .mtu = 1300,
                        .advmss = 900,
                        .priority = 5,
                        .table = 1000};
  const auto details = parse_route(only_message(add_route(7, route)).payload);
  ASSERT_TRUE(details);
  EXPECT_EQ(details->ifindex, 7);
  EXPECT_EQ(details->route.destination, route.destination);
  EXPECT_EQ(details->route.via, route.via);
  EXPECT_EQ(details->route.mtu, 1300U);
  EXPECT_EQ(details->route.advmss, 900U);
  EXPECT_EQ(details->route.priority, 5U);
  EXPECT_EQ(details->route.table, 1000U);
}

TEST(ParseRoute, ReadsAGatewayOfTheOtherFamily) {
  const RouteSpec route{.destination = cidr("0.0.0.0/0"), .via = ip("fe80::1")};
  EXPECT_EQ(parse_route(only_message(add_route(7, route)).payload)->route.via, ip("fe80::1"));
}

TEST(ParseRule, ReadsWhatWasAskedFor) {
  for (const Family family : {Family::kV4, Family::kV6})
    for (const std::uint32_t table : {200U, kFirstAnswerTable + 3}) {
      const AnswerRoute answer{
          .family = family, .link = "eth1", .mark = 0x30000000, .mask = 0xf0000000, .table = table};
      const auto rules = rules_of(answer);
      EXPECT_EQ(rules.size(), family == Family::kV4 ? 3U : 2U);
      EXPECT_EQ(rules.back().table, table);
      for (const RuleDetails& rule : rules)
        EXPECT_EQ(parse_rule(only_message(add_rule(rule)).payload), rule);
    }
}

TEST(ParseRule, ReadsARuleForASource) {
  NetlinkMessage message(RTM_NEWRULE, 0);
  fib_rule_hdr header{};
  header.family = AF_INET;
  header.src_len = 24;
  header.action = FR_ACT_TO_TBL;
  message.put_struct(header).put(FRA_SRC, ip("198.51.100.0").bytes()).put_u32(FRA_TABLE, 300);
  const auto rule = parse_rule(only_message(message).payload);
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->from, cidr("198.51.100.0/24"));
  EXPECT_EQ(rule->table, 300U);
  EXPECT_FALSE(rule->conditional);
  EXPECT_FALSE(rule->is_ours);
}

TEST(ParseLink, ReadsWhatATunnelIsAskedToBe) {
  for (const char* local : {"192.0.2.1", "2001:db8::1"}) {
    const VxlanSpec spec{.name = ifname("flx00002a"),
                         .vni = 0xabcdef,
                         .local = ip(local),
                         .port = 8472,
                         .master = 9,
                         .mac = MacAddress::from_hash("tunnel")};
    NetlinkMessage message = create_vxlan(spec);
    // The kernel gives every link an index; a request has none.
    std::vector<std::uint8_t> payload(only_message(message).payload.begin(),
                                      only_message(message).payload.end());
    payload[offsetof(ifinfomsg, ifi_index)] = 7;
    const auto details = parse_link(payload);
    ASSERT_TRUE(details && details->vxlan);
    EXPECT_EQ(details->link.mac, spec.mac);
    EXPECT_EQ(details->link.master, 9);
    EXPECT_EQ(details->vxlan->vni, spec.vni);
    EXPECT_EQ(details->vxlan->port, 8472);
    EXPECT_EQ(details->vxlan->local, spec.local);
    EXPECT_TRUE(details->vxlan->proxy);
    EXPECT_FALSE(details->vxlan->learning || details->vxlan->bound || details->vxlan->floods);
  }
}

TEST(ParseNeighbour, ReadsEntriesOfBothKinds) {
  const MacAddress mac = MacAddress::from_hash("web");
  for (const char* address : {"192.0.2.7", "2001:db8::7"}) {
    const auto forwarding =
        parse_neighbour(only_message(set_forwarding(7, mac, ip(address))).payload);
    ASSERT_TRUE(forwarding);
    EXPECT_EQ(forwarding->family, AF_BRIDGE);
    EXPECT_EQ(forwarding->flags, NTF_SELF);
    EXPECT_EQ(forwarding->ip, ip(address));
    EXPECT_EQ(forwarding->mac, mac);
    const auto neighbour =
        parse_neighbour(only_message(set_neighbour(7, ip(address), mac)).payload);
    ASSERT_TRUE(neighbour);
    EXPECT_EQ(neighbour->ifindex, 7);
    EXPECT_EQ(neighbour->state, NUD_PERMANENT);
    EXPECT_EQ(neighbour->ip, ip(address));
    EXPECT_EQ(neighbour->mac, mac);
  }
}

TEST(ParseNeighbour, TellsTheZeroMacFromNoneAndFromMulticast) {
  const auto mac_of = [](std::vector<std::uint8_t> bytes) {
    NetlinkMessage message(RTM_NEWNEIGH, 0);
    ndmsg header{};
    header.ndm_family = AF_BRIDGE;
    header.ndm_ifindex = 7;
    message.put_struct(header);
    if (!bytes.empty()) message.put(NDA_LLADDR, bytes);
    return parse_neighbour(only_message(message).payload)->mac;
  };
  EXPECT_EQ(mac_of({0, 0, 0, 0, 0, 0}), MacAddress());
  EXPECT_EQ(mac_of({}), std::nullopt);
  EXPECT_EQ(mac_of({1, 0, 0x5e, 0, 0, 1}), std::nullopt);
  EXPECT_EQ(mac_of({0, 0, 0, 0}), std::nullopt);
}

TEST(ParseAck, ReadsTheKernelsWords) {
  NetlinkMessage message(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS);
  message.put_struct(int{-22})
      .put_struct(nlmsghdr{})
      .put_text(NLMSGERR_ATTR_MSG, "Nexthop has invalid gateway");
  const auto ack = parse_ack(only_message(message));
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->sys_errno, 22);
  EXPECT_EQ(ack->text, "Nexthop has invalid gateway");
}

TEST(ParseAck, RefusesWhatIsNoErrno) {
  NetlinkMessage message(NLMSG_ERROR, 0);
  message.put_struct(int{22});
  EXPECT_FALSE(parse_ack(only_message(message)));
}

// Mutated messages in memory of exactly their size, so that a sanitizer sees each byte too many.
TEST(Parsers, StayWithinAnyBytes) {
  std::mt19937 random(1);
  std::vector<NetlinkMessage> seeds{
      create_veth_pair({.host_name = ifname("veth0"), .peer_name = ifname("eth0")}, LinkState::kUp),
      create_bridge({.name = ifname("fl-one"), .mac = MacAddress::from_hash("one"), .alias = "x"}),
      add_address(1, cidr("fd00:1::2/64")),
      add_route(3, {.destination = cidr("::/0"), .via = ip("fd00::1"), .mtu = 1}),
      create_vxlan({.name = ifname("flx00002a"), .vni = 42, .local = ip("2001:db8::1")}),
      set_forwarding(3, MacAddress::from_hash("web"), ip("192.0.2.1")),
      set_neighbour(3, ip("fd00:1::2"), MacAddress::from_hash("web"))};
  std::size_t understood = 0;
  TableEvents table_events("fairlead");
  LinkEvents link_events;
  for (int round = 0; round < 20000; ++round) {
    const Bytes seed = seeds[random() % seeds.size()].bytes();
    const std::size_t size = random() % (seed.size() + 1);
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
    std::copy_n(seed.begin(), size, exact.get());
    for (auto change = random() % 6; change > 0 && size > 0; --change)
      exact[random() % size] = static_cast<std::uint8_t>(random());
    Bytes rest(exact.get(), size);
    while (const auto message = take_message(rest)) {
      understood += parse_link(message->payload).has_value();
      understood += parse_address(message->payload).has_value();
      understood += parse_route(message->payload).has_value();
      understood += parse_rule(message->payload).has_value();
      understood += parse_neighbour(message->payload).has_value();
      understood += parse_ack(*message).has_value();
      understood +=
          link_events.take(*message).has_value() + table_events.take(*message).has_value();
    }
    const Bytes all(exact.get(), size);
    (void)parse_link(all);
    (void)parse_address(all);
    (void)parse_route(all);
    (void)parse_neighbour(all);
  }
  EXPECT_GT(understood, 100U);  // the mutations do get past the first check
}

TEST(Announcement, OfIpv4IsAnArpRequestOfTheAddressForItself) {
  const auto frame = announcement_frame(ip("10.1.0.2"), *MacAddress::parse("02:fa:0a:01:00:02"));
  const std::vector<std::uint8_t>
      expected{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0xfa, 0x0a, 0x01,
               0x00, 0x02, 0x08, 0x06,                          // Ethernet
               0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x01,  // ARP request
               0x02, 0xfa, 0x0a, 0x01, 0x00, 0x02, 10,   1,    0,    2,
               0,    0,    0,    0,    0,    0,    10,   1,    0,    2};
  EXPECT_EQ(frame, expected);
}

TEST(Announcement, OfIpv6IsAnUnsolicitedAdvertisementThatOverrides) {
  const auto frame = announcement_frame(ip("fd00:1::2"), *MacAddress::parse("02:fa:0a:01:00:02"));
  ASSERT_EQ(frame.size(), 14U + 40U + 32U);
  EXPECT_EQ(frame[14 + 7], 255);            // hop limit
  EXPECT_EQ(frame[54], 136);                // ICMPv6 type
  EXPECT_EQ(frame[58], 0x20);               // override
  std::uint32_t sum = 32 + IPPROTO_ICMPV6;  // a right checksum adds up to all ones
  for (std::size_t i = 22; i < frame.size(); i += 2) sum += frame[i] * 256U + frame[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  EXPECT_EQ(sum, 0xffffU);
}

}  // namespace
}  // namespace fairlead::kernel
