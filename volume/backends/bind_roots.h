// The folders of the host that volumes may show: what an administrator has listed as "bind_roots"
// in fairlead.json, and nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// A value; thread-safe. The roots are opened anew by every call.
class BindRoots {
 public:
  // Absolute paths. None: everything is refused.
  explicit BindRoots(std::vector<std::string> roots);

  // `device`, an absolute path beneath one of the roots, as O_PATH: a folder, or a block device. No
  // symbolic link and no ".." beneath the root is followed. kInvalid when it is not beneath a root
  // (the text names the key of the configuration), kNotFound when it is not there.
  Result<UniqueFd> open(const std::string& device) const;

 private:
  std::vector<std::string> roots_;
};

}  // namespace fairlead::volume
