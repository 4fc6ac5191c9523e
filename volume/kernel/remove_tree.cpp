#include "volume/kernel/remove_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>

#include "volume/kernel/btrfs.h"
#include "volume/kernel/btrfs_quota.h"
#include "volume/kernel/btrfs_tree.h"

namespace fairlead::volume {

namespace {

constexpr std::size_t kMostLevels = 64;
constexpr int kMostRewinds = 8;  // of one folder, into which somebody keeps writing

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

struct Level {
  std::unique_ptr<DIR, CloseDir> dir;
  std::string name;  // in the level above
  int rewinds = 0;
  bool again = false;  // read it again: entries were moved in meanwhile
  int fd() const { return ::dirfd(dir.get()); }
};

// Clears the immutable and append-only marks; returns false when there were none. The entry is
// opened by O_PATH first, because opening a device or a FIFO for reading would have effects;
// reopening it through /proc/self/fd then reaches the same file that was checked.
bool clear_marks(int folder, const char* name) {
  const UniqueFd handle(::openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!handle || ::fstat(handle.get(), &info) != 0 ||
      !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)))
    return false;
  const UniqueFd file(::open(fmt::format("/proc/self/fd/{}", handle.get()).c_str(),
                             O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  int marks = 0;
  constexpr int kMarks = FS_IMMUTABLE_FL | FS_APPEND_FL;
  if (!file || ::ioctl(file.get(), FS_IOC_GETFLAGS, &marks) != 0 || (marks & kMarks) == 0)
    return false;
  marks &= ~kMarks;
  return ::ioctl(file.get(), FS_IOC_SETFLAGS, &marks) == 0;
}

// Returns whether any of the entries had marks.
bool clear_marks_of(std::initializer_list<std::pair<int, const char*>> entries) {
  bool cleared = false;
  for (const auto& [folder, name] : entries) cleared = clear_marks(folder, name) || cleared;
  return cleared;
}

// Returns 0 or the errno. Tries a second time after marks were cleared from the entry or its
// folder.
int unlink_entry(int folder, const char* name, int flags) {
  if (::unlinkat(folder, name, flags) == 0 || errno == ENOENT) return 0;
  const int first = errno;
  if (first != EPERM && first != EACCES) return first;
  // without marks another remover may have cleared them a moment ago
  (void)clear_marks_of({{folder, name}, {folder, "."}});
  return ::unlinkat(folder, name, flags) == 0 || errno == ENOENT ? 0 : errno;
}

// A btrfs subvolume is removed at once, however large it is, and those inside it before it. One of
// which some stay is made writable (it may be a read-only snapshot) and emptied like a folder;
// rmdir(2) removes it at the end. The limit is removed first, because a subvolume at its limit cannot
// be removed.
bool destroy_subvolume(int folder, const std::string& name, int subvolume) {
  if (!btrfs::is_subvolume(subvolume).value_or(false)) return false;
  if (const auto id = btrfs::id_of(subvolume)) (void)btrfs::forget_limit(folder, *id);
  if (btrfs::destroy(folder, name)) return true;
  btrfs::destroy_inner(subvolume);
  if (btrfs::destroy(folder, name)) return true;
  (void)btrfs::set_read_only(subvolume, false);  // if this fails, the first unlink fails too
  return false;
}

class TreeRemover {
 public:
  TreeRemover(const Folder& parent, std::string name, const std::function<bool()>& stop)
      : parent_(parent), name_(std::move(name)), stop_(stop) {}

  Result<Removal> run();

 private:
  void enter(int folder, const std::string& name);
  void leave();
  void handle(const dirent& entry);
  void handle_folder(const std::string& name);
  void lift(const std::string& name);
  void remember(int sys_errno, std::string_view action, const std::string& name);

  const Folder& parent_;
  std::string name_;
  const std::function<bool()>& stop_;
  std::vector<Level> levels_;
  std::optional<Error> first_error_;
  std::uint64_t lifted_ = 0;
};

void TreeRemover::remember(int sys_errno, std::string_view action, const std::string& name) {
  if (first_error_) return;
  const std::string_view hint =
      sys_errno == EBUSY || sys_errno == EXDEV ? " (something is mounted there; unmount it)" : "";
  first_error_ = sys_error(
      sys_errno, fmt::format("{} {} in {}/{}{}", action, name, parent_.path(), name_, hint));
  if (sys_errno == EXDEV) first_error_->code = Code::kInUse;
}

// Opens a folder as the next level. Anything else that the name has become is unlinked.
void TreeRemover::enter(int folder, const std::string& name) {
  auto fd = open_beneath(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, RESOLVE_NO_XDEV);
  if (fd) {
    if (destroy_subvolume(folder, name, fd->get())) return;
    std::unique_ptr<DIR, CloseDir> dir(::fdopendir(fd->get()));
    if (!dir) return remember(errno, "list", name);
    fd->release();
    levels_.push_back({.dir = std::move(dir), .name = name});
    return;
  }
  const int cause = fd.error().sys_errno;
  if (cause == ENOENT) return;
  if (cause != ENOTDIR && cause != ELOOP) return remember(cause, "enter", name);
  if (const int failed = unlink_entry(folder, name.c_str(), 0); failed != 0)
    remember(failed, "remove", name);
}

// The folder is too deep for one descriptor per level. It is moved up into the topmost folder,
// which is read again at its end.
void TreeRemover::lift(const std::string& name) {
  Level& top = levels_.front();
  const int from = levels_.back().fd();
  int failed = EEXIST;
  for (int attempt = 0; attempt < 1000 && failed == EEXIST; ++attempt) {
    const std::string free_name = fmt::format("lifted-{}", lifted_++);
    if (::renameat2(from, name.c_str(), top.fd(), free_name.c_str(), RENAME_NOREPLACE) == 0) {
      top.again = true;
      return;
    }
    failed = errno;
    if (failed == EPERM && clear_marks_of({{from, name.c_str()}, {from, "."}, {top.fd(), "."}}))
      failed = EEXIST;
  }
  if (failed != ENOENT) remember(failed, "move up", name);
}

void TreeRemover::handle_folder(const std::string& name) {
  if (levels_.size() >= kMostLevels) return lift(name);
  enter(levels_.back().fd(), name);
}

void TreeRemover::handle(const dirent& entry) {
  const std::string name(entry.d_name);
  if (name == "." || name == "..") return;
  if (entry.d_type == DT_DIR) return handle_folder(name);
  const int failed = unlink_entry(levels_.back().fd(), name.c_str(), 0);
  if (failed == EISDIR) return handle_folder(name);
  if (failed != 0) remember(failed, "remove", name);
}

// Called at the end of a folder: removes it, unless somebody wrote into it meanwhile.
void TreeRemover::leave() {
  Level& level = levels_.back();
  const bool again = std::exchange(level.again, false);
  const int above = levels_.size() > 1 ? levels_[levels_.size() - 2].fd() : parent_.fd();
  const int failed = again ? ENOTEMPTY : unlink_entry(above, level.name.c_str(), AT_REMOVEDIR);
  const bool refilled =
      failed == ENOTEMPTY && (again || (!first_error_ && level.rewinds++ < kMostRewinds));
  if (refilled) return ::rewinddir(level.dir.get());
  if (failed != 0) remember(failed, "remove", level.name);
  levels_.pop_back();
}

Result<Removal> TreeRemover::run() {
  enter(parent_.fd(), name_);
  while (!levels_.empty()) {
    if (stop_ && stop_()) return Removal::kStopped;
    errno = 0;
    if (const dirent* entry = ::readdir(levels_.back().dir.get())) {
      handle(*entry);
      continue;
    }
    if (errno != 0) remember(errno, "list", levels_.back().name);
    leave();
  }
  if (first_error_) return fail(*first_error_);
  return Removal::kGone;
}

}  // namespace

Result<Removal> remove_tree(const Folder& parent, const std::string& name,
                            const std::function<bool()>& stop) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return fail(Code::kInvalid, "remove a folder in {}: its name is not one component of a path",
                parent.path());
  return TreeRemover(parent, name, stop).run();
}

Status remove_tree(const Folder& parent, const std::string& name) {
  TRY([[maybe_unused]] const auto gone, remove_tree(parent, name, {}));
  return {};
}

}  // namespace fairlead::volume
