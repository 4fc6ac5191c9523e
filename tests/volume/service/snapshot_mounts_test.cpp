// Mounts of snapshots, and volumes that show them, over the backend in memory.
#include <gmock/gmock.h>

#include "tests/volume/service/world.h"
#include "volume/service/volume_views.h"

namespace fairlead::volume {
namespace {

using fairlead::testing::FailingStore;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SnapshotMountsTest : public testing::FakeServiceTest {
 protected:
  SnapshotMountsTest() { start("boot-1"); }
  ~SnapshotMountsTest() override { service.reset(); }  // before the backends that it borrows
  // A new process of that boot, with the volumes that show snapshots.
  void start(const std::string& boot) {
    service.reset();
    views =
        make_view_backends(store, locks, backends, {.now = [this] { return now; }, .boot = boot});
    service =
        make_volume_service(store, locks, *views, {.now = [this] { return now; }, .boot = boot});
  }
  void have_monday() {
    volume = create("shop").value();
    monday = service->take_snapshot("shop", "monday", {}).value();
  }
  std::vector<MountHint> counts() {
    return service->inspect_snapshot("shop", "monday")->snapshot.mounts;
  }
  std::vector<std::string> mounted() { return *fake->mounted_snapshots(volume); }
  Status drop() { return service->drop_snapshot("shop", "monday"); }

  std::unique_ptr<BackendRegistry> views;
  Volume volume;
  Snapshot monday;
};

TEST_F(SnapshotMountsTest, OneIsMountedCountedAndUnmountedWithTheLast) {
  have_monday();
  for (const char* id : {"a", "a", "b"}) {
    const auto view = service->mount_snapshot("shop", "monday", "docker", id);
    ASSERT_TRUE(view) << view.error().text;
    EXPECT_EQ(view->name(), "shop@monday");
    EXPECT_EQ(view->mountpoint, "/fake/" + volume.id + "/views/" + monday.id + "/_data");
  }
  EXPECT_EQ(counts(), (std::vector<MountHint>{{"docker", "a", 2}, {"docker", "b", 1}}));
  EXPECT_THAT(service->inspect("shop")->mounts, IsEmpty());  // those are of the volume itself
  for (const char* id : {"a", "b"}) {
    ASSERT_TRUE(service->unmount_snapshot("shop", "monday", "docker", id));
    EXPECT_EQ(mounted().size(), 1U);
  }
  ASSERT_TRUE(service->unmount_snapshot("shop", "monday", "docker", "a"));
  EXPECT_THAT(mounted(), IsEmpty());
  EXPECT_TRUE(service->unmount_snapshot("shop", "monday", "docker", "a"));  // unknown: no error
  EXPECT_TRUE(service->unmount_snapshot("shop", "no-such", "docker", "a"));
  EXPECT_TRUE(service->unmount_snapshot("no-such", "monday", "docker", "a"));
}

TEST_F(SnapshotMountsTest, WhatIsNotThereIsNotMounted) {
  have_monday();
  const auto unknown = service->mount_snapshot("shop", "mondy", "docker", "a");
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_THAT(unknown.error().text, HasSubstr("did you mean \"monday\"?"));
  EXPECT_EQ(service->mount_snapshot("shp", "monday", "docker", "a").error().code, Code::kNotFound);
  EXPECT_EQ(service->inspect_snapshot("shop", "../x").error().code, Code::kNotFound);
  // that of an export comes and goes by itself
  const auto own = service->take_archive_snapshot("shop");
  ASSERT_TRUE(own);
  EXPECT_EQ(service->mount_snapshot("shop", own->name.str(), "docker", "a").error().code,
            Code::kNotFound);
}

TEST_F(SnapshotMountsTest, AFailedMountLeavesNothingMounted) {
  have_monday();
  fake->fail_next("mount-snapshot", {Code::kIo, 0, "no loop device"});
  const auto failed = service->mount_snapshot("shop", "monday", "docker", "a");
  EXPECT_THAT(failed.error().text,
              AllOf(HasSubstr("mount snapshot \"monday\" of volume \"shop\""), HasSubstr("loop")));
  EXPECT_THAT(mounted(), IsEmpty());
  EXPECT_THAT(counts(), IsEmpty());
}

TEST_F(SnapshotMountsTest, OnAFullDiskOneIsMountedWithoutACount) {
  have_monday();
  store.fail_commit(1, FailingStore::When::kBefore);
  ASSERT_TRUE(service->mount_snapshot("shop", "monday", "docker", "a"));
  EXPECT_EQ(mounted().size(), 1U);
  EXPECT_THAT(counts(), IsEmpty());
  ASSERT_TRUE(service->unmount_snapshot("shop", "monday", "docker", "a"));
  EXPECT_THAT(mounted(), IsEmpty());
}

TEST_F(SnapshotMountsTest, WhileItIsUsedItAndItsVolumeStay) {
  have_monday();
  ASSERT_TRUE(service->mount_snapshot("shop", "monday", "docker", "a"));
  fake->set_snapshot_users(monday.id, "mounted at /old by sleep (pid 7)");
  for (const Status& refused :
       {drop(), service->remove("shop"), status_of(service->rename("shop", "store"))}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInUse);
    EXPECT_THAT(refused.error().text, HasSubstr("mounted at /old by sleep (pid 7)"));
  }
  EXPECT_EQ(service->inspect_snapshot("shop", "monday")->users, "mounted at /old by sleep (pid 7)");
  // going back to it keeps it, and nobody uses the volume itself
  EXPECT_TRUE(service->roll_back("shop", "monday", {}));
  fake->set_snapshot_users(monday.id, "");
  ASSERT_TRUE(service->unmount_snapshot("shop", "monday", "docker", "a"));
  EXPECT_TRUE(drop());
  EXPECT_TRUE(service->remove("shop"));
}

TEST_F(SnapshotMountsTest, ARuntimeThatWasToldThePathAMomentAgoIsWaitedFor) {
  have_monday();
  ASSERT_TRUE(service->mount_snapshot("shop", "monday", "docker", "a"));
  EXPECT_THAT(drop().error().text, HasSubstr("docker mounted it a moment ago"));
  now += 11;
  ASSERT_TRUE(drop());  // a count that was never taken back decides nothing
  EXPECT_THAT(mounted(), IsEmpty());
}

TEST_F(SnapshotMountsTest, AVolumeThatShowsItIsSpokenOfInWords) {
  have_monday();
  ASSERT_TRUE(service->mount_snapshot("shop", "monday", "volume", "0123"));
  EXPECT_THAT(drop().error().text, HasSubstr("somebody who has a volume that shows it mounted it"));
}

TEST_F(SnapshotMountsTest, AScheduleLeavesAMountedOneAndGoesOn) {
  ASSERT_TRUE(create("shop", {{"snapshots", "hourly:1"}}));
  ASSERT_TRUE(service->keep_schedules());
  const Snapshot first = service->inspect("shop")->snapshots.front();
  fake->set_snapshot_users(first.id, "mounted at /old by sleep (pid 7)");
  now += 3600;
  const auto report = service->keep_schedules();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_EQ(service->inspect("shop")->snapshots.size(), 2U);
  fake->set_snapshot_users(first.id, "");
  ASSERT_TRUE(service->keep_schedules());
  EXPECT_EQ(service->inspect("shop")->snapshots.size(), 1U);
}

TEST_F(SnapshotMountsTest, CountsOfAnotherBootAreVoid) {
  have_monday();
  ASSERT_TRUE(service->mount_snapshot("shop", "monday", "docker", "a"));
  start("boot-1");
  EXPECT_EQ(counts().size(), 1U);
  start("boot-2");
  EXPECT_THAT(counts(), IsEmpty());
  const auto report = service->reconcile();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->actions, ::testing::Contains(HasSubstr("from before the reboot")));
  EXPECT_THAT(mounted(), IsEmpty());
}

