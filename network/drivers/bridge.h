// The bridge driver: one Linux bridge per network, one veth pair per endpoint.
#pragma once

#include <functional>
#include <memory>

#include "network/api/driver.h"
#include "network/api/store_mark.h"
#include "network/drivers/bridge_record.h"
#include "network/kernel/links/links.h"
#include "network/kernel/tunnels/vxlan.h"

namespace fairlead::network {

// Called before the driver switches on the host's forwarding of a family, which fails when this does.
using BeforeForwarding = std::function<Status(Family)>;

// `links` and `tunnels` must outlive the driver. `boot_id` is that of this boot (base/host.h): what
// was done to a foreign bridge in an earlier one is void. `ports` are the flags of every endpoint's bridge port,
// except hairpin and isolated, which follow from the network and the endpoint. `mark` names the
// store to which the bridges belong; it is written into their alias.
std::unique_ptr<Driver> make_bridge_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                           std::string boot_id, kernel::PortFlags ports = {},
                                           StoreMark mark = {},
                                           BeforeForwarding before_forwarding = {});

// The network's bridge, for drivers that add to it.
IfName bridge_of(const Network& network);

}  // namespace fairlead::network
