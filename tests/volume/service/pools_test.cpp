#include <gmock/gmock.h>

#include "tests/volume/loop_disk.h"
#include "tests/volume/service/crash_process.h"
#include "tests/volume/service/pool_world.h"

namespace fairlead::volume {
namespace {

using ::testing::HasSubstr;
using testing::is_there;
using testing::pool_spec;
using testing::PoolScratch;
using testing::PoolWorld;
using testing::read_text;
using testing::write_text;

constexpr std::uint64_t kMiB = 1 << 20;

struct PoolsTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
    world = std::make_unique<PoolWorld>(scratch.path());
    const auto fits = world->disks->validate(pool_spec());
    if (!fits) GTEST_SKIP() << fits.error().text;
  }
  VolumePool made(const PoolSpec& spec) {
    const auto pool = world->pools.create(spec);
    EXPECT_TRUE(pool) << pool.error().text;
    return pool.value_or(VolumePool{});
  }
  std::string folder_of(const VolumePool& pool) const {
    return scratch / ("volumes/pools/" + pool.id);
  }

  PoolScratch scratch;
  std::unique_ptr<PoolWorld> world;
};

TEST_F(PoolsTest, APoolInAFileGivesVolumesWhatTheHostCannot) {
  const VolumePool pool = made(pool_spec());
  EXPECT_EQ(pool.health, "ok");
  EXPECT_GT(pool.size, 300 * kMiB);
  const auto volume = world->create("shop", {{"pool", "fast"}, {"size", "20m"}});
  ASSERT_TRUE(volume) << volume.error().text;
  EXPECT_EQ(volume->backend, "btrfs");
  EXPECT_EQ(volume->pool, "fast");
  EXPECT_TRUE(volume->mountpoint.starts_with(folder_of(pool) + "/fs/vol/")) << volume->mountpoint;
  write_text(volume->mountpoint + "/file", "x");
  const auto status = world->service->status(*volume);
  EXPECT_EQ(status->size, 20 * kMiB);
  EXPECT_THAT(status->reason, HasSubstr("pool fast is on btrfs"));
  ASSERT_TRUE(world->service->take_snapshot("shop", "monday", {}));
  EXPECT_EQ(world->pools.inspect("fast")->volumes, 1U);
  const auto busy = world->pools.remove("fast");
  EXPECT_EQ(busy.error().code, Code::kInUse);
  EXPECT_THAT(busy.error().text, HasSubstr("1 volume;"));
  ASSERT_TRUE(world->service->remove("shop"));
}

TEST_F(PoolsTest, ItsRecordIsTheReviewedBytes) {
  const VolumePool pool = made(pool_spec());
  const auto record = world->store->get("volume-pool/fast").value();
  ASSERT_TRUE(record);
  EXPECT_EQ(record->value, fmt::format(R"({{"created":{},"device":"","fstype":"btrfs","id":"{}",)"
                                       R"("phase":"ready","size":419430400}})",
                                       pool.created, pool.id));
  ASSERT_TRUE(world->store->commit({.preconditions = {},
                                    .puts = {{"volume-pool/bad", R"({"id":"x","fstype":7})"}},
                                    .deletes = {},
                                    .durability = state::Durability::kBoot}));
  const auto bad = world->pools.inspect("bad");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInternal);
  EXPECT_EQ(bad.error().text,
            "the record volume-pool/bad cannot be read: field fstype must be a string, not number");
  EXPECT_EQ(world->pools.finished()->size(), 1U);  // the other one is left out
}

TEST_F(PoolsTest, TheDefaultInAPoolOfXfsIsAFolderOrAnImage) {
  const auto fits = world->disks->validate(pool_spec("xfs"));
  if (!fits) GTEST_SKIP() << fits.error().text;
  made(pool_spec("xfs"));
  EXPECT_EQ(world->create("plain", {{"pool", "fast"}})->backend, "dir");
  EXPECT_EQ(world->create("sized", {{"pool", "fast"}, {"size", "32m"}})->backend, "image");
  ASSERT_TRUE(world->service->remove("plain"));
  ASSERT_TRUE(world->service->remove("sized"));
}

TEST_F(PoolsTest, ItIsMountedAgainAtItsFirstUse) {
  const VolumePool pool = made(pool_spec());
  const auto volume = world->create("shop", {{"pool", "fast"}});
  ASSERT_TRUE(volume);
  write_text(volume->mountpoint + "/file", "x");
  testing::unmount_beneath(scratch.path());  // as after a reboot
  EXPECT_FALSE(is_there(volume->mountpoint));
  EXPECT_EQ(world->pools.inspect("fast")->health, "ok");
  PoolWorld later(scratch.path());
  ASSERT_TRUE(later.service->mount("shop", "docker", "a"));
  EXPECT_EQ(read_text(volume->mountpoint + "/file"), "x");
  ASSERT_TRUE(later.service->unmount("shop", "docker", "a"));
  ASSERT_TRUE(later.service->remove("shop"));
  EXPECT_TRUE(is_there(folder_of(pool)));
}

