// Claims of host ports, by compare-and-set on one key for each (protocol, port), and one key for the
// ranges of a protocol.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/api/types.h"
#include "network/kernel/host/sockets.h"
#include "network/service/records.h"

namespace fairlead::network {

// An endpoint that has a port.
struct PortOwner {
  std::string network_id, endpoint_id;

  auto operator<=>(const PortOwner&) const = default;
};

// The endpoint for which ports are claimed, and what it is told by to be another one's container.
struct PortClaimant {
  PortOwner owner;
  std::string container{}, runtime{}, netns_path{};
  // Ports are also published on addresses that the host does not have.
  bool allow_missing_address = false;

  static PortClaimant of(const Endpoint& endpoint, const Network& network);
};

// What an endpoint has of the ports that it asked for.
struct ClaimedPorts {
  std::vector<PublishedPort> serves;
  std::vector<PublishedPort> standby;  // as Endpoint::standby_ports

  bool operator==(const ClaimedPorts&) const = default;
};
ClaimedPorts claimed_of(const Endpoint& endpoint);

// Plans changes of port keys and adds them to a transaction; the caller commits, and plans again on
// kConflict. Thread-safe.
class PortClaims {
 public:
  PortClaims(state::Store& store, kernel::HostPorts& host_ports, std::string boot_id)
      : store_(store), host_ports_(host_ports), boot_id_(std::move(boot_id)) {}

  // Claims a host port for each of `wanted`, choosing one where several or all are possible, and
  // gives up those of `before` that are not among them. A mapping that another endpoint of the same
  // container serves is claimed as a standby. kInUse names the holder of a port that is taken:
  // another container's endpoint, or a process with a socket on the host. `heirs`: the endpoints
  // whose standbys are served by nobody after the transaction.
  Result<ClaimedPorts> plan(const PortClaimant& claimant, std::span<const PortSpec> wanted,
                            const ClaimedPorts& before, state::Txn& txn,
                            std::vector<PortOwner>* heirs = nullptr);

  // To be called after a commit with what plan() gave. kInUse when somebody has claimed a single
  // port of a range at the same moment; what was claimed has to be given up then.
  Status confirm(const PortClaimant& claimant, const ClaimedPorts& claimed);

  // The owners of claims that exclude one of `wanted`. Claims of another boot are void.
  Result<std::vector<PortOwner>> holders(std::span<const PortSpec> wanted);

  // Stray claims are those that no endpoint's record confirms. Both calls return how many of this
  // boot there are. Claims of an earlier boot do not keep anybody from the port, and are dropped
  // without being counted. A key that changes meanwhile is left alone.
  Result<std::size_t> count_strays();
  Result<std::size_t> drop_strays();

 private:
  struct Strays {
    std::size_t count = 0;
    std::vector<state::Txn> cures;  // the transactions that drop them, one for each key
  };
  Result<Strays> strays();
  Result<bool> is_confirmed(const std::string& key, const PortClaim& claim);
  // The records of single ports from `first` to `last`, whose number is that of these alone.
  Result<std::vector<state::Record>> singles_in(Proto proto, unsigned first, unsigned last);
  Status add_holders(std::string_view key, const PortSpec& spec, std::vector<PortOwner>& holders);
  friend class PortPlan;

  state::Store& store_;
  kernel::HostPorts& host_ports_;
  std::string boot_id_;
};

// Whether two claims of the same port exclude each other. An address overlaps itself, the
// any-address of its family, and std::nullopt.
bool overlap(const std::optional<IpAddress>& a, const std::optional<IpAddress>& b);

}  // namespace fairlead::network
