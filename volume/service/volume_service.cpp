#include "volume/service/volume_service.h"

#include <algorithm>
#include <chrono>

#include "base/fault.h"
#include "base/hash.h"
#include "base/log.h"
#include "volume/api/options.h"
#include "volume/api/text.h"
#include "volume/service/mount_hints.h"
#include "volume/service/reaper.h"
#include "volume/service/records.h"
#include "volume/service/wish.h"

namespace fairlead::volume {

namespace {

using namespace std::chrono_literals;

constexpr auto kLockDeadline = 4s;  // Podman gives up after 5
constexpr auto kReconcileLockDeadline = 500ms;

tl::unexpected<Error> no_such_volume(const VolumeName& name) {
  return fail(Code::kNotFound, "volume \"{}\" does not exist", name.str());
}

class Service : public VolumeService {
 public:
  Service(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
          Surroundings surroundings)
      : records_(store, surroundings.boot),
        locks_(locks),
        backends_(backends),
        now_(std::move(surroundings.now)) {}

  using VolumeService::create;
  Result<Volume> create(const VolumeSpec& spec, const Progress& progress) override;
  Status remove(const std::string& name) override;
  Result<Volume> mount(const std::string& name, const std::string& client,
                       const std::string& id) override;
  Status unmount(const std::string& name, const std::string& client,
                 const std::string& id) override;
  Result<Volume> inspect(const std::string& name) override;
  Result<std::vector<Volume>> list() override;
  Result<VolumeStatus> status(const Volume& volume) override;
  Result<ReconcileReport> reconcile() override;

  // To be written.
  Result<Volume> rename(const std::string&, const std::string&) override { return missing(); }
  Result<Volume> set_labels(const std::string&,
                            const std::map<std::string, std::optional<std::string>>&) override {
    return missing();
  }
  Result<Volume> resize(const std::string&, std::uint64_t) override { return missing(); }
  Result<Snapshot> take_snapshot(const std::string&, const std::string&, const Progress&) override {
    return missing();
  }
  Status drop_snapshot(const std::string&, const std::string&) override { return missing(); }
  Result<Snapshot> roll_back(const std::string&, const std::string&, const Progress&) override {
    return missing();
  }
  Result<VolumeStatus> usage(const std::string&, const Progress&) override { return missing(); }
  Result<CheckReport> check(const std::string&, bool, const Progress&) override {
    return missing();
  }
  Result<std::vector<TrashedVolume>> trash() override { return missing(); }
  Result<Volume> restore_from_trash(const std::string&, const std::string&) override {
    return missing();
  }
  Result<std::size_t> empty_trash(const std::string&) override { return missing(); }
  Result<ReconcileReport> keep_schedules() override { return missing(); }
  static tl::unexpected<Error> missing() { return fail(Code::kUnsupported, "not written yet"); }

 private:
  Result<NamedLocks::Guard> lock(const VolumeName& name, std::chrono::milliseconds deadline) {
    return locks_.lock("volume-" + name.str(), deadline);
  }
  Result<Volume> build(const Wish& wish);
  Result<std::optional<Stored>> ready(
      const VolumeName& name);  // those of other phases do not exist for users
  Volume with_path(Volume volume);
  std::string reason_of(const Volume& volume);

  Status begin_removal(Stored& stored, Backend& backend);
  Status finish_removal(const Volume& volume, Backend& backend);
  Status abandon(const Volume& volume);  // of a create that did not finish

  void heal_all(ReconcileReport& report, const Records::Listing& listing);
  Status heal(const Volume& seen, ReconcileReport& report);
  void note_health(const Volume& volume, ReconcileReport& report);

  Records records_;
  NamedLocks& locks_;
  BackendRegistry& backends_;
  std::function<long long()> now_;
  Reaper reaper_;
};

// --- create

Result<Volume> Service::build(const Wish& wish) {
  Volume volume{.id = random_hex(32),
                .name = wish.name,
                .backend = wish.choice.name,
                .pool = wish.choice.pool,
                .options = to_map(wish.options),
                .labels = wish.labels,
                .mountpoint = {},
                .phase = Phase::kCreating,
                .created = now_(),
                .deleted = 0,
                .mounts = {},
                .snapshots = {},
                .change = {},
                .backed_up = 0};
  TRY(auto stored, records_.add(volume));
  fault_point("volume.create.intent");
  Rollback undo;
  undo.push([this, volume] {
    if (auto gone = abandon(volume); !gone)
      log::warn("a create that failed is left to reconcile",
                {{"volume", volume.name.str()}, {"error", gone.error().text}});
  });
  TRY_STATUS(wish.choice.backend->create(volume, undo));
  fault_point("volume.create.built");
  stored.volume.phase = Phase::kReady;
  TRY_STATUS(records_.put(stored, state::Durability::kDurable));
  undo.commit();
  fault_point("volume.create.ready");
  return with_path(std::move(stored.volume));
}

Result<Volume> Service::create(const VolumeSpec& spec, const Progress&) {
  const std::string context = fmt::format("create volume \"{}\"", spec.name.str());
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto wish, check_wish(spec, backends_));
    TRY(const auto guard, lock(spec.name, kLockDeadline));
    TRY(auto there, records_.by_name(spec.name));
    if (there && there->volume.phase == Phase::kReady) {
      const std::string differs = difference(there->volume, wish);
      if (!differs.empty())
        return fail(Code::kConflict,
                    "it exists with other options: {}; remove it first, or use another name",
                    differs);
      return with_path(std::move(there->volume));
    }
    if (there && there->volume.phase == Phase::kCreating) TRY_STATUS(abandon(there->volume));
    if (there && there->volume.phase == Phase::kDeleting) {
      TRY(Backend* const backend, backends_.find(there->volume));
      TRY_STATUS(finish_removal(there->volume, *backend));
    }
    return build(wish);
  };
  auto made = run();
  if (!made) return fail(with_context(made.error(), context));
  return made;
}

