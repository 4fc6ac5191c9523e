// What interfaces of the host have received and sent, as the kernel counts it anyway (struct
// rtnl_link_stats64): one dump of the numbers alone (RTM_GETSTATS), which costs a tenth of a dump of
// the links.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "network/kernel/netlink/messages.h"

namespace fairlead::kernel {

struct LinkTraffic {
  std::uint64_t rx_packets = 0, rx_bytes = 0, rx_dropped = 0;
  std::uint64_t tx_packets = 0, tx_bytes = 0, tx_dropped = 0;

  bool operator==(const LinkTraffic&) const = default;
};

// By the names of the interfaces; those that are not there are left out. In the network namespace of
// the calling thread.
Result<std::map<std::string, LinkTraffic>> read_link_traffic(std::span<const std::string> names);

}  // namespace fairlead::kernel
