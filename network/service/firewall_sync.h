// Keeps the firewall's table equal to what the records say. Changes are written as elements; the
// whole table is written only when it is missing or altered.
#pragma once

#include <chrono>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/rate_limit.h"
#include "network/api/driver.h"
#include "network/kernel/firewall/firewall.h"
#include "network/nat/nat.h"
#include "network/service/ownership.h"
#include "network/service/record_store.h"

namespace fairlead::network {

// Thread-safe.
class FirewallSync {
 public:
  FirewallSync(kernel::Firewall& firewall, RecordStore& records, Ownership& ownership,
               const Drivers& drivers, std::string boot_id)
      : firewall_(firewall),
        records_(records),
        ownership_(ownership),
        drivers_(drivers),
        boot_id_(std::move(boot_id)) {}

  // What the firewall has to know of the network, by its driver.
  FirewallLinks links_of(const Network& network) const;
  Status admit(const Network& network);
  Status dismiss(const Network& network);
  // Changes from which hosts and links packets of tunnels are accepted.
  Status change_underlay(const UnderlayRecord& before, const UnderlayRecord& after);
  // Changes the elements of an endpoint's ports in one transaction.
  Status change_ports(const Network& network, const Endpoint& before, const Endpoint& after);
  // Removes the elements of all ports of these endpoints. Endpoints of another boot are skipped,
  // because the elements may belong to another store by now.
  Status drop_ports(const Network& network, std::span<const Endpoint> endpoints);
  // kConflict when the table is missing or altered, or lacks one of the endpoint's elements. Reads
  // the table, and so is meant for CNI's CHECK and too slow for attach.
  Status check_ports(const Network& network, const Endpoint& endpoint);
  // Renders the table unless it exists in this version. Does not read its content, so it is fast
  // enough for attach.
  Status ensure();
  // How the table differs from what the records say, in words ("rule 3 of chain forward is
  // missing"); empty when it does not. Everything is compared, which takes 2 ms. An endpoint that
  // is being attached or detached at this moment may look like a difference.
  Result<std::string> difference();
  // Like difference(), and renders the table when there is a difference. To be called while nothing
  // is attached or detached.
  Result<std::string> repair();
  // Replaces the table by what the records say, in one transaction. kInUse when it belongs to
  // another store.
  Status render();
  // Deletes the table, after the last network was removed. A table of another store stays.
  Status withdraw();
  // Whether the table exists in this version, and belongs to this store.
  Result<bool> present();

  // How often this object has rendered the table because it was altered, and why the last time.
  struct Renderings {
    std::size_t count = 0;
    std::string last_reason;
  };
  Renderings renderings() const;

 private:
  Result<std::vector<std::string>> differences();
  Result<std::vector<std::string>> altered_chains();
  Result<std::vector<std::string>> altered_elements();
  Result<nat::NatState> wanted();
  void add_network(const Network& network, nat::NatState& state) const;
  nat::NatState state_of(const Network& network) const;
  Status apply(std::span<const kernel::ElementChange> changes);
  Status render_because(const std::string& reason);

  kernel::Firewall& firewall_;
  RecordStore& records_;
  Ownership& ownership_;
  const Drivers& drivers_;
  std::string boot_id_;  // endpoints of another boot are void
  mutable std::mutex guard_;
  Renderings renderings_;
  // Somebody may alter the table many times in a second.
  RateLimit log_limit_{30, std::chrono::seconds(10)};
};

}  // namespace fairlead::network
