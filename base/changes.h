// What happened to networks, endpoints, ports and volumes, one change after the other, whichever
// process made them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead {

// One thing that happened. Several may have the same revision: they were made by one commit.
struct Change {
  std::int64_t revision = 0;
  long long time = 0;        // milliseconds since the epoch
  std::string kind, action;  // "network" "create"; see network/service/events.h, volume/...
  std::string id;            // of the object
  std::string name;          // of the object; empty when it has none
  std::map<std::string, std::string> attributes{};

  bool operator==(const Change&) const = default;
};

// The changes of one commit, which may be none. `lost` comes alone and last: changes that were not
// delivered are forgotten.
struct ChangeBatch {
  std::int64_t revision = 0;  // resume after it
  std::vector<Change> changes{};
  bool lost = false;
};

// Its destructor ends the subscription: once it has returned, the callback is not running and will
// not run again. It must not be destroyed from within the callback.
class ChangeSubscription {
 public:
  virtual ~ChangeSubscription() = default;
};

// Thread-safe. There is one order of all changes of the store, by revision, so that one number is
// enough to go on after an interruption, and also after a restart of this process.
class ChangeFeed {
 public:
  virtual ~ChangeFeed() = default;

  // The revision of the last commit. List after asking for it, then watch from it: nothing is
  // missed.
  virtual Result<std::int64_t> revision() = 0;
  // The revision after which everything since `time` (milliseconds since the epoch) is told.
  // kConflict when the store does not remember that far back.
  virtual Result<std::int64_t> revision_before(long long time) = 0;

  // Calls `on_batch` with every commit after revision `after`, in order, from a thread that belongs
  // to this subscription alone. A callback may block: only its own subscription waits, and is lost
  // when the store forgets faster than it goes on. kConflict when the changes after `after` are
  // forgotten, or `after` was never reached: list again and watch from the present revision.
  // kUnavailable when there are too many subscriptions.
  virtual Result<std::unique_ptr<ChangeSubscription>> watch(
      std::int64_t after, std::function<void(const ChangeBatch&)> on_batch) = 0;
};

}  // namespace fairlead
