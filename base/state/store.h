// The store: key -> JSON text with a revision. The shape is etcd's, so that memory (tests), SQLite
// (default) and etcd (several hosts) are the same to the core; one conformance suite runs over all
// of them.
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
  std::int64_t revision = 0;  // of the commit that wrote it; grows with every commit of the store

  bool operator==(const Record&) const = default;
};

// "The key is at this revision"; kAbsent = "the key does not exist".
inline constexpr std::int64_t kAbsent = 0;
struct Precondition {
  std::string key;
  std::int64_t revision = kAbsent;
};

struct Put {
  std::string key;
  std::string value;
  std::int64_t lease = 0;  // the record goes with this lease (leases.h); 0: it stays
};

// kDurable survives a power cut (networks, volumes, pools); kBoot may be lost with the last moments
// before one (endpoints and leases of this boot, which are void after it), but never by the death
// of a process.
enum class Durability { kBoot, kDurable };

// All or nothing. A key stands at most once in puts and deletes together. Deleting an absent key is
// no error. etcd takes at most 127 preconditions, and 127 puts and deletes (etcd_store.h).
struct Txn {
  std::vector<Precondition> preconditions;
  std::vector<Put> puts;
  std::vector<std::string> deletes;
  Durability durability = Durability::kBoot;
};

struct CommitResult {
  std::int64_t revision =
      0;  // of this commit; a transaction without puts and deletes has the store's present one
};

// kLost comes alone, has an empty record and is the last event of its watch: the store has
// forgotten changes that the watch had not seen (its callback took too long, or etcd was compacted
// while it could not be reached). Drop the watch, list again, watch from there. (A second callback
// was rejected: it could come between the events, and everyone who passes watches on would carry
// two.)
struct Event {
  enum class Kind { kPut, kDelete, kLost };
  Kind kind = Kind::kPut;
  Record record;  // kDelete: the value is empty

  bool operator==(const Event&) const = default;
};

// Stops the watch when destroyed; after that the callback is not running and will not run.
class Watch {
 public:
  virtual ~Watch() = default;
};

// Thread-safe. Several processes may hold the same store open (SQLite, etcd) and see each other's
// commits at once. Where the store is another host's (etcd), every call may fail with kUnavailable
// when nobody answers within its deadline.
class Store {
 public:
  virtual ~Store() = default;

  // The record, or nothing when there is none. kIo when the store cannot be read.
  virtual Result<std::optional<Record>> get(std::string_view key) = 0;

  // The records whose key begins with `prefix`, ordered by key, those after `start_after`
  // (exclusive, may be empty), at most `limit` (0 = all). One consistent snapshot.
  virtual Result<std::vector<Record>> list(std::string_view prefix,
                                           std::string_view start_after = {},
                                           std::size_t limit = 0) = 0;

  // Applies the transaction. kConflict when a precondition does not hold (nothing was changed, the
  // text names the key), kInvalid for a malformed transaction, kNotFound for a lease that is gone,
  // kUnsupported for a lease in a store without them (SQLite), kExhausted when the disk is full,
  // kUnavailable when etcd did not answer (the text says when it is not known whether the change
  // was made), kIo otherwise.
  virtual Result<CommitResult> commit(const Txn& txn) = 0;

  // Calls `on_events` from a thread of the store with every change under `prefix` after revision
  // `after`, in the order of revisions, commits whole. `after` older than what the store remembers
  // is kConflict: list again, watch from there. The same, while the watch runs, is Event::kLost.
  virtual Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) = 0;

  // The revision of the last commit; 0 in a new store, except in etcd, which counts the commits of
  // all who share it.
  virtual Result<std::int64_t> revision() = 0;
};

}  // namespace fairlead::state
