#include "volume/service/schedule.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace fairlead::volume {
namespace {

using Names = std::vector<std::string>;

constexpr long long kHour = 3600, kDay = 86400;
constexpr long long kNoon = 1769860800;  // Saturday, 2026-01-31 12:00:00 UTC

Snapshot scheduled(long long created) {
  return {.id = std::to_string(created),
          .name = {},
          .origin = SnapshotOrigin::kSchedule,
          .created = created,
          .size = {}};
}

// What a daemon does every so often, for a while.
std::vector<Snapshot> live(const Schedule& schedule, long long from, long long until,
                           long long step, Names* made = nullptr) {
  std::vector<Snapshot> there;
  for (long long now = from; now < until; now += step) {
    const auto plan = plan_snapshots(schedule, there, now);
    if (!plan.make.empty()) there.push_back(scheduled(now));
    if (!plan.make.empty() && made != nullptr) made->push_back(plan.make);
    for (const std::string& id : plan.drop)
      std::erase_if(there, [&](const Snapshot& snapshot) { return snapshot.id == id; });
  }
  return there;
}

TEST(Schedule, TheFirstOneIsDueAtOnceAndNamedByTheFinestKind) {
  EXPECT_EQ(plan_snapshots({.hourly = 1, .daily = 1}, {}, kNoon).make, "hourly-2026-01-31T12");
  EXPECT_EQ(plan_snapshots({.daily = 1}, {}, kNoon).make, "daily-2026-01-31");
  EXPECT_EQ(plan_snapshots({.weekly = 1}, {}, kNoon).make, "weekly-2026-W05");
  EXPECT_EQ(plan_snapshots({.monthly = 1}, {}, kNoon).make, "monthly-2026-01");
  EXPECT_EQ(plan_snapshots({.yearly = 1}, {}, kNoon).make, "yearly-2026");
  EXPECT_EQ(plan_snapshots({}, {}, kNoon), SnapshotPlan{});
}

TEST(Schedule, WeeksAreThoseOfIso8601) {
  const auto week = [](long long time) { return plan_snapshots({.weekly = 1}, {}, time).make; };
  EXPECT_EQ(week(1767225600), "weekly-2026-W01");             // Thursday, 2026-01-01
  EXPECT_EQ(week(1767225600 - 3 * kDay), "weekly-2026-W01");  // Monday, 2025-12-29
  EXPECT_EQ(week(1767225600 - 4 * kDay), "weekly-2025-W52");  // Sunday, 2025-12-28
  EXPECT_EQ(week(1609459200), "weekly-2020-W53");             // Friday, 2021-01-01
  EXPECT_EQ(week(0), "weekly-1970-W01");
}

TEST(Schedule, NothingIsDueTwiceInOnePeriod) {
  const std::vector<Snapshot> there{scheduled(kNoon)};
  EXPECT_EQ(plan_snapshots({.hourly = 2}, there, kNoon + kHour - 1).make, "");
  EXPECT_EQ(plan_snapshots({.hourly = 2}, there, kNoon + kHour).make, "hourly-2026-01-31T13");
  EXPECT_EQ(plan_snapshots({.daily = 2}, there, kNoon + 11 * kHour).make, "");
  EXPECT_EQ(plan_snapshots({.daily = 2}, there, kNoon + 12 * kHour).make, "daily-2026-02-01");
}

TEST(Schedule, HourlyKeepsTheLastHoursThatHaveOne) {
  const auto there = live({.hourly = 24}, kNoon, kNoon + 3 * kDay, 60);
  ASSERT_EQ(there.size(), 24U);
  EXPECT_EQ(there.front().created, kNoon + 3 * kDay - 24 * kHour);
  // A night without the machine: the hours before it stay until newer ones push them out.
  const auto plan = plan_snapshots({.hourly = 24}, there, kNoon + 4 * kDay);
  EXPECT_EQ(plan.drop, Names{there.front().id});
}

TEST(Schedule, TheNewestOfADayIsThatDays) {
  const auto there = live({.hourly = 3, .daily = 2}, kNoon, kNoon + 3 * kDay, 600);
  std::vector<long long> times;
  for (const Snapshot& snapshot : there) times.push_back((snapshot.created - kNoon) / kHour);
  // It is 11:50 of the fourth day: the last three hours, and the last hour of the day before.
  EXPECT_EQ(times, (std::vector<long long>{59, 69, 70, 71}));
}

TEST(Schedule, ADayHasOneSnapshotAnHourAndNoMore) {
  Names made;
  live({.hourly = 24, .daily = 7, .weekly = 4, .monthly = 12, .yearly = 5}, kNoon, kNoon + kDay, 60,
       &made);
  EXPECT_EQ(made.size(), 24U);
}

TEST(Schedule, AYearOfAllKindsIsBounded) {
  const Schedule schedule{.hourly = 24, .daily = 7, .weekly = 4, .monthly = 12, .yearly = 2};
  const auto there = live(schedule, kNoon, kNoon + 400 * kDay, kHour);
  EXPECT_LE(there.size(), 24U + 7 + 4 + 12 + 2);
  EXPECT_GE(there.size(), 24U + 5 + 2 + 9);
  EXPECT_TRUE(std::ranges::any_of(
      there, [](const Snapshot& snapshot) { return snapshot.created < kNoon + 335 * kDay; }));
}

TEST(Schedule, SnapshotsOfUsersAndRollbacksAreNeitherCountedNorDropped) {
  std::vector<Snapshot> there;
  for (int k = 0; k < 5; ++k) {
    there.push_back(scheduled(kNoon - k * kDay));
    there.back().origin = k % 2 == 0 ? SnapshotOrigin::kUser : SnapshotOrigin::kRollback;
  }
  const auto plan = plan_snapshots({.daily = 1}, there, kNoon);
  EXPECT_EQ(plan.make, "daily-2026-01-31");
  EXPECT_EQ(plan.drop, Names{});
}

TEST(Schedule, ASmallerNumberDropsTheOldest) {
  std::vector<Snapshot> there;
  for (int k = 0; k < 5; ++k) there.push_back(scheduled(kNoon - k * kDay));
  EXPECT_EQ(plan_snapshots({.daily = 2}, there, kNoon).drop,
            (Names{there[4].id, there[3].id, there[2].id}));
}

TEST(Schedule, AClockThatWasSetBackLosesNothingButTheSurplus) {
  const std::vector<Snapshot> there{scheduled(kNoon + 10 * kDay), scheduled(kNoon + 11 * kDay)};
  const auto plan = plan_snapshots({.daily = 3}, there, kNoon);
  EXPECT_EQ(plan.make, "daily-2026-01-31");
  EXPECT_EQ(plan.drop, Names{});
}

// A clock ran ahead for a while: what was made then is no restore point of today.
TEST(Schedule, WhatIsFromTheFutureFillsNoPlace) {
  std::vector<Snapshot> there{scheduled(kNoon - kDay), scheduled(kNoon + 3 * kDay)};
  auto plan = plan_snapshots({.daily = 1}, there, kNoon);
  EXPECT_EQ(plan.make, "daily-2026-01-31");
  EXPECT_EQ(plan.drop, Names{there[0].id});
  there = {scheduled(kNoon), there[1]};
  EXPECT_EQ(plan_snapshots({.daily = 1}, there, kNoon + 60), SnapshotPlan{});
  // When its time has come, it counts.
  plan = plan_snapshots({.daily = 1}, there, kNoon + 3 * kDay);
  EXPECT_EQ(plan.make, "");
  EXPECT_EQ(plan.drop, Names{there[0].id});
}

TEST(Retention, KeepsTheLastAndOneOfEachPeriod) {
  std::vector<Moment> there;
  for (int hour = 0; hour < 72; ++hour)
    there.push_back({fmt::format("{:02}", hour), kNoon - (71 - hour) * kHour});
  EXPECT_EQ(kept_by({.last = 3}, there, kNoon), (std::set<std::string>{"69", "70", "71"}));
  EXPECT_EQ(kept_by({.last = 1, .periods = {.daily = 3}}, there, kNoon),
            (std::set<std::string>{"71", "58", "34"}));
  EXPECT_TRUE(kept_by({}, there, kNoon).empty());
  there.push_back({"ahead", kNoon + 1});
  EXPECT_EQ(kept_by({.last = 1}, there, kNoon), (std::set<std::string>{"71", "ahead"}));
}

TEST(Retention, WhatWasMissedIsDueOnce) {
  EXPECT_TRUE(is_due({.daily = 7}, 0, kNoon));
  EXPECT_TRUE(is_due({.daily = 7}, kNoon - 30 * kDay, kNoon));
  EXPECT_FALSE(is_due({.daily = 7}, kNoon, kNoon + 11 * kHour));
  EXPECT_TRUE(is_due({.daily = 7}, kNoon, kNoon + 12 * kHour));
  EXPECT_TRUE(is_due({.hourly = 2, .monthly = 7}, kNoon, kNoon + kHour));
  EXPECT_TRUE(is_due({.daily = 7}, kNoon + kDay, kNoon));  // its clock ran ahead
  EXPECT_FALSE(is_due({}, 0, kNoon));
}

}  // namespace
}  // namespace fairlead::volume
