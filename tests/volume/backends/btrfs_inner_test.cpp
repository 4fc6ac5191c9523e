// Volumes in which somebody made subvolumes: their limit, and the verbs that would lose content.
#include <gmock/gmock.h>

#include "tests/volume/backends/btrfs_world.h"
#include "tests/volume/inner_subvolumes.h"
#include "volume/backends/dir.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using testing::Groups;
using testing::groups_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::read_text;
using testing::user_fills;
using testing::user_makes_subvolume;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

struct BtrfsInnerTest : testing::BtrfsWorld {
  Volume a_users_volume(std::map<std::string, std::string> options = {}) {
    options.insert({{"uid", "1000"}, {"gid", "1000"}});
    return created(std::move(options));
  }
  void expect_refused(const Status& done) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kConflict);
    EXPECT_THAT(done.error().text, HasSubstr("\"x\""));
  }
  Status try_clone(const Volume& source, const std::string& snapshot) {
    Rollback undo;
    return backend->clone(testing::a_volume("btrfs"), source, snapshot, undo, {});
  }
  bool has_simple_quotas() const {
    const auto top = Folder::open(disk.path());
    return *btrfs::enable_quota(top->fd()) == btrfs::QuotaKind::kSimple;
  }
  // Without the group that this version gave it.
  void as_an_older_version_left_it(const Volume& volume, std::uint64_t size) {
    const auto folder = Folder::open(at(volume, "."));
    const auto id = *btrfs::id_of(folder->folder("fs")->fd());
    ASSERT_TRUE(btrfs::forget_limit(folder->fd(), id));
    testing::limit_alone(folder->fd(), id, size);
  }
  void remove_for_good(Volume volume) {
    volume.deleted = 2000;
    ASSERT_TRUE(backend->remove(volume));
    ASSERT_EQ(backend->purge(volume, {}).value(), TrashState::kEmptied);
  }
};

TEST_F(BtrfsInnerTest, AUserMeetsTheSizeInASubvolumeOfItsOwn) {
  if (!has_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Volume volume = a_users_volume({{"size", "20m"}});
  user_makes_subvolume(data(volume, "."), "x");
  EXPECT_EQ(user_fills(data(volume, "."), "x/large", 40), EDQUOT);
  const auto usage = backend->usage(volume, {});
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->used.value_or(0), 15 * kMiB);
  EXPECT_LE(usage->used.value_or(0), 20 * kMiB);
  ASSERT_TRUE(backend->resize(volume, 60 * kMiB));
  EXPECT_EQ(user_fills(data(volume, "."), "x/more", 20), 0);
  EXPECT_EQ(backend->resize(volume, 10 * kMiB).error().code, Code::kExhausted);
  remove_for_good(volume);
  EXPECT_THAT(groups_of(Folder::open(disk.path())->fd()), IsEmpty());
}

