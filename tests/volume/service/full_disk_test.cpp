// A disk that is full below state and volumes: everything that makes room, and everything that only
// looks, goes on; what needs more fails and leaves nothing.
#include <gtest/gtest.h>
#include <linux/btrfs.h>
#include <sys/ioctl.h>

#include "base/unique_fd.h"
#include "tests/volume/loop_disk.h"
#include "tests/volume/service/disk_world.h"

namespace fairlead::volume {
namespace {

using testing::DiskService;
using testing::LoopDisk;

class FullDiskTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!disk_.ok()) GTEST_SKIP() << disk_.why();
    // The locks are not on the disk that is full: they are in /run.
    std::filesystem::create_directory(locks_ / "locks");
    std::filesystem::create_directory_symlink(locks_ / "locks", disk_ / "locks");
    restart();
  }
  void restart() {
    world_.reset();
    world_.emplace(disk_.path());
  }
  DiskService& world() { return *world_; }
  Result<Volume> create(const std::string& name, std::map<std::string, std::string> options = {}) {
    return world().create(name, std::move(options));
  }
  // What is freed is there for others a moment later; btrfs frees a subvolume after a commit, by a
  // thread that wakes every 30 s or when it is poked.
  void create_once_there_is_room(const std::string& name) {
    auto made = create(name);
    const UniqueFd top(::open(disk_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int k = 0; k < 1000 && !made; ++k) {
      if (::ioctl(top.get(), BTRFS_IOC_SYNC) != 0) ::syncfs(top.get());
      ::usleep(20'000);
      made = create(name);
    }
    ASSERT_TRUE(made) << made.error().text;
  }
  // A container writes into its volume until nothing fits any more.
  void fill(const std::string& volume) {
    const auto mounted = world()->mount(volume, "docker", "writer");
    ASSERT_TRUE(mounted) << mounted.error().text;
    for (int k = 0; k < 4; ++k) {
      const UniqueFd file(::open((mounted->mountpoint + "/data").c_str(),
                                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
      ASSERT_TRUE(file) << std::strerror(errno);
      for (const std::size_t size : {1U << 20, 1U << 12, 1U}) {
        const std::string bytes(size, 'x');
        while (::write(file.get(), bytes.data(), bytes.size()) > 0) {
        }
        ::syncfs(file.get());
      }
    }
  }
  static void expect_done(const Status& done) { EXPECT_TRUE(done) << done.error().text; }

  LoopDisk disk_{GetParam(), GetParam() == "xfs" ? "300M" : "128M", testing::Where::kMemory};
  testing::Scratch locks_{testing::Where::kMemory};
  std::optional<DiskService> world_;
};

TEST_P(FullDiskTest, WhatIsThereIsMountedUnmountedAndRemoved) {
  for (int round = 0; round < 3; ++round) {
    for (const char* name : {"full", "other", "snapped"}) create_once_there_is_room(name);
    ASSERT_FALSE(HasFatalFailure());
    const auto kept = create("kept", {{"retain", "1h"}});
    ASSERT_TRUE(kept) << kept.error().text;
    expect_done(world()->remove("kept"));
    ASSERT_TRUE(world()->take_snapshot("snapped", "first", {}));
    fill("full");
    const auto mounted = world()->mount("other", "docker", "a");
    EXPECT_TRUE(mounted) << mounted.error().text;
    expect_done(world()->unmount("other", "docker", "a"));
    expect_done(world()->unmount("full", "docker", "writer"));
    if (round == 1) restart();
    expect_done(world()->drop_snapshot("snapped", "first"));
    const auto emptied = world()->empty_trash("kept");
    EXPECT_TRUE(emptied) << emptied.error().text;
    for (const char* name : {"other", "snapped", "full"}) expect_done(world()->remove(name));
    ASSERT_TRUE(world()->reconcile());
    testing::expect_agreement(world(), disk_.path());
    create_once_there_is_room("again");
    ASSERT_FALSE(HasFatalFailure());
    expect_done(world()->remove("again"));
  }
}

// What needs room for a copy is refused, and what was there before is there afterwards.
TEST_P(FullDiskTest, ARollbackWithoutRoomChangesNothing) {
  ASSERT_TRUE(create("data"));
  ASSERT_TRUE(create("full"));
  const auto mounted = world()->mount("data", "docker", "a");
  ASSERT_TRUE(mounted) << mounted.error().text;
  const std::string path = mounted->mountpoint;
  testing::write_text(path + "/large", std::string(8 << 20, 'a'));
  expect_done(world()->unmount("data", "docker", "a"));
  ASSERT_TRUE(world()->take_snapshot("data", "monday", {}));
  testing::write_text(path + "/now", "now");
  fill("full");
  const auto kept = world()->roll_back("data", "monday", {});
  const auto volume = world()->inspect("data");
  ASSERT_TRUE(volume);
  EXPECT_FALSE(volume->change);
  if (kept) {  // it shares its blocks
    EXPECT_FALSE(testing::is_there(path + "/now"));
  } else {
    EXPECT_EQ(kept.error().code, Code::kExhausted) << kept.error().text;
    EXPECT_EQ(testing::read_text(path + "/now"), "now");
    EXPECT_EQ(volume->snapshots.size(), 1U);
  }
  EXPECT_EQ(testing::read_text(path + "/large").size(), 8U << 20);
  const auto clone = create("copy", {{"from", "data@monday"}});
  if (!clone) EXPECT_EQ(clone.error().code, Code::kExhausted) << clone.error().text;
  expect_done(world()->unmount("full", "docker", "writer"));
  expect_done(world()->remove("full"));
  if (clone) expect_done(world()->remove("copy"));
  expect_done(world()->remove("data"));
  testing::expect_agreement(world(), disk_.path());
}

TEST_P(FullDiskTest, ACreateFailsAndLeavesNothing) {
  ASSERT_TRUE(create("full"));
  fill("full");
  Result<Volume> made;
  int count = 0;
  for (; made && count < 2000; ++count) made = create(fmt::format("new{}", count));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kExhausted) << made.error().text;
  const auto volumes = world()->list().value();
  EXPECT_EQ(volumes.size(), static_cast<std::size_t>(count));
  for (const Volume& volume : volumes)
    if (volume.name.str() != "full") expect_done(world()->remove(volume.name.str()));
  expect_done(world()->unmount("full", "docker", "writer"));
  expect_done(world()->remove("full"));
  testing::expect_agreement(world(), disk_.path());
}

// More names than one block of the trash's folder has room for (about 85). With some 180 btrfs has no
// room left for its own trees, and gives what was freed only with its next commit.
TEST_P(FullDiskTest, MoreVolumesAreRemovedThanABlockHasNames) {
  constexpr int kMany = 180;
  for (int k = 0; k < kMany; ++k) ASSERT_TRUE(create(fmt::format("small{}", k)));
  ASSERT_TRUE(create("full"));
  fill("full");
  for (int k = 0; k < kMany; ++k) {
    const auto removed = world()->remove(fmt::format("small{}", k));
    ASSERT_TRUE(removed) << k << ": " << removed.error().text;
  }
  expect_done(world()->unmount("full", "docker", "writer"));
  expect_done(world()->remove("full"));
  testing::expect_agreement(world(), disk_.path());
}

INSTANTIATE_TEST_SUITE_P(On, FullDiskTest, ::testing::Values("ext4", "xfs", "btrfs"),
                         [](const auto& type) { return type.param; });

}  // namespace
}  // namespace fairlead::volume
