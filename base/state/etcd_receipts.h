// Receipts: how a commit to etcd is applied exactly once although its answer may get lost.
//
// A transaction that got no answer may have been applied, may be applied later (a member may hold
// it for seconds, or a new leader may find it in its log), or never. Reading the keys back does not
// decide which: somebody else may have overwritten our values, or written the same ones.
//
// So each commit also puts a receipt, a small key that only this store writes, and requires that
// the receipt is still at the revision of its last use:
//
//   compare  <preconditions>, receipt at 41      success  <puts, deletes>, put receipt
//                                                 failure  get <keys of the preconditions>, receipt
//
// So the same transaction can be sent any number of times: at most one of the copies is applied. If
// a repetition fails and the receipt has another revision, an earlier copy was applied, at that
// revision. Before a repetition is reported as a conflict, the receipt is written once more (a
// fence), so that copies that are still on their way can no longer be applied.
//
// The cost is about a hundred bytes in the same write to disk, and no round trip. A receipt is used
// by one commit at a time; there are as many receipts as there were concurrent commits. They are
// attached to a lease, which is replaced by a new one before it ends, so that etcd deletes the
// receipts of a dead process. (Rejected: reading back and comparing, for the reasons above; a new
// key for each commit, which somebody would have to delete.)
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/state/etcd_client.h"
#include "base/state/leases.h"

namespace fairlead::state::etcd {

// Grants a lease of `time_to_live`. The request names the lease's id, so that sending it again does
// not grant a second one.
Result<LeaseId> grant_lease(Client& client, std::chrono::seconds time_to_live);

struct Receipt {
  std::string key;
  std::int64_t revision = 0;  // of its last use; 0: not used yet
  LeaseId lease = 0;
};

// Thread-safe.
class Receipts {
 public:
  // Keys begin with `prefix`.
  Receipts(std::shared_ptr<Client> client, std::string prefix)
      : client_(std::move(client)), prefix_(std::move(prefix)) {}

  // Takes a receipt that no commit uses. Fails when a new lease is needed and etcd does not answer.
  Result<Receipt> take();
  // Gives a receipt back after a commit whose outcome is known. A receipt whose commit had no known
  // outcome is not given back; etcd deletes it when its lease ends.
  void give_back(Receipt receipt);
  // To be called when the lease is gone; its receipts are gone with it.
  void forget(LeaseId lease);

 private:
  std::shared_ptr<Client> client_;
  std::string prefix_;
  std::mutex mutex_;
  std::vector<Receipt> free_;
  LeaseId lease_ = 0;
  std::chrono::steady_clock::time_point use_until_;
};

}  // namespace fairlead::state::etcd
