// Snapshots, clones and second mounts of the backend dir.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/volume/backends/a_volume.h"
#include "tests/volume/scratch.h"
#include "volume/backends/dir.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::is_there;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

struct DirCopiesTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
  }
  static Volume a_volume(std::map<std::string, std::string> options = {}) {
    return testing::a_volume("dir", std::move(options));
  }
  Volume created(std::map<std::string, std::string> options = {}) {
    return testing::made_by(*dir, a_volume(std::move(options)));
  }
  static Snapshot a_snapshot() { return {.id = random_hex(32)}; }
  std::string at(const Volume& volume, const std::string& name) const {
    return scratch / ("root/vol/" + volume.id + "/" + name);
  }

  Scratch scratch;
  std::unique_ptr<Backend> dir = make_dir_backend(scratch / "root");
};

// Whether the folder is in a pool or not: a pool of xfs gives it no size.
TEST_F(DirCopiesTest, AResizeSaysTheWayToALimit) {
  const auto refused = dir->resize(created(), 1 << 30);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().text, HasSubstr("volume import -o size=1g"));
}

TEST_F(DirCopiesTest, ASnapshotIsACopyThatStays) {
  const Volume volume = created();
  write_text(at(volume, "_data/file"), "monday");
  const Snapshot monday = a_snapshot();
  std::uint64_t calls = 0;
  ASSERT_TRUE(dir->take_snapshot(volume, monday,
                                 [&](std::uint64_t, std::uint64_t) { return ++calls > 0; }));
  EXPECT_GT(calls, 0U);
  write_text(at(volume, "_data/file"), "tuesday");
  ASSERT_TRUE(dir->take_snapshot(volume, monday, {}));
  EXPECT_EQ(read_text(at(volume, "snapshots/" + monday.id + "/_data/file")), "monday");
  const auto opened = dir->open_data(volume, monday.id);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(open_beneath(opened->get(), "file", O_RDONLY));
  ASSERT_TRUE(dir->drop_snapshot(volume, monday.id));
  ASSERT_TRUE(dir->drop_snapshot(volume, monday.id));
  EXPECT_EQ(testing::entries_in(at(volume, "snapshots")), 0U);
}

TEST_F(DirCopiesTest, ASnapshotThatIsStoppedLeavesNothing) {
  const Volume volume = created();
  write_text(at(volume, "_data/file"), "x");
  const auto stopped =
      dir->take_snapshot(volume, a_snapshot(), [](std::uint64_t, std::uint64_t) { return false; });
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  EXPECT_FALSE(is_there(at(volume, "building")));
  EXPECT_EQ(testing::entries_in(at(volume, "snapshots")), 0U);
}

TEST_F(DirCopiesTest, RollingBackKeepsWhatWasReplacedAndIsFinishedAfterACrash) {
  const Volume volume = created();
  write_text(at(volume, "_data/file"), "monday");
  const Snapshot monday = a_snapshot(), kept = a_snapshot();
  ASSERT_TRUE(dir->take_snapshot(volume, monday, {}));
  write_text(at(volume, "_data/file"), "tuesday");
  const auto done = dir->roll_back(volume, monday, kept, {});
  ASSERT_TRUE(done) << done.error().text;
  const std::string old = at(volume, "snapshots/" + kept.id);
  EXPECT_EQ(read_text(at(volume, "_data/file")), "monday");
  EXPECT_EQ(read_text(old + "/_data/file"), "tuesday");
  std::filesystem::rename(old, at(volume, "rolling"));  // as a crash after the exchange left it
  ASSERT_TRUE(dir->roll_back(volume, monday, kept, {}));
  EXPECT_EQ(read_text(at(volume, "_data/file")), "monday");
  EXPECT_EQ(read_text(old + "/_data/file"), "tuesday");
  EXPECT_FALSE(is_there(at(volume, "rolling")));
}

TEST_F(DirCopiesTest, AVolumeInUseIsNotCopiedAndTheHintIsAPool) {
  const Volume volume = created();
  std::filesystem::create_directory(scratch / "target");
  const testing::Holder holder(at(volume, "_data"), scratch / "target");
  const auto refused = dir->take_snapshot(volume, a_snapshot(), {});
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("btrfs pool"));
  EXPECT_THAT(refused.error().text, ::testing::Not(HasSubstr("image")));
  Rollback undo;
  EXPECT_EQ(dir->clone(a_volume(), volume, "", undo, {}).error().code, Code::kInUse);
  EXPECT_EQ(dir->roll_back(volume, a_snapshot(), a_snapshot(), {}).error().code, Code::kInUse);
}

