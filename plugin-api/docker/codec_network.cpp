#include "plugin-api/docker/codec_network.h"

#include <algorithm>

namespace fairlead::docker {

namespace {

using json::Json;
using json::Object;

constexpr std::string_view kGeneric = "com.docker.network.generic";
constexpr std::string_view kEnableIpv4 = "com.docker.network.enable_ipv4";
constexpr std::string_view kEnableIpv6 = "com.docker.network.enable_ipv6";
constexpr std::string_view kInternal = "com.docker.network.internal";
constexpr std::string_view kPortMap = "com.docker.network.portmap";
constexpr std::string_view kDockersOwn = "com.docker.network.";
constexpr std::string_view kNil = "<nil>";  // Go's text of a nil IPNet

tl::unexpected<Error> wrong_field(const Object& object, std::string_view key, const Error& error) {
  return fail(with_context(error, fmt::format("field {}", object.path_of(key))));
}

Result<std::string> text_or_empty(const Object& object, std::string_view key) {
  TRY(auto text, object.string_or(key, ""));
  return text == kNil ? std::string() : text;
}

// "10.1.0.5/24"; nothing for "" and "<nil>".
Result<std::optional<Cidr>> cidr_or_none(const Object& object, std::string_view key) {
  TRY(const auto text, text_or_empty(object, key));
  if (text.empty()) return std::optional<Cidr>();
  auto cidr = Cidr::parse(text);
  if (!cidr) return wrong_field(object, key, cidr.error());
  return std::optional<Cidr>(*cidr);
}

// The address of "10.1.0.5/24", or "10.1.0.5".
Result<IpAddress> address_of(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return IpAddress::parse(text);
  return Cidr::parse(text).map([](const Cidr& cidr) { return cidr.address(); });
}

// Of a pool that Docker took as 0.0.0.0/0 (see IpamAdapter::request_pool) the gateway tells the
// subnet.
Result<std::optional<Cidr>> subnet_or_none(const Object& object,
                                           const std::optional<Cidr>& gateway) {
  TRY(const auto pool, cidr_or_none(object, "Pool"));
  if (!pool) return std::optional<Cidr>();
  if (pool->prefix_length() == 0) {
    const bool tells = gateway && gateway->prefix_length() != 0;
    return tells ? std::optional(gateway->network()) : std::nullopt;
  }
  auto subnet = Cidr::parse_subnet(pool->to_string());
  if (!subnet) return wrong_field(object, "Pool", subnet.error());
  return std::optional<Cidr>(*subnet);
}

Result<std::map<std::string, IpAddress>> read_aux(const Object& object) {
  std::map<std::string, IpAddress> addresses;
  TRY(const auto texts, object.string_map_or_empty("AuxAddresses"));
  for (const auto& [name, text] : texts) {
    if (text.empty() || text == kNil) continue;
    auto address = address_of(text);
    if (!address) return wrong_field(object, "AuxAddresses." + name, address.error());
    addresses[name] = *address;
  }
  return addresses;
}

Result<IpamData> read_ipam(const Object& object) {
  IpamData data;
  TRY(data.address_space, object.string_or("AddressSpace", ""));
  TRY(const auto gateway, cidr_or_none(object, "Gateway"));
  TRY(data.subnet, subnet_or_none(object, gateway));
  if (gateway) data.gateway = gateway->address();
  TRY(data.aux, read_aux(object));
  return data;
}

Status read_pools(const Object& root, std::string_view key, Family family,
                  std::vector<IpamData>& pools) {
  TRY(const auto objects, root.objects_or_empty(key));
  for (const Object& object : objects) {
    TRY(auto data, read_ipam(object));
    if (!data.subnet) continue;
    const bool mixed =
        data.subnet->family() != family || (data.gateway && data.gateway->family() != family) ||
        std::ranges::any_of(data.aux,
                            [&](const auto& entry) { return entry.second.family() != family; });
    if (mixed)
      return fail(Code::kInvalid, "field {} has an address that is not IPv{}", key,
                  static_cast<int>(family));
    pools.push_back(std::move(data));
  }
  return {};
}

Result<CreateNetworkRequest> read_create_network(const Object& root) {
  CreateNetworkRequest request;
  TRY(request.network_id, id_field(root, "NetworkID"));
  TRY(const auto options, root.object_or_none("Options"));
  if (options) {
    TRY(request.options, options->string_map_or_empty(kGeneric));
    TRY(request.ipv4, options->bool_or(kEnableIpv4, true));
    TRY(request.ipv6, options->bool_or(kEnableIpv6, false));
    TRY(request.internal, options->bool_or(kInternal, false));
  }
  TRY_STATUS(read_pools(root, "IPv4Data", Family::kV4, request.pools));
  TRY_STATUS(read_pools(root, "IPv6Data", Family::kV6, request.pools));
  return request;
}

Result<NetworkRequest> read_network(const Object& root) {
  TRY(auto id, id_field(root, "NetworkID"));
  return NetworkRequest{std::move(id)};
}

Result<EndpointRequest> read_endpoint(const Object& root) {
  EndpointRequest request;
  TRY(request.network_id, id_field(root, "NetworkID"));
  TRY(request.endpoint_id, id_field(root, "EndpointID"));
  return request;
}

Status read_interface(const Object& interface, CreateEndpointRequest& request) {
  for (const auto& [key, family] :
       {std::pair{"Address", Family::kV4}, std::pair{"AddressIPv6", Family::kV6}}) {
    TRY(const auto address, cidr_or_none(interface, key));
    if (!address) continue;
    if (address->family() != family)
      return fail(Code::kInvalid, "field {} must be an IPv{} address, not {}",
                  interface.path_of(key), static_cast<int>(family), address->to_string());
    request.addresses.push_back(*address);
  }
  TRY(const auto mac, text_or_empty(interface, "MacAddress"));
  if (mac.empty()) return {};
  auto parsed = MacAddress::parse(mac);
  if (!parsed) return wrong_field(interface, "MacAddress", parsed.error());
  request.mac = *parsed;
  return {};
}

// The user's driver options stand beside Docker's own keys; they are always strings.
std::map<std::string, std::string> driver_options(const Object& options) {
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : options.raw().members())
    if (value.is_string() && !key.starts_with(kDockersOwn)) texts[key] = value.string();
  return texts;
}

Result<CreateEndpointRequest> read_create_endpoint(const Object& root) {
  CreateEndpointRequest request;
  TRY(request.network_id, id_field(root, "NetworkID"));
  TRY(request.endpoint_id, id_field(root, "EndpointID"));
  TRY(const auto interface, root.object_or_none("Interface"));
  if (interface) TRY_STATUS(read_interface(*interface, request));
  TRY(const auto options, root.object_or_none("Options"));
  if (options) request.options = driver_options(*options);
  return request;
}

Result<network::Proto> read_proto(const Object& binding) {
  TRY(const auto number, binding.integer("Proto", 0, 255));
  for (const auto proto : {network::Proto::kTcp, network::Proto::kUdp, network::Proto::kSctp})
    if (number == static_cast<int>(proto)) return proto;
  return fail(
      Code::kUnsupported,
      "field {} is the IP protocol {}; ports of tcp (6), udp (17) and sctp (132) can be published",
      binding.path_of("Proto"), number);
}

Result<network::PortSpec> read_port(const Object& binding) {
  network::PortSpec port;
  TRY(port.proto, read_proto(binding));
  TRY(const auto container, binding.integer("Port", 1, 65535));
  TRY(const auto first, binding.integer_or("HostPort", 0, 65535, 0));
  TRY(const auto last, binding.integer_or("HostPortEnd", 0, 65535, 0));
  if (last != 0 && last < first)
    return fail(Code::kInvalid, "field {} is before HostPort: {} to {}",
                binding.path_of("HostPortEnd"), first, last);
  if (first == 0 && last != 0)
    return fail(Code::kInvalid, "field {} must not be 0 in a range of ports",
                binding.path_of("HostPort"));
  port.container_port = static_cast<std::uint16_t>(container);
  port.host_port = static_cast<std::uint16_t>(first);
  port.host_port_end = static_cast<std::uint16_t>(last);
  TRY(const auto host_ip, text_or_empty(binding, "HostIP"));
  if (host_ip.empty()) return port;
  auto address = IpAddress::parse(host_ip);
  if (!address) return wrong_field(binding, "HostIP", address.error());
  port.host_ip = *address;
  return port;
}

Result<PortsRequest> read_ports(const Object& root) {
  PortsRequest request;
  TRY(request.network_id, id_field(root, "NetworkID"));
  TRY(request.endpoint_id, id_field(root, "EndpointID"));
  TRY(const auto options, root.object_or_none("Options"));
  if (!options) return request;
  TRY(const auto bindings, options->objects_or_empty(kPortMap));
  for (const Object& binding : bindings) {
    TRY(const auto port, read_port(binding));
    request.ports.push_back(port);
  }
  return request;
}

constexpr int kNextHop = 0, kConnected = 1;  // libnetwork's types.NEXTHOP and types.CONNECTED

Json route_json(const network::Route& route) {
  Json json{{"Destination", route.destination.to_string()},
            {"RouteType", route.via ? kNextHop : kConnected}};
  if (route.via) json["NextHop"] = route.via->to_string();
  return json;
}

Json binding_json(const network::PublishedPort& port, const IpAddress& target) {
  const IpAddress host = port.host_ip.value_or(IpAddress::any(target.family()));
  return {{"Proto", static_cast<int>(port.proto)},
          {"IP", target.to_string()},
          {"Port", port.container_port},
          {"HostIP", host.to_string()},
          {"HostPort", port.host_port},
          {"HostPortEnd", port.host_port}};
}

}  // namespace

