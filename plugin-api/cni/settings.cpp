#include "plugin-api/cni/settings.h"

#include <algorithm>
#include <array>

#include "network/api/options.h"
#include "plugin-api/cni/ranges.h"

namespace fairlead::cni {

namespace {

using network::Route;

// ---- options: the map of design section 6, plus the bridge plugin's words for the same things

Status set_option(std::map<std::string, std::string>& options, const std::string& name,
                  const std::string& value) {
  const auto [found, fresh] = options.try_emplace(name, value);
  if (fresh || found->second == value) return {};
  return fail(Code::kInvalid, "field {} is \"{}\", but options.{} is \"{}\"", name, value, name,
              found->second);
}

Status add_text(const json::Object& config, std::string_view key,
                std::map<std::string, std::string>& options) {
  TRY(const std::string text, config.string_or(key, ""));
  if (text.empty()) return {};
  return set_option(options, std::string(key), text);
}

Status add_mtu(const json::Object& config, std::map<std::string, std::string>& options) {
  TRY(const auto mtu, config.integer_or("mtu", 0, 65535, 0));
  if (mtu == 0) return {};
  return set_option(options, "mtu", std::to_string(mtu));
}

Status add_masquerade(const json::Object& config, std::map<std::string, std::string>& options) {
  if (config.find("ipMasq") == nullptr) return {};
  TRY(const bool masquerade, config.bool_or("ipMasq", true));
  return set_option(options, "masquerade", masquerade ? "true" : "false");
}

// {"isGateway":false}: the bridge has no address, and so the containers no way out.
Result<bool> has_gateway(const json::Object& config) {
  TRY(const bool is_default_gateway, config.bool_or("isDefaultGateway", false));
  TRY(const bool is_gateway, config.bool_or("isGateway", true));
  TRY_STATUS(config.bool_or("hairpinMode", false));  // always on for published ports
  return is_gateway || is_default_gateway;
}

Result<network::NetworkOptions> decode_options(const json::Object& config) {
  TRY(auto options, config.string_map_or_empty("options"));
  TRY_STATUS(add_text(config, "bridge", options));
  TRY_STATUS(add_text(config, "network", options));
  TRY_STATUS(add_mtu(config, options));
  TRY_STATUS(add_masquerade(config, options));
  TRY(const bool gateway, has_gateway(config));
  if (!gateway) {
    TRY_STATUS(set_option(options, "gateway_mode_ipv4", "isolated"));
    TRY_STATUS(set_option(options, "gateway_mode_ipv6", "isolated"));
  }
  return network::parse_options(options);
}

// ---- subnets: "subnet" and its companions, "subnets", or "ipam" as host-local takes it

Result<std::vector<AddressRange>> decode_subnet_list(const json::Object& config) {
  std::vector<AddressRange> ranges;
  const json::Json* list = config.find("subnets");
  if (list == nullptr) return ranges;
  if (!list->is_array())
    return fail(Code::kInvalid, "field {} must be an array, not {}", config.path_of("subnets"),
                list->type_name());
  for (const json::Json& element : *list) {
    const json::Json as_object = element.is_string() ? json::Json{{"subnet", element}} : element;
    TRY(const auto object,
        json::Object::of(as_object, fmt::format("{}[{}]", config.path_of("subnets"), ranges.size()),
                         json::Keys::kAnyCase));
    TRY(auto range, decode_range(object));
    ranges.push_back(std::move(range));
  }
  return ranges;
}

Result<std::vector<AddressRange>> decode_ranges(const json::Object& section) {
  TRY(auto ranges, decode_subnet_list(section));
  TRY(auto sets, decode_range_sets(section, "ranges"));
  ranges.insert(ranges.end(), sets.begin(), sets.end());
  if (section.find("subnet") != nullptr) {
    TRY(auto range, decode_range(section));
    ranges.push_back(std::move(range));
  }
  return ranges;
}

Status check_ipam(const json::Object& ipam) {
  TRY(const std::string type, ipam.string_or("type", ""));
  if (type.empty() || type == "host-local" || type == "fairlead") return {};
  return fail(Code::kInvalid,
              "field ipam.type is \"{}\": fairlead gives the addresses itself; use \"host-local\", "
              "or leave the type out",
              type);
}

// Puts the subnets and routes of one section (the configuration itself, or its "ipam") into the
// settings.
Status add_section(const json::Object& section, std::vector<AddressRange>& ranges,
                   Settings& settings) {
  TRY(auto more, decode_ranges(section));
  ranges.insert(ranges.end(), more.begin(), more.end());
  TRY(auto routes, decode_routes(section, "routes"));
  settings.routes.insert(settings.routes.end(), routes.begin(), routes.end());
  return {};
}

Status add_addresses(const json::Object& config, Settings& settings) {
  std::vector<AddressRange> ranges;
  TRY_STATUS(add_section(config, ranges, settings));
  TRY(const auto ipam, config.object_or_none("ipam"));
  if (ipam) {
    TRY_STATUS(check_ipam(*ipam));
    TRY_STATUS(add_section(*ipam, ranges, settings));
  }
  TRY(const auto merged, merge_ranges(ranges));
  for (const AddressRange& range : merged) {
    settings.network.subnets.push_back(range.subnet);
    const bool one_prefix = range.exact.size() == 1 && range.subnet.range == range.exact.front();
    if (!one_prefix)
      settings.ranges.insert(settings.ranges.end(), range.exact.begin(), range.exact.end());
  }
  return {};
}

// ---- what is refused

// Keys of the standard plugins that would change who reaches whom; off values are let through.
constexpr auto kNotSupported =
    std::to_array<std::string_view>({"vlan", "vlanTrunk", "macspoofchk", "promiscMode",
                                     "portIsolation", "disableContainerInterface"});

bool is_off(const json::Json& value) {
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number()) return value == 0;
  if (value.is_string()) return value == "" || value == "false";
  return value.empty();
}

Status check_supported(const json::Object& config) {
  for (const std::string_view key : kNotSupported)
    if (const json::Json* value = config.find(key); value != nullptr && !is_off(*value))
      return fail(Code::kUnsupported, "field {} is {}: fairlead cannot do that; leave it out", key,
                  json::dump(*value));
  TRY(const auto ipam, config.object_or_none("ipam"));
  if (!ipam) return {};
  TRY(const std::string resolv_conf, ipam->string_or("resolvConf", ""));
  if (resolv_conf.empty()) return {};
  return fail(Code::kUnsupported,
              "field ipam.resolvConf is \"{}\": fairlead does not read it; write the name servers "
              "under \"dns\"",
              resolv_conf);
}

Result<Settings> decode(const json::Object& config, const NetworkName& name) {
  Settings settings;
  settings.network.name = name;
  TRY(settings.network.options, decode_options(config));
  TRY_STATUS(add_addresses(config, settings));
  TRY(settings.network.ipv6, config.bool_or("ipv6", false));
  TRY(const bool internal, config.bool_or("internal", false));
  TRY(const bool gateway, has_gateway(config));
  settings.network.internal = internal || !gateway;
  TRY(settings.network.labels, config.string_map_or_empty("labels"));
  TRY(const auto dns, config.object_or_none("dns"));
  if (dns) {
    TRY(settings.dns, decode_dns(*dns));
  }
  return settings;
}

Result<std::optional<std::uint32_t>> number_or_none(const json::Object& object,
                                                    std::string_view key) {
  if (object.find(key) == nullptr) return std::optional<std::uint32_t>();
  TRY(const auto number, object.integer(key, 0, UINT32_MAX));
  return std::optional(static_cast<std::uint32_t>(number));
}

Result<Route> decode_route(const json::Object& object) {
  Route route;
  TRY(const std::string destination, object.string("dst"));
  TRY(const std::string gateway, object.string_or("gw", ""));
  auto prefix = Cidr::parse(destination);
  if (!prefix) return fail(with_context(prefix.error(), "field " + object.path_of("dst")));
  route.destination = prefix->network();
  if (!gateway.empty()) {
    auto via = IpAddress::parse(gateway);
    if (!via) return fail(with_context(via.error(), "field " + object.path_of("gw")));
    route.via = *via;
  }
  TRY(route.mtu, number_or_none(object, "mtu"));
  TRY(route.advmss, number_or_none(object, "advmss"));
  TRY(route.priority, number_or_none(object, "priority"));
  TRY(route.table, number_or_none(object, "table"));
  TRY(route.scope, number_or_none(object, "scope"));
  return route;
}

}  // namespace

