#include "network/cluster/addresses.h"

#include "network/cluster/block_layout.h"

namespace fairlead::network::cluster {

Result<AddressOffer> StoreAddresses::offer(const AddressRequest& request) {
  TRY_STATUS(context_.fence.check());
  TRY(auto owned, blocks_.offer_owned(request));
  if (owned.exact || !owned.ranges.empty()) return owned;
  const std::scoped_lock hold(claims_);
  TRY(const auto subnet_area, context_.subnet_area_of(request.network_id, request.family));
  if (request.wanted) return static_claims_.claim(subnet_area, request, *request.wanted);
  if (!has_blocks(subnet_area.area)) return static_claims_.claim_any(subnet_area, request);
  TRY_STATUS(blocks_.resolve_claims(request.network_id, request.family));
  TRY(owned, blocks_.offer_owned(request));  // another thread may have claimed a block meanwhile
  if (!owned.ranges.empty()) return owned;
  TRY_STATUS(blocks_.claim(request.network_id, request.family));
  return blocks_.offer_owned(request);
}

Status StoreAddresses::extend(const std::string& network_id, Family family) {
  TRY_STATUS(context_.fence.check());
  const std::scoped_lock hold(claims_);
  TRY_STATUS(blocks_.resolve_claims(network_id, family));
  TRY(const auto subnet_area, context_.subnet_area_of(network_id, family));
  if (!has_blocks(subnet_area.area))
    return fail(Code::kExhausted, "no address of {} is free",
                subnet_area.subnet.subnet.to_string());
  return blocks_.claim(network_id, family);
}

Status StoreAddresses::give_back(const std::string& network_id, const IpAddress& address) {
  const std::scoped_lock hold(claims_);
  return static_claims_.give_back(network_id, address);
}

Status StoreAddresses::maintain(LeaseBook& book) {
  const std::scoped_lock hold(claims_);
  return maintenance_.maintain(book);
}

Status StoreAddresses::forget(const std::string& network_id) {
  const std::scoped_lock hold(claims_);
  return maintenance_.forget(network_id);
}

Result<std::vector<OwnedBlock>> StoreAddresses::owned() { return blocks_.owned(); }

}  // namespace fairlead::network::cluster
