#include "network/api/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "base/options/table.h"
#include "base/options/values.h"

namespace fairlead::network {

namespace {

Result<GatewayMode> parse_gateway_mode(std::string_view text) {
  for (const GatewayMode mode : {GatewayMode::kNat, GatewayMode::kNatUnprotected,
                                 GatewayMode::kRouted, GatewayMode::kIsolated})
    if (text == to_string(mode)) return mode;
  return fail(Code::kInvalid,
              "\"{}\" is not a gateway mode; use nat, nat-unprotected, routed or isolated", text);
}

Result<unsigned> parse_mtu(std::string_view text) {
  unsigned mtu = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mtu);
  if (error != std::errc{} || end != text.data() + text.size() || mtu < 68 || mtu > 65535)
    return fail(Code::kInvalid, "\"{}\" is not an MTU; use 68 to 65535", text);
  return mtu;
}

// An address of either family goes to the field of its family (Docker's host_binding_ipv4 takes
// both).
Status set_host_ip(NetworkOptions& options, std::string_view text) {
  TRY(auto ip, IpAddress::parse(text));
  (ip.is_v4() ? options.host_ip_v4 : options.host_ip_v6) = ip;
  return {};
}

// ---- the source address of what leaves the host

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// One address of each family, in either option.
Status set_snat(NetworkOptions& options, std::string_view text) {
  NetworkOptions given;
  for (const std::string_view part : split(text, ",")) {
    TRY(const auto ip, IpAddress::parse(part));
    if (ip.is_any() || ip.is_loopback() || ip.is_multicast())
      return fail(Code::kInvalid, "{} is no address under which packets leave a host",
                  ip.to_string());
    auto& of_family = ip.is_v4() ? given.snat_v4 : given.snat_v6;
    if (of_family)
      return fail(Code::kInvalid, "\"{}\" has two IPv{} addresses; a network leaves under one",
                  text, ip.is_v4() ? 4 : 6);
    of_family = ip;
  }
  if (given.snat_v4) options.snat_v4 = given.snat_v4;
  if (given.snat_v6) options.snat_v6 = given.snat_v6;
  return {};
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0)
    return fail(Code::kInvalid, "\"{}\" is not a port; use 1 to 65535", text);
  return port;
}

Result<PortRange> parse_port_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == text.npos) return fail(Code::kInvalid, "\"{}\" is not a range, as 20000-29999", text);
  TRY(const std::uint16_t first, parse_port(text.substr(0, dash)));
  TRY(const std::uint16_t last, parse_port(text.substr(dash + 1)));
  if (last < first) return fail(Code::kInvalid, "the range {} ends before it begins", text);
  return PortRange{first, last};
}
std::string format_port_range(const PortRange& range) {
  return fmt::format("{}-{}", range.first, range.last);
}

Result<std::vector<Cidr>> parse_subnets(std::string_view text) {
  std::vector<Cidr> subnets;
  for (const std::string_view part : split(text, ",")) {
    TRY(const Cidr subnet, Cidr::parse_subnet(part));
    if (std::ranges::find(subnets, subnet) == subnets.end()) subnets.push_back(subnet);
  }
  return subnets;
}
std::string format_subnets(const std::vector<Cidr>& subnets) {
  std::vector<std::string> texts;
  for (const Cidr& subnet : subnets) texts.push_back(subnet.to_string());
  return fmt::format("{}", fmt::join(texts, ","));
}

// ---- what Docker has and a plugin has not

// libnetwork announces the addresses of every driver's endpoints itself.
template <unsigned Least, unsigned Most>
Status check_number(NetworkOptions&, std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < Least || number > Most)
    return fail(Code::kInvalid, "\"{}\" is not a number from {} to {}", text, Least, Most);
  return {};
}

Status refuse_default_bridge(NetworkOptions&, std::string_view text) {
  TRY(const bool on, parse_bool(text));
  if (!on) return {};
  return fail(Code::kUnsupported,
              "it marks Docker's own network \"bridge\" (docker0), which is no plugin's; leave it "
              "out");
}

