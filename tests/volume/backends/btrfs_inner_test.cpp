// Volumes in which somebody made subvolumes: their limit, and the verbs that take them along.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/volume/backends/btrfs_world.h"
#include "tests/volume/inner_subvolumes.h"
#include "tests/volume/tree_facts.h"
#include "volume/backends/dir.h"
#include "volume/backends/registry.h"
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
  // "x" with "y" and a read-only "seen" in it, below a folder; and odd names.
  void make_nest(const Volume& volume) {
    std::filesystem::create_directory(data(volume, "folder"));
    ASSERT_EQ(::chown(data(volume, "folder").c_str(), 1000, 1000), 0);
    user_makes_subvolume(data(volume, "folder"), "x");
    user_makes_subvolume(data(volume, "folder/x"), "y");
    user_makes_subvolume(data(volume, "folder/x"), "seen");
    user_makes_subvolume(data(volume, "."), "\xff\n odd");
    write_text(data(volume, "file"), "outer");
    write_text(data(volume, "folder/x/precious"), "here");
    write_text(data(volume, "folder/x/y/deep"), "down here");
    write_text(data(volume, "folder/x/seen/fixed"), "as it was");
    write_text(data(volume, "\xff\n odd/file"), "odd");
    ASSERT_TRUE(btrfs::set_read_only(Folder::open(data(volume, "folder/x/seen"))->fd(), true));
    testing::set_mtime(data(volume, "folder"), 1'500'000'000, 5);
    testing::set_mtime(data(volume, "folder/x"), 1'500'000'001, 6);
    ASSERT_TRUE(testing::flag(data(volume, "folder"), FS_IMMUTABLE_FL));
  }
  static bool writable(const std::string& folder) { return ::access(folder.c_str(), W_OK) == 0; }
  std::map<std::string, std::string> facts_in(const std::string& folder) {
    return testing::facts_of(folder);
  }
  std::string snapshot_data(const Volume& volume, const Snapshot& snapshot) {
    return at(volume, "snapshots/" + snapshot.id + "/_data");
  }
  // All subvolumes of the file system.
  std::size_t subvolumes() const {
    const auto top = Folder::open(disk.path());
    return btrfs::inner_ids(top->fd(), *btrfs::id_of(top->fd()))->size();
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

TEST_F(BtrfsInnerTest, SnapshotsClonesAndRollBacksTakeThemAlong) {
  const Volume volume = a_users_volume({{"size", "30m"}});
  make_nest(volume);
  const auto facts = facts_in(data(volume, ""));
  const Snapshot monday = a_snapshot(), kept = a_snapshot();
  const auto taken = backend->take_snapshot(volume, monday, {});
  ASSERT_TRUE(taken) << taken.error().text;
  EXPECT_EQ(facts_in(data(volume, "")), facts);
  EXPECT_EQ(facts_in(snapshot_data(volume, monday) + "/"), facts);
  for (const char* place : {"", "/folder/x", "/folder/x/y", "/folder/x/seen"})
    EXPECT_FALSE(writable(snapshot_data(volume, monday) + place)) << place;

  const Volume live = cloned(volume, {}), old = cloned(volume, monday.id, {{"size", "20m"}});
  for (const Volume& clone : {live, old}) {
    EXPECT_EQ(facts_in(data(clone, "")), facts);
    EXPECT_TRUE(writable(data(clone, "folder/x/y")));
    EXPECT_FALSE(writable(data(clone, "folder/x/seen")));
    EXPECT_EQ(backend->status(clone)->health, "ok");
  }
  if (has_simple_quotas()) EXPECT_EQ(user_fills(data(old, "."), "folder/x/y/large", 40), EDQUOT);

  write_text(data(volume, "folder/x/precious"), "tuesday");
  const auto tuesday = facts_in(data(volume, ""));
  const auto done = backend->roll_back(volume, monday, kept, {});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(facts_in(data(volume, "")), facts);
  EXPECT_TRUE(writable(data(volume, "folder/x/y")));
  EXPECT_FALSE(writable(data(volume, "folder/x/seen")));
  if (has_simple_quotas()) EXPECT_EQ(user_fills(data(volume, "."), "folder/x/y/l", 40), EDQUOT);
  EXPECT_EQ(facts_in(snapshot_data(volume, kept) + "/"), tuesday);
  EXPECT_FALSE(writable(snapshot_data(volume, kept) + "/folder/x/y"));
  ASSERT_TRUE(backend->roll_back(volume, kept, a_snapshot(), {}));
  EXPECT_EQ(facts_in(data(volume, "")), tuesday);
  EXPECT_TRUE(writable(data(volume, "folder/x/y")));
  EXPECT_FALSE(writable(data(volume, "folder/x/seen")));

  ASSERT_TRUE(backend->drop_snapshot(volume, monday.id));
  for (const Volume& one : {volume, live, old}) remove_for_good(one);
  EXPECT_EQ(subvolumes(), 0U);
  EXPECT_THAT(groups_of(Folder::open(disk.path())->fd()), IsEmpty());
}

// Two files in two subvolumes are written in turn: at any moment they differ by one step at most.
TEST_F(BtrfsInnerTest, ASnapshotOfATreeIsOfOneMoment) {
  const Volume volume = a_users_volume();
  for (const char* name : {"one", "two", "idle"}) user_makes_subvolume(data(volume, "."), name);
  std::atomic<bool> end = false;
  const auto put = [&](const char* where, int step) {
    write_text(data(volume, where) + ".new", std::to_string(step));
    std::filesystem::rename(data(volume, where) + ".new", data(volume, where));
  };
  put("one/file", 0);
  put("two/file", 0);
  std::thread writer([&] {
    for (int step = 1; !end; ++step) {
      put("one/file", step);
      put("two/file", step);
    }
  });
  int taken = 0;
  for (int k = 0; k < 8; ++k) {
    const Snapshot moment = a_snapshot();
    const auto done = backend->take_snapshot(volume, moment, {});
    if (!done) {
      EXPECT_EQ(done.error().code, Code::kConflict) << done.error().text;
      continue;
    }
    ++taken;
    const int one = std::stoi(read_text(snapshot_data(volume, moment) + "/one/file"));
    const int two = std::stoi(read_text(snapshot_data(volume, moment) + "/two/file"));
    EXPECT_TRUE(one == two || one == two + 1) << one << " and " << two;
  }
  end = true;
  writer.join();
  EXPECT_GT(taken, 0);
  EXPECT_FALSE(testing::is_there(at(volume, "snapshots/taking")));
}

TEST_F(BtrfsInnerTest, WhoMakesAndRemovesThemMeanwhileGetsASnapshotOrIsToldSo) {
  const Volume volume = a_users_volume();
  user_makes_subvolume(data(volume, "."), "x");
  write_text(data(volume, "x/precious"), "here");
  std::atomic<bool> end = false;
  std::thread hostile([&] {
    const auto folder = Folder::open(data(volume, "."));
    for (int k = 0; !end; ++k) {
      testing::make_subvolume(folder->fd(), "flicker");
      ::renameat(folder->fd(), "flicker", folder->fd(), "moved");
      (void)btrfs::destroy(folder->fd(), "moved");
    }
  });
  for (int k = 0; k < 10; ++k) {
    const Snapshot moment = a_snapshot();
    const auto done = backend->take_snapshot(volume, moment, {});
    if (done)
      EXPECT_EQ(read_text(snapshot_data(volume, moment) + "/x/precious"), "here");
    else
      EXPECT_EQ(done.error().code, Code::kConflict) << done.error().text;
    EXPECT_EQ(testing::is_there(at(volume, "snapshots/" + moment.id)), done.has_value());
  }
  end = true;
  hostile.join();
  EXPECT_FALSE(testing::is_there(at(volume, "snapshots/taking")));
  remove_for_good(volume);
  EXPECT_EQ(subvolumes(), 0U);
}

TEST_F(BtrfsInnerTest, WhatAKilledSnapshotLeftGoesWithTheNext) {
  const Volume volume = a_users_volume();
  user_makes_subvolume(data(volume, "."), "x");
  std::filesystem::create_directories(at(volume, "snapshots/taking/0"));
  const auto left = Folder::open(at(volume, "snapshots/taking/0"));
  ASSERT_TRUE(btrfs::create(*left, "s"));
  const Snapshot monday = a_snapshot();
  ASSERT_TRUE(backend->drop_snapshot(volume, monday.id));
  EXPECT_FALSE(testing::is_there(at(volume, "snapshots/taking")));
  std::filesystem::create_directories(at(volume, "snapshots/taking/0"));
  ASSERT_TRUE(backend->take_snapshot(volume, monday, {}));
  EXPECT_EQ(testing::entries_in(at(volume, "snapshots")), 1U);
}

TEST_F(BtrfsInnerTest, MoreThanAThousandAreRefusedWithTheNumber) {
  const Volume volume = a_users_volume();
  const auto folder = Folder::open(data(volume, "."));
  for (int k = 0; k < 1001; ++k)
    ASSERT_EQ(testing::make_subvolume(folder->fd(), fmt::format("n{:04}", k)), 0);
  const auto refused = backend->take_snapshot(volume, a_snapshot(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("1001 subvolumes"),
                                          HasSubstr("\"n0000\", \"n0001\", \"n0002\" and at "
                                                    "least 998 more")));
  EXPECT_EQ(testing::entries_in(at(volume, "snapshots")), 0U);
  EXPECT_THAT(backend->status(volume)->health, HasSubstr("more than 1000"));
}

TEST_F(BtrfsInnerTest, WithFullQuotasTheyAreRefusedByName) {
  ASSERT_TRUE(testing::run({"btrfs", "quota", "enable", disk.path()}));
  const Volume volume = a_users_volume({{"size", "20m"}});
  const Snapshot before = a_snapshot();
  ASSERT_TRUE(backend->take_snapshot(volume, before, {}));
  user_makes_subvolume(data(volume, "."), "x");
  for (const Status& done :
       {backend->take_snapshot(volume, a_snapshot(), {}), try_clone(volume, {})}) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kUnsupported);
    EXPECT_THAT(done.error().text, AllOf(HasSubstr("\"x\""), HasSubstr("full quotas")));
  }
  const auto status = backend->status(volume);
  EXPECT_EQ(status->condition, Condition::kWarning);
  EXPECT_THAT(status->health, AllOf(HasSubstr("\"x\""), HasSubstr("export")));
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

TEST_F(BtrfsInnerTest, ASizeThatWouldNotHoldInsideAsksForAnImage) {
  const auto backends = make_backends(disk / "volumes/new");
  const auto chosen = [&](std::map<std::string, std::string> options) {
    return *backends->choose(testing::a_volume("", std::move(options)).options);
  };
  if (has_simple_quotas()) {
    EXPECT_EQ(chosen({{"size", "20m"}}).name, "btrfs");
    ASSERT_TRUE(testing::run({"btrfs", "quota", "disable", disk.path()}));
    EXPECT_EQ(chosen({{"size", "20m"}}).name, "btrfs");
    ASSERT_TRUE(testing::run({"btrfs", "quota", "enable", disk.path()}));
  }
  const auto image = chosen({{"size", "20m"}});
  EXPECT_EQ(image.name, "image");
  EXPECT_THAT(image.reason, HasSubstr("full quotas"));
  EXPECT_EQ(chosen({}).name, "btrfs");
  EXPECT_EQ(chosen({{"size", "20m"}, {"backend", "btrfs"}}).name, "btrfs");
}

}  // namespace
}  // namespace fairlead::volume
