// Files that hold a secret.
#pragma once

#include <string>

#include "base/result.h"

namespace fairlead::volume {

// The content of a file of root that nobody else may read; kInvalid for any other, and for more
// than `most` bytes. `what` is for messages: "key file".
Result<std::string> read_secret_file(const std::string& path, const char* what, std::size_t most);

}  // namespace fairlead::volume
