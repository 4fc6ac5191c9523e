#include "plugin-api/cni/settings.h"

#include <algorithm>
#include <array>

#include "network/api/options.h"
#include "plugin-api/cni/ipam.h"
#include "plugin-api/cni/ranges.h"
#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

namespace {

using json::defaulted;
using json::fields;
using json::object;
using json::Slot;

// The keys that stand for themselves.
struct Config {
  std::map<std::string, std::string> options, labels;
  std::string bridge, network;
  std::string device, mac, pci;  // as the plugin host-device has them
  std::uint16_t mtu = 0, vlan = 0;
  std::optional<bool> masquerade;
  bool is_gateway = true, is_default_gateway = false;
  bool hairpin = false;  // not looked at: always on for published ports
  bool ipv6 = false, internal = false, port_isolation = false;
  network::Dns dns;

  // {"isGateway":false}: the bridge has no address, and so the containers no way out.
  bool has_gateway() const { return is_gateway || is_default_gateway; }
};
constexpr auto kConfig = fields(
    defaulted<&Config::options>("options"), defaulted<&Config::labels>("labels"),
    defaulted<&Config::bridge>("bridge"), defaulted<&Config::network>("network"),
    defaulted<&Config::device>("device"), defaulted<&Config::mac>("hwaddr"),
    defaulted<&Config::pci>("pciBusID"), defaulted<&Config::mtu>("mtu"),
    defaulted<&Config::vlan>("vlan"), defaulted<&Config::masquerade>("ipMasq"),
    defaulted<&Config::is_gateway>("isGateway"),
    defaulted<&Config::is_default_gateway>("isDefaultGateway"),
    defaulted<&Config::hairpin>("hairpinMode"), defaulted<&Config::ipv6>("ipv6"),
    defaulted<&Config::internal>("internal"), defaulted<&Config::port_isolation>("portIsolation"),
    defaulted<&Config::dns>("dns", object(kDns)));

// ---- options: "options", plus the keys of the bridge plugin for the same things

Status set_option(std::map<std::string, std::string>& options, const std::string& name,
                  const std::string& value) {
  const auto [found, fresh] = options.try_emplace(name, value);
  if (fresh || found->second == value) return {};
  return fail(Code::kInvalid, "field {} is \"{}\", but options.{} is \"{}\"", name, value, name,
              found->second);
}

// The keys by which the plugin host-device finds an interface; for others they mean nothing.
Status add_device(const Config& config, std::map<std::string, std::string>& options) {
  const auto mode = options.find("mode");
  if (mode == options.end() || mode->second != "host-device") return {};
  if (!config.device.empty()) TRY_STATUS(set_option(options, "parent", config.device));
  if (!config.mac.empty()) TRY_STATUS(set_option(options, "parent_mac", config.mac));
  if (!config.pci.empty()) TRY_STATUS(set_option(options, "parent_pci", config.pci));
  return {};
}

Result<network::NetworkOptions> decode_options(const Config& config) {
  std::map<std::string, std::string> options = config.options;
  if (!config.bridge.empty()) TRY_STATUS(set_option(options, "bridge", config.bridge));
  if (!config.network.empty()) TRY_STATUS(set_option(options, "network", config.network));
  TRY_STATUS(add_device(config, options));
  if (config.mtu != 0) TRY_STATUS(set_option(options, "mtu", std::to_string(config.mtu)));
  if (config.vlan != 0) TRY_STATUS(set_option(options, "vlan", std::to_string(config.vlan)));
  if (config.masquerade)
    TRY_STATUS(set_option(options, "masquerade", *config.masquerade ? "true" : "false"));
  if (config.port_isolation) TRY_STATUS(set_option(options, "icc", "false"));
  if (!config.has_gateway()) {
    TRY_STATUS(set_option(options, "gateway_mode_ipv4", "isolated"));
    TRY_STATUS(set_option(options, "gateway_mode_ipv6", "isolated"));
  }
  return network::parse_options(options);
}

// ---- subnets: "subnet" and its companions, "subnets", or "ipam" as host-local takes it

// An element of "subnets": a prefix, or a range.
Result<AddressRange> read_subnet(const Slot& slot) {
  if (!slot.value().is_string()) return decode_range(slot);
  auto subnet = Cidr::parse_subnet(slot.value().string());
  if (!subnet) return fail(slot.located(std::move(subnet.error())));
  AddressRange range;
  range.subnet.family = subnet->family();
  range.subnet.subnet = *subnet;
  return range;
}

struct AddressSection {
  std::vector<AddressRange> subnets;
  std::vector<AddressRangeSet> ranges;
  std::vector<network::Route> routes;
};
constexpr auto kAddressSection =
    fields(defaulted<&AddressSection::subnets>("subnets", json::custom<&read_subnet>()),
           defaulted<&AddressSection::ranges>("ranges", kRangeSets),
           defaulted<&AddressSection::routes>("routes", object(kRoute)));

// Subnets beside the sets are alternatives: all of a family are one set.
void add_alternative(std::vector<AddressRangeSet>& alternatives, AddressRange range) {
  const auto found = std::ranges::find_if(alternatives, [&](const AddressRangeSet& set) {
    return set.front().subnet.family == range.subnet.family;
  });
  if (found == alternatives.end())
    alternatives.push_back({std::move(range)});
  else
    found->push_back(std::move(range));
}

// Puts the subnets and routes of one section (the configuration itself, or its "ipam") into the
// settings.
Status add_section(const json::Object& section, std::vector<AddressRangeSet>& alternatives,
                   Settings& settings) {
  const Slot slot(section, {});
  TRY(const auto read, json::read(slot, kAddressSection));
  for (const AddressRange& range : read.subnets) add_alternative(alternatives, range);
  if (section.find("subnet") != nullptr) {
    TRY(auto range, decode_range(slot));
    add_alternative(alternatives, std::move(range));
  }
  settings.ranges.insert(settings.ranges.end(), read.ranges.begin(), read.ranges.end());
  settings.routes.insert(settings.routes.end(), read.routes.begin(), read.routes.end());
  return {};
}

// An element of static's "addresses".
struct FixedAddress {
  Cidr address;
  std::optional<IpAddress> gateway;
};
struct FixedAddresses {
  std::vector<FixedAddress> addresses;
};
constexpr auto kFixedAddress =
    fields(json::required<&FixedAddress::address>("address"),
           json::sparse<&FixedAddress::gateway>("gateway", kAddressOrNone));
constexpr auto kFixedAddresses =
    fields(defaulted<&FixedAddresses::addresses>("addresses", object(kFixedAddress)));

// The subnets whose gateway the network is to be, as the "ipam" of the plugins says them that we know.
// Routes and name servers are the plugin's to say.
Status add_subnets_of_plugin(const json::Object& ipam, const std::string& plugin,
                             std::vector<AddressRangeSet>& alternatives, Settings& settings) {
  if (plugin == "host-local") {
    Settings read;
    TRY_STATUS(add_section(ipam, alternatives, read));
    settings.ranges.insert(settings.ranges.end(), read.ranges.begin(), read.ranges.end());
  }
  if (plugin != "static") return {};
  TRY(const auto fixed, json::read(Slot(ipam, {}), kFixedAddresses));
  for (const FixedAddress& each : fixed.addresses) {
    if (!each.gateway) continue;
    AddressRange range;
    range.subnet = {.family = each.address.family(),
                    .subnet = each.address.network(),
                    .range = std::nullopt,
                    .gateway = each.gateway,
                    .aux = {}};
    if (!range.subnet.subnet->contains(*each.gateway))
      return fail(Code::kInvalid, "field ipam.addresses: the gateway {} is outside of {}",
                  each.gateway->to_string(), range.subnet.subnet->to_string());
    add_alternative(alternatives, std::move(range));
  }
  return {};
}

Status add_addresses(const json::Object& config, Settings& settings) {
  std::vector<AddressRangeSet> alternatives;
  TRY_STATUS(add_section(config, alternatives, settings));
  TRY(settings.ipam, decode_ipam_plugin(config));
  TRY(const auto ipam, config.object_or_none("ipam"));
  const bool says_subnets = !alternatives.empty() || !settings.ranges.empty();
  if (ipam && settings.ipam.empty()) {
    TRY_STATUS(add_section(*ipam, alternatives, settings));
    TRY(settings.resolv_conf, ipam->string_or("resolvConf", ""));
  } else if (ipam && !says_subnets) {
    TRY_STATUS(add_subnets_of_plugin(*ipam, settings.ipam, alternatives, settings));
  }
  settings.ranges.insert(settings.ranges.begin(), alternatives.begin(), alternatives.end());
  TRY(settings.network.subnets, subnets_of(settings.ranges));
  return {};
}

// ---- what is refused

// Keys of the standard plugins that would change who reaches whom; off values are let through.
constexpr auto kNotSupported = std::to_array<std::string_view>(
    {"vlanTrunk", "preserveDefaultVlan", "promiscMode", "disableContainerInterface", "kernelpath"});

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
  return {};
}

// Containers are held to their own addresses with and without it.
Status check_spoofing(const json::Object& config, const network::NetworkOptions& options) {
  const json::Json* checked = config.find("macspoofchk");
  if (checked == nullptr || is_off(*checked) || options.spoofing == network::Spoofing::kDeny)
    return {};
  return fail(Code::kInvalid,
              "field macspoofchk is true, and option \"spoofing\" is allow: leave one of them out");
}

Result<Settings> decode(const json::Object& object, const NetworkName& name) {
  TRY(const auto config, json::read(Slot(object, {}), kConfig));
  Settings settings;
  settings.network.name = name;
  TRY(settings.network.options, decode_options(config));
  TRY_STATUS(add_addresses(object, settings));
  settings.network.ipv6 = config.ipv6;
  settings.network.internal = config.internal || !config.has_gateway();
  settings.network.labels = config.labels;
  if (!settings.ipam.empty()) settings.network.address_source = network::AddressSource::kPlugin;
  settings.dns = config.dns;
  TRY_STATUS(check_spoofing(object, settings.network.options));
  return settings;
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

}  // namespace fairlead::cni
