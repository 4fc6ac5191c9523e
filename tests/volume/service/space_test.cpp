// Disks and volumes that become full: who is told, what is refused, what grows, what heals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/unique_fd.h"
#include "tests/volume/loop_disk.h"
#include "tests/volume/service/disk_world.h"
#include "volume/backends/disk_room.h"
#include "volume/service/events.h"
#include "volume/service/promises.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LoopDisk;
using ::testing::SizeIs;

constexpr std::uint64_t kMiB = 1 << 20;

// The service over a small disk of its own; its state is elsewhere.
class SpaceTest : public ::testing::Test {
 protected:
  explicit SpaceTest(const std::string& size = "256M") : disk_("ext4", size) {}
  void SetUp() override {
    if (!disk_.ok()) GTEST_SKIP() << disk_.why();
    store_ = state::open_sqlite_store(state_ / "state.db").value();
    backends_ = make_backends(disk_ / "volumes");
    promises_.emplace(*store_, *backends_, nullptr, nullptr, [this] { return overcommit_; });
    Environment environment;
    environment.admit = [this](const DiskRoom& room, std::uint64_t more) {
      return promises_->admit(room, more);
    };
    environment.disks = [this] {
      return std::vector<WatchedDisk>{{"volumes", room_of(disk_.path()).value()}};
    };
    service_ = make_volume_service(*store_, locks_, *backends_, environment);
  }
  Result<Volume> create(const std::string& name, const testing::Texts& options) {
    return testing::create_volume(*service_, name, options);
  }
  std::string mount(const std::string& name) {
    const auto mounted = service_->mount(name, "docker", "a");
    EXPECT_TRUE(mounted) << mounted.error().text;
    return mounted ? mounted->mountpoint : "/nowhere";
  }
  // Bytes that were written before it failed.
  static std::uint64_t write(const std::string& path, std::uint64_t bytes) {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string block(kMiB, 'x');
    std::uint64_t done = 0;
    for (; done < bytes; done += kMiB)
      if (::write(file.get(), block.data(), block.size()) != static_cast<ssize_t>(kMiB)) break;
    return ::fsync(file.get()) == 0 ? done : 0;
  }
  VolumeStatus status(const std::string& name) {
    return service_->status(service_->inspect(name).value()).value();
  }
  std::uint64_t size_of(const std::string& name) {
    return service_->inspect(name)->options.size.value_or(0);
  }
  // The kinds of events after a revision, as "action", with their attributes.
  std::vector<fairlead::Change> events_since(std::int64_t revision) {
    std::vector<fairlead::Change> all;
    std::mutex guard;
    std::int64_t seen = 0;
    const auto last = store_->revision().value();
    const auto watch = store_->watch("", revision, [&](const std::vector<state::Event>& commit) {
      const std::scoped_lock hold(guard);
      for (auto& change : volume_changes(commit)) all.push_back(std::move(change));
      for (const state::Event& event : commit) seen = std::max(seen, event.record.revision);
    });
    for (int k = 0; k < 1000; ++k) {
      ::usleep(10'000);
      const std::scoped_lock hold(guard);
      if (seen >= last) break;
    }
    return all;
  }

  LoopDisk disk_;
  testing::Scratch state_;
  NamedLocks locks_{state_ / "locks"};
  double overcommit_ = 1.0;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<BackendRegistry> backends_;
  std::optional<Promises> promises_;
  std::unique_ptr<VolumeService> service_;
};

TEST_F(SpaceTest, MoreThanTheDiskHasIsPromisedWithAWarning) {
  const auto first = create("first", {{"size", "150m"}});
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_THAT(first->warnings, IsEmpty());
  const auto second = create("second", {{"size", "150m"}});
  ASSERT_TRUE(second);
  EXPECT_THAT(second->warnings,
              ElementsAre(AllOf(HasSubstr("300 MiB promised"), HasSubstr(disk_.path()),
                                HasSubstr(" MiB for them"))));
  const auto absurd = create("absurd", {{"size", "10g"}});
  ASSERT_TRUE(absurd) << absurd.error().text;
  EXPECT_THAT(absurd->warnings, SizeIs(1));
  const auto clone = create("clone", {{"from", "second"}});
  ASSERT_TRUE(clone);
  EXPECT_THAT(clone->warnings, SizeIs(1));
  const auto larger = service_->resize("first", 160 * kMiB);
  ASSERT_TRUE(larger) << larger.error().text;
  EXPECT_THAT(larger->warnings, SizeIs(1));
  EXPECT_THAT(create("folder", {})->warnings, IsEmpty());
  EXPECT_THAT(service_->problems(), ElementsAre(HasSubstr("promised to volumes and pools")));
}

TEST_F(SpaceTest, WithoutOvercommitWhatIsNotCoveredIsRefused) {
  overcommit_ = 0;
  ASSERT_TRUE(create("first", {{"size", "150m"}}));
  const auto second = create("second", {{"size", "150m"}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kExhausted);
  EXPECT_THAT(second.error().text, HasSubstr("overcommit"));
  EXPECT_EQ(service_->resize("first", 300 * kMiB).error().code, Code::kExhausted);
  EXPECT_EQ(size_of("first"), 150 * kMiB);
  EXPECT_EQ(create("clone", {{"from", "first"}}).error().code, Code::kExhausted);
  EXPECT_THAT(service_->list().value(), SizeIs(1));
  EXPECT_TRUE(create("small", {{"size", "20m"}}));
  overcommit_ = 3;
  EXPECT_THAT(create("second", {{"size", "150m"}})->warnings, IsEmpty());
}

// What ext4 does on a disk that is full stays until its last unmount; then it heals by itself.
TEST_F(SpaceTest, AnImageThatTheFullDiskHasStoppedSaysSoAndHeals) {
  ASSERT_TRUE(create("full", {{"size", "200m"}}));
  ASSERT_TRUE(create("victim", {{"size", "200m"}}));
  ASSERT_TRUE(create("ballast", {}));
  const std::string victim = mount("victim");
  testing::write_text(victim + "/kept", "goods");
  ::syncfs(UniqueFd(::open(victim.c_str(), O_RDONLY | O_CLOEXEC)).get());
  ASSERT_GT(write(victim + "/early", 8 * kMiB), 0U);
  write(mount("ballast") + "/data", 500 * kMiB);
  EXPECT_EQ(status("ballast").condition, Condition::kDiskFull);
  write(victim + "/late", 100 * kMiB);
  for (int k = 0; k < 400; ++k) {
    std::error_code ignored;
    std::filesystem::create_directory(fmt::format("{}/d{}", victim, k), ignored);
    if (k % 40 == 0) ::syncfs(UniqueFd(::open(victim.c_str(), O_RDONLY | O_CLOEXEC)).get());
  }
  const auto stopped = status("victim");
  EXPECT_EQ(stopped.condition, Condition::kDiskFull) << stopped.health;
  EXPECT_THAT(stopped.health, AllOf(HasSubstr("the disk below"), HasSubstr("is full"),
                                    HasSubstr("free space there")));
  EXPECT_THAT(stopped.health, ::testing::Not(HasSubstr("damaged")));
  ASSERT_TRUE(service_->unmount("ballast", "docker", "a"));
  ASSERT_TRUE(service_->remove("ballast"));
  for (int k = 0; k < 500 && is_full(room_of(disk_.path()).value()); ++k) ::usleep(20'000);
  const auto report = service_->reconcile();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_EQ(status("victim").health, "ok");
  EXPECT_THAT(report->actions, Contains(HasSubstr("mended volume \"victim\"")));
  EXPECT_EQ(testing::read_text(victim + "/kept"), "goods");  // mounted again: it is still counted
  EXPECT_GT(write(victim + "/again", 4 * kMiB), 0U);
  ASSERT_TRUE(service_->unmount("victim", "docker", "a"));
  EXPECT_TRUE(service_->check("victim", false, {})->clean);
}

TEST_F(SpaceTest, ALimitThatIsReachedIsTold) {
  ASSERT_TRUE(create("small", {{"size", "16m"}}));
  const std::string path = mount("small");
  write(path + "/data", 64 * kMiB);
  {
    const std::string rest(4096, 'x');
    const UniqueFd file(::open((path + "/rest").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    while (::write(file.get(), rest.data(), rest.size()) > 0) {
    }
  }
  EXPECT_EQ(status("small").condition, Condition::kFull);
  EXPECT_THAT(status("small").health, HasSubstr("fairlead volume resize small"));
  ASSERT_TRUE(service_->unmount("small", "docker", "a"));
}

// On xfs, because ext4 grows online only with CAP_SYS_RESOURCE.
class GrowthTest : public SpaceTest {
 protected:
  GrowthTest() : SpaceTest("1G") {}
};

TEST_F(GrowthTest, AVolumeGrowsBeforeItIsFullUpToItsMax) {
  const auto made =
      create("db", {{"size", "300m"}, {"fstype", "xfs"}, {"autogrow", "20%:max=420m"}});
  if (!made && made.error().code == Code::kUnsupported) GTEST_SKIP() << made.error().text;
  ASSERT_TRUE(made) << made.error().text;
  const std::string path = mount("db");
  const auto before = store_->revision().value();
  EXPECT_THAT(service_->watch_space()->actions, IsEmpty());
  EXPECT_EQ(size_of("db"), 300 * kMiB);
  ASSERT_GT(write(path + "/one", 60 * kMiB), 0U);
  EXPECT_THAT(service_->watch_space()->actions, IsEmpty());  // enough is free
  // A slow writer: it grows by its percentage.
  int steps = 0;
  for (; size_of("db") == 300 * kMiB && steps < 30; ++steps) {
    // a file of its own: xfs allocates ahead for one that is appended to
    ASSERT_GT(write(fmt::format("{}/more{}", path, steps), 8 * kMiB), 0U);
    const auto round = service_->watch_space();
    ASSERT_TRUE(round);
    EXPECT_THAT(round->failures, IsEmpty());
  }
  EXPECT_GT(steps, 5);
  EXPECT_EQ(size_of("db"), 360 * kMiB);
  // A quick writer: what it wrote since the last look is had twice.
  ASSERT_GT(write(path + "/six", 70 * kMiB), 0U);
  ASSERT_TRUE(service_->watch_space());
  EXPECT_EQ(size_of("db"), 420 * kMiB);
  for (int k = 0; status("db").condition == Condition::kOk && k < 12; ++k) {
    ASSERT_GT(write(fmt::format("{}/seven{}", path, k), 8 * kMiB), 0U);
    EXPECT_THAT(service_->watch_space()->actions, IsEmpty());
  }
  EXPECT_EQ(size_of("db"), 420 * kMiB);
  EXPECT_EQ(status("db").condition, Condition::kWarning);
  EXPECT_THAT(status("db").health, HasSubstr("the max of autogrow (420m)"));
  std::vector<std::string> resizes;
  for (const auto& event : events_since(before))
    if (event.action == "resize") resizes.push_back(event.attributes.at("auto"));
  EXPECT_THAT(resizes, ElementsAre("true", "true"));
  EXPECT_EQ(service_->resize("db", 440 * kMiB)->options.size, 440 * kMiB);  // by hand it may
  EXPECT_EQ(service_->inspect("db")->options.unread, testing::Texts{});
  EXPECT_EQ(create("bad", {{"size", "300m"}, {"autogrow", "20%:max=200m"}}).error().code,
            Code::kInvalid);
  EXPECT_EQ(create("bad", {{"autogrow", "20%:max=200m"}, {"backend", "image"}}).error().code,
            Code::kInvalid);
  ASSERT_TRUE(service_->unmount("db", "docker", "a"));
}

TEST_F(SpaceTest, WhatCannotGrowSaysWhyAndGoesOnOnceItCan) {
  ASSERT_TRUE(create("db", {{"size", "32m"}, {"autogrow", "100%:max=400m"}}));
  ASSERT_TRUE(create("other", {}));
  const std::string path = mount("db");
  ASSERT_GT(write(path + "/one", 8 * kMiB), 0U);
  write(mount("other") + "/ballast", 190 * kMiB);
  const auto before = store_->revision().value();
  const auto failed = service_->watch_space();
  ASSERT_TRUE(failed);
  EXPECT_THAT(failed->failures, Contains(HasSubstr("has no room")));
  EXPECT_EQ(size_of("db"), 32 * kMiB);
  EXPECT_THAT(status("db").health, HasSubstr("it could not grow: the disk below"));
  const auto events = events_since(before);
  EXPECT_TRUE(std::ranges::any_of(events, [](const auto& e) { return e.action == "grow-failed"; }));
  EXPECT_TRUE(
      std::ranges::any_of(events, [](const auto& e) { return e.action.starts_with("disk-"); }));
  ASSERT_TRUE(service_->unmount("db", "docker", "a"));
  ASSERT_TRUE(service_->unmount("other", "docker", "a"));
}

TEST_F(SpaceTest, ADiskThatBecomesFullIsToldOfOnceAndThatItIsNot) {
  ASSERT_TRUE(create("data", {}));
  ASSERT_TRUE(service_->watch_space());
  EXPECT_THAT(service_->problems(), IsEmpty());
  const std::string path = mount("data");
  write(path + "/data", 500 * kMiB);
  EXPECT_THAT(service_->problems(),
              ElementsAre(AllOf(HasSubstr(disk_.path()), HasSubstr("% full"))));
  ASSERT_TRUE(service_->unmount("data", "docker", "a"));
}

TEST(DiskLevelTest, AThresholdIsCrossedOnce) {
  using enum DiskLevel;
  EXPECT_EQ(next_level(kOk, 84), kOk);
  EXPECT_EQ(next_level(kOk, 85), kFilling);
  EXPECT_EQ(next_level(kFilling, 81), kFilling);
  EXPECT_EQ(next_level(kFilling, 79), kOk);
  EXPECT_EQ(next_level(kFilling, 95), kFull);
  EXPECT_EQ(next_level(kFull, 91), kFull);
  EXPECT_EQ(next_level(kFull, 89), kFilling);
  EXPECT_EQ(next_level(kFull, 10), kOk);
}

}  // namespace
}  // namespace fairlead::volume
