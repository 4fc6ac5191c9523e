// Creates, checks and resizes the file systems of backend image by their own tools: mkfs, fsck,
// resize.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

inline constexpr std::uint64_t kImageBlock = 4096;  // sizes are multiples of it

// kInvalid for an unknown type or an impossible size; kUnsupported, naming the package, where the
// type's mkfs is missing. An empty type means ext4.
Status check_image_request(const VolumeOptions& options);
std::string image_type(const VolumeOptions& options);  // "ext4", "xfs"

// Makes a file system in the empty image, of the image's whole size. `path` is absolute; `uuid` has
// 32 hex digits.
Status make_filesystem(const std::string& path, const std::string& uuid, std::uint64_t size,
                       const VolumeOptions& options);

// Runs fsck on an image that is mounted nowhere. With `repair` it repairs what can be repaired.
Result<CheckReport> check_filesystem(const std::string& path, const std::string& type, bool repair);

// Resizes an ext4 that is mounted nowhere to `size` bytes. Killed half way it may leave the file
// system damaged, so it is for copies only. kExhausted when the data needs more than that.
Status resize_ext4(const std::string& path, std::uint64_t size);

}  // namespace fairlead::volume
