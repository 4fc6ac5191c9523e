#include "volume/kernel/tree_reader.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "volume/kernel/btrfs.h"
#include "volume/kernel/file_flags.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/folders_ahead.h"
#include "volume/kernel/path_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostOpen = 48;
constexpr std::size_t kAhead = 3;  // folders behind the one that is visited
// Of the first name of a file that has several: each further name is kept with it.
constexpr std::size_t kLongestFirstName = 16'000;
constexpr std::size_t kLongestTarget = 1 << 16;

std::optional<EntryKind> kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return EntryKind::kFile;
    case S_IFDIR:
      return EntryKind::kFolder;
    case S_IFLNK:
      return EntryKind::kSymlink;
    case S_IFIFO:
      return EntryKind::kFifo;
    case S_IFCHR:
    case S_IFBLK:
      return EntryKind::kDevice;
    case S_IFSOCK:
      return EntryKind::kSocket;
    default:
      return std::nullopt;
  }
}

template <class Time>  // timespec or statx_timestamp
FileTime time_of(const Time& time) {
  return {.seconds = time.tv_sec, .nanos = static_cast<std::uint32_t>(time.tv_nsec)};
}

void fill(TreeEntry& entry, const struct stat& info) {
  entry.kind = kind_of(info.st_mode).value_or(EntryKind::kDevice);
  if (S_ISCHR(info.st_mode) && info.st_rdev == 0) entry.kind = EntryKind::kWhiteout;
  entry.mode = info.st_mode & 07777;
  entry.uid = info.st_uid;
  entry.gid = info.st_gid;
  entry.mtime = time_of(info.st_mtim);
  entry.ctime = time_of(info.st_ctim);
  entry.inode = info.st_ino;
  entry.size = entry.kind == EntryKind::kFile ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void fill(TreeEntry& entry, const struct statx& info) {
  entry.kind = kind_of(info.stx_mode).value_or(EntryKind::kDevice);
  if (S_ISCHR(info.stx_mode) && info.stx_rdev_major == 0 && info.stx_rdev_minor == 0)
    entry.kind = EntryKind::kWhiteout;
  entry.mode = info.stx_mode & 07777;
  entry.uid = info.stx_uid;
  entry.gid = info.stx_gid;
  entry.mtime = time_of(info.stx_mtime);
  entry.ctime = time_of(info.stx_ctime);
  entry.inode = info.stx_ino;
  entry.size = entry.kind == EntryKind::kFile ? info.stx_size : 0;
}

bool has_no_xattrs(int error) { return error == ENOTSUP || error == ENODATA; }

// The value of one attribute; std::nullopt when it vanished meanwhile. It may grow between the two
// calls, hence the loop.
Result<std::optional<std::string>> read_xattr(int fd, const std::string& name) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const ssize_t size = ::fgetxattr(fd, name.c_str(), nullptr, 0);
    if (size < 0 && has_no_xattrs(errno)) return std::nullopt;
    if (size < 0) return fail_errno(errno, fmt::format("read the attribute {}", printable(name)));
    std::string value(static_cast<std::size_t>(size), '\0');
    const ssize_t got = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
    if (got < 0 && errno == ERANGE) continue;
    if (got < 0 && has_no_xattrs(errno)) return std::nullopt;
    if (got < 0) return fail_errno(errno, fmt::format("read the attribute {}", printable(name)));
    value.resize(static_cast<std::size_t>(got));
    return value;
  }
  return fail(Code::kUnavailable, "read the attribute {}: it is changing", printable(name));
}

// Of an entry that is not opened, because it is a link or opening it would have effects. It may have
// become another one meanwhile.
std::map<std::string, std::string> unopened_xattrs(int parent, const std::string& name) {
  const std::string path = fmt::format("/proc/self/fd/{}/{}", parent, name);
  std::map<std::string, std::string> xattrs;
  const ssize_t size = ::llistxattr(path.c_str(), nullptr, 0);
  if (size <= 0) return xattrs;
  std::string names(static_cast<std::size_t>(size), '\0');
  const ssize_t got = ::llistxattr(path.c_str(), names.data(), names.size());
  std::string value(XATTR_SIZE_MAX, '\0');
  for (ssize_t at = 0; at < got;) {
    const std::string one(names.c_str() + at);
    at += static_cast<ssize_t>(one.size()) + 1;
    const ssize_t length = ::lgetxattr(path.c_str(), one.c_str(), value.data(), value.size());
    if (length >= 0 && is_kept_xattr(one))
      xattrs.emplace(one, value.substr(0, static_cast<std::size_t>(length)));
  }
  return xattrs;
}

