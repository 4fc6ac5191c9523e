#include <algorithm>

#include "base/host.h"
#include "network/api/options.h"
#include "plugin-api/native/fields.h"

namespace fairlead::native {

using network::AddressSource;
using network::NetworkSpec;
using network::SubnetSpec;

namespace {

Document encode_subnet(const SubnetSpec& subnet) {
  Document document = Document::object();
  if (subnet.subnet)
    document["subnet"] = subnet.subnet->to_string();
  else
    document["family"] = subnet.family == Family::kV4 ? "ipv4" : "ipv6";
  if (subnet.gateway) document["gateway"] = subnet.gateway->to_string();
  if (subnet.range) document["range"] = subnet.range->to_string();
  if (!subnet.aux.empty()) document["aux"] = texts_of(subnet.aux);
  return document;
}

Result<Family> parse_family(std::string_view text) {
  if (text == "ipv4") return Family::kV4;
  if (text == "ipv6") return Family::kV6;
  return fail(Code::kInvalid, "it must be ipv4 or ipv6");
}

Result<AddressSource> parse_source(std::string_view text) {
  if (text == "fairlead") return AddressSource::kFairlead;
  if (text == "runtime") return AddressSource::kRuntime;
  return fail(Code::kInvalid, "it must be fairlead or runtime");
}

// An id that a runtime gives: what Docker's ids look like, so that no id can be mistaken for a path
// or an option.
Result<std::string> parse_network_id(std::string_view text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != 64 || !std::ranges::all_of(text, hex))
    return fail(Code::kInvalid,
                "it must have 64 hex digits (lower case); leave it out to get a random one");
  return std::string(text);
}

Result<std::map<std::string, IpAddress>> decode_aux(const Object& subnet) {
  TRY(auto texts, strings(subnet, "aux"));
  std::map<std::string, IpAddress> addresses;
  for (const auto& [name, text] : texts) {
    auto address = IpAddress::parse(text);
    if (!address) return fail(with_context(address.error(), "field " + subnet.path_of("aux")));
    addresses[name] = *address;
  }
  return addresses;
}

Result<SubnetSpec> decode_subnet(const Object& object) {
  TRY_STATUS(only_known(object, {"subnet", "family", "gateway", "range", "aux"}));
  SubnetSpec subnet;
  TRY(subnet.subnet, parsed_or_none(object, "subnet", Cidr::parse_subnet));
  TRY(auto family, parsed_or_none(object, "family", parse_family));
  if (subnet.subnet && family && *family != subnet.subnet->family())
    return fail(Code::kInvalid, "field {} does not fit the subnet {}", object.path_of("family"),
                subnet.subnet->to_string());
  subnet.family = subnet.subnet ? subnet.subnet->family() : family.value_or(Family::kV4);
  TRY(subnet.gateway, parsed_or_none(object, "gateway", IpAddress::parse));
  TRY(subnet.range, parsed_or_none(object, "range", Cidr::parse));
  TRY(subnet.aux, decode_aux(object));
  return subnet;
}

Document encode_state(const network::Network& network, std::optional<std::size_t> endpoints) {
  Document state = {{"phase", network::to_string(network.phase)},
                    {"created", rfc3339(network.created)}};
  if (!network.bridge.empty()) {
    state["bridge"] = network.bridge.str();
    state["foreign_bridge"] = network.foreign_bridge;
    state["bridge_mac"] = network.bridge_mac.to_string();
  }
  state["mtu"] = network.mtu;
  if (network.overlay)
    state["overlay"] = {{"device", network::overlay_device(*network.overlay).str()},
                        {"vni", network.overlay->vni},
                        {"port", network.overlay->port},
                        {"address", network.overlay->local.to_string()}};
  if (endpoints) state["endpoints"] = *endpoints;
  return state;
}

}  // namespace

NetworkSpec spec_of(const network::Network& network) {
  NetworkSpec spec{.name = network.name, .id = network.id, .options = network.options};
  for (const network::Subnet& subnet : network.subnets)
    spec.subnets.push_back(
        {subnet.subnet.family(), subnet.subnet, subnet.range, subnet.gateway, subnet.aux});
  spec.ipv6 = network.has(Family::kV6);
  spec.internal = network.internal;
  spec.address_source = network.address_source;
  spec.labels = network.labels;
  return spec;
}

Document encode_network_spec(const NetworkSpec& spec) {
  Document document = {{"name", spec.name.str()}};
  if (!spec.id.empty()) document["id"] = spec.id;
  document["options"] = network::to_map(spec.options);
  document["subnets"] = Document::array();
  for (const SubnetSpec& subnet : spec.subnets)
    document["subnets"].push_back(encode_subnet(subnet));
  document["ipv6"] = spec.ipv6;
  document["internal"] = spec.internal;
  document["address_source"] =
      spec.address_source == AddressSource::kFairlead ? "fairlead" : "runtime";
  document["labels"] = spec.labels;
  return document;
}

Document encode_network(const network::Network& network, std::optional<std::size_t> endpoints) {
  Document document = encode_network_spec(spec_of(network));
  document["state"] = encode_state(network, endpoints);
  return document;
}

Result<NetworkSpec> decode_network_spec(const json::Json& document) {
  TRY(auto object, Object::of(document));
  TRY_STATUS(only_known(object, {"name", "id", "options", "subnets", "ipv6", "internal",
                                 "address_source", "labels", "state"}));
  NetworkSpec spec;
  TRY(spec.name, parsed(object, "name", NetworkName::parse));
  TRY(auto id, parsed_or_none(object, "id", parse_network_id));
  spec.id = id.value_or("");
  TRY(auto options, strings(object, "options"));
  TRY(spec.options, network::parse_options(options));
  TRY(auto subnets, object.objects_or_empty("subnets"));
  for (const Object& element : subnets) {
    TRY(auto subnet, decode_subnet(element));
    spec.subnets.push_back(std::move(subnet));
  }
  TRY(spec.ipv6, object.bool_or("ipv6", false));
  TRY(spec.internal, object.bool_or("internal", false));
  TRY(auto source, parsed_or_none(object, "address_source", parse_source));
  spec.address_source = source.value_or(AddressSource::kFairlead);
  TRY(spec.labels, strings(object, "labels"));
  return spec;
}

}  // namespace fairlead::native
