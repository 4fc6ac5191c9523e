// Reads a tree that strangers filled and may still be changing, by descriptors only.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/left_behind.h"
#include "volume/kernel/tree_entry.h"

namespace fairlead::volume {

// Gives a visitor the entry it was called for.
class TreeCursor {
 public:
  virtual ~TreeCursor() = default;
  // The metadata of lstat(2): everything except `xattrs` and `target`. Borrowed until the visit ends.
  virtual const TreeEntry& seen() const = 0;
  // The whole entry. kNotFound when it has vanished meanwhile. For a file, `file` is open for
  // reading.
  virtual Result<TreeEntry> read(UniqueFd& file) = 0;
};

// A snapshot of btrfs has an empty folder where there was a subvolume, without any of its content.
// Tells whether the walk notes that or ends with kConflict.
enum class Hollow { kNote, kRefuse };

// What a walk leaves out because somebody asked for it: without a note, and without looking at it.
class WalkFilter {
 public:
  virtual ~WalkFilter() = default;
  // Of an entry below the top, before it is visited. What is in a folder that is left out is not
  // asked about.
  virtual bool leaves_out(const std::string& path, bool is_folder) const = 0;
  // The one name in an open folder that is kept, where all others are left out because of it. `has`
  // tells whether there is such a name.
  using HasName = std::function<bool(std::string_view name)>;
  virtual std::optional<std::string> only(int folder, const HasName& has) const = 0;
};

struct WalkOptions {
  Hollow hollow = Hollow::kNote;
  const WalkFilter* filter = nullptr;  // borrowed; nullptr: nothing is left out on request
  // Of folders, in bytes; longer ones are left out and noted. This is four times what the kernel
  // takes in one call. Where each entry is written with its path, a tree would cost the square of its
  // depth without a limit.
  std::size_t longest_path = 16'000;
};

// Visits the folder itself (with an empty path) and then everything below it, in the order of
// compare_paths, with at most 80 descriptors and memory that grows with the names on the way down. Symbolic links are not followed. What is
// mounted below, device nodes and what another kind of file replaces during the walk are left out
// and noted; what vanishes during the walk is left out without a note. A failure of the visitor other than kNotFound ends the walk. Subvolumes
// of btrfs are visited like folders.
Status walk_tree(int folder, const std::function<Status(TreeCursor&)>& visit, WalkNotes& notes,
                 const WalkOptions& options = {});

// --- one folder, or one entry, of such a tree. `name` is one component, or "." for the folder itself;
// entries have no path.

Result<std::vector<std::string>> entry_names(int folder);  // sorted, without "." and ".."
// The metadata of lstat(2), and the target of a link.
Result<TreeEntry> look_at_entry(int folder, const std::string& name);
// As TreeCursor::read(); what is neither file, folder, link nor FIFO has metadata only.
Result<TreeEntry> read_entry(int folder, const std::string& name, UniqueFd& file);

// The parts of a file that hold data, by SEEK_DATA and SEEK_HOLE, as ascending (offset, length),
// cut at `size`. The whole file where the file system cannot tell.
Result<std::vector<std::pair<std::uint64_t, std::uint64_t>>> data_ranges(int file,
                                                                         std::uint64_t size);

// Fills `into` and returns how many bytes there were: fewer only at the end of the file.
Result<std::size_t> read_at(int file, std::uint64_t offset, std::span<char> into);
// Reads exactly `length` bytes, or fewer at the end of the file.
Result<std::string> read_range(int file, std::uint64_t offset, std::size_t length);

}  // namespace fairlead::volume
