// Keeps the firewall's table at what the records say: elements for each change, the whole table
// when it is missing.
#pragma once

#include <span>
#include <string>

#include "network/kernel/firewall.h"
#include "network/service/ownership.h"
#include "network/service/record_store.h"

namespace fairlead::network {

// Thread-safe.
class FirewallSync {
 public:
  FirewallSync(kernel::Firewall& firewall, RecordStore& records, Ownership& ownership,
               std::string boot_id)
      : firewall_(firewall),
        records_(records),
        ownership_(ownership),
        boot_id_(std::move(boot_id)) {}

  Status admit(const Network& network);
  Status dismiss(const Network& network);
  // Packets of tunnels are taken from other hosts than before.
  Status change_underlay(const UnderlayRecord& before, const UnderlayRecord& after);
  // Elements for the ports that `after` has and `before` has not, and the reverse, in one
  // transaction.
  Status change_ports(const Network& network, const Endpoint& before, const Endpoint& after);
  // The same for many endpoints that lose all their ports.
  Status drop_ports(const Network& network, std::span<const Endpoint> endpoints);
  // kConflict when the table is missing or altered, or lacks one of the endpoint's elements. Reads
  // the table: for CHECK, not for attach.
  Status check_ports(const Network& network, const Endpoint& endpoint);
  // Makes sure that the table is there, in this version. Does not read what is in it: for attach.
  Status ensure();
  // How the table differs from what the records say, in words ("altered rules of chain forward");
  // empty when it does not. Everything is compared: 2 ms. What is being attached or detached at
  // this moment may look like a difference.
  Result<std::string> difference();
  // The same, and renders the table if there is one.
  Result<std::string> repair();
  // Replaces the table by what the records say, in one transaction. kInUse when it is another
  // store's.
  Status render();
  // Takes the table away (the last network went). One of another store stays.
  Status withdraw();
  // Is the table there, in this version, and this store's?
  Result<bool> present();

 private:
  struct Wanted;
  Result<std::string> altered_chains();
  Result<Wanted> wanted();
  Status replace(const Wanted& wanted);
  Status apply(std::span<const kernel::ElementChange> changes);

  kernel::Firewall& firewall_;
  RecordStore& records_;
  Ownership& ownership_;
  std::string boot_id_;  // endpoints of another boot are void
};

}  // namespace fairlead::network
