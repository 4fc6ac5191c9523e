// What Podman says of networks and containers, in the values of the core. Pure.
#pragma once

#include "network/api/types.h"
#include "plugin-api/netavark/codec.h"

namespace fairlead::netavark {

// The `runtime` of the endpoints, and for whom networks are made (network::kMadeForLabel).
inline constexpr const char* kPodman = "podman";
inline constexpr const char* kOwnDriver = "fairlead";
// A label: the file in which Podman keeps the network. When it is gone, so is the network's reason.
// Empty: the network is Podman's own and there for as long as containers are on it, as netavark has it.
inline constexpr const char* kFileLabel = "fairlead.podman-network";

// Whether Podman gives out the network's addresses; the others are Fairlead's networks.
bool is_podmans(const Network& network);

// How the network is made. A network of Podman's own has Podman's addresses and the names of its bridge
// and of its domain; one of Fairlead's driver has Fairlead's addresses, and its options are those of
// every other protocol. `folder`: where Podman keeps the files of its networks. kInvalid and kUnsupported
// say what of it Fairlead cannot do.
Result<network::NetworkSpec> network_spec(const Network& network, const std::string& folder);

// What create of a network of Fairlead's driver was asked for beside its options, as options: Podman
// keeps no name servers of a network whose addresses are not its own, and no `dns_enabled`.
void add_dns_options(Network& network);

// How the container is attached. `network`: as it exists. `takes_ports`: whether containers of the network
// can publish any. Those without an address of the host are published for each family that the network has
// by itself: another network of the container's, which Podman gives the same ports, may have the other one.
Result<network::EndpointSpec> endpoint_spec(const Connections& call, const Connection& connection,
                                            const network::Network& network, bool takes_ports);

// What the host's end of the container's link is to be called, beside its own name: firewalls and network
// managers know whose it is by that.
Result<std::optional<IfName>> host_name(const ContainerOptions& options);

// The network as the core finds it: by Podman's id, or by the name of the one that is joined.
network::NetworkRef network_ref(const Network& network);
// Of the container's attachment to the network.
network::EndpointRef endpoint_ref(const Container& container, const Connection& connection);

}  // namespace fairlead::netavark
