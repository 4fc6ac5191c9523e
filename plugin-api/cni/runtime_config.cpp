#include "plugin-api/cni/runtime_config.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "plugin-api/cni/settings.h"

namespace fairlead::cni {

namespace {

using json::Json;
using json::Object;

// Addresses and MAC as text, from whichever source speaks first.
struct Request {
  std::vector<std::string> addresses;
  std::string mac;
};

// ---- the three sources

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

Result<Request> read_cni_args(std::string_view text) {
  Request request;
  for (const std::string& pair : split(text, ';')) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos)
      return fail(Code::kInvalid, "CNI_ARGS is not valid: \"{}\" is not KEY=VALUE",
                  pair.substr(0, 64));
    const std::string key = upper(pair.substr(0, equals)), value = pair.substr(equals + 1);
    if (key == "IP") request.addresses = split(value, ',');
    if (key == "MAC") request.mac = value;
  }
  return request;
}

Result<Request> read_section(const std::optional<Object>& section) {
  Request request;
  if (!section) return request;
  TRY(request.addresses, section->strings_or_empty("ips"));
  std::erase(request.addresses, "");
  TRY(request.mac, section->string_or("mac", ""));
  return request;
}

// args.cni; other things that people put into "args" are theirs.
std::optional<Object> args_section(const Object& config) {
  const Json* args = config.find("args");
  if (args == nullptr || !args->is_object()) return std::nullopt;
  const auto object = Object::of(*args, "args", json::Keys::kAnyCase);
  const Json* cni = object->find("cni");
  if (cni == nullptr || !cni->is_object()) return std::nullopt;
  return *Object::of(*cni, "args.cni", json::Keys::kAnyCase);
}

void fill(Request& request, Request lesser) {
  if (request.addresses.empty()) request.addresses = std::move(lesser.addresses);
  if (request.mac.empty()) request.mac = std::move(lesser.mac);
}

// ---- capabilities

Result<Cidr> parse_address(std::string_view text) {
  if (text.find('/') != std::string_view::npos) return Cidr::parse(text);
  TRY(const auto address, IpAddress::parse(text));
  return Cidr::of(address, address.is_v4() ? 32 : 128);
}

Status add_address(std::vector<Cidr>& addresses, const std::string& text) {
  TRY(const Cidr address, parse_address(text));
  for (const Cidr& other : addresses) {
    if (other.address() == address.address()) return {};
    if (other.family() == address.family())
      return fail(
          Code::kInvalid,
          "the addresses {} and {} are of one family: an interface gets at most one of each",
          other.address().to_string(), address.address().to_string());
  }
  addresses.push_back(address);
  return {};
}

Status apply(const Request& request, RuntimeConfig& runtime_config) {
  for (const std::string& text : request.addresses)
    TRY_STATUS(add_address(runtime_config.addresses, text));
  if (request.mac.empty()) return {};
  TRY(runtime_config.mac, MacAddress::parse(request.mac));
  return {};
}

// Nothing where the host port is 0: that is no published port (as the portmap plugin has it).
Result<std::optional<network::PortSpec>> decode_port(const Object& mapping) {
  network::PortSpec port;
  TRY(const auto host_port, mapping.integer_or("hostPort", 0, 65535, 0));
  if (host_port == 0) return std::optional<network::PortSpec>();
  TRY(const auto container_port, mapping.integer("containerPort", 1, 65535));
  TRY(const std::string protocol, mapping.string_or("protocol", ""));
  TRY(const std::string host_ip, mapping.string_or("hostIP", ""));
  port.host_port = static_cast<std::uint16_t>(host_port);
  port.container_port = static_cast<std::uint16_t>(container_port);
  if (!protocol.empty()) {
    TRY(port.proto, network::parse_proto(protocol));
  }
  if (!host_ip.empty()) {
    TRY(port.host_ip, IpAddress::parse(host_ip));
  }
  return std::optional(port);
}

