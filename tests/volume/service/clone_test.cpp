// Clones: at once, behind the answer, and stopped half way.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/volume/service/world.h"
#include "volume/service/clone_jobs.h"
#include "volume/service/jobs.h"

namespace fairlead::volume {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CloneTest : public testing::FakeServiceTest {
 protected:
  void SetUp() override {
    source = create("shop", {{"size", "1g"}, {"uid", "7"}}).value();
    fake->write(source.id, "goods");
  }
  Result<Volume> told(const std::string& name, const testing::Texts& options,
                      const Progress& progress) {
    return testing::create_volume(*service, name, options, progress);
  }
  static bool go_on(std::uint64_t, std::uint64_t) { return true; }

  Volume source;
};

TEST_F(CloneTest, ItHasTheContentAndTheLimitOfItsSource) {
  const auto clone = create("copy", {{"from", "shop"}});
  ASSERT_TRUE(clone) << clone.error().text;
  EXPECT_EQ(fake->read(clone->id), "goods");
  EXPECT_EQ(to_map(clone->options), (testing::Texts{{"from", "shop"}, {"size", "1g"}}));
  fake->write(clone->id, "sold");
  EXPECT_EQ(fake->read(source.id), "goods");
}

TEST_F(CloneTest, ASnapshotIsClonedAsItWas) {
  ASSERT_TRUE(service->take_snapshot("shop", "monday", {}));
  fake->write(source.id, "sold");
  const auto clone = create("copy", {{"from", "shop@monday"}, {"size", "2g"}});
  ASSERT_TRUE(clone) << clone.error().text;
  EXPECT_EQ(fake->read(clone->id), "goods");
  EXPECT_EQ(fake->size(clone->id), 2ULL << 30);
}

TEST_F(CloneTest, TheSameCallAgainSucceedsAlsoWithoutTheSource) {
  const auto clone = create("copy", {{"from", "shop"}});
  EXPECT_EQ(create("copy", {{"from", "shop"}}).value(), *clone);
  ASSERT_TRUE(service->remove("shop"));
  EXPECT_EQ(create("copy", {{"from", "shop"}}).value(), *clone);
  EXPECT_EQ(told("copy", {{"from", "shop"}}, go_on).value(), *clone);
  EXPECT_THAT(create("copy", {{"from", "shop"}, {"size", "5g"}}).error().text,
              HasSubstr("size is 1g, not 5g"));
  EXPECT_EQ(create("copy", {{"from", "other"}}).error().code, Code::kConflict);
  EXPECT_EQ(create("copy").error().code, Code::kConflict);
}

TEST_F(CloneTest, WhatCannotBeIsRefusedAndLeavesNothing) {
  EXPECT_EQ(create("copy", {{"from", "nothing"}}).error().code, Code::kNotFound);
  EXPECT_THAT(create("copy", {{"from", "shop@never"}}).error().text,
              AllOf(HasSubstr("\"shop\""), HasSubstr("no snapshot \"never\"")));
  EXPECT_EQ(create("copy", {{"from", "copy"}}).error().code, Code::kInvalid);
  EXPECT_EQ(create("copy", {{"from", "shop"}, {"uid", "5"}}).error().code, Code::kInvalid);
  const auto other = create("copy", {{"from", "shop"}, {"backend", "image"}});
  EXPECT_EQ(other.error().code, Code::kUnsupported);
  EXPECT_THAT(other.error().text, HasSubstr("export"));
  EXPECT_EQ(create("copy", {{"from", "shop"}, {"pool", "fast"}}).error().code, Code::kUnsupported);
  EXPECT_EQ(keys(), 2U);
  EXPECT_EQ(fake->leftovers(), 1U);
}

TEST_F(CloneTest, AStoppedCopyLeavesNothing) {
  fake->copy_slowly(100, 5ms);
  int calls = 0;
  const auto stopped =
      told("copy", {{"from", "shop"}}, [&](std::uint64_t, std::uint64_t) { return ++calls < 3; });
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  EXPECT_EQ(keys(), 2U);
  EXPECT_EQ(fake->leftovers(), 1U);
}

TEST_F(CloneTest, ACopyStandsInTheJobsWhileItRunsAndAfter) {
  fake->copy_slowly(20, 50ms);
  JobRecords jobs(store, locks, [this] { return now; });
  std::optional<Job> seen;
  const auto made = told("copy", {{"from", "shop"}}, [&](std::uint64_t done, std::uint64_t) {
    if (done == 19) std::thread([&] { seen = jobs.running("copy"); }).join();
    return true;
  });
  ASSERT_TRUE(made) << made.error().text;
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->verb, "clone");
  EXPECT_EQ(seen->total, 20U);
  const auto all = jobs.all();
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().state, JobState::kDone);
  EXPECT_EQ(all->front().done, 20U);
}

