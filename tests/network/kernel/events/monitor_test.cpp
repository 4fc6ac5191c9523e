#include "network/kernel/events/monitor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "base/process.h"
#include "network/kernel/host/sysctl.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::KernelEvent;
using Kind = KernelEvent::Kind;

class Monitor : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    nft("add table inet ours");  // loads what nft needs, before the monitor listens
    monitor_ = must(kernel::start_monitor("ours", [this](const KernelEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
      changed_.notify_all();
    }));
  }
  void TearDown() override {
    monitor_.reset();
    KernelFixture::TearDown();
  }
  // Was there such an event, or does one come within a second?
  bool heard(Kind kind, const std::string& name,
             std::chrono::milliseconds most_wait = std::chrono::seconds(1)) {
    return first([&](const KernelEvent& e) { return e.kind == kind && e.name == name; }, most_wait)
        .has_value();
  }
  std::optional<KernelEvent> first(const std::function<bool(const KernelEvent&)>& wanted,
                                   std::chrono::milliseconds most_wait = std::chrono::seconds(1)) {
    std::unique_lock lock(mutex_);
    const auto find = [&] { return std::ranges::find_if(events_, wanted); };
    if (!changed_.wait_for(lock, most_wait, [&] { return find() != events_.end(); })) return {};
    return *find();
  }
  bool nothing_of(Kind kind) {
    const std::lock_guard lock(mutex_);
    return std::ranges::none_of(events_, [&](const KernelEvent& e) { return e.kind == kind; });
  }
  // As a program of that name.
  static void nft(const std::string& command, const std::string& program = "nft") {
    const std::string script = "folder=$(mktemp -d) && ln -s \"$(command -v nft)\" \"$folder/" +
                               program + "\" && \"$folder/" + program +
                               "\" \"$1\"; code=$?; rm -r \"$folder\"; exit $code";
    const std::vector<std::string> argv{"sh", "-c", script, "sh", command};
    const auto result = must(run_process(argv, std::chrono::seconds(10)));
    if (result.exit_code != 0) throw std::runtime_error(result.err);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<KernelEvent> events_;
  std::unique_ptr<kernel::Monitor> monitor_;
};

TEST_F(Monitor, HearsABridgeComeAndGo) {
  add_bridge("br-test", {"10.1.0.1/24"});
  EXPECT_TRUE(heard(Kind::kLinkChanged, "br-test"));
  must(links().remove(ifname("br-test")));
  EXPECT_TRUE(heard(Kind::kLinkGone, "br-test"));
}

// Everything that somebody may do to a bridge and to its ports.
class Damage : public Monitor, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Monitor::SetUp();
    if (IsSkipped()) return;
    const auto bridge = add_bridge("br-test", {"10.1.0.1/24", "fd00:1::1/64"});
    must(links().create_veth(
        {.host_name = ifname("port9"), .peer_name = ifname("peer9"), .master = bridge.index}));
    ip("link add vx9 type vxlan id 9 dstport 4799 local 127.0.0.1 learning");
    ip("link set vx9 master br-test up");
    ip("link show dev vx9");
  }
  static void ip(const std::string& command) {
    ASSERT_EQ(std::system(("ip " + command + " > /dev/null").c_str()), 0) << command;
  }
};

INSTANTIATE_TEST_SUITE_P(All, Damage,
                         ::testing::Values("port9 link set port9 nomaster",
                                           "port9 link set port9 down", "vx9 link set vx9 nomaster",
                                           "vx9 link set vx9 down", "vx9 link del vx9",
                                           "br-test link set br-test down",
                                           "br-test link set br-test mtu 1400",
                                           "br-test link set br-test address 02:00:00:00:00:99",
                                           "br-test address flush dev br-test",
                                           "br-test address del 10.1.0.1/24 dev br-test",
                                           "br-test address del fd00:1::1/64 dev br-test"),
                         [](const auto& each) { return std::to_string(each.index); });

