// Keeps the firewall equal to what the records say: its tables `inet fairlead` (packets of the host)
// and `bridge fairlead` (frames that endpoints send).
#pragma once

#include <chrono>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/lock.h"
#include "base/rate_limit.h"
#include "network/api/driver.h"
#include "network/kernel/firewall/firewall.h"
#include "network/nat/nat.h"
#include "network/service/ownership.h"
#include "network/service/policy_state.h"
#include "network/service/record_store.h"
#include "network/service/table_sync.h"

namespace fairlead::network {

// Thread-safe.
class FirewallSync {
 public:
  struct Tables {
    kernel::Firewall& packets;  // inet fairlead
    kernel::Firewall& frames;   // bridge fairlead
  };
  struct Host {
    std::string boot_id;            // endpoints of another boot are void
    bool allow_forwarding = false;  // of packets between interfaces that are not Fairlead's
  };
  FirewallSync(const Tables& tables, RecordStore& records, Ownership& ownership,
               const Drivers& drivers, NamedLocks& locks, Host host);
  FirewallSync(const FirewallSync&) = delete;  // its tables refer to it
  FirewallSync& operator=(const FirewallSync&) = delete;

  // What the firewall has to know of the network, by its driver.
  FirewallLinks links_of(const Network& network) const;
  Status admit(const Network& network);
  Status dismiss(const Network& network);
  // Changes from which hosts and links packets of tunnels are accepted.
  Status change_underlay(const UnderlayRecord& before, const UnderlayRecord& after);
  // Changes for which families the host is no router for strangers; renders the table where it is
  // missing.
  Status change_forwarding(const ForwardingRecord& before, const ForwardingRecord& after);
  // Changes by which ways answers leave, and which broadcasts are questions to published ports.
  Status change_surroundings(const SurroundingsRecord& before, const SurroundingsRecord& after);
  // Changes where questions for names are led. With the lock of networks, so that none of them is removed meanwhile.
  // Returns what was led elsewhere before, or is now.
  Result<std::vector<nat::NatQuestions>> change_names(const NameServers& before,
                                                      const NameServers& after);
  // Whether the table keeps packets of strangers from being forwarded, also without networks.
  Result<bool> holds_strangers();
  // Everything that the tables should contain.
  Result<nat::NatState> wanted();
  // What the endpoint may send, and its ports, before its link is up: a link without elements sends
  // nothing. Every endpoint that has a record of this boot has its elements.
  Status admit(const Network& network, const Endpoint& endpoint);
  // The records of policies, and the elements that they mean, are changed under this lock, which is taken after
  // those of networks.
  Result<NamedLocks::Guard> lock_policies();
  // What policies are looked up in.
  Result<PolicyWorld> policy_world();
  // Makes the elements of policies what the records mean, of a table that is present. To be called with that
  // lock.
  Status write_policies();
  // The same with the lock, if some policy selects endpoints; but for the one that is about to go.
  Status select_endpoint(const Endpoint* leaving = nullptr);
  // Afterwards it may send nothing. To be called after its ports were dropped.
  Status dismiss(const Network& network, const Endpoint& endpoint);
  // Changes what an endpoint may send, and its ports.
  Status change(const Network& network, const Endpoint& before, const Endpoint& after);
  // Changes the elements of an endpoint's ports in one transaction.
  Status change_ports(const Network& network, const Endpoint& before, const Endpoint& after);
  // Removes the elements of all ports of these endpoints. Endpoints of another boot are skipped,
  // because the elements may belong to another store by now.
  Status drop_ports(const Network& network, std::span<const Endpoint> endpoints);
  // kConflict when a table is missing or altered, or lacks one of the endpoint's elements. Reads the
  // tables, and so is meant for CNI's CHECK and too slow for attach.
  Status check(const Network& network, const Endpoint& endpoint);
  // Renders the tables unless they exist in this version. Does not read their content, so it is fast
  // enough for attach.
  Status ensure();
  // How the tables differ from what the records say, in words ("rule 3 of chain forward is
  // missing"); empty when they do not. Everything is compared, which takes 2 ms. An endpoint that
  // is being attached or detached at this moment may look like a difference.
  Result<std::string> difference();
  // Removes what a killed process left in the tables that does nothing.
  Status tidy();
  // Renders the tables that are gone, at once: while they are, everything passes. What is attached or
  // detached at this moment may be lacking, or be too much. Says in words what was done; empty: nothing.
  Result<std::string> restore();
  // Like difference(), and renders the tables that differ. To be called while nothing is attached or
  // detached. kInUse when they belong to another store.
  Result<std::string> repair();
  // Deletes the tables, after the last network was removed; `inet fairlead` stays while it holds
  // strangers. Those of another store stay.
  Status withdraw();

  // How often this object has rendered a table because it was altered, and why the last time.
  struct Renderings {
    std::size_t count = 0;
    std::string last_reason;
  };
  Renderings renderings() const;
  // Why this kernel cannot check what endpoints send; empty when it can.
  std::string unsupported() const;

 private:
  Result<std::vector<TableSync*>> tables();
  // What is on its way out of the records, and has no policy any more; nullptr: none.
  struct Leaving {
    const Network* network = nullptr;
    const Endpoint* endpoint = nullptr;
  };
  Status write_policies(const Leaving& leaving);
  Status policies_of_networks(const Network* leaving);
  nat::NatHost host_of(const ForwardingRecord& record) const;
  void add_surroundings(const SurroundingsRecord& record, nat::NatHost& host) const;
  void add_network(const Network& network, nat::NatState& state) const;
  void add_questions(const Network& network, const NameServers& servers, nat::NatHost& host) const;
  Result<nat::NatHost> questions_of(const NameServers& servers);
  void add_endpoint(const Network& network, const Endpoint& endpoint, nat::NatState& state) const;
  Result<nat::NatState> state_of(const Network& network);
  Status change(TableSync& table, const nat::NatState& before, const nat::NatState& after);
  void note_rendered(const std::string& reason);

  TableSync packets_, frames_;
  RecordStore& records_;
  const Drivers& drivers_;
  NamedLocks& locks_;
  const Host host_;
  mutable std::mutex guard_;
  Renderings renderings_;
  // Somebody may alter the table many times in a second.
  RateLimit log_limit_{30, std::chrono::seconds(10)};
};

}  // namespace fairlead::network
