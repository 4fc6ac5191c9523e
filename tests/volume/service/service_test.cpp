#include <gmock/gmock.h>

#include <thread>

#include "tests/volume/service/world.h"

namespace fairlead::volume {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ServiceTest : public testing::FakeServiceTest {};

TEST_F(ServiceTest, AVolumeIsCreatedAndShown) {
  const auto made = create("shop", {{"uid", "7"}, {"label.env", "prod"}});
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->phase, Phase::kReady);
  EXPECT_EQ(made->backend, "fake");
  EXPECT_EQ(made->created, now);
  EXPECT_EQ(made->id.size(), 32U);
  EXPECT_EQ(to_map(made->options), (testing::Texts{{"uid", "7"}}));
  EXPECT_EQ(made->labels, (std::map<std::string, std::string>{{"env", "prod"}}));
  EXPECT_EQ(made->mountpoint, "/fake/" + made->id + "/_data");
  EXPECT_EQ(service->inspect("shop").value(), *made);
  EXPECT_EQ(service->list().value(), std::vector<Volume>{*made});
}

TEST_F(ServiceTest, AVolumeOutlivesTheProcessAndTheBoot) {
  const auto made = create("shop");
  restart("boot-2");
  EXPECT_EQ(service->inspect("shop").value(), *made);
}

TEST_F(ServiceTest, TheSameRequestAgainSucceeds) {
  const auto made = create("shop", {{"mode", "0700"}});
  EXPECT_EQ(create("shop", {{"o", "mode=700"}}).value(), *made);
  EXPECT_EQ(create("shop", {{"mode", "0700"}, {"backend", "fake"}}).value(), *made);
}

TEST_F(ServiceTest, AnotherRequestNamesTheDifference) {
  ASSERT_TRUE(create("shop", {{"uid", "7"}}));
  const auto other = create("shop", {{"uid", "8"}});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kConflict);
  EXPECT_THAT(other.error().text, AllOf(HasSubstr("\"shop\""), HasSubstr("uid is 7, not 8")));
  EXPECT_THAT(create("shop").error().text, HasSubstr("uid is 7, not unset"));
  EXPECT_THAT(create("shop", {{"uid", "7"}, {"label.a", "b"}}).error().text,
              HasSubstr("label.a is not set, not b"));
}

TEST_F(ServiceTest, NothingIsStoredForARequestThatCannotBeHonoured) {
  EXPECT_EQ(create("shop", {{"inodes", "9"}}).error().code, Code::kUnsupported);
  EXPECT_EQ(create("shop", {{"sise", "1g"}}).error().code, Code::kInvalid);
  EXPECT_EQ(create("shop", {{"backend", "image"}}).error().code, Code::kUnsupported);
  EXPECT_EQ(create("shop", {{"type", "tmpfs"}, {"device", "tmpfs"}}).error().code,
            Code::kUnsupported);
  EXPECT_EQ(service->create({}).error().code, Code::kInvalid);
  EXPECT_TRUE(is_clean());
}

TEST_F(ServiceTest, LabelsOfTheRequestAndOfOptionsAreOne) {
  VolumeSpec plan = spec("shop", {{"label.a", "1"}});
  plan.labels = {{"b", "2"}};
  EXPECT_EQ(service->create(plan)->labels,
            (std::map<std::string, std::string>{{"a", "1"}, {"b", "2"}}));
  plan.labels = {{"a", "2"}};
  EXPECT_THAT(service->create(plan).error().text, HasSubstr("given twice"));
  plan.labels = {{"x", std::string("a\0", 2)}};
  EXPECT_EQ(service->create(plan).error().code, Code::kInvalid);
}

TEST_F(ServiceTest, RemoveLeavesNothing) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(service->remove("shop"));
  EXPECT_TRUE(is_clean());
  EXPECT_EQ(service->inspect("shop").error().code, Code::kNotFound);
  EXPECT_EQ(service->remove("shop").error().code, Code::kNotFound);
}

