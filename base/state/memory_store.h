// A store that lives and dies with the process, for tests.
#pragma once

#include <memory>

#include "base/state/store.h"
#include "base/state/txn.h"

namespace fairlead::state {

// Remembers the last `remembered` commits for watches.
std::unique_ptr<Store> make_memory_store(std::int64_t remembered = kRememberedCommits);

}  // namespace fairlead::state
