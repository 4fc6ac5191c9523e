// The backends that keep their data in one folder, for the crash tests and their child alike.
#pragma once

#include <memory>
#include <string>

#include "tests/support/fixed_backends.h"
#include "volume/backends/btrfs.h"
#include "volume/backends/dir.h"
#include "volume/backends/image.h"
#include "volume/backends/remote.h"
#include "volume/backends/tmpfs.h"
#include "volume/kernel/mount.h"

namespace fairlead::volume::testing {

// A server of which nothing is needed: memory is mounted in its place.
inline RemoteEnvironment memory_for_server() {
  RemoteEnvironment around;
  around.resolve = [](const std::string&) -> Result<std::string> { return "192.0.2.1"; };
  around.can_mount = [](const std::string&) { return true; };
  around.mount = [](const NewMount&, int folder, std::chrono::milliseconds) -> Status {
    TRY(const auto memory, make_mount({.type = "tmpfs", .source = {}, .options = {}}));
    return attach_at(memory.get(), folder);
  };
  return around;
}

inline std::unique_ptr<BackendRegistry> make_crash_backends(const std::string& folder) {
  auto backends = std::make_unique<fairlead::testing::FixedBackends>();
  backends->add("dir", make_dir_backend(folder));
  backends->add("image", make_image_backend(folder));
  backends->add("btrfs", make_btrfs_backend(folder));
  backends->add("tmpfs", make_tmpfs_backend(folder));
  backends->add("nfs", make_remote_backend("nfs", folder, {}, memory_for_server()));
  return backends;
}

}  // namespace fairlead::volume::testing
