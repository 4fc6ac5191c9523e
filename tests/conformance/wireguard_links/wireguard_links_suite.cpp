// What every implementation of WireguardLinks must do: the kernel's, and the fake that other tests
// rely on. The kernel's part needs WireGuard; `tests/run.sh guest` runs it in a guest that has it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "network/kernel/host/netns.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_keyfile.h"
#include "tests/support/fake_wireguard_links.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::PrivateKey;
using kernel::PublicKey;
using kernel::UdpEndpoint;
using kernel::WireguardLinkSpec;
using kernel::WireguardPeer;
using kernel::WireguardPeerChanges;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class World {
 public:
  virtual ~World() = default;
  virtual kernel::Links& links() = 0;
  virtual kernel::WireguardLinks& wireguard_links() = 0;
  virtual PublicKey public_key(const PrivateKey& key) = 0;
  virtual std::vector<Cidr> addresses(const IfName& name) = 0;
};

class FakeWorld : public World {
 public:
  static Result<std::unique_ptr<World>> make() { return std::make_unique<FakeWorld>(); }
  kernel::Links& links() override { return links_; }
  kernel::WireguardLinks& wireguard_links() override { return wireguard_links_; }
  PublicKey public_key(const PrivateKey& key) override {
    return FakeWireguardLinks::public_key(key);
  }
  std::vector<Cidr> addresses(const IfName& name) override {
    return wireguard_links_.addresses(name);
  }

 private:
  FakeLinks links_;
  FakeWireguardLinks wireguard_links_{links_};
};