TEST_F(ServiceTest, AVolumeInUseIsNotRemovedAndTheUserIsNamed) {
  const auto made = create("shop");
  fake->set_users(made->id, "mounted at /data by sleep (pid 812)");
  const auto removed = service->remove("shop");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kInUse);
  EXPECT_THAT(removed.error().text, AllOf(HasSubstr("\"shop\""), HasSubstr("by sleep (pid 812)")));
  EXPECT_TRUE(service->inspect("shop"));
  EXPECT_TRUE(fake->has(made->id));
}

// Between its Mount and the moment in which the runtime binds the path, the kernel knows no user.
TEST_F(ServiceTest, ARemovalWaitsForAContainerThatIsStarting) {
  const auto made = create("shop");
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  std::jthread starts([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    fake->set_users(made->id, "mounted at /data by sleep (pid 812)");
  });
  EXPECT_EQ(service->remove("shop").error().code, Code::kInUse);
  EXPECT_TRUE(service->inspect("shop"));
}

TEST_F(ServiceTest, CountsAloneNeverRefuseARemoval) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(service->mount("shop", "docker", "lost"));
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_TRUE(is_clean());
}

TEST_F(ServiceTest, RetainKeepsTheDataUntilItsTime) {
  const auto made = create("shop", {{"retain", "1d"}});
  ASSERT_TRUE(service->remove("shop"));
  EXPECT_EQ(keys(), 1U);  // the record of what is in the trash
  EXPECT_TRUE(fake->has_trash());
  now += 86399;
  EXPECT_THAT(service->reconcile()->actions, IsEmpty());
  now += 1;
  EXPECT_EQ(service->reconcile()->actions,
            std::vector<std::string>{"emptied the trash of volume " + made->id});
  EXPECT_TRUE(is_clean());
}

TEST_F(ServiceTest, ARemovedNameIsFreeAtOnceAndAnotherVolume) {
  const auto first = create("shop", {{"retain", "1d"}});
  ASSERT_TRUE(service->remove("shop"));
  const auto second = create("shop");
  ASSERT_TRUE(second);
  EXPECT_NE(first->id, second->id);
}

TEST_F(ServiceTest, DockersMountsAreAMultiset) {
  ASSERT_TRUE(create("shop"));
  const auto mounted = service->mount("shop", "docker", "a");  // a container
  EXPECT_EQ(mounted->mountpoint, "/fake/" + mounted->id + "/_data");
  ASSERT_TRUE(service->mount("shop", "docker", "a"));  // docker cp into it
  ASSERT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_EQ(service->inspect("shop")->mounts, (std::vector<MountHint>{{"docker", "a", 1}}));
  EXPECT_EQ(fake->mounts(), 1);
  ASSERT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_EQ(fake->mounts(), 0);
}

TEST_F(ServiceTest, PodmansOneIdCountsItsContainers) {
  ASSERT_TRUE(create("shop"));
  for (int k = 0; k < 3; ++k) ASSERT_TRUE(service->mount("shop", "podman", "constant"));
  ASSERT_TRUE(service->mount("shop", "docker", "constant"));
  EXPECT_EQ(service->inspect("shop")->mounts,
            (std::vector<MountHint>{{"podman", "constant", 3}, {"docker", "constant", 1}}));
}

TEST_F(ServiceTest, UnmountingTheUnknownSucceeds) {
  EXPECT_TRUE(service->unmount("never-was", "docker", "a"));
  ASSERT_TRUE(create("shop"));
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_TRUE(service->unmount("shop", "docker", "b"));
  EXPECT_EQ(service->inspect("shop")->mounts.size(), 1U);
}

TEST_F(ServiceTest, ARebootVoidsAllCounts) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  restart("boot-2");
  EXPECT_THAT(service->inspect("shop")->mounts, IsEmpty());
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  ASSERT_TRUE(service->mount("shop", "docker", "b"));
  EXPECT_EQ(service->inspect("shop")->mounts, (std::vector<MountHint>{{"docker", "b", 1}}));
}

