#include "network/service/events.h"

#include <algorithm>
#include <functional>

#include "network/service/keys.h"
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

Change change_of(const Endpoint& endpoint, const PublishedPort& port, const char* action,
                 const NetworkNameOf& name_of) {
  Change change{.kind = "port",
                .action = action,
                .id = endpoint.id,
                .name = fmt::format("{}:{}->{}/{}", host_text(port), port.host_port,
                                    port.container_port, to_string(port.proto)),
                .attributes = attributes_of(endpoint, name_of)};
  add(change.attributes, "protocol", std::string(to_string(port.proto)));
  add(change.attributes, "host_ip", port.host_ip ? port.host_ip->to_string() : "");
  add(change.attributes, "host_port", std::to_string(port.host_port));
  add(change.attributes, "container_port", std::to_string(port.container_port));
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
  if (shown(*before) == shown(*after)) return {};
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
  for (const PublishedPort& port : without(old.ports, now.ports))
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

std::vector<Change> network_changes(const std::vector<state::Event>& commit,
                                    const NetworkNameOf& name_of) {
  std::vector<Change> all;
  for (const state::Event& event : commit) {
    std::vector<Change> changes;
    if (event.record.key.starts_with(keys::kNetworks))
      changes = changes_of(record_of(event.before, decode_network),
                           record_of(text_after(event), decode_network));
    else if (event.record.key.starts_with(keys::kEndpoints))
      changes = changes_of(record_of(event.before, decode_endpoint),
                           record_of(text_after(event), decode_endpoint), name_of);
    std::ranges::move(changes, std::back_inserter(all));
  }
  return all;
}

state::ReadChanges network_changes_in(state::Store& store) {
  const auto name_of = [&store](const std::string& network_id) -> std::string {
    const auto record = store.get(keys::network(network_id));
    if (!record || !*record) return "";
    const auto network = decode_network((*record)->value);
    return network ? network->name.str() : "";
  };
  return [name_of](const std::vector<state::Event>& commit) {
    return network_changes(commit, name_of);
  };
}

}  // namespace fairlead::network
