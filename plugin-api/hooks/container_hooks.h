// The hooks of all containers of this host, over their runtimes.
#pragma once

#include <memory>
#include <vector>

#include "plugin-api/hooks/runtime.h"
#include "volume/api/hooks.h"

namespace fairlead::hooks {

// Commands see FAIRLEAD_VOLUME (with commas, when the container uses several of them),
// FAIRLEAD_VERB, FAIRLEAD_SNAPSHOT, and FAIRLEAD_HOOK, a secret by which a command that takes too
// long is found and killed; those after the snapshot FAIRLEAD_RESULT as well, "taken" or "failed".
std::unique_ptr<volume::ContainerHooks> make_container_hooks(
    std::vector<std::unique_ptr<Runtime>> runtimes);

// Ends the commands that run, and starts none any more: of a daemon that stops, which does not wait
// for them. Snapshots that waited for commands before them are refused.
void end_hooks();

}  // namespace fairlead::hooks
