#include "network/ipam/records.h"

#include <cstdint>

#include "base/hash.h"
#include "base/state/record_fields.h"

namespace fairlead::network {

std::string_view to_string(AddressUse use) {
  switch (use) {
    case AddressUse::kEndpoint:
      return "endpoint";
    case AddressUse::kGateway:
      return "gateway";
    case AddressUse::kReserved:
      return "reserved";
  }
  return "endpoint";
}

namespace records {

using json::fields;
using json::Json;
using json::required;
using json::Slot;
using json::sparse;
using state::read_record;

namespace {

std::string key_part(const Cidr& pool) {
  return fmt::format("{}-{}", pool.first().to_hex(), pool.prefix_length());
}

// ---- the fields of each record

// An empty text is none.
template <class T>
Result<std::optional<T>> read_if_any(const Slot& slot) {
  if (!slot.value().is_string()) return slot.wrong("a string");
  if (slot.value().string().empty()) return std::optional<T>();
  auto value = T::parse(slot.value().string());
  if (!value) return fail(slot.located(std::move(value.error())));
  return std::optional<T>(std::move(*value));
}
template <class T>
Json write_if_any(const std::optional<T>& value) {
  return value ? Json(value->to_string()) : Json();
}
template <class T>
constexpr auto kIfAny = json::custom<&read_if_any<T>, &write_if_any<T>>();

constexpr auto kUse =
    json::one_of<AddressUse::kEndpoint, AddressUse::kGateway, AddressUse::kReserved>();

constexpr auto kPool =
    fields(required<&PoolRecord::subnet>("subnet", json::text<&Cidr::parse_subnet>()),
           sparse<&PoolRecord::range>("range", kIfAny<Cidr>),
           sparse<&PoolRecord::gateway>("gateway", kIfAny<IpAddress>),
           sparse<&PoolRecord::network>("network"), sparse<&PoolRecord::owner>("owner"));

constexpr auto kLease =
    fields(required<&LeaseRecord::owner>("owner"), required<&LeaseRecord::use>("use", kUse),
           sparse<&LeaseRecord::boot_id>("boot"), sparse<&LeaseRecord::since>("since"),
           sparse<&LeaseRecord::reserved_for>("reserved_for"));

struct Cursor {
  IpAddress last;
};
constexpr auto kCursor = fields(required<&Cursor::last>("last"));

struct UlaPrefix {
  Cidr prefix;
};
constexpr auto kUlaRecord =
    fields(required<&UlaPrefix::prefix>("prefix", json::text<&Cidr::parse_subnet>()));

}  // namespace

std::string pool_key(const Cidr& pool) { return fmt::format("{}{}", kPoolPrefix, key_part(pool)); }
std::string lease_prefix(const Cidr& pool) {
  return fmt::format("{}{}/", kLeasePrefix, key_part(pool));
}
std::string lease_key(const Cidr& pool, const IpAddress& address) {
  return lease_prefix(pool) + address.to_hex();
}

std::string cursor_key(const Cidr& pool, const std::vector<Cidr>& ranges) {
  std::string key = fmt::format("cursor/{}", key_part(pool));
  if (ranges.empty()) return key;
  std::string text;
  for (const Cidr& range : ranges) text += range.to_string() + ",";
  return fmt::format("{}/{}", key, hash_hex(text, 16));
}

std::string encode(const PoolRecord& pool) { return json::dump(json::write(pool, kPool)); }

std::string encode(const LeaseRecord& lease) { return json::dump(json::write(lease, kLease)); }

std::string encode_last(std::string_view last) { return json::dump(Json{{"last", last}}); }

std::string encode_ula_prefix(const Cidr& prefix) {
  return json::dump(json::write(UlaPrefix{prefix}, kUlaRecord));
}

Result<PoolRecord> decode_pool(const state::Record& record) {
  TRY(auto pool, read_record(record, kPool));
  pool.revision = record.revision;
  return pool;
}

Result<LeaseRecord> decode_lease(const state::Record& record) {
  TRY(auto lease, read_record(record, kLease));
  const auto slash = record.key.rfind('/');
  TRY(lease.address, IpAddress::from_hex(std::string_view(record.key).substr(slash + 1)));
  lease.revision = record.revision;
  return lease;
}

Result<IpAddress> decode_cursor(const state::Record& record) {
  TRY(const auto cursor, read_record(record, kCursor));
  return cursor.last;
}

Result<Cidr> decode_ula_prefix(const state::Record& record) {
  TRY(const auto read, read_record(record, kUlaRecord));
  return read.prefix;
}

}  // namespace records

}  // namespace fairlead::network
