// Keeps the peer table in step with the shared store, on its own threads.
#pragma once

#include <memory>

#include "network/cluster/peer_sync.h"

namespace fairlead::network::cluster {

// The store must outlive the returned object. `apply`, `replace` and `apply_hosts` are called from
// one thread; another thread writes the snapshots.
std::unique_ptr<Peers> make_peers(state::Store& shared, PeerOptions options, Clock clock,
                                  Peers::Apply apply, Peers::Replace replace);

}  // namespace fairlead::network::cluster