// --- remove

Status Service::begin_removal(Stored& stored, Backend& backend) {
  TRY(const auto users, backend.users(stored.volume));
  if (!users.empty()) return fail(Code::kInUse, "it is in use: {}; stop what uses it first", users);
  fault_point("volume.remove.checked");
  stored.volume.phase = Phase::kDeleting;
  stored.volume.deleted = now_();
  stored.volume.mounts.clear();
  TRY_STATUS(records_.put(stored, state::Durability::kDurable));
  fault_point("volume.remove.intent");
  return {};
}

// From here on nothing is refused: the intent is on the disk.
Status Service::finish_removal(const Volume& volume, Backend& backend) {
  TRY_STATUS(backend.remove(volume));
  fault_point("volume.remove.trashed");
  TRY_STATUS(records_.erase(volume));
  fault_point("volume.remove.erased");
  const auto options = parse_options(volume.options);
  if (options && options->retain.count() == 0) reaper_.take(backend, volume);
  return {};
}

Status Service::abandon(const Volume& volume) {
  TRY(Backend* const backend, backends_.find(volume));
  TRY_STATUS(backend->discard(volume));
  fault_point("volume.abandon.discarded");
  return records_.erase(volume);
}

Status Service::remove(const std::string& name) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed, kLockDeadline));
    TRY(auto stored, records_.by_name(parsed));
    if (!stored) return no_such_volume(parsed);
    if (stored->volume.phase == Phase::kCreating) {
      TRY_STATUS(abandon(stored->volume));
      return no_such_volume(parsed);
    }
    TRY(Backend* const backend, backends_.find(stored->volume));
    if (stored->volume.phase == Phase::kReady) TRY_STATUS(begin_removal(*stored, *backend));
    return finish_removal(stored->volume, *backend);
  };
  auto done = run();
  if (!done)
    return fail(with_context(done.error(), fmt::format("remove volume \"{}\"", shown(name))));
  return {};
}

// --- mount and unmount

Result<std::optional<Stored>> Service::ready(const VolumeName& name) {
  TRY(auto stored, records_.by_name(name));
  if (!stored || stored->volume.phase != Phase::kReady) return std::nullopt;
  return stored;
}

Result<Volume> Service::mount(const std::string& name, const std::string& client,
                              const std::string& id) {
  const auto run = [&]() -> Result<Volume> {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY_STATUS(check_hint(client, id));
    TRY(const auto guard, lock(parsed, kLockDeadline));
    TRY(auto stored, ready(parsed));
    if (!stored) return no_such_volume(parsed);
    TRY(Backend* const backend, backends_.find(stored->volume));
    TRY(auto path, backend->mount(stored->volume));
    fault_point("volume.mount.mounted");
    const bool first = stored->volume.mounts.empty();
    count_up(stored->volume, client, id);
    if (auto counted = records_.put(*stored, state::Durability::kBoot); !counted) {
      if (first) (void)backend->unmount(stored->volume);
      return fail(counted.error());
    }
    fault_point("volume.mount.counted");
    stored->volume.mountpoint = std::move(path);
    return std::move(stored->volume);
  };
  auto mounted = run();
  if (!mounted)
    return fail(with_context(mounted.error(), fmt::format("mount volume \"{}\"", shown(name))));
  return mounted;
}

Status Service::unmount(const std::string& name, const std::string& client, const std::string& id) {
  const auto run = [&]() -> Status {
    TRY(const auto parsed, VolumeName::parse(name));
    TRY(const auto guard, lock(parsed, kLockDeadline));
    TRY(auto stored, ready(parsed));
    if (!stored) return {};
    if (!count_down(stored->volume, client, id)) return {};
    if (stored->volume.mounts.empty()) {
      TRY(Backend* const backend, backends_.find(stored->volume));
      TRY_STATUS(backend->unmount(stored->volume));
    }
    fault_point("volume.unmount.unmounted");
    return records_.put(*stored, state::Durability::kBoot);
  };
  auto done = run();
  if (!done)
    return fail(with_context(done.error(), fmt::format("unmount volume \"{}\"", shown(name))));
  return {};
}

