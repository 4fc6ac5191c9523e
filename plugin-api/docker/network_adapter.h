// NetworkDriver in the words of NetworkService. Keeps no state.
#pragma once

#include "network/api/service.h"
#include "plugin-api/docker/codec_network.h"

namespace fairlead::docker {

// One method per verb. Thread-safe. `networks` must outlive the adapter.
class NetworkAdapter {
 public:
  explicit NetworkAdapter(network::NetworkService& networks) : networks_(networks) {}

  // Docker sends no name: the network is called "docker-" and the first 12 digits of its id. With
  // the option "network" the id is bound to the existing Fairlead network of that name instead
  // (network_binding.h).
  Status create_network(const CreateNetworkRequest& request);
  Status delete_network(const NetworkRequest& request);  // unknown: succeeds
  // Addresses that Docker did not bring (--ipam-driver null) are Fairlead's to give, and are
  // answered.
  Result<CreatedInterface> create_endpoint(const CreateEndpointRequest& request);
  Status delete_endpoint(const EndpointRequest& request);
  Result<Joined> join(const EndpointRequest& request);
  Status leave(const EndpointRequest& request);
  // Docker may program an endpoint again without revoking first: the ports replace those of before.
  Status program(const PortsRequest& request);
  Status revoke(const EndpointRequest& request);
  Result<OperationalInfo> operational_info(const EndpointRequest& request);

 private:
  network::NetworkService& networks_;
};

}  // namespace fairlead::docker
