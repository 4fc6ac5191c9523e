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
#include "network/kernel/links/messages.h"
#include "network/kernel/links/removal.h"

namespace fairlead::kernel {

namespace {

// Everything that the child needs. It is prepared before the child is made, which may only make
// system calls.
struct Errand {
  const std::uint8_t* bytes;
  std::size_t length;
  int socket;
  int life_line;  // held open by the child until the deletion has finished
  int report;     // errno of a failed fork
};

// These functions run in a child that shares its parent's memory, and so the state of the
// sanitizers; they must not be instrumented.
#define FAIRLEAD_IN_CHILD __attribute__((no_sanitize("thread", "address")))

FAIRLEAD_IN_CHILD void close_all_but(int first, int second) {
  const auto low = static_cast<unsigned>(std::min(first, second));
  const auto high = static_cast<unsigned>(std::max(first, second));
  if (low > 0) ::syscall(SYS_close_range, 0U, low - 1, 0U);
  if (high > low + 1) ::syscall(SYS_close_range, low + 1, high - 1, 0U);
  ::syscall(SYS_close_range, high + 1, ~0U, 0U);
}

// Runs in the grandchild, which has its own memory. Closes its parents' descriptors: their stdio,
// because a runtime waits for the end of a plugin's output, and their locks.
[[noreturn]] FAIRLEAD_IN_CHILD void do_errand(const Errand& errand) {
  close_all_but(errand.socket, errand.life_line);
  ::setsid();
  ::send(errand.socket, errand.bytes, errand.length, 0);  // returns after the grace period
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

  // read(2) returns at the end of the pipe, when the last child that holds the other end has
  // exited.
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
