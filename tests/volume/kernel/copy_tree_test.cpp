#include "volume/kernel/copy_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "tests/volume/loop_disk.h"
#include "tests/volume/tree_facts.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/remove_tree.h"

namespace fairlead::volume {
namespace {

using testing::is_there;
using testing::LoopDisk;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

struct CopyTreeTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directory(from());
    std::filesystem::create_directory(to());
  }
  std::string from() const { return scratch / "from"; }
  std::string to() const { return scratch / "to"; }
  Status copy(const KeepGoing& keep_going = {}) const {
    return copy_tree(Folder::open(from())->fd(), Folder::open(to())->fd(), keep_going);
  }
  static struct stat stat_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
    return info;
  }

  Scratch scratch;
};

TEST_F(CopyTreeTest, ContentOwnersModesAndTimesAreKept) {
  std::filesystem::create_directories(from() + "/a/b");
  write_text(from() + "/a/b/file", "text");
  ASSERT_EQ(::chown((from() + "/a/b/file").c_str(), 1000, 100), 0);
  ASSERT_EQ(::chmod((from() + "/a/b/file").c_str(), 06751), 0);
  ASSERT_EQ(::chmod((from() + "/a").c_str(), 0711), 0);
  ASSERT_EQ(::chown(from().c_str(), 7, 8), 0);
  const std::array<timespec, 2> times{timespec{1000, 5}, timespec{2000, 7}};
  for (const char* name : {"/a/b/file", "/a/b", "/a", ""})
    ASSERT_EQ(::utimensat(AT_FDCWD, (from() + name).c_str(), times.data(), 0), 0);
  const auto done = copy();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(read_text(to() + "/a/b/file"), "text");
  const auto file = stat_of(to() + "/a/b/file");
  EXPECT_EQ(file.st_uid, 1000U);
  EXPECT_EQ(file.st_gid, 100U);
  EXPECT_EQ(file.st_mode & 07777U, 06751U);
  EXPECT_EQ(stat_of(to() + "/a").st_mode & 07777U, 0711U);
  EXPECT_EQ(stat_of(to()).st_uid, 7U);
  for (const char* name : {"/a/b/file", "/a/b", "/a", ""}) {
    EXPECT_EQ(stat_of(to() + name).st_mtim.tv_sec, 2000) << name;
    EXPECT_EQ(stat_of(to() + name).st_mtim.tv_nsec, 7) << name;
  }
}

