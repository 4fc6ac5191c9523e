#include "volume/kernel/remove_tree.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "tests/volume/scratch.h"

namespace fairlead::volume {
namespace {

using testing::is_there;
using testing::Scratch;
using testing::write_text;

struct RemoveTreeTest : ::testing::TestWithParam<testing::Where> {
  Scratch scratch{GetParam()};
  Folder top = Folder::open(scratch.path()).value();

  static bool mark(const std::string& path, int marks) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    int present = 0;
    if (!fd || ::ioctl(fd.get(), FS_IOC_GETFLAGS, &present) != 0) return false;
    present |= marks;
    return ::ioctl(fd.get(), FS_IOC_SETFLAGS, &present) == 0;
  }
  // "x/level-name/level-name/...", by descriptors: no path is that long.
  static void make_deep(const Folder& parent, const std::string& name, int levels) {
    UniqueFd at(::openat(parent.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int k = 0; k < levels; ++k) {
      ASSERT_EQ(::mkdirat(at.get(), "level-name", 0700), 0);
      if (k % 10 == 0) ::close(::openat(at.get(), "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
      at = UniqueFd(::openat(at.get(), "level-name", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(at);
    }
  }
};

TEST_P(RemoveTreeTest, EverythingInItGoes) {
  std::filesystem::create_directories(scratch / "x/a/b/c");
  write_text(scratch / "x/a/f", "text");
  ASSERT_EQ(::mkfifo((scratch / "x/fifo").c_str(), 0), 0);
  ASSERT_TRUE(remove_tree(top, "x"));
  EXPECT_FALSE(is_there(scratch / "x"));
}

TEST_P(RemoveTreeTest, WhatIsGoneIsNoError) { EXPECT_TRUE(remove_tree(top, "x")); }

TEST_P(RemoveTreeTest, AFileAndALinkAreRemovedThemselves) {
  std::filesystem::create_directory(scratch / "kept");
  std::filesystem::create_symlink("kept", scratch / "x");
  ASSERT_TRUE(remove_tree(top, "x"));
  EXPECT_TRUE(is_there(scratch / "kept"));
  write_text(scratch / "x", "");
  ASSERT_TRUE(remove_tree(top, "x"));
  EXPECT_FALSE(is_there(scratch / "x"));
}

TEST_P(RemoveTreeTest, LinksAreNotFollowed) {
  std::filesystem::create_directories(scratch / "outside/sub");
  write_text(scratch / "outside/f", "kept");
  std::filesystem::create_directory(scratch / "x");
  std::filesystem::create_symlink(scratch / "outside", scratch / "x/link");
  std::filesystem::create_symlink("../outside/f", scratch / "x/f");
  ASSERT_TRUE(remove_tree(top, "x"));
  EXPECT_TRUE(is_there(scratch / "outside/sub"));
  EXPECT_TRUE(is_there(scratch / "outside/f"));
}

TEST_P(RemoveTreeTest, NamesThatLeadOutAreRefused) {
  for (const char* name : {"", ".", "..", "../x", "a/b"})
    EXPECT_FALSE(remove_tree(top, name)) << name;
  EXPECT_TRUE(is_there(scratch.path()));
}

TEST_P(RemoveTreeTest, ADepthBeyondAnyPathNeedsFewDescriptors) {
  ASSERT_TRUE(top.make_folder("x", 0700));
  make_deep(top, "x", 800);
  ASSERT_TRUE(
      top.folder("x")->make_folder("lifted-0", 0700));  // the name that lifting would take first
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto removed = remove_tree(top, "x");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(removed) << removed.error().text;
  EXPECT_FALSE(is_there(scratch / "x"));
}

TEST_P(RemoveTreeTest, FiveThousandFilesGo) {
  std::filesystem::create_directories(scratch / "x/sub");
  for (int k = 0; k < 5000; ++k)
    write_text(scratch / fmt::format("x/{}{}", k % 2 == 0 ? "" : "sub/", k), "");
  ASSERT_TRUE(remove_tree(top, "x"));
  EXPECT_FALSE(is_there(scratch / "x"));
}

TEST_P(RemoveTreeTest, ImmutableAndAppendOnlyOnesGo) {
  std::filesystem::create_directories(scratch / "x/sub/inner");
  write_text(scratch / "x/sub/f", "text");
  write_text(scratch / "x/log", "text");
  if (!mark(scratch / "x/sub/f", FS_IMMUTABLE_FL))
    GTEST_SKIP() << "no immutable files here (file system or capability)";
  ASSERT_TRUE(mark(scratch / "x/log", FS_APPEND_FL));
  ASSERT_TRUE(mark(scratch / "x/sub/inner", FS_IMMUTABLE_FL));
  ASSERT_TRUE(mark(scratch / "x/sub", FS_IMMUTABLE_FL));
  ASSERT_TRUE(mark(scratch / "x", FS_APPEND_FL));
  const auto removed = remove_tree(top, "x");
  EXPECT_TRUE(removed) << removed.error().text;
  EXPECT_FALSE(is_there(scratch / "x"));
}

TEST_P(RemoveTreeTest, StopsWhenAskedAndGoesOnLater) {
  std::filesystem::create_directory(scratch / "x");
  for (int k = 0; k < 100; ++k) write_text(scratch / fmt::format("x/{}", k), "");
  int asked = 0;
  EXPECT_EQ(remove_tree(top, "x", [&] { return ++asked > 50; }).value(), Removal::kStopped);
  const std::size_t left = testing::entries_in(scratch / "x");
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, 100U);
  EXPECT_EQ(remove_tree(top, "x", {}).value(), Removal::kGone);
}

TEST_P(RemoveTreeTest, AMountBelowIsNotEntered) {
  if (!testing::enter_own_mount_namespace()) GTEST_SKIP() << "no mount namespace of its own";
  std::filesystem::create_directories(scratch / "x/sub/mounted");
  std::filesystem::create_directory(scratch / "outside");
  write_text(scratch / "outside/f", "kept");
  write_text(scratch / "x/sub/g", "goes");
  ASSERT_EQ(::mount((scratch / "outside").c_str(), (scratch / "x/sub/mounted").c_str(), nullptr,
                    MS_BIND, nullptr),
            0);
  const auto removed = remove_tree(top, "x");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kInUse);
  EXPECT_NE(removed.error().text.find("unmount it"), std::string::npos) << removed.error().text;
  EXPECT_TRUE(is_there(scratch / "outside/f"));
  EXPECT_FALSE(is_there(scratch / "x/sub/g"));
  ASSERT_EQ(::umount2((scratch / "x/sub/mounted").c_str(), 0), 0);
  EXPECT_TRUE(remove_tree(top, "x"));
}

// A thread swaps a folder in the tree for a link that leads out: nothing outside is touched.
TEST_P(RemoveTreeTest, ALinkSwappedWhileRemovingIsNeverFollowed) {
  std::filesystem::create_directory(scratch / "outside");
  for (int k = 0; k < 20; ++k) write_text(scratch / fmt::format("outside/{}", k), "kept");
  for (int round = 0; round < 60; ++round) {
    std::filesystem::create_directories(scratch / "x/a");
    for (int k = 0; k < 20; ++k) write_text(scratch / fmt::format("x/a/{}", k), "");
    std::filesystem::create_symlink(scratch / "outside", scratch / "x/b");
    const Folder tree = top.folder("x").value();
    std::atomic<bool> end = false;
    std::thread swapper([&] {
      while (!end) (void)tree.exchange("a", tree, "b");
    });
    (void)remove_tree(top, "x");
    end = true;
    swapper.join();
    ASSERT_TRUE(remove_tree(top, "x"));
    ASSERT_EQ(testing::entries_in(scratch / "outside"), 20U);
  }
}

INSTANTIATE_TEST_SUITE_P(On, RemoveTreeTest,
                         ::testing::Values(testing::Where::kDisk, testing::Where::kMemory),
                         [](const auto& where) {
                           return where.param == testing::Where::kDisk ? "disk" : "memory";
                         });

}  // namespace
}  // namespace fairlead::volume
