#include "volume/kernel/superblock.h"

#include <gmock/gmock.h>

#include <random>

#include "tests/volume/loop_disk.h"
#include "volume/kernel/image_file.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::run;
using testing::Scratch;

constexpr const char* kUuid = "01234567-89ab-cdef-0123-456789abcdef";

struct SuperblockTest : ::testing::Test {
  UniqueFd make(const std::string& size, const std::vector<std::string>& mkfs) {
    std::vector<std::string> argv = mkfs;
    argv.push_back(scratch / "disk");
    EXPECT_TRUE(run({"truncate", "-s", size, scratch / "disk"}) && run(argv));
    return open_image(folder, "disk", Open::kReadWrite).value();
  }
  Scratch scratch;
  Folder folder = Folder::open(scratch.path()).value();
};

TEST_F(SuperblockTest, AnExt4IsKnown) {
  const auto image = make("64M", {"mkfs.ext4", "-q", "-b", "4096", "-U", kUuid});
  const auto found = read_superblock(image.get());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(*found, (Superblock{.type = "ext4",
                                .uuid = "0123456789abcdef0123456789abcdef",
                                .block_size = 4096,
                                .sector_size = 4096,
                                .size = 64 << 20}));
}

TEST_F(SuperblockTest, AnXfsIsKnown) {
  const auto image =
      make("300M", {"mkfs.xfs", "-q", "-s", "size=4096", "-m", std::string("uuid=") + kUuid});
  const auto found = read_superblock(image.get());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->type, "xfs");
  EXPECT_EQ(found->uuid, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(found->sector_size, 4096U);
  EXPECT_EQ(found->size, 300U << 20);
}

TEST_F(SuperblockTest, OthersAreRefused) {
  const auto zeros = make_sparse_file(folder, "zeros", 1 << 20).value();
  EXPECT_EQ(read_superblock(zeros.get()).error().code, Code::kInvalid);
  const auto empty = make_sparse_file(folder, "empty", 0).value();
  EXPECT_FALSE(read_superblock(empty.get()));
  EXPECT_FALSE(read_superblock(make("8M", {"mkfs.ext2", "-q"}).get()));
}

TEST_F(SuperblockTest, AnotherUuidLeavesACleanFileSystem) {
  const auto image = make("64M", {"mkfs.ext4", "-q", "-O", "metadata_csum,metadata_csum_seed"});
  const std::string uuid(32, 'b');
  const auto done = set_ext4_uuid(image.get(), uuid);
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(read_superblock(image.get())->uuid, uuid);
  EXPECT_TRUE(run({"e2fsck", "-fn", scratch / "disk"}));
}

TEST_F(SuperblockTest, AnotherUuidIsRefusedWhereMoreDependsOnIt) {
  const auto image = make("64M", {"mkfs.ext4", "-q", "-O", "^metadata_csum_seed"});
  EXPECT_EQ(set_ext4_uuid(image.get(), std::string(32, 'b')).error().code, Code::kUnsupported);
}

TEST_F(SuperblockTest, ADamagedOneIsNotMadeToLookRight) {
  const auto image = make("64M", {"mkfs.ext4", "-q", "-O", "metadata_csum,metadata_csum_seed"});
  ASSERT_EQ(::pwrite(image.get(), "x", 1, 1024 + 0x78), 1);  // the volume name
  EXPECT_THAT(set_ext4_uuid(image.get(), std::string(32, 'b')).error().text, HasSubstr("damaged"));
}

TEST(Superblock, RandomBytesNeverHarm) {
  std::mt19937 random(1);
  std::array<unsigned char, kSuperblockBytes> bytes{};
  for (int round = 0; round < 20000; ++round) {
    for (auto& byte : bytes) byte = static_cast<unsigned char>(random());
    bytes[1024 + 0x38] = 0x53;
    bytes[1024 + 0x39] = 0xEF;
    if (round % 2 == 0) std::copy_n("XFSB", 4, bytes.begin());
    (void)parse_superblock(bytes);
  }
}

}  // namespace
}  // namespace fairlead::volume
