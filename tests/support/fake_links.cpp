#include "tests/support/fake_links.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "network/kernel/host/netns.h"
#include "network/kernel/links/messages.h"

namespace fairlead::testing {

using kernel::Link;
using kernel::RouteSpec;

namespace {

constexpr std::uint32_t kLaterMetric = 2048;
constexpr std::size_t kMaxPorts = 1023;  // BR_MAX_PORTS - 1, net/bridge/br_private.h

tl::unexpected<Error> no_such_link() { return fail_errno(ENODEV, "find interface"); }

bool is_plain_default(const RouteSpec& route) {
  return route.destination.prefix_length() == 0 && !route.priority && !route.table;
}

}  // namespace

FakeLinks::FakeLinks() { add(key_of(-1), {.name = "lo", .mtu = 65536, .up = true}); }

// ---- for tests

void FakeLinks::fail_next(const std::string& verb, Error error) {
  const std::lock_guard lock(mutex_);
  failures_[verb] = std::move(error);
}

void FakeLinks::set_default_route(std::optional<std::string> link_name) {
  const std::lock_guard lock(mutex_);
  default_route_ = std::move(link_name);
}

void FakeLinks::occupy(const Cidr& subnet) {
  const std::lock_guard lock(mutex_);
  occupied_.push_back(subnet.network());
}

int FakeLinks::put(Link link) {
  const std::lock_guard lock(mutex_);
  Device* found = device(key_of(-1), link.name);
  if (found == nullptr) return add(key_of(-1), std::move(link));
  link.index = found->link.index;
  found->link = std::move(link);
  return found->link.index;
}

std::vector<FakeLinks::Announcement> FakeLinks::announcements() const {
  const std::lock_guard lock(mutex_);
  return announcements_;
}

kernel::PortFlags FakeLinks::port_flags(int index) const {
  const std::lock_guard lock(mutex_);
  for (const Device& each : devices_)
    if (each.netns == key_of(-1) && each.link.index == index) return each.flags;
  return {};
}

bool FakeLinks::keeps_mac(int index) const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(devices_, [&](const Device& each) {
    return each.netns == key_of(-1) && each.link.index == index && each.mac_is_set;
  });
}

FakeLinks::Rates FakeLinks::rates(int index) const {
  const std::lock_guard lock(mutex_);
  for (const Device& each : devices_)
    if (each.netns == key_of(-1) && each.link.index == index) return each.rates;
  return {};
}

bool FakeLinks::forwards(Family family) const {
  const std::lock_guard lock(mutex_);
  const auto found = forwarding_.find(family);
  return found != forwarding_.end() && found->second;
}

int FakeLinks::calls(const std::string& verb) const {
  const std::lock_guard lock(mutex_);
  const auto found = calls_.find(verb);
  return found == calls_.end() ? 0 : found->second;
}

// ---- devices

FakeLinks::NetnsKey FakeLinks::key_of(int netns_fd) {
  if (const auto id = kernel::netns_id(netns_fd)) return {id->device, id->inode};
  return {0, static_cast<std::uint64_t>(static_cast<unsigned>(netns_fd))};
}

void FakeLinks::before_next(const std::string& verb, std::function<void()> look) {
  looks_[verb] = std::move(look);
}

Status FakeLinks::enter(const std::string& verb) {
  ++calls_[verb];
  if (const auto look = looks_.extract(verb)) look.mapped()();
  const auto ordered = failures_.find(verb);
  if (ordered == failures_.end()) return {};
  Error error = ordered->second;
  failures_.erase(ordered);
  return fail(std::move(error));
}

FakeLinks::Device* FakeLinks::device(const NetnsKey& netns, const std::string& name) {
  for (Device& each : devices_)
    if (each.netns == netns && each.link.name == name) return &each;
  return nullptr;
}

FakeLinks::Device* FakeLinks::device(const NetnsKey& netns, int index) {
  for (Device& each : devices_)
    if (each.netns == netns && each.link.index == index) return &each;
  return nullptr;
}

