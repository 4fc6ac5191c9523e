// What only the SQLite store must do: several processes, sudden deaths, formats, full and read-only
// disks.
#include "base/state/sqlite_store.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <future>
#include <thread>

#include "base/state/sqlite_connection.h"
#include "base/state/sqlite_format.h"
#include "tests/conformance/store/stores.h"
#include "tests/support/paths.h"

namespace fairlead::state {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SqliteStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<Store> open() {
    auto opened = open_sqlite_store(path_);
    EXPECT_TRUE(opened) << opened.error().text;
    return opened ? std::move(*opened) : nullptr;
  }
  Error open_error() {
    auto opened = open_sqlite_store(path_);
    EXPECT_FALSE(opened) << "the database should have been refused";
    return opened ? Error{} : opened.error();
  }
  void run_sql(const char* sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }
  // The first column of the first row; -1 for an error.
  long long number_of(const char* sql) {
    const auto connection = Connection::open(path_, Connection::OnClose::kKeepLog);
    const auto number = connection ? (*connection)->number(sql) : fail(connection.error());
    return number ? *number : -1;
  }
  static unsigned mode_of(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777 : 0;
  }
  // Runs `body` in a child process; its exit code is what `body` returns.
  template <class Body>
  static pid_t spawn(Body body) {
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(body());
    return pid;
  }
  static int exit_code_of(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  TempFolder folder_;
  std::string path_ = folder_.path("state/state.db");
};

TEST_F(SqliteStoreTest, MakesItsFolderAndFileForRootOnly) {
  const auto store = open();
  ASSERT_TRUE(store->commit({.puts = {{"k", "1"}}}));
  EXPECT_EQ(mode_of(folder_.path("state")), 0700U);
  for (const char* suffix : {"", "-wal", "-shm"})
    EXPECT_EQ(mode_of(path_ + suffix), 0600U) << suffix;
}

TEST_F(SqliteStoreTest, KeepsWhatWasCommitted) {
  ASSERT_TRUE(open()->commit({.puts = {{"k", "1"}}, .durability = Durability::kDurable}));
  ASSERT_TRUE(open()->commit({.puts = {{"l", "2"}}}));
  const auto store = open();
  EXPECT_EQ((**store->get("k")).value, "1");
  EXPECT_EQ((**store->get("l")).revision, 2);
  EXPECT_EQ(*store->revision(), 2);
}

TEST_F(SqliteStoreTest, ALogWhoseDatabaseWasRemovedIsNotPlayedIntoTheNext) {
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(open()->commit({.puts = {{fmt::format("old/{}", i), std::string(2000, 'x')}}}));
  ASSERT_GT(std::filesystem::file_size(path_ + "-wal"), 0U);
  ASSERT_TRUE(std::filesystem::remove(path_));
  const auto store = open();
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->list("")->empty());
  EXPECT_TRUE(store->commit({.puts = {{"new", "1"}}, .durability = Durability::kDurable}));
  EXPECT_EQ(open()->list("")->size(), 1U);
}

TEST_F(SqliteStoreTest, ManyOpeningsAndCommitsKeepTheLogShort) {
  for (int i = 0; i < 400; ++i)
    ASSERT_TRUE(open()->commit({.puts = {{fmt::format("k/{}", i), std::string(2000, 'x')}}}));
  EXPECT_LT(std::filesystem::file_size(path_ + "-wal"), 2U << 20);
  EXPECT_EQ(open()->list("k/")->size(), 400U);
}

TEST_F(SqliteStoreTest, ProcessesThatMakeItAtTheSameTimeAgree) {
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i)
    children.push_back(spawn([&, i] {
      auto store = open_sqlite_store(path_);
      return store && (*store)->commit({.puts = {{"by/" + std::to_string(i), "1"}}}) ? 0 : 1;
    }));
  for (const pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
  EXPECT_EQ(open()->list("by/")->size(), 8U);
}

TEST_F(SqliteStoreTest, TwoProcessesLoseNoIncrement) {
  constexpr int kTimes = 200;
  const auto count_up = [&] {
    auto opened = open_sqlite_store(path_);
    if (!opened) return 1;
    for (int done = 0; done < kTimes;) {
      const auto found = (*opened)->get("counter");
      if (!found) return 2;
      const int count = *found ? std::stoi((*found)->value) : 0;
      const auto committed =
          (*opened)->commit({.preconditions = {{"counter", *found ? (*found)->revision : kAbsent}},
                             .puts = {{"counter", std::to_string(count + 1)}}});
      if (committed)
        ++done;
      else if (committed.error().code != Code::kConflict)
        return 3;
    }
    return 0;
  };
  const pid_t one = spawn(count_up), two = spawn(count_up);
  EXPECT_EQ(exit_code_of(one), 0);
  EXPECT_EQ(exit_code_of(two), 0);
  EXPECT_EQ((**open()->get("counter")).value, std::to_string(2 * kTimes));
}

