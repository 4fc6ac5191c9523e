#include "plugin-api/bin/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace fairlead {
namespace {

using kernel::KernelEvent;
using network::Damage;
using network::LinkDamage;
using std::chrono::milliseconds;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Kind = KernelEvent::Kind;
using Clock = DamageQueue::Clock;

constexpr Clock::time_point kStart{std::chrono::seconds(1000)};
constexpr auto kLater = kStart + std::chrono::seconds(10);

KernelEvent port(Kind kind, const std::string& what) {
  return {.kind = kind,
          .name = "port9",
          .index = 9,
          .bridge = "br-test",
          .what = what,
          .of_container = true};
}

KernelEvent bridge(Kind kind, const std::string& what) {
  return {.kind = kind, .name = "br-test", .index = 8, .bridge = "br-test", .what = what};
}

TEST(DamageQueue, AnAlteredTableIsDueAtOnce) {
  DamageQueue queue;
  EXPECT_FALSE(queue.due());
  EXPECT_TRUE(queue.take({.kind = Kind::kTableChanged}, kStart));
  EXPECT_TRUE(queue.take({.kind = Kind::kTableChanged}, kStart + milliseconds(5)));
  EXPECT_EQ(queue.due(), kStart);
  EXPECT_EQ(queue.remove(kStart), Damage{.table = true});
  EXPECT_FALSE(queue.due());
}

TEST(DamageQueue, OtherDamageIsGatheredFromItsFirstEventOn) {
  DamageQueue queue;
  EXPECT_TRUE(queue.take({.kind = Kind::kForwardingOff}, kStart));
  EXPECT_TRUE(
      queue.take({.kind = Kind::kSettingChanged, .name = "up0"}, kStart + milliseconds(50)));
  EXPECT_TRUE(queue.take({.kind = Kind::kFilterChanged}, kStart + milliseconds(60)));
  EXPECT_TRUE(queue.take({.kind = Kind::kRoutesChanged}, kStart + milliseconds(61)));
  EXPECT_TRUE(queue.remove(kStart + milliseconds(70)).empty());
  const auto due = queue.due();
  ASSERT_TRUE(due);
  EXPECT_LT(*due, kStart + milliseconds(500));
  EXPECT_EQ(
      queue.remove(*due),
      (Damage{.other_firewalls = true, .forwarding = true, .routes = true, .settings = {"up0"}}));
}

TEST(DamageQueue, ABridgeIsDamagedOnceHoweverOftenItIsTold) {
  DamageQueue queue;
  for (int i = 0; i < 3; ++i) queue.take(bridge(Kind::kLinkChanged, "went down"), kStart);
  queue.take(bridge(Kind::kLinkGone, "is gone"), kStart);
  EXPECT_THAT(queue.remove(kLater).links,
              UnorderedElementsAre(LinkDamage{"br-test", "br-test", "went down"},
                                   LinkDamage{"br-test", "br-test", "is gone"}));
}

TEST(DamageQueue, APortThatGoesWithItsContainerIsNoDamage) {
  DamageQueue queue;
  queue.take(port(Kind::kLinkChanged, "went down"), kStart);
  queue.take(port(Kind::kLinkChanged, "left its bridge"), kStart);
  queue.take(port(Kind::kLinkGone, "is gone"), kStart + milliseconds(20));
  EXPECT_TRUE(queue.remove(kLater).empty());
  queue.take(port(Kind::kLinkChanged, "left its bridge"), kLater);
  EXPECT_THAT(queue.remove(kLater + milliseconds(500)).links,
              UnorderedElementsAre(LinkDamage{"port9", "br-test", "left its bridge"}));
}

TEST(DamageQueue, LinksOfOthersThatGoAreNoDamage) {
  DamageQueue queue;
  queue.take({.kind = Kind::kLinkGone, .name = "dummy0", .index = 7, .what = "is gone"}, kStart);
  EXPECT_FALSE(queue.due());
}

TEST(DamageQueue, WhatCouldNotBeRepairedIsDueAgainLater) {
  DamageQueue queue;
  const Damage damage{
      .table = true, .settings = {"up0"}, .links = {{"br-test", "br-test", "is gone"}}};
  queue.put_back(damage, kStart);
  EXPECT_TRUE(queue.remove(kStart + milliseconds(500)).empty());
  EXPECT_EQ(queue.remove(kLater), damage);
}

TEST(DamageQueue, LostEventsMeanThatEverythingIsLookedAt) {
  EXPECT_FALSE(DamageQueue().take({.kind = Kind::kOverrun}, kStart));
}

// Events come faster than repairs: these go on, and not for each event.
TEST(Repairer, IsNeitherStarvedNorFlooded) {
  std::atomic<int> repairs = 0, checks = 0;
  {
    Repairer repairer(
        [&](const Damage&) {
          ++repairs;
          return true;
        },
        [&] { ++checks; });
    const auto end = Clock::now() + milliseconds(600);
    int events = 0;
    while (Clock::now() < end) {
      repairer.on_event({.kind = Kind::kTableChanged});
      ++events;
      std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_GT(events, 50);
    repairer.on_event({.kind = Kind::kOverrun});
  }
  EXPECT_GE(repairs, 2);
  EXPECT_LE(repairs, 14);
  EXPECT_EQ(checks, 1);
}

TEST(Periodic, WorksWhenAskedAndEveryPeriod) {
  std::atomic<int> rounds = 0;
  Periodic periodic([&] { ++rounds; }, std::chrono::seconds(3600));
  EXPECT_EQ(rounds, 0);
  periodic.soon();
  while (rounds < 1) std::this_thread::yield();
  periodic.set_period(std::chrono::seconds(0));
  while (rounds < 3) std::this_thread::yield();
}

}  // namespace
}  // namespace fairlead
