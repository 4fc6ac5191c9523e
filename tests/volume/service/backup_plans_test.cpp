// Backups by the option `backup`, under a clock of the test's own.
#include "volume/service/backup_plans.h"

#include <gmock/gmock.h>

#include "tests/volume/service/archive_world.h"
#include "volume/service/backup_folder.h"
#include "volume/service/events.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Scratch;
using ::testing::SizeIs;
using testing::write_text;

constexpr long long kHour = 3600, kDay = 86400, kNoon = 1769860800;

struct BackupPlansTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    open();
    make("data", "daily:3@" + folder);
  }
  void open() {
    world.reset();
    world = std::make_unique<ArchiveWorld>(
        scratch.path(),
        Environment{.now = [this] { return now; }, .boot = "b", .backup_roots = roots});
  }
  void make(const std::string& name, const std::string& plan, const std::string& exclude = {}) {
    std::map<std::string, std::string> options{{"backup", plan}};
    if (!exclude.empty()) options["backup_exclude"] = exclude;
    const auto made = world->service->create(ArchiveWorld::spec(name, options));
    ASSERT_TRUE(made) << made.error().text;
    write_text(made->mountpoint + "/file", name);
    write_text(made->mountpoint + "/x.tmp", name);
  }
  ReconcileReport keep() { return world->archives->keep_backups({}).value(); }
  Volume data() { return world->service->inspect("data").value(); }
  std::vector<long long> made() {
    std::vector<long long> times;
    const auto backups = world->archives->backups(folder);
    for (const auto& one : *backups) times.push_back(one.created);
    return times;
  }

  long long now = kNoon;
  Scratch scratch;
  std::string folder = scratch / "srv/backup";
  std::vector<std::string> roots{scratch / "srv"};
  std::unique_ptr<ArchiveWorld> world;
};

TEST_F(BackupPlansTest, OneIsMadeWhenItIsDueAndOldOnesGo) {
  EXPECT_THAT(keep().actions, ElementsAre(HasSubstr("backed up volume \"data\"")));
  EXPECT_THAT(keep().actions, IsEmpty());
  EXPECT_EQ(data().backup.done, kNoon);
  EXPECT_EQ(data().backed_up, kNoon);
  for (int day = 1; day < 5; ++day) {
    now = kNoon + day * kDay;
    EXPECT_THAT(keep().actions, SizeIs(1));
  }
  EXPECT_THAT(made(), ElementsAre(kNoon + 2 * kDay, kNoon + 3 * kDay, kNoon + 4 * kDay));
}

TEST_F(BackupPlansTest, WhatTheHostMissedIsMadeUpOnce) {
  keep();
  now += 10 * kDay;
  open();
  EXPECT_THAT(keep().actions, SizeIs(1));
  EXPECT_THAT(keep().actions, IsEmpty());
  EXPECT_THAT(made(), SizeIs(2));
}

TEST_F(BackupPlansTest, AClockThatRanAheadStopsNoBackup) {
  now += 3 * kDay;
  keep();
  now = kNoon;
  EXPECT_THAT(keep().actions, SizeIs(1));
  EXPECT_THAT(keep().actions, IsEmpty());
  EXPECT_THAT(made(), SizeIs(2));
  EXPECT_EQ(data().backup.done, kNoon);
}

TEST_F(BackupPlansTest, AFailureIsSeenAndTriedAgainLater) {
  write_text(scratch / "srv", "a file in the place of the folder");
  EXPECT_THAT(keep().failures, SizeIs(1));
  auto status = world->service->status(data());
  EXPECT_EQ(status->condition, Condition::kWarning);
  EXPECT_THAT(status->health,
              HasSubstr("the backup to " + folder + " has failed since 2026-01-31 12:00 UTC: "));
  EXPECT_THAT(keep().failures, IsEmpty());  // not yet again
  now += 299;
  EXPECT_THAT(keep().failures, IsEmpty());
  now += 1;
  EXPECT_THAT(keep().failures, SizeIs(1));
  now += 300;
  EXPECT_THAT(keep().failures, IsEmpty());  // twice as long
  EXPECT_EQ(data().backup.failures, 2U);
  EXPECT_EQ(data().backup.since, kNoon);
  std::filesystem::remove(scratch / "srv");
  now += 300;
  EXPECT_THAT(keep().actions, SizeIs(1));
  EXPECT_EQ(data().backup, (BackupState{.done = now, .tried = now}));
  EXPECT_EQ(world->service->status(data())->health, "ok");
}

TEST_F(BackupPlansTest, BackOffEnds) {
  Volume volume = data();
  volume.backup = {.tried = kNoon, .since = kNoon, .failures = 60, .error = "x"};
  EXPECT_FALSE(is_backup_due(volume, kNoon + 6 * kHour - 1));
  EXPECT_TRUE(is_backup_due(volume, kNoon + 6 * kHour));
  EXPECT_TRUE(is_backup_due(volume, kNoon - 1));  // tried by a clock that ran ahead
}

// Somebody else writes there: that is no failure, and the next minute is soon enough.
TEST_F(BackupPlansTest, AFolderInUseIsWaitedFor) {
  ASSERT_TRUE(world->archives->back_up("data", folder, {}));
  {
    const auto held = BackupFolder::prepare(folder);
    const auto report = keep();
    EXPECT_THAT(report.failures, IsEmpty());
    EXPECT_EQ(data().backup, BackupState{});
  }
  EXPECT_THAT(keep().actions, SizeIs(1));
}

