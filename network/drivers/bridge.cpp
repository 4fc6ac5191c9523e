#include "network/drivers/bridge.h"

#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/api/options.h"
#include "network/api/subnet_specs.h"
#include "network/drivers/bridge_record.h"
#include "network/drivers/container_side.h"
#include "network/drivers/route_localnet.h"

namespace fairlead::network {

namespace {

// A network in a VLAN of somebody else's bridge. The host itself is not in that VLAN: it routes
// nothing there, and the gateway is another machine.
bool is_away(const Network& network) {
  return network.options.vlan && BridgeRecord::of(network).foreign;
}

// The gateway addresses that the bridge carries. An isolated family has none (Docker's gateway mode
// "isolated"), and IPv4 has none where another router on the bridge is the gateway (inhibit_ipv4).
std::vector<Cidr> bridge_addresses(const Network& network) {
  std::vector<Cidr> addresses;
  if (is_away(network)) return addresses;
  for (const Subnet& subnet : network.subnets) {
    const bool v4 = subnet.subnet.is_v4();
    const GatewayMode mode = v4 ? network.options.gateway_mode_v4 : network.options.gateway_mode_v6;
    const bool inhibited = v4 && network.options.inhibit_ipv4;
    if (subnet.gateway && mode != GatewayMode::kIsolated && !inhibited)
      addresses.push_back(Cidr::of(*subnet.gateway, subnet.subnet.prefix_length()));
  }
  return addresses;
}

// The programs whose bridges, by their names, are not joined, nor made in their place: they take
// them for their own, with addresses and rules that Fairlead does not know.
bool is_docker_network(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return name.starts_with("br-") && name.size() == 15 &&
         name.find_first_not_of(kDigits, 3) == name.npos;
}
bool is_numbered(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && name.size() > prefix.size() &&
         name.find_first_not_of("0123456789", prefix.size()) == name.npos;
}
std::string_view master_of(const IfName& bridge) {
  const std::string_view name = bridge.str();
  if (name == "docker0" || name == "docker_gwbridge" || is_docker_network(name)) return "Docker";
  if (is_numbered(name, "virbr")) return "libvirt";
  for (const std::string_view prefix : {"lxcbr", "lxdbr", "incusbr"})
    if (is_numbered(name, prefix)) return "LXC";
  for (const std::string_view prefix : {"podman", "cni", "cni-podman"})
    if (is_numbered(name, prefix)) return "another container runtime";
  return {};
}

Status check_bridge_name(const IfName& bridge) {
  const std::string_view master = master_of(bridge);
  if (master.empty()) return {};
  return fail(Code::kInvalid,
              "bridge {} is {}'s own: it gives out the addresses there and filters what it routes; "
              "leave the option \"bridge\" out, or make a bridge for both with `ip link add NAME "
              "type bridge`",
              bridge.str(), master);
}

// Whether the network is that of the runtime which gives bridges such names.
bool is_of_runtime(const Network& network) {
  const auto made = network.labels.find(kMadeForLabel);
  return made != network.labels.end() && made->second == "podman";
}

// Whether neighbours have to be told the MAC address, because it is not the one that is derived
// from the IP address, under which they may know it.
bool needs_announcement(const Endpoint& endpoint, const MacAddress& mac) {
  return std::ranges::any_of(endpoint.addresses, [&](const Cidr& address) {
    return MacAddress::for_ip(address.address()) != mac;
  });
}

class BridgeDriver : public Driver {
 public:
  BridgeDriver(kernel::Links& links, kernel::Tunnels& tunnels, std::string boot_id,
               kernel::PortFlags ports, StoreMark mark, BeforeForwarding before_forwarding)
      : links_(links),
        tunnels_(tunnels),
        localnet_(links, boot_id),
        boot_id_(std::move(boot_id)),
        ports_(ports),
        mark_(std::move(mark)),
        before_forwarding_(std::move(before_forwarding)) {}

  NetworkTraits traits() const override { return {}; }

