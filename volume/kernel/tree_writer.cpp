#include "volume/kernel/tree_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "volume/kernel/file_flags.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostLevels = 64;        // open at once
constexpr std::size_t kMostLater = 1'000'000;  // folders whose times are still to be set
constexpr std::size_t kMostFlagged = 1'000'000;
constexpr std::size_t kMostDevices = 10'000;        // that are remembered by name
constexpr std::size_t kMostPathBytes = 64U << 20;   // of what is flagged
constexpr std::size_t kMostDeviceBytes = 4U << 20;  // of the names of devices

// Checks one component, and appends it.
Status append_component(std::string_view part, std::string& path) {
  if (part.empty() || part == ".") return {};
  if (part == "..") return fail(Code::kInvalid, "its name leads out of the folder by \"..\"");
  if (part.size() > NAME_MAX)
    return fail(Code::kInvalid, "a part of its name is longer than {} bytes", NAME_MAX);
  if (!path.empty()) path += '/';
  path += part;
  return {};
}

// The path without what counts for nothing, such as a leading slash; kInvalid when it would lead out
// of the folder.
Result<std::string> normalized(std::string_view path) {
  if (path.find('\0') != std::string::npos)
    return fail(Code::kInvalid, "its name holds a NUL byte");
  std::string clean;
  clean.reserve(path.size());
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    TRY_STATUS(append_component(path.substr(0, slash), clean));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return clean;
}

// A normalized path as its folder ("" for the top) and its last component. Borrowed.
struct SplitPath {
  std::string_view folder;
  std::string name;
};
SplitPath split(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {.folder = {}, .name = std::string(path)};
  return {.folder = path.substr(0, slash), .name = std::string(path.substr(slash + 1))};
}

timespec to_timespec(const FileTime& time) {
  return {.tv_sec = time.seconds, .tv_nsec = static_cast<long>(time.nanos)};
}

// Sets the access time to that of the content, because archives hold no other.
Status set_times(int fd, const FileTime& mtime) {
  const timespec times[2] = {to_timespec(mtime), to_timespec(mtime)};
  if (::futimens(fd, times) != 0) return fail_errno(errno, "set its time");
  return {};
}

// Whether the file system has room: where it has, ENOSPC for an attribute means that it is too large
// for this kind of file system.
bool has_room(int fd) {
  struct statfs info {};
  return ::fstatfs(fd, &info) == 0 && info.f_bavail > 16;
}

// Whether a target of this kind refuses the attribute, rather than failing.
bool is_refusal(int fd, int error) {
  return error == EPERM || error == EACCES || error == ENOTSUP || error == E2BIG ||
         error == ERANGE || error == EINVAL || (error == ENOSPC && has_room(fd));
}

}  // namespace

TreeWriter::TreeWriter(int folder, Origin origin, TreeLimits limits)
    : folder_(folder), origin_(origin), limits_(limits) {}

Status TreeWriter::add(const TreeEntry& entry) {
  TRY_STATUS(end_file());
  if (++entries_ > limits_.entries)
    return fail(Code::kExhausted, "entry \"{}\": the archive has more than {} entries",
                printable(entry.path), limits_.entries);
  auto added = add_checked(entry);
  if (!added)
    return fail(with_context(added.error(), fmt::format("entry \"{}\"", printable(entry.path))));
  return added;
}

Status TreeWriter::add_checked(const TreeEntry& entry) {
  if (entry.path.starts_with('/')) {
    if (origin_ == Origin::kOwn) return fail(Code::kInvalid, "its name is absolute");
    ++absolute_names_;
  }
  TRY(const std::string path, normalized(entry.path));
  if (entry.kind == EntryKind::kFolder) return add_folder(entry, path);
  if (path.empty()) return fail(Code::kInvalid, "only a folder can be the top");
  const auto [folder, name] = split(path);
  TRY(const int parent, enter(folder, Missing::kMake));
  TRY_STATUS(make_way(parent, name));
  forget_flags(path);
  devices_.erase(path);
  if (entry.kind == EntryKind::kDevice ||
      (!entry.hard_link.empty() && is_left_out_device(entry.hard_link))) {
    leave_out_device(entry, path);
    return {};
  }
  if (!entry.hard_link.empty()) return add_hard_link(entry.hard_link, parent, name);
  flag_later(entry, path);
  return add_leaf(entry, parent, name);
}

bool TreeWriter::is_left_out_device(const std::string& path) const {
  if (devices_.empty()) return false;
  const auto clean = normalized(path);
  return clean && devices_.contains(*clean);
}

