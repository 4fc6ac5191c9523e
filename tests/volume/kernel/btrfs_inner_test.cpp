// Subvolumes inside of subvolumes: finding them, and limits that hold for them.
#include <gmock/gmock.h>

#include "tests/volume/inner_subvolumes.h"
#include "tests/volume/loop_disk.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using testing::Groups;
using testing::groups_of;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using testing::user_fills;
using testing::user_makes_subvolume;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::size_t kAll = 1000;

struct BtrfsInnerTest : ::testing::Test {
  void SetUp() override {
    if (!disk.ok()) GTEST_SKIP() << disk.why();
  }
  Folder top() const { return std::move(*Folder::open(disk.path())); }
  // The subvolume `name` with a folder `data` of user 1000 in it.
  Folder outer(const std::string& name) const {
    EXPECT_TRUE(btrfs::create(top(), name));
    auto made = top().folder(name);
    EXPECT_TRUE(made->make_folder("data", 0700)->set_owner(1000, 1000));
    return std::move(*made);
  }
  static std::uint64_t id(const Folder& subvolume) { return *btrfs::id_of(subvolume.fd()); }
  static std::vector<std::string> inner(const Folder& subvolume, std::size_t most = kAll) {
    const auto found = btrfs::inner_subvolumes(subvolume.fd(), id(subvolume), most);
    EXPECT_TRUE(found) << found.error().text;
    std::vector<std::string> paths;
    for (const auto& one : found.value_or(std::vector<btrfs::InnerSubvolume>{}))
      paths.push_back(one.path);
    return paths;
  }
  // False, and the test is to be skipped: this kernel has no simple quotas.
  bool with_simple_quotas() const {
    const auto kind = btrfs::enable_quota(top().fd());
    EXPECT_TRUE(kind) << kind.error().text;
    return kind == btrfs::QuotaKind::kSimple;
  }

  testing::LoopDisk disk{"btrfs"};
};

TEST_F(BtrfsInnerTest, TheyAreFoundAtAnyDepthByTheirPaths) {
  const Folder one = outer("one"), other = outer("other");
  EXPECT_THAT(inner(one), IsEmpty());
  std::filesystem::create_directories(disk / "one/data/deep/er");
  EXPECT_EQ(testing::make_subvolume(one.fd(), "at-the-top"), 0);
  user_makes_subvolume(disk / "one/data", "x");
  user_makes_subvolume(disk / "one/data/x", "in-x");
  ASSERT_EQ(testing::make_subvolume(one.folder("data/deep/er")->fd(), "y"), 0);
  EXPECT_THAT(inner(one),
              UnorderedElementsAre("at-the-top", "data/x", "data/x/in-x", "data/deep/er/y"));
  EXPECT_EQ(inner(one, 2).size(), 2U);
  EXPECT_THAT(inner(other), IsEmpty());
  ASSERT_TRUE(btrfs::destroy(one.folder("data/x")->fd(), "in-x"));
  std::filesystem::rename(disk / "one/data/x", disk / "one/data/deep/moved");
  EXPECT_THAT(inner(one), UnorderedElementsAre("at-the-top", "data/deep/moved", "data/deep/er/y"));
}

TEST_F(BtrfsInnerTest, MoreOfThemThanOneAnswerOfTheKernelHoldsAreAllFound) {
  const Folder one = outer("one");
  const auto data = one.folder("data");
  const std::string padding(200, 'n');
  for (int k = 0; k < 60; ++k)
    ASSERT_EQ(testing::make_subvolume(data->fd(), fmt::format("{}-{}", padding, k)), 0);
  EXPECT_EQ(inner(one).size(), 60U);
}

TEST_F(BtrfsInnerTest, ASnapshotShowsThemAsHollowFolders) {
  const Folder one = outer("one");
  user_makes_subvolume(disk / "one/data", "x");
  std::filesystem::create_directory(disk / "one/data/folder");
  ASSERT_TRUE(btrfs::snapshot(one.fd(), top(), "kept", btrfs::Writable::kNo));
  EXPECT_THAT(inner(*top().folder("kept")), IsEmpty());
  struct stat hollow {
  }, folder{};
  ASSERT_EQ(::stat((disk / "kept/data/x").c_str(), &hollow), 0);
  ASSERT_EQ(::stat((disk / "kept/data/folder").c_str(), &folder), 0);
  EXPECT_TRUE(btrfs::is_hollow(hollow.st_ino));
  EXPECT_FALSE(btrfs::is_hollow(folder.st_ino));
}

TEST_F(BtrfsInnerTest, ALimitHoldsForWhatAUserMakesInside) {
  if (!with_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Folder one = outer("one");
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), 20 * kMiB));
  user_makes_subvolume(disk / "one/data", "x");
  user_makes_subvolume(disk / "one/data/x", "in-x");
  EXPECT_EQ(user_fills(disk / "one/data", "file", 8), 0);
  EXPECT_EQ(user_fills(disk / "one/data", "x/file", 4), 0);
  EXPECT_EQ(user_fills(disk / "one/data", "x/in-x/file", 30), EDQUOT);
  EXPECT_EQ(user_fills(disk / "one/data", "more", 8), EDQUOT);
  ASSERT_TRUE(btrfs::flush(one.fd()));
  const auto used = btrfs::used_by(one.fd(), id(one));
  EXPECT_GT(used->value_or(0), 15 * kMiB);
  EXPECT_LE(used->value_or(0), 20 * kMiB);
  EXPECT_EQ(*btrfs::limit_of(one.fd(), id(one)), 20 * kMiB);
  EXPECT_FALSE(*btrfs::needs_joining(one.fd(), id(one)));
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), std::nullopt));
  EXPECT_EQ(*btrfs::limit_of(one.fd(), id(one)), std::nullopt);
  EXPECT_EQ(user_fills(disk / "one/data", "x/in-x/file", 30), 0);
}

