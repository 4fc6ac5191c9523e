// Binds a Docker network to an existing Fairlead network: docker network create -d fairlead -o
// network=NAME.
#pragma once

#include "network/api/service.h"
#include "plugin-api/docker/codec_network.h"

namespace fairlead::docker {

// Who assigns the addresses of a network that Docker creates, by the address space of its pools.
// Without pools (--ipam-driver null) it is Fairlead. kInvalid when pools of both are mixed.
Result<network::AddressSource> address_source_of(const CreateNetworkRequest& request);

// Binds the request's id to the network that `options.join` names. kConflict, with the command that
// works, unless the pools that Docker reserved are that network's and all of its addresses come
// from one allocator.
Status bind_to_existing(network::NetworkService& networks, const CreateNetworkRequest& request,
                        const network::NetworkOptions& options);

// Explains the error of a network that could not be created. When its subnet is that of an existing
// network (--ipam-opt network=NAME without -o network=NAME), the text tells how to join that
// network.
Error explained(network::NetworkService& networks, const CreateNetworkRequest& request,
                Error error);

}  // namespace fairlead::docker
