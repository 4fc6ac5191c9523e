// What this host tells the others about its endpoints.
#pragma once

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

// Has no state of its own. The stores and the fence must outlive it.
class StoreEndpoints : public Endpoints {
 public:
  StoreEndpoints(state::Store& shared, state::Store& local, Fence& fence)
      : shared_(shared), local_(local), fence_(fence) {}

  Status publish(const SharedEndpoint& endpoint) override;
  Status withdraw(const std::string& network_id, const std::string& endpoint_id) override;
  Result<std::size_t> publish_all(const std::vector<SharedEndpoint>& endpoints) override;
  Result<std::vector<SharedEndpoint>> list(const std::string& network_id) override;

  // After the shared store was put back to an earlier state: makes what was published there anew,
  // and deletes what was withdrawn since. `conflicts`: what others have now, in words.
  Status restore(std::vector<std::string>& conflicts);

 private:
  Status remember(const SharedEndpoint& endpoint);
  Status withdraw_strangers();
  Result<bool> publish_changed(const SharedEndpoint& endpoint);  // was anything written?
  Result<bool> try_publish(SharedEndpoint endpoint);
  Result<std::int64_t> network_revision(const std::string& network_id);

  state::Store& shared_;
  state::Store& local_;
  Fence& fence_;
};

}  // namespace fairlead::network::cluster