TEST_P(Damage, IsHeardWithTheBridgeAndWhatHappened) {
  const std::string link = std::string(GetParam()).substr(0, std::string(GetParam()).find(' '));
  ip(std::string(GetParam()).substr(link.size() + 1));
  const auto event = first([&](const KernelEvent& e) {
    return e.kind == Kind::kLinkChanged && e.name == link && !e.what.empty();
  });
  ASSERT_TRUE(event);
  EXPECT_EQ(event->bridge, "br-test");
  EXPECT_EQ(event->of_container, link == "port9");
}

// What is made whole, or changes for the better, is no damage.
TEST_F(Monitor, OfWhatFairleadMakesItHearsOnlyThatABridgeAppears) {
  const auto bridge = add_bridge("br-test", {"10.1.0.1/24"});
  const auto veth = must(links().create_veth(
      {.host_name = ifname("port9"), .peer_name = ifname("peer9"), .master = bridge.index}));
  must(links().set_port_flags(veth.host_index, {.hairpin = true}));
  must(links().settle(veth.host_index));
  must(links().set_route_localnet(bridge.index, true));
  EXPECT_TRUE(heard(Kind::kLinkChanged, "br-test"));
  EXPECT_FALSE(heard(Kind::kLinkChanged, "port9", std::chrono::milliseconds(700)));
  const std::lock_guard lock(mutex_);
  std::erase_if(events_, [](const KernelEvent& e) { return e.kind == Kind::kRoutesChanged; });
  EXPECT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].what, "");
}

TEST_F(Monitor, ARepairIsNoDamage) {
  const auto bridge = add_bridge("br-test", {"10.1.0.1/24"});
  for (const char* change : {"mtu 1400", "address 02:00:00:00:00:99"}) {
    ASSERT_EQ(std::system((std::string("ip link set br-test ") + change).c_str()), 0);
    EXPECT_TRUE(first([](const KernelEvent& e) { return !e.what.empty(); })) << change;
    {
      const std::lock_guard lock(mutex_);
      events_.clear();
    }
    ASSERT_EQ(std::system(fmt::format("ip link set br-test mtu {} address {}", bridge.mtu,
                                      bridge.mac.to_string())
                              .c_str()),
              0);
    EXPECT_FALSE(heard(Kind::kLinkChanged, "br-test", std::chrono::milliseconds(50))) << change;
  }
}

TEST_F(Monitor, HearsOfAddressesWaysOutAndTheRulesBetweenThem) {
  for (const char* command :
       {"ip addr add 203.0.113.9/24 dev uplink0", "ip addr del 203.0.113.9/24 dev uplink0",
        "ip rule add from 203.0.113.2 lookup 200", "ip rule del from 203.0.113.2 lookup 200",
        "ip -6 rule add from 2001:db8::2 lookup 200",
        "ip route add default via 203.0.113.1 table 200", "ip route del default table 200",
        "ip route add 0.0.0.0/1 via 203.0.113.1",
        "ip -6 route add default via 2001:db8::1 table 200"}) {
    {
      const std::lock_guard lock(mutex_);
      events_.clear();
    }
    ASSERT_EQ(std::system(command), 0) << command;
    EXPECT_TRUE(heard(Kind::kRoutesChanged, "")) << command;
  }
}

TEST_F(Monitor, IsSilentAboutTheRoutesOfContainersAndPeers) {
  add_bridge("br-test", {"10.1.0.1/24"});
  ASSERT_TRUE(heard(Kind::kRoutesChanged, ""));
  {
    const std::lock_guard lock(mutex_);
    events_.clear();
  }
  ASSERT_EQ(std::system("ip route add 10.9.0.7/32 dev uplink0"), 0);
  ASSERT_EQ(std::system("ip route add 198.51.100.0/24 via 203.0.113.1"), 0);
  EXPECT_FALSE(heard(Kind::kRoutesChanged, "", std::chrono::milliseconds(50)));
}

