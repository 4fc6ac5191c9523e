// Block devices, and what the first bytes of one say is in it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace fairlead::volume {

// Bytes. kInvalid when it is no block device.
Result<std::uint64_t> size_of_device(const std::string& path);

// kInUse while it is mounted, or in another device (RAID, LVM, loop); kInvalid for what is no block
// device.
Status check_unused(const std::string& path);

// For people, what blkid(8) finds in it: "ext4", "a partition table (gpt)"; empty: nothing.
Result<std::string> content_of_device(const std::string& path);

// The file system and its UUID, 32 lower-case hex digits.
struct FsSignature {
  std::string type, uuid;
  bool operator==(const FsSignature&) const = default;
};
// Of btrfs and xfs, by their superblocks (btrfs: 64 KiB in, fsid at 0x20, magic at 0x40; xfs: magic
// at 0, UUID at 32); nothing for any others. `fd` is of a file or a device.
Result<std::optional<FsSignature>> read_signature(int fd);

// Takes the signatures off, so that nothing finds a file system in it any more.
Status wipe_signatures(const std::string& path);

}  // namespace fairlead::volume
