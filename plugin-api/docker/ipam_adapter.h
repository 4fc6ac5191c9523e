// Translates IpamDriver to PoolService.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "network/api/service.h"
#include "plugin-api/docker/codec_ipam.h"

namespace fairlead::docker {

// One method per verb. Thread-safe. `pools` must outlive the adapter.
class IpamAdapter {
 public:
  explicit IpamAdapter(network::PoolService& pools) : pools_(pools) {}

  // --ipam-opt network=NAME returns the pool of that Fairlead network; unknown options are refused.
  //
  // For a request without a subnet dockerd compares the pool that it gets with the routes (IPv4)
  // and the name servers of the host. When they overlap it sends the same request again, without
  // end (moby, libnetwork/ipams/remote/remote.go; requestPoolHelper in network.go up to 26.1). The
  // bridge of a joined network is such a route. Therefore a pool that dockerd has not accepted is
  // returned as 0.0.0.0/0, the pool of dockerd's own null driver, which no version compares; the
  // gateway and the addresses that follow carry the network's prefix length. A request that is
  // repeated even then ends with an error.
  Result<network::Pool> request_pool(const RequestPoolRequest& request);
  Status release_pool(const PoolRequest& request);
  Result<Cidr> request_address(const RequestAddressRequest& request);
  Status release_address(const ReleaseAddressRequest& request);

 private:
  // A pool that was returned for a request without a subnet. It is kept until dockerd asks for the
  // gateway (it has accepted the pool) or releases the pool (it has not).
  struct Offer {
    std::string request;  // equal for requests that may come from the same loop in dockerd
    std::string pool_id;
  };

  Result<network::Pool> offer(const RequestPoolRequest& request, network::Pool pool);
  void taken(const std::string& pool_id);
  // Removes one offer of the pool, because after accepting a pool dockerd releases the others that
  // it got. Returns whether no other offer of the same pool is left, so that it can be released.
  bool given_up(const std::string& pool_id);

  network::PoolService& pools_;
  std::mutex mutex_;
  std::vector<Offer> offers_;
};

}  // namespace fairlead::docker
