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

TEST(Process, gives_back_output_errors_and_exit_code) {
  const auto done = run({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "out\n");
  EXPECT_EQ(done->err, "err\n");
  EXPECT_EQ(done->exit_code, 3);
}

TEST(Process, words_are_not_seen_by_a_shell) {
  const auto done = run({"printf", "%s|", "a b", "$(id)", "*", ""});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "a b|$(id)|*||");
}

TEST(Process, stdin_is_empty) {
  const auto done = run({"cat"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out, "");
  EXPECT_EQ(done->exit_code, 0);
}

TEST(Process, a_program_that_is_not_there_is_not_found) {
  const auto done = run({"fairlead-no-such-program"});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_NE(done.error().text.find("fairlead-no-such-program"), std::string::npos);
}

TEST(Process, past_the_deadline_it_is_killed) {
  const auto began = std::chrono::steady_clock::now();
  const auto done = run({"sleep", "30"}, milliseconds(100));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST(Process, a_program_that_closes_its_output_and_stays_is_killed_at_the_deadline_too) {
  const auto began = std::chrono::steady_clock::now();
  const auto done = run({"sh", "-c", "exec >&- 2>&-; sleep 30"}, milliseconds(200));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST(Process, a_signal_is_told_by_the_exit_code) {
  const auto done = run({"sh", "-c", "kill -TERM $$"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->exit_code, 128 + 15);
}

TEST(Process, a_flood_of_output_is_cut_and_does_not_block) {
  const auto done = run({"sh", "-c", "head -c 3000000 /dev/zero; head -c 300000 /dev/zero >&2"});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->out.size(), 1U << 20);
  EXPECT_EQ(done->err.size(), 64U << 10);
  EXPECT_EQ(done->exit_code, 0);
}

TEST(Process, descriptors_of_ours_are_not_passed_on) {
  const auto done = run({"sh", "-c", "ls /proc/self/fd | wc -l"});
  ASSERT_TRUE(done);
  EXPECT_LE(std::stoi(done->out), 4) << "stdin, stdout, stderr and that of ls itself";
}

TEST(Process, threads_may_run_programs_at_the_same_time) {
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

}  // namespace
}  // namespace fairlead
