// Deletes what hosts owned, in many small transactions that can be repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/state/store.h"

namespace fairlead::network::cluster {

// etcd allows 128 operations in a transaction.
inline constexpr std::size_t kMostChanges = 100;

// Whether the records that this host wrote in this epoch are to be deleted.
using OwnedBy = std::function<bool(const std::string& host_id, std::uint64_t epoch)>;

// These go through all records of a kind, page by page, and delete the unwanted ones. A page on
// which a record changes meanwhile is read again. They return how many records were deleted.
Result<std::size_t> sweep_endpoints(state::Store& shared, const OwnedBy& unwanted);
Result<std::size_t> sweep_addresses(state::Store& shared, const OwnedBy& unwanted);  // blocks too

// Deletes the records of which networks the host has (joined/).
Status sweep_joined(state::Store& shared, std::string_view host_id);

// Deletes everything below a prefix.
Status sweep_prefix(state::Store& store, std::string_view prefix);

// Deletes the journals of blocks, single addresses and published endpoints in the local store.
Status forget_local_claims(state::Store& local);

}  // namespace fairlead::network::cluster
