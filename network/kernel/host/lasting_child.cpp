#include "network/kernel/host/lasting_child.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
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
#include <new>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace fairlead::kernel {

namespace {

constexpr int kWaitForParent = 5000;  // milliseconds
constexpr int kDestruction = 100;

// Everything that the child needs, at the beginning of memory that is the child's own from then on.
struct Errand {
  LastWork work;
  std::array<int, 32> kept{};  // descriptors, ascending
  std::size_t kept_count = 0;
  int parent = -1;  // a pidfd
  std::uint8_t* stack = nullptr;
  int report = 0;  // errno of a failed start
};

// The child shares the memory of its parent, which goes on meanwhile: copying the page tables of a
// small program takes 0.2 ms, and this 0.03. So it has a stack of its own and makes system calls
// only, by syscall(2), which of all the parent's memory writes errno, and that only in a failure.
// It must not be instrumented: the state of the sanitizers is the parent's.
#define FAIRLEAD_IN_CHILD __attribute__((no_sanitize("thread", "address", "undefined")))

FAIRLEAD_IN_CHILD void close_all_but(const int* kept, std::size_t count) {
  unsigned first = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto fd = static_cast<unsigned>(kept[i]);
    if (fd > first) ::syscall(SYS_close_range, first, fd - 1, 0U);
    first = fd + 1;
  }
  ::syscall(SYS_close_range, first, ~0U, 0U);
}

FAIRLEAD_IN_CHILD void wait_for(pollfd* descriptor, int milliseconds) {
  timespec time{.tv_sec = milliseconds / 1000, .tv_nsec = (milliseconds % 1000) * 1'000'000L};
  ::syscall(SYS_ppoll, descriptor, descriptor == nullptr ? 0U : 1U, &time, nullptr, 0UL);
}

// Closes its parent's descriptors: their stdio, because a runtime waits for the end of a plugin's
// output, and their locks.
FAIRLEAD_IN_CHILD int do_errand(void* argument) {
  const auto& errand = *static_cast<const Errand*>(argument);
  close_all_but(&errand.kept[0], errand.kept_count);
  ::syscall(SYS_setsid);
  const LastWork& work = errand.work;
  if (work.socket >= 0)
    ::syscall(SYS_sendto, work.socket, work.message.data(), work.message.size(), 0, nullptr, 0);
  if (work.life_line >= 0) ::syscall(SYS_close, work.life_line);
  // A pidfd becomes readable when its process has closed everything. The last close, which waits,
  // is then the one of this child.
  pollfd parent{.fd = errand.parent, .events = POLLIN, .revents = 0};
  if (errand.parent >= 0) wait_for(&parent, kWaitForParent);
  // While what was deleted is being destroyed, the close would wait with nf_tables' mutex held, and
  // every change of others with it (net/netfilter/nf_tables_api.c, nft_rcv_nl_event).
  if (errand.parent >= 0) wait_for(nullptr, kDestruction);
  ::syscall(SYS_exit, 0);
  return 0;
}

// Runs in the memory of its suspended parent (CLONE_VFORK), and starts the process that stays, which
// init or a subreaper adopts, so that no zombie is left.
FAIRLEAD_IN_CHILD int start_orphan(void* argument) {
  auto& errand = *static_cast<Errand*>(argument);
  if (::clone(do_errand, errand.stack, CLONE_VM | SIGCHLD, argument) < 0) errand.report = errno;
  ::syscall(SYS_exit, 0);
  return 0;
}

// The memory is given back when both processes have ended.
Status run(Errand errand) {
  constexpr std::size_t kStack = 16384;
  const std::size_t room = sizeof(Errand) + errand.work.message.size() + kStack;
  void* memory =
      ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return fail_errno(errno, "make a stack for a child process");
  auto* bytes = static_cast<std::uint8_t*>(memory) + sizeof(Errand);
  std::ranges::copy(errand.work.message, bytes);
  errand.work.message = {bytes, errand.work.message.size()};
  errand.stack = static_cast<std::uint8_t*>(memory) + room;
  errand.stack -= reinterpret_cast<std::uintptr_t>(errand.stack) % 16;
  auto* own = new (memory) Errand(errand);
  alignas(16) std::array<std::uint8_t, 4096> short_stack;
  const int child =
      ::clone(start_orphan, short_stack.data() + short_stack.size(), CLONE_VM | CLONE_VFORK, own);
  const int error = child < 0 ? errno : 0;
  while (child >= 0 && ::waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  if (error == 0 && own->report == 0) return {};
  const int reason = error != 0 ? error : own->report;
  ::munmap(memory, room);
  return fail_errno(reason, "start a process for the end of this one's work");
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

// The descriptors of sockets that were told of, and whether there may be others.
struct Known {
  std::mutex guard;
  std::set<int> descriptors;
  bool is_all = true;
};
Known& known() {
  static auto& sockets = *new Known;
  return sockets;
}

std::optional<std::vector<int>> all_known() {
  const std::lock_guard hold(known().guard);
  if (!known().is_all) return std::nullopt;
  return std::vector<int>(known().descriptors.begin(), known().descriptors.end());
}

std::vector<int> open_descriptors() {
  std::vector<int> found;
  std::error_code error;
  for (std::filesystem::directory_iterator each("/proc/self/fd", error), end; !error && each != end;
       each.increment(error)) {
    const std::string name = each->path().filename().string();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    found.push_back(fd);
  }
  return found;
}

std::vector<OpenSocket> netfilter_sockets() {
  const auto descriptors = all_known();
  std::vector<OpenSocket> found;
  for (const int fd : descriptors ? *descriptors : open_descriptors())
    if (const auto socket = as_netfilter_socket(fd)) found.push_back(*socket);
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
  Errand errand{.work = work, .parent = self.get()};
  const auto keep = [&](int fd) {
    if (fd >= 0 && errand.kept_count < errand.kept.size()) errand.kept[errand.kept_count++] = fd;
  };
  for (const int fd : {work.socket, work.life_line, self.get()}) keep(fd);
  for (const OpenSocket& socket : sockets) keep(socket.fd);
  std::sort(errand.kept.begin(), errand.kept.begin() + errand.kept_count);
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

KnownNetfilterSocket::KnownNetfilterSocket(int fd) : fd_(fd) {
  const std::lock_guard hold(known().guard);
  known().descriptors.insert(fd);
}

KnownNetfilterSocket::KnownNetfilterSocket(KnownNetfilterSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

// The old descriptor is forgotten by the other's destructor.
KnownNetfilterSocket& KnownNetfilterSocket::operator=(KnownNetfilterSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

KnownNetfilterSocket::~KnownNetfilterSocket() {
  if (fd_ < 0) return;
  const std::lock_guard hold(known().guard);
  known().descriptors.erase(fd_);
}

void expect_unknown_netfilter_sockets() {
  const std::lock_guard hold(known().guard);
  known().is_all = false;
}

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
