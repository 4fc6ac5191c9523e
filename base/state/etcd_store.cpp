#include "base/state/etcd_store.h"

#include <algorithm>
#include <chrono>

#include "base/state/etcd_client.h"
#include "base/state/etcd_receipts.h"
#include "base/state/etcd_watch.h"
#include "base/state/txn.h"

namespace fairlead::state {

namespace {

using etcd::Call;
using etcd::Client;
using etcd::Receipt;
using etcd::Reply;

constexpr int kNotFound = 5, kOutOfRange = 11;  // gRPC's codes
// Records in an answer to a list. etcd counts all that are left for each answer, so that a long
// list wants large ones; they grow as long as the answers come soon.
constexpr std::size_t kPage = 1000, kLargestPage = 16'000;
constexpr auto kSoon = std::chrono::milliseconds(200);
constexpr int kMostListings = 3;      // when compactions take the snapshot away
constexpr char kBehindKeys = '\x7f';  // after every byte of a key
constexpr std::string_view kAppliedMark = "applied", kFencedMark = "fenced";

bool is_compacted(const Reply& reply) {
  return reply.refused && reply.refusal.code == kOutOfRange &&
         reply.refusal.text.find("compacted") != std::string::npos;
}

Error garbled(std::string_view action, const Error& error) {
  return {Code::kIo, 0, fmt::format("{}: etcd's answer is not understood: {}", action, error.text)};
}

Status check_limits(const Txn& txn) {
  TRY_STATUS(validate(txn));
  const std::size_t changes = txn.puts.size() + txn.deletes.size();
  if (changes > kMostEtcdChanges || txn.preconditions.size() > kMostEtcdChanges)
    return fail(Code::kInvalid,
                "a transaction of etcd holds at most {} changes and as many preconditions, not {} "
                "and {}; divide it",
                kMostEtcdChanges, changes, txn.preconditions.size());
  std::size_t bytes = 0;
  for (const Put& put : txn.puts) bytes += put.key.size() + put.value.size();
  if (bytes > kMostEtcdBytes)
    return fail(Code::kInvalid, "a transaction of etcd holds at most {} bytes, not {}; divide it",
                kMostEtcdBytes, bytes);
  return {};
}

// What a transaction came to, when etcd answered.
struct Outcome {
  enum class Kind { kApplied, kConflict, kRefused, kReceiptGone };
  Kind kind = Kind::kApplied;
  std::int64_t revision = 0;  // kApplied
  Error error;                // kConflict, kRefused
};

class GatewayStore : public EtcdStore {
 public:
  explicit GatewayStore(std::shared_ptr<Client> client)
      : client_(std::move(client)),
        root_(client_->config().prefix),
        receipts_(client_, root_ + kBehindKeys + "receipt/") {}

  Result<std::optional<Record>> get(std::string_view key) override;
  Result<std::vector<Record>> list(std::string_view prefix, std::string_view start_after,
                                   std::size_t limit) override;
  Result<CommitResult> commit(const Txn& txn) override;
  Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) override;
  Result<std::int64_t> revision() override;

  Result<LeaseId> grant(std::chrono::seconds time_to_live) override {
    return etcd::grant_lease(*client_, time_to_live);
  }
  Result<bool> heartbeat(LeaseId lease) override;
  Status revoke(LeaseId lease) override;
  std::vector<MemberStatus> members() override;

 private:
  struct Range {
    std::string first;
    std::string end;
  };
  std::string with_root(std::string_view key) const { return root_ + std::string(key); }
  Range range_of(std::string_view prefix) const;
  Record record_of(etcd::KeyValue found) const;

  // Nothing: the snapshot was compacted away.
  Result<std::optional<std::vector<Record>>> list_once(Range range, std::size_t limit);
  Result<CommitResult> check_only(const Txn& txn);
  etcd::TxnRequest request_of(const Txn& txn) const;
  Result<Outcome> send(const Txn& txn, const Receipt& receipt, bool& unsure);
  Outcome outcome_of(const Txn& txn, const Receipt& receipt, const etcd::TxnAnswer& answer) const;
  Error conflict_of(const Txn& txn, const etcd::TxnAnswer& answer) const;
  // Makes sure that what was sent with this receipt is not applied any more, or finds that it was.
  Result<Outcome> fence(const Receipt& receipt, Outcome outcome);
  Result<etcd::TxnAnswer> run_txn(const etcd::TxnRequest& request);

