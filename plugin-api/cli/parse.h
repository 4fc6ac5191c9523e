// Parses words into an Invocation. The only file that includes CLI11, which takes five seconds to
// compile.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "plugin-api/cli/invocation.h"

namespace fairlead::cli {

// The line named no command to run: it asked for help, or could not be parsed.
struct EarlyExit {
  int exit_code = kDone;
  std::string text;  // for stdout when exit_code is kDone, else for stderr
};

std::variant<Invocation, EarlyExit> parse_command_line(const std::vector<std::string>& args);

}  // namespace fairlead::cli
