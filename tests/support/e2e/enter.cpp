// enter PID NET COMMAND...: runs a command in the namespaces of the process, and in the network namespace that is at the path
// NET ("-": the process's own). Ends as the command does. The environment and the standard streams are passed on; signals that
// the caller ignores are not: a shell's background jobs ignore SIGINT, and what runs under nohup SIGHUP.
//
// The tests start some ten thousand commands: nsenter and env, each of which is loaded and linked first, took a fifth of their
// time. Built as the thin clients are, without the C library.
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/wait.h>

#include <csignal>

#include "plugin-api/thin/process.h"
#include "plugin-api/thin/start.h"

namespace client {

namespace {

constexpr int kCannotRun = 127;  // as a shell
constexpr long kMostPath = 4096;

char* const* arguments;
char** environment;

std::size_t length(const char* text) {
  std::size_t size = 0;
  while (text[size] != 0) ++size;
  return size;
}

[[noreturn]] void fail(const char* what, const char* which) {
  const char* const parts[] = {"enter: ", what, " ", which, "\n"};
  for (const char* part : parts) call(SYS_write, 2, part, length(part));
  leave(kCannotRun);
}

int number(const char* text) {
  int value = 0;
  for (; *text >= '0' && *text <= '9'; ++text) value = value * 10 + (*text - '0');
  return value;
}

const char* path_variable() {
  for (char** each = environment; *each != nullptr; ++each) {
    const char* text = *each;
    if (text[0] == 'P' && text[1] == 'A' && text[2] == 'T' && text[3] == 'H' && text[4] == '=')
      return text + 5;
  }
  return "";
}

bool has_slash(const char* text) {
  while (*text != 0 && *text != '/') ++text;
  return *text != 0;
}

// Returns when there is no such program.
void become(char* const* command) {
  const char* name = command[0];
  if (has_slash(name)) {
    call(SYS_execve, name, command, environment);
    return;
  }
  static char path[kMostPath];
  for (const char* folder = path_variable(); *folder != 0;) {
    long size = 0;
    while (*folder != 0 && *folder != ':' && size < kMostPath / 2) path[size++] = *folder++;
    while (*folder == ':') ++folder;
    path[size++] = '/';
    for (const char* each = name; *each != 0 && size < kMostPath - 1;) path[size++] = *each++;
    path[size] = 0;
    call(SYS_execve, path, command, environment);
  }
}

void enter(const char* process, const char* net) {
  const bool own_net = net[0] == '-' && net[1] == 0;
  const long pid = call(SYS_pidfd_open, number(process), 0);
  if (pid < 0) fail("there is no process", process);
  const long other_net = own_net ? -1 : call(SYS_openat, AT_FDCWD, net, O_RDONLY | O_CLOEXEC);
  if (!own_net && other_net < 0) fail("there is no namespace", net);
  const int of_process = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID;
  if (call(SYS_setns, pid, own_net ? of_process | CLONE_NEWNET : of_process) != 0)
    fail("cannot enter the namespaces of process", process);
  if (!own_net && call(SYS_setns, other_net, CLONE_NEWNET) != 0) fail("cannot enter", net);
  if (call(SYS_chdir, "/") != 0) fail("cannot enter", "/");
}

// None is ignored any more; SIGKILL and SIGSTOP cannot be.
void reset_signals() {
  constexpr int kSignals = 64;
  static const long to_default[4]{};  // the kernel's struct sigaction: SIG_DFL, without flags
  for (int signal = 1; signal <= kSignals; ++signal)
    call(SYS_rt_sigaction, signal, to_default, 0, sizeof(long));
}

}  // namespace

void set_process(char* const* argv, char** envp) {
  arguments = argv;
  environment = envp;
}

void run() {
  for (int i = 1; i <= 3; ++i)
    if (arguments[i] == nullptr) fail("usage: enter PID NET COMMAND", "...");
  enter(arguments[1], arguments[2]);
  reset_signals();  // before there is a child that somebody may send one to
  const long child = call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (child < 0) fail("cannot start", arguments[3]);
  if (child == 0) {
    become(arguments + 3);
    fail("cannot run", arguments[3]);
  }
  int status = 0;
  while (call(SYS_wait4, child, &status, 0, 0) < 0) continue;
  if (WIFSIGNALED(status)) call(SYS_kill, call(SYS_getpid), WTERMSIG(status));
  leave(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

}  // namespace client
