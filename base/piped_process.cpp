#include "base/piped_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace fairlead {

namespace {

constexpr std::size_t kMostOutput = 1 << 20;

// A file in memory: neither side waits for the other one to read or write.
Result<UniqueFd> file_in_memory(const char* name) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  if (file.get() < 0) return fail_errno(errno, "make a file in memory");
  return file;
}

Status write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail_errno(errno, "write to a file in memory");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::lseek(fd, 0, SEEK_SET) < 0) return fail_errno(errno, "rewind a file in memory");
  return {};
}

Result<std::string> read_all(int fd) {
  std::string text(kMostOutput + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got =
        ::pread(fd, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read a file in memory");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMostOutput) return fail(Code::kIo, "it wrote more than 1 MiB on stdout");
  text.resize(size);
  return text;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// In the new process: only calls that are safe after fork(2).
[[noreturn]] void become(const char* program, char** argv, char** envp, int in, int out,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it ended before that
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::execve(program, argv, envp);
  ::_exit(errno == ENOENT ? 127 : 126);
}

Result<int> await(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return fail_errno(errno, "wait for it");
  if (WIFSIGNALED(status)) return fail(Code::kIo, "it was killed by signal {}", WTERMSIG(status));
  return WEXITSTATUS(status);
}

}  // namespace

Result<PipedOutcome> run_piped(const PipedCall& call) {
  TRY(const UniqueFd in, file_in_memory("stdin"));
  TRY(const UniqueFd out, file_in_memory("stdout"));
  TRY_STATUS(write_all(in.get(), call.input));
  std::vector<std::string> arguments = call.argv, variables = call.environment;
  const std::string& program = call.argv.front();
  std::vector<char*> argv = pointers_to(arguments), envp = pointers_to(variables);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, fmt::format("start {}", program));
  if (child == 0) become(program.c_str(), argv.data(), envp.data(), in.get(), out.get(), parent);
  auto ended = await(child);
  auto text = ended ? read_all(out.get()) : Result<std::string>(fail(ended.error()));
  if (!text) return fail(with_context(text.error(), fmt::format("run {}", program)));
  return PipedOutcome{*ended, std::move(*text)};
}

}  // namespace fairlead