Result<std::vector<network::PortSpec>> decode_ports(const Object& runtime) {
  std::vector<network::PortSpec> ports;
  TRY(const auto mappings, runtime.objects_or_empty("portMappings"));
  for (const Object& mapping : mappings) {
    TRY(const auto port, decode_port(mapping));
    if (port && std::ranges::find(ports, *port) == ports.end()) ports.push_back(*port);
  }
  return ports;
}

// Rates go up to 2^64-1 (containerd's burst is 2^32-1 bits, others send more): no signed integers
// here.
Result<std::uint64_t> decode_bits(const Object& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  return fail(Code::kInvalid, "field {} must be a number of bits, not {}", object.path_of(key),
              json::dump(*value).substr(0, 32));
}

Result<std::optional<network::Rates>> decode_rates(const Object& runtime) {
  TRY(const auto bandwidth, runtime.object_or_none("bandwidth"));
  if (!bandwidth) return std::optional<network::Rates>();
  network::Rates rates;
  TRY(rates.in_bits, decode_bits(*bandwidth, "ingressRate"));
  TRY(rates.in_burst_bits, decode_bits(*bandwidth, "ingressBurst"));
  TRY(rates.out_bits, decode_bits(*bandwidth, "egressRate"));
  TRY(rates.out_burst_bits, decode_bits(*bandwidth, "egressBurst"));
  if (rates.in_bits == 0) rates.in_burst_bits = 0;
  if (rates.out_bits == 0) rates.out_burst_bits = 0;
  if (rates == network::Rates{}) return std::optional<network::Rates>();
  return std::optional(rates);
}

// A list, or (Podman) {"<network>":[...]}.
Result<std::vector<std::string>> decode_aliases(const Object& runtime,
                                                const std::vector<std::string>& names) {
  const Json* aliases = runtime.find("aliases");
  if (aliases == nullptr || !aliases->is_object()) return runtime.strings_or_empty("aliases");
  TRY(const auto by_network, Object::of(*aliases, runtime.path_of("aliases")));
  for (const std::string& name : names)
    if (by_network.find(name) != nullptr) return by_network.strings_or_empty(name);
  return std::vector<std::string>();
}

// The capability says servers, searches, options; a "dns" section of a configuration says it in
// other words.
Result<network::Dns> decode_capability_dns(const Object& runtime) {
  TRY(const auto section, runtime.object_or_none("dns"));
  if (!section) return network::Dns();
  TRY(auto dns, decode_dns(*section));
  if (section->find("servers") != nullptr) {
    TRY(dns.nameservers, section->strings_or_empty("servers"));
  }
  if (section->find("searches") != nullptr) {
    TRY(dns.search, section->strings_or_empty("searches"));
  }
  return dns;
}

Status add_capabilities(const std::optional<Object>& runtime, const std::vector<std::string>& names,
                        RuntimeConfig& runtime_config) {
  if (!runtime) return {};
  TRY(runtime_config.ports, decode_ports(*runtime));
  TRY(runtime_config.rates, decode_rates(*runtime));
  TRY(runtime_config.aliases, decode_aliases(*runtime, names));
  TRY(const auto ranges, decode_range_sets(*runtime, "ipRanges"));
  TRY(runtime_config.ranges, merge_ranges(ranges));
  TRY(runtime_config.dns, decode_capability_dns(*runtime));
  return {};
}

Result<RuntimeConfig> decode(const Object& config, Request args,
                             const std::vector<std::string>& names) {
  RuntimeConfig runtime_config;
  TRY(const auto runtime, config.object_or_none("runtimeConfig"));
  TRY(auto request, read_section(runtime));
  TRY(auto conventions, read_section(args_section(config)));
  fill(request, std::move(conventions));
  fill(request, std::move(args));
  TRY_STATUS(apply(request, runtime_config));
  TRY_STATUS(add_capabilities(runtime, names, runtime_config));
  return runtime_config;
}

}  // namespace

Decoded<RuntimeConfig> decode_runtime_config(const Object& config, std::string_view cni_args,
                                             const std::vector<std::string>& names) {
  TRY(auto args, at_stage(read_cni_args(cni_args), ErrorCode::kEnvironment));
  return at_stage(decode(config, std::move(args), names), ErrorCode::kConfiguration);
}

}  // namespace fairlead::cni
