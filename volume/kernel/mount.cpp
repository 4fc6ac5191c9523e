#include "volume/kernel/mount.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>

#include "volume/kernel/mountinfo.h"

namespace fairlead::volume {

namespace {

// The messages that the kernel wrote into the descriptor of fsopen(2); each read returns one: "e
// ext4: text".
std::string kernel_words(int fs) {
  std::string words;
  std::array<char, 1024> message{};
  for (;;) {
    const ssize_t got = ::read(fs, message.data(), message.size());
    if (got <= 0) return words;
    std::string_view text(message.data(), static_cast<std::size_t>(got));
    if (text.size() > 2 && text[1] == ' ') text.remove_prefix(2);
    while (text.ends_with('\n')) text.remove_suffix(1);
    if (!words.empty()) words += "; ";
    words += text;
  }
}

tl::unexpected<Error> fs_error(int fs, int sys_errno, std::string_view what) {
  Error error = sys_error(sys_errno, what);
  if (const std::string words = kernel_words(fs); !words.empty())
    error.text += fmt::format(" ({})", words);
  return fail(std::move(error));
}

Status set_option(int fs, const std::string& option, const std::string& what) {
  const auto equals = option.find('=');
  const std::string key = option.substr(0, equals);
  const int done =
      equals == std::string::npos
          ? ::fsconfig(fs, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
          : ::fsconfig(fs, FSCONFIG_SET_STRING, key.c_str(), option.c_str() + equals + 1, 0);
  if (done == 0) return {};
  return fs_error(fs, errno, fmt::format("{}: option {}", what, option));
}

Status check_component(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return fail(Code::kInvalid, "mount on \"{}\": it is not one component of a path", name);
  return {};
}

// Starts a process that only holds a new user namespace. Makes only calls that are safe after the
// fork of a process with several threads.
pid_t hold_user_namespace() {
  const long pid =
      ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (pid != 0) return static_cast<pid_t>(pid);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) ::pause();
}

Status write_map(pid_t pid, const char* file, const std::string& text) {
  const std::string path = fmt::format("/proc/{}/{}", pid, file);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, fmt::format("write an id map of {} bytes", text.size()));
  return {};
}

Result<UniqueFd> map_and_open(pid_t pid, const std::vector<IdLine>& lines) {
  std::string text;
  for (const IdLine& line : lines)
    text += fmt::format("{} {} {}\n", line.disk, line.shown, line.count);
  TRY_STATUS(write_map(pid, "uid_map", text));
  TRY_STATUS(write_map(pid, "gid_map", text));
  UniqueFd fd(::open(fmt::format("/proc/{}/ns/user", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open a new user namespace");
  return fd;
}

Result<UniqueFd> make_user_namespace(const std::vector<IdLine>& lines) {
  const pid_t pid = hold_user_namespace();
  if (pid < 0) return fail_errno(errno, "make a user namespace");
  auto fd = map_and_open(pid, lines);
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return fd;
}

}  // namespace

unsigned mount_attributes(const MountFlags& flags) {
  unsigned bits = 0;
  if (flags.read_only) bits |= MOUNT_ATTR_RDONLY;
  if (flags.nosuid) bits |= MOUNT_ATTR_NOSUID;
  if (flags.nodev) bits |= MOUNT_ATTR_NODEV;
  if (flags.noexec) bits |= MOUNT_ATTR_NOEXEC;
  if (flags.nodiratime) bits |= MOUNT_ATTR_NODIRATIME;
  if (flags.noatime)
    bits |= MOUNT_ATTR_NOATIME;
  else if (flags.strictatime)
    bits |= MOUNT_ATTR_STRICTATIME;
  return bits;
}

MountWords sort_mount_words(const std::vector<std::string>& words) {
  struct Word {
    std::string_view name;
    bool MountFlags::*flag;
    bool value;
  };
  static constexpr std::array<Word, 14> kWords{{{"ro", &MountFlags::read_only, true},
                                                {"rw", &MountFlags::read_only, false},
                                                {"nosuid", &MountFlags::nosuid, true},
                                                {"suid", &MountFlags::nosuid, false},
                                                {"nodev", &MountFlags::nodev, true},
                                                {"dev", &MountFlags::nodev, false},
                                                {"noexec", &MountFlags::noexec, true},
                                                {"exec", &MountFlags::noexec, false},
                                                {"noatime", &MountFlags::noatime, true},
                                                {"atime", &MountFlags::noatime, false},
                                                {"nodiratime", &MountFlags::nodiratime, true},
                                                {"diratime", &MountFlags::nodiratime, false},
                                                {"strictatime", &MountFlags::strictatime, true},
                                                {"relatime", &MountFlags::strictatime, false}}};
  MountWords sorted;
  for (const std::string& word : words) {
    const auto known = std::ranges::find(kWords, word, &Word::name);
    if (known != kWords.end())
      sorted.flags.*(known->flag) = known->value;
    else if (word != "defaults")
      sorted.rest.push_back(word);
  }
  return sorted;
}

Result<UniqueFd> make_mount(const NewMount& what) {
  const std::string action =
      fmt::format("mount {}{}{}", what.type, what.source.empty() ? "" : " from ", what.source);
  const UniqueFd fs(::fsopen(what.type.c_str(), FSOPEN_CLOEXEC));
  if (!fs && errno == ENODEV)
    return fail(Code::kUnsupported, "{}: this kernel has no file system {}", action, what.type);
  if (!fs) return fail_errno(errno, action);
  if (!what.source.empty() &&
      ::fsconfig(fs.get(), FSCONFIG_SET_STRING, "source", what.source.c_str(), 0) != 0)
    return fs_error(fs.get(), errno, action);
  if (what.read_only_fs) TRY_STATUS(set_option(fs.get(), "ro", action));
  for (const std::string& option : what.options) TRY_STATUS(set_option(fs.get(), option, action));
  if (::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fs_error(fs.get(), errno, action);
  UniqueFd mount(::fsmount(fs.get(), FSMOUNT_CLOEXEC, mount_attributes(what.flags)));
  if (!mount) return fs_error(fs.get(), errno, action);
  return mount;
}

Result<UniqueFd> clone_tree(int fd, Depth depth) {
  const unsigned flags =
      static_cast<unsigned>(AT_EMPTY_PATH) | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
      (depth == Depth::kWithMountsBeneath ? static_cast<unsigned>(AT_RECURSIVE) : 0U);
  UniqueFd mount(::open_tree(fd, "", flags));
  if (!mount) return fail_errno(errno, "bind a folder");
  return mount;
}

Status set_flags(int mount, const MountFlags& flags) {
  mount_attr attributes{};
  attributes.attr_set = mount_attributes(flags);
  attributes.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                        MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR__ATIME;
  if (::mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return fail_errno(errno, "set the flags of a mount");
  return {};
}

Status attach_at(int mount, int folder) {
  if (::move_mount(mount, "", folder, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
    return fail_errno(errno, "attach a mount");
  mount_attr attributes{};
  attributes.propagation = MS_PRIVATE;
  if (::mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) != 0)
    return fail_errno(errno, "make a mount private");
  return {};
}

Status attach(int mount, int parent, const std::string& name) {
  TRY_STATUS(check_component(name));
  const UniqueFd folder(
      ::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) return fail_errno(errno, fmt::format("open the mount point {}", name));
  if (auto done = attach_at(mount, folder.get()); !done)
    return fail(with_context(done.error(), fmt::format("on {}", name)));
  return {};
}

// Unmounts by the descriptor of the folder above, because a descriptor of the mount itself would
// keep it busy.
Status unmount(int parent, const std::string& name, Unmount how) {
  TRY_STATUS(check_component(name));
  const std::string path = fmt::format("/proc/self/fd/{}/{}", parent, name);
  const int flags = UMOUNT_NOFOLLOW | (how == Unmount::kLazy ? MNT_DETACH : 0);
  if (::umount2(path.c_str(), flags) == 0) return {};
  if (errno == EINVAL || errno == ENOENT) return {};  // not a mount point, or no such folder
  return fail_errno(errno, fmt::format("unmount {}", name));
}

namespace {

struct Place {
  bool is_mount_root = false;
  dev_t device = 0;
};

// The field of /proc/self/fdinfo, which is there without asking the file system.
std::optional<std::uint64_t> mount_id_of(int fd) {
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", fd));
  std::uint64_t id = 0;
  for (std::string word; info >> word;)
    if (word == "mnt_id:" && info >> id) return id;
  return std::nullopt;
}

// A file system that has shut itself down (xfs, when its device could not be written) answers
// statx(2) with EIO. What is mounted where is known all the same.
Result<Place> place_without_asking(int parent, const std::string& name) {
  const UniqueFd fd(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const auto own = mount_id_of(name.empty() ? parent : fd.get());
  std::ifstream table("/proc/thread-self/mountinfo");
  for (std::string line; own && std::getline(table, line);) {
    const auto entry = parse_mount_line(line);
    if (entry && entry->id == *own)
      return Place{.is_mount_root = mount_id_of(parent) != own,
                   .device = ::makedev(entry->major, entry->minor)};
  }
  return fail_errno(EIO, fmt::format("look at {}", name.empty() ? "a folder" : name));
}

Result<Place> look_at(int parent, const std::string& name) {
  struct statx info {};
  const int flags = AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC | (name.empty() ? AT_EMPTY_PATH : 0);
  if (::statx(parent, name.c_str(), flags, STATX_TYPE, &info) == 0)
    return Place{.is_mount_root = (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
                 .device = ::makedev(info.stx_dev_major, info.stx_dev_minor)};
  if (errno == EIO) return place_without_asking(parent, name);
  return fail_errno(errno, name.empty() ? "look at a folder" : fmt::format("look at {}", name));
}

}  // namespace

Result<bool> is_mount_point(int parent, const std::string& name) {
  TRY_STATUS(check_component(name));
  TRY(const auto place, look_at(parent, name));
  return place.is_mount_root;
}

Result<dev_t> device_of(int fd) {
  TRY(const auto place, look_at(fd, ""));
  return place.device;
}

Result<dev_t> device_at(int parent, const std::string& name) {
  TRY_STATUS(check_component(name));
  TRY(const auto place, look_at(parent, name));
  return place.device;
}

Result<int> IdMaps::user_namespace(const std::vector<IdLine>& lines) {
  const std::scoped_lock hold(guard_);
  if (const auto known = known_.find(lines); known != known_.end()) return known->second.get();
  TRY(auto made, make_user_namespace(lines));
  return known_.emplace(lines, std::move(made)).first->second.get();
}

Status IdMaps::apply(int mount, const std::vector<IdLine>& lines) {
  if (lines.empty()) return {};
  TRY(const int space, user_namespace(lines));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(space);
  if (::mount_setattr(mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0) return {};
  if (errno == EINVAL)
    return fail(Code::kUnsupported,
                "map the ids of a mount: this file system has no idmapped mounts; leave the option "
                "idmap out");
  return fail_errno(errno, "map the ids of a mount");
}

bool kernel_lists_filesystem(const std::string& type) {
  std::ifstream list("/proc/filesystems");
  for (std::string word; list >> word;)
    if (word == type) return true;
  return false;
}

}  // namespace fairlead::volume
