// The addresses that are taken: who has each of them, and for whom it is kept.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "network/service/addresses.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class Leases {
 public:
  Leases(ServiceContext& context, Addresses& addresses, Removal& removal)
      : context_(context), addresses_(addresses), removal_(removal) {}

  // As NetworkService has them.
  Result<Network> reserve(const NetworkRef& network, const Reservation& reservation);
  Result<Network> unreserve(const NetworkRef& network, const IpAddress& address);
  Result<std::vector<AddressLease>> list(const std::optional<NetworkRef>& network);
  Status release(const IpAddress& address, bool force);
  Status check_room(const EndpointSpec& spec);

 private:
  AddressLease shown(const Network& network, const Cidr& subnet, const LeaseRecord& lease,
                     const std::vector<Endpoint>& endpoints);
  Result<std::string> holder_named(const Network& network, const Cidr& subnet,
                                   const Reservation& reservation);
  Status commit_reservation(LockedNetwork& held, const Change& lease);
  Status release_from(LockedNetwork& held, const Cidr& subnet, const LeaseRecord& lease,
                      bool force);
  Status release_of_endpoint(LockedNetwork& held, const Cidr& subnet, const LeaseRecord& lease,
                             bool force);
  Status drop(LockedNetwork& held, const Cidr& subnet, const LeaseRecord& lease);
  Result<bool> any_dead(const Network& network);

  ServiceContext& context_;
  Addresses& addresses_;
  Removal& removal_;
};

// kInvalid, or kUnsupported, for a container's name or an address for which nothing can be kept on the network.
Status check_reservation(const Network& network, const Reservation& reservation);

}  // namespace fairlead::network