// Runs the program that writes one record, with a fault point armed.
int write_with_fault(const std::string& path, const std::string& fault) {
  const std::string writer = fairlead::testing::built_path("tests/store_writer");
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("FAIRLEAD_FAULT", fault.c_str(), 1);
    ::execl(writer.c_str(), writer.c_str(), path.c_str(), "k", "theirs", nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A program of its own: a child of this process, where a watch runs, may have been forked while the
// watch was inside SQLite, whose locks then stay locked.
TEST_F(SqliteStoreTest, ACommitOfAnotherProcessIsSeenAndWatched) {
  const auto store = open();
  std::promise<std::string> reported;
  const auto watch = store->watch("k", 0, [&](const std::vector<Event>& events) {
    reported.set_value(events.front().record.value);
  });
  ASSERT_TRUE(watch);
  ASSERT_EQ(write_with_fault(path_, "none"), 0);
  EXPECT_EQ((**store->get("k")).value, "theirs");
  auto report = reported.get_future();
  ASSERT_EQ(report.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(report.get(), "theirs");
}

// A child commits pairs until it is killed. Pairs are always whole, and what was acknowledged is
// present.
TEST_F(SqliteStoreTest, AProcessKilledWhileItCommitsLeavesWholeCommits) {
  open();
  for (int round = 0; round < 20; ++round) {
    int acknowledged[2];
    ASSERT_EQ(::pipe(acknowledged), 0);
    const pid_t child = spawn([&] {
      auto store = open_sqlite_store(path_);
      if (!store) return 1;
      for (int i = 1;; ++i) {
        const std::string value = fmt::format("{}.{}", round, i);
        if (!(*store)->commit(
                {.puts = {{"pair/a", value}, {"pair/b", value}, {"n/" + value, "{}"}}}))
          return 2;
        if (::write(acknowledged[1], &i, sizeof i) != sizeof i) return 3;
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(3000 + round * 700));
    ::kill(child, SIGKILL);
    EXPECT_EQ(exit_code_of(child), 128 + SIGKILL);
    ::close(acknowledged[1]);
    int last = 0;
    for (int i = 0; ::read(acknowledged[0], &i, sizeof i) == sizeof i;) last = i;
    ::close(acknowledged[0]);

    const auto store = open();
    const auto pair = store->list("pair/");
    ASSERT_TRUE(pair);
    if (!pair->empty()) {
      EXPECT_EQ((*pair)[0].value, (*pair)[1].value);
    }
    if (last > 0) {
      EXPECT_TRUE(*store->get(fmt::format("n/{}.{}", round, last)))
          << "an acknowledged commit is lost";
    }
    EXPECT_TRUE(store->commit({.puts = {{"after", "1"}}})) << "the dead process holds a lock";
  }
}

TEST_F(SqliteStoreTest, AProcessKilledBeforeItsCommitEndsChangesNothing) {
  ASSERT_TRUE(open()->commit({.puts = {{"k", "1"}}}));
  EXPECT_EQ(write_with_fault(path_, "state.commit.applied"), 128 + SIGKILL);
  const auto store = open();
  EXPECT_EQ((**store->get("k")).value, "1");
  EXPECT_EQ(*store->revision(), 1);
  EXPECT_EQ(write_with_fault(path_, "none"), 0) << "the same call again succeeds";
  EXPECT_EQ((**store->get("k")).value, "theirs");
}

TEST_F(SqliteStoreTest, AProcessKilledWhileItMakesTheDatabaseLeavesNone) {
  EXPECT_EQ(write_with_fault(path_, "state.create.built"), 128 + SIGKILL);
  EXPECT_FALSE(std::filesystem::exists(path_));
  ASSERT_TRUE(open()->commit({.puts = {{"k", "1"}}}));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(SqliteStoreTest, AnOlderFormatIsBroughtUpToDate) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql("PRAGMA application_id=1179798596; PRAGMA journal_mode=WAL");
  const auto store = open();
  ASSERT_TRUE(store->commit({.puts = {{"k", "1"}}}));
  EXPECT_EQ((**store->get("k")).value, "1");
}

// Version 1 did not remember the values from before.
constexpr const char* kFirstFormat =
    "PRAGMA application_id=1179798596; PRAGMA user_version=1; PRAGMA journal_mode=WAL;"
    "CREATE TABLE record(key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) "
    "WITHOUT ROWID; CREATE TABLE change(id INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT);"
    "INSERT INTO record VALUES('k', '2', 7);"
    "INSERT INTO change VALUES(6 * 65536, 'k', '1'), (7 * 65536, 'k', '2')";

TEST_F(SqliteStoreTest, OfTheFirstFormatRecordsAndRevisionsStay) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql(kFirstFormat);
  const auto store = open();
  EXPECT_EQ((**store->get("k")).value, "2");
  EXPECT_EQ(store->revision().value(), 7);
  const auto ignore = [](const std::vector<Event>&) {};
  EXPECT_FALSE(store->watch("", 5, ignore)) << "what came before is not known";
  EXPECT_TRUE(store->watch("", 7, ignore));
  EXPECT_EQ(store->commit({.puts = {{"k", "3"}}})->revision, 8);
}

// Put back, it is the database as it was; the older Fairlead can go on with it.
TEST_F(SqliteStoreTest, ACopyOfAnOlderFormatIsKept) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql(kFirstFormat);
  ASSERT_TRUE(open()->commit({.puts = {{"k", "3"}}}));
  const std::string copy = copy_of_format(path_, 1);
  ASSERT_TRUE(std::filesystem::exists(copy));
  EXPECT_EQ(mode_of(copy), 0600);
  EXPECT_FALSE(std::filesystem::exists(copy + ".new"));
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  std::filesystem::rename(copy, path_);
  EXPECT_EQ(number_of("PRAGMA user_version"), 1);
  EXPECT_EQ(number_of("PRAGMA application_id"), kApplicationId);
  const auto store = open();
  EXPECT_EQ((**store->get("k")).value, "2");
  EXPECT_EQ(store->revision().value(), 7);
}

TEST_F(SqliteStoreTest, NothingIsCopiedWhereNothingIsMigrated) {
  open();
  open();
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path("state")))
    EXPECT_THAT(entry.path().string(), Not(HasSubstr("format"))) << entry.path();
}

TEST_F(SqliteStoreTest, ProcessesThatFindAnOlderFormatAtTheSameTimeAgree) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql(kFirstFormat);
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i)
    children.push_back(spawn([&] {
      const auto store = open_sqlite_store(path_);
      const auto record = store ? (*store)->get("k") : fail(store.error());
      return record && *record && (**record).value == "2" ? 0 : 1;
    }));
  for (const pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
  EXPECT_EQ(number_of("PRAGMA user_version"), kFormatVersion);
  EXPECT_TRUE(std::filesystem::exists(copy_of_format(path_, 1)));
}

