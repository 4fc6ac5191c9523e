#include "network/kernel/events/monitor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/process.h"
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
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, most_wait, [&] {
      return std::ranges::any_of(
          events_, [&](const KernelEvent& e) { return e.kind == kind && e.name == name; });
    });
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