  Status validate(const NetworkSpec& spec) const override {
    const auto& options = spec.options;
    if (options.parent)
      return fail(Code::kInvalid,
                  "option \"parent\" belongs to the modes macvlan and ipvlan, not to bridge");
    if (options.encrypted)
      return fail(Code::kInvalid,
                  "option \"encrypted\" is for mode \"overlay\": what stays on one host is not "
                  "encrypted");
    if (!options.driver.empty()) return unknown_option(options.driver.begin()->first);
    if (options.host_access && !spec.internal)
      return fail(Code::kInvalid,
                  "option \"host_access\" is for internal networks (--internal): the containers of "
                  "others reach the host");
    const bool isolated = options.gateway_mode_v4 == GatewayMode::kIsolated ||
                          options.gateway_mode_v6 == GatewayMode::kIsolated;
    if (isolated && !spec.internal)
      return fail(Code::kInvalid,
                  "gateway mode \"isolated\" needs an internal network (--internal)");
    return check_gateways(spec);
  }

  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override {
    IfName bridge;
    if (network.options.bridge) {
      bridge = *network.options.bridge;
      if (!is_of_runtime(network)) TRY_STATUS(check_bridge_name(bridge));
    } else {
      TRY(bridge, IfName::parse(fmt::format("{}{}", kBridgePrefix, network.id.substr(0, 12))));
    }
    for (const Network& other : others) {
      if (bridge_of(other) != bridge || (is_away(other) && is_other_vlan(network, other))) continue;
      return fail(Code::kExists, "bridge {} belongs to network {}{}; choose another {}",
                  bridge.str(), other.name.str(),
                  is_away(other) ? fmt::format(", which is its VLAN {}", *other.options.vlan) : "",
                  is_away(other) && network.options.vlan ? "one with -o vlan=ID"
                                                         : "name with -o bridge=NAME");
    }
    BridgeRecord record{.bridge = bridge, .mac = bridge_mac_of(network.id)};
    NetworkPlan plan;
    TRY(plan.mtu, choose_mtu(network));
    const auto there = links_.find(bridge);
    if (!there && there.error().code != Code::kNotFound) return fail(there.error());
    if (there) TRY_STATUS(adopt(*there, plan, record));
    if (record.foreign && network.options.vlan) TRY_STATUS(check_filtering(*there));
    plan.links = record.text();
    return plan;
  }

  // The addresses of a foreign bridge have a route inside the subnet, which is right.
  bool is_on_host_network(const Network& network) const override {
    return BridgeRecord::of(network).foreign;
  }

  std::string why_no_ports(const Network& network) const override {
    if (!is_away(network)) return {};
    return fmt::format(
        "they are in VLAN {} of bridge {}, where the host is not; they answer there on every port "
        "that they listen to",
        *network.options.vlan, bridge_of(network).str());
  }

  std::vector<IpAddress> own_gateways(const Network& network) const override {
    std::vector<IpAddress> gateways;
    for (const Cidr& each : bridge_addresses(network))
      if (std::ranges::find(gateways, each.address()) == gateways.end())
        gateways.push_back(each.address());
    return gateways;
  }

  FirewallLinks firewall_links(const Network& network) const override {
    if (is_away(network)) return {};
    return {.interfaces = {bridge_of(network)},
            .shared = BridgeRecord::of(network).foreign,
            .tunnels = {}};
  }

  Status ensure(Network& network, Rollback& undo) override {
    const IfName bridge = bridge_of(network);
    const bool was_there = links_.find(bridge).has_value();
    kernel::BridgeSpec spec{.name = bridge,
                            .mac = BridgeRecord::of(network).mac,
                            .mtu = network.mtu,
                            .addresses = bridge_addresses(network),
                            .ipv6 = network.has(Family::kV6),
                            .alias = mark_.after("fairlead " + network.name.str()),
                            .vlan = network.options.vlan};
    TRY(const kernel::Link made, links_.ensure_bridge(spec, BridgeRecord::of(network).foreign));
    if (!was_there)
      undo.push([this, bridge] {
        if (auto gone = links_.remove(bridge); !gone)
          log::error("undo: remove bridge", {{"error", gone.error().text}});
      });
    TRY_STATUS(keep_mac(network, made));
    fault_point("bridge.ensure.made");
    return enable_forwarding(network);
  }

