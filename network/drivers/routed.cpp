#include "network/drivers/routed.h"

#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/api/options.h"
#include "network/drivers/bridge_record.h"
#include "network/drivers/container_side.h"
#include "network/drivers/route_localnet.h"

namespace fairlead::network {

namespace {

constexpr std::string_view kLinkPrefix =
    kernel::kRoutedPrefixes[0];  // the firewall knows it too (nat/ruleset.cpp)
constexpr std::size_t kNetworkDigits = 4, kEndpointDigits = 8;
// With host_interface_prefix=veth (bridge_record.h). Few digits are left: a name that is taken is not chosen.
constexpr std::string_view kNamedPrefix = kernel::kRoutedPrefixes[1];
constexpr std::size_t kNamedNetworkDigits = 3, kNamedEndpointDigits = 5;
constexpr const char* kLinks = "link_prefix";  // of a network: how the names of its links begin
constexpr const char* kProxyOption = "routed_proxy";

std::string links_prefix(const DriverRecord& links) {
  const auto found = links.shown.find(kLinks);
  return found == links.shown.end() ? std::string() : found->second;
}

Result<std::optional<IfName>> proxy_of(const NetworkOptions& options) {
  std::optional<IfName> proxy;
  for (const auto& [key, value] : options.driver) {
    if (key != kProxyOption)
      return fail(Code::kInvalid, "unknown network option \"{}\"; did you mean \"{}\"?", key,
                  kProxyOption);
    TRY(proxy, IfName::parse(value));
  }
  return proxy;
}

Status refuse(std::string_view option, std::string_view why) {
  return fail(Code::kInvalid, "option \"{}\" is not for mode \"routed\": {}", option, why);
}

bool wants_ipv6(const NetworkSpec& spec) {
  return spec.ipv6 || std::ranges::any_of(spec.subnets, [](const SubnetSpec& subnet) {
           return (subnet.subnet ? subnet.subnet->family() : subnet.family) == Family::kV6;
         });
}

std::vector<IpAddress> gateways_of(const Network& network) {
  std::vector<IpAddress> gateways;
  for (const Subnet& subnet : network.subnets)
    if (subnet.gateway) gateways.push_back(*subnet.gateway);
  return gateways;
}

// What a container asks for that knows no MAC of its gateway. Those who ask under a link-local
// address get an answer only where the host has one on the link as well.
std::vector<IpAddress> asked_for(const Network& network, const MacAddress& host_mac) {
  std::vector<IpAddress> addresses = gateways_of(network);
  if (network.has(Family::kV6)) addresses.push_back(IpAddress::link_local(host_mac));
  return addresses;
}

// The host's address in the subnet of the endpoint's IPv4 address.
std::optional<IpAddress> source_for(const Network& network, const Endpoint& endpoint) {
  for (const Cidr& address : endpoint.addresses)
    for (const Subnet& subnet : network.subnets)
      if (address.is_v4() && subnet.subnet.contains(address.address())) return subnet.gateway;
  return std::nullopt;
}

// A container whose runtime has given its address the subnet's prefix length asks for its
// neighbours.
bool asks_for_neighbours(const Endpoint& endpoint) {
  return std::ranges::any_of(endpoint.addresses, [](const Cidr& address) {
    return address.is_v4() && address.prefix_length() < 32;
  });
}

class RoutedDriver : public Driver {
 public:
  RoutedDriver(kernel::Links& links, kernel::Tunnels& tunnels, const std::string& boot_id,
               StoreMark mark, BeforeForwarding before_forwarding)
      : links_(links),
        localnet_(links, boot_id),
        bridge_(make_bridge_driver(links, tunnels, boot_id, {}, std::move(mark),
                                   std::move(before_forwarding))) {}

  NetworkTraits traits() const override { return {.host_prefixes = true}; }

