// Receipts: how a commit to etcd happens exactly once although its answer may get lost.
//
// A transaction that got no answer may have been applied, may be applied later (a member holds it
// for seconds, a new leader may find it in its log) or never. Reading the keys back does not decide
// it: somebody else may have written over ours, or written the same.
//
// So each commit also puts a receipt, a small key that only this store writes, and requires that
// the receipt is still at the revision of its last use:
//
//   compare  <preconditions>, receipt at 41      success  <puts, deletes>, put receipt
//                                                 failure  get <keys of the preconditions>, receipt
//
// The same transaction can be sent again as often as one likes: at most one of them is applied. If
// a repeated one fails and the receipt has moved, an earlier one was applied, at the receipt's
// revision. Before a repeated one may be called a conflict, the receipt is moved once more (a
// fence), so that what is still under way cannot be applied either.
//
// The cost is about a hundred bytes in the same write to disk, and no round trip. A receipt is used
// by one commit at a time; there are as many as there were commits at the same time. They have a
// lease that is renewed by taking another one, so those of a dead process go by themselves.
// (Rejected: reading back and comparing, for the reasons above; a new key for each commit, which
// somebody would have to delete.)
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/state/etcd_client.h"
#include "base/state/leases.h"

namespace fairlead::state::etcd {

// Grants a lease of `time_to_live`; sent again, it does not grant two.
Result<LeaseId> grant_lease(Client& client, std::chrono::seconds time_to_live);

struct Receipt {
  std::string key;
  std::int64_t revision = 0;  // of its last use; 0: none
  LeaseId lease = 0;
};

// Thread-safe.
class Receipts {
 public:
  // Keys begin with `prefix`.
  Receipts(std::shared_ptr<Client> client, std::string prefix)
      : client_(std::move(client)), prefix_(std::move(prefix)) {}

  // A receipt that nobody uses. Fails when a lease is needed and etcd does not answer.
  Result<Receipt> take();
  // Gives it back after a commit whose outcome is known. Others are dropped: their lease ends.
  void give_back(Receipt receipt);
  // The lease is gone, and so are all receipts.
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
