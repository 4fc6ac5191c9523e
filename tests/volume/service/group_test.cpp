// Snapshots of several volumes, over the backend in memory: who is meant, all or none, and what a
// crash leaves.
#include <gmock/gmock.h>

#include <thread>

#include "tests/volume/service/world.h"
#include "volume/service/groups.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GroupTest : public testing::FakeServiceTest {
 protected:
  GroupTest() { make_groups(); }
  void make_groups() {
    groups = make_volume_groups(store, locks, backends,
                                {.now = [this] { return now; }, .boot = "boot-1"});
  }
  void create_in(const std::string& name, const std::string& label) {
    ids[name] = create(name, {{"label.group", label}})->id;
  }
  std::vector<std::string> members(const std::string& group) {
    std::vector<std::string> names;
    const auto found = groups->members(group);
    EXPECT_TRUE(found) << found.error().text;
    for (const VolumeName& name : *found) names.push_back(name.str());
    return names;
  }
  std::vector<std::string> snapshots_of(const std::string& name) {
    std::vector<std::string> names;
    const auto volume = service->inspect(name);
    for (const Snapshot& one : volume->snapshots) names.push_back(one.name.str());
    return names;
  }
  auto take(const std::string& group, const std::string& name = "monday") {
    return groups->take(group, name, {});
  }

  std::unique_ptr<VolumeGroups> groups;
  std::map<std::string, std::string> ids;
};

TEST_F(GroupTest, NamesAndLabelsSayWhoIsMeant) {
  create_in("db", "shop");
  create_in("files", "shop");
  create_in("cache", "other");
  ASSERT_TRUE(create("alone"));
  EXPECT_THAT(members("shop"), ElementsAre("db", "files"));
  EXPECT_THAT(members("files,alone,db,files"), ElementsAre("alone", "db", "files"));
  EXPECT_THAT(members("shop,alone"), ElementsAre("alone", "db", "files"));
  EXPECT_THAT(members("label:other,volume:db"), ElementsAre("cache", "db"));
}

TEST_F(GroupTest, AWordThatIsBothIsRefusedWithTheWayOut) {
  create_in("shop", "x");
  create_in("db", "shop");
  const auto both = groups->members("shop");
  EXPECT_EQ(both.error().code, Code::kConflict);
  EXPECT_THAT(both.error().text, AllOf(HasSubstr("volume:shop"), HasSubstr("label:shop")));
  EXPECT_THAT(members("volume:shop"), ElementsAre("shop"));
  EXPECT_THAT(members("label:shop"), ElementsAre("db"));
}

TEST_F(GroupTest, NobodyIsAnErrorThatHelps) {
  create_in("db", "shop");
  EXPECT_THAT(groups->members("shpo").error().text, HasSubstr("did you mean \"shop\""));
  EXPECT_EQ(groups->members("label:db").error().code, Code::kNotFound);
  EXPECT_EQ(groups->members("volume:shop").error().code, Code::kNotFound);
  for (const char* bad : {"", ",", "db,", ",db", "db,,db"})
    EXPECT_EQ(groups->members(bad).error().code, Code::kInvalid) << bad;
}

TEST_F(GroupTest, AllGetOneOfTheSameNameAndGroup) {
  create_in("db", "shop");
  create_in("files", "shop");
  const auto taken = take("shop");
  ASSERT_TRUE(taken) << taken.error().text;
  ASSERT_EQ(taken->size(), 2U);
  EXPECT_EQ((*taken)[0].volume.str(), "db");
  EXPECT_EQ((*taken)[0].snapshot.group.size(), 32U);
  EXPECT_EQ((*taken)[0].snapshot.group, (*taken)[1].snapshot.group);
  for (const VolumeSnapshot& one : *taken) {
    EXPECT_EQ(service->inspect(one.volume.str())->snapshots, std::vector{one.snapshot});
    EXPECT_THAT(fake->snapshots(ids[one.volume.str()]), ElementsAre(one.snapshot.id));
  }
}

TEST_F(GroupTest, WithoutANameItIsOneThatNobodyHas) {
  create_in("db", "shop");
  create_in("files", "shop");
  now = 1769860800;
  ASSERT_TRUE(service->take_snapshot("files", "", {}));
  EXPECT_EQ(take("shop", "")->front().snapshot.name.str(), "2026-01-31T12.00.00-2");
}

TEST_F(GroupTest, ANameThatOneOfThemHasIsRefusedForAll) {
  create_in("db", "shop");
  create_in("files", "shop");
  ASSERT_TRUE(service->take_snapshot("files", "monday", {}));
  const auto refused = take("shop");
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("volume \"files\""));
  EXPECT_THAT(snapshots_of("db"), IsEmpty());
}