Result<std::string> parse_driver(std::string_view text) {
  if (text.empty()) return fail(Code::kInvalid, "the mode must not be empty");
  return std::string(text);
}

template <auto Parse>
Result<std::string> parse_prefix(std::string_view text) {
  TRY_STATUS(Parse(std::string(text) + "0"));
  if (text.size() > 12)
    return fail(Code::kInvalid, "\"{}\" is too long for an interface prefix: at most 12 characters",
                text);
  return std::string(text);
}

Result<Spoofing> parse_spoofing(std::string_view text) {
  for (const Spoofing spoofing : {Spoofing::kDeny, Spoofing::kAllow})
    if (text == to_string(spoofing)) return spoofing;
  return fail(Code::kInvalid, "\"{}\" is neither deny nor allow", text);
}

Result<HostModel> parse_publish(std::string_view text) {
  for (const HostModel model : {HostModel::kStrong, HostModel::kWeak})
    if (text == to_string(model)) return model;
  return fail(Code::kInvalid, "\"{}\" is neither strict nor any", text);
}

Result<HostPrefix> parse_host_prefix(std::string_view text) {
  for (const HostPrefix prefix : {HostPrefix::kFairlead, HostPrefix::kVeth})
    if (text == to_string(prefix)) return prefix;
  return fail(
      Code::kInvalid,
      "\"{}\" is neither fl nor veth: by other names neither the firewall nor network managers "
      "would know the links of containers from those of others",
      text);
}

// "allow" and "deny" beside the words of other booleans.
Result<bool> parse_access(std::string_view text) {
  if (text == "allow") return true;
  if (text == "deny") return false;
  return parse_bool(text);
}
std::string format_access(bool allowed) { return allowed ? "allow" : "deny"; }

Result<Egress> parse_egress(std::string_view text) {
  for (const Egress egress : {Egress::kAllow, Egress::kDeny})
    if (text == to_string(egress)) return egress;
  return fail(Code::kInvalid, "\"{}\" is neither allow nor deny", text);
}

// Separated by commas, and perhaps spaces, as lists in compose files have them.
Result<std::vector<EgressRule>> parse_egress_rules(std::string_view text) {
  std::vector<EgressRule> rules;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(", \n"), text.size());
    if (end > 0) {
      TRY(const EgressRule rule, parse_egress_rule(text.substr(0, end)));
      if (std::ranges::find(rules, rule) == rules.end()) rules.push_back(rule);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules;
}
std::string format_egress_rules(const std::vector<EgressRule>& rules) {
  std::vector<std::string> texts;
  for (const EgressRule& rule : rules) texts.push_back(to_string(rule));
  return fmt::format("{}", fmt::join(texts, ","));
}

Result<bool> parse_switch(std::string_view text) {
  if (text == "on") return true;
  if (text == "off") return false;
  return parse_bool(text);
}
std::string format_switch(bool on) { return on ? "on" : "off"; }

// ---- the name service

bool is_label(std::string_view label) {
  constexpr std::size_t kMostBytes = 63;  // RFC 1035 section 2.3.4
  return !label.empty() && label.size() <= kMostBytes && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_';
         });
}

