// Networks that all hosts share.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "network/cluster/fence.h"

namespace fairlead::network::cluster {

inline constexpr long long kVniQuarantineSeconds = 600;  // a slow host may still have the link

// The VNIs to try for a network, in order: spread by its id, from 4096 to 2^24 - 1 and round.
class VniProbe {
 public:
  explicit VniProbe(std::string_view network_id);
  std::uint32_t current() const { return current_; }
  void next();

 private:
  std::uint32_t current_;
};

// The options that all hosts have to share; the others (names of links, addresses of the host) are
// each host's own.
std::map<std::string, std::string> shared_options(const NetworkOptions& options);

// What a tunnel takes of the underlay's MTU: VXLAN over IPv4 or IPv6, or over WireGuard, inside of
// which hosts have addresses of IPv6.
unsigned tunnel_overhead(Family underlay, bool encrypted);
bool is_encrypted(const SharedNetwork& network);

// In words, what the spec asks for that the network is not; empty when it is the same.
std::string difference(const SharedNetwork& network, const NetworkSpec& spec);

// The store and the fence must outlive it.
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

  Result<std::optional<StoredNetwork>> find(std::string_view network);  // by name, then by id
  Status check_fits(const SharedNetwork& network, const NetworkSpec& spec,
                    const std::vector<Cidr>& occupied) const;
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
  Result<std::vector<SharedEndpoint>> endpoints_of(const std::string& network_id);
  Error in_use(const SharedNetwork& network, const std::vector<SharedEndpoint>& endpoints);
  Result<StoredNetwork> set_phase(const StoredNetwork& network, NetworkPhase phase);
  Status try_remove(std::string_view name);
  Status remove_unjoined(const StoredNetwork& network);
  Status end_removal(const StoredNetwork& network);  // kInUse, and ready again, with endpoints
  Status purge(const StoredNetwork& network);

  state::Store& shared_;
  Fence& fence_;
  const HostInfo info_;
  std::mutex joining_;            // nothing is joined while strays are looked for
  std::set<std::string> making_;  // joined by this process; keep() was not told of them yet
};

}  // namespace fairlead::network::cluster
