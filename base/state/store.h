// The store: key -> JSON text with a revision. The interface follows etcd's, so that the core works
// in the same way over memory (tests), SQLite (default) and etcd (several hosts); one conformance
// suite tests all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::state {

// Keys are paths of printable ASCII, at most 512 bytes: "network/<id>". Values are JSON text, at
// most 1 MiB.
struct Record {
  std::string key;
  std::string value;
  std::int64_t revision = 0;  // of the commit that wrote it; grows with every commit

  bool operator==(const Record&) const = default;
};

// The condition "the key has this revision"; kAbsent means "the key does not exist".
inline constexpr std::int64_t kAbsent = 0;
struct Precondition {
  std::string key;
  std::int64_t revision = kAbsent;
};

struct Put {
  std::string key;
  std::string value;
  std::int64_t lease = 0;  // the record is deleted when this lease ends (leases.h); 0: no lease
};

// A kDurable commit survives a power cut (networks, volumes, pools). A kBoot commit of the last
// moments before a power cut may be lost (endpoints and address leases of this boot, which are void
// after it anyway), but never by the death of a process.
enum class Durability { kBoot, kDurable };

// Is applied completely or not at all. A key occurs at most once in puts and deletes together.
// Deleting an absent key is no error. etcd accepts at most 127 preconditions, and 127 puts and
// deletes (etcd_store.h).
struct Txn {
  std::vector<Precondition> preconditions;
  std::vector<Put> puts;
  std::vector<std::string> deletes;
  Durability durability = Durability::kBoot;
};

struct CommitResult {
  std::int64_t revision =
      0;  // of this commit; for a transaction without puts and deletes, the store's present one
};

// kLost comes alone, has an empty record and is the last event of its watch: the store has
// forgotten changes that the watch had not seen (its callback took too long, or etcd was compacted
// while it could not be reached). Drop the watch, list again, watch from there. (A second callback
// was rejected: it could come between the events, and all code that passes a watch on would need
// two.)
struct Event {
  enum class Kind { kPut, kDelete, kLost };
  Kind kind = Kind::kPut;
  Record record;  // kDelete: the value is empty
  // The value that the commit replaced or deleted; std::nullopt: the key did not exist.
  std::optional<std::string> before{};
  long long time = 0;  // of the commit, milliseconds since the epoch; 0: the store (etcd) has none

  bool operator==(const Event&) const = default;
};

// Its destructor stops the watch; once it has returned, the callback is not running and will not
// run again.
class Watch {
 public:
  virtual ~Watch() = default;
};

// Thread-safe. Several processes may hold the same store open (SQLite, etcd) and see each other's
// commits at once. When the store is on other hosts (etcd), every call may fail with kUnavailable
// because nobody answers within its deadline.
class Store {
 public:
  virtual ~Store() = default;

  // std::nullopt when there is no such record. kIo when the store cannot be read.
  virtual Result<std::optional<Record>> get(std::string_view key) = 0;

  // The records whose key begins with `prefix` and lies after `start_after` (which may be empty),
  // ordered by key, at most `limit` of them (0 = all). They are one consistent snapshot.
  virtual Result<std::vector<Record>> list(std::string_view prefix,
                                           std::string_view start_after = {},
                                           std::size_t limit = 0) = 0;

  // Applies the transaction. kConflict when a precondition does not hold (nothing was changed, the
  // text names the key), kInvalid for a malformed transaction, kNotFound for a lease that is gone,
  // kUnsupported for a lease in a store that has no leases (SQLite), kExhausted when the disk is
  // full, kUnavailable when etcd did not answer (the text says when it is not known whether the
  // change was made), kIo otherwise.
  virtual Result<CommitResult> commit(const Txn& txn) = 0;

  // Calls `on_events` from a thread of the store with every change under `prefix` after revision
  // `after`, in the order of revisions; the changes of one commit come in one call. kConflict when
  // the store no longer remembers the changes after `after`: list again and watch from there. When
  // that happens while the watch runs, it gets Event::kLost.
  virtual Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) = 0;

  // The revision of the last commit; 0 in a new store, but not in etcd, which also counts the
  // commits of everybody else who uses it.
  virtual Result<std::int64_t> revision() = 0;

  // The revision before the first commit at or after `time` (milliseconds since the epoch, of the
  // clock that people see): watched after it, everything from then on is told. kConflict when the
  // store does not remember that far back; the text says how far. kUnsupported when it notes no
  // times (etcd).
  virtual Result<std::int64_t> revision_before([[maybe_unused]] long long time) {
    return fail(Code::kUnsupported, "this store does not note when something happened");
  }
};

}  // namespace fairlead::state
