// Takes endpoints down, and with a network everything that it has.
#pragma once

#include <optional>
#include <string>

#include "network/service/addresses.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class Removal {
 public:
  Removal(ServiceContext& context, Addresses& addresses)
      : context_(context), addresses_(addresses) {}

  // Like ServiceContext::hold(), for calls that remove something: std::nullopt when there is no such
  // network. A network that a crash left half made or half removed is removed as a whole.
  Result<std::optional<LockedNetwork>> hold_if_any(const NetworkRef& ref);
  // Deletes everything of the network, whatever its phase is. Under the locks of all networks and of
  // this one.
  Status purge_network(const Network& network);

  // The others under the lock of the network.
  // Why the endpoint is dead, in words; empty while it is in use, or may still be joined.
  Result<std::string> reason_to_drop(const Network& network, const Endpoint& endpoint);
  Status take_down(LockedNetwork& held, const Endpoint& endpoint);  // ports and link
  // Gives back addresses and ports and deletes the record, in one transaction.
  Status forget_endpoint(const Network& network, const Endpoint& endpoint, Fate fate);
  Status discard(LockedNetwork& held, const Endpoint& endpoint, Fate fate);  // both
  // With the intent first, as the runtime has asked.
  Status remove_held(LockedNetwork& held, Endpoint endpoint);

 private:
  Result<std::optional<LockedNetwork>> hold_unfinished(const NetworkRef& ref);

  ServiceContext& context_;
  Addresses& addresses_;
};

}  // namespace fairlead::network
