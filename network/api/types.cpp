#include "network/api/types.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/hash.h"

namespace fairlead::network {

std::string_view to_string(Proto proto) {
  switch (proto) {
    case Proto::kTcp:
      return "tcp";
    case Proto::kUdp:
      return "udp";
    case Proto::kSctp:
      return "sctp";
  }
  return "tcp";
}

Result<Proto> parse_proto(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const Proto proto : {Proto::kTcp, Proto::kUdp, Proto::kSctp})
    if (lower == to_string(proto)) return proto;
  return fail(Code::kInvalid, "\"{}\" is not a protocol of a published port; use tcp, udp or sctp",
              text.substr(0, 32));
}

const std::string& to_string(const NetworkRef& ref) {
  struct Text {
    const std::string& operator()(const NetworkName& name) const { return name.str(); }
    const std::string& operator()(const NetworkId& id) const { return id.value; }
    const std::string& operator()(const RuntimeNetworkId& id) const { return id.value; }
    const std::string& operator()(const NetworkText& text) const { return text.value; }
  };
  return std::visit(Text(), ref);
}

namespace {

// Ids of Docker, Podman and Fairlead are long, and people know them by their beginning.
std::string shortened(const std::string& id) {
  constexpr std::size_t kShort = 12, kLeastLong = 32;
  const bool hex = std::ranges::all_of(id, [](unsigned char c) { return std::isxdigit(c) != 0; });
  return hex && id.size() >= kLeastLong ? id.substr(0, kShort) : id;
}

const RuntimeNetwork* made_by_runtime(const Network& network) {
  const auto found = std::ranges::find(network.runtimes, network.id, &RuntimeNetwork::id);
  return found == network.runtimes.end() ? nullptr : &*found;
}

}  // namespace

std::string title_of(const Network& network) {
  const RuntimeNetwork* made = made_by_runtime(network);
  return made != nullptr && !made->name.empty() ? made->name : network.name.str();
}

std::string project_of(const Network& network) {
  if (const RuntimeNetwork* made = made_by_runtime(network)) return made->project;
  return network.runtimes.size() == 1 ? network.runtimes.front().project : "";
}

std::string title_of(const Endpoint& endpoint) {
  const std::string& name = endpoint.names.name;
  if (!name.empty())
    return fmt::format("{} {}", name.find('/') != std::string::npos ? "pod" : "container", name);
  if (!endpoint.container.empty()) return "container " + shortened(endpoint.container);
  return "endpoint " + endpoint.id.substr(0, 12);
}

std::string project_note(const ContainerNames& names) {
  return names.project.empty() ? "" : fmt::format(" (compose project {})", names.project);
}

std::string endpoint_id(std::string_view container, std::string_view ifname) {
  return hash_hex(fmt::format("{}/{}", container, ifname), 32);
}

MacAddress bridge_mac_of(std::string_view network_id) { return MacAddress::from_hash(network_id); }
MacAddress tunnel_mac_of(std::string_view network_id) {
  return MacAddress::from_hash(fmt::format("tunnel of {}", network_id));
}

IfName overlay_device(const OverlayParams& overlay) {
  return *IfName::parse(fmt::format("{}{:06x}", kOverlayDevicePrefix, overlay.vni & 0xffffff));
}

namespace {

std::optional<IpAddress> gateway_for(const Endpoint& endpoint, Family family) {
  for (const IpAddress& gateway : endpoint.gateways)
    if (gateway.family() == family) return gateway;
  return std::nullopt;
}

}  // namespace

std::optional<IpAddress> gateway_for(const Endpoint& endpoint, const Cidr& address) {
  for (const IpAddress& gateway : endpoint.gateways)
    if (address.contains(gateway)) return gateway;
  return gateway_for(endpoint, address.family());
}

std::vector<Route> container_routes(const Endpoint& endpoint) {
  std::vector<Route> routes;
  for (const IpAddress& gateway : endpoint.gateways) {
    const Cidr everything = Cidr::of(IpAddress::any(gateway.family()), 0);
    const bool named = std::ranges::any_of(
        endpoint.routes, [&](const Route& route) { return route.destination == everything; });
    if (!named && gateway == gateway_for(endpoint, gateway.family()))
      routes.push_back({.destination = everything, .via = gateway});
  }
  for (Route route : endpoint.routes) {
    if (!route.via) route.via = gateway_for(endpoint, route.destination.family());
    routes.push_back(route);
  }
  return routes;
}

bool covers(const std::optional<IpAddress>& outer, const std::optional<IpAddress>& inner) {
  if (!outer || outer == inner) return true;
  return inner && outer->is_any() && outer->family() == inner->family();
}

std::vector<PortSpec> without_repetitions(std::span<const PortSpec> ports) {
  using Mapping = std::tuple<Proto, std::uint16_t, std::uint16_t>;
  std::map<Mapping, std::vector<std::size_t>> of_mapping;
  std::vector<bool> dropped(ports.size(), false);
  for (std::size_t at = 0; at < ports.size(); ++at) {
    const PortSpec& port = ports[at];
    if (port.host_port == 0 || port.host_port_end > port.host_port) continue;  // one is chosen
    auto& same = of_mapping[{port.proto, port.host_port, port.container_port}];
    dropped[at] = std::ranges::any_of(
        same, [&](std::size_t other) { return covers(ports[other].host_ip, port.host_ip); });
    if (dropped[at]) continue;
    std::erase_if(same, [&](std::size_t other) {
      const bool contained = covers(port.host_ip, ports[other].host_ip);
      if (contained) dropped[other] = true;
      return contained;
    });
    same.push_back(at);
  }
  std::vector<PortSpec> kept;
  for (std::size_t at = 0; at < ports.size(); ++at)
    if (!dropped[at]) kept.push_back(ports[at]);
  return kept;
}

}  // namespace fairlead::network
