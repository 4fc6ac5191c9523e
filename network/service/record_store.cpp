#include "network/service/record_store.h"

#include <algorithm>
#include <cctype>

#include "network/service/keys.h"

namespace fairlead::network {

namespace {

// Keys contain printable ASCII only, so other text cannot be the name or id of anything.
bool can_be_key(const std::string& text) {
  return !text.empty() && text.size() <= 255 && std::ranges::all_of(text, [](unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '/';
  });
}

tl::unexpected<Error> no_such_network(const std::string& text) {
  return fail(Code::kNotFound,
              "network \"{}\" does not exist; `fairlead network ls` shows those that do",
              text.substr(0, 64));
}

}  // namespace

Result<std::optional<std::string>> RecordStore::id_at(const std::string& key) {
  TRY(auto record, store_.get(key));
  if (!record) return std::optional<std::string>();
  TRY(auto id, decode_id(record->value));
  return std::optional<std::string>(std::move(id));
}

Result<std::string> RecordStore::by_prefix(const std::string& prefix) {
  const bool hex =
      prefix.size() >= 3 && prefix.size() < 64 &&
      std::ranges::all_of(prefix, [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (!hex) return no_such_network(prefix);
  TRY(auto found, store_.list(keys::network(prefix), {}, 2));
  if (found.empty()) return no_such_network(prefix);
  if (found.size() > 1)
    return fail(Code::kInvalid, "network id \"{}\" is ambiguous: give more digits", prefix);
  return found.front().key.substr(keys::kNetworks.size());
}

Result<std::string> RecordStore::by_text(const std::string& text) {
  if (!can_be_key(text)) return no_such_network(text);
  TRY(const auto exact, store_.get(keys::network(text)));
  if (exact) return text;
  TRY(auto named, id_at(keys::network_name(text)));
  if (named) return *named;
  TRY(auto bound, id_at(keys::alias(text)));
  if (bound) return *bound;
  return by_prefix(text);
}

Result<std::string> RecordStore::network_id(const NetworkRef& ref) {
  const std::string& text = to_string(ref);
  if (!can_be_key(text)) return no_such_network(text);
  if (std::holds_alternative<NetworkId>(ref)) return text;
  if (std::holds_alternative<NetworkText>(ref)) return by_text(text);
  if (std::holds_alternative<RuntimeNetworkId>(ref)) {
    TRY(const auto own, store_.get(keys::network(text)));
    if (own) return text;
    return bound_id(text);
  }
  TRY(auto named, id_at(keys::network_name(text)));
  if (!named) return no_such_network(text);
  return std::move(*named);
}

Result<std::string> RecordStore::bound_id(const std::string& runtime_id) {
  if (!can_be_key(runtime_id)) return no_such_network(runtime_id);
  TRY(auto bound, id_at(keys::alias(runtime_id)));
  if (!bound) return no_such_network(runtime_id);
  return std::move(*bound);
}

Result<Stored<Network>> RecordStore::network_at(const std::string& id, const NetworkRef& ref) {
  if (!can_be_key(id)) return no_such_network(to_string(ref));
  TRY(auto record, store_.get(keys::network(id)));
  if (!record) return no_such_network(to_string(ref));
  TRY(auto network, decode_network(record->value));
  return Stored<Network>{std::move(network), record->revision};
}

Result<Stored<Network>> RecordStore::network(const NetworkRef& ref) {
  if (const auto* runtimes = std::get_if<RuntimeNetworkId>(&ref)) {
    auto own = network_at(runtimes->value, ref);
    if (own || own.error().code != Code::kNotFound) return own;
    TRY(const auto bound, bound_id(runtimes->value));
    return network_at(bound, ref);
  }
  TRY(const auto id, network_id(ref));
  return network_at(id, ref);
}

Result<std::vector<Network>> RecordStore::networks() {
  std::vector<Network> networks;
  TRY(auto records, store_.list(keys::kNetworks));
  for (const state::Record& record : records) {
    TRY(auto network, decode_network(record.value));
    networks.push_back(std::move(network));
  }
  std::ranges::sort(networks, {}, [](const Network& network) { return network.name.str(); });
  return networks;
}

Result<std::optional<Stored<Endpoint>>> RecordStore::endpoint(const std::string& network_id,
                                                              const std::string& id) {
  if (!can_be_key(id) || id.size() > 128)
    return fail(Code::kInvalid,
                "\"{}\" is not an endpoint id: use 1 to 128 letters, digits, '_', '.' or '-'",
                id.substr(0, 64));
  TRY(auto record, store_.get(keys::endpoint(network_id, id)));
  if (!record) return std::optional<Stored<Endpoint>>();
  TRY(auto endpoint, decode_endpoint(record->value));
  return std::optional(Stored<Endpoint>{std::move(endpoint), record->revision});
}

Result<std::vector<Endpoint>> RecordStore::endpoints(const std::string& network_id) {
  std::vector<Endpoint> endpoints;
  TRY(auto records, store_.list(network_id.empty() ? std::string(keys::kEndpoints)
                                                   : keys::endpoints_of(network_id)));
  for (const state::Record& record : records) {
    TRY(auto endpoint, decode_endpoint(record.value));
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

// Most endpoints have no ports, and their records no such field; records without the field are not
// decoded, which would take most of the time. The records are read in pages, because where many
// endpoints publish ports the first page has one of them.
Result<bool> RecordStore::any_publisher(const std::string& network_id,
                                        const std::function<bool(const Endpoint&)>& fits) {
  constexpr std::size_t kPage = 64;
  std::string last;
  for (;;) {
    TRY(const auto records, store_.list(keys::endpoints_of(network_id), last, kPage));
    for (const state::Record& record : records) {
      if (record.value.find("\"ports\"") == std::string::npos) continue;
      TRY(const auto endpoint, decode_endpoint(record.value));
      if (fits(endpoint)) return true;
    }
    if (records.size() < kPage) return false;
    last = records.back().key;
  }
}

std::string RecordStore::describe(const std::string& network_id, const std::string& endpoint_id) {
  const auto network = this->network(NetworkId{network_id});
  const auto stored = endpoint(network_id, endpoint_id);
  const Endpoint* known = stored && *stored ? &(*stored)->value : nullptr;
  const bool has_container = known != nullptr && !known->container.empty();
  return fmt::format("{} {} of network {}{}", has_container ? "container" : "endpoint",
                     (has_container ? known->container : endpoint_id).substr(0, 12),
                     network ? network->value.name.str() : network_id.substr(0, 12),
                     known != nullptr ? fmt::format(" ({})", known->runtime) : "");
}

Result<std::size_t> RecordStore::count(std::string_view prefix) {
  TRY(auto records, store_.list(prefix));
  return records.size();
}

Result<UnderlayRecord> RecordStore::underlay() {
  TRY(const auto record, store_.get(keys::kUnderlay));
  if (!record) return UnderlayRecord();
  return decode_underlay(record->value);
}

Result<SurroundingsRecord> RecordStore::surroundings() {
  TRY(const auto record, store_.get(keys::kSurroundings));
  if (!record) return SurroundingsRecord();
  return decode_surroundings(record->value);
}

Result<Stored<PolicyRecord>> RecordStore::policies() {
  TRY(const auto record, store_.get(keys::kPolicies));
  if (!record) return Stored<PolicyRecord>{};
  TRY(auto policies, decode_policies(record->value));
  return Stored<PolicyRecord>{std::move(policies), record->revision};
}

Result<std::map<std::string, NameRecord>> RecordStore::policy_names() {
  std::map<std::string, NameRecord> names;
  TRY(const auto records, store_.list(keys::kPolicyNames));
  for (const state::Record& record : records) {
    TRY(names[record.key.substr(keys::kPolicyNames.size())], decode_policy_name(record.value));
  }
  return names;
}

Result<NameRecord> RecordStore::policy_name(const std::string& name) {
  TRY(const auto record, store_.get(keys::policy_name(name)));
  return record ? decode_policy_name(record->value) : NameRecord();
}

Result<bool> RecordStore::any_policy_selects() {
  TRY(const auto record, store_.get(keys::kPolicies));
  return record && selects_endpoints(record->value);
}

Result<ForwardingRecord> RecordStore::forwarding() {
  TRY(const auto record, store_.get(keys::kForwarding));
  if (!record) return ForwardingRecord();
  return decode_forwarding(record->value);
}

}  // namespace fairlead::network
