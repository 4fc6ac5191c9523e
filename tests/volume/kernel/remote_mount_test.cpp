#include "volume/kernel/remote_mount.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>

#include "tests/volume/loop_disk.h"
#include "volume/kernel/block_device.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Scratch;

struct RemoteMountTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
    std::filesystem::create_directory(point());
  }
  void TearDown() override { ::umount2(point().c_str(), MNT_DETACH); }
  std::string point() const { return scratch / "point"; }
  Status mount(const NewMount& what, std::chrono::milliseconds deadline = 4s) const {
    const UniqueFd folder(::open(point().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return mount_with_deadline(what, folder.get(), deadline);
  }
  bool is_mounted() const {
    return is_mount_point(Folder::open(scratch.path())->fd(), "point").value_or(false);
  }

  Scratch scratch;
};

TEST_F(RemoteMountTest, AProcessOfItsOwnMounts) {
  const auto done = mount({.type = "tmpfs", .source = "none", .options = {"size=1m"}});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_TRUE(is_mounted());
  const auto table = testing::read_text("/proc/self/mountinfo");
  const auto line = table.substr(table.find(point()), 200);
  EXPECT_THAT(line, AllOf(HasSubstr("nosuid"), HasSubstr("nodev"), HasSubstr("size=1024k")));
}

TEST_F(RemoteMountTest, TheKernelsWordsAreInTheError) {
  const auto refused = mount({.type = "tmpfs", .source = "none", .options = {"bogus=secret"}});
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("bogus"), Not(HasSubstr("secret"))));
  EXPECT_FALSE(is_mounted());
}

TEST_F(RemoteMountTest, AnUnknownFileSystemIsUnsupported) {
  EXPECT_EQ(mount({.type = "nosuchfs"}).error().code, Code::kUnsupported);
  EXPECT_FALSE(can_mount("nosuchfs"));
  EXPECT_TRUE(can_mount("tmpfs"));
}

// A FUSE file system whose server never answers, as a dead NFS server: whoever looks for a file in
// it waits.
class DeadServer {
 public:
  explicit DeadServer(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    device_ = UniqueFd(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
    const auto data = fmt::format("fd={},rootmode=40000,user_id=0,group_id=0", device_.get());
    ok_ = device_ && ::mount("dead", path_.c_str(), "fuse", 0, data.c_str()) == 0;
  }
  DeadServer(const DeadServer&) = delete;
  ~DeadServer() { ::umount2(path_.c_str(), MNT_DETACH); }
  bool ok() const { return ok_; }

 private:
  std::string path_;
  UniqueFd device_;
  bool ok_ = false;
};

TEST_F(RemoteMountTest, AServerThatDoesNotAnswerIsLeftAtTheDeadline) {
  const DeadServer server(scratch / "dead");
  if (!server.ok()) GTEST_SKIP() << "the kernel has no FUSE";
  const auto begun = std::chrono::steady_clock::now();
  const auto late = mount({.type = "ext4", .source = scratch / "dead/disk"}, 300ms);
  const auto took = std::chrono::steady_clock::now() - begun;
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_THAT(late.error().text, HasSubstr("300 ms"));
  EXPECT_GE(took, 300ms);
  EXPECT_LT(took, 3s);
  EXPECT_FALSE(is_mounted());
}

TEST(BlockDevice, SignaturesNameTheFileSystemAndItsUuid) {
  for (const char* type : {"btrfs", "xfs"}) {
    const testing::LoopDisk disk(type);
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    const UniqueFd image(::open(disk.image().c_str(), O_RDONLY | O_CLOEXEC));
    const auto signature = read_signature(image.get());
    ASSERT_TRUE(signature && *signature);
    EXPECT_EQ((*signature)->type, type);
    EXPECT_EQ((*signature)->uuid.size(), 32U);
  }
}

TEST(BlockDevice, WhatIsNoDeviceIsRefused) {
  EXPECT_EQ(size_of_device("/etc").error().code, Code::kInvalid);
  EXPECT_EQ(check_unused("/etc/passwd").error().code, Code::kInvalid);
  EXPECT_EQ(size_of_device("/dev/nothing-here").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace fairlead::volume
