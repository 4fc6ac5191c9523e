// Kernel settings under /proc/sys. Settings under net/ belong to the network namespace of the
// calling thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::kernel {

// `path` as in "net/ipv4/ip_forward"; white space at the end of the value is dropped. kNotFound
// when this kernel (or this interface) has no such setting.
Result<std::string> read_sysctl(const std::string& path);
Status write_sysctl(const std::string& path, std::string_view value);

}  // namespace fairlead::kernel
