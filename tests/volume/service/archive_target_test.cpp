// An archive of a volume is not written into the volume, by whatever name; what --keep does after a
// backup; what is left out on request.
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>

#include "tests/volume/service/archive_world.h"
#include "tests/volume/tree_facts.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using ::testing::HasSubstr;
using testing::Scratch;
using ::testing::SizeIs;
using testing::write_text;

struct ArchiveTargetTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounts need root";
    world = std::make_unique<ArchiveWorld>(scratch.path());
    const auto made = world->service->create(ArchiveWorld::spec("shop"));
    ASSERT_TRUE(made) << made.error().text;
    data = made->mountpoint;
    write_text(data + "/file", "x");
    std::filesystem::create_directory(data + "/inner");
    std::filesystem::create_directory(scratch / "away");
  }
  void expect_refused(const std::string& folder) {
    const auto made = world->archives->back_up("shop", folder, {});
    ASSERT_FALSE(made) << folder;
    EXPECT_EQ(made.error().code, Code::kInvalid) << made.error().text;
    EXPECT_THAT(made.error().text, HasSubstr("in the volume itself")) << folder;
    EXPECT_FALSE(std::filesystem::exists(folder + "/fairlead-backup.json"));
  }

  void expect_clean(const std::string& folder) {
    const auto report = world->archives->verify(folder, "", {});
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_THAT(report->findings, ::testing::IsEmpty());
  }

  Scratch scratch;
  std::unique_ptr<ArchiveWorld> world;
  std::string data;
};

TEST_F(ArchiveTargetTest, IsNotTheVolume) {
  expect_refused(data);
  expect_refused(data + "/inner");
  expect_refused(data + "/not/there/yet");
  std::filesystem::create_directory_symlink(data + "/inner", scratch / "link");
  expect_refused(scratch / "link");
  expect_refused(scratch / "link/deeper");
  EXPECT_FALSE(std::filesystem::exists(data + "/not"));
  EXPECT_TRUE(world->archives->back_up("shop", scratch / "backup", {}));
  // Beside it, with the same beginning of its path.
  EXPECT_TRUE(world->archives->back_up("shop", data + "-beside", {}));
}