Result<FakeLinks::Device*> FakeLinks::host_device(int index) {
  if (Device* found = device(key_of(-1), index)) return found;
  return no_such_link();
}

int FakeLinks::next_index(const NetnsKey& netns) const {
  int highest = netns == key_of(-1) ? 0 : 1;  // 1 is lo
  for (const Device& each : devices_)
    if (each.netns == netns) highest = std::max(highest, each.link.index);
  return highest + 1;
}

int FakeLinks::add(const NetnsKey& netns, Link link) {
  link.index = next_index(netns);
  devices_.push_back({.netns = netns, .link = std::move(link)});
  return devices_.back().link.index;
}

void FakeLinks::add_address(Device& device, const Cidr& address) {
  if (std::ranges::find(device.addresses, address) != device.addresses.end()) return;
  device.addresses.push_back(address);
}

bool FakeLinks::others_have_default(const Device& device, Family family) const {
  return std::ranges::any_of(devices_, [&](const Device& other) {
    return other.netns == device.netns && other.link.index != device.link.index &&
           std::ranges::any_of(other.routes, [&](const RouteSpec& route) {
             return route.destination.prefix_length() == 0 && route.destination.family() == family;
           });
  });
}

bool FakeLinks::reachable(const Device& device, const IpAddress& gateway) const {
  const auto covers = [&](const Cidr& subnet) { return subnet.network().contains(gateway); };
  return std::ranges::any_of(device.addresses, covers) ||
         std::ranges::any_of(device.routes,
                             [&](const RouteSpec& r) { return !r.via && covers(r.destination); });
}

// ---- Links

Result<Link> FakeLinks::find(const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("find"));
  const Device* found = device(key_of(-1), name.str());
  if (found == nullptr) return no_such_link();
  return found->link;
}

Result<Link> FakeLinks::find(int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("find"));
  TRY(const Device* found, host_device(index));
  return found->link;
}

Result<std::vector<Link>> FakeLinks::list() {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("list"));
  std::vector<Link> links;
  for (const Device& each : devices_)
    if (each.netns == key_of(-1)) links.push_back(each.link);
  return links;
}

Result<Link> FakeLinks::ensure_bridge(const kernel::BridgeSpec& spec, bool foreign) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("ensure_bridge"));
  Device* bridge = device(key_of(-1), spec.name.str());
  if (bridge == nullptr && foreign) return no_such_link();
  if (bridge == nullptr) {
    if (spec.vlan && !vlans_on_bridges_)
      return fail(Code::kUnsupported,
                  "make bridge {}: this kernel has no bridge VLAN filtering: "
                  "CONFIG_BRIDGE_VLAN_FILTERING",
                  spec.name.str());
    const int index = add(key_of(-1), {.name = spec.name.str(), .kind = "bridge"});
    bridge = device(key_of(-1), index);
    if (vlans_on_bridges_) bridge->link.filters_vlans = spec.vlan.has_value();
    if (spec.ipv6) add_address(*bridge, Cidr::of(IpAddress::link_local(spec.mac), 64));
  }
  if (bridge->link.kind != "bridge")
    return fail(Code::kExists, "make bridge {}: it is no bridge", spec.name.str());
  if (!foreign) {
    bridge->link.mac = spec.mac;
    bridge->link.mtu = spec.mtu;
    bridge->link.alias = spec.alias;
    bridge->link.up = true;
  }
  for (const Cidr& address : spec.addresses) add_address(*bridge, address);
  return bridge->link;
}

Status FakeLinks::set_route_localnet(int index, bool on) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("set_route_localnet"));
  TRY(Device * found, host_device(index));
  found->link.route_localnet = on;
  return {};
}

Result<bool> FakeLinks::guard_loopback(int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("guard_loopback"));
  TRY(Device * found, host_device(index));
  return !std::exchange(found->loopback_guard, true);
}

