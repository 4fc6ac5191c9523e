#include <algorithm>

#include "base/host.h"
#include "network/api/options.h"
#include "plugin-api/native/forms.h"

namespace fairlead::native {

using json::defaulted;
using json::fields;
using json::Json;
using json::object;
using json::one_of;
using json::required;
using json::shown;
using json::Slot;
using json::sparse;
using json::text;
using network::AddressSource;
using network::Network;
using network::NetworkSpec;
using network::OverlayParams;
using network::SubnetSpec;

namespace {

// ---- subnets

Result<Family> parse_family(std::string_view text) {
  if (text == "ipv4") return Family::kV4;
  if (text == "ipv6") return Family::kV6;
  return fail(Code::kInvalid, "it must be ipv4 or ipv6");
}

// A subnet tells its family itself.
Json family_without_subnet(const SubnetSpec& subnet) {
  if (subnet.subnet) return {};
  return subnet.family == Family::kV4 ? "ipv4" : "ipv6";
}

Status check_family(const Slot& slot, SubnetSpec& subnet) {
  if (subnet.subnet) subnet.family = subnet.subnet->family();
  const Json* value = slot.find("family");
  if (value == nullptr) return {};
  const Slot field = slot.member("family", value);
  if (!value->is_string()) return field.wrong("a string");
  auto family = parse_family(value->string());
  if (!family) return fail(field.located(std::move(family.error())));
  if (subnet.subnet && *family != subnet.family)
    return fail(Code::kInvalid, "field {} does not fit the subnet {}", field.path(),
                subnet.subnet->to_string());
  subnet.family = *family;
  return {};
}

Status check_subnet(const Slot& slot, void* value) {
  auto& subnet = *static_cast<SubnetSpec*>(value);
  for (const auto& [name, address] : subnet.aux)
    TRY_STATUS(check_text(slot.member("aux", nullptr), name, {}));
  return check_family(slot, subnet);
}

constexpr auto kSubnet = fields(
    sparse<&SubnetSpec::subnet>("subnet", text<&Cidr::parse_subnet>()),
    shown<SubnetSpec, family_without_subnet>("family"), sparse<&SubnetSpec::gateway>("gateway"),
    sparse<&SubnetSpec::range>("range"), sparse<&SubnetSpec::aux>("aux"));

// ---- what a client may POST

// An id that a runtime gives: what Docker's ids look like, so that no id can be mistaken for a path
// or an option.
Result<std::string> parse_network_id(std::string_view text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != 64 || !std::ranges::all_of(text, hex))
    return fail(Code::kInvalid,
                "it must have 64 hex digits (lower case); leave it out to get a random one");
  return std::string(text);
}

Result<network::NetworkOptions> read_options(const Slot& slot) {
  TRY(const auto options, read_texts(slot));
  return network::parse_options(options);
}
Json write_options(const network::NetworkOptions& options) { return network::to_map(options); }

constexpr auto kReservation =
    fields(required<&network::Reservation::container>("container", text<&parse_container>()),
           required<&network::Reservation::address>("address"));

constexpr auto kSpec = fields(
    required<&NetworkSpec::name>("name"), sparse<&NetworkSpec::id>("id", text<&parse_network_id>()),
    defaulted<&NetworkSpec::options>("options", json::custom<&read_options, &write_options>()),
    defaulted<&NetworkSpec::subnets>("subnets", object(kSubnet, check_subnet)),
    defaulted<&NetworkSpec::ipv6>("ipv6"), defaulted<&NetworkSpec::internal>("internal"),
    defaulted<&NetworkSpec::address_source>(
        "address_source",
        one_of<AddressSource::kFairlead, AddressSource::kRuntime, AddressSource::kPlugin>()),
    defaulted<&NetworkSpec::labels>("labels", kTexts),
    sparse<&NetworkSpec::reservations>("reservations", object(kReservation)),
    json::ignored<NetworkSpec>("state"));

// ---- what Fairlead decided

Json device_of(const OverlayParams& overlay) { return network::overlay_device(overlay).str(); }

constexpr auto kOverlay =
    fields(shown<OverlayParams, device_of>("device"), required<&OverlayParams::vni>("vni"),
           required<&OverlayParams::port>("port"), required<&OverlayParams::local>("address"));

using network::RuntimeNetwork;
constexpr auto kRuntimeNetwork =
    fields(required<&RuntimeNetwork::id>("id"), required<&RuntimeNetwork::name>("name"),
           sparse<&RuntimeNetwork::project>("project"));

constexpr auto kState = fields(
    required<&Network::phase>(
        "phase",
        one_of<network::Phase::kCreating, network::Phase::kReady, network::Phase::kDeleting>()),
    required<&Network::created>("created", kTime), required<&Network::mtu>("mtu"),
    sparse<&Network::runtimes>("runtimes", object(kRuntimeNetwork)),
    sparse<&Network::name_servers>("name_servers"),
    sparse<&Network::overlay>("overlay", object(kOverlay)));

struct Usage {
  std::optional<std::size_t> endpoints;
  std::span<const network::Endpoint> attached{};
};
Json attached_of(const Usage& usage) {
  return usage.attached.empty() ? Json() : encode_attached(usage.attached);
}
constexpr auto kUsage =
    fields(sparse<&Usage::endpoints>("endpoints"), shown<Usage, attached_of>("attached"));

}  // namespace