TEST_F(ArchiveTargetTest, IsNoBindMountOfTheVolume) {
  ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  const std::string away = scratch / "away";
  ASSERT_EQ(::mount((data + "/inner").c_str(), away.c_str(), nullptr, MS_BIND, nullptr), 0);
  expect_refused(away);
  expect_refused(away + "/deeper");
  ASSERT_EQ(::umount2(away.c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(world->archives->back_up("shop", away, {}));
}

TEST_F(ArchiveTargetTest, OfAnExportIsNotTheVolumeEither) {
  const auto inside = world->export_to("shop", data + "/inner/a.tar.zst");
  ASSERT_FALSE(inside);
  EXPECT_THAT(inside.error().text, HasSubstr("in the volume itself"));
  EXPECT_TRUE(world->export_to("shop", scratch / "a.tar.zst"));
}

TEST_F(ArchiveTargetTest, ABackupKeepsSoManyAfterItself) {
  const std::string folder = scratch / "backup";
  for (int k = 0; k < 4; ++k) {
    write_text(data + "/file", std::to_string(k));
    const auto made = world->archives->back_up("shop", folder, {.keep = Retention{.last = 2}}, {});
    ASSERT_TRUE(made) << made.error().text;
  }
  EXPECT_THAT(*world->archives->backups(folder), SizeIs(2));
  expect_clean(folder);
  // One that fails removes none.
  std::filesystem::remove_all(data);
  EXPECT_FALSE(world->archives->back_up("shop", folder, {.keep = Retention{.last = 1}}, {}));
  EXPECT_THAT(*world->archives->backups(folder), SizeIs(2));
}

TEST_F(ArchiveTargetTest, PruneOfAVolumeThatIsNotThereSaysSo) {
  const std::string folder = scratch / "backup";
  EXPECT_FALSE(world->archives->prune(folder, "", {}, {}, {}));
  EXPECT_FALSE(std::filesystem::exists(folder));  // it makes none
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  EXPECT_EQ(world->archives->prune(folder, "sho", Retention{.last = 1}, {}, {}).error().code,
            Code::kNotFound);
  EXPECT_TRUE(world->archives->prune(folder, "shop", Retention{.last = 1}, {}, {}));
}

TEST_F(ArchiveTargetTest, RepairReadsTheVolume) {
  const std::string folder = scratch / "backup";
  write_text(data + "/large", testing::noise(200'000, 1));
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  for (const auto& pack : std::filesystem::directory_iterator(folder + "/packs"))
    std::filesystem::resize_file(pack, 1000);
  EXPECT_FALSE(world->archives->verify(folder, "", {})->clean);
  const auto report = world->archives->repair(folder, {});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->findings, SizeIs(0));
  expect_clean(folder);
}

TEST_F(ArchiveTargetTest, WhatIsLeftOutOfAnExportIsNotInIt) {
  write_text(data + "/x.tmp", "x");
  const std::string file = scratch / "a.tar.zst";
  const UniqueFd out(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(world->archives->export_to("shop", out.get(), Excludes{.patterns = {"*.tmp"}}, {}));
  ASSERT_TRUE(world->import_from(ArchiveWorld::spec("copy"), file));
  const auto copied = world->service->inspect("copy")->mountpoint;
  EXPECT_TRUE(std::filesystem::exists(copied + "/file"));
  EXPECT_FALSE(std::filesystem::exists(copied + "/x.tmp"));
  const auto wrong = world->archives->export_to("shop", out.get(), Excludes{.patterns = {"["}}, {});
  EXPECT_EQ(wrong.error().code, Code::kInvalid);
}

// ---- a target without any room

struct FullTargetTest : ArchiveTargetTest {
  void SetUp() override {
    ArchiveTargetTest::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    std::filesystem::create_directory(folder);
    ASSERT_EQ(::mount("full", folder.c_str(), "tmpfs", 0, "size=6m"), 0);
  }
  void TearDown() override { ::umount2(folder.c_str(), MNT_DETACH); }
  void fill_up() {
    const std::string zeros(4096, 'x');
    const UniqueFd file(::open((folder + "/lock.filler").c_str(), O_WRONLY | O_CREAT, 0600));
    while (::write(file.get(), zeros.data(), zeros.size()) > 0) continue;
  }
  std::uintmax_t size_of_packs() {
    std::uintmax_t bytes = 0;
    for (const auto& pack : std::filesystem::directory_iterator(folder + "/packs"))
      bytes += pack.file_size();
    return bytes;
  }
  std::string oldest() { return world->archives->backups(folder)->front().id; }

  std::string folder = scratch / "full";
};

TEST_F(FullTargetTest, WhatAFailedBackupLeftIsFreedByPrune) {
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  // Packs are 16 MiB, so that one pack that does not fit leaves nothing but what is in tmp/.
  write_text(data + "/large", testing::noise(8U << 20, 1));
  const auto failed = world->archives->back_up("shop", folder, {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(world->archives->backups(folder)->size(), 1U);
  const auto pruned = world->archives->prune(folder, "", {}, {}, {});
  ASSERT_TRUE(pruned) << pruned.error().text;
  EXPECT_LT(size_of_packs(), 10'000U);
  EXPECT_EQ(testing::entries_in(folder + "/tmp"), 0U);
  expect_clean(folder);
}

TEST_F(FullTargetTest, ABackupIsRemovedAndWhatWouldBePackedAnewStays) {
  write_text(data + "/large", testing::noise(1U << 20, 1));
  write_text(data + "/keep", testing::noise(100'000, 2));
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  write_text(data + "/large", testing::noise(1U << 20, 3));
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  fill_up();
  const auto removed = world->archives->remove_backups(folder, {oldest()}, {}, {});
  ASSERT_TRUE(removed) << removed.error().text;
  EXPECT_EQ(removed->removed.size(), 1U);
  EXPECT_THAT(removed->notes, ::testing::ElementsAre(HasSubstr("stay as they are")));
  expect_clean(folder);
  std::filesystem::remove(folder + "/lock.filler");
  const auto before = size_of_packs();
  ASSERT_TRUE(world->archives->prune(folder, "", {}, {}, {}));
  EXPECT_LT(size_of_packs(), before - 900'000);
  expect_clean(folder);
}

TEST_F(FullTargetTest, ARepairThatHasNoRoomLosesNothing) {
  write_text(data + "/large", testing::noise(1U << 20, 1));
  write_text(data + "/other", testing::noise(1U << 20, 2));
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  for (const auto& pack : std::filesystem::directory_iterator(folder + "/packs")) {
    std::fstream file(pack.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1000);
    file.write("damage", 6);
  }
  const auto before = world->archives->verify(folder, "", {})->findings;
  fill_up();
  EXPECT_FALSE(world->archives->repair(folder, {}));
  EXPECT_EQ(world->archives->verify(folder, "", {})->findings, before);
  std::filesystem::remove(folder + "/lock.filler");
  const auto repaired = world->archives->repair(folder, {});
  ASSERT_TRUE(repaired) << repaired.error().text;
  EXPECT_THAT(repaired->findings, ::testing::IsEmpty());
  expect_clean(folder);
}

}  // namespace
}  // namespace fairlead::volume
