#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/process.h"
#include "network/kernel/monitor.h"
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
             std::chrono::milliseconds patience = std::chrono::seconds(1)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] {
      return std::ranges::any_of(
          events_, [&](const KernelEvent& e) { return e.kind == kind && e.name == name; });
    });
  }
  bool nothing_of(Kind kind) {
    const std::lock_guard lock(mutex_);
    return std::ranges::none_of(events_, [&](const KernelEvent& e) { return e.kind == kind; });
  }
  static void nft(const std::string& command) {
    const std::vector<std::string> argv{"nft", command};
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

TEST_F(Monitor, HearsOurTableChainOrSetGo) {
  nft("add chain inet ours forward");
  nft("delete chain inet ours forward");
  EXPECT_TRUE(heard(Kind::kTableGone, "ours"));
}

TEST_F(Monitor, HearsTheRulesetFlushed) {
  nft("flush ruleset");
  EXPECT_TRUE(heard(Kind::kTableGone, "ours"));
}

TEST_F(Monitor, HearsAnotherFirewallsChains) {
  nft("add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; "
      "policy drop; }");
  EXPECT_TRUE(heard(Kind::kFilterChanged, "filter"));
  EXPECT_TRUE(nothing_of(Kind::kTableGone));
}

TEST_F(Monitor, ATableOfThatNameInAnotherFamilyIsAnothers) {
  nft("add table ip ours; add chain ip ours c; delete table ip ours");
  EXPECT_TRUE(heard(Kind::kFilterChanged, "ours"));
  EXPECT_TRUE(nothing_of(Kind::kTableGone));
}

TEST_F(Monitor, OurOwnNewElementsAreNoEvents) {
  nft("add set inet ours s { type ipv4_addr; }; add element inet ours s { 10.1.0.1 }; delete "
      "element inet ours s { 10.1.0.1 }");
  EXPECT_FALSE(heard(Kind::kTableGone, "ours", std::chrono::milliseconds(50)));
  EXPECT_TRUE(nothing_of(Kind::kFilterChanged));
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
