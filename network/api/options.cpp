#include "network/api/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

// `docker network create -o encrypted`, as with Docker's own overlay networks, has no value.
Result<bool> parse_flag(std::string_view text) { return parse_bool(text.empty() ? "true" : text); }

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
    row<&Options::ifname_prefix, parse_prefix<&IfName::parse>>(
        "ifname_prefix", "com.docker.network.container_iface_prefix"),
    row<&Options::parent, &IfName::parse>("parent"),
    row<&Options::join, &NetworkName::parse>("network"),
    {.name = "rate_in", .set = set_rate<&Rates::in_bits>, .get = get_rate<&Rates::in_bits>},
    {.name = "rate_out", .set = set_rate<&Rates::out_bits>, .get = get_rate<&Rates::out_bits>},
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

std::string_view to_string(AddressSource source) {
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
