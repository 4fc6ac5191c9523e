#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/volume/backends/image_world.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::ImageWorld;
using testing::is_there;
using testing::read_at;
using testing::read_text;
using testing::run;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

struct Row {
  const char *name, *below, *fstype, *size;
};

// Where blocks are shared, so that everything works while the volume is mounted.
struct ImageSnapshotTest : ::testing::TestWithParam<Row> {
  void SetUp() override {
    world.emplace(GetParam().below);
    if (!world->why().empty()) GTEST_SKIP() << world->why();
  }
  Volume mounted() {
    return world->mounted({{"fstype", GetParam().fstype}, {"size", GetParam().size}});
  }
  void write(const Volume& volume, const std::string& text) {
    write_text(world->data(volume) + "/file", text);
  }
  std::string read(const Volume& volume, const std::string& snapshot_id = "") {
    const auto data = backend().open_data(volume, snapshot_id);
    EXPECT_TRUE(data) << data.error().text;
    return data ? read_at(data->get(), "file") : "";
  }
  Snapshot taken(const Volume& volume, const std::string& name = "monday") {
    const Snapshot snapshot = ImageWorld::a_snapshot(name);
    const auto done = backend().take_snapshot(volume, snapshot, {});
    EXPECT_TRUE(done) << done.error().text;
    return snapshot;
  }
  Backend& backend() { return world->backend(); }
  std::string image_of(const Volume& volume, const Snapshot& snapshot) {
    return world->at(volume, "snapshots/" + snapshot.id + ".img");
  }
  std::optional<ImageWorld> world;
};

TEST_P(ImageSnapshotTest, ASnapshotKeepsItsMomentWhileTheVolumeGoesOn) {
  const Volume volume = mounted();
  write(volume, "monday");
  const Snapshot snapshot = taken(volume);
  write(volume, "tuesday");
  EXPECT_TRUE(backend().take_snapshot(volume, snapshot, {}));  // again: the first one is kept
  EXPECT_EQ(read(volume, snapshot.id), "monday");
  EXPECT_EQ(read(volume), "tuesday");
  EXPECT_EQ(read_text(world->data(volume) + "/file"), "tuesday");
  EXPECT_TRUE(backend().drop_snapshot(volume, snapshot.id));
  EXPECT_TRUE(backend().drop_snapshot(volume, snapshot.id));
  EXPECT_FALSE(is_there(image_of(volume, snapshot)));
}

