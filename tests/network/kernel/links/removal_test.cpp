#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "network/kernel/links/links.h"
#include "tests/network/kernel/links/links_fixture.h"

namespace fairlead::testing {
namespace {

class Removal : public Links, public ::testing::WithParamInterface<kernel::RemovalMode> {
 protected:
  void SetUp() override {
    Links::SetUp();
    if (!IsSkipped()) remover_ = must(kernel::open_netlink_links(GetParam()));
  }
  void TearDown() override {
    remover_.reset();
    Links::TearDown();
  }
  std::unique_ptr<kernel::Links> remover_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Removal,
                         ::testing::Values(kernel::RemovalMode::kThread,
                                           kernel::RemovalMode::kProcess),
                         [](const auto& mode) {
                           return mode.param == kernel::RemovalMode::kThread ? "Thread" : "Process";
                         });

TEST_P(Removal, TheSameNamesAreFreeAtOnce) {
  const auto bridge = add_bridge("fl-one", {"10.1.0.1/24"});
  for (int i = 0; i < 30; ++i) {
    must(links().create_veth(veth_spec("veth0", "web", bridge.index)));
    must(remover_->remove(ifname("veth0")));
    EXPECT_FALSE(links().find(ifname("veth0")));
    EXPECT_FALSE(links().inspect(netns("web"), ifname("eth0")));
  }
}

TEST_P(Removal, OfWhatIsNotThereSucceeds) { EXPECT_TRUE(remover_->remove(ifname("veth0"))); }

TEST_P(Removal, OfALinkThatVanishesMeanwhileSucceeds) {
  for (int i = 0; i < 10; ++i) {
    must(links().create_veth(veth_spec("veth0", "web")));
    std::thread other([this] { must(links().remove(ifname("veth0"))); });
    EXPECT_TRUE(remover_->remove(ifname("veth0")));
    other.join();
  }
}

TEST_P(Removal, OfADeviceOfTheMachineIsRefused) {
  const auto removed = remover_->remove(ifname("lo"));
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kUnsupported);
}

TEST_P(Removal, ManyAtOnceFromManyThreads) {
  constexpr int kThreads = 4, kEach = 15;
  for (int i = 0; i < kThreads * kEach; ++i)
    must(links().create_veth(
        {.host_name = ifname(fmt::format("v{}", i)), .peer_name = ifname(fmt::format("p{}", i))}));
  std::vector<std::thread> threads;
  std::atomic<int> failures = 0;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = t * kEach; i < (t + 1) * kEach; ++i)
        failures += remover_->remove(ifname(fmt::format("v{}", i))) ? 0 : 1;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  for (const kernel::Link& link : must(links().list())) EXPECT_NE(link.name[0], 'v') << link.name;
}

TEST_P(Removal, LeavesNoProcessBehind) {
  must(links().create_veth(veth_spec("veth0", "web")));
  must(remover_->remove(ifname("veth0")));
  remover_->finish_removals();
  std::ifstream children(fmt::format("/proc/self/task/{}/children", ::gettid()));
  std::string child;
  EXPECT_FALSE(children >> child) << "process " << child;
}

TEST_P(Removal, WorksAgainAfterItWasFinished) {
  for (int i = 0; i < 3; ++i) {
    must(links().create_veth(veth_spec("veth0", "web")));
    must(remover_->remove(ifname("veth0")));
    remover_->finish_removals();
  }
}

// The reader of a plugin's output must see its end when the plugin ends. The shortest of many
// times: whoever removes needs a moment to let go, and a busy machine a longer one.
TEST_P(Removal, HoldsNoDescriptorOfTheCaller) {
  auto shortest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 50 && shortest > std::chrono::milliseconds(5); ++i) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    must(links().create_veth(veth_spec("veth0", "web")));
    must(remover_->remove(ifname("veth0")));
    ::close(ends[1]);
    char none = 0;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(::read(ends[0], &none, 1), 0);
    shortest = std::min(shortest, std::chrono::steady_clock::now() - start);
    ::close(ends[0]);
    remover_->finish_removals();
  }
  EXPECT_LE(shortest, std::chrono::milliseconds(5));
}

}  // namespace
}  // namespace fairlead::testing
