#include "network/kernel/host/lasting_child.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::kernel {

namespace {

constexpr int kWaitForParent = 5000;  // milliseconds
constexpr int kDestruction = 100;

// Everything that the child needs. It is prepared before the child is made, which may only make
// system calls.
struct Errand {
  LastWork work;
  const int* kept = nullptr;  // descriptors, ascending
  std::size_t kept_count = 0;
  int parent = -1;  // a pidfd
  int report = 0;   // errno of a failed fork
};

// These functions run in a child that shares its parent's memory, and so the state of the
// sanitizers; they must not be instrumented.
#define FAIRLEAD_IN_CHILD __attribute__((no_sanitize("thread", "address")))

FAIRLEAD_IN_CHILD void close_all_but(const int* kept, std::size_t count) {
  unsigned first = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto fd = static_cast<unsigned>(kept[i]);
    if (fd > first) ::syscall(SYS_close_range, first, fd - 1, 0U);
    first = fd + 1;
  }
  ::syscall(SYS_close_range, first, ~0U, 0U);
}

// Runs in the grandchild, which has its own memory. Closes its parents' descriptors: their stdio,
// because a runtime waits for the end of a plugin's output, and their locks.
[[noreturn]] FAIRLEAD_IN_CHILD void do_errand(const Errand& errand) {
  close_all_but(errand.kept, errand.kept_count);
  ::setsid();
  const LastWork& work = errand.work;
  if (work.socket >= 0) ::send(work.socket, work.message.data(), work.message.size(), 0);
  if (work.life_line >= 0) ::close(work.life_line);
  // A pidfd becomes readable when its process has closed everything. The last close, which waits,
  // is then the one of this child.
  pollfd wait{.fd = errand.parent, .events = POLLIN, .revents = 0};
  if (errand.parent >= 0) ::poll(&wait, 1, kWaitForParent);
  // While what was deleted is being destroyed, the close would wait with nf_tables' mutex held, and
  // every change of others with it (net/netfilter/nf_tables_api.c, nft_rcv_nl_event).
  if (errand.parent >= 0) ::poll(nullptr, 0, kDestruction);
  ::_exit(0);
}

// Runs in the child, in the memory of its suspended parent (CLONE_VM | CLONE_VFORK). Forks the
// grandchild, which init or a subreaper adopts, so that no zombie is left. Makes the system call
// directly, so that the C library's fork handlers do not run.
FAIRLEAD_IN_CHILD int fork_grandchild(void* argument) {
  auto& errand = *static_cast<Errand*>(argument);
  const long pid =
      ::syscall(SYS_clone, static_cast<unsigned long>(SIGCHLD), nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) do_errand(errand);
  if (pid < 0) errand.report = errno;
  ::_exit(0);
}

Status run(Errand& errand) {
  alignas(16) std::array<std::uint8_t, 16384> stack;
  const int child =
      ::clone(fork_grandchild, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK, &errand);
  if (child < 0) return fail_errno(errno, "start a process for the end of this one's work");
  while (::waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  if (errand.report != 0)
    return fail_errno(errand.report, "start a process for the end of this one's work");
  return {};
}

struct OpenSocket {
  int fd = -1;
  std::uint64_t cookie = 0;  // of the socket, whatever its descriptors are
};

std::optional<OpenSocket> as_netfilter_socket(int fd) {
  const auto option = [fd](int name) {
    int value = -1;
    socklen_t size = sizeof(value);
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  if (option(SO_DOMAIN) != AF_NETLINK || option(SO_PROTOCOL) != NETLINK_NETFILTER)
    return std::nullopt;
  OpenSocket found{.fd = fd};
  socklen_t size = sizeof(found.cookie);
  ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &found.cookie, &size);
  return found;
}

std::vector<OpenSocket> netfilter_sockets() {
  std::vector<OpenSocket> found;
  std::error_code error;
  for (std::filesystem::directory_iterator each("/proc/self/fd", error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (const auto socket = as_netfilter_socket(fd)) found.push_back(*socket);
  }
  return found;
}

// The sockets that children have.
struct Left {
  std::mutex guard;
  std::set<std::uint64_t> cookies;
};
Left& left() {
  static auto& sockets = *new Left;
  return sockets;
}

Status leave(const LastWork& work, const std::vector<OpenSocket>& sockets) {
  const UniqueFd self(sockets.empty() ? -1
                                      : static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  std::vector<int> kept;
  for (const int fd : {work.socket, work.life_line, self.get()})
    if (fd >= 0) kept.push_back(fd);
  for (const OpenSocket& socket : sockets) kept.push_back(socket.fd);
  std::ranges::sort(kept);
  Errand errand{.work = work, .kept = kept.data(), .kept_count = kept.size(), .parent = self.get()};
  TRY_STATUS(run(errand));
  if (!self) return {};
  const std::lock_guard hold(left().guard);
  for (const OpenSocket& socket : sockets) left().cookies.insert(socket.cookie);
  return {};
}

bool are_left(const std::vector<OpenSocket>& sockets) {
  const std::lock_guard hold(left().guard);
  return std::ranges::all_of(
      sockets, [](const OpenSocket& socket) { return left().cookies.contains(socket.cookie); });
}

}  // namespace

Status leave_child(const LastWork& work) {
  auto sockets = netfilter_sockets();
  if (are_left(sockets)) sockets.clear();
  return leave(work, sockets);
}

void leave_netfilter_sockets() {
  const auto sockets = netfilter_sockets();
  if (!are_left(sockets)) (void)leave({}, sockets);
}

}  // namespace fairlead::kernel
