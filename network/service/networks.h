// Networks: creating, removing, looking up and binding them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "network/service/addresses.h"
#include "network/service/other_firewalls.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"
#include "network/service/surroundings.h"

namespace fairlead::network {

class Networks {
 public:
  Networks(ServiceContext& context, Addresses& addresses, Removal& removal,
           OtherFirewalls& other_firewalls, Surroundings& surroundings)
      : context_(context),
        addresses_(addresses),
        removal_(removal),
        other_firewalls_(other_firewalls),
        surroundings_(surroundings) {}

  // As NetworkService has them.
  Result<Network> create_network(const NetworkSpec& spec);
  Status remove_network(const NetworkRef& network);
  Result<Network> inspect_network(const NetworkRef& network);
  Result<std::vector<NetworkUsage>> list_networks();
  Result<Network> bind_network(const std::string& runtime_id, const NetworkName& network);
  Status unbind_network(const std::string& runtime_id);
  Result<bool> is_bound(const std::string& runtime_id);
  Result<bool> release_network(const std::string& runtime_id);
  Status set_dns_servers(const NetworkRef& network, const std::vector<IpAddress>& servers);

 private:
  Result<bool> is_wanted(const Network& network);
  Result<bool> is_bound_by_any(const std::string& id);
  Status remove_locked(const NetworkRef& network);
  Result<std::optional<Network>> existing(const NetworkSpec& spec);
  Result<Network> begin_network(const NetworkSpec& spec);
  Result<Network> create_shared(const NetworkSpec& spec);  // of several hosts
  Status check_shared(const cluster::SharedNetwork& shared);
  Status check_egress_holds(const Network& network) const;
  Status check_routes(const SubnetSpec& spec);
  Status keep_addresses(Network& network);
  Status give_subnets(const NetworkSpec& spec, Network& network, const Driver& driver);
  Result<Subnet> give_subnet(const SubnetSpec& spec, const Network& network,
                             const NetworkTraits& traits, std::span<const Cidr> occupied);
  static std::optional<IpAddress> gateway_of_single_address(const Subnet& subnet,
                                                            const NetworkTraits& traits);
  Status reserve(const Cidr& pool, const IpAddress& address, AddressUse use,
                 const std::string& owner);
  Status build_network(Network& network, Driver& driver);

  ServiceContext& context_;
  Addresses& addresses_;
  Removal& removal_;
  OtherFirewalls& other_firewalls_;
  Surroundings& surroundings_;
};

}  // namespace fairlead::network
