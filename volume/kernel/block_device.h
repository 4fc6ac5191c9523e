// Block devices and the signatures in their first bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace fairlead::volume {

// Returns bytes. kInvalid when it is no block device.
Result<std::uint64_t> size_of_device(const std::string& path);

// kInUse while the device is mounted or part of another device (RAID, LVM, loop); kInvalid when it
// is no block device.
Status check_unused(const std::string& path);

// Describes for people what blkid(8) finds on the device: "ext4", "a partition table (gpt)". Empty
// when it finds nothing.
Result<std::string> content_of_device(const std::string& path);

// A file system and its UUID, 32 lower-case hex digits.
struct FsSignature {
  std::string type, uuid;
  bool operator==(const FsSignature&) const = default;
};
// Recognises btrfs and xfs by their superblocks (btrfs: 64 KiB in, fsid at 0x20, magic at 0x40;
// xfs: magic at 0, UUID at 32); std::nullopt for anything else. `fd` is of a file or a device.
Result<std::optional<FsSignature>> read_signature(int fd);

// Wipes all signatures, so that nothing finds a file system on the device any more.
Status wipe_signatures(const std::string& path);

}  // namespace fairlead::volume