TEST_F(PoolsTest, NothingIsWrittenBeneathAPoolThatIsNotMounted) {
  const VolumePool pool = made(pool_spec());
  testing::unmount_beneath(scratch.path());
  EXPECT_NE(::mkdir((folder_of(pool) + "/fs/vol").c_str(), 0700), 0);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(PoolsTest, AnEmptyPoolIsRemovedWithEverything) {
  const VolumePool pool = made(pool_spec());
  const auto gone = world->pools.remove("fast");
  ASSERT_TRUE(gone) << gone.error().text;
  EXPECT_FALSE(is_there(folder_of(pool)));
  EXPECT_EQ(world->pools.remove("fast").error().code, Code::kNotFound);
  EXPECT_TRUE(world->pools.list()->empty());
  EXPECT_TRUE(world->store->list("volume-pool/")->empty());
}

TEST_F(PoolsTest, TrashKeepsAPoolToo) {
  made(pool_spec());
  ASSERT_TRUE(world->create("shop", {{"pool", "fast"}, {"retain", "1d"}}));
  ASSERT_TRUE(world->service->remove("shop"));
  EXPECT_EQ(world->pools.remove("fast").error().code, Code::kInUse);
  ASSERT_TRUE(world->service->empty_trash("shop"));
  const auto gone = world->pools.remove("fast");
  EXPECT_TRUE(gone) << gone.error().text;
}

TEST_F(PoolsTest, ItGrowsWhileItIsMountedAndNeverShrinks) {
  made(pool_spec());
  const auto grown = world->pools.grow("fast", 600 * kMiB);
  ASSERT_TRUE(grown) << grown.error().text;
  EXPECT_GT(grown->size, 500 * kMiB);
  EXPECT_EQ(world->pools.grow("fast", 500 * kMiB).error().code, Code::kUnsupported);
  EXPECT_EQ(world->pools.grow("fast", 0).error().code, Code::kInvalid);
}

TEST_F(PoolsTest, RequestsThatCannotBeMetAreRefused) {
  PoolSpec spec = pool_spec();
  spec.fstype = "ext4";
  EXPECT_EQ(world->pools.create(spec).error().code, Code::kInvalid);
  spec = pool_spec();
  spec.size = kMiB;
  EXPECT_THAT(world->pools.create(spec).error().text, HasSubstr("at least 128m"));
  spec.size.reset();
  EXPECT_EQ(world->pools.create(spec).error().code, Code::kInvalid);
  spec.device = "/etc/passwd";
  EXPECT_EQ(world->pools.create(spec).error().code, Code::kInvalid);
  EXPECT_TRUE(world->store->list("volume-pool/")->empty());
  made(pool_spec());
  EXPECT_EQ(world->pools.create(pool_spec()).error().code, Code::kExists);
  EXPECT_THAT(world->create("shop", {{"pool", "slow"}}).error().text,
              HasSubstr("pool \"slow\" does not exist"));
  EXPECT_EQ(world->create("shop", {{"pool", "fast"}, {"backend", "tmpfs"}}).error().code,
            Code::kInvalid);
}

// A block device of the test's own.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& image) {
    EXPECT_TRUE(testing::run({"truncate", "-s", "400M", image}));
    const auto made = run_process(std::vector<std::string>{"losetup", "--show", "-f", image},
                                  std::chrono::seconds(10));
    if (made) path_ = made->out.substr(0, made->out.find('\n'));
  }
  LoopDevice(const LoopDevice&) = delete;
  ~LoopDevice() { testing::run({"losetup", "-d", path_}); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_F(PoolsTest, ADeviceThatHoldsSomethingIsTakenOnlyWhenSaidSo) {
  const LoopDevice device(scratch / "image");
  ASSERT_TRUE(testing::run({"mkfs.ext4", "-q", device.path()}));
  PoolSpec spec = pool_spec();
  spec.size.reset();
  spec.device = device.path();
  const auto refused = world->pools.create(spec);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("ext4"));
  spec.overwrite = true;
  const VolumePool pool = made(spec);
  EXPECT_EQ(pool.device, device.path());
  spec.name = PoolName::parse("other").value();
  EXPECT_EQ(world->pools.create(spec).error().code, Code::kInUse);  // mounted
  ASSERT_TRUE(world->create("shop", {{"pool", "fast"}}));
  ASSERT_TRUE(world->service->remove("shop"));
  for (int k = 0; k < 200 && world->disks->entries_in(pool).value_or(1) > 0; ++k) ::usleep(10000);
  const auto gone = world->pools.remove("fast");
  ASSERT_TRUE(gone) << gone.error().text;
  spec.overwrite = false;  // its signature went with it
  made(spec);
  ASSERT_TRUE(world->pools.remove("other"));
}

