// A file of one line that is made once and stays: an identity, a key.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead {

// Makes <folder>/<name> with the line and its '\n', for its owner only, whole or not at all, and
// durably. One that is there stays as it is, and that is a success: of several processes at once
// one makes it, and all read it afterwards.
Status make_line_file(const std::string& folder, const std::string& name, std::string_view line);

}  // namespace fairlead
