#include "plugin-api/docker/volume_adapter.h"

#include <optional>

#include "base/log.h"
#include "base/text.h"

namespace fairlead::docker {

namespace {

const std::string kClient = "docker";

// "data@monday" names a snapshot, which is shown read-only.
struct SnapshotText {
  std::string volume, snapshot;
};
std::optional<SnapshotText> snapshot_of(const std::string& name) {
  const auto at = name.find('@');
  if (at == std::string::npos) return std::nullopt;
  return SnapshotText{name.substr(0, at), name.substr(at + 1)};
}

}  // namespace

// A snapshot that is there needs not be made; one that is not cannot be made by a name.
Status VolumeAdapter::create_view(const CreateVolumeRequest& request) {
  const auto named = snapshot_of(request.name);
  const auto there = volumes_.inspect_snapshot(named->volume, named->snapshot);
  if (!there && there.error().code == Code::kNotFound)
    return fail(Code::kNotFound,
                "create volume \"{0}\": that is the name of a snapshot, and {1}; take one "
                "(fairlead snapshot create {0})",
                shown(request.name), there.error().text);
  if (!there) return fail(there.error());
  if (request.options.empty()) return {};
  return fail(Code::kInvalid,
              "create volume \"{0}\": that is the name of a snapshot, which takes no options; a "
              "volume of another name shows it with -o snapshot={0}",
              shown(request.name));
}

Status VolumeAdapter::create(const CreateVolumeRequest& request) {
  if (snapshot_of(request.name)) return create_view(request);
  volume::VolumeSpec spec;
  TRY(spec.name, VolumeName::parse(request.name));
  auto options = volume::parse_options(request.options);
  if (!options)
    return fail(
        with_context(options.error(), fmt::format("create volume \"{}\"", shown(request.name))));
  spec.options = std::move(*options);
  TRY(const auto made, volumes_.create(spec));
  // Docker has no place for them in its answer.
  for (const std::string& warning : made.warnings)
    log::warn("a volume may not get what it was promised",
              {{"volume", request.name}, {"warning", warning}});
  return {};
}

// Docker's names of volumes are its own record: taking one of them away must not remove a snapshot.
Status VolumeAdapter::remove(const VolumeRequest& request) {
  if (!snapshot_of(request.name)) return volumes_.remove(request.name);
  return fail(Code::kUnsupported,
              "remove volume \"{0}\": it is a snapshot; remove it with "
              "`fairlead snapshot rm {0}`",
              shown(request.name));
}

Result<Mountpoint> VolumeAdapter::mount(const MountRequest& request) {
  if (const auto named = snapshot_of(request.name)) {
    TRY(auto view, volumes_.mount_snapshot(named->volume, named->snapshot, kClient, request.id));
    return Mountpoint{std::move(view.mountpoint)};
  }
  TRY(auto volume, volumes_.mount(request.name, kClient, request.id));
  return Mountpoint{std::move(volume.mountpoint)};
}

Status VolumeAdapter::unmount(const MountRequest& request) {
  const auto named = snapshot_of(request.name);
  Status done = named
                    ? volumes_.unmount_snapshot(named->volume, named->snapshot, kClient, request.id)
                    : volumes_.unmount(request.name, kClient, request.id);
  if (!done && done.error().code == Code::kNotFound) return {};
  return done;
}

Result<Mountpoint> VolumeAdapter::path(const VolumeRequest& request) {
  if (const auto named = snapshot_of(request.name)) {
    TRY(auto view, volumes_.inspect_snapshot(named->volume, named->snapshot));
    return Mountpoint{std::move(view.mountpoint)};
  }
  TRY(auto volume, volumes_.inspect(request.name));
  return Mountpoint{std::move(volume.mountpoint)};
}

Result<InspectedVolume> VolumeAdapter::get(const VolumeRequest& request) {
  if (const auto named = snapshot_of(request.name)) {
    InspectedVolume inspected;
    TRY(inspected.view, volumes_.inspect_snapshot(named->volume, named->snapshot));
    return inspected;
  }
  InspectedVolume inspected;
  TRY(inspected.volume, volumes_.inspect(request.name));
  TRY(inspected.status, volumes_.status(inspected.volume));
  return inspected;
}

Result<std::vector<volume::Volume>> VolumeAdapter::list(const Nothing&) { return volumes_.list(); }

}  // namespace fairlead::docker
