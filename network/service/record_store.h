// Reads the service's records from the store, by names and ids.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/api/types.h"
#include "network/service/policy_records.h"
#include "network/service/records.h"

namespace fairlead::network {

template <class T>
struct Stored {
  T value;
  std::int64_t revision = 0;
};

// Thread-safe, as the store is. Nothing is cached, because several processes write.
class RecordStore {
 public:
  explicit RecordStore(state::Store& store) : store_(store) {}

  // The text of kNotFound says how to list the networks.
  Result<Stored<Network>> network(const NetworkRef& ref);
  Result<std::vector<Network>> networks();
  // The id for which `ref` stands. Reads nothing for a NetworkId, of which there need not be a
  // record; a RuntimeNetworkId costs one read, and another one when it is bound to the network.
  Result<std::string> network_id(const NetworkRef& ref);
  // The id of the network to which the runtime's is bound.
  Result<std::string> bound_id(const std::string& runtime_id);
  // The network with this id, in one read. `ref` is what the caller gave, for the error.
  Result<Stored<Network>> network_at(const std::string& id, const NetworkRef& ref);

  Result<std::optional<Stored<Endpoint>>> endpoint(const std::string& network_id,
                                                   const std::string& id);
  // Of one network, or of all when `network_id` is empty.
  Result<std::vector<Endpoint>> endpoints(const std::string& network_id);
  // Whether the network has an endpoint with published ports for which `fits` is true.
  Result<bool> any_publisher(const std::string& network_id,
                             const std::function<bool(const Endpoint&)>& fits);
  // What runtimes call the network.
  Result<std::vector<RuntimeNetwork>> runtimes_of(const std::string& network_id);
  // Adds what runtimes call it. What cannot be read counts as unknown: names are for people.
  void add_names(Network& network);
  // title_of() the network. Reads nothing for one with a name of its own.
  std::string title(const Network& network);
  void add_names(Endpoint& endpoint);
  void add_names(std::vector<Network>& networks);
  void add_names(std::vector<Endpoint>& endpoints);  // of one network or of several
  Result<std::size_t> count(std::string_view prefix);
  Result<UnderlayRecord> underlay();          // an empty record when there is none
  Result<ForwardingRecord> forwarding();      // an empty record when there is none
  Result<SurroundingsRecord> surroundings();  // an empty record when there is none
  // Who answers names; nobody where there is no record of this boot.
  Result<NameServers> name_servers(std::string_view boot_id);
  Result<Stored<PolicyRecord>> policies();  // an empty record of revision 0 when there is none
  Result<std::map<std::string, NameRecord>> policy_names();
  Result<NameRecord> policy_name(const std::string& name);  // an empty record when there is none
  // Whether some policy selects endpoints: one read, of a record that most hosts do not have.
  Result<bool> any_policy_selects();
  // An endpoint for people: "container web of network shop (docker, compose project shop)". Never
  // fails: where a record cannot be read it gives the id.
  std::string describe(const std::string& network_id, const std::string& endpoint_id);

  Result<std::optional<std::string>> id_at(const std::string& key);  // of names and aliases
  state::Store& raw() { return store_; }

 private:
  Result<std::string> by_text(const std::string& text);
  Result<std::string> by_prefix(const std::string& prefix);
  // By the runtime's name of a network: its id, or std::nullopt. kInvalid, with the ids, when
  // several networks are called so.
  Result<std::optional<std::string>> by_runtime_name(const std::string& name);
  state::Store& store_;
};

}  // namespace fairlead::network
