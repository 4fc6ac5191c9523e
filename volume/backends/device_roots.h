// The block devices that may become pools: beneath what an administrator has listed as
// "device_roots" in fairlead.json, and nothing else. Root's command line allows "/".
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace fairlead::volume {

// A value; thread-safe.
class DeviceRoots {
 public:
  // Absolute paths, of folders (/dev/vg0) or of devices (/dev/sdb). When there is none, every
  // device is refused.
  explicit DeviceRoots(std::vector<std::string> roots) : roots_(std::move(roots)) {}

  // kInvalid when `device` is not beneath a root (the text names the key of the configuration and
  // the command that needs none). The last component may be a symbolic link, as those in
  // /dev/disk/by-id are, if nobody but root can have made it.
  Status check(const std::string& device) const;

 private:
  std::vector<std::string> roots_;
};

}  // namespace fairlead::volume
