#include "network/drivers/bridge.h"

#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"

namespace fairlead::network {

namespace {

// The gateway addresses that the bridge carries. An isolated family has none (Docker's gateway mode
// "isolated").
std::vector<Cidr> bridge_addresses(const Network& network) {
  std::vector<Cidr> addresses;
  for (const Subnet& subnet : network.subnets) {
    const bool v4 = subnet.subnet.is_v4();
    const GatewayMode mode = v4 ? network.options.gateway_mode_v4 : network.options.gateway_mode_v6;
    if (subnet.gateway && mode != GatewayMode::kIsolated)
      addresses.push_back(Cidr::of(*subnet.gateway, subnet.subnet.prefix_length()));
  }
  return addresses;
}

kernel::RouteSpec to_kernel(const Route& route) {
  return {.destination = route.destination,
          .via = route.via,
          .mtu = route.mtu,
          .advmss = route.advmss,
          .priority = route.priority,
          .table = route.table,
          .scope = route.scope};
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
  BridgeDriver(kernel::Links& links, kernel::PortFlags ports, StoreMark mark)
      : links_(links), ports_(ports), mark_(std::move(mark)) {}

  Status validate(const NetworkSpec& spec) const override {
    const auto& options = spec.options;
    if (options.parent)
      return fail(Code::kInvalid,
                  "option \"parent\" belongs to the modes macvlan and ipvlan, not to bridge");
    const bool isolated = options.gateway_mode_v4 == GatewayMode::kIsolated ||
                          options.gateway_mode_v6 == GatewayMode::kIsolated;
    if (isolated && !spec.internal)
      return fail(Code::kInvalid,
                  "gateway mode \"isolated\" needs an internal network (--internal)");
    return {};
  }

  Result<NetworkLinks> plan(const Network& network) override {
    NetworkLinks plan;
    if (network.options.bridge) {
      plan.bridge = *network.options.bridge;
    } else {
      TRY(plan.bridge, IfName::parse("fl-" + network.id.substr(0, 12)));
    }
    plan.bridge_mac = MacAddress::from_hash(network.id);
    TRY(plan.mtu, choose_mtu(network));
    auto there = links_.find(plan.bridge);
    if (!there && there.error().code != Code::kNotFound) return fail(there.error());
    if (there) TRY_STATUS(adopt(*there, plan));
    return plan;
  }

  Status ensure(const Network& network, Rollback& undo) override {
    const bool was_there = links_.find(network.bridge).has_value();
    kernel::BridgeSpec spec{.name = network.bridge,
                            .mac = network.bridge_mac,
                            .mtu = network.mtu,
                            .addresses = bridge_addresses(network),
                            .ipv6 = network.has(Family::kV6),
                            .alias = mark_.after("fairlead " + network.name.str())};
    TRY_STATUS(links_.ensure_bridge(spec, network.foreign_bridge));
    if (!was_there)
      undo.push([this, name = network.bridge] {
        if (auto gone = links_.remove(name); !gone)
          log::error("undo: remove bridge", {{"error", gone.error().text}});
      });
    fault_point("bridge.ensure.made");
    return enable_forwarding(network);
  }

  Status remove(const Network& network) override {
    if (!network.foreign_bridge) return links_.remove(network.bridge);
    const auto bridge = links_.find(network.bridge);
    if (!bridge) return {};
    for (const Cidr& address : bridge_addresses(network))
      TRY_STATUS(links_.remove_address(bridge->index, address));
    return {};
  }

  Result<EndpointLinks> attach(const Network& network, const Endpoint& endpoint,
                               const Placement& placement, Rollback& undo) override {
    TRY(auto bridge, bridge_link(network));
    const auto* inside = std::get_if<IntoNetns>(&placement);
    TRY(auto peer, peer_name(endpoint, inside));
    kernel::VethSpec spec{.host_name = endpoint.host_ifname,
                          .peer_name = peer,
                          .peer_netns_fd = inside != nullptr ? inside->fd : -1,
                          .peer_mac = *endpoint.mac,
                          .mtu = network.mtu,
                          .master = bridge.index};
    TRY(auto veth, create_veth(spec));
    undo.push([this, name = endpoint.host_ifname] {
      if (auto gone = links_.remove(name); !gone)
        log::error("undo: remove veth", {{"error", gone.error().text}});
    });
    fault_point("bridge.attach.veth");
    if (inside != nullptr) TRY_STATUS(configure(endpoint, *inside, veth));
    TRY_STATUS(apply_flags(network, endpoint, veth.host_index));
    TRY_STATUS(links_.settle(veth.host_index));
    if (inside == nullptr) announce(bridge.index, endpoint, *endpoint.mac);
    return EndpointLinks{.host_mac = veth.host_mac,
                         .container_ifname = peer,
                         .container_mac = *endpoint.mac,
                         .mtu = network.mtu};
  }

  Status detach(const Network& network, const Endpoint& endpoint) override {
    TRY_STATUS(links_.remove(endpoint.host_ifname));
    // The next endpoint with the address will have the MAC derived from it, unless that endpoint
    // announces another one.
    if (endpoint.mac && !endpoint.addresses.empty() &&
        MacAddress::for_ip(endpoint.addresses.front().address()) != *endpoint.mac) {
      if (const auto bridge = links_.find(network.bridge))
        announce(bridge->index, endpoint, MacAddress::for_ip(endpoint.addresses.front().address()));
    }
    return {};
  }

  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override {
    TRY(auto bridge, links_.find(network.bridge));
    TRY(auto host, links_.find(endpoint.host_ifname));
    if (host.master != bridge.index)
      return fail(Code::kConflict, "interface {} is not a port of bridge {}", host.name,
                  bridge.name);
    if (!host.up || !bridge.up)
      return fail(Code::kConflict, "interface {} is down", host.up ? bridge.name : host.name);
    if (netns_fd < 0) return {};
    TRY(auto name, IfName::parse(ifname));
    TRY(auto view, links_.inspect(netns_fd, name));
    return check_inside(endpoint, view);
  }

  Result<Liveness> liveness(const Network&, const Endpoint& endpoint) override {
    const auto link = links_.find(endpoint.host_ifname);
    if (link) return link->peer_elsewhere ? Liveness::kAlive : Liveness::kWaiting;
    if (link.error().code == Code::kNotFound) return Liveness::kGone;
    return fail(link.error());
  }

  Result<bool> mend(const Network& network, const Endpoint& endpoint) override {
    TRY(auto bridge, links_.find(network.bridge));
    TRY(auto host, links_.find(endpoint.host_ifname));
    if (host.master == bridge.index && host.up) return false;
    TRY_STATUS(links_.set_master(host.index, bridge.index));
    TRY_STATUS(apply_flags(network, endpoint, host.index));
    TRY_STATUS(links_.settle(host.index));
    return true;
  }

  Status set_published(const Network& network, const Endpoint& endpoint, bool published) override {
    TRY(auto host, links_.find(endpoint.host_ifname));
    return links_.set_port_flags(host.index, port_flags(network, published));
  }

 private:
  Result<unsigned> choose_mtu(const Network& network) {
    if (network.options.mtu) return *network.options.mtu;
    TRY(auto uplink, links_.default_route_link());
    return uplink ? std::min(uplink->mtu, 65535U) : 1500U;
  }

  // An existing bridge is used if the user named it, or if Fairlead made it before a crash. One
  // whose alias does not begin with "fairlead " belongs to somebody else, and keeps its MAC and
  // MTU.
  static Status adopt(const kernel::Link& there, NetworkLinks& plan) {
    if (there.kind != "bridge")
      return fail(
          Code::kExists,
          "interface {} exists and is not a bridge; choose another name with -o bridge=NAME",
          there.name);
    plan.foreign_bridge = !there.alias.starts_with("fairlead ");
    if (plan.foreign_bridge) {
      plan.bridge_mac = there.mac;
      plan.mtu = there.mtu;
    }
    return {};
  }

  Status enable_forwarding(const Network& network) {
    if (network.internal) return {};
    for (const Family family : {Family::kV4, Family::kV6}) {
      if (!network.has(family)) continue;
      TRY(const bool changed, links_.enable_forwarding(family));
      if (changed)
        log::info("forwarding switched on", {{"family", family == Family::kV4 ? "ipv4" : "ipv6"}});
    }
    return {};
  }

  // Finds the bridge, and makes it again when someone has deleted it.
  Result<kernel::Link> bridge_link(const Network& network) {
    auto bridge = links_.find(network.bridge);
    if (bridge || bridge.error().code != Code::kNotFound) return bridge;
    Rollback made;
    TRY_STATUS(ensure(network, made));
    made.commit();
    log::warn("bridge made again",
              {{"bridge", network.bridge.str()}, {"network", network.name.str()}});
    return links_.find(network.bridge);
  }

  static Result<IfName> peer_name(const Endpoint& endpoint, const IntoNetns* inside) {
    if (inside != nullptr) return inside->ifname;
    return IfName::parse("flc" + endpoint.host_ifname.str().substr(3));
  }

  // Names are derived from ids, so an interface that already has the host-side name belongs to this
  // endpoint and was left by a crash. It is deleted.
  Result<kernel::Veth> create_veth(const kernel::VethSpec& spec) {
    auto veth = links_.create_veth(spec);
    if (veth || veth.error().code != Code::kExists) return veth;
    if (!links_.find(spec.host_name))
      return fail(Code::kExists, "interface {} exists already in the container",
                  spec.peer_name.str());
    TRY_STATUS(links_.remove(spec.host_name));
    return links_.create_veth(spec);
  }

  Status configure(const Endpoint& endpoint, const IntoNetns& inside, const kernel::Veth& veth) {
    kernel::ContainerSpec spec{.netns_fd = inside.fd,
                               .ifindex = veth.peer_index,
                               .name = inside.ifname,
                               .addresses = endpoint.addresses,
                               .announce = needs_announcement(endpoint, *endpoint.mac)};
    for (const Route& route : container_routes(endpoint)) spec.routes.push_back(to_kernel(route));
    TRY_STATUS(links_.configure_container(spec));
    fault_point("bridge.attach.configured");
    return {};
  }

  kernel::PortFlags port_flags(const Network& network, bool published) const {
    kernel::PortFlags flags = ports_;
    flags.hairpin = published;
    flags.isolated = !network.options.icc;
    return flags;
  }

  Status apply_flags(const Network& network, const Endpoint& endpoint, int host_index) {
    const kernel::PortFlags flags = port_flags(network, !endpoint.ports.empty());
    if (flags != kernel::PortFlags()) TRY_STATUS(links_.set_port_flags(host_index, flags));
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

  static Status check_inside(const Endpoint& endpoint, const kernel::InterfaceView& view) {
    if (!view.link.up)
      return fail(Code::kConflict, "interface {} of the container is down", view.link.name);
    for (const Cidr& address : endpoint.addresses)
      if (std::ranges::find(view.addresses, address) == view.addresses.end())
        return fail(Code::kConflict, "interface {} of the container has lost the address {}",
                    view.link.name, address.to_string());
    for (const Route& route : container_routes(endpoint)) {
      const bool there = std::ranges::any_of(view.routes, [&](const kernel::RouteSpec& seen) {
        return seen.destination == route.destination && (!route.via || seen.via == route.via);
      });
      if (!there && !route.table)
        return fail(Code::kConflict, "interface {} of the container has lost the route to {}",
                    view.link.name, route.destination.to_string());
    }
    return {};
  }

  kernel::Links& links_;
  const kernel::PortFlags ports_;
  const StoreMark mark_;
};

}  // namespace

std::unique_ptr<Driver> make_bridge_driver(kernel::Links& links, kernel::PortFlags ports,
                                           StoreMark mark) {
  return std::make_unique<BridgeDriver>(links, ports, std::move(mark));
}

}  // namespace fairlead::network
