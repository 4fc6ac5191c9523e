// One change of port claims while it is planned: which claims are read, and what becomes of them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "network/service/port_claims.h"

namespace fairlead::network {

// For PortClaims::plan() alone. Lives for one plan, on one thread.
class PortPlan {
 public:
  PortPlan(PortClaims& claims, const PortClaimant& claimant)
      : claims_(claims), claimant_(claimant) {}

  // A port that the endpoint has and keeps; nothing is read or written for it.
  void keep(const PublishedPort& port) { result_.serves.push_back(port); }
  Status give_up(const PublishedPort& port);
  Status take(const PortSpec& wanted);
  // Asks the host for all ports that were taken by number.
  Status check_sockets();
  void write_to(state::Txn& txn) const;
  // kInUse when somebody has one of the ports of a range that the endpoint has.
  Status look_for_singles(const PublishedPort& range);
  // In the order in which they have claimed; one for each of its ports.
  std::vector<PortOwner> heirs() const;
  ClaimedPorts& result() { return result_; }

 private:
  // The claims of one key, with the revision that was read and the changes of the plan.
  struct Slot {
    std::string key;
    std::int64_t revision = state::kAbsent;
    std::vector<PortClaim> claims;
    bool changed = false;
    bool pinned = false;  // the plan only holds while nobody changes it
  };
  // How a claim stands in the way of a port that is wanted.
  enum class Hindrance {
    kNone,
    kServes,  // the same container's: it serves the port already
    kTaken,
  };
  struct Taken {
    PublishedPort port;
    bool standby = false;
  };

  bool is_ours(const PortClaim& claim) const;
  Result<bool> is_same_container(const PortClaim& claim);
  Result<Slot*> slot_at(const std::string& key);
  Result<Slot*> slot_of(const PublishedPort& port);
  Result<Hindrance> hindrance(const PortClaim& claim, const PublishedPort& port);
  // Adds up what the claims mean for the port; kInUse when one of them excludes it.
  Status ask(std::span<const PortClaim> claims, Taken& taken);
  Result<Taken> find_place(const PortSpec& wanted, std::uint16_t number);
  Status settle(const Taken& taken);
  Status take_range(const PortSpec& wanted);
  Status ask_singles(Taken& taken);
  Status take_one_of(const PortSpec& wanted, unsigned last);
  Status take_ephemeral(const PortSpec& wanted);
  kernel::PortUser user() const;
  Status check_socket(const PublishedPort& port);
  Result<std::uint16_t> cursor_of(Proto proto, std::uint16_t first, std::uint16_t last);
  Error taken_by(const PortClaim& claim, const PublishedPort& port);
  bool was_ours(PublishedPort port) const;

  PortClaims& claims_;
  const PortClaimant& claimant_;
  std::map<std::string, Slot> slots_;
  std::map<Proto, std::uint16_t> cursors_;
  std::map<PortOwner, bool> same_container_;
  std::set<PublishedPort> freed_;
  std::vector<PublishedPort> to_check_;
  ClaimedPorts result_;
};

}  // namespace fairlead::network
