#include "volume/kernel/mount.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/support/power_cut.h"
#include "tests/volume/scratch.h"

namespace fairlead::volume {
namespace {

using fairlead::testing::PowerCutDisk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::is_there;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

TEST(MountWords, GoToTheMountOrToTheFileSystem) {
  const auto words = sort_mount_words({"defaults", "dev", "ro", "noexec", "data=journal", "suid",
                                       "context=system_u:object_r:container_file_t:s0"});
  EXPECT_EQ(words.flags,
            (MountFlags{.read_only = true, .nosuid = false, .nodev = false, .noexec = true}));
  EXPECT_THAT(words.rest,
              ElementsAre("data=journal", "context=system_u:object_r:container_file_t:s0"));
}

TEST(MountWords, SetuidAndDevicesAreOffUnlessLifted) {
  EXPECT_TRUE(sort_mount_words({}).flags.nosuid);
  EXPECT_TRUE(sort_mount_words({"rw"}).flags.nodev);
}

// In a mount namespace of its own: what a failed test leaves goes with its process.
struct MountTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root() || !testing::enter_own_mount_namespace())
      GTEST_SKIP() << "no mount namespace of its own";
    std::filesystem::create_directory(scratch / "fs");
    folder.emplace(Folder::open(scratch.path()).value());
  }
  void TearDown() override {
    if (!folder) return;
    EXPECT_TRUE(unmount(folder->fd(), "fs"));
  }
  std::string own_line() const {  // of mountinfo
    std::ifstream table("/proc/thread-self/mountinfo");
    for (std::string line; std::getline(table, line);)
      if (line.find(" " + scratch / "fs" + " ") != std::string::npos) return line;
    return "";
  }
  Result<UniqueFd> tmpfs(MountFlags flags = {}) {
    return make_mount({.type = "tmpfs", .options = {"size=1m", "mode=0755"}, .flags = flags});
  }
  Scratch scratch;
  std::optional<Folder> folder;
};

TEST_F(MountTest, ADetachedFileSystemIsSeenByNobodyUntilItIsAttached) {
  const auto mount = tmpfs();
  ASSERT_TRUE(mount) << mount.error().text;
  ASSERT_EQ(::mkdirat(mount->get(), "inside", 0700), 0);
  EXPECT_EQ(own_line(), "");
  EXPECT_FALSE(is_mount_point(folder->fd(), "fs").value());
  ASSERT_TRUE(attach(mount->get(), folder->fd(), "fs"));
  EXPECT_TRUE(is_there(scratch / "fs/inside"));
  EXPECT_TRUE(is_mount_point(folder->fd(), "fs").value());
  EXPECT_THAT(own_line(), HasSubstr("nosuid,nodev"));
  EXPECT_THAT(own_line(), HasSubstr("size=1024k"));
}

TEST_F(MountTest, FlagsCanBeChangedBeforeItIsSeen) {
  const auto mount = tmpfs();
  ASSERT_TRUE(set_flags(mount->get(), {.read_only = true, .nosuid = false, .noatime = true}));
  ASSERT_TRUE(attach(mount->get(), folder->fd(), "fs"));
  EXPECT_THAT(own_line(), HasSubstr(" ro,nodev,noatime "));
}

TEST_F(MountTest, TheKernelsOwnWordsAreInTheError) {
  const auto mount = make_mount({.type = "tmpfs", .options = {"bogus=1"}});
  ASSERT_FALSE(mount);
  EXPECT_THAT(mount.error().text, HasSubstr("bogus"));
  EXPECT_THAT(mount.error().text, HasSubstr("tmpfs: "));
}

TEST_F(MountTest, AnUnknownFileSystemIsUnsupported) {
  EXPECT_EQ(make_mount({.type = "nosuchfs"}).error().code, Code::kUnsupported);
  EXPECT_FALSE(kernel_lists_filesystem("nosuchfs"));
  EXPECT_TRUE(kernel_lists_filesystem("tmpfs"));
}

