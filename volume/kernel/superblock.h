// The superblock in the first kilobytes of an image: the type and identity of its file system. An
// image is mounted only after it was read, and as the type that is expected: the kernel never
// guesses the type. (Documentation/filesystems/ext4/super.rst; xfs: fs/xfs/libxfs/xfs_format.h,
// struct xfs_dsb)
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace fairlead::volume {

struct Superblock {
  std::string type;              // "ext4", "xfs"
  std::string uuid;              // 32 hex digits, lower case
  std::uint32_t block_size = 0;  // bytes
  // the largest block size of a device that it can be mounted from
  std::uint32_t sector_size = 512;
  std::uint64_t size = 0;       // bytes that the file system takes
  bool needs_recovery = false;  // ext4: its journal was not played back
  bool has_errors = false;      // ext4: the kernel found it damaged, or could not write it
  bool write_failed = false;    // of these: the first error was a write that the device refused
  bool operator==(const Superblock&) const = default;
};

inline constexpr std::size_t kSuperblockBytes = 2048;

// Parses the first bytes of an image. kInvalid "no ext4 or xfs file system" when there is none of
// these.
Result<Superblock> parse_superblock(std::span<const unsigned char, kSuperblockBytes> bytes);
Result<Superblock> read_superblock(int image);

// Sets the UUID of an ext4 that is not mounted and has the feature metadata_csum_seed, as every
// ext4 that Fairlead makes has. Only one block has to be written, because nothing else depends on
// the UUID then. The block is flushed. kUnsupported for other file systems.
Status set_ext4_uuid(int image, const std::string& uuid);

}  // namespace fairlead::volume
