// Everything that can be seen of a tree of files, by other means than the code under test: two
// trees are equal when their facts are.
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/volume/scratch.h"
#include "volume/kernel/file_flags.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume::testing {

inline std::map<std::string, std::string> xattrs_of(const std::string& path) {
  std::string names(65536, '\0');
  const auto size = ::llistxattr(path.c_str(), names.data(), names.size());
  std::map<std::string, std::string> found;
  for (std::size_t at = 0; size > 0 && at < static_cast<std::size_t>(size);) {
    const std::string name(names.c_str() + at);
    at += name.size() + 1;
    std::string value(65536, '\0');
    const auto got = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    if (name != "security.selinux") found[name] = value;
  }
  return found;
}

inline std::size_t hash_of(const std::string& path) {
  std::ifstream file(path);
  std::string text(std::filesystem::file_size(path), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  return std::hash<std::string>()(text);
}

// What lsattr(1) shows of a file or a folder, as far as it is kept.
inline std::uint32_t flags_at(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  int flags = 0;
  if (!fd || ::ioctl(fd.get(), FS_IOC_GETFLAGS, &flags) != 0) return 0;
  return static_cast<std::uint32_t>(flags) & kKeptFlags;
}

// Whether the file system took them.
inline bool flag(const std::string& path, std::uint32_t flags) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return fd && add_flags(fd.get(), flags);
}

// Path -> one line. Hard links are told by the first path of their file.
inline std::map<std::string, std::string> facts_of(const std::string& top) {
  std::vector<std::string> paths{""};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(top))
    paths.push_back(entry.path().string().substr(top.size()));
  std::ranges::sort(paths);
  std::map<std::string, std::string> facts;
  std::map<ino_t, std::string> first;
  for (const std::string& path : paths) {
    struct stat info {};
    if (::lstat((top + path).c_str(), &info) != 0) continue;
    std::string line = fmt::format("mode {:o} owner {}:{} time {}.{:09}", info.st_mode, info.st_uid,
                                   info.st_gid, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    if (S_ISREG(info.st_mode))
      line += fmt::format(" size {} hash {}", info.st_size, hash_of(top + path));
    if (S_ISLNK(info.st_mode)) line += " to " + std::filesystem::read_symlink(top + path).string();
    if (!S_ISDIR(info.st_mode))
      line += fmt::format(" links {} as {}", info.st_nlink,
                          first.try_emplace(info.st_ino, path).first->second);
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) line += fmt::format(" is {}", info.st_rdev);
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))
      if (const auto flags = flags_at(top + path); flags != 0)
        line += fmt::format(" flags {}", names_of_flags(flags));
    for (const auto& [name, value] : xattrs_of(top + path))
      line += fmt::format(" {}={}", name, std::hash<std::string>()(value));
    facts[path] = line;
  }
  return facts;
}

inline std::uint64_t blocks_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
}

