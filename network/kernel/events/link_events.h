// Turns messages about links, addresses and settings into events for Fairlead: it remembers what
// each link was like, and tells what it has lost. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "network/kernel/events/monitor.h"
#include "network/kernel/links/parse.h"

namespace fairlead::kernel {

// What a link gains is no event, except that a bridge appears. So Fairlead's own work makes few
// events: a veth pair is made whole, in its bridge, and is reported when it goes.
class LinkEvents {
 public:
  // Remembers a link without telling of it.
  void know(const MessageView& message);
  // Reads a message of RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
  // RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF or RTNLGRP_TC.
  std::optional<KernelEvent> take(const MessageView& message);
  // The links to be asked for now and then, because nobody tells when their settings are changed
  // through /proc/sys: bridges with route_localnet, and links that may learn routes by router
  // advertisements. These are few, however many containers there are. The answers go to take().
  std::vector<int> quiet() const;

 private:
  std::optional<KernelEvent> changed(const LinkDetails& now);
  std::optional<KernelEvent> gone(const Link& link);
  std::optional<KernelEvent> lost_address(const MessageView& message) const;
  std::optional<KernelEvent> lost_filter(const MessageView& message) const;
  // The name of the link's bridge, or its own if it is a bridge.
  std::string bridge_of(const Link& link) const;

  struct Known {
    LinkDetails now;
    // As it was first seen: what brings it back is no loss.
    unsigned mtu = 0;
    MacAddress mac{};
    int told = 0;  // how often it was told that accept_ra is another
  };
  static std::string lost(const Known& before, const Link& now);

  std::map<int, Known> links_;
};

}  // namespace fairlead::kernel
