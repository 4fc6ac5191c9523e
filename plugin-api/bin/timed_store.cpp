#include "plugin-api/bin/timed_store.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace fairlead {

namespace {

class TimedStore : public state::Store {
  template <class Act>
  auto timed(metrics::LatencyHistogram& histogram, const Act& act) {
    const auto start = std::chrono::steady_clock::now();
    auto result = act();
    histogram.observe(std::chrono::steady_clock::now() - start);
    if (!result && (result.error().code == Code::kUnavailable || result.error().code == Code::kIo))
      times_.failures.add();
    return result;
  }

 public:
  TimedStore(state::Store& store, StoreTimes& times) : store_(store), times_(times) {}

  Result<std::optional<state::Record>> get(std::string_view key) override {
    return timed(times_.reads, [&] { return store_.get(key); });
  }
  Result<std::vector<state::Record>> list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) override {
    return timed(times_.reads, [&] { return store_.list(prefix, start_after, limit); });
  }
  Result<state::CommitResult> commit(const state::Txn& txn) override {
    return timed(times_.commits, [&] { return store_.commit(txn); });
  }
  Result<std::unique_ptr<state::Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<state::Event>&)> on_events) override {
    return store_.watch(prefix, after, std::move(on_events));
  }
  Result<std::int64_t> revision() override {
    return timed(times_.reads, [&] { return store_.revision(); });
  }
  Result<std::int64_t> revision_before(long long time) override {
    return store_.revision_before(time);
  }

 private:
  state::Store& store_;
  StoreTimes& times_;
};

}  // namespace

std::vector<metrics::Family> StoreTimes::families() const {
  metrics::Family took{.name = "fairlead_etcd_request_duration_seconds",
                       .help = "How long etcd took to answer, with all attempts.",
                       .type = metrics::Type::kHistogram};
  took.add({{"operation", "read"}}, reads);
  took.add({{"operation", "commit"}}, commits);
  metrics::Family failed{.name = "fairlead_etcd_failures",
                         .help = "Requests that etcd did not answer, or could not do.",
                         .type = metrics::Type::kCounter};
  failed.add({}, static_cast<double>(failures.value()));
  return {std::move(took), std::move(failed)};
}

std::unique_ptr<state::Store> make_timed_store(state::Store& store, StoreTimes& times) {
  return std::make_unique<TimedStore>(store, times);
}

}  // namespace fairlead
