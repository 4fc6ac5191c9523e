// NetworkService over the API: each verb is one request.
#include <fmt/format.h>

#include "plugin-api/client/daemon_api.h"
#include "plugin-api/native/codec.h"

namespace fairlead::client {

namespace {

using network::Attachment;
using network::Endpoint;
using network::EndpointRef;
using network::EndpointSpec;
using network::Expectation;
using network::Network;
using network::NetworkRef;
using network::NetworkSpec;
using network::NetworkUsage;
using network::Placement;
using network::PublishedPort;

constexpr int kCreated = 201;

std::string network_path(const NetworkRef& network) {
  return path_of({"networks", to_string(network)});
}
std::string endpoint_path(const EndpointRef& endpoint) {
  return path_of({"endpoints", to_string(endpoint.network), endpoint.id});
}

tl::unexpected<Error> daemons_own(std::string_view what) {
  return fail(
      Code::kUnsupported,
      "{} is not part of fairleadd's API: Docker's socket and the CNI plugin do it inside of "
      "fairleadd",
      what);
}

Result<Endpoint> decode_one(const json::Json& document) {
  TRY(auto view, native::decode_endpoint(document));
  return std::move(view.endpoint);
}

// What an answer says of the container's side. The links in the host are the daemon's business.
Attachment attachment_of(native::EndpointView view, const network::IntoNetns& into) {
  Attachment made{.endpoint = std::move(view.endpoint), .container_ifname = into.ifname};
  made.container_mac = made.endpoint.mac.value_or(MacAddress());
  made.mtu = view.mtu;
  made.dns = std::move(view.dns);
  made.routes = network::container_routes(made.endpoint);
  return made;
}

class RemoteNetworks : public network::NetworkService {
 public:
  RemoteNetworks(const std::string& socket_path, const ClientOptions& options)
      : api_(socket_path, options) {}

  Result<network::NetworkTraits> traits(const network::NetworkOptions&) override {
    return daemons_own("asking what a kind of network is like");
  }
  Result<Network> create_network(const NetworkSpec& spec) override {
    if (spec.overlay)
      return fail(Code::kUnsupported,
                  "create network {}: the parameters of the tunnel are chosen by fairleadd",
                  spec.name.str());
    TRY(const auto document, api_.post("/v1/networks", native::encode_network_spec(spec)));
    TRY(auto usage, understand(document, native::decode_network));
    return std::move(usage.network);
  }

  // By force: whether Docker made it is asked by programs for people.
  Status remove_network(const NetworkRef& network) override {
    return api_.remove(network_path(network) + "?force=true");
  }

  Result<Network> inspect_network(const NetworkRef& network) override {
    TRY(const auto document, api_.get(network_path(network)));
    TRY(auto usage, understand(document, native::decode_network));
    return std::move(usage.network);
  }

  Result<std::vector<NetworkUsage>> list_networks() override {
    TRY(const auto document, api_.get("/v1/networks"));
    return decode_all(document, "networks", native::decode_network);
  }

  Result<Network> bind_network(const std::string&, const NetworkName&) override {
    return daemons_own("binding a network to a runtime's id");
  }
  Status unbind_network(const std::string&) override {
    return daemons_own("unbinding a network from a runtime's id");
  }
  Result<bool> is_bound(const std::string&) override {
    return daemons_own("asking for a runtime's binding");
  }
  Result<bool> release_network(const std::string&) override {
    return daemons_own("unbinding a network from a runtime's id");
  }
  Status set_dns_servers(const NetworkRef&, const std::vector<IpAddress>&) override {
    return daemons_own("other servers of names for a network");
  }
  Status reserve_addresses(const NetworkRef&, const std::map<std::string, IpAddress>&) override {
    return daemons_own("reserving addresses for a runtime");
  }
  Result<Network> reserve(const NetworkRef& network,
                          const network::Reservation& reservation) override {
    TRY(const auto document, api_.post(network_path(network) + "/reservations",
                                       native::encode_reservation(reservation)));
    TRY(auto usage, understand(document, native::decode_network));
    return std::move(usage.network);
  }
  Result<Network> unreserve(const NetworkRef& network, const IpAddress& address) override {
    TRY(const auto reply, api_.call("DELETE", network_path(network) + "/reservations/" +
                                                  encode_segment(address.to_string())));
    TRY(auto usage, understand(reply.document, native::decode_network));
    return std::move(usage.network);
  }
  Result<std::vector<network::AddressLease>> list_leases(
      const std::optional<NetworkRef>& network) override {
    const std::string only = network ? to_string(*network) : "";
    TRY(const auto document,
        api_.get("/v1/leases" + (only.empty() ? "" : "?network=" + encode_segment(only))));
    return decode_all(document, "leases", native::decode_lease);
  }
  // Unlike other removals this is not silent about what is not there.
  Status release_lease(const IpAddress& address, bool force) override {
    return status_of(api_.call(
        "DELETE", path_of({"leases", address.to_string()}) + (force ? "?force=true" : "")));
  }
  Status check_room(const EndpointSpec&) override {
    return daemons_own("asking whether a network has an address free");
  }
  Result<network::Turn> take_turn(const std::string&) override {
    return daemons_own("taking the turn of an endpoint");
  }
  Result<Endpoint> create_endpoint(const EndpointSpec&) override {
    return daemons_own("making an endpoint without attaching it");
  }
  Result<Attachment> join(const EndpointRef&, const Placement&) override {
    return daemons_own("joining an endpoint that was made before");
  }
  Result<Attachment> give_addresses(const EndpointRef&, const network::GivenAddresses&,
                                    const network::IntoNetns&) override {
    return daemons_own("giving an endpoint addresses after it was attached");
  }
  Status leave(const EndpointRef&) override {
    return daemons_own("leaving a network without removing the endpoint");
  }