Result<bool> FakeLinks::has_loopback_guard(int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("has_loopback_guard"));
  TRY(const Device* found, host_device(index));
  return found->loopback_guard;
}

Status FakeLinks::unguard_loopback(int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("unguard_loopback"));
  if (const auto found = host_device(index)) (*found)->loopback_guard = false;
  return {};
}

Status FakeLinks::set_mac(int index, const MacAddress& mac) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("set_mac"));
  TRY(Device * found, host_device(index));
  found->link.mac = mac;
  found->mac_is_set = true;
  return {};
}

Result<kernel::Veth> FakeLinks::create_veth(const kernel::VethSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("create_veth"));
  const NetnsKey host = key_of(-1), peer_netns = key_of(spec.peer_netns_fd);
  if (device(host, spec.host_name.str()) != nullptr ||
      device(peer_netns, spec.peer_name.str()) != nullptr ||
      (host == peer_netns && spec.host_name == spec.peer_name))
    return fail_errno(EEXIST, "create interface");
  if (spec.master != 0) {
    TRY(const Device* bridge, host_device(spec.master));
    if (bridge->link.kind != "bridge") return fail_errno(EOPNOTSUPP, "create interface");
    const auto ports = std::ranges::count_if(
        devices_, [&](const Device& d) { return d.netns == host && d.link.master == spec.master; });
    if (static_cast<std::size_t>(ports) >= kMaxPorts) return fail_errno(EXFULL, "create interface");
  }
  const MacAddress host_mac = kernel::host_side_mac(spec.host_name);
  const MacAddress peer_mac =
      spec.peer_mac != MacAddress() ? spec.peer_mac : MacAddress::from_hash(spec.peer_name.str());
  const bool elsewhere = host != peer_netns;
  const Link peer{.name = spec.peer_name.str(),
                  .kind = "veth",
                  .mac = peer_mac,
                  .mtu = spec.mtu,
                  .peer_elsewhere = elsewhere};
  const int peer_index = add(peer_netns, peer);
  const int host_index = add(host, {.name = spec.host_name.str(),
                                    .kind = "veth",
                                    .mac = host_mac,
                                    .mtu = spec.mtu,
                                    .up = spec.host_up,
                                    .master = spec.master,
                                    .peer_index = peer_index,
                                    .peer_elsewhere = elsewhere,
                                    .alias = spec.alias});
  device(peer_netns, peer_index)->link.peer_index = host_index;
  if (spec.master != 0) device(host, host_index)->flags = spec.port;
  return kernel::Veth{.host_index = host_index, .peer_index = peer_index, .host_mac = host_mac};
}

Result<Link> FakeLinks::create_macvlan(const kernel::MacvlanSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("create_macvlan"));
  TRY(const Device* parent, host_device(spec.parent));
  const NetnsKey netns = key_of(spec.netns_fd);
  if (device(netns, spec.name.str()) != nullptr) return fail_errno(EEXIST, "make interface");
  const bool passthru = spec.mode == kernel::MacvlanMode::kPassthru;
  const int index = add(netns, {.name = spec.name.str(),
                                .kind = "macvlan",
                                .mac = passthru ? parent->link.mac : spec.mac,
                                .mtu = spec.mtu,
                                .peer_index = spec.parent,
                                .peer_elsewhere = netns != key_of(-1)});
  return device(netns, index)->link;
}

Result<Link> FakeLinks::create_ipvlan(const kernel::IpvlanSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("create_ipvlan"));
  if (lacking_.contains("ipvlan")) return fail_errno(EOPNOTSUPP, "make interface");
  TRY(const Device* parent, host_device(spec.parent));
  const NetnsKey netns = key_of(spec.netns_fd);
  if (device(netns, spec.name.str()) != nullptr) return fail_errno(EEXIST, "make interface");
  last_ipvlan_ = spec;
  const int index = add(netns, {.name = spec.name.str(),
                                .kind = "ipvlan",
                                .mac = parent->link.mac,
                                .mtu = spec.mtu,
                                .peer_index = spec.parent,
                                .peer_elsewhere = netns != key_of(-1)});
  return device(netns, index)->link;
}

