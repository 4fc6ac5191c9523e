// Networks over the shared store.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

// Why a shared network has no second subnet of a family.
inline constexpr std::string_view kOneSubnet =
    "it is shared by several hosts, each of which gives out its own part of it";

// A slow host may still have a device with the VNI.
inline constexpr long long kVniQuarantineSeconds = 600;

// The VNIs to try for a network, in order. The search begins at a hash of the network's id, goes up
// to 2^24 - 1, and continues at 4096.
class VniProbe {
 public:
  explicit VniProbe(std::string_view network_id);
  std::uint32_t current() const { return current_; }
  void next();

 private:
  std::uint32_t current_;
};

// The options that must be the same on all hosts. Other options (names of links, addresses of the
// host) belong to each host alone.
std::map<std::string, std::string> shared_options(const NetworkOptions& options);

// How much of the underlay's MTU a tunnel takes, in bytes: VXLAN over IPv4 or IPv6, or, encrypted,
// VXLAN over IPv6 inside WireGuard.
unsigned tunnel_overhead(Family underlay, bool encrypted);
bool is_encrypted(const SharedNetwork& network);

// In words, the first difference between the network and what the spec asks for; empty when there
// is none.
std::string difference(const SharedNetwork& network, const NetworkSpec& spec);

// The store and the fence must outlive the object.
class StoreNetworks : public Networks {
 public:
  StoreNetworks(state::Store& shared, Fence& fence, HostInfo info)
      : shared_(shared), fence_(fence), info_(std::move(info)) {}

  Result<SharedNetwork> create_or_join(const NetworkSpec& spec,
                                       const std::vector<Cidr>& occupied) override;
  Result<SharedNetwork> inspect(std::string_view network) override;
  Result<std::vector<SharedNetwork>> list() override;
  Status leave(std::string_view network) override;
  Result<std::vector<std::string>> keep(const std::vector<std::string>& ids) override;
  Status remove(std::string_view network) override;
  Result<Cidr> free_subnet(Family family, const std::vector<Cidr>& occupied) override;

 private:
  using StoredNetwork = Stored<NetworkRecord>;

  // Looks for a name first, and then for an id.
  Result<std::optional<StoredNetwork>> find(std::string_view network);
  Status check_fits(const SharedNetwork& network, const NetworkSpec& spec,
                    const std::vector<Cidr>& occupied) const;
  // kConflict when the name, the VNI or a subnet of the network is recorded as another one's.
  Status check_owned(const SharedNetwork& network) const;
  std::string name_of(const std::string& network_id) const;
  Status check_wireguard() const;
  Result<SharedNetwork> joined(const StoredNetwork& network);
  Status check_underlay(const SharedNetwork& network) const;
  Result<SharedNetwork> find_or_create(const NetworkSpec& spec, const std::vector<Cidr>& occupied);
  Result<SharedNetwork> create(const NetworkSpec& spec, const std::vector<Cidr>& occupied);
  Status give_subnets(const NetworkSpec& spec, const std::vector<Cidr>& occupied,
                      SharedNetwork& network, state::Txn& txn);
  Status give_vni(SharedNetwork& network, state::Txn& txn);
  Result<unsigned> give_mtu(const NetworkSpec& spec);

  // network_removal.cpp
  Status leave_now(std::string_view network);
  Status withdraw_endpoints(const std::string& network_id);
  Result<std::vector<SharedEndpoint>> endpoints_of(const std::string& network_id);
  Error in_use(const SharedNetwork& network, const std::vector<SharedEndpoint>& endpoints);
  Result<StoredNetwork> set_phase(const StoredNetwork& network, NetworkPhase phase);
  Status try_remove(std::string_view name);
  Status remove_if_unjoined(const std::string& id);
  Status remove_all_unjoined();
  Status remove_unjoined(const StoredNetwork& network);
  // With endpoints: kInUse, and it is ready again.
  Status end_removal(const StoredNetwork& network);
  Status purge(const StoredNetwork& network);
  Status drop_what_it_owns(const SharedNetwork& network, state::Txn& txn);

  state::Store& shared_;
  Fence& fence_;
  const HostInfo info_;
  std::mutex joining_;  // held by joins, leaves and keep()
  // Ids that this process has joined and that keep() has not been called with yet.
  std::set<std::string> making_;
};

}  // namespace fairlead::network::cluster
