#include "volume/service/pools.h"

#include <algorithm>
#include <chrono>

#include "base/fault.h"
#include "base/hash.h"
#include "base/json/fields.h"
#include "base/log.h"
#include "base/options/values.h"
#include "base/text.h"
#include "volume/service/records.h"

namespace fairlead::volume {

using json::required;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPrefix = "volume-pool/";
constexpr auto kLockDeadline = 4s;
constexpr auto kReconcileLockDeadline = 500ms;

// Growing pools are in use as ready ones are; the other two do not exist for users.
enum class PoolPhase { kCreating, kReady, kGrowing, kDeleting };

std::string_view to_string(PoolPhase phase) {
  switch (phase) {
    case PoolPhase::kCreating:
      return "creating";
    case PoolPhase::kReady:
      return "ready";
    case PoolPhase::kGrowing:
      return "growing";
    case PoolPhase::kDeleting:
      return "deleting";
  }
  return "creating";
}

constexpr auto kPhase = json::one_of<PoolPhase::kCreating, PoolPhase::kReady, PoolPhase::kGrowing,
                                     PoolPhase::kDeleting>();

// The record, without the name, which is in the key.
struct PoolRecord {
  VolumePool pool;
  PoolPhase phase = PoolPhase::kCreating;
  bool is_there() const { return phase == PoolPhase::kReady || phase == PoolPhase::kGrowing; }
};
constexpr auto kRecord = json::fields(required<&PoolRecord::pool, &VolumePool::id>("id"),
                                      required<&PoolRecord::pool, &VolumePool::fstype>("fstype"),
                                      required<&PoolRecord::pool, &VolumePool::device>("device"),
                                      required<&PoolRecord::pool, &VolumePool::size>("size"),
                                      required<&PoolRecord::phase>("phase", kPhase),
                                      required<&PoolRecord::pool, &VolumePool::created>("created"));

std::string key_of(const PoolName& name) { return fmt::format("{}{}", kPrefix, name.str()); }

tl::unexpected<Error> no_such_pool(const PoolName& name) {
  return fail(Code::kNotFound,
              "pool \"{}\" does not exist; fairlead pool ls shows those that do, and fairlead pool "
              "create makes one",
              name.str());
}

}  // namespace

struct Pools::Stored : PoolRecord {
  std::int64_t revision = 0;

  std::string text() const {
    return json::dump(json::write(static_cast<const PoolRecord&>(*this), kRecord));
  }

  static Result<Stored> parse(const state::Record& record) {
    TRY(const auto name, PoolName::parse(record.key.substr(kPrefix.size())));
    TRY(const auto document, json::parse(record.value));
    TRY(auto read, json::read(document, kRecord));
    Stored stored;
    static_cast<PoolRecord&>(stored) = std::move(read);
    stored.pool.name = name;
    stored.revision = record.revision;
    return stored;
  }
};

std::vector<fairlead::Change> pool_changes(const std::string& name,
                                           const std::optional<std::string>& before,
                                           const std::optional<std::string>& after) {
  const auto read = [](const std::optional<std::string>& text) -> std::optional<PoolRecord> {
    const auto document = text ? json::parse(*text) : Result<json::Json>(json::Json());
    auto record =
        document ? json::read(*document, kRecord) : Result<PoolRecord>(fail(document.error()));
    return record && record->is_there() ? std::optional(std::move(*record)) : std::nullopt;
  };
  const auto old = read(before), now = read(after);
  const char* const action = !old && now ? "create" : old && !now ? "remove" : "grow";
  const bool grown = old && now && old->pool.size != now->pool.size;
  if ((!old && !now) || (old && now && !grown)) return {};
  const VolumePool& pool = now ? now->pool : old->pool;
  fairlead::Change change{
      .kind = "volume-pool",
      .action = action,
      .id = pool.id,
      .name = name,
      .attributes = {{"fstype", pool.fstype}, {"size", std::to_string(pool.size)}}};
  if (!pool.device.empty()) change.attributes["device"] = pool.device;
  return {change};
}

