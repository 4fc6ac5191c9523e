// Fairlead's CNI plugin in the folders where runtimes look for plugins.
#pragma once

#include <string>

#include "base/result.h"

namespace fairlead::cli {

// Copies a program into the folder under this name, readable and executable by all. It takes the place
// of what is there in one step, so that a runtime never runs half a file. Returns what was done:
// "installed", "replaced", or "there already".
Result<std::string> install_program(const std::string& source, const std::string& folder,
                                    const std::string& name);

// Removes it from the folder: "removed", or "not there". kConflict when it is not Fairlead's, or is
// `source` itself, which belongs to the installation.
Result<std::string> uninstall_program(const std::string& source, const std::string& folder,
                                      const std::string& name);

}  // namespace fairlead::cli
