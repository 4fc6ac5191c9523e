#include "base/process.h"

#include <gtest/gtest.h>

#include <thread>

namespace fairlead {
namespace {

using std::chrono::milliseconds;

Result<ProcessResult> run(std::vector<std::string> words,
                          milliseconds deadline = milliseconds(10'000)) {
  return run_process(words, deadline);
}

TEST(Process, GivesBackOutputErrorsAndExitCode) {
  const auto done = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "out\n");
  EXPECT_EQ(done->err, "err\n");
  EXPECT_EQ(done->exit_code, 3);
}

TEST(Process, WordsAreNotSeenByAShell) {
  const auto done = run({"printf", "%s|", "a b", "$(id)", "*", ""});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "a b|$(id)|*||");
}

TEST(Process, StdinIsEmpty) {
  const auto done = run({"cat"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "");
  EXPECT_EQ(done->exit_code, 0);
}

TEST(Process, AProgramThatIsNotThereIsNotFound) {
  const auto done = run({"fairlead-no-such-program"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_NE(done.error().text.find("fairlead-no-such-program"), std::string::npos);
}

TEST(Process, PastTheDeadlineItIsKilled) {
  const auto began = std::chrono::steady_clock::now();
  const auto done = run({"sleep", "30"}, milliseconds(100));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST(Process, AProgramThatClosesItsOutputAndStaysIsKilledAtTheDeadlineToo) {
  const auto began = std::chrono::steady_clock::now();
  const auto done = run({"sh", "-c", "exec >&- 2>&-; sleep 30"}, milliseconds(200));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST(Process, ASignalIsToldByTheExitCode) {
  const auto done = run({"sh", "-c", "kill -TERM $$"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 128 + 15);
}

TEST(Process, AFloodOfOutputIsCutAndDoesNotBlock) {
  const auto done = run({"sh", "-c", "head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out.size(), 1U << 20);
  EXPECT_EQ(done->err.size(), 64U << 10);
  EXPECT_EQ(done->exit_code, 0);
}

TEST(Process, DescriptorsOfOursAreNotPassedOn) {
  const auto done = run({"sh", "-c", "ls /proc/self/fd | wc -l"});
  ASSERT_TRUE(done);
  EXPECT_LE(std::stoi(done->out), 4) << "stdin, stdout, stderr and that of ls itself";
}

TEST(Process, ThreadsMayRunProgramsAtTheSameTime) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int i = 0; i < 5; ++i) {
        const auto done = run({"echo", std::to_string(t)});
        ASSERT_TRUE(done);
        EXPECT_EQ(done->out, std::to_string(t) + "\n");
      }
    });
}

// In a process of its own, because nothing can be started in it any more.
TEST(ProcessDeathTest, AtTheEndWhatRunsIsKilledAndNothingIsStarted) {
  const auto story = [] {
    const auto start = std::chrono::steady_clock::now();
    std::thread ending([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      stop_processes();
    });
    const auto killed = run({"sleep", "60"});
    ending.join();
    const auto refused = run({"true"});
    const bool in_time = std::chrono::steady_clock::now() - start < std::chrono::seconds(30);
    std::fprintf(stderr, "%s; %s", killed ? "done" : killed.error().text.c_str(),
                 refused ? "done" : refused.error().text.c_str());
    std::_Exit(in_time ? 0 : 1);
  };
  EXPECT_EXIT(story(), ::testing::ExitedWithCode(0),
              "run sleep: this process is ending; run true: this process is ending");
}

}  // namespace
}  // namespace fairlead
