#include "volume/kernel/mount_scan.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/volume/scratch.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::Holder;
using testing::Scratch;

// In a mount namespace of its own, over a file system of its own.
struct MountScanTest : ::testing::Test {
  void SetUp() override {
    if (!testing::enter_own_mount_namespace()) GTEST_SKIP() << "no mount namespace of its own";
    std::filesystem::create_directories(scratch / "root/vol/x/_data/sub");
    std::filesystem::create_directories(scratch / "root/vol/x-2");
    std::filesystem::create_directory(scratch / "target");
  }
  std::vector<MountUser> users(const std::string& name) {
    const auto folder = Folder::open(scratch / name).value();
    const auto scan = MountScan::take();
    EXPECT_TRUE(scan) << scan.error().text;
    const auto place = scan->place_of(folder.fd());
    EXPECT_TRUE(place) << place.error().text;
    return scan->users_of(*place);
  }
  Scratch scratch;
};

TEST_F(MountScanTest, NobodyHasAPlainFolder) { EXPECT_TRUE(users("root/vol/x").empty()); }

TEST_F(MountScanTest, AMountInAnotherNamespaceIsSeen) {
  Holder holder(scratch / "root/vol/x/_data", scratch / "target");
  ASSERT_TRUE(holder.mounted());
  const auto found = users("root/vol/x");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].pid, holder.pid());
  EXPECT_EQ(describe(found[0]),
            fmt::format("mounted at {} by holder (pid {})", scratch / "target", holder.pid()));
  holder.let_go();
  EXPECT_TRUE(users("root/vol/x").empty());
}

TEST_F(MountScanTest, AMountOfAFolderBelowIsSeen) {
  const Holder holder(scratch / "root/vol/x/_data/sub", scratch / "target");
  EXPECT_EQ(users("root/vol/x").size(), 1U);
}

TEST_F(MountScanTest, AMountOfAFolderAboveIsNone) {
  const Holder holder(scratch / "root/vol", scratch / "target");
  ASSERT_TRUE(holder.mounted());
  EXPECT_TRUE(users("root/vol/x").empty());
}

TEST_F(MountScanTest, ANeighbourWithTheSameBeginningIsNone) {
  const Holder holder(scratch / "root/vol/x-2", scratch / "target");
  ASSERT_TRUE(holder.mounted());
  EXPECT_TRUE(users("root/vol/x").empty());
  EXPECT_EQ(users("root/vol/x-2").size(), 1U);
}