// In lower case, as names are compared (RFC 4343).
Result<std::string> parse_domain(std::string_view text) {
  constexpr std::size_t kMostBytes = 190;  // so that a name of 63 bytes can stand before it
  std::string domain(text.ends_with('.') ? text.substr(0, text.size() - 1) : text);
  std::ranges::transform(domain, domain.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto labels = split(domain, ".");
  const bool fits = !domain.empty() && domain.size() <= kMostBytes && !domain.ends_with('.') &&
                    std::ranges::all_of(labels, is_label);
  if (!fits)
    return fail(Code::kInvalid, "\"{}\" is not a domain, as shop.internal", text.substr(0, 64));
  // Special names of RFC 6761, and where addresses are looked up.
  for (const std::string_view special : {"localhost", "invalid", "arpa"})
    if (labels.back() == special)
      return fail(Code::kInvalid, "no names can be below \"{}\"; use another one, as shop.internal",
                  special);
  return domain;
}

Result<std::vector<IpAddress>> parse_servers(std::string_view text) {
  std::vector<IpAddress> servers;
  for (const std::string_view part : split(text, ", ")) {
    if (part.empty()) continue;
    TRY(const auto server, IpAddress::parse(part));
    if (server.is_any() || server.is_multicast())
      return fail(Code::kInvalid, "{} is no address of a name server", server.to_string());
    if (std::ranges::find(servers, server) == servers.end()) servers.push_back(server);
  }
  return servers;
}
std::string format_servers(const std::vector<IpAddress>& servers) {
  std::vector<std::string> texts;
  for (const IpAddress& server : servers) texts.push_back(server.to_string());
  return fmt::format("{}", fmt::join(texts, ","));
}

// Separated by commas, or by colons as Docker's own option has them.
Result<std::vector<IfName>> parse_interfaces(std::string_view text) {
  std::vector<IfName> names;
  for (const std::string_view part : split(text, ",:")) {
    TRY(const IfName name, IfName::parse(part));
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}
std::string format_interfaces(const std::vector<IfName>& interfaces) {
  std::vector<std::string_view> names;
  for (const IfName& name : interfaces) names.push_back(name.str());
  return fmt::format("{}", fmt::join(names, ","));
}

// `docker network create -o encrypted`, as with Docker's own overlay networks, has no value.
Result<bool> parse_flag(std::string_view text) { return parse_bool(text.empty() ? "true" : text); }

constexpr std::uint16_t kMostVlan = 4094;

Result<std::uint16_t> parse_vlan(std::string_view text) {
  std::uint16_t vlan = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), vlan);
  if (error != std::errc{} || end != text.data() + text.size() || vlan == 0 || vlan > kMostVlan)
    return fail(Code::kInvalid, "\"{}\" is not a VLAN; use 1 to {}", text, kMostVlan);
  return vlan;
}

// As the kernel writes them (%04x:%02x:%02x.%d in drivers/pci/probe.c), in lower case; without a domain it is 0000.
Result<std::string> parse_pci(std::string_view text) {
  std::string address(text);
  std::ranges::transform(address, address.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::ranges::count(address, ':') == 1) address = "0000:" + address;
  constexpr std::string_view kForm = "xxxx:xx:xx.x";
  const bool fits =
      address.size() == kForm.size() &&
      std::ranges::equal(address, kForm, [](unsigned char c, char form) {
        return form == 'x' ? std::isxdigit(c) != 0 : c == static_cast<unsigned char>(form);
      });
  if (fits) return address;
  return fail(Code::kInvalid, "\"{}\" is not a PCI address, as 0000:03:00.1 (`lspci -D`)",
              text.substr(0, 32));
}

Status set_port_connections(NetworkOptions& options, std::string_view text) {
  TRY(options.port_max_connections, parse_connections(text));
  return {};
}
std::string get_port_connections(const NetworkOptions& options) {
  return options.port_max_connections == 0 ? "" : std::to_string(options.port_max_connections);
}

template <auto Direction>
Status set_rate(NetworkOptions& options, std::string_view text) {
  TRY(options.rates.*Direction, parse_rate(text));
  return {};
}
template <auto Direction>
std::string get_rate(const NetworkOptions& options) {
  return options.rates.*Direction == 0 ? "" : std::to_string(options.rates.*Direction);
}

using options::row;
using Options = NetworkOptions;
using Row = options::Row<Options>;

