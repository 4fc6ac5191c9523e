// The change feed over a store.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/changes.h"
#include "base/state/store.h"

namespace fairlead::state {

// What the events of one commit mean. It is called from many threads; revision and time of the
// changes are filled in by the feed.
using ReadChanges = std::function<std::vector<Change>(const std::vector<Event>& commit)>;

inline constexpr unsigned kMostSubscriptions = 32;

// The changes of a commit are those of the readers, one reader after the other. The store must
// outlive the feed, and the feed its subscriptions.
std::unique_ptr<ChangeFeed> make_change_feed(Store& store, std::vector<ReadChanges> readers,
                                             unsigned most = kMostSubscriptions);

}  // namespace fairlead::state
