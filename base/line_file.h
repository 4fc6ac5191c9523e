// A file of one line that is made once and never changed, such as an identity or a key.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead {

// Makes the file <folder>/<name> with the line and a '\n', mode 0600, completely or not at all, and
// on disk when this returns. A file that already exists is left as it is, and the call succeeds:
// when several processes call at once, one makes the file, and all read the same line afterwards.
Status make_line_file(const std::string& folder, const std::string& name, std::string_view line);

}  // namespace fairlead
