// What this host tells the others about its endpoints.
#pragma once

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

// The store and the fence must outlive it.
class StoreEndpoints : public Endpoints {
 public:
  StoreEndpoints(state::Store& shared, Fence& fence) : shared_(shared), fence_(fence) {}

  Status publish(const SharedEndpoint& endpoint) override;
  Status withdraw(const std::string& network_id, const std::string& endpoint_id) override;
  Result<std::size_t> publish_all(const std::vector<SharedEndpoint>& endpoints) override;
  Result<std::vector<SharedEndpoint>> list(const std::string& network_id) override;

 private:
  Result<bool> publish_changed(const SharedEndpoint& endpoint);  // was anything written?
  Result<bool> try_publish(SharedEndpoint endpoint);
  Result<std::int64_t> network_revision(const std::string& network_id);

  state::Store& shared_;
  Fence& fence_;
};

}  // namespace fairlead::network::cluster
