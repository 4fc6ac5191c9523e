#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tests/volume/backends/image_world.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::ImageWorld;
using testing::read_text;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

struct ImageResizeTest : ::testing::Test {
  void SetUp() override {
    if (!world.why().empty()) GTEST_SKIP() << world.why();
  }
  std::uint64_t room(const Volume& volume) {
    EXPECT_TRUE(world->mount(volume));
    struct statfs info {};
    EXPECT_EQ(::statfs(world.data(volume).c_str(), &info), 0);
    return info.f_blocks * static_cast<std::uint64_t>(info.f_bsize);
  }
  ImageWorld world;
};

TEST_F(ImageResizeTest, AnExt4GrowsAndShrinksWhileItIsNotMounted) {
  const Volume volume = world.mounted({{"size", "32m"}});
  write_text(world.data(volume) + "/file", std::string(3 * kMiB, 'x'));
  ASSERT_TRUE(world->unmount(volume));
  for (const std::uint64_t size : {100 * kMiB, 24 * kMiB, 64 * kMiB}) {
    const auto done = world->resize(volume, size);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_TRUE(world->resize(volume, size));  // again
    EXPECT_EQ(world->status(volume)->size, size);
    EXPECT_TRUE(world.fsck(world.at(volume, "disk.img")));
    EXPECT_GT(room(volume), size * 3 / 4 - 6 * kMiB);
    EXPECT_LE(room(volume), size);
    EXPECT_EQ(read_text(world.data(volume) + "/file"), std::string(3 * kMiB, 'x'));
    ASSERT_TRUE(world->unmount(volume));
  }
}

TEST_F(ImageResizeTest, AnExt4GrowsWhileItIsWrittenWhereTheKernelLetsUs) {
  const Volume volume = world.mounted({{"size", "32m"}});
  const auto done = world->resize(volume, 64 * kMiB);
  if (!done) {  // without CAP_SYS_RESOURCE: refused, and nothing has changed
    EXPECT_EQ(done.error().code, Code::kInUse);
    EXPECT_THAT(done.error().text, HasSubstr("unmount"));
    EXPECT_EQ(world->status(volume)->size, 32 * kMiB);
    write_text(world.data(volume) + "/file", "text");
    ASSERT_TRUE(world->unmount(volume));
    EXPECT_TRUE(world.fsck(world.at(volume, "disk.img")));
    GTEST_SKIP() << done.error().text;
  }
  EXPECT_GT(room(volume), 50 * kMiB);
}

TEST_F(ImageResizeTest, AnXfsGrowsWhileItIsWritten) {
  const Volume volume = world.mounted({{"size", "300m"}, {"fstype", "xfs"}});
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int k = 0; !stop; ++k)
      write_text(fmt::format("{}/{}", world.data(volume), k % 20), std::string(100000, 'x'));
  });
  const auto before = room(volume);
  const auto done = world->resize(volume, 500 * kMiB);
  stop = true;
  writer.join();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(room(volume), before + 200 * kMiB);
  ASSERT_TRUE(world->unmount(volume));
  EXPECT_TRUE(world.fsck(world.at(volume, "disk.img")));
  ASSERT_TRUE(world->resize(volume, 520 * kMiB));  // not mounted: by a mount of its own
  EXPECT_EQ(room(volume), before + 220 * kMiB);
}

TEST_F(ImageResizeTest, LessThanTheDataIsExhausted) {
  const Volume volume = world.mounted({{"size", "64m"}});
  write_text(world.data(volume) + "/file", std::string(30 * kMiB, 'x'));
  EXPECT_EQ(world->resize(volume, 16 * kMiB).error().code, Code::kInUse);  // mounted
  ASSERT_TRUE(world->unmount(volume));
  EXPECT_EQ(world->resize(volume, 16 * kMiB).error().code, Code::kExhausted);
  EXPECT_EQ(world->status(volume)->size, 64 * kMiB);
  ASSERT_TRUE(world->mount(volume));
  EXPECT_EQ(std::filesystem::file_size(world.data(volume) + "/file"), 30 * kMiB);
  EXPECT_EQ(testing::entries_in(world.at(volume, ".")), 5U);  // nothing unfinished is left
}

