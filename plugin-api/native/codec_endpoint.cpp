#include <limits>

#include "base/host.h"
#include "network/api/options.h"
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::defaulted;
using json::fields;
using json::ignored;
using json::Json;
using json::object;
using json::one_of;
using json::Range;
using json::required;
using json::Slot;
using json::sparse;
using json::text;
using network::AddressSource;
using network::Endpoint;
using network::EndpointSpec;
using network::PortChange;
using network::PortChoice;
using network::PortHolder;
using network::PortSpec;
using network::PublishedPort;
using network::Rates;
using network::Route;

namespace {

// ---- rates, routes and ports

constexpr auto kRates =
    fields(defaulted<&Rates::in_bits>("in_bits"), defaulted<&Rates::out_bits>("out_bits"),
           defaulted<&Rates::in_burst_bits>("in_burst_bits"),
           defaulted<&Rates::out_burst_bits>("out_burst_bits"));

constexpr auto kRoute =
    fields(required<&Route::destination>("destination"), sparse<&Route::via>("via"),
           sparse<&Route::mtu>("mtu"), sparse<&Route::advmss>("advmss"),
           sparse<&Route::priority>("priority"), sparse<&Route::table>("table"),
           sparse<&Route::scope>("scope"));

Status check_port(const Slot& slot, void* value) {
  const auto& port = *static_cast<const PortSpec*>(value);
  if (port.host_port_end != 0 && port.host_port_end < port.host_port)
    return fail(Code::kInvalid, "field {} lies before host_port {}",
                slot.member("host_port_end", nullptr).path(), port.host_port);
  const unsigned last = port.host_port_end == 0 ? port.host_port : port.host_port_end;
  if (port.container_port_end == 0 ||
      (port.host_port != 0 && port.container_port_end >= port.container_port &&
       last - port.host_port == 0U + port.container_port_end - port.container_port))
    return {};
  return fail(Code::kInvalid, "field {} makes another number of ports than host_port {} to {}",
              slot.member("container_port_end", nullptr).path(), port.host_port, last);
}

constexpr Range kConnections{1, network::kMostConnections};

constexpr auto kPortSpec =
    fields(defaulted<&PortSpec::proto>("protocol", text<&network::parse_proto>()),
           sparse<&PortSpec::host_ip>("host_ip"), defaulted<&PortSpec::host_port>("host_port"),
           sparse<&PortSpec::host_port_end>("host_port_end"),
           required<&PortSpec::container_port>("container_port", Range{1, 65535}),
           sparse<&PortSpec::container_port_end>("container_port_end"),
           sparse<&PortSpec::max_connections>("max_connections", kConnections));

constexpr auto kPublishedPort = fields(
    required<&PublishedPort::proto>("protocol", text<&network::parse_proto>()),
    sparse<&PublishedPort::host_ip>("host_ip"), required<&PublishedPort::host_port>("host_port"),
    required<&PublishedPort::container_port>("container_port"),
    sparse<&PublishedPort::host_port_end>("host_port_end"),
    sparse<&PublishedPort::max_connections>("max_connections", kConnections));

// ---- names

Result<std::string> parse_title(std::string_view text) {
  constexpr std::size_t kMost = 1024;
  if (text.size() > kMost || text.find('\0') != std::string_view::npos)
    return fail(Code::kInvalid, "it must be a text of at most {} bytes", kMost);
  return std::string(text);
}
constexpr auto kTitle = text<&parse_title>();

using network::ContainerNames;
constexpr auto kNames = fields(sparse<&ContainerNames::name>("name", kTitle),
                               sparse<&ContainerNames::project>("project", kTitle),
                               sparse<&ContainerNames::service>("service", kTitle),
                               sparse<&ContainerNames::labels>("labels", kTexts),
                               sparse<&ContainerNames::hostname>("hostname", kTitle),
                               sparse<&ContainerNames::aliases>("aliases", kTitle),
                               sparse<&ContainerNames::dns_servers>("dns_servers"));

constexpr auto kPort = &PortHolder::port;
constexpr auto kPortHolder = fields(
    required<kPort, &PublishedPort::proto>("protocol", text<&network::parse_proto>()),
    sparse<kPort, &PublishedPort::host_ip>("host_ip"),
    required<kPort, &PublishedPort::host_port>("host_port"),
    required<kPort, &PublishedPort::container_port>("container_port"),
    sparse<kPort, &PublishedPort::host_port_end>("host_port_end"),
    sparse<kPort, &PublishedPort::max_connections>("max_connections", kConnections),
    required<&PortHolder::targets>("targets"), required<&PortHolder::network_name>("network"),
    required<&PortHolder::network_id>("network_id"), required<&PortHolder::endpoint_id>("endpoint"),
    required<&PortHolder::container>("container"),
    sparse<&PortHolder::network_title>("network_title"),
    sparse<&PortHolder::names>("names", object(kNames)));

struct PublishRequest {
  std::vector<PortSpec> ports;
};
constexpr auto kPublishRequest =
    fields(required<&PublishRequest::ports>("ports", object(kPortSpec, check_port)));

Status check_choice(const Slot& slot, void* value) {
  const auto& choice = *static_cast<const PortChoice*>(value);
  if (choice.host_port_end == 0 || choice.host_port_end >= choice.host_port) return {};
  return fail(Code::kInvalid, "field {} lies before host_port {}",
              slot.member("host_port_end", nullptr).path(), choice.host_port);
}

constexpr auto kPortChoice =
    fields(defaulted<&PortChoice::proto>("protocol", text<&network::parse_proto>()),
           sparse<&PortChoice::host_ip>("host_ip"),
           required<&PortChoice::host_port>("host_port", Range{1, 65535}),
           sparse<&PortChoice::host_port_end>("host_port_end"));
constexpr auto kPortChange =
    fields(defaulted<&PortChange::remove>("remove", object(kPortChoice, check_choice)),
           defaulted<&PortChange::add>("add", object(kPortSpec, check_port)));

// ---- attach

Result<std::string> parse_netns_path(std::string_view text) {
  if (text.empty() || text[0] != '/' || text.size() > 4095 ||
      text.find('\0') != std::string_view::npos)
    return fail(Code::kInvalid,
                "it must be the absolute path of a network namespace, like /run/netns/web");
  return std::string(text);
}

// "netns" is a field of the table; a process stands for the path of its namespace.
Status take_pid(const Slot& request, std::optional<std::string>& netns_path) {
  const Json* pid = request.find("pid");
  if (netns_path && pid != nullptr)
    return fail(Code::kInvalid, "fields netns and pid exclude each other");
  if (netns_path) return {};
  if (pid == nullptr)
    return fail(Code::kInvalid,
                "field netns (a path) or pid (a process in the namespace) is missing");
  TRY(const auto number,
      json::integer(request.member("pid", pid), 1, std::numeric_limits<std::int32_t>::max()));
  netns_path = fmt::format("/proc/{}/ns/net", number);
  return {};
}

Result<network::NetworkRef> parse_network(std::string_view text) {
  TRY(auto label, parse_label(text));
  return network::NetworkText{std::move(label)};
}

Result<std::vector<network::RangeSet>> read_sets(const Slot& slot) {
  if (!slot.value().is_array()) return slot.wrong("an array of arrays");
  std::vector<network::RangeSet> sets;
  for (const Json& set : slot.value()) {
    if (!set.is_array()) return slot.wrong("an array of arrays");
    network::RangeSet& ranges = sets.emplace_back();
    for (const Json& range : set) {
      if (!range.is_string()) return slot.wrong("an array of arrays of strings");
      auto prefix = Cidr::parse_subnet(range.string());
      if (!prefix) return fail(slot.located(std::move(prefix.error())));
      ranges.push_back(*prefix);
    }
  }
  return sets;
}
Json write_sets(const std::vector<network::RangeSet>& sets) {
  Json all = Json::array();
  for (const network::RangeSet& set : sets) {
    Json ranges = Json::array();
    for (const Cidr& range : set) ranges.push_back(range.to_string());
    all.push_back(std::move(ranges));
  }
  return all;
}

constexpr auto kSpec = &AttachRequest::spec;
constexpr auto kAttach = fields(
    required<kSpec, &EndpointSpec::network>("network", text<&parse_network>()),
    defaulted<kSpec, &EndpointSpec::id>("id", kId),
    defaulted<kSpec, &EndpointSpec::container>("container", kLabel),
    sparse<kSpec, &EndpointSpec::names>("names", object(kNames)),
    defaulted<kSpec, &EndpointSpec::runtime>("runtime", kId),
    defaulted<&AttachRequest::ifname>("ifname"),
    sparse<kSpec, &EndpointSpec::netns_path>("netns", text<&parse_netns_path>()),
    ignored<AttachRequest>("pid"), defaulted<kSpec, &EndpointSpec::addresses>("addresses"),
    defaulted<kSpec, &EndpointSpec::address_source>(
        "address_source",
        one_of<AddressSource::kFairlead, AddressSource::kRuntime, AddressSource::kPlugin>()),
    sparse<kSpec, &EndpointSpec::ranges>("ranges"),
    sparse<kSpec, &EndpointSpec::range_sets>("range_sets", json::custom<&read_sets, &write_sets>()),
    sparse<kSpec, &EndpointSpec::known_as>("known_as", text<&parse_container>()),
    sparse<kSpec, &EndpointSpec::mac>("mac"),
    defaulted<kSpec, &EndpointSpec::ports>("ports", object(kPortSpec, check_port)),
    defaulted<kSpec, &EndpointSpec::aliases>("aliases", kLabel),
    sparse<kSpec, &EndpointSpec::rates>("rates", object(kRates)),
    defaulted<kSpec, &EndpointSpec::routes>("routes", object(kRoute)),
    sparse<kSpec, &EndpointSpec::labels>("labels", kTexts), ignored<AttachRequest>("state"));

// ---- check and collect

using network::Expectation;
constexpr auto kExpected = &ExpectationRequest::expected;
constexpr auto kExpectation =
    fields(sparse<&ExpectationRequest::netns_path>("netns", text<&parse_netns_path>()),
           sparse<kExpected, &Expectation::ifname>("ifname"),
           sparse<kExpected, &Expectation::addresses>("addresses"),
           sparse<kExpected, &Expectation::routes>("routes", object(kRoute)),
           sparse<kExpected, &Expectation::mac>("mac"));

using network::ValidAttachment;
constexpr auto kValid = fields(required<&ValidAttachment::container>("container", kLabel),
                               required<&ValidAttachment::ifname>("ifname"));
constexpr auto kCollect = fields(required<&CollectRequest::runtime>("runtime", kId),
                                 required<&CollectRequest::valid>("valid", object(kValid)));

struct Removed {
  std::size_t removed = 0;
};
constexpr auto kRemoved = fields(required<&Removed::removed>("removed"));

// ---- endpoints

constexpr auto kDns = fields(required<&network::Dns::nameservers>("servers"),
                             sparse<&network::Dns::search>("search"));

constexpr auto kEndpoint = &EndpointView::endpoint;
constexpr auto kState = fields(
    required<kEndpoint, &Endpoint::phase>(
        "phase",
        one_of<network::Phase::kCreating, network::Phase::kReady, network::Phase::kDeleting>()),
    required<kEndpoint, &Endpoint::joined>("joined"),
    required<kEndpoint, &Endpoint::network_id>("network_id"),
    sparse<&EndpointView::network_title>("network_title"),
    required<kEndpoint, &Endpoint::gateways>("gateways"), sparse<&EndpointView::mtu>("mtu"),
    sparse<&EndpointView::dns>("dns", object(kDns)),
    required<kEndpoint, &Endpoint::created>("created", kTime));

EndpointSpec spec_of(const EndpointView& view) {
  const Endpoint& endpoint = view.endpoint;
  EndpointSpec spec{.network = network::NetworkText{view.network},
                    .id = endpoint.id,
                    .container = endpoint.container,
                    .runtime = endpoint.runtime,
                    .addresses = endpoint.addresses,
                    .address_source = endpoint.address_source,
                    .mac = endpoint.mac};
  for (const PublishedPort& port : endpoint.ports)
    spec.ports.push_back(
        {port.proto, port.host_ip, port.host_port, port.host_port_end, port.container_port,
         port.is_range() ? port.container_last() : std::uint16_t{0}, port.max_connections});
  spec.aliases = endpoint.aliases;
  spec.rates = endpoint.rates;
  spec.routes = endpoint.routes;
  spec.labels = endpoint.labels;
  if (!endpoint.netns_path.empty()) spec.netns_path = endpoint.netns_path;
  spec.names = endpoint.names;
  return spec;
}

// An endpoint in the document of its network.
constexpr auto kAttached = fields(
    required<&Endpoint::id>("id"), sparse<&Endpoint::container>("container"),
    sparse<&Endpoint::names>("names", object(kNames)), required<&Endpoint::runtime>("runtime"),
    sparse<&Endpoint::ifname>("ifname"), required<&Endpoint::addresses>("addresses"),
    sparse<&Endpoint::ports>("ports", object(kPublishedPort)));

}  // namespace