Decoded<Settings> decode_settings(const json::Object& config, const NetworkName& name) {
  if (auto supported = check_supported(config); !supported) {
    const bool unsupported = supported.error().code == Code::kUnsupported;
    return fail(Failure{unsupported ? ErrorCode::kUnsupportedField : ErrorCode::kConfiguration,
                        supported.error().text, ""});
  }
  return at_stage(decode(config, name), ErrorCode::kConfiguration);
}

Result<std::optional<NetworkName>> decode_join(const json::Object& config) {
  TRY(std::string text, config.string_or("network", ""));
  const json::Json* options = config.find("options");
  if (text.empty() && options != nullptr && options->is_object()) {
    TRY(const auto object, json::Object::of(*options, "options"));
    TRY(text, object.string_or("network", ""));
  }
  if (text.empty()) return std::optional<NetworkName>();
  TRY(auto name, NetworkName::parse(text));
  return std::optional(std::move(name));
}

Result<network::Dns> decode_dns(const json::Object& object) {
  network::Dns dns;
  TRY(dns.nameservers, object.strings_or_empty("nameservers"));
  TRY(dns.search, object.strings_or_empty("search"));
  TRY(dns.options, object.strings_or_empty("options"));
  TRY(dns.domain, object.string_or("domain", ""));
  return dns;
}

Result<std::vector<Route>> decode_routes(const json::Object& object, std::string_view key) {
  std::vector<Route> routes;
  TRY(const auto elements, object.objects_or_empty(key));
  for (const json::Object& element : elements) {
    TRY(auto route, decode_route(element));
    routes.push_back(std::move(route));
  }
  return routes;
}

}  // namespace fairlead::cni