TEST_F(SqliteStoreTest, AProcessKilledWhileItKeepsTheCopyChangesNothing) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql(kFirstFormat);
  EXPECT_EQ(write_with_fault(path_, "state.migrate.copied"), 128 + SIGKILL);
  EXPECT_EQ(number_of("PRAGMA user_version"), 1);
  EXPECT_EQ((**open()->get("k")).value, "2");
  EXPECT_FALSE(std::filesystem::exists(copy_of_format(path_, 1) + ".new"));
}

TEST_F(SqliteStoreTest, WithoutRoomForTheCopyAnOlderFormatStays) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql(kFirstFormat);
  std::filesystem::create_directories(copy_of_format(path_, 1) + ".new/in the way");
  const Error error = open_error();
  EXPECT_THAT(error.text, HasSubstr("keep a copy of the state database"));
  EXPECT_EQ(number_of("PRAGMA user_version"), 1);
}

TEST_F(SqliteStoreTest, ANewerFormatIsRefused) {
  open();
  run_sql("PRAGMA user_version=99");
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::kUnsupported);
  EXPECT_THAT(error.text, HasSubstr("newer Fairlead"));
  EXPECT_THAT(error.text, HasSubstr("format 99"));
}

TEST_F(SqliteStoreTest, ADatabaseOfSomethingElseIsRefused) {
  std::filesystem::create_directories(folder_.path("state"));
  run_sql("CREATE TABLE theirs(x)");
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::kIo);
  EXPECT_THAT(error.text, HasSubstr("not a database of Fairlead's"));
  EXPECT_THAT(error.text, HasSubstr(path_));
}