TEST_F(CloneTest, ASlowOneGoesOnBehindTheAnswer) {
  fake->copy_slowly(60, 100ms);  // 6 s: longer than a caller waits
  const auto begun = std::chrono::steady_clock::now();
  const auto first = create("copy", {{"from", "shop"}});
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);  // Podman's patience
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::kUnavailable);
  EXPECT_THAT(first.error().text, AllOf(HasSubstr("still being copied"), HasSubstr("%")));
  EXPECT_EQ(service->inspect("copy").error().code, Code::kNotFound);
  Result<Volume> again = fail(Code::kUnavailable, "not yet");
  for (int k = 0; k < 10 && !again; ++k) again = create("copy", {{"from", "shop"}});
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(fake->read(again->id), "goods");
}

TEST_F(CloneTest, AServiceThatEndsLeavesNoHalfCopy) {
  fake->copy_slowly(1000, 10ms);
  EXPECT_FALSE(create("copy", {{"from", "shop"}}));
  restart();
  EXPECT_EQ(store.list("volume/", "", 0)->size(), 1U);
  EXPECT_EQ(fake->leftovers(), 1U);
}

TEST_F(CloneTest, ASnapshotIsCopiedWhileItsVolumeIsMounted) {
  ASSERT_TRUE(service->take_snapshot("shop", "monday", {}));
  fake->copy_slowly(20, 50ms);
  bool checked = false;
  const auto made = told("copy", {{"from", "shop@monday"}}, [&](std::uint64_t done, std::uint64_t) {
    if (done != 2) return true;
    std::thread([&] {
      EXPECT_TRUE(service->mount("shop", "docker", "a"));
      EXPECT_TRUE(service->unmount("shop", "docker", "a"));
      const auto dropped = service->drop_snapshot("shop", "monday");
      EXPECT_EQ(dropped.error().code, Code::kInUse) << dropped.error().text;
      EXPECT_EQ(service->remove("shop").error().code, Code::kInUse);
      checked = true;
    }).join();
    return true;
  });
  EXPECT_TRUE(made) << made.error().text;
  EXPECT_TRUE(checked);
}

TEST(CloneJobs, AFailureIsToldOnceAndThenTriedAgain) {
  CloneJobs copies;
  int runs = 0;
  std::promise<void> go;
  const auto work = [&, started = go.get_future().share()](const Progress&) -> Result<Volume> {
    ++runs;
    started.wait();
    return fail(Code::kIo, "input/output error");
  };
  EXPECT_EQ(copies.wait_for("a", "w", work, 1ms).error().code, Code::kUnavailable);
  EXPECT_EQ(copies.wait_for("a", "other", work, 1ms).error().code, Code::kUnavailable);
  go.set_value();
  EXPECT_EQ(copies.wait_for("a", "w", work, 30s).error().code, Code::kIo);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(copies.wait_for("a", "w", work, 30s).error().code, Code::kIo);
  EXPECT_EQ(runs, 2);
}

TEST(CloneJobs, ASuccessNobodyTookIsNotToldLater) {
  CloneJobs copies;
  std::atomic<int> runs = 0;
  const auto work = [&](const Progress&) -> Result<Volume> {
    std::this_thread::sleep_for(20ms);
    return Volume{.id = std::to_string(++runs)};
  };
  EXPECT_FALSE(copies.wait_for("a", "w", work, 1ms));
  while (runs == 0) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(100ms);  // it is put down behind the work's back
  EXPECT_EQ(copies.wait_for("a", "w", work, 30s)->id, "2");
}

}  // namespace
}  // namespace fairlead::volume