Pools::Pools(state::Store& store, NamedLocks& locks, PoolDisks& disks,
             std::function<long long()> now)
    : store_(store), locks_(locks), disks_(disks), now_(std::move(now)) {}

// --- the records

Result<NamedLocks::Guard> Pools::lock(const PoolName& name, std::chrono::milliseconds deadline) {
  return locks_.lock("volume.pool-" + name.str(), deadline);
}

Result<std::optional<Pools::Stored>> Pools::load(const PoolName& name) {
  TRY(const auto record, store_.get(key_of(name)));
  if (!record) return std::nullopt;
  auto stored = Stored::parse(*record);
  if (!stored)
    return fail(Code::kInternal, "the record {} cannot be read: {}", record->key,
                stored.error().text);
  return std::move(*stored);
}

Result<std::vector<Pools::Stored>> Pools::load_all(ReconcileReport& report) {
  TRY(const auto records, store_.list(kPrefix));
  std::vector<Stored> all;
  for (const state::Record& record : records) {
    auto stored = Stored::parse(record);
    if (stored)
      all.push_back(std::move(*stored));
    else
      report.failures.push_back(
          fmt::format("the record {} cannot be read: {}", record.key, stored.error().text));
  }
  return all;
}

Result<Pools::Stored> Pools::ready(const PoolName& name) {
  TRY(auto stored, load(name));
  if (!stored || !stored->is_there()) return no_such_pool(name);
  return std::move(*stored);
}

Status Pools::add(Stored& stored) {
  const std::string key = key_of(stored.pool.name);
  TRY(const auto committed, store_.commit({.preconditions = {{key, state::kAbsent}},
                                           .puts = {{key, stored.text()}},
                                           .deletes = {},
                                           .durability = state::Durability::kDurable}));
  stored.revision = committed.revision;
  return {};
}

Status Pools::put(Stored& stored) {
  const std::string key = key_of(stored.pool.name);
  TRY(const auto committed, store_.commit({.preconditions = {{key, stored.revision}},
                                           .puts = {{key, stored.text()}},
                                           .deletes = {},
                                           .durability = state::Durability::kDurable}));
  stored.revision = committed.revision;
  return {};
}

Status Pools::erase(const Stored& stored) {
  return status_of(store_.commit({.preconditions = {},
                                  .puts = {},
                                  .deletes = {key_of(stored.pool.name)},
                                  .durability = state::Durability::kDurable}));
}

Result<std::size_t> Pools::volumes_in(const PoolName& name) {
  TRY(const auto listing, Records(store_, boot_id()).all());
  return static_cast<std::size_t>(std::ranges::count_if(
      listing.volumes,
      [&](const volume::Stored& stored) { return stored.volume.pool == name.str(); }));
}

VolumePool Pools::shown_pool(const Stored& stored) {
  VolumePool pool = disks_.look_at(stored.pool);
  const auto volumes = volumes_in(stored.pool.name);
  if (volumes)
    pool.volumes = *volumes;
  else if (pool.health == "ok")
    pool.health = volumes.error().text;
  if (stored.phase == PoolPhase::kGrowing && pool.health == "ok")
    pool.health = "it was being enlarged; do it again, or wait for the daemon";
  return pool;
}

// Fails no verb: reconcile does it again.
void Pools::write_down(const Stored& stored) {
  if (const auto done = disks_.write_down(stored.pool); !done)
    log::warn("what is kept beside a pool is out of date",
              {{"pool", stored.pool.name.str()}, {"error", done.error().text}});
}

Result<std::vector<std::string>> Pools::admit(const PoolSpec& spec, std::uint64_t there) {
  if (!admit_ || !spec.size || *spec.size <= there) return std::vector<std::string>();
  TRY(const auto room, disks_.room());
  return admit_(room, *spec.size - there);
}

