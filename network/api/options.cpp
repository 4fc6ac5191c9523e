#include "network/api/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

namespace fairlead::network {

namespace {

Result<bool> parse_bool(std::string_view text) {
  constexpr std::array<std::string_view, 6> yes{"1", "t", "T", "true", "TRUE", "True"};
  constexpr std::array<std::string_view, 6> no{"0", "f", "F", "false", "FALSE", "False"};
  if (std::ranges::find(yes, text) != yes.end()) return true;
  if (std::ranges::find(no, text) != no.end()) return false;
  return fail(Code::kInvalid, "\"{}\" is neither true nor false", text);
}

Result<std::uint64_t> parse_rate(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::uint64_t factor = 0;
  if (unit.empty() || unit == "bit") factor = 1;
  if (unit == "k" || unit == "K" || unit == "kbit") factor = 1'000;
  if (unit == "m" || unit == "M" || unit == "mbit") factor = 1'000'000;
  if (unit == "g" || unit == "G" || unit == "gbit") factor = 1'000'000'000;
  if (error != std::errc{} || factor == 0 || number > UINT64_MAX / factor)
    return fail(Code::kInvalid, "\"{}\" is not a rate in bits per second (like 100m)", text);
  return number * factor;
}

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

using Setter = Status (*)(NetworkOptions&, std::string_view);

struct Row {
  std::string_view name;
  std::string_view docker;  // the same option in Docker's words, or empty
  Setter set;
  Setter set_stored = set;  // from a record
};

template <auto Field, auto Parse>
Status set_field(NetworkOptions& options, std::string_view text) {
  TRY(auto value, Parse(text));
  options.*Field = std::move(value);
  return {};
}

Status set_mode(NetworkOptions& options, std::string_view text) {
  if (text.empty()) return fail(Code::kInvalid, "the mode must not be empty");
  options.mode = text;
  return {};
}

template <auto Parse>
Status set_prefix(NetworkOptions& options, std::string_view text) {
  TRY_STATUS(Parse(std::string(text) + "0"));
  if (text.size() > 12)
    return fail(Code::kInvalid, "\"{}\" is too long for an interface prefix: at most 12 characters",
                text);
  options.ifname_prefix = text;
  return {};
}

// `docker network create -o encrypted`, as with Docker's own overlay networks, has no value.
Status set_encrypted(NetworkOptions& options, std::string_view text) {
  TRY(options.encrypted, parse_bool(text.empty() ? "true" : text));
  return {};
}

Status set_rate_in(NetworkOptions& options, std::string_view text) {
  TRY(options.rates.in_bits, parse_rate(text));
  return {};
}

Status set_rate_out(NetworkOptions& options, std::string_view text) {
  TRY(options.rates.out_bits, parse_rate(text));
  return {};
}

constexpr auto kRows = std::to_array<Row>({
    {"mode", "", set_mode},
    {"bridge", "com.docker.network.bridge.name", set_field<&NetworkOptions::bridge, &IfName::parse>,
     set_field<&NetworkOptions::bridge, &stored_ifname>},
    {"mtu", "com.docker.network.driver.mtu", set_field<&NetworkOptions::mtu, parse_mtu>},
    {"icc", "com.docker.network.bridge.enable_icc", set_field<&NetworkOptions::icc, parse_bool>},
    {"encrypted", "", set_encrypted},
    {"masquerade", "com.docker.network.bridge.enable_ip_masquerade",
     set_field<&NetworkOptions::masquerade, parse_bool>},
    {"gateway_mode_ipv4", "com.docker.network.bridge.gateway_mode_ipv4",
     set_field<&NetworkOptions::gateway_mode_v4, parse_gateway_mode>},
    {"gateway_mode_ipv6", "com.docker.network.bridge.gateway_mode_ipv6",
     set_field<&NetworkOptions::gateway_mode_v6, parse_gateway_mode>},
    {"host_ip", "com.docker.network.bridge.host_binding_ipv4", set_host_ip},
    {"host_ip6", "com.docker.network.bridge.host_binding_ipv6", set_host_ip},
    {"ifname_prefix", "com.docker.network.container_iface_prefix", set_prefix<&IfName::parse>,
     set_prefix<&stored_ifname>},
    {"parent", "", set_field<&NetworkOptions::parent, &IfName::parse>,
     set_field<&NetworkOptions::parent, &stored_ifname>},
    {"network", "", set_field<&NetworkOptions::join, &NetworkName::parse>},
    {"rate_in", "", set_rate_in},
    {"rate_out", "", set_rate_out},
});

const Row* find_row(std::string_view key) {
  for (const Row& row : kRows)
    if (key == row.name || (!row.docker.empty() && key == row.docker)) return &row;
  return nullptr;
}

std::string unknown_option(const std::string& key) {
  std::vector<std::string_view> names;
  for (const Row& row : kRows) {
    names.push_back(row.name);
    if (!row.docker.empty()) names.push_back(row.docker);
  }
  const std::string closest = closest_word(key, names.data(), names.size());
  if (!closest.empty())
    return fmt::format("unknown network option \"{}\"; did you mean \"{}\"?", key, closest);
  return fmt::format("unknown network option \"{}\"; known are {}", key,
                     fmt::join(option_names(), ", "));
}

Result<NetworkOptions> parse_with(Setter Row::*set,
                                  const std::map<std::string, std::string>& options) {
  NetworkOptions parsed;
  std::map<std::string_view, std::pair<std::string, std::string>>
      seen;  // row -> key and value as written
  for (const auto& [key, value] : options) {
    const Row* row = find_row(key);
    if (row == nullptr) {
      parsed.driver.insert({key, value});
      continue;
    }
    const auto [before, fresh] = seen.try_emplace(row->name, key, value);
    if (!fresh && before->second.second != value)
      return fail(Code::kInvalid,
                  "network options \"{}\" and \"{}\" are the same option with two values",
                  before->second.first, key);
    if (auto done = (row->*set)(parsed, value); !done)
      return fail(with_context(done.error(), fmt::format("network option \"{}\"", key)));
  }
  for (const auto& [key, value] : parsed.driver)
    if (!key.starts_with(parsed.mode + "_"))
      return fail(Error{Code::kInvalid, 0, unknown_option(key)});
  return parsed;
}

}  // namespace

Result<NetworkOptions> parse_options(const std::map<std::string, std::string>& options) {
  return parse_with(&Row::set, options);
}

Result<NetworkOptions> stored_options(const std::map<std::string, std::string>& options) {
  return parse_with(&Row::set_stored, options);
}

std::map<std::string, std::string> to_map(const NetworkOptions& options) {
  const NetworkOptions defaults;
  std::map<std::string, std::string> map;
  const auto yes_no = [](bool on) { return on ? "true" : "false"; };
  if (options.mode != defaults.mode) map["mode"] = options.mode;
  if (options.bridge) map["bridge"] = options.bridge->str();
  if (options.mtu) map["mtu"] = std::to_string(*options.mtu);
  if (options.icc != defaults.icc) map["icc"] = yes_no(options.icc);
  if (options.encrypted) map["encrypted"] = "true";
  if (options.masquerade != defaults.masquerade) map["masquerade"] = yes_no(options.masquerade);
  if (options.gateway_mode_v4 != defaults.gateway_mode_v4)
    map["gateway_mode_ipv4"] = to_string(options.gateway_mode_v4);
  if (options.gateway_mode_v6 != defaults.gateway_mode_v6)
    map["gateway_mode_ipv6"] = to_string(options.gateway_mode_v6);
  if (options.host_ip_v4) map["host_ip"] = options.host_ip_v4->to_string();
  if (options.host_ip_v6) map["host_ip6"] = options.host_ip_v6->to_string();
  if (options.ifname_prefix != defaults.ifname_prefix) map["ifname_prefix"] = options.ifname_prefix;
  if (options.parent) map["parent"] = options.parent->str();
  if (options.join) map["network"] = options.join->str();
  if (options.rates.in_bits != 0) map["rate_in"] = std::to_string(options.rates.in_bits);
  if (options.rates.out_bits != 0) map["rate_out"] = std::to_string(options.rates.out_bits);
  map.insert(options.driver.begin(), options.driver.end());
  return map;
}

std::vector<std::string> option_names() {
  std::vector<std::string> names;
  for (const Row& row : kRows) names.emplace_back(row.name);
  return names;
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
