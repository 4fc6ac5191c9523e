// Deleting what hosts owned, in many small transactions that can be repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/state/store.h"

namespace fairlead::network::cluster {

// etcd takes 128 operations in a transaction.
inline constexpr std::size_t kMostChanges = 100;

// Is what this host wrote in this epoch to be deleted?
using OwnedBy = std::function<bool(const std::string& host_id, std::uint64_t epoch)>;

// Each goes through all records of its kind, page by page, and deletes those that are unchanged
// since they were read. Returns how many.
Result<std::size_t> sweep_endpoints(state::Store& shared, const OwnedBy& unwanted);
Result<std::size_t> sweep_addresses(state::Store& shared, const OwnedBy& unwanted);  // blk/, ip/

// The networks that the host has.
Status sweep_joined(state::Store& shared, std::string_view host_id);

// Everything below a prefix.
Status sweep_prefix(state::Store& store, std::string_view prefix);

// What the local store remembers of blocks and addresses.
Status forget_local_claims(state::Store& local);

}  // namespace fairlead::network::cluster
