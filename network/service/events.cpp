#include "network/service/events.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "network/service/keys.h"
#include "network/service/record_store.h"
#include "network/service/records.h"

namespace fairlead::network {

namespace {

using Attributes = std::map<std::string, std::string>;

void add(Attributes& attributes, const char* key, std::string value) {
  if (!value.empty()) attributes[key] = std::move(value);
}

template <class List, class ToText>
std::string joined(const List& list, ToText to_text) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ",") + to_text(item);
  return text;
}

// ---- networks

Change change_of(const Network& network, const char* action) {
  Change change{.kind = "network", .action = action, .id = network.id, .name = network.name.str()};
  add(change.attributes, "mode", network.options.mode);
  add(change.attributes, "subnets",
      joined(network.subnets, [](const Subnet& subnet) { return subnet.subnet.to_string(); }));
  if (const auto made = network.labels.find(kMadeForLabel); made != network.labels.end())
    add(change.attributes, "runtime", made->second);
  if (title_of(network) != network.name.str())
    add(change.attributes, "runtime_name", title_of(network));
  add(change.attributes, "project", project_of(network));
  return change;
}

// Without what a driver only keeps for itself.
Network shown(Network network) {
  network.links.kept.clear();
  return network;
}

template <class Object>
bool exists(const std::optional<Object>& object) {
  return object && object->phase == Phase::kReady;
}

// ---- endpoints

Attributes attributes_of(const Endpoint& endpoint, const NetworkNameOf& name_of) {
  Attributes attributes;
  add(attributes, "network", endpoint.network_id);
  add(attributes, "network_name", name_of(endpoint.network_id));
  add(attributes, "container", endpoint.container);
  add(attributes, "runtime", endpoint.runtime);
  add(attributes, "addresses",
      joined(endpoint.addresses, [](const Cidr& address) { return address.to_string(); }));
  add(attributes, "mac", endpoint.mac ? endpoint.mac->to_string() : "");
  add(attributes, "ifname", endpoint.ifname);
  add(attributes, "aliases", joined(endpoint.aliases, std::identity()));
  add(attributes, "container_name", endpoint.names.name);
  add(attributes, "project", endpoint.names.project);
  add(attributes, "service", endpoint.names.service);
  return attributes;
}

Change change_of(const Endpoint& endpoint, const char* action, const NetworkNameOf& name_of) {
  return {.kind = "endpoint",
          .action = action,
          .id = endpoint.id,
          .name = endpoint.container,
          .attributes = attributes_of(endpoint, name_of)};
}

std::string host_text(const PublishedPort& port) {
  if (!port.host_ip) return "*";
  const std::string text = port.host_ip->to_string();
  return port.host_ip->family() == Family::kV6 ? "[" + text + "]" : text;
}

std::string number_text(std::uint16_t first, std::uint16_t last) {
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

Change change_of(const Endpoint& endpoint, const PublishedPort& port, const char* action,
                 const NetworkNameOf& name_of) {
  Change change{.kind = "port",
                .action = action,
                .id = endpoint.id,
                .name = fmt::format(
                    "{}:{}->{}/{}", host_text(port), number_text(port.host_port, port.last()),
                    number_text(port.container_port, port.container_last()), to_string(port.proto)),
                .attributes = attributes_of(endpoint, name_of)};
  add(change.attributes, "protocol", std::string(to_string(port.proto)));
  add(change.attributes, "host_ip", port.host_ip ? port.host_ip->to_string() : "");
  add(change.attributes, "host_port", number_text(port.host_port, port.last()));
  add(change.attributes, "container_port", number_text(port.container_port, port.container_last()));
  if (port.max_connections != 0)
    add(change.attributes, "max_connections", std::to_string(port.max_connections));
  return change;
}

// What there is of an endpoint that exists; nothing of one that does not.
struct Presence {
  bool there = false, joined = false;
  std::vector<PublishedPort> ports;
};

Presence presence_of(const std::optional<Endpoint>& endpoint) {
  if (!exists(endpoint)) return {};
  return {true, endpoint->joined, endpoint->ports};
}

std::vector<PublishedPort> without(const std::vector<PublishedPort>& ports,
                                   const std::vector<PublishedPort>& others) {
  std::vector<PublishedPort> rest;
  for (const PublishedPort& port : ports)
    if (std::ranges::find(others, port) == others.end()) rest.push_back(port);
  return rest;
}

// A port whose number of connections changes is published again, and was not unpublished.
std::vector<PublishedPort> unlimited(std::vector<PublishedPort> ports) {
  for (PublishedPort& port : ports) port.max_connections = 0;
  return ports;
}

// ---- records

template <class Decode>
auto record_of(const std::optional<std::string>& text, Decode decode) {
  using Value = typename decltype(decode(std::string_view()))::value_type;
  if (!text) return std::optional<Value>();
  auto value = decode(std::string_view(*text));
  return value ? std::optional<Value>(std::move(*value)) : std::nullopt;
}

std::optional<std::string> text_after(const state::Event& event) {
  if (event.kind != state::Event::Kind::kPut) return std::nullopt;
  return event.record.value;
}

}  // namespace