// --- verbs

Result<VolumePool> Pools::build(const PoolSpec& spec) {
  TRY(auto warnings, admit(spec, 0));
  Stored stored;
  stored.pool.name = spec.name;
  stored.pool.id = random_hex(32);
  stored.pool.fstype = spec.fstype;
  stored.pool.device = spec.device;
  stored.pool.size = spec.size.value_or(0);
  stored.pool.created = now_();
  TRY_STATUS(add(stored));
  fault_point("volume.pool.intent");
  if (auto made = disks_.make(stored.pool, stored.pool.size); !made) {
    if (auto gone = finish_removal(stored); !gone)
      log::warn("a pool that could not be made is left to reconcile",
                {{"pool", spec.name.str()}, {"error", gone.error().text}});
    return fail(made.error());
  }
  fault_point("volume.pool.made");
  stored.phase = PoolPhase::kReady;
  TRY_STATUS(put(stored));
  fault_point("volume.pool.ready");
  VolumePool pool = shown_pool(stored);
  pool.warnings = std::move(warnings);
  return pool;
}

Result<VolumePool> Pools::create(const PoolSpec& spec) {
  const auto run = [&]() -> Result<VolumePool> {
    if (spec.name.empty()) return fail(Code::kInvalid, "a pool needs a name");
    if (spec.device.empty() == !spec.size)
      return fail(Code::kInvalid, "a pool needs either a size (of its file) or a device");
    TRY(const auto guard, lock(spec.name, kLockDeadline));
    TRY(const auto there, load(spec.name));
    if (there && there->is_there())
      return fail(Code::kExists, "the name is taken by a pool of {} with the id {}",
                  there->pool.fstype, there->pool.id);
    if (there) TRY_STATUS(finish_removal(*there));  // of an earlier one that died half way
    TRY_STATUS(disks_.validate(spec));
    return build(spec);
  };
  auto made = run();
  if (!made)
    return fail(with_context(made.error(), fmt::format("create pool \"{}\"", spec.name.str())));
  return made;
}

Result<std::vector<VolumePool>> Pools::finished() {
  ReconcileReport unreadable;
  TRY(const auto all, load_all(unreadable));
  for (const std::string& trouble : unreadable.failures)
    log::error("a pool is left out", {{"error", trouble}});
  std::vector<VolumePool> pools;
  for (const Stored& stored : all)
    if (stored.is_there()) pools.push_back(stored.pool);
  return pools;
}

Result<std::vector<VolumePool>> Pools::list() {
  ReconcileReport unreadable;
  TRY(const auto all, load_all(unreadable));
  std::vector<VolumePool> pools;
  for (const Stored& stored : all)
    if (stored.is_there()) pools.push_back(shown_pool(stored));
  return pools;
}

Result<VolumePool> Pools::inspect(const std::string& name) {
  TRY(const auto parsed, PoolName::parse(name));
  TRY(const auto stored, ready(parsed));
  return shown_pool(stored);
}

Result<VolumePool> Pools::find(const std::string& name) {
  TRY(const auto parsed, PoolName::parse(name));
  TRY(auto stored, ready(parsed));
  return std::move(stored.pool);
}

Status Pools::refuse_used(const Stored& stored) {
  TRY(const auto volumes, volumes_in(stored.pool.name));
  if (volumes > 0)
    return fail(Code::kInUse, "it holds {} volume{}; remove them first", volumes,
                volumes == 1 ? "" : "s");
  TRY(const auto entries, disks_.entries_in(stored.pool));
  if (entries > 0)
    return fail(Code::kInUse,
                "it holds the trash of removed volumes, or volumes without a record ({} folders); "
                "empty the trash first (fairlead volume trash empty)",
                entries);
  return {};
}

// Of a pool that nobody can use any more, or never could.
Status Pools::finish_removal(const Stored& stored) {
  TRY_STATUS(disks_.discard(stored.pool));
  fault_point("volume.pool.discarded");
  return erase(stored);
}