constexpr auto kRows = std::to_array<Row>({
    row<&Options::mode, parse_driver>("mode"),
    row<&Options::bridge, &IfName::parse>("bridge", "com.docker.network.bridge.name"),
    row<&Options::mtu, parse_mtu>("mtu", "com.docker.network.driver.mtu"),
    row<&Options::icc, parse_bool>("icc", "com.docker.network.bridge.enable_icc"),
    row<&Options::encrypted, parse_flag>("encrypted"),
    row<&Options::masquerade, parse_bool>("masquerade",
                                          "com.docker.network.bridge.enable_ip_masquerade"),
    {.name = "snat",
     .alias = "com.docker.network.host_ipv4",
     .set = set_snat,
     .get = options::get<&Options::snat_v4>},
    {.name = "snat6",
     .alias = "com.docker.network.host_ipv6",
     .set = set_snat,
     .get = options::get<&Options::snat_v6>},
    row<&Options::snat_ports, parse_port_range, format_port_range>("snat_ports"),
    row<&Options::masquerade_exclude, parse_subnets, format_subnets>("masquerade_exclude"),
    row<&Options::inhibit_ipv4, parse_bool>("inhibit_ipv4",
                                            "com.docker.network.bridge.inhibit_ipv4"),
    {.name = "enable_ipv4",
     .alias = "com.docker.network.enable_ipv4",
     .set = options::set<&Options::enable_ipv4, parse_bool>},
    {.name = "enable_ipv6",
     .alias = "com.docker.network.enable_ipv6",
     .set = options::set<&Options::enable_ipv6, parse_bool>},
    row<&Options::gateway_mode_v4, parse_gateway_mode>(
        "gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv4"),
    row<&Options::gateway_mode_v6, parse_gateway_mode>(
        "gateway_mode_ipv6", "com.docker.network.bridge.gateway_mode_ipv6"),
    {.name = "host_ip",
     .alias = "com.docker.network.bridge.host_binding_ipv4",
     .set = set_host_ip,
     .get = options::get<&Options::host_ip_v4>},
    {.name = "host_ip6",
     .alias = "com.docker.network.bridge.host_binding_ipv6",
     .set = set_host_ip,
     .get = options::get<&Options::host_ip_v6>},
    row<&Options::host_ip_missing, parse_access, format_access>("host_ip_missing"),
    row<&Options::spoofing, parse_spoofing>("spoofing"),
    row<&Options::publish, parse_publish>("publish"),
    {.name = "port_max_connections", .set = set_port_connections, .get = get_port_connections},
    row<&Options::trusted_interfaces, parse_interfaces, format_interfaces>(
        "trusted_interfaces", "com.docker.network.bridge.trusted_host_interfaces"),
    row<&Options::host_access, parse_access, format_access>("host_access"),
    row<&Options::egress, parse_egress>("egress"),
    row<&Options::egress_allow, parse_egress_rules, format_egress_rules>("egress_allow"),
    row<&Options::dns, parse_switch, format_switch>("dns"),
    row<&Options::dns_intercept, parse_switch, format_switch>("dns_intercept"),
    row<&Options::dns_domain, parse_domain>("dns_domain"),
    row<&Options::dns_servers, parse_servers, format_servers>("dns_servers"),
    row<&Options::ifname_prefix, parse_prefix<&IfName::parse>>(
        "ifname_prefix", "com.docker.network.container_iface_prefix"),
    row<&Options::host_interface_prefix, parse_host_prefix>("host_interface_prefix"),
    row<&Options::vlan, parse_vlan>("vlan"),
    row<&Options::parent, &IfName::parse>("parent"),
    row<&Options::parent_mac, &MacAddress::parse>("parent_mac"),
    row<&Options::parent_pci, parse_pci>("parent_pci"),
    row<&Options::join, &NetworkName::parse>("network"),
    {.name = "rate_in", .set = set_rate<&Rates::in_bits>, .get = get_rate<&Rates::in_bits>},
    {.name = "rate_out", .set = set_rate<&Rates::out_bits>, .get = get_rate<&Rates::out_bits>},
    {.name = "com.docker.network.advertise_addr_nmsgs", .set = check_number<0, 3>, .silent = true},
    {.name = "com.docker.network.advertise_addr_ms",
     .set = check_number<100, 2000>,
     .silent = true},
    {.name = "com.docker.network.bridge.default_bridge",
     .set = refuse_default_bridge,
     .silent = true},
    {.name = "com.docker.network.driver.overlay.vxlanid_list",
     .hint = "the hosts of the cluster agree on the VNI themselves; leave it out"},
    {.name = "dsr",
     .hint =
         "it is for services of Docker's own overlay networks, which Fairlead does not balance; "
         "leave it out"},
});
constexpr options::Table<Options> kTable{.noun = "network option", .rows = kRows};

