// IpamDriver in the words of PoolService. Keeps no state.
#pragma once

#include "network/api/service.h"
#include "plugin-api/docker/codec_ipam.h"

namespace fairlead::docker {

// One method per verb. Thread-safe. `pools` must outlive the adapter.
class IpamAdapter {
 public:
  explicit IpamAdapter(network::PoolService& pools) : pools_(pools) {}

  // --ipam-opt network=NAME gives the pool of that Fairlead network; unknown options are refused.
  Result<network::Pool> request_pool(const RequestPoolRequest& request);
  Status release_pool(const PoolRequest& request);
  Result<Cidr> request_address(const RequestAddressRequest& request);
  Status release_address(const ReleaseAddressRequest& request);

 private:
  network::PoolService& pools_;
};

}  // namespace fairlead::docker
