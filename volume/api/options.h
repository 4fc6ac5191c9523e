// Options of volumes as users write them, under every protocol: text in, VolumeOptions out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::volume {

inline constexpr std::uint32_t kDefaultMode = 0755;

enum class Access {
  kShared,
  kSingle,    // one container at a time
  kReadOnly,  // mounted read-only for everybody
};
std::string_view to_string(Access access);

// One line of an idmapped mount, as in /proc/<pid>/uid_map: ids on the disk, ids that the mount
// shows, how many.
struct IdRange {
  std::uint32_t disk = 0, shown = 0, count = 0;
  bool operator==(const IdRange&) const = default;
};

// Snapshots that are made by themselves, and how many of each kind are kept: hourly:24,daily:7.
struct Schedule {
  unsigned hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  bool operator==(const Schedule&) const = default;
};

struct VolumeOptions {
  std::string backend;                // empty: the registry chooses
  std::optional<std::uint64_t> size;  // bytes, a hard limit
  std::optional<std::uint64_t> inodes;
  std::uint32_t uid = 0, gid = 0;  // of the data folder when it is made
  std::uint32_t mode =
      kDefaultMode;  // permission bits of the data folder, with setuid, setgid and sticky
  std::chrono::seconds retain{0};          // how long deleted data stays in the trash
  std::string type, device;                // as in Docker's local driver
  std::string pool;                        // empty: the volume folder itself
  std::string fstype;                      // of backend image: "ext4" (default) or "xfs"
  std::string from_volume, from_snapshot;  // from=volume[@snapshot]; empty: a new volume
  Access access = Access::kShared;
  std::vector<IdRange> idmap;  // of uids and gids alike; empty: none
  Schedule snapshots;
  std::string compress;      // of backend btrfs: "zstd", "zstd:9", "lzo", "zlib", "off"
  bool cow = true;           // of backend btrfs: false for databases, without checksums
  bool discard = true;       // of backend image: deleted blocks go back to the disk below
  std::string encrypt;       // "fscrypt", or empty
  std::string keyfile;       // absolute path of the key of `encrypt`
  std::string passwordfile;  // absolute path of the credentials of type=cifs
  std::vector<std::string> mount_options;  // of `o`, sorted, those that are no options of their own
  std::map<std::string, std::string> labels;  // from label.<key>=<value>

  bool operator==(const VolumeOptions&) const = default;
};

// Accepts Fairlead's names, those of Docker's and Podman's local drivers (type, device, o, size),
// and label.<key>=<value>. In `o` may stand uid=, gid=, mode=, size=, inodes= and mount options.
// The same option twice with two values is kInvalid. An unknown one is kInvalid and names the
// closest known one; one that this version does not have is kUnsupported and says what to do.
// type=tmpfs, type=nfs and type=none with o=bind set `backend`.
Result<VolumeOptions> parse_options(const std::map<std::string, std::string>& options);

// The inverse, without defaults and labels: equal for options that ask for the same, shown by
// `inspect`, and parsed again to the same.
std::map<std::string, std::string> to_map(const VolumeOptions& options);

// For people, the first thing in which two maps differ: "size is 1g, not 2g"; empty when they are
// equal.
std::string difference(const std::map<std::string, std::string>& there,
                       const std::map<std::string, std::string>& asked);

// The options that this version has, for help texts and completions.
std::vector<std::string> option_names();

}  // namespace fairlead::volume
