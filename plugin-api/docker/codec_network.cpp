#include "plugin-api/docker/codec_network.h"

#include <algorithm>

namespace fairlead::docker {

namespace {

using json::defaulted;
using json::fields;
using json::Json;
using json::object;
using json::Range;
using json::required;
using json::shown;
using json::Slot;
using json::sparse;
using json::text;

constexpr std::string_view kDockersOwn = "com.docker.network.";
// One that is the driver's to honour or to refuse.
constexpr std::string_view kIfNameOption = "com.docker.network.endpoint.ifname";
constexpr std::string_view kNil = "<nil>";  // Go's text of a nil IPNet

// ---- CreateNetwork

// Docker takes the pool of a subnet that it is not told as 0.0.0.0/0 (see
// IpamAdapter::request_pool).
Result<Cidr> parse_pool(std::string_view text) {
  TRY(const auto pool, Cidr::parse(text));
  return pool.prefix_length() == 0 ? pool : Cidr::parse_subnet(text);
}

// The address of "10.1.0.5/24", or "10.1.0.5".
Result<IpAddress> address_of(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return IpAddress::parse(text);
  return Cidr::parse(text).map([](const Cidr& cidr) { return cidr.address(); });
}

Result<std::map<std::string, IpAddress>> read_aux(const Slot& slot) {
  std::map<std::string, IpAddress> addresses;
  TRY(const auto texts, json::texts_by_name(slot));
  for (const auto& [name, text] : texts) {
    if (text.empty() || text == kNil) continue;
    auto address = address_of(text);
    if (!address) return fail(slot.member(name, nullptr).located(std::move(address.error())));
    addresses[name] = *address;
  }
  return addresses;
}

struct PoolData {
  std::string address_space;
  std::optional<Cidr> pool, gateway;
  std::map<std::string, IpAddress> aux;
};
constexpr auto kPoolData = fields(
    defaulted<&PoolData::address_space>("AddressSpace"), sparse<&PoolData::gateway>("Gateway"),
    sparse<&PoolData::pool>("Pool", text<&parse_pool>()),
    defaulted<&PoolData::aux>("AuxAddresses", json::custom<&read_aux>()));

struct NetworkFlags {
  std::map<std::string, std::string> options;
  bool ipv4 = true, ipv6 = false, internal = false;
};
constexpr auto kNetworkFlags =
    fields(defaulted<&NetworkFlags::options>("com.docker.network.generic"),
           defaulted<&NetworkFlags::ipv4>("com.docker.network.enable_ipv4"),
           defaulted<&NetworkFlags::ipv6>("com.docker.network.enable_ipv6"),
           defaulted<&NetworkFlags::internal>("com.docker.network.internal"));

struct NewNetwork {
  std::string network_id;
  NetworkFlags flags;
  std::vector<PoolData> v4, v6;
};
constexpr auto kNewNetwork = fields(required<&NewNetwork::network_id>("NetworkID", kId),
                                    defaulted<&NewNetwork::flags>("Options", object(kNetworkFlags)),
                                    defaulted<&NewNetwork::v4>("IPv4Data", object(kPoolData)),
                                    defaulted<&NewNetwork::v6>("IPv6Data", object(kPoolData)));

// Of a pool that may be any the gateway tells the subnet.
std::optional<Cidr> subnet_of(const PoolData& data) {
  if (!data.pool || data.pool->prefix_length() != 0) return data.pool;
  const bool tells = data.gateway && data.gateway->prefix_length() != 0;
  return tells ? std::optional(data.gateway->network()) : std::nullopt;
}

Status add_pools(std::string_view key, Family family, std::vector<PoolData> from,
                 std::vector<IpamData>& pools) {
  for (PoolData& data : from) {
    const auto subnet = subnet_of(data);
    if (!subnet) continue;
    const bool mixed =
        subnet->family() != family || (data.gateway && data.gateway->family() != family) ||
        std::ranges::any_of(data.aux,
                            [&](const auto& entry) { return entry.second.family() != family; });
    if (mixed)
      return fail(Code::kInvalid, "field {} has an address that is not IPv{}", key,
                  static_cast<int>(family));
    IpamData& pool = pools.emplace_back(
        IpamData{std::move(data.address_space), subnet, std::nullopt, std::move(data.aux)});
    if (data.gateway) pool.gateway = data.gateway->address();
  }
  return {};
}

// ---- CreateEndpoint

template <Family family>
Result<Cidr> parse_address_of(std::string_view text) {
  TRY(const auto address, Cidr::parse(text));
  if (address.family() != family)
    return fail(Code::kInvalid, "must be an IPv{} address, not {}", static_cast<int>(family),
                address.to_string());
  return address;
}

// Of a request and of its answer.
struct Interface {
  std::optional<Cidr> v4, v6;
  std::optional<MacAddress> mac;
};
constexpr auto kInterface =
    fields(sparse<&Interface::v4>("Address", text<&parse_address_of<Family::kV4>>()),
           sparse<&Interface::v6>("AddressIPv6", text<&parse_address_of<Family::kV6>>()),
           sparse<&Interface::mac>("MacAddress"));

// The user's driver options stand beside Docker's own keys; they are always strings.
Result<std::map<std::string, std::string>> read_driver_options(const Slot& slot) {
  if (!slot.value().is_object()) return slot.wrong("a JSON object");
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : slot.value().members())
    if (value.is_string() && (!key.starts_with(kDockersOwn) || key == kIfNameOption))
      texts[key] = value.string();
  return texts;
}

struct NewEndpoint {
  CreateEndpointRequest request;
  Interface interface;
};
constexpr auto kNewEndpoint =
    fields(required<&NewEndpoint::request, &CreateEndpointRequest::network_id>("NetworkID", kId),
           required<&NewEndpoint::request, &CreateEndpointRequest::endpoint_id>("EndpointID", kId),
           defaulted<&NewEndpoint::interface>("Interface", object(kInterface)),
           defaulted<&NewEndpoint::request, &CreateEndpointRequest::options>(
               "Options", json::custom<&read_driver_options>()));

// ---- port bindings, of a request and of an answer

struct Binding {
  std::uint8_t proto = 0;
  std::uint16_t port = 0;
  std::optional<IpAddress> host_ip;
  std::uint16_t host_port = 0, host_port_end = 0;
  std::string target;  // only written
};

Json target_of(const Binding& binding) { return binding.target; }

Status check_binding(const Slot& slot, void* value) {
  const Binding& binding = *static_cast<Binding*>(value);
  const auto path_of = [&](std::string_view key) { return slot.member(key, nullptr).path(); };
  const bool known = binding.proto == static_cast<int>(network::Proto::kTcp) ||
                     binding.proto == static_cast<int>(network::Proto::kUdp) ||
                     binding.proto == static_cast<int>(network::Proto::kSctp);
  if (!known)
    return fail(Code::kUnsupported,
                "field {} is the IP protocol {}; ports of tcp (6), udp (17) and sctp (132) can be "
                "published",
                path_of("Proto"), binding.proto);
  const int first = binding.host_port, last = binding.host_port_end;
  if (last != 0 && last < first)
    return fail(Code::kInvalid, "field {} is before HostPort: {} to {}", path_of("HostPortEnd"),
                first, last);
  if (first == 0 && last != 0)
    return fail(Code::kInvalid, "field {} must not be 0 in a range of ports", path_of("HostPort"));
  return {};
}

constexpr auto kBinding = fields(
    required<&Binding::proto>("Proto"), shown<Binding, target_of>("IP"),
    required<&Binding::port>("Port", Range{1, 65535}), sparse<&Binding::host_ip>("HostIP"),
    defaulted<&Binding::host_port>("HostPort"), defaulted<&Binding::host_port_end>("HostPortEnd"));

struct PortMap {
  std::vector<Binding> bindings;
};
constexpr auto kPortMap = fields(
    defaulted<&PortMap::bindings>("com.docker.network.portmap", object(kBinding, check_binding)));

Result<std::vector<network::PortSpec>> read_ports(const Slot& slot) {
  TRY(const auto map, json::read(slot, kPortMap));
  std::vector<network::PortSpec> ports;
  for (const Binding& binding : map.bindings)
    ports.push_back({.proto = static_cast<network::Proto>(binding.proto),
                     .host_ip = binding.host_ip,
                     .host_port = binding.host_port,
                     .host_port_end = binding.host_port_end,
                     .container_port = binding.port});
  return ports;
}

// Of one port of a range, which is `step` after its first.
Binding binding_of(const network::PublishedPort& port, const IpAddress& target, unsigned step) {
  const auto host_port = static_cast<std::uint16_t>(port.host_port + step);
  return {.proto = static_cast<std::uint8_t>(port.proto),
          .port = static_cast<std::uint16_t>(port.container_port + step),
          .host_ip = port.host_ip.value_or(IpAddress::any(target.family())),
          .host_port = host_port,
          .host_port_end = host_port,
          .target = target.to_string()};
}

// ---- the other requests

constexpr auto kNetworkRequest = fields(required<&NetworkRequest::network_id>("NetworkID", kId));

constexpr auto kEndpointRequest = fields(required<&EndpointRequest::network_id>("NetworkID", kId),
                                         required<&EndpointRequest::endpoint_id>("EndpointID", kId),
                                         defaulted<&EndpointRequest::sandbox>("SandboxKey"));

constexpr auto kPortsRequest =
    fields(required<&PortsRequest::network_id>("NetworkID", kId),
           required<&PortsRequest::endpoint_id>("EndpointID", kId),
           defaulted<&PortsRequest::ports>("Options", json::custom<&read_ports>()));

// ---- the answer to Join

Json route_type(const network::Route& route) {
  constexpr int kNextHop = 0, kConnected = 1;  // libnetwork's types.NEXTHOP and types.CONNECTED
  return route.via ? kNextHop : kConnected;
}
constexpr auto kStaticRoute =
    fields(required<&network::Route::destination>("Destination"),
           shown<network::Route, route_type>("RouteType"), sparse<&network::Route::via>("NextHop"));

Json interface_name(const Joined& joined) {
  return {{"SrcName", joined.source_name}, {"DstPrefix", joined.destination_prefix}};
}
template <Family family>
Json gateway(const Joined& joined) {
  for (const IpAddress& address : joined.gateways)
    if (address.family() == family) return address.to_string();
  return {};
}
constexpr auto kJoined = fields(shown<Joined, interface_name>("InterfaceName"),
                                required<&Joined::routes>("StaticRoutes", object(kStaticRoute)),
                                shown<Joined, gateway<Family::kV4>>("Gateway"),
                                shown<Joined, gateway<Family::kV6>>("GatewayIPv6"),
                                sparse<&Joined::disable_gateway_service>("DisableGatewayService"));

}  // namespace

