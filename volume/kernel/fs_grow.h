// Growing a file system while it is mounted.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace fairlead::volume {

// `fs`: a descriptor of any folder of it; `type` "ext4" or "xfs". It takes `size` bytes of its
// device afterwards, in whole blocks; one that is as large already stays. kUnsupported when the
// kernel does not let us: ext4 needs CAP_SYS_RESOURCE.
Status grow_mounted(int fs, const std::string& type, std::uint64_t size);

}  // namespace fairlead::volume