TEST_F(Monitor, HearsThatForwardingIsSwitchedOff) {
  for (const char* setting : {"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"}) {
    must(kernel::write_sysctl(setting, "1"));
    EXPECT_FALSE(heard(Kind::kForwardingOff, "", std::chrono::milliseconds(20))) << setting;
    must(kernel::write_sysctl(setting, "0"));
    EXPECT_TRUE(heard(Kind::kForwardingOff, "")) << setting;
    const std::lock_guard lock(mutex_);
    events_.clear();
  }
}

// Nobody tells of these: they are looked at twice a second.
TEST_F(Monitor, SeesSettingsThatAreSwitchedOff) {
  const auto bridge = add_bridge("br-test", {"10.1.0.1/24"});
  must(links().set_route_localnet(bridge.index, true));
  ASSERT_EQ(std::system("ip link add up0 type veth peer name up1"), 0);
  must(kernel::write_sysctl("net/ipv6/conf/up0/accept_ra", "2"));
  EXPECT_FALSE(heard(Kind::kSettingChanged, "up0", std::chrono::milliseconds(700)));
  EXPECT_TRUE(nothing_of(Kind::kSettingChanged));
  must(kernel::write_sysctl("net/ipv4/conf/br-test/route_localnet", "0"));
  must(kernel::write_sysctl("net/ipv6/conf/up0/accept_ra", "1"));
  EXPECT_TRUE(heard(Kind::kSettingChanged, "br-test"));
  EXPECT_TRUE(heard(Kind::kSettingChanged, "up0"));
}

// macvlan stands for a network card. What comes with another accept_ra is as somebody wants it.
TEST_F(Monitor, HearsOfANewCardThatWouldHearNoRouterOnceTheHostForwards) {
  ASSERT_EQ(std::system("ip link add link uplink0 name wan0 type macvlan"), 0);
  EXPECT_TRUE(heard(Kind::kSettingChanged, "wan0"));
  must(kernel::write_sysctl("net/ipv6/conf/default/accept_ra", "0"));
  ASSERT_EQ(std::system("ip link add link uplink0 name wan1 type macvlan"), 0);
  EXPECT_FALSE(heard(Kind::kSettingChanged, "wan1", std::chrono::milliseconds(100)));
}

TEST_F(Monitor, HearsThatALinkWithRouteLocalnetLosesItsFilters) {
  const auto bridge = add_bridge("br-test", {"10.1.0.1/24"});
  for (const char* loss :
       {"tc filter del dev br-test ingress", "tc qdisc del dev br-test clsact"}) {
    must(links().guard_loopback(bridge.index));
    must(links().unguard_loopback(bridge.index));
    EXPECT_FALSE(heard(Kind::kSettingChanged, "br-test", std::chrono::milliseconds(50)));
    must(links().guard_loopback(bridge.index));
    must(links().set_route_localnet(bridge.index, true));
    ASSERT_EQ(std::system(loss), 0);
    EXPECT_TRUE(heard(Kind::kSettingChanged, "br-test")) << loss;
    must(links().set_route_localnet(bridge.index, false));
    EXPECT_TRUE(first([](const KernelEvent& e) { return e.what == "has route_localnet=0"; }));
    const std::lock_guard lock(mutex_);
    events_.clear();
  }
}

TEST_F(Monitor, HearsOfVethsOnlyThatTheyAreGone) {
  must(links().create_veth({.host_name = ifname("veth9"), .peer_name = ifname("peer9")}));
  must(links().remove(ifname("veth9")));
  EXPECT_TRUE(heard(Kind::kLinkGone, "veth9"));
  EXPECT_FALSE(heard(Kind::kLinkChanged, "veth9", std::chrono::milliseconds(20)));
}

TEST_F(Monitor, APortThatLeavesItsBridgeIsNotGone) {
  const auto bridge = add_bridge("fl-one", {"10.1.0.1/24"});
  const auto veth = must(links().create_veth(
      {.host_name = ifname("fl9"), .peer_name = ifname("peer9"), .master = bridge.index}));
  must(links().set_master(veth.host_index, 0));
  EXPECT_TRUE(heard(Kind::kLinkChanged, "fl9"));
  EXPECT_FALSE(heard(Kind::kLinkGone, "fl9", std::chrono::milliseconds(50)));
}

