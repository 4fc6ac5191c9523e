#include <limits>

#include "base/host.h"
#include "network/api/options.h"
#include "plugin-api/native/fields.h"

namespace fairlead::native {

using network::AddressSource;
using network::PortSpec;
using network::Proto;
using network::PublishedPort;
using network::Rates;
using network::Route;

namespace {

constexpr std::int64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMost64 = std::numeric_limits<std::int64_t>::max();

// ---- rates and routes

Result<std::uint64_t> decode_bits(const Object& rates, std::string_view key) {
  TRY(auto bits, rates.integer_or(key, 0, kMost64, 0));
  return static_cast<std::uint64_t>(bits);
}

Result<std::optional<Rates>> decode_rates(const Object& object) {
  TRY(auto found, object.object_or_none("rates"));
  if (!found) return std::optional<Rates>();
  TRY_STATUS(only_known(*found, {"in_bits", "out_bits", "in_burst_bits", "out_burst_bits"}));
  Rates rates;
  TRY(rates.in_bits, decode_bits(*found, "in_bits"));
  TRY(rates.out_bits, decode_bits(*found, "out_bits"));
  TRY(rates.in_burst_bits, decode_bits(*found, "in_burst_bits"));
  TRY(rates.out_burst_bits, decode_bits(*found, "out_burst_bits"));
  return std::optional<Rates>(rates);
}

struct RouteNumber {
  std::string_view key;
  std::optional<std::uint32_t> Route::*field;
};
constexpr RouteNumber kRouteNumbers[] = {{"mtu", &Route::mtu},
                                         {"advmss", &Route::advmss},
                                         {"priority", &Route::priority},
                                         {"table", &Route::table},
                                         {"scope", &Route::scope}};

Document encode_route(const Route& route) {
  Document document = {{"destination", route.destination.to_string()}};
  if (route.via) document["via"] = route.via->to_string();
  for (const auto& [key, field] : kRouteNumbers)
    if (route.*field) document[std::string(key)] = *(route.*field);
  return document;
}

Result<Route> decode_route(const Object& object) {
  TRY_STATUS(
      only_known(object, {"destination", "via", "mtu", "advmss", "priority", "table", "scope"}));
  Route route;
  TRY(route.destination, parsed(object, "destination", Cidr::parse));
  TRY(route.via, parsed_or_none(object, "via", IpAddress::parse));
  for (const auto& [key, field] : kRouteNumbers) {
    if (object.find(key) == nullptr) continue;
    TRY(auto number, object.integer(key, 0, kMost32));
    route.*field = static_cast<std::uint32_t>(number);
  }
  return route;
}

// ---- ports

Document encode_port_spec(const PortSpec& port) {
  Document document = {{"protocol", to_string(port.proto)}};
  if (port.host_ip) document["host_ip"] = port.host_ip->to_string();
  document["host_port"] = port.host_port;
  if (port.host_port_end != 0) document["host_port_end"] = port.host_port_end;
  document["container_port"] = port.container_port;
  return document;
}

Result<std::uint16_t> decode_port_number(const Object& object, std::string_view key,
                                         std::int64_t least) {
  TRY(auto number,
      least == 0 ? object.integer_or(key, 0, 65535, 0) : object.integer(key, least, 65535));
  return static_cast<std::uint16_t>(number);
}

Result<PortSpec> decode_port(const Object& object) {
  TRY_STATUS(
      only_known(object, {"protocol", "host_ip", "host_port", "host_port_end", "container_port"}));
  PortSpec port;
  TRY(auto proto, parsed_or_none(object, "protocol", network::parse_proto));
  port.proto = proto.value_or(Proto::kTcp);
  TRY(port.host_ip, parsed_or_none(object, "host_ip", IpAddress::parse));
  TRY(port.host_port, decode_port_number(object, "host_port", 0));
  TRY(port.host_port_end, decode_port_number(object, "host_port_end", 0));
  TRY(port.container_port, decode_port_number(object, "container_port", 1));
  if (port.host_port_end != 0 && port.host_port_end < port.host_port)
    return fail(Code::kInvalid, "field {} lies before host_port {}",
                object.path_of("host_port_end"), port.host_port);
  return port;
}

Result<std::vector<PortSpec>> decode_ports(const Object& object) {
  std::vector<PortSpec> ports;
  TRY(auto elements, object.objects_or_empty("ports"));
  for (const Object& element : elements) {
    TRY(auto port, decode_port(element));
    ports.push_back(port);
  }
  return ports;
}

// ---- attach

Result<std::string> parse_netns_path(std::string_view text) {
  if (text.empty() || text[0] != '/' || text.size() > 4095 ||
      text.find('\0') != std::string_view::npos)
    return fail(Code::kInvalid,
                "it must be the absolute path of a network namespace, like /run/netns/web");
  return std::string(text);
}

Result<std::string> decode_netns(const Object& object) {
  const bool by_path = object.find("netns") != nullptr;
  const bool by_pid = object.find("pid") != nullptr;
  if (by_path && by_pid) return fail(Code::kInvalid, "fields netns and pid exclude each other");
  if (by_path) return parsed(object, "netns", parse_netns_path);
  if (!by_pid)
    return fail(Code::kInvalid,
                "field netns (a path) or pid (a process in the namespace) is missing");
  TRY(auto pid, object.integer("pid", 1, std::numeric_limits<std::int32_t>::max()));
  return fmt::format("/proc/{}/ns/net", pid);
}

Status decode_addressing(const Object& object, network::EndpointSpec& spec) {
  TRY(spec.addresses, parsed_list(object, "addresses", Cidr::parse));
  TRY(spec.ranges, parsed_list(object, "ranges", Cidr::parse));
  TRY(spec.mac, parsed_or_none(object, "mac", MacAddress::parse));
  TRY(spec.rates, decode_rates(object));
  TRY(auto routes, object.objects_or_empty("routes"));
  for (const Object& element : routes) {
    TRY(auto route, decode_route(element));
    spec.routes.push_back(route);
  }
  return {};
}

Document encode_endpoint_state(const EndpointView& view) {
  const network::Endpoint& endpoint = view.endpoint;
  Document state = {{"phase", network::to_string(endpoint.phase)},
                    {"joined", endpoint.joined},
                    {"network_id", endpoint.network_id},
                    {"gateways", texts_of(endpoint.gateways)}};
  if (!endpoint.host_ifname.empty()) state["host_ifname"] = endpoint.host_ifname.str();
  if (view.mtu != 0) state["mtu"] = view.mtu;
  state["created"] = rfc3339(endpoint.created);
  return state;
}

}  // namespace

Document encode_rates(const Rates& rates) {
  return {{"in_bits", rates.in_bits},
          {"out_bits", rates.out_bits},
          {"in_burst_bits", rates.in_burst_bits},
          {"out_burst_bits", rates.out_burst_bits}};
}

Document encode_port(const PublishedPort& port) {
  return encode_port_spec({port.proto, port.host_ip, port.host_port, 0, port.container_port});
}

Document encode_ports(const std::vector<PublishedPort>& ports) {
  Document list = Document::array();
  for (const PublishedPort& port : ports) list.push_back(encode_port(port));
  return list;
}

Document encode_port_holder(const network::PortHolder& holder) {
  Document document = encode_port(holder.port);
  document["targets"] = texts_of(holder.targets);
  document["network"] = holder.network_name;
  document["network_id"] = holder.network_id;
  document["endpoint"] = holder.endpoint_id;
  document["container"] = holder.container;
  return document;
}

Result<std::vector<PortSpec>> decode_publish(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"ports"}));
  if (object.find("ports") == nullptr) return fail(Code::kInvalid, "field ports is missing");
  return decode_ports(object);
}

