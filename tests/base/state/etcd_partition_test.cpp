// Three members, each in a network namespace of its own on a bridge: the leader is cut off from the
// others, but not from us.
#include <gmock/gmock.h>

#include <mutex>
#include <thread>

#include "base/process.h"
#include "base/state/etcd_store.h"
#include "tests/support/etcd_cluster.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::state {
namespace {

using fairlead::testing::EtcdCluster;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

class CutOff : public fairlead::testing::KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    add_bridge("fl-etcd", {"10.9.0.254/24"});
    EtcdCluster::Options options{.members = kMembers, .heartbeat = "100", .election = "1000"};
    for (int i = 0; i < kMembers; ++i) {
      attach(name_of(i), "fl-etcd", {address_of(i) + "/24"});
      options.places.push_back({address_of(i), netns(name_of(i))});
    }
    etcd_ = std::make_unique<EtcdCluster>(options);
  }
  void TearDown() override {
    etcd_.reset();
    KernelFixture::TearDown();
  }

  static std::string name_of(int member) { return "etcd-" + std::to_string(member); }
  static std::string address_of(int member) { return "10.9.0." + std::to_string(member + 1); }
  // Between a member and the other two: "add" cuts it, "del" heals it.
  void change_cut(const std::string& verb, int member) {
    in(name_of(member), [&] {
      for (int other = 0; other < kMembers; ++other)
        if (other != member) run({"ip", "route", verb, "blackhole", address_of(other) + "/32"});
    });
  }
  static void run(const std::vector<std::string>& words) {
    const auto done = run_process(words, 10s);
    if (!done || done->exit_code != 0)
      throw std::runtime_error(words[0] + ": " + (done ? done->err : done.error().text));
  }
  std::unique_ptr<EtcdStore> open(int first) {
    EtcdConfig config{.deadline = 10s};
    for (int i = 0; i < kMembers; ++i)
      config.endpoints.push_back(etcd_->endpoint((first + i) % kMembers));
    auto store = open_etcd_store(config);
    if (!store) throw std::runtime_error(store.error().text);
    return std::move(*store);
  }

  static constexpr int kMembers = 3;
  std::unique_ptr<EtcdCluster> etcd_;
};

// Without the header that asks for a leader the watch would be silent until the cut is healed.
TEST_F(CutOff, AWatchOnALeaderThatLostTheOthersGoesOnElsewhere) {
  const int leader = etcd_->leader();
  const auto by_leader = open(leader);
  const auto beside = open((leader + 1) % kMembers);
  std::mutex mutex;
  std::vector<std::string> seen;
  const auto watch =
      by_leader->watch("n", *beside->revision(), [&](const std::vector<Event>& events) {
        const std::scoped_lock hold(mutex);
        for (const Event& event : events) seen.push_back(event.record.value);
      });
  ASSERT_TRUE(watch);
  const auto count = [&] {
    const std::scoped_lock hold(mutex);
    return seen.size();
  };
  ASSERT_TRUE(beside->commit({.puts = {{"n", "0"}}}));
  for (int i = 0; i < 1000 && count() < 1; ++i) std::this_thread::sleep_for(10ms);
  ASSERT_EQ(count(), 1U);

  change_cut("add", leader);
  std::vector<std::string> expected{"0"};
  const auto cut = steady_clock::now();
  for (int i = 1; i <= 20; ++i) {
    expected.push_back(std::to_string(i));
    const auto done = by_leader->commit({.puts = {{"n", expected.back()}}});
    ASSERT_TRUE(done) << done.error().text;
  }
  EXPECT_LT(steady_clock::now() - cut, 20s) << "writes go on elsewhere";
  for (int i = 0; i < 1500 && count() < expected.size(); ++i) std::this_thread::sleep_for(10ms);
  {
    const std::scoped_lock hold(mutex);
    EXPECT_EQ(seen, expected) << "while the leader of before is still cut off";
  }
  change_cut("del", leader);
  etcd_->wait_until_ready();
  const auto healed = by_leader->commit({.puts = {{"n", "21"}}});
  ASSERT_TRUE(healed) << healed.error().text;
  for (int i = 0; i < 1000 && count() <= expected.size(); ++i) std::this_thread::sleep_for(10ms);
  expected.push_back("21");
  const std::scoped_lock hold(mutex);
  EXPECT_EQ(seen, expected);
}

}  // namespace
}  // namespace fairlead::state
