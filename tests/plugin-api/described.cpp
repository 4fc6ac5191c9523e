#include "tests/plugin-api/described.h"

#include "network/api/options.h"

namespace fairlead::testing {

using json::Json;

namespace {

void put(Json& object, const char* key, Json value) {
  if (!value.empty() && value != false && value != "") object[key] = std::move(value);
}

Json describe(const network::SubnetSpec& subnet) {
  Json object = Json::object();
  if (subnet.subnet) object["subnet"] = subnet.subnet->to_string();
  if (subnet.range) object["range"] = subnet.range->to_string();
  if (subnet.gateway) object["gateway"] = subnet.gateway->to_string();
  return object;
}

Json describe(const network::Rates& rates) {
  return {{"in_bits", rates.in_bits},
          {"in_burst_bits", rates.in_burst_bits},
          {"out_bits", rates.out_bits},
          {"out_burst_bits", rates.out_burst_bits}};
}

}  // namespace

Json describe(const network::NetworkSpec& spec) {
  Json object{{"name", spec.name.str()}};
  put(object, "id", spec.id);
  put(object, "options", network::to_map(spec.options));
  for (const auto& subnet : spec.subnets) object["subnets"].push_back(describe(subnet));
  if (spec.address_source != network::AddressSource::kFairlead)
    object["address_source"] = to_string(spec.address_source);
  put(object, "ipv6", spec.ipv6);
  put(object, "internal", spec.internal);
  put(object, "labels", spec.labels);
  return object;
}

Json describe(const network::PortSpec& port) {
  Json object{{"proto", to_string(port.proto)},
              {"host_port", port.host_port},
              {"container_port", port.container_port}};
  if (port.host_ip) object["host_ip"] = port.host_ip->to_string();
  if (port.host_port_end != 0) object["host_port_end"] = port.host_port_end;
  return object;
}

Json describe(const network::Route& route) {
  Json object{{"dst", route.destination.to_string()}};
  if (route.via) object["via"] = route.via->to_string();
  if (route.mtu) object["mtu"] = *route.mtu;
  if (route.priority) object["priority"] = *route.priority;
  if (route.scope) object["scope"] = *route.scope;
  return object;
}

Json describe(const network::EndpointSpec& spec) {
  Json object{{"network", to_string(spec.network)},
              {"id", spec.id},
              {"container", spec.container},
              {"runtime", spec.runtime}};
  put(object, "addresses", texts(spec.addresses));
  if (spec.address_source != network::AddressSource::kFairlead)
    object["address_source"] = to_string(spec.address_source);
  if (spec.mac) object["mac"] = spec.mac->to_string();
  for (const auto& port : spec.ports) object["ports"].push_back(describe(port));
  put(object, "aliases", spec.aliases);
  put(object, "name", spec.names.name);
  put(object, "hostname", spec.names.hostname);
  put(object, "dns_servers", texts(spec.names.dns_servers));
  for (const network::RangeSet& set : spec.range_sets) object["range_sets"].push_back(texts(set));
  put(object, "known_as", spec.known_as);
  if (spec.rates) object["rates"] = describe(*spec.rates);
  for (const auto& route : spec.routes) object["routes"].push_back(describe(route));
  if (spec.netns_path) object["netns_path"] = *spec.netns_path;
  put(object, "no_default_route", !spec.default_route);
  return object;
}

Json describe(const network::EndpointRef& ref) {
  return {{"network", to_string(ref.network)}, {"id", ref.id}};
}

Json describe(const network::Expectation& expected) {
  Json object{{"ifname", expected.ifname}};
  put(object, "addresses", texts(expected.addresses));
  for (const auto& route : expected.routes) object["routes"].push_back(describe(route));
  if (expected.mac) object["mac"] = expected.mac->to_string();
  return object;
}

network::Subnet make_subnet(const network::SubnetSpec& spec) {
  const Cidr subnet = spec.subnet.value_or(
      *Cidr::parse(spec.family == Family::kV4 ? "10.208.0.0/24" : "fd00:208::/64"));
  return {.subnet = subnet,
          .gateway = spec.gateway.value_or(*subnet.first().plus(1)),
          .range = spec.range};
}

Cidr address_in(const network::Subnet& subnet, const network::EndpointSpec& spec) {
  for (const Cidr& wanted : spec.addresses)
    if (subnet.subnet.contains(wanted.address()))
      return Cidr::of(wanted.address(), subnet.subnet.prefix_length());
  return Cidr::of(*subnet.subnet.first().plus(2), subnet.subnet.prefix_length());
}

}  // namespace fairlead::testing
