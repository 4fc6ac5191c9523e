#include "plugin-api/docker/codec_ipam.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/json/scalars.h"

namespace fairlead::docker {

namespace {

using json::defaulted;
using json::fields;
using json::Json;
using json::required;
using json::shown;
using json::Slot;
using json::sparse;
using json::text;

constexpr std::string_view kGateway = "com.docker.network.gateway";

// ---- forms

Result<Family> read_family(const Slot& slot) {
  const auto v6 = json::as_boolean(slot.value());
  if (!v6) return slot.wrong("true or false");
  return *v6 ? Family::kV6 : Family::kV4;
}

Result<network::AddressUse> read_use(const Slot& slot) {
  TRY(const auto options, json::texts_by_name(slot));
  const auto type = options.find("RequestAddressType");
  return type != options.end() && type->second == kGateway ? network::AddressUse::kGateway
                                                           : network::AddressUse::kEndpoint;
}

// Pool ids are Fairlead's own: they read like subnets. The characters of one are all that is asked
// of them here.
Result<std::string> parse_pool_id(std::string_view id) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("._:/-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (id.empty() || id.size() > 256 || !std::ranges::all_of(id, fits) ||
      id.find("..") != std::string_view::npos)
    return fail(Code::kInvalid, "not the id of an address pool");
  return std::string(id);
}

constexpr auto kSubnet = text<&Cidr::parse_subnet>();
constexpr auto kPoolId = text<&parse_pool_id>();

// ---- requests

constexpr auto kRequestPool =
    fields(defaulted<&RequestPoolRequest::address_space>("AddressSpace"),
           defaulted<&RequestPoolRequest::family>("V6", json::custom<&read_family>()),
           sparse<&RequestPoolRequest::subnet>("Pool", kSubnet),
           sparse<&RequestPoolRequest::range>("SubPool", kSubnet),
           defaulted<&RequestPoolRequest::options>("Options"));

constexpr auto kPoolRequest = fields(required<&PoolRequest::pool_id>("PoolID", kPoolId));

constexpr auto kRequestAddress =
    fields(required<&RequestAddressRequest::pool_id>("PoolID", kPoolId),
           sparse<&RequestAddressRequest::address>("Address"),
           defaulted<&RequestAddressRequest::use>("Options", json::custom<&read_use>()));

constexpr auto kReleaseAddress =
    fields(required<&ReleaseAddressRequest::pool_id>("PoolID", kPoolId),
           required<&ReleaseAddressRequest::address>("Address"));

Status check_family(std::string_view key, const std::optional<Cidr>& subnet, Family family) {
  if (!subnet || subnet->family() == family) return {};
  return fail(Code::kInvalid, "field {} must be an IPv{} subnet, not {}", key,
              static_cast<int>(family), subnet->to_string());
}

// An unspecified pool says only how long its prefix shall be.
Status take_prefix_length(RequestPoolRequest& request) {
  if (!request.subnet || !request.subnet->address().is_any()) return {};
  const Cidr pool = *std::exchange(request.subnet, std::nullopt);
  if (pool.prefix_length() == 0)
    return fail(Code::kInvalid, "field Pool must name a subnet, or a size as in {}",
                pool.is_v4() ? "0.0.0.0/24" : "::/64");
  request.prefix_length = pool.prefix_length();
  return {};
}

Status check_range(const RequestPoolRequest& request) {
  if (!request.range) return {};
  if (!request.subnet)
    return fail(Code::kInvalid,
                "field SubPool needs a Pool: give --subnet together with --ip-range");
  if (!request.subnet->contains(*request.range))
    return fail(Code::kInvalid, "field SubPool {} is not inside the pool {}",
                request.range->to_string(), request.subnet->to_string());
  return {};
}

// ---- answers

// A gateway that is given already stands here: Docker takes it without asking for it.
Json pool_data(const network::Pool& pool) {
  Json data = Json::object();
  if (pool.gateway)
    data[kGateway] = Cidr::of(*pool.gateway, pool.subnet.prefix_length()).to_string();
  return data;
}

constexpr auto kPool =
    fields(required<&network::Pool::id>("PoolID"), required<&network::Pool::subnet>("Pool"),
           shown<network::Pool, pool_data>("Data"));

}  // namespace

Result<RequestPoolRequest> decode_request_pool(std::string_view body) {
  TRY(auto request, decode_body(body, kRequestPool));
  TRY_STATUS(check_family("Pool", request.subnet, request.family));
  TRY_STATUS(check_family("SubPool", request.range, request.family));
  TRY_STATUS(take_prefix_length(request));
  TRY_STATUS(check_range(request));
  return request;
}
Result<PoolRequest> decode_pool(std::string_view body) { return decode_body(body, kPoolRequest); }
Result<RequestAddressRequest> decode_request_address(std::string_view body) {
  return decode_body(body, kRequestAddress);
}
Result<ReleaseAddressRequest> decode_release_address(std::string_view body) {
  return decode_body(body, kReleaseAddress);
}

std::string encode(const network::Pool& pool) { return json::dump(json::write(pool, kPool)); }

std::string encode(const Cidr& address) {
  return json::dump({{"Address", address.to_string()}, {"Data", Json::object()}});
}

}  // namespace fairlead::docker
