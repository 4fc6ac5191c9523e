// Removes networks that no host uses any more.
//
// The store has no precondition "no key begins with ...". So the removal first changes the
// network's record, whose revision is a precondition of every write of an endpoint, block or
// address of the network. The list that follows sees everything that was published before, and
// nothing can be published after. A removal that is interrupted is completed by the next removal or
// the next creation of the network.
#include <fmt/format.h>

#include <algorithm>

#include "base/fault.h"
#include "base/log.h"
#include "network/cluster/keys.h"
#include "network/cluster/networks.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kMostAttempts = 16;

}  // namespace

Result<std::vector<SharedEndpoint>> StoreNetworks::endpoints_of(const std::string& network_id) {
  TRY(const auto records, shared_.list(keys::endpoints_of(network_id)));
  return decode_readable<SharedEndpoint>(records);
}

Error StoreNetworks::in_use(const SharedNetwork& network,
                            const std::vector<SharedEndpoint>& endpoints) {
  std::map<std::string, std::size_t> counts;
  for (const SharedEndpoint& endpoint : endpoints) ++counts[endpoint.host_id];
  std::vector<std::string> hosts;
  for (const auto& [id, count] : counts) {
    const auto host = read<HostRecord>(shared_, keys::host(id));
    const bool named = host && *host;
    hosts.push_back(
        fmt::format("{} ({})", named ? (*host)->value.info.name : id.substr(0, 12), count));
    if (hosts.size() == 5 && counts.size() > 5) {
      hosts.push_back("...");
      break;
    }
  }
  return {Code::kInUse, 0,
          fmt::format("network {} has {} endpoint{} on host{} {}; remove them first",
                      network.name.str(), endpoints.size(), endpoints.size() == 1 ? "" : "s",
                      counts.size() == 1 ? "" : "s", fmt::join(hosts, ", "))};
}

Result<StoreNetworks::StoredNetwork> StoreNetworks::set_phase(const StoredNetwork& network,
                                                              NetworkPhase phase) {
  StoredNetwork changed = network;
  changed.value.phase = phase;
  const std::string key = keys::network(network.value.network.id);
  TRY(const auto done, shared_.commit({.preconditions = {{key, network.revision}},
                                       .puts = {{key, encode(changed.value)}},
                                       .durability = state::Durability::kDurable}));
  changed.revision = done.revision;
  return changed;
}

Status StoreNetworks::leave(std::string_view network) {
  const std::scoped_lock hold(joining_);
  making_.erase(std::string(network));  // also when nobody answers: the next keep() completes it
  return leave_now(network);
}

Status StoreNetworks::leave_now(std::string_view network) {
  TRY_STATUS(fence_.may_write());
  TRY(const auto found, find(network));
  if (!found) return {};
  const std::string& id = found->value.network.id;
  making_.erase(id);
  TRY(auto endpoints, endpoints_of(id));
  std::erase_if(endpoints, [&](const SharedEndpoint& endpoint) {
    return endpoint.host_id != fence_.host_id();
  });
  if (!endpoints.empty())
    return fail(with_context(in_use(found->value.network, endpoints),
                             fmt::format("leave network {}", network)));
  TRY_STATUS(shared_.commit({.deletes = {keys::joined(id, fence_.host_id())},
                             .durability = state::Durability::kDurable}));
  fault_point("cluster.network.left");
  return remove_if_unjoined(id);
}

// Not while the store was put back to an earlier state: hosts that joined since may still have to
// say so again. The next keep() comes back to it.
Status StoreNetworks::remove_if_unjoined(const std::string& id) {
  if (fence_.rollback_detector().is_quarantined()) return {};
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto now, find(id));
    if (!now) return {};
    const auto done = remove_unjoined(*now);
    if (done || done.error().code != Code::kConflict) return done;
  }
  return {};  // it keeps changing, so somebody uses it
}

// Removes the network if no host has it. The record is changed before joined/ is listed for the
// last time, so that no host can join unseen.
Status StoreNetworks::remove_unjoined(const StoredNetwork& network) {
  const std::string prefix = keys::joined_of(network.value.network.id);
  TRY(const auto joined, shared_.list(prefix, {}, 1));
  if (!joined.empty()) return {};
  TRY(const auto endpoints, endpoints_of(network.value.network.id));
  if (!endpoints.empty()) return {};  // they are of a removed host, whose removal deletes them
  TRY(const auto deleting, set_phase(network, NetworkPhase::kDeleting));
  fault_point("cluster.network.deleting");
  TRY(const auto behind, shared_.list(prefix, {}, 1));
  if (!behind.empty()) return status_of(set_phase(deleting, NetworkPhase::kReady));
  const auto ended = end_removal(deleting);
  if (!ended && ended.error().code != Code::kInUse) return ended;
  if (ended) log::info("cluster.network.removed", {{"name", network.value.network.name.str()}});
  return {};
}

// Withdraws what this host published of endpoints on a network that it no longer has. They were
// removed right before the network, so that nobody had withdrawn them yet.
Status StoreNetworks::withdraw_endpoints(const std::string& network_id) {
  TRY_STATUS(fence_.may_write());
  TRY(const auto endpoints, endpoints_of(network_id));
  for (const SharedEndpoint& endpoint : endpoints)
    if (endpoint.host_id == fence_.host_id())
      TRY_STATUS(shared_.commit({.deletes = {keys::endpoint(network_id, endpoint.id)}}));
  return {};
}