TEST_F(BtrfsInnerTest, WhatAnOlderVersionLimitedAloneJoinsWithAllThatIsInside) {
  if (!with_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Folder one = outer("one");
  testing::limit_alone(top().fd(), id(one), 20 * kMiB);
  user_makes_subvolume(disk / "one/data", "x");
  user_makes_subvolume(disk / "one/data/x", "in-x");
  EXPECT_EQ(user_fills(disk / "one/data", "x/in-x/file", 30), 0);  // the fault
  EXPECT_EQ(*btrfs::limit_of(one.fd(), id(one)), 20 * kMiB);
  EXPECT_TRUE(*btrfs::needs_joining(one.fd(), id(one)));
  const auto joined = btrfs::set_limit(top().fd(), id(one), 40 * kMiB);
  ASSERT_TRUE(joined) << joined.error().text;
  EXPECT_FALSE(*btrfs::needs_joining(one.fd(), id(one)));
  EXPECT_EQ(*btrfs::limit_of(one.fd(), id(one)), 40 * kMiB);
  ASSERT_TRUE(btrfs::flush(one.fd()));
  EXPECT_GT((*btrfs::used_by(one.fd(), id(one))).value_or(0), 30 * kMiB);
  EXPECT_EQ(user_fills(disk / "one/data", "x/more", 30), EDQUOT);
}

TEST_F(BtrfsInnerTest, WhoAsksForOtherGroupsIsFound) {
  if (!with_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Folder one = outer("one");
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), 20 * kMiB));
  user_makes_subvolume(disk / "one/data", "x", Groups::kNone);
  EXPECT_TRUE(*btrfs::needs_joining(one.fd(), id(one)));
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), 20 * kMiB));
  EXPECT_FALSE(*btrfs::needs_joining(one.fd(), id(one)));
  EXPECT_EQ(user_fills(disk / "one/data", "x/file", 30), EDQUOT);
}

TEST_F(BtrfsInnerTest, NoGroupIsLeftOfWhatIsRemovedEvenWhenItIsFull) {
  if (!with_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Folder one = outer("one"), two = outer("two");
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), 10 * kMiB));
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(two), std::nullopt));
  user_makes_subvolume(disk / "one/data", "x");
  EXPECT_EQ(user_fills(disk / "one/data", "x/file", 30), EDQUOT);
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), kMiB));  // far beyond it
  EXPECT_THAT(groups_of(one.fd()), UnorderedElementsAre(id(one), id(two)));
  const auto gone = remove_tree(top(), "one");
  EXPECT_TRUE(gone) << gone.error().text;
  EXPECT_THAT(groups_of(two.fd()), ElementsAre(id(two)));
}

TEST_F(BtrfsInnerTest, WhatAnOlderVersionFilledGoesAsWell) {
  if (!with_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Folder one = outer("one");
  user_makes_subvolume(disk / "one/data", "x");
  EXPECT_EQ(user_fills(disk / "one/data", "file", 5), 0);
  ASSERT_TRUE(btrfs::flush(one.fd()));
  testing::limit_alone(top().fd(), id(one), kMiB);
  const auto gone = remove_tree(top(), "one");
  EXPECT_TRUE(gone) << gone.error().text;
  EXPECT_FALSE(testing::is_there(disk / "one"));
}

TEST_F(BtrfsInnerTest, AGroupOfSomebodyElseIsNotTaken) {
  if (!with_simple_quotas()) GTEST_SKIP() << "no simple quotas (kernel 6.7)";
  const Folder theirs = outer("theirs"), one = outer("one");
  const std::uint64_t group = std::uint64_t{1} << BTRFS_QGROUP_LEVEL_SHIFT | id(one);
  btrfs_ioctl_qgroup_create_args made{.create = 1, .qgroupid = group};
  ASSERT_EQ(::ioctl(one.fd(), BTRFS_IOC_QGROUP_CREATE, &made), 0);
  btrfs_ioctl_qgroup_assign_args member{.assign = 1, .src = id(theirs), .dst = group};
  ASSERT_EQ(::ioctl(one.fd(), BTRFS_IOC_QGROUP_ASSIGN, &member), 0);
  EXPECT_EQ(btrfs::set_limit(top().fd(), id(one), 20 * kMiB).error().code, Code::kConflict);
  ASSERT_TRUE(btrfs::forget_limit(top().fd(), id(one)));
  EXPECT_THAT(groups_of(one.fd()), ElementsAre(id(one)));
}

TEST_F(BtrfsInnerTest, FullQuotasLimitTheOneSubvolume) {
  ASSERT_TRUE(testing::run({"btrfs", "quota", "enable", disk.path()}));
  ASSERT_EQ(*btrfs::enable_quota(top().fd()), btrfs::QuotaKind::kFull);
  const Folder one = outer("one");
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id(one), 20 * kMiB));
  EXPECT_EQ(*btrfs::limit_of(one.fd(), id(one)), 20 * kMiB);
  EXPECT_EQ(user_fills(disk / "one/data", "file", 30), EDQUOT);
  EXPECT_FALSE(*btrfs::needs_joining(one.fd(), id(one)));
  EXPECT_THAT(groups_of(one.fd()), IsEmpty());
}

}  // namespace
}  // namespace fairlead::volume
