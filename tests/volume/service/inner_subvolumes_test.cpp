// Volumes in a pool in which somebody made subvolumes, through the whole service.
#include "tests/volume/inner_subvolumes.h"

#include <gmock/gmock.h>

#include "tests/volume/service/pool_world.h"
#include "volume/api/health.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/service/archives.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::Groups;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::pool_spec;
using testing::PoolScratch;
using testing::PoolWorld;
using testing::read_text;
using testing::user_makes_subvolume;
using testing::write_text;

struct InnerSubvolumesTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
    world = std::make_unique<PoolWorld>(scratch.path());
    const auto fits = world->disks->validate(pool_spec());
    if (!fits) GTEST_SKIP() << fits.error().text;
    ASSERT_TRUE(world->pools.create(pool_spec()));
    archives = make_volume_archives(*world->service, *world->store, world->locks, *world->backends);
  }
  Volume made(std::map<std::string, std::string> options = {}) {
    options.insert({{"pool", "fast"}, {"uid", "1000"}});
    const auto volume = world->create("shop", options);
    EXPECT_TRUE(volume) << volume.error().text;
    return volume.value_or(Volume{});
  }
  static void with_precious(const Volume& volume) {
    user_makes_subvolume(volume.mountpoint, "x");
    write_text(volume.mountpoint + "/x/precious", "here");
  }
  static void without_it(const Volume& volume) {
    ASSERT_TRUE(btrfs::destroy(Folder::open(volume.mountpoint)->fd(), "x"));
  }
  Result<ArchiveReport> exported(const std::string& what) {
    const UniqueFd out(::open(archive.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    return archives->export_to(what, out.get(), {});
  }
  static VolumeSpec spec(const std::string& name) {
    return testing::spec_of(name, {{"pool", "fast"}});
  }
  // As older versions made it: a snapshot although there are subvolumes inside.
  void take_hollow_snapshot(const Volume& volume, const std::string& name) {
    const auto record = world->service->take_snapshot("shop", name, {});
    ASSERT_TRUE(record) << record.error().text;
    with_precious(volume);
    const std::string folder = volume.mountpoint.substr(0, volume.mountpoint.rfind("/fs/"));
    const auto fs = Folder::open(folder + "/fs"), snapshots = Folder::open(folder + "/snapshots");
    ASSERT_TRUE(btrfs::destroy(snapshots->fd(), record->id));
    ASSERT_TRUE(btrfs::snapshot(fs->fd(), *snapshots, record->id, btrfs::Writable::kNo));
  }

  PoolScratch scratch;
  std::string archive = scratch / "archive", backups = scratch / "backups";
  std::unique_ptr<PoolWorld> world;
  std::unique_ptr<VolumeArchives> archives;
};

TEST_F(InnerSubvolumesTest, ExportsAndBackupsTakeThemAlong) {
  const Volume volume = made();
  with_precious(volume);
  const auto out = exported("shop");
  ASSERT_TRUE(out) << out.error().text;
  const UniqueFd in(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  const auto imported = archives->import_from(spec("imported"), in.get(), "", {});
  ASSERT_TRUE(imported) << imported.error().text;
  EXPECT_EQ(read_text(imported->mountpoint + "/x/precious"), "here");
  const auto backup = archives->back_up("shop", backups, {});
  ASSERT_TRUE(backup) << backup.error().text;
  const auto restored = archives->restore(spec("restored"), backups, backup->id, {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(read_text(restored->mountpoint + "/x/precious"), "here");
  EXPECT_THAT(world->service->inspect("shop")->snapshots, IsEmpty());
}

TEST_F(InnerSubvolumesTest, ASnapshotThatLacksThemIsNotTakenForTheWhole) {
  const Volume volume = made();
  take_hollow_snapshot(volume, "old");
  const auto out = exported("shop@old");
  EXPECT_EQ(out.error().code, Code::kConflict);
  EXPECT_THAT(out.error().text, AllOf(HasSubstr("x was a subvolume"), HasSubstr("clone")));
  const auto backup = archives->back_up("shop@old", backups, {});
  EXPECT_EQ(backup.error().code, Code::kConflict);
  EXPECT_THAT(*archives->backups(backups), IsEmpty());
  // As the text says.
  auto plan = spec("clone");
  plan.options = testing::options_of({{"from", "shop@old"}});
  const auto clone = world->service->create(plan);
  ASSERT_TRUE(clone) << clone.error().text;
  ASSERT_TRUE(std::filesystem::remove(clone->mountpoint + "/x"));
  EXPECT_TRUE(exported("clone"));
  // And what there is now is all there is, wherever it comes from.
  without_it(volume);
  ASSERT_TRUE(world->service->roll_back("shop", "old", {}));
  EXPECT_TRUE(exported("shop"));
}

TEST_F(InnerSubvolumesTest, SnapshotsClonesRollBacksAndSchedulesTakeThemAlong) {
  const Volume volume = made({{"snapshots", "daily:7"}});
  with_precious(volume);
  ASSERT_TRUE(world->service->take_snapshot("shop", "monday", {}));
  EXPECT_EQ(world->service->keep_schedules()->actions.size(), 1U);
  auto plan = spec("clone");
  plan.options = testing::options_of({{"from", "shop@monday"}});
  const auto clone = world->service->create(plan);
  ASSERT_TRUE(clone) << clone.error().text;
  EXPECT_EQ(read_text(clone->mountpoint + "/x/precious"), "here");
  without_it(volume);
  const auto back = world->service->roll_back("shop", "monday", {});
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(read_text(volume.mountpoint + "/x/precious"), "here");
  EXPECT_THAT(problems_of(*world->service, *world->service->list()), IsEmpty());
  ASSERT_TRUE(exported("shop@monday"));
  EXPECT_TRUE(world->service->drop_snapshot("shop", "monday"));
  EXPECT_TRUE(world->service->remove("shop"));
  EXPECT_TRUE(world->service->remove("clone"));
}

TEST_F(InnerSubvolumesTest, TheyComeBackFromTheTrash) {
  const Volume volume = made({{"retain", "1h"}});
  with_precious(volume);
  ASSERT_TRUE(world->service->remove("shop"));
  const auto back = world->service->restore_from_trash("shop", {});
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(read_text(back->mountpoint + "/x/precious"), "here");
}

TEST_F(InnerSubvolumesTest, ReconcileTakesBackWhoStepsOutOfTheLimit) {
  const Volume volume = made({{"size", "20m"}});
  const auto folder = Folder::open(volume.mountpoint);
  if (btrfs::quota_kind(folder->fd()) != btrfs::QuotaKind::kSimple)
    GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  user_makes_subvolume(volume.mountpoint, "x", Groups::kNone);
  const auto report = world->service->reconcile();
  ASSERT_TRUE(report);
  EXPECT_THAT(report->actions, ElementsAre(HasSubstr("mended volume \"shop\"")));
  EXPECT_EQ(testing::user_fills(volume.mountpoint, "x/large", 40), EDQUOT);
  EXPECT_THAT(world->service->reconcile()->actions, IsEmpty());
}

}  // namespace
}  // namespace fairlead::volume
