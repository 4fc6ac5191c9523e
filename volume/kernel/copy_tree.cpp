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
#include "volume/kernel/path_tree.h"
#include "volume/kernel/walk.h"

namespace fairlead::volume {

namespace {

using Inode = std::pair<dev_t, ino_t>;
Inode inode_of(const struct stat& info) { return {info.st_dev, info.st_ino}; }

tl::unexpected<Error> stopped() { return fail(Code::kUnavailable, "it was stopped"); }

// For messages.
std::string shown(const PathTree& paths, PathTree::Node folder, const std::string& name) {
  const std::string path = paths.shown(folder);
  if (name == ".") return path;
  return path == "." ? name : path + "/" + name;
}

// Borrowed until the next call.
Result<int> open_folder(OpenFolders& folders, const PathTree& paths, PathTree::Node folder) {
  auto fd = folders.open(folder);
  if (fd || fd.error().sys_errno != EXDEV) return fd;
  return fail(Error{
      Code::kInUse, EXDEV,
      fmt::format("something is mounted inside at {}; unmount it first", paths.shown(folder))});
}

// The same folder, for who lists it and closes it.
Result<UniqueFd> again(int folder) {
  UniqueFd fd(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open the folder again");
  return fd;
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
  TreeMeter(int root, const KeepGoing& keep_going) : keep_going_(keep_going), open_(root, paths_) {}
  Result<TreeSize> run();

 private:
  void look_at(int fd, PathTree::Node folder, const dirent& entry);

  const KeepGoing& keep_going_;
  TreeSize size_;
  PathTree paths_;
  OpenFolders open_;
  std::vector<PathTree::Node> todo_{PathTree::kTop};
  std::set<Inode> linked_;
};

void TreeMeter::look_at(int fd, PathTree::Node folder, const dirent& entry) {
  struct stat info {};
  if (::fstatat(fd, entry.d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1 && !linked_.insert(inode_of(info)).second) return;
  size_.bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  ++size_.inodes;
  if (S_ISDIR(info.st_mode)) todo_.push_back(paths_.add(folder, entry.d_name));
}

Result<TreeSize> TreeMeter::run() {
  size_.inodes = 1;
  while (!todo_.empty()) {
    if (keep_going_ && !keep_going_(size_.bytes)) return stopped();
    const PathTree::Node folder = todo_.back();
    todo_.pop_back();
    const auto fd = open_.open(folder);
    if (!fd) continue;  // gone, or something else is mounted there
    TRY(auto list, again(*fd));
    TRY_STATUS(
        each_entry(std::move(list), paths_.shown(folder), [&](const dirent& entry) -> Status {
          look_at(*fd, folder, entry);
          return {};
        }));
  }
  return size_;
}

// --- copy

class TreeCopier {
 public:
  TreeCopier(int from, int to, const KeepGoing& keep_going)
      : keep_going_(keep_going), from_(from, paths_), to_(to, paths_), first_(to, paths_) {}
  Status run();

 private:
  struct Entry {
    int from, to;  // the folders that hold the entry
    PathTree::Node folder;
    std::string name;  // "." for the folder itself
    struct stat info {};
  };
  // The first name of a file in the copy.
  struct First {
    PathTree::Node folder;
    std::string name;
  };
  struct Flagged {
    PathTree::Node folder;
    std::string name;
    std::uint32_t flags;
  };

  Status copy_folder(PathTree::Node folder);
  Status copy_entry(Entry& entry);
  Status make(Entry& entry);
  Status make_file(Entry& entry);
  Status copy_content(int from, int to);
  Status make_symlink(const Entry& entry);
  Result<bool> make_hard_link(const Entry& entry);
  static Status copy_attributes(const Entry& entry);
  Status finish_folder(PathTree::Node folder);
  void flag_later(const Entry& entry, int source);
  Status set_flags();

  const KeepGoing& keep_going_;
  PathTree paths_;  // the same in both trees
  OpenFolders from_, to_;
  OpenFolders first_;  // in the copy, of the first names of files
  std::uint64_t copied_ = 0;
  bool shares_blocks_ = true;
  std::vector<PathTree::Node> todo_{PathTree::kTop}, folders_;
  std::map<Inode, First> linked_;
  std::vector<Flagged> flagged_;  // to be set at the end
};

Result<bool> TreeCopier::make_hard_link(const Entry& entry) {
  if (entry.info.st_nlink < 2) return false;
  const auto [first, fresh] =
      linked_.try_emplace(inode_of(entry.info), First{entry.folder, entry.name});
  if (fresh) return false;
  TRY(const int folder, first_.open(first->second.folder));
  if (::linkat(folder, first->second.name.c_str(), entry.to, entry.name.c_str(), 0) != 0)
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
  flag_later(entry, source.get());
  if (const auto flags = flags_of(source.get()); (flags & FS_NOCOW_FL) != 0)
    (void)add_flags(target.get(), FS_NOCOW_FL);  // possible while it is empty
  TRY_STATUS(copy_content(source.get(), target.get()));
  copied_ += static_cast<std::uint64_t>(entry.info.st_blocks) * 512;
  return {};
}

void TreeCopier::flag_later(const Entry& entry, int source) {
  std::uint32_t flags = flags_of(source);
  if (entry.folder == PathTree::kTop && entry.name == ".") flags &= ~kSealingFlags;
  if (flags != 0) flagged_.push_back({entry.folder, entry.name, flags});
}

// At the very end, because what is immutable takes no entries, names and attributes any more.
Status TreeCopier::set_flags() {
  for (const Flagged& one : flagged_) {
    TRY(const int folder, first_.open(one.folder));
    TRY(const auto file,
        open_beneath(folder, one.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, RESOLVE_NO_XDEV));
    if (const auto set = add_flags(file.get(), one.flags); !set)
      return fail(
          with_context(set.error(), fmt::format("copy {}", shown(paths_, one.folder, one.name))));
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
    if (::mkdirat(entry.to, entry.name.c_str(), 0700) != 0)
      return fail_errno(errno, "make the folder");
    todo_.push_back(paths_.add(entry.folder, entry.name));
    return {};
  }
  TRY(const bool linked, make_hard_link(entry));
  if (linked) return {};
  TRY_STATUS(make(entry));
  return copy_attributes(entry);
}

Status TreeCopier::copy_folder(PathTree::Node folder) {
  TRY(const int from, open_folder(from_, paths_, folder));
  TRY(const int to, open_folder(to_, paths_, folder));
  if ((flags_of(from) & FS_NOCOW_FL) != 0)
    (void)add_flags(to, FS_NOCOW_FL);  // at once: files that are made in it inherit it
  folders_.push_back(folder);
  TRY(auto list, again(from));
  return each_entry(std::move(list), paths_.shown(folder), [&](const dirent& found) -> Status {
    if (keep_going_ && !keep_going_(copied_)) return stopped();
    Entry entry{.from = from, .to = to, .folder = folder, .name = found.d_name};
    if (auto done = copy_entry(entry); !done)
      return fail(
          with_context(done.error(), fmt::format("copy {}", shown(paths_, folder, entry.name))));
    return {};
  });
}

// Called when everything in the folder is copied, so that its times are kept and its default ACL is
// not applied to entries that we create.
Status TreeCopier::finish_folder(PathTree::Node folder) {
  TRY(const int from, open_folder(from_, paths_, folder));
  TRY(const int to, open_folder(to_, paths_, folder));
  Entry entry{.from = from, .to = to, .folder = folder, .name = "."};
  if (::fstat(from, &entry.info) != 0)
    return fail_errno(errno, fmt::format("look at {}", paths_.shown(folder)));
  if (auto done = copy_attributes(entry); !done)
    return fail(with_context(done.error(), fmt::format("copy {}", paths_.shown(folder))));
  flag_later(entry, from);
  return {};
}

Status TreeCopier::run() {
  while (!todo_.empty()) {
    const PathTree::Node folder = todo_.back();
    todo_.pop_back();
    TRY_STATUS(copy_folder(folder));
  }
  for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder)
    TRY_STATUS(finish_folder(*folder));
  return set_flags();
}

}  // namespace

Result<TreeSize> measure_tree(int folder, const KeepGoing& keep_going) {
  return TreeMeter(folder, keep_going).run();
}

Status copy_tree(int from, int to, const KeepGoing& keep_going) {
  return TreeCopier(from, to, keep_going).run();
}

}  // namespace fairlead::volume
