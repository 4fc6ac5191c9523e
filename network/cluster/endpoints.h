// Publishes this host's endpoints to the other hosts.
#pragma once

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

// All state is in the stores, which must outlive the object, as must the fence.
class StoreEndpoints : public Endpoints {
 public:
  StoreEndpoints(state::Store& shared, state::Store& local, Fence& fence)
      : shared_(shared), local_(local), fence_(fence) {}

  Status publish(const SharedEndpoint& endpoint) override;
  Status withdraw(const std::string& network_id, const std::string& endpoint_id) override;
  Result<std::size_t> publish_all(const std::vector<SharedEndpoint>& endpoints) override;
  Result<std::vector<SharedEndpoint>> list(const std::string& network_id) override;

  // To be called after the shared store was put back to an earlier state: publishes again what this
  // host had published, and deletes what it has withdrawn since. Adds to `conflicts`, in words,
  // what belongs to other hosts now.
  Status restore(std::vector<std::string>& conflicts);

 private:
  Status remember(const SharedEndpoint& endpoint);
  Status withdraw_strangers();
  Result<bool> publish_changed(const SharedEndpoint& endpoint);  // whether anything was written
  Result<bool> try_publish(SharedEndpoint endpoint);
  Result<std::int64_t> network_revision(const std::string& network_id);

  state::Store& shared_;
  state::Store& local_;
  Fence& fence_;
};

}  // namespace fairlead::network::cluster
