// Snapshots, rollback, sizes, names and labels, over the backend in memory.
#include <gmock/gmock.h>

#include "tests/volume/service/world.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SnapshotTest : public testing::FakeServiceTest {
 protected:
  std::vector<std::string> names() {
    std::vector<std::string> found;
    const auto volume = service->inspect("shop");
    for (const Snapshot& snapshot : volume->snapshots) found.push_back(snapshot.name.str());
    return found;
  }
  Result<Snapshot> snapshot(const std::string& name) {
    return service->take_snapshot("shop", name, {});
  }
};

TEST_F(SnapshotTest, OneIsTakenListedAndRemoved) {
  const auto volume = create("shop", {{"size", "1g"}});
  const auto taken = snapshot("monday");
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(taken->origin, SnapshotOrigin::kUser);
  EXPECT_EQ(taken->created, now);
  EXPECT_EQ(taken->size, 1ULL << 30);
  EXPECT_EQ(service->inspect("shop")->snapshots, std::vector<Snapshot>{*taken});
  EXPECT_EQ(fake->snapshots(volume->id), std::set<std::string>{taken->id});
  ASSERT_TRUE(service->drop_snapshot("shop", "monday"));
  EXPECT_THAT(names(), IsEmpty());
  EXPECT_THAT(fake->snapshots(volume->id), IsEmpty());
}

TEST_F(SnapshotTest, WithoutANameItIsThatOfTheTime) {
  ASSERT_TRUE(create("shop"));
  now = 1769860800;
  EXPECT_EQ(snapshot("")->name.str(), "2026-01-31T12.00.00");
  EXPECT_EQ(snapshot("")->name.str(), "2026-01-31T12.00.00-2");
}

TEST_F(SnapshotTest, ATakenNameAndABadOneAreRefused) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(snapshot("monday"));
  EXPECT_EQ(snapshot("monday").error().code, Code::kExists);
  EXPECT_THAT(snapshot("monday").error().text, HasSubstr("snapshot volume \"shop\""));
  for (const char* bad : {"../x", "a/b", "-x", "a b"})
    EXPECT_EQ(snapshot(bad).error().code, Code::kInvalid) << bad;
  EXPECT_EQ(service->take_snapshot("nothing", "x1", {}).error().code, Code::kNotFound);
}

TEST_F(SnapshotTest, RemovingAnUnknownOneIsNotFound) {
  ASSERT_TRUE(create("shop"));
  const auto gone = service->drop_snapshot("shop", "monday");
  EXPECT_EQ(gone.error().code, Code::kNotFound);
  EXPECT_THAT(gone.error().text, AllOf(HasSubstr("\"monday\""), HasSubstr("\"shop\"")));
}

TEST_F(SnapshotTest, ARollbackKeepsWhatItReplaces) {
  const auto volume = create("shop");
  fake->write(volume->id, "old");
  ASSERT_TRUE(snapshot("monday"));
  fake->write(volume->id, "new");
  now = 1769860800;
  const auto kept = service->roll_back("shop", "monday", {});
  ASSERT_TRUE(kept) << kept.error().text;
  EXPECT_EQ(kept->name.str(), "before-monday-2026-01-31T12.00.00");
  EXPECT_EQ(kept->origin, SnapshotOrigin::kRollback);
  EXPECT_EQ(fake->read(volume->id), "old");
  ASSERT_TRUE(service->roll_back("shop", kept->name.str(), {}));
  EXPECT_EQ(fake->read(volume->id), "new");
  EXPECT_EQ(names().size(), 3U);
}

TEST_F(SnapshotTest, ARollbackUnderAMountIsRefused) {
  const auto volume = create("shop");
  ASSERT_TRUE(snapshot("monday"));
  fake->set_users(volume->id, "sleep (pid 5)");
  const auto refused = service->roll_back("shop", "monday", {});
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("sleep (pid 5)"));
  EXPECT_FALSE(service->inspect("shop")->change);
}

