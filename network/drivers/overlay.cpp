#include "network/drivers/overlay.h"

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/drivers/bridge.h"

namespace fairlead::network {

namespace {

constexpr unsigned kMinMtu4 = 68;    // RFC 791
constexpr unsigned kMinMtu6 = 1280;  // RFC 8200; below it the kernel takes IPv6 off an interface
constexpr unsigned kMaxMtu = 65535;
constexpr std::uint32_t kMaxVni = (1U << 24) - 1;

// The MAC addresses of all containers are known. So a container's port learns none, and packets for
// no local container go to the tunnel and to no other port.
constexpr kernel::PortFlags kContainerPort{.learning = false, .flood = false};

Result<OverlayParams> params_of(const Network& network) {
  if (network.overlay) return *network.overlay;
  return fail(Code::kInternal, "network {} of mode overlay has no VNI", network.name.str());
}

bool wants_ipv6(const NetworkSpec& spec) {
  return spec.ipv6 || std::ranges::any_of(spec.subnets, [](const SubnetSpec& subnet) {
           return (subnet.subnet ? subnet.subnet->family() : subnet.family) == Family::kV6;
         });
}

Status too_small_for_ipv6(unsigned mtu) {
  return fail(Code::kInvalid, "an MTU of {} is too small for IPv6, which needs {}", mtu, kMinMtu6);
}

class OverlayDriver : public Driver {
 public:
  OverlayDriver(kernel::Links& links, kernel::Tunnels& tunnels, std::string boot_id,
                OnTunnelMade on_tunnel_made, StoreMark mark, BeforeForwarding before_forwarding)
      : links_(links),
        tunnels_(tunnels),
        on_tunnel_made_(std::move(on_tunnel_made)),
        bridge_(make_bridge_driver(links, tunnels, std::move(boot_id), kContainerPort, mark,
                                   std::move(before_forwarding))),
        mark_(std::move(mark)) {}

  NetworkTraits traits() const override { return {.scope = NetworkTraits::Scope::kCluster}; }

  Status validate(const NetworkSpec& spec) const override {
    NetworkSpec local = spec;
    local.options.encrypted = false;
    TRY_STATUS(bridge_->validate(local));
    if (!spec.overlay)
      return fail(Code::kInvalid,
                  "mode \"overlay\" is for networks over several hosts, and this host knows of no "
                  "others; use mode \"bridge\", or join a cluster");
    const OverlayParams& params = *spec.overlay;
    if (params.vni == 0 || params.vni > kMaxVni)
      return fail(Code::kInvalid, "{} is no VNI; use 1 to {}", params.vni, kMaxVni);
    if (params.port == 0) return fail(Code::kInvalid, "0 is no UDP port for a tunnel");
    if (params.local.is_any() || params.local.is_multicast())
      return fail(Code::kInvalid, "{} is not this host's address in the underlay",
                  params.local.to_string());
    if (wants_ipv6(spec) && spec.options.mtu && *spec.options.mtu < kMinMtu6)
      return too_small_for_ipv6(*spec.options.mtu);
    return {};
  }

  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override {
    TRY(const OverlayParams params, params_of(network));
    TRY(const unsigned mtu, choose_mtu(network.options, params));
    TRY(NetworkPlan plan, bridge_->plan(network, others));
    if (BridgeRecord::of(plan.links).foreign)
      return fail(Code::kExists,
                  "bridge {} is not Fairlead's: an overlay needs one of its own; choose another "
                  "name with -o bridge=NAME",
                  network.options.bridge->str());
    plan.mtu = mtu;
    return plan;
  }

  bool is_on_host_network(const Network& network) const override {
    return bridge_->is_on_host_network(network);
  }

  std::vector<IpAddress> own_gateways(const Network& network) const override {
    return bridge_->own_gateways(network);
  }

  FirewallLinks firewall_links(const Network& network) const override {
    FirewallLinks links = bridge_->firewall_links(network);
    if (network.overlay)
      links.tunnels.push_back({.vni = network.overlay->vni,
                               .port = network.overlay->port,
                               .encrypted = network.options.encrypted});
    return links;
  }

