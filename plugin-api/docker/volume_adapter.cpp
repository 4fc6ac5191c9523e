#include "plugin-api/docker/volume_adapter.h"

#include "base/text.h"

namespace fairlead::docker {

namespace {

const std::string kClient = "docker";

}  // namespace

Status VolumeAdapter::create(const CreateVolumeRequest& request) {
  volume::VolumeSpec spec;
  TRY(spec.name, VolumeName::parse(request.name));
  auto options = volume::parse_options(request.options);
  if (!options)
    return fail(
        with_context(options.error(), fmt::format("create volume \"{}\"", shown(request.name))));
  spec.options = std::move(*options);
  TRY_STATUS(volumes_.create(spec));
  return {};
}

Status VolumeAdapter::remove(const VolumeRequest& request) { return volumes_.remove(request.name); }

Result<Mountpoint> VolumeAdapter::mount(const MountRequest& request) {
  TRY(auto volume, volumes_.mount(request.name, kClient, request.id));
  return Mountpoint{std::move(volume.mountpoint)};
}

Status VolumeAdapter::unmount(const MountRequest& request) {
  Status done = volumes_.unmount(request.name, kClient, request.id);
  if (!done && done.error().code == Code::kNotFound) return {};
  return done;
}

Result<Mountpoint> VolumeAdapter::path(const VolumeRequest& request) {
  TRY(auto volume, volumes_.inspect(request.name));
  return Mountpoint{std::move(volume.mountpoint)};
}

Result<InspectedVolume> VolumeAdapter::get(const VolumeRequest& request) {
  InspectedVolume inspected;
  TRY(inspected.volume, volumes_.inspect(request.name));
  TRY(inspected.status, volumes_.status(inspected.volume));
  return inspected;
}

Result<std::vector<volume::Volume>> VolumeAdapter::list(const Nothing&) { return volumes_.list(); }

}  // namespace fairlead::docker
