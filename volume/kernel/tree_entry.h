// One entry of a tree of files, as archives and backups store it. It stands between the disk
// (tree_reader.h, tree_writer.h) and the formats.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace fairlead::volume {

// kWhiteout is the character device 0:0, by which overlayfs says that a name was deleted. It opens
// nothing, unlike a kDevice.
enum class EntryKind { kFile, kFolder, kSymlink, kFifo, kDevice, kSocket, kWhiteout };

struct FileTime {
  std::int64_t seconds = 0;  // since 1970
  std::uint32_t nanos = 0;
  auto operator<=>(const FileTime&) const = default;
};

struct TreeEntry {
  std::string path;  // "a/b", any bytes but NUL; empty: the folder at the top itself
  EntryKind kind = EntryKind::kFile;
  mode_t mode = 0;  // permission bits with setuid, setgid and sticky
  uid_t uid = 0;
  gid_t gid = 0;
  FileTime mtime;
  std::uint64_t size = 0;  // of a file
  std::string target;      // of a symbolic link, unresolved
  std::string hard_link;   // the path of an earlier entry that is the same file, or empty
  // those for which is_kept_xattr() is true, ACLs among them
  std::map<std::string, std::string> xattrs;
  std::uint32_t flags = 0;  // those of kKeptFlags (file_flags.h), of files and folders

  // These tell that a file was not changed since; no archive holds them.
  std::uint64_t inode = 0;
  FileTime ctime;

  bool operator==(const TreeEntry&) const = default;
};

inline constexpr const char* kAccessAcl = "system.posix_acl_access";
inline constexpr const char* kDefaultAcl = "system.posix_acl_default";

// True for user.*, trusted.*, security.capability and the POSIX ACLs. Others belong to the host
// (security labels of its policy) or are not data.
bool is_kept_xattr(const std::string& name);

// How many bytes both begin with.
std::size_t common_prefix(std::string_view left, std::string_view right);

// Compares by the order in which tree_reader.h visits: a folder before what is in it, names by
// their bytes. Returns a negative number, zero or a positive number.
int compare_paths(const std::string& left, const std::string& right);

// The path for messages: control bytes masked, cut to a readable length.
std::string printable(const std::string& path);

}  // namespace fairlead::volume
