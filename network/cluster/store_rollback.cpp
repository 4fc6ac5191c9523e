#include "network/cluster/store_rollback.h"

#include <algorithm>

#include "base/log.h"
#include "network/cluster/keys.h"

namespace fairlead::network::cluster {

StoreRollbackDetector::StoreRollbackDetector(state::Store& shared, state::Store& local, Clock clock)
    : shared_(shared), local_(local), clock_(std::move(clock)) {}

Status StoreRollbackDetector::load() {
  const std::scoped_lock hold(guard_);
  if (seen_) return {};
  TRY(const auto record, read<SeenRecord>(local_, keys::kSeen));
  seen_ = record ? record->value : SeenRecord{};
  return {};
}

Status StoreRollbackDetector::save() {
  return status_of(local_.commit({.puts = {{std::string(keys::kSeen), encode(*seen_)}}}));
}

// The known revision is read before the store is asked, because another thread may see a higher one
// meanwhile.
Status StoreRollbackDetector::compare() {
  TRY_STATUS(load());
  std::int64_t before = 0;
  {
    const std::scoped_lock hold(guard_);
    before = seen_->revision;
  }
  TRY(const auto revision, shared_.revision());
  if (revision < before) {
    quarantine(fmt::format("its revision went back from {} to {}", before, revision));
    const std::scoped_lock hold(guard_);
    seen_->revision = revision;
    return save();
  }
  const std::scoped_lock hold(guard_);
  seen_->revision = std::max(seen_->revision, revision);
  return {};
}

Status StoreRollbackDetector::look() {
  TRY_STATUS(compare());
  const std::scoped_lock hold(guard_);
  return save();
}

void StoreRollbackDetector::quarantine(std::string_view reason) {
  if (const auto loaded = load(); !loaded) return;  // the next look() detects it again
  const std::scoped_lock hold(guard_);
  is_restored_ = false;
  ++quarantines_;
  seen_->quarantined_since = clock_.unix_time();
  log::error("cluster.store.went_back", {{"reason", reason}});
  if (const auto saved = save(); !saved)
    log::error("cluster.store.went_back", {{"error", saved.error().text}});
}

bool StoreRollbackDetector::is_quarantined() {
  if (const auto loaded = load(); !loaded) return false;
  const std::scoped_lock hold(guard_);
  return seen_->quarantined_since != 0;
}

std::uint64_t StoreRollbackDetector::quarantines() {
  const std::scoped_lock hold(guard_);
  return quarantines_;
}

Status StoreRollbackDetector::may_claim() {
  TRY_STATUS(compare());
  const std::scoped_lock hold(guard_);
  if (seen_->quarantined_since == 0) return {};
  return fail(Code::kUnavailable,
              "the shared store was put back to an earlier state, and may lack what other hosts "
              "own: no addresses are claimed until {} s after that; try again",
              kSettleSeconds);
}

void StoreRollbackDetector::restored(std::vector<std::string> conflicts) {
  const std::scoped_lock hold(guard_);
  for (const std::string& conflict : conflicts)
    if (std::ranges::find(conflicts_, conflict) == conflicts_.end())
      log::error("cluster.store.conflict", {{"what", conflict}});
  conflicts_ = std::move(conflicts);
  is_restored_ = true;
}

Status StoreRollbackDetector::settle() {
  TRY_STATUS(load());
  const std::scoped_lock hold(guard_);
  const bool due = seen_->quarantined_since != 0 && is_restored_ &&
                   clock_.unix_time() >= seen_->quarantined_since + kSettleSeconds;
  if (!due) return {};
  seen_->quarantined_since = 0;
  log::info("cluster.store.settled", {{"conflicts", conflicts_.size()}});
  return save();
}

bool StoreRollbackDetector::has_conflicts() {
  const std::scoped_lock hold(guard_);
  return !conflicts_.empty();
}

std::vector<std::string> StoreRollbackDetector::problems() {
  const bool quarantined = is_quarantined();
  const std::scoped_lock hold(guard_);
  auto found = conflicts_;
  if (quarantined)
    found.insert(found.begin(),
                 fmt::format("the shared store was put back to an earlier state (from a backup?): "
                             "this host {} its records there anew, and claims no new addresses "
                             "before every host had {} s to do the same",
                             is_restored_ ? "wrote" : "writes", kSettleSeconds));
  return found;
}

}  // namespace fairlead::network::cluster
