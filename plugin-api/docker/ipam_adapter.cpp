#include "plugin-api/docker/ipam_adapter.h"

namespace fairlead::docker {

namespace {

constexpr std::string_view kDockersOwn = "com.docker.network.";

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

Status or_gone(Status status) {
  if (!status && status.error().code == Code::kNotFound) return {};
  return status;
}

}  // namespace

Result<network::Pool> IpamAdapter::request_pool(const RequestPoolRequest& request) {
  TRY_STATUS(check_space(request.address_space));
  TRY(auto join, network_to_join(request.options));
  return pools_.request_pool({.subnet = request.subnet,
                              .family = request.family,
                              .prefix_length = request.prefix_length,
                              .range = request.range,
                              .join = std::move(join)});
}

Status IpamAdapter::release_pool(const PoolRequest& request) {
  return or_gone(pools_.release_pool(request.pool_id));
}

Result<Cidr> IpamAdapter::request_address(const RequestAddressRequest& request) {
  return pools_.request_address(request.pool_id, request.address, request.use);
}

Status IpamAdapter::release_address(const ReleaseAddressRequest& request) {
  return or_gone(pools_.release_address(request.pool_id, request.address));
}

}  // namespace fairlead::docker