// The rows that read a record otherwise than a request.
constexpr auto kOfRecords = std::to_array<Row>({
    row<&Options::bridge, &stored_ifname>("bridge"),
    row<&Options::ifname_prefix, parse_prefix<&stored_ifname>>("ifname_prefix"),
    row<&Options::parent, &stored_ifname>("parent"),
});
constexpr auto kStoredRows = [] {
  auto rows = kRows;
  for (Row& row : rows)
    for (const Row& other : kOfRecords)
      if (row.name == other.name) row.set = other.set;
  return rows;
}();
constexpr options::Table<Options> kStoredTable{.noun = "network option", .rows = kStoredRows};

// Options of the driver are left to it.
Result<NetworkOptions> parse_with(const options::Table<Options>& table,
                                  const std::map<std::string, std::string>& texts) {
  const auto mode = texts.find("mode");
  const std::string own = (mode == texts.end() ? NetworkOptions().mode : mode->second) + "_";
  std::map<std::string, std::string> common, drivers;
  for (const auto& [key, value] : texts) {
    const bool is_own = key.starts_with(own) && options::find(table, key) == nullptr;
    if (is_own) TRY_STATUS(options::check_text(table.noun, key, value));
    (is_own ? drivers : common).emplace(key, value);
  }
  TRY_STATUS(options::check_count(table.noun, texts.size()));
  TRY(auto parsed, options::parse(table, common));
  parsed.driver = std::move(drivers);
  return parsed;
}

}  // namespace

Result<NetworkOptions> parse_options(const std::map<std::string, std::string>& options) {
  return parse_with(kTable, options);
}

Result<NetworkOptions> stored_options(const std::map<std::string, std::string>& options) {
  return parse_with(kStoredTable, options);
}

std::map<std::string, std::string> to_map(const NetworkOptions& options) {
  auto map = options::to_map(kTable, options);
  map.insert(options.driver.begin(), options.driver.end());
  return map;
}

tl::unexpected<Error> unknown_option(std::string_view key) {
  const auto names = options::names(kTable);
  return fail(Code::kInvalid, "unknown {}; {}", options::quoted(kTable.noun, key),
              options::suggestion(key, names, names));
}

std::vector<std::string> option_names() {
  const auto names = options::names(kTable);
  return {names.begin(), names.end()};
}

std::string_view to_string(GatewayMode mode) {
  switch (mode) {
    case GatewayMode::kNat:
      return "nat";
    case GatewayMode::kNatUnprotected:
      return "nat-unprotected";
    case GatewayMode::kRouted:
      return "routed";
    case GatewayMode::kIsolated:
      return "isolated";
  }
  return "nat";
}

std::string_view to_string(Spoofing spoofing) {
  return spoofing == Spoofing::kDeny ? "deny" : "allow";
}

std::string_view to_string(Egress egress) { return egress == Egress::kDeny ? "deny" : "allow"; }

std::string_view to_string(HostPrefix prefix) {
  return prefix == HostPrefix::kFairlead ? "fl" : "veth";
}

std::string_view to_string(HostModel model) {
  return model == HostModel::kStrong ? "strict" : "any";
}

std::string_view to_string(AddressSource source) {
  if (source == AddressSource::kPlugin) return "plugin";
  return source == AddressSource::kFairlead ? "fairlead" : "runtime";
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::kCreating:
      return "creating";
    case Phase::kReady:
      return "ready";
    case Phase::kDeleting:
      return "deleting";
  }
  return "ready";
}

}  // namespace fairlead::network
