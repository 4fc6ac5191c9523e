// The store in one SQLite database: the default. Daemon, exec'd plugins and command line have it
// open at the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/state/store.h"
#include "base/state/txn.h"

namespace fairlead::state {

struct SqliteOptions {
  std::int64_t remembered = kRememberedCommits;  // for watches
  std::chrono::milliseconds watch_period{
      50};  // between a watch's looks for commits of other processes
  // 0: the reserve of space (reserve.h) is looked at when something is committed. A daemon looks
  // every so often as well, because what makes room is not always a commit.
  std::chrono::milliseconds reserve_period{0};
};

// Opens the database, or makes it (mode 0600, its folder 0700). kIo: not a database of Fairlead's,
// damaged, read-only or unreadable; kUnsupported: written by a newer Fairlead; kExhausted: no
// space; kUnavailable: others hold its lock for longer than 5 s. A store must not be used across
// fork(2).
//
// On a full disk a transaction that deletes something, or writes only records that are there, draws
// on the reserve; one that adds to them is kExhausted.
//
// Commits of one process follow each other; reads go beside a commit on a connection of their own.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path,
                                                 SqliteOptions options = {});

}  // namespace fairlead::state
