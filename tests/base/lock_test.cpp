#include "base/lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fairlead {
namespace {

using std::chrono::milliseconds;

class LockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "fairlead-lock-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder() const { return folder_ / "run" / "locks"; }

  // A process that holds the lock until it is killed. Returns when it has it.
  pid_t process_that_holds(const std::string& name) {
    std::array<int, 2> ready{};
    EXPECT_EQ(::pipe(ready.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      NamedLocks locks(folder());
      const auto held = locks.lock(name, milliseconds(5000));
      if (held && ::write(ready[1], "x", 1) == 1) ::pause();
      ::_exit(1);
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    ::close(ready[1]);
    return child;
  }
  static void end(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }

  std::filesystem::path folder_;
};

TEST_F(LockTest, MakesItsFolderForRootOnly) {
  NamedLocks locks(folder());
  EXPECT_TRUE(locks.lock("network-a", milliseconds(100)));
  struct stat status {};
  ASSERT_EQ(::stat(folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(LockTest, IsFreeAgainWhenTheGuardGoes) {
  NamedLocks locks(folder());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(locks.lock("a", milliseconds(100)));
}

TEST_F(LockTest, TwoNamesDoNotWaitForEachOther) {
  NamedLocks locks(folder());
  const auto a = locks.lock("a", milliseconds(100));
  const auto b = locks.lock("b", milliseconds(100));
  EXPECT_TRUE(a && b);
}

TEST_F(LockTest, AThreadThatWaitsTooLongIsToldWhatIsBusy) {
  NamedLocks locks(folder());
  const auto held = locks.lock("network-a", milliseconds(100));
  ASSERT_TRUE(held);
  std::jthread([&] {
    const auto refused = locks.lock("network-a", milliseconds(50));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kUnavailable);
    EXPECT_NE(refused.error().text.find("network-a is busy"), std::string::npos);
  }).join();
}

TEST_F(LockTest, ThreadsTakeTurns) {
  NamedLocks locks(folder());
  int unguarded = 0;
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          const auto held = locks.lock("a", milliseconds(10'000));
          if (held)
            unguarded = unguarded + 1;
          else
            ++failures;
        }
      });
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(unguarded, 200);
}

TEST_F(LockTest, AnotherProcessHoldsItToo) {
  const pid_t other = process_that_holds("a");
  NamedLocks locks(folder());
  const auto refused = locks.lock("a", milliseconds(50));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_NE(refused.error().text.find("a is busy"), std::string::npos);
  EXPECT_TRUE(locks.lock("b", milliseconds(50)));
  end(other);
}

TEST_F(LockTest, AKilledProcessHoldsItNoMore) {
  const pid_t other = process_that_holds("a");
  end(other);
  NamedLocks locks(folder());
  EXPECT_TRUE(locks.lock("a", milliseconds(1000)));
}

TEST_F(LockTest, WhoeverWaitsGetsItWhenTheOtherProcessEnds) {
  const pid_t other = process_that_holds("a");
  NamedLocks locks(folder());
  std::jthread killer([&] {
    std::this_thread::sleep_for(milliseconds(50));
    end(other);
  });
  EXPECT_TRUE(locks.lock("a", milliseconds(10'000)));
}

// Those who wait for the file's lock, as /proc/locks shows them: "1: -> FLOCK ... 00:1a:4711 0 EOF".
std::size_t waiting_for(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return 0;
  const std::string inode = ":" + std::to_string(status.st_ino) + " ";
  std::ifstream locks("/proc/locks");
  std::size_t waiting = 0;
  for (std::string line; std::getline(locks, line);)
    waiting += line.find("->") != std::string::npos && line.find(inode) != std::string::npos;
  return waiting;
}

TEST_F(LockTest, IsGivenInTheOrderOfComing) {
  constexpr std::size_t kMany = 200;
  NamedLocks locks(folder());
  std::optional<Result<NamedLocks::Guard>> held = locks.lock("a", milliseconds(100));
  ASSERT_TRUE(held->has_value());
  std::vector<std::size_t> order;  // written by whoever has the lock
  std::atomic<int> failures{0};
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] {
      const auto mine = NamedLocks(folder()).lock("a", milliseconds(60'000));
      if (mine)
        order.push_back(i);
      else
        ++failures;
    });
    while (waiting_for(std::filesystem::path(folder()) / "a") != i + 1) std::this_thread::yield();
  }
  held.reset();
  threads.clear();
  EXPECT_EQ(failures, 0);
  ASSERT_EQ(order.size(), kMany);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_F(LockTest, ASignalForSomebodyElseDoesNotEndTheWait) {
  NamedLocks locks(folder());
  std::optional<Result<NamedLocks::Guard>> held = locks.lock("a", milliseconds(100));
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR2, &action, &before), 0);
  std::atomic<bool> has_it{false};
  std::jthread waiter([&] { has_it = locks.lock("a", milliseconds(60'000)).has_value(); });
  while (waiting_for(std::filesystem::path(folder()) / "a") != 1) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) {
    ::pthread_kill(waiter.native_handle(), SIGUSR2);
    std::this_thread::yield();
  }
  EXPECT_FALSE(has_it);
  held.reset();
  waiter.join();
  EXPECT_TRUE(has_it);
  ::sigaction(SIGUSR2, &before, nullptr);
}

// As a thread of a program that takes its signals by sigwait() has them.
TEST_F(LockTest, WaitsNoLongerThanItsDeadlineWhereSignalsAreBlocked) {
  NamedLocks locks(folder());
  const auto held = locks.lock("a", milliseconds(100));
  ASSERT_TRUE(held);
  std::jthread([&] {
    sigset_t all, after;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    EXPECT_FALSE(locks.lock("a", milliseconds(20)));
    ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
    EXPECT_EQ(::sigismember(&after, SIGRTMIN + 5), 1);
  }).join();
}

TEST_F(LockTest, AGuardCanBeMoved) {
  NamedLocks locks(folder());
  auto held = locks.lock("a", milliseconds(100));
  ASSERT_TRUE(held);
  std::optional<NamedLocks::Guard> elsewhere(std::move(*held));
  std::jthread([&] { EXPECT_FALSE(locks.lock("a", milliseconds(20))); }).join();
  elsewhere.reset();
  EXPECT_TRUE(locks.lock("a", milliseconds(100)));
}

}  // namespace
}  // namespace fairlead
