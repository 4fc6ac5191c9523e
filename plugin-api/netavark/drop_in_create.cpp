#include "plugin-api/netavark/drop_in_create.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/hash.h"
#include "network/api/subnet_specs.h"
#include "plugin-api/netavark/specs.h"

namespace fairlead::netavark {

namespace {

constexpr unsigned kMostInterfaces = 1 << 20;
constexpr std::uint64_t kMostSubnets = 1 << 20;

// Docker's words that Podman takes as its own.
void take_dockers_words(Network& network) {
  const auto take = [&](const char* dockers, const char* own) {
    const auto found = network.options.find(dockers);
    if (found == network.options.end()) return;
    network.options.emplace(own, found->second);
    network.options.erase(dockers);
  };
  take("com.docker.network.driver.mtu", "mtu");
  const auto name = network.options.find("com.docker.network.bridge.name");
  if (name == network.options.end()) return;
  if (network.interface.empty()) network.interface = name->second;
  network.options.erase(name);
}

Status choose_bridge(const Creation& creation, Network& network) {
  const auto is_used = [&](const std::string& name) {
    return std::ranges::find(creation.used_interfaces, name) != creation.used_interfaces.end();
  };
  if (!network.interface.empty()) {
    if (is_used(network.interface))
      return fail(Code::kExists, "bridge name {} is in use already", network.interface);
    return status_of(IfName::parse(network.interface));
  }
  for (unsigned number = 1; number < kMostInterfaces; ++number) {
    network.interface = fmt::format("{}{}", creation.default_interface, number);
    if (!is_used(network.interface)) return status_of(IfName::parse(network.interface));
  }
  return fail(Code::kExhausted, "no name of a bridge is free");
}

bool is_free(const Cidr& subnet, const std::vector<Cidr>& used) {
  return std::ranges::none_of(used, [&](const Cidr& other) { return other.overlaps(subnet); });
}

std::optional<Cidr> free_in(const Creation::Pool& pool, const std::vector<Cidr>& used) {
  if (pool.size < pool.base.prefix_length() || pool.size > (pool.base.is_v4() ? 30U : 126U))
    return std::nullopt;
  std::optional<IpAddress> next = pool.base.first();
  for (std::uint64_t count = 0; next && count < kMostSubnets; ++count) {
    const Cidr subnet = Cidr::of(*next, pool.size);
    if (!pool.base.contains(subnet)) return std::nullopt;
    if (is_free(subnet, used)) return subnet;
    next = subnet.last().plus(1);
  }
  return std::nullopt;
}

Result<Cidr> choose_v4(const Creation& creation, const std::vector<Cidr>& used) {
  for (const Creation::Pool& pool : creation.pools)
    if (pool.base.is_v4())
      if (const auto subnet = free_in(pool, used)) return *subnet;
  if (const auto subnet = free_in({.base = *Cidr::parse("10.89.0.0/16"), .size = 24}, used))
    return *subnet;
  return fail(Code::kExhausted, "no free IPv4 subnet is left in the pools of containers.conf");
}

// A /64 of a random unique local prefix (RFC 4193).
Cidr choose_v6(const std::vector<Cidr>& used) {
  for (;;) {
    const std::string hex = random_hex(14);
    const Cidr subnet = Cidr::of(*IpAddress::from_hex("fd" + hex + std::string(16, '0')), 64);
    if (is_free(subnet, used)) return subnet;
  }
}

Status choose_subnets(const Creation& creation, const std::vector<Cidr>& used, Network& network) {
  const auto has = [&](bool v4) {
    return std::ranges::any_of(network.subnets,
                               [&](const Subnet& subnet) { return subnet.subnet.is_v4() == v4; });
  };
  if (network.subnets.empty()) {
    TRY(const Cidr subnet, choose_v4(creation, used));
    network.subnets.push_back({.subnet = subnet});
  }
  if (network.ipv6 && !has(false)) network.subnets.push_back({.subnet = choose_v6(used)});
  network.ipv6 = has(false);
  return {};
}

Status check_given(const Network& network, const std::vector<Cidr>& used) {
  for (const Subnet& subnet : network.subnets)
    if (!is_free(subnet.subnet, used))
      return fail(Code::kExists, "subnet {} is already used on the host or by another config",
                  subnet.subnet.to_string());
  return {};
}

// The host's address, unless nobody needs one.
void fill_gateways(Network& network) {
  if (network.internal && !network.dns) return;
  for (Subnet& subnet : network.subnets)
    if (!subnet.gateway) subnet.gateway = network::default_gateway(subnet.subnet);
}

json::Json written(const Creation& creation, const Network& network) {
  json::Json document = creation.document;
  if (!network.interface.empty()) document["network_interface"] = network.interface;
  json::Json subnets = json::Json::array();
  for (const Subnet& subnet : network.subnets) subnets.push_back(encode_subnet(subnet));
  if (!network.subnets.empty()) document["subnets"] = std::move(subnets);
  document["ipv6_enabled"] = network.ipv6;
  document["dns_enabled"] = network.dns;
  if (!network.options.empty()) document["options"] = json::Json(network.options);
  document["ipam_options"] = json::Json(network.ipam_options);
  return document;
}

}  // namespace

Result<json::Json> complete(const Creation& creation, std::span<const Cidr> occupied) {
  Network network = creation.network;
  if (creation.used_names.contains(network.name))
    return fail(Code::kExists, "network already exists: {}", network.name);
  std::vector<Cidr> used = creation.used_subnets;
  used.insert(used.end(), occupied.begin(), occupied.end());
  TRY_STATUS(check_given(network, used));
  take_dockers_words(network);
  const bool bridge = network.driver == "bridge", without = network.ipam_driver() == "none";
  if (without && !network.subnets.empty())
    return fail(Code::kInvalid, "the ipam driver none is set, but subnets are given");
  if (!bridge && network.interface.empty())
    if (const auto parent = network.options.find("parent"); parent != network.options.end()) {
      network.interface = parent->second;
      network.options.erase(parent);
    }
  if (bridge) TRY_STATUS(choose_bridge(creation, network));
  if (bridge && !without) TRY_STATUS(choose_subnets(creation, used, network));
  if (network.ipam_driver().empty())
    network.ipam_options["driver"] = network.subnets.empty() ? "none" : "host-local";
  if (!bridge || without) network.dns = false;
  if (!network.dns && !network.dns_servers.empty())
    return fail(Code::kInvalid, "name servers cannot be set for a network without DNS");
  if (bridge || !network.internal) fill_gateways(network);
  TRY_STATUS(status_of(network_spec(network, kNetworkFolder)));
  return written(creation, network);
}

}  // namespace fairlead::netavark
