#include "plugin-api/docker/ipam_adapter.h"

#include <algorithm>

namespace fairlead::docker {

namespace {

constexpr std::string_view kDockersOwn = "com.docker.network.";

// More than dockerd refuses for good reasons, or than it requests at the same time.
constexpr std::ptrdiff_t kMostOffers = 64;

Status check_space(const std::string& space) {
  if (space.empty() || space == kLocalSpace || space == kGlobalSpace) return {};
  return fail(Code::kInvalid,
              "request an address pool: there is no address space \"{}\"; there are {} and {}",
              space, kLocalSpace, kGlobalSpace);
}

Result<std::optional<NetworkName>> network_to_join(
    const std::map<std::string, std::string>& options) {
  std::optional<NetworkName> name;
  for (const auto& [key, value] : options) {
    if (key == "network") {
      TRY(name, NetworkName::parse(value));
    } else if (!key.starts_with(kDockersOwn)) {
      return fail(Code::kInvalid, "unknown IPAM option \"{}\"; known is network=NAME", key);
    }
  }
  return name;
}

std::string text_of(const RequestPoolRequest& request) {
  const auto joined = request.options.find("network");
  return fmt::format("IPv{} {}", static_cast<int>(request.family),
                     joined == request.options.end() ? "" : joined->second);
}

Error with_way_to_join(Error error) {
  if (error.code == Code::kExists)
    error.text += ", or join its network: --ipam-opt network=NAME -o network=NAME";
  return error;
}

tl::unexpected<Error> not_taken(const network::Pool& pool) {
  return fail(Code::kConflict,
              "request an address pool: Docker keeps asking for another one than {}, because a "
              "route or a name server of this host is inside; with {}--subnet {} it takes it",
              pool.subnet.to_string(), pool.subnet.is_v4() ? "" : "--ipv6 ",
              pool.subnet.to_string());
}

Status or_gone(Status status) {
  if (!status && status.error().code == Code::kNotFound) return {};
  return status;
}

}  // namespace

Result<network::Pool> IpamAdapter::request_pool(const RequestPoolRequest& request) {
  TRY_STATUS(check_space(request.address_space));
  TRY(auto join, network_to_join(request.options));
  const bool joins = join.has_value();
  auto pool = pools_.request_pool({.subnet = request.subnet,
                                   .family = request.family,
                                   .prefix_length = request.prefix_length,
                                   .range = request.range,
                                   .join = std::move(join)});
  if (!pool) return fail(joins ? pool.error() : with_way_to_join(pool.error()));
  if (request.subnet) return pool;
  return offer(request, *std::move(pool));
}

Result<network::Pool> IpamAdapter::offer(const RequestPoolRequest& request, network::Pool pool) {
  const std::string text = text_of(request);
  const std::lock_guard lock(mutex_);
  const bool again = std::ranges::find(offers_, pool.id, &Offer::pool_id) != offers_.end();
  if (std::ranges::count(offers_, text, &Offer::request) >= kMostOffers) {
    std::erase_if(offers_, [&](const Offer& offer) { return offer.request == text; });
    (void)pools_.release_pool(pool.id);
    return not_taken(pool);
  }
  offers_.push_back({text, pool.id});
  pool.gateway.reset();  // so that dockerd asks for it, which shows that it accepted the pool
  if (again && pool.subnet.is_v4()) pool.subnet = Cidr();  // 0.0.0.0/0
  return pool;
}

void IpamAdapter::taken(const std::string& pool_id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(offers_, pool_id, &Offer::pool_id);
  if (found == offers_.end()) return;
  const std::string text = found->request;
  std::erase_if(offers_, [&](const Offer& offer) { return offer.request == text; });
}

bool IpamAdapter::given_up(const std::string& pool_id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(offers_, pool_id, &Offer::pool_id);
  if (found != offers_.end()) offers_.erase(found);
  return std::ranges::find(offers_, pool_id, &Offer::pool_id) == offers_.end();
}

Status IpamAdapter::release_pool(const PoolRequest& request) {
  if (!given_up(request.pool_id)) return {};
  return or_gone(pools_.release_pool(request.pool_id));
}

Result<Cidr> IpamAdapter::request_address(const RequestAddressRequest& request) {
  if (request.use == network::AddressUse::kGateway) taken(request.pool_id);
  return pools_.request_address(request.pool_id, request.address, request.use);
}

Status IpamAdapter::release_address(const ReleaseAddressRequest& request) {
  return or_gone(pools_.release_address(request.pool_id, request.address));
}

}  // namespace fairlead::docker
