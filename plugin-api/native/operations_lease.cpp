// Addresses: who has them, and for whom they are kept.
#include "plugin-api/native/operations.h"

namespace fairlead::native {

namespace {

// The router lets nothing else than an address through.
Result<IpAddress> address_of(const Call& call, std::size_t index) {
  return IpAddress::parse(call.params[index]);
}

}  // namespace

Result<Answer> reserve_address(const Core& core, const Call& call) {
  TRY(const auto reservation, decode_reservation(call.body));
  TRY(const auto network, core.networks.reserve(network::NetworkText{call.params[0]}, reservation));
  return Answer{kOk, encode_network(network)};
}

Result<Answer> unreserve_address(const Core& core, const Call& call) {
  TRY(const auto address, address_of(call, 1));
  TRY(const auto network, core.networks.unreserve(network::NetworkText{call.params[0]}, address));
  return Answer{kOk, encode_network(network)};
}

Result<Answer> list_leases(const Core& core, const Call& call) {
  std::optional<network::NetworkRef> only;
  if (const auto network = call.query.find("network"); network != call.query.end())
    only = network::NetworkText{network->second};
  TRY(const auto leases, core.networks.list_leases(only));
  Document list = Document::array();
  for (const network::AddressLease& lease : leases) list.push_back(encode_lease(lease));
  return Answer{kOk, {{"leases", std::move(list)}}};
}

Result<Answer> delete_lease(const Core& core, const Call& call) {
  TRY(const bool forced, is_forced(call));
  TRY(const auto address, address_of(call, 0));
  TRY_STATUS(core.networks.release_lease(address, forced));
  return Answer{kNoContent, {}};
}

}  // namespace fairlead::native
