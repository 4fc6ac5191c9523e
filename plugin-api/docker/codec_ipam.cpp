#include "plugin-api/docker/codec_ipam.h"

#include <algorithm>
#include <cctype>

namespace fairlead::docker {

namespace {

using json::Json;
using json::Object;

constexpr std::string_view kGateway = "com.docker.network.gateway";

tl::unexpected<Error> wrong_field(const Object& object, std::string_view key, const Error& error) {
  return fail(with_context(error, fmt::format("field {}", object.path_of(key))));
}

Result<std::optional<Cidr>> subnet_or_none(const Object& root, std::string_view key,
                                           Family family) {
  TRY(const auto text, root.string_or(key, ""));
  if (text.empty()) return std::optional<Cidr>();
  auto subnet = Cidr::parse_subnet(text);
  if (!subnet) return wrong_field(root, key, subnet.error());
  if (subnet->family() != family)
    return fail(Code::kInvalid, "field {} must be an IPv{} subnet, not {}", root.path_of(key),
                static_cast<int>(family), text);
  return std::optional<Cidr>(*subnet);
}

// The pool as asked for: a subnet, or only its size.
Status read_subnet(const Object& root, RequestPoolRequest& request) {
  TRY(const auto pool, subnet_or_none(root, "Pool", request.family));
  if (!pool) return {};
  if (!pool->address().is_any()) {
    request.subnet = pool;
    return {};
  }
  if (pool->prefix_length() == 0)
    return fail(Code::kInvalid, "field Pool must name a subnet, or a size as in {}",
                pool->is_v4() ? "0.0.0.0/24" : "::/64");
  request.prefix_length = pool->prefix_length();
  return {};
}

Status read_range(const Object& root, RequestPoolRequest& request) {
  TRY(request.range, subnet_or_none(root, "SubPool", request.family));
  if (!request.range) return {};
  if (!request.subnet)
    return fail(Code::kInvalid,
                "field SubPool needs a Pool: give --subnet together with --ip-range");
  if (!request.subnet->contains(*request.range))
    return fail(Code::kInvalid, "field SubPool {} is not inside the pool {}",
                request.range->to_string(), request.subnet->to_string());
  return {};
}

Result<RequestPoolRequest> read_request_pool(const Object& root) {
  RequestPoolRequest request;
  TRY(request.address_space, root.string_or("AddressSpace", ""));
  TRY(const auto v6, root.bool_or("V6", false));
  request.family = v6 ? Family::kV6 : Family::kV4;
  TRY_STATUS(read_subnet(root, request));
  TRY_STATUS(read_range(root, request));
  TRY(request.options, root.string_map_or_empty("Options"));
  return request;
}

// Pool ids are Fairlead's own: they read like subnets. The characters of one are all that is asked
// of them here.
Result<std::string> pool_id_of(const Object& root) {
  TRY(auto id, root.string("PoolID"));
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._:/-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (id.empty() || id.size() > 256 || !std::ranges::all_of(id, fits) ||
      id.find("..") != std::string::npos)
    return fail(Code::kInvalid, "field PoolID is not the id of an address pool");
  return id;
}

Result<PoolRequest> read_pool(const Object& root) {
  TRY(auto id, pool_id_of(root));
  return PoolRequest{std::move(id)};
}

Result<RequestAddressRequest> read_request_address(const Object& root) {
  RequestAddressRequest request;
  TRY(request.pool_id, pool_id_of(root));
  TRY(const auto text, root.string_or("Address", ""));
  if (!text.empty()) {
    auto address = IpAddress::parse(text);
    if (!address) return wrong_field(root, "Address", address.error());
    request.address = *address;
  }
  TRY(const auto options, root.string_map_or_empty("Options"));
  const auto type = options.find("RequestAddressType");
  if (type != options.end() && type->second == kGateway)
    request.use = network::AddressUse::kGateway;
  return request;
}

Result<ReleaseAddressRequest> read_release_address(const Object& root) {
  ReleaseAddressRequest request;
  TRY(request.pool_id, pool_id_of(root));
  TRY(const auto text, root.string("Address"));
  auto address = IpAddress::parse(text);
  if (!address) return wrong_field(root, "Address", address.error());
  request.address = *address;
  return request;
}

}  // namespace

Result<RequestPoolRequest> decode_request_pool(std::string_view body) {
  return decode_with(body, read_request_pool);
}
Result<PoolRequest> decode_pool(std::string_view body) { return decode_with(body, read_pool); }
Result<RequestAddressRequest> decode_request_address(std::string_view body) {
  return decode_with(body, read_request_address);
}
Result<ReleaseAddressRequest> decode_release_address(std::string_view body) {
  return decode_with(body, read_release_address);
}

std::string encode(const network::Pool& pool) {
  Json data = Json::object();
  if (pool.gateway)
    data[kGateway] = Cidr::of(*pool.gateway, pool.subnet.prefix_length()).to_string();
  return json::dump(
      {{"PoolID", pool.id}, {"Pool", pool.subnet.to_string()}, {"Data", std::move(data)}});
}

std::string encode(const Cidr& address) {
  return json::dump({{"Address", address.to_string()}, {"Data", Json::object()}});
}

}  // namespace fairlead::docker
