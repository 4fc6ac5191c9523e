// Makes, checks and resizes ext4 and xfs by their own tools: mkfs, fsck, resize. Paths are
// absolute, of a block device or of a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

inline constexpr std::uint64_t kFsBlock = 4096;  // bytes; sizes are multiples of it

// kInvalid for an unknown type or an impossible size; kUnsupported, naming the package, where the
// type's mkfs is missing. An empty type means ext4.
Status check_fs_request(const VolumeOptions& options);
std::string fs_type(const VolumeOptions& options);  // "ext4", "xfs"

struct NewFilesystem {
  std::string path, type, uuid;  // "ext4" or "xfs"; 32 hex digits
  std::uint64_t size = 0;        // bytes
  std::optional<std::uint64_t> inodes;
  bool encrypted = false;  // folders in it can be encrypted
  bool zeroed = false;     // all bytes are zeros already
};
Status make_filesystem(const NewFilesystem& what);

// Runs fsck on a file system that is mounted nowhere. With `repair` it repairs what can be
// repaired.
Result<CheckReport> check_filesystem(const std::string& path, const std::string& type, bool repair);

// Lets fsck repair what is safe to repair without being asked, as a host does at its boot: afterwards
// the mark of errors is gone. False: more has to be repaired, or the type has no such tool.
Result<bool> repair_safely(const std::string& path, const std::string& type);

// Resizes an ext4 that is mounted nowhere to `size` bytes. Killed half way it may leave the file
// system damaged, so it is for copies only. The result is checked by e2fsck: kIo when it is damaged.
// kExhausted, with the least size, when the data needs more than that.
Status resize_ext4(const std::string& path, std::uint64_t size);

}  // namespace fairlead::volume
