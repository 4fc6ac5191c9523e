// The host as a router: with Fairlead's networks it forwards, and for strangers it is still no router.
#pragma once

#include "base/ip.h"
#include "network/service/service_context.h"

namespace fairlead::network {

// Remembers that Fairlead is about to switch on the host's forwarding of the family, and has the
// firewall drop packets between interfaces that are not Fairlead's. Who is killed before forwarding
// is on leaves a rule that changes nothing. Takes the lock of the underlay.
Status hold_strangers(ServiceContext& context, Family family);

}  // namespace fairlead::network
