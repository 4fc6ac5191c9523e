// The rules for keys and transactions, which are the same in every store.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/state/leases.h"
#include "base/state/store.h"

namespace fairlead::state {

inline constexpr std::size_t kMostKeyBytes = 512;
inline constexpr std::size_t kMostValueBytes = 1U << 20;
inline constexpr std::size_t kMostChanges = 100'000;  // puts and deletes of one transaction

// How many commits a store remembers for watches, unless told otherwise.
inline constexpr std::int64_t kRememberedCommits = 4'096;

// 1 to 512 bytes of printable ASCII.
bool is_key(std::string_view text);

// kInvalid, naming what is wrong, for a bad key, a value that is too long, too many changes, or a
// key that is changed twice.
Status validate(const Txn& txn);

// kInvalid for a time that no lease may have.
Status validate_time_to_live(std::chrono::seconds time_to_live);

// The error of a put whose lease is gone.
Error lease_is_gone(LeaseId lease);

// The error of a precondition that does not hold: `found` is the key's revision, or kAbsent.
Error conflict(const Precondition& wanted, std::int64_t found);

// The error of a time that a store does not remember; `oldest`, in milliseconds, is the first one
// that it does.
Error forgotten_before(long long oldest);

// The smallest text that is greater than every text that begins with `prefix`; empty when there is
// none (then a list goes to the end).
std::string prefix_end(std::string_view prefix);

}  // namespace fairlead::state
