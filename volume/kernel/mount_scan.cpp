#include "volume/kernel/mount_scan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <tuple>
#include <unordered_set>

#include "base/unique_fd.h"

namespace fairlead::volume {

namespace {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

// The errors for a process, or its namespace, that went away while it was looked at.
bool is_gone(int sys_errno) {
  return sys_errno == ENOENT || sys_errno == ESRCH || sys_errno == EINVAL;
}

Result<std::string> read_proc(int proc, const std::string& name) {
  const UniqueFd file(::openat(proc, name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("open /proc/{}", name));
  std::string text;
  for (std::size_t filled = 0;;) {
    text.resize(filled + 32768);
    const ssize_t got = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, fmt::format("read /proc/{}", name));
    filled += static_cast<std::size_t>(got);
    if (got > 0) continue;
    text.resize(filled);
    return text;
  }
}

Result<std::string> read_link(int folder, const std::string& name) {
  std::array<char, 4097> target{};
  const ssize_t length = ::readlinkat(folder, name.c_str(), target.data(), target.size());
  if (length < 0) return fail_errno(errno, fmt::format("read the link /proc/{}", name));
  return std::string(target.data(), static_cast<std::size_t>(length));
}

// The mount namespace of a process and its root folder: processes that have both in common see the
// same mounts. For our own namespace, which most processes are in, the root folder is left out,
// because our own table is read anyway.
Result<std::string> view_of(int proc, const std::string& process, const std::string& own_space) {
  TRY(const auto space, read_link(proc, process + "/ns/mnt"));
  if (space == own_space) return space;
  TRY(const auto root, read_link(proc, process + "/root"));
  return space + root;
}

std::vector<pid_t> processes(DIR* proc) {
  std::vector<pid_t> found;
  while (const dirent* entry = ::readdir(proc)) {
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) found.push_back(pid);
  }
  return found;
}

bool is_beneath(std::string_view path, std::string_view folder) {
  if (folder == "/") return path.size() > 1;
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

auto order(const FsPlace& place) { return std::tie(place.major, place.minor, place.path); }

std::string command_of(pid_t pid) {
  auto text = read_proc(AT_FDCWD, fmt::format("/proc/{}/comm", pid));
  if (!text || text->empty()) return "a process that ended";
  if (text->ends_with('\n')) text->pop_back();
  std::ranges::replace_if(
      *text, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return *text;
}

}  // namespace

std::string describe(const MountUser& user) {
  if (user.pid == 0) return fmt::format("mounted at {} on the host", user.mount_point);
  return fmt::format("mounted at {} by {} (pid {})", user.mount_point, command_of(user.pid),
                     user.pid);
}

Result<std::string> MountScan::path_of(int fd) {
  TRY(auto path, read_link(AT_FDCWD, fmt::format("/proc/self/fd/{}", fd)));
  if (path.ends_with(" (deleted)"))
    return fail(Code::kIo, "find the mount of a folder: {} was removed", path);
  return path;
}

void MountScan::add(pid_t pid, std::vector<MountEntry> entries) {
  for (MountEntry& entry : entries) {
    if (entry.root_deleted) continue;
    seen_.push_back(
        {{entry.major, entry.minor, std::move(entry.root)}, {pid, std::move(entry.mount_point)}});
  }
}

Result<MountScan> MountScan::take() {
  const std::unique_ptr<DIR, CloseDir> dir(::opendir("/proc"));
  if (!dir) return fail_errno(errno, "open /proc");
  const int proc = ::dirfd(dir.get());
  MountScan scan;
  TRY(const auto own_space, read_link(proc, "thread-self/ns/mnt"));
  TRY(const auto own_text, read_proc(proc, "thread-self/mountinfo"));
  scan.own_ = parse_mountinfo(own_text);
  scan.add(0, scan.own_);
  std::unordered_set<std::string> views{own_space};
  for (const pid_t pid : processes(dir.get())) {
    const auto view = view_of(proc, std::to_string(pid), own_space);
    if (!view && is_gone(view.error().sys_errno)) continue;
    if (view && views.contains(*view)) continue;
    const auto text = read_proc(proc, fmt::format("{}/mountinfo", pid));
    if (!text && is_gone(text.error().sys_errno)) continue;
    if (!text) return fail(text.error());
    const bool fresh =
        // where the links cannot be read, tables are told apart by their content
        views.insert(view ? *view : *text).second;
    if (fresh) scan.add(pid, parse_mountinfo(*text));
  }
  std::ranges::sort(scan.seen_, {}, [](const Seen& seen) { return order(seen.root); });
  return scan;
}

Result<FsPlace> MountScan::place_of(int fd) const {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &info) != 0)
    return fail_errno(errno, "find the mount of a folder");
  const auto mount = std::ranges::find(own_, info.stx_mnt_id, &MountEntry::id);
  if (mount == own_.end())
    return fail(Code::kIo, "find the mount of a folder: mount {} is not in our mount table",
                info.stx_mnt_id);
  TRY(const auto path, path_of(fd));
  const bool at_mount = path == mount->mount_point;
  if (!at_mount && !is_beneath(path, mount->mount_point))
    return fail(Code::kIo, "find the mount of a folder: {} is not beneath its mount point {}", path,
                mount->mount_point);
  const std::string_view relative =
      at_mount ? ""
               : std::string_view(path).substr(
                     mount->mount_point == "/" ? 0 : mount->mount_point.size());
  const std::string joined = (mount->root == "/" ? "" : mount->root) + std::string(relative);
  return FsPlace{mount->major, mount->minor, joined.empty() ? "/" : joined};
}

std::vector<MountUser> MountScan::users_of(const FsPlace& place) const {
  std::vector<MountUser> users;
  const auto by_root = [](const Seen& seen) { return order(seen.root); };
  for (auto seen = std::ranges::lower_bound(seen_, order(place), {}, by_root);
       seen != seen_.end() && order(seen->root) == order(place); ++seen)
    users.push_back(seen->user);
  // The places beneath are adjacent, from "path/" on; others ("path-2") may lie between "path" and
  // them.
  const FsPlace first{place.major, place.minor, place.path == "/" ? "/" : place.path + "/"};
  for (auto seen = std::ranges::lower_bound(seen_, order(first), {}, by_root); seen != seen_.end();
       ++seen) {
    const bool same_device = seen->root.major == place.major && seen->root.minor == place.minor;
    if (!same_device || !seen->root.path.starts_with(first.path)) break;
    if (is_beneath(seen->root.path, place.path)) users.push_back(seen->user);
  }
  return users;
}

Result<std::vector<std::string>> MountScan::mounted_inside(int fd) const {
  TRY(const auto path, path_of(fd));
  std::vector<std::string> inside;
  for (const MountEntry& entry : own_)
    if (is_beneath(entry.mount_point, path)) inside.push_back(entry.mount_point);
  return inside;
}

Result<std::shared_ptr<const MountScan>> RecentMountScan::get() {
  using namespace std::chrono_literals;
  const std::scoped_lock hold(guard_);
  const auto now = std::chrono::steady_clock::now();
  if (scan_ && now - taken_ < 1s) return scan_;
  TRY(auto fresh, MountScan::take());
  scan_ = std::make_shared<const MountScan>(std::move(fresh));
  taken_ = now;
  return scan_;
}

std::optional<FsPlace> MountScan::mounted_at(const std::string& path) const {
  const auto top = std::find_if(own_.rbegin(), own_.rend(),
                                [&](const MountEntry& entry) { return entry.mount_point == path; });
  if (top == own_.rend()) return std::nullopt;
  return FsPlace{top->major, top->minor, top->root};
}

}  // namespace fairlead::volume