void TreeWriter::leave_out_device(const TreeEntry& entry, const std::string& path) {
  notes_.add(fmt::format("{} is a device node; it was left out", printable(entry.path)));
  if (devices_.size() < kMostDevices && device_bytes_ + path.size() <= kMostDeviceBytes)
    device_bytes_ += devices_.insert(path).second ? path.size() : 0;
}

// Of what a later entry replaces.
void TreeWriter::forget_flags(const std::string& path) {
  if (flagged_.erase(path) > 0) flagged_bytes_ -= path.size();
}

void TreeWriter::flag_later(const TreeEntry& entry, const std::string& path) {
  std::uint32_t flags = entry.flags & kKeptFlags;
  const std::uint32_t refused = path.empty() ? flags & kSealingFlags : 0;
  flags &= ~refused;
  if (refused != 0)
    notes_.add(fmt::format("the top folder was {}, which a volume cannot be; that was left out",
                           names_of_flags(refused)));
  if (flags == 0) return;
  if (flagged_.size() < kMostFlagged && flagged_bytes_ + path.size() <= kMostPathBytes) {
    flagged_bytes_ += path.size();
    flagged_[path] = flags;
  } else {
    notes_.add(fmt::format("{} was {}; that was left out, because too many files are",
                           printable(path), names_of_flags(flags)));
  }
}

// Opens a folder below the parent; nothing but a folder is entered.
Result<UniqueFd> TreeWriter::step(int parent, const std::string& name, Missing missing) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  auto fd = open_beneath(parent, name, kFlags, RESOLVE_NO_XDEV);
  if (!fd && fd.error().sys_errno == ENOENT && missing == Missing::kMake) {
    if (::mkdirat(parent, name.c_str(), 0755) != 0 && errno != EEXIST)
      return fail_errno(errno, fmt::format("make the folder \"{}\"", printable(name)));
    fd = open_beneath(parent, name, kFlags, RESOLVE_NO_XDEV);
  }
  if (fd) return fd;
  const int cause = fd.error().sys_errno;
  if (cause == ELOOP || cause == ENOTDIR || cause == EXDEV)
    return fail(Code::kInvalid, "its way leads through \"{}\", which is not a folder",
                printable(name));
  return fail(fd.error());
}

// How many of the first components lead through folders that were entered last.
std::size_t TreeWriter::shared_levels(std::string_view folder) const {
  std::size_t same = 0;
  for (; same < levels_.size() && !folder.empty(); ++same) {
    const std::string& name = levels_[same].name;
    if (!folder.starts_with(name) || (folder.size() > name.size() && folder[name.size()] != '/'))
      break;
    folder.remove_prefix(std::min(name.size() + 1, folder.size()));
  }
  while (same > 0 && !levels_[same - 1].fd) --same;  // closed, being far above
  return same;
}

// Opens the folder of a normalized path; the descriptor is borrowed until the next call. Entries
// come folder by folder, so most of the path is open already.
Result<int> TreeWriter::enter(std::string_view folder, Missing missing) {
  levels_.resize(shared_levels(folder));
  for (const Level& level : levels_)
    folder.remove_prefix(std::min(level.name.size() + 1, folder.size()));
  while (!folder.empty()) {
    std::string name(folder.substr(0, folder.find('/')));
    folder.remove_prefix(std::min(name.size() + 1, folder.size()));
    const int parent = levels_.empty() ? folder_ : levels_.back().fd.get();
    TRY(auto fd, step(parent, name, missing));
    levels_.push_back({.name = std::move(name), .fd = std::move(fd)});
    if (levels_.size() > kMostLevels) levels_[levels_.size() - 1 - kMostLevels].fd.reset();
  }
  return levels_.empty() ? folder_ : levels_.back().fd.get();
}

// The folder that was entered last, among those whose times are set later.
PathTree::Node TreeWriter::node_of_folder() {
  std::size_t known = levels_.size();
  while (known > 0 && !levels_[known - 1].node) --known;
  PathTree::Node node = known == 0 ? PathTree::kTop : *levels_[known - 1].node;
  for (; known < levels_.size(); ++known) {
    node = folders_.add(node, levels_[known].name);
    levels_[known].node = node;
  }
  return node;
}

// Removes what an earlier entry left under this name, unless it is a folder.
Status TreeWriter::make_way(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno == EISDIR) return fail(Code::kInvalid, "a folder has this name already");
  return fail_errno(errno, "replace what has this name already");
}

