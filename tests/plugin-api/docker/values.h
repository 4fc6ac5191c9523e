// Values that the tests of Docker's plugin protocol speak of.
#pragma once

#include <string>
#include <string_view>

#include "network/api/service.h"
#include "volume/api/types.h"

namespace fairlead::docker::testing {

inline Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }
inline IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
inline MacAddress mac(std::string_view text) { return MacAddress::parse(text).value(); }
inline IfName ifname(std::string_view text) { return IfName::parse(text).value(); }
inline NetworkName network_name(std::string_view text) { return NetworkName::parse(text).value(); }
inline VolumeName volume_name(std::string_view text) { return VolumeName::parse(text).value(); }

inline network::Subnet subnet(std::string_view text, std::string_view gateway) {
  return {.subnet = cidr(text),
          .gateway = ip(gateway),
          .range = {},
          .aux = {},
          .pool_id = std::string(text)};
}

// A dual-stack network with addresses from Fairlead.
inline network::Network shop() {
  network::Network network;
  network.id = std::string(64, 'a');
  network.name = network_name("shop");
  network.subnets = {subnet("10.1.0.0/24", "10.1.0.1"), subnet("fd00:1::/64", "fd00:1::1")};
  network.phase = network::Phase::kReady;
  return network;
}

inline network::Endpoint web() {
  network::Endpoint endpoint;
  endpoint.id = "web";
  endpoint.network_id = std::string(64, 'a');
  endpoint.addresses = {cidr("10.1.0.7/24"), cidr("fd00:1::7/64")};
  endpoint.gateways = {ip("10.1.0.1"), ip("fd00:1::1")};
  endpoint.mac = mac("02:fa:0a:01:00:07");
  endpoint.ports = {
      {.proto = network::Proto::kTcp, .host_ip = {}, .host_port = 8080, .container_port = 80}};
  return endpoint;
}

inline network::Attachment attachment() {
  network::Attachment made;
  made.endpoint = web();
  made.container_ifname = ifname("flc0123456789");
  made.ifname_prefix = "eth";
  made.routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("10.1.0.1")},
                 {.destination = cidr("::/0"), .via = ip("fd00:1::1")}};
  return made;
}

inline volume::Volume data_volume(std::string_view name) {
  volume::Volume made;
  made.name = volume_name(name);
  made.backend = "dir";
  made.mountpoint = "/var/lib/fairlead/volumes/0123/_data";
  made.created = 1767225600;  // 2026-01-01T00:00:00Z
  return made;
}

inline tl::unexpected<Error> none(std::string_view text) {
  return fail(Error{Code::kNotFound, 0, std::string(text)});
}

}  // namespace fairlead::docker::testing
