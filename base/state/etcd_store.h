// The store in etcd (v3, by its JSON gateway): for networks over several hosts.
//
// The key "network/a" is "/fairlead/v1/<cluster>/network/a" in etcd. The receipts (etcd_receipts.h)
// are sorted after all keys: they have the same prefix, followed by a byte that no key contains. A
// role with read and write access to the prefix is enough.
//
// etcd 3.4 and newer. The members should run with --auto-compaction-retention (it decides how long
// a watch may be disconnected without losing changes) and
// --experimental-watch-progress-notify-interval=5s.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/state/etcd_config.h"
#include "base/state/leases.h"
#include "base/state/store.h"

namespace fairlead::state {

// etcd accepts 128 operations in a transaction; one of them is the receipt.
inline constexpr std::size_t kMostEtcdChanges = 127;
// The most bytes of all keys and values of a transaction together, chosen below etcd's limit for a
// request.
inline constexpr std::size_t kMostEtcdBytes = 1'400'000;

struct MemberStatus {
  std::string endpoint;
  std::string error;  // not empty: it did not answer, and the fields below are not known
  std::string version;
  bool is_leader = false;
  bool has_leader = false;
  std::int64_t revision = 0;
};

// Reads are linearizable; all pages of a list are read at one revision. A commit is applied once or
// not at all, whatever happens to members and connections. Every commit is durable (Txn::durability
// is ignored). kInvalid for a transaction above the limits given above.
class EtcdStore : public Store, public Leases {
 public:
  // Asks each member, in the order of the configuration, whether it answers and has a leader. Waits
  // one call timeout for each member that does not answer.
  virtual std::vector<MemberStatus> members() = 0;
};

// kInvalid for a malformed configuration. Sends nothing, so that a daemon can start while etcd
// cannot be reached.
Result<std::unique_ptr<EtcdStore>> open_etcd_store(const EtcdConfig& config);

}  // namespace fairlead::state