Status read_xattrs(int fd, std::map<std::string, std::string>& xattrs) {
  if (::flistxattr(fd, nullptr, 0) == 0) return {};  // most files have none
  std::string names(64 << 10, '\0');                 // XATTR_LIST_MAX
  const ssize_t size = ::flistxattr(fd, names.data(), names.size());
  if (size < 0 && has_no_xattrs(errno)) return {};
  if (size < 0) return fail_errno(errno, "list the extended attributes");
  names.resize(static_cast<std::size_t>(size));
  for (std::size_t at = 0; at < names.size();) {
    const std::string name(names.c_str() + at);
    at += name.size() + 1;
    if (!is_kept_xattr(name)) continue;
    TRY(auto value, read_xattr(fd, name));
    if (value) xattrs.emplace(name, std::move(*value));
  }
  return {};
}

Result<std::string> read_target(int parent, const std::string& name) {
  std::string target(kLongestTarget, '\0');
  const ssize_t size = ::readlinkat(parent, name.c_str(), target.data(), target.size());
  if (size < 0) return fail_errno(errno, "read the link");
  target.resize(static_cast<std::size_t>(size));
  return target;
}

struct Level {
  UniqueFd fd;                              // closed while the walk is far below
  std::size_t path = 0;                     // how much of the walk's path is this folder's
  std::optional<PathTree::Node> node = {};  // once a file in it, or below, has several names
  FolderNames names = {};
  std::vector<struct statx> seen = {};  // of the names, if they were looked at ahead
  std::size_t next = 0;
  std::size_t asked = 0;     // up to here, folders were asked for ahead
  std::uint64_t number = 0;  // no two levels of a walk have the same
};

// The first path of a file that has several, until all of them were met.
struct LinkedFile {
  PathTree::Node first;
  std::uint32_t left = 0;
};

// Opens the entry of this name without following it, whatever it has become.
Result<UniqueFd> open_entry(int parent, const std::string& name, EntryKind kind) {
  const int flags = kind == EntryKind::kFolder ? O_RDONLY | O_DIRECTORY | O_NOFOLLOW
                                               : O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  return open_beneath(parent, name, flags, RESOLVE_NO_XDEV);
}

class Walker {
 public:
  Walker(int top, const std::function<Status(TreeCursor&)>& visit, WalkNotes& notes,
         const WalkOptions& options)
      : top_(top), visit_(visit), notes_(notes), options_(options), filter_(options.filter) {}
  Status run();

 private:
  friend class Cursor;
  Status enter(int parent, const char* name, const struct statx* info);
  Status meet(const char* name);
  Status meet_entry(const char* name, const struct statx& info);
  Status meet_folder(const char* name, const struct statx& info);
  Status meet_linked(const char* name, const struct statx& info);
  Status meet_hollow(const std::string& path);
  bool is_foreign_mount(int parent, const char* name, const struct statx& info) const;
  Result<bool> tell(int parent, const char* name);
  Status push(ListedFolder folder);
  void pop();
  void ask_ahead();
  bool look(const char* name, struct statx& info);
  Status reopen();
  std::string name_of(std::size_t level) const;
  PathTree::Node node_of_folder();

  int top_;
  const std::function<Status(TreeCursor&)>& visit_;
  WalkNotes& notes_;
  const WalkOptions& options_;
  const WalkFilter* filter_;  // borrowed; nullptr: nothing is left out on request
  bool on_btrfs_ = false;
  std::uint64_t mount_ = 0;  // of the top, where the kernel tells
  bool knows_mounts_ = false;
  // What is visited. Its path is the only one that is held whole: each level has the beginning of it.
  TreeEntry entry_;
  std::vector<Level> levels_;
  std::uint64_t entered_ = 0;  // folders
  FoldersAhead ahead_;
  PathTree first_names_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, LinkedFile> linked_;  // by device and inode
};

