#include "network/cluster/membership.h"

#include <algorithm>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/cluster/keys.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kMostAttempts = 16;
// Does not overlap the default pools of single hosts (network/ipam) and of Docker.
constexpr std::string_view kDefaultPool = "10.224.0.0/12";

// How long the live key of a process that has ended may stay: in etcd each new leader starts the
// time of a lease again.
constexpr auto kLastLife = 2 * kLiveSeconds;
// How long problems() reports that another machine has written this host's record.
constexpr std::chrono::minutes kIntruderStays{10};

std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }

// Whether the record can be read as what its key says it is.
Status check_readable(const state::Record& record) {
  const std::string_view key = record.key;
  if (key.starts_with(keys::kHosts)) return status_of(decode<HostRecord>(record));
  if (key.starts_with(keys::kNetworks)) return status_of(decode<NetworkRecord>(record));
  if (key.starts_with(keys::kNetworkNames)) return status_of(decode_id(record));
  if (key.starts_with(keys::kPools)) {
    TRY_STATUS(keys::subnet_of_pool(key));
    return status_of(decode<SharedPool>(record));
  }
  return status_of(decode<VniRecord>(record));
}

std::string whereabouts(const HostInfo& info) {
  return fmt::format("{} at {}", info.name, info.vtep.to_string());
}

Status check_format(const ClusterMeta& meta) {
  if (meta.format <= kClusterFormat) return {};
  return fail(Code::kUnsupported,
              "join the cluster: a newer Fairlead has written its records (format {}, this one "
              "knows {}): upgrade Fairlead on this host",
              meta.format, kClusterFormat);
}

}  // namespace

StoreMembership::StoreMembership(MembershipParts parts, Fence& fence)
    : parts_(std::move(parts)), fence_(fence) {}

StoreMembership::~StoreMembership() = default;

HostTable::Now StoreMembership::now() const {
  return {fence_.clock().running(), fence_.clock().unix_time()};
}

// Reads the cluster's record, or makes it in an empty store. A host that already belongs to a
// cluster makes no other one.
Result<ClusterMeta> StoreMembership::ensure_meta(const MemberRecord& member) {
  TRY(const auto present, read<ClusterMeta>(parts_.shared, keys::kMeta));
  if (present) return present->value;
  if (!member.cluster.empty())
    return fail(
        Code::kConflict,
        "join the cluster: this host belongs to cluster {}, and the store holds none; check "
        "the address of the store, restore its backup, or remove the state of this host",
        short_id(member.cluster));
  ClusterMeta meta{.uuid = random_hex(32)};
  TRY(const auto pool, Cidr::parse_subnet(kDefaultPool));
  meta.pools = {pool};
  const std::string key(keys::kMeta);
  const auto made = parts_.shared.commit({.preconditions = {{key, state::kAbsent}},
                                          .puts = {{key, encode(meta)}},
                                          .durability = state::Durability::kDurable});
  if (made) return meta;
  if (made.error().code != Code::kConflict) return fail(made.error());
  TRY(const auto other, read<ClusterMeta>(parts_.shared, keys::kMeta));
  if (other) return other->value;
  return fail(Code::kUnavailable, "{} keeps changing; try again", key);
}

Result<MemberRecord> StoreMembership::own_record() {
  TRY(const auto member, read<MemberRecord>(parts_.local, keys::kMember));
  return member ? member->value : MemberRecord{};
}

Result<StoreMembership::StoredHost> StoreMembership::host_record() {
  TRY(const auto record, parts_.shared.get(keys::host(parts_.info.id)));
  if (!record) return StoredHost();
  auto host = decode<HostRecord>(*record);
  if (host) return StoredHost({std::move(*host), record->revision});
  // `host rm` deletes the live key. As long as that is there, the record may be written anew.
  TRY(const auto live, live_record());
  if (nonce_.empty() || !live || live->value.nonce != nonce_) return fail(host.error());
  return StoredHost(
      {{.info = parts_.info, .epoch = epoch_, .phase = HostPhase::kLeft}, record->revision});
}

Result<StoreMembership::StoredLive> StoreMembership::live_record() {
  return read<LiveRecord>(parts_.shared, keys::live(parts_.info.id));
}

Result<MembershipState> StoreMembership::removed() {
  fence_.close();
  log::warn("cluster.host.removed", {{"host", short_id(parts_.info.id)}});
  return MembershipState::kRemoved;
}

