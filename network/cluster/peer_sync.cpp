#include "network/cluster/peer_sync.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "network/cluster/keys.h"
#include "network/cluster/peer_snapshot.h"

namespace fairlead::network::cluster {

namespace {

// How long after a watch was resumed the events that it had missed count as received.
constexpr std::chrono::milliseconds kCatchUp{1'000};

// Before a refresh is tried again whose entries are not complete yet.
constexpr std::chrono::milliseconds kNextLook{50};

// Between two looks for what is refused, which go through all that is known: this long at least,
// and so many times as long as the look took.
constexpr std::chrono::milliseconds kRefusals{1'000};
constexpr int kRefusalsTimes = 50;

}  // namespace

struct PeerSync::Scope {
  // KResume: watch from the snapshot's revision; kList: list, then watch.
  enum class Stage { kResume, kList, kWatching };
  std::string network_id, prefix;
  Stage phase = Stage::kList;
  Time not_before{};  // after a failure
  Time next_list{};
  std::uint64_t watch_number = 0;
  std::unique_ptr<state::Watch> watch;
};

PeerSync::PeerSync(state::Store& shared, PeerOptions options, Clock clock, Peers::Apply apply,
                   Peers::Replace replace)
    : shared_(shared),
      options_(std::move(options)),
      clock_(std::move(clock)),
      apply_(std::move(apply)),
      replace_(std::move(replace)),
      table_(options_.host) {
  add_scope({});
}

PeerSync::~PeerSync() { scopes_.clear(); }  // the watches end before the queue is destroyed

void PeerSync::attach(const PeerNetwork& network) {
  order([this, network] { add_scope(network); });
}
void PeerSync::detach(const std::string& network_id) {
  order([this, network_id] { drop_scope(network_id); });
}
void PeerSync::refresh(const std::string& network_id) {
  order([this, network_id] { refreshes_.emplace(network_id, Time{}); });
}
void PeerSync::set_local(const SharedEndpoint& endpoint) {
  order([this, endpoint] {
    const std::scoped_lock hold(guard_);
    table_.set_local(endpoint);
  });
}
void PeerSync::drop_local(const std::string& network_id, const std::string& endpoint_id) {
  order([this, network_id, endpoint_id] {
    const std::scoped_lock hold(guard_);
    table_.drop_local(network_id, endpoint_id);
  });
}
void PeerSync::replace_local(const std::vector<SharedEndpoint>& endpoints) {
  order([this, endpoints] {
    const std::scoped_lock hold(guard_);
    table_.replace_local(endpoints);
  });
}

void PeerSync::order(Order order) {
  const std::scoped_lock hold(queue_guard_);
  orders_.push_back(std::move(order));
  queue_changed_.notify_all();
}

std::vector<RemoteEntry> PeerSync::entries(const std::string& network_id) {
  const std::scoped_lock hold(guard_);
  return table_.entries(network_id);
}

bool PeerSync::complete(const std::string& network_id) {
  const std::scoped_lock hold(guard_);
  const auto progress = progress_.find(network_id);
  return progress != progress_.end() && progress->second.is_complete;
}

std::vector<HostInfo> PeerSync::hosts() {
  const std::scoped_lock hold(guard_);
  return table_.others();
}

PeerStatus PeerSync::status() {
  const std::scoped_lock hold(guard_);
  PeerStatus status = counters_;
  status.networks = progress_.size() - 1;
  status.hosts = table_.hosts().size();
  status.entries = table_.entry_count();
  status.missing = table_.missing();
  status.refused = {refused_.begin(), refused_.end()};
  for (const auto& [key, text] : unreadable_)
    if (!key.starts_with(keys::kHosts)) status.unreadable.push_back(text);
  return status;
}

std::size_t PeerSync::queued() {
  const std::scoped_lock hold(queue_guard_);
  return queue_.size() + orders_.size();
}

void PeerSync::wait(std::stop_token stop, std::chrono::milliseconds most) {
  std::unique_lock hold(queue_guard_);
  queue_changed_.wait_for(hold, std::move(stop), most,
                          [&] { return !queue_.empty() || !orders_.empty(); });
}

std::chrono::milliseconds PeerSync::step() {
  take_orders();
  take_deliveries();
  const Time now = clock_.running();
  look(now);
  for (const auto& [network_id, scope] : scopes_) sync(*scope, now);
  flush_hosts(clock_.running());
  flush(clock_.running());
  complete_scopes(clock_.running());
  look_for_refusals(clock_.running());
  refresh_due(clock_.running());
  return until_due(clock_.running());
}

// ---- scopes

void PeerSync::add_scope(const PeerNetwork& network) {
  const std::string& network_id = network.id;
  if (scopes_.contains(network_id)) return;
  auto scope = std::make_unique<Scope>();
  scope->network_id = network_id;
  scope->prefix = network_id.empty() ? std::string(keys::kHosts) : keys::members_of(network_id);
  {
    const std::scoped_lock hold(guard_);
    progress_[network_id] = {};
    if (!network_id.empty()) table_.attach(network);
  }
  adopt(*scope);
  scopes_[network_id] = std::move(scope);
}

void PeerSync::drop_scope(const std::string& network_id) {
  if (network_id.empty() || scopes_.erase(network_id) == 0) return;
  const std::scoped_lock hold(guard_);
  table_.detach(network_id);
  std::erase_if(unreadable_, [prefix = keys::members_of(network_id)](const auto& entry) {
    return entry.first.starts_with(prefix);
  });
  progress_.erase(network_id);
  if (!options_.folder.empty()) ::unlink(snapshot_path(network_id).c_str());
}

// Loads the snapshot that an earlier process has written.
void PeerSync::adopt(Scope& scope) {
  if (options_.folder.empty()) return;
  const auto snapshot = read_snapshot(snapshot_path(scope.network_id));
  if (!snapshot && snapshot.error().code == Code::kNotFound) return;
  Status put;
  const std::scoped_lock hold(guard_);
  if (snapshot)
    for (const state::Record& record : snapshot->records)
      if (auto done = put_record(scope.network_id, record); !done && put) put = std::move(done);
  if (!snapshot || !put) {
    log::warn("cluster.peers.snapshot",
              {{"error", snapshot ? put.error().text : snapshot.error().text}});
    return;  // What could be read stays in the table; the list that follows corrects it.
  }
  Progress& progress = progress_[scope.network_id];
  progress.revision = snapshot->revision;
  progress.is_whole = true;
  scope.phase = Scope::Stage::kResume;
}

void PeerSync::take_orders() {
  std::deque<Order> orders;
  {
    const std::scoped_lock hold(queue_guard_);
    orders.swap(orders_);
  }
  for (const Order& order : orders) order();
  may_refuse_ = may_refuse_ || !orders.empty();
}

// ---- what watches say

void PeerSync::take_deliveries() {
  std::deque<Delivery> queue;
  {
    const std::scoped_lock hold(queue_guard_);
    queue.swap(queue_);
  }
  if (queue.empty()) return;
  may_refuse_ = true;
  std::map<std::uint64_t, Scope*> by_watch;
  for (const auto& [network_id, scope] : scopes_) by_watch[scope->watch_number] = scope.get();
  for (const Delivery& delivery : queue)
    if (const auto found = by_watch.find(delivery.watch); found != by_watch.end())
      take(*found->second, delivery);
}

void PeerSync::take(Scope& scope, const Delivery& delivery) {
  const std::scoped_lock hold(guard_);
  Progress& progress = progress_[scope.network_id];
  for (const state::Event& event : delivery.events) {
    const state::Record& record = event.record;
    const auto kind = event.kind;
    if (kind == state::Event::Kind::kLost) {
      scope.phase = Scope::Stage::kList;
      continue;
    }
    if (kind == state::Event::Kind::kDelete) {
      drop_record(scope.network_id, record);
    } else {
      try_record(scope.network_id, record);
    }
    progress.revision = std::max(progress.revision, record.revision);
    progress.changed = true;
  }
}

// Under guard_.
Status PeerSync::put_record(const std::string& network_id, const state::Record& record) {
  if (network_id.empty()) {
    TRY(const auto host, decode<HostRecord>(record));
    table_.set_host(host, record.revision);
    hosts_changed_ = true;
    return {};
  }
  PeerTable::Listed one;
  TRY_STATUS(take_member(record, one));
  for (const ListedClaim& claim : one.claims) table_.set_claim(network_id, claim);
  for (const ListedEndpoint& endpoint : one.endpoints)
    table_.set_endpoint(endpoint.endpoint, endpoint.revision);
  return {};
}

// What a record of a network says. Keys of other kinds are a newer host's.
Status PeerSync::take_member(const state::Record& record, PeerTable::Listed& into) {
  const auto kind = keys::kind_of(record.key);
  if (kind == keys::Kind::kOther) return {};
  if (kind == keys::Kind::kEndpoint) {
    TRY(auto endpoint, decode<SharedEndpoint>(record));
    into.endpoints.push_back({std::move(endpoint), record.revision});
    return {};
  }
  TRY(auto claim, decode_claim(record));
  into.claims.push_back(std::move(claim));
  return {};
}

// Under guard_. What an endpoint or host said before a value that cannot be read counts still.
void PeerSync::try_record(const std::string& network_id, const state::Record& record) {
  if (const auto put = put_record(network_id, record); put)
    unreadable_.erase(record.key);
  else
    skip(record, put.error());
}

// Under guard_. Only that record is left out.
void PeerSync::skip(const state::Record& record, const Error& error) {
  const auto [noted, is_new] = unreadable_.insert_or_assign(
      record.key, fmt::format("{}; it is left out; delete the key {}", error.text, record.key));
  if (is_new) log::error("cluster.peers.record", {{"error", error.text}});
}

// Under guard_.
void PeerSync::drop_record(const std::string& network_id, const state::Record& record) {
  unreadable_.erase(record.key);
  const std::string id(keys::last_part(record.key));
  if (network_id.empty()) {
    table_.drop_host(id, record.revision);
    hosts_changed_ = true;
    return;
  }
  const auto kind = keys::kind_of(record.key);
  if (kind == keys::Kind::kEndpoint) return table_.drop_endpoint(network_id, id, record.revision);
  const auto first = IpAddress::from_hex(id);
  if (first && kind != keys::Kind::kOther)
    table_.drop_claim(network_id, kind == keys::Kind::kBlock, *first, record.revision);
}

// ---- lists and watches

// Detects that the store was put back: a watch would wait, without an error, until the store
// reaches its revision again.
void PeerSync::look(Time now) {
  if (now < next_look_) return;
  next_look_ = now + options_.looks;
  std::int64_t seen = 0;
  {
    const std::scoped_lock hold(guard_);
    for (const auto& [network_id, progress] : progress_) seen = std::max(seen, progress.revision);
  }
  const auto present = shared_.revision();
  if (!present || *present >= seen) return;
  for (const auto& [network_id, scope] : scopes_) {
    scope->phase = Scope::Stage::kList;
    scope->not_before = now;
  }
}

void PeerSync::sync(Scope& scope, Time now) {
  if (now < scope.not_before) return;
  Status done;
  if (scope.phase == Scope::Stage::kResume) done = resume(scope, now);
  if (scope.phase == Scope::Stage::kList ||
      (scope.phase == Scope::Stage::kWatching && now >= scope.next_list))
    done = list(scope, now);
  if (done) return;
  scope.not_before = now + options_.retry;
  log::warn("cluster.peers.sync", {{"prefix", scope.prefix}, {"error", done.error().text}});
}

// Watches from the snapshot's revision, if the store still has it. A store with a lower revision
// was restored from a backup.
Status PeerSync::resume(Scope& scope, Time now) {
  std::int64_t after = 0;
  {
    const std::scoped_lock hold(guard_);
    after = progress_[scope.network_id].revision;
  }
  TRY(const auto present, shared_.revision());
  if (present < after) {
    scope.phase = Scope::Stage::kList;
    return {};
  }
  auto done = start_watch(scope, after);
  scope.next_list = now + jittered(options_.full_lists);
  if (done) {  // the missed events will come soon
    const std::scoped_lock hold(guard_);
    progress_[scope.network_id].ready = now + kCatchUp;
  }
  if (done || done.error().code != Code::kConflict) return done;
  scope.phase = Scope::Stage::kList;
  return {};
}

Status PeerSync::start_watch(Scope& scope, std::int64_t after) {
  scope.watch.reset();
  scope.watch_number = next_watch_++;
  const auto deliver = [this,
                        number = scope.watch_number](const std::vector<state::Event>& events) {
    const std::scoped_lock hold(queue_guard_);
    queue_.push_back({number, events});
    queue_changed_.notify_all();
  };
  TRY(scope.watch, shared_.watch(scope.prefix, after, deliver));
  scope.phase = Scope::Stage::kWatching;
  return {};
}

// The revision is read before the list, so the watch misses nothing; it may repeat what the list
// contains.
Status PeerSync::list(Scope& scope, Time now) {
  TRY(const auto revision, shared_.revision());
  TRY(const auto records, shared_.list(scope.prefix));
  replace(scope, now, revision, records);
  if (scope.phase == Scope::Stage::kWatching) return {};
  return start_watch(scope, revision);
}

void PeerSync::replace(Scope& scope, Time now, std::int64_t revision,
                       const std::vector<state::Record>& records) {
  const std::scoped_lock hold(guard_);
  Progress& progress = progress_[scope.network_id];
  if (revision < progress.revision) {
    log::error("cluster.peers.rewound",
               {{"prefix", scope.prefix}, {"had", progress.revision}, {"has", revision}});
    table_.rewind(scope.network_id);
    progress.revision = revision;
    // Its watch waits for revisions that the store no longer has.
    scope.phase = Scope::Stage::kList;
  }
  std::size_t missing = 0;
  if (scope.network_id.empty()) {
    for (const state::Record& record : records) try_record("", record);
  } else {
    PeerTable::Listed listed{.revision = revision};
    if (scope.phase == Scope::Stage::kWatching) listed.seen = AddressClaims::Seen::kEveryChange;
    for (const state::Record& record : records)
      if (const auto taken = take_member(record, listed); taken)
        unreadable_.erase(record.key);
      else
        skip(record, taken.error());
    missing = table_.replace(scope.network_id, listed, now);
  }
  std::set<std::string_view> present;
  if (!unreadable_.empty())
    for (const state::Record& record : records) present.insert(record.key);
  std::erase_if(unreadable_, [&](const auto& entry) {
    return entry.first.starts_with(scope.prefix) && !present.contains(entry.first);
  });
  progress.revision = std::max(progress.revision, revision);
  progress.changed = true;
  progress.is_whole = true;
  may_refuse_ = true;
  progress.ready = now;
  ++counters_.full_lists;
  scope.next_list = now + (missing > 0 ? Time(kSecondLook) : jittered(options_.full_lists));
}

PeerSync::Time PeerSync::jittered(Time period) {
  const auto quarter = period.count() / 4;
  return period + Time(std::uniform_int_distribution<long long>(-quarter, quarter)(random_));
}

// ---- out

void PeerSync::flush_hosts(Time now) {
  if (!options_.apply_hosts || now < hosts_not_before_) return;
  std::vector<HostInfo> hosts;
  {
    const std::scoped_lock hold(guard_);
    if (!progress_[""].is_whole || !std::exchange(hosts_changed_, false)) return;
    hosts = table_.others();
  }
  if (hosts == given_hosts_) return;
  const auto applied = options_.apply_hosts(hosts);
  if (applied) {
    given_hosts_ = std::move(hosts);
    return;
  }
  hosts_not_before_ = now + options_.retry;
  log::warn("cluster.peers.hosts", {{"error", applied.error().text}});
  const std::scoped_lock hold(guard_);
  ++counters_.failures;
  hosts_changed_ = true;
}

void PeerSync::flush(Time now) {
  std::size_t dirty = 0;
  {
    const std::scoped_lock hold(guard_);
    dirty = table_.dirty();
  }
  if (dirty == 0) {
    dirty_since_.reset();
    return;
  }
  if (!dirty_since_) dirty_since_ = now;
  const bool due = dirty >= options_.batch || now - *dirty_since_ >= options_.debounce;
  if (!due || now < apply_not_before_) return;
  while (apply_changes(now)) {
  }
  if (now >= apply_not_before_) dirty_since_.reset();
}

// Returns whether there were changes that could be applied.
bool PeerSync::apply_changes(Time now) {
  PeerChanges changes;
  {
    const std::scoped_lock hold(guard_);
    changes = table_.changes(options_.batch);
  }
  if (changes.network_id.empty()) return false;
  const auto applied = apply_(changes);
  const std::scoped_lock hold(guard_);
  ++counters_.batches;
  if (applied) {
    table_.confirm(changes);
    return true;
  }
  ++counters_.failures;
  apply_not_before_ = now + options_.retry;
  log::warn("cluster.peers.apply",
            {{"network", changes.network_id.substr(0, 12)}, {"error", applied.error().text}});
  return false;
}

// What is refused is logged once, when it begins to be.
void PeerSync::look_for_refusals(Time now) {
  if (!may_refuse_ || now < next_refusals_) return;
  may_refuse_ = false;
  const std::scoped_lock hold(guard_);
  auto texts = table_.refusals();
  for (const std::string& text : texts)
    if (!refused_.contains(text)) log::warn("cluster.peers.refused", {{"what", text}});
  refused_ = {texts.begin(), texts.end()};
  const Time end = clock_.running();
  next_refusals_ = end + std::max(kRefusals, kRefusalsTimes * (end - now));
}

// A network is complete only after the hosts are, because entries count only when their hosts are
// known.
void PeerSync::complete_scopes(Time now) {
  const std::scoped_lock hold(guard_);
  const Progress& hosts = progress_[""];
  for (auto& [network_id, progress] : progress_) {
    if (progress.is_complete || !progress.ready || now < *progress.ready) continue;
    progress.is_complete = network_id.empty() ? !options_.apply_hosts || given_hosts_
                                              : hosts.is_complete && table_.dirty(network_id) == 0;
  }
}

// When nothing is left to apply, the confirmed entries are all entries of the network.
void PeerSync::refresh_due(Time now) {
  for (auto request = refreshes_.begin(); request != refreshes_.end();) {
    auto& [network_id, not_before] = *request;
    if (!scopes_.contains(network_id)) {
      request = refreshes_.erase(request);
      continue;
    }
    std::vector<RemoteEntry> entries;
    bool is_all = false;
    {
      const std::scoped_lock hold(guard_);
      is_all = progress_[network_id].is_complete && table_.dirty(network_id) == 0;
      if (is_all) entries = table_.entries(network_id);
    }
    if (!is_all) not_before = std::max(not_before, now + kNextLook);
    if (now < not_before) {
      ++request;
      continue;
    }
    if (const auto replaced = replace_(network_id, entries); !replaced) {
      log::warn("cluster.peers.refresh",
                {{"network", network_id.substr(0, 12)}, {"error", replaced.error().text}});
      not_before = now + options_.retry;
      ++request;
      continue;
    }
    request = refreshes_.erase(request);
  }
}

PeerSync::Time PeerSync::until_due(Time now) {
  Time next = std::min(now + options_.full_lists, next_look_);
  if (may_refuse_) next = std::min(next, std::max(next_refusals_, now + Time(1)));
  for (const auto& [network_id, not_before] : refreshes_)
    next = std::min(next, std::max(not_before, now + Time(1)));
  if (dirty_since_)
    next = std::min(next, std::max(*dirty_since_ + options_.debounce, apply_not_before_));
  for (const auto& [network_id, scope] : scopes_)
    next = std::min(next, scope->phase == Scope::Stage::kWatching
                              ? std::max(scope->next_list, scope->not_before)
                              : scope->not_before);
  const std::scoped_lock hold(guard_);
  if (options_.apply_hosts && hosts_changed_ && progress_[""].is_whole)
    next = std::min(next, hosts_not_before_);
  for (const auto& [network_id, progress] : progress_)
    if (!progress.is_complete && progress.ready && *progress.ready > now)
      next = std::min(next, *progress.ready);
  return std::max(next - now, Time(1));
}

// ---- snapshots

std::string PeerSync::snapshot_path(const std::string& network_id) const {
  return fmt::format("{}/peers-{}", options_.folder, network_id.empty() ? "hosts" : network_id);
}

Status PeerSync::save_snapshots() {
  if (options_.folder.empty()) return {};
  std::map<std::string, Progress> changed;
  {
    const std::scoped_lock hold(guard_);
    for (auto& [network_id, progress] : progress_)
      if (std::exchange(progress.changed, false)) changed[network_id] = progress;
  }
  for (const auto& [network_id, before] : changed) {
    PeerSnapshot snapshot;
    std::vector<ListedEndpoint> endpoints;
    std::vector<ListedClaim> claims;
    {
      const std::scoped_lock hold(guard_);
      const auto progress = progress_.find(network_id);
      if (progress == progress_.end()) continue;  // the network was detached meanwhile
      snapshot.revision = progress->second.revision;
      endpoints = table_.endpoints(network_id);
      claims = table_.claims(network_id);
      if (network_id.empty())
        for (const auto& [host, revision] : table_.hosts())
          snapshot.records.push_back({keys::host(host.info.id), encode(host), revision});
    }
    for (const ListedClaim& claim : claims)
      snapshot.records.push_back(record_of(claim, network_id));
    for (const auto& [endpoint, revision] : endpoints)
      snapshot.records.push_back(
          {keys::endpoint(network_id, endpoint.id), encode(endpoint), revision});
    TRY_STATUS(write_snapshot(snapshot_path(network_id), snapshot));
  }
  return {};
}

}  // namespace fairlead::network::cluster
