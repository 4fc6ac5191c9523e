// The change feed over every store.
#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/state/store_changes.h"
#include "tests/conformance/store/stores.h"

namespace fairlead::state {
namespace {

using ::testing::ElementsAre;

// "write" for each key that has a value, "erase" for the others; nothing for keys below quiet/.
std::vector<Change> read_keys(const std::vector<Event>& commit) {
  std::vector<Change> changes;
  for (const Event& event : commit)
    if (!event.record.key.starts_with("quiet/"))
      changes.push_back({.kind = "key",
                         .action = event.kind == Event::Kind::kPut ? "write" : "erase",
                         .id = event.record.key,
                         .name = event.before.value_or("")});
  return changes;
}

class Batches {
 public:
  std::function<void(const ChangeBatch&)> callback() {
    return [this](const ChangeBatch& batch) {
      const std::scoped_lock hold(mutex_);
      batches_.push_back(batch);
      changed_.notify_all();
    };
  }
  std::vector<ChangeBatch> wait_for(std::size_t count) {
    std::unique_lock hold(mutex_);
    changed_.wait_for(hold, std::chrono::seconds(10), [&] { return batches_.size() >= count; });
    return batches_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ChangeBatch> batches_;
};

class ChangesTest : public StoreTest {
 protected:
  std::unique_ptr<ChangeFeed> feed(unsigned most = 4) {
    return make_change_feed(*store_, {read_keys}, most);
  }
};

INSTANTIATE_TEST_SUITE_P(Every, ChangesTest, ::testing::ValuesIn(all_stores()), kind_name);

TEST_P(ChangesTest, EveryCommitIsABatchAlsoOneThatMeansNothing) {
  const auto changes = feed();
  const auto first = put("a", "1");
  put("quiet/a", "1");
  Batches batches;
  const auto running = changes->watch(start_, batches.callback());
  ASSERT_TRUE(running);
  const auto last = remove("a");
  const auto got = batches.wait_for(3);
  ASSERT_EQ(got.size(), 3U);
  EXPECT_EQ(got[0].revision, first);
  ASSERT_EQ(got[0].changes.size(), 1U);
  EXPECT_EQ(got[0].changes[0].revision, first);
  EXPECT_GT(got[0].changes[0].time, 1'600'000'000'000);
  EXPECT_TRUE(got[1].changes.empty());
  EXPECT_EQ(got[2].revision, last);
  EXPECT_EQ(got[2].changes[0].action, "erase");
  EXPECT_EQ(got[2].changes[0].name, "1") << "what was there before";
}

TEST_P(ChangesTest, GoesOnAfterTheRevisionOfABatch) {
  const auto changes = feed();
  Batches before, after;
  auto running = changes->watch(start_, before.callback());
  put("a", "1");
  put("b", "1");
  const auto seen = before.wait_for(2);
  ASSERT_EQ(seen.size(), 2U);
  running->reset();
  put("c", "1");
  const auto again = changes->watch(seen[0].revision, after.callback());
  ASSERT_TRUE(again);
  std::vector<std::string> ids;
  for (const ChangeBatch& batch : after.wait_for(2)) ids.push_back(batch.changes[0].id);
  EXPECT_THAT(ids, ElementsAre("b", "c"));
}

TEST_P(ChangesTest, WhatIsForgottenOrWasNeverThereIsAConflict) {
  reopen(/*remembered=*/16);
  const auto changes = feed();
  for (int i = 0; i < 100; ++i) put("k", std::to_string(i));
  GetParam().forget(*store_->revision() - 16);
  Batches none;
  for (const std::int64_t after : {start_ + 1, *store_->revision() + 1'000}) {
    const auto refused = changes->watch(after, none.callback());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kConflict);
    EXPECT_NE(refused.error().text.find("list again"), std::string::npos) << refused.error().text;
  }
}

TEST_P(ChangesTest, ATimeLeadsToTheFirstCommitSinceThen) {
  const auto changes = feed();
  if (const auto noted = changes->revision_before(0);
      !noted && noted.error().code == Code::kUnsupported)
    GTEST_SKIP() << noted.error().text;
  Batches batches;
  const auto running = changes->watch(start_, batches.callback());
  const auto first = put("a", "1");
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto second = put("b", "1");
  const auto times = batches.wait_for(2);
  ASSERT_EQ(times.size(), 2U);
  const long long now = times[1].changes[0].time;
  EXPECT_EQ(*changes->revision_before(now), first);
  EXPECT_EQ(*changes->revision_before(times[0].changes[0].time + 1), first);
  EXPECT_EQ(*changes->revision_before(times[0].changes[0].time), first - 1);
  EXPECT_EQ(*changes->revision_before(0), start_) << "nothing is forgotten";
  EXPECT_EQ(*changes->revision_before(now + 1), second);
}

TEST_P(ChangesTest, ATimeThatIsForgottenIsAConflict) {
  reopen(/*remembered=*/16);
  const auto changes = feed();
  for (int i = 0; i < 100; ++i) put("k", std::to_string(i));
  const auto refused = changes->revision_before(1);
  ASSERT_FALSE(refused);
  if (refused.error().code == Code::kUnsupported) GTEST_SKIP() << refused.error().text;
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text,
              ::testing::ContainsRegex("what happened before 2.*Z is forgotten"));
  EXPECT_EQ(*changes->revision_before(9'000'000'000'000), *store_->revision());
}

TEST_P(ChangesTest, TooManyWatchersAreRefusedUntilOneGoes) {
  const auto changes = feed(2);
  Batches none;
  auto one = changes->watch(start_, none.callback()), two = changes->watch(start_, none.callback());
  ASSERT_TRUE(one && two);
  const auto three = changes->watch(start_, none.callback());
  ASSERT_FALSE(three);
  EXPECT_EQ(three.error().code, Code::kUnavailable);
  one->reset();
  EXPECT_TRUE(changes->watch(start_, none.callback()));
}

TEST_P(ChangesTest, AWatcherThatBlocksHoldsUpNobodyElse) {
  const auto changes = feed();
  std::atomic<bool> go_on{false};
  Batches quick;
  const auto slow = changes->watch(start_, [&](const ChangeBatch&) {
    while (!go_on) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  const auto other = changes->watch(start_, quick.callback());
  put("a", "1");
  put("b", "1");
  EXPECT_EQ(quick.wait_for(2).size(), 2U);
  go_on = true;
}

}  // namespace
}  // namespace fairlead::state
