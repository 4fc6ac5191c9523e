// The backends `nfs`, `cifs` and `mount` (any other type=): a remote file system or a block device,
// as with type, device and o= of Docker's local driver. It is mounted on vol/<id>/mnt/_data. A
// server that does not answer hangs nobody here: mounting is done by a process with a deadline,
// unmounting is lazy, and no other verb touches the path. The data does not belong to the volume:
// removing the volume keeps it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "volume/api/backend.h"
#include "volume/backends/bind_roots.h"
#include "volume/backends/remote_options.h"
#include "volume/kernel/remote_mount.h"

namespace fairlead::volume {

// What tests replace.
struct RemoteEnvironment {
  std::chrono::milliseconds deadline{4000};  // Podman gives up after 5 s
  Resolve resolve;                           // empty: use the host's own name service
  std::function<bool(const std::string& type)> can_mount = volume::can_mount;
  std::function<Status(const NewMount&, int folder, std::chrono::milliseconds)> mount =
      mount_with_deadline;
};

// `backend` is "nfs", "cifs" or "mount". Block devices are allowed beneath `bind_roots` only.
std::unique_ptr<Backend> make_remote_backend(std::string backend, std::string root,
                                             RootList bind_roots,
                                             RemoteEnvironment environment = {});

}  // namespace fairlead::volume
