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

// One pool with every name, in a folder that is not there.
struct AnyPool : PoolCatalog, PoolDisks {
  Result<VolumePool> find(const std::string& name) override {
    return VolumePool{.name = PoolName::parse(name).value(), .id = "p1"};
  }
  Result<std::vector<VolumePool>> finished() override { return std::vector<VolumePool>{}; }

  Result<std::string> mount(const VolumePool& pool) override { return root_of(pool); }
  std::string root_of(const VolumePool&) const override { return "/dev/shm/nowhere/at/all"; }
  Result<bool> is_mounted(const VolumePool&) override { return false; }
  Status validate(const PoolSpec&) override { return {}; }
  Status make(const VolumePool&, std::uint64_t) override { return {}; }
  Status discard(const VolumePool&) override { return {}; }
  Status grow(const VolumePool&, std::uint64_t) override { return {}; }
  VolumePool look_at(const VolumePool& pool) override { return pool; }
  Result<bool> mend(const VolumePool&) override { return false; }
  Status write_down(const VolumePool&) override { return {}; }
  Result<std::optional<Promise>> promise(const VolumePool&) override { return std::nullopt; }
  Result<DiskRoom> room() override { return DiskRoom{}; }
  Result<std::vector<VolumePool>> find_lost(
      const std::function<Result<bool>(const std::string&)>&) override {
    return std::vector<VolumePool>();
  }
  Result<std::size_t> entries_in(const VolumePool&) override { return 0U; }
  ReconcileReport sweep(const std::function<Result<bool>(const std::string&)>&) override {
    return {};
  }
};

TEST(RegistryOfAPool, ThoseThatAreKnownButNotHereAreUnsupportedWithAHint) {
  AnyPool pool;
  const auto backends = make_backends({"/dev/shm/nowhere/at/all", {}}, {&pool, &pool});
  EXPECT_TRUE(backends->find(Volume{.backend = "dir", .pool = "fast"}));
  for (const char* name : {"tmpfs", "bind", "nfs", "cifs", "mount"}) {
    const auto found = backends->find(Volume{.backend = name, .pool = "fast"});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::kUnsupported);
    EXPECT_THAT(found.error().text, AllOf(HasSubstr(name), HasSubstr("; ")));
  }
}

}  // namespace
}  // namespace fairlead::volume
