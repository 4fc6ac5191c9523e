// Addresses that are taken.
#include "base/json/fields.h"
#include "plugin-api/native/codec.h"
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::fields;
using json::one_of;
using json::required;
using json::sparse;
using network::AddressLease;
using network::AddressUse;

namespace {

Result<AddressUse> parse_use(std::string_view text) {
  if (text == "endpoint") return AddressUse::kEndpoint;
  if (text == "gateway") return AddressUse::kGateway;
  if (text == "reserved") return AddressUse::kReserved;
  return fail(Code::kInvalid, "it must be endpoint, gateway or reserved");
}

Result<AddressUse> read_use(const json::Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  auto use = parse_use(slot.value().string());
  if (!use) return fail(slot.located(std::move(use.error())));
  return use;
}

json::Json write_use(const AddressUse& use) {
  switch (use) {
    case AddressUse::kEndpoint:
      return "endpoint";
    case AddressUse::kGateway:
      return "gateway";
    case AddressUse::kReserved:
      break;
  }
  return "reserved";
}

constexpr auto kLease = fields(
    required<&AddressLease::address>("address"),
    required<&AddressLease::subnet>("subnet", json::text<&Cidr::parse_subnet>()),
    required<&AddressLease::network_name>("network"),
    required<&AddressLease::network_id>("network_id"),
    required<&AddressLease::use>("use", json::custom<&read_use, &write_use>()),
    required<&AddressLease::holder>("holder"), sparse<&AddressLease::endpoint_id>("endpoint"),
    sparse<&AddressLease::container>("container"),
    sparse<&AddressLease::reserved_for>("reserved_for"),
    sparse<&AddressLease::since>("since", kTime));

}  // namespace

Document encode_lease(const AddressLease& lease) { return json::write(lease, kLease); }

Result<AddressLease> decode_lease(const json::Json& document) {
  return json::read(document, kLease, kLenient);
}

std::vector<DocumentTable> lease_tables() { return {{"Lease", kLease.rows}}; }

}  // namespace fairlead::native
