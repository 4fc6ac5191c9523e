// WireGuard as the kernel has it: what tests/conformance/wireguard_links cannot ask a fake. Two
// hosts, "host" and "outside", with an underlay between them.
#include "network/kernel/tunnels/wireguard.h"

#include <gmock/gmock.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <thread>

#include "network/kernel/links/messages.h"
#include "network/kernel/tunnels/wireguard_keyfile.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;
using kernel::UdpEndpoint;
using kernel::WireguardPeer;
using kernel::WireguardPeerChanges;
using ::testing::HasSubstr;

// An emulated machine takes its time for a handshake.
constexpr auto kMostWait = 5s;
constexpr auto kSilence = 500ms;

class Wireguard : public KernelFixture {
 protected:
  struct Host {
    std::string netns;
    std::vector<std::string> underlay;  // its addresses
    kernel::PrivateKey key;
    Cidr address;
    std::unique_ptr<kernel::WireguardLinks> wireguard;
  };

  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    open(host_, "host", {"203.0.113.2", "2001:db8::2"});
    open(outside_, "outside", {"203.0.113.1", "2001:db8::1"});
    if (const Status there = host_.wireguard->probe(); !there) GTEST_SKIP() << there.error().text;
    set_sysctl("host", "net/ipv6/conf/all/accept_dad", "0");
  }
  void TearDown() override {
    host_.wireguard.reset();
    outside_.wireguard.reset();
    KernelFixture::TearDown();
  }
  kernel::WireguardLinkSpec spec(const Host& host) {
    return {.name = device_,
            .private_key = host.key,
            .addresses = {host.address},
            .mtu = 1420,
            .alias = "fairlead secure"};
  }
  kernel::WireguardLink ensure(Host& host) { return must(host.wireguard->ensure(spec(host))); }
  static WireguardPeer peer(const Host& host, std::size_t family = 0) {
    return {.key = must(kernel::public_key_of(host.key)),
            .endpoint = UdpEndpoint{ip(host.underlay[family]), kernel::kWireguardPort},
            .allowed_ips = {Cidr::of(host.address.address(), 128)}};
  }
  WireguardPeerChanges set_peers(Host& host, const std::vector<WireguardPeer>& peers) {
    return must(host.wireguard->set_peers(device_, peers));
  }
  void connect(std::size_t family = 0) {
    ensure(host_);
    ensure(outside_);
    set_peers(host_, {peer(outside_, family)});
    set_peers(outside_, {peer(host_, family)});
  }
  bool reaches(const Host& from, const Host& to, std::chrono::milliseconds most_wait = kMostWait) {
    return ping(from.netns, to.address.address().to_string(), most_wait).has_value();
  }
  kernel::WireguardPeerState only_peer(Host& host) {
    return must(host.wireguard->dump(device_)).peers.at(0);
  }
  void request(const std::string& where, kernel::NetlinkMessage message) {
    in(where, [&] {
      auto socket = must(kernel::NetlinkSocket::open(NETLINK_ROUTE));
      must(socket.request(std::move(message), "a request of the test"));
    });
  }

  const IfName device_ = ifname("flwg0");
  Host host_, outside_;

 private:
  void open(Host& host, const std::string& name, std::vector<std::string> underlay) {
    host.netns = name;
    host.underlay = std::move(underlay);
    host.key = must(kernel::make_private_key());
    host.address = kernel::wireguard_address("shop", name);
    in(name, [&] { host.wireguard = must(kernel::open_netlink_wireguard_links()); });
  }
};

TEST_F(Wireguard, HostsReachEachOtherOverBothFamiliesOfUnderlays) {
  for (const std::size_t family : {0U, 1U}) {
    connect(family);
    EXPECT_TRUE(reaches(host_, outside_));
    EXPECT_TRUE(reaches(outside_, host_));
    const auto state = only_peer(host_);
    EXPECT_GT(state.last_handshake, 0);
    EXPECT_GT(state.received, 0U);
    EXPECT_EQ(state.peer.endpoint->address, ip(outside_.underlay[family]));
  }
}

TEST_F(Wireguard, ASessionGoesOnWhileOthersComeAndGo) {
  connect();
  ASSERT_TRUE(reaches(host_, outside_));
  const auto before = only_peer(host_);
  std::this_thread::sleep_for(1100ms);  // a new handshake would have another second
  WireguardPeer other = peer(outside_);
  other.key = must(kernel::public_key_of(must(kernel::make_private_key())));
  other.allowed_ips = {cidr("fd5c::9/128")};
  ensure(host_);
  EXPECT_EQ(set_peers(host_, {peer(outside_), other}),
            (WireguardPeerChanges{.added = 1, .unchanged = 1}));
  auto wider = peer(outside_);
  wider.allowed_ips.push_back(cidr("fd5d::/64"));
  EXPECT_EQ(set_peers(host_, {wider, other}), (WireguardPeerChanges{.changed = 1, .unchanged = 1}));
  auto moved = peer(outside_, 1);
  EXPECT_EQ(set_peers(host_, {moved}), (WireguardPeerChanges{.changed = 1, .removed = 1}));
  EXPECT_TRUE(reaches(host_, outside_));
  const auto after = only_peer(host_);
  EXPECT_EQ(after.last_handshake, before.last_handshake);
  EXPECT_GT(after.received, before.received);
}

TEST_F(Wireguard, APeerThatWasRemovedIsCutOffAndCanComeBack) {
  connect();
  ASSERT_TRUE(reaches(host_, outside_));
  EXPECT_EQ(set_peers(host_, {}), (WireguardPeerChanges{.removed = 1}));
  EXPECT_FALSE(reaches(host_, outside_, kSilence));
  EXPECT_FALSE(reaches(outside_, host_, kSilence));
  set_peers(host_, {peer(outside_)});
  EXPECT_TRUE(reaches(host_, outside_));
}