  Status validate(const NetworkSpec& spec) const override {
    TRY_STATUS(proxy_of(spec.options));
    NetworkSpec common = spec;
    common.options.driver.clear();
    common.subnets.clear();  // a gateway is on each container's link, wherever its address lies
    TRY_STATUS(bridge_->validate(common));
    if (spec.options.spoofing != Spoofing::kDeny)
      return refuse("spoofing",
                    "the host routes to each container what is for its own addresses; use mode "
                    "bridge for a container that is a router");
    if (spec.options.inhibit_ipv4)
      return refuse("inhibit_ipv4", "the host is the gateway of each container");
    if (spec.options.gateway_mode_v4 == GatewayMode::kIsolated ||
        spec.options.gateway_mode_v6 == GatewayMode::kIsolated)
      return refuse("gateway_mode",
                    "without a gateway its containers do not reach each other; use mode bridge, or "
                    "an internal network");
    if (spec.address_source == AddressSource::kRuntime && wants_ipv6(spec))
      return fail(Code::kUnsupported,
                  "mode \"routed\" with IPv6 needs addresses from Fairlead, because the runtime's "
                  "own allocator tells containers that they have neighbours; this works: docker "
                  "network create -d fairlead --ipam-driver fairlead --ipv6 -o mode=routed NAME");
    return {};
  }

  Result<NetworkPlan> plan(const Network& network, std::span<const Network> others) override {
    TRY(const auto proxy, proxy_of(network.options));
    if (proxy) TRY_STATUS(uplink(*proxy));
    TRY(NetworkPlan plan, bridge_->plan(network, others));
    if (BridgeRecord::of(plan.links).foreign)
      return fail(Code::kExists,
                  "interface {} is not Fairlead's, and mode routed needs one of its own for its "
                  "gateway's addresses; choose another name with -o bridge=NAME",
                  network.options.bridge->str());
    for (std::uint64_t seed = 0;; ++seed) {
      const std::string prefix =
          is_named(network)
              ? fmt::format("{}{}", kNamedPrefix, short_hash(network.id, kNamedNetworkDigits, seed))
              : fmt::format("{}{}", kLinkPrefix, short_hash(network.id, kNetworkDigits, seed));
      const bool taken = std::ranges::any_of(
          others, [&](const Network& other) { return links_prefix(other.links) == prefix; });
      if (taken) continue;
      plan.links.shown[kLinks] = prefix;
      return plan;
    }
  }

  // With a proxy the subnet is a part of the one to which the host is connected.
  bool is_on_host_network(const Network& network) const override {
    const auto proxy = proxy_of(network.options);
    return proxy && proxy->has_value();
  }

  std::vector<IpAddress> own_gateways(const Network& network) const override {
    return bridge_->own_gateways(network);
  }

  FirewallLinks firewall_links(const Network& network) const override {
    const auto prefix = stored_ifname(links_prefix(network.links));
    if (!prefix || prefix->empty()) return {};
    return {.interfaces = {*prefix}, .routed = true, .tunnels = {}};
  }

  // The containers of an internal network reach each other through the host as well.
  Status ensure(Network& network, Rollback& undo) override {
    Network forwarded = network;
    forwarded.internal = false;
    TRY_STATUS(bridge_->ensure(forwarded, undo));
    network.links = forwarded.links;
    return {};
  }
  std::vector<std::string> missing(const Network& network) override {
    return bridge_->missing(network);
  }
  std::string problem(const Network& network) override {
    const auto proxy = proxy_of(network.options);
    if (!proxy || !*proxy || links_.find(**proxy)) return {};
    return fmt::format("the interface {} of option \"{}\" does not exist", (*proxy)->str(),
                       kProxyOption);
  }
  Status remove(const Network& network) override { return bridge_->remove(network); }

  Result<DriverRecord> plan_endpoint(const Network& network,
                                     const Endpoint& endpoint) const override {
    DriverRecord record = veth_record(network, endpoint);
    for (auto& [key, name] : record.shown) name = free_name(network, endpoint);
    return record;
  }