  Result<Attachment> attach(const EndpointSpec& spec, const Placement& placement) override {
    const auto* into = std::get_if<network::IntoNetns>(&placement);
    if (into == nullptr || !spec.netns_path)
      return fail(Code::kUnsupported,
                  "attach endpoint {}: over the socket a namespace is named by its path: give "
                  "netns_path, and the name of the interface",
                  spec.id);
    TRY(const auto reply,
        api_.call("POST", "/v1/endpoints", native::encode_attach({spec, into->ifname})));
    if (reply.status != kCreated)
      return fail(Code::kExists, "attach endpoint {}: it is joined already", spec.id);
    TRY(auto view, understand(reply.document, native::decode_endpoint));
    return attachment_of(std::move(view), *into);
  }

  Status remove_endpoint(const EndpointRef& endpoint) override {
    return api_.remove(endpoint_path(endpoint) + "?force=true");
  }

  Result<std::vector<PublishedPort>> publish(const EndpointRef& endpoint,
                                             std::span<const network::PortSpec> ports) override {
    TRY(const auto document,
        api_.post(endpoint_path(endpoint) + "/ports", native::encode_publish(ports)));
    return decode_all(document, "ports", native::decode_port);
  }

  Status unpublish(const EndpointRef& endpoint) override {
    return api_.remove(endpoint_path(endpoint) + "/ports");
  }

  Result<std::vector<PublishedPort>> change_ports(const EndpointRef& endpoint,
                                                  const network::PortChange& change) override {
    TRY(const auto reply,
        api_.call("PATCH", endpoint_path(endpoint) + "/ports", native::encode_port_change(change)));
    return decode_all(reply.document, "ports", native::decode_port);
  }

  Result<Endpoint> inspect_endpoint(const EndpointRef& endpoint) override {
    TRY(const auto document, api_.get(endpoint_path(endpoint)));
    return understand(document, decode_one);
  }

  Result<std::vector<Endpoint>> list_endpoints(const std::optional<NetworkRef>& network) override {
    const std::string only = network ? to_string(*network) : "";
    TRY(const auto document,
        api_.get("/v1/endpoints" + (only.empty() ? "" : "?network=" + encode_segment(only))));
    return decode_all(document, "endpoints", decode_one);
  }

  Result<std::vector<network::PortHolder>> list_ports() override {
    TRY(const auto document, api_.get("/v1/ports"));
    return decode_all(document, "ports", native::decode_port_holder);
  }

  Status check(const EndpointRef& endpoint, const Expectation& expected) override {
    if (expected.netns_fd >= 0)
      return fail(Code::kUnsupported,
                  "check endpoint {}: a descriptor does not pass over the socket", endpoint.id);
    return status_of(
        api_.post(endpoint_path(endpoint) + "/check", native::encode_expectation({expected, {}})));
  }

  Result<std::size_t> collect(const NetworkRef& network, const std::string& runtime,
                              std::span<const network::ValidAttachment> valid) override {
    TRY(const auto document,
        api_.post(network_path(network) + "/collect",
                  native::encode_collect({runtime, {valid.begin(), valid.end()}})));
    return understand(document, native::decode_removed);
  }

  Status set_endpoint_labels(const EndpointRef& endpoint,
                             const std::map<std::string, std::string>& labels) override {
    return status_of(
        api_.call("PUT", endpoint_path(endpoint) + "/labels", native::encode_labels(labels)));
  }
  Result<network::Policy> add_policy(const network::PolicySpec& spec, bool dry_run) override {
    TRY(const auto document, api_.post(dry_run ? "/v1/policies?dry_run=true" : "/v1/policies",
                                       native::encode_policy_spec(spec)));
    return understand(document, native::decode_policy);
  }
  Result<std::vector<network::Policy>> list_policies() override {
    TRY(const auto document, api_.get("/v1/policies"));
    return decode_all(document, "policies", native::decode_policy);
  }
  Result<network::Policy> inspect_policy(const std::string& id) override {
    TRY(const auto document, api_.get(path_of({"policies", id})));
    return understand(document, native::decode_policy);
  }
  Status remove_policy(const std::string& id) override {
    return api_.remove(path_of({"policies", id}));
  }

  Result<network::ServiceStatus> status() override {
    TRY(const auto document, api_.get("/v1/status"));
    return understand(document, native::decode_status);
  }

  // The daemon reconciles networks and volumes together.
  Result<network::ReconcileReport> reconcile() override {
    TRY(const auto document, api_.post("/v1/reconcile"));
    TRY(auto reports, understand(document, native::decode_reconcile));
    return std::move(reports.network);
  }

 private:
  DaemonApi api_;
};

}  // namespace

std::unique_ptr<network::NetworkService> make_remote_network_service(const std::string& socket_path,
                                                                     const ClientOptions& options) {
  return std::make_unique<RemoteNetworks>(socket_path, options);
}

}  // namespace fairlead::client