TEST_F(MountScanTest, AnOpenFileIsNone) {
  testing::write_text(scratch / "root/vol/x/_data/f", "text");
  const UniqueFd file(::open((scratch / "root/vol/x/_data/f").c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(users("root/vol/x").empty());
}

TEST_F(MountScanTest, AMountInOurOwnNamespaceIsTheHosts) {
  ASSERT_EQ(::mount((scratch / "root/vol/x/_data").c_str(), (scratch / "target").c_str(), nullptr,
                    MS_BIND, nullptr),
            0);
  const auto found = users("root/vol/x");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(describe(found[0]), fmt::format("mounted at {} on the host", scratch / "target"));
  ASSERT_EQ(::umount2((scratch / "target").c_str(), 0), 0);
}

TEST_F(MountScanTest, AMountInsideIsFound) {
  const auto folder = Folder::open(scratch / "root/vol/x").value();
  EXPECT_TRUE(MountScan::take()->mounted_inside(folder.fd())->empty());
  ASSERT_EQ(::mount("tmpfs", (scratch / "root/vol/x/_data/sub").c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_EQ(MountScan::take()->mounted_inside(folder.fd()).value(),
            std::vector<std::string>{scratch / "root/vol/x/_data/sub"});
  ASSERT_EQ(::umount2((scratch / "root/vol/x/_data/sub").c_str(), 0), 0);
}

// The volume folder may itself be bound from elsewhere, lie on its own file system, or on an
// overlay.
TEST_F(MountScanTest, AVolumeFolderBehindABindMountIsFollowed) {
  std::filesystem::create_directory(scratch / "bound");
  ASSERT_EQ(
      ::mount((scratch / "root").c_str(), (scratch / "bound").c_str(), nullptr, MS_BIND, nullptr),
      0);
  EXPECT_TRUE(users("bound/vol/x").empty());
  {
    const Holder holder(scratch / "root/vol/x/_data", scratch / "target");  // by the other path
    EXPECT_EQ(users("bound/vol/x").size(), 1U);
  }
  ASSERT_EQ(::umount2((scratch / "bound").c_str(), 0), 0);
}

TEST_F(MountScanTest, AFileSystemOfItsOwnIsFollowed) {
  ASSERT_EQ(::mount("tmpfs", (scratch / "root").c_str(), "tmpfs", 0, nullptr), 0);
  std::filesystem::create_directories(scratch / "root/vol/x/_data");
  EXPECT_TRUE(users("root/vol/x").empty());
  {
    const Holder holder(scratch / "root/vol/x/_data", scratch / "target");
    EXPECT_EQ(users("root/vol/x").size(), 1U);
  }
  {
    const Holder whole(scratch / "root", scratch / "target");
    EXPECT_TRUE(users("root/vol/x").empty());
  }
  ASSERT_EQ(::umount2((scratch / "root").c_str(), 0), 0);
}

TEST_F(MountScanTest, AnOverlayIsFollowed) {
  std::filesystem::create_directories(scratch / "merged");
  ASSERT_EQ(::mount("tmpfs", (scratch / "target").c_str(), "tmpfs", 0, nullptr), 0);
  for (const char* name : {"target/lower/vol/x/_data", "target/upper", "target/work", "target/at"})
    std::filesystem::create_directories(scratch / name);
  const std::string layers =
      fmt::format("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", scratch / "target");
  if (::mount("overlay", (scratch / "merged").c_str(), "overlay", 0, layers.c_str()) == 0) {
    EXPECT_TRUE(users("merged/vol/x").empty());
    {
      const Holder holder(scratch / "merged/vol/x/_data", scratch / "target/at");
      EXPECT_EQ(users("merged/vol/x").size(), 1U);
    }
    ASSERT_EQ(::umount2((scratch / "merged").c_str(), 0), 0);
  }
  ASSERT_EQ(::umount2((scratch / "target").c_str(), MNT_DETACH), 0);
}

TEST_F(MountScanTest, NamesWithSpacesAreUnderstood) {
  std::filesystem::create_directories(scratch / "root/a b\\c\n/vol/x");
  const Holder holder(scratch / "root/a b\\c\n/vol/x", scratch / "target");
  ASSERT_TRUE(holder.mounted());
  EXPECT_EQ(users("root/a b\\c\n/vol/x").size(), 1U);
}

TEST_F(MountScanTest, AMovedFolderIsStillFound) {
  const Holder holder(scratch / "root/vol/x/_data", scratch / "target");
  std::filesystem::rename(scratch / "root/vol/x", scratch / "root/moved");
  EXPECT_EQ(users("root/moved").size(), 1U);
}

TEST_F(MountScanTest, ARemovedFolderIsAnError) {
  const auto folder = Folder::open(scratch / "root/vol/x-2").value();
  std::filesystem::remove(scratch / "root/vol/x-2");
  EXPECT_THAT(MountScan::take()->place_of(folder.fd()).error().text, HasSubstr("removed"));
}

TEST_F(MountScanTest, ProcessesThatComeAndGoAreNoError) {
  std::atomic<bool> end = false;
  std::thread churn([&] {
    while (!end) {
      const pid_t pid = ::fork();
      if (pid == 0) ::_exit(::unshare(CLONE_NEWNS));
      ::waitpid(pid, nullptr, 0);
    }
  });
  for (int k = 0; k < 100; ++k) {
    const auto scan = MountScan::take();
    EXPECT_TRUE(scan) << scan.error().text;
  }
  end = true;
  churn.join();
}

}  // namespace
}  // namespace fairlead::volume
