// What every store must do for watches.
#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/conformance/store/stores.h"

namespace fairlead::state {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Collects what a watch reports.
class Reports {
 public:
  std::function<void(const std::vector<Event>&)> callback() {
    return [this](const std::vector<Event>& events) {
      {
        const std::scoped_lock hold(mutex_);
        for (const Event& event : events) events_.push_back(event);
        sizes_.push_back(events.size());
      }
      changed_.notify_all();
    };
  }
  // Waits for `count` events, at most 10 s, and returns all events so far.
  std::vector<Event> wait_for(std::size_t count) {
    std::unique_lock hold(mutex_);
    changed_.wait_for(hold, std::chrono::seconds(10), [&] { return events_.size() >= count; });
    return events_;
  }
  // Waits, at most 20 s, for the event that reports lost changes.
  bool wait_for_lost() {
    std::unique_lock hold(mutex_);
    return changed_.wait_for(hold, std::chrono::seconds(20), [&] {
      return !events_.empty() && events_.back().kind == Event::Kind::kLost;
    });
  }
  std::vector<std::size_t> sizes() {
    const std::scoped_lock hold(mutex_);
    return sizes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  std::vector<std::size_t> sizes_;
};

std::string sign(Event::Kind kind) {
  if (kind == Event::Kind::kLost) return "lost";
  return kind == Event::Kind::kPut ? "+" : "-";
}

std::vector<std::string> texts(const std::vector<Event>& events) {
  std::vector<std::string> found;
  for (const Event& event : events)
    found.push_back(sign(event.kind) + event.record.key + "=" + event.record.value);
  return found;
}

class WatchTest : public StoreTest {
 protected:
  std::unique_ptr<Watch> watch(std::string_view prefix, std::int64_t after, Reports& reports) {
    auto started = store_->watch(prefix, after, reports.callback());
    EXPECT_TRUE(started) << started.error().text;
    return started ? std::move(*started) : nullptr;
  }
};

INSTANTIATE_TEST_SUITE_P(Every, WatchTest, ::testing::ValuesIn(all_stores()), kind_name);

TEST_P(WatchTest, ReportsPutsAndDeletesInOrder) {
  Reports reports;
  const auto running = watch("a/", start_, reports);
  const auto first = put("a/1", "1");
  put("a/1", "2");
  const auto last = remove("a/1");
  const auto events = reports.wait_for(3);
  EXPECT_THAT(texts(events), ElementsAre("+a/1=1", "+a/1=2", "-a/1="));
  EXPECT_EQ(events.front().record.revision, first);
  EXPECT_EQ(events.back().record.revision, last);
}

TEST_P(WatchTest, ReportsWhatWasCommittedBeforeItBeganButAfterItsRevision) {
  put("a/1", "old");
  const auto seen = *store_->revision();
  put("a/2", "new");
  Reports reports;
  const auto running = watch("a/", seen, reports);
  EXPECT_THAT(texts(reports.wait_for(1)), ElementsAre("+a/2=new"));
}

TEST_P(WatchTest, ReportsItsPrefixOnly) {
  Reports reports;
  const auto running = watch("a/", start_, reports);
  put("b/1", "1");
  put("a", "1");
  ASSERT_TRUE(commit({.puts = {{"b/2", "1"}, {"a/1", "1"}}}));
  put("a/end", "1");
  EXPECT_THAT(texts(reports.wait_for(2)), ElementsAre("+a/1=1", "+a/end=1"));
}

TEST_P(WatchTest, TheEmptyPrefixIsEverything) {
  Reports reports;
  const auto running = watch("", start_, reports);
  put("a", "1");
  put("z/1", "2");
  EXPECT_THAT(texts(reports.wait_for(2)), ElementsAre("+a=1", "+z/1=2"));
}

TEST_P(WatchTest, ReportsCommitsWhole) {
  Reports reports;
  const auto running = watch("a/", start_, reports);
  put("a/gone", "1");
  ASSERT_TRUE(commit({.puts = {{"a/1", "1"}, {"a/2", "2"}}, .deletes = {"a/gone", "a/never"}}));
  put("a/3", "3");
  EXPECT_THAT(texts(reports.wait_for(5)),
              ElementsAre("+a/gone=1", "+a/1=1", "+a/2=2", "-a/gone=", "+a/3=3"));
  std::size_t total = 0;
  std::vector<std::size_t> ends;
  for (const std::size_t size : reports.sizes()) ends.push_back(total += size);
  EXPECT_THAT(ends, ::testing::Each(::testing::AnyOf(1U, 4U, 5U))) << "a commit was cut";
}

TEST_P(WatchTest, TellsWhatWasThereBefore) {
  put("a/1", "first");
  ASSERT_TRUE(commit({.puts = {{"a/1", "second"}, {"a/2", "new"}}}));
  ASSERT_TRUE(commit({.puts = {{"a/2", ""}}, .deletes = {"a/1"}}));
  Reports reports;
  const auto running = watch("a/", start_, reports);
  std::vector<std::string> befores;
  for (const Event& event : reports.wait_for(5))
    befores.push_back(event.record.key + "<" + event.before.value_or("nothing"));
  EXPECT_THAT(befores,
              ElementsAre("a/1<nothing", "a/1<first", "a/2<nothing", "a/2<new", "a/1<second"));
}

TEST_P(WatchTest, ConflictsAreNotReported) {
  Reports reports;
  const auto running = watch("", start_, reports);
  EXPECT_EQ(code_of(commit({.preconditions = {{"a", 7}}, .puts = {{"a", "1"}}})), Code::kConflict);
  put("b", "1");
  EXPECT_THAT(texts(reports.wait_for(1)), ElementsAre("+b=1"));
}

TEST_P(WatchTest, SeveralWatchesSeeTheSame) {
  Reports one, two;
  const auto first = watch("a/", start_, one), second = watch("a/", start_, two);
  put("a/1", "1");
  EXPECT_EQ(one.wait_for(1), two.wait_for(1));
}

TEST_P(WatchTest, MissesNothingWhileThreadsCommit) {
  constexpr int kThreads = 4, kEach = 100;
  Reports reports;
  const auto running = watch("n/", start_, reports);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) put(fmt::format("n/{}/{}", t, i), std::to_string(i));
      });
  }
  const auto events = reports.wait_for(kThreads * kEach);
  ASSERT_EQ(events.size(), static_cast<std::size_t>(kThreads * kEach));
  for (std::size_t i = 1; i < events.size(); ++i)
    EXPECT_EQ(events[i].record.revision, events[i - 1].record.revision + 1);
}

