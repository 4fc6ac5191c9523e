// The reaper of short-lived programs: a child process makes the slow call and outlives its parent.
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/unique_fd.h"
#include "network/kernel/links_messages.h"
#include "network/kernel/links_removal.h"

namespace fairlead::kernel {

namespace {

// What the child needs, prepared before it is born: it may only make system calls.
struct Errand {
  const std::uint8_t* bytes;
  std::size_t length;
  int socket;
  int life_line;  // held open while the deletion is under way
  int report;     // errno of a failed fork
};

// Not instrumented: these run in a child that shares its parent's memory, and with it the
// sanitizer's books.
#define FAIRLEAD_IN_CHILD __attribute__((no_sanitize("thread", "address")))

FAIRLEAD_IN_CHILD void close_all_but(int first, int second) {
  const auto low = static_cast<unsigned>(std::min(first, second));
  const auto high = static_cast<unsigned>(std::max(first, second));
  if (low > 0) ::syscall(SYS_close_range, 0U, low - 1, 0U);
  if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0U);
  ::syscall(SYS_close_range, high + 1, ~0U, 0U);
}

// The grandchild, with a memory of its own. Holds no descriptor of its parents: neither their stdio
// (a runtime waits for the end of a plugin's output) nor their locks.
[[noreturn]] FAIRLEAD_IN_CHILD void do_errand(const Errand& errand) {
  close_all_but(errand.socket, errand.life_line);
  ::setsid();
  ::send(errand.socket, errand.bytes, errand.length, 0);  // returns when the grace period is over
  ::_exit(0);
}

// The child, in the memory of its suspended parent (CLONE_VM | CLONE_VFORK): forks the grandchild,
// which init or a subreaper inherits, so that no zombie is left. The system call itself, without
// the C library's fork handlers.
FAIRLEAD_IN_CHILD int fork_grandchild(void* argument) {
  auto& errand = *static_cast<Errand*>(argument);
  const long pid =
      ::syscall(SYS_clone, static_cast<unsigned long>(SIGCHLD), nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) do_errand(errand);
  if (pid < 0) errand.report = errno;
  ::_exit(0);
}

Status run_errand(Errand& errand) {
  alignas(16) std::array<std::uint8_t, 16384> stack;
  const int child =
      ::clone(fork_grandchild, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK, &errand);
  if (child < 0) return fail_errno(errno, "start a process that deletes links");
  while (::waitpid(child, nullptr, __WALL) < 0 && errno == EINTR) {
  }
  if (errand.report != 0) return fail_errno(errand.report, "start a process that deletes links");
  return {};
}

class ProcessReaper final : public LinkReaper {
 public:
  explicit ProcessReaper(NetlinkSocket socket) : socket_(std::move(socket)) {}

  Status submit(const std::vector<int>& indexes) override {
    std::vector<std::uint8_t> bytes;
    for (const int index : indexes) {
      const NetlinkMessage message = delete_link(index);
      bytes.insert(bytes.end(), message.bytes().begin(), message.bytes().end());
    }
    const std::lock_guard lock(mutex_);
    if (!life_line_) TRY_STATUS(open_life_line());
    Errand errand{.bytes = bytes.data(),
                  .length = bytes.size(),
                  .socket = socket_.fd(),
                  .life_line = life_line_.get(),
                  .report = 0};
    return run_errand(errand);
  }

  // The reading end sees the end of the pipe when the last child has gone.
  void finish() override {
    const std::lock_guard lock(mutex_);
    life_line_.reset();
    if (!end_of_life_) return;
    char none = 0;
    while (::read(end_of_life_.get(), &none, 1) < 0 && errno == EINTR) {
    }
    end_of_life_.reset();
  }

 private:
  Status open_life_line() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "open a pipe");
    end_of_life_.reset(ends[0]);
    life_line_.reset(ends[1]);
    return {};
  }

  std::mutex mutex_;
  NetlinkSocket socket_;
  UniqueFd end_of_life_, life_line_;
};

}  // namespace

Result<std::unique_ptr<LinkReaper>> make_process_reaper() {
  TRY(NetlinkSocket socket, NetlinkSocket::open(NETLINK_ROUTE));
  return std::make_unique<ProcessReaper>(std::move(socket));
}

}  // namespace fairlead::kernel
