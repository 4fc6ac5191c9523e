// The values of Fairlead's volumes. They depend neither on JSON nor on the kernel or the store.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/names.h"
#include "volume/api/options.h"

namespace fairlead::volume {

struct VolumeSpec {
  VolumeName name;
  VolumeOptions options;
  std::map<std::string, std::string> labels;
};

enum class Phase { kCreating, kReady, kDeleting };
std::string_view to_string(Phase phase);

// Mounts as a runtime counts them: Docker's (name, id) is a multiset, Podman's id is one constant
// for all containers. Counts are hints; whether a volume is in use is asked of the kernel.
struct MountHint {
  std::string client;  // "docker", "podman", "api", ...
  std::string id;
  unsigned count = 0;
  bool operator==(const MountHint&) const = default;
};

// Why a snapshot was made. Retention removes only those of kSchedule. One of kArchive is dropped
// when the export or backup that reads it ends.
enum class SnapshotOrigin { kUser, kSchedule, kRollback, kArchive };
std::string_view to_string(SnapshotOrigin origin);

// The read-only content of a volume at one moment. It belongs to its volume and is removed with it.
struct Snapshot {
  std::string id;  // 32 hex digits; names it on the disk
  SnapshotName name;
  SnapshotOrigin origin = SnapshotOrigin::kUser;
  long long created = 0;               // Unix seconds
  std::optional<std::uint64_t> size;   // bytes, the volume's limit at that moment
  std::vector<MountHint> mounts = {};  // of the snapshot itself, shown read-only
  // 32 hex digits, the same for all volumes of which it was taken at one moment; empty: of one
  // volume
  std::string group = {};
  bool operator==(const Snapshot&) const = default;
};

// A change of a ready volume, committed before the backend acts. After a crash the next verb on the
// volume, or reconcile, finishes or undoes it.
enum class ChangeKind { kSnapshot, kDropSnapshot, kRollback, kResize };
std::string_view to_string(ChangeKind kind);

struct Change {
  ChangeKind kind = ChangeKind::kSnapshot;
  Snapshot snapshot;       // the snapshot that is made, dropped or rolled back to
  Snapshot kept;           // kRollback: holds the replaced content
  std::uint64_t size = 0;  // kResize: bytes
  bool automatic = false;  // kResize: because of autogrow=
  bool operator==(const Change&) const = default;
};

// What a verb that reads or writes a whole tree could not keep. The verb succeeds; its result is
// incomplete, and each door says so.
struct LeftOut {
  std::uint64_t count = 0;
  std::vector<std::string> notes;  // the first kMostNotes: what was left out and why, for people
  static constexpr std::size_t kMostNotes = 20;
  void add(const LeftOut& more);
  bool operator==(const LeftOut&) const = default;
};

// How the backups of the option `backup` go.
struct BackupState {
  long long done = 0;     // Unix seconds of the last one that succeeded; 0: none yet
  long long tried = 0;    // of the last attempt; 0: none yet
  long long since = 0;    // of the first attempt that failed since `done`
  unsigned failures = 0;  // since `done`
  std::string error;      // of the last attempt; empty: it succeeded
  bool operator==(const BackupState&) const = default;
};

struct Volume {
  std::string id;  // 32 hex digits; names the folder, because user strings never become paths
  VolumeName name;
  std::string backend;
  std::string pool;       // name of the pool; empty: the volume folder itself
  VolumeOptions options;  // without labels, which are a member of their own
  std::map<std::string, std::string> labels;
  std::string mountpoint;  // absolute path of the data, valid while mounted (backend dir: always)
  Phase phase = Phase::kCreating;
  long long created = 0;  // Unix seconds
  long long deleted = 0;  // Unix seconds, in phase kDeleting; names the folder in the trash
  std::vector<MountHint> mounts;
  std::vector<Snapshot> snapshots;  // oldest first
  std::optional<Change> change;
  long long backed_up = 0;            // Unix seconds of the last successful backup; 0: never
  std::uint64_t backup_left_out = 0;  // how many entries that backup had to leave out
  LeftOut left_out = {};              // what the import or the restore that made it could not keep
  // Not stored. What whoever created or resized it should know, one line each.
  std::vector<std::string> warnings = {};
  BackupState backup = {};  // of those that are made by the option `backup`

