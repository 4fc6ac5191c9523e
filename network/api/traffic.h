// What endpoints and published ports have received and sent.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "network/api/types.h"

namespace fairlead::network {

struct TrafficCount {
  std::uint64_t packets = 0, bytes = 0;

  TrafficCount& operator+=(const TrafficCount& more) {
    packets += more.packets;
    bytes += more.bytes;
    return *this;
  }
  bool operator==(const TrafficCount&) const = default;
};

// Of one container port that is published, by all host ports that lead to it. `in` is towards the
// container, and counts from the first packet after the port was published or was idle for a day. The
// kernel counts a train of segments that it handles as one packet as one.
struct PortTraffic {
  PublishedPort port;                // as it is published; of a range, the whole range
  std::uint16_t container_port = 0;  // the one that is counted
  TrafficCount in, out;

  bool operator==(const PortTraffic&) const = default;
};

// Of an endpoint since its link was made: everything, also what never leaves the network.
struct EndpointTraffic {
  std::string network_id, network;  // network: title_of() it
  std::string endpoint_id;
  std::string container;  // what people call it, else its id
  TrafficCount in, out;
  std::uint64_t dropped_in = 0, dropped_out = 0;  // packets, by the link: queues, rates, memory
  std::vector<PortTraffic> ports;                 // those that have traffic

  bool operator==(const EndpointTraffic&) const = default;
};

struct TrafficReport {
  std::vector<EndpointTraffic> endpoints;  // by network and container
  bool counts_ports = true;                // false: "counters" is off, or the table is missing
};

// Thread-safe. Costs one dump of the kernel's for each kind of counter, however many endpoints there are.
class TrafficReader {
 public:
  virtual ~TrafficReader() = default;
  // Endpoints whose links are not in the host (macvlan, ipvlan, host-device, SR-IOV) are left out.
  virtual Result<TrafficReport> read() = 0;
};

}  // namespace fairlead::network
