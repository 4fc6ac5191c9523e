#include "volume/kernel/copy_tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <map>
#include <set>
#include <vector>

#include "volume/kernel/file_flags.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/image_file.h"
#include "volume/kernel/walk.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kLongestPath = 16'000;  // of a folder; for each one a path is held
constexpr std::size_t kLongestStep = 4000;    // what the kernel takes in one call

using Inode = std::pair<dev_t, ino_t>;
Inode inode_of(const struct stat& info) { return {info.st_dev, info.st_ino}; }

std::string join(const std::string& folder, const std::string& name) {
  return folder == "." ? name : folder + "/" + name;
}

// For messages.
std::string short_path(const std::string& path) {
  constexpr std::size_t kMost = 200;
  return path.size() <= kMost ? path : path.substr(0, kMost) + "...";
}

tl::unexpected<Error> stopped() { return fail(Code::kUnavailable, "it was stopped"); }

// Opens what is at a path of any length, in as many steps as the kernel needs for it.
Result<UniqueFd> open_at(int root, std::string_view path, int flags) {
  UniqueFd way;
  while (path.size() > kLongestStep) {
    const std::size_t slash = path.rfind('/', kLongestStep);
    TRY(way, open_beneath(way ? way.get() : root, std::string(path.substr(0, slash)),
                          O_PATH | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV));
    path.remove_prefix(slash + 1);
  }
  return open_beneath(way ? way.get() : root, std::string(path), flags, RESOLVE_NO_XDEV);
}

Result<UniqueFd> open_folder(int root, const std::string& path) {
  auto fd = open_at(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd || fd.error().sys_errno != EXDEV) return fd;
  return fail(
      Error{Code::kInUse, EXDEV,
            fmt::format("something is mounted inside at {}; unmount it first", short_path(path))});
}

// The path of an entry for calls that take only paths. The folder is named by its descriptor, and
// those calls do not follow the last component.
std::string proc_path(int folder, const std::string& name) {
  return fmt::format("/proc/self/fd/{}/{}", folder, name);
}

Status copy_xattr(const std::string& from, const std::string& to, const char* name) {
  std::vector<char> value(XATTR_SIZE_MAX);
  const ssize_t length = ::lgetxattr(from.c_str(), name, value.data(), value.size());
  if (length < 0) return {};  // gone meanwhile
  if (::lsetxattr(to.c_str(), name, value.data(), static_cast<std::size_t>(length), 0) == 0)
    return {};
  // What a security module sets itself, and what the file system only shows.
  const std::string_view kind(name);
  const bool is_data = kind.starts_with("user.") || kind.starts_with("trusted.") ||
                       kind == "security.capability" || kind.starts_with("system.posix_acl_");
  if (!is_data && (errno == EOPNOTSUPP || kind.starts_with("security."))) return {};
  return fail_errno(errno, fmt::format("copy the extended attribute {}", name));
}

Status copy_xattrs(const std::string& from, const std::string& to) {
  const ssize_t size = ::llistxattr(from.c_str(), nullptr, 0);
  if (size <= 0) return {};
  std::string names(static_cast<std::size_t>(size), '\0');
  const ssize_t got = ::llistxattr(from.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < got;) {
    const char* name = names.data() + at;
    TRY_STATUS(copy_xattr(from, to, name));
    at += static_cast<ssize_t>(std::char_traits<char>::length(name)) + 1;
  }
  return {};
}

// --- measure

class TreeMeter {
 public:
  explicit TreeMeter(const KeepGoing& keep_going) : keep_going_(keep_going) {}
  Result<TreeSize> run(int root);

 private:
  Status look_at(int folder, const std::string& path, const dirent& entry);

  const KeepGoing& keep_going_;
  TreeSize size_;
  std::vector<std::string> todo_{"."};
  std::set<Inode> linked_;
};