TEST_F(BackupPlansTest, TwoVolumesShareAFolder) {
  make("other", "hourly:2@" + folder, "*.tmp");
  EXPECT_THAT(keep().actions, SizeIs(2));
  now += kHour;
  EXPECT_THAT(keep().actions, SizeIs(1));
  now += kHour;
  keep();
  const auto all = world->archives->backups(folder).value();
  EXPECT_EQ(std::ranges::count(all, "data", &BackupInfo::volume), 1);
  EXPECT_EQ(std::ranges::count(all, "other", &BackupInfo::volume), 2);
  const auto of_other = std::ranges::find(all, "other", &BackupInfo::volume);
  EXPECT_EQ(of_other->excluded, "*.tmp");
  ASSERT_TRUE(world->service->remove("other"));
  ASSERT_TRUE(world->archives->restore(ArchiveWorld::spec("other"), folder, "", {}));
  EXPECT_THAT(world->facts("other"), SizeIs(2));  // the folder itself, and file
}

// A volume that was removed and made again under its name takes no backups of the first one along.
TEST_F(BackupPlansTest, BackupsOfAnEarlierVolumeOfTheNameStay) {
  keep();
  ASSERT_TRUE(world->service->remove("data"));
  make("data", "daily:1@" + folder);
  for (int day = 1; day < 4; ++day) {
    now = kNoon + day * kDay;
    keep();
  }
  EXPECT_THAT(made(), ElementsAre(kNoon, kNoon + 3 * kDay));
}

TEST_F(BackupPlansTest, OnlyFoldersThatWereListedAreWrittenTo) {
  const auto refusal = [&](const std::string& plan) {
    return world->service->create(ArchiveWorld::spec("more", {{"backup", plan}})).error().text;
  };
  EXPECT_THAT(refusal("daily:1@/etc/cron.d"), HasSubstr("backup_roots"));
  EXPECT_THAT(refusal("daily:1@" + roots[0] + "-not"), HasSubstr("backup_roots"));
  EXPECT_THAT(world->service->set_options("data", {{"backup", "daily:1@/etc"}}).error().text,
              HasSubstr("backup_roots"));
  EXPECT_TRUE(world->service->set_options("data", {{"backup", "daily:1@" + roots[0]}}));
  roots.clear();
  open();
  EXPECT_THAT(refusal("daily:1@/srv"), HasSubstr("fairlead volume set"));
  // What root has set is kept, and may be changed but for its folder.
  EXPECT_TRUE(world->service->set_options("data", {{"retain", "1d"}}));
  roots = {"/"};
  open();
  EXPECT_TRUE(world->service->set_options("data", {{"backup", "daily:1@" + folder}}));
}

TEST_F(BackupPlansTest, OptionsAreSetAndReset) {
  keep();
  auto changed = world->service->set_options(
      "data", {{"backup", "hourly:5@" + folder}, {"retain", "7d"}, {"backup_exclude", "*.tmp"}});
  ASSERT_TRUE(changed) << changed.error().text;
  EXPECT_EQ(changed->options.backup.every, Schedule{.hourly = 5});
  EXPECT_EQ(changed->options.retain, std::chrono::hours(7 * 24));
  EXPECT_EQ(changed->backup.done, kNoon);  // of the same folder
  changed = world->service->set_options("data", {{"backup", "daily:1@" + folder + "2"}});
  EXPECT_EQ(changed->backup, BackupState{});
  changed = world->service->set_options("data", {{"backup", {}}, {"backup_exclude", {}}});
  EXPECT_EQ(changed->options.backup, BackupPlan{});
  EXPECT_EQ(world->service->set_options("data", {{"backend", "image"}}).error().code,
            Code::kUnsupported);
  EXPECT_THAT(world->service->set_options("data", {{"size", "1g"}}).error().text,
              HasSubstr("fairlead volume resize"));
  // A folder can take no snapshots, whenever it is asked to.
  EXPECT_EQ(world->service->set_options("data", {{"snapshots", "daily:1"}}).error().code,
            Code::kUnsupported);
  EXPECT_EQ(world->service->set_options("none", {{"retain", "1d"}}).error().code, Code::kNotFound);
}

// A backup folder may come from anywhere; its options must not make the daemon write elsewhere.
TEST_F(BackupPlansTest, ARestoreTakesThePlanOfTheSameFolderOnly) {
  keep();
  ASSERT_TRUE(world->service->remove("data"));
  auto restored = world->archives->restore(ArchiveWorld::spec("data"), folder, "", {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->options.backup.folder, folder);
  const std::string copy = scratch / "copy";
  std::filesystem::copy(folder, copy, std::filesystem::copy_options::recursive);
  ASSERT_TRUE(world->service->remove("data"));
  restored = world->archives->restore(ArchiveWorld::spec("data"), copy, "", {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->options.backup, BackupPlan{});
}

TEST_F(BackupPlansTest, EventsTellOfFailuresAndOfChangedOptions) {
  Volume before = data(), after = before;
  after.backup = {.tried = 5, .since = 5, .failures = 1, .error = "the disk is full"};
  auto changes = changes_of(before, after);
  ASSERT_THAT(changes, SizeIs(1));
  EXPECT_EQ(changes[0].action, "backup-failed");
  EXPECT_EQ(changes[0].attributes["error"], "the disk is full");
  EXPECT_EQ(changes[0].attributes["folder"], folder);
  EXPECT_THAT(changes_of(after, after), IsEmpty());
  before = after;
  after.options.retain = std::chrono::hours(1);
  EXPECT_EQ(changes_of(before, after).at(0).action, "set");
}

TEST_F(BackupPlansTest, AStopEndsBetweenVolumes) {
  make("other", "hourly:2@" + folder);
  EXPECT_THAT(world->archives->keep_backups([](auto, auto) { return false; })->actions, IsEmpty());
  EXPECT_EQ(data().backup, BackupState{});
}

}  // namespace
}  // namespace fairlead::volume
