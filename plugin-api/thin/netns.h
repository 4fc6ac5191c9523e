// The container's namespace as thin clients open it: only this process sees the runtime's mounts.
#pragma once

#include "plugin-api/thin/daemon_call.h"

namespace client {

struct NetnsHeaders {
  Text fd, error, same;  // end with ": "
};

// Opens the namespace, which stays open until the process ends, and says under which number, or why not. An
// empty path is none.
void add_open_netns(DaemonCall& daemon, Text path, const NetnsHeaders& headers);

}  // namespace client
