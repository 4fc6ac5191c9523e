#include "base/state/store_changes.h"

#include <atomic>
#include <utility>

#include "base/host.h"

namespace fairlead::state {

namespace {

// Counts itself for as long as it lives.
class Place {
 public:
  explicit Place(std::atomic<unsigned>& taken) : taken_(taken), number_(++taken) {}
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  unsigned number() const { return number_; }

 private:
  std::atomic<unsigned>& taken_;
  unsigned number_;
};

class WatchSubscription : public ChangeSubscription {
 public:
  WatchSubscription(std::unique_ptr<Place> place, std::unique_ptr<Watch> watch)
      : place_(std::move(place)), watch_(std::move(watch)) {}

 private:
  std::unique_ptr<Place> place_;
  std::unique_ptr<Watch> watch_;
};

class StoreChanges : public ChangeFeed {
 public:
  StoreChanges(Store& store, std::vector<ReadChanges> readers, unsigned most)
      : store_(store), readers_(std::move(readers)), most_(most) {}

  Result<std::int64_t> revision() override { return store_.revision(); }
  Result<std::int64_t> revision_before(long long time) override {
    return store_.revision_before(time);
  }

  Result<std::unique_ptr<ChangeSubscription>> watch(
      std::int64_t after, std::function<void(const ChangeBatch&)> on_batch) override {
    auto place = std::make_unique<Place>(taken_);
    if (place->number() > most_)
      return fail(Code::kUnavailable, "{} others watch already; try again later", most_);
    TRY(const auto present, store_.revision());
    if (after > present)
      return fail(Code::kConflict, "revision {} was never reached, the store is at {}; list again",
                  after, present);
    TRY(auto watch,
        store_.watch("", after, [this, on_batch = std::move(on_batch)](const auto& events) {
          on_batch(batch_of(events));
        }));
    return std::make_unique<WatchSubscription>(std::move(place), std::move(watch));
  }

 private:
  ChangeBatch batch_of(const std::vector<Event>& events) const {
    ChangeBatch batch;
    const Event& first = events.front();
    if (first.kind == Event::Kind::kLost) {
      batch.lost = true;
      return batch;
    }
    batch.revision = first.record.revision;
    const long long time = first.time != 0 ? first.time : unix_milliseconds();
    for (const ReadChanges& read : readers_)
      for (Change& change : read(events)) {
        change.revision = batch.revision;
        change.time = time;
        batch.changes.push_back(std::move(change));
      }
    return batch;
  }

  Store& store_;
  const std::vector<ReadChanges> readers_;
  const unsigned most_;
  std::atomic<unsigned> taken_{0};
};

}  // namespace

std::unique_ptr<ChangeFeed> make_change_feed(Store& store, std::vector<ReadChanges> readers,
                                             unsigned most) {
  return std::make_unique<StoreChanges>(store, std::move(readers), most);
}

}  // namespace fairlead::state
