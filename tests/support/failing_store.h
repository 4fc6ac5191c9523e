// A store that a test can make fail, and that counts how often it is read.
#pragma once

#include <atomic>
#include <memory>

#include "base/state/memory_store.h"

namespace fairlead::testing {

// Passes everything on to a store in memory, but fails the n-th commit from now (and `times` - 1
// commits after it), before or after it was applied.
class FailingStore : public state::Store {
 public:
  enum class When { kBefore, kAfter };
  void fail_commit(int nth, When when, int times = 1) { nth_ = nth, when_ = when, times_ = times; }
  // Whether some of the ordered failures have not happened yet.
  bool is_waiting() const { return times_ > 0; }
  void heal() { times_ = 0; }
  // How many calls of get() and list() there were.
  std::size_t reads() const { return reads_; }

  Result<std::optional<state::Record>> get(std::string_view key) override {
    ++reads_;
    return store_->get(key);
  }
  Result<std::vector<state::Record>> list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) override {
    ++reads_;
    return store_->list(prefix, start_after, limit);
  }
  Result<state::CommitResult> commit(const state::Txn& txn) override {
    const bool fails = times_ > 0 && --nth_ <= 0;
    if (!fails) return store_->commit(txn);
    --times_;
    if (when_ == When::kAfter) (void)store_->commit(txn);
    return fail(Code::kExhausted, "commit: no space left on device");
  }
  Result<std::unique_ptr<state::Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<state::Event>&)> on_events) override {
    return store_->watch(prefix, after, std::move(on_events));
  }
  Result<std::int64_t> revision() override { return store_->revision(); }

 private:
  std::unique_ptr<state::Store> store_ = state::make_memory_store();
  std::atomic<std::size_t> reads_ = 0;
  int nth_ = 0, times_ = 0;
  When when_ = When::kBefore;
};

}  // namespace fairlead::testing
