// Files that hold a file system: creating them sparse, sharing their blocks by reflink, and copying
// them without their holes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

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
// The bytes on the disk that no other file shares, as the file system tells by the extents of the
// file (FIEMAP). std::nullopt where it cannot, and for a file of more than 200,000 extents.
Result<std::optional<std::uint64_t>> unshared_bytes(int fd);
Status set_file_size(int fd, std::uint64_t size);  // flushes the file as well
Status sync_file(int fd);

// Makes the empty file `to` share all blocks of `from`, whatever the size (FICLONE). kUnsupported
// where this file system cannot share blocks.
Status share_blocks(int from, int to);
// Copies the data of `from` to the empty file `to`, leaving holes out. Does not flush. kUnavailable
// when `progress` returned false.
Status copy_sparse(int from, int to, const CopyProgress& progress);

}  // namespace fairlead::volume
