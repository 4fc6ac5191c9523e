// The VLANs of bridges and their ports.
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>

#include "network/kernel/links/messages.h"
#include "network/kernel/links/netlink_links.h"

namespace fairlead::kernel {

// In this order, so that the port is never without its VLAN, or in the bridge's own beside it.
Result<std::vector<NetlinkStep>> NetlinkLinks::vlan_steps(int index, int bridge,
                                                          std::uint16_t vlan) {
  TRY(const LinkDetails master, socket_.get(get_link(bridge), "find the bridge of a VLAN"));
  if (!master.link.filters_vlans)
    return fail(Code::kUnsupported,
                "this kernel has no bridge VLAN filtering: CONFIG_BRIDGE_VLAN_FILTERING");
  const std::string what = fmt::format("make interface {} a port of VLAN {}", index, vlan);
  std::vector<NetlinkStep> steps;
  steps.push_back({add_access_vlan(index, vlan), what});
  if (const std::uint16_t own = master.default_vlan.value_or(0); own != 0 && own != vlan)
    steps.push_back({delete_vlan(index, own), what});
  return steps;
}

// The kernel tells of VLANs in dumps alone (net/core/rtnetlink.c, rtnl_bridge_getlink).
Result<std::vector<VlanDetails>> NetlinkLinks::vlans_of(int index) {
  std::vector<VlanDetails> vlans;
  TRY_STATUS(socket_.dump(
      dump_vlans(), "list the VLANs of bridge ports", [&] { vlans.clear(); },
      [&](const MessageView& message) {
        std::ranges::move(parse_vlans(message.payload, index), std::back_inserter(vlans));
      }));
  return vlans;
}

Result<bool> NetlinkLinks::has_access_vlan(int index, std::uint16_t vlan) {
  TRY(const auto vlans, vlans_of(index));
  return vlans == std::vector<VlanDetails>{{.id = vlan, .pvid = true, .untagged = true}};
}

}  // namespace fairlead::kernel
