#include "tests/plugin-api/cni/client_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"

namespace fairlead::testing {

namespace {

struct Pipe {
  UniqueFd read_end, write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// execve's view of the entries, which must outlive it.
std::vector<char*> pointers_to(const std::vector<std::string>& entries) {
  std::vector<char*> environment;
  for (const std::string& entry : entries) environment.push_back(const_cast<char*>(entry.c_str()));
  environment.push_back(nullptr);
  return environment;
}

// Nothing is allocated in the child.
[[noreturn]] void become(const std::vector<char*>& arguments, const std::vector<char*>& environment,
                         int in, int out, int err) {
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  ::execve(arguments.front(), arguments.data(), environment.data());
  ::_exit(127);
}

std::vector<std::string> entries_of(const Variables& variables) {
  std::vector<std::string> entries;
  for (const auto& [name, value] : variables) entries.push_back(name + "=" + value);
  return entries;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool read_some(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> block{};
  const ssize_t got = ::read(fd.get(), block.data(), block.size());
  if (got > 0) text.append(block.data(), static_cast<std::size_t>(got));
  if (got <= 0) fd.reset();
  return got > 0;
}

}  // namespace

Finished run_client(const std::string& program, const Variables& variables,
                    const std::string& input, const std::vector<std::string>& arguments) {
  ::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const auto argv = pointers_to(words);
  Pipe in = make_pipe(), out = make_pipe(), err = make_pipe();
  const auto entries = entries_of(variables);
  const auto environment = pointers_to(entries);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    become(argv, environment, in.read_end.get(), out.write_end.get(), err.write_end.get());
  }
  in.read_end.reset();
  out.write_end.reset();
  err.write_end.reset();
  Finished finished;
  std::size_t done = 0;
  while (out.read_end || err.read_end) {
    if (done == input.size()) in.write_end.reset();
    std::array<pollfd, 3> polls{pollfd{out.read_end.get(), POLLIN, 0},
                                pollfd{err.read_end.get(), POLLIN, 0},
                                pollfd{in.write_end.get(), POLLOUT, 0}};
    ::poll(polls.data(), polls.size(), -1);
    if (polls[0].revents != 0) read_some(out.read_end, finished.out);
    if (polls[1].revents != 0) read_some(err.read_end, finished.err);
    if (polls[2].revents != 0) {
      const ssize_t written = ::write(in.write_end.get(), input.data() + done,
                                      std::min<std::size_t>(input.size() - done, 4096));
      done = written < 0 ? input.size() : done + static_cast<std::size_t>(written);
    }
  }
  finished.exit_code = wait_for(pid);
  return finished;
}

std::vector<double> measure(const std::string& program, const Variables& variables,
                            const std::string& input, int runs) {
  std::vector<double> microseconds;
  const auto entries = entries_of(variables);
  const auto environment = pointers_to(entries);
  const UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int i = 0; i < runs; ++i) {
    Pipe in = make_pipe();
    if (::write(in.write_end.get(), input.data(), input.size()) !=
        static_cast<ssize_t>(input.size()))
      std::abort();
    in.write_end.reset();
    const std::vector<std::string> words{program};
    const auto argv = pointers_to(words);
    const auto start = std::chrono::steady_clock::now();
    const pid_t pid = ::vfork();
    if (pid == 0) become(argv, environment, in.read_end.get(), nothing.get(), nothing.get());
    if (wait_for(pid) != 0) return {};
    microseconds.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::ranges::sort(microseconds);
  return microseconds;
}

TemporaryFolder::TemporaryFolder() : path_("/tmp/fairlead-cni-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) std::abort();
}

TemporaryFolder::~TemporaryFolder() { std::filesystem::remove_all(path_); }

void TemporaryFolder::add_script(const std::string& name, const std::string& text) const {
  const std::filesystem::path path = path_ + "/" + name;
  std::ofstream(path) << "#!/bin/sh\n" << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

}  // namespace fairlead::testing
