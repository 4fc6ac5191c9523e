// An overlay over WireGuard: what the containers see is the same, what the underlay sees is not.
// Needs a kernel with WireGuard; `tests/run.sh guest` runs it where there is one.
#include <gmock/gmock.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <thread>

#include "network/kernel/firewall/firewall.h"
#include "network/kernel/netlink/netlink.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_keyfile.h"
#include "network/nat/nat.h"
#include "tests/network/drivers/overlay_lab.h"
#include "tests/support/tap.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;
using kernel::UdpEndpoint;
using kernel::WireguardPeer;

// An emulated machine takes its time for a handshake.
constexpr auto kMostWait = 5s;
constexpr auto kSilence = 500ms;

class EncryptedOverlay : public OverlayLab, public ::testing::WithParamInterface<Family> {
 protected:
  struct Member {
    kernel::PrivateKey key;
    IpAddress underlay;
    Cidr address;
    std::unique_ptr<kernel::WireguardLinks> wireguard;
  };

  void SetUp() override {
    OverlayLab::SetUp();
    if (IsSkipped()) return;
    const auto here = must(kernel::open_netlink_wireguard_links());
    if (const Status there = here->probe(); !there) GTEST_SKIP() << there.error().text;
    start(GetParam());
    introduce({1, 2, 3});
  }
  void TearDown() override {
    members_.clear();
    OverlayLab::TearDown();
  }

  IpAddress prepare(int k, const IpAddress& underlay) override {
    Member& made = members_[k];
    made.key = must(kernel::make_private_key());
    made.underlay = underlay;
    made.address = kernel::wireguard_address("shop", fmt::format("h{}", k));
    in(fmt::format("h{}", k),
       [&] { made.wireguard = must(kernel::open_netlink_wireguard_links()); });
    must(made.wireguard->ensure({.name = device_,
                                 .private_key = made.key,
                                 .addresses = {made.address},
                                 .mtu = 1500 - kernel::wireguard_overhead(underlay.family())}));
    return made.address.address();
  }
  WireguardPeer peer(int k) {
    const Member& member = members_.at(k);
    return {.key = must(kernel::public_key_of(member.key)),
            .endpoint = UdpEndpoint{member.underlay, kernel::kWireguardPort},
            .allowed_ips = {Cidr::of(member.address.address(), 128)}};
  }
  // These hosts are each other's peers; the others are nobody's.
  void introduce(const std::set<int>& together) {
    for (auto& [k, member] : members_) {
      std::vector<WireguardPeer> others;
      for (const int other : together)
        if (other != k && together.contains(k)) others.push_back(peer(other));
      must(member.wireguard->set_peers(device_, others));
    }
  }
  std::unique_ptr<Tap> tap(const std::string& where, const char* interface) {
    std::unique_ptr<Tap> made;
    in(where, [&] { made = std::make_unique<Tap>(interface); });
    return made;
  }
  static bool holds(const Frame& frame, std::span<const std::uint8_t> bytes) {
    return std::search(frame.begin(), frame.end(), bytes.begin(), bytes.end()) != frame.end();
  }

  const IfName device_ = ifname("flwg0");
  std::map<int, Member> members_;
};