  std::vector<std::string> missing(const Network& network) override {
    if (links_.find(bridge_of(network))) return {};
    return {fmt::format("bridge {}", bridge_of(network).str())};
  }

  std::string problem(const Network& network) override { return localnet_.problem(network); }

  Status remove(const Network& network) override {
    if (!BridgeRecord::of(network).foreign) return links_.remove(bridge_of(network));
    const auto bridge = links_.find(bridge_of(network));
    if (!bridge) return {};
    for (const Cidr& address : bridge_addresses(network))
      TRY_STATUS(links_.remove_address(bridge->index, address));
    return {};
  }

  Result<DriverRecord> plan_endpoint(const Network& network,
                                     const Endpoint& endpoint) const override {
    return veth_record(network, endpoint);
  }

  std::optional<IfName> bridge_port(const Endpoint& endpoint) const override {
    return host_side_of(endpoint);
  }

  Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                               const Placement& placement, NetworkContext& context,
                               Rollback& undo) override {
    TRY(auto bridge, bridge_link(network, context));
    const auto* inside = std::get_if<IntoNetns>(&placement);
    TRY(auto peer, peer_name(endpoint, inside));
    kernel::VethSpec spec{.host_name = host_side_of(endpoint),
                          .peer_name = peer,
                          .peer_netns_fd = inside != nullptr ? inside->fd : -1,
                          .peer_mac = *endpoint.mac,
                          .mtu = network.mtu,
                          .master = bridge.index,
                          .port = port_flags(network, !endpoint.ports.empty())};
    TRY(auto veth, create_own_veth(links_, spec));
    undo.push([this, name = host_side_of(endpoint)] {
      if (auto gone = links_.remove(name); !gone)
        log::error("undo: remove veth", {{"error", gone.error().text}});
    });
    fault_point("bridge.attach.veth");
    std::vector<Route> routes;
    if (inside != nullptr) {
      TRY(routes, configure(endpoint, *inside, veth));
    }
    TRY_STATUS(set_up_port(network, endpoint, veth.host_index));
    // What a runtime has yet to take carries nothing before the runtime brings it up.
    if (inside != nullptr)
      TRY_STATUS(links_.settle(veth.host_index));
    else
      announce(bridge.index, endpoint, *endpoint.mac);
    TRY_STATUS(localnet_.open(network, endpoint, context));
    undo.push([this, &network, &endpoint, &context] {
      if (auto closed = localnet_.close(network, endpoint, Endpoint{.id = endpoint.id}, context);
          !closed)
        log::error("undo: publish ports", {{"error", closed.error().text}});
    });
    return EndpointLinks{.host_links = {{bridge_of(network), BridgeRecord::of(network).mac},
                                        {host_side_of(endpoint), veth.host_mac}},
                         .container_ifname = peer,
                         .container_mac = *endpoint.mac,
                         .mtu = network.mtu,
                         .routes = std::move(routes)};
  }

  Result<EndpointLinks> give_addresses(Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside, NetworkContext&,
                                       Rollback&) override {
    TRY(auto routes, give_addresses_inside(links_, endpoint, inside));
    fault_point("bridge.addresses.configured");
    TRY(EndpointLinks links, attached_links(network, endpoint, inside));
    links.routes = std::move(routes);
    return links;
  }

