// Where the locks of a store are.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/state/store.h"

namespace fairlead::state {

// key -> {"boot", "folder"}
inline constexpr std::string_view kLockFolder = "lock-folder";

// The folder of the locks (base/lock.h) for all processes that have this store open, whatever run
// folder each was told: with other locks, a process would take what another one is at work on for
// the leftovers of a crash. The first process of a boot decides: it is `proposed`, which is written
// down. A damaged record is replaced. While nothing is written down, and the disk is full or
// read-only, each has what it proposed. kIo when the store cannot be read.
Result<std::string> agree_on_lock_folder(Store& store, const std::string& boot_id,
                                         const std::string& proposed);

}  // namespace fairlead::state
