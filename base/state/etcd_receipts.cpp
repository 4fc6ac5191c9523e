#include "base/state/etcd_receipts.h"

#include <random>

#include "base/state/txn.h"

namespace fairlead::state::etcd {

namespace {

// A commit lasts for seconds at most: a receipt that is taken in the first half of its lease is
// there until the end of the commit.
constexpr std::chrono::seconds kReceiptLease{600};
constexpr std::chrono::seconds kReceiptUse{300};
constexpr int kFailedPrecondition = 9;  // "lease already exists"
constexpr int kMostCollisions = 3;

std::uint64_t random_number() {
  thread_local std::random_device source;
  return std::uint64_t{source()} << 32 | source();
}

// Above 0 and below 2^63.
LeaseId random_lease() { return static_cast<LeaseId>(random_number() >> 1 | 1); }

}  // namespace

Result<LeaseId> grant_lease(Client& client, std::chrono::seconds time_to_live) {
  TRY_STATUS(validate_time_to_live(time_to_live));
  for (int tries = 0;; ++tries) {
    const LeaseId id = random_lease();
    Call call{kLeaseGrantPath, encode(LeaseGrantRequest{time_to_live.count(), id})};
    TRY(const Reply reply, client.call(call));
    if (!reply.refused) return id;
    const bool exists = reply.refusal.code == kFailedPrecondition;
    if (exists && call.unsure) return id;  // by an attempt whose answer was lost
    if (!exists || tries == kMostCollisions)
      return fail(refusal_error("grant a lease", reply.refusal));
  }
}

Result<Receipt> Receipts::take() {
  const std::scoped_lock hold(mutex_);
  if (lease_ == 0 || std::chrono::steady_clock::now() >= use_until_) {
    const auto asked = std::chrono::steady_clock::now();
    TRY(lease_, grant_lease(*client_, kReceiptLease));
    use_until_ = asked + kReceiptUse;
    free_.clear();
  }
  if (free_.empty()) return Receipt{fmt::format("{}{:016x}", prefix_, random_number()), 0, lease_};
  Receipt receipt = std::move(free_.back());
  free_.pop_back();
  return receipt;
}

void Receipts::give_back(Receipt receipt) {
  const std::scoped_lock hold(mutex_);
  if (receipt.lease == lease_) free_.push_back(std::move(receipt));
}

void Receipts::forget(LeaseId lease) {
  const std::scoped_lock hold(mutex_);
  if (lease != lease_) return;
  lease_ = 0;
  free_.clear();
}

}  // namespace fairlead::state::etcd