  Status detach(const Network& network, const Endpoint& endpoint) override {
    TRY_STATUS(links_.remove(host_side_of(endpoint)));
    // The next endpoint with the address will have the MAC derived from it, unless that endpoint
    // announces another one.
    if (endpoint.mac && !endpoint.addresses.empty() &&
        MacAddress::for_ip(endpoint.addresses.front().address()) != *endpoint.mac) {
      if (const auto bridge = links_.find(bridge_of(network)))
        announce(bridge->index, endpoint, MacAddress::for_ip(endpoint.addresses.front().address()));
    }
    return {};
  }

  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override {
    TRY(auto bridge, links_.find(bridge_of(network)));
    TRY(auto host, links_.find(host_side_of(endpoint)));
    if (host.master != bridge.index)
      return fail(Code::kConflict, "interface {} is not a port of bridge {}", host.name,
                  bridge.name);
    if (!host.up || !bridge.up)
      return fail(Code::kConflict, "interface {} is down", host.up ? bridge.name : host.name);
    TRY(const bool in_vlan, is_in_vlan(network, host));
    if (!in_vlan)
      return fail(Code::kConflict, "interface {} is not a port of VLAN {} alone", host.name,
                  *network.options.vlan);
    if (netns_fd < 0) return {};
    TRY(auto name, IfName::parse(ifname));
    TRY(auto view, links_.inspect(netns_fd, name));
    return check_container_side(endpoint, view);
  }

  Result<EndpointLinks> attached_links(const Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside) override {
    TRY_STATUS(check(network, endpoint, inside.fd, inside.ifname.str()));
    TRY(const auto host, links_.find(host_side_of(endpoint)));
    return EndpointLinks{.host_links = {{bridge_of(network), BridgeRecord::of(network).mac},
                                        {host_side_of(endpoint), host.mac}},
                         .container_ifname = inside.ifname,
                         .container_mac = *endpoint.mac,
                         .mtu = network.mtu};
  }

  Result<Liveness> liveness(const Network&, const Endpoint& endpoint) override {
    const auto link = links_.find(host_side_of(endpoint));
    if (link) return link->peer_elsewhere ? Liveness::kAlive : Liveness::kWaiting;
    if (link.error().code == Code::kNotFound) return Liveness::kGone;
    return fail(link.error());
  }

  Result<bool> mend(const Network& network, const Endpoint& endpoint) override {
    TRY(auto bridge, links_.find(bridge_of(network)));
    TRY(auto host, links_.find(host_side_of(endpoint)));
    TRY(const bool in_vlan, is_in_vlan(network, host));
    if (host.master == bridge.index && host.up && in_vlan) return false;
    TRY_STATUS(
        links_.set_master(host.index, bridge.index, port_flags(network, !endpoint.ports.empty())));
    TRY_STATUS(set_up_port(network, endpoint, host.index));
    TRY_STATUS(links_.settle(host.index));
    return true;
  }

  // A port of the bridge reflects packets only while the endpoint has published ports (hairpin
  // mode).
  Status open_ports(Network& network, const Endpoint& after, NetworkContext& context) override {
    if (!after.ports.empty()) TRY_STATUS(set_hairpin(network, after, true));
    return localnet_.open(network, after, context);
  }

  Status close_ports(Network& network, const Endpoint& before, const Endpoint& after,
                     NetworkContext& context) override {
    if (after.joined && after.ports.empty() && !before.ports.empty())
      TRY_STATUS(set_hairpin(network, after, false));
    return localnet_.close(network, before, after, context);
  }

  Result<std::vector<std::string>> mend_ports(Network& network, std::span<const Endpoint> endpoints,
                                              NetworkContext& context) override {
    return localnet_.mend(network, endpoints, context);
  }
  Status shut_ports(const Network& network) override { return localnet_.shut(network); }

  Result<std::vector<MadeLink>> list_links() override {
    TRY(const auto all, links_.list());
    std::vector<MadeLink> made;
    for (const kernel::Link& link : all) {
      const bool veth =
          link.kind == "veth" &&
          ((link.name.starts_with(kVethPrefix) && link.name.size() == kVethPrefix.size() + 12) ||
           is_name_of(link.name, kNamedVethPrefix, kNamedVethDigits));
      const bool bridge = link.kind == "bridge" && link.name.starts_with(kBridgePrefix) &&
                          link.alias.starts_with("fairlead ");
      const auto name = IfName::parse(link.name);
      if ((veth || bridge) && name) made.push_back({*name, link.alias});
    }
    return made;
  }

  std::vector<IfName> links_of(const Network& network) const override {
    return {bridge_of(network)};
  }
  std::vector<IfName> links_of(const Endpoint& endpoint) const override {
    return {host_side_of(endpoint)};
  }
  Status remove_link(const IfName& name) override { return links_.remove(name); }

