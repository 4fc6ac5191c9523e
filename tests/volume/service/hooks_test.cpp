// When the hooks of containers run: before and after every snapshot, never under a lock of a volume.
#include <gmock/gmock.h>

#include "tests/volume/service/world.h"
#include "volume/service/groups.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Writes down what is called.
class FakeHooks : public ContainerHooks {
 public:
  Result<std::unique_ptr<Run>> find(const HookedMoment& moment) override {
    if (!trouble.empty()) return fail(Code::kUnavailable, "{}", trouble);
    if (none) return std::unique_ptr<Run>();
    std::string text = moment.verb;
    for (const Volume& volume : moment.volumes) text += " " + volume.name.str();
    return std::make_unique<FakeRun>(*this, text + "@" + moment.snapshot);
  }

  std::vector<std::string> calls;
  std::string failure, trouble;
  bool none = false;
  std::function<void()> meanwhile = [] {};

 private:
  struct FakeRun : Run {
    FakeRun(FakeHooks& all, std::string text) : hooks(all), moment(std::move(text)) {}
    Status before(const Progress&) override {
      hooks.calls.push_back("before " + moment);
      hooks.meanwhile();
      if (!hooks.failure.empty()) return fail(Code::kConflict, "{}", hooks.failure);
      return {};
    }
    void after(Outcome outcome) override {
      hooks.calls.push_back((outcome == Outcome::kTaken ? "taken " : "failed ") + moment);
    }
    FakeHooks& hooks;
    std::string moment;
  };
};

class HooksTest : public testing::FakeServiceTest {
 protected:
  HooksTest() {
    const Environment environment{.now = [this] { return now; }, .boot = "boot-1", .hooks = &hooks};
    service = make_volume_service(store, locks, backends, environment);
    groups = make_volume_groups(store, locks, backends, environment);
    for (const char* name : {"db", "files"}) {
      const auto made = create(name, {{"label.group", "shop"}});
      ids[name] = made->id;
      fake->set_users(made->id, "pid 7");
    }
    // the fake backend refuses groups in use, so that they fail where a test does not say otherwise
  }
  void rest(const std::string& name) { fake->set_users(ids[name], ""); }
  std::size_t snapshots_of(const std::string& name) {
    return service->inspect(name)->snapshots.size();
  }

  FakeHooks hooks;
  std::unique_ptr<VolumeGroups> groups;
  std::map<std::string, std::string> ids;
};

TEST_F(HooksTest, TheyRunAroundASnapshot) {
  hooks.meanwhile = [this] { EXPECT_EQ(snapshots_of("db"), 0U); };
  ASSERT_TRUE(service->take_snapshot("db", "monday", {}));
  EXPECT_THAT(hooks.calls, ElementsAre("before snapshot db@monday", "taken snapshot db@monday"));
}

TEST_F(HooksTest, WithoutANameTheyAreToldTheTime) {
  now = 1769860800;
  ASSERT_TRUE(service->take_snapshot("db", "", {}));
  EXPECT_EQ(hooks.calls.front(), "before snapshot db@2026-01-31T12.00.00");
}

TEST_F(HooksTest, OneThatFailsRefusesTheSnapshotAndThoseAfterRun) {
  hooks.failure = "container \"db\": psql: no such table";
  const auto refused = service->take_snapshot("db", "monday", {});
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("psql: no such table"));
  EXPECT_THAT(hooks.calls, ElementsAre("before snapshot db@monday", "failed snapshot db@monday"));
  EXPECT_EQ(snapshots_of("db"), 0U);
}

TEST_F(HooksTest, ThoseAfterRunWhenTheSnapshotFails) {
  fake->fail_next("snapshot", {Code::kIo, 5, "broken"});
  ASSERT_FALSE(service->take_snapshot("db", "monday", {}));
  EXPECT_THAT(hooks.calls, ElementsAre("before snapshot db@monday", "failed snapshot db@monday"));
}

TEST_F(HooksTest, WhatNobodyUsesAsksNobody) {
  rest("db");
  hooks.trouble = "must not be asked";
  ASSERT_TRUE(service->take_snapshot("db", "monday", {}));
  EXPECT_THAT(hooks.calls, IsEmpty());
}

TEST_F(HooksTest, ARuntimeThatDoesNotAnswerRefuses) {
  hooks.trouble = "dockerd does not answer";
  EXPECT_THAT(service->take_snapshot("db", "monday", {}).error().text,
              HasSubstr("dockerd does not answer"));
  EXPECT_EQ(snapshots_of("db"), 0U);
}

