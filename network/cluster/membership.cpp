#include "network/cluster/membership.h"

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "network/cluster/keys.h"
#include "network/cluster/sweep.h"

namespace fairlead::network::cluster {

namespace {

constexpr unsigned kMostAttempts = 16;
// Out of the way of the pools of single hosts (network/ipam) and of Docker's.
constexpr std::string_view kDefaultPool = "10.224.0.0/12";

std::string short_id(std::string_view id) { return std::string(id.substr(0, 12)); }

}  // namespace

StoreMembership::StoreMembership(MembershipParts parts, Fence& fence)
    : parts_(std::move(parts)), fence_(fence) {}

StoreMembership::~StoreMembership() = default;

HostTable::Now StoreMembership::now() const {
  return {fence_.clock().running(), fence_.clock().unix_time()};
}

// A host that belongs to a cluster founds no other one in an empty store.
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

Result<Standing> StoreMembership::removed() {
  fence_.close();
  log::warn("cluster.host.removed", {{"host", short_id(parts_.facts.id)}});
  return Standing::kRemoved;
}

Result<Standing> StoreMembership::join() {
  const std::scoped_lock hold(guard_);
  TRY(auto member, own_record());
  TRY(const auto meta, ensure_meta(member));
  if (!member.cluster.empty() && member.cluster != meta.uuid)
    return fail(
        Code::kConflict,
        "join the cluster: this host belongs to cluster {}, and the store holds cluster {}; "
        "check the address of the store, or remove the state of this host",
        short_id(member.cluster), short_id(meta.uuid));
  member.cluster = meta.uuid;
  TRY_STATUS(fence_.witness().look());
  TRY(const auto host, read<HostRecord>(parts_.shared, keys::host(parts_.facts.id)));
  const Word word = word_of(host, member.epoch);
  if (word == Word::kRemoved) return removed();
  if (word == Word::kForgotten) fence_.witness().doubt("it does not know this host");
  TRY_STATUS(enter(host, member));
  return Standing::kMember;
}

Status StoreMembership::join_again() {
  const std::scoped_lock hold(guard_);
  TRY(auto member, own_record());
  TRY(const auto meta, ensure_meta(member));
  TRY(const auto host, read<HostRecord>(parts_.shared, keys::host(parts_.facts.id)));
  member.cluster = meta.uuid;
  // A store that has forgotten this host: whatever it had there is gone as well.
  member.epoch = host ? std::max(host->value.epoch, member.epoch) : member.epoch + 1;
  TRY_STATUS(forget_local_claims(parts_.local));
  TRY_STATUS(drop_own(member.epoch));
  return enter(host, member);
}

Status StoreMembership::drop_own(std::uint64_t epoch) {
  const auto is_own = [&](const std::string& host_id, std::uint64_t of) {
    return host_id == parts_.facts.id && of < epoch;
  };
  TRY_STATUS(sweep_endpoints(parts_.shared, is_own).map([](std::size_t) {}));
  return sweep_addresses(parts_.shared, is_own).map([](std::size_t) {});
}

// The host's record first: from then on its epoch is a precondition of whatever it does. The local
// record (make_live) after it: an epoch that the cluster does not know would mean "removed". The
// other hosts are not read here but by the first beat: what a join costs does not grow with them.
Status StoreMembership::enter(const StoredHost& host, MemberRecord member) {
  if (member.epoch == 0) member.epoch = host ? host->value.epoch : 1;
  const auto before = fence_.clock().running();
  HostRecord wanted{.facts = parts_.facts, .epoch = member.epoch};
  const bool changed = !host || host->value.phase != HostPhase::kMember;
  wanted.free_after = host ? host->value.free_after : 0;
  wanted.changed = changed ? fence_.clock().unix_time() : host->value.changed;
  TRY(const auto host_revision, put_host(host, wanted));
  fault_point("cluster.join.host");
  TRY(const auto live_revision, make_live(member));
  fence_.prove({member.epoch, host_revision, live_revision, before});
  log::info("cluster.joined", {{"host", short_id(parts_.facts.id)}, {"epoch", member.epoch}});
  return {};
}

Status StoreMembership::save(const MemberRecord& member) {
  return parts_.local
      .commit({.puts = {{std::string(keys::kMember), encode(member)}},
               .durability = state::Durability::kDurable})
      .map([](const auto&) {});
}

Result<std::int64_t> StoreMembership::put_host(const StoredHost& host, const HostRecord& wanted) {
  if (host && host->value == wanted) return host->revision;
  const std::string key = keys::host(wanted.facts.id);
  TRY(const auto done,
      parts_.shared.commit({.preconditions = {{key, host ? host->revision : state::kAbsent}},
                            .puts = {{key, encode(wanted)}},
                            .durability = state::Durability::kDurable}));
  return done.revision;
}

// Create-only with a nonce. What is there already may be this host's own last life, which a process
// of the same boot takes over; anything else is somebody who lives under the same id. (In a store
// that was put back, a life of this boot may be one that was forgotten here.)
Result<std::int64_t> StoreMembership::make_live(MemberRecord& member) {
  const std::string key = keys::live(parts_.facts.id);
  TRY(const auto present, read<LiveRecord>(parts_.shared, key));
  const bool own = present && present->value.boot_id == parts_.boot_id &&
                   (present->value.nonce == member.nonce || fence_.witness().in_doubt());
  if (present && !own)
    return fail(Code::kConflict,
                "join the cluster: host {} lives already, from boot {}; if this machine is a clone "
                "of another, delete host-id and the state database on the clone; after a restart "
                "this passes within {} s",
                short_id(parts_.facts.id), short_id(present->value.boot_id), kLiveSeconds.count());
  nonce_ = random_hex(16);
  member.nonce = nonce_;
  member.boot_id = parts_.boot_id;
  TRY(lease_, parts_.leases.grant(kLiveSeconds));
  state::Put put{key, encode(LiveRecord{parts_.boot_id, member.epoch, nonce_})};
  put.lease = *lease_;
  TRY_STATUS(save(member));
  fault_point("cluster.join.live");
  TRY(const auto done,
      parts_.shared.commit(
          {.preconditions = {{key, present ? present->revision : state::kAbsent}}, .puts = {put}}));
  return done.revision;
}

Result<Standing> StoreMembership::keep_alive() {
  const std::scoped_lock hold(guard_);
  if (!lease_) return fail(Code::kUnavailable, "this host has not joined the cluster yet");
  TRY_STATUS(fence_.witness().look());
  const auto before = fence_.clock().running();
  TRY(auto member, own_record());
  TRY(const auto host, read<HostRecord>(parts_.shared, keys::host(parts_.facts.id)));
  const Word word = word_of(host, member.epoch);
  if (word == Word::kRemoved) return removed();
  if (word == Word::kForgotten) {
    fence_.witness().doubt("it does not know this host");
    TRY_STATUS(enter(host, member));
    return Standing::kReturned;
  }
  TRY(const auto live, read<LiveRecord>(parts_.shared, keys::live(parts_.facts.id)));
  TRY(const bool lease_lives, parts_.leases.beat(*lease_));
  if (live && lease_lives && live->value.nonce == nonce_) {
    fence_.prove({member.epoch, host->revision, live->revision, before});
    TRY_STATUS(follow_hosts());
    return Standing::kMember;
  }
  fence_.lose_life();
  TRY(const auto revision, make_live(member));
  fence_.prove({member.epoch, host->revision, revision, before});
  log::warn("cluster.lease.renewed", {{"host", short_id(parts_.facts.id)}});
  return Standing::kReturned;
}

Status StoreMembership::leave() {
  const std::scoped_lock hold(guard_);
  if (!lease_) return {};
  for (unsigned attempt = 0; attempt < kMostAttempts; ++attempt) {
    TRY(const auto host, read<HostRecord>(parts_.shared, keys::host(parts_.facts.id)));
    if (!host || host->value.phase != HostPhase::kMember) break;
    HostRecord left = host->value;
    left.phase = HostPhase::kLeft;
    left.changed = fence_.clock().unix_time();
    const auto done = put_host(host, left);
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
  TRY_STATUS(hosts().map([](const auto&) {}));
  for (const std::string_view prefix : {keys::kHosts, keys::kLives}) {
    TRY(auto watch,
        parts_.shared.watch(prefix, revision, [this](const auto& events) { on_events(events); }));
    watches_.push_back(std::move(watch));
  }
  return {};
}

void StoreMembership::on_events(const std::vector<state::Event>& events) {
  const std::scoped_lock hold(table_guard_);
  for (const auto& [kind, record] : events) {
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

Result<std::vector<Host>> StoreMembership::hosts() {
  TRY(const auto host_records, parts_.shared.list(keys::kHosts));
  TRY(const auto live_records, parts_.shared.list(keys::kLives));
  std::vector<HostRecord> hosts;
  for (const state::Record& record : host_records) {
    TRY(auto host, decode<HostRecord>(record));
    hosts.push_back(std::move(host));
  }
  std::map<std::string, LiveRecord> lives;
  for (const state::Record& record : live_records) {
    TRY(lives[std::string(keys::last_part(record.key))], decode<LiveRecord>(record));
  }
  const std::scoped_lock hold(table_guard_);
  table_.replace(hosts, lives, now());
  return table_.hosts(now());
}

bool StoreMembership::is_frozen() {
  const std::scoped_lock hold(table_guard_);
  return table_.is_frozen(now());
}

void StoreMembership::release_brake() {
  const std::scoped_lock hold(table_guard_);
  table_.release_brake(now());
}

std::vector<std::string> StoreMembership::problems() {
  const std::scoped_lock hold(table_guard_);
  auto found = table_.problems(now());
  for (std::string& problem : fence_.witness().problems()) found.push_back(std::move(problem));
  if (fence_.is_closed())
    found.insert(found.begin(),
                 "this host was removed from the cluster; its endpoints on shared networks are "
                 "void, and it joins again when they are gone");
  return found;
}

}  // namespace fairlead::network::cluster
