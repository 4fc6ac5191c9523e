// The folders of the host that volumes may use: those that an administrator has listed as
// "bind_roots" in fairlead.json, and nothing else.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// A value; thread-safe. Every call opens the roots anew.
class BindRoots {
 public:
  // `roots` are absolute paths. When there is none, every device is refused.
  explicit BindRoots(std::vector<std::string> roots);

  // Opens `device`, an absolute path beneath one of the roots, as O_PATH: a folder or a block
  // device. No symbolic link and no ".." beneath the root is followed. kInvalid when the path is
  // not beneath a root (the text names the key of the configuration), kNotFound when it does not
  // exist.
  Result<UniqueFd> open(const std::string& device) const;

 private:
  std::vector<std::string> roots_;
};

}  // namespace fairlead::volume
