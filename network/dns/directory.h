// The names of containers, and who may see which: a container sees the names of the networks that it is in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "network/api/types.h"
#include "network/dns/responder.h"

namespace fairlead::dns {

// A network.
struct Zone {
  std::string network;             // its id
  std::vector<std::string> names;  // its own name, and what runtimes call it: NAME.NETWORK
  std::string domain;              // option dns_domain; empty: none
  std::vector<IpAddress> servers;  // option dns_servers
  std::vector<IpAddress> gateways;
  std::vector<Cidr> subnets;
  bool internal = false;  // nothing is asked of other servers

  bool operator==(const Zone&) const = default;
};

// One endpoint.
struct Host {
  std::string network, endpoint;
  // Of one container, whatever its networks: its endpoints have the same.
  std::string owner;
  // The first is what its address is called (PTR).
  std::vector<std::string> names;
  std::vector<IpAddress> addresses;
  std::vector<network::PublishedPort> ports;
  std::vector<IpAddress>
      servers;  // the container's own name servers, where the runtime has told them

  bool operator==(const Host&) const = default;
};

Zone zone_of(const network::Network& network);
Host host_of(const network::Endpoint& endpoint);

// Thread-safe: one writer and one reader do not wait for each other longer than one change or answer takes. The cost of a
// change or a query does not grow with the number of names.
class Directory : public Responder {
 public:
  virtual void put(Zone zone) = 0;
  virtual void remove_zone(const std::string& network) = 0;  // with its hosts
  virtual void put(Host host) = 0;
  virtual void remove_host(const std::string& network, const std::string& endpoint) = 0;
  // In place of all that there is.
  virtual void replace(std::vector<Zone> zones, std::vector<Host> hosts) = 0;
};

std::unique_ptr<Directory> make_directory();

}  // namespace fairlead::dns
