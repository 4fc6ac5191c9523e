// Backups by the option `backup`, under a clock of the test's own.
#include "volume/service/backup_plans.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <utility>

#include "tests/volume/service/backup_plans_world.h"
#include "volume/service/backup_folder.h"
#include "volume/service/events.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::write_text;

struct BackupPlansTest : testing::BackupPlansWorld {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    open();
    make("data", {{"backup", "daily:3@" + folder}});
  }
  Volume data() { return volume("data"); }
  std::vector<long long> made() { return made_in(folder); }
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
  EXPECT_EQ(data().backup, (BackupState{.done = now.load(), .tried = now.load()}));
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
  make("other", {{"backup", "hourly:2@" + folder}, {"backup_exclude", "*.tmp"}});
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
  make("data", {{"backup", "daily:1@" + folder}});
  for (int day = 1; day < 4; ++day) {
    now = kNoon + day * kDay;
    keep();
  }
  EXPECT_THAT(made(), ElementsAre(kNoon, kNoon + 3 * kDay));
}

TEST_F(BackupPlansTest, OnlyFoldersThatWereListedAreWrittenTo) {
  const auto refusal = [&](const std::string& plan) {
    return BackupPlansWorld::refusal({{"backup", plan}});
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
  make("other", {{"backup", "hourly:2@" + folder}});
  EXPECT_THAT(world->archives->keep_backups([](auto, auto) { return false; })->actions, IsEmpty());
  EXPECT_EQ(data().backup, BackupState{});
}

// The list of what is due was made before: each volume counts as it is when its turn comes.
TEST_F(BackupPlansTest, AVolumeThatGoesWhileItWaitsIsNoFailure) {
  make("other", {{"backup", "daily:1@" + folder}});
  make("third", {{"backup", "daily:1@" + folder}});
  bool is_first = true;
  const auto report = world->archives->keep_backups([&](auto, auto) {
    if (!std::exchange(is_first, false)) return true;
    for (const char* name : {"data", "other", "third"})
      EXPECT_TRUE(world->service->remove(name)) << name;
    // Another one under that name, which has no backups.
    EXPECT_TRUE(world->service->create(ArchiveWorld::spec("other")));
    return true;
  });
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_THAT(report->actions, IsEmpty());
  EXPECT_FALSE(world->archives->backups(folder));  // nothing was written
}

// Somebody who never lets go of a volume or a folder is told of at last.
TEST_F(BackupPlansTest, WhatIsInUseForHoursIsAFailure) {
  ASSERT_TRUE(world->archives->back_up("data", folder, {}));
  keep();
  const auto held = BackupFolder::prepare(folder, "prune");
  ASSERT_TRUE(held) << held.error().text;
  now = kNoon + kDay;  // due since midnight, which is 12 hours
  EXPECT_THAT(keep().failures, ElementsAre(HasSubstr("in use by prune on")));
  EXPECT_THAT(data().backup.error, HasSubstr("in use by prune on"));
  Volume volume = data();
  volume.created = 0;
  volume.backup = {.done = kNoon - 3 * kHour, .tried = 0, .since = 0, .failures = 0, .error = {}};
  volume.options.backup.every = {.hourly = 1};
  EXPECT_FALSE(is_backup_late(volume, kNoon));
  EXPECT_FALSE(is_backup_late(volume, kNoon + 3 * kHour - 1));
  EXPECT_TRUE(is_backup_late(volume, kNoon + 5 * kHour));
  volume.backup.done = kNoon + kDay;  // a clock ran ahead
  EXPECT_FALSE(is_backup_late(volume, kNoon + 7 * kHour));
}

struct EncryptedPlansTest : BackupPlansTest {
  void SetUp() override {
    BackupPlansTest::SetUp();
    if (IsSkipped()) return;
    write_key('k');
    ASSERT_TRUE(world->service->set_options(
        "data", {{"backup", "daily:3@" + folder}, {"backup_keyfile", key}}));
    place.key_file = key;
  }
  void write_key(char byte) {
    write_text(key, std::string(64, byte));
    ::chmod(key.c_str(), 0600);
  }

  const std::string key = scratch / "key";
  BackupPlace place{folder};
};

TEST_F(EncryptedPlansTest, TheKeyIsThatOfTheOption) {
  EXPECT_THAT(keep().actions, SizeIs(1));
  EXPECT_THAT(world->archives->backups(folder).error().text, HasSubstr("are encrypted"));
  EXPECT_THAT(made_in(place), ElementsAre(kNoon));
  EXPECT_EQ(world->service->inspect("data")->options.backup_keyfile, key);
  ASSERT_TRUE(world->service->remove("data"));
  const auto restored = world->archives->restore(ArchiveWorld::spec("data"), place, "", {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->options.backup_keyfile, key);
}

// The options of a backup are those of whoever wrote the folder.
TEST_F(EncryptedPlansTest, ARestoreReadsNoOtherSecretThanItWasGiven) {
  keep();
  ASSERT_TRUE(world->service->remove("data"));
  const std::string moved = scratch / "moved";
  std::filesystem::copy_file(key, moved);
  ::chmod(moved.c_str(), 0600);
  place.key_file = moved;
  const auto restored = world->archives->restore(ArchiveWorld::spec("data"), place, "", {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->options.backup_keyfile, moved);
}

TEST_F(EncryptedPlansTest, AKeyThatIsAnotherOneOrGoneIsAFailure) {
  keep();
  write_key('x');
  now += kDay;
  EXPECT_THAT(keep().failures, ElementsAre(HasSubstr("this is not their key file")));
  std::filesystem::remove(key);
  now += kHour;
  EXPECT_THAT(keep().failures, ElementsAre(HasSubstr(key)));
  write_key('k');
  ::chmod(key.c_str(), 0644);
  now += kHour;
  EXPECT_THAT(keep().failures, ElementsAre(HasSubstr("nobody else may read")));
  ::chmod(key.c_str(), 0600);
  now += kHour;
  EXPECT_THAT(keep().actions, SizeIs(1));
  EXPECT_EQ(data().backup.error, "");
  EXPECT_THAT(made_in(place), SizeIs(2));
}

TEST_F(EncryptedPlansTest, AnotherKeyIsTriedAtOnce) {
  const std::string other = scratch / "other";
  write_text(other, std::string(64, 'k'));
  ::chmod(other.c_str(), 0600);
  keep();
  write_key('x');
  now += kDay;
  keep();
  EXPECT_EQ(data().backup.failures, 1U);
  ASSERT_TRUE(world->service->set_options("data", {{"backup_keyfile", other}}));
  EXPECT_EQ(data().backup, (BackupState{.done = kNoon}));
  EXPECT_THAT(keep().actions, SizeIs(1));
}

TEST_F(EncryptedPlansTest, WithoutBackupsThereIsNoKey) {
  const auto changed = world->service->set_options("data", {{"backup", {}}});
  ASSERT_TRUE(changed) << changed.error().text;
  EXPECT_EQ(changed->options, VolumeOptions());
  EXPECT_THAT(
      world->service->set_options("data", {{"backup", {}}, {"backup_keyfile", key}}).error().text,
      HasSubstr("add backup="));
}

TEST_F(EncryptedPlansTest, TheSecretIsLookedAtWhenItIsNamed) {
  const std::string plan = "daily:1@" + folder;
  EXPECT_THAT(refusal({{"backup", plan}, {"backup_keyfile", scratch / "none"}}),
              HasSubstr("open the key file"));
  ::chmod(key.c_str(), 0640);
  EXPECT_THAT(refusal({{"backup", plan}, {"backup_keyfile", key}}), HasSubstr("chmod 600"));
  ::chmod(key.c_str(), 0600);
  write_text(scratch / "words", "a passphrase\n");
  ::chmod((scratch / "words").c_str(), 0600);
  make("more",
       {{"backup", "daily:1@" + folder + "2"}, {"backup_passphrasefile", scratch / "words"}});
  EXPECT_THAT(keep().actions, SizeIs(2));
  BackupPlace other(folder + "2");
  other.passphrase_file = scratch / "words";
  EXPECT_THAT(made_in(other), SizeIs(1));
  // A volume that is there stays usable for runtimes that "create" it each time.
  std::filesystem::remove(scratch / "words");
  roots.clear();
  open();
  EXPECT_EQ(refusal({{"backup", "daily:1@" + folder + "2"},
                     {"backup_passphrasefile", scratch / "words"}}),
            "");
}

}  // namespace
}  // namespace fairlead::volume
