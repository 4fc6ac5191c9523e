// Claims of host ports, by compare-and-set on one key for each (protocol, port).
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

// The endpoint that has a port.
struct PortOwner {
  std::string network_id, endpoint_id;
};

// Plans changes of port keys and adds them to a transaction; the caller commits, and plans again on
// kConflict. Thread-safe.
class PortClaims {
 public:
  PortClaims(state::Store& store, kernel::HostPorts& host_ports, std::string boot_id)
      : store_(store), host_ports_(host_ports), boot_id_(std::move(boot_id)) {}

  // Claims a host port for each of `wanted`, choosing one where several or all are possible, and
  // gives up those of `before` that are not among them. kInUse names the holder of a port that is
  // taken: another endpoint, or a process with a socket on the host.
  Result<std::vector<PublishedPort>> plan(const PortOwner& owner, std::span<const PortSpec> wanted,
                                          std::span<const PublishedPort> before, state::Txn& txn);

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
  struct Slot;
  class Plan;

  state::Store& store_;
  kernel::HostPorts& host_ports_;
  std::string boot_id_;
};

// Whether two claims of the same port exclude each other. An address overlaps itself, the
// any-address of its family, and std::nullopt.
bool overlap(const std::optional<IpAddress>& a, const std::optional<IpAddress>& b);

}  // namespace fairlead::network