Result<MembershipState> StoreMembership::join() {
  const std::scoped_lock hold(guard_);
  TRY(auto member, own_record());
  TRY(const auto meta, ensure_meta(member));
  TRY_STATUS(check_format(meta));
  if (!member.cluster.empty() && member.cluster != meta.uuid)
    return fail(
        Code::kConflict,
        "join the cluster: this host belongs to cluster {}, and the store holds cluster {}; "
        "check the address of the store, or remove the state of this host",
        short_id(member.cluster), short_id(meta.uuid));
  member.cluster = meta.uuid;
  TRY_STATUS(fence_.rollback_detector().look());
  TRY(const auto host, host_record());
  TRY(const auto live, live_record());
  const RecordedMembership recorded = recorded_membership(host, member.epoch);
  if (recorded == RecordedMembership::kForgotten)
    fence_.rollback_detector().quarantine("it does not know this host");
  // Before a clone could conclude that this host was removed.
  TRY_STATUS(check_life(host, live, member));
  if (recorded == RecordedMembership::kRemoved) return removed();
  TRY_STATUS(enter(host, live, member));
  return MembershipState::kMember;
}

Status StoreMembership::join_again() {
  const std::scoped_lock hold(guard_);
  TRY(auto member, own_record());
  TRY(const auto meta, ensure_meta(member));
  TRY_STATUS(check_format(meta));
  TRY(const auto host, host_record());
  TRY(const auto live, live_record());
  TRY_STATUS(check_life(host, live, member));
  member.cluster = meta.uuid;
  // When the store has no record of this host, everything else that this host had there is missing
  // as well.
  member.epoch = host ? std::max(host->value.epoch, member.epoch) : member.epoch + 1;
  TRY_STATUS(forget_local_claims(parts_.local));
  TRY_STATUS(drop_own(member.epoch));
  return enter(host, live, member);
}

Status StoreMembership::drop_own(std::uint64_t epoch) {
  const auto is_own = [&](const std::string& host_id, std::uint64_t of) {
    return host_id == parts_.info.id && of < epoch;
  };
  TRY_STATUS(sweep_endpoints(parts_.shared, is_own));
  return status_of(sweep_addresses(parts_.shared, is_own));
}

HostRecord StoreMembership::wanted_record(const StoredHost& host, std::uint64_t epoch) const {
  HostRecord wanted{.info = parts_.info, .epoch = epoch};
  const bool changed = !host || host->value.phase != HostPhase::kMember;
  wanted.free_after = host ? host->value.free_after : 0;
  wanted.changed = changed ? fence_.clock().unix_time() : host->value.changed;
  return wanted;
}

// Succeeds when there is no live key of another machine. The present live key may be from an
// earlier process of this host; a process of the same boot takes it over. Any other live key is
// from another machine with the same host id. A copied disk contains the nonce as well, and
// machines that share a kernel share its boot id. They differ from this host in their address,
// which is in the record that was written together with the live key. (In a store that was put
// back, a live key of this boot may have a nonce that this host no longer knows.)
Status StoreMembership::check_life(const StoredHost& host, const StoredLive& live,
                                   const MemberRecord& member) {
  if (!live || (!nonce_.empty() && live->value.nonce == nonce_)) {
    refused_since_.reset();
    return {};
  }
  const bool is_quarantined = fence_.rollback_detector().is_quarantined();
  const bool is_known = live->value.nonce == member.nonce || is_quarantined;
  const bool is_here = !host || host->value.info.vtep == parts_.info.vtep;
  if (live->value.boot_id == parts_.boot_id && is_known && is_here) return {};
  const auto now = fence_.clock().running();
  if (!refused_since_) refused_since_ = now;
  const bool is_last_life = is_known && is_here && now - *refused_since_ < kLastLife;
  const Error why{
      Code::kConflict, 0,
      fmt::format("join the cluster: {} {}{}, from boot {}; if this machine is a clone of another, "
                  "delete host-id and the state database on the clone; after a restart this passes "
                  "within {} s",
                  is_last_life ? "an earlier run of this host has not ended:"
                               : "another machine uses this host's id:",
                  short_id(parts_.info.id), host ? ", " + whereabouts(host->value.info) : "",
                  short_id(live->value.boot_id), kLiveSeconds.count())};
  if (!is_last_life) fence_.refuse(why);
  return fail(why);
}

