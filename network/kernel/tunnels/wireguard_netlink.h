// WireguardLinks over rtnetlink and generic netlink.
#pragma once

#include <mutex>
#include <optional>

#include "base/unique_fd.h"
#include "network/kernel/links/parse.h"
#include "network/kernel/netlink/netlink.h"
#include "network/kernel/tunnels/wireguard.h"
#include "network/kernel/tunnels/wireguard_messages.h"

namespace fairlead::kernel {

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
  Status request(NetlinkMessage message, std::string_view what,
                 const NetlinkSocket::OnMessage& on_message = {});
  // std::nullopt when there is no such link.
  Result<std::optional<Link>> find(const IfName& name, std::string_view what);
  Result<int> index_of(const IfName& device);
  Result<Link> make(const WireguardLinkSpec& spec);
  Status mend(const WireguardLinkSpec& spec, const Link& present);
  Status mend_device(const WireguardLinkSpec& spec, int index);
  Status mend_link(const WireguardLinkSpec& spec, const Link& present);
  Status mend_addresses(const WireguardLinkSpec& spec, int index);
  Result<std::vector<Cidr>> addresses(int index);
  Result<std::uint16_t> family();
  Result<DeviceDump> read(const IfName& device, int index);

  std::mutex route_mutex_;
  NetlinkSocket route_;
  std::mutex generic_mutex_;
  NetlinkSocket generic_;
  UniqueFd netns_;

  std::mutex support_mutex_;
  std::optional<Status> support_;  // the kernel's answer, once it is known
};

}  // namespace fairlead::kernel