TEST_P(ImageSnapshotTest, ReadingASnapshotDoesNotWriteToIt) {
  const Volume volume = mounted();
  write(volume, "monday");
  const Snapshot snapshot = taken(volume);
  ASSERT_TRUE(run({"cp", "--reflink=always", image_of(volume, snapshot), *world / "before"}));
  {
    const auto data = backend().open_data(volume, snapshot.id);
    ASSERT_TRUE(data) << data.error().text;
    EXPECT_LT(::openat(data->get(), "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 0);
    const auto again = backend().open_data(volume, snapshot.id);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(read_at(again->get(), "file"), "monday");
  }
  EXPECT_TRUE(run({"cmp", image_of(volume, snapshot), *world / "before"}));
}

TEST_P(ImageSnapshotTest, OneUnderWritesIsCleanAndHasWhatWasAcknowledged) {
  const Volume volume = mounted();
  std::atomic<bool> stop = false;
  std::atomic<int> acknowledged = 0;
  std::thread writer([&] {
    for (int k = 1; !stop; ++k) {
      const std::string name = fmt::format("{}/{}", world->data(volume), k % 50);
      const UniqueFd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      const std::string block(20000, 'x');
      if (::write(file.get(), block.data(), block.size()) > 0 && ::fsync(file.get()) == 0)
        acknowledged = k;
    }
  });
  while (acknowledged < 5) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (int k = 0; k < 5; ++k) {
    const int before = acknowledged;
    const Snapshot snapshot = taken(volume, fmt::format("s{}", k));
    EXPECT_TRUE(GetParam().fstype == std::string("xfs") || world->fsck(image_of(volume, snapshot)));
    const auto data = backend().open_data(volume, snapshot.id);
    ASSERT_TRUE(data) << data.error().text;
    for (int file = std::max(1, before - 40); file <= std::min(before, 49); ++file)
      EXPECT_EQ(::faccessat(data->get(), std::to_string(file).c_str(), F_OK, 0), 0) << file;
  }
  stop = true;
  writer.join();
}

TEST_P(ImageSnapshotTest, ACloneIsAVolumeOfItsOwn) {
  const Volume volume = mounted();
  write(volume, "monday");
  const Snapshot snapshot = taken(volume);
  write(volume, "tuesday");
  const Volume of_now = world->a_volume({{"size", GetParam().size}});
  const Volume of_then = world->a_volume({{"size", GetParam().size}});
  auto done = world->clone(of_now, volume);
  ASSERT_TRUE(done) << done.error().text;
  done = world->clone(of_then, volume, snapshot.id);
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_TRUE(world->clone(of_then, volume, snapshot.id));  // again
  for (const Volume* clone : {&of_now, &of_then}) {
    const auto mount = backend().mount(*clone);  // all three at once
    ASSERT_TRUE(mount) << mount.error().text;
  }
  EXPECT_EQ(read(of_now), "tuesday");
  EXPECT_EQ(read(of_then), "monday");
  write(of_then, "its own");
  EXPECT_EQ(read(volume), "tuesday");
  EXPECT_EQ(read(volume, snapshot.id), "monday");
}

TEST_P(ImageSnapshotTest, ALargerCloneHasTheRoom) {
  const Volume volume = mounted();
  write(volume, "monday");
  const Volume clone = world->a_volume({{"size", "420m"}});
  const auto done = world->clone(clone, volume);
  ASSERT_TRUE(done) << done.error().text;
  ASSERT_TRUE(backend().mount(clone));
  EXPECT_EQ(read(clone), "monday");
  struct statfs info {};
  ASSERT_EQ(::statfs(world->data(clone).c_str(), &info), 0);
  EXPECT_GT(info.f_blocks * static_cast<std::uint64_t>(info.f_bsize), 340 * kMiB);
}

TEST_P(ImageSnapshotTest, GoingBackKeepsWhatWas) {
  const Volume volume = mounted();
  write(volume, "monday");
  const Snapshot snapshot = taken(volume), kept = ImageWorld::a_snapshot("before");
  write(volume, "tuesday");
  ASSERT_TRUE(backend().unmount(volume));
  const auto done = backend().roll_back(volume, snapshot, kept, {});
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_TRUE(backend().roll_back(volume, snapshot, kept, {}));  // again: nothing to do
  EXPECT_EQ(read(volume), "monday");
  EXPECT_EQ(read(volume, kept.id), "tuesday");
  EXPECT_EQ(read(volume, snapshot.id), "monday");
  ASSERT_TRUE(backend().mount(volume));
  write(volume, "wednesday");
  EXPECT_EQ(read(volume, snapshot.id), "monday");
}

TEST_P(ImageSnapshotTest, GoingBackUnderneathAContainerIsRefused) {
  const Volume volume = mounted();
  const Snapshot snapshot = taken(volume), kept = ImageWorld::a_snapshot("before");
  testing::Scratch place;
  std::filesystem::create_directory(place / "target");
  const testing::Holder container(world->data(volume), place / "target");
  EXPECT_EQ(backend().roll_back(volume, snapshot, kept, {}).error().code, Code::kInUse);
  EXPECT_FALSE(is_there(image_of(volume, kept)));
}

TEST_P(ImageSnapshotTest, AMountedVolumeIsCheckedByACopy) {
  const Volume volume = mounted();
  write(volume, "monday");
  const auto report = backend().check(volume, false, {});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_TRUE(report->clean) << fmt::format("{}", fmt::join(report->findings, "; "));
  EXPECT_EQ(backend().check(volume, true, {}).error().code, Code::kInUse);
}

TEST_P(ImageSnapshotTest, WhatAKilledVerbLeftIsSweptAway) {
  const Volume volume = mounted();
  write_text(world->at(volume, "snapshots/x.img.part"), "x");
  write_text(world->at(volume, "rollback.part"), "x");
  const auto known = [](const std::string&) -> Result<bool> { return true; };
  EXPECT_EQ(backend().sweep(1000, known, {}).actions.size(), 2U);
  EXPECT_FALSE(is_there(world->at(volume, "rollback.part")));
  EXPECT_TRUE(backend().sweep(1000, known, {}).actions.empty());
}

TEST_P(ImageSnapshotTest, AFileSystemThatStayedFrozenIsThawed) {
  const Volume volume = mounted();
  const UniqueFd fs(::open(world->at(volume, "fs").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(::ioctl(fs.get(), FIFREEZE, 0), 0);
  const auto report =
      backend().sweep(1000, [](const std::string&) -> Result<bool> { return true; }, {});
  ASSERT_EQ(report.actions.size(), 1U);
  EXPECT_THAT(report.actions[0], HasSubstr("thawed"));
  write(volume, "goes on");
}

INSTANTIATE_TEST_SUITE_P(Over, ImageSnapshotTest,
                         ::testing::Values(Row{"Ext4OverXfs", "xfs", "ext4", "64m"},
                                           Row{"Ext4OverBtrfs", "btrfs", "ext4", "64m"},
                                           Row{"XfsOverXfs", "xfs", "xfs", "300m"}),
                         [](const auto& row) { return std::string(row.param.name); });

// Where blocks are not shared: copies, of what is not mounted.
struct ImageCopyTest : ::testing::Test {
  void SetUp() override {
    if (!world.why().empty()) GTEST_SKIP() << world.why();
  }
  ImageWorld world{"ext4"};
};

TEST_F(ImageCopyTest, AMountedVolumeNeedsAPool) {
  const Volume volume = world.mounted();
  const Snapshot snapshot = ImageWorld::a_snapshot();
  const auto done = world->take_snapshot(volume, snapshot, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnsupported);
  EXPECT_THAT(done.error().text, AllOf(HasSubstr("stop what uses it"), HasSubstr("pool=NAME")));
  EXPECT_EQ(testing::entries_in(world.at(volume, "snapshots")), 0U);
  write_text(world.data(volume) + "/file", "is not frozen");
}

TEST_F(ImageCopyTest, AnUnmountedOneIsCopiedAndTells) {
  const Volume volume = world.mounted();
  write_text(world.data(volume) + "/file", "monday");
  ASSERT_TRUE(world->unmount(volume));
  const Snapshot snapshot = ImageWorld::a_snapshot();
  const auto done = world->take_snapshot(volume, snapshot, {});
  ASSERT_TRUE(done) << done.error().text;
  const auto data = world->open_data(volume, snapshot.id);
  ASSERT_TRUE(data) << data.error().text;
  EXPECT_EQ(read_at(data->get(), "file"), "monday");
  const auto stopped = world->take_snapshot(volume, ImageWorld::a_snapshot("other"),
                                            [](std::uint64_t, std::uint64_t) { return false; });
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  EXPECT_EQ(testing::entries_in(world.at(volume, "snapshots")), 1U);
}

TEST(ImageSnapshots, WhatOnlyTheyHoldIsMeasured) {
  testing::ImageWorld world("xfs");
  if (!world.why().empty()) GTEST_SKIP() << world.why();
  Volume volume = world.mounted({{"size", "100m"}});
  write_text(world.data(volume) + "/file", std::string(20 << 20, 'x'));
  EXPECT_EQ(world->usage(volume, {})->only_in_snapshots, std::nullopt);
  const Snapshot monday{.id = random_hex(32)};
  ASSERT_TRUE(world->take_snapshot(volume, monday, {}));
  volume.snapshots = {monday};
  EXPECT_LT(world->usage(volume, {})->only_in_snapshots.value_or(UINT64_MAX), 5U << 20);
  write_text(world.data(volume) + "/new", std::string(20 << 20, 'y'));
  ASSERT_TRUE(std::filesystem::remove(world.data(volume) + "/file"));
  // A file system gives back blocks some time after the file went (ext4 and xfs discard in a worker).
  const auto measured = [&] {
    ::sync();
    return world->usage(volume, {})->only_in_snapshots.value_or(0);
  };
  std::uint64_t kept = measured();
  for (int attempt = 0; attempt < 300 && (kept <= 19U << 20 || kept >= 30U << 20); ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    kept = measured();
  }
  EXPECT_GT(kept, 19U << 20);
  EXPECT_LT(kept, 30U << 20);
}

}  // namespace
}  // namespace fairlead::volume
