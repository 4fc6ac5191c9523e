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
};

// kDurable survives a power cut (networks, volumes, pools); kBoot may be lost with the last moments
// before one (endpoints and leases of this boot, which are void after it), but never by the death
// of a process.
enum class Durability { kBoot, kDurable };

// All or nothing. A key stands at most once in puts and deletes together. Deleting an absent key is
// no error.
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

struct Event {
  enum class Kind { kPut, kDelete };
  Kind kind = Kind::kPut;
  Record record;  // kDelete: the value is empty

  bool operator==(const Event&) const = default;
};

// Stops the watch when destroyed; after that the callback is not running and will not run.
class Watch {
 public:
  virtual ~Watch() = default;
};

// Thread-safe. Several processes may hold the same store open (SQLite) and see each other's commits
// at once.
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
  // text names the key), kInvalid for a malformed transaction, kExhausted when the disk is full,
  // kIo otherwise.
  virtual Result<CommitResult> commit(const Txn& txn) = 0;

  // Calls `on_events` from a thread of the store with every change under `prefix` after revision
  // `after`, in the order of revisions, commits whole. `after` older than what the store remembers
  // is kConflict: list again, watch from there.
  virtual Result<std::unique_ptr<Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<Event>&)> on_events) = 0;

  // The revision of the last commit.
  virtual Result<std::int64_t> revision() = 0;
};

}  // namespace fairlead::state