// Each on its own, over a table that has something of everything.
class Alteration : public Monitor, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(
    All, Alteration,
    ::testing::Values(
        "flush table inet ours", "flush chain inet ours forward",
        "insert rule inet ours forward accept", "add rule inet ours forward accept",
        "delete rule inet ours forward handle 4", "replace rule inet ours forward handle 4 accept",
        "add chain inet ours evil", "delete chain inet ours spare",
        "add chain inet ours forward { policy drop; }", "add element inet ours s { 10.1.0.2 }",
        "delete element inet ours s { 10.1.0.1 }", "flush set inet ours s",
        "add set inet ours more { type ipv4_addr; }", "delete set inet ours spare",
        "add table inet ours { flags dormant; }", "delete table inet ours", "flush ruleset"),
    [](const auto& each) { return std::to_string(each.index); });

TEST_P(Alteration, IsHeardOnceFromOthersAndNeverFromFairlead) {
  const std::string furniture =
      "add set inet ours s { type ipv4_addr; elements = { 10.1.0.1 }; }; add set inet ours spare { "
      "type ipv4_addr; }; add chain inet ours forward { type filter hook forward priority 0; }; "
      "add rule inet ours forward drop; add chain inet ours spare";
  nft("delete table inet ours; add table inet ours; " + furniture, "fairlead-nft");
  nft(GetParam(), "fairlead-nft");
  EXPECT_FALSE(heard(Kind::kTableChanged, "ours", std::chrono::milliseconds(50)));
  nft("add table inet ours; delete table inet ours; add table inet ours; " + furniture,
      "fairlead-nft");
  nft(GetParam());
  EXPECT_TRUE(heard(Kind::kTableChanged, "ours"));
  EXPECT_TRUE(nothing_of(Kind::kFilterChanged));
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(events_.size(), 1U);
}

TEST_F(Monitor, HearsTheRulesetFlushed) {
  nft("flush ruleset");
  EXPECT_TRUE(heard(Kind::kTableChanged, "ours"));
}

TEST_F(Monitor, HearsAnotherFirewallsChains) {
  nft("add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; "
      "policy drop; }");
  EXPECT_TRUE(heard(Kind::kFilterChanged, "filter"));
  EXPECT_TRUE(nothing_of(Kind::kTableChanged));
}

TEST_F(Monitor, HearsAnotherFirewallsRulesOncePerTransaction) {
  nft("add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; }");
  EXPECT_TRUE(heard(Kind::kFilterChanged, "filter"));
  {
    const std::lock_guard lock(mutex_);
    events_.clear();
  }
  nft("add rule ip filter FORWARD drop; add rule ip filter FORWARD counter; flush chain ip filter "
      "FORWARD");
  EXPECT_TRUE(heard(Kind::kFilterChanged, "filter"));
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(events_.size(), 1U);
  }
}

TEST_F(Monitor, ATableOfThatNameInAnotherFamilyIsAnothers) {
  nft("add table ip ours; add chain ip ours c; delete table ip ours");
  EXPECT_TRUE(heard(Kind::kFilterChanged, "ours"));
  EXPECT_TRUE(nothing_of(Kind::kTableChanged));
}

TEST_F(Monitor, LostEventsAreSaid) {
  kernel::BridgeSpec spec{.name = ifname("fl-one"), .mac = MacAddress::from_hash("one")};
  {
    const std::lock_guard stall(mutex_);  // the monitor waits in its callback
    for (int i = 0; i < 5000; ++i) {
      spec.alias = std::to_string(i);
      must(links().ensure_bridge(spec, false));
    }
  }
  EXPECT_TRUE(heard(Kind::kOverrun, "", std::chrono::seconds(10)));
}

}  // namespace
}  // namespace fairlead::testing
