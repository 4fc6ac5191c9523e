// Pools and addresses for runtimes that request them (Docker's IpamDriver).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "network/service/addresses.h"
#include "network/service/collector.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class Pools : public PoolService {
 public:
  Pools(ServiceContext& context, Addresses& addresses, Removal& removal, Collector& collector)
      : context_(context), addresses_(addresses), removal_(removal), collector_(collector) {}

  Result<Pool> request_pool(const PoolRequest& request) override;
  Status release_pool(const std::string& pool_id) override;
  Result<Cidr> request_address(const std::string& pool_id, std::optional<IpAddress> wanted,
                               AddressUse use) override;
  Status release_address(const std::string& pool_id, const IpAddress& address) override;
  // As NetworkService has it.
  Status reserve_addresses(const NetworkRef& network,
                           const std::map<std::string, IpAddress>& addresses);

 private:
  Result<Pool> request_shared_pool(const PoolRequest& request);
  Result<Cidr> request_for_container(const PoolRecord& pool, std::optional<IpAddress> wanted,
                                     AddressUse use);
  Result<Cidr> allocate_in(const Network& network, const Cidr& pool, const AddressRequest& request);
  Result<PoolRecord> pool_with(const PoolRecord& named, const IpAddress& address);
  Cidr as_placed(const Network& network, const Cidr& address) const;
  Status release_lease(const PoolRecord& pool, const IpAddress& address);
  Result<bool> is_kept(const PoolRecord& pool, const LeaseRecord& lease);

  ServiceContext& context_;
  Addresses& addresses_;
  Removal& removal_;
  Collector& collector_;
};

}  // namespace fairlead::network
