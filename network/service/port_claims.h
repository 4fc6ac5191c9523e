// Host ports: who has which, decided by compare-and-set on one key per (protocol, port).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/api/types.h"
#include "network/kernel/sockets.h"
#include "network/service/records.h"

namespace fairlead::network {

// Whose ports they are.
struct PortOwner {
  std::string network_id, endpoint_id;
};

// Plans changes of port keys and adds them to a transaction; the caller commits, and plans again on
// kConflict. Thread-safe.
class PortClaims {
 public:
  PortClaims(state::Store& store, kernel::HostPorts& host_ports, std::string boot_id)
      : store_(store), host_ports_(host_ports), boot_id_(std::move(boot_id)) {}

  // Claims a host port for each of `wanted`, choosing one where the choice is left open, and gives
  // up those of `before` that are not among them. kInUse names the holder of a port that is taken:
  // another endpoint, or a socket of the host.
  Result<std::vector<PublishedPort>> plan(const PortOwner& owner, std::span<const PortSpec> wanted,
                                          std::span<const PublishedPort> before, state::Txn& txn);

  // Who has claims that exclude one of `wanted`. Those of another boot are void.
  Result<std::vector<PortOwner>> holders(std::span<const PortSpec> wanted);

  // Claims that no endpoint's record confirms. Both return how many of this boot there are (those
  // of an earlier one keep nobody from the port, and are dropped as well); one that changes
  // meanwhile is left alone.
  Result<std::size_t> count_strays();
  Result<std::size_t> drop_strays();

 private:
  struct Strays {
    std::size_t count = 0;
    std::vector<state::Txn> cures;  // one for each key
  };
  Result<Strays> strays();
  Result<bool> is_confirmed(const std::string& key, const PortClaim& claim);
  struct Slot;
  class Plan;

  state::Store& store_;
  kernel::HostPorts& host_ports_;
  std::string boot_id_;
};

// Do two claims of one port exclude each other? An address overlaps itself, "any of its family" and
// "any".
bool overlap(const std::optional<IpAddress>& a, const std::optional<IpAddress>& b);

}  // namespace fairlead::network
