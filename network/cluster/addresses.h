// Claims blocks and single addresses for this host in the shared store.
//
// Why no address is given twice, in a network with blocks:
//
//   - A block is claimed by creating blk/<nid>/<base>: of two hosts that try, one fails. Addresses
//     of the block are given out only after that, and only by its owner, which writes the claim
//     into its journal first (cluster/block/...).
//   - A single address is claimed by creating ip/<nid>/<ip>, and only while nobody owns its block
//     (precondition: no blk/ key) or the block's record lists it as a hole (precondition: that
//     record is unchanged).
//   - Claims of both kinds exclude each other through pin-guard/<nid>/<base>. Each claim of a
//     single address changes it. It is a precondition of each claim of a block, which reads it
//     before it lists the single addresses that become the block's holes. So the owner of a block
//     knows every single address that was claimed before the block, and after that only holes can
//     be claimed singly.
//   - A block is given back in this order: the local record is changed, so that no lease that was
//     planned before can be committed any more; the block is seen to be empty; the shared record is
//     deleted.
//   - Claims have the preconditions of the fence, so that a host that was removed cannot make any
//     (fence.h).
//   - Nothing is claimed while the shared store may lack claims of other hosts (store_rollback.h).
//
// A request for an address in another host's block is refused: only the owner knows whether the
// address is free, and hosts do not borrow addresses from each other.
#pragma once

#include <mutex>
#include <set>

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

inline constexpr long long kEmptyBlockSeconds = 600;  // how long an empty block is kept
inline constexpr long long kUnleasedSeconds = 60;     // how long a single claim may have no lease
// When so many percent of the addresses in a host's blocks are in use, the next block is claimed.
inline constexpr std::uint64_t kClaimAtPercent = 80;

// The stores and the fence must outlive the object.
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
  // A subnet of a network, as recorded in the shared store.
  struct SubnetArea {
    std::string network_id;
    std::int64_t revision = state::kAbsent;  // of the record of the network
    Subnet subnet;
    Cidr area;
  };
  using Block = Stored<LocalBlock>;
  using Single = Stored<LocalAddress>;

  Result<SubnetArea> subnet_area_of(const std::string& network_id, Family family);
  Result<std::vector<Block>> local_blocks(const std::string& network_id, Family family);
  Result<AddressOffer> offer_owned(const AddressRequest& request);
  Status save(const std::string& network_id, LocalBlock block);
  Status drop(std::string key);  // deletes a key of the local store

  // blocks.cpp
  Status claim_block(const std::string& network_id, Family family);
  Result<std::set<IpAddress>> taken_blocks(const SubnetArea& subnet_area);
  Result<std::vector<IpAddress>> static_claims_in(const std::string& network_id, const Cidr& block);
  Result<bool> try_claim(const SubnetArea& subnet_area, const Cidr& block);
  Status resolve_claims(const std::string& network_id, Family family);
  // Whether this host owns the block.
  Result<bool> resolve(const std::string& network_id, const LocalBlock& block);
  Status adopt(const SubnetArea& subnet_area, const Cidr& block, const BlockRecord& record);

  // static_claims.cpp
  Result<AddressOffer> static_claim(const SubnetArea& subnet_area, const AddressRequest& request,
                                    const IpAddress& address);
  Result<bool> try_claim(const SubnetArea& subnet_area, const AddressRequest& request,
                         const IpAddress& address);
  Status guard_claim(const SubnetArea& subnet_area, const IpAddress& address, state::Txn& txn);
  Result<AddressOffer> claim_any(const SubnetArea& subnet_area, const AddressRequest& request);
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
  Result<std::optional<SubnetArea>> subnet_area_if_ready(const std::string& network_id,
                                                         Family family);
  Status restore_blocks(LeaseBook& book, Conflicts& conflicts);
  Status restore_block(const std::string& network_id, LocalBlock block, LeaseBook& book,
                       Conflicts& conflicts);
  Status write_block(const SubnetArea& subnet_area, LocalBlock block, std::int64_t revision,
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
  // Allows one claim or release at a time; offers from owned blocks do not wait for it.
  std::mutex claims_;
  bool audited_ = false;
  // The quarantine after which all claims were written again.
  std::optional<std::uint64_t> restored_for_;
  long long looked_ = 0;  // Unix seconds of the last look at the blocks
};

}  // namespace fairlead::network::cluster
