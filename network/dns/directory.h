// The names of containers, and who may see which: a container sees the names of the networks that it is in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "network/api/types.h"
#include "network/dns/responder.h"
#include "network/dns/services.h"

namespace fairlead::dns {

// A network.
struct Zone {
  std::string network;  // its id
  // NAME.NETWORK: what people call it first, which is what PTR and SRV answer; then its own name, and what
  // runtimes call it.
  std::vector<std::string> names;
  std::string domain;              // option dns_domain; empty: none
  std::vector<IpAddress> servers;  // option dns_servers
  std::vector<IpAddress> gateways;
  std::vector<Cidr> subnets;
  bool internal = false;  // nothing is asked of other servers
  // Option dns. Without it nobody is told a name of the network, its own containers neither; whether they are in a
  // network that is not internal counts all the same.
  bool answers = true;

  bool operator==(const Zone&) const = default;
};

// One endpoint.
struct Host {
  std::string network, endpoint;
  // Of one container, whatever its networks: its endpoints have the same.
  std::string owner;
  // The first that is a name of the DNS is what its address is called (PTR).
  std::vector<std::string> names;
  std::vector<IpAddress> addresses;
  std::vector<network::PublishedPort> ports;
  std::vector<IpAddress>
      servers;  // the container's own name servers, where the runtime has told them

  bool operator==(const Host&) const = default;
};

Zone zone_of(const network::Network& network);
// Of an endpoint that is_host().
Host host_of(const network::Endpoint& endpoint);
// Whether it can be reached: it is ready and has joined.
bool is_host(const network::Endpoint& endpoint);

// Clients are those of the asked network: its containers, other addresses of its subnets, and the host from its gateway; all
// others are refused. What is answered, in this order (resolve.cpp has the reasons):
//   localhost and below                127.0.0.1, ::1 (RFC 6761 section 6.3); `invalid`: NXDOMAIN (section 6.4)
//   NAME                               of the first network of the client's that has it, the asked one first
//   NAME.NETWORK, NAME.domain          of that network, if the client is in it
//   host.docker.internal, host.containers.internal, gateway.docker.internal    the asked network's gateways
//   _SERVICE._PROTO.NAME               SRV of the published ports of the name
//   reverse names                      of addresses of the client's networks
//   anything else                      Forward; NXDOMAIN below a `domain`, and where all of the client's networks are internal
//
// Thread-safe: one writer and one reader do not wait for each other longer than one change or answer takes. The cost of a
// change or a query does not grow with the number of names. A zone and its hosts may come in any order; hosts without
// a zone are not seen. Of two endpoints of a network with one address, the one that came later has it.
class Directory : public Responder {
 public:
  virtual void put(Zone zone) = 0;
  virtual void remove_zone(const std::string& network) = 0;  // with its hosts
  virtual void put(Host host) = 0;
  virtual void remove_host(const std::string& network, const std::string& endpoint) = 0;
  // In place of all that there is. The later of `hosts` are the newer ones.
  virtual void replace(std::vector<Zone> zones, std::vector<Host> hosts) = 0;
};

std::unique_ptr<Directory> make_directory(ServicePorts services = {});

}  // namespace fairlead::dns