TEST_F(MountTest, AFolderIsBoundByDescriptor) {
  std::filesystem::create_directory(scratch / "source");
  write_text(scratch / "source/file", "text");
  const auto source = Folder::open(scratch / "source").value();
  const auto mount = clone_tree(source.fd());
  ASSERT_TRUE(mount) << mount.error().text;
  ASSERT_TRUE(set_flags(mount->get(), {.read_only = true}));
  ASSERT_TRUE(attach(mount->get(), folder->fd(), "fs"));
  EXPECT_EQ(read_text(scratch / "fs/file"), "text");
  EXPECT_LT(::open((scratch / "fs/new").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 0);
}

TEST_F(MountTest, ALinkInPlaceOfTheFolderIsNotFollowed) {
  std::filesystem::create_directory(scratch / "elsewhere");
  std::filesystem::remove(scratch / "fs");
  std::filesystem::create_directory_symlink(scratch / "elsewhere", scratch / "fs");
  {
    const auto mount = tmpfs();
    EXPECT_FALSE(attach(mount->get(), folder->fd(), "fs"));
    ASSERT_TRUE(attach(mount->get(), folder->fd(), "elsewhere"));
  }
  (void)unmount(folder->fd(), "fs");
  EXPECT_TRUE(is_mount_point(folder->fd(), "elsewhere").value());
  EXPECT_TRUE(unmount(folder->fd(), "elsewhere"));
  EXPECT_FALSE(is_mount_point(folder->fd(), "elsewhere").value());
}

TEST_F(MountTest, UnmountingTwiceOrNothingSucceedsAndABusyOneIsInUse) {
  EXPECT_TRUE(unmount(folder->fd(), "fs"));
  EXPECT_TRUE(unmount(folder->fd(), "missing"));
  {
    const auto mount = tmpfs();
    ASSERT_TRUE(attach(mount->get(), folder->fd(), "fs"));
  }
  {
    const UniqueFd file(
        ::open((scratch / "fs/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(unmount(folder->fd(), "fs").error().code, Code::kInUse);
    EXPECT_TRUE(unmount(folder->fd(), "fs", Unmount::kLazy));
  }
  EXPECT_FALSE(is_mount_point(folder->fd(), "fs").value());
}

TEST_F(MountTest, AFileSystemThatHasShutItselfDownIsSeenAndUnmounted) {
  for (const std::string type : {"xfs", "ext4"}) {
    PowerCutDisk disk(type, 512U << 20U);
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    const auto above = Folder::open(std::filesystem::path(disk.path()).parent_path()).value();
    const dev_t device = device_at(above.fd(), "disk").value();
    const UniqueFd root(::open(disk.path().c_str(), O_PATH | O_CLOEXEC));
    disk.cut();
    struct stat info {};
    EXPECT_EQ(::fstat(root.get(), &info) != 0, type == "xfs") << "it stands for nothing here";
    const auto mounted = is_mount_point(above.fd(), "disk");
    ASSERT_TRUE(mounted) << mounted.error().text;
    EXPECT_TRUE(*mounted);
    EXPECT_EQ(device_at(above.fd(), "disk").value(), device);
    EXPECT_EQ(device_of(root.get()).value(), device);
    EXPECT_FALSE(is_mount_point(root.get(), "missing"));
  }
}

TEST_F(MountTest, OnlyOneComponentIsAMountPoint) {
  for (const char* name : {"", ".", "..", "a/b"}) {
    EXPECT_EQ(unmount(folder->fd(), name).error().code, Code::kInvalid) << name;
    EXPECT_FALSE(attach(-1, folder->fd(), name)) << name;
  }
}

TEST_F(MountTest, IdsAreMappedInBothDirections) {
  IdMaps maps;
  const auto mount = tmpfs();
  ASSERT_EQ(::mkdirat(mount->get(), "before", 0755), 0);
  const auto mapped = maps.apply(mount->get(), {{.disk = 0, .shown = 100000, .count = 1000}});
  ASSERT_TRUE(mapped) << mapped.error().text;
  ASSERT_TRUE(attach(mount->get(), folder->fd(), "fs"));
  struct stat info {};
  ASSERT_EQ(::stat((scratch / "fs/before").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 100000U);
  EXPECT_NE(::mkdir((scratch / "fs/by-an-unmapped-user").c_str(), 0755), 0);
  EXPECT_TRUE(maps.apply(tmpfs()->get(), {{.disk = 0, .shown = 100000, .count = 1000}}));
}

TEST_F(MountTest, AMapThatTheKernelRefusesIsAnError) {
  IdMaps maps;
  EXPECT_FALSE(maps.apply(tmpfs()->get(), {{0, 0, 10}, {5, 100, 10}}));
}

}  // namespace
}  // namespace fairlead::volume
