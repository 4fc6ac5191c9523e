#include "volume/kernel/btrfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/xattr.h>

#include "tests/volume/loop_disk.h"
#include "volume/kernel/btrfs_quota.h"

namespace fairlead::volume {
namespace {

using testing::is_there;
using testing::LoopDisk;
using testing::read_text;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

struct BtrfsTest : ::testing::Test {
  void SetUp() override {
    if (!disk.ok()) GTEST_SKIP() << disk.why();
  }
  Folder top() const { return std::move(*Folder::open(disk.path())); }
  Folder subvolume(const std::string& name) const {
    EXPECT_TRUE(btrfs::create(top(), name));
    return std::move(*top().folder(name));
  }
  // 0, or the errno of the write that failed.
  static int fill(const std::string& path, std::uint64_t bytes) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    std::string block(kMiB, '\0');
    unsigned state = 1;  // noise, so that compression does not help
    for (char& c : block) c = static_cast<char>((state = state * 1103515245U + 12345U) >> 24);
    for (std::uint64_t done = 0; done < bytes; done += kMiB)
      if (::write(file.get(), block.data(), block.size()) < 0) return errno;
    return ::fsync(file.get()) == 0 ? 0 : errno;
  }

  LoopDisk disk{"btrfs"};
};

TEST_F(BtrfsTest, ASubvolumeIsMadeKnownAndRemoved) {
  const Folder made = subvolume("one");
  EXPECT_TRUE(*btrfs::is_subvolume(made.fd()));
  EXPECT_TRUE(*btrfs::is_on(made.fd()));
  std::filesystem::create_directory(disk / "one/folder");
  EXPECT_FALSE(*btrfs::is_subvolume(made.folder("folder")->fd()));
  EXPECT_EQ(btrfs::create(top(), "one").error().code, Code::kExists);
  EXPECT_TRUE(btrfs::destroy(top().fd(), "one"));
  EXPECT_EQ(btrfs::destroy(top().fd(), "one").error().code, Code::kNotFound);
}

TEST_F(BtrfsTest, NamesThatAreNoComponentReachNothing) {
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string(300, 'x')}) {
    EXPECT_EQ(btrfs::create(top(), name).error().code, Code::kInvalid) << name;
    EXPECT_EQ(btrfs::destroy(top().fd(), name).error().code, Code::kInvalid) << name;
  }
}

TEST_F(BtrfsTest, AFolderIsNoSubvolumeToRemove) {
  std::filesystem::create_directory(disk / "plain");
  EXPECT_FALSE(btrfs::destroy(top().fd(), "plain"));
  EXPECT_TRUE(is_there(disk / "plain"));
}

TEST_F(BtrfsTest, ASnapshotKeepsWhatWasThere) {
  const Folder one = subvolume("one");
  write_text(disk / "one/file", "before");
  ASSERT_TRUE(btrfs::snapshot(one.fd(), top(), "kept", btrfs::Writable::kNo));
  write_text(disk / "one/file", "after");
  EXPECT_EQ(read_text(disk / "kept/file"), "before");
  const Folder kept = std::move(*top().folder("kept"));
  EXPECT_FALSE(kept.write_file("new", "x", 0600));
  ASSERT_TRUE(btrfs::set_read_only(kept.fd(), false));
  EXPECT_TRUE(kept.write_file("new", "x", 0600));
  EXPECT_NE(*btrfs::id_of(kept.fd()), *btrfs::id_of(one.fd()));
}

TEST_F(BtrfsTest, SimpleQuotasStopAWriterAtTheLimit) {
  const Folder one = subvolume("one");
  EXPECT_EQ(*btrfs::quota_kind(one.fd()), btrfs::QuotaKind::kNone);
  EXPECT_EQ(*btrfs::used_by(one.fd(), *btrfs::id_of(one.fd())), std::nullopt);
  const auto kind = btrfs::enable_quota(one.fd());
  ASSERT_TRUE(kind) << kind.error().text;
  EXPECT_EQ(*btrfs::enable_quota(one.fd()), *kind);
  const Folder two = subvolume("two");
  const auto id = *btrfs::id_of(two.fd());
  const auto limited = btrfs::set_limit(top().fd(), id, 20 * kMiB);
  ASSERT_TRUE(limited) << limited.error().text;
  EXPECT_EQ(*btrfs::limit_of(two.fd(), id), 20 * kMiB);
  EXPECT_EQ(fill(disk / "two/large", 40 * kMiB), EDQUOT);
  ASSERT_TRUE(btrfs::flush(two.fd()));
  EXPECT_GT((*btrfs::used_by(two.fd(), id)).value_or(0), 15 * kMiB);
  EXPECT_LE((*btrfs::used_by(two.fd(), id)).value_or(0), 20 * kMiB);
  ASSERT_TRUE(btrfs::set_limit(top().fd(), id, std::nullopt));
  EXPECT_EQ(*btrfs::limit_of(two.fd(), id), std::nullopt);
  EXPECT_EQ(fill(disk / "two/more", 40 * kMiB), 0);
}