  Status ensure(Network& network, Rollback& undo) override {
    TRY(const OverlayParams params, params_of(network));
    if (network.has(Family::kV6) && network.mtu < kMinMtu6) return too_small_for_ipv6(network.mtu);
    TRY_STATUS(bridge_->ensure(network, undo));
    TRY(const kernel::Link bridge, links_.find(bridge_of(network)));
    const IfName device = overlay_device(params);
    const bool was_there = links_.find(device).has_value();
    TRY(const kernel::Tunnel tunnel, tunnels_.ensure(tunnel_spec(network, params, bridge.index)));
    if (!was_there)
      undo.push([this, device] {
        if (auto gone = tunnels_.remove(device); !gone)
          log::error("undo: remove tunnel", {{"error", gone.error().text}});
      });
    fault_point("overlay.ensure.made");
    if (!tunnel.fresh) return {};
    log::info("tunnel made", {{"device", device.str()},
                              {"network", network.name.str()},
                              {"local", params.local.to_string()}});
    if (on_tunnel_made_) on_tunnel_made_(network.id);
    return {};
  }

  std::vector<std::string> missing(const Network& network) override {
    std::vector<std::string> words = bridge_->missing(network);
    if (network.overlay && !links_.find(overlay_device(*network.overlay)))
      words.push_back(fmt::format("tunnel {}", overlay_device(*network.overlay).str()));
    return words;
  }

  std::string problem(const Network& network) override { return bridge_->problem(network); }

  Status remove(const Network& network) override {
    if (network.overlay) TRY_STATUS(tunnels_.remove(overlay_device(*network.overlay)));
    fault_point("overlay.remove.tunnel");
    return bridge_->remove(network);
  }

  Result<DriverRecord> plan_endpoint(const Network& network,
                                     const Endpoint& endpoint) const override {
    return bridge_->plan_endpoint(network, endpoint);
  }

  std::optional<IfName> bridge_port(const Endpoint& endpoint) const override {
    return bridge_->bridge_port(endpoint);
  }

  Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                               const Placement& placement, NetworkContext& context,
                               Rollback& undo) override {
    TRY_STATUS(make_missing_links(network));
    TRY(EndpointLinks made, bridge_->attach(network, endpoint, placement, context, undo));
    TRY_STATUS(tunnels_.pin(host_side_of(endpoint), made.container_mac));
    fault_point("overlay.attach.pinned");
    return made;
  }

  Result<EndpointLinks> give_addresses(Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside, NetworkContext& context,
                                       Rollback& undo) override {
    return bridge_->give_addresses(network, endpoint, inside, context, undo);
  }

  // The kernel deletes the bridge's entry for the container's MAC together with the port.
  Status detach(const Network& network, const Endpoint& endpoint) override {
    return bridge_->detach(network, endpoint);
  }

  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override {
    TRY_STATUS(bridge_->check(network, endpoint, netns_fd, ifname));
    TRY(const OverlayParams params, params_of(network));
    TRY(const kernel::Link bridge, links_.find(bridge_of(network)));
    TRY(const kernel::Link tunnel, links_.find(overlay_device(params)));
    if (tunnel.master != bridge.index)
      return fail(Code::kConflict, "tunnel {} is not a port of bridge {}", tunnel.name,
                  bridge.name);
    if (!tunnel.up) return fail(Code::kConflict, "tunnel {} is down", tunnel.name);
    return {};
  }

  Result<EndpointLinks> attached_links(const Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside) override {
    TRY_STATUS(check(network, endpoint, inside.fd, inside.ifname.str()));
    return bridge_->attached_links(network, endpoint, inside);
  }

  Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) override {
    return bridge_->liveness(network, endpoint);
  }

  Result<bool> mend(const Network& network, const Endpoint& endpoint) override {
    TRY(const bool mended, bridge_->mend(network, endpoint));
    if (endpoint.mac) TRY_STATUS(tunnels_.pin(host_side_of(endpoint), *endpoint.mac));
    return mended;
  }

