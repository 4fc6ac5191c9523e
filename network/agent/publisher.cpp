#include "network/agent/publisher.h"

#include <algorithm>

#include "base/log.h"

namespace fairlead::network {

namespace {

constexpr std::chrono::seconds kRetry{1};
constexpr std::chrono::minutes kCompareAll{10};  // in case something was lost in silence

bool nobody_answers(const Error& error) {
  return error.code == Code::kUnavailable || error.code == Code::kIo;
}

}  // namespace

std::string shared_id(const std::string& host_id, const std::string& endpoint_id) {
  return fmt::format("{}-{}", host_id.substr(0, 12), endpoint_id);
}

std::optional<cluster::SharedEndpoint> shared_endpoint(const Endpoint& endpoint,
                                                       const std::string& host_id,
                                                       const std::string& boot_id) {
  const bool there = endpoint.boot_id == boot_id && endpoint.phase == Phase::kReady &&
                     endpoint.joined && endpoint.mac && !endpoint.addresses.empty();
  if (!there) return std::nullopt;
  cluster::SharedEndpoint shared{.id = shared_id(host_id, endpoint.id),
                                 .network_id = endpoint.network_id,
                                 .addresses = {},
                                 .mac = *endpoint.mac,
                                 .container = endpoint.container,
                                 .names = endpoint.aliases,
                                 .state = cluster::EndpointState::kReady};
  for (const Cidr& address : endpoint.addresses) shared.addresses.push_back(address.address());
  return shared;
}

Publisher::Publisher(PublisherParts parts)
    : parts_(std::move(parts)), thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

Publisher::~Publisher() {
  thread_.request_stop();
  thread_.join();
  subscription_.reset();
}

void Publisher::joined() {
  const std::scoped_lock hold(guard_);
  joined_ = true;
  kept_ = false;
  all_dirty_ = true;
  changed_.notify_all();
}

void Publisher::left() {
  const std::scoped_lock hold(guard_);
  joined_ = false;
}

std::size_t Publisher::waiting() {
  const std::scoped_lock hold(guard_);
  return dirty_.size();
}

std::vector<std::string> Publisher::problems() {
  const std::scoped_lock hold(guard_);
  std::vector<std::string> texts;
  for (const auto& [about, text] : problems_) texts.push_back(text);
  return texts;
}

// ---- what happened on this host

void Publisher::on_batch(const ChangeBatch& batch) {
  const std::scoped_lock hold(guard_);
  if (batch.lost) lost_ = true;
  for (const Change& change : batch.changes) {
    if (change.kind == "network") {
      // The cluster is told even of a network that goes and comes between two looks: being made
      // again, it was joined again.
      networks_dirty_ = true;
      kept_ = false;
    }
    if (change.kind == "endpoint") dirty_.insert({change.attributes.at("network"), change.id});
  }
  if (has_work()) changed_.notify_all();
}

// The feed is followed before what is there is read: nothing is missed.
Status Publisher::follow_changes() {
  subscription_.reset();
  TRY(const auto revision, parts_.changes.revision());
  TRY(subscription_,
      parts_.changes.watch(revision, [this](const ChangeBatch& batch) { on_batch(batch); }));
  const std::scoped_lock hold(guard_);
  lost_ = false;
  networks_dirty_ = true;
  kept_ = false;
  all_dirty_ = true;
  return {};
}

bool Publisher::has_work() const {
  return lost_ || networks_dirty_ || (joined_ && (!kept_ || all_dirty_ || !dirty_.empty()));
}

void Publisher::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock hold(guard_);
      changed_.wait_until(hold, stop, compared_ + kCompareAll, [this] { return has_work(); });
      if (!has_work()) kept_ = false, all_dirty_ = true;
    }
    const Status done = work(stop);
    tell("cluster", done);
    if (done) continue;
    std::unique_lock hold(guard_);
    changed_.wait_for(hold, stop, kRetry, [] { return false; });
  }
}

Status Publisher::work(const std::stop_token& stop) {
  const auto take = [this](bool Publisher::*what) {
    const std::scoped_lock hold(guard_);
    return this->*what;
  };
  if (take(&Publisher::lost_)) TRY_STATUS(follow_changes());
  if (take(&Publisher::networks_dirty_)) TRY_STATUS(look_at_networks());
  if (!take(&Publisher::joined_)) {
    compared_ = std::chrono::steady_clock::now();
    return {};
  }
  if (!take(&Publisher::kept_)) TRY_STATUS(keep_networks());
  if (take(&Publisher::all_dirty_)) TRY_STATUS(publish_all());
  while (!stop.stop_requested()) {
    EndpointKey key;
    {
      const std::scoped_lock hold(guard_);
      if (!joined_ || networks_dirty_ || dirty_.empty()) return {};
      key = *dirty_.begin();
    }
    TRY_STATUS(publish(key));
  }
  return {};
}