TEST_F(CopyTreeTest, LinksFifosAndAttributesAreKept) {
  write_text(from() + "/one", "same");
  std::filesystem::create_directory(from() + "/sub");
  ASSERT_EQ(::link((from() + "/one").c_str(), (from() + "/sub/two").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", (from() + "/link").c_str()), 0);
  ASSERT_EQ(::mkfifo((from() + "/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::setxattr((from() + "/one").c_str(), "user.note", "kept", 4, 0), 0);
  ASSERT_TRUE(copy());
  EXPECT_EQ(stat_of(to() + "/one").st_ino, stat_of(to() + "/sub/two").st_ino);
  EXPECT_NE(stat_of(to() + "/one").st_ino, stat_of(from() + "/one").st_ino);
  EXPECT_EQ(std::filesystem::read_symlink(to() + "/link"), "/etc/passwd");
  EXPECT_TRUE(S_ISFIFO(stat_of(to() + "/fifo").st_mode));
  std::array<char, 8> note{};
  EXPECT_EQ(::getxattr((to() + "/one").c_str(), "user.note", note.data(), note.size()), 4);
}

TEST_F(CopyTreeTest, HolesStayHoles) {
  const UniqueFd file(::open((from() + "/sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::pwrite(file.get(), "end", 3, 64 * kMiB), 3);
  ASSERT_TRUE(copy());
  const auto info = stat_of(to() + "/sparse");
  EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), 64 * kMiB + 3);
  EXPECT_LT(info.st_blocks * 512, static_cast<blkcnt_t>(kMiB));
}

TEST_F(CopyTreeTest, ADeepTreeIsCopiedWithFewDescriptors) {
  std::string path = from();
  for (int k = 0; k < 400; ++k) path += "/d";
  ASSERT_TRUE(std::filesystem::create_directories(path));
  ASSERT_TRUE(copy());
  path.replace(0, from().size(), to());
  EXPECT_TRUE(is_there(path));
}

TEST_F(CopyTreeTest, WhatIsOddIsKeptFlagsAsWell) {
  testing::make_rich_tree(from());
  testing::make_odd_tree(from());
  testing::make_socket(from() + "/socket");
  const auto done = copy();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::facts_of(to()), testing::facts_of(from()));
}

TEST_F(CopyTreeTest, TheTopIsNotSealed) {
  write_text(from() + "/file", "x");
  ASSERT_TRUE(testing::flag(from(), FS_APPEND_FL | FS_NODUMP_FL));
  ASSERT_TRUE(copy());
  EXPECT_EQ(testing::flags_at(to()), std::uint32_t{FS_NODUMP_FL});
}

TEST_F(CopyTreeTest, APathLongerThanAnyCallTakesIsCopiedAndMeasured) {
  testing::make_deep_file(from(), "down here");
  const auto done = copy();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::read_deep_file(to()), "down here");
  const auto from_size = measure_tree(Folder::open(from())->fd(), {});
  const auto to_size = measure_tree(Folder::open(to())->fd(), {});
  EXPECT_EQ(to_size->inodes, from_size->inodes);
  EXPECT_EQ(to_size->inodes, testing::kDeepLevels + 2U);
}

TEST_F(CopyTreeTest, AnyDepthIsCopiedAndMeasured) {
  testing::make_deep_file(from(), "far down", testing::kVeryDeepLevels);
  write_text(from() + "/z", "after it");
  testing::set_mtime(from() + "/" + std::string(250, 'd'), 1'234'567'890, 5);
  const auto done = copy();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(testing::read_deep_file(to(), testing::kVeryDeepLevels), "far down");
  EXPECT_EQ(stat_of(to() + "/" + std::string(250, 'd')).st_mtim.tv_sec, 1'234'567'890);
  EXPECT_EQ(measure_tree(Folder::open(to())->fd(), {})->inodes, testing::kVeryDeepLevels + 3U);
  for (const std::string& top : {from(), to()})
    EXPECT_TRUE(remove_tree(*Folder::open(top), std::string(250, 'd')));
}

TEST_F(CopyTreeTest, SomethingMountedInsideIsRefused) {
  std::filesystem::create_directory(from() + "/inner");
  ASSERT_EQ(::mount("none", (from() + "/inner").c_str(), "tmpfs", 0, ""), 0);
  const auto refused = copy();
  ::umount2((from() + "/inner").c_str(), MNT_DETACH);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, ::testing::HasSubstr("inner"));
}

TEST_F(CopyTreeTest, ItStopsWhenAsked) {
  write_text(from() + "/one", "x");
  EXPECT_EQ(copy([](std::uint64_t) { return false; }).error().code, Code::kUnavailable);
}

TEST_F(CopyTreeTest, MeasuringCountsHardLinksOnce) {
  write_text(from() + "/one", std::string(100000, 'x'));
  ASSERT_EQ(::link((from() + "/one").c_str(), (from() + "/two").c_str()), 0);
  const auto size = measure_tree(Folder::open(from())->fd(), {});
  ASSERT_TRUE(size);
  EXPECT_EQ(size->inodes, 2U);
  EXPECT_GE(size->bytes, 100000U);
  EXPECT_LT(size->bytes, 200000U);
}

TEST(CopyTree, BlocksAreSharedWhereTheFileSystemCan) {
  const LoopDisk disk("xfs");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  std::filesystem::create_directory(disk / "from");
  std::filesystem::create_directory(disk / "to");
  write_text(disk / "from/large", std::string(50 * kMiB, 'x'));
  ::sync();
  const auto before = std::filesystem::space(disk.path()).free;
  ASSERT_TRUE(copy_tree(Folder::open(disk / "from")->fd(), Folder::open(disk / "to")->fd(), {}));
  ::sync();
  EXPECT_LT(before - std::filesystem::space(disk.path()).free, 10 * kMiB);
  EXPECT_EQ(std::filesystem::file_size(disk / "to/large"), 50 * kMiB);
}

}  // namespace
}  // namespace fairlead::volume