INSTANTIATE_TEST_SUITE_P(Underlays, EncryptedOverlay, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(EncryptedOverlay, ContainersReachEachOtherAndNothingOfThemIsReadable) {
  const auto a = run(1, "a", 2), b = run(2, "b", 3), c = run(3, "c", 4);
  publish({a, b, c});
  const auto wire = tap("h2", "eth0"), inside = tap("h2", "flwg0");
  for (const char* to : {"10.9.0.3", "fd00:9::3", "10.9.0.4", "fd00:9::4"})
    EXPECT_TRUE(ping("a", to, kMostWait)) << to;
  for (const char* to : {"10.9.0.2", "fd00:9::2"}) EXPECT_TRUE(ping("b", to, kMostWait)) << to;

  const auto addresses_of_a = a.endpoint.addresses;
  std::size_t encrypted = 0;
  for (const Frame& frame : wire->frames()) {
    encrypted += is_udp_to(frame, kernel::kWireguardPort);
    EXPECT_TRUE(!is_udp(frame) || is_udp_to(frame, kernel::kWireguardPort));
    EXPECT_FALSE(holds(frame, b.endpoint.mac->bytes()));
    EXPECT_FALSE(holds(frame, addresses_of_a[0].address().bytes()));
    EXPECT_FALSE(holds(frame, addresses_of_a[1].address().bytes()));
  }
  EXPECT_GE(encrypted, 8U);
  // The same packets before they are encrypted: the search does find what it looks for. A device
  // without Ethernet headers shows IP packets.
  std::size_t plain = 0;
  for (const Frame& packet : inside->frames())
    plain += holds(packet, addresses_of_a[0].address().bytes());
  EXPECT_GE(plain, 2U);
}

TEST_P(EncryptedOverlay, PacketsOfTheFullSizePass) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  ASSERT_TRUE(ping("a", "10.9.0.3", kMostWait));
  const unsigned expected =
      1500 - kernel::wireguard_overhead(GetParam()) - kernel::vxlan_overhead(Family::kV6);
  EXPECT_EQ(must(links().inspect(netns("a"), ifname("eth0"))).link.mtu, expected);
  const auto serving = serve_udp("b", 7, "10.9.0.3");
  UdpClient client = udp_client("a", "10.9.0.3", 7);
  const auto wire = tap("h1", "eth0");
  client.send(std::string(expected - 28, 'x'));  // IPv4 and UDP headers
  EXPECT_TRUE(client.ask(kMostWait));
  for (const Frame& frame : wire->frames()) EXPECT_LE(frame.size(), 1500U + ETH_HLEN);
}

TEST_P(EncryptedOverlay, AHostThatIsNoPeerAnyMoreIsCutOff) {
  publish({run(1, "a", 2), run(2, "b", 3), run(3, "c", 4)});
  ASSERT_TRUE(ping("a", "10.9.0.4", kMostWait));
  introduce({1, 2});
  EXPECT_FALSE(ping("a", "10.9.0.4", kSilence));
  EXPECT_FALSE(ping("c", "10.9.0.3", kSilence));
  EXPECT_TRUE(ping("a", "10.9.0.3", kMostWait));
  introduce({1, 2, 3});
  EXPECT_TRUE(ping("a", "10.9.0.4", kMostWait));
}

TEST_P(EncryptedOverlay, WithoutTheDeviceNothingLeaves) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  ASSERT_TRUE(ping("a", "10.9.0.3", kMostWait));
  const auto wire = tap("h2", "eth0");
  must(members_.at(1).wireguard->remove(device_));
  EXPECT_FALSE(ping("a", "10.9.0.3", kSilence));
  EXPECT_TRUE(wire->tunnelled().empty());
}

// ---- the guard

