// The versions of the CNI specification as data: what differs between them is a row here, not a
// branch elsewhere.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::cni {

struct Version {
  std::string_view text;
  bool lists;            // results list interfaces, ips and routes (before: one ip4 and one ip6)
  bool address_version;  // ips[].version says "4" or "6"
  bool checks;           // CHECK exists
  bool collects;         // GC and STATUS exist; results may hold mtu and the details of routes
};

// All of them, oldest first. The last is the newest.
std::span<const Version> versions();

// By exact text, as the specification wants it; empty is 0.1.0. nullptr: not supported.
const Version* find_version(std::string_view text);

const Version& newest_version();

}  // namespace fairlead::cni