TEST_F(ServiceTest, ReconcileDropsVoidCountsOnce) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_THAT(service->reconcile()->actions, IsEmpty());
  restart("boot-2");
  EXPECT_EQ(service->reconcile()->actions.size(), 1U);
  EXPECT_THAT(service->reconcile()->actions, IsEmpty());
}

TEST_F(ServiceTest, MountingTheUnknownIsNotFound) {
  EXPECT_EQ(service->mount("shop", "docker", "a").error().code, Code::kNotFound);
}

TEST_F(ServiceTest, HostileNamesAreRefusedEverywhere) {
  for (const std::string& name :
       {std::string(), std::string("../x"), std::string("/etc"), std::string("a"),
        std::string("a/b"), std::string("a\0b", 3), std::string(65536, 'x'), std::string("-rf"),
        std::string(".."), std::string("a b"), std::string("\xff\xff")}) {
    EXPECT_EQ(service->remove(name).error().code, Code::kInvalid);
    EXPECT_EQ(service->mount(name, "docker", "a").error().code, Code::kInvalid);
    EXPECT_EQ(service->unmount(name, "docker", "a").error().code, Code::kInvalid);
    EXPECT_EQ(service->inspect(name).error().code, Code::kInvalid);
    EXPECT_LT(service->inspect(name).error().text.size(), 400U);
  }
  ASSERT_TRUE(create("shop"));
  EXPECT_EQ(service->mount("shop", "docker", std::string("\0", 1)).error().code, Code::kInvalid);
  EXPECT_THAT(service->inspect("shop")->mounts, IsEmpty());
}

TEST_F(ServiceTest, ListIsSortedByName) {
  for (const char* name : {"zebra", "apple", "mango"}) ASSERT_TRUE(create(name));
  std::vector<std::string> names;
  const auto listed = service->list();
  for (const Volume& volume : listed.value()) names.push_back(volume.name.str());
  EXPECT_EQ(names, (std::vector<std::string>{"apple", "mango", "zebra"}));
}

TEST_F(ServiceTest, StatusTellsTheReasonAndTroubleInHealth) {
  const auto made = create("shop");
  auto status = service->status(*made);
  EXPECT_EQ(status->health, "ok");
  EXPECT_EQ(status->in_use, false);
  EXPECT_THAT(status->reason, HasSubstr("default"));
  fake->lose(made->id);
  EXPECT_THAT(service->status(*made)->health, HasSubstr("missing"));
  fake->fail_next("status", {Code::kIo, 0, "disk on fire"});
  EXPECT_EQ(service->status(*made)->health, "disk on fire");
  Volume foreign = *made;
  foreign.backend = "image";
  EXPECT_THAT(service->status(foreign)->health, HasSubstr("not available"));
}

TEST_F(ServiceTest, AnUnreadableRecordHidesOnlyItself) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(store.commit({.preconditions = {},
                            .puts = {{"volume/bad", "{}"}, {"volume-name/bad", "\"bad\""}},
                            .deletes = {}}));
  EXPECT_EQ(service->list()->size(), 1U);
  EXPECT_EQ(service->inspect("bad").error().code, Code::kInternal);
  EXPECT_THAT(service->reconcile()->failures, ::testing::ElementsAre(HasSubstr("volume/bad")));
}

TEST_F(ServiceTest, ReconcileReportsLostDataAndStrays) {
  const auto made = create("shop");
  fake->lose(made->id);
  EXPECT_THAT(service->reconcile()->failures,
              ::testing::ElementsAre(AllOf(HasSubstr("\"shop\""), HasSubstr("missing"))));
}

TEST_F(ServiceTest, ThousandVolumesComeAndGo) {
  for (int k = 0; k < 1000; ++k) {
    ASSERT_TRUE(create("shop"));
    ASSERT_TRUE(service->remove("shop"));
  }
  EXPECT_TRUE(is_clean());
}

}  // namespace
}  // namespace fairlead::volume