std::vector<Change> changes_of(const std::optional<Network>& before,
                               const std::optional<Network>& after) {
  if (!exists(before)) {
    if (!exists(after)) return {};
    return {change_of(*after, "create")};
  }
  if (!exists(after)) return {change_of(*before, "remove")};
  if (shown(*before) == shown(*after) && before->options == after->options) return {};
  return {change_of(*after, "update")};
}

// In the order in which they were done: what is taken away first, from the outside to the inside.
std::vector<Change> changes_of(const std::optional<Endpoint>& before,
                               const std::optional<Endpoint>& after, const NetworkNameOf& name_of) {
  std::vector<Change> changes;
  if (exists(before) && exists(after) && before->boot_id != after->boot_id) {
    changes = changes_of(before, std::nullopt, name_of);
    std::ranges::move(changes_of(std::nullopt, after, name_of), std::back_inserter(changes));
    return changes;
  }
  const Presence old = presence_of(before), now = presence_of(after);
  for (const PublishedPort& port : without(unlimited(old.ports), unlimited(now.ports)))
    changes.push_back(change_of(*before, port, "unpublish", name_of));
  if (old.joined && !now.joined) changes.push_back(change_of(*before, "leave", name_of));
  if (old.there && !now.there) changes.push_back(change_of(*before, "remove", name_of));
  if (now.there && !old.there) changes.push_back(change_of(*after, "create", name_of));
  if (now.joined && !old.joined) changes.push_back(change_of(*after, "join", name_of));
  if (old.there && now.there && old.joined == now.joined &&
      attributes_of(*before, name_of) != attributes_of(*after, name_of))
    changes.push_back(change_of(*after, "update", name_of));
  for (const PublishedPort& port : without(now.ports, old.ports))
    changes.push_back(change_of(*after, port, "publish", name_of));
  return changes;
}

namespace {

// The ids in "endpoint-names/<network id>/<id>" and in "network-runtime/<network id>/<runtime id>".
struct Ids {
  std::string first, second;
};
Ids ids_in(std::string_view key, std::string_view prefix) {
  key.remove_prefix(prefix.size());
  const auto slash = std::min(key.find('/'), key.size());
  return {std::string(key.substr(0, slash)),
          std::string(key.substr(std::min(slash + 1, key.size())))};
}

// A name that is forgotten went with its owner, which has told of that itself.
std::vector<Change> named(const state::Event& event, const ChangeLookups& lookups) {
  const std::string& key = event.record.key;
  if (event.kind != state::Event::Kind::kPut) return {};
  if (key.starts_with(keys::kEndpointNames) && lookups.endpoint) {
    const Ids ids = ids_in(key, keys::kEndpointNames);
    const auto endpoint = lookups.endpoint(ids.first, ids.second);
    if (exists(endpoint)) return {change_of(*endpoint, "update", lookups.name_of)};
  }
  if (key.starts_with(keys::kRuntimeNetworks) && lookups.network) {
    const auto network = lookups.network(ids_in(key, keys::kRuntimeNetworks).first);
    if (exists(network)) return {change_of(*network, "update")};
  }
  return {};
}

std::optional<Endpoint> endpoint_in(const std::optional<std::string>& text,
                                    const ChangeLookups& lookups) {
  auto endpoint = record_of(text, decode_endpoint);
  if (endpoint && lookups.add_names) lookups.add_names(*endpoint);
  return endpoint;
}

}  // namespace

std::vector<Change> network_changes(const std::vector<state::Event>& commit,
                                    const ChangeLookups& lookups) {
  std::vector<Change> all;
  for (const state::Event& event : commit) {
    std::vector<Change> changes;
    if (event.record.key.starts_with(keys::kNetworks))
      changes = changes_of(record_of(event.before, decode_network),
                           record_of(text_after(event), decode_network));
    else if (event.record.key.starts_with(keys::kEndpoints))
      changes = changes_of(endpoint_in(event.before, lookups),
                           endpoint_in(text_after(event), lookups), lookups.name_of);
    else
      changes = named(event, lookups);
    std::ranges::move(changes, std::back_inserter(all));
  }
  return all;
}

state::ReadChanges network_changes_in(state::Store& store) {
  const auto records = std::make_shared<RecordStore>(store);
  const auto network = [records](const std::string& id) -> std::optional<Network> {
    auto stored = records->network(NetworkId{id});
    if (!stored) return std::nullopt;
    records->add_names(stored->value);
    return std::move(stored->value);
  };
  const auto endpoint = [records](const std::string& network_id,
                                  const std::string& id) -> std::optional<Endpoint> {
    auto stored = records->endpoint(network_id, id);
    if (!stored || !*stored) return std::nullopt;
    records->add_names((*stored)->value);
    return std::move((*stored)->value);
  };
  const ChangeLookups lookups{
      .name_of =
          [network](const std::string& id) {
            const auto found = network(id);
            return found ? title_of(*found) : "";
          },
      .network = network,
      .endpoint = endpoint,
      .add_names = [records](Endpoint& named) { records->add_names(named); }};
  return [lookups](const std::vector<state::Event>& commit) {
    return network_changes(commit, lookups);
  };
}

}  // namespace fairlead::network
