// The service as its interfaces show it: each verb is one of a group's.
#include "network/service/addresses.h"
#include "network/service/collector.h"
#include "network/service/endpoints.h"
#include "network/service/networks.h"
#include "network/service/other_firewalls.h"
#include "network/service/pools.h"
#include "network/service/ports.h"
#include "network/service/reconciler.h"
#include "network/service/removal.h"
#include "network/service/service_context.h"
#include "network/service/underlay.h"

namespace fairlead::network {

namespace {

class Service : public CoreNetworkService {
 public:
  explicit Service(ServiceParts parts) : context_(std::move(parts)) {}

  Result<NetworkTraits> traits(const NetworkOptions& options) override {
    return context_.traits(options);
  }
  Result<Network> create_network(const NetworkSpec& spec) override {
    return networks_.create_network(spec);
  }
  Status remove_network(const NetworkRef& network) override {
    return networks_.remove_network(network);
  }
  Result<Network> inspect_network(const NetworkRef& network) override {
    return networks_.inspect_network(network);
  }
  Result<std::vector<NetworkUsage>> list_networks() override { return networks_.list_networks(); }
  Result<Network> bind_network(const std::string& runtime_id, const NetworkName& name) override {
    return networks_.bind_network(runtime_id, name);
  }
  Status unbind_network(const std::string& runtime_id) override {
    return networks_.unbind_network(runtime_id);
  }
  Result<bool> is_bound(const std::string& runtime_id) override {
    return networks_.is_bound(runtime_id);
  }
  Status reserve_addresses(const NetworkRef& network,
                           const std::map<std::string, IpAddress>& addresses) override {
    return pools_.reserve_addresses(network, addresses);
  }
  Result<Turn> take_turn(const std::string& endpoint_id) override {
    return context_.take_turn(endpoint_id);
  }

  Result<Endpoint> create_endpoint(const EndpointSpec& spec) override {
    return endpoints_.create_endpoint(spec);
  }
  Result<Attachment> join(const EndpointRef& endpoint, const Placement& placement) override {
    return endpoints_.join(endpoint, placement);
  }
  Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement) override {
    return endpoints_.attach(spec, placement);
  }
  Status leave(const EndpointRef& endpoint) override { return endpoints_.leave(endpoint); }
  Status remove_endpoint(const EndpointRef& endpoint) override {
    return endpoints_.remove_endpoint(endpoint);
  }
  Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint) override {
    return endpoints_.inspect_endpoint(endpoint);
  }
  Result<std::vector<Endpoint>> list_endpoints(const std::optional<NetworkRef>& network) override {
    return endpoints_.list_endpoints(network);
  }
  Status check(const EndpointRef& endpoint, const Expectation& expected) override {
    return endpoints_.check(endpoint, expected);
  }
  Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                              std::span<const ValidAttachment> valid) override {
    return endpoints_.collect(network, runtime, valid);
  }

  Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                             std::span<const PortSpec> ports) override {
    return ports_.publish(endpoint, ports);
  }
  Status unpublish(const EndpointRef& endpoint) override { return ports_.unpublish(endpoint); }
  Result<std::vector<PortHolder>> list_ports() override { return ports_.list_ports(); }

  Result<ServiceStatus> status() override { return reconciler_.status(); }
  Result<ReconcileReport> reconcile() override { return reconciler_.reconcile(); }
  PoolService& pools() override { return pools_; }
  Mender& mender() override { return reconciler_; }
  cluster::UnderlayGuard& underlay() override { return underlay_; }

 private:
  ServiceContext context_;
  Addresses addresses_{context_};
  Removal removal_{context_, addresses_};
  Collector collector_{context_, addresses_, removal_};
  Ports ports_{context_, removal_, collector_};
  Endpoints endpoints_{context_, addresses_, removal_, collector_};
  Underlay underlay_{context_};
  OtherFirewalls other_firewalls_{context_};
  Networks networks_{context_, addresses_, removal_, other_firewalls_};
  Pools pools_{context_, addresses_, removal_, collector_};
  Reconciler reconciler_{context_, {addresses_, removal_, collector_, underlay_, other_firewalls_}};
};

}  // namespace

std::unique_ptr<CoreNetworkService> make_network_service(ServiceParts parts) {
  return std::make_unique<Service>(std::move(parts));
}

}  // namespace fairlead::network