class KernelWorld : public World {
 public:
  static Result<std::unique_ptr<World>> make() {
    TRY(UniqueFd host, kernel::new_netns());
    auto world = std::unique_ptr<KernelWorld>(new KernelWorld(std::move(host)));
    TRY_STATUS(world->wireguard_links_->probe());
    return std::unique_ptr<World>(std::move(world));
  }
  ~KernelWorld() override {
    links_->finish_removals();
    links_.reset();
    wireguard_links_.reset();
    if (::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
  }
  kernel::Links& links() override { return *links_; }
  kernel::WireguardLinks& wireguard_links() override { return *wireguard_links_; }
  PublicKey public_key(const PrivateKey& key) override { return must(kernel::public_key_of(key)); }
  std::vector<Cidr> addresses(const IfName& name) override {
    return must(links_->inspect(host_.get(), name)).addresses;
  }

 private:
  explicit KernelWorld(UniqueFd host)
      : home_(must(kernel::current_netns())), host_(std::move(host)) {
    if (::setns(host_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("enter a namespace");
    links_ = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
    wireguard_links_ = must(kernel::open_netlink_wireguard_links());
  }
  UniqueFd home_, host_;
  std::unique_ptr<kernel::Links> links_;
  std::unique_ptr<kernel::WireguardLinks> wireguard_links_;
};

PrivateKey private_key(std::uint8_t n) {
  return *PrivateKey::from_bytes(std::vector<std::uint8_t>(kernel::kKeySize, n));
}

template <class WorldType>
class WireguardLinksSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = WorldType::make();
    if (!made) GTEST_SKIP() << made.error().text;
    world_ = std::move(*made);
  }
  kernel::Links& links() { return world_->links(); }
  kernel::WireguardLinks& wireguard_links() { return world_->wireguard_links(); }
  PublicKey key(std::uint8_t n) { return world_->public_key(private_key(n)); }

  WireguardLinkSpec spec() {
    return {.name = device_,
            .private_key = private_key(1),
            .port = 51820,
            .addresses = {cidr("fd5c::1/64")},
            .mtu = 1420,
            .alias = "fairlead secure"};
  }
  kernel::WireguardLink ensure() { return must(wireguard_links().ensure(spec())); }
  // The host with the n-th key and addresses.
  WireguardPeer peer(std::uint8_t n) {
    return {.key = key(n),
            .endpoint = UdpEndpoint{*ip("192.0.2.0").plus(n), 51820},
            .allowed_ips = {Cidr::of(*ip("fd5c::").plus(n), 128)}};
  }
  WireguardPeerChanges set_peers(const std::vector<WireguardPeer>& wanted) {
    return must(wireguard_links().set_peers(device_, wanted));
  }
  std::vector<WireguardPeer> peers() {
    std::vector<WireguardPeer> list;
    for (const auto& each : must(wireguard_links().dump(device_)).peers) list.push_back(each.peer);
    return list;
  }
  template <class T>
  static void expect_code(const Result<T>& result, Code code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().text;
  }

  const IfName device_ = ifname("flwg0");
  std::unique_ptr<World> world_;
};

using Worlds = ::testing::Types<FakeWorld, KernelWorld>;
struct WorldNames {
  template <class T>
  static std::string GetName(int) {
    return std::is_same_v<T, FakeWorld> ? "Fake" : "Kernel";
  }
};
TYPED_TEST_SUITE(WireguardLinksSuite, Worlds, WorldNames);

// ---- devices

TYPED_TEST(WireguardLinksSuite, ProbingLeavesNothing) {
  const auto before = must(this->links().list()).size();
  must(this->wireguard_links().probe());
  must(this->wireguard_links().probe());
  EXPECT_EQ(must(this->links().list()).size(), before);
}

TYPED_TEST(WireguardLinksSuite, EnsureMakesADeviceWithKeyPortAndAddresses) {
  auto spec = this->spec();
  spec.addresses = {cidr("fd5c::1/64"), cidr("10.80.0.1/24")};
  const auto made = must(this->wireguard_links().ensure(spec));
  EXPECT_TRUE(made.fresh);
  const auto link = must(this->links().find(this->device_));
  EXPECT_EQ(link.index, made.index);
  EXPECT_EQ(link.kind, "wireguard");
  EXPECT_EQ(link.mtu, 1420U);
  EXPECT_EQ(link.alias, "fairlead secure");
  EXPECT_TRUE(link.up);
  const auto state = must(this->wireguard_links().dump(this->device_));
  EXPECT_EQ(state.key, this->key(1));
  EXPECT_EQ(state.port, 51820);
  EXPECT_THAT(state.peers, IsEmpty());
  EXPECT_THAT(this->world_->addresses(this->device_),
              UnorderedElementsAre(cidr("fd5c::1/64"), cidr("10.80.0.1/24")));
}

TYPED_TEST(WireguardLinksSuite, EnsureTwiceIsTheSameAsOnce) {
  const auto first = this->ensure();
  this->set_peers({this->peer(2)});
  const auto second = this->ensure();
  EXPECT_EQ(second.index, first.index);
  EXPECT_FALSE(second.fresh);
  EXPECT_THAT(this->peers(), ElementsAre(this->peer(2)));
}

TYPED_TEST(WireguardLinksSuite, EnsureMendsAndKeepsThePeers) {
  const auto made = this->ensure();
  this->set_peers({this->peer(2)});
  auto other = this->spec();
  other.port = 51821;
  other.mtu = 1380;
  other.alias = "fairlead other";
  other.addresses = {cidr("fd5c::9/64"), cidr("fd5d::1/64")};
  const auto mended = must(this->wireguard_links().ensure(other));
  EXPECT_EQ(mended.index, made.index);
  EXPECT_FALSE(mended.fresh);
  const auto link = must(this->links().find(this->device_));
  EXPECT_EQ(link.mtu, 1380U);
  EXPECT_EQ(link.alias, "fairlead other");
  EXPECT_EQ(must(this->wireguard_links().dump(this->device_)).port, 51821);
  EXPECT_THAT(this->world_->addresses(this->device_),
              UnorderedElementsAre(cidr("fd5c::9/64"), cidr("fd5d::1/64")));
  EXPECT_THAT(this->peers(), ElementsAre(this->peer(2)));
}

TYPED_TEST(WireguardLinksSuite, AnotherPrivateKeyIsAnotherIdentityWithTheSamePeers) {
  this->ensure();
  this->set_peers({this->peer(2)});
  auto other = this->spec();
  other.private_key = private_key(9);
  EXPECT_FALSE(must(this->wireguard_links().ensure(other)).fresh);
  EXPECT_EQ(must(this->wireguard_links().dump(this->device_)).key, this->key(9));
  EXPECT_THAT(this->peers(), ElementsAre(this->peer(2)));
}

TYPED_TEST(WireguardLinksSuite, APortHasOneDevice) {
  this->ensure();
  auto second = this->spec();
  second.name = ifname("flwg1");
  this->expect_code(this->wireguard_links().ensure(second), Code::kInUse);
  this->expect_code(this->links().find(second.name), Code::kNotFound);
  second.port = 51821;
  EXPECT_TRUE(must(this->wireguard_links().ensure(second)).fresh);
  second.port = 51820;
  this->expect_code(this->wireguard_links().ensure(second), Code::kInUse);
  EXPECT_EQ(must(this->links().find(second.name)).kind, "wireguard");
}

TYPED_TEST(WireguardLinksSuite, AnInterfaceOfAnotherKindIsLeftAlone) {
  must(this->links().ensure_bridge({.name = this->device_, .mac = MacAddress::from_hash("one")},
                                   false));
  this->expect_code(this->wireguard_links().ensure(this->spec()), Code::kExists);
  this->expect_code(this->wireguard_links().remove(this->device_), Code::kExists);
  this->expect_code(this->wireguard_links().set_peers(this->device_, {}), Code::kInvalid);
  this->expect_code(this->wireguard_links().dump(this->device_), Code::kInvalid);
  EXPECT_EQ(must(this->links().find(this->device_)).kind, "bridge");
}

TYPED_TEST(WireguardLinksSuite, WhatCannotBeIsRefused) {
  auto spec = this->spec();
  spec.private_key = {};
  this->expect_code(this->wireguard_links().ensure(spec), Code::kInvalid);
  spec = this->spec();
  spec.port = 0;
  this->expect_code(this->wireguard_links().ensure(spec), Code::kInvalid);
  spec = this->spec();
  spec.mtu = 1279;
  this->expect_code(this->wireguard_links().ensure(spec), Code::kInvalid);
  spec = this->spec();
  spec.addresses = {cidr("ff02::1/64")};
  this->expect_code(this->wireguard_links().ensure(spec), Code::kInvalid);
  this->expect_code(this->links().find(this->device_), Code::kNotFound);
}

TYPED_TEST(WireguardLinksSuite, RemoveTakesItAndSucceedsAgain) {
  this->ensure();
  this->set_peers({this->peer(2)});
  must(this->wireguard_links().remove(this->device_));
  this->expect_code(this->links().find(this->device_), Code::kNotFound);
  must(this->wireguard_links().remove(this->device_));
  this->expect_code(this->wireguard_links().dump(this->device_), Code::kNotFound);
  this->expect_code(this->wireguard_links().set_peers(this->device_, {}), Code::kNotFound);
  EXPECT_TRUE(this->ensure().fresh);
  EXPECT_THAT(this->peers(), IsEmpty());
}

// ---- peers

TYPED_TEST(WireguardLinksSuite, PeersOfBothFamiliesAreSetAndRemoved) {
  this->ensure();
  auto two = this->peer(2), three = this->peer(3), four = this->peer(4);
  two.endpoint = UdpEndpoint{ip("2001:db8::2"), 1};
  two.keepalive = 25;
  two.allowed_ips = {cidr("10.80.0.2/32"), cidr("fd5c::2/128"), cidr("fd60::/64")};
  three.endpoint.reset();
  three.allowed_ips.clear();
  EXPECT_EQ(this->set_peers({two, three, four}), (WireguardPeerChanges{.added = 3}));
  EXPECT_THAT(this->peers(), UnorderedElementsAre(two, three, four));
  EXPECT_EQ(this->set_peers({two}), (WireguardPeerChanges{.removed = 2, .unchanged = 1}));
  EXPECT_THAT(this->peers(), ElementsAre(two));
  EXPECT_EQ(this->set_peers({}), (WireguardPeerChanges{.removed = 1}));
  EXPECT_THAT(this->peers(), IsEmpty());
}

TYPED_TEST(WireguardLinksSuite, OnlyDifferencesAreSent) {
  this->ensure();
  const std::vector<WireguardPeer> wanted{this->peer(2), this->peer(3), this->peer(4)};
  this->set_peers(wanted);
  EXPECT_EQ(this->set_peers(wanted), (WireguardPeerChanges{.unchanged = 3}));
  auto two = this->peer(2), three = this->peer(3), four = this->peer(4);
  two.endpoint = UdpEndpoint{ip("192.0.2.99"), 7};
  three.allowed_ips = {cidr("fd5c::33/128")};
  four.keepalive = 5;
  EXPECT_EQ(this->set_peers({two, three, four}), (WireguardPeerChanges{.changed = 3}));
  EXPECT_THAT(this->peers(), UnorderedElementsAre(two, three, four));
  four.keepalive = 0;
  EXPECT_EQ(this->set_peers({four, two, three}),
            (WireguardPeerChanges{.changed = 1, .unchanged = 2}));
  EXPECT_THAT(this->peers(), UnorderedElementsAre(two, three, four));
}

TYPED_TEST(WireguardLinksSuite, HostBitsAndRepetitionsAreNoDifference) {
  this->ensure();
  auto two = this->peer(2);
  two.allowed_ips = {cidr("fd5c::2:7/112"), cidr("fd5c::2:0/112"), cidr("10.80.2.9/24")};
  this->set_peers({two});
  EXPECT_EQ(this->set_peers({two}), (WireguardPeerChanges{.unchanged = 1}));
  EXPECT_THAT(this->peers().front().allowed_ips,
              ElementsAre(cidr("10.80.2.0/24"), cidr("fd5c::2:0/112")));
}

TYPED_TEST(WireguardLinksSuite, AnAddressMovesBetweenPeers) {
  this->ensure();
  auto two = this->peer(2), three = this->peer(3);
  this->set_peers({two, three});
  std::swap(two.allowed_ips, three.allowed_ips);
  EXPECT_EQ(this->set_peers({two, three}), (WireguardPeerChanges{.changed = 2}));
  EXPECT_THAT(this->peers(), UnorderedElementsAre(two, three));
  // A host that returns with another key.
  auto again = this->peer(7);
  again.allowed_ips = two.allowed_ips;
  EXPECT_EQ(this->set_peers({again, three}),
            (WireguardPeerChanges{.added = 1, .removed = 1, .unchanged = 1}));
  EXPECT_THAT(this->peers(), UnorderedElementsAre(again, three));
  // All addresses go to one peer.
  again.allowed_ips.push_back(three.allowed_ips.front());
  std::ranges::sort(again.allowed_ips);
  three.allowed_ips.clear();
  EXPECT_EQ(this->set_peers({again, three}), (WireguardPeerChanges{.changed = 2}));
  EXPECT_THAT(this->peers(), UnorderedElementsAre(again, three));
}

TYPED_TEST(WireguardLinksSuite, MoreThanOneMessageOfPeers) {
  this->ensure();
  std::vector<WireguardPeer> wanted;
  for (int n = 2; n < 210; ++n) wanted.push_back(this->peer(static_cast<std::uint8_t>(n)));
  // Keys are clamped, so some of these are the same.
  std::map<PublicKey, WireguardPeer> distinct;
  for (const WireguardPeer& each : wanted) distinct.try_emplace(each.key, each);
  distinct.erase(this->key(1));
  wanted.clear();
  for (auto& [key, each] : distinct) wanted.push_back(each);
  ASSERT_GT(wanted.size(), 101U);
  auto& many = wanted[60].allowed_ips;
  for (std::uint64_t n = 0; n < 250; ++n) many.push_back(Cidr::of(*ip("fd61::").plus(n), 128));
  std::ranges::sort(many);
  EXPECT_EQ(this->set_peers(wanted), (WireguardPeerChanges{.added = wanted.size()}));
  EXPECT_EQ(this->peers(), wanted);
  EXPECT_EQ(this->set_peers(wanted), (WireguardPeerChanges{.unchanged = wanted.size()}));
  const std::vector<WireguardPeer> few(wanted.begin(), wanted.begin() + 3);
  EXPECT_EQ(this->set_peers(few),
            (WireguardPeerChanges{.removed = wanted.size() - 3, .unchanged = 3}));
  EXPECT_EQ(this->peers(), few);
}

TYPED_TEST(WireguardLinksSuite, PeersThatCannotBeAreRefusedAndNothingIsChanged) {
  this->ensure();
  this->set_peers({this->peer(2)});
  const auto refused = [&](const std::vector<WireguardPeer>& wanted, const std::string& why) {
    const auto result = this->wireguard_links().set_peers(this->device_, wanted);
    this->expect_code(result, Code::kInvalid);
    if (!result) {
      EXPECT_THAT(result.error().text, HasSubstr(why));
    }
  };
  auto twice = this->peer(3);
  twice.allowed_ips = this->peer(2).allowed_ips;
  refused({this->peer(2), twice}, "fd5c::2/128 is already that of peer");
  refused({this->peer(3), this->peer(3)}, "is there twice");
  refused({this->peer(1)}, "is the device itself");
  refused({WireguardPeer{}}, "no public key");
  for (const char* nowhere : {"0.0.0.0", "::", "224.0.0.1", "ff02::1"}) {
    auto bad = this->peer(3);
    bad.endpoint = UdpEndpoint{ip(nowhere), 51820};
    refused({bad}, "nobody listens");
  }
  auto portless = this->peer(3);
  portless.endpoint->port = 0;
  refused({portless}, "nobody listens on 192.0.2.3:0");
  EXPECT_THAT(this->peers(), ElementsAre(this->peer(2)));
}

TYPED_TEST(WireguardLinksSuite, NoErrorHoldsAPrivateKey) {
  must(this->links().ensure_bridge({.name = this->device_, .mac = MacAddress::from_hash("one")},
                                   false));
  const auto refused = this->wireguard_links().ensure(this->spec());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, Not(HasSubstr(private_key(1).reveal().substr(0, 16))));
}

}  // namespace
}  // namespace fairlead::testing