  bool operator==(const Volume&) const = default;
};

// How a volume is, in one word for lists and filters; `health` says it in a sentence.
enum class Condition {
  kOk,
  kWarning,   // it works, and somebody should look at it
  kFull,      // its own limit is reached
  kDiskFull,  // the disk below it is full
  kDamaged,   // its file system, or what belongs to it, is broken
  kMissing,   // its data is gone
  kOffline,   // its pool, device or server is away
  kLocked,    // its key is missing or wrong
};
std::string_view to_string(Condition condition);  // "ok", "warning", "full", "disk-full", ...

// What `volume inspect` shows beyond the record. Cheap enough to be computed for every List.
struct VolumeStatus {
  std::string backend;
  std::string reason;                 // why this backend was chosen
  std::optional<std::uint64_t> size;  // bytes, the hard limit; std::nullopt: none
  std::optional<std::uint64_t> used;  // bytes; std::nullopt: not known without a walk
  // bytes that only snapshots hold, and that their removal would free; std::nullopt: not known
  std::optional<std::uint64_t> only_in_snapshots;
  std::optional<std::uint64_t> inodes, inodes_used;
  std::optional<bool> in_use;  // as the kernel reports
  std::string users;           // who uses it, for people; empty: nobody, or not known
  Condition condition = Condition::kOk;
  std::string health = "ok";  // "ok", or what is wrong and what to do
};

// Where backups are kept: a folder (an absolute path), and what opens it when it is encrypted. Both
// files are of root and of nobody else; without either, the environment's
// FAIRLEAD_BACKUP_PASSPHRASE is asked.
struct BackupPlace {
  std::string folder;
  std::string key_file, passphrase_file;  // absolute paths, or empty