Result<Link> FakeLinks::create_vlan(const kernel::VlanSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("create_vlan"));
  if (lacking_.contains("vlan")) return fail_errno(EOPNOTSUPP, "make interface");
  TRY(const Device* parent, host_device(spec.parent));
  const NetnsKey host = key_of(-1);
  if (device(host, spec.name.str()) != nullptr) return fail_errno(EEXIST, "make interface");
  const int index = add(host, {.name = spec.name.str(),
                               .kind = "vlan",
                               .mac = parent->link.mac,
                               .mtu = parent->link.mtu,
                               .up = true,
                               .peer_index = spec.parent,
                               .alias = spec.alias});
  return device(host, index)->link;
}

Result<Link> FakeLinks::move_inside(int index, int netns_fd, const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("move_inside"));
  TRY(Device * found, host_device(index));
  if (device(key_of(netns_fd), name.str()) != nullptr) return fail_errno(EEXIST, "move interface");
  found->netns = key_of(netns_fd);
  found->link.name = name.str();
  found->link.up = false;
  found->addresses.clear();
  return found->link;
}

Status FakeLinks::move_back(int netns_fd, int index, const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("move_back"));
  Device* found = device(key_of(netns_fd), index);
  if (found == nullptr) return no_such_link();
  if (device(key_of(-1), name.str()) != nullptr) return fail_errno(EEXIST, "move interface");
  found->netns = key_of(-1);
  found->link.name = name.str();
  found->link.up = false;
  found->addresses.clear();
  return {};
}

Result<std::vector<Cidr>> FakeLinks::addresses(int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("addresses"));
  TRY(const Device* found, host_device(index));
  return found->addresses;
}

Status FakeLinks::restore(int index, bool up, const std::vector<Cidr>& addresses) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("restore"));
  TRY(Device * found, host_device(index));
  found->link.up = up;
  for (const Cidr& address : addresses) add_address(*found, address);
  return {};
}

Result<bool> FakeLinks::has_kind(const std::string& kind) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("has_kind"));
  return !lacking_.contains(kind);
}

void FakeLinks::lack(const std::string& kind) {
  const std::lock_guard lock(mutex_);
  lacking_.insert(kind);
}

kernel::IpvlanSpec FakeLinks::last_ipvlan() const {
  const std::lock_guard lock(mutex_);
  return last_ipvlan_;
}

Result<std::vector<Link>> FakeLinks::list_inside(int netns_fd) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("list_inside"));
  std::vector<Link> links;
  for (const Device& each : devices_)
    if (each.netns == key_of(netns_fd)) links.push_back(each.link);
  return links;
}

Status FakeLinks::remove_inside(int netns_fd, int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("remove_inside"));
  std::erase_if(devices_, [&](const Device& each) {
    return each.netns == key_of(netns_fd) && each.link.index == index;
  });
  return {};
}

Result<std::vector<kernel::RouteSpec>> FakeLinks::configure_container(
    const kernel::ContainerSpec& spec) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("configure_container"));
  Device* found = device(key_of(spec.netns_fd), spec.ifindex);
  if (found == nullptr) return no_such_link();
  found->link.up = true;
  if (std::ranges::any_of(spec.addresses, [](const Cidr& address) { return !address.is_v4(); }))
    add_address(*found, Cidr::of(IpAddress::link_local(found->link.mac), 64));
  for (const Cidr& address : spec.addresses) add_address(*found, address);
  std::vector<RouteSpec> added = spec.routes;
  for (RouteSpec& asked : added) {
    if (is_plain_default(asked) && others_have_default(*found, asked.destination.family()))
      asked.priority = kLaterMetric + static_cast<std::uint32_t>(spec.ifindex);
    RouteSpec route = asked;
    if (route.via && !reachable(*found, *route.via)) return fail_errno(ENETUNREACH, "add route");
    route.table = route.table.value_or(RT_TABLE_MAIN);
    const auto same = [&](const RouteSpec& r) {
      return r.destination == route.destination && r.priority == route.priority;
    };
    if (std::ranges::none_of(found->routes, same)) found->routes.push_back(route);
  }
  return added;
}

