#include "network/drivers/parent_driver.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/drivers/container_side.h"
#include "network/kernel/host/netns.h"

namespace fairlead::network {

namespace {

constexpr const char* kParent = "parent";  // of a network
constexpr const char* kVlan = "vlan";      // of a network whose parent is made with it
constexpr const char* kLink = "link";      // of an endpoint: its name while it is in the host
constexpr unsigned kMostVlan = 4094;

std::string text_in(const std::map<std::string, std::string>& record, const char* name) {
  const auto found = record.find(name);
  return found == record.end() ? std::string() : found->second;
}

IfName link_of(const Endpoint& endpoint) {
  return IfName::parse(text_in(endpoint.links.kept, kLink)).value_or(IfName());
}

IfName parent_of(const Network& network) {
  return stored_ifname(text_in(network.links.shown, kParent)).value_or(IfName());
}

bool makes_its_parent(const Network& network) { return network.links.shown.contains(kVlan); }

struct VlanName {
  std::string base;
  std::uint16_t id = 0;
};

// "eth0.10"
std::optional<VlanName> parse_vlan(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == name.size()) return std::nullopt;
  unsigned id = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + dot + 1, end, id);
  if (error != std::errc{} || at != end || id == 0 || id > kMostVlan) return std::nullopt;
  return VlanName{name.substr(0, dot), static_cast<std::uint16_t>(id)};
}

tl::unexpected<Error> refuse(const std::string& mode, std::string_view option,
                             std::string_view why) {
  return fail(Code::kInvalid, "option \"{}\" is not for mode \"{}\": {}", option, mode, why);
}

Status refuse_firewall_options(const std::string& mode, const NetworkOptions& options) {
  constexpr const char* kWhy = "the host's firewall sees nothing of its containers";
  if (options.spoofing != Spoofing::kDeny) return refuse(mode, "spoofing", kWhy);
  if (options.publish != HostModel::kStrong) return refuse(mode, "publish", kWhy);
  if (options.host_ip_missing) return refuse(mode, "host_ip_missing", kWhy);
  if (options.port_max_connections != 0) return refuse(mode, "port_max_connections", kWhy);
  if (!options.trusted_interfaces.empty()) return refuse(mode, "trusted_interfaces", kWhy);
  if (options.host_access) return refuse(mode, "host_access", kWhy);
  if (options.snat_v4) return refuse(mode, "snat", kWhy);
  if (options.snat_v6) return refuse(mode, "snat6", kWhy);
  if (!options.masquerade_exclude.empty()) return refuse(mode, "masquerade_exclude", kWhy);
  if (options.inhibit_ipv4) return refuse(mode, "inhibit_ipv4", "there is no bridge");
  return {};
}

}  // namespace

NetworkTraits ParentDriver::traits() const {
  return {.no_ports =
              "each has an address on the network of the parent interface, and answers "
              "there on every port that it listens to; leave the ports out, or use mode "
              "bridge",
          .macs = kind_.macs};
}

Status ParentDriver::validate(const NetworkSpec& spec) const {
  const NetworkOptions& options = spec.options;
  const std::string& mode = kind_.mode;
  TRY_STATUS(validate_own(options));
  const int named =
      (options.parent ? 1 : 0) + (options.parent_mac ? 1 : 0) + (options.parent_pci ? 1 : 0);
  if (named > 1)
    return fail(Code::kInvalid,
                "the interface is named more than once; use one of the options parent, parent_mac "
                "and parent_pci");
  if (named == 0)
    return fail(Code::kInvalid,
                "mode \"{}\" needs the interface of the host on whose network the containers "
                "are to be: -o parent=IFACE (`ip link` shows them)",
                mode);
  if (spec.internal)
    return fail(Code::kInvalid,
                "a network of mode \"{}\" is that of its parent and cannot be internal; use "
                "mode bridge",
                mode);
  if (options.bridge) return refuse(mode, "bridge", "there is none");
  if (!options.icc) return refuse(mode, "icc", kind_.private_way);
  if (options.encrypted) return refuse(mode, "encrypted", "it is for mode \"overlay\"");
  if (options.host_ip_v4 || options.host_ip_v6)
    return refuse(mode, "host_ip", "no ports are published");
  if (options.gateway_mode_v4 != GatewayMode::kNat || options.gateway_mode_v6 != GatewayMode::kNat)
    return refuse(mode, "gateway_mode", "the router of the parent's network is the gateway");
  TRY_STATUS(refuse_firewall_options(mode, options));
  if (options.host_interface_prefix != HostPrefix::kFairlead)
    return refuse(mode, "host_interface_prefix", "nothing of a container is in the host");
  if (options.rates != Rates())
    return refuse(mode, "rate_in", "nothing of a container is in the host");
  return {};
}

