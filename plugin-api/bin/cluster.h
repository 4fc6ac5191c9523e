// The wiring of this host's part in a cluster: the store in etcd, and the agent over it. Apart from
// core.cpp, so that an executable that never speaks to other hosts links none of it.
#pragma once

#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"

namespace fairlead {

// For open_core(). Asks nobody in etcd: a daemon starts while it cannot be reached. kInvalid for a
// configuration that cannot work, kNotFound when this host has no such address.
MakeCluster make_cluster(const Paths& paths, const ClusterConfig& config);

}  // namespace fairlead