Status FakeLinks::route_container(const kernel::RoutedLink& link) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("route_container"));
  TRY(Device * found, host_device(link.index));
  if (link.source_v4 && std::ranges::none_of(devices_, [&](const Device& each) {
        return each.netns == key_of(-1) &&
               std::ranges::any_of(each.addresses, [&](const Cidr& address) {
                 return address.address() == *link.source_v4;
               });
      }))
    return fail_errno(EINVAL, "lead an address to an interface");
  found->link.up = true;
  for (const IpAddress& own : link.own_addresses)
    add_address(*found, Cidr::of(own, own.is_v4() ? 32 : 128));
  for (const Cidr& address : link.addresses) led_[address.address()] = link.index;
  return {};
}

Result<bool> FakeLinks::routes_container(const kernel::RoutedLink& link) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("routes_container"));
  TRY(const Device* found, host_device(link.index));
  return found->link.up && std::ranges::all_of(link.addresses, [&](const Cidr& address) {
           const auto led = led_.find(address.address());
           return led != led_.end() && led->second == link.index;
         });
}

Status FakeLinks::answer_for(int index, const IpAddress& address, bool on) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("answer_for"));
  const auto found = host_device(index);
  if (!found) return on ? fail(found.error()) : Status();
  if (on)
    (*found)->proxies.insert(address);
  else
    (*found)->proxies.erase(address);
  return {};
}

std::vector<IpAddress> FakeLinks::proxies(int index) const {
  const std::lock_guard lock(mutex_);
  for (const Device& each : devices_)
    if (each.netns == key_of(-1) && each.link.index == index)
      return {each.proxies.begin(), each.proxies.end()};
  return {};
}

std::vector<IpAddress> FakeLinks::led_to(int index) const {
  const std::lock_guard lock(mutex_);
  std::vector<IpAddress> addresses;
  for (const auto& [address, link] : led_)
    if (link == index) addresses.push_back(address);
  return addresses;
}

Status FakeLinks::settle(int index) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("settle"));
  TRY(const Device* found, host_device(index));
  (void)found;
  return {};
}

Result<bool> FakeLinks::has_access_vlan(int index, std::uint16_t vlan) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("has_access_vlan"));
  TRY(const Device* found, host_device(index));
  return found->flags.vlan == vlan;
}

void FakeLinks::lack_vlans_on_bridges() {
  const std::lock_guard lock(mutex_);
  vlans_on_bridges_ = false;
  for (Device& each : devices_) each.link.filters_vlans.reset();
}

Status FakeLinks::set_port_flags(int index, kernel::PortFlags flags) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("set_port_flags"));
  TRY(Device * found, host_device(index));
  if (found->link.master == 0) return fail_errno(EINVAL, "set the flags of a bridge port");
  found->flags = flags;
  return {};
}

Status FakeLinks::set_master(int index, int master, kernel::PortFlags flags) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("set_master"));
  TRY(Device * found, host_device(index));
  if (master != 0) {
    TRY(const Device* bridge, host_device(master));
    if (bridge->link.kind != "bridge") return fail_errno(EOPNOTSUPP, "make a bridge port");
  }
  found->link.master = master;
  found->link.up = true;
  found->flags = master == 0 ? kernel::PortFlags() : flags;
  return {};
}

Status FakeLinks::remove_address(int index, const Cidr& address) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("remove_address"));
  TRY(Device * found, host_device(index));
  std::erase(found->addresses, address);
  return {};
}

