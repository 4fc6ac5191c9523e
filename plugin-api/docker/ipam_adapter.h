// IpamDriver in the words of PoolService.
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

  // --ipam-opt network=NAME gives the pool of that Fairlead network; unknown options are refused.
  //
  // Without a subnet dockerd compares what it is given with the routes (IPv4) and the name servers
  // of the host, and on a hit it asks the same again, for ever (moby,
  // libnetwork/ipams/remote/remote.go; requestPoolHelper in network.go up to 26.1). A joined
  // network's bridge is such a route, so a pool that dockerd does not take is given as 0.0.0.0/0,
  // the pool of its own null driver, which no version compares: the gateway and the addresses that
  // follow carry the network's prefix length. What is not taken as that either ends in an error.
  Result<network::Pool> request_pool(const RequestPoolRequest& request);
  Status release_pool(const PoolRequest& request);
  Result<Cidr> request_address(const RequestAddressRequest& request);
  Status release_address(const ReleaseAddressRequest& request);

 private:
  // A pool that was given to a request without a subnet, until its gateway is asked for (dockerd
  // took it) or it is released (dockerd has given it up).
  struct Offer {
    std::string request;  // equal for requests that one loop of dockerd may have sent
    std::string pool_id;
  };

  Result<network::Pool> offer(const RequestPoolRequest& request, network::Pool pool);
  void taken(const std::string& pool_id);
  // dockerd releases what it did not take when it has taken another one: true when it has not been
  // given the same pool once more.
  bool given_up(const std::string& pool_id);

  network::PoolService& pools_;
  std::mutex mutex_;
  std::vector<Offer> offers_;
};

}  // namespace fairlead::docker
