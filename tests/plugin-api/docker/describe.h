// Decoded requests as one line of text, for golden files.
#pragma once

#include <fmt/format.h>

#include <map>
#include <string>

#include "plugin-api/docker/codec_ipam.h"
#include "plugin-api/docker/codec_network.h"
#include "plugin-api/docker/codec_volume.h"

namespace fairlead::docker::testing {

inline std::string describe(const std::map<std::string, std::string>& map) {
  std::string text = "{";
  for (const auto& [key, value] : map)
    text += fmt::format("{}{}={}", text.size() > 1 ? " " : "", key, value);
  return text + "}";
}

template <class T>
std::string describe(const std::optional<T>& value) {
  return value ? value->to_string() : "-";
}

inline std::string describe(const IpamData& pool) {
  std::string aux;
  for (const auto& [name, address] : pool.aux)
    aux += fmt::format(" {}={}", name, address.to_string());
  return fmt::format("({} {} gateway {}{})", pool.address_space, describe(pool.subnet),
                     describe(pool.gateway), aux);
}

inline std::string describe(const network::PortSpec& port) {
  return fmt::format("({} {} {}-{} -> {})", network::to_string(port.proto), describe(port.host_ip),
                     port.host_port, port.host_port_end, port.container_port);
}

inline std::string describe(const CreateNetworkRequest& r) {
  std::string text = fmt::format("network {} options {} ipv4 {} ipv6 {} internal {} pools",
                                 r.network_id, describe(r.options), r.ipv4, r.ipv6, r.internal);
  for (const IpamData& pool : r.pools) text += " " + describe(pool);
  return text;
}

inline std::string describe(const NetworkRequest& r) { return "network " + r.network_id; }
inline std::string describe(const EndpointRequest& r) {
  return fmt::format("network {} endpoint {}", r.network_id, r.endpoint_id);
}

inline std::string describe(const CreateEndpointRequest& r) {
  std::string text = fmt::format("network {} endpoint {} addresses", r.network_id, r.endpoint_id);
  for (const Cidr& address : r.addresses) text += " " + address.to_string();
  return text + fmt::format(" mac {} options {}", describe(r.mac), describe(r.options));
}

inline std::string describe(const PortsRequest& r) {
  std::string text = fmt::format("network {} endpoint {} ports", r.network_id, r.endpoint_id);
  for (const network::PortSpec& port : r.ports) text += " " + describe(port);
  return text;
}

inline std::string describe(const RequestPoolRequest& r) {
  return fmt::format("space {} IPv{} subnet {} size {} range {} options {}", r.address_space,
                     static_cast<int>(r.family), describe(r.subnet),
                     r.prefix_length ? std::to_string(*r.prefix_length) : "-", describe(r.range),
                     describe(r.options));
}

inline std::string describe(const PoolRequest& r) { return "pool " + r.pool_id; }
inline std::string describe(const RequestAddressRequest& r) {
  return fmt::format("pool {} address {} for {}", r.pool_id, describe(r.address),
                     r.use == network::AddressUse::kGateway ? "the gateway" : "an endpoint");
}
inline std::string describe(const ReleaseAddressRequest& r) {
  return fmt::format("pool {} address {}", r.pool_id, r.address.to_string());
}

inline std::string describe(const CreateVolumeRequest& r) {
  return fmt::format("volume {} options {}", r.name, describe(r.options));
}
inline std::string describe(const VolumeRequest& r) { return "volume " + r.name; }
inline std::string describe(const MountRequest& r) {
  return fmt::format("volume {} id {}", r.name, r.id);
}

}  // namespace fairlead::docker::testing
