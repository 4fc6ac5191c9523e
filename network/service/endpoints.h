// Endpoints: creating, attaching, joining, leaving, removing, checking and collecting them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "network/service/addresses.h"
#include "network/service/collector.h"
#include "network/service/other_firewalls.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"

namespace fairlead::network {

class Endpoints {
 public:
  Endpoints(ServiceContext& context, Addresses& addresses, Removal& removal, Collector& collector,
            OtherFirewalls& other_firewalls)
      : context_(context),
        addresses_(addresses),
        removal_(removal),
        collector_(collector),
        other_firewalls_(other_firewalls) {}

  // As NetworkService has them.
  Result<Endpoint> create_endpoint(const EndpointSpec& spec);
  Result<Attachment> join(const EndpointRef& endpoint, const Placement& placement);
  Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement);
  Result<Attachment> give_addresses(const EndpointRef& endpoint, const GivenAddresses& given,
                                    const IntoNetns& inside);
  Status leave(const EndpointRef& endpoint);
  Status remove_endpoint(const EndpointRef& endpoint);
  Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint);
  Result<std::vector<Endpoint>> list_endpoints(const std::optional<NetworkRef>& network);
  Status check(const EndpointRef& endpoint, const Expectation& expected);
  Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                              std::span<const ValidAttachment> valid);

 private:
  Attachment with_names(const Network& network, Attachment attachment) const;
  Status clear_leftover(LockedNetwork& held, const std::string& id);
  Result<Attachment> answer_again(LockedNetwork& held, const EndpointSpec& spec,
                                  const Placement& placement, const Error& refusal);
  Result<Endpoint> reserve_endpoint(LockedNetwork& held, const EndpointSpec& spec,
                                    const Placement* placement);
  Result<Endpoint> try_reserve(LockedNetwork& held, const EndpointSpec& spec,
                               std::span<const PortSpec> ports, const Placement* placement);
  Result<Endpoint> draft(const LockedNetwork& held, const EndpointSpec& spec) const;
  Status lease(const LockedNetwork& held, const EndpointSpec& spec, Endpoint& endpoint,
               unsigned attempt, state::Txn& txn);
  Result<Endpoint> take_given(LockedNetwork& held, const Endpoint& before,
                              const GivenAddresses& given, std::span<const PortSpec> ports);
  // After a failure: addresses and ports are given back, and the record is deleted.
  void undo_reservation(LockedNetwork& held, const Endpoint& endpoint);
  void tell_attached(const Network& network, const Endpoint& endpoint);
  Result<Attachment> connect(LockedNetwork& held, Endpoint endpoint, const Placement& placement);

  ServiceContext& context_;
  Addresses& addresses_;
  Removal& removal_;
  Collector& collector_;
  OtherFirewalls& other_firewalls_;
};

}  // namespace fairlead::network