TEST_F(DirCopiesTest, ACloneHasTheContentAndOwnersOfItsSource) {
  const Volume source = created({{"uid", "1000"}, {"mode", "0750"}});
  write_text(at(source, "_data/file"), "x");
  const Volume clone = a_volume();
  Rollback undo;
  ASSERT_TRUE(dir->clone(clone, source, "", undo, {}));
  undo.commit();
  EXPECT_EQ(read_text(at(clone, "_data/file")), "x");
  struct stat info {};
  ASSERT_EQ(::stat(at(clone, "_data").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
  EXPECT_EQ(info.st_mode & 07777U, 0750U);
}

TEST_F(DirCopiesTest, ReadOnlyIsASecondMountThatIsNobodysUse) {
  const Volume volume = created({{"access", "read-only"}});
  const auto path = dir->mount(volume);
  ASSERT_TRUE(path) << path.error().text;
  EXPECT_EQ(*path, at(volume, "mnt/_data"));
  EXPECT_EQ(*path, dir->data_path(volume));
  EXPECT_LT(::open((*path + "/file").c_str(), O_WRONLY | O_CREAT, 0600), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(*dir->users(volume), "");
  std::filesystem::create_directory(scratch / "target");
  {
    const testing::Holder holder(*path, scratch / "target");
    EXPECT_THAT(*dir->users(volume), HasSubstr("holder"));
  }
  ASSERT_TRUE(dir->unmount(volume));
  EXPECT_EQ(*dir->users(volume), "");
}

TEST_F(DirCopiesTest, MappedIdsAreSeenByTheContainerOnly) {
  const Volume volume = created({{"idmap", "0-100000-1000"}});
  const auto path = dir->mount(volume);
  if (!path && path.error().code == Code::kUnsupported) GTEST_SKIP() << path.error().text;
  ASSERT_TRUE(path) << path.error().text;
  struct stat shown {
  }, kept{};
  ASSERT_EQ(::stat(path->c_str(), &shown), 0);
  ASSERT_EQ(::stat(at(volume, "_data").c_str(), &kept), 0);
  EXPECT_EQ(shown.st_uid, 100000U);
  EXPECT_EQ(kept.st_uid, 0U);
  ASSERT_TRUE(dir->unmount(volume));
}

TEST_F(DirCopiesTest, AMountedViewGoesWithTheVolume) {
  Volume volume = created({{"o", "noexec"}});
  ASSERT_TRUE(dir->mount(volume));
  volume.deleted = 2000;
  ASSERT_TRUE(dir->remove(volume));
  EXPECT_EQ(dir->purge(volume, {}).value(), TrashState::kEmptied);
  EXPECT_EQ(testing::entries_in(scratch / "root/trash"), 0U);
}

TEST_F(DirCopiesTest, TrashIsRestoredUntilItIsEmptied) {
  Volume volume = created();
  write_text(at(volume, "_data/file"), "x");
  volume.deleted = 2000;
  ASSERT_TRUE(dir->remove(volume));
  ASSERT_TRUE(dir->restore(volume));
  EXPECT_EQ(read_text(at(volume, "_data/file")), "x");
  ASSERT_TRUE(dir->remove(volume));
  EXPECT_EQ(dir->purge(volume, [] { return true; }).value(), TrashState::kLeft);
  EXPECT_EQ(dir->restore(volume).error().code, Code::kNotFound);  // half of it may be gone
}

TEST_F(DirCopiesTest, UsageCountsWhatIsThere) {
  const Volume volume = created();
  write_text(at(volume, "_data/file"), std::string(1 << 20, 'x'));
  const auto usage = dir->usage(volume, {});
  ASSERT_TRUE(usage);
  EXPECT_GE(usage->used.value_or(0), 1U << 20);
  EXPECT_EQ(usage->inodes_used, 2U);
}

}  // namespace
}  // namespace fairlead::volume
