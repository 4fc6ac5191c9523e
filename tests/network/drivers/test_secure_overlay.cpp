// An overlay over WireGuard: what the containers see is the same, what the underlay sees is not.
// Needs a kernel with WireGuard; `tests/run.sh guest` runs it where there is one.
#include <gmock/gmock.h>

#include <algorithm>

#include "network/kernel/wireguard.h"
#include "network/kernel/wireguard_keyfile.h"
#include "tests/network/drivers/overlay_lab.h"
#include "tests/support/tap.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;
using kernel::SecurePeer;
using kernel::UdpEndpoint;

// An emulated machine takes its time for a handshake.
constexpr auto kPatience = 5s;
constexpr auto kSilence = 500ms;

class SecureOverlay : public OverlayLab, public ::testing::WithParamInterface<Family> {
 protected:
  struct Member {
    kernel::PrivateKey key;
    IpAddress underlay;
    Cidr address;
    std::unique_ptr<kernel::SecureLinks> secure;
  };

  void SetUp() override {
    OverlayLab::SetUp();
    if (IsSkipped()) return;
    const auto here = must(kernel::open_netlink_secure_links());
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
    made.address = kernel::secure_address("shop", fmt::format("h{}", k));
    in(fmt::format("h{}", k), [&] { made.secure = must(kernel::open_netlink_secure_links()); });
    must(made.secure->ensure({.name = device_,
                              .private_key = made.key,
                              .addresses = {made.address},
                              .mtu = 1500 - kernel::wireguard_overhead(underlay.family())}));
    return made.address.address();
  }
  SecurePeer peer(int k) {
    const Member& member = members_.at(k);
    return {.key = must(kernel::public_key_of(member.key)),
            .endpoint = UdpEndpoint{member.underlay, kernel::kWireguardPort},
            .allowed_ips = {Cidr::of(member.address.address(), 128)}};
  }
  // These hosts are each other's peers; the others are nobody's.
  void introduce(const std::set<int>& together) {
    for (auto& [k, member] : members_) {
      std::vector<SecurePeer> others;
      for (const int other : together)
        if (other != k && together.contains(k)) others.push_back(peer(other));
      must(member.secure->set_peers(device_, others));
    }
  }
  std::unique_ptr<Tap> tap(const std::string& where, const char* interface) {
    std::unique_ptr<Tap> made;
    in(where, [&] { made = std::make_unique<Tap>(interface); });
    return made;
  }
  static bool holds(const Frame& frame, std::span<const std::uint8_t> bytes) {
    return !std::ranges::search(frame, bytes).empty();
  }

  const IfName device_ = ifname("flwg0");
  std::map<int, Member> members_;
};

INSTANTIATE_TEST_SUITE_P(Underlays, SecureOverlay, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(SecureOverlay, ContainersReachEachOtherAndNothingOfThemIsReadable) {
  const auto a = run(1, "a", 2), b = run(2, "b", 3), c = run(3, "c", 4);
  publish({a, b, c});
  const auto wire = tap("h2", "eth0"), inside = tap("h2", "flwg0");
  for (const char* to : {"10.9.0.3", "fd00:9::3", "10.9.0.4", "fd00:9::4"})
    EXPECT_TRUE(ping("a", to, kPatience)) << to;
  for (const char* to : {"10.9.0.2", "fd00:9::2"}) EXPECT_TRUE(ping("b", to, kPatience)) << to;

  const auto addresses_of_a = a.endpoint.addresses;
  std::size_t secured = 0;
  for (const Frame& frame : wire->frames()) {
    secured += is_udp_to(frame, kernel::kWireguardPort);
    EXPECT_TRUE(!is_udp(frame) || is_udp_to(frame, kernel::kWireguardPort));
    EXPECT_FALSE(holds(frame, b.endpoint.mac->bytes()));
    EXPECT_FALSE(holds(frame, addresses_of_a[0].address().bytes()));
    EXPECT_FALSE(holds(frame, addresses_of_a[1].address().bytes()));
  }
  EXPECT_GE(secured, 8U);
  // The same packets before they are encrypted: the search does find what it looks for. A device
  // without Ethernet headers shows IP packets.
  std::size_t plain = 0;
  for (const Frame& packet : inside->frames())
    plain += holds(packet, addresses_of_a[0].address().bytes());
  EXPECT_GE(plain, 2U);
}

TEST_P(SecureOverlay, PacketsOfTheFullSizePass) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  ASSERT_TRUE(ping("a", "10.9.0.3", kPatience));
  const unsigned expected =
      1500 - kernel::wireguard_overhead(GetParam()) - kernel::vxlan_overhead(Family::kV6);
  EXPECT_EQ(must(links().inspect(netns("a"), ifname("eth0"))).link.mtu, expected);
  const auto serving = serve_udp("b", 7, "10.9.0.3");
  UdpClient client = udp_client("a", "10.9.0.3", 7);
  const auto wire = tap("h1", "eth0");
  client.send(std::string(expected - 28, 'x'));  // IPv4 and UDP headers
  EXPECT_TRUE(client.ask(kPatience));
  for (const Frame& frame : wire->frames()) EXPECT_LE(frame.size(), 1500U + ETH_HLEN);
}

TEST_P(SecureOverlay, AHostThatIsNoPeerAnyMoreIsCutOff) {
  publish({run(1, "a", 2), run(2, "b", 3), run(3, "c", 4)});
  ASSERT_TRUE(ping("a", "10.9.0.4", kPatience));
  introduce({1, 2});
  EXPECT_FALSE(ping("a", "10.9.0.4", kSilence));
  EXPECT_FALSE(ping("c", "10.9.0.3", kSilence));
  EXPECT_TRUE(ping("a", "10.9.0.3", kPatience));
  introduce({1, 2, 3});
  EXPECT_TRUE(ping("a", "10.9.0.4", kPatience));
}

TEST_P(SecureOverlay, WithoutTheDeviceNothingLeaves) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  ASSERT_TRUE(ping("a", "10.9.0.3", kPatience));
  const auto wire = tap("h2", "eth0");
  must(members_.at(1).secure->remove(device_));
  EXPECT_FALSE(ping("a", "10.9.0.3", kSilence));
  EXPECT_TRUE(wire->tunnelled().empty());
}

}  // namespace
}  // namespace fairlead::testing
