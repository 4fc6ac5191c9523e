// Which hosts are believed, by what they say about themselves. Pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "network/cluster/records.h"

namespace fairlead::network::cluster {

// An address under which a host can receive packets: no unspecified, loopback, multicast or
// broadcast address, and none that means another host on each link (link-local).
bool is_host_address(const IpAddress& address);

struct KnownHost {
  HostRecord record;
  std::int64_t since = 0;  // the revision at which it first said where it is
};

// Why a host is not believed, in words, by host id: its address is nobody's or this host's, another
// host has it, or its WireGuard key or address is another's. Of several hosts with one address or
// key the first member has it, and a host that has left only when no member does. Removed hosts are
// left out. `own` is this host; it is not judged.
std::map<std::string, std::string> judge_hosts(const HostInfo& own,
                                               const std::vector<KnownHost>& hosts);

}  // namespace fairlead::network::cluster
