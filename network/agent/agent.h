// The agent does this host's part in networks over several hosts, on threads of its own: it keeps
// the host a member of the cluster, tells the other hosts about its endpoints, and programs theirs
// into the tunnels.
//
//   ChangeFeed ──> what is dirty ──> Endpoints, Networks ──> shared store
//   shared store ── Peers ──> Tunnels
//
// The agent's only input is what the service commits in the local store, whichever process
// committed it. So no call waits for the cluster, and what could not be published is published
// later.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/changes.h"
#include "base/state/leases.h"
#include "base/state/store.h"
#include "network/api/cluster.h"
#include "network/api/service.h"
#include "network/kernel/tunnels/vxlan.h"
#include "network/kernel/tunnels/wireguard.h"

namespace fairlead::network {

// This host's WireGuard link. It must exist already.
struct WireguardPart {
  kernel::WireguardLinks& links;
  kernel::WireguardLinkSpec spec;
};

struct AgentParts {
  state::Store& local;
  ChangeFeed& changes;  // of the networks and endpoints in the local store
  state::Store& shared;
  state::Leases& leases;
  kernel::Tunnels& tunnels;
  std::string cluster;                     // the cluster's name, for people
  cluster::HostInfo host;                  // this one
  std::optional<WireguardPart> wireguard;  // std::nullopt: this kernel cannot encrypt
  std::string snapshots;                   // an existing folder, for snapshots of the peer table
  std::string boot_id;                     // base/host.h
  std::function<std::vector<cluster::StoreMember>()> members;  // of the shared store
};

class Agent : public cluster::ClusterClient, public cluster::Control {
 public:
  // Starts the threads, and waits some seconds at most for the first attempt to join, so that calls
  // for addresses right after it find the host a member of the cluster. `service` and `guard` work
  // on the same local store, and must stay alive until stop() returns.
  virtual void start(NetworkService& service, cluster::UnderlayGuard& guard) = 0;
  // Leaves the cluster properly if the shared store can be reached. The host's endpoints stay.
  virtual void stop() = 0;
  // To be called when the network's tunnel was made anew, and so holds no entries. May be called
  // from any thread.
  virtual void on_tunnel_made(const std::string& network_id) = 0;
};

// Everything that `parts` refers to must outlive the agent. The agent sends nothing before it is
// started.
std::unique_ptr<Agent> make_agent(AgentParts parts);

}  // namespace fairlead::network
