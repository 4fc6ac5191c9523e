// The requests and answers of etcd v3's JSON gateway as typed values. Pure functions, no network.
//
//   POST /v3/kv/txn
//   {"compare":[{"key":"L2E=","result":"EQUAL","target":"MOD"}],
//    "success":[{"request_put":{"key":"L2E=","value":"MQ=="}}],
//    "failure":[{"request_range":{"key":"L2E="}}]}
//   {"header":{"revision":"7"},"succeeded":true,"responses":[{"response_put":{...}}]}
//
// Bytes are standard padded base64, numbers of 64 bits are strings, zero values are left out on
// both sides: a compare of MOD without mod_revision means "does not exist", and an answer to a
// keepalive without a TTL means that the lease is gone.
//
// The gateway ignores fields that it does not know: with "compares" instead of "compare" a
// transaction is unconditional and succeeds. So requests are made from these structs only, and
// golden tests check every field name. (Free-form JSON at the call sites was rejected for this
// reason.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace fairlead::state::etcd {

inline constexpr std::string_view kRangePath = "/v3/kv/range";
inline constexpr std::string_view kTxnPath = "/v3/kv/txn";
inline constexpr std::string_view kWatchPath = "/v3/watch";
inline constexpr std::string_view kLeaseGrantPath = "/v3/lease/grant";
inline constexpr std::string_view kLeaseRevokePath = "/v3/lease/revoke";
inline constexpr std::string_view kLeaseKeepAlivePath = "/v3/lease/keepalive";
inline constexpr std::string_view kAuthenticatePath = "/v3/auth/authenticate";
inline constexpr std::string_view kStatusPath = "/v3/maintenance/status";

// ---- requests

struct RangeRequest {
  std::string key;
  std::string range_end;  // exclusive; empty: this key only
  std::int64_t limit = 0;
  std::int64_t revision = 0;  // 0: the present one
  bool keys_only = false;
};
struct PutRequest {
  std::string key;
  std::string value;
  std::int64_t lease = 0;
};
struct DeleteRequest {
  std::string key;
};
using Operation = std::variant<RangeRequest, PutRequest, DeleteRequest>;

// The condition "the key was last modified at this revision"; 0 means that the key does not exist.
struct Compare {
  std::string key;
  std::int64_t mod_revision = 0;
};
struct TxnRequest {
  std::vector<Compare> compare;
  std::vector<Operation> success;
  std::vector<Operation> failure;
};
struct WatchRequest {
  std::string key;
  std::string range_end;
  std::int64_t start_revision = 0;  // the first revision that is reported; 0: the next one
};
struct LeaseGrantRequest {
  std::int64_t ttl = 0;  // seconds
  std::int64_t id = 0;   // chosen by us, so that a grant may be sent twice
};
struct LeaseRevokeRequest {
  std::int64_t id = 0;
};
struct LeaseKeepAliveRequest {
  std::int64_t id = 0;
};
struct AuthenticateRequest {
  std::string name;
  std::string password;
};

std::string encode(const RangeRequest& request);
std::string encode(const TxnRequest& request);
std::string encode(const WatchRequest& request);  // with progress_notify and prev_kv
std::string encode(const LeaseGrantRequest& request);
std::string encode(const LeaseRevokeRequest& request);
std::string encode(const LeaseKeepAliveRequest& request);
std::string encode(const AuthenticateRequest& request);
std::string encode_status_request();

// ---- answers: the parsers return kInvalid and name the field when the text is not such an answer

struct KeyValue {
  std::string key;
  std::string value;
  std::int64_t mod_revision = 0;

  bool operator==(const KeyValue&) const = default;
};
struct RangeAnswer {
  std::int64_t revision = 0;  // of the whole store
  bool more = false;
  std::vector<KeyValue> found;
};
struct TxnAnswer {
  std::int64_t revision = 0;
  bool succeeded = false;
  // What each operation of the executed branch found; empty for puts and deletes.
  std::vector<std::vector<KeyValue>> found;
};
struct WatchEvent {
  enum class Type { kPut, kDelete };
  Type type = Type::kPut;
  KeyValue record;
  std::optional<std::string> before{};  // the value that was there until then

  bool operator==(const WatchEvent&) const = default;
};
struct WatchAnswer {
  std::string cluster_id;
  std::int64_t revision = 0;
  bool created = false;
  bool canceled = false;
  std::int64_t compact_revision = 0;  // not 0: etcd has compacted the watch's start
  std::string cancel_reason;
  std::vector<WatchEvent> events;  // empty, and neither created nor canceled: a progress heartbeat
};
struct LeaseAnswer {
  std::int64_t id = 0;
  std::int64_t ttl = 0;  // seconds; 0: the lease is gone
};
struct StatusAnswer {
  std::string version;
  std::string member_id;
  std::string leader_id;  // empty: there is none
  std::int64_t revision = 0;
};

Result<RangeAnswer> parse_range(std::string_view text);
Result<TxnAnswer> parse_txn(std::string_view text);
Result<std::string> parse_authenticate(std::string_view text);  // the token
Result<StatusAnswer> parse_status(std::string_view text);

// A refusal of etcd. `code` is gRPC's: 3 bad argument, 5 not found, 7 not allowed, 8 exhausted, 11
// compacted, 14 unavailable, 16 bad token; -1 unknown.
struct Refusal {
  int code = -1;
  std::string text;
};

// Finds the refusal in any text: {"error","message","code"} of a unary call,
// {"error":{"message","grpc_code"}} of a stream, {"code","message"} of newer gateways, or text that
// is not JSON.
Refusal parse_refusal(std::string_view text);

// A line of a stream is a result or a refusal.
template <class Answer>
using StreamLine = std::variant<Answer, Refusal>;
Result<StreamLine<WatchAnswer>> parse_watch_line(std::string_view line);
Result<StreamLine<LeaseAnswer>> parse_lease_keep_alive(std::string_view text);

}  // namespace fairlead::state::etcd