TEST_F(Wireguard, WithAnotherKeyNobodyIsBelieved) {
  connect();
  outside_.key = must(kernel::make_private_key());
  ensure(outside_);
  EXPECT_FALSE(reaches(host_, outside_, kSilence));
  set_peers(host_, {peer(outside_)});
  EXPECT_TRUE(reaches(host_, outside_));
}

TEST_F(Wireguard, AnEndpointToWhichThePeerMovedIsPutBack) {
  connect();
  auto elsewhere = peer(outside_);
  elsewhere.endpoint = UdpEndpoint{ip("203.0.113.77"), 9};
  set_peers(host_, {elsewhere});
  ASSERT_TRUE(reaches(outside_, host_));  // it speaks from where it is
  EXPECT_EQ(only_peer(host_).peer.endpoint, peer(outside_).endpoint);
  EXPECT_EQ(set_peers(host_, {elsewhere}), (WireguardPeerChanges{.changed = 1}));
  elsewhere.endpoint.reset();
  EXPECT_EQ(set_peers(host_, {elsewhere}), (WireguardPeerChanges{.unchanged = 1}));
}

TEST_F(Wireguard, WhatSomebodyChangedIsMended) {
  connect();
  const int index = ensure(host_).index;
  const Cidr stray = cidr("fd5d::5/64");
  request("host", kernel::delete_address(index, host_.address));
  request("host", kernel::add_address(index, stray));
  request("host", kernel::change_link(index, kernel::LinkState::kDown));
  EXPECT_FALSE(ensure(host_).fresh);
  const auto view = must(links().inspect(netns("host"), device_));
  EXPECT_EQ(view.addresses, std::vector{host_.address});
  EXPECT_TRUE(view.link.up);
  EXPECT_TRUE(reaches(host_, outside_));
}

TEST_F(Wireguard, ARouteThatSomebodyTookAwayIsPutBackOnce) {
  connect();
  const int index = ensure(host_).index;
  const auto routes = [&] { return must(links().inspect(netns("host"), device_)).routes.size(); };
  const auto before = routes();
  kernel::NetlinkMessage gone(RTM_DELROUTE, 0);
  rtmsg header{};
  header.rtm_family = AF_INET6;
  header.rtm_dst_len = 64;
  header.rtm_table = RT_TABLE_MAIN;
  gone.put_struct(header)
      .put(RTA_DST, host_.address.first().bytes())
      .put_u32(RTA_OIF, static_cast<std::uint32_t>(index));
  request("host", std::move(gone));
  EXPECT_EQ(routes(), before - 1);
  // Packets take the way out of the host now, in the clear: nat::guard is there for that.
  const auto sent = only_peer(host_).sent;
  (void)reaches(host_, outside_, kSilence);
  EXPECT_EQ(only_peer(host_).sent, sent);
  for (int i = 0; i < 2; ++i) {
    ensure(host_);
    EXPECT_EQ(routes(), before);
  }
  EXPECT_TRUE(reaches(host_, outside_));
  EXPECT_GT(only_peer(host_).sent, sent);
}

TEST_F(Wireguard, AHostWithoutIpv6HasItOnThisDevice) {
  set_sysctl("outside", "net/ipv6/conf/all/disable_ipv6", "1");
  set_sysctl("outside", "net/ipv6/conf/default/disable_ipv6", "1");
  connect();
  EXPECT_TRUE(reaches(host_, outside_));
  EXPECT_EQ(sysctl("outside", "net/ipv6/conf/eth0/disable_ipv6"), "1");
}

TEST_F(Wireguard, AnAddressOfNoPeerLeadsNowhere) {
  connect();
  const auto nobody = kernel::wireguard_address("shop", "nobody").address().to_string();
  EXPECT_FALSE(ping("host", nobody, kSilence));
}

TEST_F(Wireguard, AnotherProgramsUdpPortIsExplained) {
  const auto taken = serve_udp("host", kernel::kWireguardPort, "0.0.0.0");
  const auto refused = host_.wireguard->ensure(spec(host_));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("another program has UDP port 51820"));
  EXPECT_EQ(links().find(device_).error().code, Code::kNotFound);
}

TEST_F(Wireguard, AThousandPeersAreSetAndRemoved) {
  ensure(host_);
  std::vector<WireguardPeer> wanted;
  for (std::uint64_t n = 0; n < 1000; ++n)
    wanted.push_back({.key = must(kernel::PublicKey::from_bytes(
                          std::vector<std::uint8_t>({static_cast<std::uint8_t>(n),
                                                     static_cast<std::uint8_t>(n >> 8),
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7,
                                                     7}))),
                      .endpoint = UdpEndpoint{*ip("10.0.0.0").plus(n + 1), 51820},
                      .allowed_ips = {Cidr::of(*ip("fd5c::").plus(n + 1), 128)}});
  EXPECT_EQ(set_peers(host_, wanted), (WireguardPeerChanges{.added = 1000}));
  EXPECT_EQ(set_peers(host_, wanted), (WireguardPeerChanges{.unchanged = 1000}));
  wanted.erase(wanted.begin() + 500, wanted.end());
  EXPECT_EQ(set_peers(host_, wanted), (WireguardPeerChanges{.removed = 500, .unchanged = 500}));
  EXPECT_EQ(must(host_.wireguard->dump(device_)).peers.size(), 500U);
}

}  // namespace
}  // namespace fairlead::testing
