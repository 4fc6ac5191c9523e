#include "network/service/record_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "network/api/names.h"
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

// A scan, but only for a text that is no network's own name or id, and over networks alone. Docker
// makes several networks of one name.
Result<std::optional<std::string>> RecordStore::by_runtime_name(const std::string& name) {
  std::set<std::string> ids;
  TRY(const auto records, store_.list(keys::kRuntimeNetworks));
  for (const state::Record& record : records) {
    const auto called = decode_runtime_network(record.value);
    if (!called || called->name != name) continue;
    const auto id = std::string_view(record.key).substr(keys::kRuntimeNetworks.size());
    ids.emplace(id.substr(0, id.find('/')));
  }
  if (ids.empty()) return std::optional<std::string>();
  if (ids.size() == 1) return std::optional(*ids.begin());
  std::vector<std::string_view> shortened;
  for (const std::string& id : ids) shortened.push_back(std::string_view(id).substr(0, 12));
  return fail(Code::kInvalid,
              "{} networks are called \"{}\" in their runtime; say which by its id: {}", ids.size(),
              name, fmt::join(shortened, ", "));
}

Result<std::string> RecordStore::by_text(const std::string& text) {
  if (!can_be_key(text)) {
    TRY(const auto called, by_runtime_name(text));
    return called ? Result<std::string>(*called) : no_such_network(text);
  }
  TRY(const auto exact, store_.get(keys::network(text)));
  if (exact) return text;
  TRY(auto named, id_at(keys::network_name(text)));
  if (named) return *named;
  TRY(auto bound, id_at(keys::alias(text)));
  if (bound) return *bound;
  TRY(const auto called, by_runtime_name(text));
  if (called) return *called;
  return by_prefix(text);
}

Result<std::string> RecordStore::network_id(const NetworkRef& ref) {
  const std::string& text = to_string(ref);
  if (std::holds_alternative<NetworkText>(ref)) return by_text(text);
  if (!can_be_key(text)) return no_such_network(text);
  if (std::holds_alternative<NetworkId>(ref)) return text;
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
  auto network = this->network(NetworkId{network_id});
  if (network) add_names(network->value);
  auto stored = endpoint(network_id, endpoint_id);
  const bool known = stored && *stored;
  Endpoint found = known ? std::move((*stored)->value) : Endpoint{.id = endpoint_id};
  add_names(found);
  const std::string of = fmt::format("{} of network {}", title_of(found),
                                     network ? title_of(network->value) : network_id.substr(0, 12));
  if (!known) return of;
  return found.names.project.empty()
             ? fmt::format("{} ({})", of, found.runtime)
             : fmt::format("{} ({}, compose project {})", of, found.runtime, found.names.project);
}

namespace {

RuntimeNetwork runtime_network_of(const state::Record& record, RuntimeNetwork called) {
  called.id = record.key.substr(record.key.rfind('/') + 1);
  return called;
}

}  // namespace

Result<std::vector<RuntimeNetwork>> RecordStore::runtimes_of(const std::string& network_id) {
  std::vector<RuntimeNetwork> runtimes;
  TRY(const auto records, store_.list(keys::runtime_networks_of(network_id)));
  for (const state::Record& record : records) {
    TRY(auto called, decode_runtime_network(record.value));
    runtimes.push_back(runtime_network_of(record, std::move(called)));
  }
  return runtimes;
}

std::string RecordStore::title(const Network& network) {
  const std::string& name = network.name.str();
  if (!name.ends_with(network.id.substr(0, 12))) return name;
  const auto record = store_.get(keys::runtime_network(network.id, network.id));
  if (!record || !*record) return name;
  const auto called = decode_runtime_network((*record)->value);
  return called ? called->name : name;
}

void RecordStore::add_names(Network& network) {
  if (auto runtimes = runtimes_of(network.id); runtimes) network.runtimes = std::move(*runtimes);
}

void RecordStore::add_names(Endpoint& endpoint) {
  if (endpoint.runtime != kNamedLater) return;
  const auto record = store_.get(keys::endpoint_names(endpoint.network_id, endpoint.id));
  if (!record || !*record) return;
  if (const auto names = decode_endpoint_names((*record)->value); names)
    network::add_names(*names, endpoint);
}

void RecordStore::add_names(std::vector<Network>& networks) {
  const auto records = store_.list(keys::kRuntimeNetworks);
  if (!records) return;
  std::map<std::string_view, Network*> by_id;
  for (Network& network : networks) by_id[network.id] = &network;
  for (const state::Record& record : *records) {
    const auto key = std::string_view(record.key).substr(keys::kRuntimeNetworks.size());
    const auto found = by_id.find(key.substr(0, key.find('/')));
    if (found == by_id.end()) continue;
    if (auto called = decode_runtime_network(record.value); called)
      found->second->runtimes.push_back(runtime_network_of(record, std::move(*called)));
  }
}

void RecordStore::add_names(std::vector<Endpoint>& endpoints) {
  std::map<std::string, Endpoint*> by_key;
  std::set<std::string> prefixes;
  for (Endpoint& endpoint : endpoints) {
    if (endpoint.runtime != kNamedLater) continue;
    by_key[keys::endpoint_names(endpoint.network_id, endpoint.id)] = &endpoint;
    prefixes.insert(keys::names_of_endpoints(endpoint.network_id));
  }
  for (const std::string& prefix : prefixes) {
    const auto records = store_.list(prefix);
    if (!records) continue;
    for (const state::Record& record : *records) {
      const auto found = by_key.find(record.key);
      if (found == by_key.end()) continue;
      if (const auto names = decode_endpoint_names(record.value); names)
        network::add_names(*names, *found->second);
    }
  }
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

Result<NameServers> RecordStore::name_servers(std::string_view boot_id) {
  TRY(const auto text, store_.get(keys::kNameServers));
  if (!text) return NameServers();
  TRY(auto record, decode_name_servers(text->value));
  return record.boot_id == boot_id ? std::move(record.servers) : NameServers();
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