TEST_F(SnapshotTest, WhatWasMountedIsMountedAfterARollback) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(snapshot("monday"));
  ASSERT_TRUE(service->roll_back("shop", "monday", {}));
  EXPECT_EQ(fake->mounts(), 0);
  ASSERT_TRUE(service->mount("shop", "api", "web"));
  ASSERT_TRUE(service->roll_back("shop", "monday", {}));
  EXPECT_EQ(fake->mounts(), 1);
  fake->on_roll_back([]() -> Status { return fail(Code::kExhausted, "the disk is full"); });
  EXPECT_FALSE(service->roll_back("shop", "monday", {}));
  EXPECT_EQ(fake->mounts(), 1);
}

TEST_F(SnapshotTest, ARollbackKeepsTheLimitOfNow) {
  const auto volume = create("shop", {{"size", "1g"}});
  ASSERT_TRUE(snapshot("small"));
  ASSERT_TRUE(service->resize("shop", 2ULL << 30));
  ASSERT_TRUE(service->roll_back("shop", "small", {}));
  EXPECT_EQ(fake->size(volume->id), 2ULL << 30);
  EXPECT_EQ(service->inspect("shop")->options.size, 2ULL << 30);
}

TEST_F(SnapshotTest, WhereItCannotTheLimitIsThatOfTheSnapshot) {
  ASSERT_TRUE(create("shop", {{"size", "1g"}}));
  ASSERT_TRUE(snapshot("small"));
  ASSERT_TRUE(service->resize("shop", 2ULL << 30));
  fake->fail_next("resize", {Code::kUnsupported, 0, "it does not grow"});
  ASSERT_TRUE(service->roll_back("shop", "small", {}));
  EXPECT_EQ(service->inspect("shop")->options.size, 1ULL << 30);
}

TEST_F(SnapshotTest, ASizeIsChangedAndRefusedWithTheReason) {
  const auto volume = create("shop", {{"size", "1g"}});
  const auto grown = service->resize("shop", 3ULL << 29);
  ASSERT_TRUE(grown) << grown.error().text;
  EXPECT_EQ(grown->options.size, 1536ULL << 20);
  EXPECT_EQ(fake->size(volume->id), 3ULL << 29);
  fake->write(volume->id, std::string(100, 'x'));
  const auto refused = service->resize("shop", 50);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
  EXPECT_EQ(service->inspect("shop")->options.size, 1536ULL << 20);
  EXPECT_FALSE(service->inspect("shop")->change);
  EXPECT_EQ(service->resize("shop", 0).error().code, Code::kInvalid);
}

TEST_F(SnapshotTest, ARenameMovesTheNameAlone) {
  const auto volume = create("shop");
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  const auto renamed = service->rename("shop", "store");
  ASSERT_TRUE(renamed) << renamed.error().text;
  EXPECT_EQ(renamed->id, volume->id);
  EXPECT_EQ(renamed->mountpoint, volume->mountpoint);
  EXPECT_EQ(service->inspect("shop").error().code, Code::kNotFound);
  EXPECT_EQ(service->inspect("store")->mounts.size(), 1U);
  EXPECT_EQ(fake->mounts(), 1);
  EXPECT_TRUE(service->rename("shop", "store"));  // the same call again
  EXPECT_TRUE(create("shop"));
}

TEST_F(SnapshotTest, ARenameOntoAnotherOrUnderItsUsersIsRefused) {
  const auto volume = create("shop");
  ASSERT_TRUE(create("store"));
  EXPECT_EQ(service->rename("shop", "store").error().code, Code::kExists);
  EXPECT_EQ(service->rename("nothing", "other").error().code, Code::kNotFound);
  EXPECT_EQ(service->rename("shop", "../x").error().code, Code::kInvalid);
  fake->set_users(volume->id, "sleep (pid 5)");
  EXPECT_TRUE(service->rename("shop", "bazaar"));  // nobody counts under the old name
  ASSERT_TRUE(service->mount("bazaar", "docker", "a"));
  EXPECT_EQ(service->rename("bazaar", "shop").error().code, Code::kInUse);
}

