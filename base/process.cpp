#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <set>
#include <thread>

#include "base/unique_fd.h"

namespace fairlead {

namespace {

constexpr std::size_t kMostOut = 1 << 20, kMostErr = 64 << 10;

struct Pipe {
  UniqueFd read_end, write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "create a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Reads what is there; returns false at end of file.
bool drain(int fd, std::string& into, std::size_t most) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got <= 0) return got < 0 && errno == EINTR;
  if (into.size() < most)
    into.append(buffer.data(), std::min(static_cast<std::size_t>(got), most - into.size()));
  return true;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A process that hangs in the kernel ends later, if ever, and is waited for in the background.
void kill_and_reap(pid_t pid, int pidfd) {
  constexpr int kMostWait = 100;  // milliseconds
  ::kill(pid, SIGKILL);
  pollfd gone{.fd = pidfd, .events = POLLIN, .revents = 0};
  if (pidfd >= 0 && ::poll(&gone, 1, kMostWait) == 1)
    wait_for(pid);
  else
    std::thread([pid] { wait_for(pid); }).detach();
}

// The processes that run_process() runs now, by descriptors that they cannot be mistaken by.
struct Running {
  std::mutex guard;
  std::set<int> pidfds;
  bool stopped = false;
};
Running& running() {
  static auto& processes = *new Running;  // used by threads that nobody waits for
  return processes;
}

class RunningProcess {
 public:
  explicit RunningProcess(pid_t pid) : pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
    const std::scoped_lock hold(running().guard);
    running().pidfds.insert(pidfd_.get());
    if (running().stopped) ::kill(pid, SIGKILL);
  }
  ~RunningProcess() {
    const std::scoped_lock hold(running().guard);
    running().pidfds.erase(pidfd_.get());
  }
  RunningProcess(const RunningProcess&) = delete;
  RunningProcess& operator=(const RunningProcess&) = delete;
  int fd() const { return pidfd_.get(); }

 private:
  const UniqueFd pidfd_;
};

bool stopped() {
  const std::scoped_lock hold(running().guard);
  return running().stopped;
}

}  // namespace

void stop_processes() {
  const std::scoped_lock hold(running().guard);
  running().stopped = true;
  for (const int pidfd : running().pidfds)
    ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
}

Result<ProcessResult> run_process(std::span<const std::string> argv,
                                  std::chrono::milliseconds deadline) {
  if (stopped()) return fail(Code::kUnavailable, "run {}: this process is ending", argv[0]);
  TRY(auto out, make_pipe());
  TRY(auto err, make_pipe());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.write_end.get(), 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  std::vector<char*> raw;
  for (const std::string& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  pid_t pid = 0;
  const int spawned = ::posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return fail_errno(spawned, fmt::format("run {}", argv[0]));
  out.write_end.reset();
  err.write_end.reset();

  ProcessResult result;
  const auto end = std::chrono::steady_clock::now() + deadline;
  const RunningProcess process(pid);
  std::array<pollfd, 3> fds{{{out.read_end.get(), POLLIN, 0},
                             {err.read_end.get(), POLLIN, 0},
                             {process.fd(), POLLIN, 0}}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0 || fds[2].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    const int ready =
        left.count() <= 0 ? 0 : ::poll(fds.data(), fds.size(), static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      kill_and_reap(pid, process.fd());
      return fail(Code::kUnavailable, "run {}: no answer within {} ms", argv[0], deadline.count());
    }
    if (fds[0].revents != 0 && !drain(fds[0].fd, result.out, kMostOut)) fds[0].fd = -1;
    if (fds[1].revents != 0 && !drain(fds[1].fd, result.err, kMostErr)) fds[1].fd = -1;
    if (fds[2].revents != 0) fds[2].fd = -1;
  }
  result.exit_code = wait_for(pid);
  if (stopped() && result.exit_code == 128 + SIGKILL)
    return fail(Code::kUnavailable, "run {}: this process is ending", argv[0]);
  return result;
}

}  // namespace fairlead