TEST_F(BtrfsInnerTest, WithoutASizeUsageCountsThemToo) {
  if (!has_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Volume volume = a_users_volume();
  user_makes_subvolume(data(volume, "."), "x");
  EXPECT_EQ(user_fills(data(volume, "."), "x/large", 10), 0);
  EXPECT_GT(backend->usage(volume, {})->used.value_or(0), 10 * kMiB);
}

TEST_F(BtrfsInnerTest, ClonesAndRollBacksHaveALimitThatHoldsInsideAsWell) {
  if (!has_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Volume volume = a_users_volume({{"size", "30m"}});
  ASSERT_EQ(user_fills(data(volume, "."), "file", 10), 0);
  const Snapshot monday = a_snapshot(), kept = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  ASSERT_TRUE(backend->roll_back(volume, monday, kept, {}));
  const Volume clone = cloned(volume, monday.id, {{"size", "20m"}});
  for (const Volume& one : {volume, clone}) {
    user_makes_subvolume(data(one, "."), "x");
    EXPECT_EQ(user_fills(data(one, "."), "x/large", 40), EDQUOT);
  }
  EXPECT_EQ(backend->status(volume)->size, 30 * kMiB);
  EXPECT_LE(backend->usage(clone, {})->used.value_or(0), 20 * kMiB);
  ASSERT_TRUE(backend->drop_snapshot(volume, kept.id));
  remove_for_good(volume);
  remove_for_good(clone);
  EXPECT_THAT(groups_of(Folder::open(disk.path())->fd()), IsEmpty());
}

// To the last block, so that nothing of the kernel's own fits in either.
TEST_F(BtrfsInnerTest, AFullVolumeIsRolledBackResizedAndRemoved) {
  if (!has_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Volume volume = a_users_volume({{"size", "20m"}});
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  ASSERT_EQ(user_fills(data(volume, "."), "file", 10), 0);
  ASSERT_TRUE(btrfs::flush(Folder::open(disk.path())->fd()));
  const auto folder = Folder::open(at(volume, "."));
  const auto set = [&](std::uint64_t bytes) {
    const auto id = *btrfs::id_of(folder->folder("fs")->fd());
    return btrfs::set_limit(folder->fd(), id, bytes);
  };
  ASSERT_TRUE(set(9 * kMiB));
  EXPECT_EQ(user_fills(data(volume, "."), "more", 1), EDQUOT);
  const auto resized = backend->resize(volume, 11 * kMiB);
  ASSERT_TRUE(resized) << resized.error().text;
  ASSERT_TRUE(set(9 * kMiB));
  const auto done = backend->roll_back(volume, monday, a_snapshot(), {});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(backend->status(volume)->size, 9 * kMiB);
  remove_for_good(volume);
}

TEST_F(BtrfsInnerTest, WhatWouldLeaveThemOutIsRefusedByName) {
  const Volume volume = a_users_volume();
  const Snapshot before = a_snapshot();
  write_text(data(volume, "file"), "monday");
  ASSERT_TRUE(backend->take_snapshot(volume, before, {}));
  user_makes_subvolume(data(volume, "."), "x");
  write_text(data(volume, "x/precious"), "here");
  const Snapshot refused = a_snapshot();
  expect_refused(backend->take_snapshot(volume, refused, {}));
  expect_refused(try_clone(volume, {}));
  expect_refused(backend->roll_back(volume, before, a_snapshot(), {}));
  EXPECT_FALSE(testing::is_there(at(volume, "snapshots/" + refused.id)));
  EXPECT_EQ(testing::entries_in(at(volume, "snapshots")), 1U);
  EXPECT_THAT(backend->status(volume)->health, HasSubstr("\"x\""));
  EXPECT_EQ(read_text(data(volume, "x/precious")), "here");
  // The snapshot of the time before is whole.
  const Volume clone = cloned(volume, before.id);
  EXPECT_EQ(read_text(data(clone, "file")), "monday");
  EXPECT_EQ(backend->status(clone)->health, "ok");

  ASSERT_TRUE(btrfs::destroy(Folder::open(data(volume, "."))->fd(), "x"));
  EXPECT_EQ(backend->status(volume)->health, "ok");
  EXPECT_TRUE(backend->take_snapshot(volume, refused, {}));
  EXPECT_TRUE(try_clone(volume, {}));
  EXPECT_TRUE(backend->roll_back(volume, before, a_snapshot(), {}));
  EXPECT_TRUE(backend->drop_snapshot(volume, before.id));
}

TEST_F(BtrfsInnerTest, TheFirstFewAreNamedAndTheOthersCounted) {
  const Volume volume = a_users_volume();
  for (const char* name : {"a", "b", "c", "d", "e"}) user_makes_subvolume(data(volume, "."), name);
  const auto refused = backend->take_snapshot(volume, a_snapshot(), {});
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("\"a\", \"b\", \"c\" and 2 more"),
                                          Not(HasSubstr("_data")), HasSubstr("export")));
}

// A roll-back of an older version put them away.
TEST_F(BtrfsInnerTest, TheOnlyCopyIsNotDropped) {
  const Volume volume = a_users_volume();
  const Snapshot kept = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, kept, {}));
  const auto there = Folder::open(at(volume, "snapshots/" + kept.id));
  ASSERT_TRUE(btrfs::set_read_only(there->fd(), false));
  ASSERT_EQ(testing::make_subvolume(there->folder("_data")->fd(), "x"), 0);
  write_text(at(volume, "snapshots/" + kept.id + "/_data/x/precious"), "here");
  ASSERT_TRUE(btrfs::set_read_only(there->fd(), true));
  expect_refused(backend->drop_snapshot(volume, kept.id));
  expect_refused(try_clone(volume, kept.id));
  expect_refused(backend->roll_back(volume, kept, a_snapshot(), {}));
  const auto opened = backend->open_data(volume, kept.id);
  EXPECT_TRUE(open_beneath(opened->get(), "x/precious", O_RDONLY));
  remove_for_good(volume);
  EXPECT_EQ(testing::entries_in(disk / "root/trash"), 0U);
}