  Status open_ports(Network& network, const Endpoint& after, NetworkContext& context) override {
    return bridge_->open_ports(network, after, context);
  }
  Status close_ports(Network& network, const Endpoint& before, const Endpoint& after,
                     NetworkContext& context) override {
    return bridge_->close_ports(network, before, after, context);
  }
  Result<std::vector<std::string>> mend_ports(Network& network, std::span<const Endpoint> endpoints,
                                              NetworkContext& context) override {
    return bridge_->mend_ports(network, endpoints, context);
  }
  Status shut_ports(const Network& network) override { return bridge_->shut_ports(network); }

  // The bridges and veth pairs are listed by the bridge driver.
  Result<std::vector<MadeLink>> list_links() override {
    TRY(const auto all, links_.list());
    std::vector<MadeLink> made;
    for (const kernel::Link& link : all)
      if (const auto name = IfName::parse(link.name); name && link.kind == "vxlan" &&
                                                      link.name.starts_with(kOverlayDevicePrefix) &&
                                                      link.alias.starts_with("fairlead "))
        made.push_back({*name, link.alias});
    return made;
  }
  std::vector<IfName> links_of(const Network& network) const override {
    std::vector<IfName> names = bridge_->links_of(network);
    if (network.overlay) names.push_back(overlay_device(*network.overlay));
    return names;
  }
  std::vector<IfName> links_of(const Endpoint& endpoint) const override {
    return bridge_->links_of(endpoint);
  }
  Status remove_link(const IfName& name) override { return bridge_->remove_link(name); }

 private:
  Result<unsigned> choose_mtu(const NetworkOptions& options, const OverlayParams& params) {
    TRY(unsigned underlay, tunnels_.underlay_mtu(params.local));
    if (params.underlay_mtu != 0) underlay = std::min(underlay, params.underlay_mtu);
    const unsigned overhead = kernel::vxlan_overhead(params.local.family());
    if (underlay < overhead + kMinMtu4)
      return fail(Code::kUnsupported, "an underlay with an MTU of {} has no room for a tunnel",
                  underlay);
    const unsigned largest = std::min(underlay, kMaxMtu) - overhead;
    if (options.mtu && *options.mtu > largest)
      return fail(Code::kInvalid,
                  "option \"mtu\": {} bytes and {} of the tunnel do not fit into the underlay's "
                  "{}; use at most {}",
                  *options.mtu, overhead, underlay, largest);
    return options.mtu.value_or(largest);
  }

  kernel::VxlanSpec tunnel_spec(const Network& network, const OverlayParams& params,
                                int bridge_index) const {
    // With icc off, containers of other hosts must not be reachable either, so the tunnel's port is
    // isolated.
    return {.name = overlay_device(params),
            .vni = params.vni,
            .local = params.local,
            .port = params.port,
            .mtu = network.mtu,
            .master = bridge_index,
            .mac = tunnel_mac_of(network.id),
            .isolated = !network.options.icc,
            .alias = mark_.after("fairlead " + network.name.str())};
  }

  // Makes the bridge and the tunnel again when someone has deleted them.
  Status make_missing_links(Network& network) {
    TRY(const OverlayParams params, params_of(network));
    const auto bridge = links_.find(bridge_of(network));
    const auto tunnel = links_.find(overlay_device(params));
    if (bridge && tunnel && tunnel->master == bridge->index && tunnel->up) return {};
    Rollback made;
    TRY_STATUS(ensure(network, made));
    made.commit();
    log::warn("links made again",
              {{"bridge", bridge_of(network).str()}, {"network", network.name.str()}});
    return {};
  }

  kernel::Links& links_;
  kernel::Tunnels& tunnels_;
  const OnTunnelMade on_tunnel_made_;
  std::unique_ptr<Driver> bridge_;
  const StoreMark mark_;
};

}  // namespace

std::unique_ptr<Driver> make_overlay_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                            std::string boot_id, OnTunnelMade on_tunnel_made,
                                            StoreMark mark, BeforeForwarding before_forwarding) {
  return std::make_unique<OverlayDriver>(links, tunnels, std::move(boot_id),
                                         std::move(on_tunnel_made), std::move(mark),
                                         std::move(before_forwarding));
}

}  // namespace fairlead::network
