// What the network service does with the control plane for one host, as far as addresses go.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "network/api/cluster.h"
#include "network/ipam/ipam.h"

namespace fairlead::network::cluster {

// Of one process. Thread-safe; what it is given must outlive it.
class ServiceSteps : public LeaseBook {
 public:
  ServiceSteps(Addresses& addresses, state::Store& local, std::string boot)
      : addresses_(addresses), local_(local), boot_(std::move(boot)) {}

  // For an attach: an offer, a lease in the local store.
  Result<IpAddress> allocate(const SharedNetwork& network, const std::string& endpoint,
                             Family family = Family::kV4, std::optional<IpAddress> wanted = {});
  Status release(const SharedNetwork& network, const IpAddress& address,
                 const std::string& endpoint);
  Result<std::vector<IpAddress>> leased(const std::string& network_id, const Cidr& within) override;

 private:
  Ipam ipam() { return Ipam(local_, {.boot_id = boot_, .ula_seed = "a host"}); }
  // Which pool is which network's is what the local store says, as it does on a real host; read
  // once, because only this process makes pools.
  Result<std::vector<PoolRecord>> pools();
  Status ensure_pool(const SharedNetwork& network, const Cidr& subnet);

  Addresses& addresses_;
  state::Store& local_;
  const std::string boot_;
  std::mutex guard_;
  std::optional<std::vector<PoolRecord>> pools_;
};

}  // namespace fairlead::network::cluster
