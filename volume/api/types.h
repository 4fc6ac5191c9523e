// The values of Fairlead's volumes. No JSON, no kernel, no store here.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"

namespace fairlead::volume {

struct VolumeSpec {
  VolumeName name;
  std::map<std::string, std::string> options;  // as the user wrote them; parsed by options.h
  std::map<std::string, std::string> labels;
};

enum class Phase { kCreating, kReady, kDeleting };
std::string_view to_string(Phase phase);

// A mount as a runtime counts it: Docker's (name, id) is a multiset, Podman's id is one constant
// for all containers. Counts are hints; whether a volume is in use is asked of the kernel.
struct MountHint {
  std::string client;  // "docker", "podman", "api", ...
  std::string id;
  unsigned count = 0;
  bool operator==(const MountHint&) const = default;
};

struct Volume {
  std::string id;  // 32 hex digits; names the folder. User strings never become paths.
  VolumeName name;
  std::string backend;
  std::map<std::string, std::string> options;  // normalised, without defaults
  std::map<std::string, std::string> labels;
  std::string mountpoint;  // absolute path of the data, valid while mounted (dir: always)
  Phase phase = Phase::kCreating;
  long long created = 0;  // Unix seconds
  long long deleted = 0;  // Unix seconds, in phase kDeleting; names the folder in the trash
  std::vector<MountHint> mounts;

  bool operator==(const Volume&) const = default;
};

// What `volume inspect` shows beyond the record, cheap enough for every List.
struct VolumeStatus {
  std::string backend;
  std::string reason;                 // why this backend was chosen
  std::optional<std::uint64_t> size;  // bytes, the hard limit; nothing = none
  std::optional<std::uint64_t> used;  // bytes; nothing = not known without a walk
  std::optional<bool> in_use;         // as the kernel says
  std::string health;                 // "ok", or what is wrong
};

// What a reconcile did, one line each, and what it could not do.
struct ReconcileReport {
  std::vector<std::string> actions, failures;
};

}  // namespace fairlead::volume