Document encode_attach(const AttachRequest& request) {
  const network::EndpointSpec& spec = request.spec;
  Document document = {{"network", spec.network.text},
                       {"id", spec.id},
                       {"container", spec.container},
                       {"runtime", spec.runtime}};
  document["ifname"] = request.ifname.str();
  if (spec.netns_path) document["netns"] = *spec.netns_path;
  document["addresses"] = texts_of(spec.addresses);
  document["address_source"] =
      spec.address_source == AddressSource::kFairlead ? "fairlead" : "runtime";
  if (!spec.ranges.empty()) document["ranges"] = texts_of(spec.ranges);
  if (spec.mac) document["mac"] = spec.mac->to_string();
  document["ports"] = Document::array();
  for (const PortSpec& port : spec.ports) document["ports"].push_back(encode_port_spec(port));
  document["aliases"] = spec.aliases;
  if (spec.rates) document["rates"] = encode_rates(*spec.rates);
  document["routes"] = Document::array();
  for (const Route& route : spec.routes) document["routes"].push_back(encode_route(route));
  return document;
}

Result<AttachRequest> decode_attach(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(
      object, {"network", "id", "container", "runtime", "ifname", "netns", "pid", "addresses",
               "address_source", "ranges", "mac", "ports", "aliases", "rates", "routes", "state"}));
  AttachRequest request;
  network::EndpointSpec& spec = request.spec;
  TRY(spec.network.text, parsed(object, "network", parse_label));
  TRY(spec.container, parsed(object, "container", parse_label));
  TRY(auto runtime, parsed_or_none(object, "runtime", parse_id));
  spec.runtime = runtime.value_or("api");
  TRY(auto ifname, parsed_or_none(object, "ifname", IfName::parse));
  request.ifname = ifname ? *ifname : *IfName::parse("eth0");
  TRY(auto id, parsed_or_none(object, "id", parse_id));
  spec.id = id ? *id : network::endpoint_id(spec.container, request.ifname.str());
  TRY(spec.netns_path, decode_netns(object));
  TRY(auto source, object.string_or("address_source", "fairlead"));
  if (source != "fairlead" && source != "runtime")
    return fail(Code::kInvalid, "field address_source must be fairlead or runtime");
  spec.address_source = source == "runtime" ? AddressSource::kRuntime : AddressSource::kFairlead;
  TRY_STATUS(decode_addressing(object, spec));
  TRY(spec.ports, decode_ports(object));
  TRY(spec.aliases, parsed_list(object, "aliases", parse_label));
  return request;
}

Document encode_endpoint(const EndpointView& view) {
  const network::Endpoint& endpoint = view.endpoint;
  AttachRequest again;
  again.spec = {.network = {view.network},
                .id = endpoint.id,
                .container = endpoint.container,
                .runtime = endpoint.runtime,
                .addresses = endpoint.addresses,
                .address_source = endpoint.address_source,
                .mac = endpoint.mac};
  again.spec.aliases = endpoint.aliases;
  again.spec.rates = endpoint.rates;
  again.spec.routes = endpoint.routes;
  if (!endpoint.netns_path.empty()) again.spec.netns_path = endpoint.netns_path;
  Document document = encode_attach(again);
  document["ifname"] = endpoint.ifname;
  document["ports"] = encode_ports(endpoint.ports);
  document["state"] = encode_endpoint_state(view);
  return document;
}

}  // namespace fairlead::native