TEST_F(SnapshotTest, LabelsAreSetAndRemoved) {
  ASSERT_TRUE(create("shop", {{"label.a", "1"}, {"label.b", "2"}}));
  const auto changed = service->set_labels("shop", {{"a", std::nullopt}, {"c", "3"}});
  ASSERT_TRUE(changed) << changed.error().text;
  EXPECT_EQ(service->inspect("shop")->labels,
            (std::map<std::string, std::string>{{"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(service->set_labels("shop", {{"", "x"}}).error().code, Code::kInvalid);
  EXPECT_EQ(service->set_labels("shop", {{"x", "\xff"}}).error().code, Code::kInvalid);
}

TEST_F(SnapshotTest, SingleAccessIsForOneContainer) {
  ASSERT_TRUE(create("shop", {{"access", "single"}}));
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_TRUE(service->mount("shop", "docker", "a"));  // docker cp
  const auto second = service->mount("shop", "podman", "b");
  EXPECT_EQ(second.error().code, Code::kInUse);
  EXPECT_THAT(second.error().text, AllOf(HasSubstr("docker"), HasSubstr("as a")));
  ASSERT_TRUE(service->unmount("shop", "docker", "a"));
  ASSERT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_TRUE(service->mount("shop", "podman", "b"));
}

TEST_F(SnapshotTest, ALostCountDoesNotKeepASingleVolumeForever) {
  const auto volume = create("shop", {{"access", "single"}});
  ASSERT_TRUE(service->mount("shop", "docker", "lost"));
  now += 59;
  EXPECT_EQ(service->mount("shop", "docker", "b").error().code, Code::kInUse);
  now += 1;
  fake->set_users(volume->id, "sleep (pid 5)");
  EXPECT_THAT(service->mount("shop", "docker", "b").error().text, HasSubstr("sleep (pid 5)"));
  fake->set_users(volume->id, "");
  ASSERT_TRUE(service->mount("shop", "docker", "b"));
  EXPECT_EQ(service->inspect("shop")->mounts, (std::vector<MountHint>{{"docker", "b", 1}}));
}

TEST_F(SnapshotTest, ReconcileUnmountsWhatNobodyCountsOrUses) {
  const auto volume = create("shop");
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  ASSERT_TRUE(service->reconcile());
  EXPECT_EQ(fake->mounts(), 1);
  restart("boot-2");  // the fake keeps its mount: as after a lost count
  fake->set_users(volume->id, "sleep (pid 5)");
  ASSERT_TRUE(service->reconcile());
  EXPECT_EQ(fake->mounts(), 1);
  fake->set_users(volume->id, "");
  ASSERT_TRUE(service->reconcile());
  EXPECT_EQ(fake->mounts(), 0);
}

TEST_F(SnapshotTest, SchedulesAreFollowed) {
  const auto volume = create("shop", {{"snapshots", "hourly:2"}});
  ASSERT_TRUE(create("other"));
  now = 1769860800;
  EXPECT_THAT(service->keep_schedules()->actions,
              ::testing::ElementsAre("made snapshot hourly-2026-01-31T12 of volume \"shop\""));
  EXPECT_THAT(service->keep_schedules()->actions, IsEmpty());
  ASSERT_TRUE(snapshot("mine"));
  for (int k = 0; k < 3; ++k) {
    now += 3600;
    ASSERT_TRUE(service->keep_schedules());
  }
  EXPECT_EQ(names(),
            (std::vector<std::string>{"mine", "hourly-2026-01-31T14", "hourly-2026-01-31T15"}));
  EXPECT_EQ(fake->snapshots(volume->id).size(), 3U);
  EXPECT_THAT(service->inspect("other")->snapshots, IsEmpty());
}

TEST_F(SnapshotTest, AScheduleThatFailsIsReportedAndDropsNothing) {
  ASSERT_TRUE(create("shop", {{"snapshots", "hourly:1"}}));
  ASSERT_TRUE(service->keep_schedules());
  now += 3600;
  fake->fail_next("snapshot", {Code::kExhausted, ENOSPC, "no space left on device"});
  EXPECT_THAT(service->keep_schedules()->failures,
              ::testing::ElementsAre(AllOf(HasSubstr("\"shop\""), HasSubstr("no space left"))));
  EXPECT_EQ(names().size(), 1U);
  ASSERT_TRUE(service->keep_schedules());
  EXPECT_EQ(names().size(), 1U);
}

}  // namespace
}  // namespace fairlead::volume
