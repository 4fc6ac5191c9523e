#include "plugin-api/docker/network_binding.h"

#include <fmt/format.h>

#include <algorithm>

#include "network/api/options.h"

namespace fairlead::docker {

namespace {

using network::AddressSource;
using network::Network;

AddressSource source_of(const IpamData& pool) {
  const bool own = pool.address_space == kLocalSpace || pool.address_space == kGlobalSpace;
  return own ? AddressSource::kFairlead : AddressSource::kRuntime;
}

std::string subnets_text(const Network& network) {
  std::vector<std::string> texts;
  for (const network::Subnet& subnet : network.subnets) texts.push_back(subnet.subnet.to_string());
  return fmt::format("{}", fmt::join(texts, " and "));
}

// The pool of a joined network can be one subnet of each family.
std::string subnet_options(const Network& network) {
  std::string text;
  for (const Family family : {Family::kV4, Family::kV6}) {
    const auto found = std::ranges::find_if(network.subnets, [&](const network::Subnet& subnet) {
      return subnet.subnet.family() == family;
    });
    if (found != network.subnets.end()) text += " --subnet " + found->subnet.to_string();
  }
  return text;
}

// The command that works. It names the subnets, so that Docker shows them and accepts --ip.
std::string working_command(const Network& network) {
  const std::string name = network.name.str();
  const std::string_view v4 = network.has(Family::kV4) ? "" : " --ipv4=false";
  const std::string_view v6 = network.has(Family::kV6) ? " --ipv6" : "";
  const std::string_view internal = network.internal ? " --internal" : "";
  return fmt::format(
      "docker network create -d fairlead --ipam-driver fairlead --ipam-opt network={} -o "
      "network={}{}{}{}{} {}",
      name, name, v4, v6, subnet_options(network), internal, name);
}

template <class... Args>
tl::unexpected<Error> disagree(const Network& network, fmt::format_string<Args...> format,
                               Args&&... args) {
  return fail(Code::kConflict, "join network {}: {}; this works: {}", network.name.str(),
              fmt::format(format, std::forward<Args>(args)...), working_command(network));
}

Status check_pool(const Network& network, const IpamData& pool) {
  const auto found = std::ranges::find(network.subnets, *pool.subnet, &network::Subnet::subnet);
  if (found == network.subnets.end())
    return disagree(network, "Docker reserved the subnet {}, but the network has {}",
                    pool.subnet->to_string(), subnets_text(network));
  if (pool.gateway && found->gateway && pool.gateway != found->gateway)
    return disagree(network, "Docker chose the gateway {}, but the network has {}",
                    pool.gateway->to_string(), found->gateway->to_string());
  if (source_of(pool) == AddressSource::kRuntime &&
      network.address_source == AddressSource::kFairlead)
    return disagree(network,
                    "Docker's own allocator would give out addresses that Fairlead has given "
                    "already");
  return {};
}

// Options of the network itself may be repeated but not changed.
Status check_options(const Network& network, network::NetworkOptions options) {
  options.join.reset();
  const auto present = network::to_map(network.options);
  for (const auto& [key, value] : network::to_map(options)) {
    const auto found = present.find(key);
    if (found == present.end() || found->second != value)
      return disagree(network, "the option {}={} differs from the network's own", key, value);
  }
  return {};
}

}  // namespace

Result<AddressSource> address_source_of(const CreateNetworkRequest& request) {
  if (request.pools.empty()) return AddressSource::kFairlead;
  const AddressSource first = source_of(request.pools.front());
  for (const IpamData& pool : request.pools)
    if (source_of(pool) != first)
      return fail(Code::kInvalid, "the pools of one network must come from one IPAM driver");
  return first;
}

Status bind_to_existing(network::NetworkService& networks, const CreateNetworkRequest& request,
                        const network::NetworkOptions& options) {
  auto found = networks.inspect_network(*options.join);
  if (!found)
    return fail(with_context(found.error(), fmt::format("join network {}", options.join->str())));
  const Network& network = *found;
  TRY_STATUS(check_options(network, options));
  if (request.internal && !network.internal)
    return disagree(network, "it is not internal, but --internal was given");
  for (const IpamData& pool : request.pools) TRY_STATUS(check_pool(network, pool));
  TRY_STATUS(networks.bind_network(request.network_id, network.name));
  return {};
}

Error explained(network::NetworkService& networks, const CreateNetworkRequest& request,
                Error error) {
  if (error.code != Code::kExists) return error;
  const auto listed = networks.list_networks();
  if (!listed) return error;
  for (const auto& [network, endpoints] : *listed)
    for (const IpamData& pool : request.pools)
      if (std::ranges::find(network.subnets, *pool.subnet, &network::Subnet::subnet) !=
          network.subnets.end())
        error.text =
            fmt::format("subnet {} is that of network {}; this joins it: {}",
                        pool.subnet->to_string(), network.name.str(), working_command(network));
  return error;
}

}  // namespace fairlead::docker
