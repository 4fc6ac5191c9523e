// The documents of netavark and of its plugins: bytes to values and back. Pure.
//
// setup and teardown of a plugin (plugin-API.md of netavark 1.6 and newer):
//   {"container_id","container_name","port_mappings":[...],"network":{...},"network_options":{...}}
// of netavark itself; `networks` is an array since netavark 2.0, in the order in which they are set up:
//   {"container_id","container_name","container_hostname","port_mappings":[...],"dns_servers":[...],
//    "networks":{"shop":{...}} or [{"name":"shop",...}],"network_info":{"shop":{...}}}
// create of a plugin: a network; of netavark 2.0: {"network":{...},"used":{...},"options":{...}}.
//
// A member that is null counts as absent (netavark writes null where Podman writes nothing), and
// unknown ones are let through.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/json/json.h"
#include "base/names.h"
#include "network/api/types.h"
#include "plugin-api/netavark/invocation.h"

namespace fairlead::netavark {

// {"subnet","gateway","lease_range":{"start_ip","end_ip"}}
struct Subnet {
  Cidr subnet;
  std::optional<IpAddress> gateway, start, end;
};

// {"destination","gateway","metric","route_type"}
struct Route {
  Cidr destination;
  std::optional<IpAddress> gateway;
  std::optional<std::uint32_t> metric;
  std::string type;  // "unicast", or empty; others lead nowhere
};

// A network as Podman keeps it.
struct Network {
  std::string name, id, driver, interface;
  std::vector<Subnet> subnets;
  std::vector<Route> routes;
  bool ipv6 = false, internal = false, dns = false;
  std::vector<IpAddress> dns_servers;
  std::map<std::string, std::string> labels, options, ipam_options;

  std::string ipam_driver() const {
    const auto found = ipam_options.find("driver");
    return found == ipam_options.end() ? "" : found->second;
  }
};

// {"host_ip","host_port","container_port","range","protocol"}: `range` ports from there on.
struct PortMapping {
  std::string host_ip;
  std::uint16_t host_port = 0, container_port = 0, range = 0;
  std::string protocol;  // "tcp", or several with commas
};

// What one container has on one network.
struct ContainerOptions {
  std::string network;  // its name, in netavark's own documents
  std::vector<IpAddress> static_ips;
  std::string static_mac;
  std::vector<std::string> aliases;
  std::string interface;
  std::map<std::string, std::string> options;
};

struct Container {
  std::string id, name, hostname;
  std::vector<PortMapping> ports;
  std::vector<IpAddress> dns_servers;
};

// One container on one network.
struct Connection {
  Network network;
  ContainerOptions options;
  // What a plugin of another driver is told.
  json::Json network_document, options_document;
};

// stdin of setup and teardown.
struct Connections {
  Container container;
  json::Json ports_document;
  std::vector<Connection> all;  // in the order in which they are set up
  bool drop_in = false;         // the document is netavark's own, and so is the answer
  std::string digest;           // of the document, so that a repeated call is known
};
Result<Connections> decode_connections(std::string_view input);

// stdin of create.
struct Creation {
  json::Json document;  // of the network, to be answered with what has changed
  Network network;
  bool drop_in = false;
  // Of netavark 2.0:
  std::vector<std::string> used_interfaces;
  std::map<std::string, std::string> used_names;
  std::vector<Cidr> used_subnets;
  struct Pool {
    Cidr base;
    std::uint32_t size = 24;
  };
  std::vector<Pool> pools;
  std::string default_interface = "podman";
};
Result<Creation> decode_creation(std::string_view input);

// What a container got on a network: its own interface and the name servers.
//   {"interfaces":{"eth0":{"mac_address","subnets":[{"ipnet","gateway"}]}},
//    "dns_server_ips":[...],"dns_search_domains":[...]}
json::Json encode_status(const network::Attachment& attachment);

// {"error":"..."}: nothing else may be in it, and it is cut to 2 KiB.
std::string encode_failure(const Error& error);

// A subnet as Podman writes it.
json::Json encode_subnet(const Subnet& subnet);

}  // namespace fairlead::netavark
