// The format of the state database: how it is made, recognised and brought up to date.
//
//   application_id  "FRLD": it is ours
//   user_version    the format; the tables:
//
//   record  key -> value, with the revision of the commit that wrote it
//   change  the last commits, for watches and as the counter of revisions:
//           id = revision * 65536 + position in the commit; a value of NULL is a deletion;
//           `before` is the value until then (NULL: none), `time` the commit's in milliseconds
//           since the epoch. Both are there since version 2.
//
// The store's revision is the revision of the newest change, so that a commit writes no page for a
// counter alone. Every revision has at least one change, and the oldest ones are deleted a few
// hundred at a time. (Keeping old values in `record` and only keys in `change`, as etcd does, was
// rejected: each read would have to look in two places.)
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/state/sqlite_connection.h"

namespace fairlead::state {

inline constexpr std::int64_t kFormatVersion = 2;
inline constexpr std::int64_t kApplicationId = 0x46524c44;  // "FRLD"
inline constexpr std::int64_t kChangesPerRevision = 65'536;

// Makes an empty database at `path` (mode 0600) and its folder (0700, parents 0755) unless it
// exists. The database is built under another name and then renamed, so that nobody finds half of
// one. Several processes may call this at once.
Status create_database(const std::string& path);

// Where the copy of a database goes before it is brought from `version` to a newer format.
std::string copy_of_format(const std::string& path, std::int64_t version);

// Brings an older format up to date, and keeps a copy of it first (an earlier copy of that format is
// replaced). kIo when the file is not a Fairlead database, kUnsupported when it was written by a
// newer Fairlead; kExhausted when there is no space for the copy: the database stays as it was.
Status check_format(Connection& connection);

}  // namespace fairlead::state
