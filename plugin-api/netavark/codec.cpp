#include "plugin-api/netavark/codec.h"

#include <algorithm>
#include <tuple>

#include "base/hash.h"
#include "base/json/fields.h"

namespace fairlead::netavark {

namespace {

using json::defaulted;
using json::Json;
using json::required;

// A container has no more, and more than this in one document is an attack.
constexpr std::size_t kMostConnections = 1024;
constexpr std::size_t kLongestText = 2048;
constexpr json::Range kPorts{0, 65535};

// ---- tables

struct LeaseRange {
  std::optional<IpAddress> start, end;
};
constexpr auto kLeaseRange =
    json::fields(defaulted<&LeaseRange::start>("start_ip"), defaulted<&LeaseRange::end>("end_ip"));

struct WrittenSubnet {
  Cidr subnet;
  std::optional<IpAddress> gateway;
  std::optional<LeaseRange> range;
};
constexpr auto kSubnet = json::fields(
    required<&WrittenSubnet::subnet>("subnet"), defaulted<&WrittenSubnet::gateway>("gateway"),
    defaulted<&WrittenSubnet::range>("lease_range", json::object(kLeaseRange)));

constexpr auto kRoute = json::fields(
    required<&Route::destination>("destination"), defaulted<&Route::gateway>("gateway"),
    defaulted<&Route::metric>("metric"), defaulted<&Route::type>("route_type"));

struct WrittenNetwork {
  Network network;
  std::vector<WrittenSubnet> subnets;
};
constexpr auto kNetwork = json::fields(
    required<&WrittenNetwork::network, &Network::name>("name"),
    required<&WrittenNetwork::network, &Network::id>("id"),
    defaulted<&WrittenNetwork::network, &Network::driver>("driver"),
    defaulted<&WrittenNetwork::network, &Network::interface>("network_interface"),
    defaulted<&WrittenNetwork::subnets>("subnets", json::object(kSubnet)),
    defaulted<&WrittenNetwork::network, &Network::routes>("routes", json::object(kRoute)),
    defaulted<&WrittenNetwork::network, &Network::ipv6>("ipv6_enabled"),
    defaulted<&WrittenNetwork::network, &Network::internal>("internal"),
    defaulted<&WrittenNetwork::network, &Network::dns>("dns_enabled"),
    defaulted<&WrittenNetwork::network, &Network::dns_servers>("network_dns_servers"),
    defaulted<&WrittenNetwork::network, &Network::labels>("labels"),
    defaulted<&WrittenNetwork::network, &Network::options>("options"),
    defaulted<&WrittenNetwork::network, &Network::ipam_options>("ipam_options"));

constexpr auto kPortMapping = json::fields(
    defaulted<&PortMapping::host_ip>("host_ip"),
    defaulted<&PortMapping::host_port>("host_port", kPorts),
    required<&PortMapping::container_port>("container_port", kPorts),
    defaulted<&PortMapping::range>("range", kPorts), defaulted<&PortMapping::protocol>("protocol"));

constexpr auto kContainerOptions =
    json::fields(defaulted<&ContainerOptions::network>("name"),
                 defaulted<&ContainerOptions::static_ips>("static_ips"),
                 defaulted<&ContainerOptions::static_mac>("static_mac"),
                 defaulted<&ContainerOptions::aliases>("aliases"),
                 required<&ContainerOptions::interface>("interface_name"),
                 defaulted<&ContainerOptions::options>("options"));

constexpr auto kContainer = json::fields(
    required<&Container::id>("container_id"), defaulted<&Container::name>("container_name"),
    defaulted<&Container::hostname>("container_hostname"),
    defaulted<&Container::ports>("port_mappings", json::object(kPortMapping)),
    defaulted<&Container::dns_servers>("dns_servers"));

struct Used {
  std::vector<std::string> interfaces;
  std::map<std::string, std::string> names;
  std::vector<Cidr> subnets;
};
constexpr auto kUsed =
    json::fields(defaulted<&Used::interfaces>("interfaces"), defaulted<&Used::names>("names"),
                 defaulted<&Used::subnets>("subnets"));

constexpr auto kPool = json::fields(required<&Creation::Pool::base>("base"),
                                    defaulted<&Creation::Pool::size>("size", json::Range{1, 128}));
struct CreateOptions {
  std::vector<Creation::Pool> pools;
  std::string default_interface;
};
constexpr auto kCreateOptions =
    json::fields(defaulted<&CreateOptions::pools>("subnet_pools", json::object(kPool)),
                 defaulted<&CreateOptions::default_interface>("default_interface_name"));

// ---- parts

bool is_id(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Subnet subnet_of(const WrittenSubnet& written) {
  Subnet subnet{.subnet = written.subnet.network(), .gateway = written.gateway};
  if (written.range) {
    subnet.start = written.range->start;
    subnet.end = written.range->end;
  }
  return subnet;
}

Result<Network> read_network(const json::Object& section) {
  TRY(WrittenNetwork written, json::read(json::Slot(section, {}), kNetwork));
  Network network = std::move(written.network);
  std::ranges::transform(written.subnets, std::back_inserter(network.subnets), subnet_of);
  TRY_STATUS(status_of(NetworkName::parse(network.name)));
  if (!is_id(network.id))
    return fail(Code::kInvalid, "the id of network {} must be 64 lower-case hex digits",
                network.name);
  return network;
}

Result<ContainerOptions> read_options(const json::Object& section) {
  TRY(auto options, json::read(json::Slot(section, {}), kContainerOptions));
  TRY_STATUS(status_of(IfName::parse(options.interface)));
  return options;
}

Result<Connection> read_connection(const json::Object& network, const json::Object& options) {
  Connection connection{.network_document = network.raw(), .options_document = options.raw()};
  TRY(connection.network, read_network(network));
  TRY(connection.options, read_options(options));
  return connection;
}

// ---- netavark's own documents

// Their order is that of the interfaces: eth0, eth1, ..., eth10, and those that the user has named. Podman 5
// wrote a map of no order, and the first one's gateway is the container's way out.
bool is_before(const Connection& one, const Connection& other) {
  const auto key = [](const Connection& connection) {
    const std::string& name = connection.options.interface;
    return std::tuple(!name.starts_with("eth"), name.size(), name);
  };
  return key(one) < key(other);
}

Result<Connection> connection_to(const std::string& name, const json::Object& options,
                                 const json::Object& networks) {
  TRY(const auto network, networks.object_or_none(name));
  if (!network)
    return fail(Code::kInvalid, "network_info says nothing of network {}", name.substr(0, 128));
  TRY(auto connection, read_connection(*network, options));
  connection.options.network = name;
  return connection;
}

Result<std::vector<Connection>> read_map(const json::Object& map, const json::Object& networks) {
  std::vector<Connection> all;
  for (const Json::Member& member : map.raw().members()) {
    TRY(const auto options, json::Object::of(member.value, map.path_of(member.key)));
    TRY(auto connection, connection_to(member.key, options, networks));
    all.push_back(std::move(connection));
  }
  std::ranges::stable_sort(all, is_before);
  return all;
}

Result<std::vector<Connection>> read_array(const json::Object& document,
                                           const json::Object& networks) {
  std::vector<Connection> all;
  TRY(const auto elements, document.objects_or_empty("networks"));
  for (const json::Object& options : elements) {
    TRY(const std::string name, options.string("name"));
    TRY(auto connection, connection_to(name, options, networks));
    all.push_back(std::move(connection));
  }
  return all;
}

Result<std::vector<Connection>> read_all(const json::Object& document) {
  const Json* networks = document.find("networks");
  if (networks == nullptr || networks->empty()) return std::vector<Connection>();
  if (networks->size() > kMostConnections)
    return fail(Code::kInvalid, "{} networks are too many for one container", networks->size());
  TRY(const auto infos, document.object("network_info"));
  if (networks->is_array()) return read_array(document, infos);
  TRY(const auto map, document.object("networks"));
  return read_map(map, infos);
}

Status refuse_two_of_a_name(const std::vector<Connection>& all) {
  for (auto one = all.begin(); one != all.end(); ++one)
    for (auto other = all.begin(); other != one; ++other)
      if (one->options.interface == other->options.interface)
        return fail(Code::kInvalid, "two interfaces of the container are to be called {}",
                    one->options.interface);
  return {};
}

Json texts(const std::vector<std::string>& list) { return Json(list); }

}  // namespace

Result<Connections> decode_connections(std::string_view input) {
  TRY(const Json parsed, json::parse(input));
  TRY(const auto document, json::Object::of(parsed));
  Connections connections;
  TRY(connections.container, json::read(json::Slot(document, {}), kContainer));
  TRY_STATUS(status_of(ContainerId::parse(connections.container.id)));
  if (const Json* ports = document.find("port_mappings")) connections.ports_document = *ports;
  connections.digest = hash_hex(json::dump(parsed), 32);
  TRY(const auto network, document.object_or_none("network"));
  connections.drop_in = !network;
  if (connections.drop_in) {
    TRY(connections.all, read_all(document));
    TRY_STATUS(refuse_two_of_a_name(connections.all));
    return connections;
  }
  TRY(const auto options, document.object("network_options"));
  TRY(auto connection, read_connection(*network, options));
  connection.options.network = connection.network.name;
  connections.all.push_back(std::move(connection));
  return connections;
}

Result<Creation> decode_creation(std::string_view input) {
  TRY(const Json parsed, json::parse(input));
  TRY(const auto document, json::Object::of(parsed));
  Creation creation;
  TRY(const auto nested, document.object_or_none("network"));
  creation.drop_in = nested.has_value();
  creation.document = nested ? nested->raw() : parsed;
  TRY(creation.network, read_network(nested ? *nested : document));
  if (!nested) return creation;
  TRY(const auto used, document.object_or_none("used"));
  if (used) {
    TRY(auto read, json::read(json::Slot(*used, {}), kUsed));
    creation.used_interfaces = std::move(read.interfaces);
    creation.used_names = std::move(read.names);
    creation.used_subnets = std::move(read.subnets);
  }
  TRY(const auto options, document.object_or_none("options"));
  if (!options) return creation;
  TRY(auto read, json::read(json::Slot(*options, {}), kCreateOptions));
  creation.pools = std::move(read.pools);
  if (!read.default_interface.empty())
    creation.default_interface = std::move(read.default_interface);
  return creation;
}

json::Json encode_status(const network::Attachment& attachment) {
  Json subnets = Json::array();
  for (const Cidr& address : attachment.endpoint.addresses) {
    Json subnet{{"ipnet", address.to_string()}};
    if (const auto gateway = network::gateway_for(attachment.endpoint, address))
      subnet["gateway"] = gateway->to_string();
    subnets.push_back(std::move(subnet));
  }
  Json interface {
    { "mac_address", attachment.container_mac.to_string() }
  };
  interface["subnets"] = std::move(subnets);
  Json interfaces = Json::object();
  interfaces[attachment.container_ifname.str()] = std::move(interface);
  Json status{{"interfaces", std::move(interfaces)}};
  const network::Dns& dns = attachment.dns;
  if (dns.nameservers.empty()) return status;
  status["dns_server_ips"] = texts(dns.nameservers);
  std::vector<std::string> search = dns.search;
  if (search.empty() && !dns.domain.empty()) search.push_back(dns.domain);
  if (!search.empty()) status["dns_search_domains"] = texts(search);
  return status;
}

std::string encode_failure(const Error& error) {
  std::string text = error.text;
  if (text.size() > kLongestText) text = text.substr(0, kLongestText) + "...";
  return json::dump({{"error", text}}) + "\n";
}

json::Json encode_subnet(const Subnet& subnet) {
  Json object{{"subnet", subnet.subnet.to_string()}};
  if (subnet.gateway) object["gateway"] = subnet.gateway->to_string();
  if (!subnet.start && !subnet.end) return object;
  Json range = Json::object();
  if (subnet.start) range["start_ip"] = subnet.start->to_string();
  if (subnet.end) range["end_ip"] = subnet.end->to_string();
  object["lease_range"] = std::move(range);
  return object;
}

}  // namespace fairlead::netavark
