#include "network/api/subnet_specs.h"

#include <algorithm>
#include <utility>

namespace fairlead::network {

namespace {

Family family_of(const SubnetSpec& spec) {
  return spec.subnet ? spec.subnet->family() : spec.family;
}

// The gateway of one address is elsewhere: a router that the container reaches on its link.
Status validate_single_address(const SubnetSpec& spec) {
  const Cidr& subnet = *spec.subnet;
  if (!spec.gateway) return {};
  if (subnet.contains(*spec.gateway))
    return fail(Code::kInvalid,
                "gateway {} is the only address of the subnet {}, which is the container's; name a "
                "gateway outside of it, or leave it out",
                spec.gateway->to_string(), subnet.to_string());
  const bool router = spec.gateway->family() == subnet.family() && !spec.gateway->is_any() &&
                      !spec.gateway->is_loopback() && !spec.gateway->is_multicast();
  if (router) return {};
  return fail(Code::kInvalid, "gateway {} is no router of the subnet {}", spec.gateway->to_string(),
              subnet.to_string());
}

Status validate_subnet(const SubnetSpec& spec) {
  if (!spec.subnet) {
    if (spec.range || spec.gateway || !spec.aux.empty())
      return fail(Code::kInvalid,
                  "a range, a gateway or a reserved address needs a subnet to lie in");
    return {};
  }
  const Cidr& subnet = *spec.subnet;
  if (subnet.network() != subnet)
    return fail(Code::kInvalid, "subnet {} has host bits set; did you mean {}?", subnet.to_string(),
                subnet.network().to_string());
  if (subnet.first().is_multicast() || subnet.first().is_loopback() || subnet.first().is_any())
    return fail(Code::kInvalid,
                "subnet {} cannot hold containers: it is multicast, loopback or unspecified",
                subnet.to_string());
  if (subnet.size() == 1) TRY_STATUS(validate_single_address(spec));
  if (spec.gateway && subnet.size() > 1 && !subnet.contains(*spec.gateway))
    return fail(Code::kInvalid, "gateway {} is not in the subnet {}", spec.gateway->to_string(),
                subnet.to_string());
  if (spec.range && !subnet.contains(*spec.range))
    return fail(Code::kInvalid, "range {} is not in the subnet {}", spec.range->to_string(),
                subnet.to_string());
  for (const auto& [name, address] : spec.aux)
    if (!subnet.contains(address))
      return fail(Code::kInvalid, "reserved address {}={} is not in the subnet {}", name,
                  address.to_string(), subnet.to_string());
  return {};
}

}  // namespace

std::vector<SubnetSpec> wanted_subnets(const NetworkSpec& spec) {
  std::vector<SubnetSpec> subnets = spec.subnets;
  const auto has = [&](Family family) {
    return std::ranges::any_of(
        subnets, [&](const SubnetSpec& subnet) { return family_of(subnet) == family; });
  };
  if (spec.address_source == AddressSource::kPlugin) return subnets;  // perhaps none
  if (subnets.empty()) subnets.push_back({.family = Family::kV4});
  if (spec.ipv6 && !has(Family::kV6)) subnets.push_back({.family = Family::kV6});
  return subnets;
}

Status validate_subnets(const std::vector<SubnetSpec>& subnets) {
  for (auto one = subnets.begin(); one != subnets.end(); ++one) {
    TRY_STATUS(validate_subnet(*one));
    for (auto other = subnets.begin(); other != one; ++other) {
      if (family_of(*one) != family_of(*other)) continue;
      if (!one->subnet || !other->subnet)
        return fail(Code::kInvalid,
                    "a network with several IPv{} subnets needs them by name: one of them is to be "
                    "chosen",
                    static_cast<int>(family_of(*one)));
      if (one->subnet->overlaps(*other->subnet))
        return fail(Code::kInvalid, "the subnets {} and {} of the network overlap",
                    other->subnet->to_string(), one->subnet->to_string());
    }
  }
  return {};
}

Status refuse_single_addresses(const std::vector<SubnetSpec>& subnets, Family family,
                               std::string_view hint) {
  for (const SubnetSpec& spec : subnets)
    if (spec.subnet && spec.subnet->family() == family && spec.subnet->size() == 1)
      return fail(Code::kInvalid,
                  "subnet {} has one address, and this network needs two: one for its gateway and "
                  "one for a container; the smallest is a /{}, or {}",
                  spec.subnet->to_string(), spec.subnet->prefix_length() - 1, hint);
  return {};
}

IpAddress link_gateway(Family family) {
  return *IpAddress::parse(family == Family::kV4 ? "169.254.1.1" : "fe80::1");
}

Status refuse_several_subnets(const std::vector<SubnetSpec>& subnets, std::string_view reason) {
  for (const Family family : {Family::kV4, Family::kV6})
    if (std::ranges::count_if(
            subnets, [&](const SubnetSpec& subnet) { return family_of(subnet) == family; }) > 1)
      return fail(Code::kUnsupported, "this network has one IPv{} subnet: {}",
                  static_cast<int>(family), reason);
  return {};
}

namespace {

bool has_family(const NetworkSpec& spec, Family family) {
  return std::ranges::any_of(spec.subnets,
                             [&](const SubnetSpec& subnet) { return family_of(subnet) == family; });
}

Status settle_ipv6(NetworkSpec& spec) {
  const auto wanted = std::exchange(spec.options.enable_ipv6, std::nullopt);
  if (!wanted) return {};
  if (!*wanted && (spec.ipv6 || has_family(spec, Family::kV6)))
    return fail(Code::kInvalid,
                "option \"enable_ipv6\" is false, but IPv6 is asked for as well; leave one of them "
                "out");
  spec.ipv6 = *wanted;
  return {};
}

Status settle_ipv4(NetworkSpec& spec) {
  const auto wanted = std::exchange(spec.options.enable_ipv4, std::nullopt);
  if (!wanted) return {};
  const bool v4 = has_family(spec, Family::kV4);
  if (*wanted) {
    if (!v4 && !spec.subnets.empty()) spec.subnets.push_back({.family = Family::kV4});
    return {};
  }
  if (v4)
    return fail(
        Code::kInvalid,
        "option \"enable_ipv4\" is false, but an IPv4 subnet is asked for; leave one of them "
        "out");
  if (!spec.ipv6 && !has_family(spec, Family::kV6))
    return fail(
        Code::kInvalid,
        "a network needs IPv4 or IPv6; leave out enable_ipv4=false or add enable_ipv6=true");
  if (spec.subnets.empty()) spec.subnets.push_back({.family = Family::kV6});
  return {};
}

// Nothing of a family without NAT leaves under another address.
Status check_snat(const NetworkOptions& options, std::string_view option, GatewayMode mode) {
  if (!options.masquerade)
    return fail(Code::kInvalid,
                "option \"{}\" names the address under which the network leaves the host, and "
                "masquerade=false says that it leaves under its own; leave one of them out",
                option);
  if (mode != GatewayMode::kRouted && mode != GatewayMode::kIsolated) return {};
  return fail(Code::kInvalid, "option \"{}\" needs a gateway mode with NAT (nat, nat-unprotected)",
              option);
}

}  // namespace

Status settle_families(NetworkSpec& spec) {
  TRY_STATUS(settle_ipv6(spec));
  return settle_ipv4(spec);
}

Status validate_options(const NetworkSpec& spec) {
  const NetworkOptions& options = spec.options;
  if (options.snat_v4) TRY_STATUS(check_snat(options, "snat", options.gateway_mode_v4));
  if (options.snat_v6) TRY_STATUS(check_snat(options, "snat6", options.gateway_mode_v6));
  if (options.snat_ports && !options.snat_v4)
    return fail(Code::kInvalid,
                "option \"snat_ports\" needs the IPv4 address whose ports these are: snat=ADDRESS");
  if (options.vlan && options.mode != "bridge")
    return fail(Code::kInvalid,
                "option \"vlan\" is for mode \"bridge\", whose containers are in that VLAN of the "
                "bridge; on another interface of the host it is parent=IFACE.{}",
                *options.vlan);
  if ((options.parent_mac || options.parent_pci) && options.mode != "host-device")
    return fail(
        Code::kInvalid,
        "option \"{}\" is for mode \"host-device\", which has that card alone; use parent=IFACE",
        options.parent_mac ? "parent_mac" : "parent_pci");
  return {};
}

// Of a /31 or a /127 it is the first of both (RFC 3021, RFC 6164).
IpAddress default_gateway(const Cidr& subnet) {
  return subnet.size() <= 2 ? subnet.first() : *subnet.first().plus(1);
}

std::string option_difference(const std::map<std::string, std::string>& have,
                              const std::map<std::string, std::string>& want) {
  for (const auto& [key, value] : want)
    if (const auto it = have.find(key); it == have.end() || it->second != value)
      return fmt::format("its option \"{}\" is {}, not \"{}\"", key,
                         it == have.end() ? "not set" : "\"" + it->second + "\"", value);
  for (const auto& [key, value] : have)
    if (!want.contains(key)) return fmt::format("its option \"{}\" is \"{}\"", key, value);
  return "";
}

}  // namespace fairlead::network
