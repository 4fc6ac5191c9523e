// The doors to volumes: VolumeService (the volumes), VolumePools (where they lie), VolumeArchives
// (their way out and back in).
#pragma once

#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

// Thread-safe; several processes may work on the same state at once. Every verb is idempotent,
// takes the lock of its volume, commits its intent first, and answers in far less than Podman's 5
// s, but for those that take a Progress.
class VolumeService {
 public:
  virtual ~VolumeService() = default;

  // The same name with the same options again succeeds; with others it is kConflict and names the
  // difference. Unknown options are kInvalid and name the closest known one. With `from=` the
  // content is that of another volume or of its snapshot. A copy that takes long goes on behind the
  // answer where `progress` is empty: kUnavailable says how far it is, and the same call again says
  // when it is there.
  virtual Result<Volume> create(const VolumeSpec& spec, const Progress& progress) = 0;
  Result<Volume> create(const VolumeSpec& spec) { return create(spec, {}); }
  // kNotFound when there is none; kInUse while the kernel says that something has it mounted (the
  // text says who).
  virtual Status remove(const std::string& name) = 0;
  // Makes the data available and returns it with `mountpoint` set. One call more of the same
  // (client, id) counts one more. kInUse for a second one of access=single.
  virtual Result<Volume> mount(const std::string& name, const std::string& client,
                               const std::string& id) = 0;
  virtual Status unmount(const std::string& name, const std::string& client,
                         const std::string& id) = 0;  // unknown: succeeds
  virtual Result<Volume> inspect(const std::string& name) = 0;
  virtual Result<std::vector<Volume>> list() = 0;
  // Never fails for a known volume: trouble is told in `health`.
  virtual Result<VolumeStatus> status(const Volume& volume) = 0;
  virtual Result<ReconcileReport> reconcile() = 0;

  // Only the name changes: mounts and data stay where they are. kExists when `to` is taken.
  virtual Result<Volume> rename(const std::string& name, const std::string& to) = 0;
  // Sets labels, and removes those without a value.
  virtual Result<Volume> set_labels(
      const std::string& name, const std::map<std::string, std::optional<std::string>>& labels) = 0;
  // `size` in bytes; the errors of Backend::resize.
  virtual Result<Volume> resize(const std::string& name, std::uint64_t size) = 0;

  // An empty snapshot name makes one of the time: "2026-01-31T12.00.00". kExists when it is taken.
  virtual Result<Snapshot> take_snapshot(const std::string& name, const std::string& snapshot,
                                         const Progress& progress) = 0;
  // The content of now, for an export or a backup to read; never a copy (kUnsupported). The caller
  // holds the lock of archives for as long as it reads (service/archive_snapshots.h): reconcile
  // drops what nobody holds.
  virtual Result<Snapshot> take_archive_snapshot(const std::string& name) = 0;
  virtual Status drop_snapshot(const std::string& name, const std::string& snapshot) = 0;
  // The content becomes that of the snapshot; what it was is kept as the snapshot that is returned.
  virtual Result<Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                                     const Progress& progress) = 0;
  virtual Result<VolumeStatus> usage(const std::string& name, const Progress& progress) = 0;
  virtual Result<CheckReport> check(const std::string& name, bool repair,
                                    const Progress& progress) = 0;

  virtual Result<std::vector<TrashedVolume>> trash() = 0;
  // By name (the one removed last) or by id; under its old name, or under `as`. kExists when that
  // is taken.
  virtual Result<Volume> restore_from_trash(const std::string& name_or_id,
                                            const std::string& as) = 0;
  // One, or with an empty text all; returns how many are gone. What somebody still has mounted
  // stays.
  virtual Result<std::size_t> empty_trash(const std::string& name_or_id) = 0;

  // Makes the snapshots that schedules ask for at this time and removes those that they no longer
  // keep. The daemon calls it about once a minute.
  virtual Result<ReconcileReport> keep_schedules() = 0;
};

// Thread-safe. Pools are mounted when something in them is first used.
class VolumePools {
 public:
  virtual ~VolumePools() = default;
  // mkfs takes its time. kExists when the name is taken; kConflict for a device that holds
  // something, unless `overwrite`.
  virtual Result<VolumePool> create(const PoolSpec& spec) = 0;
  virtual Result<std::vector<VolumePool>> list() = 0;
  virtual Result<VolumePool> inspect(const std::string& name) = 0;
  // kInUse while volumes (or their trash) are in it.
  virtual Status remove(const std::string& name) = 0;
  // A larger file or device: the file system grows into it, online. `size` 0: all of the device.
  virtual Result<VolumePool> grow(const std::string& name, std::uint64_t size) = 0;
  // Finishes or undoes what a crash left half done.
  virtual ReconcileReport reconcile() { return {}; }
};

// What an export wrote, or a verify read.
struct ArchiveReport {
  std::uint64_t files = 0, bytes = 0;
  std::string digest;  // SHA-256 of the content, hex
};

struct BackupInfo {
  std::string id;  // sorts by time
  std::string volume;
  long long created = 0;                // Unix seconds
  std::uint64_t bytes = 0, stored = 0;  // of the content; newly written to the folder
  bool incremental = false;
};

// Long verbs; thread-safe. `fd` is borrowed. Paths are absolute.
class VolumeArchives {
 public:
  virtual ~VolumeArchives() = default;
  // tar (pax) with zstd, of a volume ("shop") or of a snapshot ("shop@monday"), with owners, modes,
  // times, links, ACLs and extended attributes.
  virtual Result<ArchiveReport> export_to(const std::string& volume, int fd,
                                          const Progress& progress) = 0;
  // Makes the volume and fills it; whatever libarchive reads (tar, with gzip, xz or zstd). Entries
  // that would lead out of the folder are refused, and so is an archive that is damaged or whose
  // SHA-256 is another one than `sha256` (64 digits; empty: any); nothing is left then.
  virtual Result<Volume> import_from(const VolumeSpec& spec, int fd, const std::string& sha256,
                                     const Progress& progress) = 0;

  // Into a folder that can be copied anywhere; only what changed since the last backup there is
  // written.
  virtual Result<BackupInfo> back_up(const std::string& volume, const std::string& folder,
                                     const Progress& progress) = 0;
  virtual Result<std::vector<BackupInfo>> backups(const std::string& folder) = 0;
  // `backup`: an id, or empty for the newest one of the volume named in the spec.
  virtual Result<Volume> restore(const VolumeSpec& spec, const std::string& folder,
                                 const std::string& backup, const Progress& progress) = 0;
  // Reads everything of one backup, or of all, and compares digests.
  virtual Result<CheckReport> verify(const std::string& folder, const std::string& backup,
                                     const Progress& progress) = 0;
};

// What runs long, in any process. Thread-safe.
class VolumeJobs {
 public:
  virtual ~VolumeJobs() = default;
  virtual Result<std::vector<Job>> list() = 0;  // newest first
  // Asks it to stop at its next safe point; kNotFound when there is no such job, kConflict when it
  // has ended.
  virtual Status stop(const std::string& id) = 0;
  // A stopped, failed or interrupted job again, with its arguments; what it had done already is not
  // done twice where the verb can tell.
  virtual Status resume(const std::string& id, const Progress& progress) = 0;
};

}  // namespace fairlead::volume