  BackupPlace() = default;
  BackupPlace(std::string where) : folder(std::move(where)) {}
  BackupPlace(const char* where) : folder(where) {}
  bool operator==(const BackupPlace&) const = default;
};

// A snapshot as runtimes mount it, read-only, under the name "data@monday".
struct SnapshotView {
  VolumeName volume;  // the name of its volume
  Snapshot snapshot;
  std::string backend;
  std::string mountpoint;  // absolute path of its data, valid while it is mounted
  std::string users;       // who has it mounted, as the kernel says; empty: nobody
  std::string health = "ok";
  std::string name() const { return volume.str() + "@" + snapshot.name.str(); }
};

// Called by long verbs about ten times a second, on the thread of the verb, with the bytes done and
// the total (0: not known). Returning false stops the work at the next safe point: the verb fails
// with kUnavailable and leaves nothing half done.
using Progress = std::function<bool(std::uint64_t done, std::uint64_t total)>;

// What a check of a volume found, one line for each finding.
struct CheckReport {
  bool clean = false;
  std::vector<std::string> findings;
};

// Where something is: in a volume, in one of its snapshots, or in a backup of the volume.
struct ContentPlace {
  std::string volume, snapshot;  // no snapshot: the present content
  BackupPlace from;              // of a backup; without a folder: of the volume itself
  std::string backup;            // the id, or empty for the newest of the volume
  std::string path;              // from the top of the volume: "a/b"; empty: the top itself
};

enum class ContentKind { kFile, kFolder, kSymlink, kFifo, kDevice, kSocket };
std::string_view to_string(ContentKind kind);  // "file", "folder", "link", ...

// One entry of that content, as lstat(2) shows it.
struct ContentEntry {
  std::string path;  // from the top of the volume; any bytes but NUL
  ContentKind kind = ContentKind::kFile;
  std::uint32_t mode = 0;  // permission bits with setuid, setgid and sticky
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t size = 0;   // bytes, of a file
  long long modified = 0;   // Unix seconds
  std::string target = {};  // of a symbolic link, as it is written
  bool operator==(const ContentEntry&) const = default;
};

// What a copy out of a volume wrote.
struct ContentReport {
  std::uint64_t entries = 0, bytes = 0;  // of any kind; of content
  LeftOut left_out;
};

// A removed volume whose data is kept for the time of `retain`.
struct TrashedVolume {
  Volume volume;      // as it was when removed; `deleted` is set
  long long due = 0;  // Unix seconds after which the data is deleted for good
};

// A long verb that is running or has ended. Ended jobs are kept for a week.
enum class JobState { kRunning, kDone, kFailed, kStopped, kInterrupted };
std::string_view to_string(JobState state);

struct Job {
  std::string id;    // sorts by the time of its start
  std::string verb;  // "export", "clone", ...
  std::string volume;
  std::map<std::string, std::string> arguments;  // enough to start the job again
  JobState state = JobState::kRunning;           // kInterrupted: its process has died
  std::uint64_t done = 0, total = 0;             // bytes; total 0: not known
  long long started = 0, ended = 0;              // Unix seconds
  std::string error;                             // of kFailed
  std::uint64_t left_out = 0;                    // of kDone: entries that could not be kept
};

// A file system that Fairlead creates for volumes, in one file or on a block device. It can provide
// what the host's own file system cannot (snapshots, limits).
struct PoolSpec {
  PoolName name;
  std::string fstype = "btrfs";       // or "xfs"
  std::optional<std::uint64_t> size;  // bytes of the sparse file; needed without a device
  std::string device;                 // absolute path of a block device to use instead of a file
  bool overwrite = false;             // use a device that is not empty
};

struct VolumePool {
  PoolName name;
  std::string id;                          // 32 hex digits
  std::string fstype, device;              // device: empty when the pool is in a file
  std::uint64_t size = 0, used = 0;        // bytes; 0 while it is not mounted
  long long created = 0;                   // Unix seconds
  std::string health;                      // "ok", or what is wrong
  std::size_t volumes = 0;                 // number of volumes in it
  std::vector<std::string> warnings = {};  // as Volume::warnings
};

// The file system below volumes, pools or the state.
struct DiskRoom {
  std::string path;                            // a folder on it
  std::uint64_t device = 0;                    // tells file systems apart
  std::uint64_t size = 0, free = 0, used = 0;  // bytes; free: for everybody
};

// What a sparse file promises of the file system that it is on.
struct Promise {
  std::uint64_t device = 0;
  std::uint64_t size = 0, taken = 0;  // bytes; taken: it has them already
};

// How full a volume with a limit is; 0 inodes: they are not counted.
struct Fullness {
  std::uint64_t size = 0, free = 0;  // bytes
  std::uint64_t inodes = 0, inodes_free = 0;
};

// The data of a volume that lies on the disk without a record.
struct FoundVolume {
  std::string path;    // of its folder
  Volume volume;       // phase kReady; `deleted` is set when it is in the trash
  bool named = false;  // `volume` is what is written beside the data, else what the data looks like
  std::string doubt;   // what could not be read; or, when it cannot be taken back, why
  bool lost = false;   // it cannot be taken back
};

// Which of what lies on the disk without a record is taken back.
struct RecoverRequest {
  std::vector<std::string> names;  // or ids; empty: all
  bool dry_run = false;            // only says what would be done
};
struct Recovered {
  std::string kind;  // "volume", "trash", "pool"
  std::string name, id;
  std::string note;  // what is not as it was; empty
};
struct RecoverReport {
  std::vector<Recovered> recovered;
  std::vector<std::string> failures;  // one line each
};

// What a reconcile did and what it could not do, one line each.
struct ReconcileReport {
  std::vector<std::string> actions, failures;
};

}  // namespace fairlead::volume
