// The service as its interfaces show it: each verb is one of a group's.
#include "network/service/addresses.h"
#include "network/service/collector.h"
#include "network/service/endpoints.h"
#include "network/service/explainer.h"
#include "network/service/forwarding.h"
#include "network/service/leases.h"
#include "network/service/names.h"
#include "network/service/networks.h"
#include "network/service/other_firewalls.h"
#include "network/service/policies.h"
#include "network/service/policy_names.h"
#include "network/service/pools.h"
#include "network/service/ports.h"
#include "network/service/reconciler.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"
#include "network/service/surroundings.h"
#include "network/service/underlay.h"

namespace fairlead::network {

namespace {

// The groups of verbs, in the order in which they use each other.
struct Groups {
  ServiceContext context;
  Addresses addresses{context};
  Removal removal{context, addresses};
  Collector collector{context, addresses, removal};
  Leases leases{context, addresses, removal};
  Ports ports{context, removal, collector};
  PolicyNames policy_names{context};
  Policies policies{context, policy_names};
  OtherFirewalls other_firewalls{context};
  Endpoints endpoints{context, addresses, removal, collector, other_firewalls};
  Underlay underlay{context};
  Surroundings surroundings{context};
  Networks networks{context, addresses, removal, other_firewalls, surroundings};
  Names names{context};
  Pools pools{context, addresses, removal, collector};
  Reconciler reconciler{
      context, {addresses, removal, collector, ports, underlay, other_firewalls, surroundings}};
  ServiceExplainer explainer{context, other_firewalls};
};

class Service : public NetworkService {
 public:
  explicit Service(Groups& groups) : groups_(groups) {}

  Result<NetworkTraits> traits(const NetworkOptions& options) override {
    return groups_.context.traits(options);
  }
  Result<Network> create_network(const NetworkSpec& spec) override {
    return shown(groups_.networks.create_network(spec));
  }
  Status remove_network(const NetworkRef& network) override {
    return settled(groups_.networks.remove_network(network));
  }
  Result<Network> inspect_network(const NetworkRef& network) override {
    return shown(groups_.networks.inspect_network(network));
  }
  Result<std::vector<NetworkUsage>> list_networks() override {
    return groups_.networks.list_networks();
  }
  Result<Network> bind_network(const std::string& runtime_id, const NetworkName& name) override {
    return shown(groups_.networks.bind_network(runtime_id, name));
  }
  Status unbind_network(const std::string& runtime_id) override {
    return groups_.networks.unbind_network(runtime_id);
  }
  Result<bool> is_bound(const std::string& runtime_id) override {
    return groups_.networks.is_bound(runtime_id);
  }
  Result<bool> release_network(const std::string& runtime_id) override {
    return groups_.networks.release_network(runtime_id);
  }
  Status set_dns_servers(const NetworkRef& network,
                         const std::vector<IpAddress>& servers) override {
    return groups_.networks.set_dns_servers(network, servers);
  }
  Status reserve_addresses(const NetworkRef& network,
                           const std::map<std::string, IpAddress>& addresses) override {
    return groups_.pools.reserve_addresses(network, addresses);
  }
  Result<Network> reserve(const NetworkRef& network, const Reservation& reservation) override {
    return shown(groups_.leases.reserve(network, reservation));
  }
  Result<Network> unreserve(const NetworkRef& network, const IpAddress& address) override {
    return shown(groups_.leases.unreserve(network, address));
  }
  Result<std::vector<AddressLease>> list_leases(const std::optional<NetworkRef>& network) override {
    return groups_.leases.list(network);
  }
  Status release_lease(const IpAddress& address, bool force) override {
    return groups_.leases.release(address, force);
  }
  Status check_room(const EndpointSpec& spec) override { return groups_.leases.check_room(spec); }
  Result<Turn> take_turn(const std::string& endpoint_id) override {
    return groups_.context.take_turn(endpoint_id);
  }

