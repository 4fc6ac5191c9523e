// Files that hold a file system: made sparse, shared by reflink, copied without their holes, and
// compared by where their blocks lie.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

// Bytes done and of how many; false stops.
using CopyProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// A new file of this size that takes no space yet, open for reading and writing, mode 0600. kExists
// when the name is taken.
Result<UniqueFd> make_sparse_file(const Folder& folder, const std::string& name,
                                  std::uint64_t size);
// One that is there: a regular file and no link, open for reading and, unless `read_only`, writing.
enum class Open { kReadWrite, kReadOnly };
Result<UniqueFd> open_image(const Folder& folder, const std::string& relative, Open how);

struct FileSize {
  std::uint64_t length = 0, allocated = 0;  // bytes
};
Result<FileSize> size_of_file(int fd);
Status set_file_size(int fd, std::uint64_t size);  // and flushes it
Status sync_file(int fd);

// The blocks of `from` become those of the empty file `to` as well, whatever the size (FICLONE).
// kUnsupported where this file system cannot share blocks.
Status share_blocks(int from, int to);
// The data of `from` copied to the empty file `to`, holes left out; not flushed. kUnavailable when
// `progress` said stop.
Status copy_sparse(int from, int to, const CopyProgress& progress);
// Whether files of this folder can share blocks: tries it with two small ones that have no name.
Result<bool> can_share_blocks(const Folder& folder);

struct FileRange {
  std::uint64_t offset = 0, length = 0;
  bool operator==(const FileRange&) const = default;
};

// Where `newer` differs from `older`, a file that shared its blocks with it once and was not
// written since: sorted ranges that touch nowhere, of the union of both lengths. Compares the
// places on the disk (FIEMAP), so that its cost grows with the number of extents and not with the
// data. What it finds may be larger than the difference (whole extents), never smaller.
// kUnsupported where the file system does not say where the blocks lie (compressed or not yet
// written): then compare the data.
Result<std::vector<FileRange>> changed_ranges(int older, int newer);

}  // namespace fairlead::volume
