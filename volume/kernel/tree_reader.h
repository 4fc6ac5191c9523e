// Reading a tree that strangers filled and may still be changing, by descriptors only.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

// What a visitor may ask about the entry it is at.
class TreeCursor {
 public:
  virtual ~TreeCursor() = default;
  // The metadata of lstat(2): all but `xattrs`, `target`.
  virtual const TreeEntry& seen() const = 0;
  // The whole entry. kNotFound when it is gone meanwhile; `file`, if it is one, is open for
  // reading.
  virtual Result<TreeEntry> read(UniqueFd& file) = 0;
};

struct WalkNotes {
  std::vector<std::string> lines;  // what was left out, and why; at most 100
  std::uint64_t left_out = 0;
  void add(std::string line);
};

// A snapshot of btrfs shows an empty folder where a subvolume was, and has nothing of what was in
// it. To note that, or (kConflict) to end the walk.
enum class Hollow { kNote, kRefuse };

// Visits everything below the folder (and the folder itself first, with an empty path), in the
// order of compare_paths, any depth with at most 70 descriptors. Symbolic links are not followed;
// what is mounted below, sockets and device nodes are left out and noted; what vanishes while we
// walk is left out in silence. A failure of the visitor ends the walk, but for kNotFound.
// Subvolumes of btrfs are folders as others.
Status walk_tree(int folder, const std::function<Status(TreeCursor&)>& visit, WalkNotes& notes,
                 Hollow hollow = Hollow::kNote);

// The parts of a file that hold data, by SEEK_DATA and SEEK_HOLE: offset and length, ascending, cut
// at `size`. Where the file system cannot say: all of it.
Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_ranges(int file,
                                                                         std::uint64_t size);

// Reads exactly `length` bytes, or fewer at the end of the file.
Result<std::string> read_range(int file, std::uint64_t offset, std::size_t length);

}  // namespace fairlead::volume