TEST_F(ImageResizeTest, WhatItNeedsAtLeastIsSaidAndIsEnough) {
  const Volume volume = world.mounted({{"size", "64m"}});
  write_text(world.data(volume) + "/file", std::string(30 * kMiB, 'x'));
  ASSERT_TRUE(world->unmount(volume));
  const auto refused = world->resize(volume, 16 * kMiB);
  ASSERT_FALSE(refused);
  constexpr std::string_view kWords = "it needs at least ";
  const std::size_t at = refused.error().text.find(kWords);
  ASSERT_NE(at, std::string::npos) << refused.error().text;
  EXPECT_THAT(refused.error().text, ::testing::Not(HasSubstr("resize.part")));
  const auto least = std::stoull(refused.error().text.substr(at + kWords.size()));
  EXPECT_GT(least, 30U);
  const auto done = world->resize(volume, least * kMiB);
  EXPECT_TRUE(done) << done.error().text;
}

// A resize2fs that damages what it resizes.
TEST_F(ImageResizeTest, ACopyThatCameOutDamagedDoesNotReplaceTheVolume) {
  if (!testing::enter_own_mount_namespace()) GTEST_SKIP() << "no mount namespace of its own";
  const Volume volume = world.mounted({{"size", "64m"}});
  write_text(world.data(volume) + "/file", "precious");
  ASSERT_TRUE(world->unmount(volume));
  const testing::Scratch scratch;
  std::filesystem::copy_file("/usr/sbin/resize2fs", scratch / "real");
  write_text(scratch / "false",
             fmt::format("#!/bin/sh\n{} \"$@\" && dd if=/dev/urandom of=\"$1\" bs=4096 seek=1 "
                         "count=1 conv=notrunc 2>/dev/null\n",
                         scratch / "real"));
  ASSERT_EQ(::chmod((scratch / "false").c_str(), 0755), 0);
  ASSERT_EQ(::mount((scratch / "false").c_str(), "/usr/sbin/resize2fs", nullptr, MS_BIND, nullptr),
            0);
  const auto refused = world->resize(volume, 32 * kMiB);
  ASSERT_EQ(::umount2("/usr/sbin/resize2fs", 0), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kIo);
  EXPECT_THAT(refused.error().text, HasSubstr("the resized copy is damaged"));
  EXPECT_EQ(world->status(volume)->size, 64 * kMiB);
  EXPECT_TRUE(world.fsck(world.at(volume, "disk.img")));
  ASSERT_TRUE(world->mount(volume));
  EXPECT_EQ(read_text(world.data(volume) + "/file"), "precious");
}

TEST_F(ImageResizeTest, AnXfsDoesNotShrink) {
  const Volume volume = world.created({{"size", "400m"}, {"fstype", "xfs"}});
  EXPECT_EQ(world->resize(volume, 300 * kMiB).error().code, Code::kUnsupported);
}

TEST_F(ImageResizeTest, AGrowthThatACrashCutShortIsFinishedOrTakenBack) {
  const Volume volume = world.created({{"size", "32m"}});
  std::filesystem::resize_file(world.at(volume, "disk.img"), 64 * kMiB);
  ASSERT_TRUE(world->resize(volume, 32 * kMiB));
  EXPECT_EQ(world->status(volume)->size, 32 * kMiB);
  std::filesystem::resize_file(world.at(volume, "disk.img"), 64 * kMiB);
  ASSERT_TRUE(world->resize(volume, 64 * kMiB));
  EXPECT_GT(room(volume), 50 * kMiB);
}

}  // namespace
}  // namespace fairlead::volume
