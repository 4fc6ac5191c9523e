#include "volume/kernel/folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

#include "tests/volume/scratch.h"

namespace fairlead::volume {
namespace {

using testing::is_there;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

struct FolderTest : ::testing::Test {
  Scratch scratch;
  Folder top = Folder::ensure(scratch / "top", 0711).value();

  struct stat stat_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::lstat(path.c_str(), &info), 0);
    return info;
  }
};

TEST_F(FolderTest, IsMadeWithItsParentsAndMode) {
  ASSERT_TRUE(Folder::ensure(scratch / "a/b/c", 0711));
  EXPECT_EQ(stat_of(scratch / "a/b/c").st_mode & 07777U, 0711U);
  EXPECT_TRUE(Folder::ensure(scratch / "a/b/c", 0700));
  EXPECT_EQ(stat_of(scratch / "a/b/c").st_mode & 07777U, 0711U);  // what is there is left as it is
}

TEST_F(FolderTest, FoldersBelowHaveTheModeAskedForWhateverTheUmask) {
  const mode_t before = ::umask(0077);
  ASSERT_TRUE(top.make_folder("wide", 0777));
  ::umask(before);
  EXPECT_EQ(stat_of(scratch / "top/wide").st_mode & 07777U, 0777U);
  EXPECT_EQ(top.make_folder("wide", 0777).error().code, Code::kExists);
  EXPECT_TRUE(top.ensure_folder("wide", 0700));
}

TEST_F(FolderTest, NothingLeadsOut) {
  write_text(scratch / "secret", "s");
  std::filesystem::create_symlink("/etc", scratch / "top/absolute");
  std::filesystem::create_symlink("..", scratch / "top/up");
  std::filesystem::create_symlink("real", scratch / "top/inside");
  ASSERT_TRUE(top.make_folder("real", 0755));
  for (const char* path : {"absolute", "up", "inside", "..", "../top", "real/../..", "/etc", "/",
                           "absolute/passwd", "up/secret"})
    EXPECT_FALSE(top.folder(path)) << path;
  EXPECT_EQ(top.folder("inside").error().sys_errno, ELOOP);
  EXPECT_EQ(top.folder("..").error().sys_errno, EXDEV);
  EXPECT_FALSE(top.read_file("up/secret", 100));
  EXPECT_FALSE(top.read_file("../secret", 100));
  EXPECT_TRUE(top.folder("real"));
}

TEST_F(FolderTest, MagicLinksAreNotFollowed) {
  const auto proc = Folder::open("/proc");
  ASSERT_TRUE(proc);
  EXPECT_FALSE(proc->folder(fmt::format("{}/root", ::getpid())));
  EXPECT_FALSE(proc->folder(fmt::format("{}/cwd", ::getpid())));
}

TEST_F(FolderTest, NamesAreOneComponent) {
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string("/"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(top.make_folder(name, 0700));
    EXPECT_FALSE(top.has(name));
    EXPECT_FALSE(top.write_file(name, "x", 0600));
    EXPECT_FALSE(top.rename(name, top, "x"));
    EXPECT_FALSE(top.rename("x", top, name));
  }
  EXPECT_FALSE(top.folder(std::string("a\0b", 3)));
  EXPECT_FALSE(top.make_folder(std::string(65536, 'x'), 0700));
}

TEST_F(FolderTest, RenameNeverReplaces) {
  ASSERT_TRUE(top.make_folder("a", 0700));
  ASSERT_TRUE(top.make_folder("b", 0700));
  EXPECT_EQ(top.rename("a", top, "b").error().code, Code::kExists);
  EXPECT_TRUE(top.rename("a", top, "c"));
  EXPECT_EQ(top.rename("a", top, "d").error().code, Code::kNotFound);
  EXPECT_EQ(top.names().value(), (std::vector<std::string>{"b", "c"}));
}

TEST_F(FolderTest, ExchangeSwapsBoth) {
  ASSERT_TRUE(top.write_file("a", "one", 0600));
  ASSERT_TRUE(top.write_file("b", "two", 0600));
  ASSERT_TRUE(top.exchange("a", top, "b"));
  EXPECT_EQ(top.read_file("a", 10).value(), "two");
  EXPECT_EQ(top.read_file("b", 10).value(), "one");
  EXPECT_FALSE(top.exchange("a", top, "missing"));
}

TEST_F(FolderTest, FilesAreNewAndRead) {
  ASSERT_TRUE(top.write_file("f", "text", 0600));
  EXPECT_EQ(top.write_file("f", "again", 0600).error().code, Code::kExists);
  EXPECT_EQ(top.read_file("f", 4).value(), "text");
  EXPECT_EQ(top.read_file("f", 3).error().code, Code::kInvalid);
  EXPECT_EQ(top.read_file("g", 3).error().code, Code::kNotFound);
  ASSERT_EQ(::mkfifo((scratch / "top/fifo").c_str(), 0600), 0);
  EXPECT_FALSE(top.read_file("fifo", 10));  // and does not wait for a writer
  std::filesystem::create_symlink("f", scratch / "top/link");
  EXPECT_FALSE(top.read_file("link", 10));
  EXPECT_FALSE(top.write_file("link", "x", 0600));
  EXPECT_TRUE(top.sync());
}

TEST_F(FolderTest, ADanglingLinkIsThere) {
  std::filesystem::create_symlink("nowhere", scratch / "top/link");
  EXPECT_TRUE(top.has("link").value());
  EXPECT_FALSE(top.has("nowhere").value());
}

TEST_F(FolderTest, OwnerAndModeAreSetByDescriptor) {
  if (!testing::is_root()) GTEST_SKIP() << "chown needs root";
  const auto folder = top.make_folder("data", 0700).value();
  std::filesystem::rename(scratch / "top/data", scratch / "top/moved");
  ASSERT_TRUE(folder.set_owner(1234, 567));
  ASSERT_TRUE(folder.set_mode(03770));
  EXPECT_EQ(stat_of(scratch / "top/moved").st_uid, 1234U);
  EXPECT_EQ(stat_of(scratch / "top/moved").st_gid, 567U);
  EXPECT_EQ(stat_of(scratch / "top/moved").st_mode & 07777U, 03770U);
}

// A thread swaps a folder for a symbolic link that leads out, as fast as it can: what is opened is
// the folder or nothing.
TEST_F(FolderTest, ALinkSwappedWhileOpeningIsNeverFollowed) {
  ASSERT_TRUE(top.make_folder("x", 0700));
  ASSERT_TRUE(top.folder("x")->make_folder("y", 0700));
  std::filesystem::create_directories(scratch / "outside/y");
  std::filesystem::create_symlink(scratch / "outside", scratch / "top/link");
  const auto outside = stat_of(scratch / "outside/y").st_ino;
  std::atomic<bool> end = false;
  std::thread swapper([&] {
    while (!end) (void)top.exchange("x", top, "link");
  });
  int opened = 0, refused = 0;
  for (int k = 0; k < 20000 || (opened == 0 && k < 200000); ++k) {
    const auto folder = top.folder("x/y");
    if (!folder) {
      ++refused;
      continue;
    }
    ++opened;
    struct stat info {};
    ASSERT_EQ(::fstat(folder->fd(), &info), 0);
    ASSERT_NE(info.st_ino, outside);
  }
  end = true;
  swapper.join();
  EXPECT_GT(opened, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace fairlead::volume