// A network that this host is making is joined before the local store has a record of it, so the
// host must not leave it here (making_).
Result<std::vector<std::string>> StoreNetworks::keep(const std::vector<std::string>& ids) {
  const std::scoped_lock hold(joining_);
  std::vector<std::string> gone;
  for (const std::string& id : ids) {
    TRY(const auto record, shared_.get(keys::network(id)));
    if (record && !decode<NetworkRecord>(*record)) continue;  // neither gone nor to be joined
    TRY(const auto found, find(id));
    if (!found || found->value.phase == NetworkPhase::kDeleting)
      gone.push_back(id);
    else
      TRY_STATUS(joined(*found));
  }
  TRY(const auto records, shared_.list(keys::kJoined));
  for (const state::Record& record : records) {
    const std::string id(keys::network_part(record.key));
    if (keys::last_part(record.key) != fence_.host_id() || making_.contains(id)) continue;
    if (std::ranges::find(ids, id) != ids.end()) continue;
    if (const auto network = shared_.get(keys::network(id));
        network && *network && !decode<NetworkRecord>(**network))
      continue;
    TRY_STATUS(withdraw_endpoints(id));
    TRY_STATUS(leave_now(id));
  }
  for (const std::string& id : ids) making_.erase(id);
  TRY_STATUS(remove_all_unjoined());
  return gone;
}

// Of the last host that left a network, or died over it, nobody else removes the network. A network
// is made together with its first joined/ key, so one without any is left over.
Status StoreNetworks::remove_all_unjoined() {
  TRY_STATUS(fence_.may_write());
  TRY(const auto networks, shared_.list(keys::kNetworks));
  TRY(const auto records, shared_.list(keys::kJoined));
  std::set<std::string, std::less<>> joined;
  for (const state::Record& record : records) joined.emplace(keys::network_part(record.key));
  for (const state::Record& record : networks) {
    const std::string id(keys::last_part(record.key));
    if (!decode<NetworkRecord>(record)) continue;
    if (!joined.contains(id)) TRY_STATUS(remove_if_unjoined(id));
  }
  return {};
}

Status StoreNetworks::remove(std::string_view network) {
  TRY_STATUS(fence_.of_record());
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    const auto done = try_remove(network);
    if (done) return done;
    if (done.error().code != Code::kConflict)
      return fail(with_context(done.error(), fmt::format("remove network {}", network)));
  }
  return fail(Code::kUnavailable, "remove network {}: its record keeps changing; try again",
              network);
}

Status StoreNetworks::try_remove(std::string_view name) {
  TRY(auto found, find(name));
  if (!found) return {};
  const SharedNetwork network = found->value.network;
  if (found->value.phase == NetworkPhase::kReady) {
    TRY(const auto endpoints, endpoints_of(network.id));
    if (!endpoints.empty()) return fail(in_use(network, endpoints));
    TRY(found, set_phase(*found, NetworkPhase::kDeleting));
    fault_point("cluster.network.deleting");
  }
  TRY_STATUS(end_removal(*found));
  log::info("cluster.network.removed", {{"name", network.name.str()}});
  return {};
}

Status StoreNetworks::end_removal(const StoredNetwork& network) {
  TRY(const auto endpoints, endpoints_of(network.value.network.id));
  if (endpoints.empty()) return purge(network);
  TRY_STATUS(set_phase(network, NetworkPhase::kReady));
  return fail(in_use(network.value.network, endpoints));
}

// Deletes everything below the network first, and its own keys last.
Status StoreNetworks::purge(const StoredNetwork& stored) {
  const SharedNetwork& network = stored.value.network;
  TRY_STATUS(sweep_prefix(shared_, keys::members_of(network.id)));
  TRY_STATUS(sweep_prefix(shared_, keys::claim_guards_of(network.id)));
  TRY_STATUS(sweep_prefix(shared_, keys::joined_of(network.id)));
  fault_point("cluster.network.swept");
  const std::string key = keys::network(network.id);
  state::Txn txn{.preconditions = {{key, stored.revision}},
                 .deletes = {key},
                 .durability = state::Durability::kDurable};
  TRY_STATUS(drop_what_it_owns(network, txn));
  return status_of(shared_.commit(txn));
}

// The name, the VNI and the subnets, as far as they are recorded as this network's: a record may
// name another one's.
Status StoreNetworks::drop_what_it_owns(const SharedNetwork& network, state::Txn& txn) {
  const auto drop = [&](const std::string& key, auto is_its_own) -> Result<bool> {
    TRY(const auto record, shared_.get(key));
    if (!record || !is_its_own(*record)) return false;
    txn.preconditions.push_back({key, record->revision});
    return true;
  };
  const std::string name_key = keys::network_name(network.name.str());
  TRY(const bool has_name, drop(name_key, [&](const state::Record& record) {
        const auto id = decode_id(record);
        return id && *id == network.id;
      }));
  if (has_name) txn.deletes.push_back(name_key);
  const std::string vni_key = keys::vni(network.vni);
  TRY(const bool has_vni, drop(vni_key, [&](const state::Record& record) {
        const auto vni = decode<VniRecord>(record);
        return vni && vni->network_id == network.id;
      }));
  const long long free_after = fence_.clock().unix_time() + kVniQuarantineSeconds;
  if (has_vni) txn.puts.push_back({vni_key, encode(VniRecord{.free_after = free_after})});
  for (const Subnet& subnet : network.subnets) {
    const std::string pool_key = keys::pool(subnet.subnet);
    TRY(const bool has_pool, drop(pool_key, [&](const state::Record& record) {
          const auto pool = decode<SharedPool>(record);
          return pool && pool->network_id == network.id;
        }));
    if (has_pool) txn.deletes.push_back(pool_key);
  }
  return {};
}

}  // namespace fairlead::network::cluster