TEST_F(SnapshotMountsTest, ReconcileUnmountsWhatNobodyCountedAndUses) {
  have_monday();
  ASSERT_TRUE(fake->mount_snapshot(volume, monday.id));  // a mount that died before its count
  fake->set_snapshot_users(monday.id, "mounted at /old by sleep (pid 7)");
  ASSERT_TRUE(service->reconcile());
  EXPECT_EQ(mounted().size(), 1U);
  fake->set_snapshot_users(monday.id, "");
  ASSERT_TRUE(service->reconcile());
  EXPECT_THAT(mounted(), IsEmpty());
}

// --- volumes that show a snapshot

TEST_F(SnapshotMountsTest, AVolumeShowsASnapshotWhileItIsMounted) {
  have_monday();
  const auto view = create("old", {{"snapshot", "shop@monday"}});
  ASSERT_TRUE(view) << view.error().text;
  EXPECT_EQ(view->backend, "snapshot");
  EXPECT_TRUE(create("old", {{"snapshot", "shop@monday"}}));  // the same again
  EXPECT_EQ(create("old", {{"size", "1g"}}).error().code, Code::kConflict);
  const auto first = service->mount("old", "podman", "x"),
             second = service->mount("old", "podman", "x");
  ASSERT_TRUE(first && second) << first.error().text;
  EXPECT_EQ(first->mountpoint, "/fake/" + volume.id + "/views/" + monday.id + "/_data");
  EXPECT_EQ(counts(), (std::vector<MountHint>{{"volume", view->id, 1}}));
  // somebody takes the snapshot by its own name as well
  ASSERT_TRUE(service->mount_snapshot("shop", "monday", "docker", "a"));
  ASSERT_TRUE(service->unmount("old", "podman", "x"));
  ASSERT_TRUE(service->unmount("old", "podman", "x"));
  EXPECT_EQ(mounted().size(), 1U);
  ASSERT_TRUE(service->unmount_snapshot("shop", "monday", "docker", "a"));
  EXPECT_THAT(mounted(), IsEmpty());
  ASSERT_TRUE(service->remove("old"));
  EXPECT_TRUE(service->inspect_snapshot("shop", "monday"));  // only the name is gone
}

