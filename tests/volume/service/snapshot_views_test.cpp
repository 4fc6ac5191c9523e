// Snapshots of real volumes, mounted read-only: what containers see, what is refused meanwhile, and
// that nothing stays.
#include <gmock/gmock.h>
#include <sys/statvfs.h>

#include "tests/volume/service/archive_world.h"
#include "tests/volume/service/pool_world.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using ::testing::HasSubstr;
using testing::Holder;
using ::testing::IsEmpty;
using testing::PoolScratch;
using testing::PoolWorld;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

std::vector<std::string> mounts_below(const std::string& folder) {
  std::vector<std::string> found;
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);)
    if (line.find(folder + "/") != std::string::npos) found.push_back(line);
  return found;
}

// What all kinds of volumes have in common. `folder` is where their data is.
void expect_a_snapshot_to_be_shown(VolumeService& service, const std::string& folder,
                                   const testing::Texts& options) {
  const Scratch elsewhere;
  const auto made = testing::create_volume(service, "shop", options);
  ASSERT_TRUE(made) << made.error().text;
  {
    const auto writing = service.mount("shop", "test", "writer");
    ASSERT_TRUE(writing) << writing.error().text;
    write_text(writing->mountpoint + "/goods", "old");
    ASSERT_TRUE(service.unmount("shop", "test", "writer"));
  }
  const auto taken = service.take_snapshot("shop", "monday", {});
  ASSERT_TRUE(taken) << taken.error().text;
  const auto now = service.mount("shop", "test", "writer");
  ASSERT_TRUE(now);
  write_text(now->mountpoint + "/goods", "new");

  const auto before = mounts_below(folder).size();
  const auto view = service.mount_snapshot("shop", "monday", "docker", "a");
  ASSERT_TRUE(view) << view.error().text;
  EXPECT_EQ(service.mount_snapshot("shop", "monday", "docker", "b")->mountpoint, view->mountpoint);
  EXPECT_EQ(mounts_below(folder).size(), before + 1);
  EXPECT_EQ(read_text(view->mountpoint + "/goods"), "old");
  EXPECT_EQ(read_text(now->mountpoint + "/goods"), "new");
  struct statvfs info {};
  ASSERT_EQ(::statvfs(view->mountpoint.c_str(), &info), 0);
  EXPECT_NE(info.f_flag & ST_RDONLY, 0U);
  EXPECT_NE(info.f_flag & ST_NODEV, 0U);
  EXPECT_EQ(::open((view->mountpoint + "/other").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600),
            -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(service.inspect_snapshot("shop", "monday")->users, "");  // Fairlead's own is no user
  {
    const std::string target = elsewhere / "target";
    std::filesystem::create_directory(target);
    const Holder container(view->mountpoint, target);
    ASSERT_TRUE(container.mounted());
    // the counts are gone, the kernel still knows
    ASSERT_TRUE(service.unmount_snapshot("shop", "monday", "docker", "a"));
    ASSERT_TRUE(service.unmount_snapshot("shop", "monday", "docker", "b"));
    EXPECT_THAT(service.inspect_snapshot("shop", "monday")->users, HasSubstr("target"));
    EXPECT_EQ(service.drop_snapshot("shop", "monday").error().code, Code::kInUse);
    ASSERT_TRUE(service.unmount("shop", "test", "writer"));
    EXPECT_EQ(service.status(*service.inspect("shop"))->users, "");  // of the volume itself
    EXPECT_EQ(service.remove("shop").error().code, Code::kInUse);
    EXPECT_TRUE(service.mount_snapshot("shop", "monday", "docker", "a"));  // and again beside it
    EXPECT_TRUE(service.unmount_snapshot("shop", "monday", "docker", "a"));
  }
  EXPECT_FALSE(testing::is_there(view->mountpoint));
  Status gone;
  for (int k = 0; k < 300; ++k) {  // the loop device is free a moment later
    gone = service.drop_snapshot("shop", "monday");
    if (gone) break;
    ::usleep(10000);
  }
  EXPECT_TRUE(gone) << gone.error().text;
  ASSERT_TRUE(service.take_snapshot("shop", "tuesday", {}));
  ASSERT_TRUE(service.mount_snapshot("shop", "tuesday", "docker", "a"));
  ASSERT_TRUE(service.remove("shop"));  // nobody uses what is mounted
  EXPECT_THAT(mounts_below(folder), IsEmpty());
}

struct Kind {
  std::string name;
  testing::Texts options;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class SnapshotViews : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounts need root";
  }
};

TEST_P(SnapshotViews, AreReadOnlyAndKeepWhatIsUsed) {
  const Scratch scratch;
  ArchiveWorld world(scratch.path());
  const auto fits = testing::create_volume(*world.service, "fits", GetParam().options);
  if (!fits && fits.error().code == Code::kUnsupported) GTEST_SKIP() << fits.error().text;
  ASSERT_TRUE(fits) << fits.error().text;
  ASSERT_TRUE(world.service->remove("fits"));
  expect_a_snapshot_to_be_shown(*world.service, scratch / "volumes", GetParam().options);
}

INSTANTIATE_TEST_SUITE_P(
    Backends, SnapshotViews,
    ::testing::Values(Kind{"dir", {{"backend", "dir"}}},
                      Kind{"dir_noexec", {{"backend", "dir"}, {"o", "noexec"}}},
                      Kind{"ext4", {{"backend", "image"}, {"size", "16m"}}},
                      Kind{"xfs", {{"backend", "image"}, {"size", "300m"}, {"fstype", "xfs"}}}),
    [](const auto& kind) { return kind.param.name; });

TEST(SnapshotViewsInAPool, AreReadOnlyAndKeepWhatIsUsed) {
  if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
  PoolScratch scratch;
  PoolWorld world(scratch.path());
  const auto fits = world.disks->validate(testing::pool_spec());
  if (!fits) GTEST_SKIP() << fits.error().text;
  ASSERT_TRUE(world.pools.create(testing::pool_spec()));
  const auto probe = world.create("probe", {{"pool", "fast"}});
  ASSERT_TRUE(probe) << probe.error().text;
  const std::string vol = probe->mountpoint.substr(0, probe->mountpoint.find("/vol/") + 4);
  expect_a_snapshot_to_be_shown(*world.service, vol, {{"pool", "fast"}});
}

TEST(SnapshotViewsWithAnIdMap, ShowTheOwnersOfTheVolume) {
  if (!testing::is_root()) GTEST_SKIP() << "mounts need root";
  const Scratch scratch;
  ArchiveWorld world(scratch.path());
  const auto made = testing::create_volume(
      *world.service, "shop", {{"backend", "dir"}, {"uid", "5"}, {"idmap", "0-100000-1000"}});
  ASSERT_TRUE(made) << made.error().text;
  const auto mounted = world.service->mount("shop", "test", "a");
  if (!mounted && mounted.error().code == Code::kUnsupported) GTEST_SKIP() << mounted.error().text;
  ASSERT_TRUE(mounted) << mounted.error().text;
  ASSERT_TRUE(world.service->unmount("shop", "test", "a"));
  ASSERT_TRUE(world.service->take_snapshot("shop", "monday", {}));
  const auto view = world.service->mount_snapshot("shop", "monday", "test", "a");
  ASSERT_TRUE(view) << view.error().text;
  struct stat info {};
  ASSERT_EQ(::stat(view->mountpoint.c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 100005U);
  ASSERT_TRUE(world.service->unmount_snapshot("shop", "monday", "test", "a"));
  ASSERT_TRUE(world.service->remove("shop"));
}

}  // namespace
}  // namespace fairlead::volume
