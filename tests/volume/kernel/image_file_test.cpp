#include "volume/kernel/image_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "tests/volume/loop_disk.h"
#include "volume/kernel/extents.h"

namespace fairlead::volume {
namespace {

using testing::LoopDisk;
using testing::Scratch;

constexpr std::uint64_t kMiB = 1 << 20;

void fill(int fd, std::uint64_t offset, std::size_t length, char byte) {
  const std::string data(length, byte);
  ASSERT_EQ(::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)),
            static_cast<ssize_t>(length));
}

std::string content(int fd) {
  std::string text(size_of_file(fd)->length, '\0');
  EXPECT_EQ(::pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

struct ImageFileTest : ::testing::Test {
  Scratch scratch;
  Folder folder = Folder::open(scratch.path()).value();
};

TEST_F(ImageFileTest, ASparseFileTakesNoSpace) {
  const auto file = make_sparse_file(folder, "disk", std::uint64_t{1} << 40);
  ASSERT_TRUE(file) << file.error().text;
  const auto size = size_of_file(file->get()).value();
  EXPECT_EQ(size.length, std::uint64_t{1} << 40);
  EXPECT_LT(size.allocated, kMiB);
  EXPECT_EQ(make_sparse_file(folder, "disk", 1).error().code, Code::kExists);
}

// What a copy shares with its source does not count; what was written since does.
TEST_F(ImageFileTest, TellsWhatNoOtherFileShares) {
  const LoopDisk disk("xfs");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  const Folder there = Folder::open(disk.path()).value();
  const auto from = make_sparse_file(there, "from", 8 * kMiB).value();
  fill(from.get(), 0, 4 * kMiB, 'a');
  ASSERT_TRUE(sync_file(from.get()));
  EXPECT_EQ(unshared_bytes(from.get())->value_or(0), 4 * kMiB);
  const auto to = make_sparse_file(there, "to", 0).value();
  ASSERT_TRUE(share_blocks(from.get(), to.get()));
  EXPECT_EQ(unshared_bytes(to.get())->value_or(1), 0U);
  fill(from.get(), 0, kMiB, 'b');
  ASSERT_TRUE(sync_file(from.get()));
  EXPECT_EQ(unshared_bytes(to.get())->value_or(0), kMiB);
  const Scratch memory(testing::Where::kMemory);  // tmpfs does not tell
  const auto folder_there = Folder::open(memory.path()).value();
  const auto file = make_sparse_file(folder_there, "file", kMiB).value();
  EXPECT_EQ(unshared_bytes(file.get()).value(), std::nullopt);
}

TEST_F(ImageFileTest, OnlyRegularFilesAreImages) {
  std::filesystem::create_directory(scratch / "folder");
  std::filesystem::create_symlink("/etc/passwd", scratch / "link");
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  for (const char* name : {"folder", "link", "fifo"})
    EXPECT_FALSE(open_image(folder, name, Open::kReadOnly)) << name;
}

TEST_F(ImageFileTest, ACopyHasTheDataAndTheHoles) {
  const auto from = make_sparse_file(folder, "from", 64 * kMiB).value();
  fill(from.get(), 0, 5000, 'a');
  fill(from.get(), 20 * kMiB, 3 * kMiB, 'b');
  fill(from.get(), 64 * kMiB - 100, 100, 'c');
  const auto to = make_sparse_file(folder, "to", 0).value();
  const auto copied = copy_sparse(from.get(), to.get(), {});
  ASSERT_TRUE(copied) << copied.error().text;
  EXPECT_EQ(content(from.get()), content(to.get()));
  EXPECT_LT(size_of_file(to.get())->allocated, 5 * kMiB);
}

TEST_F(ImageFileTest, ACopyEndsWhereItIsToldTo) {
  const auto from = make_sparse_file(folder, "from", 64 * kMiB).value();
  fill(from.get(), 0, 4 * kMiB, 'a');
  const auto to = make_sparse_file(folder, "to", 0).value();
  const auto copied = copy_sparse(from.get(), to.get(), [](std::uint64_t, std::uint64_t total) {
    EXPECT_EQ(total, 4 * kMiB);
    return false;
  });
  EXPECT_EQ(copied.error().code, Code::kUnavailable);
}

// On a file system that shares blocks.
struct SharedBlocksTest : ::testing::TestWithParam<const char*> {
  void SetUp() override {
    disk.emplace(GetParam());
    if (!disk->ok()) GTEST_SKIP() << disk->why();
    folder.emplace(Folder::open(disk->path()).value());
  }
  UniqueFd share(const UniqueFd& from) {
    UniqueFd to = make_sparse_file(*folder, "shared", 0).value();
    const auto shared = share_blocks(from.get(), to.get());
    EXPECT_TRUE(shared) << shared.error().text;
    return to;
  }
  std::optional<LoopDisk> disk;
  std::optional<Folder> folder;
};

TEST_P(SharedBlocksTest, SharingIsACopy) {
  const auto from = make_sparse_file(*folder, "from", 8 * kMiB).value();
  fill(from.get(), kMiB, kMiB, 'a');
  const auto to = share(from);
  EXPECT_EQ(content(from.get()), content(to.get()));
}

INSTANTIATE_TEST_SUITE_P(On, SharedBlocksTest, ::testing::Values("xfs", "btrfs"),
                         [](const auto& row) { return std::string(row.param); });

TEST(SharedBlocks, AreNotToBeHadOnExt4) {
  LoopDisk disk("ext4", "64M");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  const auto folder = Folder::open(disk.path()).value();
  const auto from = make_sparse_file(folder, "from", kMiB).value();
  fill(from.get(), 0, 4096, 'a');
  const auto to = make_sparse_file(folder, "to", 0).value();
  EXPECT_EQ(share_blocks(from.get(), to.get()).error().code, Code::kUnsupported);
}

TEST(DiskRanges, OverlapsCountOnce) {
  DiskRanges some, others;
  some.add(100, 50);
  some.add(140, 20);   // 100 to 160
  some.add(300, 100);  // to 400
  some.add(160, 10);   // to 170
  EXPECT_EQ(some.bytes_beyond(others), 170U);
  others.add(150, 10);
  others.add(0, 110);
  others.add(350, 1000);
  EXPECT_EQ(some.bytes_beyond(others), 40U + 10U + 50U);
  EXPECT_EQ(some.bytes_beyond(some), 0U);
}

}  // namespace
}  // namespace fairlead::volume
