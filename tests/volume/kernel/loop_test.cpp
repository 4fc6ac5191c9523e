#include "volume/kernel/loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <atomic>
#include <thread>

#include "tests/volume/scratch.h"
#include "volume/kernel/image_file.h"

namespace fairlead::volume {
namespace {

using testing::Scratch;
using namespace std::chrono_literals;

struct LoopTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root() || ::access("/dev/loop-control", F_OK) != 0)
      GTEST_SKIP() << "no loop devices";
  }
  UniqueFd make(const std::string& name, std::uint64_t size = 1 << 20) {
    return make_sparse_file(folder, name, size).value();
  }
  UniqueFd again(const std::string& name) {
    return open_image(folder, name, Open::kReadWrite).value();
  }
  static std::uint64_t size_of(const Loop& loop) {
    std::uint64_t bytes = 0;
    EXPECT_EQ(::ioctl(loop.fd.get(), BLKGETSIZE64, &bytes), 0);
    return bytes;
  }
  Scratch scratch;
  Folder folder = Folder::open(scratch.path()).value();
};

TEST_F(LoopTest, AnImageIsADeviceUntilNobodyHasIt) {
  const auto image = make("disk");
  EXPECT_FALSE(find_loop(image.get())->has_value());
  {
    const auto loop = bind_loop(image.get(), {.block_size = 4096});
    ASSERT_TRUE(loop) << loop.error().text;
    EXPECT_EQ(size_of(*loop), 1U << 20);
    int block = 0;
    ASSERT_EQ(::ioctl(loop->fd.get(), BLKSSZGET, &block), 0);
    EXPECT_EQ(block, 4096);
    EXPECT_EQ(find_loop(image.get()).value()->number, loop->number);
  }
  EXPECT_TRUE(wait_for_release(image.get(), 2s).value());
}

TEST_F(LoopTest, ASecondAttachGetsTheLoopOfTheFirstUnderWhateverName) {
  const auto image = make("disk");
  const auto first = bind_loop(image.get(), {}).value();
  ASSERT_EQ(::link((scratch / "disk").c_str(), (scratch / "another").c_str()), 0);
  std::filesystem::rename(scratch / "disk", scratch / "moved");
  EXPECT_EQ(bind_loop(again("another").get(), {})->number, first.number);
  EXPECT_EQ(bind_loop(again("moved").get(), {})->number, first.number);
}

TEST_F(LoopTest, ThreadsThatAttachOneImageAtOnceEndWithOneLoop) {
  make("disk");
  constexpr int kThreads = 8;
  std::vector<Loop> loops(kThreads);
  std::vector<std::thread> threads;
  for (int k = 0; k < kThreads; ++k)
    threads.emplace_back([&, k] {
      const auto image = again("disk");
      ASSERT_TRUE(lock_image(image.get(), 10s));
      loops[static_cast<std::size_t>(k)] = bind_loop(image.get(), {}).value();
    });
  for (auto& thread : threads) thread.join();
  for (const Loop& loop : loops) EXPECT_EQ(loop.number, loops.front().number);
}

TEST_F(LoopTest, TheLockIsOfTheOpenFileAndGoesWithIt) {
  auto one = make("disk");
  const auto other = again("disk");
  ASSERT_TRUE(lock_image(one.get(), 1s));
  EXPECT_FALSE(try_lock_image(other.get()).value());
  EXPECT_EQ(lock_image(other.get(), 20ms).error().code, Code::kUnavailable);
  const auto loop = bind_loop(one.get(), {}).value();
  one.reset();  // the loop device stays, the lock does not
  EXPECT_TRUE(try_lock_image(other.get()).value());
}

TEST_F(LoopTest, ALargerFileIsALargerDevice) {
  const auto image = make("disk");
  const auto loop = bind_loop(image.get(), {}).value();
  ASSERT_TRUE(set_file_size(image.get(), 2 << 20));
  ASSERT_TRUE(update_capacity(loop));
  EXPECT_EQ(size_of(loop), 2U << 20);
}

TEST_F(LoopTest, WhatAllLoopsShowIsListed) {
  const auto image = make("disk");
  const auto loop = bind_loop(image.get(), {}).value();
  struct stat info {};
  ASSERT_EQ(::fstat(image.get(), &info), 0);
  const auto all = bound_images();
  ASSERT_TRUE(all) << all.error().text;
  EXPECT_TRUE(std::ranges::any_of(*all, [&](const BoundImage& one) {
    return one.loop == loop.number && one.device == info.st_dev && one.inode == info.st_ino;
  }));
}

TEST_F(LoopTest, AReadOnlyAttachmentCannotBeWritten) {
  make("disk");
  const auto image = open_image(folder, "disk", Open::kReadOnly).value();
  const auto loop = bind_loop(image.get(), {.read_only = true});
  ASSERT_TRUE(loop) << loop.error().text;
  EXPECT_TRUE(loop->read_only);
  const UniqueFd device(::open(loop->path().c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_TRUE(!device || ::write(device.get(), "x", 1) < 0);
}

}  // namespace
}  // namespace fairlead::volume