class Cursor : public TreeCursor {
 public:
  Cursor(const TreeEntry& seen, int parent, const char* name)
      : seen_(seen), parent_(parent), name_(name) {}
  const TreeEntry& seen() const override { return seen_; }
  Result<TreeEntry> read(UniqueFd& file) override;

 private:
  const TreeEntry& seen_;
  int parent_;
  const char* name_;  // borrowed from the level
};

// Another kind of file has the name now.
bool is_replaced(int error) { return error == ELOOP || error == ENOTDIR || error == ENXIO; }

tl::unexpected<Error> replaced() {
  return fail(Error{Code::kNotFound, ESTALE, "another kind of file replaced it meanwhile"});
}

// Everything is read by the descriptor, so that it is all of the same file.
Result<TreeEntry> Cursor::read(UniqueFd& file) {
  TreeEntry entry = seen_;
  if (entry.kind == EntryKind::kSymlink) {
    auto target = read_target(parent_, name_);
    if (!target && target.error().sys_errno == EINVAL) return replaced();
    TRY(entry.target, std::move(target));
  }
  if (!entry.hard_link.empty()) return entry;
  if (entry.kind != EntryKind::kFile && entry.kind != EntryKind::kFolder) {
    entry.xattrs = unopened_xattrs(parent_, name_);
    return entry;
  }
  auto opened = open_entry(parent_, name_, entry.kind);
  if (!opened && is_replaced(opened.error().sys_errno)) return replaced();
  TRY(auto fd, std::move(opened));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, "stat");
  if (kind_of(info.st_mode) != entry.kind) return replaced();
  fill(entry, info);
  TRY_STATUS(read_xattrs(fd.get(), entry.xattrs));
  entry.flags = flags_of(fd.get());
  if (entry.kind == EntryKind::kFile) file = std::move(fd);
  return entry;
}

// Calls the visitor. Returns false when the entry has vanished, which is no error.
Result<bool> Walker::tell(int parent, const char* name) {
  Cursor cursor(entry_, parent, name);
  const auto told = visit_(cursor);
  if (!told && told.error().sys_errno == ESTALE && told.error().code == Code::kNotFound)
    notes_.add(
        fmt::format("{}: another kind of file replaced it while it was read; it was left out",
                    printable(cursor.seen().path)));
  if (told || told.error().code == Code::kNotFound) return told.has_value();
  return fail(told.error());
}

Status Walker::push(ListedFolder folder) {
  const auto only = filter_ == nullptr ? std::nullopt
                                       : filter_->only(folder.fd.get(), [&](std::string_view name) {
                                           return folder.names.has(name);
                                         });
  if (only) folder.names = FolderNames(*only);
  // What was seen above is old when the walk comes back to it.
  if (!levels_.empty()) levels_.back().seen = {};
  levels_.push_back({.fd = std::move(folder.fd),
                     .path = entry_.path.size(),
                     .names = std::move(folder.names),
                     .seen = std::move(folder.seen),
                     .number = ++entered_});
  if (levels_.size() > kMostOpen) levels_[levels_.size() - 1 - kMostOpen].fd.reset();
  return {};
}

void Walker::pop() {
  ahead_.forget(levels_.back().number);
  levels_.pop_back();
}

// Has the next folders beside the one that is visited read. Not where a filter may leave them out:
// those are not looked at.
void Walker::ask_ahead() {
  if (filter_ != nullptr) return;
  Level& level = levels_.back();
  level.asked = std::max(level.asked, level.next);
  const std::size_t end = std::min(level.next + kAhead, level.names.size());
  for (; level.asked < end && ahead_.has_room(); ++level.asked)
    if (level.names.is_folder(level.asked))
      ahead_.ask({level.number, level.asked}, level.fd.get(), level.names[level.asked]);
}

// The metadata of the entry that is visited.
bool Walker::look(const char* name, struct statx& info) {
  const Level& level = levels_.back();
  if (level.seen.empty() || level.seen[level.next - 1].stx_mask == 0)
    return stat_entry(level.fd.get(), name, info);
  info = level.seen[level.next - 1];
  return true;
}

// The name of the folder of a level, in the one above it.
std::string Walker::name_of(std::size_t level) const {
  const std::size_t above = levels_[level - 1].path, from = above == 0 ? 0 : above + 1;
  return entry_.path.substr(from, levels_[level].path - from);
}

