// Files that hold a file system: creating them sparse, sharing their blocks by reflink, copying
// them without their holes, and comparing them by the places of their blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

// Called with the bytes done and the total. Returning false stops the copy.
using CopyProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// Creates a file of this size that takes no space yet, open for reading and writing, mode 0600.
// kExists when the name is taken.
Result<UniqueFd> make_sparse_file(const Folder& folder, const std::string& name,
                                  std::uint64_t size);
// Opens an existing image: a regular file, no link.
enum class Open { kReadWrite, kReadOnly };
Result<UniqueFd> open_image(const Folder& folder, const std::string& relative, Open how);

struct FileSize {
  std::uint64_t length = 0, allocated = 0;  // bytes
};
Result<FileSize> size_of_file(int fd);
Status set_file_size(int fd, std::uint64_t size);  // flushes the file as well
Status sync_file(int fd);

// Makes the empty file `to` share all blocks of `from`, whatever the size (FICLONE). kUnsupported
// where this file system cannot share blocks.
Status share_blocks(int from, int to);
// Copies the data of `from` to the empty file `to`, leaving holes out. Does not flush. kUnavailable
// when `progress` returned false.
Status copy_sparse(int from, int to, const CopyProgress& progress);
// Whether files of this folder can share blocks, which is tried with two small unnamed files.
Result<bool> can_share_blocks(const Folder& folder);

struct FileRange {
  std::uint64_t offset = 0, length = 0;
  bool operator==(const FileRange&) const = default;
};

// Finds where `newer` differs from `older`, which once shared its blocks with it and was not
// written since. Returns sorted ranges that do not touch, over the longer of the two. Compares the
// places of the blocks on the disk (FIEMAP), so that its cost grows with the number of extents and
// not with the data. The result may be larger than the difference (whole extents), never smaller.
// kUnsupported where the file system does not report the places (compressed or not yet written):
// the caller then has to compare the data.
Result<std::vector<FileRange>> changed_ranges(int older, int newer);

}  // namespace fairlead::volume
