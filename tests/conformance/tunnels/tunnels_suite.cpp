// What every implementation of Tunnels must do: the kernel's, and the fake that other tests rely
// on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "network/kernel/host/netns.h"
#include "network/kernel/tunnels/vxlan.h"
#include "tests/support/fake_tunnels.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::EntryChanges;
using kernel::RemoteEntry;
using kernel::VxlanSpec;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A host that has 192.0.2.1 and 2001:db8:99::1 on an interface with an MTU of 1500.
class World {
 public:
  virtual ~World() = default;
  virtual kernel::Links& links() = 0;
  virtual kernel::Tunnels& tunnels() = 0;
};

class FakeWorld : public World {
 public:
  static Result<std::unique_ptr<World>> make() { return std::unique_ptr<World>(new FakeWorld()); }
  kernel::Links& links() override { return links_; }
  kernel::Tunnels& tunnels() override { return tunnels_; }

 private:
  FakeWorld() {
    tunnels_.add_underlay(ip("192.0.2.1"), 1500);
    tunnels_.add_underlay(ip("2001:db8:99::1"), 1500);
  }
  FakeLinks links_;
  FakeTunnels tunnels_{links_};
};

class KernelWorld : public World {
 public:
  static Result<std::unique_ptr<World>> make() {
    TRY(UniqueFd host, kernel::new_netns());
    return std::unique_ptr<World>(new KernelWorld(std::move(host)));
  }
  ~KernelWorld() override {
    links_->finish_removals();
    links_.reset();
    tunnels_.reset();
    if (::setns(home_.get(), CLONE_NEWNET) != 0) std::abort();
  }
  kernel::Links& links() override { return *links_; }
  kernel::Tunnels& tunnels() override { return *tunnels_; }

 private:
  explicit KernelWorld(UniqueFd host)
      : home_(must(kernel::current_netns())), host_(std::move(host)) {
    if (::setns(host_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("enter a namespace");
    links_ = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
    tunnels_ = must(kernel::open_netlink_tunnels());
    must(links_->ensure_bridge({.name = ifname("underlay"),
                                .mac = MacAddress::from_hash("underlay"),
                                .addresses = {cidr("192.0.2.1/24"), cidr("2001:db8:99::1/64")},
                                .ipv6 = true},
                               false));
  }
  UniqueFd home_, host_;
  std::unique_ptr<kernel::Links> links_;
  std::unique_ptr<kernel::Tunnels> tunnels_;
};

template <class WorldType>
class TunnelsSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = WorldType::make();
    if (!made) GTEST_SKIP() << made.error().text;
    world_ = std::move(*made);
    bridge_ = bridge("fl-one");
  }
  kernel::Links& links() { return world_->links(); }
  kernel::Tunnels& tunnels() { return world_->tunnels(); }

  int bridge(const std::string& name) {
    return must(links().ensure_bridge({.name = ifname(name), .mac = MacAddress::from_hash(name)},
                                      false))
        .index;
  }
  VxlanSpec spec(const std::string& local = "192.0.2.1") {
    return {.name = device_,
            .vni = 42,
            .local = ip(local),
            .mtu = 1450,
            .master = bridge_,
            .mac = MacAddress::from_hash("tunnel"),
            .alias = "fairlead shop"};
  }
  // The entry of the n-th container, which is on the k-th host.
  static RemoteEntry v4(int n, int k) {
    const IpAddress address = *ip("10.9.0.0").plus(static_cast<std::uint64_t>(n));
    return {.ip = address,
            .mac = MacAddress::for_ip(address),
            .vtep = *ip("192.0.2.0").plus(static_cast<std::uint64_t>(k))};
  }
  // The entry of the same container's IPv6 address.
  static RemoteEntry v6(int n, int k) {
    RemoteEntry entry = v4(n, k);
    entry.ip = *ip("fd00:9::").plus(static_cast<std::uint64_t>(n));
    return entry;
  }
  EntryChanges apply(const std::vector<RemoteEntry>& set, const std::vector<RemoteEntry>& remove) {
    return must(tunnels().apply(device_, set, remove));
  }
  EntryChanges sync(const std::vector<RemoteEntry>& wanted) {
    return must(tunnels().sync(device_, wanted));
  }
  std::vector<RemoteEntry> dump() { return must(tunnels().dump(device_)); }
  static void expect_counts(const EntryChanges& changes, std::size_t set, std::size_t removed,
                            std::size_t unchanged) {
    EXPECT_EQ(changes.set, set);
    EXPECT_EQ(changes.removed, removed);
    EXPECT_EQ(changes.unchanged, unchanged);
    for (const auto& failure : changes.failures) ADD_FAILURE() << failure.error.text;
  }
  template <class T>
  static void expect_code(const Result<T>& result, Code code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().text;
  }