TEST_F(GroupTest, WhenOneFailsNoneHasIt) {
  create_in("va", "shop");
  create_in("vb", "shop");
  create_in("vc", "shop");
  for (const bool late : {false, true}) {
    if (late)
      fake->fail_after("snapshot", {Code::kIo, 5, "the disk is broken"});
    else
      fake->fail_next("snapshot", {Code::kIo, 5, "the disk is broken"});
    const auto refused = take("shop");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text,
                AllOf(HasSubstr("snapshot group \"shop\""), HasSubstr("volume \"va\""),
                      HasSubstr("the disk is broken")));
    for (const char* name : {"va", "vb", "vc"}) {
      EXPECT_THAT(snapshots_of(name), IsEmpty());
      EXPECT_THAT(fake->snapshots(ids[name]), IsEmpty());
      EXPECT_FALSE(service->inspect(name)->change);
    }
  }
  EXPECT_TRUE(take("shop"));
}

// The second commit holds the results: it is lost, and with it all of them.
TEST_F(GroupTest, ACrashLeavesAllOrNone) {
  create_in("va", "shop");
  create_in("vb", "shop");
  for (const auto when :
       {testing::FailingStore::When::kBefore, testing::FailingStore::When::kAfter})
    for (int nth = 1; nth <= 2; ++nth) {
      SCOPED_TRACE(nth);
      store.fail_commit(nth, when, 100);  // as if the process had died there
      EXPECT_FALSE(take("shop"));
      store.heal();
      restart();
      make_groups();
      ASSERT_TRUE(service->reconcile());
      const bool there = nth == 2 && when == testing::FailingStore::When::kAfter;
      for (const char* name : {"va", "vb"}) {
        EXPECT_EQ(snapshots_of(name).size(), there ? 1U : 0U);
        EXPECT_EQ(fake->snapshots(ids[name]).size(), there ? 1U : 0U);
      }
      EXPECT_EQ(groups->drop("shop", "monday").has_value(), there);
    }
}

TEST_F(GroupTest, OneInUseThatMustRestIsNamed) {
  create_in("db", "shop");
  create_in("files", "shop");
  fake->set_users(ids["files"], "pid 7");
  const auto refused = take("shop");
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, AllOf(HasSubstr("volume \"files\""), HasSubstr("pid 7")));
  EXPECT_THAT(fake->snapshots(ids["db"]), IsEmpty());
}

// Two groups with the same volumes the other way round, and single verbs beside them.
TEST_F(GroupTest, GroupsAndSingleVerbsDoNotWaitForEachOther) {
  for (const char* name : {"va", "vb", "vc"}) create_in(name, "shop");
  std::vector<std::thread> threads;
  for (const char* group : {"va,vb", "vb,va", "vc,vb", "shop", "va,vc"})
    threads.emplace_back([this, group] {
      for (int k = 0; k < 20; ++k) {
        const auto taken = groups->take(group, fmt::format("{}-{}", ::gettid(), k), {});
        EXPECT_TRUE(taken) << taken.error().text;
      }
    });
  threads.emplace_back([this] {
    for (int k = 0; k < 20; ++k) EXPECT_TRUE(service->take_snapshot("vb", "", {}));
  });
  threads.emplace_back([this] {
    for (int k = 0; k < 20; ++k) EXPECT_TRUE(service->keep_schedules());
  });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(GroupTest, AllAreRemovedTogether) {
  create_in("db", "shop");
  create_in("files", "shop");
  ASSERT_TRUE(take("shop"));
  EXPECT_EQ(groups->drop("shop", "monday")->size(), 2U);
  EXPECT_THAT(snapshots_of("db"), IsEmpty());
  EXPECT_THAT(fake->snapshots(ids["files"]), IsEmpty());
  EXPECT_EQ(groups->drop("shop", "monday").error().code, Code::kNotFound);
}

TEST_F(GroupTest, SnapshotsOfTwoMomentsAreNoGroup) {
  for (const char* const name : {"db", "files", "mail", "notes"}) create_in(name, "shop");
  ASSERT_TRUE(groups->take("db,files", "monday", {}));
  ASSERT_TRUE(groups->take("mail,notes", "monday", {}));
  for (const Error& error : {groups->drop("db,mail", "monday").error(),
                             groups->roll_back("db,mail", "monday", {}).error()}) {
    EXPECT_EQ(error.code, Code::kConflict);
    EXPECT_THAT(error.text, HasSubstr("db@monday and mail@monday are not of one moment"));
  }
}

TEST_F(GroupTest, SnapshotsOfOneVolumeEachAreNoGroup) {
  create_in("db", "shop");
  create_in("files", "shop");
  ASSERT_TRUE(service->take_snapshot("db", "monday", {}));
  ASSERT_TRUE(service->take_snapshot("files", "monday", {}));
  for (const Error& error :
       {groups->drop("shop", "monday").error(), groups->roll_back("shop", "monday", {}).error()}) {
    EXPECT_EQ(error.code, Code::kConflict);
    EXPECT_THAT(error.text, HasSubstr("db@monday is of no group"));
  }
}

class GroupRollbackTest : public GroupTest {
 protected:
  GroupRollbackTest() {
    for (const char* name : {"va", "vb", "vc"}) {
      create_in(name, "shop");
      fake->write(ids[name], "old");
    }
    EXPECT_TRUE(take("shop"));
    for (const char* name : {"va", "vb", "vc"}) fake->write(ids[name], "new");
  }
  std::string contents() {
    return fake->read(ids["va"]) + fake->read(ids["vb"]) + fake->read(ids["vc"]);
  }
};

TEST_F(GroupRollbackTest, AllGoBackAndKeepWhatTheyHeld) {
  const auto kept = groups->roll_back("shop", "monday", {});
  ASSERT_TRUE(kept) << kept.error().text;
  EXPECT_EQ(contents(), "oldoldold");
  ASSERT_EQ(kept->size(), 3U);
  EXPECT_THAT((*kept)[0].snapshot.name.str(), HasSubstr("before-monday-"));
  EXPECT_EQ(snapshots_of("vb").size(), 2U);
}

TEST_F(GroupRollbackTest, OneInUseKeepsAllFromIt) {
  fake->set_users(ids["vc"], "pid 7");
  const auto refused = groups->roll_back("shop", "monday", {});
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("volume \"vc\""));
  EXPECT_EQ(contents(), "newnewnew");
  EXPECT_EQ(snapshots_of("va").size(), 1U);
}

