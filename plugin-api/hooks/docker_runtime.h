// Docker, over its API's socket.
#pragma once

#include <memory>
#include <string>

#include "plugin-api/hooks/runtime.h"

namespace fairlead::hooks {

// Asked only while dockerd runs (systemd would start one that was stopped, when somebody connects).
// Never to be used while dockerd waits for an answer of this process. `plugin`: the path of the
// plugin's socket; its stem is the driver by which Docker knows the volumes.
std::unique_ptr<Runtime> make_docker_runtime(const std::string& socket, const std::string& plugin);

}  // namespace fairlead::hooks
