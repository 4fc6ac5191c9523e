// The rules of shared networks: VNIs, overheads, and which options have to be the same. Pure
// functions.
#include <algorithm>
#include <array>

#include "base/hash.h"
#include "network/api/options.h"
#include "network/api/subnet_specs.h"
#include "network/cluster/networks.h"

namespace fairlead::network::cluster {

namespace {

constexpr std::uint32_t kFirstVni = 4096, kLastVni = 0xffffff;

// The options that belong to each host alone, and the MTU, for which SharedNetwork has a field.
constexpr std::array<std::string_view, 7> kNotShared{
    "bridge", "mtu", "host_ip", "host_ip6", "ifname_prefix", "parent", "network"};

std::string subnet_difference(const SharedNetwork& network, const SubnetSpec& wanted) {
  const auto match = std::ranges::find_if(network.subnets, [&](const Subnet& have) {
    return wanted.subnet ? have.subnet == *wanted.subnet : have.subnet.family() == wanted.family;
  });
  if (match == network.subnets.end())
    return wanted.subnet ? fmt::format("it has no subnet {}", wanted.subnet->to_string())
                         : fmt::format("it has no IPv{} subnet", static_cast<int>(wanted.family));
  if (wanted.gateway && wanted.gateway != match->gateway)
    return fmt::format("its gateway is {}, not {}",
                       match->gateway ? match->gateway->to_string() : "not set",
                       wanted.gateway->to_string());
  if (wanted.range && wanted.range->network() != match->range)
    return fmt::format("its range is {}, not {}",
                       match->range ? match->range->to_string() : "not set",
                       wanted.range->to_string());
  for (const auto& [name, address] : wanted.aux)
    if (const auto it = match->aux.find(name); it == match->aux.end() || it->second != address)
      return fmt::format("it does not reserve {}={}", name, address.to_string());
  return "";
}

}  // namespace

VniProbe::VniProbe(std::string_view network_id)
    : current_(kFirstVni +
               static_cast<std::uint32_t>(fnv1a(network_id) % (kLastVni - kFirstVni + 1))) {}

void VniProbe::next() { current_ = current_ == kLastVni ? kFirstVni : current_ + 1; }

std::map<std::string, std::string> shared_options(const NetworkOptions& options) {
  auto shared = to_map(options);
  for (const std::string_view name : kNotShared) shared.erase(std::string(name));
  return shared;
}

unsigned tunnel_overhead(Family underlay, bool encrypted) {
  if (encrypted) return (underlay == Family::kV4 ? 60 : 80) + 70;
  return underlay == Family::kV4 ? 50 : 70;
}

bool is_encrypted(const SharedNetwork& network) {
  const auto found = network.options.find("encrypted");
  return found != network.options.end() && found->second == "true";
}

std::string difference(const SharedNetwork& network, const NetworkSpec& spec) {
  if (auto other = option_difference(network.options, shared_options(spec.options)); !other.empty())
    return other;
  if (spec.options.mtu && *spec.options.mtu != network.mtu)
    return fmt::format("its MTU is {}, not {}", network.mtu, *spec.options.mtu);
  if (network.internal != spec.internal)
    return network.internal ? "it is internal" : "it is not internal";
  for (const SubnetSpec& wanted : wanted_subnets(spec)) {
    // The spec asks for no IPv4 subnet.
    if (spec.subnets.empty() && wanted.family == Family::kV4) continue;
    if (auto other = subnet_difference(network, wanted); !other.empty()) return other;
  }
  return "";
}

}  // namespace fairlead::network::cluster
