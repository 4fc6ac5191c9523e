#include "network/service/policy_state.h"

#include <algorithm>
#include <array>

namespace fairlead::network {

namespace {

using nat::AddressRange;
using nat::NatPolicy;
using nat::NatService;

AddressRange range_of(const Cidr& subnet) { return {subnet.first(), subnet.last()}; }

const std::vector<AddressRange>& every_address() {
  static const std::vector<AddressRange> every{range_of(Cidr::of(IpAddress::any(Family::kV4), 0)),
                                               range_of(Cidr::of(IpAddress::any(Family::kV6), 0))};
  return every;
}

std::optional<IpAddress> before(const IpAddress& address) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  for (std::size_t at = address.bytes().size(); at-- > 0;)
    if (bytes[at]-- != 0)
      return IpAddress::from_bytes(address.family(), {bytes.data(), address.bytes().size()});
  return std::nullopt;
}

std::vector<AddressRange> without(const std::vector<AddressRange>& ranges, const Cidr& subnet) {
  std::vector<AddressRange> rest;
  const AddressRange cut = range_of(subnet);
  for (const AddressRange& range : ranges) {
    if (range.first.family() != cut.first.family() || range.last < cut.first ||
        cut.last < range.first) {
      rest.push_back(range);
      continue;
    }
    if (range.first < cut.first) rest.push_back({range.first, *before(cut.first)});
    if (cut.last < range.last) rest.push_back({*cut.last.plus(1), range.last});
  }
  return rest;
}

// An allow does not mean the addresses on which clouds answer who asks with the host's credentials.
std::vector<AddressRange> outside(const PolicyWorld& world, bool allow) {
  std::vector<AddressRange> ranges = every_address();
  for (const Network& network : world.networks)
    for (const Subnet& subnet : network.subnets) ranges = without(ranges, subnet.subnet.network());
  if (!allow) return ranges;
  for (const char* local : {"169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128"})
    ranges = without(ranges, *Cidr::parse(local));
  return ranges;
}

std::vector<AddressRange> addresses_of(const PolicyEnd& end, const PolicyWorld& world, bool allow) {
  using enum PolicyEnd::Kind;
  std::vector<AddressRange> ranges;
  switch (end.kind) {
    case kAny:
      return every_address();
    case kOutside:
      return outside(world, allow);
    case kSubnet:
      return {range_of(*end.subnet)};
    case kNetwork:
      for (const Network& network : world.networks)
        if (network.name.str() == end.name)
          for (const Subnet& subnet : network.subnets) ranges.push_back(range_of(subnet.subnet));
      return ranges;
    case kContainer:
    case kLabel:
      for (const Endpoint& endpoint : world.endpoints)
        if (selects(end, endpoint, world.networks))
          for (const Cidr& address : endpoint.addresses)
            ranges.push_back({address.address(), address.address()});
      return ranges;
    case kName:
      if (const auto name = world.names.find(end.name); name != world.names.end())
        for (const NameAddress& each : name->second.addresses)
          if (!allow || is_of_the_internet(each.address))
            ranges.push_back({each.address, each.address});
      return ranges;
    case kHost:
    case kBare:
      break;
  }
  return ranges;
}

NatPolicy policy_of(const PolicySpec& spec, const PolicyWorld& world) {
  const bool allow = spec.action == PolicyAction::kAllow;
  return {.allow = allow,
          .from = addresses_of(spec.from, world, allow),
          .to = addresses_of(spec.to, world, allow),
          .to_host = spec.to.kind == PolicyEnd::Kind::kHost,
          .services = services_of(spec.ports)};
}

std::vector<PolicySpec> listed_by(const Network& network) {
  std::vector<PolicySpec> specs;
  if (network.options.egress != Egress::kDeny) return specs;
  for (const EgressRule& rule : network.options.egress_allow) {
    PolicySpec spec{.from = {.kind = PolicyEnd::Kind::kNetwork, .name = network.name.str()},
                    .to = rule.to,
                    .ports = {}};
    if (rule.port) spec.ports.push_back(*rule.port);
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace

bool selects(const PolicyEnd& end, const Endpoint& endpoint, const std::vector<Network>& networks) {
  if (end.kind == PolicyEnd::Kind::kLabel) {
    // Those that were given with the endpoint, and those that its runtime has for the container.
    return std::ranges::any_of(
        std::array{&endpoint.labels, &endpoint.names.labels}, [&](const auto* labels) {
          const auto label = labels->find(end.name);
          return label != labels->end() && (!end.value || *end.value == label->second);
        });
  }
  constexpr std::size_t kShortId = 12;  // as runtimes show ids
  const auto is = [&](const std::string& id) {
    return id == end.name ||
           (end.name.size() >= kShortId && id.size() == 64 && id.starts_with(end.name));
  };
  if (!is(endpoint.container) && !is(endpoint.id) && !is(endpoint.names.name)) return false;
  return end.network.empty() || std::ranges::any_of(networks, [&](const Network& network) {
           return network.id == endpoint.network_id && network.name.str() == end.network;
         });
}

std::vector<NatService> services_of(const std::vector<PolicyPort>& ports) {
  constexpr std::uint8_t kTcp = 6, kUdp = 17, kSctp = 132, kIcmp = 1, kIcmpv6 = 58;
  if (ports.empty()) return {NatService{}};
  std::vector<NatService> services;
  const auto add = [&](std::uint8_t proto, const PolicyPort& port) {
    services.push_back({.first_proto = proto,
                        .last_proto = proto,
                        .first_port = port.first,
                        .last_port = port.last});
  };
  for (const PolicyPort& port : ports) {
    using Kind = PolicyPort::Kind;
    if (port.kind == Kind::kTcpUdp || port.kind == Kind::kTcp) add(kTcp, port);
    if (port.kind == Kind::kTcpUdp || port.kind == Kind::kUdp) add(kUdp, port);
    if (port.kind == Kind::kSctp) add(kSctp, port);
    if (port.kind == Kind::kIcmp) {
      add(kIcmp, {});
      add(kIcmpv6, {});
    }
  }
  return services;
}

std::vector<NatPolicy> meaning_of(const PolicyRecord& record, const PolicyWorld& world) {
  std::vector<NatPolicy> policies;
  const auto add = [&](const PolicySpec& spec) {
    NatPolicy policy = policy_of(spec, world);
    if (!policy.from.empty() && (policy.to_host || !policy.to.empty()))
      policies.push_back(std::move(policy));
  };
  for (const Policy& policy : record.policies) add(policy.spec);
  for (const Network& network : world.networks)
    for (const PolicySpec& spec : listed_by(network)) add(spec);
  return policies;
}

}  // namespace fairlead::network
