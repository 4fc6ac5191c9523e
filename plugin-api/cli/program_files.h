// Fairlead's plugins, and what tells runtimes of them, in the folders where runtimes look.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace fairlead::cli {

// Copies a program into the folder under this name, readable and executable by all. It takes the place
// of what is there in one step, so that a runtime never runs half a file. Returns what was done:
// "installed", "replaced", or "there already".
Result<std::string> install_program(const std::string& source, const std::string& folder,
                                    const std::string& name);

// Removes it from the folder: "removed", or "not there". kConflict when it does not hold `mark`, and so is
// not Fairlead's, or is `source` itself, which belongs to the installation.
Result<std::string> uninstall_program(const std::string& source, const std::string& folder,
                                      const std::string& name, std::string_view mark);

// The same with a file for people and programs to read. kConflict where there is one that does not begin with
// the first line of `text`.
Result<std::string> install_text(const std::string& text, const std::string& folder,
                                 const std::string& name);
// kConflict when it does not begin with `first_line`.
Result<std::string> uninstall_text(std::string_view first_line, const std::string& folder,
                                   const std::string& name);

}  // namespace fairlead::cli
