// A Docker network that is an existing Fairlead network: docker network create -d fairlead -o
// network=NAME.
#pragma once

#include "network/api/service.h"
#include "plugin-api/docker/codec_network.h"

namespace fairlead::docker {

// Who gives the addresses of a network that Docker makes: the address space of its pools tells.
// Without pools
// (--ipam-driver null) it is Fairlead. kInvalid when pools of both are mixed.
Result<network::AddressSource> address_source_of(const CreateNetworkRequest& request);

// Binds the request's id to the network that `options.join` names. The pools Docker reserved must
// be that network's, and one allocator must give all of its addresses; else kConflict, with the
// command that works.
Status bind_to_existing(network::NetworkService& networks, const CreateNetworkRequest& request,
                        const network::NetworkOptions& options);

// The error of a network that could not be created: when its subnet is that of a network that is
// there already (--ipam-opt network=NAME without -o network=NAME), it says how to join that one.
Error explained(network::NetworkService& networks, const CreateNetworkRequest& request,
                Error error);

}  // namespace fairlead::docker
