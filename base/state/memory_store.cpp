#include "base/state/memory_store.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>

#include "base/host.h"
#include "base/state/change_feed.h"

namespace fairlead::state {

namespace {

// Shared with the watches, which may outlive the store.
struct Memory {
  std::mutex mutex;
  std::map<std::string, Record, std::less<>> records;
  std::deque<CommitEvents> commits;
  std::int64_t revision = 0;

  std::int64_t revision_of(std::string_view key) const {
    const auto found = records.find(key);
    return found == records.end() ? kAbsent : found->second.revision;
  }

  std::vector<CommitEvents> commits_after(std::int64_t after) {
    const std::scoped_lock hold(mutex);
    const auto first = std::ranges::find_if(
        commits, [&](const CommitEvents& commit) { return commit.revision > after; });
    return {first, commits.end()};
  }
};

struct Lease {
  std::chrono::seconds time_to_live;
  std::chrono::steady_clock::time_point end;
};

class LeasedMemoryStore : public MemoryStore {
 public:
  LeasedMemoryStore(std::int64_t remembered, LeaseClock clock)
      : remembered_(remembered), clock_(std::move(clock)) {}

  Result<std::optional<Record>> get(std::string_view key) override {
    const std::scoped_lock hold(memory_->mutex);
    end_leases();
    const auto found = memory_->records.find(key);
    if (found == memory_->records.end()) return std::optional<Record>();
    return std::optional<Record>(found->second);
  }

  Result<std::vector<Record>> list(std::string_view prefix, std::string_view start_after,
                                   std::size_t limit) override {
    const std::scoped_lock hold(memory_->mutex);
    end_leases();
    const auto& records = memory_->records;
    std::vector<Record> found;
    auto it =
        start_after >= prefix ? records.upper_bound(start_after) : records.lower_bound(prefix);
    for (; it != records.end() && it->first.starts_with(prefix); ++it) {
      found.push_back(it->second);
      if (found.size() == limit) break;
    }
    return found;
  }

  Result<CommitResult> commit(const Txn& txn) override {
    TRY_STATUS(validate(txn));
    const std::scoped_lock hold(memory_->mutex);
    end_leases();
    for (const Precondition& wanted : txn.preconditions)
      if (const auto found = memory_->revision_of(wanted.key); found != wanted.revision)
        return fail(conflict(wanted, found));
    for (const Put& put : txn.puts)
      if (put.lease != 0 && !leases_.contains(put.lease)) return fail(lease_is_gone(put.lease));
    apply(txn);
    return CommitResult{memory_->revision};
  }

  Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) override {
    const std::scoped_lock hold(memory_->mutex);
    const auto& commits = memory_->commits;
    const std::int64_t forgotten =
        commits.empty() ? memory_->revision : commits.front().revision - 1;
    if (after < forgotten)
      return fail(
          Code::kConflict,
          "the changes after revision {} are forgotten (known are those after {}); list again",
          after, forgotten);
    constexpr auto kNoOtherProcesses = std::chrono::hours(1);
    return std::make_unique<FeedWatch>(
        FeedWatch::Options{std::string(prefix), after, kNoOtherProcesses}, signal_,
        [memory = memory_](std::int64_t seen) -> Result<std::vector<CommitEvents>> {
          return memory->commits_after(seen);
        },
        std::move(on_events));
  }

  Result<std::int64_t> revision() override {
    const std::scoped_lock hold(memory_->mutex);
    end_leases();
    return memory_->revision;
  }

  Result<std::int64_t> revision_before(long long time) override {
    const std::scoped_lock hold(memory_->mutex);
    const auto& commits = memory_->commits;
    const auto time_of = [](const CommitEvents& commit) { return commit.events.front().time; };
    const bool is_whole = std::ssize(commits) == memory_->revision;
    if (!is_whole && time_of(commits.front()) >= time)
      return fail(forgotten_before(time_of(commits.front())));
    const auto first = std::ranges::find_if(
        commits, [&](const CommitEvents& commit) { return time_of(commit) >= time; });
    return first == commits.end() ? memory_->revision : first->revision - 1;
  }

  Result<LeaseId> grant(std::chrono::seconds time_to_live) override {
    TRY_STATUS(validate_time_to_live(time_to_live));
    const std::scoped_lock hold(memory_->mutex);
    leases_[++last_lease_] = {time_to_live, clock_() + time_to_live};
    return last_lease_;
  }

  Result<bool> heartbeat(LeaseId lease) override {
    const std::scoped_lock hold(memory_->mutex);
    end_leases();
    const auto found = leases_.find(lease);
    if (found == leases_.end()) return false;
    found->second.end = clock_() + found->second.time_to_live;
    return true;
  }

  Status revoke(LeaseId lease) override {
    expire(lease);
    return {};
  }

  void expire(LeaseId lease) override {
    const std::scoped_lock hold(memory_->mutex);
    end_lease(lease);
  }

 private:
  // What follows needs the lock.
  void end_leases() {
    const auto now = clock_();
    std::vector<LeaseId> due;
    for (const auto& [id, lease] : leases_)
      if (lease.end <= now) due.push_back(id);
    for (const LeaseId id : due) end_lease(id);
  }

  void end_lease(LeaseId lease) {
    leases_.erase(lease);
    Txn away;
    for (const auto& [key, owner] : owners_)
      if (owner == lease) away.deletes.push_back(key);
    apply(away);
  }

  std::optional<std::string> value_of(const std::string& key) const {
    const auto found = memory_->records.find(key);
    return found == memory_->records.end() ? std::nullopt : std::optional(found->second.value);
  }

  void apply(const Txn& txn) {
    const long long now = unix_milliseconds();
    CommitEvents done{.revision = memory_->revision + 1, .events = {}};
    for (const Put& put : txn.puts) {
      Record record{put.key, put.value, done.revision};
      auto before = value_of(put.key);
      memory_->records[put.key] = record;
      owners_.erase(put.key);
      if (put.lease != 0) owners_[put.key] = put.lease;
      done.events.push_back({Event::Kind::kPut, std::move(record), std::move(before), now});
    }
    for (const std::string& key : txn.deletes) {
      owners_.erase(key);
      auto before = value_of(key);
      if (memory_->records.erase(key) != 0)
        done.events.push_back(
            {Event::Kind::kDelete, {key, "", done.revision}, std::move(before), now});
    }
    if (done.events.empty()) return;
    memory_->revision = done.revision;
    memory_->commits.push_back(std::move(done));
    if (std::ssize(memory_->commits) > remembered_) memory_->commits.pop_front();
    signal_->notify();
  }

  std::int64_t remembered_;
  LeaseClock clock_;
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  std::shared_ptr<CommitSignal> signal_ = std::make_shared<CommitSignal>();
  std::map<LeaseId, Lease> leases_;
  std::map<std::string, LeaseId> owners_;  // the lease of each record that has one
  LeaseId last_lease_ = 0;
};

}  // namespace

std::unique_ptr<MemoryStore> make_memory_store(std::int64_t remembered, LeaseClock clock) {
  return std::make_unique<LeasedMemoryStore>(remembered, std::move(clock));
}

}  // namespace fairlead::state
