// Every step of every verb fails once: nothing is half done, and the same call succeeds afterwards.
#include <gmock/gmock.h>

#include "tests/volume/service/world.h"

namespace fairlead::volume {
namespace {

using testing::FailingStore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Error kBroken{Code::kIo, EIO, "input/output error"};

class FailureTest : public testing::FakeServiceTest {};

TEST_F(FailureTest, ACreateThatTheBackendFailsLeavesNothing) {
  fake->fail_next("create", kBroken);
  EXPECT_THAT(create("shop").error().text, HasSubstr("create volume \"shop\": input/output error"));
  EXPECT_TRUE(is_clean());
  EXPECT_TRUE(create("shop"));
}

TEST_F(FailureTest, ACreateThatFailsAfterItsDataIsThereLeavesNothing) {
  fake->fail_after_create(kBroken);
  EXPECT_FALSE(create("shop"));
  EXPECT_TRUE(is_clean());
}

TEST_F(FailureTest, ACreateWhoseUndoFailsIsKnownAndHealed) {
  fake->fail_after_create(kBroken);
  fake->fail_next("discard", kBroken);
  EXPECT_FALSE(create("shop"));
  EXPECT_EQ(service->inspect("shop").error().code, Code::kNotFound);
  EXPECT_THAT(service->list().value(), IsEmpty());
  EXPECT_EQ(service->reconcile()->actions.size(), 1U);
  EXPECT_TRUE(is_clean());
}

class CommitFails : public FailureTest, public ::testing::WithParamInterface<FailingStore::When> {};

TEST_P(CommitFails, InCreate) {
  for (int nth = 1; nth <= 2; ++nth) {
    store.fail_commit(nth, GetParam());
    const auto made = create("shop");
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::kExhausted);
    ASSERT_TRUE(service->reconcile());
    EXPECT_TRUE(is_clean()) << nth;
  }
  EXPECT_TRUE(create("shop"));
}

TEST_P(CommitFails, InCreateAndInItsUndo) {
  store.fail_commit(2, GetParam(), 2);
  EXPECT_FALSE(create("shop"));
  store.heal();
  EXPECT_TRUE(create("shop"));  // heals it by itself
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_TRUE(is_clean());
}

TEST_P(CommitFails, InRemove) {
  for (int nth = 1; nth <= 2; ++nth) {
    ASSERT_TRUE(create("shop")) << nth;
    store.fail_commit(nth, GetParam());
    EXPECT_FALSE(service->remove("shop"));
    const auto again = service->remove("shop");
    EXPECT_TRUE(again || again.error().code == Code::kNotFound) << again.error().text;
    ASSERT_TRUE(service->reconcile());
    EXPECT_TRUE(is_clean()) << nth;
  }
}

// The failure is that of a full disk, and the count decides nothing.
TEST_P(CommitFails, InMountAndUnmount) {
  ASSERT_TRUE(create("shop"));
  store.fail_commit(1, GetParam());
  EXPECT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_EQ(fake->mounts(), 1);
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_EQ(fake->mounts(), 0);
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  store.fail_commit(1, GetParam());
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_EQ(fake->mounts(), 0);
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_TRUE(is_clean());
}

// That one user keeps the others away is what the count is for here.
TEST_P(CommitFails, InAMountThatIsToBeTheOnlyOne) {
  ASSERT_TRUE(create("shop", {{"access", "single"}}));
  store.fail_commit(1, GetParam());
  EXPECT_EQ(service->mount("shop", "docker", "a").error().code, Code::kExhausted);
  EXPECT_EQ(fake->mounts(), 0);
  EXPECT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_TRUE(is_clean());
}

INSTANTIATE_TEST_SUITE_P(When, CommitFails,
                         ::testing::Values(FailingStore::When::kBefore, FailingStore::When::kAfter),
                         [](const auto& when) {
                           return when.param == FailingStore::When::kBefore ? "before" : "after";
                         });

TEST_F(FailureTest, ARemovalThatCannotAskTheKernelIsRefused) {
  const auto made = create("shop");
  fake->fail_next("users", kBroken);
  EXPECT_FALSE(service->remove("shop"));
  EXPECT_EQ(service->inspect("shop").value(), *made);
}

TEST_F(FailureTest, ARemovalThatTheBackendFailsIsResumed) {
  ASSERT_TRUE(create("shop"));
  fake->fail_next("remove", kBroken);
  EXPECT_FALSE(service->remove("shop"));
  EXPECT_EQ(service->inspect("shop").error().code, Code::kNotFound);
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_TRUE(is_clean());
}

TEST_F(FailureTest, ACreateFinishesTheRemovalBeforeIt) {
  const auto first = create("shop", {{"uid", "7"}});
  fake->fail_next("remove", kBroken);
  EXPECT_FALSE(service->remove("shop"));
  const auto second = create("shop", {{"uid", "8"}});
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_FALSE(fake->has(first->id));
}

TEST_F(FailureTest, DataThatCannotBePurgedDoesNotFailTheRemoval) {
  ASSERT_TRUE(create("shop"));
  fake->fail_next("purge", kBroken);
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_EQ(keys(), 0U);
  EXPECT_TRUE(service->reconcile());
  EXPECT_TRUE(is_clean());
}

TEST_F(FailureTest, AFailedMountCountsNothing) {
  ASSERT_TRUE(create("shop"));
  fake->fail_next("mount", kBroken);
  EXPECT_THAT(service->mount("shop", "docker", "a").error().text,
              HasSubstr("mount volume \"shop\""));
  EXPECT_THAT(service->inspect("shop")->mounts, IsEmpty());
}

TEST_F(FailureTest, AFailedUnmountKeepsItsCount) {
  ASSERT_TRUE(create("shop"));
  ASSERT_TRUE(service->mount("shop", "docker", "a"));
  fake->fail_next("unmount", kBroken);
  EXPECT_FALSE(service->unmount("shop", "docker", "a"));
  EXPECT_EQ(service->inspect("shop")->mounts.size(), 1U);
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
}

TEST_F(FailureTest, OneVolumeThatCannotBeHealedDoesNotStopTheOthers) {
  ASSERT_TRUE(create("first"));
  ASSERT_TRUE(create("second"));
  fake->fail_next("remove", kBroken, 2);
  EXPECT_FALSE(service->remove("first"));
  EXPECT_FALSE(service->remove("second"));
  fake->fail_next("remove", kBroken, 1);
  const auto report = service->reconcile();
  EXPECT_GE(report->actions.size(), 1U);
  EXPECT_EQ(report->failures.size(), 1U);
  ASSERT_TRUE(service->reconcile());
  EXPECT_TRUE(is_clean());
}

}  // namespace
}  // namespace fairlead::volume