Result<NetworkPlan> ParentDriver::plan(const Network& network, std::span<const Network> others) {
  const IfName& name = *network.options.parent;
  for (const Network& other : others) {
    if (text_in(other.links.shown, kParent) != name.str()) continue;
    if (makes_its_parent(other))
      return fail(Code::kExists,
                  "interface {} was made for network {} and goes with it; make it yourself to have "
                  "several networks on it: ip link add link {} name {} type vlan id {}",
                  name.str(), other.name.str(), parse_vlan(name.str()).value_or(VlanName()).base,
                  name.str(), text_in(other.links.shown, kVlan));
    if (is_exclusive(network) || is_exclusive(other))
      return fail(Code::kExists,
                  "interface {} is the parent of network {}, and with macvlan_mode=passthru a "
                  "parent has one network only",
                  name.str(), other.name.str());
  }
  NetworkPlan plan{.links = {.shown = {{kParent, name.str()}}, .kept = {}}, .mtu = 1500};
  auto parent = parent_link(name);
  if (!parent && parent.error().code == Code::kNotFound) {
    const auto vlan = parse_vlan(name.str());
    if (!vlan) return fail(parent.error());
    parent = base_of(name);
    if (!parent) return fail(parent.error());
    plan.links.shown[kVlan] = std::to_string(vlan->id);
  }
  if (!parent) return fail(parent.error());
  plan.mtu = network.options.mtu.value_or(std::min(parent->mtu, 65535U));
  if (plan.mtu > parent->mtu)
    return fail(Code::kInvalid, "option \"mtu\": interface {} takes at most {} bytes", name.str(),
                parent->mtu);
  return plan;
}

// The interface that a missing VLAN interface would be made on, on a kernel that can.
Result<kernel::Link> ParentDriver::base_of(const IfName& name) {
  const auto vlan = parse_vlan(name.str());
  if (!vlan) return fail(Code::kInternal, "{} names no VLAN", name.str());
  const auto base = IfName::parse(vlan->base);
  auto found = base ? links_.find(*base) : Result<kernel::Link>(fail(base.error()));
  if (!found && found.error().code != Code::kNotFound) return found;
  if (!found)
    return fail(Code::kNotFound,
                "the parent interface {} does not exist, and neither does {}, on which it would be "
                "the VLAN {}; `ip link` shows those that do",
                name.str(), vlan->base, vlan->id);
  TRY(const bool able, links_.has_kind("vlan"));
  if (!able)
    return fail(Code::kUnsupported,
                "the parent interface {} does not exist, and this kernel has no VLAN interfaces "
                "(module 8021q)",
                name.str());
  return found;
}

// The parent is the host's own, unless it is a VLAN that was made with the network. It has to be
// there; a parent that is down passes no packets.
Status ParentDriver::ensure(Network& network, Rollback& undo) {
  const auto parent = parent_link(parent_of(network));
  if (parent || parent.error().code != Code::kNotFound || !makes_its_parent(network))
    return status_of(parent);
  return status_of(make_vlan(network, undo));
}

Result<kernel::Link> ParentDriver::make_vlan(const Network& network, Rollback& undo) {
  const IfName name = parent_of(network);
  TRY(const kernel::Link base, base_of(name));
  const auto vlan = parse_vlan(name.str()).value_or(VlanName());
  auto made = links_.create_vlan({.name = name,
                                  .parent = base.index,
                                  .id = vlan.id,
                                  .alias = mark_.after("fairlead " + network.name.str())});
  if (!made) return made;
  undo.push([this, name] {
    if (auto gone = links_.remove(name); !gone)
      log::error("undo: remove VLAN", {{"error", gone.error().text}});
  });
  fault_point("parent.vlan.made");
  return made;
}

