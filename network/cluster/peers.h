// The agent that keeps the peers' table in step with the shared store, on threads of its own.
#pragma once

#include <memory>

#include "network/cluster/peer_sync.h"

namespace fairlead::network::cluster {

// The store must outlive it. `apply`, `replace` and `apply_hosts` are called from one thread;
// snapshots are written by another.
std::unique_ptr<Peers> make_peers(state::Store& shared, PeerOptions options, Clock clock,
                                  Peers::Apply apply, Peers::Replace replace);

}  // namespace fairlead::network::cluster