  std::optional<IfName> routed_link(const Endpoint& endpoint) const override {
    const IfName name = host_side_of(endpoint);
    return name.empty() ? std::nullopt : std::optional(name);
  }

  Result<EndpointLinks> attach(Network& network, const Endpoint& endpoint,
                               const Placement& placement, NetworkContext& context,
                               Rollback& undo) override {
    TRY_STATUS(make_missing(network, context));
    const auto* inside = std::get_if<IntoNetns>(&placement);
    const IfName host = host_side_of(endpoint);
    TRY(const IfName peer, peer_name(host, inside));
    // It is up, but carries nothing before the container's end is up as well.
    TRY(const kernel::Veth veth,
        create_own_veth(links_, {.host_name = host,
                                 .peer_name = peer,
                                 .peer_netns_fd = inside != nullptr ? inside->fd : -1,
                                 .peer_mac = *endpoint.mac,
                                 .mtu = network.mtu,
                                 .host_ipv6 = true}));
    undo.push([this, &network, &endpoint] {
      if (auto gone = detach(network, endpoint); !gone)
        log::error("undo: remove veth", {{"error", gone.error().text}});
    });
    fault_point("routed.attach.veth");
    TRY_STATUS(links_.route_container(routed(network, endpoint, veth.host_index, veth.host_mac)));
    fault_point("routed.attach.routed");
    // Its end comes up last: both ends pass packets when it has been configured.
    std::vector<Route> routes;
    if (inside != nullptr) {
      TRY(routes, configure(network, endpoint, *inside, veth));
    }
    TRY_STATUS(links_.settle(veth.host_index));
    TRY_STATUS(set_rates(endpoint, veth.host_index));
    TRY_STATUS(answer_for(network, endpoint, true));
    TRY_STATUS(open_ports(network, endpoint, context));
    return EndpointLinks{.host_links = {{host, veth.host_mac}},
                         .container_ifname = peer,
                         .container_mac = *endpoint.mac,
                         .mtu = network.mtu,
                         .routes = std::move(routes)};
  }

  // Nobody else is on the link, so that nothing is lost with it.
  Result<EndpointLinks> give_addresses(Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside, NetworkContext& context,
                                       Rollback& undo) override {
    TRY_STATUS(links_.remove(host_side_of(endpoint)));
    fault_point("routed.addresses.removed");
    return attach(network, endpoint, inside, context, undo);
  }

  // Routes and neighbours go with the link.
  Status detach(const Network& network, const Endpoint& endpoint) override {
    TRY_STATUS(answer_for(network, endpoint, false));
    fault_point("routed.detach.silent");
    return links_.remove(host_side_of(endpoint));
  }

  Status check(const Network& network, const Endpoint& endpoint, int netns_fd,
               std::string_view ifname) override {
    TRY(const kernel::Link host, links_.find(host_side_of(endpoint)));
    if (netns_fd >= 0) {
      TRY(const IfName name, IfName::parse(ifname));
      TRY(const auto view, links_.inspect(netns_fd, name));
      TRY_STATUS(check_container_side(endpoint, view));
    }
    TRY(const bool leads, links_.routes_container(routed(network, endpoint, host.index, host.mac)));
    if (leads) return {};
    return fail(Code::kConflict,
                "interface {} is down, or the host routes the container's addresses elsewhere; "
                "`fairlead reconcile` mends it",
                host.name);
  }

  Result<EndpointLinks> attached_links(const Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside) override {
    TRY_STATUS(check(network, endpoint, inside.fd, inside.ifname.str()));
    TRY(const auto host, links_.find(host_side_of(endpoint)));
    return EndpointLinks{.host_links = {{host_side_of(endpoint), host.mac}},
                         .container_ifname = inside.ifname,
                         .container_mac = *endpoint.mac,
                         .mtu = network.mtu};
  }

  Result<Liveness> liveness(const Network& network, const Endpoint& endpoint) override {
    return bridge_->liveness(network, endpoint);
  }

