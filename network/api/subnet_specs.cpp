#include "network/api/subnet_specs.h"

#include <algorithm>

namespace fairlead::network {

namespace {

Family family_of(const SubnetSpec& spec) {
  return spec.subnet ? spec.subnet->family() : spec.family;
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
  if (subnet.size() < 4)
    return fail(Code::kInvalid,
                "subnet {} is too small: it needs room for a gateway and a container",
                subnet.to_string());
  if (subnet.first().is_multicast() || subnet.first().is_loopback() || subnet.first().is_any())
    return fail(Code::kInvalid,
                "subnet {} cannot hold containers: it is multicast, loopback or unspecified",
                subnet.to_string());
  if (spec.gateway && !subnet.contains(*spec.gateway))
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
  if (subnets.empty()) subnets.push_back({.family = Family::kV4});
  if (spec.ipv6 && !has(Family::kV6)) subnets.push_back({.family = Family::kV6});
  return subnets;
}

Status validate_subnets(const std::vector<SubnetSpec>& subnets) {
  for (const Family family : {Family::kV4, Family::kV6})
    if (std::ranges::count_if(
            subnets, [&](const SubnetSpec& subnet) { return family_of(subnet) == family; }) > 1)
      return fail(Code::kUnsupported, "a network has at most one IPv{} subnet",
                  static_cast<int>(family));
  for (const SubnetSpec& spec : subnets) TRY_STATUS(validate_subnet(spec));
  return {};
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