  const IfName device_ = ifname("flx00002a");
  std::unique_ptr<World> world_;
  int bridge_ = 0;
};

using Worlds = ::testing::Types<FakeWorld, KernelWorld>;
struct WorldNames {
  template <class T>
  static std::string GetName(int) {
    return std::is_same_v<T, FakeWorld> ? "Fake" : "Kernel";
  }
};
TYPED_TEST_SUITE(TunnelsSuite, Worlds, WorldNames);

// ---- devices

TYPED_TEST(TunnelsSuite, EnsureMakesAPortOfTheBridge) {
  for (const char* local : {"192.0.2.1", "2001:db8:99::1"}) {
    const auto made = must(this->tunnels().ensure(this->spec(local)));
    EXPECT_TRUE(made.fresh);
    const auto link = must(this->links().find(this->device_));
    EXPECT_EQ(link.index, made.index);
    EXPECT_EQ(link.kind, "vxlan");
    EXPECT_EQ(link.master, this->bridge_);
    EXPECT_EQ(link.mtu, 1450U);
    EXPECT_EQ(link.mac, MacAddress::from_hash("tunnel"));
    EXPECT_EQ(link.alias, "fairlead shop");
    EXPECT_TRUE(link.up);
    must(this->tunnels().remove(this->device_));
  }
}

TYPED_TEST(TunnelsSuite, EnsureTwiceIsTheSameAsOnce) {
  const auto first = must(this->tunnels().ensure(this->spec()));
  const auto second = must(this->tunnels().ensure(this->spec()));
  EXPECT_EQ(second.index, first.index);
  EXPECT_FALSE(second.fresh);
}

TYPED_TEST(TunnelsSuite, EnsureMendsAndKeepsTheEntries) {
  const auto made = must(this->tunnels().ensure(this->spec()));
  this->apply({this->v4(2, 2)}, {});
  auto other = this->spec();
  other.mtu = 1400;
  other.alias = "fairlead other";
  other.master = this->bridge("fl-two");
  const auto mended = must(this->tunnels().ensure(other));
  EXPECT_EQ(mended.index, made.index);
  EXPECT_FALSE(mended.fresh);
  const auto link = must(this->links().find(this->device_));
  EXPECT_EQ(link.mtu, 1400U);
  EXPECT_EQ(link.alias, "fairlead other");
  EXPECT_EQ(link.master, other.master);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2)));
}

TYPED_TEST(TunnelsSuite, EnsurePutsItBackIntoABridgeThatWasMadeAnew) {
  const auto made = must(this->tunnels().ensure(this->spec()));
  this->apply({this->v4(2, 2)}, {});
  must(this->links().remove(ifname("fl-one")));
  this->bridge_ = this->bridge("fl-one");
  const auto mended = must(this->tunnels().ensure(this->spec()));
  EXPECT_EQ(mended.index, made.index);
  EXPECT_EQ(must(this->links().find(this->device_)).master, this->bridge_);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2)));
}

TYPED_TEST(TunnelsSuite, AnotherVniPortOrLocalAddressMakesItAnew) {
  auto spec = this->spec();
  must(this->tunnels().ensure(spec));
  for (int change = 0; change < 3; ++change) {
    this->apply({this->v4(2, 2)}, {});
    if (change == 0) spec.vni = 43;
    if (change == 1) spec.port = 8472;
    if (change == 2) spec.local = ip("192.0.2.7");
    EXPECT_TRUE(must(this->tunnels().ensure(spec)).fresh) << change;
    EXPECT_THAT(this->dump(), IsEmpty()) << change;
    EXPECT_FALSE(must(this->tunnels().ensure(spec)).fresh) << change;
  }
}

TYPED_TEST(TunnelsSuite, AnotherMacLosesTheEntriesAndSaysSo) {
  auto spec = this->spec();
  must(this->tunnels().ensure(spec));
  this->apply({this->v4(2, 2)}, {});
  spec.mac = MacAddress::from_hash("another");
  EXPECT_TRUE(must(this->tunnels().ensure(spec)).fresh);
  EXPECT_THAT(this->dump(), IsEmpty());
  this->expect_counts(this->sync({this->v4(2, 2)}), 1, 0, 0);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2)));
}

TYPED_TEST(TunnelsSuite, AVniHasOneDeviceAndTheErrorNamesIt) {
  must(this->tunnels().ensure(this->spec()));
  auto second = this->spec();
  second.name = ifname("flx-second");
  const auto refused = this->tunnels().ensure(second);
  this->expect_code(refused, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("interface flx00002a has VNI 42"));
  this->expect_code(this->links().find(second.name), Code::kNotFound);
  second.port = 8472;
  EXPECT_TRUE(this->tunnels().ensure(second));
}

