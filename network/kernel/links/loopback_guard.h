// What the firewall and the loopback guard (Links::guard_loopback) have in common.
#pragma once

#include <cstdint>

namespace fairlead::kernel {

// The mark of packets to loopback addresses that the firewall has translated before the guard sees
// them, as br_netfilter lets it do. Nobody outside of the host can give it to a packet: marks do not
// pass from one network namespace to another (skb_scrub_packet).
inline constexpr std::uint32_t kTranslatedMark = 0x00666c6f;

}  // namespace fairlead::kernel
