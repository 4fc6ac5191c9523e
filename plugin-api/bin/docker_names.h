// The names of Docker's networks and containers, for the daemon: asks dockerd, as long as it runs.
#pragma once

#include <memory>
#include <string>

#include "network/api/names.h"
#include "plugin-api/engine/names_watch.h"
#include "plugin-api/http/server.h"

namespace fairlead {

// nullptr when `socket` is empty. `names` must outlive the result.
std::unique_ptr<engine::NamesWatch> watch_docker_names(const std::string& socket,
                                                       network::NameService& names);

// Docker's plugin handler; each of its calls tells the watch that dockerd runs. `watch` may hold
// nullptr, and must outlive the result.
http::Handler waking(http::Handler handler, const std::unique_ptr<engine::NamesWatch>& watch);

}  // namespace fairlead
