// The store in one SQLite database: the default. The daemon, exec'd plugins and the command line
// have it open at the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/state/store.h"
#include "base/state/txn.h"

namespace fairlead::state {

struct SqliteOptions {
  std::int64_t remembered = kRememberedCommits;  // commits that are kept for watches
  std::chrono::milliseconds watch_period{
      50};  // how often a watch polls for commits of other processes
  // How often the reserve of disk space (reserve.h) is refilled. 0: only when something is
  // committed. A daemon also refills it in between, because room is not only made by commits.
  std::chrono::milliseconds reserve_period{0};
};

// Opens the database, or makes it (mode 0600, its folder 0700). kIo when it is not a Fairlead
// database, damaged, read-only or unreadable; kUnsupported when it was written by a newer Fairlead;
// kExhausted when there is no space; kUnavailable when others hold its lock for longer than 5 s. A
// store must not be used across fork(2).
//
// On a full disk a transaction that deletes something, or only overwrites existing records, uses
// the reserve; one that adds records fails with kExhausted.
//
// The commits of one process run one after the other; reads run beside them, on a connection of
// their own.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path,
                                                 SqliteOptions options = {});

}  // namespace fairlead::state
