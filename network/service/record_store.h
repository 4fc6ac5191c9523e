// Reads the service's records from the store, by names and ids.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/state/store.h"
#include "network/api/types.h"
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

  // Finds a network by its name, a runtime's id, its id or a unique prefix of its id. The text of
  // kNotFound says how to list the networks.
  Result<Stored<Network>> network(const NetworkRef& ref);
  Result<std::vector<Network>> networks();
  // The id that `ref` stands for, without reading the network's record.
  Result<std::string> network_id(const NetworkRef& ref);

  Result<std::optional<Stored<Endpoint>>> endpoint(const std::string& network_id,
                                                   const std::string& id);
  // Of one network, or of all when `network_id` is empty.
  Result<std::vector<Endpoint>> endpoints(const std::string& network_id);
  // Whether the network has an endpoint with published ports for which `fits` is true.
  Result<bool> any_publisher(const std::string& network_id,
                             const std::function<bool(const Endpoint&)>& fits);
  Result<std::size_t> count(std::string_view prefix);
  Result<UnderlayRecord> underlay();  // an empty record when there is none
  // An endpoint for people: "container web of network shop (cni)". Never fails: where a record
  // cannot be read it gives the id.
  std::string describe(const std::string& network_id, const std::string& endpoint_id);

  Result<std::optional<std::string>> id_at(const std::string& key);  // of names and aliases
  state::Store& raw() { return store_; }

 private:
  Result<std::string> by_prefix(const std::string& prefix);
  state::Store& store_;
};

}  // namespace fairlead::network