std::vector<std::string> ParentDriver::missing(const Network& network) {
  if (!makes_its_parent(network) || links_.find(parent_of(network))) return {};
  return {fmt::format("VLAN {}", parent_of(network).str())};
}

std::string ParentDriver::problem(const Network& network) {
  if (links_.find(parent_of(network))) return {};
  return fmt::format("its parent interface {} does not exist", parent_of(network).str());
}

// A VLAN that somebody else has made under the name stays.
Status ParentDriver::remove(const Network& network) {
  if (!makes_its_parent(network)) return {};
  const auto parent = links_.find(parent_of(network));
  if (!parent) return parent.error().code == Code::kNotFound ? Status() : fail(parent.error());
  if (parent->kind != "vlan" || !parent->alias.starts_with("fairlead ")) return {};
  return links_.remove(parent_of(network));
}

Result<DriverRecord> ParentDriver::plan_endpoint(const Network& network,
                                                 const Endpoint& endpoint) const {
  if (!kind_.macs && endpoint.mac)
    return fail(Code::kInvalid,
                "in mode \"{}\" a container has the MAC address of the parent, and no other one; "
                "use mode macvlan for one of its own",
                kind_.mode);
  const std::string digits = hash_hex(network.id + "/" + endpoint.id, 12);
  return DriverRecord{.shown = {},
                      .kept = {{kLink, fmt::format("{}{}", kind_.link_prefix, digits)}}};
}

Result<EndpointLinks> ParentDriver::attach(Network& network, const Endpoint& endpoint,
                                           const Placement& placement, NetworkContext&,
                                           Rollback& undo) {
  TRY_STATUS(ensure(network, undo));
  TRY(const kernel::Link parent, parent_link(parent_of(network)));
  const auto* inside = std::get_if<IntoNetns>(&placement);
  const Place place{.name = inside != nullptr ? inside->ifname : link_of(endpoint),
                    .parent = parent.index,
                    .netns_fd = inside != nullptr ? inside->fd : -1};
  TRY(const kernel::Link made, create(network, endpoint, place));
  undo.push([this, netns = place.netns_fd, made] {
    const auto name = IfName::parse(made.name).value_or(IfName());
    const Status gone = netns < 0 ? links_.remove(name) : links_.remove_inside(netns, made.index);
    if (!gone) log::error("undo: remove link", {{"error", gone.error().text}});
  });
  fault_point("parent.attach.made");
  std::vector<kernel::RouteSpec> added;
  if (inside != nullptr) {
    TRY(added, links_.configure_container(container_side(endpoint, *inside, made.index, true)));
  }
  fault_point("parent.attach.configured");
  return EndpointLinks{.host_links = {},
                       .container_ifname = place.name,
                       .container_mac = made.mac,
                       .mtu = network.mtu,
                       .routes = changed_routes(endpoint, added)};
}

Result<EndpointLinks> ParentDriver::give_addresses(Network& network, const Endpoint& endpoint,
                                                   const IntoNetns& inside, NetworkContext&,
                                                   Rollback&) {
  TRY(auto routes, give_addresses_inside(links_, endpoint, inside));
  fault_point("parent.addresses.configured");
  TRY(EndpointLinks links, attached_links(network, endpoint, inside));
  links.routes = std::move(routes);
  return links;
}

Status ParentDriver::detach(const Network& network, const Endpoint& endpoint) {
  if (const IfName name = link_of(endpoint); !name.empty()) TRY_STATUS(links_.remove(name));
  // The path of an earlier boot may be another container's by now.
  if (endpoint.netns_path.empty() || endpoint.boot_id != boot_id_) return {};
  const auto inside = look_inside(network, endpoint);
  if (!inside && inside.error().code == Code::kNotFound) return {};
  if (!inside) return fail(inside.error());
  for (const kernel::Link& link : inside->links)
    if (is_of(network, endpoint, link, inside->netns.get()))
      return links_.remove_inside(inside->netns.get(), link.index);
  return {};
}

Status ParentDriver::check(const Network& network, const Endpoint& endpoint, int netns_fd,
                           std::string_view ifname) {
  TRY(const kernel::Link parent, parent_link(parent_of(network)));
  if (!parent.up) return fail(Code::kConflict, "interface {} is down", parent.name);
  if (netns_fd < 0) return {};
  TRY(const IfName name, IfName::parse(ifname));
  TRY(const auto view, links_.inspect(netns_fd, name));
  if (view.link.kind != kind_.mode || view.link.peer_index != parent.index)
    return fail(Code::kConflict, "interface {} of the container is not on {}", name.str(),
                parent.name);
  return check_container_side(endpoint, view);
}