// The volume can be mounted, renamed, even removed meanwhile.
TEST_F(HooksTest, NoLockIsHeldMeanwhile) {
  hooks.meanwhile = [this] {
    hooks.none = true;
    EXPECT_TRUE(service->mount("db", "docker", "a"));
    EXPECT_TRUE(service->take_snapshot("files", "sunday", {}));
    EXPECT_TRUE(service->unmount("db", "docker", "a"));
  };
  ASSERT_TRUE(service->take_snapshot("db", "monday", {}));
}

// Else the hooks after one snapshot would run before the other one is taken.
TEST_F(HooksTest, ThoseOfOneVolumeAreNotMixed) {
  hooks.meanwhile = [this] {
    hooks.meanwhile = [] {};
    const auto other = service->take_snapshot("db", "tuesday", {});
    EXPECT_EQ(other.error().code, Code::kUnavailable);
    EXPECT_THAT(other.error().text, HasSubstr("hooks of another snapshot"));
  };
  ASSERT_TRUE(service->take_snapshot("db", "monday", {}));
  EXPECT_TRUE(service->take_snapshot("db", "tuesday", {}));
}

TEST_F(HooksTest, AGroupHasThemForAllThatAreUsed) {
  rest("files");
  EXPECT_EQ(groups->take("shop", "monday", {}).error().code, Code::kInUse);
  EXPECT_THAT(hooks.calls, ElementsAre("before snapshot db@monday", "failed snapshot db@monday"));
  hooks.calls.clear();
  rest("db");
  ASSERT_TRUE(groups->take("shop", "monday", {}));
  EXPECT_THAT(hooks.calls, IsEmpty());
}

// A hook may stop its container and remove the volume: nobody gets a snapshot, and those after run.
TEST_F(HooksTest, OneThatRemovesAVolumeOfTheGroupIsToldSo) {
  hooks.meanwhile = [this] {
    for (const char* const name : {"db", "files"}) rest(name);
    EXPECT_TRUE(service->remove("db"));
  };
  const auto of_names = groups->take("db,files", "monday", {});
  EXPECT_EQ(of_names.error().code, Code::kNotFound);
  EXPECT_THAT(of_names.error().text, HasSubstr("\"db\""));
  EXPECT_THAT(hooks.calls,
              ElementsAre("before snapshot db files@monday", "failed snapshot db files@monday"));
  EXPECT_EQ(snapshots_of("files"), 0U);
}

TEST_F(HooksTest, OneThatRemovesItsOwnVolumeIsToldSo) {
  hooks.meanwhile = [this] {
    rest("db");
    EXPECT_TRUE(service->remove("db"));
  };
  EXPECT_EQ(service->take_snapshot("db", "monday", {}).error().code, Code::kNotFound);
  EXPECT_THAT(hooks.calls, ElementsAre("before snapshot db@monday", "failed snapshot db@monday"));
}

// What is taken has the label when it is taken, not when the hooks were found.
TEST_F(HooksTest, AGroupIsLookedUpAgainAfterTheHooks) {
  hooks.meanwhile = [this] {
    for (const char* const name : {"db", "files"}) rest(name);
    EXPECT_TRUE(service->set_labels("files", {{"group", std::nullopt}}));
  };
  const auto taken = groups->take("shop", "monday", {});
  ASSERT_TRUE(taken) << taken.error().text;
  ASSERT_EQ(taken->size(), 1U);
  EXPECT_EQ(taken->front().volume.str(), "db");
}

TEST_F(HooksTest, BackupsAndSchedulesHaveThem) {
  ASSERT_TRUE(service->take_archive_snapshot("db"));
  ASSERT_EQ(hooks.calls.size(), 2U);
  EXPECT_THAT(hooks.calls[0], HasSubstr("before archive db@for-archive-"));
  hooks.calls.clear();
  const auto timed = create("timed", {{"snapshots", "hourly:2"}});
  fake->set_users(timed->id, "pid 7");
  ASSERT_TRUE(service->keep_schedules());
  EXPECT_THAT(hooks.calls, ElementsAre(HasSubstr("before schedule timed@hourly-"),
                                       HasSubstr("taken schedule timed@hourly-")));
  EXPECT_EQ(snapshots_of("timed"), 1U);
}

// One that takes its time holds up its own volume alone.
TEST_F(HooksTest, SchedulesDoNotWaitForAHookOfAnother) {
  const auto slow = create("slow", {{"snapshots", "hourly:2"}});
  fake->set_users(slow->id, "pid 7");
  ASSERT_TRUE(create("quick", {{"snapshots", "hourly:2"}}));
  hooks.meanwhile = [this] {
    for (int k = 0; k < 1000 && snapshots_of("quick") == 0; ++k) ::usleep(10000);
    EXPECT_EQ(snapshots_of("quick"), 1U);
  };
  ASSERT_TRUE(service->keep_schedules());
  EXPECT_EQ(snapshots_of("slow"), 1U);
}

}  // namespace
}  // namespace fairlead::volume
