#include "network/service/records.h"

#include "base/json/fields.h"
#include "network/api/options.h"

namespace fairlead::network {

using json::defaulted;
using json::fields;
using json::Json;
using json::object;
using json::one_of;
using json::Range;
using json::required;
using json::Slot;
using json::sparse;
using json::text;

namespace {

// ---- forms

Result<NetworkOptions> read_options(const Slot& slot) {
  TRY(const auto options, json::texts_by_name(slot));
  return stored_options(options);
}
Json write_options(const NetworkOptions& options) { return to_map(options); }

// Whether they are the runtime's, or "plugin".
Result<AddressSource> read_runtime_addresses(const Slot& slot) {
  if (slot.value().is_string() && slot.value().string() == to_string(AddressSource::kPlugin))
    return AddressSource::kPlugin;
  if (!slot.value().is_boolean()) return slot.wrong("true, false or \"plugin\"");
  return slot.value().boolean() ? AddressSource::kRuntime : AddressSource::kFairlead;
}
Json write_runtime_addresses(const AddressSource& source) {
  if (source == AddressSource::kPlugin) return to_string(source);
  return source == AddressSource::kRuntime;
}

constexpr auto kOptions = json::custom<&read_options, &write_options>();
constexpr auto kRuntimeAddresses =
    json::custom<&read_runtime_addresses, &write_runtime_addresses>();
constexpr auto kPhase = one_of<Phase::kCreating, Phase::kReady, Phase::kDeleting>();
constexpr Range kMtu{0, 65535};

// ---- the fields of each record

constexpr auto kLinks =
    fields(sparse<&DriverRecord::shown>("shown"), sparse<&DriverRecord::kept>("kept"));

constexpr auto kSubnet =
    fields(required<&Subnet::subnet>("subnet"), defaulted<&Subnet::pool_id>("pool"),
           sparse<&Subnet::gateway>("gateway"), sparse<&Subnet::range>("range"),
           sparse<&Subnet::aux>("aux"));

constexpr auto kOverlay = fields(required<&OverlayParams::vni>("vni", Range{1, (1 << 24) - 1}),
                                 required<&OverlayParams::port>("port", Range{1, 65535}),
                                 required<&OverlayParams::local>("local"),
                                 defaulted<&OverlayParams::underlay_mtu>("underlay_mtu"));

constexpr auto kReservation = fields(required<&Reservation::container>("container"),
                                     required<&Reservation::address>("address"));

constexpr auto kNetwork = fields(
    required<&Network::id>("id"), required<&Network::name>("name"),
    defaulted<&Network::options>("options", kOptions),
    defaulted<&Network::subnets>("subnets", object(kSubnet)),
    defaulted<&Network::internal>("internal"),
    defaulted<&Network::address_source>("runtime_addresses", kRuntimeAddresses),
    defaulted<&Network::labels>("labels"), required<&Network::phase>("phase", kPhase),
    defaulted<&Network::created>("created"), defaulted<&Network::links>("links", object(kLinks)),
    defaulted<&Network::mtu>("mtu", kMtu), sparse<&Network::overlay>("overlay", object(kOverlay)),
    sparse<&Network::reservations>("reservations", object(kReservation)));

constexpr auto kRates = fields(defaulted<&Rates::in_bits>("in"), defaulted<&Rates::out_bits>("out"),
                               defaulted<&Rates::in_burst_bits>("in_burst"),
                               defaulted<&Rates::out_burst_bits>("out_burst"));

constexpr auto kRoute = fields(required<&Route::destination>("to"), sparse<&Route::via>("via"),
                               sparse<&Route::mtu>("mtu"), sparse<&Route::advmss>("advmss"),
                               sparse<&Route::priority>("priority"), sparse<&Route::table>("table"),
                               sparse<&Route::scope>("scope"));

constexpr auto kPublishedPort =
    fields(required<&PublishedPort::proto>("proto", text<&parse_proto>()),
           required<&PublishedPort::host_port>("host_port"),
           required<&PublishedPort::container_port>("container_port"),
           sparse<&PublishedPort::host_ip>("host_ip"),
           sparse<&PublishedPort::host_port_end>("host_port_end"),
           sparse<&PublishedPort::max_connections>("max_connections"));

constexpr auto kNames = fields(
    sparse<&ContainerNames::name>("name"), sparse<&ContainerNames::project>("project"),
    sparse<&ContainerNames::service>("service"), sparse<&ContainerNames::labels>("labels"),
    sparse<&ContainerNames::hostname>("hostname"), sparse<&ContainerNames::aliases>("aliases"),
    sparse<&ContainerNames::dns_servers>("dns_servers"));

constexpr auto kRuntimeNetwork =
    fields(required<&RuntimeNetwork::name>("name"), sparse<&RuntimeNetwork::project>("project"));

constexpr auto kEndpointNames = fields(defaulted<&EndpointNames::container>("container"),
                                       sparse<&EndpointNames::ifname>("ifname"),
                                       sparse<&EndpointNames::names>("names", object(kNames)));

constexpr auto kEndpoint = fields(
    required<&Endpoint::id>("id"), required<&Endpoint::network_id>("network"),
    defaulted<&Endpoint::container>("container"), defaulted<&Endpoint::runtime>("runtime"),
    defaulted<&Endpoint::addresses>("addresses"), defaulted<&Endpoint::gateways>("gateways"),
    defaulted<&Endpoint::mac>("mac"), defaulted<&Endpoint::links>("links", object(kLinks)),
    defaulted<&Endpoint::ifname>("ifname"),
    defaulted<&Endpoint::address_source>("runtime_addresses", kRuntimeAddresses),
    sparse<&Endpoint::ports>("ports", object(kPublishedPort)),
    sparse<&Endpoint::standby_ports>("standby_ports", object(kPublishedPort)),
    sparse<&Endpoint::aliases>("aliases"), sparse<&Endpoint::rates>("rates", object(kRates)),
    sparse<&Endpoint::routes>("routes", object(kRoute)), sparse<&Endpoint::labels>("labels"),
    defaulted<&Endpoint::netns_path>("netns"), defaulted<&Endpoint::boot_id>("boot"),
    required<&Endpoint::phase>("phase", kPhase), defaulted<&Endpoint::joined>("joined"),
    defaulted<&Endpoint::created>("created"), sparse<&Endpoint::names>("names", object(kNames)),
    sparse<&Endpoint::digest>("digest"), sparse<&Endpoint::allocation>("allocation"));

constexpr auto kPortClaim = fields(
    sparse<&PortClaim::host_ip>("host_ip"), required<&PortClaim::network_id>("network"),
    required<&PortClaim::endpoint_id>("endpoint"),
    required<&PortClaim::container_port>("container_port"), defaulted<&PortClaim::boot_id>("boot"),
    sparse<&PortClaim::standby>("standby"), sparse<&PortClaim::host_port>("host_port"),
    sparse<&PortClaim::host_port_end>("host_port_end"));

struct PortClaims {
  std::vector<PortClaim> claims;
};
constexpr auto kPortClaims = fields(defaulted<&PortClaims::claims>("claims", object(kPortClaim)));

constexpr auto kUnderlay =
    fields(defaulted<&UnderlayRecord::hosts>("hosts"),
           defaulted<&UnderlayRecord::wireguard_links>("secure_links", text<&stored_ifname>()),
           sparse<&UnderlayRecord::port>("port", Range{1, 65535}));

constexpr auto kForwarding =
    fields(required<&ForwardingRecord::boot_id>("boot"), defaulted<&ForwardingRecord::v4>("ipv4"),
           defaulted<&ForwardingRecord::v6>("ipv6"));

constexpr auto kUplink =
    fields(required<&UplinkRecord::link>("link"), required<&UplinkRecord::address>("address"),
           required<&UplinkRecord::number>("number"), required<&UplinkRecord::mark>("mark"),
           required<&UplinkRecord::table>("table"));
constexpr auto kBroadcast = fields(
    required<&BroadcastRecord::link>("link"), required<&BroadcastRecord::subnet>("subnet"),
    required<&BroadcastRecord::destination>("to"), required<&BroadcastRecord::address>("address"));
constexpr auto kSurroundings =
    fields(required<&SurroundingsRecord::boot_id>("boot"),
           sparse<&SurroundingsRecord::uplinks>("uplinks", object(kUplink)),
           sparse<&SurroundingsRecord::broadcasts>("broadcasts", object(kBroadcast)));

constexpr auto kNameServer =
    fields(required<&NameServer::network_id>("network"), required<&NameServer::address>("address"),
           required<&NameServer::port>("port"), sparse<&NameServer::problem>("problem"));
constexpr auto kServers = &NameServersRecord::servers;
constexpr auto kNameServers =
    fields(required<&NameServersRecord::boot_id>("boot"),
           defaulted<kServers, &NameServers::running>("running"),
           sparse<kServers, &NameServers::places>("places", object(kNameServer)),
           sparse<kServers, &NameServers::upstreams>("upstreams"));

struct IdRecord {
  std::string id;
};
constexpr auto kId = fields(required<&IdRecord::id>("id"));

struct PortRecord {
  std::uint16_t port = 0;
};
constexpr auto kPort = fields(required<&PortRecord::port>("port"));

// A record is Fairlead's own: what is wrong with it is damage, not bad input.
template <class T>
Result<T> as_damage(Result<T> result, std::string_view what) {
  if (result) return result;
  Error error = with_context(result.error(),
                             fmt::format("the {} record in the state database is damaged", what));
  error.code = Code::kIo;
  return fail(std::move(error));
}

// The drivers' records were fields of the network and of the endpoint in earlier versions. These
// are the names that they have in the bridge driver's record.
void take_old_links(const Json& json, std::initializer_list<const char*> names,
                    std::map<std::string, std::string>& record) {
  for (const char* name : names) {
    const Json* value = json.find(name);
    if (value == nullptr) continue;
    if (value->is_string()) record[name] = value->string();
    if (value->is_boolean()) record[name] = value->boolean() ? "true" : "false";
  }
}

Result<Network> read_network(const Json& json) {
  TRY(auto network, json::read(json, kNetwork));
  take_old_links(json, {"bridge", "bridge_mac", "foreign_bridge"}, network.links.shown);
  take_old_links(json, {"bridge_boot"}, network.links.kept);
  const Json* opened = json.find("localnet_opened");
  if (opened != nullptr && opened->is_boolean() && opened->boolean())
    network.links.kept["localnet_opened"] = "true";
  return network;
}

Result<Endpoint> read_endpoint(const Json& json) {
  TRY(auto endpoint, json::read(json, kEndpoint));
  take_old_links(json, {"host_ifname"}, endpoint.links.shown);
  return endpoint;
}

}  // namespace

std::string encode(const Network& network) { return json::dump(json::write(network, kNetwork)); }

Result<Network> decode_network(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(read_network(json), "network");
}

std::string encode(const Endpoint& endpoint) {
  return json::dump(json::write(endpoint, kEndpoint));
}

Result<Endpoint> decode_endpoint(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(read_endpoint(json), "endpoint");
}

std::string encode(const std::vector<PortClaim>& claims) {
  return json::dump(json::write(PortClaims{claims}, kPortClaims));
}

Result<std::vector<PortClaim>> decode_claims(std::string_view text) {
  TRY(const auto json, json::parse(text));
  TRY(auto record, as_damage(json::read(json, kPortClaims), "port"));
  return std::move(record.claims);
}

std::string encode(const UnderlayRecord& underlay) {
  return json::dump(json::write(underlay, kUnderlay));
}

Result<UnderlayRecord> decode_underlay(std::string_view text) {
  TRY(const auto json, json::parse(text));
  // A record of an earlier version has no port, and is of a host in a cluster.
  UnderlayRecord underlay{.hosts = {}, .wireguard_links = {}, .port = OverlayParams().port};
  TRY_STATUS(json::read_into(Slot(json, {}), kUnderlay, underlay));
  return underlay;
}

std::string encode(const ForwardingRecord& forwarding) {
  return json::dump(json::write(forwarding, kForwarding));
}

Result<ForwardingRecord> decode_forwarding(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(json::read(json, kForwarding), "forwarding");
}

std::string encode(const SurroundingsRecord& surroundings) {
  return json::dump(json::write(surroundings, kSurroundings));
}

Result<SurroundingsRecord> decode_surroundings(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(json::read(json, kSurroundings), "surroundings");
}

std::string encode(const NameServersRecord& record) {
  return json::dump(json::write(record, kNameServers));
}

Result<NameServersRecord> decode_name_servers(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(json::read(json, kNameServers), "name server");
}

std::string encode(const RuntimeNetwork& network) {
  return json::dump(json::write(network, kRuntimeNetwork));
}

Result<RuntimeNetwork> decode_runtime_network(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(json::read(json, kRuntimeNetwork), "name");
}

std::string encode(const EndpointNames& names) {
  return json::dump(json::write(names, kEndpointNames));
}

Result<EndpointNames> decode_endpoint_names(std::string_view text) {
  TRY(const auto json, json::parse(text));
  return as_damage(json::read(json, kEndpointNames), "name");
}

void add_names(const EndpointNames& known, Endpoint& endpoint) {
  if (endpoint.container.empty()) endpoint.container = known.container;
  if (endpoint.ifname.empty()) endpoint.ifname = known.ifname;
  if (endpoint.names.empty()) endpoint.names = known.names;
}

std::string encode_id(std::string_view id) {
  return json::dump(json::write(IdRecord{std::string(id)}, kId));
}

Result<std::string> decode_id(std::string_view text) {
  TRY(const auto json, json::parse(text));
  TRY(auto record, json::read(json, kId));
  return std::move(record.id);
}

std::string encode_port(std::uint16_t port) {
  return json::dump(json::write(PortRecord{port}, kPort));
}

Result<std::uint16_t> decode_port(std::string_view text) {
  TRY(const auto json, json::parse(text));
  TRY(const auto record, json::read(json, kPort));
  return record.port;
}

}  // namespace fairlead::network