class GuardedOverlay : public EncryptedOverlay {
 protected:
  void TearDown() override {
    firewalls_.clear();
    EncryptedOverlay::TearDown();
  }
  nat::NatUnderlay underlay(int k) {
    nat::NatUnderlay all{.tunnels = {{.vni = 42, .encrypted = true}}, .wireguard_links = {device_}};
    for (const auto& [other, member] : members_)
      if (other != k) all.hosts.push_back(member.address.address());
    return all;
  }
  void guard(int k) {
    auto& firewall = firewalls_[k];
    in(host(k).name,
       [&] { firewall = must(kernel::open_nft_firewall({std::string(nat::kTable)}, false)); });
    must(firewall->run(nat::render({.underlay = underlay(k)})));
  }
  // A datagram to port 7 of a container inside of a VXLAN packet, as anybody could send it.
  static std::string forged(const MacAddress& to, const IpAddress& source,
                            const IpAddress& destination) {
    constexpr std::uint8_t kPayload = 64;
    std::string packet;
    const auto put = [&](std::span<const std::uint8_t> bytes) {
      packet.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    };
    const auto put_all = [&](std::initializer_list<std::uint8_t> bytes) {
      put(std::vector<std::uint8_t>(bytes));
    };
    put_all({0x08, 0, 0, 0, 0, 0, 42, 0});
    put(to.bytes());
    put(MacAddress::for_ip(source).bytes());
    put_all({0x08, 0x00});
    std::vector<std::uint8_t> header{0x45, 0, 0,  20 + 8 + kPayload, 0, 0,
                                     0,    0, 64, IPPROTO_UDP,       0, 0};
    header.insert(header.end(), source.bytes().begin(), source.bytes().end());
    header.insert(header.end(), destination.bytes().begin(), destination.bytes().end());
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < header.size(); i += 2) sum += header[i] * 256U + header[i + 1];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    header[10] = static_cast<std::uint8_t>(~sum >> 8);
    header[11] = static_cast<std::uint8_t>(~sum);
    put(header);
    put_all({0, 9, 0, 7, 0, 8 + kPayload, 0, 0});  // UDP without a checksum
    return packet.append(kPayload, '!');
  }
  // Does what somebody on the underlay sends to host 1 reach the container there?
  bool reaches_container(const Container& container) {
    const auto inside = [&] {
      std::unique_ptr<Tap> made;
      in(container.netns, [&] { made = std::make_unique<Tap>("eth0"); });
      return made;
    }();
    const std::string packet = forged(*container.endpoint.mac, ip("10.9.0.3"),
                                      container.endpoint.addresses.at(0).address());
    // The sockets of tunnels between addresses of IPv6 take packets to any such address.
    udp_client("h3", "2001:db8:99::1", 4789).send(packet);
    std::this_thread::sleep_for(300ms);
    return std::ranges::any_of(inside->frames(),
                               [](const Frame& frame) { return is_udp_to(frame, 7); });
  }

  std::map<int, std::unique_ptr<kernel::Firewall>> firewalls_;
};

INSTANTIATE_TEST_SUITE_P(Underlays, GuardedOverlay, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(GuardedOverlay, ContainersStillReachEachOther) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  guard(1);
  guard(2);
  for (const char* to : {"10.9.0.3", "fd00:9::3"}) EXPECT_TRUE(ping("a", to, kMostWait)) << to;
  for (const char* to : {"10.9.0.2", "fd00:9::2"}) EXPECT_TRUE(ping("b", to, kMostWait)) << to;
}

TEST_P(GuardedOverlay, WhatIsSentInTheClearDoesNotArrive) {
  const auto a = run(1, "a", 2);
  publish({a, run(2, "b", 3)});
  EXPECT_TRUE(reaches_container(a));
  guard(1);
  EXPECT_FALSE(reaches_container(a));
  must(firewalls_.at(1)->apply(nat::difference({.underlay = underlay(1)}, {})));
  EXPECT_TRUE(reaches_container(a));
}

TEST_P(GuardedOverlay, WithoutARouteThroughTheDeviceNothingLeavesInTheClear) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  ASSERT_TRUE(ping("a", "10.9.0.3", kMostWait));
  in("h1", [&] {
    auto socket = must(kernel::NetlinkSocket::open(NETLINK_ROUTE));
    kernel::NetlinkMessage gone(RTM_DELROUTE, 0);
    rtmsg header{};
    header.rtm_family = AF_INET6;
    header.rtm_dst_len = 64;
    header.rtm_table = RT_TABLE_MAIN;
    gone.put_struct(header).put(RTA_DST, members_.at(1).address.first().bytes());
    must(socket.request(std::move(gone), "take the route away"));
  });
  const auto leaks = [&] {
    const auto wire = tap("h1", "eth0");
    EXPECT_FALSE(ping("a", "10.9.0.3", kSilence));
    return !wire->tunnelled().empty();
  };
  EXPECT_TRUE(leaks());  // the route to the outside is the next best
  guard(1);
  EXPECT_FALSE(leaks());
}

}  // namespace
}  // namespace fairlead::testing
