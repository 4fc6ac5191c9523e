// Fills a folder from an archive that a stranger may have made. Nothing outside of the folder is
// ever touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

// kForeign refuses relative symbolic links that lead out of the folder ("../../etc"), as Docker
// does. Absolute links are kept, because they refer to the container's root. kOwn is for what
// Fairlead itself has read.
enum class Origin { kForeign, kOwn };

struct TreeLimits {
  std::uint64_t bytes = UINT64_MAX;     // of content that is written
  std::uint64_t entries = 100'000'000;  // of any kind
};

// Every step is relative to the descriptor of the folder and follows no symbolic link (openat2,
// RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV), one component at a time, so that paths
// may be of any length. kInvalid, with the entry's name, for absolute paths, "..", paths through
// something that is no folder, hard links to what is not in the folder, and device nodes.
// kExhausted beyond the limits. Sockets are skipped. A later entry of the same name replaces the
// earlier one. Not thread-safe.
class TreeWriter {
 public:
  // `folder` is borrowed.
  TreeWriter(int folder, Origin origin, TreeLimits limits);

  Status add(const TreeEntry& entry);
  // Writes content of the file that add() began, at any offset. What is never written stays a hole.
  Status write(std::uint64_t offset, std::string_view bytes);
  // Ends the last file, sets the times and default ACLs of folders, and flushes everything to the
  // disk.
  Status finish();

  const std::vector<std::string>& notes() const { return notes_; }  // what could not be kept

 private:
  struct Level {
    std::string name;
    UniqueFd fd;
  };
  struct Later {
    std::string path;
    FileTime mtime;
    std::string default_acl;
  };
  struct Open {
    UniqueFd fd;
    TreeEntry entry;
  };
  enum class Missing { kMake, kRefuse };

  Status add_checked(const TreeEntry& entry);
  Status add_folder(const TreeEntry& entry, const std::string& path);
  Status add_leaf(const TreeEntry& entry, int parent, const std::string& name);
  Status add_hard_link(const std::string& from, int parent, const std::string& name);
  Status make_way(int parent, const std::string& name);
  Status end_file();
  Status end_folders();
  Result<int> enter(const std::string& folder, Missing missing);
  Result<UniqueFd> step(int parent, const std::string& name, Missing missing);
  Status dress(int fd, const TreeEntry& entry);
  Status set_xattrs(int fd, const TreeEntry& entry);
  void note(std::string line);

  int folder_;
  Origin origin_;
  TreeLimits limits_;
  std::uint64_t written_ = 0, entries_ = 0;
  std::vector<Level> levels_;  // from the top to the folder of the last entry
  std::vector<Later> later_;
  std::optional<Open> open_;
  std::vector<std::string> notes_;
};

}  // namespace fairlead::volume
