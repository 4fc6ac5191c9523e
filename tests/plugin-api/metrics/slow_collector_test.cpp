#include "plugin-api/metrics/slow_collector.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace fairlead::metrics {
namespace {

using namespace std::chrono_literals;
constexpr auto kAnHour = 1h;

Families one(double value) {
  Family family{.name = "x", .help = "X."};
  family.add({}, value);
  return {std::move(family)};
}

TEST(SlowCollector, CollectsOnceForAllWhoScrapeMeanwhile) {
  std::atomic<int> collected = 0;
  SlowCollector slow({"disks", [&]() -> Result<Families> { return one(++collected); }}, kAnHour,
                     kAnHour);
  const auto collector = slow.collector();
  EXPECT_EQ(collector.name, "disks");
  for (int i = 0; i < 5; ++i) {
    const auto families = collector.collect();
    ASSERT_TRUE(families);
    EXPECT_EQ(families->front().samples.front().value, 1);
    EXPECT_EQ(families->back().name, "fairlead_collector_age_seconds");
  }
}

TEST(SlowCollector, NothingRunsWhileNobodyScrapes) {
  std::atomic<int> collected = 0;
  {
    SlowCollector slow({"disks", [&]() -> Result<Families> { return one(++collected); }}, 0ms, 0ms);
  }
  EXPECT_EQ(collected, 0);
}

TEST(SlowCollector, AScrapeDoesNotWaitForADiskThatHangs) {
  std::promise<void> answers;
  const auto hangs = answers.get_future().share();
  std::atomic<int> begun = 0;
  SlowCollector slow({"disks",
                      [&]() -> Result<Families> {
                        if (++begun == 2) hangs.wait();
                        return one(begun);
                      }},
                     0ms, 10ms);
  const auto collector = slow.collector();
  while (!collector.collect()) continue;  // the first may be slower than the patience
  while (begun < 2) static_cast<void>(collector.collect());
  const auto families = collector.collect();
  ASSERT_TRUE(families) << families.error().text;
  EXPECT_EQ(families->front().samples.front().value, 1) << "what was known before is told";
  answers.set_value();
}

TEST(SlowCollector, WhatFailsAtFirstIsNotTold) {
  SlowCollector slow({"disks", []() -> Result<Families> { return fail(Code::kIo, "broken"); }}, 0ms,
                     kAnHour);
  const auto families = slow.collector().collect();
  ASSERT_FALSE(families);
  EXPECT_EQ(families.error().text, "broken");
}

TEST(SlowCollector, WhatWasKnownStaysToldWhenItFailsLater) {
  std::atomic<int> collected = 0;
  SlowCollector slow({"disks",
                      [&]() -> Result<Families> {
                        if (++collected == 1) return one(7);
                        return fail(Code::kIo, "broken");
                      }},
                     0ms, kAnHour);
  const auto collector = slow.collector();
  ASSERT_TRUE(collector.collect());
  const auto again = collector.collect();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->front().samples.front().value, 7);
  EXPECT_GE(collected, 2);
}

}  // namespace
}  // namespace fairlead::metrics
