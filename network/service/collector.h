// Collects what dead containers have left: endpoints, leases, claims of ports.
#pragma once

#include <chrono>
#include <span>

#include "network/service/addresses.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"

namespace fairlead::network {

// Called under the lock of the network.
class Collector {
 public:
  Collector(ServiceContext& context, Addresses& addresses, Removal& removal)
      : context_(context), addresses_(addresses), removal_(removal) {}

  // Removes the endpoint if it is dead. Returns true also when the removal failed.
  bool drop_if_dead(LockedNetwork& held, const Endpoint& endpoint, ReconcileReport& report);
  // Frees stray leases; returns how many.
  std::size_t tidy_leases(const Network& network, ReconcileReport& report);
  // Removes what keeps a request from succeeding that was refused with this error. Returns whether
  // anything was removed, so that the request may be repeated.
  Result<bool> make_room(LockedNetwork& held, const Error& refusal,
                         std::span<const PortSpec> ports);

 private:
  void regain_leases(const Network& network, const Addresses::Strays& strays,
                     ReconcileReport& report);
  static void await_vanishing(const LockedNetwork& held, const Endpoint& endpoint,
                              std::chrono::steady_clock::time_point end);
  Result<bool> make_room_at_ports(LockedNetwork& held, std::span<const PortSpec> ports);

  ServiceContext& context_;
  Addresses& addresses_;
  Removal& removal_;
};

}  // namespace fairlead::network
