#include "volume/backends/registry.h"

#include <gmock/gmock.h>

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct RegistryTest : ::testing::Test {
  // On the file system of "/dev/shm": what is not btrfs everywhere.
  std::unique_ptr<BackendRegistry> backends = make_backends("/dev/shm/nowhere/at/all");
};

TEST_F(RegistryTest, TheDefaultIsDirAndSaysWhy) {
  const auto choice = backends->choose({});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->name, "dir");
  EXPECT_THAT(choice->reason, AllOf(HasSubstr("default"), HasSubstr("tmpfs")));
  EXPECT_EQ(choice->backend, backends->find("dir").value());
}

TEST_F(RegistryTest, ASizeAsksForAnImageAndSaysWhy) {
  const auto choice = backends->choose({.size = 1 << 30});
  ASSERT_TRUE(choice);
  EXPECT_EQ(choice->name, "image");
  EXPECT_THAT(choice->reason, HasSubstr("size asks for an image"));
  EXPECT_EQ(backends->choose({.inodes = 5})->name, "image");
  EXPECT_EQ(backends->choose({.snapshots = {.daily = 7}})->name, "image");
}

TEST_F(RegistryTest, TheOneAskedForIsTaken) {
  EXPECT_THAT(backends->choose({.backend = "dir"})->reason, HasSubstr("backend=dir"));
  EXPECT_THAT(backends->choose({.backend = "tmpfs"})->reason, HasSubstr("last unmount"));
}

TEST_F(RegistryTest, BtrfsNeedsBtrfsAndTheHintIsAPool) {
  const auto choice = backends->choose({.backend = "btrfs"});
  EXPECT_EQ(choice.error().code, Code::kUnsupported);
  EXPECT_THAT(choice.error().text, HasSubstr("fairlead pool create"));
}

TEST_F(RegistryTest, EveryKnownBackendIsThere) {
  for (const char* name : {"dir", "image", "btrfs", "tmpfs", "bind", "nfs", "cifs", "mount"}) {
    const auto found = backends->find(name);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ((*found)->name(), name);
  }
}

TEST_F(RegistryTest, UnknownOnesNameTheClosest) {
  EXPECT_THAT(backends->find("imgae").error().text, HasSubstr("did you mean \"image\"?"));
  EXPECT_EQ(backends->find("zfs-over-iscsi").error().code, Code::kInvalid);
  EXPECT_LT(backends->find(std::string(65536, '\x1b')).error().text.size(), 400U);
}

TEST_F(RegistryTest, APoolNeedsPools) {
  EXPECT_EQ(backends->choose({.pool = "fast"}).error().code, Code::kUnsupported);
  EXPECT_FALSE(backends->find(Volume{.backend = "dir", .pool = "fast"}));
}

TEST_F(RegistryTest, OneSweepReachesATree) { EXPECT_EQ(backends->all().size(), 1U); }

TEST(Backends, ThoseThatAreKnownButNotHereAreUnsupportedWithAHint) {
  Backends none;
  for (const char* name : {"image", "btrfs", "tmpfs", "bind", "nfs", "cifs", "mount"}) {
    const auto choice = none.choose({.backend = name});
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Code::kUnsupported);
    EXPECT_THAT(choice.error().text, AllOf(HasSubstr(name), HasSubstr("; ")));
  }
}

}  // namespace
}  // namespace fairlead::volume
