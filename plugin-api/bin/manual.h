// The manual pages of what is not the command line: the daemon, its configuration, and the plugins
// that runtimes start.
#pragma once

#include <string_view>
#include <vector>

#include "plugin-api/cli/manual.h"

namespace fairlead {

// `usage` is what fairleadd --help prints.
cli::ManualPage daemon_page(std::string_view usage, const cli::ManualImprint& imprint);
cli::ManualPage config_page(const cli::ManualImprint& imprint);
std::vector<cli::ManualPage> plugin_pages(const cli::ManualImprint& imprint);

}  // namespace fairlead
