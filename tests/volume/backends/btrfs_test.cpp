#include "volume/backends/btrfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/volume/backends/btrfs_world.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::is_there;
using testing::read_text;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

using BtrfsBackendTest = testing::BtrfsWorld;

TEST_F(BtrfsBackendTest, AVolumeIsASubvolumeWithItsDataInside) {
  const Volume volume = created({{"uid", "1000"}, {"mode", "0770"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  struct stat info {};
  ASSERT_EQ(::stat(path->c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
  EXPECT_EQ(info.st_mode & 07777U, 0770U);
  EXPECT_TRUE(*btrfs::is_subvolume(Folder::open(at(volume, "fs"))->fd()));
  EXPECT_EQ(testing::entries_in(*path), 0U);
}

TEST_F(BtrfsBackendTest, TheSizeIsAHardLimitThatGrowsAndShrinks) {
  const Volume volume = created({{"size", "20m"}});
  EXPECT_EQ(backend->status(volume)->size, 20 * kMiB);
  EXPECT_EQ(fill(data(volume, "large"), 30 * kMiB), EDQUOT);
  const auto usage = backend->usage(volume, {});
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->used.value_or(0), 15 * kMiB);
  EXPECT_EQ(backend->resize(volume, kMiB).error().code, Code::kExhausted);
  ASSERT_TRUE(backend->resize(volume, 60 * kMiB));
  EXPECT_EQ(fill(data(volume, "more"), 20 * kMiB), 0);
  EXPECT_EQ(backend->status(volume)->size, 60 * kMiB);
  EXPECT_EQ(backend->status(volume)->health, "ok");
}

TEST_F(BtrfsBackendTest, ACloneHasItsLimitFromTheStart) {
  const Volume source = created({{"size", "100m"}});
  ASSERT_EQ(fill(data(source, "large"), 10 * kMiB), 0);
  const Volume clone = cloned(source, "", {{"size", "30m"}});
  EXPECT_EQ(backend->status(clone)->size, 30 * kMiB);
  EXPECT_EQ(fill(data(clone, "more"), 50 * kMiB), EDQUOT);
  EXPECT_EQ(std::filesystem::file_size(data(clone, "large")), 10 * kMiB);
  EXPECT_EQ(backend->status(source)->size, 100 * kMiB);
}

TEST_F(BtrfsBackendTest, SnapshotsAreReadOnlyAndStayWhenTheDataChanges) {
  const Volume volume = created();
  write_text(data(volume, "file"), "monday");
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  write_text(data(volume, "file"), "tuesday");
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));  // again: the same one
  const std::string kept = at(volume, "snapshots/" + monday.id + "/_data/file");
  EXPECT_EQ(read_text(kept), "monday");
  EXPECT_LT(::open(kept.c_str(), O_WRONLY), 0);
  EXPECT_EQ(errno, EROFS);
  const Volume clone = cloned(volume, monday.id);
  EXPECT_EQ(read_text(data(clone, "file")), "monday");
  const auto opened = backend->open_data(volume, monday.id);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(open_beneath(opened->get(), "file", O_RDONLY));
  ASSERT_TRUE(backend->drop_snapshot(volume, monday.id));
  ASSERT_TRUE(backend->drop_snapshot(volume, monday.id));
  EXPECT_FALSE(is_there(kept));
}

TEST_F(BtrfsBackendTest, UsageTellsWhatOnlySnapshotsHold) {
  Volume volume = created({{"size", "60m"}});
  ASSERT_EQ(fill(data(volume, "large"), 20 * kMiB), 0);
  EXPECT_FALSE(backend->usage(volume, {})->only_in_snapshots);
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  volume.snapshots = {monday};
  EXPECT_LT(backend->usage(volume, {})->only_in_snapshots.value_or(kMiB << 10), kMiB);
  std::filesystem::remove(data(volume, "large"));
  const auto usage = backend->usage(volume, {});
  ASSERT_TRUE(usage);
  if (usage->used.value_or(0) < 10 * kMiB) GTEST_SKIP() << "full quotas charge it to the snapshot";
  EXPECT_GT(usage->only_in_snapshots.value_or(0), 15 * kMiB);
  EXPECT_EQ(fill(data(volume, "more"), 60 * kMiB), EDQUOT);
  EXPECT_EQ(backend->status(volume)->condition, Condition::kFull);
  EXPECT_NE(backend->status(volume)->health.find("full because of snapshots"), std::string::npos);
}

TEST_F(BtrfsBackendTest, RollingBackKeepsWhatWasReplaced) {
  const Volume volume = created({{"size", "50m"}});
  write_text(data(volume, "file"), "monday");
  const Snapshot monday = a_snapshot(), kept = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  write_text(data(volume, "file"), "tuesday");
  const auto done = backend->roll_back(volume, monday, kept, {});
  ASSERT_TRUE(done) << done.error().text;
  ASSERT_TRUE(backend->roll_back(volume, monday, kept, {}));
  EXPECT_EQ(read_text(data(volume, "file")), "monday");
  EXPECT_EQ(read_text(at(volume, "snapshots/" + kept.id + "/_data/file")), "tuesday");
  EXPECT_EQ(backend->status(volume)->size, 50 * kMiB);
  EXPECT_FALSE(is_there(at(volume, "rolling")));
  write_text(data(volume, "file"), "writable");
  const Snapshot second = a_snapshot();
  ASSERT_TRUE(backend->roll_back(volume, kept, second, {}));
  EXPECT_EQ(read_text(data(volume, "file")), "tuesday");
}

TEST_F(BtrfsBackendTest, ARollBackThatDiedAfterTheExchangeIsFinished) {
  const Volume volume = created();
  write_text(data(volume, "file"), "monday");
  const Snapshot monday = a_snapshot(), kept = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  write_text(data(volume, "file"), "tuesday");
  ASSERT_TRUE(backend->roll_back(volume, monday, kept, {}));
  // As the exchange left it: the old content is still called "rolling".
  const auto folder = Folder::open(at(volume, "."));
  const auto snapshots = Folder::open(at(volume, "snapshots"));
  ASSERT_TRUE(btrfs::set_read_only(snapshots->folder(kept.id)->fd(), false));
  ASSERT_TRUE(snapshots->rename(kept.id, *folder, "rolling"));
  ASSERT_TRUE(backend->roll_back(volume, monday, kept, {}));
  EXPECT_EQ(read_text(data(volume, "file")), "monday");
  EXPECT_EQ(read_text(at(volume, "snapshots/" + kept.id + "/_data/file")), "tuesday");
  EXPECT_FALSE(snapshots->folder(kept.id)->write_file("new", "x", 0600));  // read-only again
}

TEST_F(BtrfsBackendTest, AVolumeInUseIsNotRolledBack) {
  const Volume volume = created();
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  std::filesystem::create_directory(disk / "target");
  const testing::Holder holder(backend->data_path(volume), disk / "target");
  ASSERT_TRUE(holder.mounted());
  const auto refused = backend->roll_back(volume, monday, a_snapshot(), {});
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("holder"));
  EXPECT_TRUE(backend->take_snapshot(volume, a_snapshot(), {}));
}

TEST_F(BtrfsBackendTest, TrashIsRestoredWithItsSnapshotsOrGoesWithThem) {
  Volume volume = created({{"size", "20m"}});
  write_text(data(volume, "file"), "x");
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  volume.deleted = 2000;
  ASSERT_TRUE(backend->remove(volume));
  EXPECT_FALSE(is_there(at(volume, ".")));
  ASSERT_TRUE(backend->restore(volume));
  ASSERT_TRUE(backend->restore(volume));
  EXPECT_EQ(read_text(data(volume, "file")), "x");
  EXPECT_EQ(backend->status(volume)->size, 20 * kMiB);
  ASSERT_TRUE(backend->remove(volume));
  EXPECT_EQ(backend->purge(volume, {}).value(), TrashState::kEmptied);
  EXPECT_EQ(testing::entries_in(disk / "root/trash"), 0U);
  EXPECT_EQ(backend->restore(volume).error().code, Code::kNotFound);
}

TEST_F(BtrfsBackendTest, ReadOnlyAndMappedIdsAreASecondMount) {
  const Volume volume = created({{"access", "read-only"}, {"idmap", "0-100000-65536"}});
  const auto path = backend->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(*path, at(volume, "mnt/_data"));
  struct stat info {};
  ASSERT_EQ(::stat(path->c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 100000U);
  EXPECT_LT(::open((*path + "/file").c_str(), O_WRONLY | O_CREAT, 0600), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(*backend->users(volume), "");  // our own mount is nobody's use
  EXPECT_EQ(*backend->mount(volume), *path);
  ASSERT_TRUE(backend->unmount(volume));
  ASSERT_TRUE(backend->unmount(volume));
  EXPECT_EQ(testing::entries_in(at(volume, "mnt")), 1U);
}

TEST_F(BtrfsBackendTest, AVolumeThatItsSnapshotsFillSaysSoUntilOneIsGone) {
  const auto top = Folder::open(disk.path());
  if (*btrfs::enable_quota(top->fd()) != btrfs::QuotaKind::kSimple)
    GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  Volume volume = created({{"size", "60m"}});
  EXPECT_EQ(backend->usage(volume, {})->only_in_snapshots, std::nullopt);
  ASSERT_EQ(fill(data(volume, "large"), 45 * kMiB), 0);
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  volume.snapshots = {monday};
  EXPECT_LT(backend->usage(volume, {})->only_in_snapshots.value_or(100 * kMiB), kMiB);
  EXPECT_EQ(backend->status(volume)->health, "ok");

  ASSERT_TRUE(std::filesystem::remove(data(volume, "large")));
  EXPECT_EQ(fill(data(volume, "more"), 40 * kMiB), EDQUOT);
  const auto usage = backend->usage(volume, {});
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->only_in_snapshots.value_or(0), 44 * kMiB);
  EXPECT_LT(usage->only_in_snapshots.value_or(0), 48 * kMiB);
  const auto held = backend->snapshot_space(volume);  // of one snapshot it is the same
  ASSERT_TRUE(held && held->contains(monday.id));
  EXPECT_GT(held->at(monday.id), 44 * kMiB);
  EXPECT_LT(held->at(monday.id), 48 * kMiB);
  Volume with_another = volume;
  with_another.snapshots.push_back(a_snapshot());
  EXPECT_TRUE(backend->snapshot_space(with_another)->empty());
  EXPECT_EQ(usage->condition, Condition::kFull) << usage->used.value_or(0);
  EXPECT_THAT(usage->health, HasSubstr("full because of snapshots"));
  EXPECT_EQ(backend->status(volume)->condition, Condition::kFull);

  ASSERT_TRUE(backend->drop_snapshot(volume, monday.id));
  volume.snapshots.clear();
  for (int k = 0; k < 500 && backend->usage(volume, {})->used.value_or(0) > 30 * kMiB; ++k)
    ::usleep(20'000);  // the kernel removes it a little later
  EXPECT_EQ(backend->status(volume)->health, "ok");
  EXPECT_EQ(backend->status(volume)->condition, Condition::kOk);
  EXPECT_EQ(fill(data(volume, "again"), 10 * kMiB), 0);
}

// A clone shares with its source what the source is charged for.
TEST_F(BtrfsBackendTest, WhatACloneSharesIsNotHeldByItsSnapshots) {
  const auto top = Folder::open(disk.path());
  if (*btrfs::enable_quota(top->fd()) != btrfs::QuotaKind::kSimple)
    GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Volume source = created();
  ASSERT_EQ(fill(data(source, "shared"), 20 * kMiB), 0);
  Volume clone = cloned(source, {});
  ASSERT_EQ(fill(data(clone, "own"), 10 * kMiB), 0);
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(clone, monday, {}));
  clone.snapshots = {monday};
  ASSERT_TRUE(std::filesystem::remove(data(clone, "own")));
  ASSERT_TRUE(std::filesystem::remove(data(clone, "shared")));
  const auto kept = backend->usage(clone, {})->only_in_snapshots;
  EXPECT_GT(kept.value_or(0), 9 * kMiB);
  EXPECT_LT(kept.value_or(100 * kMiB), 12 * kMiB);
}

TEST_F(BtrfsBackendTest, ACheckScrubsAndTellsHowFarItIs) {
  const Volume volume = created();
  ASSERT_EQ(fill(data(volume, "large"), 5 * kMiB), 0);
  std::uint64_t total = 0;
  const auto report = backend->check(
      volume, false, [&](std::uint64_t, std::uint64_t of) { return total = of, true; });
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_TRUE(report->clean);
  EXPECT_GT(total, 5 * kMiB);
}

TEST_F(BtrfsBackendTest, WhatItCannotKeepIsRefused) {
  EXPECT_TRUE(backend->validate({.size = 1, .compress = "zstd"}));
  EXPECT_EQ(backend->validate({.inodes = 1}).error().code, Code::kUnsupported);
  EXPECT_EQ(backend->validate({.compress = "rot13"}).error().code, Code::kInvalid);
  EXPECT_THAT(backend->validate({.compress = "zstd:9"}).error().text, HasSubstr("no level"));
  EXPECT_EQ(backend->validate({.compress = "zstd", .cow = false}).error().code, Code::kInvalid);
  EXPECT_EQ(backend->validate({.fstype = "ext4"}).error().code, Code::kUnsupported);
}

TEST(BtrfsBackend, AFolderOnAnotherFileSystemIsRefusedWithAHint) {
  if (!testing::is_root()) GTEST_SKIP() << "owners need root";
  const testing::Scratch scratch(testing::Where::kMemory);
  const auto backend = make_btrfs_backend(scratch / "root");
  Rollback undo;
  const auto made = backend->create({.id = random_hex(32)}, undo);
  EXPECT_EQ(made.error().code, Code::kUnsupported);
  EXPECT_THAT(made.error().text, HasSubstr("pool"));
}

}  // namespace
}  // namespace fairlead::volume
