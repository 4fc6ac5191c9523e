// This host's part in networks over several hosts, on threads of its own: it stays a member of the
// cluster, tells the others about its endpoints, and programs theirs into the tunnels.
//
//   local store ── watch ──> what is dirty ──> Endpoints, Networks ──> shared store
//   shared store ── Peers ──> Tunnels
//
// What the service commits in the local store is the only thing the agent goes by, whichever
// process committed it. So nothing waits for the cluster, and what could not be told is told later.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/state/leases.h"
#include "base/state/store.h"
#include "network/api/cluster.h"
#include "network/api/service.h"
#include "network/kernel/vxlan.h"
#include "network/kernel/wireguard.h"

namespace fairlead::network {

// This host's encrypting device, which is there already.
struct WireguardPart {
  kernel::WireguardLinks& links;
  kernel::WireguardLinkSpec spec;
};

struct AgentParts {
  state::Store& local;
  state::Store& shared;
  state::Leases& leases;
  kernel::Tunnels& tunnels;
  std::string cluster;                     // its name, for people
  cluster::HostInfo host;                  // this one
  std::optional<WireguardPart> wireguard;  // nothing: this kernel cannot encrypt
  std::string snapshots;                   // an existing folder, for what is known of the peers
  std::string boot_id;                     // base/host.h
  std::function<std::vector<cluster::StoreMember>()> members;  // of the shared store
};

class Agent : public cluster::ClusterClient, public cluster::Control {
 public:
  // Begins to work, and waits for the first attempt to join, some seconds at most: what asks for
  // addresses right after finds a member of the cluster. `service` and `guard` work on the same
  // local store, and must outlive stop().
  virtual void start(NetworkService& service, cluster::UnderlayGuard& guard) = 0;
  // Leaves the cluster in order, as far as the shared store can be reached. Its endpoints stay.
  virtual void stop() = 0;
  // From any thread: the network's tunnel was made anew, and holds no entries.
  virtual void on_tunnel_made(const std::string& network_id) = 0;
};

// Everything in `parts` must outlive it. Asks nobody before it is started.
std::unique_ptr<Agent> make_agent(AgentParts parts);

}  // namespace fairlead::network
