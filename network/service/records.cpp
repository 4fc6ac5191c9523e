#include "network/service/records.h"

#include "base/json/json.h"
#include "network/api/options.h"

namespace fairlead::network {

using json::Json;
using json::Object;

namespace {

template <class T>
Json to_text(const std::optional<T>& value) {
  return value ? Json(value->to_string()) : Json();
}

// A field that holds a value with a `parse` of its own; absent is nothing.
template <class T, class Parse>
Result<std::optional<T>> optional_field(const Object& object, std::string_view key, Parse parse) {
  if (object.find(key) == nullptr) return std::optional<T>();
  TRY(auto text, object.string(key));
  TRY(auto value, parse(text));
  return std::optional<T>(std::move(value));
}

template <class T, class Parse>
Result<std::vector<T>> list_field(const Object& object, std::string_view key, Parse parse) {
  std::vector<T> values;
  TRY(auto texts, object.strings_or_empty(key));
  for (const std::string& text : texts) {
    TRY(auto value, parse(text));
    values.push_back(std::move(value));
  }
  return values;
}

template <class Range>
Json texts_of(const Range& values) {
  Json texts = Json::array();
  for (const auto& value : values) texts.push_back(value.to_string());
  return texts;
}

Result<Phase> parse_phase(std::string_view text) {
  for (const Phase phase : {Phase::kCreating, Phase::kReady, Phase::kDeleting})
    if (text == to_string(phase)) return phase;
  return fail(Code::kIo, "record has the unknown phase \"{}\"", text);
}

Json encode_subnet(const Subnet& subnet) {
  Json json{{"subnet", subnet.subnet.to_string()}, {"pool", subnet.pool_id}};
  if (subnet.gateway) json["gateway"] = subnet.gateway->to_string();
  if (subnet.range) json["range"] = subnet.range->to_string();
  for (const auto& [name, address] : subnet.aux) json["aux"][name] = address.to_string();
  return json;
}

Result<Subnet> decode_subnet(const Object& object) {
  Subnet subnet;
  TRY(auto text, object.string("subnet"));
  TRY(subnet.subnet, Cidr::parse(text));
  TRY(subnet.pool_id, object.string_or("pool", ""));
  TRY(subnet.gateway, optional_field<IpAddress>(object, "gateway", IpAddress::parse));
  TRY(subnet.range, optional_field<Cidr>(object, "range", Cidr::parse));
  TRY(auto aux, object.string_map_or_empty("aux"));
  for (const auto& [name, address] : aux) {
    TRY(subnet.aux[name], IpAddress::parse(address));
  }
  return subnet;
}

Json encode_overlay(const OverlayParams& overlay) {
  return {{"vni", overlay.vni},
          {"port", overlay.port},
          {"local", overlay.local.to_string()},
          {"underlay_mtu", overlay.underlay_mtu}};
}

Result<OverlayParams> decode_overlay(const Object& object) {
  OverlayParams overlay;
  TRY(const auto vni, object.integer("vni", 1, (1 << 24) - 1));
  TRY(const auto port, object.integer("port", 1, 65535));
  TRY(const auto local, object.string("local"));
  TRY(overlay.local, IpAddress::parse(local));
  TRY(const auto mtu, object.integer_or("underlay_mtu", 0, UINT32_MAX, 0));
  overlay.vni = static_cast<std::uint32_t>(vni);
  overlay.port = static_cast<std::uint16_t>(port);
  overlay.underlay_mtu = static_cast<unsigned>(mtu);
  return overlay;
}

Json encode_rates(const Rates& rates) {
  return {{"in", rates.in_bits},
          {"out", rates.out_bits},
          {"in_burst", rates.in_burst_bits},
          {"out_burst", rates.out_burst_bits}};
}

Result<Rates> decode_rates(const Object& object) {
  Rates rates;
  const auto read = [&](std::string_view key) -> Result<std::uint64_t> {
    TRY(auto number, object.integer_or(key, 0, INT64_MAX, 0));
    return static_cast<std::uint64_t>(number);
  };
  TRY(rates.in_bits, read("in"));
  TRY(rates.out_bits, read("out"));
  TRY(rates.in_burst_bits, read("in_burst"));
  TRY(rates.out_burst_bits, read("out_burst"));
  return rates;
}

Json encode_route(const Route& route) {
  Json json{{"to", route.destination.to_string()}};
  if (route.via) json["via"] = route.via->to_string();
  if (route.mtu) json["mtu"] = *route.mtu;
  if (route.advmss) json["advmss"] = *route.advmss;
  if (route.priority) json["priority"] = *route.priority;
  if (route.table) json["table"] = *route.table;
  if (route.scope) json["scope"] = *route.scope;
  return json;
}

Result<Route> decode_route(const Object& object) {
  Route route;
  TRY(auto text, object.string("to"));
  TRY(route.destination, Cidr::parse(text));
  TRY(route.via, optional_field<IpAddress>(object, "via", IpAddress::parse));
  const auto read = [&](std::string_view key) -> Result<std::optional<std::uint32_t>> {
    if (object.find(key) == nullptr) return std::optional<std::uint32_t>();
    TRY(auto number, object.integer(key, 0, UINT32_MAX));
    return std::optional(static_cast<std::uint32_t>(number));
  };
  TRY(route.mtu, read("mtu"));
  TRY(route.advmss, read("advmss"));
  TRY(route.priority, read("priority"));
  TRY(route.table, read("table"));
  TRY(route.scope, read("scope"));
  return route;
}

Json encode_published(const PublishedPort& port) {
  Json json{{"proto", to_string(port.proto)},
            {"host_port", port.host_port},
            {"container_port", port.container_port}};
  if (port.host_ip) json["host_ip"] = port.host_ip->to_string();
  return json;
}

Result<std::uint16_t> port_number(const Object& object, std::string_view key) {
  TRY(auto number, object.integer(key, 0, 65535));
  return static_cast<std::uint16_t>(number);
}

Result<PublishedPort> decode_published(const Object& object) {
  PublishedPort port;
  TRY(auto proto, object.string("proto"));
  TRY(port.proto, parse_proto(proto));
  TRY(port.host_port, port_number(object, "host_port"));
  TRY(port.container_port, port_number(object, "container_port"));
  TRY(port.host_ip, optional_field<IpAddress>(object, "host_ip", IpAddress::parse));
  return port;
}

template <class T>
Result<std::vector<T>> decode_each(const Object& object, std::string_view key,
                                   Result<T> (*decode)(const Object&)) {
  std::vector<T> values;
  TRY(auto elements, object.objects_or_empty(key));
  for (const Object& element : elements) {
    TRY(auto value, decode(element));
    values.push_back(std::move(value));
  }
  return values;
}

// A record is ours: what is wrong with it is damage, not bad input.
template <class T>
Result<T> as_damage(Result<T> result, std::string_view what) {
  if (result) return result;
  Error error = with_context(result.error(),
                             fmt::format("the {} record in the state database is damaged", what));
  error.code = Code::kIo;
  return fail(std::move(error));
}

Result<Network> read_network(const Json& json) {
  TRY(auto object, Object::of(json));
  Network network;
  TRY(network.id, object.string("id"));
  TRY(auto name, object.string("name"));
  TRY(network.name, NetworkName::parse(name));
  TRY(auto options, object.string_map_or_empty("options"));
  TRY(network.options, stored_options(options));
  TRY(network.subnets, decode_each(object, "subnets", decode_subnet));
  TRY(network.internal, object.bool_or("internal", false));
  TRY(const bool runtime_addresses, object.bool_or("runtime_addresses", false));
  network.address_source = runtime_addresses ? AddressSource::kRuntime : AddressSource::kFairlead;
  TRY(network.labels, object.string_map_or_empty("labels"));
  TRY(auto phase, object.string("phase"));
  TRY(network.phase, parse_phase(phase));
  TRY(network.created, object.integer_or("created", 0, INT64_MAX, 0));
  TRY(auto bridge, object.string_or("bridge", ""));
  if (!bridge.empty()) {
    TRY(network.bridge, stored_ifname(bridge));
    TRY(auto mac, object.string("bridge_mac"));
    TRY(network.bridge_mac, MacAddress::parse(mac));
  }
  TRY(network.foreign_bridge, object.bool_or("foreign_bridge", false));
  TRY(auto mtu, object.integer_or("mtu", 0, 65535, 1500));
  network.mtu = static_cast<unsigned>(mtu);
  TRY(network.bridge_boot, object.string_or("bridge_boot", ""));
  TRY(network.localnet_opened, object.bool_or("localnet_opened", false));
  TRY(const auto overlay, object.object_or_none("overlay"));
  if (overlay) {
    TRY(network.overlay, decode_overlay(*overlay));
  }
  return network;
}

Result<Endpoint> read_endpoint(const Json& json) {
  TRY(auto object, Object::of(json));
  Endpoint endpoint;
  TRY(endpoint.id, object.string("id"));
  TRY(endpoint.network_id, object.string("network"));
  TRY(endpoint.container, object.string_or("container", ""));
  TRY(endpoint.runtime, object.string_or("runtime", ""));
  TRY(endpoint.addresses, list_field<Cidr>(object, "addresses", Cidr::parse));
  TRY(endpoint.gateways, list_field<IpAddress>(object, "gateways", IpAddress::parse));
  TRY(endpoint.mac, optional_field<MacAddress>(object, "mac", MacAddress::parse));
  TRY(auto host_ifname, object.string("host_ifname"));
  TRY(endpoint.host_ifname, IfName::parse(host_ifname));
  TRY(endpoint.ifname, object.string_or("ifname", ""));
  TRY(const bool runtime_addresses, object.bool_or("runtime_addresses", false));
  endpoint.address_source = runtime_addresses ? AddressSource::kRuntime : AddressSource::kFairlead;
  TRY(endpoint.ports, decode_each(object, "ports", decode_published));
  TRY(endpoint.aliases, object.strings_or_empty("aliases"));
  TRY(auto rates, object.object_or_none("rates"));
  if (rates) {
    TRY(endpoint.rates, decode_rates(*rates));
  }
  TRY(endpoint.routes, decode_each(object, "routes", decode_route));
  TRY(endpoint.netns_path, object.string_or("netns", ""));
  TRY(endpoint.boot_id, object.string_or("boot", ""));
  TRY(auto phase, object.string("phase"));
  TRY(endpoint.phase, parse_phase(phase));
  TRY(endpoint.joined, object.bool_or("joined", false));
  TRY(endpoint.created, object.integer_or("created", 0, INT64_MAX, 0));
  return endpoint;
}

Result<PortClaim> decode_claim(const Object& object) {
  PortClaim claim;
  TRY(claim.host_ip, optional_field<IpAddress>(object, "host_ip", IpAddress::parse));
  TRY(claim.network_id, object.string("network"));
  TRY(claim.endpoint_id, object.string("endpoint"));
  TRY(claim.container_port, port_number(object, "container_port"));
  TRY(claim.boot_id, object.string_or("boot", ""));
  return claim;
}

Result<std::vector<PortClaim>> read_claims(const Json& json) {
  TRY(auto object, Object::of(json));
  return decode_each(object, "claims", decode_claim);
}

}  // namespace

std::string encode(const Network& network) {
  Json json{{"id", network.id},
            {"name", network.name.str()},
            {"options", to_map(network.options)},
            {"subnets", Json::array()},
            {"internal", network.internal},
            {"runtime_addresses", network.address_source == AddressSource::kRuntime},
            {"labels", network.labels},
            {"phase", to_string(network.phase)},
            {"created", network.created},
            {"foreign_bridge", network.foreign_bridge},
            {"mtu", network.mtu}};
  for (const Subnet& subnet : network.subnets) json["subnets"].push_back(encode_subnet(subnet));
  if (!network.bridge.empty()) {
    json["bridge"] = network.bridge.str();
    json["bridge_mac"] = network.bridge_mac.to_string();
  }
  if (!network.bridge_boot.empty()) json["bridge_boot"] = network.bridge_boot;
  if (network.localnet_opened) json["localnet_opened"] = true;
  if (network.overlay) json["overlay"] = encode_overlay(*network.overlay);
  return json::dump(json);
}

Result<Network> decode_network(std::string_view text) {
  TRY(auto json, json::parse(text));
  return as_damage(read_network(json), "network");
}

std::string encode(const Endpoint& endpoint) {
  Json json{{"id", endpoint.id},
            {"network", endpoint.network_id},
            {"container", endpoint.container},
            {"runtime", endpoint.runtime},
            {"addresses", texts_of(endpoint.addresses)},
            {"gateways", texts_of(endpoint.gateways)},
            {"mac", to_text(endpoint.mac)},
            {"host_ifname", endpoint.host_ifname.str()},
            {"ifname", endpoint.ifname},
            {"runtime_addresses", endpoint.address_source == AddressSource::kRuntime},
            {"netns", endpoint.netns_path},
            {"boot", endpoint.boot_id},
            {"phase", to_string(endpoint.phase)},
            {"joined", endpoint.joined},
            {"created", endpoint.created}};
  if (!endpoint.aliases.empty()) json["aliases"] = endpoint.aliases;
  if (endpoint.rates != Rates()) json["rates"] = encode_rates(endpoint.rates);
  for (const PublishedPort& port : endpoint.ports) json["ports"].push_back(encode_published(port));
  for (const Route& route : endpoint.routes) json["routes"].push_back(encode_route(route));
  return json::dump(json);
}

Result<Endpoint> decode_endpoint(std::string_view text) {
  TRY(auto json, json::parse(text));
  return as_damage(read_endpoint(json), "endpoint");
}

std::string encode(const std::vector<PortClaim>& claims) {
  Json json{{"claims", Json::array()}};
  for (const PortClaim& claim : claims) {
    Json one{{"network", claim.network_id},
             {"endpoint", claim.endpoint_id},
             {"container_port", claim.container_port},
             {"boot", claim.boot_id}};
    if (claim.host_ip) one["host_ip"] = claim.host_ip->to_string();
    json["claims"].push_back(std::move(one));
  }
  return json::dump(json);
}

Result<std::vector<PortClaim>> decode_claims(std::string_view text) {
  TRY(auto json, json::parse(text));
  return as_damage(read_claims(json), "port");
}

std::string encode(const UnderlayRecord& underlay) {
  Json json{{"hosts", Json::array()}, {"secure_links", Json::array()}};
  for (const IpAddress& host : underlay.hosts) json["hosts"].push_back(host.to_string());
  for (const IfName& link : underlay.wireguard_links) json["secure_links"].push_back(link.str());
  if (underlay.port) json["port"] = *underlay.port;
  return json::dump(json);
}

Result<UnderlayRecord> decode_underlay(std::string_view text) {
  TRY(const auto json, json::parse(text));
  TRY(const auto object, Object::of(json));
  TRY(const auto hosts, object.strings_or_empty("hosts"));
  TRY(const auto links, object.strings_or_empty("secure_links"));
  // An older record has none, and is of a host in a cluster.
  TRY(const auto port, object.integer_or("port", 1, 65535, OverlayParams().port));
  UnderlayRecord underlay{
      .hosts = {}, .wireguard_links = {}, .port = static_cast<std::uint16_t>(port)};
  for (const std::string& text_of_host : hosts) {
    TRY(auto host, IpAddress::parse(text_of_host));
    underlay.hosts.push_back(host);
  }
  for (const std::string& name : links) {
    TRY(auto link, stored_ifname(name));
    underlay.wireguard_links.push_back(std::move(link));
  }
  return underlay;
}

std::string encode_id(std::string_view id) { return json::dump(Json{{"id", id}}); }

Result<std::string> decode_id(std::string_view text) {
  TRY(auto json, json::parse(text));
  TRY(auto object, Object::of(json));
  return object.string("id");
}

std::string encode_port(std::uint16_t port) { return json::dump(Json{{"port", port}}); }

Result<std::uint16_t> decode_port(std::string_view text) {
  TRY(auto json, json::parse(text));
  TRY(auto object, Object::of(json));
  return port_number(object, "port");
}

}  // namespace fairlead::network