TEST_F(SqliteStoreTest, AFileThatIsNoDatabaseIsRefused) {
  std::filesystem::create_directories(folder_.path("state"));
  std::ofstream(path_) << std::string(8192, 'j');
  const Error error = open_error();
  EXPECT_EQ(error.code, Code::kIo);
  EXPECT_THAT(error.text, HasSubstr("damaged or not a database"));
  EXPECT_THAT(error.text, HasSubstr("move " + path_ + "* away"));
}

TEST_F(SqliteStoreTest, AnEmptyFileIsRefused) {
  std::filesystem::create_directories(folder_.path("state"));
  std::ofstream(path_).flush();
  EXPECT_EQ(open_error().code, Code::kIo);
}

TEST_F(SqliteStoreTest, DamageInsideIsAnErrorAndNoCrash) {
  {
    const auto store = open();
    for (int i = 0; i < 600; ++i)
      ASSERT_TRUE(store->commit({.puts = {{fmt::format("k/{:04}", i), std::string(900, 'x')}}}));
  }
  run_sql("PRAGMA wal_checkpoint(TRUNCATE)");
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(64 * 4096, '\xa5');
  file.close();
  auto opened = open_sqlite_store(path_);
  const auto listed =
      opened ? (*opened)->list("k/") : Result<std::vector<Record>>(fail(opened.error()));
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, Code::kIo);
  EXPECT_THAT(listed.error().text, HasSubstr("damaged"));
}

TEST_F(SqliteStoreTest, APathThroughAFileIsAnError) {
  std::ofstream(folder_.path("state")) << "a file";
  auto opened = open_sqlite_store(path_);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().text, HasSubstr("state folder"));
}

// Runs `body` in a child with a mount namespace of its own, on a small tmpfs. Returns 77 when that
// is not possible here.
constexpr int kCannot = 77;

template <class Body>
int on_small_disk(const std::string& folder, const char* size, Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool ready = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                       ::mount("fairlead-test", folder.c_str(), "tmpfs", 0, size) == 0;
    ::_exit(ready ? body() : kCannot);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(SqliteStoreTest, AFullDiskIsExhaustedAndHarmsNothing) {
  const int outcome = on_small_disk(folder_.path(), "size=2m", [&] {
    auto store = open_sqlite_store(path_);
    if (!store) return 1;
    if (!(*store)->commit({.puts = {{"first", "1"}}})) return 2;
    Result<CommitResult> done;
    int commits = 0;
    for (; done && commits < 10'000; ++commits)
      done = (*store)->commit({.puts = {{fmt::format("k/{}", commits), std::string(5000, 'x')}}});
    if (done || done.error().code != Code::kExhausted) return 3;
    if (done.error().text.find("full") == std::string::npos) return 4;
    if ((*(*store)->get("first"))->value != "1") return 5;
    return (*store)->list("k/")->size() == static_cast<std::size_t>(commits - 1) ? 0 : 6;
  });
  if (outcome == kCannot) GTEST_SKIP() << "needs the right to mount a tmpfs";
  EXPECT_EQ(outcome, 0);
}

TEST_F(SqliteStoreTest, AFullDiskLeavesNoHalfMadeDatabase) {
  const int outcome = on_small_disk(folder_.path(), "size=8k", [&] {
    const auto store = open_sqlite_store(path_);
    if (store) return 1;
    if (store.error().code != Code::kExhausted) return 2;
    return std::filesystem::exists(path_) || std::filesystem::exists(path_ + ".new") ? 3 : 0;
  });
  if (outcome == kCannot) GTEST_SKIP() << "needs the right to mount a tmpfs";
  EXPECT_EQ(outcome, 0);
}

TEST_F(SqliteStoreTest, AReadOnlyDiskIsSaidClearly) {
  const int outcome = on_small_disk(folder_.path(), "size=2m", [&] {
    {
      auto store = open_sqlite_store(path_);
      if (!store || !(*store)->commit({.puts = {{"k", "1"}}})) return 1;
    }
    if (::mount("none", folder_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
      return kCannot;
    auto store = open_sqlite_store(path_);
    const auto done = store ? (*store)->commit({.puts = {{"k", "2"}}})
                            : Result<CommitResult>(fail(store.error()));
    if (done) return 2;
    if (done.error().code != Code::kIo) return 3;
    return done.error().text.find("read-only") != std::string::npos ? 0 : 4;
  });
  if (outcome == kCannot) GTEST_SKIP() << "needs the right to mount a tmpfs";
  EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace fairlead::state
