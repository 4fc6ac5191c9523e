#include "base/state/memory_store.h"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

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

class MemoryStore : public Store {
 public:
  explicit MemoryStore(std::int64_t remembered) : remembered_(remembered) {}

  Result<std::optional<Record>> get(std::string_view key) override {
    const std::scoped_lock hold(memory_->mutex);
    const auto found = memory_->records.find(key);
    if (found == memory_->records.end()) return std::optional<Record>();
    return std::optional<Record>(found->second);
  }

  Result<std::vector<Record>> list(std::string_view prefix, std::string_view start_after,
                                   std::size_t limit) override {
    const std::scoped_lock hold(memory_->mutex);
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
    for (const Precondition& wanted : txn.preconditions)
      if (const auto found = memory_->revision_of(wanted.key); found != wanted.revision)
        return fail(conflict(wanted, found));
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
    return memory_->revision;
  }

 private:
  void apply(const Txn& txn) {
    CommitEvents done{.revision = memory_->revision + 1, .events = {}};
    for (const Put& put : txn.puts) {
      Record record{put.key, put.value, done.revision};
      memory_->records[put.key] = record;
      done.events.push_back({Event::Kind::kPut, std::move(record)});
    }
    for (const std::string& key : txn.deletes)
      if (memory_->records.erase(key) != 0)
        done.events.push_back({Event::Kind::kDelete, {key, "", done.revision}});
    if (done.events.empty()) return;
    memory_->revision = done.revision;
    memory_->commits.push_back(std::move(done));
    if (std::ssize(memory_->commits) > remembered_) memory_->commits.pop_front();
    signal_->notify();
  }

  std::int64_t remembered_;
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  std::shared_ptr<CommitSignal> signal_ = std::make_shared<CommitSignal>();
};

}  // namespace

std::unique_ptr<Store> make_memory_store(std::int64_t remembered) {
  return std::make_unique<MemoryStore>(remembered);
}

}  // namespace fairlead::state
