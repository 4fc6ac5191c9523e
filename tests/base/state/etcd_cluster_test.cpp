// Three members with etcd's own timeouts: what becomes of commits, watches and leases when members
// die, say nothing, or are too few.
#include "tests/support/etcd_cluster.h"

#include <gmock/gmock.h>

#include <mutex>
#include <numeric>
#include <thread>

#include "base/state/etcd_store.h"

namespace fairlead::state {
namespace {

using fairlead::testing::EtcdCluster;
using ::testing::HasSubstr;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class ThreeMembers : public ::testing::Test {
 protected:
  // A store that asks `first` before the others.
  std::unique_ptr<EtcdStore> open(int first) {
    EtcdConfig config{.prefix = prefix_, .deadline = 10s, .progress_interval = 500ms};
    for (int i = 0; i < kMembers; ++i)
      config.endpoints.push_back(etcd_.endpoint((first + i) % kMembers));
    auto store = open_etcd_store(config);
    if (!store) throw std::runtime_error(store.error().text);
    return std::move(*store);
  }
  int follower() { return (etcd_.leader() + 1) % kMembers; }

  static constexpr int kMembers = 3;
  EtcdCluster etcd_{{.members = kMembers, .heartbeat = "100", .election = "1000"}};
  std::string prefix_ = etcd_.new_prefix();
};

// The values that a watch reported, one after the other.
class Seen {
 public:
  std::function<void(const std::vector<Event>&)> callback() {
    return [this](const std::vector<Event>& events) {
      const std::scoped_lock hold(mutex_);
      for (const Event& event : events)
        values_.push_back(event.kind == Event::Kind::kPut ? std::stoi(event.record.value) : -1);
    };
  }
  std::vector<int> wait_for(std::size_t count) {
    const auto until = steady_clock::now() + 15s;
    while (values().size() < count && steady_clock::now() < until)
      std::this_thread::sleep_for(10ms);
    return values();
  }