  Result<Endpoint> create_endpoint(const EndpointSpec& spec) override {
    return settled(groups_.endpoints.create_endpoint(spec));
  }
  Result<Attachment> join(const EndpointRef& endpoint, const Placement& placement) override {
    return settled(groups_.endpoints.join(endpoint, placement));
  }
  Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement) override {
    return settled(groups_.endpoints.attach(spec, placement));
  }
  Result<Attachment> give_addresses(const EndpointRef& endpoint, const GivenAddresses& given,
                                    const IntoNetns& inside) override {
    return settled(groups_.endpoints.give_addresses(endpoint, given, inside));
  }
  Status leave(const EndpointRef& endpoint) override {
    return settled(groups_.endpoints.leave(endpoint));
  }
  Status remove_endpoint(const EndpointRef& endpoint) override {
    return settled(groups_.endpoints.remove_endpoint(endpoint));
  }
  Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint) override {
    return groups_.endpoints.inspect_endpoint(endpoint);
  }
  Result<std::vector<Endpoint>> list_endpoints(const std::optional<NetworkRef>& network) override {
    return groups_.endpoints.list_endpoints(network);
  }
  Status check(const EndpointRef& endpoint, const Expectation& expected) override {
    return groups_.endpoints.check(endpoint, expected);
  }
  Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                              std::span<const ValidAttachment> valid) override {
    return settled(groups_.endpoints.collect(network, runtime, valid));
  }

  Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                             std::span<const PortSpec> ports) override {
    return settled(groups_.ports.publish(endpoint, ports));
  }
  Status unpublish(const EndpointRef& endpoint) override {
    return settled(groups_.ports.unpublish(endpoint));
  }
  Result<std::vector<PublishedPort>> change_ports(const EndpointRef& endpoint,
                                                  const PortChange& change) override {
    return settled(groups_.ports.change_ports(endpoint, change));
  }
  Result<std::vector<PortHolder>> list_ports() override { return groups_.ports.list_ports(); }

  Status set_endpoint_labels(const EndpointRef& endpoint,
                             const std::map<std::string, std::string>& labels) override {
    return groups_.policies.set_endpoint_labels(endpoint, labels);
  }
  Result<Policy> add_policy(const PolicySpec& spec, bool dry_run) override {
    return groups_.policies.add_policy(spec, dry_run);
  }
  Result<std::vector<Policy>> list_policies() override { return groups_.policies.list_policies(); }
  Result<Policy> inspect_policy(const std::string& id) override {
    return groups_.policies.inspect_policy(id);
  }
  Status remove_policy(const std::string& id) override {
    return groups_.policies.remove_policy(id);
  }

  Result<ServiceStatus> status() override { return groups_.reconciler.status(); }
  Result<ReconcileReport> reconcile() override {
    auto report = settled(groups_.reconciler.reconcile());
    if (!report || groups_.context.parts.names_are_kept) return report;
    const auto unknown = groups_.policy_names.refresh();
    if (!unknown) report->failures.push_back(unknown.error().text);
    if (unknown) report->failures.insert(report->failures.end(), unknown->begin(), unknown->end());
    return report;
  }

 private:
  // After a verb that may have given up ports, when it has released its locks.
  template <class T>
  T settled(T result) {
    groups_.ports.let_heirs_take_over();
    return result;
  }

  Result<Network> shown(Result<Network> network) {
    if (network) groups_.context.add_name_servers(*network);
    return network;
  }

  Groups& groups_;
};

class Core : public CoreNetworkService {
 public:
  explicit Core(ServiceParts parts) : groups_{.context = ServiceContext(std::move(parts))} {}

  NetworkService& networks() override { return service_; }
  PoolService& pools() override { return groups_.pools; }
  NameService& names() override { return groups_.names; }
  Mender& mender() override { return groups_.reconciler; }
  Explainer& explainer() override { return groups_.explainer; }
  cluster::UnderlayGuard& underlay() override { return groups_.underlay; }
  Status before_forwarding(Family family) override {
    return hold_strangers(groups_.context, family);
  }
  Status refresh_names() override { return status_of(groups_.policy_names.refresh()); }

 private:
  Groups groups_;
  Service service_{groups_};
};

}  // namespace

std::unique_ptr<CoreNetworkService> make_network_service(ServiceParts parts) {
  return std::make_unique<Core>(std::move(parts));
}

}  // namespace fairlead::network
