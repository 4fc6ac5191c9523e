// Typed reading of the store: names and ids to records.
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

// Thread-safe, as the store is. Nothing is cached: several processes write.
class RecordStore {
 public:
  explicit RecordStore(state::Store& store) : store_(store) {}

  // By id, runtime's id, name or unique prefix of an id. kNotFound says how to see what there is.
  Result<Stored<Network>> network(const NetworkRef& ref);
  Result<std::vector<Network>> networks();
  // The id that `ref` leads to, without reading the record.
  Result<std::string> network_id(const NetworkRef& ref);

  Result<std::optional<Stored<Endpoint>>> endpoint(const std::string& network_id,
                                                   const std::string& id);
  // Of one network, or of all when `network_id` is empty.
  Result<std::vector<Endpoint>> endpoints(const std::string& network_id);
  // Is there an endpoint with published ports in the network that fits?
  Result<bool> any_publisher(const std::string& network_id,
                             const std::function<bool(const Endpoint&)>& fits);
  Result<std::size_t> count(std::string_view prefix);
  Result<UnderlayRecord> underlay();  // empty when there is none
  // An endpoint for people: "container web of network shop (cni)". Never fails: of what cannot be
  // read it says the id.
  std::string describe(const std::string& network_id, const std::string& endpoint_id);

  Result<std::optional<std::string>> id_at(const std::string& key);  // names and aliases
  state::Store& raw() { return store_; }

 private:
  Result<std::string> by_prefix(const std::string& prefix);
  state::Store& store_;
};

}  // namespace fairlead::network
