#include "volume/kernel/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <thread>

namespace fairlead::volume {

namespace {

constexpr int kMostRetries = 1000;

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using Dir = std::unique_ptr<DIR, CloseDir>;

Status check_component(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
      name.find('\0') != std::string::npos)
    return fail(Code::kInvalid, "a file name of {} bytes is not one component of a path",
                name.size());
  return {};
}

// Repeats fsync(2) and the like when a signal has interrupted them.
template <class Call>
int uninterrupted(Call call) {
  int result;
  while ((result = call()) < 0 && errno == EINTR) {
  }
  return result;
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, fmt::format("write {}", path));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<UniqueFd> open_beneath(int folder, const std::string& relative, int flags,
                              std::uint64_t resolve) {
  if (relative.find('\0') != std::string::npos)
    return fail(Code::kInvalid, "open a path below a folder: it holds a NUL byte");
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve;
  for (int attempt = 0; attempt < kMostRetries; ++attempt) {
    const long fd = ::syscall(SYS_openat2, folder, relative.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
    std::this_thread::yield();
  }
  return fail_errno(errno, fmt::format("open {}", relative));
}

Result<Folder> Folder::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, fmt::format("open the folder {}", path));
  return Folder(std::move(fd), path);
}

Result<Folder> Folder::ensure(const std::string& path, mode_t mode) {
  if (auto there = open(path); there || there.error().code != Code::kNotFound) return there;
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1))
    ::mkdir(path.substr(0, slash).c_str(), 0755);
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return fail_errno(errno, fmt::format("make the folder {}", path));
  TRY(auto made, open(path));
  TRY_STATUS(made.set_mode(mode));
  return made;
}

Result<Folder> Folder::folder(const std::string& relative) const {
  auto fd = open_beneath(fd_.get(), relative, O_RDONLY | O_DIRECTORY);
  if (!fd) return fail(with_context(fd.error(), fmt::format("below {}", path_)));
  return Folder(std::move(*fd), below(relative));
}

Result<Folder> Folder::make_folder(const std::string& name, mode_t mode) const {
  TRY_STATUS(check_component(name));
  if (::mkdirat(fd_.get(), name.c_str(), mode) != 0)
    return fail_errno(errno, fmt::format("make the folder {}", below(name)));
  TRY(auto made, folder(name));
  TRY_STATUS(made.set_mode(mode));  // whatever the umask
  return made;
}

Result<Folder> Folder::ensure_folder(const std::string& name, mode_t mode) const {
  TRY_STATUS(check_component(name));
  if (auto there = folder(name); there || there.error().code != Code::kNotFound) return there;
  auto made = make_folder(name, mode);
  return !made && made.error().code == Code::kExists ? folder(name) : std::move(made);
}

Result<bool> Folder::has(const std::string& name) const {
  TRY_STATUS(check_component(name));
  struct stat info {};
  if (::fstatat(fd_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno(errno, fmt::format("look for {}", below(name)));
}

Status Folder::rename(const std::string& name, const Folder& to,
                      const std::string& new_name) const {
  TRY_STATUS(check_component(name));
  TRY_STATUS(check_component(new_name));
  if (::renameat2(fd_.get(), name.c_str(), to.fd(), new_name.c_str(), RENAME_NOREPLACE) == 0)
    return {};
  return fail_errno(errno, fmt::format("rename {} to {}", below(name), to.below(new_name)));
}

Status Folder::exchange(const std::string& name, const Folder& to, const std::string& other) const {
  TRY_STATUS(check_component(name));
  TRY_STATUS(check_component(other));
  if (::renameat2(fd_.get(), name.c_str(), to.fd(), other.c_str(), RENAME_EXCHANGE) == 0) return {};
  return fail_errno(errno, fmt::format("exchange {} with {}", below(name), to.below(other)));
}

Status Folder::write_file(const std::string& name, std::string_view text, mode_t mode,
                          Flush flush) const {
  TRY_STATUS(check_component(name));
  const UniqueFd file(::openat(fd_.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file) return fail_errno(errno, fmt::format("make the file {}", below(name)));
  TRY_STATUS(write_all(file.get(), text, below(name)));
  if (flush == Flush::kLater) return {};
  if (uninterrupted([&] { return ::fsync(file.get()); }) != 0)
    return fail_errno(errno, fmt::format("flush {}", below(name)));
  return {};
}

Status Folder::replace_file(const std::string& name, std::string_view text, mode_t mode) const {
  TRY_STATUS(check_component(name));
  const std::string next = name + ".next";
  ::unlinkat(fd_.get(), next.c_str(), 0);  // left by a crash
  auto written = write_file(next, text, mode);
  if (written && ::renameat(fd_.get(), next.c_str(), fd_.get(), name.c_str()) != 0)
    written = fail_errno(errno, fmt::format("replace {}", below(name)));
  if (!written) ::unlinkat(fd_.get(), next.c_str(), 0);
  return written;
}

Result<std::string> Folder::read_file(const std::string& relative, std::size_t most) const {
  auto file = open_beneath(fd_.get(), relative, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return fail(with_context(file.error(), fmt::format("below {}", path_)));
  struct stat info {};
  if (::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode))
    return fail(Code::kInvalid, "read {}: it is not a regular file", below(relative));
  // A byte more than it has, so that its end is found by the same call; it may grow meanwhile.
  std::string text(std::min(static_cast<std::size_t>(info.st_size), most) + 1, '\0');
  for (std::size_t size = 0; size <= most;) {
    if (size == text.size()) text.resize(2 * size);
    const ssize_t got = ::read(file->get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, fmt::format("read {}", below(relative)));
    size += static_cast<std::size_t>(got);
    if (got == 0) {
      text.resize(size);
      return text;
    }
  }
  return fail(Code::kInvalid, "read {}: it is larger than {} bytes", below(relative), most);
}

Status Folder::sync_file(const std::string& name) const {
  TRY(const auto file, open_beneath(fd_.get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (uninterrupted([&] { return ::fsync(file.get()); }) != 0)
    return fail_errno(errno, fmt::format("flush {}", below(name)));
  return {};
}

Result<std::vector<std::string>> Folder::names() const {
  TRY(auto fd, open_beneath(fd_.get(), ".", O_RDONLY | O_DIRECTORY));
  const Dir dir(::fdopendir(fd.get()));
  if (!dir) return fail_errno(errno, fmt::format("list {}", path_));
  fd.release();
  std::vector<std::string> found;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") found.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return fail_errno(errno, fmt::format("list {}", path_));
  std::ranges::sort(found);
  return found;
}

Status Folder::set_owner(uid_t uid, gid_t gid) const {
  if (::fchown(fd_.get(), uid, gid) != 0)
    return fail_errno(errno, fmt::format("give {} to {}:{}", path_, uid, gid));
  return {};
}

Status Folder::set_mode(mode_t mode) const {
  if (::fchmod(fd_.get(), mode) != 0)
    return fail_errno(errno, fmt::format("set mode {:04o} on {}", mode, path_));
  return {};
}

Status Folder::sync() const {
  if (uninterrupted([&] { return ::fsync(fd_.get()); }) != 0)
    return fail_errno(errno, fmt::format("flush {}", path_));
  return {};
}

}  // namespace fairlead::volume
