#include "plugin-api/cni/runtime_config.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "plugin-api/cni/sections.h"

namespace fairlead::cni {

namespace {

using json::defaulted;
using json::fields;
using json::Json;
using json::Object;
using json::object;
using json::Range;
using json::required;
using json::Slot;
using json::sparse;

// Addresses and MAC as text, from whichever source speaks first.
struct Request {
  std::vector<std::string> addresses;
  std::string mac;
  // CNI_ARGS alone have these.
  std::vector<std::string> known_as;
  std::string pod, pod_namespace;
};
constexpr auto kRequest =
    fields(defaulted<&Request::addresses>("ips"), defaulted<&Request::mac>("mac"));

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
    if (key == "K8S_POD_NAME") request.pod = value;
    if (key == "K8S_POD_NAMESPACE") request.pod_namespace = value;
  }
  if (!request.pod.empty()) request.known_as.push_back(request.pod);
  if (!request.pod.empty() && !request.pod_namespace.empty())
    request.known_as.push_back(fmt::format("{}/{}", request.pod_namespace, request.pod));
  return request;
}

Result<Request> read_section(const std::optional<Object>& section) {
  if (!section) return Request();
  TRY(auto request, json::read(Slot(*section, {}), kRequest));
  std::erase(request.addresses, "");
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

struct Label {
  std::string key, value;
};
constexpr auto kLabel = fields(required<&Label::key>("key"), required<&Label::value>("value"));
struct Labels {
  std::vector<Label> labels;
};
constexpr auto kLabels = fields(defaulted<&Labels::labels>("labels", object(kLabel)));

Result<std::map<std::string, std::string>> read_labels(const std::optional<Object>& section) {
  std::map<std::string, std::string> labels;
  if (!section) return labels;
  TRY(auto read, json::read(Slot(*section, {}), kLabels));
  for (Label& label : read.labels)
    labels.insert_or_assign(std::move(label.key), std::move(label.value));
  return labels;
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
  const bool known = std::ranges::any_of(
      addresses, [&](const Cidr& other) { return other.address() == address.address(); });
  if (!known) addresses.push_back(address);
  return {};
}

Status apply(const Request& request, RuntimeConfig& runtime_config) {
  for (const std::string& text : request.addresses)
    TRY_STATUS(add_address(runtime_config.addresses, text));
  if (request.mac.empty()) return {};
  TRY(runtime_config.mac, MacAddress::parse(request.mac));
  return {};
}

Result<network::Proto> parse_protocol(std::string_view text) {
  return text.empty() ? network::Proto::kTcp : network::parse_proto(text);
}

constexpr auto kHostPort = fields(defaulted<&network::PortSpec::host_port>("hostPort"));
constexpr auto kPortMapping =
    fields(required<&network::PortSpec::host_port>("hostPort"),
           required<&network::PortSpec::container_port>("containerPort", Range{1, 65535}),
           defaulted<&network::PortSpec::proto>("protocol", json::text<&parse_protocol>()),
           sparse<&network::PortSpec::host_ip>("hostIP", kAddressOrNone));

// Nothing where the host port is 0: that is no published port (as the portmap plugin has it), and
// the rest is not looked at.
Result<std::optional<network::PortSpec>> read_port(const Slot& slot) {
  TRY(auto port, json::read(slot, kHostPort));
  if (port.host_port == 0) return std::optional<network::PortSpec>();
  TRY_STATUS(json::read_into(slot, kPortMapping, port));
  return std::optional(port);
}

constexpr auto port_mapping() {
  auto form = json::custom<&read_port>();
  form.many = "objects";
  return form;
}

// Rates go up to 2^64-1 (containerd's burst is 2^32-1 bits, others send more): no signed integers
// here.
Result<std::uint64_t> read_bits(const Slot& slot) {
  if (slot.value().is_number_unsigned()) return slot.value().unsigned_integer();
  return fail(Code::kInvalid, "field {} must be a number of bits, not {}", slot.path(),
              json::dump(slot.value()).substr(0, 32));
}
constexpr auto kBits = json::custom<&read_bits>();

constexpr auto kRates = fields(defaulted<&network::Rates::in_bits>("ingressRate", kBits),
                               defaulted<&network::Rates::in_burst_bits>("ingressBurst", kBits),
                               defaulted<&network::Rates::out_bits>("egressRate", kBits),
                               defaulted<&network::Rates::out_burst_bits>("egressBurst", kBits));

// The capability says servers, searches, options; a "dns" section of a configuration says it in
// other words.
constexpr auto kServers = fields(sparse<&network::Dns::nameservers>("servers"),
                                 sparse<&network::Dns::search>("searches"));
Result<network::Dns> read_dns(const Slot& slot) {
  TRY(auto dns, json::read(slot, kDns));
  TRY_STATUS(json::read_into(slot, kServers, dns));
  return dns;
}

struct Capabilities {
  std::vector<std::optional<network::PortSpec>> ports;
  network::Rates rates;
  std::vector<AddressRangeSet> ranges;
  network::Dns dns;
};
constexpr auto kCapabilities =
    fields(defaulted<&Capabilities::ports>("portMappings", port_mapping()),
           defaulted<&Capabilities::rates>("bandwidth", object(kRates)),
           defaulted<&Capabilities::ranges>("ipRanges", kRangeSets),
           defaulted<&Capabilities::dns>("dns", json::custom<&read_dns>()));

std::vector<network::PortSpec> published(
    const std::vector<std::optional<network::PortSpec>>& mappings) {
  std::vector<network::PortSpec> ports;
  for (const auto& port : mappings)
    if (port && std::ranges::find(ports, *port) == ports.end()) ports.push_back(*port);
  return ports;
}

// A burst without a rate is nothing.
std::optional<network::Rates> limits(network::Rates rates) {
  if (rates.in_bits == 0) rates.in_burst_bits = 0;
  if (rates.out_bits == 0) rates.out_burst_bits = 0;
  return rates == network::Rates{} ? std::nullopt : std::optional(rates);
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

Status add_capabilities(const std::optional<Object>& runtime, const std::vector<std::string>& names,
                        RuntimeConfig& runtime_config) {
  if (!runtime) return {};
  TRY(auto capabilities, json::read(Slot(*runtime, {}), kCapabilities));
  runtime_config.ports = published(capabilities.ports);
  runtime_config.rates = limits(capabilities.rates);
  TRY(runtime_config.aliases, decode_aliases(*runtime, names));
  runtime_config.ranges = std::move(capabilities.ranges);
  runtime_config.dns = std::move(capabilities.dns);
  return {};
}

// For people only: what does not look like a name is left out, and refuses nothing.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
  });
}

// Kubernetes names a pod and its namespace; Podman says the container's name in the same words,
// without a namespace.
std::string name_of(const Request& args) {
  if (!is_name(args.pod)) return "";
  return is_name(args.pod_namespace) ? fmt::format("{}/{}", args.pod_namespace, args.pod)
                                     : args.pod;
}

Result<RuntimeConfig> decode(const Object& config, Request args,
                             const std::vector<std::string>& names) {
  RuntimeConfig runtime_config;
  runtime_config.name = name_of(args);
  TRY(const auto runtime, config.object_or_none("runtimeConfig"));
  TRY(auto request, read_section(runtime));
  TRY(auto conventions, read_section(args_section(config)));
  fill(request, std::move(conventions));
  std::vector<std::string> known_as = std::move(args.known_as);
  fill(request, std::move(args));
  TRY_STATUS(apply(request, runtime_config));
  runtime_config.known_as = std::move(known_as);
  TRY(runtime_config.labels, read_labels(args_section(config)));
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
