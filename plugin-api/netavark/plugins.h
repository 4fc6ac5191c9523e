// netavark's plugins for other drivers, which netavark would run: a program of the driver's name in one of
// the folders of --plugin-directory.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json/json.h"
#include "base/piped_process.h"
#include "plugin-api/netavark/codec.h"

namespace fairlead::netavark {

// `run_piped`, or a test's own.
using RunPlugin = std::function<Result<PipedOutcome>(const std::vector<std::string>& argv,
                                                     const std::string& input)>;

// Whether the driver is a plugin's: none of Podman's own, and not Fairlead's.
bool is_plugins(const std::string& driver);

// What the plugin printed for `arguments` ("setup", NETNS). kNotFound names the folders; kIo with the
// plugin's own error.
Result<std::string> ask_plugin(const std::string& driver, const std::vector<std::string>& folders,
                               const std::vector<std::string>& arguments, const std::string& input,
                               const RunPlugin& run);

// stdin of setup and teardown.
std::string plugin_input(const Connections& call, const Connection& connection);

}  // namespace fairlead::netavark