TYPED_TEST(TunnelsSuite, AnInterfaceOfAnotherKindIsLeftAlone) {
  this->bridge("flx00002a");
  this->expect_code(this->tunnels().ensure(this->spec()), Code::kExists);
  this->expect_code(this->tunnels().remove(this->device_), Code::kExists);
  this->expect_code(this->tunnels().apply(this->device_, {}, {}), Code::kInvalid);
  EXPECT_EQ(must(this->links().find(this->device_)).kind, "bridge");
}

TYPED_TEST(TunnelsSuite, WhatCannotBeIsRefused) {
  for (const std::uint32_t vni : {0U, 1U << 24}) {
    auto spec = this->spec();
    spec.vni = vni;
    this->expect_code(this->tunnels().ensure(spec), Code::kInvalid);
  }
  for (const char* local : {"0.0.0.0", "::", "239.1.1.1", "ff02::1"})
    this->expect_code(this->tunnels().ensure(this->spec(local)), Code::kInvalid);
  auto nowhere = this->spec();
  nowhere.master = 4711;
  EXPECT_FALSE(this->tunnels().ensure(nowhere));
  this->expect_code(this->links().find(this->device_), Code::kNotFound);
}

TYPED_TEST(TunnelsSuite, RemoveTakesItAndSucceedsAgain) {
  must(this->tunnels().ensure(this->spec()));
  this->apply({this->v4(2, 2)}, {});
  must(this->tunnels().remove(this->device_));
  this->expect_code(this->links().find(this->device_), Code::kNotFound);
  must(this->tunnels().remove(this->device_));
  this->expect_code(this->tunnels().dump(this->device_), Code::kNotFound);
  must(this->tunnels().ensure(this->spec()));
  EXPECT_THAT(this->dump(), IsEmpty());
}

TYPED_TEST(TunnelsSuite, TheUnderlaysMtuIsThatOfTheInterfaceWithTheAddress) {
  EXPECT_EQ(must(this->tunnels().underlay_mtu(ip("192.0.2.1"))), 1500U);
  EXPECT_EQ(must(this->tunnels().underlay_mtu(ip("2001:db8:99::1"))), 1500U);
  this->expect_code(this->tunnels().underlay_mtu(ip("192.0.2.9")), Code::kNotFound);
}

TYPED_TEST(TunnelsSuite, OnlyPortsOfBridgesHavePins) {
  const MacAddress mac = MacAddress::for_ip(ip("10.9.0.2"));
  this->expect_code(this->tunnels().pin(ifname("nothing"), mac), Code::kNotFound);
  const auto veth =
      must(this->links().create_veth({.host_name = ifname("veth0"), .peer_name = ifname("veth1")}));
  this->expect_code(this->tunnels().pin(ifname("veth0"), mac), Code::kUnsupported);
  must(this->links().set_master(veth.host_index, this->bridge_));
  must(this->tunnels().pin(ifname("veth0"), mac));
  must(this->tunnels().pin(ifname("veth0"), mac));
}

// ---- entries

TYPED_TEST(TunnelsSuite, EntriesOfBothFamiliesAreSetAndRemoved) {
  must(this->tunnels().ensure(this->spec()));
  this->expect_counts(this->apply({this->v6(2, 2), this->v4(2, 2), this->v4(3, 3)}, {}), 3, 0, 0);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2), this->v4(3, 3), this->v6(2, 2)));
  this->expect_counts(this->apply({}, {this->v4(3, 3)}), 0, 1, 0);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2), this->v6(2, 2)));
  this->expect_counts(this->apply({}, {this->v4(2, 2), this->v6(2, 2)}), 0, 2, 0);
  EXPECT_THAT(this->dump(), IsEmpty());
}

TYPED_TEST(TunnelsSuite, OverAnUnderlayOfIpv6) {
  must(this->tunnels().ensure(this->spec("2001:db8:99::1")));
  auto first = this->v4(2, 2), second = this->v6(2, 2);
  first.vtep = second.vtep = ip("2001:db8:99::2");
  this->expect_counts(this->apply({first, second}, {}), 2, 0, 0);
  EXPECT_THAT(this->dump(), ElementsAre(first, second));
  this->expect_counts(this->sync({second}), 0, 1, 1);
  EXPECT_THAT(this->dump(), ElementsAre(second));
}

TYPED_TEST(TunnelsSuite, AnAddressThatMovesIsReplaced) {
  must(this->tunnels().ensure(this->spec()));
  this->apply({this->v4(2, 2)}, {});
  this->expect_counts(this->apply({this->v4(2, 3)}, {}), 1, 0, 0);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 3)));
  auto other_mac = this->v4(2, 3);
  other_mac.mac = MacAddress::from_hash("other");
  this->expect_counts(this->apply({other_mac}, {}), 1, 0, 0);
  EXPECT_THAT(this->dump(), ElementsAre(other_mac));
}

