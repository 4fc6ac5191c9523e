// The first kilobytes of an image: which file system is in it, and whose. An image is mounted only
// after this, as what it is said to be: the type is never guessed by the kernel.
// (Documentation/filesystems/ext4/super.rst; xfs: fs/xfs/libxfs/xfs_format.h, struct xfs_dsb)
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace fairlead::volume {

struct Superblock {
  std::string type;                 // "ext4", "xfs"
  std::string uuid;                 // 32 hex digits, lower case
  std::uint32_t block_size = 0;     // bytes
  std::uint32_t sector_size = 512;  // the largest block of a device that it can be mounted from
  std::uint64_t size = 0;           // bytes that the file system takes
  bool needs_recovery = false;      // ext4: its journal was not played back
  bool has_errors = false;          // ext4: the kernel found it damaged
  bool operator==(const Superblock&) const = default;
};

inline constexpr std::size_t kSuperblockBytes = 2048;

// A pure function of the first bytes. kInvalid "no ext4 or xfs file system" for any others.
Result<Superblock> parse_superblock(std::span<const unsigned char, kSuperblockBytes> bytes);
Result<Superblock> read_superblock(int image);

// Another UUID for an ext4 that is not mounted and has the feature metadata_csum_seed, as Fairlead
// makes them: one block is written, nothing else depends on it. Flushed. kUnsupported for others.
Status set_ext4_uuid(int image, const std::string& uuid);

}  // namespace fairlead::volume