inline void set_mtime(const std::string& path, std::int64_t seconds, long nanos) {
  const timespec times[2] = {{.tv_sec = seconds, .tv_nsec = nanos},
                             {.tv_sec = seconds, .tv_nsec = nanos}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

// An ACL of user::rw-, user:1234:r--, group::r--, mask::r--, other::--- as the kernel keeps it.
inline std::string some_acl() {
  const auto line = [](unsigned tag, unsigned permissions, std::uint32_t id) {
    std::string bytes{static_cast<char>(tag), 0, static_cast<char>(permissions), 0};
    for (int k = 0; k < 4; ++k) bytes += static_cast<char>(id >> (8 * k) & 255);
    return bytes;
  };
  return std::string("\2\0\0\0", 4) + line(1, 6, UINT32_MAX) + line(2, 4, 1234) +
         line(4, 4, UINT32_MAX) + line(0x10, 4, UINT32_MAX) + line(0x20, 0, UINT32_MAX);
}

inline bool set_xattr(const std::string& path, const std::string& name, const std::string& value) {
  return ::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0;
}

inline std::string noise(std::size_t size, unsigned seed) {
  std::string bytes(size + 8, '\0');
  std::uint64_t state = seed * 0x9e3779b97f4a7c15ULL + 1;
  for (std::size_t at = 0; at < size; at += sizeof state) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    std::memcpy(bytes.data() + at, &state, sizeof state);
  }
  bytes.resize(size);
  return bytes;
}

// A bit of everything that a volume may hold.
inline void make_rich_tree(const std::string& top) {
  namespace fs = std::filesystem;
  fs::create_directories(top + "/a/b/c");
  fs::create_directories(top + "/a-b");
  fs::create_directories(top + "/empty");
  write_text(top + "/a/text", "hello");
  write_text(top + "/a-b/none", "");
  write_text(top + "/a/b/large", noise(3'000'001, 1));
  write_text(top + "/name with \n newline", "n");
  write_text(top + "/\xc3\xa9t\xc3\xa9", "utf-8");
  write_text(top + "/\xff\xfe raw", "no utf-8");
  write_text(top + "/" + std::string(250, 'l'), "long");
  fs::create_hard_link(top + "/a/text", top + "/z-second-name");
  fs::create_symlink("../a/text", top + "/a/link");
  fs::create_symlink("/etc/passwd", top + "/absolute");
  fs::create_symlink("nowhere", top + "/dangling");
  ASSERT_EQ(::mkfifo((top + "/fifo").c_str(), 0640), 0);
  {
    std::ofstream file(top + "/holes");
    file.seekp(5 << 20);
    file << "middle";
    file.seekp(20 << 20);
    file << "end";
  }
  fs::resize_file(top + "/holes", 30 << 20);
  write_text(top + "/only-hole", "");
  fs::resize_file(top + "/only-hole", 8 << 20);
  ASSERT_EQ(::chown((top + "/a/text").c_str(), 1000, 2000), 0);
  ASSERT_EQ(::lchown((top + "/dangling").c_str(), 5, 6), 0);
  ASSERT_EQ(::chmod((top + "/a/text").c_str(), 06755), 0);
  ASSERT_EQ(::chmod((top + "/empty").c_str(), 01777), 0);
  ASSERT_EQ(::chmod((top + "/a/b").c_str(), 0), 0);
  EXPECT_TRUE(set_xattr(top + "/a/b/large", "user.note", std::string("a\0b%\n", 5)));
  EXPECT_TRUE(set_xattr(top + "/a", "user.folder", "yes"));
  EXPECT_TRUE(set_xattr(top + "/a/b/large", "trusted.note", "t"));
  EXPECT_TRUE(set_xattr(top + "/a/b/large", kAccessAcl, some_acl()));
  EXPECT_TRUE(set_xattr(top + "/a-b", kDefaultAcl, some_acl()));
  for (const char* path : {"/a/link", "/dangling", "/fifo", "/holes", "/a/b/large", "/a/b/c"})
    set_mtime(top + path, 1'700'000'000, 123'456'789);
  set_mtime(top + "/a/text", -1000, 5);
  set_mtime(top + "/a", 1'600'000'000, 1);
  ASSERT_EQ(::chmod(top.c_str(), 0751), 0);
  ASSERT_EQ(::chown(top.c_str(), 7, 8), 0);
  set_mtime(top, 1'500'000'000, 999'999'999);
}

// What is kept wherever it can be, and is seldom met: flags, whiteouts of overlayfs, links that lead
// out, ids of four thousand millions, capabilities, and a path longer than any call takes.
inline void make_odd_tree(const std::string& top) {
  namespace fs = std::filesystem;
  fs::create_directories(top + "/odd/sealed");
  write_text(top + "/odd/immutable", "i");
  write_text(top + "/odd/append", "a");
  write_text(top + "/odd/nodump", "d");
  write_text(top + "/odd/sealed/in", "s");
  write_text(top + "/odd/capable", "c");
  write_text(top + "/odd/far", "f");
  write_text(top + "/odd/" + std::string(255, 'n'), "longest name");
  fs::create_hard_link(top + "/odd/immutable", top + "/odd/sealed/same");
  ASSERT_EQ(::mknod((top + "/odd/whiteout").c_str(), S_IFCHR | 0644, 0), 0);
  fs::create_hard_link(top + "/odd/whiteout", top + "/odd/whiteout-too");
  EXPECT_TRUE(set_xattr(top + "/odd/whiteout", "trusted.note", "w"));
  fs::create_symlink("../../../../etc", top + "/odd/up");
  fs::create_symlink(std::string(4000, 'l'), top + "/odd/long");
  EXPECT_TRUE(set_xattr(top + "/odd/up", "trusted.note", "l"));
  EXPECT_TRUE(set_xattr(top + "/odd", "trusted.overlay.opaque", "y"));
  // CAP_NET_BIND_SERVICE, permitted and effective (struct vfs_cap_data, revision 2)
  EXPECT_TRUE(set_xattr(top + "/odd/capable", "security.capability",
                        std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)));
  ASSERT_EQ(::chown((top + "/odd/far").c_str(), 4'000'000'000U, 4'000'000'001U), 0);
  for (const char* path : {"/odd/whiteout", "/odd/up", "/odd/immutable"})
    set_mtime(top + path, -1'000'000, 7);
  EXPECT_TRUE(flag(top + "/odd/nodump", FS_NODUMP_FL));
  EXPECT_TRUE(flag(top + "/odd/append", FS_APPEND_FL));
  EXPECT_TRUE(flag(top + "/odd/immutable", FS_IMMUTABLE_FL));
  set_mtime(top + "/odd/sealed", 1'234'567'890, 5);
  EXPECT_TRUE(flag(top + "/odd/sealed", FS_IMMUTABLE_FL | FS_NOATIME_FL));
}

// A file below folders whose path no call of the kernel takes at once, and the file's content.
inline constexpr int kDeepLevels = 25, kVeryDeepLevels = 700;
inline void make_deep_file(const std::string& top, const std::string& content,
                           int levels = kDeepLevels) {
  UniqueFd at(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name(250, 'd');
  for (int k = 0; k < levels; ++k) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0700), 0);
    at = UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const UniqueFd file(::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::write(file.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  ASSERT_EQ(::linkat(at.get(), "file", at.get(), "same", 0), 0);
}
inline UniqueFd deep_folder(const std::string& top, int levels = kDeepLevels) {
  UniqueFd at(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name(250, 'd');
  for (int k = 0; k < levels && at; ++k)
    at = UniqueFd(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return at;
}
inline std::string read_deep_file(const std::string& top, int levels = kDeepLevels) {
  const UniqueFd at = deep_folder(top, levels);
  struct stat file {
  }, same{};
  if (::fstatat(at.get(), "file", &file, 0) != 0 || ::fstatat(at.get(), "same", &same, 0) != 0 ||
      file.st_ino != same.st_ino)
    return "no two names of one file";
  const UniqueFd fd(::openat(at.get(), "file", O_RDONLY | O_CLOEXEC));
  char text[64];
  const auto got = ::read(fd.get(), text, sizeof text);
  return got < 0 ? "" : std::string(text, static_cast<std::size_t>(got));
}

inline void make_socket(const std::string& path) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof name.sun_path);
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
}

}  // namespace fairlead::volume::testing
