#include "network/service/names.h"

#include <algorithm>

#include "network/kernel/host/netns.h"
#include "network/service/change_log.h"
#include "network/service/keys.h"

namespace fairlead::network {

namespace {

// Tries again what another commit has overtaken.
template <class Attempt>
Status try_often(const Attempt& attempt) {
  for (unsigned tries = 1;; ++tries) {
    const Status done = attempt();
    if (done || done.error().code != Code::kConflict || tries >= kMostAttempts) return done;
  }
}

// Goes on after errors, and reports the first one.
template <class Values, class Keep>
Status each(const Values& values, const Keep& keep) {
  Status first;
  for (const auto& value : values)
    if (const Status kept = keep(value); !kept && first) first = kept;
  return first;
}

bool is_part_of_key(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::ranges::all_of(id, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '/'; });
}

}  // namespace

Status Names::keep(std::span<const RuntimeNetwork> networks) {
  return each(networks, [&](const RuntimeNetwork& network) {
    return try_often([&] { return keep_network(network); });
  });
}

Status Names::keep(std::span<const NamedEndpoint> endpoints) {
  bool changed = false;
  const Status kept = each(endpoints, [&](const NamedEndpoint& endpoint) {
    return try_often([&] { return keep_endpoint(endpoint, changed); });
  });
  // Policies select endpoints by their labels.
  const Status selected = changed ? context_.firewall.select_endpoint() : Status();
  return kept ? selected : kept;
}

Status Names::serve(const NameServers& servers) {
  TRY(const auto changed, lead(servers));
  context_.flows.forget(changed);
  return {};
}

// The record goes first: the table that is rendered meanwhile is right.
Result<std::vector<nat::NatQuestions>> Names::lead(const NameServers& servers) {
  TRY(const auto guard, context_.lock_networks());
  const std::string& boot = context_.parts.boot_id;
  TRY(const auto before, context_.records.name_servers(boot));
  if (before == servers) return std::vector<nat::NatQuestions>();
  const std::string key(keys::kNameServers);
  state::Txn txn;
  if (servers == NameServers())
    txn.deletes.push_back(key);
  else
    txn.puts.push_back({key, encode(NameServersRecord{boot, servers})});
  TRY_STATUS(context_.commit(std::move(txn)));
  return context_.firewall.change_names(before, servers);
}

// Committed only while the network (or the binding) is as it was read, so that no name is left of
// one that is removed at the same time.
Status Names::keep_network(const RuntimeNetwork& network) {
  if (!is_part_of_key(network.id)) return {};
  state::Store& store = context_.parts.store;
  std::string id = network.id;
  TRY(auto owner, store.get(keys::network(id)));
  if (!owner) {
    TRY(owner, store.get(keys::alias(network.id)));
    if (!owner) return {};
    TRY(id, decode_id(owner->value));
  }
  const std::string key = keys::runtime_network(id, network.id), text = encode(network);
  TRY(const auto present, store.get(key));
  if (present && present->value == text) return {};
  return context_.commit({.preconditions = {{owner->key, owner->revision}},
                          .puts = {{key, text}},
                          .durability = state::Durability::kDurable});
}

Status Names::keep_endpoint(const NamedEndpoint& named, bool& changed) {
  if (!is_part_of_key(named.network) || !is_part_of_key(named.endpoint)) return {};
  auto id = context_.records.network_id(RuntimeNetworkId{named.network});
  if (!id) return id.error().code == Code::kNotFound ? Status() : fail(id.error());
  TRY(auto stored, context_.records.endpoint(*id, named.endpoint));
  if (!stored || stored->value.runtime != kNamedLater) return {};
  Endpoint& endpoint = stored->value;
  const std::string key = keys::endpoint_names(*id, endpoint.id);
  TRY(const auto present, context_.parts.store.get(key));
  EndpointNames fresh{named.container, {}, named.names};
  EndpointNames before;
  if (present) {
    TRY(before, decode_endpoint_names(present->value));
  }
  fresh.ifname = before.ifname.empty() ? ifname_of(endpoint) : before.ifname;
  if (present && fresh == before) return {};
  TRY_STATUS(
      context_.commit({.preconditions = {{keys::endpoint(*id, endpoint.id), stored->revision}},
                       .puts = {{key, encode(fresh)}}}));
  changed = true;
  add_names(fresh, endpoint);
  const bool is_new = context_.parts.unix_time() - endpoint.created <= kMoveTime;
  if (!present && is_new && endpoint.joined && log_changes())
    if (const auto network = context_.records.network(NetworkId{*id}); network)
      log_attached(context_.records.title(network->value), endpoint);
  return {};
}

// The interface with the endpoint's MAC in the container's namespace; empty when it is not there
// (yet), or the namespace is gone.
std::string Names::ifname_of(const Endpoint& endpoint) {
  if (!endpoint.joined || !endpoint.mac || endpoint.netns_path.empty()) return "";
  const auto netns = kernel::open_netns(endpoint.netns_path);
  if (!netns) return "";
  const auto links = context_.parts.links.list_inside(netns->get());
  if (!links) return "";
  const auto own = std::ranges::find(*links, *endpoint.mac, &kernel::Link::mac);
  return own == links->end() ? "" : own->name;
}

}  // namespace fairlead::network
