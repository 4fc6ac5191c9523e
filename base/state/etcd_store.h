// The store in etcd (v3, by its JSON gateway): for networks over several hosts.
//
// Our key "network/a" is "/fairlead/v1/<cluster>/network/a" there. Behind all of them, at the same
// prefix and a byte that no key of ours has, are the receipts (etcd_receipts.h); a role with read
// and write access to the prefix is enough.
//
// etcd 3.4 and newer. The members should run with --auto-compaction-retention (it decides how long
// watches may be away) and --experimental-watch-progress-notify-interval=5s.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/state/etcd_config.h"
#include "base/state/leases.h"
#include "base/state/store.h"

namespace fairlead::state {

// etcd takes 128 operations in a transaction; one is the receipt.
inline constexpr std::size_t kMostEtcdChanges = 127;
// Of the keys and values of a transaction together, below etcd's limit of a request.
inline constexpr std::size_t kMostEtcdBytes = 1'400'000;

struct MemberStatus {
  std::string endpoint;
  std::string error;  // not empty: it did not answer, and the rest is not known
  std::string version;
  bool is_leader = false;
  bool has_leader = false;
  std::int64_t revision = 0;
};

// Reads are linearizable; a list is read in pages of one revision. A commit happens once or not at
// all, whatever becomes of members and connections. All is durable (Txn::durability is ignored).
// kInvalid: a transaction above the limits here.
class EtcdStore : public Store, public Leases {
 public:
  // Whether each member answers and has a leader, in the order of the configuration. Waits for a
  // call timeout on each that is silent.
  virtual std::vector<MemberStatus> members() = 0;
};

// kInvalid for a malformed configuration. Asks nobody: a daemon starts while etcd cannot be
// reached.
Result<std::unique_ptr<EtcdStore>> open_etcd_store(const EtcdConfig& config);

}  // namespace fairlead::state