Result<CreateNetworkRequest> decode_create_network(std::string_view body) {
  return decode_with(body, read_create_network);
}
Result<NetworkRequest> decode_network(std::string_view body) {
  return decode_with(body, read_network);
}
Result<CreateEndpointRequest> decode_create_endpoint(std::string_view body) {
  return decode_with(body, read_create_endpoint);
}
Result<EndpointRequest> decode_endpoint(std::string_view body) {
  return decode_with(body, read_endpoint);
}
Result<PortsRequest> decode_ports(std::string_view body) { return decode_with(body, read_ports); }

std::string encode(const CreatedInterface& interface) {
  Json fields = Json::object();
  for (const Cidr& address : interface.addresses)
    fields[address.is_v4() ? "Address" : "AddressIPv6"] = address.to_string();
  if (interface.mac) fields["MacAddress"] = interface.mac->to_string();
  return json::dump({{"Interface", std::move(fields)}});
}

std::string encode(const Joined& joined) {
  Json answer{{"InterfaceName",
               {{"SrcName", joined.source_name}, {"DstPrefix", joined.destination_prefix}}},
              {"StaticRoutes", Json::array()}};
  for (const IpAddress& gateway : joined.gateways)
    answer[gateway.is_v4() ? "Gateway" : "GatewayIPv6"] = gateway.to_string();
  for (const network::Route& route : joined.routes)
    answer["StaticRoutes"].push_back(route_json(route));
  if (joined.disable_gateway_service) answer["DisableGatewayService"] = true;
  return json::dump(answer);
}

std::string encode(const OperationalInfo& info) {
  Json bindings = Json::array();
  for (const network::PublishedPort& port : info.ports)
    for (const IpAddress& address : info.addresses)
      if (!port.host_ip || port.host_ip->family() == address.family())
        bindings.push_back(binding_json(port, address));
  return json::dump({{"Value", {{kPortMap, std::move(bindings)}}}});
}

}  // namespace fairlead::docker
