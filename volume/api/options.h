// Options of volumes as users write them, under every protocol, parsed into VolumeOptions.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "volume/api/excludes.h"

namespace fairlead::volume {

inline constexpr std::uint32_t kDefaultMode = 0755;

enum class Access {
  kShared,
  kSingle,    // one container at a time
  kReadOnly,  // mounted read-only for everybody
};
std::string_view to_string(Access access);

// One line of an idmapped mount, as in /proc/<pid>/uid_map: the first id on the disk, the id that
// the mount shows for it, and the number of ids.
struct IdRange {
  std::uint32_t disk = 0, shown = 0, count = 0;
  bool operator==(const IdRange&) const = default;
};

// When a limit grows by itself: autogrow=20%:max=100g. Less than `percent` free: the limit grows by
// `percent` of itself, to `most` bytes at most.
struct AutoGrow {
  unsigned percent = 0;  // 1 to 100; 0: it does not grow
  std::uint64_t most = 0;
  bool operator==(const AutoGrow&) const = default;
};

// How many snapshots of each kind are made automatically and kept: hourly:24,daily:7.
struct Schedule {
  unsigned hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  bool operator==(const Schedule&) const = default;
};

// Which backups are kept: the newest `last`, and those that the schedule keeps.
struct Retention {
  unsigned last = 0;
  Schedule periods;
  bool operator==(const Retention&) const = default;
};
// "last:3,hourly:24,daily:7": each kind at most once, with a count of 1 to 1000.
Result<Retention> parse_retention(std::string_view text);
std::string format_retention(const Retention& keep);

// Backups that are made automatically: daily:7@/srv/backup, daily:7@sftp:me@nas:/backup.
struct BackupPlan {
  Schedule every;  // when, and how many are kept
  // A target as in backup_target.h, whose path has no "." and ".."; empty: no backups.
  std::string folder;
  bool operator==(const BackupPlan&) const = default;
};

struct VolumeOptions {
  std::string backend;                // empty: the registry chooses
  std::optional<std::uint64_t> size;  // bytes, a hard limit
  std::optional<std::uint64_t> inodes;
  std::uint32_t uid = 0, gid = 0;  // of the data folder when it is created
  std::uint32_t mode =
      kDefaultMode;  // permission bits of the data folder, with setuid, setgid and sticky
  std::chrono::seconds retain{0};          // how long deleted data stays in the trash
  std::string type, device;                // as in Docker's local driver
  std::string pool;                        // empty: the volume folder itself
  std::string fstype;                      // of backend image: "ext4" (default) or "xfs"
  std::string from_volume, from_snapshot;  // from=volume[@snapshot]; empty: a new volume
  std::string view_volume, view_snapshot;  // snapshot=volume@snapshot: shows that, read-only
  Access access = Access::kShared;
  std::vector<IdRange> idmap;  // of uids and gids alike; empty: none
  Schedule snapshots;
  AutoGrow autogrow;
  BackupPlan backup;
  Excludes backup_exclude;  // of the backups that `backup` makes
  // Absolute paths of the secret that encrypts them: a key or a passphrase, or neither.
  std::string backup_keyfile, backup_passphrasefile;
  std::string compress;      // of backend btrfs: "zstd", "zstd:9", "lzo", "zlib", "off"
  bool cow = true;           // of backend btrfs; false (for databases) also turns checksums off
  bool discard = true;       // of backend image: deleted blocks go back to the disk below
  std::string encrypt;       // "fscrypt", or empty
  std::string keyfile;       // absolute path of the key of `encrypt`
  std::string passwordfile;  // absolute path of the credentials of type=cifs
  // the words of `o` that are not options of their own, sorted
  std::vector<std::string> mount_options;
  std::map<std::string, std::string> labels;  // from label.<key>=<value>
  // of a record that a newer version wrote: options that this one does not have, or cannot read.
  // They are kept as they are, and the volume is not changed (refuse_unread()).
  std::map<std::string, std::string> unread;

  bool operator==(const VolumeOptions&) const = default;
};

// Accepts Fairlead's own names, those of Docker's and Podman's local drivers (type, device, o,
// size), and label.<key>=<value>. `o` may hold uid=, gid=, mode=, size=, inodes= and mount options.
// kInvalid when the same option is given twice with different values, and for an unknown option,
// with the closest known name; kUnsupported, with what to do instead, for one that this version
// does not have. type=tmpfs, type=nfs and type=none with o=bind set `backend`.
Result<VolumeOptions> parse_options(const std::map<std::string, std::string>& options);

// The same for what was stored: what cannot be read becomes `unread`.
VolumeOptions parse_stored_options(const std::map<std::string, std::string>& options);

// kUnsupported, naming them, when there are options that were not read.
Status refuse_unread(const VolumeOptions& options);

// The inverse of parse_options, without defaults. Equal options give equal maps, and parsing the
// map gives the same options again. `inspect` shows it, and records hold it.
std::map<std::string, std::string> to_map(const VolumeOptions& options);

// Describes for people the first difference: "size is 1g, not 2g". Empty when there is none.
std::string difference(const VolumeOptions& there, const VolumeOptions& asked);

// The options that this version has, for help texts and completions.
std::vector<std::string> option_names();

}  // namespace fairlead::volume
