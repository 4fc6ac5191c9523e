// The versions of the CNI specification as data: what differs between them is a row here, not a
// branch elsewhere.
#pragma once

#include <span>
#include <string_view>

namespace fairlead::cni {

struct Version {
  std::string_view text;
  // results list interfaces, ips and routes (older ones: one ip4 and one ip6)
  bool lists;
  bool address_version;  // ips[].version is "4" or "6"
  bool checks;           // CHECK exists
  bool collects;         // GC and STATUS exist; results may hold mtu and the details of routes
};

// All versions, oldest first.
std::span<const Version> versions();

// Finds a version by its exact text, as the specification demands; an empty text means 0.1.0.
// nullptr when it is not supported.
const Version* find_version(std::string_view text);

const Version& newest_version();

}  // namespace fairlead::cni
