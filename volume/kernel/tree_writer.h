// Fills a folder from an archive that a stranger may have made. Nothing outside of the folder is
// ever touched.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/left_behind.h"
#include "volume/kernel/path_tree.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

// kForeign takes an absolute name beneath the folder, as tar(1) does. kOwn is for what Fairlead
// itself has read, where such a name means damage.
enum class Origin { kForeign, kOwn };

struct TreeLimits {
  std::uint64_t bytes = UINT64_MAX;     // of content that is written
  std::uint64_t entries = 100'000'000;  // of any kind
};

// Every step is relative to the descriptor of the folder and follows no symbolic link (openat2,
// RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV), one component at a time, so that paths
// may be of any length; memory grows with the names. kInvalid, with the entry's name, for "..", paths through something that is no
// folder, and hard links to what is not in the folder. kExhausted beyond the limits, which count
// what is written and not what is a hole. Symbolic links are data: they may lead anywhere, because
// nothing is written through them. Device nodes but whiteouts are left out and noted. A later entry
// of the same name replaces the earlier one. Not thread-safe.
class TreeWriter {
 public:
  // `folder` is borrowed.
  TreeWriter(int folder, Origin origin, TreeLimits limits);

  Status add(const TreeEntry& entry);
  // Writes content of the file that add() began, at any offset. What is never written stays a hole.
  Status write(std::uint64_t offset, std::string_view bytes);
  // Ends the last file, sets the times and default ACLs of folders, then the flags (file_flags.h),
  // and flushes everything to the disk. The immutable and append-only flags of the top folder are
  // left out, because they would keep the volume from being dressed and rolled back.
  Status finish();

  const WalkNotes& notes() const { return notes_; }  // what could not be kept
  // How many entries had absolute names.
  std::uint64_t absolute_names() const { return absolute_names_; }

 private:
  struct Level {
    std::string name;
    UniqueFd fd;
    std::optional<PathTree::Node> node =
        {};  // once its times, or those of a folder below, are kept
  };
  struct Later {
    PathTree::Node folder;
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
  Status add_file(const TreeEntry& entry, int parent, const std::string& name);
  Status add_node(const TreeEntry& entry, int parent, const std::string& name);
  Status dress_leaf(const TreeEntry& entry, int parent, const std::string& name);
  void leave_out_device(const TreeEntry& entry, const std::string& path);
  bool is_left_out_device(const std::string& path) const;
  void forget_flags(const std::string& path);
  void flag_later(const TreeEntry& entry, const std::string& path);
  Status set_flags();
  Status set_flags_of(const std::string& path, std::uint32_t flags);
  Status add_hard_link(const std::string& from, int parent, const std::string& name);
  Status make_way(int parent, const std::string& name);
  Status end_file();
  Status end_folders();
  Result<int> enter(std::string_view folder, Missing missing);
  std::size_t shared_levels(std::string_view folder) const;
  PathTree::Node node_of_folder();
  Result<UniqueFd> step(int parent, const std::string& name, Missing missing);
  Status dress(int fd, const TreeEntry& entry);
  Status set_xattrs(int fd, const TreeEntry& entry);
  void note_xattr(const TreeEntry& entry, const std::string& name, int error);

  int folder_;
  Origin origin_;
  TreeLimits limits_;
  std::uint64_t written_ = 0, entries_ = 0;
  std::vector<Level> levels_;  // from below the top to the folder of the last entry
  PathTree folders_;           // of `later_`
  std::vector<Later> later_;
  std::optional<Open> open_;
  std::map<std::string, std::uint32_t> flagged_;  // by path, to be set at the end
  std::size_t flagged_bytes_ = 0;                 // of those paths
  std::set<std::string> devices_;                 // that were left out: hard links to them as well
  std::size_t device_bytes_ = 0;                  // of those paths
  std::uint64_t absolute_names_ = 0;
  WalkNotes notes_;
};

}  // namespace fairlead::volume