void TreeWriter::note_xattr(const TreeEntry& entry, const std::string& name, int error) {
  notes_.add(fmt::format("{}: the attribute {} could not be set here: {}", printable(entry.path),
                         printable(name), std::strerror(error)));
}

Status TreeWriter::set_xattrs(int fd, const TreeEntry& entry) {
  for (const auto& [name, value] : entry.xattrs) {
    if (!is_kept_xattr(name) || name == kDefaultAcl) continue;  // a default ACL is set later
    if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (!is_refusal(fd, errno)) return fail_errno(errno, fmt::format("set {}", printable(name)));
    note_xattr(entry, name, errno);
  }
  return {};
}

// The owner is set first, because chown(2) clears setuid, setgid and capabilities.
Status TreeWriter::dress(int fd, const TreeEntry& entry) {
  if (::fchown(fd, entry.uid, entry.gid) != 0)
    return fail_errno(errno, fmt::format("give it to {}:{}", entry.uid, entry.gid));
  if (::fchmod(fd, entry.mode & 07777) != 0)
    return fail_errno(errno, fmt::format("set mode {:04o}", entry.mode & 07777));
  return set_xattrs(fd, entry);
}

Status TreeWriter::add_folder(const TreeEntry& entry, const std::string& path) {
  TRY(const int fd, enter(path, Missing::kMake));
  TRY_STATUS(dress(fd, entry));
  forget_flags(path);
  flag_later(entry, path);
  // at once, because files that are created in it inherit this flag
  if ((entry.flags & FS_NOCOW_FL) != 0) (void)add_flags(fd, FS_NOCOW_FL);
  const auto acl = entry.xattrs.find(kDefaultAcl);
  later_.push_back({.folder = node_of_folder(),
                    .mtime = entry.mtime,
                    .default_acl = acl == entry.xattrs.end() ? std::string() : acl->second});
  // So that very many folders do not use up memory, their times are set early. Entries that are
  // added to them later change those times.
  return later_.size() < kMostLater ? Status() : end_folders();
}

