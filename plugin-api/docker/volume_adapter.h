// Translates VolumeDriver to VolumeService. Stateless.
#pragma once

#include <vector>

#include "plugin-api/docker/codec_volume.h"
#include "volume/api/service.h"

namespace fairlead::docker {

// One method per verb. Thread-safe. `volumes` must outlive the adapter. Podman uses it too: its
// mounts are counted for the client "docker" under one constant id. A name with '@' ("data@monday")
// is that of a snapshot: it can be mounted and inspected, and is in no list.
class VolumeAdapter {
 public:
  explicit VolumeAdapter(volume::VolumeService& volumes) : volumes_(volumes) {}

  Status create(const CreateVolumeRequest& request);
  Status remove(const VolumeRequest& request);
  Result<Mountpoint> mount(const MountRequest& request);
  Status unmount(const MountRequest& request);
  Result<Mountpoint> path(const VolumeRequest& request);
  Result<InspectedVolume> get(const VolumeRequest& request);
  // Leaves out the status, which Docker does not show in lists.
  Result<std::vector<volume::Volume>> list(const Nothing& request);

 private:
  Status create_view(const CreateVolumeRequest& request);

  volume::VolumeService& volumes_;
};

}  // namespace fairlead::docker