 private:
  Result<unsigned> choose_mtu(const Network& network) {
    if (network.options.mtu) return *network.options.mtu;
    TRY(auto uplink, links_.host_routing().default_route_link());
    return uplink ? std::min(uplink->mtu, 65535U) : 1500U;
  }

  // An existing bridge is used if the user named it, or if Fairlead made it before a crash. One
  // whose alias does not begin with "fairlead " belongs to somebody else, and keeps its MAC and
  // MTU.
  static Status adopt(const kernel::Link& there, NetworkPlan& plan, BridgeRecord& record) {
    if (there.kind != "bridge")
      return fail(
          Code::kExists,
          "interface {} exists and is {}, not a bridge; choose another name with -o bridge=NAME",
          there.name, there.kind.empty() ? "a network card" : "of the kind " + there.kind);
    if (there.alias.starts_with("fairlead ")) return {};
    record.foreign = true;
    record.mac = there.mac;
    plan.mtu = there.mtu;
    return {};
  }

  // The bridge is the gateway, unless nobody is, or another router on it.
  static Status check_gateways(const NetworkSpec& spec) {
    constexpr std::string_view kHint = "use -o mode=routed";
    const NetworkOptions& options = spec.options;
    if (spec.internal || (options.vlan && options.bridge)) return {};
    if (!options.inhibit_ipv4)
      TRY_STATUS(refuse_single_addresses(spec.subnets, Family::kV4, kHint));
    return refuse_single_addresses(spec.subnets, Family::kV6, kHint);
  }

  static bool is_other_vlan(const Network& network, const Network& other) {
    return network.options.vlan && network.options.vlan != other.options.vlan;
  }

  static Status check_filtering(const kernel::Link& bridge) {
    if (!bridge.filters_vlans)
      return fail(Code::kUnsupported,
                  "option \"vlan\": this kernel has no bridge VLAN filtering: "
                  "CONFIG_BRIDGE_VLAN_FILTERING");
    if (*bridge.filters_vlans) return {};
    return fail(
        Code::kInvalid,
        "option \"vlan\": bridge {} does not look at VLANs; switch it on with `ip link set {} "
        "type bridge vlan_filtering 1`",
        bridge.name, bridge.name);
  }

  Result<bool> is_in_vlan(const Network& network, const kernel::Link& port) {
    if (!network.options.vlan) return true;
    return links_.has_access_vlan(port.index, *network.options.vlan);
  }

  Status enable_forwarding(const Network& network) {
    if (network.internal || is_away(network)) return {};
    for (const Family family : {Family::kV4, Family::kV6}) {
      if (!network.has(family)) continue;
      TRY(const bool on, links_.host_routing().is_forwarding(family));
      if (on) continue;
      if (before_forwarding_) TRY_STATUS(before_forwarding_(family));
      fault_point("bridge.forwarding.held");
      TRY(const bool changed, links_.host_routing().enable_forwarding(family));
      fault_point("bridge.forwarding.on");
      if (changed)
        log::info("forwarding switched on", {{"family", family == Family::kV4 ? "ipv4" : "ipv6"}});
    }
    return {};
  }

  // A bridge whose MAC was not set takes the lowest MAC of its ports, so the MAC of the containers'
  // gateway would change when a container is removed. A foreign bridge keeps its own one from the
  // first use on, once in each boot and when it was made again.
  Status keep_mac(Network& network, const kernel::Link& bridge) {
    if (!needs_keeping(network, bridge)) return {};
    TRY_STATUS(links_.set_mac(bridge.index, bridge.mac));
    BridgeRecord record = BridgeRecord::of(network);
    if (record.boot != boot_id_) record.localnet_opened = false;
    record.mac = bridge.mac;
    record.boot = boot_id_;
    network.links = record.text();
    return {};
  }

  bool needs_keeping(const Network& network, const kernel::Link& bridge) const {
    const BridgeRecord record = BridgeRecord::of(network);
    return record.foreign && !is_away(network) &&
           (record.boot != boot_id_ || bridge.mac != record.mac);
  }