Status FakeLinks::remove(const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("remove"));
  const Device* found = device(key_of(-1), name.str());
  if (found == nullptr) return {};
  if (found->link.kind.empty())
    return fail(Code::kUnsupported, "delete interface {}: a device of the machine", name.str());
  const Link link = found->link;
  std::erase_if(devices_, [&](const Device& each) {
    const bool itself = each.netns == key_of(-1) && each.link.index == link.index;
    const bool its_peer = link.kind == "veth" && each.link.kind == "veth" &&
                          each.link.index == link.peer_index && each.link.peer_index == link.index;
    return itself || its_peer;
  });
  for (Device& each : devices_)
    if (each.netns == key_of(-1) && each.link.master == link.index) each.link.master = 0;
  return {};
}

Status FakeLinks::announce(int bridge_index, const IpAddress& address, const MacAddress& mac) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("announce"));
  TRY(const Device* found, host_device(bridge_index));
  announcements_.push_back({.bridge_index = found->link.index, .address = address, .mac = mac});
  return {};
}

Status FakeLinks::forget_neighbour(int link_index, const IpAddress&) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("forget_neighbour"));
  TRY(const Device* found, host_device(link_index));
  (void)found;
  return {};
}

Result<kernel::InterfaceView> FakeLinks::inspect(int netns_fd, const IfName& name) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("inspect"));
  const Device* found = device(key_of(netns_fd), name.str());
  if (found == nullptr) return no_such_link();
  kernel::InterfaceView view{
      .link = found->link, .addresses = found->addresses, .routes = found->routes};
  for (const Cidr& address : found->addresses)  // routes that the kernel adds itself
    if (address.network() != address)
      view.routes.push_back({.destination = address.network(), .table = RT_TABLE_MAIN});
  return view;
}

Result<kernel::HostSubnets> FakeLinks::host_subnets() {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("host_subnets"));
  const Cidr link_local = *Cidr::parse("fe80::/10");
  kernel::HostSubnets subnets;
  for (const Cidr& occupied : occupied_)
    subnets.routed.push_back({.destination = occupied, .table = RT_TABLE_MAIN});
  for (const Device& each : devices_)
    if (each.netns == key_of(-1))
      for (const Cidr& address : each.addresses)
        if (!link_local.contains(address))
          subnets.connected.push_back(
              {.destination = address.network(), .interface = each.link.name});
  return subnets;
}

Result<std::optional<Link>> FakeLinks::default_route_link() {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("default_route_link"));
  if (!default_route_) return std::optional<Link>();
  const Device* found = device(key_of(-1), *default_route_);
  if (found == nullptr) return no_such_link();
  return std::optional(found->link);
}

Result<bool> FakeLinks::enable_forwarding(Family family) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("enable_forwarding"));
  return !std::exchange(forwarding_[family], true);
}

Status FakeLinks::set_rates(int host_index, std::uint64_t in_bits, std::uint64_t in_burst_bits,
                            std::uint64_t out_bits, std::uint64_t out_burst_bits) {
  const std::lock_guard lock(mutex_);
  TRY_STATUS(enter("set_rates"));
  TRY(Device * found, host_device(host_index));
  found->rates = {in_bits, in_burst_bits, out_bits, out_burst_bits};
  return {};
}

void FakeLinks::set_routing_view(kernel::RoutingView view) {
  const std::scoped_lock lock(mutex_);
  view_ = std::move(view);
}

std::vector<kernel::AnswerRoute> FakeLinks::answer_routes() const {
  const std::scoped_lock lock(mutex_);
  return answers_;
}

Result<kernel::RoutingView> FakeLinks::routing_view() {
  const std::scoped_lock lock(mutex_);
  TRY_STATUS(enter("routing_view"));
  return view_;
}

Result<bool> FakeLinks::set_answer_routes(std::span<const kernel::AnswerRoute> answers) {
  const std::scoped_lock lock(mutex_);
  TRY_STATUS(enter("set_answer_routes"));
  const bool same = std::ranges::equal(answers, answers_);
  answers_.assign(answers.begin(), answers.end());
  return !same;
}

}  // namespace fairlead::testing