TEST_F(BtrfsTest, ATreeGoesWithTheSubvolumesInsideIt) {
  std::filesystem::create_directory(disk / "volume");
  const Folder volume = std::move(*top().folder("volume"));
  ASSERT_TRUE(btrfs::create(volume, "fs"));
  write_text(disk / "volume/fs/file", "x");
  const Folder fs = std::move(*volume.folder("fs"));
  ASSERT_TRUE(btrfs::create(fs, "inner"));
  write_text(disk / "volume/fs/inner/file", "x");
  ASSERT_TRUE(btrfs::snapshot(fs.folder("inner")->fd(), fs, "inner-kept", btrfs::Writable::kNo));
  ASSERT_TRUE(btrfs::snapshot(fs.fd(), volume, "kept", btrfs::Writable::kNo));
  ASSERT_TRUE(btrfs::set_read_only(fs.fd(), true));
  EXPECT_EQ(btrfs::destroy(volume.fd(), "fs").error().code, Code::kConflict);
  const auto gone = remove_tree(top(), "volume");
  EXPECT_TRUE(gone) << gone.error().text;
  EXPECT_FALSE(is_there(disk / "volume"));
}

TEST_F(BtrfsTest, CompressionAndInPlaceAreInheritedByFiles) {
  std::filesystem::create_directory(disk / "small");
  std::filesystem::create_directory(disk / "db");
  EXPECT_TRUE(btrfs::set_compression(top().folder("small")->fd(), "zstd"));
  EXPECT_FALSE(btrfs::set_compression(top().folder("small")->fd(), "rot13"));
  EXPECT_TRUE(btrfs::set_in_place(top().folder("db")->fd()));
  write_text(disk / "small/file", "x");
  write_text(disk / "db/file", "x");
  std::array<char, 16> algorithm{};
  ASSERT_EQ(::getxattr((disk / "small/file").c_str(), "btrfs.compression", algorithm.data(),
                       algorithm.size()),
            4);
  EXPECT_EQ(std::string(algorithm.data()), "zstd");
  const auto marks =
      run_process(std::vector<std::string>{"lsattr", disk / "db/file"}, std::chrono::seconds(10));
  ASSERT_TRUE(marks);
  EXPECT_THAT(marks->out, ::testing::HasSubstr("C"));
}

TEST_F(BtrfsTest, AScrubReadsEverything) {
  subvolume("one");
  ASSERT_EQ(fill(disk / "one/large", 30 * kMiB), 0);
  ASSERT_TRUE(btrfs::flush(top().fd()));
  std::uint64_t last = 0;
  const auto clean =
      btrfs::scrub(top().fd(), btrfs::ScrubMode::kReadOnly,
                   [&](std::uint64_t done, std::uint64_t) { return (last = done, true); });
  ASSERT_TRUE(clean) << clean.error().text;
  EXPECT_EQ(clean->damaged, 0U);
  EXPECT_GT(clean->read_bytes, 30 * kMiB);
  EXPECT_GT(last, 0U);
}

TEST_F(BtrfsTest, ItGrowsWithItsDevice) {
  const auto size = [&] { return std::filesystem::space(disk.path()).capacity; };
  const auto before = size();
  std::filesystem::resize_file(disk.image(), 700 * kMiB);
  const auto loops =
      run_process(std::vector<std::string>{"losetup", "-n", "-O", "NAME", "-j", disk.image()},
                  std::chrono::seconds(10));
  ASSERT_TRUE(loops);
  ASSERT_TRUE(testing::run({"losetup", "-c", loops->out.substr(0, loops->out.find('\n'))}));
  ASSERT_TRUE(btrfs::grow_to_device(top().fd()));
  EXPECT_GT(size(), before);
}

}  // namespace
}  // namespace fairlead::volume
