#include "volume/kernel/remote_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <thread>

#include "volume/kernel/run_tool.h"

namespace fairlead::volume {

namespace {

struct Ends {
  UniqueFd ours, theirs;
};

// A socket in place of two pipes: it can be written to without SIGPIPE.
Result<Ends> make_socket() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno(errno, "create a socket");
  Ends made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  constexpr int kBuffer = 1 << 20;  // fewer changes between the two processes
  for (const int end : ends) {
    ::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer);
    ::setsockopt(end, SOL_SOCKET, SO_RCVBUF, &kBuffer, sizeof kBuffer);
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return made;
}

Result<Ends> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "create a pipe");
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Without our descriptors, signal mask and handlers; in a session of its own.
int spawn(pid_t& pid, std::vector<std::string>& argv, int socket, int errors) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> raw;
  for (std::string& word : argv) raw.push_back(word.data());
  raw.push_back(nullptr);
  const int failed = ::posix_spawn(&pid, raw[0], &actions, &attributes, raw.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool ends_within(int pidfd, std::chrono::milliseconds patience) {
  pollfd gone{.fd = pidfd, .events = POLLIN, .revents = 0};
  return pidfd >= 0 && ::poll(&gone, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

Result<RemoteProcess> RemoteProcess::start(std::vector<std::string> argv,
                                           const std::string& package) {
  const std::string program = argv.at(0);
  if (!program.starts_with('/')) argv[0] = find_program(program);
  if (argv[0].empty())
    return fail(Code::kUnsupported, "there is no {} on this host; install the package {}", program,
                package);
  TRY(auto socket, make_socket());
  TRY(auto errors, make_pipe());
  pid_t pid = -1;
  const int failed = spawn(pid, argv, socket.theirs.get(), errors.theirs.get());
  if (failed != 0) return fail_errno(failed, fmt::format("run {}", program));
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const std::size_t slash = program.rfind('/');
  return RemoteProcess(slash == std::string::npos ? program : program.substr(slash + 1), pid,
                       std::move(pidfd), std::move(socket.ours), std::move(errors.ours));
}

RemoteProcess::~RemoteProcess() {
  if (socket_) end(std::chrono::seconds(1));
}

void RemoteProcess::end(std::chrono::milliseconds patience) {
  if (pid_ < 0) return;
  ::shutdown(socket_.get(), SHUT_WR);
  const pid_t pid = std::exchange(pid_, -1);
  if (!ends_within(pidfd_.get(), patience)) ::kill(pid, SIGKILL);
  if (ends_within(pidfd_.get(), std::chrono::milliseconds(200)))
    reap(pid);
  else  // it hangs in the kernel
    std::thread([pid] { reap(pid); }).detach();
}

}  // namespace fairlead::volume
