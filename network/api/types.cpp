#include "network/api/types.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

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

Result<std::uint32_t> parse_connections(std::string_view text) {
  std::uint32_t connections = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), connections);
  if (error == std::errc{} && end == text.data() + text.size() && connections >= 1 &&
      connections <= kMostConnections)
    return connections;
  return fail(Code::kInvalid, "\"{}\" is not a number of connections; use 1 to {}",
              text.substr(0, 32), kMostConnections);
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

constexpr std::uint32_t kScopeLink = 253;  // RT_SCOPE_LINK, linux/rtnetlink.h

std::optional<IpAddress> gateway_for(const Endpoint& endpoint, Family family) {
  for (const IpAddress& gateway : endpoint.gateways)
    if (gateway.family() == family) return gateway;
  return std::nullopt;
}

unsigned whole_length(Family family) { return family == Family::kV4 ? 32 : 128; }

// Whether its address of the family has no subnet, in which the gateway would be.
bool is_alone(const Endpoint& endpoint, Family family) {
  return std::ranges::any_of(endpoint.addresses, [&](const Cidr& address) {
    return address.family() == family && address.prefix_length() == whole_length(family);
  });
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
    if (is_alone(endpoint, gateway.family()))
      routes.push_back({.destination = Cidr::of(gateway, whole_length(gateway.family()))});
    const Cidr everything = Cidr::of(IpAddress::any(gateway.family()), 0);
    const bool named = std::ranges::any_of(
        endpoint.routes, [&](const Route& route) { return route.destination == everything; });
    if (!named && gateway == gateway_for(endpoint, gateway.family()))
      routes.push_back({.destination = everything, .via = gateway});
  }
  for (Route route : endpoint.routes) {
    if (!route.via && route.scope != kScopeLink)
      route.via = gateway_for(endpoint, route.destination.family());
    routes.push_back(route);
  }
  return routes;
}

bool covers(const std::optional<IpAddress>& outer, const std::optional<IpAddress>& inner) {
  if (!outer || outer == inner) return true;
  return inner && outer->is_any() && outer->family() == inner->family();
}