Result<EndpointLinks> ParentDriver::attached_links(const Network& network, const Endpoint& endpoint,
                                                   const IntoNetns& inside) {
  TRY_STATUS(check(network, endpoint, inside.fd, inside.ifname.str()));
  TRY(const auto view, links_.inspect(inside.fd, inside.ifname));
  return EndpointLinks{.host_links = {},
                       .container_ifname = inside.ifname,
                       .container_mac = view.link.mac,
                       .mtu = network.mtu};
}

// Nothing in the host tells of a link in a container, so its namespace is asked. A container whose
// namespace cannot be told counts as alive: the path may show something else in this mount
// namespace. So does one that has changed its MAC.
Result<Liveness> ParentDriver::liveness(const Network& network, const Endpoint& endpoint) {
  const auto waiting = links_.find(link_of(endpoint));
  if (waiting) return Liveness::kWaiting;
  if (waiting.error().code != Code::kNotFound) return fail(waiting.error());
  if (endpoint.netns_path.empty()) return Liveness::kAlive;
  const auto inside = look_inside(network, endpoint);
  if (inside) return inside->links.empty() ? Liveness::kGone : Liveness::kAlive;
  if (inside.error().code != Code::kNotFound) return fail(inside.error());
  std::error_code unreadable;
  const bool there = std::filesystem::exists(endpoint.netns_path, unreadable);
  return there || unreadable ? Liveness::kAlive : Liveness::kGone;
}

// VLANs are told by their alias; two drivers may list one.
Result<std::vector<MadeLink>> ParentDriver::list_links() {
  TRY(const auto all, links_.list());
  std::vector<MadeLink> made;
  for (const kernel::Link& link : all) {
    const bool own = link.kind == kind_.mode && link.name.starts_with(kind_.link_prefix) &&
                     link.name.size() == kind_.link_prefix.size() + 12;
    const bool vlan = link.kind == "vlan" && link.alias.starts_with("fairlead ");
    const auto name = IfName::parse(link.name);
    if ((own || vlan) && name) made.push_back({*name, link.alias});
  }
  return made;
}

std::vector<IfName> ParentDriver::links_of(const Network& network) const {
  if (!makes_its_parent(network)) return {};
  return {parent_of(network)};
}

std::vector<IfName> ParentDriver::links_of(const Endpoint& endpoint) const {
  const IfName name = link_of(endpoint);
  return name.empty() ? std::vector<IfName>() : std::vector{name};
}

Result<kernel::Link> ParentDriver::parent_link(const IfName& name) {
  auto parent = links_.find(name);
  if (!parent && parent.error().code == Code::kNotFound)
    return fail(Code::kNotFound,
                "the parent interface {} does not exist; `ip link` shows those that do",
                name.str());
  return parent;
}

// A name in the host's namespace follows from ids, so a link that has it was left by a crash.
Result<kernel::Link> ParentDriver::create(const Network& network, const Endpoint& endpoint,
                                          const Place& place) {
  auto made = make_link(network, endpoint, place);
  if (made || made.error().code != Code::kExists || place.netns_fd >= 0) return made;
  TRY_STATUS(links_.remove(place.name));
  return make_link(network, endpoint, place);
}

// The interfaces on the network's parent in the namespace that the endpoint's record names. They
// are told by the parent, because a container may have links of other networks, and MACs follow
// from addresses, which may be the same there.
Result<ParentDriver::Inside> ParentDriver::look_inside(const Network& network,
                                                       const Endpoint& endpoint) {
  const auto parent = links_.find(parent_of(network));
  if (!parent && parent.error().code == Code::kNotFound) return Inside();  // and all on it
  if (!parent) return fail(parent.error());
  TRY(auto netns, kernel::open_netns(endpoint.netns_path));
  TRY(auto links, links_.list_inside(netns.get()));
  std::erase_if(links, [&](const kernel::Link& link) {
    return link.kind != kind_.mode || link.peer_index != parent->index;
  });
  return Inside{std::move(netns), std::move(links)};
}

}  // namespace fairlead::network
