// Links over rtnetlink. The methods are implemented in the files beside this one, by subject.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/unique_fd.h"
#include "network/kernel/links/announce.h"
#include "network/kernel/links/links.h"
#include "network/kernel/links/netlink_host_routing.h"
#include "network/kernel/links/removal.h"
#include "network/kernel/links/route_socket.h"

namespace fairlead::kernel {

class NetlinkLinks final : public Links {
 public:
  NetlinkLinks(UniqueFd host_netns, NetlinkSocket socket, RemovalMode mode)
      : host_netns_(std::move(host_netns)),
        socket_(std::move(socket)),
        mode_(mode),
        announcer_(host_netns_.get()) {}

  Result<Link> find(const IfName& name) override;
  Result<Link> find(int index) override;
  Result<std::vector<Link>> list() override;

  Result<Link> ensure_bridge(const BridgeSpec& spec, bool foreign) override;
  Status set_route_localnet(int index, bool on) override;
  Result<bool> guard_loopback(int index) override;
  Result<bool> has_loopback_guard(int index) override;
  Status unguard_loopback(int index) override;
  Status set_mac(int index, const MacAddress& mac) override;
  Result<Veth> create_veth(const VethSpec& spec) override;
  Result<Link> create_macvlan(const MacvlanSpec& spec) override;
  Result<Link> create_ipvlan(const IpvlanSpec& spec) override;
  Result<Link> create_vlan(const VlanSpec& spec) override;
  Result<bool> has_kind(const std::string& kind) override;
  Result<Link> move_inside(int index, int netns_fd, const IfName& name) override;
  Status move_back(int netns_fd, int index, const IfName& name) override;
  Result<std::vector<Cidr>> addresses(int index) override;
  Status restore(int index, bool up, const std::vector<Cidr>& addresses) override;
  Result<std::vector<RouteSpec>> configure_container(const ContainerSpec& spec) override;
  Status route_container(const RoutedLink& link) override;
  Result<bool> routes_container(const RoutedLink& link) override;
  Status answer_for(int index, const IpAddress& address, bool on) override;
  Status settle(int index) override;
  Result<bool> has_access_vlan(int index, std::uint16_t vlan) override;
  Status set_port_flags(int index, PortFlags flags) override;
  Status set_master(int index, int master, PortFlags flags) override;
  Status remove_address(int index, const Cidr& address) override;

  Status remove(const IfName& name) override;
  void finish_removals() override;

  Status announce(int bridge_index, const IpAddress& address, const MacAddress& mac) override;
  Status forget_neighbour(int link_index, const IpAddress& address) override;

  Result<std::vector<Link>> list_inside(int netns_fd) override;
  Status remove_inside(int netns_fd, int index) override;
  Result<InterfaceView> inspect(int netns_fd, const IfName& name) override;

  HostRouting& host_routing() override { return host_routing_; }
  Status set_rates(int host_index, std::uint64_t in_bits, std::uint64_t in_burst_bits,
                   std::uint64_t out_bits, std::uint64_t out_burst_bits) override;

 private:
  Status in_host(const std::function<Status()>& work);

  Result<Link> create_on_parent(NetlinkMessage message, const IfName& name, int netns_fd);
  // What makes the port of that bridge one of the VLAN alone.
  Result<std::vector<NetlinkStep>> vlan_steps(int index, int bridge, std::uint16_t vlan);
  Result<std::vector<VlanDetails>> vlans_of(int index);
  Result<LinkDetails> make_bridge(const BridgeSpec& spec);
  Status mend_bridge(const BridgeSpec& spec, const LinkDetails& present);
  Status finish_veth(const VethSpec& spec, const Veth& veth);
  // Lets the ports at the other ends of a container's interface pass packets.
  Status settle_peer(const Link& container_link);
  Status limit_outgoing(const Link& link, std::uint64_t bits, std::uint64_t burst_bits);

  // Makes watch_ and reaper_ at the first removal.
  Status prepare_removal();
  Status remove_links(const std::vector<Link>& links);
  Status await_removal(const Link& link);

  UniqueFd host_netns_;
  RouteSocket socket_;  // of the host's namespace
  NetlinkHostRouting host_routing_{socket_, host_netns_.get()};
  const RemovalMode mode_;
  Announcer announcer_;
  std::mutex removal_mutex_;  // held while watch_ and reaper_ are made
  std::unique_ptr<DeletionWatch> watch_;
  std::unique_ptr<LinkReaper> reaper_;
};

// The links without their details.
std::vector<Link> links_of(FoundLinks found);

// The name of the ifb device that shapes the packets that come from the container behind the link
// `host_name`. It is deleted together with the link.
IfName ifb_name(std::string_view host_name);

}  // namespace fairlead::kernel