void Publisher::tell(const std::string& what, const Status& status) {
  const std::scoped_lock hold(guard_);
  if (status) {
    problems_.erase(what);
    return;
  }
  std::string& text = problems_[what];
  if (text != status.error().text) log::warn("cluster.publish", {{"error", status.error().text}});
  text = status.error().text;
}

// ---- what the cluster is told

Status Publisher::look_at_networks() {
  {
    const std::scoped_lock hold(guard_);
    networks_dirty_ = false;
  }
  auto looked = compare_networks();
  if (looked) return {};
  const std::scoped_lock hold(guard_);
  networks_dirty_ = true;
  return looked;
}

Status Publisher::compare_networks() {
  TRY(const auto usages, parts_.service.list_networks());
  std::map<std::string, NetworkName> present;
  for (const auto& [network, endpoints] : usages) {
    if (!network.overlay || network.phase != Phase::kReady) continue;
    present.emplace(network.id, network.name);
    if (!networks_.contains(network.id)) parts_.on_network(network);
  }
  for (const auto& [id, name] : networks_)
    if (!present.contains(id)) {
      parts_.on_network_gone(id);
      tell("network " + id, {});
      tell("forget " + id, parts_.addresses.forget(id));
    }
  if (!looked_) TRY_STATUS(forget_strays(present));
  looked_ = true;
  const std::scoped_lock hold(guard_);
  if (present != networks_) kept_ = false;
  networks_ = std::move(present);
  return {};
}

// Of networks that went while nobody was there to say so.
Status Publisher::forget_strays(const std::map<std::string, NetworkName>& present) {
  TRY(const auto owned, parts_.addresses.owned());
  for (const cluster::OwnedBlock& block : owned)
    if (!present.contains(block.network_id)) TRY_STATUS(parts_.addresses.forget(block.network_id));
  return {};
}

Status Publisher::keep_networks() {
  {
    const std::scoped_lock hold(guard_);
    kept_ = true;
  }
  auto kept = try_keep_networks();
  if (kept) return {};
  const std::scoped_lock hold(guard_);
  kept_ = false;
  return kept;
}

Status Publisher::try_keep_networks() {
  std::vector<std::string> ids;
  for (const auto& [id, name] : networks_) ids.push_back(id);
  TRY(const auto gone, parts_.networks.keep(ids));
  gone_.clear();
  gone_.insert(gone.begin(), gone.end());
  for (const auto& [id, name] : networks_)
    tell("network " + id,
         gone_.contains(id)
             ? Status(fail(Code::kNotFound,
                           "network {} was removed from the cluster; remove it here too, with "
                           "`fairlead network rm {}`",
                           name.str(), name.str()))
             : Status());
  return {};
}

Status Publisher::publish_all() {
  {
    const std::scoped_lock hold(guard_);
    all_dirty_ = false;
    dirty_.clear();
  }
  const auto done = [&]() -> Status {
    TRY(const auto endpoints, parts_.service.list_endpoints(std::nullopt));
    std::vector<cluster::SharedEndpoint> shared;
    for (const Endpoint& endpoint : endpoints)
      if (networks_.contains(endpoint.network_id) && !gone_.contains(endpoint.network_id))
        if (auto known = shared_endpoint(endpoint, parts_.host_id, parts_.boot_id))
          shared.push_back(std::move(*known));
    parts_.peers.replace_local(shared);
    return status_of(parts_.endpoints.publish_all(shared));
  }();
  if (done) {
    compared_ = std::chrono::steady_clock::now();
    return {};
  }
  const std::scoped_lock hold(guard_);
  all_dirty_ = true;
  return done;
}

// By what the store says now: the order of events does not matter, nor how often they come. What
// changes meanwhile is noted again.
Status Publisher::publish(const EndpointKey& key) {
  {
    const std::scoped_lock hold(guard_);
    dirty_.erase(key);
  }
  const auto done = try_publish(key);
  if (done) return {};
  const std::scoped_lock hold(guard_);
  dirty_.insert(key);
  return done;
}

Status Publisher::try_publish(const EndpointKey& key) {
  const auto& [network_id, id] = key;
  if (!networks_.contains(network_id)) return {};
  const auto endpoint = parts_.service.inspect_endpoint({NetworkId{network_id}, id});
  if (!endpoint && endpoint.error().code != Code::kNotFound) return fail(endpoint.error());
  const auto shared =
      endpoint ? shared_endpoint(*endpoint, parts_.host_id, parts_.boot_id) : std::nullopt;
  if (shared)
    parts_.peers.set_local(*shared);
  else
    parts_.peers.drop_local(network_id, shared_id(parts_.host_id, id));
  const Status told = shared ? parts_.endpoints.publish(*shared)
                             : parts_.endpoints.withdraw(network_id, shared_id(parts_.host_id, id));
  if (!told && nobody_answers(told.error())) return told;
  tell("endpoint " + id, told);  // refused for good: told to people, and not again
  return {};
}

}  // namespace fairlead::network
