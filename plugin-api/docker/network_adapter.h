// Translates NetworkDriver to NetworkService. Stateless.
#pragma once

#include "network/api/service.h"
#include "plugin-api/docker/codec_network.h"

namespace fairlead::docker {

// One method per verb. Thread-safe. `networks` must outlive the adapter.
class NetworkAdapter {
 public:
  explicit NetworkAdapter(network::NetworkService& networks) : networks_(networks) {}

  // Docker sends no name, so the network is named "docker-" and the first 12 digits of its id. With
  // the option "network" the id is bound to the existing Fairlead network of that name instead
  // (network_binding.h).
  Status create_network(const CreateNetworkRequest& request);
  Status delete_network(const NetworkRequest& request);  // unknown: succeeds
  // When Docker brings no addresses (--ipam-driver null), Fairlead assigns them and returns them.
  Result<CreatedInterface> create_endpoint(const CreateEndpointRequest& request);
  Status delete_endpoint(const EndpointRequest& request);
  Result<Joined> join(const EndpointRequest& request);
  Status leave(const EndpointRequest& request);
  // Docker may program an endpoint again without revoking first; the new ports replace the old
  // ones.
  Status program(const PortsRequest& request);
  Status revoke(const EndpointRequest& request);
  Result<OperationalInfo> operational_info(const EndpointRequest& request);

 private:
  network::NetworkService& networks_;
};

}  // namespace fairlead::docker
