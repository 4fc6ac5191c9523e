// The backends that keep their data in one folder, for the crash tests and their child alike.
#pragma once

#include <memory>
#include <string>

#include "tests/support/fixed_backends.h"
#include "volume/backends/btrfs.h"
#include "volume/backends/dir.h"
#include "volume/backends/image.h"

namespace fairlead::volume::testing {

inline std::unique_ptr<BackendRegistry> make_crash_backends(const std::string& folder) {
  auto backends = std::make_unique<fairlead::testing::FixedBackends>();
  backends->add("dir", make_dir_backend(folder));
  backends->add("image", make_image_backend(folder));
  backends->add("btrfs", make_btrfs_backend(folder));
  return backends;
}

}  // namespace fairlead::volume::testing