  Result<bool> mend(const Network& network, const Endpoint& endpoint) override {
    TRY(const kernel::Link host, links_.find(host_side_of(endpoint)));
    const kernel::RoutedLink link = routed(network, endpoint, host.index, host.mac);
    TRY(const bool leads, links_.routes_container(link));
    TRY_STATUS(answer_for(network, endpoint, true));
    if (leads) return false;
    TRY_STATUS(links_.route_container(link));
    return true;
  }

  Status open_ports(Network& network, const Endpoint& after, NetworkContext&) override {
    if (!answers_on_loopback(network, after)) return {};
    TRY(const kernel::Link link, links_.find(host_side_of(after)));
    return link.route_localnet ? Status() : localnet_.open_link(link);
  }
  Status close_ports(Network& network, const Endpoint& before, const Endpoint& after,
                     NetworkContext&) override {
    if (!answers_on_loopback(network, before)) return {};
    if (after.joined && answers_on_loopback(network, after)) return {};
    const auto link = links_.find(host_side_of(before));
    if (!link) return link.error().code == Code::kNotFound ? Status() : fail(link.error());
    return links_.set_route_localnet(link->index, false);
  }
  Result<std::vector<std::string>> mend_ports(Network& network, std::span<const Endpoint> endpoints,
                                              NetworkContext&) override {
    std::vector<std::string> done;
    for (const Endpoint& endpoint : endpoints) {
      const auto link = links_.find(host_side_of(endpoint));
      if (!link) continue;  // it is collected elsewhere
      const bool wanted = answers_on_loopback(network, endpoint);
      if (!wanted && !link->route_localnet) continue;
      TRY_STATUS(wanted ? localnet_.open_link(*link)
                        : links_.set_route_localnet(link->index, false));
      TRY(const kernel::Link now, links_.find(link->index));
      if (now.route_localnet != link->route_localnet)
        done.push_back(
            fmt::format("set route_localnet of {} as its published ports need it", link->name));
    }
    return done;
  }
  Status shut_ports(const Network& network) override {
    const std::string prefix = links_prefix(network.links);
    TRY(const auto all, links_.list());
    for (const kernel::Link& link : all)
      if (link.route_localnet && link.kind == "veth" && link.name.starts_with(prefix))
        TRY_STATUS(links_.set_route_localnet(link.index, false));
    return {};
  }

  // The bridges are listed by the bridge driver.
  Result<std::vector<MadeLink>> list_links() override {
    TRY(const auto all, links_.list());
    std::vector<MadeLink> made;
    for (const kernel::Link& link : all) {
      const bool own =
          link.kind == "veth" &&
          (is_name_of(link.name, kLinkPrefix, kNetworkDigits + kEndpointDigits) ||
           is_name_of(link.name, kNamedPrefix, kNamedNetworkDigits + kNamedEndpointDigits));
      const auto name = IfName::parse(link.name);
      if (own && name) made.push_back({*name, link.alias});
    }
    return made;
  }
  std::vector<IfName> links_of(const Network& network) const override {
    return bridge_->links_of(network);
  }
  std::vector<IfName> links_of(const Endpoint& endpoint) const override {
    return bridge_->links_of(endpoint);
  }
  Status remove_link(const IfName& name) override { return links_.remove(name); }

 private:
  static bool is_named(const Network& network) {
    return network.options.host_interface_prefix == HostPrefix::kVeth;
  }

  // What a crash has left under a name that is not chosen is removed as a link that no record names.
  std::string free_name(const Network& network, const Endpoint& endpoint) const {
    constexpr std::uint64_t kMostTries = 32;
    for (std::uint64_t seed = 0;; ++seed) {
      std::string name =
          fmt::format("{}{}", links_prefix(network.links),
                      short_hash(network.id + "/" + endpoint.id,
                                 is_named(network) ? kNamedEndpointDigits : kEndpointDigits, seed));
      const auto parsed = IfName::parse(name);
      if (!is_named(network) || !parsed || !links_.find(*parsed) || seed == kMostTries) return name;
    }
  }