Document encode_ports(const std::vector<PublishedPort>& ports) {
  Document list = Document::array();
  for (const PublishedPort& port : ports) list.push_back(json::write(port, kPublishedPort));
  return list;
}

Document encode_attached(std::span<const Endpoint> endpoints) {
  Document list = Document::array();
  for (const Endpoint& endpoint : endpoints) list.push_back(json::write(endpoint, kAttached));
  return list;
}

Document encode_port_holder(const PortHolder& holder) { return json::write(holder, kPortHolder); }

Result<std::vector<PortSpec>> decode_publish(const Json& document) {
  TRY(auto request, json::read(document, kPublishRequest, kStrict));
  return std::move(request.ports);
}

Document encode_port_change(const PortChange& change) { return json::write(change, kPortChange); }
Result<PortChange> decode_port_change(const Json& document) {
  return json::read(document, kPortChange, kStrict);
}

Document encode_expectation(const ExpectationRequest& request) {
  return json::write(request, kExpectation);
}
Result<ExpectationRequest> decode_expectation(const Json& document) {
  return json::read(document, kExpectation, kStrict);
}

Document encode_collect(const CollectRequest& request) { return json::write(request, kCollect); }
Result<CollectRequest> decode_collect(const Json& document) {
  return json::read(document, kCollect, kStrict);
}

