// The cluster's records as JSON text: pure, both ways. Unknown fields are ignored on reading (a
// newer host may have written them), missing ones get their defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/state/store.h"
#include "network/api/cluster.h"

namespace fairlead::network::cluster {

// The format of the records in the shared store. A later one is raised only when hosts of the former
// could not work with it; a host does not join a cluster whose format it does not know.
inline constexpr unsigned kClusterFormat = 1;

struct ClusterMeta {
  std::string uuid;      // 32 hex digits
  unsigned port = 4789;  // UDP, of the tunnels
  std::vector<Cidr> pools;
  unsigned format = kClusterFormat;

  bool operator==(const ClusterMeta&) const = default;
};

enum class HostPhase { kMember, kLeft, kRemoved };
std::string_view to_string(HostPhase phase);

struct HostRecord {
  HostInfo info;
  std::uint64_t epoch = 1;  // grows with each removal: what carries a lower one is void
  HostPhase phase = HostPhase::kMember;
  long long changed = 0;  // Unix seconds: of the last change of phase
  // kRemoved: Unix seconds from which others may have its addresses.
  long long free_after = 0;

  bool operator==(const HostRecord&) const = default;
};

struct LiveRecord {
  std::string boot_id;
  std::uint64_t epoch = 0;
  std::string nonce;  // of the process that made it

  bool operator==(const LiveRecord&) const = default;
};

enum class NetworkPhase { kReady, kDeleting };
std::string_view to_string(NetworkPhase phase);

struct NetworkRecord {
  SharedNetwork network;
  NetworkPhase phase = NetworkPhase::kReady;

  bool operator==(const NetworkRecord&) const = default;
};

// Which network has a VNI. With an empty id no network may take it until `free_after` (Unix
// seconds), because hosts may still have the link of the former one.
struct VniRecord {
  std::string network_id;
  long long free_after = 0;

  bool operator==(const VniRecord&) const = default;
};

struct SharedPool {
  std::string network_id, name;  // the name is for people

  bool operator==(const SharedPool&) const = default;
};

struct BlockRecord {
  std::string host_id;
  std::uint64_t epoch = 0;
  // Addresses its owner never gives out: claimed one by one before the block was. They stay holes
  // as long as it owns the block, so that they can be claimed one by one again.
  std::vector<IpAddress> holes;

  bool operator==(const BlockRecord&) const = default;
};

struct StaticClaimRecord {
  std::string endpoint_id, host_id;
  std::uint64_t epoch = 0;

  bool operator==(const StaticClaimRecord&) const = default;
};

// ---- of the local store

struct MemberRecord {
  std::string cluster;  // uuid
  std::uint64_t epoch = 0;
  std::string nonce, boot_id;  // of the live key made last

  bool operator==(const MemberRecord&) const = default;
};

enum class ClaimPhase {
  kClaiming,   // the claim may or may not have been committed
  kHeld,       // ours
  kReleasing,  // nothing is given out of it any more
};
std::string_view to_string(ClaimPhase phase);

struct LocalBlock {
  Cidr block;
  std::uint64_t epoch = 0;
  ClaimPhase phase = ClaimPhase::kClaiming;
  std::vector<Cidr> ranges;   // what may be given out of it: without holes, gateways and the like
  long long empty_since = 0;  // Unix seconds; 0: in use, or not looked at yet

  bool operator==(const LocalBlock&) const = default;
};

struct LocalAddress {
  IpAddress address;
  std::string endpoint_id;
  std::uint64_t epoch = 0;
  ClaimPhase phase = ClaimPhase::kClaiming;
  long long since = 0;  // Unix seconds: of the phase

  bool operator==(const LocalAddress&) const = default;
};

// What this host saw of the shared store (store_rollback.h).
struct SeenRecord {
  std::int64_t revision = 0;
  long long quarantined_since = 0;  // Unix seconds; 0: all is well

  bool operator==(const SeenRecord&) const = default;
};

std::string encode(const ClusterMeta& meta);
std::string encode(const HostRecord& host);
std::string encode(const LiveRecord& live);
std::string encode(const NetworkRecord& network);
std::string encode(const VniRecord& vni);
std::string encode(const SharedPool& pool);
std::string encode(const BlockRecord& block);
std::string encode(const StaticClaimRecord& static_claim);
std::string encode(const SharedEndpoint& endpoint);
std::string encode(const MemberRecord& member);
std::string encode(const LocalBlock& block);
std::string encode(const LocalAddress& address);
std::string encode(const SeenRecord& seen);
std::string encode_id(std::string_view id);      // {"id"}: of names
std::string encode_last(std::string_view last);  // {"last"}: of guards

// decode<HostRecord>(record): kIo, naming the key, when a record cannot be read: it is damaged, or
// somebody else wrote it. Parts that the key says (ids, addresses) are taken from the key.
template <class Value>
Result<Value> decode(const state::Record& record);

template <>
Result<ClusterMeta> decode(const state::Record& record);
template <>
Result<HostRecord> decode(const state::Record& record);
template <>
Result<LiveRecord> decode(const state::Record& record);
template <>
Result<NetworkRecord> decode(const state::Record& record);
template <>
Result<VniRecord> decode(const state::Record& record);
template <>
Result<SharedPool> decode(const state::Record& record);
template <>
Result<BlockRecord> decode(const state::Record& record);
template <>
Result<StaticClaimRecord> decode(const state::Record& record);
template <>
Result<SharedEndpoint> decode(const state::Record& record);
template <>
Result<MemberRecord> decode(const state::Record& record);
template <>
Result<LocalBlock> decode(const state::Record& record);
template <>
Result<LocalAddress> decode(const state::Record& record);
template <>
Result<SeenRecord> decode(const state::Record& record);
Result<std::string> decode_id(const state::Record& record);

// Those that can be read: one that cannot must not keep the others from being seen. Who lists them
// for people names it (Membership::unreadable).
template <class Value>
std::vector<Value> decode_readable(const std::vector<state::Record>& records) {
  std::vector<Value> values;
  for (const state::Record& record : records)
    if (auto value = decode<Value>(record)) values.push_back(std::move(*value));
  return values;
}

// A record with its revision, as read.
template <class Value>
struct Stored {
  Value value;
  std::int64_t revision = state::kAbsent;
};

// The record at `key`; std::nullopt when there is none.
template <class Value>
Result<std::optional<Stored<Value>>> read(state::Store& store, std::string_view key) {
  TRY(const auto record, store.get(key));
  if (!record) return std::optional<Stored<Value>>();
  TRY(auto value, decode<Value>(*record));
  return std::optional(Stored<Value>{std::move(value), record->revision});
}

}  // namespace fairlead::network::cluster