  // Finds the bridge, and makes it again when someone has deleted it. When somebody else's bridge
  // was made again, or the host was restarted, the network's addresses are missing on it as well.
  Result<kernel::Link> bridge_link(Network& network, NetworkContext& context) {
    auto bridge = links_.find(bridge_of(network));
    if (!bridge && bridge.error().code != Code::kNotFound) return bridge;
    if (bridge && !needs_keeping(network, *bridge)) return bridge;
    const DriverRecord before = network.links;
    Rollback made;
    TRY_STATUS(ensure(network, made));
    made.commit();
    if (network.links != before) TRY_STATUS(context.remember(network));
    if (!bridge)
      log::warn("bridge made again",
                {{"bridge", bridge_of(network).str()}, {"network", network.name.str()}});
    return links_.find(bridge_of(network));
  }

  Status set_hairpin(const Network& network, const Endpoint& endpoint, bool on) {
    TRY(const auto host, links_.find(host_side_of(endpoint)));
    return links_.set_port_flags(host.index, port_flags(network, on));
  }

  static Result<IfName> peer_name(const Endpoint& endpoint, const IntoNetns* inside) {
    if (inside != nullptr) return inside->ifname;
    return IfName::parse(fmt::format(
        "{}{}", kPeerPrefix, digits_of(host_side_of(endpoint), kVethPrefix, kNamedVethPrefix)));
  }

  Result<std::vector<Route>> configure(const Endpoint& endpoint, const IntoNetns& inside,
                                       const kernel::Veth& veth) {
    TRY(const auto added,
        links_.configure_container(container_side(endpoint, inside, veth.peer_index,
                                                  needs_announcement(endpoint, *endpoint.mac))));
    fault_point("bridge.attach.configured");
    return changed_routes(endpoint, added);
  }

  kernel::PortFlags port_flags(const Network& network, bool published) const {
    kernel::PortFlags flags = ports_;
    flags.hairpin = published;
    flags.isolated = !network.options.icc;
    flags.vlan = network.options.vlan;
    if (is_pinned(network)) flags.learning = false;
    return flags;
  }

  // Fairlead's own bridges learn nothing from link-local frames (BridgeSpec). Somebody else's do, and
  // so learn nothing at all from containers.
  static bool is_pinned(const Network& network) {
    return BridgeRecord::of(network).foreign && network.options.spoofing == Spoofing::kDeny;
  }

  Status set_up_port(const Network& network, const Endpoint& endpoint, int host_index) {
    if (is_pinned(network) && endpoint.mac)
      TRY_STATUS(tunnels_.pin(host_side_of(endpoint), *endpoint.mac));
    const Rates& rates = endpoint.rates;
    if (rates.in_bits == 0 && rates.out_bits == 0) return {};
    return links_.set_rates(host_index, rates.in_bits, rates.in_burst_bits, rates.out_bits,
                            rates.out_burst_bits);
  }

  // Failures are only logged: neighbours learn the new MAC by themselves in the end.
  void announce(int bridge_index, const Endpoint& endpoint, const MacAddress& mac) {
    if (!needs_announcement(endpoint, *endpoint.mac)) return;
    for (const Cidr& address : endpoint.addresses)
      if (auto told = links_.announce(bridge_index, address.address(), mac); !told)
        log::warn("announce address",
                  {{"address", address.to_string()}, {"error", told.error().text}});
  }

  kernel::Links& links_;
  kernel::Tunnels& tunnels_;
  RouteLocalnet localnet_;
  const std::string boot_id_;
  const kernel::PortFlags ports_;
  const StoreMark mark_;
  const BeforeForwarding before_forwarding_;
};

}  // namespace

IfName bridge_of(const Network& network) { return BridgeRecord::of(network).bridge; }

std::unique_ptr<Driver> make_bridge_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                           std::string boot_id, kernel::PortFlags ports,
                                           StoreMark mark, BeforeForwarding before_forwarding) {
  return std::make_unique<BridgeDriver>(links, tunnels, std::move(boot_id), ports, std::move(mark),
                                        std::move(before_forwarding));
}

}  // namespace fairlead::network
