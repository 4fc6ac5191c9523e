// A line between an SFTP client and its server: slow_line DELAY_MS END BYTES PROGRAM...
//
// Whatever either side sends arrives DELAY_MS later. After BYTES bytes of the client (0: never) the
// line ends as END says: "cut" ends this program, "hang" lets nothing through any more.
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Bytes {
  Clock::time_point due;
  std::string bytes;
};

// One direction.
struct Way {
  int from, to;
  bool ended = false;
  std::deque<Bytes> waiting;
  std::size_t passed = 0;
};

void take(Way& way, std::chrono::milliseconds delay) {
  std::string bytes(64 << 10, '\0');
  const ssize_t got = ::read(way.from, bytes.data(), bytes.size());
  way.ended = got <= 0;
  if (got <= 0) return;
  bytes.resize(static_cast<std::size_t>(got));
  way.passed += bytes.size();
  way.waiting.push_back({Clock::now() + delay, std::move(bytes)});
}

bool hand_on(Way& way) {
  while (!way.waiting.empty() && way.waiting.front().due <= Clock::now()) {
    std::string_view rest(way.waiting.front().bytes);
    while (!rest.empty()) {
      const ssize_t put = ::write(way.to, rest.data(), rest.size());
      if (put < 0) return false;
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    way.waiting.pop_front();
  }
  return true;
}

int until_next(const std::array<Way, 2>& ways) {
  auto next = Clock::now() + std::chrono::seconds(60);
  for (const Way& way : ways)
    if (!way.waiting.empty()) next = std::min(next, way.waiting.front().due);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

int start(char** argv) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return -1;
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) {
    ::close(ends[1]);
    return child < 0 ? -1 : ends[0];
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::close(ends[0]);
  ::dup2(ends[1], 0);
  ::dup2(ends[1], 1);
  ::execv(argv[0], argv);
  ::_exit(127);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const std::chrono::milliseconds delay(std::atoi(argv[1]));
  const bool hangs = std::string_view(argv[2]) == "hang";
  const auto most = static_cast<std::size_t>(std::atoll(argv[3]));
  const int server = start(argv + 4);
  if (server < 0) return 1;
  std::array<Way, 2> ways{{{0, server, false, {}, 0}, {server, 1, false, {}, 0}}};
  for (;;) {
    std::array<pollfd, 2> ready{{{ways[0].ended ? -1 : ways[0].from, POLLIN, 0},
                                 {ways[1].ended ? -1 : ways[1].from, POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), until_next(ways)) < 0) return 1;
    for (std::size_t i = 0; i < ways.size(); ++i)
      if (ready[i].revents != 0) take(ways[i], delay);
    if (most != 0 && ways[0].passed > most) {
      if (!hangs) return 0;
      for (;;) ::pause();
    }
    for (Way& way : ways)
      if (!hand_on(way)) return 0;
    if (ways[0].ended && ways[0].waiting.empty()) ::shutdown(server, SHUT_WR);
    if (ways[1].ended && ways[1].waiting.empty()) return 0;
  }
}
