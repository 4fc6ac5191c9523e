// How the names of links begin that belong to one container each, by which programs of the host know them
// (network/drivers/bridge_record.h, routed.cpp). The rules of network/nat have them as well.
#pragma once

#include <array>
#include <string_view>

namespace fairlead::kernel {

// The host's ends of veth pairs that are ports of bridges, and those to which the host routes.
inline constexpr std::array<std::string_view, 2> kPortPrefixes{"flh", "vethfl-"};
inline constexpr std::array<std::string_view, 2> kRoutedPrefixes{"flr", "vethfr-"};

// The prefix of a link without a bridge, or of a network of such links; empty: it is none.
constexpr std::string_view routed_prefix_of(std::string_view name) {
  for (const std::string_view prefix : kRoutedPrefixes)
    if (name.starts_with(prefix)) return prefix;
  return {};
}
constexpr bool is_routed_link(std::string_view name) { return !routed_prefix_of(name).empty(); }

}  // namespace fairlead::kernel
