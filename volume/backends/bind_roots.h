// The folders of the host that volumes may use: those that an administrator has listed as
// "bind_roots" in fairlead.json, and nothing else.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::volume {

// Absolute paths, which may be others the next time that they are asked for: the configuration can be
// read again while the daemon runs.
class RootList {
 public:
  using Now = std::function<std::vector<std::string>()>;  // thread-safe
  RootList() : RootList(std::vector<std::string>()) {}
  RootList(std::vector<std::string> roots) : now_([roots] { return roots; }) {}
  RootList(std::initializer_list<std::string> roots) : RootList(std::vector<std::string>(roots)) {}
  static RootList asked(Now now) {
    RootList list;
    list.now_ = std::move(now);
    return list;
  }
  std::vector<std::string> now() const { return now_(); }

 private:
  Now now_;
};

// A value; thread-safe. Every call opens the roots anew.
class BindRoots {
 public:
  // When there is none, every device is refused.
  explicit BindRoots(RootList roots) : roots_(std::move(roots)) {}

  // Opens `device`, an absolute path beneath one of the roots, as O_PATH: a folder or a block
  // device. No symbolic link and no ".." beneath the root is followed. kInvalid when the path is
  // not beneath a root (the text names the key of the configuration), kNotFound when it does not
  // exist.
  Result<UniqueFd> open(const std::string& device) const;

 private:
  RootList roots_;
};

}  // namespace fairlead::volume
