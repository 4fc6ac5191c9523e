#include "network/kernel/host/sysctl.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>

#include "base/unique_fd.h"

namespace fairlead::kernel {

namespace {

// A procfs of its own (fsopen(2)), mounted nowhere; invalid where this kernel or process may not.
UniqueFd new_procfs() {
  const UniqueFd context(::fsopen("proc", FSOPEN_CLOEXEC));
  if (!context || ::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return UniqueFd();
  return UniqueFd(::fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
}

// Where settings are opened. In one procfs the entries of all network namespaces that were looked up
// have one parent and equal names, and the kernel walks through them for each one more
// (fs/proc/proc_sysctl.c, proc_sys_compare): with 3,000 containers it takes 3 ms to open a setting of
// the next. So whoever opens many does so in a procfs that is replaced now and then.
class Procfs {
 public:
  Result<UniqueFd> open(const std::string& path, int flags) {
    const std::shared_ptr<const UniqueFd> own = current();
    const UniqueFd& folder = *own;
    UniqueFd file(folder ? ::openat(folder.get(), ("sys/" + path).c_str(), flags | O_CLOEXEC)
                         : ::open(("/proc/sys/" + path).c_str(), flags | O_CLOEXEC));
    if (!file) return fail_errno(errno, path);
    return file;
  }

 private:
  // Programs that open a few pay for none; ending one takes the kernel a moment.
  static constexpr unsigned kInTheCommonOne = 16, kInOne = 256;

  std::shared_ptr<const UniqueFd> current() {
    const std::scoped_lock hold(guard_);
    if (opened_++ % kInOne == kInTheCommonOne)
      own_ = std::make_shared<const UniqueFd>(new_procfs());
    return own_;
  }

  std::mutex guard_;
  unsigned opened_ = 0;
  std::shared_ptr<const UniqueFd> own_ = std::make_shared<const UniqueFd>();
};

Result<UniqueFd> open_setting(const std::string& path, int flags) {
  static Procfs procfs;
  return procfs.open(path, flags);
}

}  // namespace

Result<std::string> read_sysctl(const std::string& path) {
  const auto file = open_setting(path, O_RDONLY);
  if (!file) return fail_errno(file.error().sys_errno, fmt::format("read sysctl {}", path));
  std::array<char, 1024> buffer{};
  const ssize_t length = ::read(file->get(), buffer.data(), buffer.size());
  if (length < 0) return fail_errno(errno, fmt::format("read sysctl {}", path));
  std::string value(buffer.data(), static_cast<std::size_t>(length));
  while (!value.empty() && (value.back() == '\n' || value.back() == ' ')) value.pop_back();
  return value;
}

Status write_sysctl(const std::string& path, std::string_view value) {
  const auto file = open_setting(path, O_WRONLY);
  if (!file)
    return fail_errno(file.error().sys_errno, fmt::format("set sysctl {} to {}", path, value));
  if (::write(file->get(), value.data(), value.size()) != static_cast<ssize_t>(value.size()))
    return fail_errno(errno, fmt::format("set sysctl {} to {}", path, value));
  return {};
}

}  // namespace fairlead::kernel