std::vector<PortSpec> without_repetitions(std::span<const PortSpec> ports) {
  using Mapping = std::tuple<Proto, std::uint16_t, std::uint16_t, std::uint32_t>;
  std::map<Mapping, std::vector<std::size_t>> of_mapping;
  std::vector<bool> dropped(ports.size(), false);
  for (std::size_t at = 0; at < ports.size(); ++at) {
    const PortSpec& port = ports[at];
    if (port.host_port == 0 || port.host_port_end > port.host_port) continue;  // one is chosen
    auto& same =
        of_mapping[{port.proto, port.host_port, port.container_port, port.max_connections}];
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

namespace {

struct Interval {
  unsigned first = 0, last = 0;
  unsigned length() const { return last - first + 1; }
};
// A protocol on addresses of the host, by how much the container's numbers are higher, and how many
// connections each port has.
struct Place {
  Proto proto = Proto::kTcp;
  std::optional<IpAddress> host_ip;
  int shift = 0;
  std::uint32_t max_connections = 0;
  auto operator<=>(const Place&) const = default;
};
using Intervals = std::map<Place, std::vector<Interval>>;

Place place_of(const PortSpec& port) {
  return {port.proto, port.host_ip, port.container_port - port.host_port, port.max_connections};
}
unsigned last_of(const PortSpec& port) {
  return port.container_port_end == 0 ? port.host_port : port.host_port_end;
}

bool is_choice(const PortSpec& port) {
  return port.host_port == 0 ||
         (port.host_port_end > port.host_port && port.container_port_end == 0);
}

// Sorts the intervals, and joins those that touch or overlap.
void join(std::vector<Interval>& intervals) {
  std::ranges::sort(intervals, {}, &Interval::first);
  std::vector<Interval> joined;
  for (const Interval& next : intervals) {
    if (!joined.empty() && next.first <= joined.back().last + 1)
      joined.back().last = std::max(joined.back().last, next.last);
    else
      joined.push_back(next);
  }
  std::erase_if(joined, [](const Interval& each) { return each.length() < kShortestRange; });
  intervals = std::move(joined);
}

// Few requests have ranges of more than one place.
bool lies_in(const Intervals& ranges, const PortSpec& port, unsigned last) {
  return std::ranges::any_of(ranges, [&](const auto& place) {
    return place.first.proto == port.proto && covers(place.first.host_ip, port.host_ip) &&
           place.first.shift == port.container_port - port.host_port &&
           place.first.max_connections == port.max_connections &&
           std::ranges::any_of(place.second, [&](const Interval& range) {
             return range.first <= port.host_port && last <= range.last;
           });
  });
}

Status check_ends(const PortSpec& port) {
  const unsigned last = port.host_port_end == 0 ? port.host_port : port.host_port_end;
  const bool fits = port.host_port != 0 && last >= port.host_port &&
                    port.container_port_end >= port.container_port &&
                    last - port.host_port == 0U + port.container_port_end - port.container_port;
  if (fits) return {};
  return fail(Code::kInvalid, "publish ports {}-{}: they do not fit ports {}-{} of the container",
              port.host_port, last, port.container_port, port.container_port_end);
}

PortSpec range_of(const Place& place, const Interval& range) {
  return {
      .proto = place.proto,
      .host_ip = place.host_ip,
      .host_port = static_cast<std::uint16_t>(range.first),
      .host_port_end = static_cast<std::uint16_t>(range.last),
      .container_port = static_cast<std::uint16_t>(static_cast<int>(range.first) + place.shift),
      .container_port_end = static_cast<std::uint16_t>(static_cast<int>(range.last) + place.shift),
      .max_connections = place.max_connections};
}

Intervals ranges_among(std::span<const PortSpec> ports) {
  Intervals ranges;
  for (const PortSpec& port : ports) {
    if (!is_choice(port)) ranges[place_of(port)].push_back({port.host_port, last_of(port)});
  }
  for (auto& [place, intervals] : ranges) join(intervals);
  return ranges;
}

// The intervals without what other places cover, so that no two ranges of a request overlap.
std::vector<Interval> without_covered(const Place& place, std::vector<Interval> intervals,
                                      const Intervals& ranges) {
  for (const auto& [other, theirs] : ranges) {
    if (other == place || other.proto != place.proto || other.shift != place.shift ||
        other.max_connections != place.max_connections || !covers(other.host_ip, place.host_ip))
      continue;
    for (const Interval& cut : theirs) {
      std::vector<Interval> left;
      for (const Interval& range : intervals) {
        if (cut.last < range.first || cut.first > range.last) {
          left.push_back(range);
          continue;
        }
        if (cut.first > range.first) left.push_back({range.first, cut.first - 1});
        if (cut.last < range.last) left.push_back({cut.last + 1, range.last});
      }
      intervals = std::move(left);
    }
  }
  return intervals;
}

void add_singles(const PortSpec& port, std::vector<PortSpec>& singles) {
  const unsigned count =
      port.container_port_end == 0 ? 1U : 1U + port.container_port_end - port.container_port;
  for (unsigned step = 0; step < count; ++step) {
    PortSpec single = port;
    single.host_port = static_cast<std::uint16_t>(port.host_port + step);
    single.container_port = static_cast<std::uint16_t>(port.container_port + step);
    single.host_port_end = single.container_port_end = 0;
    singles.push_back(single);
  }
}

}  // namespace

Result<std::vector<PortSpec>> in_ranges(std::span<const PortSpec> ports) {
  for (const PortSpec& port : ports)
    if (port.container_port_end != 0) TRY_STATUS(check_ends(port));
  const Intervals ranges = ranges_among(ports);
  std::vector<PortSpec> singles, all;
  for (const PortSpec& port : ports) {
    if (is_choice(port))
      singles.push_back(port);
    else if (!lies_in(ranges, port, last_of(port)))
      add_singles(port, singles);
  }
  for (const auto& [place, intervals] : ranges)
    for (const Interval& range : without_covered(place, intervals, ranges)) {
      if (range.length() < kShortestRange)
        add_singles(range_of(place, range), singles);
      else
        all.push_back(range_of(place, range));
    }
  for (PortSpec& port : without_repetitions(singles)) all.push_back(std::move(port));
  return all;
}

Dns name_service_of(const Network& network, const Endpoint& endpoint) {
  Dns dns;
  for (const IpAddress& server : network.name_servers)
    if (std::ranges::any_of(endpoint.addresses, [&](const Cidr& address) {
          return address.family() == server.family();
        }))
      dns.nameservers.push_back(server.to_string());
  if (!dns.nameservers.empty() && !network.options.dns_domain.empty())
    dns.search.push_back(network.options.dns_domain);
  return dns;
}

}  // namespace fairlead::network