Status Pools::remove(const std::string& name) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, PoolName::parse(name));
    TRY(const auto guard, lock(parsed, kLockDeadline));
    TRY(auto stored, load(parsed));
    if (!stored) return no_such_pool(parsed);
    const bool was_there = stored->is_there();
    if (was_there) {
      TRY_STATUS(refuse_used(*stored));
      stored->phase = PoolPhase::kDeleting;
      TRY_STATUS(put(*stored));
      fault_point("volume.pool.deleting");
      // A volume that was being made meanwhile: the pool stays.
      if (auto empty = refuse_used(*stored); !empty) {
        stored->phase = PoolPhase::kReady;
        TRY_STATUS(put(*stored));
        return empty;
      }
    }
    TRY_STATUS(finish_removal(*stored));
    return was_there ? Status() : Status(no_such_pool(parsed));
  };
  auto done = run();
  if (!done)
    return fail(with_context(done.error(), fmt::format("remove pool \"{}\"", shown(name))));
  return {};
}

Status Pools::finish_growth(Stored& stored) {
  TRY_STATUS(disks_.grow(stored.pool, stored.pool.size));
  fault_point("volume.pool.grown");
  stored.phase = PoolPhase::kReady;
  TRY_STATUS(put(stored));
  write_down(stored);
  return {};
}

Result<VolumePool> Pools::grow(const std::string& name, std::uint64_t size) {
  const auto run = [&]() -> Result<VolumePool> {
    TRY(const auto parsed, PoolName::parse(name));
    TRY(const auto guard, lock(parsed, kLockDeadline));
    TRY(auto stored, ready(parsed));
    if (stored.pool.device.empty() && size == 0)
      return fail(Code::kInvalid, "it lies in a file: say how large it shall be");
    if (!stored.pool.device.empty() && size != 0)
      return fail(Code::kInvalid, "it takes all of its device; leave the size out");
    if (size != 0 && size < stored.pool.size)
      return fail(Code::kUnsupported, "it has {} already: a pool only grows",
                  format_size(stored.pool.size));
    TRY(auto warnings, admit({.name = parsed, .size = size, .device = {}}, stored.pool.size));
    stored.pool.size = size;
    stored.phase = PoolPhase::kGrowing;
    TRY_STATUS(put(stored));
    fault_point("volume.pool.growing");
    TRY_STATUS(finish_growth(stored));
    VolumePool pool = shown_pool(stored);
    pool.warnings = std::move(warnings);
    return pool;
  };
  auto grown = run();
  if (!grown)
    return fail(with_context(grown.error(), fmt::format("grow pool \"{}\"", shown(name))));
  return grown;
}

// --- what lies on the disk without a record

Result<std::vector<VolumePool>> Pools::lost() {
  std::optional<Result<std::vector<Stored>>> all;
  ReconcileReport unreadable;
  return disks_.find_lost([&](const std::string& id) -> Result<bool> {
    if (!all) all = load_all(unreadable);
    if (!*all) return fail(all->error());
    // one that cannot be read may be this one
    if (!unreadable.failures.empty()) return true;
    return std::ranges::any_of(**all, [&](const Stored& one) { return one.pool.id == id; });
  });
}

Result<Recovered> Pools::take_back(VolumePool pool, bool dry_run) {
  Recovered done{.kind = "pool", .name = pool.name.str(), .id = pool.id, .note = {}};
  if (!pool.health.empty()) return fail(Code::kIo, "{}", pool.health);
  TRY(const auto taken, load(pool.name));
  if (taken) {
    done.note = fmt::format("its name was {}, which another pool has", pool.name.str());
    TRY(pool.name, PoolName::parse(fmt::format("{}-recovered-{}", pool.name.str().substr(0, 100),
                                               pool.id.substr(0, 8))));
    done.name = pool.name.str();
  }
  if (dry_run) return done;
  TRY(const auto guard, lock(pool.name, kLockDeadline));
  Stored stored;
  stored.pool = std::move(pool);
  stored.phase = PoolPhase::kReady;
  fault_point("volume.recover.pool-chosen");
  TRY_STATUS(add(stored));
  fault_point("volume.recover.pool-added");
  write_down(stored);
  return done;
}