 private:
  std::vector<int> values() {
    const std::scoped_lock hold(mutex_);
    return values_;
  }
  std::mutex mutex_;
  std::vector<int> values_;
};

std::vector<int> one_to(int last) {
  std::vector<int> numbers(static_cast<std::size_t>(last));
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

// Counts up by compare-and-set, without a pause.
class Writer {
 public:
  explicit Writer(std::unique_ptr<EtcdStore> store)
      : store_(std::move(store)), thread_([this](const std::stop_token& stop) { run(stop); }) {}
  int count() const { return count_; }
  milliseconds longest_gap() const { return milliseconds(gap_); }
  std::string failure() {  // ends the writer
    thread_.request_stop();
    thread_.join();
    return failure_;
  }

 private:
  void run(const std::stop_token& stop) {
    std::int64_t revision = kAbsent;
    for (auto last = steady_clock::now(); !stop.stop_requested();) {
      const auto done = store_->commit({.preconditions = {{"count", revision}},
                                        .puts = {{"count", std::to_string(count_ + 1)}}});
      if (!done) {
        failure_ = done.error().text;
        return;
      }
      revision = done->revision;
      ++count_;
      const auto now = steady_clock::now();
      gap_ = std::max(gap_.load(), std::chrono::duration_cast<milliseconds>(now - last).count());
      last = now;
      std::this_thread::sleep_for(2ms);
    }
  }

  std::unique_ptr<EtcdStore> store_;
  std::atomic<int> count_{0};
  std::atomic<milliseconds::rep> gap_{0};
  std::string failure_;
  std::jthread thread_;
};

TEST_F(ThreeMembers, WritesGoOnSoonAfterTheLeaderIsKilledAndWatchesSeeEachOnce) {
  const int leader = etcd_.leader();
  const auto beside = open((leader + 1) % kMembers);
  const auto by_leader = open(leader);
  const auto start = *beside->revision();
  Seen beside_seen, by_leader_seen;
  const auto one = beside->watch("count", start, beside_seen.callback());
  const auto two = by_leader->watch("count", start, by_leader_seen.callback());
  ASSERT_TRUE(one && two);
  Writer writer(open(leader));
  while (writer.count() < 50) std::this_thread::sleep_for(5ms);

  etcd_.kill(leader);
  const int then = writer.count();
  const auto until = steady_clock::now() + 15s;
  while (writer.count() < then + 50 && steady_clock::now() < until)
    std::this_thread::sleep_for(5ms);
  ASSERT_EQ(writer.failure(), "");
  const int last = writer.count();
  EXPECT_GE(last, then + 50);
  EXPECT_LT(writer.longest_gap(), 10s);
  RecordProperty("longest_gap_ms", static_cast<int>(writer.longest_gap().count()));
  EXPECT_EQ(beside_seen.wait_for(static_cast<std::size_t>(last)), one_to(last));
  EXPECT_EQ(by_leader_seen.wait_for(static_cast<std::size_t>(last)), one_to(last));
}

TEST_F(ThreeMembers, AMemberThatSaysNothingIsLeft) {
  const int silent = follower();
  const auto store = open(silent);
  const auto writer = open((silent + 1) % kMembers);
  Seen seen;
  const auto watch = store->watch("n", *store->revision(), seen.callback());
  ASSERT_TRUE(watch);
  ASSERT_TRUE(writer->commit({.puts = {{"n", "1"}}}));
  ASSERT_EQ(seen.wait_for(1), one_to(1));
  std::this_thread::sleep_for(
      1200ms);  // the watch has heard two heartbeats, and misses the next ones

  etcd_.pause(silent);
  const auto before = steady_clock::now();
  const auto found = store->get("n");
  EXPECT_TRUE(found) << found.error().text;
  EXPECT_LT(steady_clock::now() - before, 8s) << "a timeout, and an answer from another one";
  ASSERT_TRUE(writer->commit({.puts = {{"n", "2"}}}));
  EXPECT_EQ(seen.wait_for(2), one_to(2)) << "the watch goes on elsewhere";
  etcd_.resume(silent);
  ASSERT_TRUE(writer->commit({.puts = {{"n", "3"}}}));
  EXPECT_EQ(seen.wait_for(3), one_to(3));
}

TEST_F(ThreeMembers, TooFewMembersAreSaidAndEnoughAgainAreUsed) {
  const auto store = open(0);
  const auto lease = *store->grant(20s);
  ASSERT_TRUE(store->commit({.puts = {{"k", "1", lease}}}));
  etcd_.kill(1);
  etcd_.kill(2);
  etcd_.wait_until_leaderless();
  auto impatient = open_etcd_store({.endpoints = etcd_.endpoints(),
                                    .prefix = prefix_,
                                    .call_timeout = 500ms,
                                    .deadline = 1500ms});
  const auto before = steady_clock::now();
  const auto done = (*impatient)->get("k");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_THAT(done.error().text, HasSubstr(etcd_.endpoint(0)));
  EXPECT_LT(steady_clock::now() - before, 10s);
  EXPECT_EQ((*impatient)->heartbeat(lease).error().code, Code::kUnavailable)
      << "nobody knows that the lease is gone";
  etcd_.start(1);
  etcd_.start(2);
  etcd_.wait_until_ready();
  const auto again = (*impatient)->commit({.puts = {{"k", "2"}}});
  EXPECT_TRUE(again) << again.error().text;
}

TEST_F(ThreeMembers, ALeaseOutlivesTheLeaderAndEndsWithoutBeats) {
  const int leader = etcd_.leader();
  const auto store = open((leader + 1) % kMembers);
  const auto lease = *store->grant(3s);
  ASSERT_TRUE(store->commit({.puts = {{"live/a", "1", lease}}}));
  etcd_.kill(leader);
  const auto heartbeat = store->heartbeat(lease);
  ASSERT_TRUE(heartbeat) << heartbeat.error().text;
  EXPECT_TRUE(*heartbeat);
  EXPECT_TRUE(*store->get("live/a"));

  Seen seen;
  const auto watch = store->watch("live/", *store->revision(), seen.callback());
  ASSERT_TRUE(watch);
  EXPECT_EQ(seen.wait_for(1), std::vector<int>{-1}) << "deleted when nobody beats";
  EXPECT_FALSE(*store->heartbeat(lease));
}

TEST_F(ThreeMembers, AWatchThatWasAwayDuringACompactionIsTold) {
  const int away = follower();
  const auto other = open((away + 1) % kMembers);
  auto only = open_etcd_store({.endpoints = {etcd_.endpoint(away)}, .prefix = prefix_});
  std::mutex mutex;
  std::vector<Event> events;
  const auto watch =
      (*only)->watch("", *other->revision(), [&](const std::vector<Event>& reported) {
        const std::scoped_lock hold(mutex);
        events.insert(events.end(), reported.begin(), reported.end());
      });
  ASSERT_TRUE(watch);
  const auto last = [&]() -> std::optional<Event> {
    const std::scoped_lock hold(mutex);
    return events.empty() ? std::optional<Event>() : events.back();
  };
  ASSERT_TRUE(other->commit({.puts = {{"k", "1"}}}));
  for (int i = 0; i < 1000 && !last(); ++i) std::this_thread::sleep_for(10ms);
  ASSERT_TRUE(last());

  etcd_.kill(away);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(other->commit({.puts = {{"k", std::to_string(i)}}}));
  etcd_.compact(*other->revision());
  ASSERT_TRUE(other->commit({.puts = {{"k", "end"}}}));
  etcd_.start(away);
  // The member may show what it still had before it hears of the compaction: then nothing is lost.
  for (int i = 0; i < 1500; ++i, std::this_thread::sleep_for(10ms))
    if (last()->kind == Event::Kind::kLost || last()->record.value == "end") break;
  const std::scoped_lock hold(mutex);
  const bool is_told = events.back().kind == Event::Kind::kLost;
  const bool has_all = events.size() == 52 && events.back().record.value == "end";
  EXPECT_TRUE(is_told || has_all) << events.size() << " events, the last one "
                                  << events.back().record.value;
}

}  // namespace
}  // namespace fairlead::state
