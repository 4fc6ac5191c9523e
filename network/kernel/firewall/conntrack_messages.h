// Requests to conntrack's netlink (ctnetlink), and its answers. Pure functions; any bytes are safe
// to read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "network/kernel/firewall/conntrack.h"

namespace fairlead::kernel {

// One direction of a tracked connection. Ports are in host order, and 0 for protocols without
// ports.
struct FlowTuple {
  IpAddress source, destination;
  std::uint8_t proto = 0;
  std::uint16_t source_port = 0, destination_port = 0;
};

// An entry, with the id and zone that are needed to delete exactly this one.
struct Flow {
  FlowTuple original, reply;
  std::optional<std::uint32_t> id;
  std::uint16_t zone = 0;
};

bool matches(const Flow& flow, const FlowFilter& filter);

// Dumps the entries of one family that match the filter, or all of them with std::nullopt. The
// kernel compares since Linux 5.8, but not sources and ranges; an older one sends everything, so each answer has to be
// compared again with matches().
std::vector<std::uint8_t> build_dump_flows(Family family, const std::optional<FlowFilter>& filter,
                                           std::uint32_t seq);
// Deletes the entry. The kernel acknowledges the request.
std::vector<std::uint8_t> build_delete_flow(const Flow& flow, std::uint32_t seq);

Result<Flow> parse_flow(std::span<const std::uint8_t> message);

}  // namespace fairlead::kernel
