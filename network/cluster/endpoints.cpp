#include "network/cluster/endpoints.h"

#include <set>

#include "network/cluster/keys.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kMostAttempts = 16;

}  // namespace

Result<std::int64_t> StoreEndpoints::network_revision(const std::string& network_id) {
  TRY(const auto record, shared_.get(keys::network(network_id)));
  if (!record)
    return fail(Code::kNotFound, "network {} was removed from the cluster",
                network_id.substr(0, 12));
  const auto decoded = decode<NetworkRecord>(*record);
  if (!decoded) return fail(Code::kInvalid, "publish an endpoint: {}", decoded.error().text);
  const std::optional network(Stored<NetworkRecord>{*decoded, record->revision});
  if (network->value.phase == NetworkPhase::kReady) return network->revision;
  return fail(Code::kUnavailable, "network {} is being removed; try again",
              network->value.network.name.str());
}

Status StoreEndpoints::publish(const SharedEndpoint& endpoint) {
  return status_of(publish_changed(endpoint));
}

Result<bool> StoreEndpoints::publish_changed(const SharedEndpoint& endpoint) {
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    const auto done = try_publish(endpoint);
    if (done) TRY_STATUS(remember(endpoint));
    if (done || done.error().code != Code::kConflict) return done;
    TRY_STATUS(fence_.check_again());
  }
  return fail(Code::kUnavailable, "publish endpoint {}: its records keep changing; try again",
              endpoint.id.substr(0, 12));
}

Result<bool> StoreEndpoints::try_publish(SharedEndpoint endpoint) {
  TRY(auto preconditions, fence_.of_record());
  TRY(endpoint.epoch, fence_.epoch());
  endpoint.host_id = fence_.host_id();
  TRY(const auto network, network_revision(endpoint.network_id));
  const std::string key = keys::endpoint(endpoint.network_id, endpoint.id);
  TRY(const auto present, shared_.get(key));
  // One that cannot be read is written anew: the id holds this host's.
  if (const auto read = decode<SharedEndpoint>(present.value_or(state::Record{})); read) {
    if (*read == endpoint) return false;
    if (read->host_id != endpoint.host_id)
      return fail(Code::kExists, "publish endpoint {}: host {} has one of that id",
                  endpoint.id.substr(0, 12), read->host_id.substr(0, 12));
  }
  preconditions.push_back({keys::network(endpoint.network_id), network});
  preconditions.push_back({key, present ? present->revision : state::kAbsent});
  return shared_
      .commit({.preconditions = std::move(preconditions), .puts = {{key, encode(endpoint)}}})
      .map([](const auto&) { return true; });
}

Status StoreEndpoints::remember(const SharedEndpoint& endpoint) {
  const std::string key = keys::local_endpoint(endpoint.network_id, endpoint.id);
  const std::string text = encode(endpoint);
  TRY(const auto present, local_.get(key));
  if (present && present->value == text) return {};
  return status_of(local_.commit({.puts = {{key, text}}}));
}

Status StoreEndpoints::withdraw(const std::string& network_id, const std::string& endpoint_id) {
  TRY_STATUS(fence_.may_write());
  const std::string local_key = keys::local_endpoint(network_id, endpoint_id);
  TRY(const auto remembered, local_.get(local_key));
  if (remembered) TRY_STATUS(local_.commit({.deletes = {local_key}}));
  const std::string key = keys::endpoint(network_id, endpoint_id);
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto present, shared_.get(key));
    if (!present) return {};
    // One that cannot be read is deleted: the id holds this host's.
    const auto read = decode<SharedEndpoint>(*present);
    if (read && read->host_id != fence_.host_id()) return {};
    const auto done =
        shared_.commit({.preconditions = {{key, present->revision}}, .deletes = {key}});
    if (done || done.error().code != Code::kConflict) return status_of(done);
  }
  return fail(Code::kUnavailable, "withdraw endpoint {}: its record keeps changing; try again",
              endpoint_id.substr(0, 12));
}

Result<std::size_t> StoreEndpoints::publish_all(const std::vector<SharedEndpoint>& endpoints) {
  std::set<std::string> wanted, remembered;
  for (const SharedEndpoint& endpoint : endpoints) {
    wanted.insert(keys::endpoint(endpoint.network_id, endpoint.id));
    remembered.insert(keys::local_endpoint(endpoint.network_id, endpoint.id));
  }
  TRY(const auto before, local_.list(keys::kLocalEndpoints));
  for (const state::Record& record : before)
    if (!remembered.contains(record.key)) TRY_STATUS(local_.commit({.deletes = {record.key}}));
  std::size_t changed = 0;
  for (const SharedEndpoint& endpoint : endpoints) {
    TRY(const bool written, publish_changed(endpoint));
    if (written) ++changed;
  }
  TRY(const auto records, shared_.list(keys::kMembers));
  for (const state::Record& record : records) {
    if (keys::kind_of(record.key) != keys::Kind::kEndpoint || wanted.contains(record.key)) continue;
    const auto endpoint = decode<SharedEndpoint>(record);
    if (!endpoint || endpoint->host_id != fence_.host_id()) continue;
    TRY_STATUS(withdraw(endpoint->network_id, endpoint->id));
    ++changed;
  }
  return changed;
}

Status StoreEndpoints::restore(std::vector<std::string>& conflicts) {
  TRY(const auto records, local_.list(keys::kLocalEndpoints));
  for (const state::Record& record : records) {
    TRY(const auto endpoint, decode<SharedEndpoint>(record));
    const auto done = publish_changed(endpoint);
    if (done) continue;
    const Code code = done.error().code;
    if (code == Code::kExists) conflicts.push_back(done.error().text);
    if (code != Code::kExists && code != Code::kNotFound) return fail(done.error());
  }
  return fence_.rollback_detector().is_quarantined() ? withdraw_strangers() : Status();
}

// Withdraws the endpoints that are published in this host's name, but that this host has no record
// of.
Status StoreEndpoints::withdraw_strangers() {
  TRY(const auto records, shared_.list(keys::kMembers));
  for (const state::Record& record : records) {
    if (keys::kind_of(record.key) != keys::Kind::kEndpoint) continue;
    const auto endpoint = decode<SharedEndpoint>(record);
    if (!endpoint || endpoint->host_id != fence_.host_id()) continue;
    TRY(const auto known, local_.get(keys::local_endpoint(endpoint->network_id, endpoint->id)));
    if (!known) TRY_STATUS(withdraw(endpoint->network_id, endpoint->id));
  }
  return {};
}

Result<std::vector<SharedEndpoint>> StoreEndpoints::list(const std::string& network_id) {
  TRY(const auto records, shared_.list(keys::endpoints_of(network_id)));
  return decode_readable<SharedEndpoint>(records);
}

}  // namespace fairlead::network::cluster
