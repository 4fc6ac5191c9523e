// WireguardLinks over rtnetlink and generic netlink.
#pragma once

#include <mutex>
#include <optional>

#include "base/unique_fd.h"
#include "network/kernel/links/device.h"
#include "network/kernel/links/route_socket.h"
#include "network/kernel/netlink/shared_socket.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_messages.h"

namespace fairlead::kernel {

inline constexpr DeviceKind kWireguardDevice{
    .kind = "wireguard", .noun = "WireGuard link", .other = "not WireGuard's"};

class NetlinkWireguardLinks final : public WireguardLinks {
 public:
  NetlinkWireguardLinks(NetlinkSocket route, NetlinkSocket generic, UniqueFd netns)
      : route_(std::move(route)), generic_(std::move(generic)), netns_(std::move(netns)) {}

  Status probe() override;
  Result<WireguardLink> ensure(const WireguardLinkSpec& spec) override;
  Status remove(const IfName& name) override;
  Result<WireguardPeerChanges> set_peers(const IfName& device,
                                         std::span<const WireguardPeer> wanted) override;
  Result<WireguardLinkState> dump(const IfName& device) override;

 private:
  Status ask_for_support();
  Result<int> index_of(const IfName& device);
  Status mend(const WireguardLinkSpec& spec, const Link& present);
  Status mend_device(const WireguardLinkSpec& spec, int index);
  Status mend_link(const WireguardLinkSpec& spec, const Link& present);
  Status mend_addresses(const WireguardLinkSpec& spec, int index);
  Result<std::uint16_t> family();
  Result<DeviceDump> read(const IfName& device, int index);

  RouteSocket route_;
  SharedSocket generic_;
  Devices devices_{route_, kWireguardDevice};
  UniqueFd netns_;

  std::mutex support_mutex_;
  std::optional<Status> support_;  // the kernel's answer, once it is known
};

}  // namespace fairlead::kernel