Result<RecoverReport> Pools::recover(const RecoverRequest& request) {
  TRY(auto found, lost());
  RecoverReport report;
  for (VolumePool& pool : found) {
    const std::string name = pool.name.str(), id = pool.id;
    const auto done = take_back(std::move(pool), request.dry_run);
    if (done)
      report.recovered.push_back(*done);
    else
      report.failures.push_back(fmt::format("pool \"{}\" ({}): {}", name, id, done.error().text));
  }
  return report;
}

// --- reconcile

// A pool whose file system has stopped goes on once it can, and what is kept beside it is written.
void Pools::look_after(const Stored& stored, ReconcileReport& report) {
  const auto guard = lock(stored.pool.name, kReconcileLockDeadline);
  if (!guard) return;  // somebody is working on it
  const auto again = load(stored.pool.name);
  if (!again || !*again || (*again)->phase != PoolPhase::kReady) return;
  write_down(**again);
  const auto mended = disks_.mend((*again)->pool);
  const std::string name = stored.pool.name.str();
  if (!mended)
    report.failures.push_back(fmt::format("pool \"{}\": {}", name, mended.error().text));
  else if (*mended)
    report.actions.push_back(
        fmt::format("pool \"{}\" goes on: the disk below has room again", name));
}

// What was done, or nothing.
Result<std::string> Pools::heal(const PoolName& name) {
  TRY(const auto guard, lock(name, kReconcileLockDeadline));
  TRY(auto stored, load(name));
  if (!stored) return std::string();
  switch (stored->phase) {
    case PoolPhase::kReady:
      return std::string();
    case PoolPhase::kGrowing:
      TRY_STATUS(finish_growth(*stored));
      return fmt::format("finished enlarging pool \"{}\"", name.str());
    case PoolPhase::kCreating:
      TRY_STATUS(finish_removal(*stored));
      return fmt::format("dropped pool \"{}\", whose creation did not finish", name.str());
    case PoolPhase::kDeleting:
      TRY_STATUS(finish_removal(*stored));
      return fmt::format("finished the removal of pool \"{}\"", name.str());
  }
  return std::string();
}

ReconcileReport Pools::reconcile() {
  ReconcileReport report;
  const auto all = load_all(report);
  if (!all) {
    report.failures.push_back(all.error().text);
    return report;
  }
  for (const Stored& stored : *all) {
    const auto healed =
        stored.phase == PoolPhase::kReady ? Result<std::string>("") : heal(stored.pool.name);
    if (healed && !healed->empty()) report.actions.push_back(*healed);
    if (stored.phase == PoolPhase::kReady) look_after(stored, report);
    if (!healed && healed.error().code != Code::kUnavailable)  // busy: somebody is at it
      report.failures.push_back(
          fmt::format("pool \"{}\": {}", stored.pool.name.str(), healed.error().text));
  }
  // Folders first, records afterwards: an intent is committed before its folder is made.
  const auto swept = disks_.sweep([this](const std::string& id) -> Result<bool> {
    ReconcileReport ignored;
    TRY(const auto records, load_all(ignored));
    if (!ignored.failures.empty()) return true;  // it may be the one that cannot be read
    return std::ranges::any_of(records, [&](const Stored& stored) { return stored.pool.id == id; });
  });
  report.actions.insert(report.actions.end(), swept.actions.begin(), swept.actions.end());
  report.failures.insert(report.failures.end(), swept.failures.begin(), swept.failures.end());
  return report;
}

}  // namespace fairlead::volume