// Writes the host's record and its live key in one transaction, on the condition that both are as
// they were read, so a process that is refused has written nothing. The nonce is saved in the local
// store before the transaction, so that the next process recognizes the live key. The epoch is
// saved after it, because a local epoch that the cluster does not know would mean that the store
// was put back. The other hosts are read by the first heartbeat and not here, so the cost of
// joining does not grow with their number.
Status StoreMembership::enter(const StoredHost& host, const StoredLive& live,
                              const MemberRecord& member) {
  TRY_STATUS(check_life(host, live, member));
  const auto before = fence_.clock().running();
  MemberRecord entered = member;
  if (entered.epoch == 0) entered.epoch = host ? host->value.epoch : 1;
  entered.nonce = random_hex(16);
  entered.boot_id = parts_.boot_id;
  TRY(auto known, own_record());
  known.nonce = entered.nonce;
  known.boot_id = entered.boot_id;
  TRY_STATUS(save(known));
  fault_point("cluster.join.live");
  TRY(const auto lease, parts_.leases.grant(kLiveSeconds));
  const std::string key = keys::host(parts_.info.id), live_key = keys::live(parts_.info.id);
  state::Txn txn{
      .preconditions = {{key, host ? host->revision : state::kAbsent},
                        {live_key, live ? live->revision : state::kAbsent}},
      .puts = {{live_key, encode(LiveRecord{parts_.boot_id, entered.epoch, entered.nonce}), lease}},
      .durability = state::Durability::kDurable};
  const HostRecord wanted = wanted_record(host, entered.epoch);
  const bool is_new = !host || host->value != wanted;
  if (is_new) txn.puts.push_back({key, encode(wanted)});
  const auto done = parts_.shared.commit(txn);
  if (!done && done.error().code == Code::kConflict)
    return fail(Code::kUnavailable, "join the cluster: the records of this host keep changing");
  if (!done) return fail(done.error());
  nonce_ = entered.nonce;
  epoch_ = entered.epoch;
  lease_ = lease;
  refused_since_.reset();
  fault_point("cluster.join.host");
  if (entered != known) TRY_STATUS(save(entered));
  fence_.prove({entered.epoch, is_new ? done->revision : host->revision, done->revision, before});
  log::info("cluster.joined", {{"host", short_id(parts_.info.id)}, {"epoch", entered.epoch}});
  return {};
}

Status StoreMembership::save(const MemberRecord& member) {
  return status_of(parts_.local.commit({.puts = {{std::string(keys::kMember), encode(member)}},
                                        .durability = state::Durability::kDurable}));
}

// Logs and keeps, for problems(), what another machine wrote in place of this host's record.
void StoreMembership::note_intruder(const HostRecord& record) {
  std::string text = fmt::format(
      "another machine uses this host's id: the record of {} in the cluster said {}{}, and was put "
      "back; delete host-id and the state database on the clone",
      short_id(parts_.info.id), whereabouts(record.info),
      record.phase == HostPhase::kLeft ? ", which has left" : "");
  log::error("cluster.host.intruder", {{"what", text}});
  const std::scoped_lock hold(intruder_guard_);
  intruder_ = std::move(text);
  intruder_seen_ = fence_.clock().running();
}

Result<MembershipState> StoreMembership::keep_alive() {
  const std::scoped_lock hold(guard_);
  if (!lease_) return fail(Code::kUnavailable, "this host has not joined the cluster yet");
  TRY_STATUS(fence_.rollback_detector().look());
  const auto before = fence_.clock().running();
  TRY(const auto member, own_record());
  TRY(const auto host, host_record());
  const RecordedMembership recorded = recorded_membership(host, member.epoch);
  if (recorded == RecordedMembership::kRemoved) return removed();
  if (recorded == RecordedMembership::kForgotten)
    fence_.rollback_detector().quarantine("it does not know this host");
  TRY(const auto live, live_record());
  TRY(const bool lease_lives, parts_.leases.heartbeat(*lease_));
  const bool lives = live && lease_lives && live->value.nonce == nonce_;
  const bool is_said = recorded == RecordedMembership::kMember && host &&
                       host->value.phase == HostPhase::kMember && host->value.info == parts_.info;
  if (lives && is_said) {
    fence_.prove({member.epoch, host->revision, live->revision, before});
    TRY_STATUS(follow_hosts());
    return MembershipState::kMember;
  }
  if (!lives) fence_.lose_life();
  TRY_STATUS(enter(host, live, member));
  if (!lives) log::warn("cluster.lease.renewed", {{"host", short_id(parts_.info.id)}});
  // In quarantine the record is an earlier one of this host itself, because the store was put back.
  if (host && !is_said && !fence_.rollback_detector().is_quarantined()) note_intruder(host->value);
  return MembershipState::kReturned;
}

// Whether this process may record that the host has left. Not when another machine uses the host's
// id.
bool StoreMembership::may_leave(const StoredHost& host, const StoredLive& live) const {
  if (!host || host->value.phase != HostPhase::kMember || host->value.epoch != epoch_) return false;
  return live ? live->value.nonce == nonce_ : host->value.info == parts_.info;
}

