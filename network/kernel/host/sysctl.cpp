#include "network/kernel/host/sysctl.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace fairlead::kernel {

Result<std::string> read_sysctl(const std::string& path) {
  const UniqueFd file(::open(("/proc/sys/" + path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("read sysctl {}", path));
  std::array<char, 1024> buffer{};
  const ssize_t length = ::read(file.get(), buffer.data(), buffer.size());
  if (length < 0) return fail_errno(errno, fmt::format("read sysctl {}", path));
  std::string value(buffer.data(), static_cast<std::size_t>(length));
  while (!value.empty() && (value.back() == '\n' || value.back() == ' ')) value.pop_back();
  return value;
}

Status write_sysctl(const std::string& path, std::string_view value) {
  const UniqueFd file(::open(("/proc/sys/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("set sysctl {} to {}", path, value));
  if (::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno(errno, fmt::format("set sysctl {} to {}", path, value));
  return {};
}

}  // namespace fairlead::kernel
