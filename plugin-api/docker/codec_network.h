// NetworkDriver on the wire: bodies to values, values to bodies. Pure; fuzzed. What Docker sends
// (29.x, shortened):
//
//   CreateNetwork   {"NetworkID":"6cdb...","Options":{"com.docker.network.generic":{"mtu":"1400"},
//                    "com.docker.network.enable_ipv4":true,"com.docker.network.enable_ipv6":false},
//                    "IPv4Data":[{"AddressSpace":"fairlead-local","Pool":"10.1.0.0/24",
//                    "Gateway":"10.1.0.1/24","AuxAddresses":{"router":"10.1.0.5/24"}}],"IPv6Data":[]}
//   CreateEndpoint  {"NetworkID":"6cdb...","EndpointID":"6107...",
//                    "Interface":{"Address":"10.1.0.7/24","AddressIPv6":"","MacAddress":""},
//                    "Options":{"rate_in":"10m"}}
//   Join            {"NetworkID":"6cdb...","EndpointID":"6107...",
//                    "SandboxKey":"/var/run/docker/netns/635f","Options":{}}
//   Program...      {"NetworkID":"6cdb...","EndpointID":"6107...","Options":
//                    {"com.docker.network.portmap":[{"Proto":6,"IP":"","Port":80,"HostIP":"",
//                    "HostPort":8080,"HostPortEnd":8080}]}}
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/types.h"
#include "plugin-api/docker/codec_common.h"

namespace fairlead::docker {

// One pool of a network. With --ipam-driver null Docker writes 0.0.0.0/0 and no gateway: then there
// is no subnet. With a gateway it is the gateway's.
struct IpamData {
  std::string address_space;
  std::optional<Cidr> subnet;
  std::optional<IpAddress> gateway;
  std::map<std::string, IpAddress> aux;

  bool operator==(const IpamData&) const = default;
};

struct CreateNetworkRequest {
  std::string network_id;
  std::map<std::string, std::string> options;  // -o key=value
  bool ipv4 = true;                            // said since 28.0
  bool ipv6 = false;
  bool internal = false;
  std::vector<IpamData> pools;  // IPv4 before IPv6, those without a subnet left out

  bool operator==(const CreateNetworkRequest&) const = default;
};

struct NetworkRequest {  // DeleteNetwork
  std::string network_id;

  bool operator==(const NetworkRequest&) const = default;
};

struct CreateEndpointRequest {
  std::string network_id, endpoint_id;
  std::vector<Cidr> addresses;  // given by the network's IPAM driver; at most one a family
  std::optional<MacAddress> mac;
  std::map<std::string, std::string> options;  // driver-opt key=value, without Docker's own

  bool operator==(const CreateEndpointRequest&) const = default;
};

struct EndpointRequest {  // DeleteEndpoint, Join, Leave, EndpointOperInfo,
                          // RevokeExternalConnectivity
  std::string network_id, endpoint_id;
  std::string sandbox{};  // of Join: the path of the container's network namespace

  bool operator==(const EndpointRequest&) const = default;
};

struct PortsRequest {  // ProgramExternalConnectivity
  std::string network_id, endpoint_id;
  std::vector<network::PortSpec> ports;

  bool operator==(const PortsRequest&) const = default;
};

Result<CreateNetworkRequest> decode_create_network(std::string_view body);
Result<NetworkRequest> decode_network(std::string_view body);
Result<CreateEndpointRequest> decode_create_endpoint(std::string_view body);
Result<EndpointRequest> decode_endpoint(std::string_view body);
Result<PortsRequest> decode_ports(std::string_view body);

// What CreateEndpoint answers: only what the request left open, or Docker rolls back ("driver
// modified interface").
struct CreatedInterface {
  std::vector<Cidr> addresses;
  std::optional<MacAddress> mac;

  bool operator==(const CreatedInterface&) const = default;
};

struct Joined {
  std::string source_name;  // of the link, in the host's namespace; Docker moves and renames it
  std::string destination_prefix;      // "eth"
  std::vector<IpAddress> gateways;     // at most one a family
  std::vector<network::Route> routes;  // besides the default routes
  // Without a gateway Docker would give the container a second interface on docker_gwbridge and
  // publish its ports there; this keeps it from that.
  bool disable_gateway_service = false;

  bool operator==(const Joined&) const = default;
};

// The published ports of an endpoint as Docker's port bindings. (dockerd does not show those of a
// plugin.)
struct OperationalInfo {
  std::vector<IpAddress> addresses;
  std::vector<network::PublishedPort> ports;

  bool operator==(const OperationalInfo&) const = default;
};

std::string encode(const CreatedInterface& interface);
std::string encode(const Joined& joined);
std::string encode(const OperationalInfo& info);

}  // namespace fairlead::docker
