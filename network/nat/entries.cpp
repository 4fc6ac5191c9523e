#include "network/nat/entries.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "network/nat/limits.h"
#include "network/nat/policy_boxes.h"
#include "network/nat/sets.h"

namespace fairlead::nat {

using kernel::ElementBytes;
using kernel::Verdict;
using network::GatewayMode;

namespace {

constexpr Family kFamilies[] = {Family::kV4, Family::kV6};

template <class T>
std::string range_text(T first, T last) {
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

struct TextOf {
  std::string operator()(Family family) const { return family == Family::kV4 ? "ipv4" : "ipv6"; }
  std::string operator()(network::Proto proto) const { return std::string(to_string(proto)); }
  std::string operator()(std::uint16_t port) const { return std::to_string(port); }
  std::string operator()(Vni vni) const { return std::to_string(vni.number); }
  std::string operator()(const IpAddress& address) const { return address.to_string(); }
  std::string operator()(const Cidr& subnet) const { return subnet.to_string(); }
  std::string operator()(const IfName& name) const { return fmt::format("\"{}\"", name.str()); }
  std::string operator()(const MacAddress& mac) const { return mac.to_string(); }
  std::string operator()(const Beginning& of) const {
    return fmt::format("\"{}*\"", of.name.str());
  }
  std::string operator()(const RawAddress& target) const {
    return fmt::format("0x{:02x}", fmt::join(target.address.bytes(), ""));
  }
  std::string operator()(Mark mark) const { return fmt::format("0x{:08x}", mark.number); }
  std::string operator()(const AddressRange& range) const { return to_text(range); }
  // Other names need /etc/protocols.
  std::string operator()(ProtoRange range) const {
    for (const network::Proto proto :
         {network::Proto::kTcp, network::Proto::kUdp, network::Proto::kSctp})
      if (const auto number = static_cast<std::uint8_t>(proto);
          range.first == number && range.last == number)
        return std::string(to_string(proto));
    return range_text<unsigned>(range.first, range.last);
  }
  std::string operator()(network::PortRange range) const {
    return range_text(range.first, range.last);
  }
};

std::string text_of(const std::vector<Field>& fields) {
  std::vector<std::string> words;
  for (const Field& field : fields) words.push_back(std::visit(TextOf{}, field));
  return fmt::format("{}", fmt::join(words, " . "));
}

enum class End { kFirst, kLast };

struct AppendTo {
  ElementBytes& bytes;
  End end;
  void operator()(Family family) const { bytes.family(family); }
  void operator()(network::Proto proto) const { bytes.proto(static_cast<std::uint8_t>(proto)); }
  void operator()(std::uint16_t port) const { bytes.port(port); }
  void operator()(Vni vni) const { bytes.vni(vni.number); }
  void operator()(const IpAddress& address) const { bytes.address(address); }
  void operator()(const Cidr& subnet) const {
    bytes.address(end == End::kFirst ? subnet.first() : subnet.last());
  }
  void operator()(const IfName& name) const { bytes.ifname(name); }
  void operator()(const MacAddress& mac) const { bytes.mac(mac); }
  void operator()(const RawAddress& target) const { bytes.address(target.address); }
  void operator()(Mark mark) const { bytes.mark(mark.number); }
  void operator()(const AddressRange& range) const {
    bytes.address(end == End::kFirst ? range.first : range.last);
  }
  void operator()(ProtoRange range) const {
    bytes.proto(end == End::kFirst ? range.first : range.last);
  }
  void operator()(network::PortRange range) const {
    bytes.port(end == End::kFirst ? range.first : range.last);
  }
  void operator()(const Beginning& of) const {
    if (end == End::kFirst)
      bytes.ifname(of.name);
    else
      bytes.last_ifname(of.name);
  }
};

ElementBytes bytes_of(const std::vector<Field>& fields, End end) {
  ElementBytes bytes;
  for (const Field& field : fields) std::visit(AppendTo{bytes, end}, field);
  return bytes;
}

// The data of a map with ranges is that of the first value, and then that of the last.
ElementBytes data_of(const std::vector<Field>& fields) {
  const ElementBytes first = bytes_of(fields, End::kFirst);
  const bool ranges = std::ranges::any_of(
      fields, [](const Field& field) { return std::holds_alternative<network::PortRange>(field); });
  return ranges ? first.until(bytes_of(fields, End::kLast)) : first;
}

// The names of both tables' sets differ.
bool has_intervals(std::string_view name) {
  for (const auto family : {kernel::TableFamily::kInet, kernel::TableFamily::kBridge})
    for (const SetDeclaration& set : sets_of(family))
      if (set.name == name) return set.flags == "interval";
  return false;
}

std::string suffixed(std::string_view name, Family family) {
  return fmt::format("{}_{}", name, family == Family::kV4 ? "v4" : "v6");
}

// ---- networks

bool has(const NatNetwork& network, Family family) {
  return std::ranges::any_of(network.subnets,
                             [&](const Cidr& subnet) { return subnet.family() == family; });
}

// The network as `iifname` and `oifname` have it.
Field link_of(const NatNetwork& network) {
  if (network.routed) return Beginning{network.bridge};
  return network.bridge;
}

// Whether traffic of this family may pass only within the network, and between the network and the
// host.
bool closed(const NatNetwork& network, Family family, GatewayMode mode) {
  return network.internal || mode == GatewayMode::kIsolated || !has(network, family);
}

Verdict towards(GatewayMode mode) {
  switch (mode) {
    case GatewayMode::kNat:
      return {.kind = Verdict::Kind::kGoto, .chain = "published_only"};
    case GatewayMode::kNatUnprotected:
      return {.kind = Verdict::Kind::kGoto, .chain = "unprotected"};
    case GatewayMode::kRouted:
      return {.kind = Verdict::Kind::kGoto, .chain = "routed_only"};
    case GatewayMode::kIsolated:
      break;
  }
  return {.kind = Verdict::Kind::kDrop};
}

void add_gateway(const NatNetwork& network, Family family, GatewayMode mode,
                 std::vector<Entry>& entries) {
  const bool shut = closed(network, family, mode);
  if (shut) entries.push_back({.set = "closed", .key = {family, link_of(network)}});
  entries.push_back({.set = "towards",
                     .key = {family, link_of(network)},
                     .verdict = shut ? Verdict{.kind = Verdict::Kind::kDrop} : towards(mode)});
}

// Whose packets the host looks at, beside where they go.
void add_trust(const NatNetwork& network, std::vector<Entry>& entries) {
  if (!network.shared) entries.push_back({.set = "own_bridges", .key = {link_of(network)}});
  if (!network.host_access && !network.shared)
    entries.push_back({.set = "confined", .key = {link_of(network)}});
  if (!network.leaves) entries.push_back({.set = "no_egress", .key = {link_of(network)}});
  for (const IfName& trusted : network.trusted_interfaces)
    entries.push_back({.set = "trusted", .key = {trusted, link_of(network)}});
}

// An element whose destinations another one contains would overlap it.
void add_unmasked(const NatNetwork& network, const Cidr& subnet, std::vector<Entry>& entries) {
  const auto& all = network.masquerade_exclude;
  for (const Cidr& each : all) {
    const bool covered = std::ranges::any_of(
        all, [&](const Cidr& other) { return other != each && other.contains(each); });
    if (each.family() == subnet.family() && !covered)
      entries.push_back({.set = suffixed("unmasked", subnet.family()), .key = {subnet, each}});
  }
}

// What has an address of its own is masqueraded only in name: its invalid packets are dropped.
void add_masquerade(const NatNetwork& network, const Cidr& subnet, std::vector<Entry>& entries) {
  entries.push_back({.set = suffixed("masquerade", subnet.family()), .key = {subnet}});
  add_unmasked(network, subnet, entries);
  const auto& address = subnet.is_v4() ? network.snat_v4 : network.snat_v6;
  if (!address) return;
  entries.push_back(
      {.set = suffixed("snat", subnet.family()), .key = {subnet}, .data = {*address}});
  if (subnet.is_v4() && network.snat_ports)
    entries.push_back(
        {.set = "snat_ports_v4", .key = {subnet}, .data = {*address, *network.snat_ports}});
}

void add_subnet(const NatNetwork& network, const Cidr& subnet, GatewayMode mode,
                std::vector<Entry>& entries) {
  if (closed(network, subnet.family(), mode) || mode == GatewayMode::kRouted) return;
  entries.push_back({.set = suffixed("translated", subnet.family()), .key = {subnet}});
  entries.push_back(
      {.set = suffixed("hairpin", subnet.family()), .key = {link_of(network), subnet}});
  if (network.masquerade) add_masquerade(network, subnet, entries);
}

// ---- ports

bool is_published_in(const NatPort& port, Family family) {
  return !port.host_ip || port.host_ip->family() == family;
}

Entry limit_entry(std::string set, std::vector<Field> key, std::string chain) {
  return {.set = std::move(set),
          .key = std::move(key),
          .verdict = Verdict{.kind = Verdict::Kind::kJump, .chain = std::move(chain)}};
}

// Of a port, or of each port of a range that is translated.
void add_limit(const NatPort& port, Family family, std::vector<Entry>& entries) {
  if (port.max_connections == 0) return;
  const LimitScope scope = !port.host_ip            ? LimitScope::kPort
                           : port.host_ip->is_any() ? LimitScope::kFamily
                                                    : LimitScope::kAddress;
  const Cidr everything = Cidr::of(IpAddress::any(family), 0);
  std::vector<Field> key{port.proto};
  if (scope == LimitScope::kAddress)
    key.emplace_back(*port.host_ip);
  else
    key.emplace_back(everything);
  key.emplace_back(
      network::PortRange{port.host_port, std::max(port.host_port, port.host_port_end)});
  const std::string chain = limit_chain(port.max_connections, scope, family);
  entries.push_back(limit_entry(suffixed("limits", family), key, chain));
  if (scope != LimitScope::kAddress || port.weak)
    entries.push_back(limit_entry(suffixed("limits_weak", family), key, chain));
}

// Without NAT, of each port alone: several of the host's may mean one of the container's.
void add_routed_limit(const NatPort& port, const IpAddress& target, std::vector<Entry>& entries) {
  if (port.max_connections == 0) return;
  const unsigned last = std::max(port.host_port, port.host_port_end);
  for (unsigned step = 0; step <= last - port.host_port; ++step)
    entries.push_back(
        limit_entry(suffixed("limits_routed", target.family()),
                    {port.proto, target, static_cast<std::uint16_t>(port.container_port + step)},
                    limit_chain(port.max_connections, LimitScope::kAddress, target.family())));
}

// Where several mappings to one port of a container differ, the smallest number counts.
void keep_least(std::vector<Entry>& entries) {
  std::map<std::string, std::uint32_t> least;
  const auto is_routed_limit = [](const Entry& entry) {
    return entry.set.starts_with("limits_routed");
  };
  const auto key_of = [](const Entry& entry) { return entry.set + " " + text_of(entry.key); };
  for (const Entry& entry : entries) {
    if (!is_routed_limit(entry)) continue;
    const std::uint32_t connections = connections_of(entry.verdict->chain);
    const auto [known, fresh] = least.try_emplace(key_of(entry), connections);
    if (!fresh) known->second = std::min(known->second, connections);
  }
  std::erase_if(entries, [&](const Entry& entry) {
    return is_routed_limit(entry) && connections_of(entry.verdict->chain) > least[key_of(entry)];
  });
}

void add_port(const NatPort& port, const IpAddress& target, GatewayMode mode,
              std::vector<Entry>& entries);

// The kernel shifts no port (NF_NAT_RANGE_PROTO_OFFSET is out of nftables' reach): each one is an
// element.
void add_singles(NatPort port, const IpAddress& target, GatewayMode mode,
                 std::vector<Entry>& entries) {
  const unsigned count = port.host_port_end - port.host_port + 1U;
  port.host_port_end = 0;
  for (unsigned step = 0; step < count; ++step, ++port.host_port, ++port.container_port)
    add_port(port, target, mode, entries);
}

// One element of a map with intervals: the address is changed, and the port stays.
void add_range(const NatPort& port, const IpAddress& target, GatewayMode mode,
               std::vector<Entry>& entries) {
  const Family family = target.family();
  const network::PortRange ports{.first = port.host_port, .last = port.host_port_end};
  // Intervals must not overlap. In a routed network the host's addresses are no part of the key.
  const bool shifted = port.host_port != port.container_port;
  if (shifted || (mode == GatewayMode::kRouted && port.host_ip))
    return add_singles(port, target, mode, entries);
  if (mode == GatewayMode::kRouted) {
    entries.push_back(
        {.set = suffixed("routed_ranges", family), .key = {port.proto, target, ports}});
    return add_routed_limit(port, target, entries);
  }
  const bool any = !port.host_ip || port.host_ip->is_any();
  const std::string_view map = any ? "ranges_any" : port.weak ? "ranges_weak" : "ranges";
  Entry entry{.set = suffixed(map, family), .key = {port.proto}};
  if (!any) entry.key.emplace_back(*port.host_ip);
  entry.key.emplace_back(ports);
  entry.data = {target};
  entries.push_back(std::move(entry));
  add_limit(port, family, entries);
}

void add_port(const NatPort& port, const IpAddress& target, GatewayMode mode,
              std::vector<Entry>& entries) {
  const Family family = target.family();
  if (!is_published_in(port, family) || mode == GatewayMode::kIsolated) return;
  if (port.host_port_end != 0) return add_range(port, target, mode, entries);
  if (mode == GatewayMode::kRouted) {
    entries.push_back(
        {.set = suffixed("routed", family), .key = {port.proto, target, port.container_port}});
    return add_routed_limit(port, target, entries);
  }
  const bool any = !port.host_ip || port.host_ip->is_any();
  const std::string_view map = any ? "published_any" : port.weak ? "published_weak" : "published";
  Entry entry{.set = suffixed(map, family), .key = {port.proto}};
  if (!any) entry.key.emplace_back(*port.host_ip);
  entry.key.emplace_back(port.host_port);
  entry.data = {target, port.container_port};
  entries.push_back(std::move(entry));
  add_limit(port, family, entries);
  if (any && target.is_v4() && port.proto == network::Proto::kUdp)
    entries.push_back({.set = "broadcast_ports", .key = {port.host_port}});
}

}  // namespace

std::string to_text(const AddressRange& range) {
  if (range.first == range.last) return range.first.to_string();
  const unsigned bits = range.first.is_v4() ? 32 : 128;
  for (unsigned length = 0; length < bits; ++length)
    if (const Cidr subnet = Cidr::of(range.first, length);
        subnet.first() == range.first && subnet.last() == range.last)
      return subnet.to_string();
  return fmt::format("{}-{}", range.first.to_string(), range.last.to_string());
}

std::string to_text(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::kAccept:
      return "accept";
    case Verdict::Kind::kDrop:
      return "drop";
    case Verdict::Kind::kReturn:
      return "return";
    case Verdict::Kind::kGoto:
      return "goto " + verdict.chain;
    case Verdict::Kind::kJump:
      return "jump " + verdict.chain;
  }
  return {};
}

bool has_text(const Entry& entry) {
  const auto plain = [](const Field& field) {
    const auto* name = std::get_if<IfName>(&field);
    return name == nullptr || IfName::parse(name->str()).has_value();
  };
  return std::ranges::all_of(entry.key, plain) && std::ranges::all_of(entry.data, plain);
}

std::string to_text(const Entry& entry) {
  std::string text = text_of(entry.key);
  if (entry.verdict) return text + " : " + to_text(*entry.verdict);
  if (!entry.data.empty()) return text + " : " + text_of(entry.data);
  return text;
}

kernel::Element to_element(const Entry& entry) {
  kernel::Element element{.set = entry.set,
                          .key = bytes_of(entry.key, End::kFirst),
                          .data = data_of(entry.data),
                          .verdict = entry.verdict};
  if (has_intervals(entry.set)) element.key_end = bytes_of(entry.key, End::kLast);
  return element;
}

std::vector<Entry> entries_of(const NatNetwork& network) {
  const auto mode = [&](Family family) {
    return family == Family::kV4 ? network.mode_v4 : network.mode_v6;
  };
  std::vector<Entry> entries;
  entries.push_back({.set = "bridges", .key = {link_of(network)}});
  entries.push_back({.set = network.routed ? "same_routed" : "same_bridge",
                     .key = {link_of(network), link_of(network)},
                     .verdict = network.icc
                                    ? Verdict{.kind = Verdict::Kind::kAccept}
                                    : Verdict{.kind = Verdict::Kind::kGoto, .chain = "no_icc"}});
  for (const Family family : kFamilies) add_gateway(network, family, mode(family), entries);
  add_trust(network, entries);
  for (const Cidr& subnet : network.subnets)
    add_subnet(network, subnet.network(), mode(subnet.family()), entries);
  for (const IpAddress& gateway : network.gateways)
    entries.push_back(
        {.set = suffixed("gateways", gateway.family()), .key = {link_of(network), gateway}});
  return entries;
}

std::vector<Entry> entries_of(const NatConfined& confined) {
  return {{.set = suffixed("confined", confined.address.family()),
           .key = {confined.bridge, confined.address}}};
}

std::vector<Entry> entries_of(const NatReporter& reporter) {
  std::vector<Entry> entries;
  for (const IpAddress& address : reporter.addresses)
    entries.push_back({.set = suffixed("reported", address.family()),
                       .key = {reporter.link, RawAddress{address}}});
  return entries;
}

std::vector<Entry> entries_of(const NatPort& port) {
  std::vector<Entry> entries;
  if (port.target_v4) add_port(port, *port.target_v4, port.mode_v4, entries);
  if (port.target_v6) add_port(port, *port.target_v6, port.mode_v6, entries);
  return entries;
}

std::vector<Entry> entries_of(const NatUnderlay& underlay) {
  std::vector<Entry> entries;
  for (const NatTunnel& tunnel : underlay.tunnels) {
    const std::vector<Field> key{tunnel.port, Vni{tunnel.vni}};
    entries.push_back(
        {.set = "tunnels",
         .key = key,
         .verdict = Verdict{.kind = Verdict::Kind::kGoto,
                            .chain = tunnel.encrypted ? "secure_tunnel" : "plain_tunnel"}});
    if (tunnel.encrypted) entries.push_back({.set = "secure_tunnels", .key = key});
  }
  for (const IpAddress& host : underlay.hosts)
    entries.push_back({.set = suffixed("tunnel_hosts", host.family()), .key = {host}});
  for (const IfName& link : underlay.wireguard_links)
    entries.push_back({.set = "secure_links", .key = {link}});
  for (const std::uint16_t port : underlay.ports)
    entries.push_back({.set = "tunnel_ports", .key = {network::Proto::kUdp, port}});
  return entries;
}

void add_questions(const NatQuestions& questions, std::vector<Entry>& entries) {
  const Family family = questions.asked.family();
  const Field link = questions.routed ? Field(Beginning{questions.link}) : Field(questions.link);
  const std::vector<Field> answerer{questions.gateway, questions.port};
  entries.push_back(
      {.set = suffixed("questions", family), .key = {link, questions.asked}, .data = answerer});
  if (questions.by_host)
    entries.push_back(
        {.set = suffixed("own_questions", family), .key = {questions.asked}, .data = answerer});
}

std::vector<Entry> entries_of(const NatHost& host) {
  std::vector<Entry> entries;
  for (const Family family : host.not_routed)
    entries.push_back({.set = "not_routed", .key = {family}});
  for (const NatUplink& uplink : host.uplinks) {
    entries.push_back({.set = suffixed("uplinks", uplink.address.family()),
                       .key = {uplink.link, uplink.address},
                       .data = {Mark{uplink.mark}}});
    entries.push_back({.set = "uplink_marks", .key = {Mark{uplink.mark}}});
  }
  for (const NatBroadcast& each : host.broadcasts)
    entries.push_back({.set = "broadcasts",
                       .key = {each.link, each.subnet, each.destination},
                       .data = {each.address}});
  for (const NatQuestions& each : host.questions) add_questions(each, entries);
  return entries;
}

// Whoever has an IPv6 address also has the link-local one of its MAC.
std::vector<Entry> entries_of(const NatSender& sender) {
  if (!sender.checked) return {{.set = "unchecked", .key = {sender.port}}};
  std::vector<Entry> entries{{.set = "senders", .key = {sender.port, sender.mac}}};
  if (sender.asks_dhcp)
    entries.push_back({.set = "dhcp_clients", .key = {sender.port, sender.mac}});
  std::vector<IpAddress> addresses = sender.addresses;
  if (!std::ranges::all_of(addresses, &IpAddress::is_v4))
    addresses.push_back(IpAddress::link_local(sender.mac));
  for (const IpAddress& address : addresses) {
    entries.push_back(
        {.set = suffixed("senders", address.family()), .key = {sender.port, sender.mac, address}});
    entries.push_back({.set = address.is_v4() ? "quoted_v4" : "targets_v6",
                       .key = {sender.port, RawAddress{address}}});
  }
  return entries;
}

std::vector<Entry> entries_of(const NatState& state, kernel::TableFamily family) {
  std::vector<Entry> entries;
  const auto take = [&](std::vector<Entry> some) {
    std::ranges::move(some, std::back_inserter(entries));
  };
  if (family == kernel::TableFamily::kBridge) {
    for (const NatSender& sender : state.senders) take(entries_of(sender));
    return entries;
  }
  for (const NatNetwork& network : state.networks) take(entries_of(network));
  for (const NatPort& port : state.ports) take(entries_of(port));
  keep_least(entries);
  for (const NatConfined& confined : state.confined) take(entries_of(confined));
  for (const NatReporter& reporter : state.reporters) take(entries_of(reporter));
  take(entries_of(state.underlay));
  take(entries_of(state.host));
  take(entries_of(state.policies));
  return entries;
}

}  // namespace fairlead::nat
