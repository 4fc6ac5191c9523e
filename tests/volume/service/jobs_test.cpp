#include "volume/service/jobs.h"

#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "base/state/memory_store.h"
#include "tests/volume/scratch.h"

namespace fairlead::volume {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class JobsTest : public ::testing::Test {
 protected:
  // As another process: it has locks of its own.
  struct Process {
    explicit Process(JobsTest& test)
        : locks(test.scratch / "locks"),
          records(*test.store, locks, [&test] { return test.now; }),
          jobs(make_volume_jobs(*test.store, locks, test.verbs, [&test] { return test.now; })) {}
    NamedLocks locks;
    JobRecords records;
    std::unique_ptr<VolumeJobs> jobs;
  };
  static JobRun::Task task() { return {"backup", "shop", {{"to", "/backups"}}}; }
  // Tries until it is so, for a while; whether it came to be.
  static bool in_time(const std::function<bool()>& is_so) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    while (!is_so() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(5ms);
    return is_so();
  }
  Job only() {
    const auto listed = second.jobs->list();
    EXPECT_EQ(listed->size(), 1U);
    return listed->empty() ? Job{} : listed->front();
  }

  long long now = 1769860800;
  testing::Scratch scratch{testing::Where::kMemory};
  std::unique_ptr<state::Store> store = state::make_memory_store();
  std::vector<Job> resumed;
  std::map<std::string, JobVerb> verbs{{"backup", [this](const Job& job, const Progress&) {
                                          resumed.push_back(job);
                                          return LeftOut{.count = 3};
                                        }}};
  Process first{*this}, second{*this};
};

TEST_F(JobsTest, WhatItCouldNotKeepIsCounted) {
  JobRun run(first.records, task(), {});
  EXPECT_TRUE(run.end(Result<ArchiveReport>(ArchiveReport{.left_out = {.count = 2, .notes = {}}})));
  EXPECT_EQ(only().state, JobState::kDone);
  EXPECT_EQ(only().left_out, 2U);
}

TEST_F(JobsTest, ARunIsSeenFromItsStartToItsEnd) {
  JobRun run(first.records, task(), {});
  EXPECT_EQ(only().state, JobState::kRunning);
  EXPECT_EQ(only().arguments, task().arguments);
  EXPECT_EQ(only().started, now);
  EXPECT_THAT(only().id, ::testing::StartsWith("20260131-120000-"));
  now += 5;
  EXPECT_TRUE(run.end(Status()));
  EXPECT_EQ(only().state, JobState::kDone);
  EXPECT_EQ(only().ended, now);
}

TEST_F(JobsTest, ProgressIsWrittenNowAndThen) {
  JobRun run(first.records, task(), {});
  const auto tell = run.progress();
  EXPECT_TRUE(tell(1, 10));
  EXPECT_EQ(only().done, 0U);
  EXPECT_TRUE(in_time([&] { return !tell(5, 10) || only().done != 0; }));
  EXPECT_EQ(only().done, 5U);
  EXPECT_EQ(only().total, 10U);
  EXPECT_TRUE(run.end(Status()));
  EXPECT_EQ(only().done, 10U);
}

TEST_F(JobsTest, AShortOneIsNeverSeenUnlessItWantsToBe) {
  {
    JobRun run(first.records, task(), {}, JobSeen::kWhenLong);
    EXPECT_TRUE(run.progress()(1, 10));
    EXPECT_TRUE(run.end(Status()));
  }
  EXPECT_TRUE(second.jobs->list()->empty());
  JobRun run(first.records, task(), {}, JobSeen::kWhenLong);
  EXPECT_TRUE(in_time([&] { return !run.progress()(1, 10) || !second.jobs->list()->empty(); }));
  EXPECT_EQ(only().state, JobState::kRunning);
}

TEST_F(JobsTest, AFailureIsKeptWithItsReason) {
  JobRun run(first.records, task(), {});
  EXPECT_FALSE(run.end(Status(fail(Code::kIo, "disk on fire"))));
  EXPECT_EQ(only().state, JobState::kFailed);
  EXPECT_EQ(only().error, "disk on fire");
}

TEST_F(JobsTest, AStopReachesTheOtherProcess) {
  JobRun run(first.records, task(), {});
  ASSERT_TRUE(second.jobs->stop(only().id));
  EXPECT_TRUE(in_time([&] { return !run.progress()(1, 10); }));
  EXPECT_FALSE(run.end(Status(fail(Code::kUnavailable, "it was stopped"))));
  EXPECT_EQ(only().state, JobState::kStopped);
  EXPECT_EQ(second.jobs->stop(only().id).error().code, Code::kConflict);
}

TEST_F(JobsTest, TheOuterProgressStopsItToo) {
  JobRun run(first.records, task(), [](std::uint64_t, std::uint64_t) { return false; });
  EXPECT_FALSE(run.progress()(1, 10));
  EXPECT_FALSE(run.end(Status(fail(Code::kUnavailable, "it was stopped"))));
  EXPECT_EQ(only().state, JobState::kStopped);
}

TEST_F(JobsTest, UnknownIdsAreNotFound) {
  for (const char* id : {"", "../x", "20260131-120000-ffff", "A", "a/b"}) {
    EXPECT_EQ(second.jobs->stop(id).error().code, Code::kNotFound) << id;
    EXPECT_EQ(second.jobs->resume(id, {}).error().code, Code::kNotFound) << id;
  }
}

TEST_F(JobsTest, ARecordWithoutALockIsAnInterruptedJobThatCanBeResumed) {
  ASSERT_TRUE(first.records.put({.id = "20260131-120000-abcd",
                                 .verb = "backup",
                                 .volume = "shop",
                                 .arguments = task().arguments,
                                 .started = now}));
  EXPECT_EQ(only().state, JobState::kInterrupted);
  const auto again = second.jobs->resume(only().id, {});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->count, 3U);
  ASSERT_EQ(resumed.size(), 1U);
  EXPECT_EQ(resumed.front().arguments, task().arguments);
  EXPECT_TRUE(second.jobs->list()->empty());
}

