#include "network/ipam/records.h"

#include <array>
#include <cstdint>

#include "base/hash.h"
#include "base/json/json.h"

namespace fairlead::network::records {

namespace {

using json::Json;

struct UseName {
  AddressUse use;
  std::string_view name;
};
constexpr std::array<UseName, 3> kUses{{{AddressUse::kEndpoint, "endpoint"},
                                        {AddressUse::kGateway, "gateway"},
                                        {AddressUse::kReserved, "reserved"}}};

std::string_view name_of(AddressUse use) {
  for (const UseName& row : kUses)
    if (row.use == use) return row.name;
  return kUses[0].name;
}

Result<AddressUse> parse_use(std::string_view name) {
  for (const UseName& row : kUses)
    if (row.name == name) return row.use;
  return fail(Code::kInvalid, "\"{}\" is not a use of an address", name);
}

std::string key_part(const Cidr& pool) {
  return fmt::format("{}-{}", pool.first().to_hex(), pool.prefix_length());
}

// An absent field is nothing; one that is there must parse.
template <class Value>
Result<std::optional<Value>> optional_value(const json::Object& object, std::string_view key,
                                            Result<Value> (*parse)(std::string_view)) {
  TRY(const auto text, object.string_or(key, ""));
  if (text.empty()) return std::optional<Value>();
  TRY(auto value, parse(text));
  return std::optional<Value>(std::move(value));
}

Result<PoolRecord> read_pool(const json::Object& object) {
  PoolRecord pool;
  TRY(const auto subnet, object.string("subnet"));
  TRY(pool.subnet, Cidr::parse_subnet(subnet));
  TRY(pool.range, optional_value<Cidr>(object, "range", &Cidr::parse));
  TRY(pool.gateway, optional_value<IpAddress>(object, "gateway", &IpAddress::parse));
  TRY(pool.network, object.string_or("network", ""));
  TRY(pool.owner, object.string_or("owner", ""));
  return pool;
}

Result<LeaseRecord> read_lease(const json::Object& object) {
  LeaseRecord lease;
  TRY(lease.owner, object.string("owner"));
  TRY(const auto use, object.string("use"));
  TRY(lease.use, parse_use(use));
  TRY(lease.boot_id, object.string_or("boot", ""));
  TRY(lease.since, object.integer_or("since", 0, INT64_MAX, 0));
  return lease;
}

template <class Read>
auto decode(const state::Record& record, Read read)
    -> decltype(read(std::declval<const json::Object&>())) {
  const auto context = [&](Error error) {
    error.code = Code::kIo;
    return fail(with_context(std::move(error), fmt::format("read the record {}", record.key)));
  };
  auto document = json::parse(record.value);
  if (!document) return context(document.error());
  auto object = json::Object::of(*document);
  if (!object) return context(object.error());
  auto value = read(*object);
  if (!value) return context(value.error());
  return value;
}

}  // namespace

std::string pool_key(const Cidr& pool) { return fmt::format("{}{}", kPoolPrefix, key_part(pool)); }
std::string lease_prefix(const Cidr& pool) { return fmt::format("lease/{}/", key_part(pool)); }
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

std::string encode(const PoolRecord& pool) {
  Json value{{"subnet", pool.subnet.to_string()}};
  if (pool.range) value["range"] = pool.range->to_string();
  if (pool.gateway) value["gateway"] = pool.gateway->to_string();
  if (!pool.network.empty()) value["network"] = pool.network;
  if (!pool.owner.empty()) value["owner"] = pool.owner;
  return json::dump(value);
}

std::string encode(const LeaseRecord& lease) {
  Json value{{"owner", lease.owner}, {"use", name_of(lease.use)}};
  if (!lease.boot_id.empty()) value["boot"] = lease.boot_id;
  if (lease.since != 0) value["since"] = lease.since;
  return json::dump(value);
}

std::string encode_last(std::string_view last) { return json::dump(Json{{"last", last}}); }

Result<PoolRecord> decode_pool(const state::Record& record) {
  TRY(auto pool, decode(record, read_pool));
  pool.revision = record.revision;
  return pool;
}

Result<LeaseRecord> decode_lease(const state::Record& record) {
  TRY(auto lease, decode(record, read_lease));
  const auto slash = record.key.rfind('/');
  TRY(lease.address, IpAddress::from_hex(std::string_view(record.key).substr(slash + 1)));
  lease.revision = record.revision;
  return lease;
}

Result<IpAddress> decode_cursor(const state::Record& record) {
  return decode(record, [](const json::Object& object) -> Result<IpAddress> {
    TRY(const auto last, object.string("last"));
    return IpAddress::parse(last);
  });
}

}  // namespace fairlead::network::records
