// Notices that Podman has removed a network, which it tells nobody: a file is gone from a folder.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace fairlead {

// Used by one thread.
class PodmanFolder {
 public:
  explicit PodmanFolder(std::string path) : path_(std::move(path)) {}

  // Whether networks are to be looked for that are gone: the folder has changed since the last call, or
  // did so `grace` seconds before, when some of them were too young. `now`: of any steady clock, seconds.
  bool is_due(long long now, long long grace);

 private:
  struct Stamp {
    std::uint64_t device = 0, inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Stamp&) const = default;
  };
  Stamp stamp() const;

  std::string path_;
  std::optional<Stamp> seen_;
  std::optional<long long> again_;
};

}  // namespace fairlead
