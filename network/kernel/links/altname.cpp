#include "network/kernel/links/altname.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <cerrno>

#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

// if_nametoindex(3) finds a link by any of its names (dev_get_by_name_rcu in net/core/dev.c).
Status add_altname(const IfName& link, const IfName& name) {
  const unsigned index = ::if_nametoindex(link.str().c_str());
  if (index == 0) return fail_errno(errno, fmt::format("find interface {}", link.str()));
  TRY(auto socket, NetlinkSocket::open(NETLINK_ROUTE));
  NetlinkMessage message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND);
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(index);
  message.put_struct(header);
  {
    const auto names = message.nest(IFLA_PROP_LIST | NLA_F_NESTED);
    message.put_text(IFLA_ALT_IFNAME, name.str());
  }
  const Status done = socket.request(
      std::move(message), fmt::format("call interface {} also {}", link.str(), name.str()));
  if (done || ::if_nametoindex(name.str().c_str()) == index) return {};
  return done;
}

}  // namespace fairlead::kernel
