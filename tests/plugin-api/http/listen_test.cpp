#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/plugin-api/http/http_fixture.h"

namespace fairlead::http::testing {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
  return info.st_mode & 07777U;
}

TEST(ListenUnix, MakesMissingFoldersAndSetsTheMode) {
  const TemporaryFolder folder;
  const std::string path = folder / "run/docker/plugins/fairlead.sock";
  const auto socket = listen_unix(path, 0660, "root");
  ASSERT_TRUE(socket) << socket.error().text;
  EXPECT_EQ(mode_of(path), 0660U);
  EXPECT_EQ(mode_of(folder / "run/docker/plugins"), 0755U);
  EXPECT_TRUE(RawClient(path).connected());
}

TEST(ListenUnix, ReplacesASocketThatNobodyListensOn) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.sock";
  { const auto first = listen_unix(path, 0600, ""); }
  EXPECT_FALSE(RawClient(path).connected());
  const auto second = listen_unix(path, 0600, "");
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_TRUE(RawClient(path).connected());
}

TEST(ListenUnix, RefusesASocketThatIsServed) {
  const TemporaryFolder folder;
  const std::string path = folder / "a.sock";
  const auto first = listen_unix(path, 0600, "");
  ASSERT_TRUE(first);
  const auto second = listen_unix(path, 0600, "");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kInUse);
  EXPECT_TRUE(RawClient(path).connected());
}

TEST(ListenUnix, LeavesAFileThatIsNotASocket) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  { const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }
  const auto socket = listen_unix(path, 0600, "");
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code, Code::kExists);
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST(ListenUnix, RefusesAPathThatIsTooLong) {
  const auto socket = listen_unix("/tmp/" + std::string(120, 'x'), 0600, "");
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code, Code::kInvalid);
}

TEST(ListenUnix, NamesAGroupThatDoesNotExist) {
  const TemporaryFolder folder;
  const auto socket = listen_unix(folder / "a.sock", 0660, "no-such-group-here");
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code, Code::kNotFound);
  EXPECT_NE(socket.error().text.find("no-such-group-here"), std::string::npos);
}

// Runs `child` in a process that systemd would have started with `socket` as descriptor 3; returns
// its exit code.
template <class Child>
int as_activated(int socket, const char* count, Child child) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::dup2(socket, 3) != 3) ::_exit(99);
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    ::setenv("LISTEN_FDNAMES", "docker", 1);
    ::_exit(child());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(PassedSockets, AreServedAndKeptAtTheEnd) {
  const TemporaryFolder folder;
  const std::string path = folder / "activated.sock";
  const auto socket = listen_unix(path, 0600, "");
  ASSERT_TRUE(socket);
  const int code = as_activated(socket->get(), "1", [&]() -> int {
    auto passed = passed_sockets();
    if (passed.size() != 1 || passed[0].path != path || std::getenv("LISTEN_FDS") != nullptr)
      return 1;
    if ((::fcntl(passed[0].socket.get(), F_GETFD) & FD_CLOEXEC) == 0) return 2;
    std::vector<Listener> listeners;
    listeners.push_back({.socket = std::move(passed[0].socket), .path = "", .handler = echo});
    auto server = make_server(std::move(listeners), {});
    if (!server) return 3;
    std::thread thread([&] { (*server)->run(); });
    const auto response = call(path, {.path = "/a", .headers = {}, .body = "b"}, 5s);
    (*server)->stop();
    thread.join();
    if (!response || response->body != "POST /a b") return 4;
    return std::filesystem::exists(path) ? 0 : 5;
  });
  EXPECT_EQ(code, 0);
}

TEST(PassedSockets, AreNotTakenWhenMeantForAnotherProcess) {
  const TemporaryFolder folder;
  const auto socket = listen_unix(folder / "a.sock", 0600, "");
  ASSERT_TRUE(socket);
  EXPECT_EQ(as_activated(socket->get(), "1",
                         [] {
                           ::setenv("LISTEN_PID", "1", 1);
                           return static_cast<int>(passed_sockets().size());
                         }),
            0);
}

TEST(PassedSockets, LeavesOutWhatIsNotAListeningUnixSocket) {
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(as_activated(udp.get(), "1", [] { return static_cast<int>(passed_sockets().size()); }),
            0);
}

TEST(PassedSockets, SurvivesANonsensicalCount) {
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const char* count : {"-1", "x", "", "99999999999", "2147483647"})
    EXPECT_EQ(
        as_activated(udp.get(), count, [] { return static_cast<int>(passed_sockets().size()); }), 0)
        << count;
}

}  // namespace
}  // namespace fairlead::http::testing
