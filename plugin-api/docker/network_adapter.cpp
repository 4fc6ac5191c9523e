#include "plugin-api/docker/network_adapter.h"

#include <algorithm>
#include <array>

#include "network/api/options.h"
#include "plugin-api/docker/network_binding.h"

namespace fairlead::docker {

namespace {

constexpr std::size_t kShortId = 12;

network::EndpointRef ref_of(const EndpointRequest& request) {
  return {network::RuntimeNetworkId{request.network_id}, request.endpoint_id};
}

// A delete succeeds for unknown objects.
Status or_gone(Status status) {
  if (!status && status.error().code == Code::kNotFound) return {};
  return status;
}

Result<std::vector<network::SubnetSpec>> subnets_of(const CreateNetworkRequest& request) {
  std::vector<network::SubnetSpec> subnets;
  for (const IpamData& pool : request.pools)
    subnets.push_back({.family = pool.subnet->family(),
                       .subnet = pool.subnet,
                       .range = std::nullopt,
                       .gateway = pool.gateway,
                       .aux = pool.aux});
  if (!subnets.empty() || request.ipv4) return subnets;
  if (!request.ipv6)
    return fail(Code::kInvalid,
                "a network needs IPv4 or IPv6; leave out --ipv4=false or add --ipv6");
  subnets.push_back({.family = Family::kV6, .subnet = {}, .range = {}, .gateway = {}, .aux = {}});
  return subnets;
}

// dockerd itself reads these options since 28.0. Earlier ones ask for addresses as the flags say.
Status check_families(const CreateNetworkRequest& request, const network::NetworkOptions& options) {
  if (options.enable_ipv6 == true && !request.ipv6)
    return fail(Code::kUnsupported,
                "this Docker gives a plugin IPv6 only when it is asked with --ipv6 (in a compose "
                "file: enable_ipv6: true beside driver_opts); leave out the option enable_ipv6");
  if (options.enable_ipv4 == false && request.ipv4)
    return fail(
        Code::kUnsupported,
        "this Docker gives a plugin IPv4 unless it is asked with --ipv4=false, which Docker "
        "28 has; leave out the option enable_ipv4");
  return {};
}

Result<network::NetworkSpec> spec_of(const CreateNetworkRequest& request,
                                     const network::NetworkOptions& options) {
  network::NetworkSpec spec{.name = {}, .id = request.network_id, .options = options};
  TRY_STATUS(check_families(request, options));
  spec.options.enable_ipv4.reset();
  spec.options.enable_ipv6.reset();
  TRY(spec.name, NetworkName::parse("docker-" + request.network_id.substr(0, kShortId)));
  TRY(spec.address_source, address_source_of(request));
  TRY(spec.subnets, subnets_of(request));
  spec.ipv6 = request.ipv6;
  spec.internal = request.internal;
  return spec;
}

// The options of a single endpoint (docker network connect --driver-opt).
Result<std::optional<network::Rates>> rates_of(const std::map<std::string, std::string>& options) {
  constexpr std::array<std::string_view, 2> known{"rate_in", "rate_out"};
  for (const auto& [key, value] : options) {
    if (std::ranges::find(known, key) != known.end()) continue;
    if (key == "com.docker.network.endpoint.ifname")
      return fail(Code::kUnsupported,
                  "option \"{}\": Docker takes from a plugin the beginning of an interface's name "
                  "only, and adds a number; use -o ifname_prefix={} when the network is created",
                  key, value.substr(0, value.find_last_not_of("0123456789") + 1));
    const std::string closest = closest_word(key, known.data(), known.size());
    return fail(Code::kInvalid, "unknown endpoint option \"{}\"; {}", key,
                closest.empty() ? "known are rate_in, rate_out"
                                : fmt::format("did you mean \"{}\"?", closest));
  }
  if (options.empty()) return std::optional<network::Rates>();
  TRY(const auto parsed, network::parse_options(options));
  return std::optional<network::Rates>(parsed.rates);
}

// The gateway in the address's own subnet, when a network has several subnets of one family.
std::optional<IpAddress> gateway_of(const network::Endpoint& endpoint, Family family) {
  const auto address = std::ranges::find(endpoint.addresses, family, &Cidr::family);
  if (address == endpoint.addresses.end()) return std::nullopt;
  return network::gateway_for(endpoint, *address);
}

bool is_default(const network::Route& route) { return route.destination.prefix_length() == 0; }

// The first `docker network create` on this host brings the shared network here, and the first in
// the cluster creates it: another host may have done so since it was not found.
Result<bool> make_shared(network::NetworkService& networks, const CreateNetworkRequest& request,
                         network::NetworkOptions options) {
  const NetworkName name = *options.join;
  const auto present = networks.inspect_network(name);
  if (present) return false;
  if (present.error().code != Code::kNotFound) return fail(present.error());
  options.join.reset();
  TRY(auto spec, spec_of(request, options));
  spec.name = name;
  spec.id.clear();
  spec.labels[network::kMadeForLabel] = "docker";
  const auto created = networks.create_network(spec);
  if (created) return true;
  if (networks.inspect_network(name)) return false;
  return fail(created.error());
}

// Reserves the addresses of --aux-address, which a network that Docker only binds did not get when
// it was created.
Status reserve_aux(network::NetworkService& networks, const CreateNetworkRequest& request) {
  std::map<std::string, IpAddress> aux;
  for (const IpamData& pool : request.pools) aux.insert(pool.aux.begin(), pool.aux.end());
  if (aux.empty()) return {};
  Status reserved = networks.reserve_addresses(network::RuntimeNetworkId{request.network_id}, aux);
  if (!reserved) (void)networks.unbind_network(request.network_id);
  return reserved;
}

Status join_shared(network::NetworkService& networks, const CreateNetworkRequest& request,
                   const network::NetworkOptions& options) {
  if (!options.join)
    return fail(
        Code::kInvalid,
        "Docker tells plugins no names, and a network over several hosts needs one that all "
        "of them know; this works: docker network create -d fairlead --ipam-driver fairlead "
        "--ipam-opt network=NAME -o mode=overlay -o network=NAME NAME");
  TRY(const bool made, make_shared(networks, request, options));
  Status bound = bind_to_existing(networks, request, options);
  if (!bound && made) (void)networks.remove_network(*options.join);
  return bound;
}

}  // namespace

Status NetworkAdapter::create_network(const CreateNetworkRequest& request) {
  TRY(const auto options, network::parse_options(request.options));
  TRY(const auto traits, networks_.traits(options));
  const bool shared = traits.scope == network::NetworkTraits::Scope::kCluster;
  if (shared || options.join) {
    TRY_STATUS(shared ? join_shared(networks_, request, options)
                      : bind_to_existing(networks_, request, options));
    return reserve_aux(networks_, request);
  }
  TRY(const auto spec, spec_of(request, options));
  if (auto created = networks_.create_network(spec); !created)
    return fail(explained(networks_, request, std::move(created).error()));
  return {};
}

Status NetworkAdapter::delete_network(const NetworkRequest& request) {
  TRY(const bool bound, networks_.is_bound(request.network_id));
  if (bound) return networks_.unbind_network(request.network_id);
  return or_gone(networks_.remove_network(network::RuntimeNetworkId{request.network_id}));
}

Result<CreatedInterface> NetworkAdapter::create_endpoint(const CreateEndpointRequest& request) {
  const bool docker_decides = !request.addresses.empty();
  network::EndpointSpec spec{.network = network::RuntimeNetworkId{request.network_id},
                             .id = request.endpoint_id,
                             .runtime = "docker",
                             .addresses = request.addresses,
                             .address_source = docker_decides ? network::AddressSource::kRuntime
                                                              : network::AddressSource::kFairlead,
                             .mac = request.mac};
  TRY(spec.rates, rates_of(request.options));
  TRY(const auto endpoint, networks_.create_endpoint(spec));
  CreatedInterface created;
  if (!docker_decides) created.addresses = endpoint.addresses;
  if (!request.mac) created.mac = endpoint.mac;
  return created;
}

Status NetworkAdapter::delete_endpoint(const EndpointRequest& request) {
  return or_gone(networks_.remove_endpoint(ref_of(request)));
}

Result<Joined> NetworkAdapter::join(const EndpointRequest& request) {
  TRY(const auto attachment,
      networks_.join(ref_of(request), network::LeaveInHost{request.sandbox}));
  Joined joined{.source_name = attachment.container_ifname.str(),
                .destination_prefix = attachment.ifname_prefix};
  for (const Family family : {Family::kV4, Family::kV6})
    if (const auto gateway = gateway_of(attachment.endpoint, family))
      joined.gateways.push_back(*gateway);
  std::ranges::copy_if(attachment.routes, std::back_inserter(joined.routes),
                       [](const network::Route& route) { return !is_default(route); });
  joined.disable_gateway_service = joined.gateways.empty();
  return joined;
}

Status NetworkAdapter::leave(const EndpointRequest& request) {
  return or_gone(networks_.leave(ref_of(request)));
}

Status NetworkAdapter::program(const PortsRequest& request) {
  const network::EndpointRef endpoint{network::RuntimeNetworkId{request.network_id},
                                      request.endpoint_id};
  TRY_STATUS(networks_.publish(endpoint, request.ports));
  return {};
}

Status NetworkAdapter::revoke(const EndpointRequest& request) {
  return or_gone(networks_.unpublish(ref_of(request)));
}

Result<OperationalInfo> NetworkAdapter::operational_info(const EndpointRequest& request) {
  TRY(const auto endpoint, networks_.inspect_endpoint(ref_of(request)));
  OperationalInfo info{.addresses = {}, .ports = endpoint.ports};
  for (const Cidr& address : endpoint.addresses) info.addresses.push_back(address.address());
  return info;
}

}  // namespace fairlead::docker