Status TreeMeter::look_at(int folder, const std::string& path, const dirent& entry) {
  struct stat info {};
  if (::fstatat(folder, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 && !linked_.insert(inode_of(info)).second)
    return {};
  size_.bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  ++size_.inodes;
  if (S_ISDIR(info.st_mode) && path.size() < kLongestPath)
    todo_.push_back(join(path, entry.d_name));
  return {};
}

Result<TreeSize> TreeMeter::run(int root) {
  size_.inodes = 1;
  while (!todo_.empty()) {
    if (keep_going_ && !keep_going_(size_.bytes)) return stopped();
    const std::string path = std::move(todo_.back());
    todo_.pop_back();
    auto folder = open_folder(root, path);
    if (!folder) continue;  // gone, or something else is mounted there
    const int fd = folder->get();
    TRY_STATUS(each_entry(std::move(*folder), short_path(path),
                          [&](const dirent& entry) { return look_at(fd, path, entry); }));
  }
  return size_;
}

// --- copy

class TreeCopier {
 public:
  TreeCopier(int from, int to, const KeepGoing& keep_going)
      : from_(from), to_(to), keep_going_(keep_going) {}
  Status run();

 private:
  struct Entry {
    int from, to;  // the folders that hold the entry
    const std::string& folder;
    std::string name;
    struct stat info {};
    std::string path() const { return join(folder, name); }
  };

  Status copy_folder(const std::string& path);
  Status copy_entry(Entry& entry);
  Status make(Entry& entry);
  Status make_file(Entry& entry);
  Status copy_content(int from, int to);
  Status make_symlink(const Entry& entry);
  Result<bool> make_hard_link(const Entry& entry);
  static Status copy_attributes(const Entry& entry);
  Status finish_folder(const std::string& path);
  void flag_later(const std::string& path, int source);
  Status set_flags();

  int from_, to_;
  const KeepGoing& keep_going_;
  std::uint64_t copied_ = 0;
  bool shares_blocks_ = true;
  std::vector<std::string> todo_{"."}, folders_;
  std::map<Inode, std::string> linked_;  // the path in the copy of the first name of a file
  std::map<std::string, std::uint32_t> flagged_;  // by path, to be set at the end
};

Result<bool> TreeCopier::make_hard_link(const Entry& entry) {
  if (entry.info.st_nlink < 2) return false;
  const auto [first, fresh] = linked_.try_emplace(inode_of(entry.info), entry.path());
  if (fresh) return false;
  TRY(const auto file, open_at(to_, first->second, O_PATH | O_NOFOLLOW));
  if (::linkat(file.get(), "", entry.to, entry.name.c_str(), AT_EMPTY_PATH) != 0)
    return fail_errno(errno, "make a hard link");
  return true;
}

Status TreeCopier::copy_content(int from, int to) {
  if (shares_blocks_) {
    auto shared = share_blocks(from, to);
    if (shared || shared.error().code != Code::kUnsupported) return shared;
    shares_blocks_ = false;  // tried once, because it is the same for the whole file system
  }
  return copy_sparse(from, to, [&](std::uint64_t done, std::uint64_t) {
    return !keep_going_ || keep_going_(copied_ + done);
  });
}

// Uses the metadata of the file that was opened, because the name may have led to another file a
// moment ago.
Status TreeCopier::make_file(Entry& entry) {
  TRY(const auto source,
      open_beneath(entry.from, entry.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME));
  if (::fstat(source.get(), &entry.info) != 0 || !S_ISREG(entry.info.st_mode))
    return fail(Code::kConflict, "it changed while it was copied");
  const UniqueFd target(::openat(entry.to, entry.name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!target) return fail_errno(errno, "make the copy");
  flag_later(entry.path(), source.get());
  if (const auto flags = flags_of(source.get()); (flags & FS_NOCOW_FL) != 0)
    (void)add_flags(target.get(), FS_NOCOW_FL);  // possible while it is empty
  TRY_STATUS(copy_content(source.get(), target.get()));
  copied_ += static_cast<std::uint64_t>(entry.info.st_blocks) * 512;
  return {};
}

void TreeCopier::flag_later(const std::string& path, int source) {
  std::uint32_t flags = flags_of(source);
  if (path == ".") flags &= ~kSealingFlags;
  if (flags != 0) flagged_[path] = flags;
}

// At the very end, because what is immutable takes no entries, names and attributes any more.
Status TreeCopier::set_flags() {
  for (const auto& [path, flags] : flagged_) {
    TRY(const auto file, open_at(to_, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
    if (const auto set = add_flags(file.get(), flags); !set)
      return fail(with_context(set.error(), fmt::format("copy {}", short_path(path))));
  }
  return {};
}

Status TreeCopier::make_symlink(const Entry& entry) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length =
      ::readlinkat(entry.from, entry.name.c_str(), target.data(), target.size() - 1);
  if (length < 0) return fail_errno(errno, "read the link");
  if (::symlinkat(target.data(), entry.to, entry.name.c_str()) != 0)
    return fail_errno(errno, "make the link");
  return {};
}

Status TreeCopier::make(Entry& entry) {
  if (S_ISREG(entry.info.st_mode)) return make_file(entry);
  if (S_ISLNK(entry.info.st_mode)) return make_symlink(entry);
  if (::mknodat(entry.to, entry.name.c_str(), entry.info.st_mode, entry.info.st_rdev) != 0)
    return fail_errno(errno, "make the special file");
  return {};
}

// The owner is set first, because changing it clears setuid and file capabilities.
Status TreeCopier::copy_attributes(const Entry& entry) {
  const char* name = entry.name.c_str();
  if (::fchownat(entry.to, name, entry.info.st_uid, entry.info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "set the owner");
  if (!S_ISLNK(entry.info.st_mode) &&
      ::fchmodat(entry.to, name, entry.info.st_mode & 07777U, 0) != 0)
    return fail_errno(errno, "set the mode");
  TRY_STATUS(copy_xattrs(proc_path(entry.from, entry.name), proc_path(entry.to, entry.name)));
  const std::array<timespec, 2> times{entry.info.st_atim, entry.info.st_mtim};
  if (::utimensat(entry.to, name, times.data(), AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "set the times");
  return {};
}

Status TreeCopier::copy_entry(Entry& entry) {
  if (::fstatat(entry.from, entry.name.c_str(), &entry.info, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT ? Status() : Status(fail_errno(errno, "look at it"));
  if (S_ISDIR(entry.info.st_mode)) {
    if (entry.path().size() > kLongestPath)
      return fail(Code::kInvalid, "its path is longer than {} bytes", kLongestPath);
    if (::mkdirat(entry.to, entry.name.c_str(), 0700) != 0)
      return fail_errno(errno, "make the folder");
    todo_.push_back(entry.path());
    return {};
  }
  TRY(const bool linked, make_hard_link(entry));
  if (linked) return {};
  TRY_STATUS(make(entry));
  return copy_attributes(entry);
}

Status TreeCopier::copy_folder(const std::string& path) {
  TRY(auto from, open_folder(from_, path));
  TRY(const auto to, open_folder(to_, path));
  if ((flags_of(from.get()) & FS_NOCOW_FL) != 0)
    (void)add_flags(to.get(), FS_NOCOW_FL);  // at once: files that are made in it inherit it
  folders_.push_back(path);
  const int from_fd = from.get();
  return each_entry(std::move(from), short_path(path), [&](const dirent& found) -> Status {
    if (keep_going_ && !keep_going_(copied_)) return stopped();
    Entry entry{.from = from_fd, .to = to.get(), .folder = path, .name = found.d_name};
    if (auto done = copy_entry(entry); !done)
      return fail(with_context(done.error(), fmt::format("copy {}", short_path(entry.path()))));
    return {};
  });
}

// Called when everything in the folder is copied, so that its times are kept and its default ACL is
// not applied to entries that we create.
Status TreeCopier::finish_folder(const std::string& path) {
  TRY(const auto from, open_folder(from_, path));
  TRY(const auto to, open_folder(to_, path));
  Entry entry{.from = from.get(), .to = to.get(), .folder = path, .name = "."};
  if (::fstat(from.get(), &entry.info) != 0)
    return fail_errno(errno, fmt::format("look at {}", short_path(path)));
  if (auto done = copy_attributes(entry); !done)
    return fail(with_context(done.error(), fmt::format("copy {}", short_path(path))));
  flag_later(path, from.get());
  return {};
}

Status TreeCopier::run() {
  while (!todo_.empty()) {
    const std::string path = std::move(todo_.back());
    todo_.pop_back();
    TRY_STATUS(copy_folder(path));
  }
  for (auto path = folders_.rbegin(); path != folders_.rend(); ++path)
    TRY_STATUS(finish_folder(*path));
  return set_flags();
}

}  // namespace

Result<TreeSize> measure_tree(int folder, const KeepGoing& keep_going) {
  return TreeMeter(keep_going).run(folder);
}

Status copy_tree(int from, int to, const KeepGoing& keep_going) {
  return TreeCopier(from, to, keep_going).run();
}

}  // namespace fairlead::volume
