// Pools and addresses for runtimes that request them (Docker's IpamDriver).
#include <algorithm>

#include "network/service/service_impl.h"

namespace fairlead::network {

namespace {

const Subnet* subnet_of(const Network& network, Family family) {
  const auto found = std::ranges::find_if(
      network.subnets, [&](const Subnet& subnet) { return subnet.subnet.family() == family; });
  return found == network.subnets.end() ? nullptr : &*found;
}

Status check_source(const Network& network) {
  if (network.address_source == AddressSource::kFairlead) return {};
  return fail(Code::kConflict,
              "the addresses of network {} are given by its runtime's own allocator, which would "
              "give the same ones once more; make it with addresses from Fairlead (docker network "
              "create -d fairlead --ipam-driver fairlead) to share it",
              network.name.str());
}

}  // namespace

tl::unexpected<Error> no_subnet(const NetworkName& network, Family family) {
  return fail(
      Code::kNotFound, "network {} has no IPv{} subnet; Docker joins it {}", network.str(),
      static_cast<int>(family),
      family == Family::kV4 ? "with --ipv4=false --ipv6, from version 28 on" : "without --ipv6");
}

Result<Pool> ServiceImpl::request_pool(const PoolRequest& request) {
  const Family family = request.subnet ? request.subnet->family() : request.family;
  if (request.join) {
    auto stored = records_.network(*request.join);
    if (!stored && stored.error().code == Code::kNotFound && parts_.cluster != nullptr)
      return request_shared_pool(request);
    if (!stored) return fail(stored.error());
    TRY_STATUS(check_source(stored->value));
    const Subnet* subnet = subnet_of(stored->value, family);
    if (subnet == nullptr) return no_subnet(*request.join, family);
    if (request.subnet && *request.subnet != subnet->subnet)
      return fail(Code::kConflict, "network {} has the subnet {}, not {}", request.join->str(),
                  subnet->subnet.to_string(), request.subnet->to_string());
    return Pool{subnet->pool_id, subnet->subnet, subnet->range, subnet->gateway};
  }
  std::vector<Cidr> occupied;
  if (!request.subnet) {
    TRY(occupied, parts_.links.occupied_subnets());
  }
  TRY(auto pool, ipam_.create_pool({.subnet = request.subnet,
                                    .family = family,
                                    .prefix_length = request.prefix_length,
                                    .range = request.range,
                                    .owner = "docker"},
                                   occupied));
  return Pool{pool.subnet.to_string(), pool.subnet, pool.range, std::nullopt};
}

Status ServiceImpl::release_pool(const std::string& pool_id) {
  const auto subnet = parse_pool_id(pool_id);
  if (!subnet) return {};
  TRY(auto pool, ipam_.find_pool(*subnet));
  // The pool of a network is removed with the network.
  if (!pool || !pool->network.empty()) return {};
  return ipam_.remove_pool(*subnet);
}

Result<Cidr> ServiceImpl::request_address(const std::string& pool_id,
                                          std::optional<IpAddress> wanted, AddressUse use) {
  TRY(auto subnet, parse_pool_id(pool_id));
  TRY(auto pool, ipam_.find_pool(subnet));
  if (!pool) return fail(Code::kNotFound, "address pool {} does not exist", pool_id);
  if (use != AddressUse::kGateway) return request_for_container(*pool, wanted, use);
  const std::optional<IpAddress> gateway = pool->gateway ? pool->gateway : subnet.first().plus(1);
  if (!wanted) wanted = gateway;
  if (pool->gateway && *wanted != *pool->gateway)
    return fail(Code::kConflict, "the gateway of {} is {}, not {}", pool_id,
                pool->gateway->to_string(), wanted->to_string());
  return ipam_.allocate(subnet, {.owner = "gateway", .use = use, .wanted = wanted});
}

Status ServiceImpl::release_address(const std::string& pool_id, const IpAddress& address) {
  const auto subnet = parse_pool_id(pool_id);
  if (!subnet) return {};
  TRY(auto pool, ipam_.find_pool(*subnet));
  if (!pool) return {};
  return release_lease(*pool, address);
}

}  // namespace fairlead::network