TYPED_TEST(TunnelsSuite, TheRemovalOfWhatHasMovedIsLeftAlone) {
  must(this->tunnels().ensure(this->spec()));
  this->apply({this->v4(2, 2)}, {});
  this->expect_counts(this->apply({this->v4(2, 3)}, {this->v4(2, 2)}), 1, 0, 1);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 3)));
  this->expect_counts(this->apply({}, {this->v4(2, 2)}), 0, 0, 1);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 3)));
}

TYPED_TEST(TunnelsSuite, WhatIsSetAndRemovedAtOnceStays) {
  must(this->tunnels().ensure(this->spec()));
  this->expect_counts(this->apply({this->v4(2, 2)}, {this->v4(2, 2)}), 1, 0, 1);
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2)));
}

TYPED_TEST(TunnelsSuite, AMacThatAnotherAddressUsesIsKept) {
  must(this->tunnels().ensure(this->spec()));
  this->apply({this->v4(2, 2), this->v6(2, 2)}, {});
  this->expect_counts(this->apply({}, {this->v4(2, 2)}), 0, 1, 0);
  EXPECT_THAT(this->dump(), ElementsAre(this->v6(2, 2)));
  this->expect_counts(this->apply({}, {this->v6(2, 2)}), 0, 1, 0);
  this->apply({this->v4(2, 2)}, {});
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2)));
}

TYPED_TEST(TunnelsSuite, RemovingWhatIsNotThereSucceeds) {
  must(this->tunnels().ensure(this->spec()));
  this->expect_counts(this->apply({}, {this->v4(2, 2)}), 0, 0, 1);
}

TYPED_TEST(TunnelsSuite, OfTwoEntriesForOneAddressTheLastWins) {
  must(this->tunnels().ensure(this->spec()));
  auto other = this->v4(2, 3);
  other.mac = MacAddress::from_hash("other");
  this->apply({this->v4(2, 2), other}, {});
  EXPECT_THAT(this->dump(), ElementsAre(other));
  this->sync({other, this->v4(2, 2)});
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2)));
  this->expect_counts(this->sync({other, this->v4(2, 2)}), 0, 0, 1);
  this->sync({this->v4(2, 2), this->v6(2, 3)});  // one MAC on two hosts
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 3), this->v6(2, 3)));
}

TYPED_TEST(TunnelsSuite, SyncSendsTheDifferenceOnly) {
  must(this->tunnels().ensure(this->spec()));
  const std::vector<RemoteEntry> wanted{this->v4(2, 2), this->v4(3, 2), this->v4(4, 3),
                                        this->v6(4, 3)};
  this->expect_counts(this->sync(wanted), 4, 0, 0);
  this->expect_counts(this->sync(wanted), 0, 0, 4);
  this->expect_counts(this->sync({this->v4(2, 3), this->v4(4, 3), this->v6(4, 3), this->v4(5, 2)}),
                      2, 1, 2);
  EXPECT_THAT(this->dump(),
              ElementsAre(this->v4(2, 3), this->v4(4, 3), this->v4(5, 2), this->v6(4, 3)));
  this->expect_counts(this->sync({}), 0, 4, 0);
  EXPECT_THAT(this->dump(), IsEmpty());
}

TYPED_TEST(TunnelsSuite, WhatTheKernelRefusesIsToldForEachEntry) {
  must(this->tunnels().ensure(this->spec()));
  auto bad = this->v4(3, 2);
  bad.vtep = ip("2001:db8:99::2");  // the tunnel's underlay is IPv4
  const EntryChanges changes = this->apply({this->v4(2, 2), bad, this->v4(4, 2)}, {});
  EXPECT_EQ(changes.set, 2U);
  ASSERT_EQ(changes.failures.size(), 1U);
  EXPECT_EQ(changes.failures[0].entry, bad);
  EXPECT_THAT(changes.failures[0].error.text, HasSubstr(bad.mac.to_string()));
  EXPECT_THAT(this->dump(), ElementsAre(this->v4(2, 2), this->v4(4, 2)));
}

TYPED_TEST(TunnelsSuite, EntriesNeedADevice) {
  this->expect_code(this->tunnels().apply(this->device_, {}, {}), Code::kNotFound);
  this->expect_code(this->tunnels().sync(this->device_, {}), Code::kNotFound);
  this->expect_code(this->tunnels().dump(this->device_), Code::kNotFound);
}

}  // namespace
}  // namespace fairlead::testing
