// The client against Debian's sftp-server, over fast, slow, cut and hanging lines.
#include "volume/kernel/sftp_client.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <deque>

#include "tests/volume/scratch.h"
#include "tests/volume/sftp_server.h"

namespace fairlead::volume {
namespace {

using sftp::Open;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Line;
using ::testing::Not;
using testing::Scratch;
using namespace std::chrono_literals;

class SftpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::has_sftp_server()) GTEST_SKIP() << "openssh-sftp-server is not installed";
  }
  static std::unique_ptr<SftpClient> client(const Line& line = {}, SftpSettings settings = {}) {
    auto made = testing::connect(line, std::move(settings));
    EXPECT_TRUE(made) << made.error().text;
    return made ? std::move(*made) : nullptr;
  }
  // What the wait for the last of many calls says to which the server answers no more.
  Error stop_behind_many_calls(SftpClient& server, std::atomic<bool>& stopped) const {
    std::deque<SftpCall> calls;
    for (int i = 0; i < 50; ++i) calls.push_back(server.stat(scratch_.path()));
    stopped = true;
    const auto waited = server.wait_attributes(calls.back(), "stat");
    EXPECT_FALSE(waited);
    return waited ? Error{} : waited.error();
  }
  const Scratch scratch_;
};

TEST_F(SftpClientTest, WritesReadsRenamesAndRemoves) {
  const auto server = client();
  EXPECT_TRUE(server->can_sync());
  EXPECT_GT(server->read_size(), 200'000U);  // limits@openssh.com
  auto open = server->open(scratch_ / "a", Open::kNew);
  const auto handle = server->wait_handle(open, "create a");
  ASSERT_TRUE(handle) << handle.error().text;
  auto one = server->write(*handle, 0, "hello "), two = server->write(*handle, 6, "world");
  auto sync = server->sync(*handle), close = server->close(*handle);
  for (auto* call : {&one, &two, &sync, &close}) EXPECT_TRUE(server->wait(*call, "write"));
  EXPECT_EQ(testing::read_text(scratch_ / "a"), "hello world");
  testing::write_text(scratch_ / "b", "old");
  auto rename = server->rename(scratch_ / "a", scratch_ / "b");
  EXPECT_TRUE(server->wait(rename, "rename"));
  EXPECT_EQ(testing::read_text(scratch_ / "b"), "hello world");

  auto again = server->open(scratch_ / "b", Open::kRead);
  const auto file = server->wait_handle(again, "open b").value();
  std::array<char, 64> into{};
  auto read = server->read(file, 6, into);
  EXPECT_EQ(server->wait_read(read, "read").value(), 5U);
  EXPECT_EQ(std::string_view(into.data(), 5), "world");
  auto end = server->read(file, 11, into);
  EXPECT_EQ(server->wait_read(end, "read").value(), 0U);
  auto stat = server->stat(scratch_ / "b");
  EXPECT_EQ(server->wait_attributes(stat, "stat")->size, 11U);
  auto remove = server->remove(scratch_ / "b");
  EXPECT_TRUE(server->wait(remove, "remove"));
  EXPECT_FALSE(testing::is_there(scratch_ / "b"));
}

TEST_F(SftpClientTest, RefusalsAreErrorsOfTheirKind) {
  const auto server = client();
  auto missing = server->open(scratch_ / "none", Open::kRead);
  const auto none = server->wait_handle(missing, "open none");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_THAT(none.error().text,
              AllOf(HasSubstr("open none"), HasSubstr("nas"), HasSubstr("No such file")));
  testing::write_text(scratch_ / "there", "x");
  auto taken = server->open(scratch_ / "there", Open::kNew);
  EXPECT_EQ(server->wait_handle(taken, "create").error().code, Code::kIo);
  auto folder = server->open_folder(scratch_ / "there");
  EXPECT_FALSE(server->wait_handle(folder, "list"));
  // A reply of another kind than the one that was asked for is an error, not a crash.
  auto stat = server->stat(scratch_.path());
  EXPECT_FALSE(server->wait_handle(stat, "open"));
}

TEST_F(SftpClientTest, ManyRequestsAreUnderWayAtOnce) {
  const auto server = client({.delay = 50});
  const auto begun = std::chrono::steady_clock::now();
  std::deque<SftpCall> calls;
  for (int i = 0; i < 400; ++i) calls.push_back(server->stat(scratch_.path()));
  for (SftpCall& call : calls) EXPECT_TRUE(server->wait_attributes(call, "stat"));
  // One after the other they would take 40 s.
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
}

TEST_F(SftpClientTest, ACutLineEndsEveryWait) {
  const auto server = client({.after = 300'000});
  auto open = server->open(scratch_ / "a", Open::kNew);
  const auto handle = server->wait_handle(open, "create a").value();
  const std::string bytes(30'000, 'x');
  Status status;
  for (int i = 0; i < 50 && status; ++i) {
    auto write = server->write(handle, static_cast<std::uint64_t>(i) * bytes.size(), bytes);
    status = server->wait(write, "write a");
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kIo);
  EXPECT_THAT(status.error().text,
              AllOf(HasSubstr("write a"), HasSubstr("connection to nas is lost")));
  auto later = server->stat(scratch_.path());
  EXPECT_FALSE(server->wait_attributes(later, "stat"));
}

TEST_F(SftpClientTest, AHangingServerIsGivenUp) {
  const auto server = client({.end = "hang", .after = 300}, {.silence = 300ms});
  Status status;
  for (int i = 0; i < 50 && status; ++i) {
    auto stat = server->stat(scratch_.path());
    status = status_of(server->wait_attributes(stat, "stat"));
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kIo);
  EXPECT_THAT(status.error().text, HasSubstr("has not answered"));
}

TEST_F(SftpClientTest, AServerThatTakesNothingIsGivenUpToo) {
  const auto server = client({.end = "hang", .after = 300'000}, {.silence = 300ms});
  auto open = server->open(scratch_ / "a", Open::kNew);
  const auto handle = server->wait_handle(open, "create a").value();
  const std::string bytes(250'000, 'x');
  std::deque<SftpCall> calls;  // more than the line and its buffers hold
  for (int i = 0; i < 60; ++i) calls.push_back(server->write(handle, 0, bytes));
  EXPECT_EQ(server->wait(calls.back(), "write").error().code, Code::kIo);
}

TEST_F(SftpClientTest, AStopEndsAWaitAfterItsGrace) {
  std::atomic<bool> stopped = false;
  SftpSettings settings{.stopped = [&] { return stopped.load(); }};
  settings.grace = 200ms;
  const auto server = client({.end = "hang", .after = 300}, settings);
  const Error told = stop_behind_many_calls(*server, stopped);
  EXPECT_EQ(told.code, Code::kUnavailable);
  EXPECT_THAT(told.text, HasSubstr("stopped"));
}

TEST_F(SftpClientTest, AServerThatHangsIsLeftSoonAfterAStop) {
  std::atomic<bool> stopped = false;
  SftpSettings settings{.stopped = [&] { return stopped.load(); }};
  settings.grace = 24h;
  settings.hush = 200ms;
  const auto server = client({.end = "hang", .after = 300}, settings);
  EXPECT_THAT(stop_behind_many_calls(*server, stopped).text, HasSubstr("stopped"));
  auto last = server->remove(scratch_ / "lock");
  EXPECT_TRUE(server->is_answered(last));  // nothing is waited for any more
  const auto removed = server->wait(last, "remove", SftpClient::Patience::kLast);
  EXPECT_THAT(removed.error().text, HasSubstr("stopped"));
}

TEST_F(SftpClientTest, AServerThatAnswersIsHeardAfterAStop) {
  std::atomic<bool> stopped = false;
  SftpSettings settings{.stopped = [&] { return stopped.load(); }};
  settings.grace = settings.hush = 24h;
  const auto server = client({.delay = 100}, settings);  // every wait asks whether it was stopped
  stopped = true;
  for (int i = 0; i < 3; ++i) {
    auto stat = server->stat(scratch_.path());
    EXPECT_TRUE(server->wait_attributes(stat, "stat"));
  }
}

TEST_F(SftpClientTest, TheLastWordsOfTheProgramAreTheCause) {
  const auto made = testing::connect(
      {.server = {"/bin/sh", "-c", "echo 'ssh: Could not resolve hostname nas' >&2; exit 255"}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kIo);
  EXPECT_THAT(made.error().text, AllOf(HasSubstr("reach nas"), HasSubstr("Could not resolve")));
}

TEST_F(SftpClientTest, TextInPlaceOfSftpIsToldSo) {
  const auto made =
      testing::connect({.server = {"/bin/sh", "-c", "echo Welcome to the server; sleep 5"}});
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text, AllOf(HasSubstr("Welcome"), HasSubstr("must print nothing")));
}

// The script sends a right greeting, then a message of 2 GB.
void expect_nonsense_is_seen(const std::string& script) {
  const auto made = testing::connect({.server = {"/bin/sh", "-c", script}});
  ASSERT_TRUE(made) << made.error().text;
  auto stat = (*made)->stat("/");
  const auto waited = (*made)->wait_attributes(stat, "stat");
  ASSERT_FALSE(waited);
  EXPECT_THAT(waited.error().text, HasSubstr("2147483647 bytes"));
}

TEST_F(SftpClientTest, AServerThatSendsNonsenseIsLeft) {
  expect_nonsense_is_seen(
      R"(printf '\0\0\0\5\2\0\0\0\3'; head -c 9 >/dev/null; printf '\177\377\377\377'; sleep 5)");
}

TEST_F(SftpClientTest, NonsenseThatComesWithTheGreetingIsSeenAtOnce) {
  expect_nonsense_is_seen(R"(printf '\0\0\0\5\2\0\0\0\3\177\377\377\377'; exec sleep 20)");
}

TEST_F(SftpClientTest, NothingOfOursIsInheritedAndItEndsWithTheClient) {
  auto server = client();
  const pid_t pid = server->pid();
  const auto open = testing::entries_in("/proc/" + std::to_string(pid) + "/fd");
  EXPECT_LE(open, 5U);  // three, and what sftp-server opens itself
  server.reset();
  EXPECT_FALSE(testing::is_there("/proc/" + std::to_string(pid)));
}

}  // namespace
}  // namespace fairlead::volume
