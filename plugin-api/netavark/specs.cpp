#include "plugin-api/netavark/specs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "network/api/made_by.h"
#include "network/api/options.h"

namespace fairlead::netavark {

namespace {

using network::AddressSource;
using network::EndpointSpec;
using network::NetworkOptions;
using network::NetworkSpec;
using Options = std::map<std::string, std::string>;

// The domain of names on Podman's own networks (aardvark-dns).
constexpr const char* kDomain = "dns.podman";
constexpr const char* kHostName = "host_interface_name";  // an option of a container on a network

std::optional<std::string> take(Options& options, const char* key) {
  const auto found = options.find(key);
  if (found == options.end()) return std::nullopt;
  std::string value = std::move(found->second);
  options.erase(found);
  return value;
}

bool is_true(const std::optional<std::string>& text) {
  return text && (*text == "true" || *text == "1");
}

// ---- subnets

// The smallest prefix that holds both.
Cidr around(const IpAddress& first, const IpAddress& last) {
  unsigned length = first.is_v4() ? 32 : 128;
  while (length > 0 && !Cidr::of(first, length).contains(last)) --length;
  return Cidr::of(first, length).network();
}

struct Range {
  IpAddress first, last;
  Cidr around;
  // Nothing but the first and the last address of `around` is left out, which no container gets anyway.
  bool is_prefix = false;
};

Result<std::optional<Range>> range_of(const Subnet& subnet) {
  if (!subnet.start && !subnet.end) return std::optional<Range>();
  const IpAddress first = subnet.start.value_or(subnet.subnet.first()),
                  last = subnet.end.value_or(subnet.subnet.last());
  if (!subnet.subnet.contains(first) || !subnet.subnet.contains(last) || last < first)
    return fail(Code::kInvalid, "the range {} to {} is not one of addresses in {}",
                first.to_string(), last.to_string(), subnet.subnet.to_string());
  const Cidr prefix = around(first, last);
  const bool from_begin = first == prefix.first() || first == prefix.first().plus(1);
  const bool to_end = last == prefix.last() || last.plus(1) == prefix.last();
  return std::optional(Range{first, last, prefix, from_begin && to_end});
}

Result<network::SubnetSpec> subnet_spec(const Subnet& subnet) {
  TRY(const auto range, range_of(subnet));
  network::SubnetSpec spec{
      .family = subnet.subnet.family(), .subnet = subnet.subnet, .gateway = subnet.gateway};
  if (range && range->around != subnet.subnet) spec.range = range->around;
  return spec;
}

// What the ranges leave out that are not prefixes.
Result<std::vector<network::RangeSet>> range_sets(const Network& network) {
  std::vector<network::RangeSet> sets;
  bool any = false;
  for (const Subnet& subnet : network.subnets) {
    TRY(const auto range, range_of(subnet));
    any |= range && !range->is_prefix;
    sets.push_back(range ? prefixes_between(range->first, range->last)
                         : network::RangeSet{subnet.subnet});
  }
  if (!any) sets.clear();
  return sets;
}

// ---- networks of Podman's own

// netavark's words for a bridge, as Fairlead's. What remains are Fairlead's own options.
Status take_bridge_options(const Network& network, Options& left, NetworkOptions& options) {
  if (const auto vrf = take(left, "vrf"); vrf && !vrf->empty())
    return fail(Code::kUnsupported,
                "network {}: the option vrf is netavark's alone; make the network without it",
                network.name);
  const auto mode = take(left, "mode");
  if (mode && *mode != "managed" && *mode != "unmanaged")
    return fail(Code::kInvalid, "network {}: mode \"{}\" is neither managed nor unmanaged",
                network.name, mode->substr(0, 32));
  // Networks are apart from each other, whatever they say, and policies open them.
  take(left, "isolate");
  for (const char* key : {"outbound_addr4", "outbound_addr6"}) {
    const auto text = take(left, key);
    if (!text) continue;
    TRY(const auto address, IpAddress::parse(*text));
    (address.is_v4() ? options.snat_v4 : options.snat_v6) = address;
  }
  if (!network.interface.empty()) {
    TRY(options.bridge, IfName::parse(network.interface));
  }
  if (!mode || *mode != "unmanaged") return {};
  // Another machine on the bridge is the gateway, and the host has nothing to do with it.
  options.masquerade = false;
  options.inhibit_ipv4 = true;
  return {};
}

Status take_parent_options(const Network& network, Options& left, NetworkOptions& options) {
  if (network.interface.empty())
    return fail(
        Code::kInvalid,
        "network {}: name the interface of the host on which its containers are to be (podman "
        "network create -d {} -o parent=eth0)",
        network.name, network.driver);
  TRY(options.parent, IfName::parse(network.interface));
  take(left, "bclim");
  if (auto mode = take(left, "mode")) left[network.driver + "_mode"] = std::move(*mode);
  return {};
}

// What Podman's words said, where an option of Fairlead's own did not say it.
void add_said(const NetworkOptions& said, NetworkOptions& options) {
  if (!options.snat_v4) options.snat_v4 = said.snat_v4;
  if (!options.snat_v6) options.snat_v6 = said.snat_v6;
  if (!options.bridge) options.bridge = said.bridge;
  if (!options.parent) options.parent = said.parent;
  options.masquerade &= said.masquerade;
  options.inhibit_ipv4 |= said.inhibit_ipv4;
}

Result<NetworkOptions> podmans_options(const Network& network) {
  Options words = network.options;
  for (const char* of_containers : {"metric", "no_default_route"}) take(words, of_containers);
  const bool bridge = network.driver == "bridge";
  NetworkOptions said;
  TRY_STATUS(bridge ? take_bridge_options(network, words, said)
                    : take_parent_options(network, words, said));
  words["mode"] = network.driver;
  TRY(auto options, network::parse_options(words));
  add_said(said, options);
  options.dns = bridge && network.dns;
  if (options.dns && options.dns_domain.empty()) options.dns_domain = kDomain;
  if (options.dns && options.dns_servers.empty()) options.dns_servers = network.dns_servers;
  return options;
}

Status check_ipam(const Network& network) {
  const std::string driver = network.ipam_driver();
  if (driver.empty() || driver == "host-local" || driver == "none") return {};
  return fail(Code::kUnsupported,
              "network {}: addresses by \"{}\" are not supported; use --ipam-driver host-local, or "
              "none",
              network.name, driver.substr(0, 32));
}

bool is_unmanaged(const Network& network) {
  const auto mode = network.options.find("mode");
  return network.driver == "bridge" && mode != network.options.end() && mode->second == "unmanaged";
}

// ---- containers

Result<std::vector<network::Proto>> protocols_of(const std::string& text) {
  if (text.empty()) return std::vector<network::Proto>{network::Proto::kTcp};
  std::vector<network::Proto> protocols;
  std::string_view rest = text;
  for (;;) {
    const auto comma = rest.find(',');
    TRY(const auto proto, network::parse_proto(rest.substr(0, comma)));
    protocols.push_back(proto);
    if (comma == std::string_view::npos) return protocols;
    rest.remove_prefix(comma + 1);
  }
}

Result<network::PortSpec> port_spec(const PortMapping& mapping, network::Proto proto) {
  const unsigned count = std::max<unsigned>(mapping.range, 1);
  network::PortSpec spec{
      .proto = proto, .host_port = mapping.host_port, .container_port = mapping.container_port};
  if (!mapping.host_ip.empty()) {
    TRY(spec.host_ip, IpAddress::parse(mapping.host_ip));
  }
  if (count == 1) return spec;
  if (mapping.host_port == 0 || mapping.host_port + count - 1 > 65535 ||
      mapping.container_port + count - 1 > 65535)
    return fail(Code::kInvalid, "{} ports from {} on, led to {} on, are not a range of ports",
                count, mapping.host_port, mapping.container_port);
  spec.host_port_end = static_cast<std::uint16_t>(mapping.host_port + count - 1);
  spec.container_port_end = static_cast<std::uint16_t>(mapping.container_port + count - 1);
  return spec;
}

Result<std::vector<network::PortSpec>> port_specs(const std::vector<PortMapping>& mappings) {
  std::vector<network::PortSpec> specs;
  for (const PortMapping& mapping : mappings) {
    TRY(const auto protocols, protocols_of(mapping.protocol));
    for (const network::Proto proto : protocols) {
      TRY(const auto spec, port_spec(mapping, proto));
      specs.push_back(spec);
    }
  }
  // A short range is single ports to the core, as elsewhere.
  return network::in_ranges(specs);
}

std::vector<network::PortSpec> by_family(const std::vector<network::PortSpec>& ports,
                                         const network::Network& network) {
  std::vector<network::PortSpec> split;
  for (const network::PortSpec& port : ports) {
    if (port.host_ip) split.push_back(port);
    for (const Family family : {Family::kV4, Family::kV6}) {
      if (port.host_ip || !network.has(family)) continue;
      split.push_back(port);
      split.back().host_ip = IpAddress::any(family);
    }
  }
  return split;
}

Result<network::Route> route_of(const Route& route) {
  if (!route.type.empty() && route.type != "unicast")
    return fail(Code::kUnsupported, "route to {}: routes of type {} are not supported",
                route.destination.to_string(), route.type.substr(0, 32));
  return network::Route{
      .destination = route.destination.network(), .via = route.gateway, .priority = route.metric};
}

std::optional<IpAddress> gateway_of(const network::Network& network, Family family) {
  for (const network::Subnet& subnet : network.subnets)
    if (subnet.subnet.family() == family && subnet.gateway) return subnet.gateway;
  return std::nullopt;
}

// The default routes of a network whose options say how good they are, or that there are none.
Status add_default_routes(const Network& podmans, const network::Network& network,
                          EndpointSpec& spec) {
  const auto none = podmans.options.find("no_default_route");
  if (none != podmans.options.end() && is_true(none->second)) spec.default_route = false;
  const auto found = podmans.options.find("metric");
  if (found == podmans.options.end() || network.internal || !spec.default_route) return {};
  unsigned metric = 0;
  for (const char c : found->second) {
    if (c < '0' || c > '9' || metric > 100'000'000)
      return fail(Code::kInvalid, "option metric: \"{}\" is not a number",
                  found->second.substr(0, 32));
    metric = metric * 10 + static_cast<unsigned>(c - '0');
  }
  for (const Family family : {Family::kV4, Family::kV6})
    if (const auto gateway = gateway_of(network, family))
      spec.routes.push_back(
          {.destination = Cidr::of(IpAddress::any(family), 0), .via = gateway, .priority = metric});
  return {};
}

unsigned whole_length(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

// With the prefix length of its subnet.
Cidr address_in(const Network& network, const IpAddress& address) {
  for (const Subnet& subnet : network.subnets)
    if (subnet.subnet.contains(address)) return Cidr::of(address, subnet.subnet.prefix_length());
  return Cidr::of(address, whole_length(address));
}

void add_addresses(const Connection& connection, const network::Network& network,
                   EndpointSpec& spec) {
  for (const IpAddress& address : connection.options.static_ips)
    spec.addresses.push_back(address_in(connection.network, address));
  if (!is_podmans(connection.network)) return;
  spec.address_source = network.address_source;
}

// Options of one container on one network (--network shop:rate_in=10m).
Status add_options(const ContainerOptions& asked, EndpointSpec& spec) {
  auto words = asked.options;
  take(words, kHostName);
  if (words.empty()) return {};
  TRY(const auto options, network::parse_options(words));
  NetworkOptions others = options;
  others.rates = {};
  if (const auto left = network::to_map(others); !left.empty())
    return fail(Code::kInvalid,
                "option {} is one of networks; of a container on one there are the rates",
                left.begin()->first);
  spec.rates = options.rates;
  return {};
}

// Podman's own aliases for every container are its short id and its hostname, which are known as such.
std::vector<std::string> aliases_of(const Container& container, const ContainerOptions& options) {
  std::vector<std::string> aliases;
  for (const std::string& alias : options.aliases)
    if (!container.id.starts_with(alias) && alias != container.hostname && alias != container.name)
      aliases.push_back(alias);
  return aliases;
}

}  // namespace

// One that is joined is not Podman's, so that nothing of it is left when Podman removes its own.
network::NetworkRef network_ref(const Network& network) {
  const auto joined = network.options.find("network");
  if (is_podmans(network) || joined == network.options.end())
    return network::RuntimeNetworkId{network.id};
  return network::NetworkText{joined->second};
}

Result<std::optional<IfName>> host_name(const ContainerOptions& options) {
  const auto found = options.options.find(kHostName);
  if (found == options.options.end()) return std::optional<IfName>();
  TRY(auto name, IfName::parse(found->second));
  return std::optional(std::move(name));
}

bool is_podmans(const Network& network) { return network.driver != kOwnDriver; }

Result<network::NetworkSpec> network_spec(const Network& network, const std::string& folder) {
  TRY_STATUS(check_ipam(network));
  NetworkSpec spec;
  TRY(spec.name, NetworkName::parse(network.name));
  spec.id = network.id;
  spec.ipv6 = network.ipv6;
  spec.internal = network.internal;
  spec.labels = network.labels;
  spec.labels[network::kMadeForLabel] = kPodman;
  const bool podmans = is_podmans(network);
  spec.labels[kFileLabel] = podmans ? "" : folder + "/" + network.name + ".json";
  for (const Subnet& subnet : network.subnets) {
    TRY(auto wanted, subnet_spec(subnet));
    spec.subnets.push_back(std::move(wanted));
  }
  if (podmans) {
    TRY(spec.options, podmans_options(network));
    if (spec.options.join)
      return fail(
          Code::kInvalid,
          "network {}: Podman gives out its addresses, so that it cannot join another one; the "
          "option network is for podman network create -d fairlead",
          network.name);
    const bool given = !network.subnets.empty();
    spec.address_source = given ? AddressSource::kRuntime : AddressSource::kPlugin;
    if (!given) spec.ipv6 = false;
    return spec;
  }
  TRY(spec.options, network::parse_options(network.options));
  if (!spec.options.bridge && spec.options.mode == "bridge" && !network.interface.empty()) {
    TRY(spec.options.bridge, IfName::parse(network.interface));
  }
  return spec;
}

void add_dns_options(Network& network) {
  if (!network.dns) network.options.emplace("dns", "off");
  std::string servers;
  for (const IpAddress& server : network.dns_servers)
    servers += (servers.empty() ? "" : ",") + server.to_string();
  if (!servers.empty()) network.options.emplace("dns_servers", servers);
}

Result<network::EndpointSpec> endpoint_spec(const Connections& call, const Connection& connection,
                                            const network::Network& network, bool takes_ports) {
  const auto ref = endpoint_ref(call.container, connection);
  EndpointSpec spec{.network = ref.network,
                    .id = ref.id,
                    .container = call.container.id,
                    .runtime = kPodman,
                    .names = {.name = call.container.name,
                              .hostname = call.container.hostname,
                              .dns_servers = call.container.dns_servers}};
  add_addresses(connection, network, spec);
  spec.aliases = aliases_of(call.container, connection.options);
  if (!connection.options.static_mac.empty()) {
    TRY(spec.mac, MacAddress::parse(connection.options.static_mac));
  }
  if (takes_ports && !is_unmanaged(connection.network)) {
    TRY(const auto ports, port_specs(call.container.ports));
    spec.ports = by_family(ports, network);
  }
  if (!is_podmans(connection.network)) {
    TRY(spec.range_sets, range_sets(connection.network));
  }
  TRY_STATUS(add_options(connection.options, spec));
  for (const Route& route : connection.network.routes) {
    TRY(auto led, route_of(route));
    spec.routes.push_back(std::move(led));
  }
  if (is_podmans(connection.network))
    TRY_STATUS(add_default_routes(connection.network, network, spec));
  return spec;
}

network::EndpointRef endpoint_ref(const Container& container, const Connection& connection) {
  return {network_ref(connection.network),
          network::endpoint_id(container.id, connection.options.interface)};
}

}  // namespace fairlead::netavark
