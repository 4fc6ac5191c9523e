// SIGKILL at every fault point of the verbs of a group of two: both volumes can be written at once
// afterwards, both have the snapshot or none, and the same call again succeeds.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mount.h>

#include "tests/volume/loop_disk.h"
#include "tests/volume/service/crash_backends.h"
#include "tests/volume/service/crash_process.h"
#include "tests/volume/service/disk_world.h"

namespace fairlead::volume {
namespace {

using ::testing::AnyOf;
using testing::DiskService;
using testing::kKilled;
using testing::LoopDisk;

struct Case {
  std::string name, verb;
  std::vector<std::string> before;
  std::size_t snapshots;  // of each volume, when the verb was done
  std::string options = "backend=image,size=32m";
};

class GroupCrashTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!disk.ok()) GTEST_SKIP() << disk.why();
  }
  std::string folder() const { return disk / fmt::format("s{}", round); }
  int run(const std::string& verb, const std::string& fault = "") const {
    return testing::run_program(
        {CRASH_CHILD, folder(), verb, GetParam().options + ",label.group=stall"}, fault);
  }
  void prepare() {
    ++round;
    std::filesystem::create_directory(folder());
    for (const std::string& verb : GetParam().before) ASSERT_EQ(run(verb), 0) << verb;
    if (is_used()) show_to_containers();
  }
  // While nobody uses them a snapshot is another one, without hooks.
  bool is_used() const { return is_mounted() && GetParam().verb == "group"; }
  std::string in_container(const std::string& name) const { return disk / ("in-" + name); }
  // A subvolume is in use once somebody has mounted it elsewhere.
  void show_to_containers() const {
    DiskService world(folder());
    for (const std::string name : {"one", "two"}) {
      const auto volume = world->inspect(name);
      std::filesystem::create_directories(in_container(name));
      ASSERT_EQ(::mount(volume->mountpoint.c_str(), in_container(name).c_str(), nullptr, MS_BIND,
                        nullptr),
                0);
    }
  }
  bool is_mounted() const {
    return std::ranges::find(GetParam().before, "mount-two") != GetParam().before.end();
  }
  // What a container does; a frozen file system would hang it for ever.
  void expect_writable(DiskService& world, const std::string& name) const {
    const auto volume = world->inspect(name);
    ASSERT_TRUE(volume) << volume.error().text;
    const UniqueFd file(
        ::open((volume->mountpoint + "/more").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    EXPECT_EQ(::write(file.get(), "x", 1), 1);
    EXPECT_EQ(::fsync(file.get()), 0);
  }
  void clean(DiskService& world) const {
    for (const char* const name : {"one", "two"}) {
      if (is_used()) EXPECT_EQ(::umount2(in_container(name).c_str(), 0), 0);
      (void)world->unmount(name, "docker", "a");
      const auto gone = world->remove(name);
      EXPECT_TRUE(gone) << gone.error().text;
    }
  }

  LoopDisk disk{"btrfs", "1G", testing::Where::kMemory};
  int round = 0;
};

TEST_P(GroupCrashTest, BothOrNoneAndNothingStaysFrozen) {
  const Case& plan = GetParam();
  prepare();
  ASSERT_EQ(run(plan.verb, "list:" + (disk / "points")), 0);
  const auto points = testing::read_points(disk / "points");
  ASSERT_FALSE(points.empty());
  // a snapshot of what is in use is taken between the hooks of containers
  EXPECT_EQ(std::ranges::count(points, "volume.hooks.before:1"), is_used());
  {
    DiskService world(folder());
    clean(world);
  }
  for (const std::string& point : points) {
    SCOPED_TRACE(point);
    prepare();
    const bool killed = run(plan.verb, point) == kKilled;
    DiskService world(folder());
    if (!killed) {
      clean(world);
      continue;
    }
    if (is_mounted())
      for (const char* const name : {"one", "two"}) expect_writable(world, name);
    const auto report = world->reconcile();
    ASSERT_TRUE(report && report->failures.empty());
    const auto one = world->inspect("one"), two = world->inspect("two");
    if (plan.verb != "snapshot-one") EXPECT_EQ(one->snapshots.size(), two->snapshots.size());
    EXPECT_FALSE(one->change || two->change);
    for (const auto* const volume : {&*one, &*two}) {
      const std::string place = fmt::format("{}/volumes/vol/{}/snapshots", folder(), volume->id);
      const std::size_t there = testing::is_there(place) ? testing::entries_in(place) : 0;
      EXPECT_EQ(there, volume->snapshots.size());
      if (GetParam().options == "backend=btrfs")
        for (const Snapshot& snapshot : volume->snapshots)
          EXPECT_TRUE(testing::is_there(place + "/" + snapshot.id + "/_data/x/y"));
    }
    // again: done, or there already (3), or gone already (1)
    EXPECT_THAT(run(plan.verb), AnyOf(0, 3, 1));
    if (plan.verb != "group-rollback")  // each one keeps what it replaced
      EXPECT_EQ(world->inspect("two")->snapshots.size(), plan.snapshots);
    clean(world);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Verbs, GroupCrashTest,
    ::testing::Values(Case{"snapshot_of_mounted", "group", {"create-two", "mount-two"}, 1},
                      Case{"snapshot_with_subvolumes_inside",
                           "group",
                           {"create-two", "nest-two", "mount-two"},
                           1,
                           "backend=btrfs"},
                      Case{"snapshot_of_one", "snapshot-one", {"create-two", "mount-two"}, 0},
                      Case{"snapshot_at_rest", "group", {"create-two"}, 1},
                      Case{"drop", "group-drop", {"create-two", "mount-two", "group"}, 0},
                      Case{"rollback", "group-rollback", {"create-two", "group"}, 2}),
    [](const auto& plan) { return plan.param.name; });

}  // namespace
}  // namespace fairlead::volume
