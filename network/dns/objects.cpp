// What of networks and endpoints is a zone and a host.
#include <algorithm>
#include <cctype>

#include "network/dns/directory.h"

namespace fairlead::dns {

namespace {

using network::Endpoint;
using network::Network;

template <class T>
void add_once(std::vector<T>& all, const T& each) {
  if (std::ranges::find(all, each) == all.end()) all.push_back(each);
}

void add(std::vector<std::string>& names, const std::string& name) {
  if (!name.empty()) add_once(names, name);
}

bool is_hex_id(const std::string& id) {
  constexpr std::size_t kLeast = 32;
  return id.size() >= kLeast &&
         std::ranges::all_of(id, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

// A pod is called "namespace/pod": by its name within the namespace, and by both as Kubernetes orders them.
void add_name(std::vector<std::string>& names, const std::string& name) {
  const auto slash = name.find('/');
  if (slash == name.npos) return add(names, name);
  const std::string space = name.substr(0, slash), pod = name.substr(slash + 1);
  add(names, pod);
  add(names, pod + "." + space);
}

// `docker compose run` makes one container more, which does not do the service's work: for Docker's own server it has not the
// service's name either.
bool is_one_off(const network::ContainerNames& names) {
  const auto label = names.labels.find("com.docker.compose.oneoff");
  return label != names.labels.end() && label->second == "True";
}

// "cni" of "cni:shop": CNI's containers on networks that others have made are told apart by their configuration.
std::string_view family_of(std::string_view runtime) {
  return runtime.substr(0, runtime.find(':'));
}

// Clients of containerd tell CNI their namespace and the id: of `ctr run IMAGE web` it is "default-web".
std::vector<std::string> ids_of(const Endpoint& endpoint) {
  constexpr std::string_view kNamespace = "default-";
  const std::string& id = endpoint.container;
  if (family_of(endpoint.runtime) != "cni" || !id.starts_with(kNamespace)) return {id};
  return {id.substr(kNamespace.size()), id};
}

std::vector<std::string> names_of(const Endpoint& endpoint) {
  constexpr std::size_t kShortId = 12;
  std::vector<std::string> names;
  add_name(names, endpoint.names.name);
  if (!is_one_off(endpoint.names)) add(names, endpoint.names.service);
  for (const std::string& alias : endpoint.aliases) add(names, alias);
  for (const std::string& alias : endpoint.names.aliases) add(names, alias);
  add(names, endpoint.names.hostname);
  for (const std::string& id : ids_of(endpoint))
    add(names, is_hex_id(id) ? id.substr(0, kShortId) : id);
  return names;
}

std::string owner_of(const Endpoint& endpoint) {
  if (endpoint.container.empty()) return endpoint.id;
  return fmt::format("{}/{}", family_of(endpoint.runtime), endpoint.container);
}

}  // namespace

Zone zone_of(const Network& network) {
  Zone zone{.network = network.id,
            .domain = network.options.dns_domain,
            .servers = network.options.dns_servers,
            .internal = network.internal,
            .answers = network.options.dns};
  add(zone.names, title_of(network));
  add(zone.names, network.name.str());
  for (const network::RuntimeNetwork& runtime : network.runtimes) add(zone.names, runtime.name);
  for (const network::Subnet& subnet : network.subnets)
    zone.subnets.push_back(subnet.subnet.network());
  zone.gateways = network.name_servers;
  return zone;
}

bool is_host(const Endpoint& endpoint) {
  return endpoint.phase == network::Phase::kReady && endpoint.joined;
}

Host host_of(const Endpoint& endpoint) {
  Host host{.network = endpoint.network_id,
            .endpoint = endpoint.id,
            .owner = owner_of(endpoint),
            .names = names_of(endpoint),
            .ports = endpoint.ports,
            .servers = endpoint.names.dns_servers};
  for (const Cidr& address : endpoint.addresses) host.addresses.push_back(address.address());
  host.ports.insert(host.ports.end(), endpoint.standby_ports.begin(), endpoint.standby_ports.end());
  return host;
}

}  // namespace fairlead::dns
