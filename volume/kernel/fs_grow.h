// Grows a file system while it is mounted.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace fairlead::volume {

// `fs` is a descriptor of any folder of the file system; `type` is "ext4" or "xfs". Afterwards it
// takes `size` bytes of its device, in whole blocks; a file system that is as large already is left
// as it is. kUnsupported when the kernel refuses: ext4 needs CAP_SYS_RESOURCE.
Status grow_mounted(int fs, const std::string& type, std::uint64_t size);

}  // namespace fairlead::volume
