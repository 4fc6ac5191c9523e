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
  Result<std::vector<PublishedPort>> change_ports(const EndpointRef& endpoint,
                                                  const PortChange& change);
  Result<std::vector<PortHolder>> list_ports();
  // What others of their container have given up is served by the heirs that were left in the
  // context. To be called without locks. What fails is logged, and done by the next reconcile.
  void let_heirs_take_over();
  // Leaves every endpoint of the network with standbys in the context as an heir.
  Status find_heirs(const Network& network);

  // kInvalid when there are ports and containers of this network cannot publish any.
  static Status check_ports_allowed(const LockedNetwork& held, std::span<const PortSpec> ports);
  // Gives ports without a host address the default addresses of the network, and those without a
  // number of connections the network's, if it has any.
  static std::vector<PortSpec> with_defaults(const Network& network,
                                             std::span<const PortSpec> ports);

 private:
  Result<Stored<Endpoint>> existing(const LockedNetwork& held, const std::string& id);
  enum class Change { kAny, kRemoves };
  // The ports that the endpoint is to have, defaults filled in. Ports that only go are closed before
  // they are free for others: whoever is killed in between has still recorded them, and closes them
  // when the call is repeated.
  Result<Endpoint> swap_ports(LockedNetwork& held, const Endpoint& before,
                              std::span<const PortSpec> wanted, Change change);
  // Of the endpoints of one container the one comes first whose default route is in use.
  std::vector<PortOwner> by_way_out(std::vector<PortOwner> heirs);
  Status take_over(const PortOwner& heir);
  Status program_ports(LockedNetwork& held, const Endpoint& before, const Endpoint& after);

  ServiceContext& context_;
  Removal& removal_;
  Collector& collector_;
};

}  // namespace fairlead::network
