// The file systems that backend image makes, through their own tools: mkfs, fsck, resize.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

inline constexpr std::uint64_t kImageBlock = 4096;  // sizes are whole blocks

// kInvalid for a type or a size that cannot be; kUnsupported with the package where its mkfs is
// missing. Empty type: ext4.
Status check_image_request(const VolumeOptions& options);
std::string image_type(const VolumeOptions& options);  // "ext4", "xfs"

// Fills the empty image with a file system of its whole size. `path` is absolute; `uuid` has 32 hex
// digits.
Status make_filesystem(const std::string& path, const std::string& uuid, std::uint64_t size,
                       const VolumeOptions& options);

// What fsck says of an image that is mounted nowhere. With `repair` it mends what can be mended.
Result<CheckReport> check_filesystem(const std::string& path, const std::string& type, bool repair);

// An ext4 that is mounted nowhere takes `size` bytes afterwards. Killed half way it may be damaged:
// for copies only. kExhausted when its data needs more.
Status resize_ext4(const std::string& path, std::uint64_t size);

}  // namespace fairlead::volume
