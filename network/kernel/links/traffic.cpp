#include "network/kernel/links/traffic.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "network/kernel/netlink/netlink.h"

namespace fairlead::kernel {

namespace {

constexpr const char* kWhat = "read what interfaces have received and sent";

// Their indexes, which the numbers come by. One system call each, and no dump of links.
Result<std::map<int, const std::string*>> indexes_of(std::span<const std::string> names) {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, kWhat);
  std::map<int, const std::string*> indexes;
  for (const std::string& name : names) {
    ifreq request{};
    if (name.empty() || name.size() >= IFNAMSIZ) continue;
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    if (::ioctl(socket.get(), SIOCGIFINDEX, &request) == 0)
      indexes[request.ifr_ifindex] = &name;
    else if (errno != ENODEV)
      return fail_errno(errno, kWhat);
  }
  return indexes;
}

LinkTraffic traffic_of(const rtnl_link_stats64& stats) {
  return {.rx_packets = stats.rx_packets,
          .rx_bytes = stats.rx_bytes,
          .rx_dropped = stats.rx_dropped,
          .tx_packets = stats.tx_packets,
          .tx_bytes = stats.tx_bytes,
          .tx_dropped = stats.tx_dropped};
}

}  // namespace

Result<std::map<std::string, LinkTraffic>> read_link_traffic(std::span<const std::string> names) {
  std::map<std::string, LinkTraffic> traffic;
  if (names.empty()) return traffic;
  TRY(const auto indexes, indexes_of(names));
  TRY(auto socket, NetlinkSocket::open(NETLINK_ROUTE));
  if_stats_msg header{};
  header.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  NetlinkMessage message(RTM_GETSTATS, NLM_F_DUMP);
  message.put_struct(header);
  const auto restart = [&] { traffic.clear(); };
  TRY_STATUS(socket.dump(message, kWhat, restart, [&](const MessageView& view) {
    const auto of = read_struct<if_stats_msg>(view.payload);
    if (!of) return;
    const auto wanted = indexes.find(static_cast<int>(of->ifindex));
    const auto found =
        Attributes(behind(view.payload, sizeof(if_stats_msg))).find(IFLA_STATS_LINK_64);
    const auto stats = found ? read_struct<rtnl_link_stats64>(found->data) : std::nullopt;
    if (wanted != indexes.end() && stats) traffic[*wanted->second] = traffic_of(*stats);
  }));
  return traffic;
}

}  // namespace fairlead::kernel
