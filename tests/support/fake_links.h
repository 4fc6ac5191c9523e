// Links in memory, for tests of drivers and services without root. tests/conformance/links checks
// that it behaves as the kernel does.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "network/kernel/links/answer_routes.h"
#include "network/kernel/links/links.h"

namespace fairlead::testing {

// A namespace is known by the identity of its descriptor. A number that is no open descriptor
// stands for itself, and -1 for the host.
class FakeLinks : public kernel::Links, public kernel::HostRouting {
 public:
  FakeLinks();

  // The next call of the verb ("create_veth") fails with this error and changes nothing.
  void fail_next(const std::string& verb, Error error);
  // Called once, when the verb begins.
  void before_next(const std::string& verb, std::function<void()> look);
  void set_default_route(std::optional<std::string> link_name);
  void occupy(const Cidr& subnet);
  // Adds a link of the host that somebody else made, or replaces the one of that name. Returns its
  // index.
  int put(kernel::Link link);

  struct Announcement {
    int bridge_index;
    IpAddress address;
    MacAddress mac;
  };
  struct Rates {
    std::uint64_t in_bits = 0, in_burst_bits = 0, out_bits = 0, out_burst_bits = 0;
  };
  std::vector<Announcement> announcements() const;
  kernel::PortFlags port_flags(int index) const;
  Rates rates(int index) const;
  bool keeps_mac(int index) const;  // set_mac() was called since the link was created
  // The addresses for which the host answers on the link, and those that are led to it.
  std::vector<IpAddress> proxies(int index) const;
  std::vector<IpAddress> led_to(int index) const;
  bool forwards(Family family) const;
  void set_routing_view(kernel::RoutingView view);
  std::vector<kernel::AnswerRoute> answer_routes() const;
  // The number of calls of a verb so far, for tests that the kernel is not asked.
  int calls(const std::string& verb) const;

  std::map<Family, std::size_t> neighbour_limits;  // no limit is known without one

  Result<kernel::Link> find(const IfName& name) override;
  Result<kernel::Link> find(int index) override;
  Result<std::vector<kernel::Link>> list() override;
  Result<kernel::Link> ensure_bridge(const kernel::BridgeSpec& spec, bool foreign) override;
  Status set_route_localnet(int index, bool on) override;
  Result<bool> guard_loopback(int index) override;
  Result<bool> has_loopback_guard(int index) override;
  Status unguard_loopback(int index) override;
  Status set_mac(int index, const MacAddress& mac) override;
  Result<kernel::Veth> create_veth(const kernel::VethSpec& spec) override;
  Result<kernel::Link> create_macvlan(const kernel::MacvlanSpec& spec) override;
  Result<kernel::Link> create_ipvlan(const kernel::IpvlanSpec& spec) override;
  Result<kernel::Link> create_vlan(const kernel::VlanSpec& spec) override;
  Result<kernel::Link> move_inside(int index, int netns_fd, const IfName& name) override;
  Status move_back(int netns_fd, int index, const IfName& name) override;
  Result<std::vector<Cidr>> addresses(int index) override;
  Status restore(int index, bool up, const std::vector<Cidr>& addresses) override;
  Result<bool> has_kind(const std::string& kind) override;
  void lack(const std::string& kind);  // as a kernel without such links
  kernel::IpvlanSpec last_ipvlan() const;
  Result<std::vector<kernel::Link>> list_inside(int netns_fd) override;
  Status remove_inside(int netns_fd, int index) override;
  Result<std::vector<kernel::RouteSpec>> configure_container(
      const kernel::ContainerSpec& spec) override;
  Status route_container(const kernel::RoutedLink& link) override;
  Result<bool> routes_container(const kernel::RoutedLink& link) override;
  Status answer_for(int index, const IpAddress& address, bool on) override;
  Status settle(int index) override;
  Result<bool> has_access_vlan(int index, std::uint16_t vlan) override;
  void lack_vlans_on_bridges();  // as a kernel without CONFIG_BRIDGE_VLAN_FILTERING
  Status set_port_flags(int index, kernel::PortFlags flags) override;
  Status set_master(int index, int master, kernel::PortFlags flags) override;
  Status remove_address(int index, const Cidr& address) override;
  Status remove(const IfName& name) override;
  void finish_removals() override {}
  Status announce(int bridge_index, const IpAddress& address, const MacAddress& mac) override;
  Status forget_neighbour(int link_index, const IpAddress& address) override;
  Result<kernel::InterfaceView> inspect(int netns_fd, const IfName& name) override;
  kernel::HostRouting& host_routing() override { return *this; }
  Result<kernel::HostSubnets> host_subnets() override;
  Result<std::optional<kernel::Link>> default_route_link() override;
  Result<bool> is_forwarding(Family family) override { return forwards(family); }
  Result<bool> enable_forwarding(Family family) override;
  Result<std::optional<std::size_t>> neighbour_limit(Family family) override {
    const auto found = neighbour_limits.find(family);
    return found == neighbour_limits.end() ? std::nullopt : std::optional(found->second);
  }
  // Nothing is learned from router advertisements here.
  Result<std::vector<std::string>> keep_router_advertisements(kernel::Hearing) override {
    return std::vector<std::string>();
  }
  Result<kernel::RoutingView> routing_view() override;
  Result<bool> set_answer_routes(std::span<const kernel::AnswerRoute> answers) override;
  Status set_rates(int host_index, std::uint64_t in_bits, std::uint64_t in_burst_bits,
                   std::uint64_t out_bits, std::uint64_t out_burst_bits) override;

 private:
  using NetnsKey = std::pair<std::uint64_t, std::uint64_t>;
  struct Device {
    NetnsKey netns;
    kernel::Link link;
    std::vector<Cidr> addresses;
    std::vector<kernel::RouteSpec> routes;
    kernel::PortFlags flags;
    Rates rates;
    bool mac_is_set = false;
    bool loopback_guard = false;
    std::set<IpAddress> proxies;
  };

  static NetnsKey key_of(int netns_fd);
  // counts the call and returns the failure that was ordered, if any
  Status enter(const std::string& verb);
  Device* device(const NetnsKey& netns, const std::string& name);
  Device* device(const NetnsKey& netns, int index);
  Result<Device*> host_device(int index);
  int add(const NetnsKey& netns, kernel::Link link);
  int next_index(const NetnsKey& netns) const;
  void add_address(Device& device, const Cidr& address);
  bool others_have_default(const Device& device, Family family) const;
  bool reachable(const Device& device, const IpAddress& gateway) const;

  mutable std::mutex mutex_;
  std::vector<Device> devices_;
  std::map<std::string, Error> failures_;
  std::map<std::string, std::function<void()>> looks_;
  std::map<std::string, int> calls_;
  std::map<IpAddress, int> led_;  // host's routes to single addresses, by the index of the link
  std::vector<Announcement> announcements_;
  std::vector<Cidr> occupied_;
  std::set<std::string> lacking_;
  bool vlans_on_bridges_ = true;
  kernel::IpvlanSpec last_ipvlan_;
  std::optional<std::string> default_route_;
  std::map<Family, bool> forwarding_;
  kernel::RoutingView view_;
  std::vector<kernel::AnswerRoute> answers_;
};

}  // namespace fairlead::testing
