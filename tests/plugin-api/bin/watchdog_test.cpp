#include "plugin-api/bin/watchdog.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/hash.h"
#include "base/unique_fd.h"

namespace fairlead {
namespace {

namespace fs = std::filesystem;

// What systemd is to a service: the socket that it names, and the time.
class Systemd {
 public:
  Systemd() : name_("@fairlead-test-" + random_hex(8)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(0, ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size));
  }

  Notifier notifier(const char* time, const std::string& process = "") const {
    ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    ::setenv("WATCHDOG_USEC", time, 1);
    if (!process.empty()) ::setenv("WATCHDOG_PID", process.c_str(), 1);
    return {};
  }

  // "" when nothing comes for so long.
  std::string told(std::chrono::milliseconds within) const {
    pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, static_cast<int>(within.count())) != 1) return "";
    char text[256];
    const ssize_t size = ::recv(socket_.get(), text, sizeof(text), 0);
    return {text, static_cast<std::size_t>(size)};
  }

 private:
  std::string name_;
  UniqueFd socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

class WatchdogTest : public ::testing::Test {
 protected:
  ~WatchdogTest() override { fs::remove(path_); }

  UniqueFd listen() const { return http::listen_unix(path_, 0600, "").value(); }

  const std::string path_ = fs::temp_directory_path() / ("fairlead-" + random_hex(8));
  const Systemd systemd_;
};

constexpr std::chrono::milliseconds kSoon{5000}, kTwoPeriods{2500};

TEST_F(WatchdogTest, TellsThatItLivesAsLongAsRequestsAreAnswered) {
  std::vector<http::Listener> listeners;
  listeners.push_back({listen(), path_, [](const http::Request&) {
                         return http::Response{.status = 404, .body = "{}", .headers = {}};
                       }});
  ASSERT_EQ(std::vector{path_}, socket_paths(listeners));
  const auto server = http::make_server(std::move(listeners), {}).value();
  std::thread serving([&] { server->run(); });
  const Notifier notifier = systemd_.notifier("4000000");
  {
    const Watchdog watchdog(notifier, {path_});
    EXPECT_EQ("WATCHDOG=1", systemd_.told(kSoon));
    EXPECT_EQ("WATCHDOG=1", systemd_.told(kSoon));
  }
  server->stop();
  serving.join();
}

TEST_F(WatchdogTest, TellsNothingWhileConnectionsAreAcceptedAndNotAnswered) {
  const UniqueFd silent = listen();
  const Notifier notifier = systemd_.notifier("2000000");
  const Watchdog watchdog(notifier, {path_});
  EXPECT_EQ("", systemd_.told(kTwoPeriods));
}

TEST_F(WatchdogTest, ASocketThatIsGoneShowsNothing) {
  const Notifier notifier = systemd_.notifier("2000000");
  const Watchdog watchdog(notifier, {path_});
  EXPECT_EQ("WATCHDOG=1", systemd_.told(kSoon));
}

TEST_F(WatchdogTest, NobodyElsesTimeIsOursAndChildrenInheritNone) {
  EXPECT_EQ(0, systemd_.notifier("4000000", "1").watchdog().count());
  EXPECT_EQ(4000000, systemd_.notifier("4000000", std::to_string(::getpid())).watchdog().count());
  for (const char* variable : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
    EXPECT_EQ(nullptr, std::getenv(variable));
  EXPECT_EQ(0, Notifier().watchdog().count());
}

}  // namespace
}  // namespace fairlead