Document encode_removed(std::size_t count) { return json::write(Removed{count}, kRemoved); }
Result<std::size_t> decode_removed(const Json& document) {
  TRY(const auto removed, json::read(document, kRemoved, kLenient));
  return removed.removed;
}

Document encode_attach(const AttachRequest& request) { return json::write(request, kAttach); }

Result<AttachRequest> decode_attach(const Json& document) {
  AttachRequest request;
  request.spec.runtime = "api";
  const Slot slot(document, kStrict);
  TRY_STATUS(json::read_into(slot, kAttach, request));
  if (request.spec.container.empty()) return slot.member("container", nullptr).missing();
  TRY_STATUS(take_pid(slot, request.spec.netns_path));
  if (request.ifname.empty()) request.ifname = *IfName::parse("eth0");
  if (request.spec.id.empty())
    request.spec.id = network::endpoint_id(request.spec.container, request.ifname.str());
  return request;
}

EndpointView view_of(Endpoint endpoint, const network::Network& network) {
  EndpointView view{std::move(endpoint), network.name.str(), network.mtu};
  if (title_of(network) != view.network) view.network_title = title_of(network);
  view.dns = name_service_of(network, view.endpoint);
  return view;
}

Document encode_endpoint(const EndpointView& view) {
  Document document = encode_attach({.spec = spec_of(view), .ifname = {}});
  document["ifname"] = view.endpoint.ifname;
  Document state = json::write(view, kState);
  json::append(state, written(view.endpoint.links));
  document.add("state", std::move(state));
  return document;
}