TEST_F(PoolsTest, AnotherDiskInItsPlaceIsRefused) {
  const VolumePool pool = made(pool_spec());
  testing::unmount_beneath(scratch.path());
  ASSERT_TRUE(testing::run({"mkfs.btrfs", "-q", "-f", folder_of(pool) + "/pool.img"}));
  const auto volume = world->create("shop", {{"pool", "fast"}});
  EXPECT_THAT(volume.error().text, HasSubstr("does not hold this pool"));
}

// --- killed at every fault point

using testing::kKilled;

// The database goes; what is mounted stays.
void lose_database(std::unique_ptr<PoolWorld>& world, const std::string& folder) {
  world.reset();
  for (const char* file : {"/state.db", "/state.db-wal", "/state.db-shm"})
    std::filesystem::remove(folder + file);
  world = std::make_unique<PoolWorld>(folder);
}

TEST_F(PoolsTest, APoolAndItsVolumesAreTakenBackWhenTheDatabaseIsLost) {
  const VolumePool pool = made(pool_spec());
  const auto volume = world->create("shop", {{"pool", "fast"}, {"size", "20m"}});
  ASSERT_TRUE(volume) << volume.error().text;
  ASSERT_TRUE(world->service->take_snapshot("shop", "monday", {}));
  const auto before = world->service->inspect("shop");
  for (const bool reviewed : {true, false}) {
    if (!reviewed) std::filesystem::remove(folder_of(pool) + "/pool.json");  // of an older version
    lose_database(world, scratch.path());
    EXPECT_EQ(world->create("shop", {}).error().code, Code::kConflict);
    const auto pools = world->pools.recover({});
    ASSERT_TRUE(pools) << pools.error().text;
    ASSERT_EQ(pools->recovered.size(), 1U) << pools->failures.size();
    EXPECT_EQ(pools->recovered.front().name, "fast");
    ASSERT_TRUE(world->service->recover({}));
    const auto again = world->service->inspect("shop");
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(*again, *before);
    EXPECT_EQ(world->pools.inspect("fast")->health, "ok");
    if (reviewed) EXPECT_EQ(world->pools.inspect("fast")->created, pool.created);
    EXPECT_TRUE(world->pools.reconcile().failures.empty());
    EXPECT_TRUE(testing::is_there(folder_of(pool) + "/pool.json"));
  }
  ASSERT_TRUE(world->service->remove("shop"));
}

TEST_F(PoolsTest, WhatHappensToPoolsIsTold) {
  const auto text = [](const char* phase, int size) {
    return fmt::format(
        R"({{"created":1,"device":"","fstype":"btrfs","id":"ab","phase":"{}","size":{}}})", phase,
        size);
  };
  const auto action = [&](const std::optional<std::string>& before,
                          const std::optional<std::string>& after) {
    const auto changes = pool_changes("fast", before, after);
    return changes.empty() ? "" : changes.front().action;
  };
  EXPECT_EQ(action(std::nullopt, text("creating", 1)), "");
  EXPECT_EQ(action(text("creating", 1), text("ready", 1)), "create");
  EXPECT_EQ(action(text("ready", 1), text("growing", 2)), "grow");
  EXPECT_EQ(action(text("growing", 2), text("ready", 2)), "");
  EXPECT_EQ(action(text("ready", 1), text("deleting", 1)), "remove");
  EXPECT_EQ(action(text("deleting", 1), std::nullopt), "");
}

int run_child(const std::string& folder, const std::string& verb, const std::string& fault) {
  return testing::run_program({POOL_CHILD, folder, verb}, fault);
}

struct CrashCase {
  std::string verb;
  bool pool_before = false, pool_after = false;
};

void PrintTo(const CrashCase& row, std::ostream* out) { *out << row.verb; }

class PoolCrashTest : public PoolsTest, public ::testing::WithParamInterface<CrashCase> {
 protected:
  std::vector<std::string> points() {
    const PoolScratch other;
    if (GetParam().pool_before) {
      EXPECT_EQ(run_child(other.path(), "create", ""), 0);
    }
    EXPECT_EQ(run_child(other.path(), GetParam().verb, "list:" + (other / "points")), 0);
    return testing::read_points(other / "points");
  }
  void check(const std::string& folder, bool pool_there) {
    PoolWorld after(folder);
    const auto report = after.pools.reconcile();
    EXPECT_TRUE(report.failures.empty()) << report.failures.front();
    EXPECT_TRUE(after.pools.reconcile().actions.empty());  // once is enough
    EXPECT_EQ(after.pools.list()->size(), pool_there ? 1U : 0U);
    const std::string pools = folder + "/volumes/pools";
    EXPECT_EQ(testing::is_there(pools) ? testing::entries_in(pools) : 0, pool_there ? 1U : 0U);
    if (pool_there) {
      EXPECT_EQ(after.pools.inspect("fast")->health, "ok");
      EXPECT_TRUE(after.create("shop", {{"pool", "fast"}}));
    }
  }
};