Status StoreMembership::leave() {
  const std::scoped_lock hold(guard_);
  if (!lease_) return {};
  const std::string key = keys::host(parts_.info.id), live_key = keys::live(parts_.info.id);
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto host, host_record());
    TRY(const auto live, live_record());
    if (!may_leave(host, live)) break;
    HostRecord left = host->value;
    left.phase = HostPhase::kLeft;
    left.changed = fence_.clock().unix_time();
    const auto done =
        parts_.shared.commit({.preconditions = {{key, host->revision},
                                                {live_key, live ? live->revision : state::kAbsent}},
                              .puts = {{key, encode(left)}},
                              .durability = state::Durability::kDurable});
    if (done) break;
    if (done.error().code != Code::kConflict) return fail(done.error());
  }
  fence_.lose_life();
  TRY_STATUS(parts_.leases.revoke(*lease_));
  lease_.reset();
  return {};
}

Status StoreMembership::follow_hosts() {
  {
    const std::scoped_lock hold(table_guard_);
    if (followed_) return {};
    followed_ = true;
  }
  const auto done = start_watches();
  if (done) return done;
  const std::scoped_lock hold(table_guard_);
  followed_ = false;
  return done;
}

Status StoreMembership::start_watches() {
  watches_.clear();
  TRY(const auto revision, parts_.shared.revision());
  TRY_STATUS(hosts());
  for (const std::string_view prefix : {keys::kHosts, keys::kLives}) {
    TRY(auto watch,
        parts_.shared.watch(prefix, revision, [this](const auto& events) { on_events(events); }));
    watches_.push_back(std::move(watch));
  }
  return {};
}

void StoreMembership::on_events(const std::vector<state::Event>& events) {
  const std::scoped_lock hold(table_guard_);
  for (const state::Event& event : events) {
    const state::Record& record = event.record;
    const auto kind = event.kind;
    const std::string id(keys::last_part(record.key));
    const bool is_host = record.key.starts_with(keys::kHosts);
    if (kind == state::Event::Kind::kLost) {
      followed_ = false;
    } else if (kind == state::Event::Kind::kDelete) {
      is_host ? table_.remove_host(id) : table_.remove_live(id, now());
    } else if (is_host) {
      if (const auto host = decode<HostRecord>(record)) table_.set_host(*host);
    } else if (const auto live = decode<LiveRecord>(record)) {
      table_.set_live(id, *live);
    }
  }
}

// A host whose record cannot be read is left out, and problems() reports it; the others are
// returned. A live key counts even when its value cannot be read.
Result<std::vector<Host>> StoreMembership::hosts() {
  TRY(const auto host_records, parts_.shared.list(keys::kHosts));
  TRY(const auto live_records, parts_.shared.list(keys::kLives));
  std::vector<HostRecord> hosts;
  for (const state::Record& record : host_records)
    if (auto host = decode<HostRecord>(record)) hosts.push_back(std::move(*host));
  std::map<std::string, LiveRecord> lives;
  for (const state::Record& record : live_records)
    lives[std::string(keys::last_part(record.key))] =
        decode<LiveRecord>(record).value_or(LiveRecord{});
  const std::scoped_lock hold(table_guard_);
  table_.replace(hosts, lives, now());
  return table_.hosts(now());
}

bool StoreMembership::is_holding() {
  const std::scoped_lock hold(table_guard_);
  return table_.is_holding(now());
}

void StoreMembership::release_hold() {
  const std::scoped_lock hold(table_guard_);
  table_.release_hold(now());
}

// When the store cannot be reached, which is reported elsewhere, none.
std::vector<std::string> StoreMembership::unreadable() {
  std::map<std::string, std::string> found;
  for (const std::string_view prefix :
       {keys::kHosts, keys::kNetworks, keys::kNetworkNames, keys::kPools, keys::kVnis}) {
    const auto records = parts_.shared.list(prefix);
    if (!records) return {};
    for (const state::Record& record : *records)
      if (const auto read = check_readable(record); !read)
        found[record.key] =
            fmt::format("{}; it is left out; {}", read.error().text,
                        prefix == keys::kHosts ? "delete the key, and the host writes it anew with "
                                                 "its next heartbeat"
                                               : "delete the key");
  }
  std::vector<std::string> texts;
  const std::scoped_lock hold(unreadable_guard_);
  for (const auto& [key, text] : found) {
    if (!unreadable_.contains(key)) log::error("cluster.record", {{"error", text}});
    texts.push_back(text);
  }
  unreadable_ = std::move(found);
  return texts;
}

std::vector<std::string> StoreMembership::problems() {
  const std::scoped_lock hold(table_guard_);
  auto found = table_.problems(now());
  for (std::string& problem : fence_.rollback_detector().problems())
    found.push_back(std::move(problem));
  {
    const std::scoped_lock intruder(intruder_guard_);
    if (!intruder_.empty() && fence_.clock().running() < intruder_seen_ + kIntruderStays)
      found.push_back(intruder_);
  }
  if (fence_.is_closed())
    found.insert(found.begin(),
                 "this host was removed from the cluster; its endpoints on shared networks are "
                 "void, and it joins again when they are gone");
  return found;
}

}  // namespace fairlead::network::cluster