  Result<kernel::Link> uplink(const IfName& name) const {
    auto link = links_.find(name);
    if (!link && link.error().code == Code::kNotFound)
      return fail(Code::kNotFound,
                  "option \"{}\": the interface {} does not exist; `ip link` shows those that do",
                  kProxyOption, name.str());
    return link;
  }

  static kernel::RoutedLink routed(const Network& network, const Endpoint& endpoint, int index,
                                   const MacAddress& host_mac) {
    kernel::RoutedLink link{.index = index,
                            .name = host_side_of(endpoint),
                            .container_mac = endpoint.mac.value_or(MacAddress()),
                            .addresses = endpoint.addresses,
                            .source_v4 = source_for(network, endpoint),
                            .proxy_arp = asks_for_neighbours(endpoint)};
    // A runtime that names the interface tells the container its gateway, but not its MAC.
    if (endpoint.ifname.empty()) link.own_addresses = asked_for(network, host_mac);
    return link;
  }

  // When someone has deleted the bridge, the host's addresses in the network went with it, and the
  // routes of all its containers, which have one as their source.
  Status make_missing(Network& network, NetworkContext& context) {
    const auto bridge = links_.find(bridge_of(network));
    if (bridge) return {};
    if (bridge.error().code != Code::kNotFound) return fail(bridge.error());
    const DriverRecord before = network.links;
    Rollback made;
    TRY_STATUS(ensure(network, made));
    made.commit();
    if (network.links != before) TRY_STATUS(context.remember(network));
    log::warn("bridge made again",
              {{"bridge", bridge_of(network).str()}, {"network", network.name.str()}});
    return {};
  }

  static Result<IfName> peer_name(const IfName& host, const IntoNetns* inside) {
    if (inside != nullptr) return inside->ifname;
    return IfName::parse(
        fmt::format("{}{}", kPeerPrefix, digits_of(host, kLinkPrefix, kNamedPrefix)));
  }

  Result<std::vector<Route>> configure(const Network& network, const Endpoint& endpoint,
                                       const IntoNetns& inside, const kernel::Veth& veth) {
    kernel::ContainerSpec spec = container_side(endpoint, inside, veth.peer_index, false);
    for (const IpAddress& gateway : gateways_of(network))
      spec.neighbours.emplace_back(gateway, veth.host_mac);
    TRY(const auto added, links_.configure_container(spec));
    fault_point("routed.attach.configured");
    return changed_routes(endpoint, added);
  }

  Status set_rates(const Endpoint& endpoint, int host_index) {
    const Rates& rates = endpoint.rates;
    if (rates.in_bits == 0 && rates.out_bits == 0) return {};
    return links_.set_rates(host_index, rates.in_bits, rates.in_burst_bits, rates.out_bits,
                            rates.out_burst_bits);
  }

  // An uplink that is gone answers nobody.
  Status answer_for(const Network& network, const Endpoint& endpoint, bool on) {
    TRY(const auto proxy, proxy_of(network.options));
    if (!proxy) return {};
    const auto link = links_.find(*proxy);
    if (!link && link.error().code == Code::kNotFound) return {};
    if (!link) return fail(link.error());
    for (const Cidr& address : endpoint.addresses)
      TRY_STATUS(links_.answer_for(link->index, address.address(), on));
    return {};
  }

  kernel::Links& links_;
  RouteLocalnet localnet_;
  std::unique_ptr<Driver> bridge_;
};

}  // namespace

std::unique_ptr<Driver> make_routed_driver(kernel::Links& links, kernel::Tunnels& tunnels,
                                           std::string boot_id, StoreMark mark,
                                           BeforeForwarding before_forwarding) {
  return std::make_unique<RoutedDriver>(links, tunnels, std::move(boot_id), std::move(mark),
                                        std::move(before_forwarding));
}

}  // namespace fairlead::network
