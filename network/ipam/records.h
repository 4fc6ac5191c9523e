// Keys and JSON of the records that ipam.h describes.
#pragma once

#include <string>
#include <string_view>

#include "base/state/store.h"
#include "network/ipam/ipam.h"

namespace fairlead::network {

std::string_view to_string(AddressUse use);  // as leases spell it

namespace records {

inline constexpr std::string_view kPoolPrefix = "pool/";
inline constexpr std::string_view kLeasePrefix = "lease/";
inline constexpr std::string_view kPoolGuard = "pool-guard";
inline constexpr std::string_view kUlaPrefix = "ula-prefix";

std::string pool_key(const Cidr& pool);
std::string lease_prefix(const Cidr& pool);
std::string lease_key(const Cidr& pool, const IpAddress& address);
// Requests with their own ranges have their own cursor: with the pool's cursor, which is mostly
// outside those ranges, the search would start at the beginning each time.
std::string cursor_key(const Cidr& pool, const std::vector<Cidr>& ranges);

std::string encode(const PoolRecord& pool);
std::string encode(const LeaseRecord& lease);
std::string encode_last(std::string_view last);  // of a cursor or the guard
std::string encode_ula_prefix(const Cidr& prefix);

// kIo, naming the key, when a record cannot be read: somebody else wrote it.
Result<PoolRecord> decode_pool(const state::Record& record);
Result<LeaseRecord> decode_lease(const state::Record& record);
Result<IpAddress> decode_cursor(const state::Record& record);
Result<Cidr> decode_ula_prefix(const state::Record& record);

}  // namespace records

}  // namespace fairlead::network
