// A packet on its way, as far as rules look at it.
#pragma once

#include <cstdint>
#include <string>

#include "base/ip.h"

namespace fairlead::explain {

inline constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp = 1, kIcmpv6 = 58, kSctp = 132;

struct Packet {
  IpAddress source, destination;
  std::uint8_t proto = kTcp;
  std::uint16_t source_port = 0, port = 0;  // of TCP, UDP and SCTP
  std::uint8_t icmp_type = 0;               // of ICMP and ICMPv6
  std::string in, out;                      // interfaces; empty: none (yet)
  MacAddress mac{};                         // of the sender of the frame
  std::uint32_t mark = 0;

  Family family() const { return source.family(); }
  bool has_ports() const { return proto == kTcp || proto == kUdp || proto == kSctp; }
};

// What connection tracking knows of its flow.
struct Flow {
  // As it began, and as its answers begin.
  IpAddress source, destination, answerer;
  std::uint16_t port = 0;
  std::uint32_t mark = 0;
  bool translated = false;  // its destination is
  bool masked = false;      // its source is
  bool answer = false;      // the packet goes the other way: the flow is established
};

}  // namespace fairlead::explain
