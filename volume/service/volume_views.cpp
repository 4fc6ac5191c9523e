#include "volume/service/volume_views.h"

#include "volume/service/snapshot_mounts.h"

namespace fairlead::volume {

namespace {

constexpr const char* kBackend = "snapshot";

std::string shown_by(const VolumeOptions& options) {
  return options.view_volume + "@" + options.view_snapshot;
}

class ViewBackend : public Backend {
 public:
  ViewBackend(LockedVolumes& sources, SnapshotMounts& mounts)
      : sources_(sources), mounts_(mounts) {}

  std::string name() const override { return kBackend; }
  Status validate(const VolumeOptions& options) const override;
  Status create(const Volume& volume, Rollback&) override { return status_of(source_of(volume)); }
  Status discard(const Volume& volume) override { return unmount(volume); }
  Status remove(const Volume& volume) override { return unmount(volume); }
  Result<TrashState> purge(const Volume&, const StopRequest&) override {
    return TrashState::kEmptied;
  }
  std::string data_path(const Volume& volume) const override;
  Result<std::string> mount(const Volume& volume) override;
  Status unmount(const Volume& volume) override;
  Result<std::string> users(const Volume& volume) override;
  Result<VolumeStatus> status(const Volume& volume) override;
  Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id) override;
  ReconcileReport sweep(long long, const std::function<Result<bool>(const std::string&)>&,
                        const StopRequest&) override {
    return {};
  }

  Status take_snapshot(const Volume& volume, const Snapshot&, const Progress&) override {
    return not_here(volume, "has no snapshots of its own");
  }
  Status resize(const Volume& volume, std::uint64_t) override {
    return not_here(volume, "has no size of its own");
  }
  Status clone(const Volume&, const Volume& source, const std::string&, Rollback&,
               const Progress&) override {
    return fail(Code::kUnsupported,
                "volume \"{}\" only shows {}: clone that (fairlead volume clone {} NEW)",
                source.name.str(), shown_by(source.options), shown_by(source.options));
  }

 private:
  struct Source {
    Volume volume;
    Snapshot snapshot;
    Backend* backend = nullptr;
  };
  Result<Source> source_of(const Volume& view) const;
  static tl::unexpected<Error> not_here(const Volume& view, std::string_view what) {
    return fail(Code::kUnsupported, "it only shows {}, and {}; use volume \"{}\"",
                shown_by(view.options), what, view.options.view_volume);
  }

  LockedVolumes& sources_;
  SnapshotMounts& mounts_;
};

Status ViewBackend::validate(const VolumeOptions& options) const {
  VolumeOptions plain;
  plain.backend = options.backend;
  plain.view_volume = options.view_volume;
  plain.view_snapshot = options.view_snapshot;
  plain.labels = options.labels;
  if (options.access == Access::kReadOnly) plain.access = Access::kReadOnly;
  const std::string more = difference(plain, options);
  if (more.empty()) return {};
  return fail(Code::kUnsupported,
              "a volume that shows a snapshot takes no other option ({}): what it shows is as the "
              "options of volume \"{}\" say, and read-only",
              more, options.view_volume);
}

Result<ViewBackend::Source> ViewBackend::source_of(const Volume& view) const {
  const VolumeOptions& options = view.options;
  TRY(const auto name, VolumeName::parse(options.view_volume));
  TRY(auto opened, sources_.open(name));
  const Snapshot* const found = find_snapshot(opened.stored.volume, options.view_snapshot);
  if (found == nullptr)
    return fail(Code::kNotFound, "volume \"{}\" has no snapshot \"{}\"", name.str(),
                options.view_snapshot);
  Snapshot snapshot = *found;
  return Source{std::move(opened.stored.volume), std::move(snapshot), opened.backend};
}

// Empty while there is nothing to show: List must not fail for it.
std::string ViewBackend::data_path(const Volume& volume) const {
  const auto source = source_of(volume);
  return source ? source->backend->snapshot_path(source->volume, source->snapshot.id) : "";
}

Result<std::string> ViewBackend::mount(const Volume& volume) {
  const VolumeOptions& options = volume.options;
  TRY(auto view, mounts_.mount(options.view_volume, options.view_snapshot, kViewClient, volume.id,
                               SnapshotMounts::Count::kOnce));
  return std::move(view.mountpoint);
}

Status ViewBackend::unmount(const Volume& volume) {
  const VolumeOptions& options = volume.options;
  return mounts_.unmount(options.view_volume, options.view_snapshot, kViewClient, volume.id);
}

// Others may use the same snapshot under another name. A view that no runtime has mounted has no
// user, and with it nothing is removed but its name.
Result<std::string> ViewBackend::users(const Volume& volume) {
  if (volume.mounts.empty()) return std::string();
  const auto source = source_of(volume);
  if (!source) return std::string();
  return source->backend->snapshot_users(source->volume, source->snapshot.id);
}

Result<VolumeStatus> ViewBackend::status(const Volume& volume) {
  VolumeStatus status{.backend = kBackend};
  status.in_use = false;
  const auto source = source_of(volume);
  if (!source) {
    status.condition = Condition::kMissing;
    status.health = fmt::format("what it shows is gone: {}; remove it", source.error().text);
    return status;
  }
  TRY(status.users, users(volume));
  status.in_use = !status.users.empty();
  return status;
}

Result<UniqueFd> ViewBackend::open_data(const Volume& volume, const std::string&) {
  TRY(const auto source, source_of(volume));
  return source.backend->open_data(source.volume, source.snapshot.id);
}

class ViewBackends : public BackendRegistry {
 public:
  ViewBackends(state::Store& store, NamedLocks& locks, BackendRegistry& backends,
               Environment environment)
      : backends_(backends), sources_(store, locks, backends, std::move(environment)) {}

  Result<Choice> choose(const VolumeOptions& options) override;
  Result<Backend*> find(const std::string& name) override {
    return name == kBackend ? Result<Backend*>(&view_) : backends_.find(name);
  }
  Result<Backend*> find(const Volume& volume) override {
    return volume.backend == kBackend ? Result<Backend*>(&view_) : backends_.find(volume);
  }
  std::vector<Backend*> all() override { return backends_.all(); }

 private:
  BackendRegistry& backends_;
  LockedVolumes sources_;
  Changes changes_{sources_};
  SnapshotMounts mounts_{sources_, changes_};
  ViewBackend view_{sources_, mounts_};
};

Result<BackendRegistry::Choice> ViewBackends::choose(const VolumeOptions& options) {
  const bool shows = !options.view_volume.empty();
  if (!shows && options.backend != kBackend) return backends_.choose(options);
  if (!shows)
    return fail(Code::kInvalid,
                "backend snapshot needs the volume option snapshot=VOLUME@SNAPSHOT");
  if (!options.backend.empty() && options.backend != kBackend)
    return fail(Code::kInvalid,
                "volume options snapshot={} and backend={} exclude each other: leave backend= out",
                shown_by(options), shown(options.backend));
  return Choice{kBackend, "", &view_, fmt::format("it shows {}, read-only", shown_by(options))};
}

}  // namespace

std::unique_ptr<BackendRegistry> make_view_backends(state::Store& store, NamedLocks& locks,
                                                    BackendRegistry& backends,
                                                    Environment environment) {
  return std::make_unique<ViewBackends>(store, locks, backends, std::move(environment));
}

}  // namespace fairlead::volume