  std::shared_ptr<Client> client_;
  std::string root_;
  etcd::Receipts receipts_;
};

GatewayStore::Range GatewayStore::range_of(std::string_view prefix) const {
  if (prefix.empty()) return {root_, root_ + kBehindKeys};
  return {with_root(prefix), prefix_end(with_root(prefix))};
}

Record GatewayStore::record_of(etcd::KeyValue found) const {
  return {found.key.substr(std::min(root_.size(), found.key.size())), std::move(found.value),
          found.mod_revision};
}

Result<std::optional<Record>> GatewayStore::get(std::string_view key) {
  const std::string action = fmt::format("read {}", key);
  Call call{etcd::kRangePath, encode(etcd::RangeRequest{.key = with_root(key)})};
  TRY(const Reply reply, client_->call(call));
  if (reply.refused) return fail(etcd::refusal_error(action, reply.refusal));
  auto answer = etcd::parse_range(reply.body);
  if (!answer) return fail(garbled(action, answer.error()));
  if (answer->found.empty()) return std::optional<Record>();
  return std::optional<Record>(record_of(std::move(answer->found.front())));
}

Result<std::vector<Record>> GatewayStore::list(std::string_view prefix,
                                               std::string_view start_after, std::size_t limit) {
  Range range = range_of(prefix);
  if (start_after >= prefix) range.first = with_root(start_after) + '\0';
  if (range.first >= range.end) return std::vector<Record>();
  for (int tries = 0; tries < kMostListings; ++tries) {
    TRY(auto records, list_once(range, limit));
    if (records) return std::move(*records);
  }
  return fail(Code::kUnavailable, "list {}: etcd is compacted faster than it can be read", prefix);
}

Result<std::optional<std::vector<Record>>> GatewayStore::list_once(Range range, std::size_t limit) {
  std::vector<Record> records;
  std::size_t page = kPage, largest = kLargestPage;
  for (std::int64_t revision = 0;;) {
    const std::size_t most = limit == 0 ? page : std::min(page, limit - records.size());
    Call call{etcd::kRangePath, encode(etcd::RangeRequest{.key = range.first,
                                                          .range_end = range.end,
                                                          .limit = static_cast<std::int64_t>(most),
                                                          .revision = revision})};
    const auto asked = std::chrono::steady_clock::now();
    TRY(const Reply reply, client_->call(call));
    if (is_compacted(reply)) return std::optional<std::vector<Record>>();
    if (reply.is_too_long && page > 1) {
      page = largest = std::max<std::size_t>(page / 8, 1);
      continue;
    }
    if (reply.refused) return fail(etcd::refusal_error("list " + range.first, reply.refusal));
    const bool came_soon = std::chrono::steady_clock::now() - asked < kSoon;
    auto answer = etcd::parse_range(reply.body);
    if (!answer) return fail(garbled("list " + range.first, answer.error()));
    // An answer has the present revision, whatever was asked for.
    if (revision == 0) revision = answer->revision;
    for (etcd::KeyValue& found : answer->found) records.push_back(record_of(std::move(found)));
    if (!answer->more || answer->found.empty() || records.size() == limit) return records;
    range.first = with_root(records.back().key) + '\0';
    page = std::min(came_soon ? page * 2 : std::max(page / 2, kPage), largest);
  }
}

Result<std::int64_t> GatewayStore::revision() {
  Call call{etcd::kRangePath, encode(etcd::RangeRequest{.key = root_, .keys_only = true})};
  TRY(const Reply reply, client_->call(call));
  if (reply.refused) return fail(etcd::refusal_error("read the revision", reply.refusal));
  auto answer = etcd::parse_range(reply.body);
  if (!answer) return fail(garbled("read the revision", answer.error()));
  return answer->revision;
}

// ---- commit

etcd::TxnRequest GatewayStore::request_of(const Txn& txn) const {
  etcd::TxnRequest request;
  for (const Precondition& wanted : txn.preconditions) {
    request.compare.push_back({with_root(wanted.key), wanted.revision});
    request.failure.push_back(etcd::RangeRequest{.key = with_root(wanted.key), .keys_only = true});
  }
  for (const Put& put : txn.puts)
    request.success.push_back(etcd::PutRequest{with_root(put.key), put.value, put.lease});
  for (const std::string& key : txn.deletes)
    request.success.push_back(etcd::DeleteRequest{with_root(key)});
  return request;
}

Result<etcd::TxnAnswer> GatewayStore::run_txn(const etcd::TxnRequest& request) {
  Call call{etcd::kTxnPath, encode(request)};
  TRY(const Reply reply, client_->call(call));
  if (reply.refused) return fail(etcd::refusal_error("commit", reply.refusal));
  auto answer = etcd::parse_txn(reply.body);
  if (!answer) return fail(garbled("commit", answer.error()));
  return answer;
}

Error GatewayStore::conflict_of(const Txn& txn, const etcd::TxnAnswer& answer) const {
  for (std::size_t i = 0; i < txn.preconditions.size() && i < answer.found.size(); ++i) {
    const auto& found = answer.found[i];
    const std::int64_t revision = found.empty() ? kAbsent : found.front().mod_revision;
    if (revision != txn.preconditions[i].revision) return conflict(txn.preconditions[i], revision);
  }
  return {Code::kConflict, 0, "the transaction's keys were changed meanwhile"};
}

// Without changes there is nothing that could happen twice.
Result<CommitResult> GatewayStore::check_only(const Txn& txn) {
  etcd::TxnRequest request = request_of(txn);
  // Any read keeps etcd from answering out of a member's own, perhaps older, view.
  request.success.push_back(etcd::RangeRequest{.key = root_, .keys_only = true});
  TRY(const auto answer, run_txn(request));
  if (!answer.succeeded) return fail(conflict_of(txn, answer));
  return CommitResult{answer.revision};
}

Outcome GatewayStore::outcome_of(const Txn& txn, const Receipt& receipt,
                                 const etcd::TxnAnswer& answer) const {
  if (answer.succeeded) return {Outcome::Kind::kApplied, answer.revision, {}};
  const bool has_receipt = !answer.found.empty() && !answer.found.back().empty();
  const std::int64_t found = has_receipt ? answer.found.back().front().mod_revision : kAbsent;
  if (found == receipt.revision) return {Outcome::Kind::kConflict, 0, conflict_of(txn, answer)};
  // Revisions only grow, except in an etcd that was restored from a backup: then the receipt is of
  // an earlier use.
  if (found < receipt.revision) return {Outcome::Kind::kReceiptGone, 0, {}};
  return {Outcome::Kind::kApplied, found, {}};
}

Result<Outcome> GatewayStore::send(const Txn& txn, const Receipt& receipt, bool& unsure) {
  etcd::TxnRequest request = request_of(txn);
  request.compare.push_back({receipt.key, receipt.revision});
  request.success.push_back(
      etcd::PutRequest{receipt.key, std::string(kAppliedMark), receipt.lease});
  request.failure.push_back(etcd::RangeRequest{.key = receipt.key});
  Call call{etcd::kTxnPath, encode(request)};
  const auto reply = client_->call(call);
  unsure = call.unsure;
  if (!reply) {
    Error error = reply.error();
    error.text +=
        unsure ? "; it is not known whether the change was made" : "; nothing was changed";
    return fail(std::move(error));
  }
  if (reply->refused && reply->refusal.code == kNotFound) {
    receipts_.forget(receipt.lease);
    return Outcome{Outcome::Kind::kReceiptGone, 0, {}};
  }
  if (reply->refused)
    return Outcome{Outcome::Kind::kRefused, 0, etcd::refusal_error("commit", reply->refusal)};
  const auto answer = etcd::parse_txn(reply->body);
  if (!answer) return fail(garbled("commit", answer.error()));
  return outcome_of(txn, receipt, *answer);
}

Result<Outcome> GatewayStore::fence(const Receipt& receipt, Outcome outcome) {
  etcd::TxnRequest request;
  request.compare.push_back({receipt.key, receipt.revision});
  request.success.push_back(etcd::PutRequest{receipt.key, std::string(kFencedMark), receipt.lease});
  request.failure.push_back(etcd::RangeRequest{.key = receipt.key});
  const auto answer = run_txn(request);
  if (!answer)
    return fail(Code::kUnavailable, "{}; it is not known whether the change was made",
                answer.error().text);
  if (answer->succeeded) return outcome;
  const bool is_lost = answer->found.empty() || answer->found.back().empty() ||
                       answer->found.back().front().mod_revision < receipt.revision;
  if (is_lost)
    return fail(Code::kUnavailable,
                "commit: the receipt was lost; it is not known whether the change was made");
  const etcd::KeyValue& found = answer->found.back().front();
  if (found.value == kFencedMark) return outcome;  // by an attempt whose answer was lost
  return Outcome{Outcome::Kind::kApplied, found.mod_revision, {}};
}

Result<CommitResult> GatewayStore::commit(const Txn& txn) {
  TRY_STATUS(check_limits(txn));
  if (txn.puts.empty() && txn.deletes.empty()) return check_only(txn);
  for (int tries = 0;; ++tries) {
    TRY(Receipt receipt, receipts_.take());
    bool unsure = false;
    TRY(Outcome outcome, send(txn, receipt, unsure));
    const bool is_settled = outcome.kind == Outcome::Kind::kApplied || !unsure;
    if (!is_settled) {
      TRY(outcome, fence(receipt, std::move(outcome)));
    }
    if (outcome.kind == Outcome::Kind::kApplied) {
      receipt.revision = outcome.revision;
      receipts_.give_back(std::move(receipt));
      return CommitResult{outcome.revision};
    }
    if (outcome.kind != Outcome::Kind::kReceiptGone) {
      if (is_settled) receipts_.give_back(std::move(receipt));
      return fail(std::move(outcome.error));
    }
    // A lease is gone: that of the receipts, or one of the caller's.
    if (tries == 0) continue;
    const auto leased =
        std::ranges::find_if(txn.puts, [](const Put& put) { return put.lease != 0; });
    if (leased != txn.puts.end()) return fail(lease_is_gone(leased->lease));
    return fail(Code::kUnavailable, "commit: etcd loses the leases it has just granted");
  }
}

// ---- watch

Result<std::unique_ptr<Watch>> GatewayStore::watch(
    std::string_view prefix, std::int64_t after,
    std::function<void(const std::vector<Event>&)> on_events) {
  // A watch is told of a compaction only when it runs; a read at its revision is told at once.
  const std::int64_t first = std::max<std::int64_t>(1, after);
  Call call{etcd::kRangePath,
            encode(etcd::RangeRequest{.key = root_, .revision = first, .keys_only = true})};
  TRY(const Reply reply, client_->call(call));
  if (is_compacted(reply))
    return fail(Code::kConflict, "the changes after revision {} are forgotten; list again", after);
  const bool is_future = reply.refused && reply.refusal.code == kOutOfRange;
  if (reply.refused && !is_future)
    return fail(etcd::refusal_error(fmt::format("watch {}", prefix), reply.refusal));
  Range range = range_of(prefix);
  return std::make_unique<etcd::EtcdWatch>(
      client_, etcd::EtcdWatch::Options{root_, std::move(range.first), std::move(range.end), after},
      std::move(on_events));
}

// ---- leases

Result<bool> GatewayStore::heartbeat(LeaseId lease) {
  const std::string action = fmt::format("beat for lease {:x}", lease);
  Call call{etcd::kLeaseKeepAlivePath, encode(etcd::LeaseKeepAliveRequest{lease})};
  TRY(const Reply reply, client_->call(call));
  if (reply.refused && reply.refusal.code == kNotFound) return false;
  if (reply.refused) return fail(etcd::refusal_error(action, reply.refusal));
  const auto answer = etcd::parse_lease_keep_alive(reply.body);
  if (!answer) return fail(garbled(action, answer.error()));
  if (const auto* refusal = std::get_if<etcd::Refusal>(&*answer))
    return fail(etcd::refusal_error(action, *refusal));
  return std::get<etcd::LeaseAnswer>(*answer).ttl > 0;
}

Status GatewayStore::revoke(LeaseId lease) {
  Call call{etcd::kLeaseRevokePath, encode(etcd::LeaseRevokeRequest{lease})};
  TRY(const Reply reply, client_->call(call));
  if (!reply.refused || reply.refusal.code == kNotFound) return {};
  return fail(etcd::refusal_error(fmt::format("revoke lease {:x}", lease), reply.refusal));
}

// ---- members

MemberStatus member_status(Client& client, std::size_t member) {
  MemberStatus status{.endpoint = client.endpoint(member)};
  const auto reply =
      client.call_member(member, Call{etcd::kStatusPath, etcd::encode_status_request()});
  if (!reply || reply->refused) {
    status.error = reply ? reply->refusal.text : reply.error().text;
    return status;
  }
  const auto answer = etcd::parse_status(reply->body);
  if (!answer) {
    status.error = answer.error().text;
    return status;
  }
  status.version = answer->version;
  status.has_leader = !answer->leader_id.empty();
  status.is_leader = status.has_leader && answer->leader_id == answer->member_id;
  status.revision = answer->revision;
  return status;
}

std::vector<MemberStatus> GatewayStore::members() {
  std::vector<MemberStatus> all;
  for (std::size_t i = 0; i < client_->members(); ++i) all.push_back(member_status(*client_, i));
  return all;
}

}  // namespace

Result<std::unique_ptr<EtcdStore>> open_etcd_store(const EtcdConfig& config) {
  TRY(auto client, Client::make(config));
  return std::make_unique<GatewayStore>(std::move(client));
}

}  // namespace fairlead::state
