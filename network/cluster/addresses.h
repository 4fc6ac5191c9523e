// Which addresses this host may give out.
//
// Why no address is given twice, in a network with blocks:
//
//   - A block is claimed by creating blk/<nid>/<base>: of two claimers one fails. It is given out
//     of only after that, and only by its owner, which journals it first (cluster/block/...).
//   - A single address is claimed by creating ip/<nid>/<ip>, and only while its block is nobody's
//     (precondition: no blk/ key) or lists it as a hole (precondition: that record unchanged).
//   - The two meet in pin-guard/<nid>/<base>, which each claim of a single address changes and
//     each claim of a block has as a precondition, read before the list of single addresses that
//     become its holes. So a block's owner knows every single address that came before the block,
//     and after the block none can come but into a hole.
//   - A block is given back in this order: its local record changes, so that no lease can be
//     committed any more that was planned before; it is seen to be empty; the shared record is
//     deleted.
//   - Claims carry the preconditions of the fence, for hosts that are removed (fence.h).
//   - Nothing is claimed while the shared store may lack what others own (store_rollback.h).
//
// An endpoint asked for an address that lies in another host's block is refused: only the owner
// knows whether it is free, and nothing is borrowed.
#pragma once

#include <mutex>
#include <set>

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

inline constexpr long long kEmptyBlockSeconds = 600;  // so long a block is kept empty
inline constexpr long long kUnleasedSeconds = 60;  // so long a single address waits for its lease
inline constexpr std::uint64_t kClaimAtPercent = 80;  // of a host's blocks in use: claim the next

// The stores and the fence must outlive it.
class StoreAddresses : public Addresses {
 public:
  StoreAddresses(state::Store& shared, state::Store& local, Fence& fence)
      : shared_(shared), local_(local), fence_(fence) {}

  Result<AddressOffer> offer(const AddressRequest& request) override;
  Status extend(const std::string& network_id, Family family) override;
  Status give_back(const std::string& network_id, const IpAddress& address) override;
  Status maintain(LeaseBook& book) override;
  Status forget(const std::string& network_id) override;
  Result<std::vector<OwnedBlock>> owned() override;

 private:
  // A subnet of a network, as the shared store has it.
  struct SubnetArea {
    std::string network_id;
    std::int64_t revision = state::kAbsent;  // of the network's record
    Subnet subnet;
    Cidr area;
  };
  using Block = Stored<LocalBlock>;
  using Single = Stored<LocalAddress>;

  Result<SubnetArea> place_of(const std::string& network_id, Family family);
  Result<std::vector<Block>> local_blocks(const std::string& network_id, Family family);
  Result<AddressOffer> offer_owned(const AddressRequest& request);
  Status save(const std::string& network_id, LocalBlock block);
  Status drop(std::string key);  // of the local store

  // blocks.cpp
  Status claim_block(const std::string& network_id, Family family);
  Result<std::set<IpAddress>> taken_blocks(const SubnetArea& place);
  Result<std::vector<IpAddress>> static_claims_in(const std::string& network_id, const Cidr& block);
  Result<bool> try_claim(const SubnetArea& place, const Cidr& block);
  Status resolve_claims(const std::string& network_id, Family family);
  Result<bool> resolve(const std::string& network_id, const LocalBlock& block);  // is it ours?
  Status adopt(const SubnetArea& place, const Cidr& block, const BlockRecord& record);

  // static_claims.cpp
  Result<AddressOffer> static_claim(const SubnetArea& place, const AddressRequest& request,
                                    const IpAddress& address);
  Result<bool> try_claim(const SubnetArea& place, const AddressRequest& request,
                         const IpAddress& address);
  Status guard_claim(const SubnetArea& place, const IpAddress& address, state::Txn& txn);
  Result<AddressOffer> claim_any(const SubnetArea& place, const AddressRequest& request);
  Status save(const std::string& network_id, LocalAddress address, ClaimPhase phase);
  Status release_claim(const std::string& network_id, const LocalAddress& address);

  // maintenance.cpp
  struct Occupancy {
    std::uint64_t total = 0, used = 0;
  };
  Status maintain_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                        Occupancy& fill);
  Status release_block(const std::string& network_id, LocalBlock block, LeaseBook& book);
  Status maintain_single(const std::string& network_id, const LocalAddress& address,
                         LeaseBook& book);
  Status audit();
  bool is_unknown_own(const std::string& host_id, std::uint64_t of, std::uint64_t epoch);
  Status audit_block(const state::Record& record);
  Status audit_claim(const state::Record& record);

  // reclaim.cpp
  using Conflicts = std::vector<std::string>;
  Status restore(LeaseBook& book);
  Result<std::optional<SubnetArea>> place_if_ready(const std::string& network_id, Family family);
  Status restore_blocks(LeaseBook& book, Conflicts& conflicts);
  Status restore_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                       Conflicts& conflicts);
  Status write_block(const SubnetArea& place, LocalBlock block, std::int64_t revision,
                     LeaseBook& book, Conflicts& conflicts);
  Status check_holes(const std::string& network_id, const Cidr& block,
                     const std::vector<IpAddress>& holes, LeaseBook& book, Conflicts& conflicts);
  Status write_anew(const state::Txn& txn);
  Status lose_block(const std::string& network_id, LocalBlock block, const BlockRecord& owner,
                    Conflicts& conflicts);
  Status restore_singles(Conflicts& conflicts);
  Status restore_single(const std::string& network_id, const LocalAddress& address,
                        Conflicts& conflicts);

  state::Store& shared_;
  state::Store& local_;
  Fence& fence_;
  std::mutex claims_;  // one claim or release at a time; offers out of owned blocks do not wait
  bool audited_ = false;
  std::optional<std::uint64_t> restored_for_;  // the quarantine after which all was written anew
  long long looked_ = 0;                       // Unix seconds
};

}  // namespace fairlead::network::cluster
