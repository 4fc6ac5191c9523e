#include "volume/kernel/process_id.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/host.h"

namespace fairlead::volume {

namespace {

std::string own_namespace() {
  std::array<char, 64> text{};
  const ssize_t size = ::readlink("/proc/self/ns/pid", text.data(), text.size());
  return size <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(size));
}

// Field 22 of /proc/<pid>/stat; 0 when there is no such process, or only its zombie is left. The
// second field is a name in parentheses that may hold anything.
std::int64_t start_of(std::int64_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string state, skipped;
  fields >> state;
  if (state == "Z" || state == "X") return 0;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  std::int64_t started = 0;
  fields >> started;
  return fields ? started : 0;
}

}  // namespace

ProcessId own_process() {
  return {.boot = boot_id(),
          .pid_namespace = own_namespace(),
          .pid = ::getpid(),
          .started = start_of(::getpid())};
}

bool is_dead(const ProcessId& process) {
  if (process.boot.empty() || process.boot != boot_id() || process.pid_namespace.empty() ||
      process.pid_namespace != own_namespace() || process.pid <= 0)
    return false;
  return start_of(process.pid) != process.started;
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace fairlead::volume
