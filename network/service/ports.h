// Publishes ports of existing endpoints, and lists all published ports.
#pragma once

#include <span>
#include <vector>

#include "network/service/collector.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class Ports {
 public:
  Ports(ServiceContext& context, Removal& removal, Collector& collector)
      : context_(context), removal_(removal), collector_(collector) {}

  Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                             std::span<const PortSpec> ports);
  Status unpublish(const EndpointRef& endpoint);
  Result<std::vector<PortHolder>> list_ports();

  // kInvalid when there are ports and containers of this network cannot publish any.
  static Status check_ports_allowed(const LockedNetwork& held, std::span<const PortSpec> ports);
  // Gives ports without a host address the default addresses of the network, if it has any.
  static std::vector<PortSpec> with_default_addresses(const Network& network,
                                                      std::span<const PortSpec> ports);

 private:
  Result<Endpoint> swap_ports(LockedNetwork& held, const Stored<Endpoint>& before,
                              std::span<const PortSpec> ports);
  Status program_ports(LockedNetwork& held, const Endpoint& before, const Endpoint& after);

  ServiceContext& context_;
  Removal& removal_;
  Collector& collector_;
};

}  // namespace fairlead::network
