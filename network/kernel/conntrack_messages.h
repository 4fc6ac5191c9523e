// Requests to and answers of conntrack's netlink (ctnetlink). Pure functions; any bytes are safe to
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "network/kernel/conntrack.h"

namespace fairlead::kernel {

// One direction of a tracked connection. Ports in host order; 0 for protocols without.
struct FlowTuple {
  IpAddress source, destination;
  std::uint8_t proto = 0;
  std::uint16_t source_port = 0, destination_port = 0;
};

// An entry, with what it takes to delete exactly this one.
struct Flow {
  FlowTuple original, reply;
  std::optional<std::uint32_t> id;
  std::uint16_t zone = 0;
};

bool matches(const Flow& flow, const FlowFilter& filter);

// A dump of the entries of one family that match; nothing: of all. The kernel compares (Linux 5.8;
// an older one sends everything, so that each answer has to be compared again).
std::vector<std::uint8_t> build_dump_flows(Family family, const std::optional<FlowFilter>& filter,
                                           std::uint32_t seq);
// Deletes the entry; acknowledged.
std::vector<std::uint8_t> build_delete_flow(const Flow& flow, std::uint32_t seq);

Result<Flow> parse_flow(std::span<const std::uint8_t> message);

}  // namespace fairlead::kernel
