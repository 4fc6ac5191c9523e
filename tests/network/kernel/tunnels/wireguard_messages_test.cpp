// WireGuard's messages as bytes, and which of them are sent.
#include "network/kernel/tunnels/wireguard_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>

#include <memory>
#include <random>

#include "network/kernel/links/parse.h"
#include "network/kernel/tunnels/wireguard_plan.h"

namespace fairlead::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint16_t kFamily = 0x21;

Cidr cidr(const std::string& text) { return *Cidr::parse(text); }
IpAddress ip(const std::string& text) { return *IpAddress::parse(text); }
PublicKey key(std::uint8_t n) {
  return *PublicKey::from_bytes(std::vector<std::uint8_t>(kKeySize, n));
}

std::string hex(Bytes bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Bytes payload_of(const NetlinkMessage& message) {
  Bytes bytes = message.bytes();
  const auto view = take_message(bytes);
  EXPECT_TRUE(view && bytes.empty());
  return view ? view->payload : Bytes();
}

WireguardPeer peer(std::uint8_t n) {
  return {.key = key(n),
          .endpoint = UdpEndpoint{*ip("192.0.2.0").plus(n), 51820},
          .allowed_ips = {Cidr::of(*ip("fd5c::").plus(n), 128)}};
}

WireguardLinkState held(const std::vector<WireguardPeer>& peers) {
  WireguardLinkState state{.key = key(1), .port = 51820};
  for (const WireguardPeer& each : peers) state.peers.push_back({.peer = each});
  return state;
}

PeerPlan plan(const std::vector<WireguardPeer>& present, const std::vector<WireguardPeer>& wanted) {
  auto made = plan_peers(held(present), wanted);
  EXPECT_TRUE(made) << made.error().text;
  return made ? *made : PeerPlan{};
}

// ---- plans

TEST(PeerPlan, NothingIsSentOfPeersThatAreAsTheyShouldBe) {
  const auto made = plan({peer(2), peer(3)}, {peer(3), peer(2)});
  EXPECT_THAT(made.steps, IsEmpty());
  EXPECT_EQ(made.changes, (WireguardPeerChanges{.unchanged = 2}));
}

TEST(PeerPlan, OfAChangedPeerOnlyTheDifferenceIsSent) {
  auto moved = peer(2), slower = peer(3), bigger = peer(4), smaller = peer(5);
  moved.endpoint = UdpEndpoint{ip("2001:db8::2"), 1};
  slower.keepalive = 25;
  bigger.allowed_ips.push_back(cidr("10.0.0.4/32"));
  smaller.allowed_ips.clear();
  const auto made = plan({peer(2), peer(3), peer(4), peer(5)}, {smaller, moved, slower, bigger});
  using Verb = PeerStep::Verb;
  EXPECT_THAT(
      made.steps,
      ElementsAre(
          PeerStep{.verb = Verb::kChange, .key = key(2), .endpoint = moved.endpoint},
          PeerStep{.verb = Verb::kChange, .key = key(3), .keepalive = 25},
          PeerStep{.verb = Verb::kChange, .key = key(4), .allowed_ips = {cidr("10.0.0.4/32")}},
          PeerStep{.verb = Verb::kChange, .key = key(5), .replace_allowed_ips = true}));
  EXPECT_EQ(made.changes, (WireguardPeerChanges{.changed = 4}));
}

TEST(PeerPlan, AnEndpointThatIsNotNamedIsThePeersOwn) {
  auto anywhere = peer(2);
  anywhere.endpoint.reset();
  EXPECT_THAT(plan({peer(2)}, {anywhere}).steps, IsEmpty());
}

TEST(PeerPlan, APresharedKeyOfSomebodyElsesIsDropped) {
  WireguardLinkState state = held({peer(2)});
  state.peers.front().preshared = true;
  const auto made = plan_peers(state, std::vector{peer(2)});
  ASSERT_TRUE(made);
  EXPECT_THAT(made->steps,
              ElementsAre(PeerStep{
                  .verb = PeerStep::Verb::kChange, .key = key(2), .drop_preshared = true}));
}

TEST(PeerPlan, AnAddressIsGivenBeforeItIsTaken) {
  auto gives = peer(2), takes = peer(3);
  gives.allowed_ips.push_back(cidr("10.0.0.9/32"));
  std::ranges::sort(gives.allowed_ips);
  takes.allowed_ips.push_back(cidr("10.0.0.9/32"));
  const auto made = plan({gives, peer(3), peer(4)}, {peer(2), takes, peer(5)});
  ASSERT_EQ(made.steps.size(), 4U);
  EXPECT_EQ(made.steps[0].key, key(3));
  EXPECT_EQ(made.steps[1].key, key(5));
  EXPECT_EQ(made.steps[2].key, key(2));
  EXPECT_EQ(made.steps[3], (PeerStep{.verb = PeerStep::Verb::kRemove, .key = key(4)}));
}

TEST(PeerPlan, TooManyAddressesAreRefused) {
  auto many = peer(2);
  for (std::uint64_t n = 0; n < kMaxAllowedIps; ++n)
    many.allowed_ips.push_back(Cidr::of(*ip("fd61::").plus(n), 128));
  EXPECT_FALSE(plan_peers(held({}), std::vector{many}));
  many.allowed_ips.pop_back();
  EXPECT_TRUE(plan_peers(held({}), std::vector{many}));
}

// ---- bytes

TEST(WireguardMessages, ADeviceIsMadeDownAndOfTheKind) {
  WireguardLinkSpec spec{.name = *IfName::parse("flwg0"), .mtu = 1420, .alias = "fairlead"};
  std::vector<std::uint8_t> payload;
  const NetlinkMessage message = create_wireguard(spec);
  payload.assign(payload_of(message).begin(), payload_of(message).end());
  payload[offsetof(ifinfomsg, ifi_index)] = 7;
  const auto details = parse_link(payload);
  ASSERT_TRUE(details);
  EXPECT_EQ(details->link.name, "flwg0");
  EXPECT_EQ(details->link.kind, "wireguard");
  EXPECT_EQ(details->link.mtu, 1420U);
  EXPECT_EQ(details->link.alias, "fairlead");
  EXPECT_FALSE(details->link.up);
}

// One line for each attribute: length, type, what it holds.
// clang-format off
TEST(WireguardMessages, AreTheReviewedBytes) {
  const auto secret = PrivateKey::from_bytes(std::vector<std::uint8_t>(kKeySize, 0x48));
  EXPECT_EQ(hex(payload_of(set_device(kFamily, 7,
                                      {.private_key = *secret, .port = 51820, .drop_mark = true}))),
            "01010000"          // WG_CMD_SET_DEVICE, version 1
            "0800" "0100" "07000000"
            "2400" "0300" "4848484848484848484848484848484848484848484848484848484848484848"
            "0600" "0600" "6cca" "0000"
            "0800" "0700" "00000000");
  const PeerStep add{.verb = PeerStep::Verb::kAdd,
                     .key = key(0xaa),
                     .endpoint = UdpEndpoint{ip("192.0.2.7"), 51820},
                     .keepalive = 25,
                     .replace_allowed_ips = true,
                     .allowed_ips = {cidr("fd5c::7/128")}};
  const PeerStep change{.verb = PeerStep::Verb::kChange,
                        .key = key(0xbb),
                        .endpoint = UdpEndpoint{ip("2001:db8::7"), 1},
                        .drop_preshared = true,
                        .allowed_ips = {cidr("10.80.0.0/16")}};
  const PeerStep remove{.verb = PeerStep::Verb::kRemove, .key = key(0xcc)};
  const auto messages = set_peers(kFamily, 7, std::vector{add, change, remove});
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(hex(payload_of(messages.front())), "01010000"
            "0800" "0100" "07000000"
            "4001" "0880"         // peers
            "7800" "0080"         // the one that is added
            "2400" "0100" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "0800" "0300" "02000000"  // WGPEER_F_REPLACE_ALLOWEDIPS
            "1400" "0400" "0200" "ca6c" "c0000207" "0000000000000000"
            "0600" "0500" "1900" "0000"
            "2c00" "0980"         // its addresses
            "2800" "0080"
            "0600" "0100" "0a00" "0000"
            "1400" "0200" "fd5c0000000000000000000000000007"
            "0500" "0300" "80" "000000"
            "9400" "0080"         // the one that is changed
            "2400" "0100" "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
            "0800" "0300" "04000000"  // WGPEER_F_UPDATE_ONLY
            "2400" "0200" "0000000000000000000000000000000000000000000000000000000000000000"
            "2000" "0400" "0a00" "0001" "00000000" "20010db8000000000000000000000007" "00000000"
            "2000" "0980"
            "1c00" "0080"
            "0600" "0100" "0200" "0000"
            "0800" "0200" "0a500000"
            "0500" "0300" "10" "000000"
            "3000" "0080"         // the one that is removed
            "2400" "0100" "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
            "0800" "0300" "01000000");
  EXPECT_EQ(hex(payload_of(get_device(kFamily, 7))), "00010000" "0800" "0100" "07000000");
  EXPECT_EQ(hex(payload_of(look_up_family("wireguard"))), "03010000" "0e00" "0200" "776972656775617264000000");
}
// clang-format on

TEST(WireguardMessages, ManyPeersAreSplit) {
  std::vector<PeerStep> steps(120);
  for (std::size_t n = 0; n < steps.size(); ++n) steps[n].key = key(static_cast<std::uint8_t>(n));
  EXPECT_EQ(set_peers(kFamily, 7, steps).size(), 3U);
  EXPECT_THAT(set_peers(kFamily, 7, {}), IsEmpty());
  // By their addresses too: nests end at 64 KiB.
  for (PeerStep& step : steps) step.allowed_ips.assign(kMaxAllowedIps, cidr("fd5c::1/128"));
  const auto messages = set_peers(kFamily, 7, steps);
  EXPECT_EQ(messages.size(), 30U);
  DeviceDump dump;
  for (const NetlinkMessage& message : messages) {
    EXPECT_LT(message.bytes().size(), 65536U);
    EXPECT_TRUE(add_device_part(payload_of(message), dump));
  }
  ASSERT_EQ(dump.state.peers.size(), steps.size());
  for (const auto& each : dump.state.peers) EXPECT_EQ(each.peer.allowed_ips.size(), kMaxAllowedIps);
}

// ---- dumps

TEST(ParseDevice, ReadsWhatWasSet) {
  DeviceDump dump;
  const auto secret = *PrivateKey::from_bytes(std::vector<std::uint8_t>(kKeySize, 0x48));
  EXPECT_TRUE(add_device_part(
      payload_of(set_device(kFamily, 7, {.private_key = secret, .port = 51820})), dump));
  EXPECT_TRUE(dump.private_key == secret);
  EXPECT_EQ(dump.state.port, 51820);
  auto two = peer(2), three = peer(3);
  two.endpoint = UdpEndpoint{ip("2001:db8::2"), 7};
  two.keepalive = 9;
  two.allowed_ips.push_back(cidr("10.80.0.0/16"));
  std::ranges::sort(two.allowed_ips);
  const auto messages = set_peers(kFamily, 7, plan({}, {two, three}).steps);
  EXPECT_TRUE(add_device_part(payload_of(messages.at(0)), dump));
  ASSERT_EQ(dump.state.peers.size(), 2U);
  EXPECT_EQ(dump.state.peers[0].peer, two);
  EXPECT_EQ(dump.state.peers[1].peer, three);
}

TEST(ParseDevice, APeerThatIsSpreadOverPartsIsOne) {
  DeviceDump dump;
  for (const char* address : {"10.0.0.1/32", "10.0.0.2/32", "fd5c::2/128"}) {
    const PeerStep part{.key = key(2), .allowed_ips = {cidr(address)}};
    EXPECT_TRUE(add_device_part(payload_of(set_peers(kFamily, 7, std::vector{part}).at(0)), dump));
  }
  ASSERT_EQ(dump.state.peers.size(), 1U);
  EXPECT_THAT(dump.state.peers[0].peer.allowed_ips,
              ElementsAre(cidr("10.0.0.1/32"), cidr("10.0.0.2/32"), cidr("fd5c::2/128")));
}

TEST(ParseDevice, ReadsWhatOnlyTheKernelWrites) {
  NetlinkMessage message(kFamily, 0);
  message.put_struct(genlmsghdr{});
  message.put(WGDEVICE_A_PUBLIC_KEY, key(1).bytes()).put_u32(WGDEVICE_A_FWMARK, 5);
  {
    const auto peers = message.nest(WGDEVICE_A_PEERS);
    const auto one = message.nest(0);
    message.put(WGPEER_A_PUBLIC_KEY, key(2).bytes())
        .put(WGPEER_A_PRESHARED_KEY, key(3).bytes())
        .put_u64(WGPEER_A_RX_BYTES, 1'000'000'000'000)
        .put_u64(WGPEER_A_TX_BYTES, 2);
    const std::int64_t time[2] = {1'700'000'000, 5};
    message.put(WGPEER_A_LAST_HANDSHAKE_TIME,
                {reinterpret_cast<const std::uint8_t*>(time), sizeof(time)});
  }
  DeviceDump dump;
  ASSERT_TRUE(add_device_part(payload_of(message), dump));
  EXPECT_EQ(dump.state.key, key(1));
  EXPECT_EQ(dump.mark, 5U);
  ASSERT_EQ(dump.state.peers.size(), 1U);
  const WireguardPeerState& state = dump.state.peers[0];
  EXPECT_TRUE(state.preshared);
  EXPECT_EQ(state.last_handshake, 1'700'000'000);
  EXPECT_EQ(state.received, 1'000'000'000'000U);
  EXPECT_EQ(state.sent, 2U);
  EXPECT_FALSE(state.peer.endpoint);
}

TEST(ParseDevice, WhatIsMalformedIsSaid) {
  DeviceDump dump;
  EXPECT_FALSE(add_device_part({}, dump));
  const auto with = [](int type, std::vector<std::uint8_t> bytes) {
    NetlinkMessage message(kFamily, 0);
    message.put_struct(genlmsghdr{});
    {
      const auto peers = message.nest(WGDEVICE_A_PEERS);
      const auto one = message.nest(0);
      if (type != WGPEER_A_PUBLIC_KEY) message.put(WGPEER_A_PUBLIC_KEY, key(2).bytes());
      message.put(type, bytes);
    }
    DeviceDump read;
    return add_device_part(payload_of(message), read);
  };
  EXPECT_FALSE(with(WGPEER_A_PUBLIC_KEY, std::vector<std::uint8_t>(31)));
  // An address of IPv4 with a mask of IPv6's length.
  const PeerStep step{.key = key(2), .allowed_ips = {cidr("10.0.0.1/32")}};
  const NetlinkMessage message = set_peers(kFamily, 7, std::vector{step}).at(0);
  std::vector<std::uint8_t> bytes(payload_of(message).begin(), payload_of(message).end());
  ASSERT_EQ(bytes[bytes.size() - 4], 32);
  bytes[bytes.size() - 4] = 33;
  DeviceDump bad;
  EXPECT_FALSE(add_device_part(bytes, bad));
  EXPECT_THAT(bad.state.peers.at(0).peer.allowed_ips, IsEmpty());
}

TEST(ParseFamily, IsThatOfTheName) {
  const auto answer = [](std::string_view name, std::uint16_t number) {
    NetlinkMessage message(GENL_ID_CTRL, 0);
    message.put_struct(genlmsghdr{});
    message.put(CTRL_ATTR_FAMILY_ID, {reinterpret_cast<const std::uint8_t*>(&number), 2})
        .put_text(CTRL_ATTR_FAMILY_NAME, name);
    return parse_family(payload_of(message), "wireguard");
  };
  EXPECT_EQ(answer("wireguard", 0x21), 0x21);
  EXPECT_EQ(answer("nl80211", 0x21), std::nullopt);
  EXPECT_EQ(answer("wireguard", 3), std::nullopt);  // NLMSG_DONE
  EXPECT_EQ(parse_family({}, "wireguard"), std::nullopt);
}

// Mutated messages in memory of exactly their size, so that a sanitizer sees each byte too many.
TEST(ParseDevice, StaysWithinAnyBytes) {
  std::mt19937 random(1);
  std::vector<WireguardPeer> peers{peer(2), peer(3)};
  peers[0].allowed_ips.push_back(cidr("10.80.0.0/16"));
  const std::vector<NetlinkMessage> seeds{
      set_peers(kFamily, 7, plan({}, peers).steps).at(0),
      set_device(kFamily, 7, {.private_key = PrivateKey(), .port = 1, .drop_mark = true}),
      look_up_family("wireguard")};
  std::size_t understood = 0;
  for (int round = 0; round < 20000; ++round) {
    const Bytes seed = payload_of(seeds[random() % seeds.size()]);
    const std::size_t size = random() % (seed.size() + 1);
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
    std::copy_n(seed.begin(), size, exact.get());
    for (auto change = random() % 6; change > 0 && size > 0; --change)
      exact[random() % size] = static_cast<std::uint8_t>(random());
    DeviceDump dump;
    understood += add_device_part({exact.get(), size}, dump);
    understood += dump.state.peers.size();
    (void)parse_family({exact.get(), size}, "wireguard");
  }
  EXPECT_GT(understood, 1000U);  // the mutations do get past the first check
}

}  // namespace
}  // namespace fairlead::kernel