// Copies are made file by file there, and enter subvolumes as they enter folders.
TEST_F(BtrfsInnerTest, AFolderOnBtrfsIsCopiedWithThem) {
  const auto folders = make_dir_backend(disk / "root");
  Volume volume = testing::a_volume("btrfs", {{"uid", "1000"}});
  volume.backend = "dir";
  Rollback undo;
  ASSERT_TRUE(folders->create(volume, undo));
  const Snapshot monday = a_snapshot();
  user_makes_subvolume(folders->data_path(volume), "x");
  write_text(folders->data_path(volume) + "/x/precious", "here");
  ASSERT_TRUE(folders->take_snapshot(volume, monday, {}));
  EXPECT_EQ(read_text(at(volume, "snapshots/" + monday.id + "/_data/x/precious")), "here");
  const auto done = folders->roll_back(volume, monday, a_snapshot(), {});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(read_text(folders->data_path(volume) + "/x/precious"), "here");
  undo.commit();
}

TEST_F(BtrfsInnerTest, TheLimitOfAnOlderVersionIsToldAndBroughtOver) {
  if (!has_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const auto bring_over = std::to_array<std::function<bool(const Volume&)>>({
      [&](const Volume& volume) { return backend->mount(volume).has_value(); },
      [&](const Volume& volume) { return backend->mend(volume) == true; },
      [&](const Volume& volume) { return backend->resize(volume, 30 * kMiB).has_value(); },
  });
  for (const auto& bring : bring_over) {
    const Volume volume = a_users_volume({{"size", "30m"}});
    user_makes_subvolume(data(volume, "."), "x");
    as_an_older_version_left_it(volume, 30 * kMiB);
    ASSERT_EQ(user_fills(data(volume, "."), "x/file", 10), 0);
    EXPECT_EQ(backend->status(volume)->size, 30 * kMiB);
    EXPECT_THAT(backend->status(volume)->health, HasSubstr("does not hold for subvolumes"));
    ASSERT_TRUE(bring(volume));
    EXPECT_EQ(backend->mend(volume), false);
    EXPECT_EQ(backend->status(volume)->size, 30 * kMiB);
    EXPECT_THAT(backend->status(volume)->health, Not(HasSubstr("does not hold")));
    EXPECT_GT(backend->usage(volume, {})->used.value_or(0), 10 * kMiB);
    EXPECT_EQ(user_fills(data(volume, "."), "x/more", 40), EDQUOT);
  }
}

TEST_F(BtrfsInnerTest, WhoStepsOutOfTheLimitIsToldAndTakenBack) {
  if (!has_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Volume volume = a_users_volume({{"size", "20m"}});
  user_makes_subvolume(data(volume, "."), "x", Groups::kNone);
  EXPECT_THAT(backend->status(volume)->health, HasSubstr("does not hold for subvolumes"));
  EXPECT_EQ(backend->mend(volume), true);
  EXPECT_EQ(user_fills(data(volume, "."), "x/large", 40), EDQUOT);
}

TEST_F(BtrfsInnerTest, WithFullQuotasInspectSaysThatTheLimitDoesNotHoldInside) {
  ASSERT_TRUE(testing::run({"btrfs", "quota", "enable", disk.path()}));
  const Volume volume = a_users_volume({{"size", "20m"}});
  const auto status = backend->status(volume);
  EXPECT_EQ(status->size, 20 * kMiB);
  EXPECT_EQ(status->health, "ok");
  EXPECT_THAT(status->reason, HasSubstr("does not hold for subvolumes"));
  EXPECT_EQ(user_fills(data(volume, "."), "large", 40), EDQUOT);
  EXPECT_THAT(backend->status(a_users_volume())->reason, IsEmpty());
}

}  // namespace
}  // namespace fairlead::volume
