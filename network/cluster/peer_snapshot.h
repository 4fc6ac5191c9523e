// A copy of the peer table's records on disk. A host that starts while the store cannot be reached
// goes on with it, and one that starts otherwise has to read only what has changed since.
#pragma once

#include <string>
#include <vector>

#include "base/state/store.h"

namespace fairlead::network::cluster {

// The records below one prefix of the shared store, as of a revision of the store.
struct PeerSnapshot {
  std::int64_t revision = 0;
  std::vector<state::Record> records;

  bool operator==(const PeerSnapshot&) const = default;
};

// Replaces the file atomically, with mode 0600; the content is on disk when this returns.
Status write_snapshot(const std::string& path, const PeerSnapshot& snapshot);
// kNotFound when there is none; kIo when it is damaged, and the caller has to list the records
// again.
Result<PeerSnapshot> read_snapshot(const std::string& path);

}  // namespace fairlead::network::cluster