// --- looking

Volume Service::with_path(Volume volume) {
  if (const auto backend = backends_.find(volume))
    volume.mountpoint = (*backend)->data_path(volume);
  return volume;
}

Result<Volume> Service::inspect(const std::string& name) {
  TRY(const auto parsed, VolumeName::parse(name));
  TRY(auto stored, ready(parsed));
  if (!stored) return no_such_volume(parsed);
  return with_path(std::move(stored->volume));
}

Result<std::vector<Volume>> Service::list() {
  TRY(auto listing, records_.all());
  for (const std::string& trouble : listing.unreadable)
    log::error("a volume is left out of the list", {{"error", trouble}});
  std::vector<Volume> volumes;
  for (Stored& stored : listing.volumes)
    if (stored.volume.phase == Phase::kReady)
      volumes.push_back(with_path(std::move(stored.volume)));
  std::ranges::sort(volumes, {}, &Volume::name);
  return volumes;
}

std::string Service::reason_of(const Volume& volume) {
  const auto options = parse_options(volume.options);
  const auto choice =
      options ? backends_.choose(*options) : Result<BackendRegistry::Choice>(fail(options.error()));
  if (choice && choice->name == volume.backend) return choice->reason;
  return fmt::format("{} was chosen when it was created", volume.backend);
}

Result<VolumeStatus> Service::status(const Volume& volume) {
  const auto look = [&]() -> Result<VolumeStatus> {
    TRY(Backend* const backend, backends_.find(volume));
    return backend->status(volume);
  };
  auto status = look();
  if (!status)
    return VolumeStatus{.backend = volume.backend,
                        .reason = {},
                        .size = {},
                        .used = {},
                        .inodes = {},
                        .inodes_used = {},
                        .in_use = {},
                        .users = {},
                        .health = status.error().text};
  status->reason = reason_of(volume);
  return status;
}

// --- reconcile

// One volume, under its lock and read anew: what was seen without the lock may be over.
Status Service::heal(const Volume& seen, ReconcileReport& report) {
  TRY(const auto guard, lock(seen.name, kReconcileLockDeadline));
  TRY(auto stored, records_.by_id(seen.id));
  if (!stored || stored->volume.name != seen.name) return {};
  if (stored->volume.phase == Phase::kCreating) {
    TRY_STATUS(abandon(stored->volume));
    report.actions.push_back(
        fmt::format("dropped volume \"{}\", whose creation did not finish", seen.name.str()));
  } else if (stored->volume.phase == Phase::kDeleting) {
    TRY(Backend* const backend, backends_.find(stored->volume));
    TRY_STATUS(finish_removal(stored->volume, *backend));
    report.actions.push_back(fmt::format("finished the removal of volume \"{}\"", seen.name.str()));
  } else if (stored->void_mounts) {
    TRY_STATUS(records_.put(*stored, state::Durability::kBoot));
    report.actions.push_back(fmt::format(
        "dropped the mount counts of volume \"{}\" from before the reboot", seen.name.str()));
  }
  return {};
}

void Service::note_health(const Volume& volume, ReconcileReport& report) {
  const auto state = status(volume);
  if (state && state->health != "ok")
    report.failures.push_back(fmt::format("volume \"{}\": {}", volume.name.str(), state->health));
}

void Service::heal_all(ReconcileReport& report, const Records::Listing& listing) {
  for (const Stored& stored : listing.volumes) {
    const bool at_rest = stored.volume.phase == Phase::kReady && !stored.void_mounts;
    const auto healed = at_rest ? Status() : heal(stored.volume, report);
    if (!healed && healed.error().code != Code::kUnavailable)  // busy: somebody is at it
      report.failures.push_back(
          fmt::format("volume \"{}\": {}", stored.volume.name.str(), healed.error().text));
    if (stored.volume.phase == Phase::kReady) note_health(stored.volume, report);
    fault_point("volume.reconcile.volume");
  }
}

Result<ReconcileReport> Service::reconcile() {
  ReconcileReport report;
  TRY(const auto listing, records_.all());
  report.failures = listing.unreadable;
  heal_all(report, listing);
  const auto is_known = [this](const std::string& id) -> Result<bool> {
    TRY(const auto stored, records_.by_id(id));
    return stored.has_value();
  };
  for (Backend* const backend : backends_.all()) {
    const auto swept = backend->sweep(now_(), is_known, {});
    report.actions.insert(report.actions.end(), swept.actions.begin(), swept.actions.end());
    report.failures.insert(report.failures.end(), swept.failures.begin(), swept.failures.end());
  }
  return report;
}

}  // namespace

std::unique_ptr<VolumeService> make_volume_service(state::Store& store, NamedLocks& locks,
                                                   BackendRegistry& backends,
                                                   Surroundings surroundings) {
  return std::make_unique<Service>(store, locks, backends, std::move(surroundings));
}

}  // namespace fairlead::volume