TEST_P(PoolCrashTest, TheSameCallAgainSucceeds) {
  const auto all = points();
  ASSERT_FALSE(all.empty());
  for (const std::string& point : all) {
    SCOPED_TRACE(point);
    const PoolScratch other;
    if (GetParam().pool_before) {
      ASSERT_EQ(run_child(other.path(), "create", ""), 0);
    }
    ASSERT_EQ(run_child(other.path(), GetParam().verb, point), kKilled);
    const int again = run_child(other.path(), GetParam().verb, "");
    // create: it may be there (kExists); remove: it may be gone.
    EXPECT_TRUE(again == 0 || (GetParam().verb != "grow" && again == 1)) << again;
    check(other.path(), GetParam().pool_after);
  }
}

TEST_P(PoolCrashTest, ReconcileAloneLeavesNothingHalfDone) {
  for (const std::string& point : points()) {
    SCOPED_TRACE(point);
    const PoolScratch other;
    if (GetParam().pool_before) {
      ASSERT_EQ(run_child(other.path(), "create", ""), 0);
    }
    ASSERT_EQ(run_child(other.path(), GetParam().verb, point), kKilled);
    PoolWorld after(other.path());
    const auto report = after.pools.reconcile();
    EXPECT_TRUE(report.failures.empty()) << report.failures.front();
    check(other.path(), !after.pools.list()->empty());
  }
}

TEST(PoolRecoverCrash, TheSameCallAgainTakesItBack) {
  if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
  const auto lose = [](const PoolScratch& scratch) {
    ASSERT_EQ(run_child(scratch.path(), "create", ""), 0);
    for (const char* file : {"state.db", "state.db-wal", "state.db-shm"})
      std::filesystem::remove(scratch / file);
  };
  for (const char* point : {"volume.recover.pool-chosen", "volume.recover.pool-added"}) {
    SCOPED_TRACE(point);
    const PoolScratch scratch;
    lose(scratch);
    ASSERT_EQ(run_child(scratch.path(), "recover", point), kKilled);
    ASSERT_EQ(run_child(scratch.path(), "recover", ""), 0);
    PoolWorld after(scratch.path());
    EXPECT_TRUE(after.pools.reconcile().failures.empty());
    ASSERT_EQ(after.pools.list()->size(), 1U);
    EXPECT_EQ(after.pools.inspect("fast")->health, "ok");
  }
}

// As the kernel leaves a file system whose log could not be written.
void stop_writing(const std::string& folder) {
  const auto pools = folder + "/volumes/pools";
  const auto pool = std::filesystem::directory_iterator(pools)->path().string();
  ASSERT_EQ(::mount("", (pool + "/fs").c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0)
      << std::strerror(errno);
}

TEST(PoolHealCrash, TheNextReconcileFinishesIt) {
  if (!testing::is_root()) GTEST_SKIP() << "mounting needs root";
  const PoolScratch scratch;
  ASSERT_EQ(run_child(scratch.path(), "create", ""), 0);
  {
    PoolWorld world(scratch.path());
    ASSERT_TRUE(world.create("shop", {{"pool", "fast"}}));
  }
  stop_writing(scratch.path());
  EXPECT_THAT(PoolWorld(scratch.path()).pools.inspect("fast")->health,
              HasSubstr("stopped writing"));
  ASSERT_EQ(run_child(scratch.path(), "reconcile", "volume.pool.heal-unmounted"), kKilled);
  ASSERT_EQ(run_child(scratch.path(), "reconcile", ""), 0);
  PoolWorld after(scratch.path());
  EXPECT_EQ(after.pools.inspect("fast")->health, "ok");
  const auto mounted = after.service->mount("shop", "docker", "a");
  ASSERT_TRUE(mounted) << mounted.error().text;
  write_text(mounted->mountpoint + "/file", "x");
  EXPECT_EQ(read_text(mounted->mountpoint + "/file"), "x");
  EXPECT_TRUE(after.service->unmount("shop", "docker", "a"));
}

INSTANTIATE_TEST_SUITE_P(Verbs, PoolCrashTest,
                         ::testing::Values(CrashCase{"create", false, true},
                                           CrashCase{"grow", true, true},
                                           CrashCase{"remove", true, false}),
                         [](const auto& row) { return row.param.verb; });

}  // namespace
}  // namespace fairlead::volume