namespace {

Endpoint endpoint_of(AttachRequest request) {
  EndpointSpec& spec = request.spec;
  Endpoint endpoint{.id = std::move(spec.id),
                    .container = std::move(spec.container),
                    .runtime = std::move(spec.runtime),
                    .addresses = std::move(spec.addresses),
                    .mac = spec.mac,
                    .ifname = request.ifname.str(),
                    .address_source = spec.address_source};
  for (const PortSpec& port : spec.ports)
    endpoint.ports.push_back({port.proto, port.host_ip, port.host_port, port.container_port,
                              port.container_port_end == 0 ? std::uint16_t{0} : port.host_port_end,
                              port.max_connections});
  endpoint.aliases = std::move(spec.aliases);
  endpoint.rates = spec.rates.value_or(Rates());
  endpoint.routes = std::move(spec.routes);
  endpoint.labels = std::move(spec.labels);
  endpoint.netns_path = spec.netns_path.value_or("");
  endpoint.names = std::move(spec.names);
  return endpoint;
}

}  // namespace

// What Docker made has no container until it is joined, and no interface: both are empty then.
Result<EndpointView> decode_endpoint(const Json& document) {
  const Slot slot(document, {.blank_is_absent = true});
  AttachRequest request;
  TRY_STATUS(json::read_into(slot, kAttach, request));
  const Json* found = slot.find("state");
  const Slot state = slot.member("state", found);
  if (found == nullptr) return state.missing();
  EndpointView view{.network = to_string(request.spec.network)};
  view.endpoint = endpoint_of(std::move(request));
  TRY_STATUS(json::read_into(state, kState, view));
  view.endpoint.links = read_links(*found, kState.rows);
  return view;
}

Document encode_publish(std::span<const PortSpec> ports) {
  return json::write(PublishRequest{{ports.begin(), ports.end()}}, kPublishRequest);
}

Result<PublishedPort> decode_port(const Json& document) {
  return json::read(document, kPublishedPort, kLenient);
}

Result<PortHolder> decode_port_holder(const Json& document) {
  return json::read(document, kPortHolder, kLenient);
}

std::vector<DocumentTable> endpoint_tables() {
  return {{"Rates", kRates.rows},
          {"Route", kRoute.rows},
          {"PortSpec", kPortSpec.rows},
          {"Port", kPublishedPort.rows},
          {"PortHolder", kPortHolder.rows},
          {"PublishRequest", kPublishRequest.rows},
          {"PortChoice", kPortChoice.rows},
          {"PortChange", kPortChange.rows},
          {"ExpectationRequest", kExpectation.rows},
          {"ValidAttachment", kValid.rows},
          {"CollectRequest", kCollect.rows},
          {"Removed", kRemoved.rows},
          {"NameService", kDns.rows},
          {"ContainerNames", kNames.rows},
          {"AttachedEndpoint", kAttached.rows},
          {"AttachRequest", kAttach.rows},
          {"EndpointState", kState.rows}};
}

}  // namespace fairlead::native
