// Where the locks of a store are.
#pragma once

#include <string>

#include "base/result.h"
#include "base/state/store.h"

namespace fairlead::state {

// key -> {"boot", "folder"}
inline constexpr std::string_view kLockFolder = "lock-folder";

// The folder of the locks (base/lock.h) of all processes that have this store open, whatever run folder each was told:
// `proposed`, by the first of them in this boot. Two processes with different locks would each take what the other is
// at work on for the leftovers of a crash. While nothing can be written to the store (a full or read-only disk), and
// nobody has proposed one, it is `proposed`. kIo when the store cannot be read.
Result<std::string> agree_on_lock_folder(Store& store, const std::string& boot_id,
                                         const std::string& proposed);

}  // namespace fairlead::state