Result<CreateNetworkRequest> decode_create_network(std::string_view body) {
  TRY(auto network, decode_body(body, kNewNetwork));
  CreateNetworkRequest request{.network_id = std::move(network.network_id),
                               .options = std::move(network.flags.options),
                               .ipv4 = network.flags.ipv4,
                               .ipv6 = network.flags.ipv6,
                               .internal = network.flags.internal,
                               .pools = {}};
  TRY_STATUS(add_pools("IPv4Data", Family::kV4, std::move(network.v4), request.pools));
  TRY_STATUS(add_pools("IPv6Data", Family::kV6, std::move(network.v6), request.pools));
  return request;
}
Result<NetworkRequest> decode_network(std::string_view body) {
  return decode_body(body, kNetworkRequest);
}
Result<CreateEndpointRequest> decode_create_endpoint(std::string_view body) {
  TRY(auto endpoint, decode_body(body, kNewEndpoint));
  CreateEndpointRequest& request = endpoint.request;
  for (const auto& address : {endpoint.interface.v4, endpoint.interface.v6})
    if (address) request.addresses.push_back(*address);
  request.mac = endpoint.interface.mac;
  return std::move(request);
}
Result<EndpointRequest> decode_endpoint(std::string_view body) {
  return decode_body(body, kEndpointRequest);
}
Result<PortsRequest> decode_ports(std::string_view body) {
  return decode_body(body, kPortsRequest);
}

std::string encode(const CreatedInterface& created) {
  Interface interface { .v4 = {}, .v6 = {}, .mac = created.mac };
  for (const Cidr& address : created.addresses)
    (address.is_v4() ? interface.v4 : interface.v6) = address;
  return json::dump({{"Interface", json::write(interface, kInterface)}});
}

std::string encode(const Joined& joined) { return json::dump(json::write(joined, kJoined)); }

std::string encode(const OperationalInfo& info) {
  PortMap map;
  for (const network::PublishedPort& port : info.ports)
    for (const IpAddress& address : info.addresses)
      if (!port.host_ip || port.host_ip->family() == address.family())
        for (unsigned step = 0; port.host_port + step <= port.last(); ++step)
          map.bindings.push_back(binding_of(port, address, step));
  return json::dump({{"Value", json::write(map, kPortMap)}});
}

}  // namespace fairlead::docker