TEST_P(WatchTest, AStoppedWatchReportsNoMore) {
  Reports reports;
  auto running = watch("", start_, reports);
  put("a", "1");
  reports.wait_for(1);
  running.reset();
  put("b", "1");
  std::this_thread::sleep_for(milliseconds(150));
  EXPECT_THAT(texts(reports.wait_for(0)), ElementsAre("+a=1"));
}

TEST_P(WatchTest, StoppingWaitsForTheCallback) {
  std::atomic<bool> within{false}, finished{false};
  auto running = store_->watch("", start_, [&](const std::vector<Event>&) {
    within = true;
    std::this_thread::sleep_for(milliseconds(100));
    finished = true;
  });
  ASSERT_TRUE(running);
  put("a", "1");
  while (!within) std::this_thread::yield();
  running->reset();
  EXPECT_TRUE(finished);
}

TEST_P(WatchTest, AWatchThatHasNothingToReportStopsAtOnce) {
  Reports reports;
  auto running = watch("", start_, reports);
  const auto before = std::chrono::steady_clock::now();
  running.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST_P(WatchTest, ARevisionTheStoreHasForgottenIsAConflict) {
  reopen(/*remembered=*/16);
  for (int i = 0; i < 100; ++i) put("k", std::to_string(i));
  GetParam().forget(*store_->revision() - 16);
  Reports reports;
  const auto old = store_->watch("", start_ + 1, reports.callback());
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error().code, Code::kConflict);

  const auto fresh = watch("", *store_->revision() - 8, reports);
  EXPECT_EQ(reports.wait_for(8).size(), 8U);
}

TEST_P(WatchTest, ARunningWatchThatMissedChangesIsToldLast) {
  constexpr std::int64_t kKept = 16;
  reopen(/*remembered=*/kKept);
  std::promise<void> go_on;
  Reports reports;
  auto report = reports.callback();
  const auto running =
      store_->watch("", start_, [&, first = true](const std::vector<Event>& events) mutable {
        report(events);
        if (std::exchange(first, false)) go_on.get_future().wait();
      });
  ASSERT_TRUE(running);
  put("k", "first");
  reports.wait_for(1);
  GetParam().cut_watches();
  constexpr int kCommits = 100;
  for (int i = 0; i < kCommits; ++i) put("k", std::to_string(i));
  GetParam().forget(*store_->revision() - kKept);
  go_on.set_value();

  ASSERT_TRUE(reports.wait_for_lost());
  put("k", "later");
  std::this_thread::sleep_for(milliseconds(300));
  const auto events = reports.wait_for(0);
  EXPECT_EQ(events.back(), (Event{Event::Kind::kLost, {}})) << "nothing comes after it";
  EXPECT_EQ(reports.sizes().back(), 1U) << "it comes alone";
  EXPECT_LT(events.size(), static_cast<std::size_t>(kCommits)) << "something was lost";
}

TEST_P(WatchTest, ForgettingChangesDoesNotTouchRecordsAndRevisions) {
  reopen(/*remembered=*/4);
  const auto first = put("first", "1");
  std::int64_t last = 0;
  for (int i = 0; i < 50; ++i) last = put("k", std::to_string(i));
  GetParam().forget(last - 4);
  EXPECT_EQ(value_of("first"), "1");
  EXPECT_EQ(revision_of("first"), first);
  EXPECT_EQ(*store_->revision(), last);
}

}  // namespace
}  // namespace fairlead::state
