// Writes records of networks, endpoints and port claims as JSON text, and reads them. Pure
// functions. Unknown fields are ignored and missing ones get their defaults, so that records of
// older versions can be read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "network/api/names.h"
#include "network/api/types.h"

namespace fairlead::network {

std::string encode(const Network& network);
Result<Network> decode_network(std::string_view text);

std::string encode(const Endpoint& endpoint);
Result<Endpoint> decode_endpoint(std::string_view text);

// Who has published a host port, or a range of them (see keys.h). A claim of another boot is void.
struct PortClaim {
  std::optional<IpAddress> host_ip;
  std::string network_id, endpoint_id;
  std::uint16_t container_port = 0;
  std::string boot_id;
  // Another endpoint of the same container serves the port; its claim is beside this one.
  bool standby = false;
  // Of a range, among the claims of all ranges; container_port is that of its first port.
  std::uint16_t host_port = 0, host_port_end = 0;

  bool operator==(const PortClaim&) const = default;
};
std::string encode(const std::vector<PortClaim>& claims);
Result<std::vector<PortClaim>> decode_claims(std::string_view text);

// The hosts and links from which packets of tunnels are accepted (cluster::UnderlayGuard).
struct UnderlayRecord {
  std::vector<IpAddress> hosts;
  std::vector<IfName> wireguard_links;
  // The UDP port of the tunnels. std::nullopt: this host was never in a cluster, and there is no
  // record.
  std::optional<std::uint16_t> port{};

  bool operator==(const UnderlayRecord&) const = default;
};
std::string encode(const UnderlayRecord& underlay);
Result<UnderlayRecord> decode_underlay(std::string_view text);

// For which families Fairlead has switched on the host's forwarding, in which boot.
struct ForwardingRecord {
  std::string boot_id{};
  bool v4 = false;
  bool v6 = false;

  bool operator==(const ForwardingRecord&) const = default;
};
std::string encode(const ForwardingRecord& forwarding);
Result<ForwardingRecord> decode_forwarding(std::string_view text);

// An address of the host whose answers leave by a way of their own: which, and by which mark.
struct UplinkRecord {
  std::string link;
  IpAddress address;
  unsigned number = 0;     // of the way, in its family
  std::uint32_t mark = 0;  // of packets and flows
  std::uint32_t table = 0;

  bool operator==(const UplinkRecord&) const = default;
};
// A destination of broadcasts on a link, and the host's address in the subnet.
struct BroadcastRecord {
  std::string link;
  Cidr subnet;
  IpAddress destination;
  IpAddress address;

  bool operator==(const BroadcastRecord&) const = default;
};
// What the host's other interfaces are to published ports, in which boot.
struct SurroundingsRecord {
  std::string boot_id{};
  std::vector<UplinkRecord> uplinks{};
  std::vector<BroadcastRecord> broadcasts{};

  bool operator==(const SurroundingsRecord&) const = default;
};
std::string encode(const SurroundingsRecord& surroundings);
Result<SurroundingsRecord> decode_surroundings(std::string_view text);
// Who answers names, in which boot.
struct NameServersRecord {
  std::string boot_id{};
  NameServers servers{};

  bool operator==(const NameServersRecord&) const = default;
};
std::string encode(const NameServersRecord& record);
Result<NameServersRecord> decode_name_servers(std::string_view text);
// What a runtime calls a network; its id is in the key.
std::string encode(const RuntimeNetwork& network);
Result<RuntimeNetwork> decode_runtime_network(std::string_view text);

// What was found out about an endpoint after its runtime had made it.
struct EndpointNames {
  std::string container;  // the runtime's id
  std::string ifname;     // in the container; empty: not known
  ContainerNames names;

  bool operator==(const EndpointNames&) const = default;
};
std::string encode(const EndpointNames& names);
Result<EndpointNames> decode_endpoint_names(std::string_view text);
// Adds to the endpoint what its own record does not say.
void add_names(const EndpointNames& known, Endpoint& endpoint);

// {"id": ...} of names and aliases.
std::string encode_id(std::string_view id);
Result<std::string> decode_id(std::string_view text);

// {"port": n} of cursors.
std::string encode_port(std::uint16_t port);
Result<std::uint16_t> decode_port(std::string_view text);

}  // namespace fairlead::network