TEST_F(GroupRollbackTest, OneThatLacksTheSnapshotKeepsAllFromIt) {
  ASSERT_TRUE(service->drop_snapshot("vb", "monday"));
  EXPECT_EQ(groups->roll_back("shop", "monday", {}).error().code, Code::kNotFound);
  EXPECT_EQ(contents(), "newnewnew");
}

// Two are back when the third one fails: they get again what they held.
TEST_F(GroupRollbackTest, WhenOneFailsTheOthersAreTakenForthAgain) {
  int calls = 0;
  fake->on_roll_back([&]() -> Status {
    if (++calls == 3) return fail(Code::kExhausted, "the disk is full");
    return {};
  });
  ASSERT_TRUE(service->mount("va", "api", "web"));
  const auto failed = groups->roll_back("shop", "monday", {});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text, AllOf(HasSubstr("volume \"vc\""), HasSubstr("disk is full")));
  EXPECT_EQ(fake->mounts(), 1);
  EXPECT_EQ(contents(), "newnewnew");
  for (const char* name : {"va", "vb", "vc"}) {
    EXPECT_THAT(snapshots_of(name), ElementsAre("monday"));
    EXPECT_EQ(fake->snapshots(ids[name]).size(), 1U);
    EXPECT_FALSE(service->inspect(name)->change);
  }
}

TEST_F(GroupRollbackTest, AfterACrashAllGoBack) {
  store.fail_commit(2, testing::FailingStore::When::kBefore, 100);  // the results are lost
  EXPECT_FALSE(groups->roll_back("shop", "monday", {}));
  store.heal();
  restart();
  ASSERT_TRUE(service->reconcile());
  EXPECT_EQ(contents(), "oldoldold");
  for (const char* name : {"va", "vb", "vc"}) EXPECT_EQ(snapshots_of(name).size(), 2U);
}

// ---- schedules

class GroupScheduleTest : public GroupTest {
 protected:
  void schedule(const std::string& name, const std::string& label, const std::string& when) {
    ids[name] = create(name, {{"label.group", label}, {"snapshots", when}})->id;
  }
  std::string group_of(const std::string& name) {
    const auto volume = service->inspect(name);
    return volume->snapshots.empty() ? "none" : volume->snapshots.back().group;
  }
};

TEST_F(GroupScheduleTest, VolumesOfOneLabelAreTakenAtOneMoment) {
  schedule("db", "shop", "hourly:2");
  schedule("files", "shop", "hourly:3,daily:7");
  schedule("daily", "shop", "daily:2");
  schedule("other", "else", "hourly:2");
  const auto report = service->keep_schedules();
  ASSERT_TRUE(report && report->failures.empty());
  EXPECT_EQ(report->actions.size(), 4U);
  EXPECT_EQ(group_of("db").size(), 32U);
  EXPECT_EQ(group_of("db"), group_of("files"));
  EXPECT_NE(group_of("daily"), group_of("db"));  // another name is due
  EXPECT_EQ(service->inspect("db")->snapshots.front().origin, SnapshotOrigin::kSchedule);
  EXPECT_TRUE(service->keep_schedules()->actions.empty());
  now += 3 * 3600;
  EXPECT_EQ(service->keep_schedules()->actions.size(), 3U);  // three made, none old yet
  now += 3600;
  ASSERT_TRUE(service->keep_schedules());
  EXPECT_EQ(service->inspect("db")->snapshots.size(), 2U);  // the old ones went
}

// They are taken one by one then, so that a schedule is kept.
TEST_F(GroupScheduleTest, WhatCannotBeOneMomentIsTakenOneByOne) {
  schedule("db", "shop", "hourly:2");
  schedule("files", "shop", "hourly:2");
  fake->set_users(ids["files"], "pid 7");
  const auto report = service->keep_schedules();
  ASSERT_TRUE(report);
  ASSERT_FALSE(report->failures.empty());
  EXPECT_THAT(report->failures.front(), HasSubstr("group \"shop\" at one moment"));
  EXPECT_EQ(group_of("db"), "");
}

}  // namespace
}  // namespace fairlead::volume