NetworkSpec spec_of(const Network& network) {
  NetworkSpec spec{.name = network.name, .id = network.id, .options = network.options};
  for (const network::Subnet& subnet : network.subnets)
    spec.subnets.push_back(
        {subnet.subnet.family(), subnet.subnet, subnet.range, subnet.gateway, subnet.aux});
  spec.ipv6 = network.has(Family::kV6);
  spec.internal = network.internal;
  spec.address_source = network.address_source;
  spec.labels = network.labels;
  spec.reservations = network.reservations;
  return spec;
}

Document encode_network_spec(const NetworkSpec& spec) { return json::write(spec, kSpec); }

Document encode_network(const Network& network, std::optional<std::size_t> endpoints,
                        std::span<const network::Endpoint> attached) {
  Document document = encode_network_spec(spec_of(network));
  Document state = json::write(network, kState);
  json::append(state, written(network.links));
  json::append(state, json::write(Usage{endpoints, attached}, kUsage));
  document.add("state", std::move(state));
  return document;
}

Result<NetworkSpec> decode_network_spec(const Json& document) {
  return json::read(document, kSpec, kStrict);
}

Result<network::NetworkUsage> decode_network(const Json& document) {
  const Slot slot(document, kLenient);
  TRY(auto spec, json::read(slot, kSpec));
  Network network{.id = std::move(spec.id),
                  .name = std::move(spec.name),
                  .options = std::move(spec.options),
                  .internal = spec.internal,
                  .address_source = spec.address_source,
                  .labels = std::move(spec.labels),
                  .reservations = std::move(spec.reservations)};
  for (const SubnetSpec& subnet : spec.subnets)
    if (subnet.subnet)
      network.subnets.push_back({*subnet.subnet, subnet.gateway, subnet.range, subnet.aux, {}});
  TRY(const auto whole, json::Object::of(document));
  TRY(const auto state, whole.object("state"));
  TRY_STATUS(json::read_into(Slot(state, kLenient), kState, network));
  network.links = read_links(state.raw(), kState.rows);
  TRY(const auto usage, json::read(Slot(state, kLenient), kUsage));
  return network::NetworkUsage{std::move(network), usage.endpoints.value_or(0)};
}

Document encode_reservation(const network::Reservation& reservation) {
  return json::write(reservation, kReservation);
}

Result<network::Reservation> decode_reservation(const Json& document) {
  return json::read(document, kReservation, kStrict);
}

std::vector<DocumentTable> network_tables() {
  return {{"Subnet", kSubnet.rows},      {"Reservation", kReservation.rows},
          {"NetworkSpec", kSpec.rows},   {"RuntimeNetwork", kRuntimeNetwork.rows},
          {"NetworkState", kState.rows}, {"NetworkState", kUsage.rows}};
}

}  // namespace fairlead::native
