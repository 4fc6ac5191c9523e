// The sets of `inet fairlead` that count what published ports receive and send.
#pragma once

#include <string_view>

#include "base/ip.h"

namespace fairlead::nat {

enum class TrafficWay { kIn, kOut };  // towards the container, and from it

// Keyed by (protocol, container's address, container's port). Packets make the elements, so that no
// network or port has any.
constexpr std::string_view traffic_set(TrafficWay way, Family family) {
  if (way == TrafficWay::kIn) return family == Family::kV4 ? "traffic_in_v4" : "traffic_in_v6";
  return family == Family::kV4 ? "traffic_out_v4" : "traffic_out_v6";
}
inline constexpr unsigned kTrafficKeyFields = 3;
// The families that are counted.
inline constexpr std::string_view kCountedSet = "counted";

}  // namespace fairlead::nat