// The last level among the folders of files that have several names.
PathTree::Node Walker::node_of_folder() {
  std::size_t known = levels_.size() - 1;
  while (known > 0 && !levels_[known].node) --known;
  levels_.front().node = PathTree::kTop;
  for (std::size_t k = known + 1; k < levels_.size(); ++k)
    levels_[k].node = first_names_.add(*levels_[k - 1].node, name_of(k));
  return *levels_.back().node;
}

// Opens the last level again, and those above it that are needed next, so that a walk up a deep
// tree begins at its top once in kMostOpen levels.
Status Walker::reopen() {
  UniqueFd at(::openat(top_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return fail_errno(errno, "open the folder again");
  for (std::size_t k = 0; k < levels_.size(); ++k) {
    if (k > 0) {
      TRY(at, open_entry(levels_[k - 1].fd.get(), name_of(k), EntryKind::kFolder));
    }
    levels_[k].fd = std::move(at);
    if (k >= kMostOpen) levels_[k - kMostOpen].fd.reset();
  }
  return {};
}

// `info` tells of an entry of the last level; nullptr: of the top.
Status Walker::enter(int parent, const char* name, const struct statx* info) {
  if (info != nullptr) {
    const Level& level = levels_.back();
    if (auto listed = ahead_.take({level.number, level.next - 1}, *info))
      return push(std::move(*listed));
  }
  auto fd = open_entry(parent, name, EntryKind::kFolder);
  if (fd) {
    auto names = FolderNames::of(fd->get());
    if (!names) return fail(with_context(names.error(), printable(entry_.path)));
    return push({.fd = std::move(*fd), .names = std::move(*names), .seen = {}});
  }
  const int cause = fd.error().sys_errno;
  if (cause == ENOENT) return {};
  if (is_replaced(cause)) {
    notes_.add(
        fmt::format("{}: another kind of file replaced the folder while it was read; what "
                    "was in it was left out",
                    printable(entry_.path)));
    return {};
  }
  return fail(with_context(fd.error(), printable(entry_.path)));
}

// Where the kernel does not tell the mount, checks without opening the entry for reading.
bool Walker::is_foreign_mount(int parent, const char* name, const struct statx& info) const {
  if (knows_mounts_ && (info.stx_mask & STATX_MNT_ID) != 0) return info.stx_mnt_id != mount_;
  const auto probe = open_beneath(parent, name, O_PATH | O_NOFOLLOW, RESOLVE_NO_XDEV);
  return !probe && probe.error().sys_errno == EXDEV;
}

Status Walker::meet_hollow(const std::string& path) {
  if (options_.hollow == Hollow::kRefuse)
    return fail(Code::kConflict,
                "{} was a subvolume, and the snapshot has nothing of what was in it; clone the "
                "snapshot, remove that empty folder, and take the clone",
                printable(path));
  notes_.add(fmt::format("{} was a subvolume when a snapshot was made: it is empty here",
                         printable(path)));
  return {};
}

Status Walker::meet(const char* name) {
  const int parent = levels_.back().fd.get();
  std::string& path = entry_.path;
  path.resize(levels_.back().path);
  if (!path.empty()) path += '/';
  path += name;
  struct statx info {};
  if (!look(name, info)) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, printable(path));
  }
  fill(entry_, info);
  if (filter_ != nullptr && filter_->leaves_out(path, entry_.kind == EntryKind::kFolder)) return {};
  if (entry_.kind == EntryKind::kDevice) {
    notes_.add(fmt::format("{} is a device node; it was left out", printable(path)));
    return {};
  }
  if (is_foreign_mount(parent, name, info)) {
    notes_.add(fmt::format("something is mounted at {}; it was left out", printable(path)));
    return {};
  }
  return meet_entry(name, info);
}

Status Walker::meet_entry(const char* name, const struct statx& info) {
  entry_.hard_link.clear();
  if (entry_.kind == EntryKind::kFolder) return meet_folder(name, info);
  if (info.stx_nlink > 1) return meet_linked(name, info);
  return status_of(tell(levels_.back().fd.get(), name));
}