TEST_F(JobsTest, AJobThatIsResumedKeepsItsId) {
  {
    JobRun run(first.records, task(), {});
    EXPECT_FALSE(run.end(Status(fail(Code::kIo, "no"))));
  }
  const std::string id = only().id;
  ASSERT_TRUE(
      first.records.ask_to_stop(id));  // too late for the first run, and no word to the next
  verbs["backup"] = [&](const Job& job, const Progress& progress) -> Result<LeftOut> {
    JobRun run(second.records, {.verb = "backup", .volume = job.volume, .arguments = {}}, progress,
               JobSeen::kWhenLong);
    EXPECT_EQ(only().id, id);
    EXPECT_EQ(only().state, JobState::kRunning);
    EXPECT_FALSE(second.records.is_asked_to_stop(id));
    EXPECT_EQ(first.jobs->resume(id, {}).error().code, Code::kConflict);  // by two at once
    JobRun other(second.records, {.verb = "clone", .volume = "x", .arguments = {}}, {},
                 JobSeen::kWhenLong);
    return run.end(Result<LeftOut>(LeftOut{}));
  };
  Process third{*this};
  ASSERT_TRUE(third.jobs->resume(id, {}));
  EXPECT_EQ(only().id, id);
  EXPECT_EQ(only().state, JobState::kDone);
}

TEST_F(JobsTest, WhatRunsOrIsDoneIsNotResumed) {
  JobRun run(first.records, task(), {});
  EXPECT_EQ(second.jobs->resume(only().id, {}).error().code, Code::kConflict);
  EXPECT_TRUE(run.end(Status()));
  EXPECT_EQ(second.jobs->resume(only().id, {}).error().code, Code::kConflict);
}

TEST_F(JobsTest, AVerbThatNobodyKnowsSaysSo) {
  {
    JobRun run(first.records, {"melt", "shop", {}}, {});
    EXPECT_FALSE(run.end(Status(fail(Code::kIo, "no"))));
  }
  EXPECT_THAT(second.jobs->resume(only().id, {}).error().text, HasSubstr("give the command again"));
}

TEST_F(JobsTest, TheirRecordsAreTheReviewedBytes) {
  Job job{.id = "20260131-120000-ab", .verb = "backup", .volume = "shop", .started = now};
  job.state = JobState::kFailed;
  job.arguments = {{"to", "/backups"}};
  const auto text_of = [&] {
    EXPECT_TRUE(first.records.put(job));
    return store->get("volume-job/" + job.id).value()->value;
  };
  EXPECT_EQ(text_of(),
            R"({"arguments":{"to":"/backups"},"done":0,"started":1769860800,"state":"failed",)"
            R"("total":0,"verb":"backup","volume":"shop"})");
  job.done = 1;
  job.total = 2;
  job.ended = now + 1;
  job.error = "it burnt";
  EXPECT_EQ(text_of(),
            R"({"arguments":{"to":"/backups"},"done":1,"ended":1769860801,"error":"it burnt",)"
            R"("started":1769860800,"state":"failed","total":2,"verb":"backup","volume":"shop"})");
  const auto found = second.records.find(job.id);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->id, job.id);
  EXPECT_EQ(found->error, job.error);
  EXPECT_EQ(found->ended, job.ended);
}

TEST_F(JobsTest, ADamagedRecordNamesItsField) {
  ASSERT_TRUE(store->commit({.preconditions = {},
                             .puts = {{"volume-job/x", R"({"verb":"backup","volume":7})"}},
                             .deletes = {},
                             .durability = state::Durability::kBoot}));
  const auto found = first.records.find("x");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kInternal);
  EXPECT_THAT(found.error().text, HasSubstr("volume-job/x"));
  EXPECT_THAT(found.error().text, HasSubstr("field volume must be a string"));
}

TEST_F(JobsTest, TheyAreForgottenAfterAWeek) {
  EXPECT_TRUE(JobRun(first.records, task(), {}).end(Status()));
  now += 7 * 86400 - 1;
  EXPECT_EQ(second.jobs->list()->size(), 1U);
  now += 1;
  EXPECT_TRUE(second.jobs->list()->empty());
  EXPECT_TRUE(store->list("", "", 0)->empty());
}

TEST_F(JobsTest, AnUnreadableRecordHidesOnlyItself) {
  ASSERT_TRUE(store->commit(
      {.preconditions = {}, .puts = {{"volume-job/20260131-120000-0000", "{}"}}, .deletes = {}}));
  JobRun run(first.records, task(), {});
  EXPECT_EQ(only().verb, "backup");
}

}  // namespace
}  // namespace fairlead::volume