Status TreeWriter::add_hard_link(const std::string& from, int parent, const std::string& name) {
  TRY(const std::string path, normalized(from));
  if (path.empty()) return fail(Code::kInvalid, "it is a hard link to the top");
  // The parent must stay open while the path of the other file is walked.
  const UniqueFd here(::fcntl(parent, F_DUPFD_CLOEXEC, 0));
  if (!here) return fail_errno(errno, "hold its folder");
  const auto [folder, first] = split(path);
  auto there = enter(folder, Missing::kRefuse);
  struct stat info {};
  if (!there || ::fstatat(*there, first.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail(Code::kInvalid,
                "it is a hard link to \"{}\", which is not in the archive before it",
                printable(from));
  if (S_ISDIR(info.st_mode))
    return fail(Code::kInvalid, "it is a hard link to the folder \"{}\"", printable(from));
  if (::linkat(*there, first.c_str(), here.get(), name.c_str(), 0) != 0)
    return fail_errno(errno, fmt::format("link it to \"{}\"", printable(from)));
  return {};
}

Status TreeWriter::add_leaf(const TreeEntry& entry, int parent, const std::string& name) {
  if (entry.kind == EntryKind::kFile) return add_file(entry, parent, name);
  if (entry.kind != EntryKind::kSymlink) return add_node(entry, parent, name);
  if (::symlinkat(entry.target.c_str(), parent, name.c_str()) != 0)
    return fail_errno(errno, "make the link");
  return dress_leaf(entry, parent, name);
}

Status TreeWriter::add_file(const TreeEntry& entry, int parent, const std::string& name) {
  UniqueFd file(
      ::openat(parent, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, "make the file");
  if ((entry.flags & FS_NOCOW_FL) != 0) (void)add_flags(file.get(), FS_NOCOW_FL);
  open_.emplace(Open{.fd = std::move(file), .entry = entry});
  return {};
}

mode_t type_of(EntryKind kind) {
  if (kind == EntryKind::kWhiteout) return S_IFCHR;
  return kind == EntryKind::kSocket ? S_IFSOCK : S_IFIFO;
}

Status TreeWriter::add_node(const TreeEntry& entry, int parent, const std::string& name) {
  if (::mknodat(parent, name.c_str(), type_of(entry.kind) | 0600U, 0) == 0)
    return dress_leaf(entry, parent, name);
  if (errno != EPERM || entry.kind != EntryKind::kWhiteout)
    return fail_errno(errno, "make the special file");
  notes_.add(
      fmt::format("{}: the file system takes no whiteout; it was left out", printable(entry.path)));
  return {};
}

// Of what cannot be opened without effects: a link, a FIFO. Nobody else can reach the folder.
Status TreeWriter::dress_leaf(const TreeEntry& entry, int parent, const std::string& name) {
  if (::fchownat(parent, name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "set its owner");
  const std::string path = fmt::format("/proc/self/fd/{}/{}", parent, name);
  if (entry.kind != EntryKind::kSymlink && ::chmod(path.c_str(), entry.mode & 07777) != 0)
    return fail_errno(errno, "set its mode");
  for (const auto& [key, value] : entry.xattrs) {
    if (!is_kept_xattr(key) ||
        ::lsetxattr(path.c_str(), key.c_str(), value.data(), value.size(), 0) == 0)
      continue;
    if (!is_refusal(parent, errno)) return fail_errno(errno, fmt::format("set {}", printable(key)));
    note_xattr(entry, key, errno);
  }
  const timespec times[2] = {to_timespec(entry.mtime), to_timespec(entry.mtime)};
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, "set its time");
  return {};
}

Status TreeWriter::write(std::uint64_t offset, std::string_view bytes) {
  if (!open_) return {};  // content for an entry that takes none, such as a hard link
  const std::string name = printable(open_->entry.path);
  if (offset > open_->entry.size || bytes.size() > open_->entry.size - offset)
    return fail(Code::kInvalid, "entry \"{}\": it has more content than it says", name);
  if (bytes.size() > limits_.bytes - std::min(written_, limits_.bytes))
    return fail(Code::kExhausted, "entry \"{}\": the content is larger than the limit of {} bytes",
                name, limits_.bytes);
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t put =
        ::pwrite(open_->fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, fmt::format("entry \"{}\": write", name));
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Status TreeWriter::end_file() {
  if (!open_) return {};
  const Open file = std::move(*open_);
  open_.reset();
  const auto run = [&]() -> Status {
    if (file.entry.size > static_cast<std::uint64_t>(INT64_MAX) ||
        ::ftruncate(file.fd.get(), static_cast<off_t>(file.entry.size)) != 0)
      return fail_errno(errno == 0 ? EFBIG : errno,
                        fmt::format("make it {} bytes long", file.entry.size));
    TRY_STATUS(dress(file.fd.get(), file.entry));
    return set_times(file.fd.get(), file.entry.mtime);
  };
  errno = 0;
  auto done = run();
  if (!done)
    return fail(
        with_context(done.error(), fmt::format("entry \"{}\"", printable(file.entry.path))));
  return done;
}

// From the last to the first, because what is done below a folder may change its time.
Status TreeWriter::end_folders() {
  OpenFolders open(folder_, folders_);
  for (std::size_t k = later_.size(); k-- > 0;) {
    const Later& later = later_[k];
    TRY(const int fd, open.open(later.folder));
    if (!later.default_acl.empty() &&
        ::fsetxattr(fd, kDefaultAcl, later.default_acl.data(), later.default_acl.size(), 0) != 0)
      notes_.add(fmt::format("{}: the default ACL could not be set here: {}",
                             printable(folders_.shown(later.folder)), std::strerror(errno)));
    TRY_STATUS(set_times(fd, later.mtime));
  }
  later_.clear();
  folders_.clear();
  for (Level& level : levels_) level.node.reset();
  return {};
}

Status TreeWriter::set_flags_of(const std::string& path, std::uint32_t flags) {
  const auto [folder, name] = split(path);
  TRY(const int parent, enter(folder, Missing::kRefuse));
  TRY(const auto fd, open_beneath(parent, name.empty() ? "." : name,
                                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, RESOLVE_NO_XDEV));
  return add_flags(fd.get(), flags);
}

// At the very end, because nothing can be added to an immutable folder, and no name to an immutable
// file.
Status TreeWriter::set_flags() {
  for (const auto& [path, flags] : flagged_)
    if (const auto set = set_flags_of(path, flags); !set)
      notes_.add(fmt::format("{} was {}, which could not be kept here: {}", printable(path),
                             names_of_flags(flags), set.error().text));
  flagged_.clear();
  return {};
}

Status TreeWriter::finish() {
  TRY_STATUS(end_file());
  TRY_STATUS(end_folders());
  TRY_STATUS(set_flags());
  levels_.clear();
  if (::syncfs(folder_) != 0) return fail_errno(errno, "flush the volume");
  return {};
}

}  // namespace fairlead::volume
