#include "plugin-api/cli/network_arguments.h"

#include "network/api/options.h"

namespace fairlead::cli {

using network::NetworkSpec;
using network::SubnetSpec;

namespace {

// The subnet of `spec` that contains `part` (an address or a prefix).
template <class Part>
Result<SubnetSpec*> subnet_with(NetworkSpec& spec, const Part& part, std::string_view option) {
  for (SubnetSpec& subnet : spec.subnets)
    if (subnet.subnet->family() == part.family() && subnet.subnet->contains(part)) return &subnet;
  if (spec.subnets.empty()) return fail(Code::kInvalid, "{} needs a --subnet", option);
  return fail(Code::kInvalid, "{} {} lies in no --subnet", option, part.to_string());
}

template <class Value>
Result<Value> argument(std::string_view option, const std::string& text,
                       Result<Value> (*parse)(std::string_view)) {
  auto value = parse(text);
  if (!value) return fail(with_context(value.error(), option));
  return value;
}

Status add_subnets(NetworkSpec& spec, const Invocation& line) {
  for (const std::string& text : line.subnets) {
    TRY(auto subnet, argument("--subnet", text, Cidr::parse_subnet));
    spec.subnets.push_back(
        {.family = subnet.family(), .subnet = subnet, .range = {}, .gateway = {}, .aux = {}});
  }
  return {};
}

Status add_ranges(NetworkSpec& spec, const Invocation& line) {
  for (const std::string& text : line.ranges) {
    TRY(auto range, argument("--ip-range", text, Cidr::parse));
    TRY(auto subnet, subnet_with(spec, range, "--ip-range"));
    if (subnet->range)
      return fail(Code::kInvalid, "--ip-range: subnet {} has two", subnet->subnet->to_string());
    subnet->range = range;
  }
  return {};
}

Status add_gateways(NetworkSpec& spec, const Invocation& line) {
  for (const std::string& text : line.gateways) {
    TRY(auto gateway, argument("--gateway", text, IpAddress::parse));
    TRY(auto subnet, subnet_with(spec, gateway, "--gateway"));
    if (subnet->gateway)
      return fail(Code::kInvalid, "--gateway: subnet {} has two", subnet->subnet->to_string());
    subnet->gateway = gateway;
  }
  return {};
}

Status add_aux_addresses(NetworkSpec& spec, const Invocation& line) {
  TRY(auto words, key_values(line.aux_addresses, "--aux-address", Values::kRequired));
  for (const auto& [name, text] : words) {
    TRY(auto address, argument("--aux-address", text, IpAddress::parse));
    TRY(auto subnet, subnet_with(spec, address, "--aux-address"));
    subnet->aux[name] = address;
  }
  return {};
}

// A container may have an address of each family, and so be named twice.
Status add_reservations(NetworkSpec& spec, const Invocation& line) {
  for (const std::string& text : line.reservations) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0)
      return fail(Code::kInvalid, "--reserve \"{}\" must be CONTAINER=IP", text);
    TRY(auto address, argument("--reserve", text.substr(equals + 1), IpAddress::parse));
    TRY_STATUS(subnet_with(spec, address, "--reserve"));
    spec.reservations.push_back({text.substr(0, equals), address});
  }
  return {};
}

}  // namespace

Result<std::map<std::string, std::string>> key_values(const std::vector<std::string>& words,
                                                      std::string_view what, Values values) {
  std::map<std::string, std::string> map;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (key.empty() || (equals == std::string::npos && values == Values::kRequired))
      return fail(Code::kInvalid, "{} \"{}\" must be NAME=VALUE", what, word);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    const auto [before, fresh] = map.try_emplace(key, value);
    if (!fresh && before->second != value)
      return fail(Code::kInvalid, "{} {} is given twice", what, key);
  }
  return map;
}

Result<NetworkSpec> network_spec_of(const Invocation& line) {
  NetworkSpec spec;
  if (line.names.empty()) return fail(Code::kInvalid, "NAME of the network is missing");
  TRY(spec.name, NetworkName::parse(line.names.front()));
  auto words = line.options;
  for (std::string& word : words)
    if (word == "encrypted") word = "encrypted=true";  // as with Docker, the option needs no value
  TRY(auto options, key_values(words, "--opt", Values::kRequired));
  if (!line.mode.empty() && options.try_emplace("mode", line.mode).first->second != line.mode)
    return fail(Code::kInvalid, "--driver {} and -o mode={} exclude each other", line.mode,
                options["mode"]);
  TRY(spec.options, network::parse_options(options));
  TRY(spec.labels, key_values(line.labels, "--label", Values::kOptional));
  spec.ipv6 = line.ipv6;
  spec.internal = line.internal;
  TRY_STATUS(add_subnets(spec, line));
  TRY_STATUS(add_ranges(spec, line));
  TRY_STATUS(add_gateways(spec, line));
  TRY_STATUS(add_aux_addresses(spec, line));
  TRY_STATUS(add_reservations(spec, line));
  return spec;
}

bool describes_network(const Invocation& line) {
  return line.ipv6 || line.internal || !line.mode.empty() || !line.options.empty() ||
         !line.labels.empty() || !line.subnets.empty() || !line.ranges.empty() ||
         !line.gateways.empty() || !line.aux_addresses.empty() || !line.reservations.empty();
}

}  // namespace fairlead::cli
