// Wires this host's part in a cluster: the store in etcd, and the agent that uses it. It is kept
// apart from core.cpp, so that an executable that never contacts other hosts links none of it.
#pragma once

#include "plugin-api/bin/config.h"
#include "plugin-api/bin/core.h"
#include "plugin-api/bin/timed_store.h"

namespace fairlead {

// For open_core(). Does not wait for etcd, so that a daemon starts while etcd cannot be reached.
// kInvalid for a configuration that cannot work, kNotFound when this host has no such address.
// `times`, of what is asked of etcd, must outlive what is made.
MakeCluster make_cluster(const Paths& paths, const ClusterConfig& config, StoreTimes& times);

}  // namespace fairlead