Status Walker::meet_folder(const char* name, const struct statx& info) {
  const int parent = levels_.back().fd.get();
  if (entry_.path.size() > options_.longest_path) {
    notes_.add(fmt::format("{}: its path is longer than {} bytes; the folder was left out",
                           printable(entry_.path), options_.longest_path));
    return {};
  }
  ask_ahead();
  if (on_btrfs_ && btrfs::is_hollow(info.stx_ino)) TRY_STATUS(meet_hollow(entry_.path));
  TRY(const bool told, tell(parent, name));
  return told ? enter(parent, name, &info) : Status();
}

Status Walker::meet_linked(const char* name, const struct statx& info) {
  const std::pair file{std::uint64_t{info.stx_dev_major} << 32 | info.stx_dev_minor, info.stx_ino};
  const auto first = linked_.find(file);
  if (first != linked_.end()) entry_.hard_link = first_names_.path(first->second.first);
  if (entry_.hard_link.size() > kLongestFirstName) {
    notes_.add(fmt::format(
        "{} is a hard link to a file whose path is longer than {} bytes; it was left out",
        printable(entry_.path), kLongestFirstName));
    return {};
  }
  TRY(const bool told, tell(levels_.back().fd.get(), name));
  if (told && first == linked_.end())
    linked_.try_emplace(file,
                        LinkedFile{first_names_.add(node_of_folder(), name), info.stx_nlink - 1});
  else if (told && --first->second.left == 0)
    linked_.erase(first);
  return {};
}

Status Walker::run() {
  struct stat info {};
  if (::fstat(top_, &info) != 0) return fail_errno(errno, "stat the folder");
  TRY(on_btrfs_, btrfs::is_on(top_));
  fill(entry_, info);
  TRY([[maybe_unused]] const bool told, tell(top_, "."));
  struct statx mount {};
  knows_mounts_ = ::statx(top_, "", AT_EMPTY_PATH, STATX_MNT_ID, &mount) == 0 &&
                  (mount.stx_mask & STATX_MNT_ID) != 0;
  mount_ = mount.stx_mnt_id;
  TRY_STATUS(enter(top_, ".", nullptr));
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      pop();
      continue;
    }
    if (!level.fd) {
      const auto again = reopen();
      if (!again && again.error().sys_errno != ENOENT) return again;
      if (!again) {  // the whole folder went away
        pop();
        continue;
      }
    }
    TRY_STATUS(meet(level.names[level.next++]));
  }
  return {};
}

}  // namespace

Status walk_tree(int folder, const std::function<Status(TreeCursor&)>& visit, WalkNotes& notes,
                 const WalkOptions& options) {
  return Walker(folder, visit, notes, options).run();
}

Result<std::vector<std::string>> entry_names(int folder) {
  TRY(const auto names, FolderNames::of(folder));
  std::vector<std::string> texts;
  for (std::size_t k = 0; k < names.size(); ++k) texts.emplace_back(names[k]);
  return texts;
}

Result<TreeEntry> look_at_entry(int folder, const std::string& name) {
  struct stat info {};
  if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno(errno, printable(name));
  TreeEntry entry;
  fill(entry, info);
  if (entry.kind == EntryKind::kSymlink) {
    TRY(entry.target, read_target(folder, name));
  }
  return entry;
}

Result<TreeEntry> read_entry(int folder, const std::string& name, UniqueFd& file) {
  TRY(auto entry, look_at_entry(folder, name));
  return Cursor(std::move(entry), folder, name.c_str()).read(file);
}

Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_ranges(int file,
                                                                         std::uint64_t size) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  off_t at = 0;
  const auto end = static_cast<off_t>(size);
  while (at < end) {
    const off_t data = ::lseek(file, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // holes only from here on
    if (data < 0 && errno == EINVAL) return {{{0, size}}};
    if (data < 0) return fail_errno(errno, "look for the holes of a file");
    if (data >= end) break;
    off_t hole = ::lseek(file, data, SEEK_HOLE);
    if (hole < 0 || hole > end) hole = end;
    ranges.emplace_back(static_cast<std::uint64_t>(data), static_cast<std::uint64_t>(hole - data));
    at = hole;
  }
  return ranges;
}

Result<std::size_t> read_at(int file, std::uint64_t offset, std::span<char> into) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t got =
        ::pread(file, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::string> read_range(int file, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  TRY(const std::size_t size, read_at(file, offset, bytes));
  bytes.resize(size);
  return bytes;
}

}  // namespace fairlead::volume