TEST_F(SnapshotMountsTest, AVolumeThatShowsASnapshotNeedsOneAndTakesNoOtherOption) {
  have_monday();
  EXPECT_EQ(create("old", {{"snapshot", "shop@nothing"}}).error().code, Code::kNotFound);
  EXPECT_EQ(create("old", {{"snapshot", "none@monday"}}).error().code, Code::kNotFound);
  EXPECT_FALSE(service->inspect("old"));
  EXPECT_THAT(create("old", {{"snapshot", "shop@monday"}, {"size", "1g"}}).error().text,
              HasSubstr("takes no other option"));
  EXPECT_EQ(create("old", {{"snapshot", "shop@monday"}, {"backend", "fake"}}).error().code,
            Code::kInvalid);
  EXPECT_EQ(create("old", {{"backend", "snapshot"}}).error().code, Code::kInvalid);
  EXPECT_TRUE(create("old", {{"snapshot", "shop@monday"}, {"readonly", "true"}, {"label.a", "b"}}));
}

TEST_F(SnapshotMountsTest, WhatAVolumeShowsMayGoAndItSaysSo) {
  have_monday();
  const Volume view = create("old", {{"snapshot", "shop@monday"}}).value();
  EXPECT_EQ(service->status(view)->health, "ok");
  ASSERT_TRUE(service->mount("old", "podman", "x"));
  fake->set_snapshot_users(monday.id, "mounted at /old by sleep (pid 7)");
  EXPECT_EQ(service->status(*service->inspect("old"))->in_use, true);
  EXPECT_EQ(drop().error().code, Code::kInUse);
  EXPECT_EQ(service->remove("old").error().code, Code::kInUse);
  fake->set_snapshot_users(monday.id, "");
  ASSERT_TRUE(service->unmount("old", "podman", "x"));
  ASSERT_TRUE(drop());
  const auto status = service->status(*service->inspect("old"));
  EXPECT_EQ(status->condition, Condition::kMissing);
  EXPECT_THAT(status->health, HasSubstr("volume \"shop\" has no snapshot \"monday\""));
  EXPECT_EQ(service->mount("old", "podman", "x").error().code, Code::kNotFound);
  EXPECT_TRUE(service->remove("old"));
}

}  // namespace
}  // namespace fairlead::volume
