#include "network/cluster/sweep.h"

#include <algorithm>

#include "base/fault.h"
#include "network/cluster/keys.h"
#include "network/cluster/records.h"

namespace fairlead::network::cluster {

namespace {

constexpr std::size_t kPage = 1000;

using Unwanted = std::function<Result<bool>(const state::Record&)>;

// kConflict when a record has changed meanwhile; the caller reads the page again.
Result<std::size_t> drop(state::Store& store, const std::vector<state::Record>& records,
                         const Unwanted& unwanted) {
  std::size_t dropped = 0;
  for (std::size_t first = 0; first < records.size(); first += kMostChanges) {
    state::Txn txn{.durability = state::Durability::kDurable};
    for (std::size_t i = first; i < std::min(first + kMostChanges, records.size()); ++i) {
      TRY(const bool goes, unwanted(records[i]));
      if (!goes) continue;
      txn.preconditions.push_back({records[i].key, records[i].revision});
      txn.deletes.push_back(records[i].key);
    }
    if (txn.deletes.empty()) continue;
    TRY_STATUS(store.commit(txn));
    dropped += txn.deletes.size();
    fault_point("cluster.sweep.dropped");
  }
  return dropped;
}

Result<std::size_t> sweep(state::Store& store, std::string_view prefix, const Unwanted& unwanted) {
  std::size_t dropped = 0;
  for (std::string after;;) {
    TRY(const auto page, store.list(prefix, after, kPage));
    const auto done = drop(store, page, unwanted);
    if (!done && done.error().code == Code::kConflict) continue;  // read the same page again
    if (!done) return fail(done.error());
    dropped += *done;
    if (page.size() < kPage) return dropped;
    after = page.back().key;
  }
}

template <class Value>
Unwanted owned(keys::Kind kind, const OwnedBy& unwanted) {
  return [kind, &unwanted](const state::Record& record) -> Result<bool> {
    if (keys::kind_of(record.key) != kind) return false;
    const auto value = decode<Value>(record);
    return value && unwanted(value->host_id, value->epoch);  // a record that cannot be read stays
  };
}

}  // namespace

Result<std::size_t> sweep_endpoints(state::Store& shared, const OwnedBy& unwanted) {
  return sweep(shared, keys::kMembers, owned<SharedEndpoint>(keys::Kind::kEndpoint, unwanted));
}

Result<std::size_t> sweep_addresses(state::Store& shared, const OwnedBy& unwanted) {
  TRY(const auto blocks,
      sweep(shared, keys::kMembers, owned<BlockRecord>(keys::Kind::kBlock, unwanted)));
  TRY(const auto static_claims,
      sweep(shared, keys::kMembers, owned<StaticClaimRecord>(keys::Kind::kAddress, unwanted)));
  return blocks + static_claims;
}

Status sweep_joined(state::Store& shared, std::string_view host_id) {
  const auto is_its = [&](const state::Record& record) -> Result<bool> {
    return keys::last_part(record.key) == host_id;
  };
  return status_of(sweep(shared, keys::kJoined, is_its));
}

Status sweep_prefix(state::Store& store, std::string_view prefix) {
  const auto all = [](const state::Record&) -> Result<bool> { return true; };
  return status_of(sweep(store, prefix, all));
}

Status forget_local_claims(state::Store& local) {
  TRY_STATUS(sweep_prefix(local, keys::kLocalBlocks));
  TRY_STATUS(sweep_prefix(local, keys::kLocalEndpoints));
  return sweep_prefix(local, keys::kLocalAddresses);
}

}  // namespace fairlead::network::cluster
