#include "plugin-api/hooks/marked_processes.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <string_view>

#include "base/unique_fd.h"

namespace fairlead::hooks {

namespace {

constexpr std::size_t kMostEnvironment = 256 << 10;
constexpr int kMostPasses = 5;  // for what was forked meanwhile

// "A=1\0B=2\0"; empty for one that is gone, or a thread of the kernel.
std::string environment_of(pid_t pid) {
  const UniqueFd file(
      ::open(("/proc/" + std::to_string(pid) + "/environ").c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file) return text;
  for (std::size_t done = 0; done < kMostEnvironment;) {
    text.resize(done + 16384);
    const ssize_t got = ::read(file.get(), text.data() + done, 16384);
    text.resize(done + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got <= 0) break;
    done = text.size();
  }
  return text;
}

bool has_entry(std::string_view environment, std::string_view entry) {
  while (!environment.empty()) {
    const auto end = std::min(environment.find('\0'), environment.size());
    if (environment.substr(0, end) == entry) return true;
    environment.remove_prefix(std::min(end + 1, environment.size()));
  }
  return false;
}

// By a descriptor that was opened before the look, so that a number that is used again hits nobody.
bool kill_if_marked(pid_t pid, std::string_view entry) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  if (!process || !has_entry(environment_of(pid), entry)) return false;
  return ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0U) == 0;
}

std::size_t kill_once(std::string_view entry) {
  std::size_t killed = 0;
  std::error_code failed;
  for (const auto& each : std::filesystem::directory_iterator("/proc", failed)) {
    const std::string name = each.path().filename();
    pid_t pid = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (read.ec != std::errc() || read.ptr != name.data() + name.size() || pid == ::getpid())
      continue;
    if (kill_if_marked(pid, entry)) ++killed;
  }
  return killed;
}

}  // namespace

std::size_t kill_marked(const std::string& variable, const std::string& value) {
  const std::string entry = variable + "=" + value;
  std::size_t all = 0;
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const std::size_t killed = kill_once(entry);
    all += killed;
    if (killed == 0) break;
  }
  return all;
}

}  // namespace fairlead::hooks
