// The interfaces of volumes: VolumeService (the volumes), VolumePools (the file systems that hold
// them), VolumeArchives (export, import, backup and restore), VolumeContent (single files) and
// VolumeJobs (long verbs).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "volume/api/types.h"

namespace fairlead::volume {

// Thread-safe; several processes may work on the same state at once. Every verb is idempotent,
// takes the lock of its volume and commits its intent first. All but those that take a Progress
// return well within the 5 s after which Podman gives up.
class VolumeService {
 public:
  virtual ~VolumeService() = default;

  // Succeeds when the name exists with the same options; with other options it is kConflict and
  // names the difference. Unknown options are kInvalid and name the closest known one. With `from=`
  // the content is that of another volume or of its snapshot. When `progress` is empty, a long copy
  // continues in the background: the call fails with kUnavailable and tells how far the copy is,
  // and the same call made again succeeds once it is finished.
  virtual Result<Volume> create(const VolumeSpec& spec, const Progress& progress) = 0;
  Result<Volume> create(const VolumeSpec& spec) { return create(spec, {}); }
  // kNotFound when there is no such volume; kInUse, with a text that names the users, while the
  // kernel reports that something has it mounted.
  virtual Status remove(const std::string& name) = 0;
  // Makes the data available and returns the volume with `mountpoint` set. Each further call with
  // the same (client, id) is counted. kInUse when a volume with access=single is mounted by another
  // (client, id).
  virtual Result<Volume> mount(const std::string& name, const std::string& client,
                               const std::string& id) = 0;
  virtual Status unmount(const std::string& name, const std::string& client,
                         const std::string& id) = 0;  // succeeds when unknown
  virtual Result<Volume> inspect(const std::string& name) = 0;
  virtual Result<std::vector<Volume>> list() = 0;
  // Never fails for a known volume: trouble is reported in `health`.
  virtual Result<VolumeStatus> status(const Volume& volume) = 0;
  virtual Result<ReconcileReport> reconcile() = 0;
  // What is wrong beside single volumes, one line each: disks that are nearly full, data without a
  // record.
  virtual std::vector<std::string> problems() { return {}; }
  // Takes back the volumes whose data lies on the disk without a record: the database was lost, or is
  // an older copy. Changes no data. Pools come first (VolumePools::recover).
  virtual Result<RecoverReport> recover(const RecoverRequest&) {
    return fail(Code::kUnsupported,
                "recover volumes: use the command line (fairlead volume recover)");
  }
  // Lets volumes with autogrow= grow that are nearly full, and tells when a disk becomes full. The
  // daemon calls it about once a second.
  virtual Result<ReconcileReport> watch_space() { return ReconcileReport{}; }

  // Changes only the name: mounts and data stay where they are. kExists when `to` is taken, kInUse
  // while a mount that a runtime counted is in use.
  virtual Result<Volume> rename(const std::string& name, const std::string& to) = 0;
  // Sets the labels that have a value, and removes the others.
  virtual Result<Volume> set_labels(
      const std::string& name, const std::map<std::string, std::optional<std::string>>& labels) = 0;
  // Sets the options that have a value and resets the others: backup, backup_exclude, snapshots and
  // retain. kUnsupported for others.
  virtual Result<Volume> set_options(
      const std::string& name,
      const std::map<std::string, std::optional<std::string>>& options) = 0;
  // `size` is in bytes. Fails with the errors of Backend::resize.
  virtual Result<Volume> resize(const std::string& name, std::uint64_t size) = 0;

  // An empty snapshot name is replaced by one made of the time: "2026-01-31T12.00.00". kExists when
  // the name is taken.
  virtual Result<Snapshot> take_snapshot(const std::string& name, const std::string& snapshot,
                                         const Progress& progress) = 0;
  // Takes a snapshot of the present content for an export or a backup to read; kUnsupported where
  // that would need a copy. The caller holds the archive lock (service/archive_snapshots.h) for as
  // long as it reads, because reconcile drops snapshots of this kind when that lock is free.
  virtual Result<Snapshot> take_archive_snapshot(const std::string& name) = 0;
  virtual Status drop_snapshot(const std::string& name, const std::string& snapshot) = 0;
  // Replaces the content by that of the snapshot. The replaced content is kept as the snapshot that
  // is returned.
  virtual Result<Snapshot> roll_back(const std::string& name, const std::string& snapshot,
                                     const Progress& progress) = 0;
  // Makes the content of a snapshot available, read-only, with the mount options and the id map of
  // its volume, and returns it with `mountpoint` set. Counted as mount() is. While anybody has it
  // mounted, neither the snapshot nor its volume is removed.
  virtual Result<SnapshotView> mount_snapshot(const std::string& name, const std::string& snapshot,
                                              const std::string& client, const std::string& id) = 0;
  virtual Status unmount_snapshot(const std::string& name, const std::string& snapshot,
                                  const std::string& client,
                                  const std::string& id) = 0;  // succeeds when unknown
  // kNotFound when the volume or the snapshot does not exist.
  virtual Result<SnapshotView> inspect_snapshot(const std::string& name,
                                                const std::string& snapshot) = 0;
  // The bytes that each snapshot alone holds, by its id, and that its removal would free; without
  // those for which that is not known.
  virtual Result<std::map<std::string, std::uint64_t>> snapshot_space(const std::string& name) = 0;
  virtual Result<VolumeStatus> usage(const std::string& name, const Progress& progress) = 0;
  virtual Result<CheckReport> check(const std::string& name, bool repair,
                                    const Progress& progress) = 0;

  virtual Result<std::vector<TrashedVolume>> trash() = 0;
  // Restores by name (the one removed last) or by id, under its old name or under `as`. kExists
  // when that name is taken.
  virtual Result<Volume> restore_from_trash(const std::string& name_or_id,
                                            const std::string& as) = 0;
  // Empties the trash of one volume, or of all when the text is empty. Returns how many are gone;
  // volumes that somebody still has mounted stay.
  virtual Result<std::size_t> empty_trash(const std::string& name_or_id) = 0;

  // Makes the snapshots that are due by their schedules and removes those that the schedules no
  // longer keep. The daemon calls it about once a minute.
  virtual Result<ReconcileReport> keep_schedules() = 0;
};

// Thread-safe. A pool is mounted when something in it is first used.
class VolumePools {
 public:
  virtual ~VolumePools() = default;
  // Runs mkfs, which may take long. kExists when the name is taken; kConflict for a device that is
  // not empty, unless `overwrite` is set.
  virtual Result<VolumePool> create(const PoolSpec& spec) = 0;
  virtual Result<std::vector<VolumePool>> list() = 0;
  virtual Result<VolumePool> inspect(const std::string& name) = 0;
  // kInUse while volumes, or trash of removed ones, are in it.
  virtual Status remove(const std::string& name) = 0;
  // Grows the file, or uses the grown device, and the file system with it, online. `size` 0 means
  // all of the device.
  virtual Result<VolumePool> grow(const std::string& name, std::uint64_t size) = 0;
  // Finishes or undoes what a crash left half done.
  virtual ReconcileReport reconcile() { return {}; }
  // As VolumeService::recover, for pools.
  virtual Result<RecoverReport> recover(const RecoverRequest&) {
    return fail(Code::kUnsupported,
                "recover pools: use the command line (fairlead volume recover)");
  }
};

// What an export wrote.
struct ArchiveReport {
  std::uint64_t files = 0, bytes = 0;
  std::string digest;  // SHA-256 of the content, hex
  LeftOut left_out = {};
};

struct BackupInfo {
  std::string id;  // sorts by time
  std::string volume;
  long long created = 0;                // Unix seconds
  std::uint64_t bytes = 0, stored = 0;  // of the content; newly written to the folder
  bool incremental = false;
  LeftOut left_out = {};
  // of the snapshot that it holds (Snapshot::group); the backups of one moment have the same
  std::string group = {};
  std::string excluded;  // what was left out on request, as format_excludes() writes it
};

struct BackupOptions {
  Excludes excludes;
  // After a backup that succeeded, backups of the same volume that this does not keep are removed.
  std::optional<Retention> keep;
};

struct PruneOptions {
  bool dry_run = false;  // only tells what would be done
  // Also while the index of some backup cannot be read; what only that one needs is lost then.
  bool force = false;
};

// What a removal of backups did, or would do.
struct PruneReport {
  std::vector<BackupInfo> removed;  // oldest first
  std::vector<BackupInfo> kept;     // all others in the folder, oldest first
  std::uint64_t freed = 0;          // bytes
  std::vector<std::string> notes;   // what could not be freed, and why
};

struct RepairReport {
  std::vector<std::string> healed;    // one line each
  std::vector<std::string> findings;  // what stays lost, one line each; empty: all is whole
};

// Long verbs. Thread-safe. `fd` is borrowed. Paths are absolute.
class VolumeArchives {
 public:
  virtual ~VolumeArchives() = default;
  // Writes a tar (pax) compressed with zstd, of a volume ("shop") or of a snapshot ("shop@monday"),
  // with owners, modes, times, links, ACLs, extended attributes, flags (chattr) and whiteouts of
  // overlayfs. Device nodes, sockets and what is mounted inside are left out and counted.
  virtual Result<ArchiveReport> export_to(const std::string& volume, int fd,
                                          const Excludes& excludes, const Progress& progress) = 0;
  Result<ArchiveReport> export_to(const std::string& volume, int fd, const Progress& progress) {
    return export_to(volume, fd, Excludes{}, progress);
  }
  // Creates the volume and fills it from a tar, plain or compressed in any way that libarchive
  // reads (gzip, xz, zstd and others). Refuses entries that would leave the folder, a damaged
  // archive, and one whose SHA-256 is not `sha256` (64 digits; empty accepts any). An absolute name
  // is taken beneath the folder. What could not be kept is in `left_out` of the volume. Nothing is
  // left after a failure.
  virtual Result<Volume> import_from(const VolumeSpec& spec, int fd, const std::string& sha256,
                                     const Progress& progress) = 0;

  // Writes a backup into a folder, which can be copied anywhere. Only what changed since the last
  // backup in that folder is written. A new folder is encrypted when the place has a secret; of an
  // encrypted one every verb is kInvalid without the right secret. kInvalid for a folder that is in
  // the volume itself.
  virtual Result<BackupInfo> back_up(const std::string& volume, const BackupPlace& place,
                                     const BackupOptions& options, const Progress& progress) = 0;
  Result<BackupInfo> back_up(const std::string& volume, const BackupPlace& place,
                             const Progress& progress) {
    return back_up(volume, place, BackupOptions{}, progress);
  }
  virtual Result<std::vector<BackupInfo>> backups(const BackupPlace& place) = 0;
  // `backup` is an id, or empty for the newest backup of the volume named in the spec. Options and
  // labels are those of the backup where the spec sets none. `left_out` of the volume holds what
  // the backup lacks as well.
  virtual Result<Volume> restore(const VolumeSpec& spec, const BackupPlace& place,
                                 const std::string& backup, const Progress& progress) = 0;
  // Reads all content of one backup, or of all when `backup` is empty, and compares digests.
  virtual Result<CheckReport> verify(const BackupPlace& place, const std::string& backup,
                                     const Progress& progress) = 0;

  // Removes backups by their ids, or by the first digits of them, and frees what no other backup
  // needs. kNotFound for an id that none has or several have: nothing is removed then. kConflict
  // while an index cannot be read, unless forced; an unreadable backup is removed by its whole id.
  // Killed anywhere, every backup that is listed is whole, and the next call frees the rest.
  virtual Result<PruneReport> remove_backups(const BackupPlace& place,
                                             const std::vector<std::string>& ids,
                                             const PruneOptions& options,
                                             const Progress& progress) = 0;
  // Removes the backups that `keep` does not keep, of one volume or of each (empty). The newest
  // backup of a volume always stays, and so do those from the future. Without `keep` none is
  // removed, and only what failed backups left is freed.
  virtual Result<PruneReport> prune(const BackupPlace& place, const std::string& volume,
                                    const std::optional<Retention>& keep,
                                    const PruneOptions& options, const Progress& progress) = 0;
  // Looks for damage as verify does, keeps what is good in damaged packs, and stores again what the
  // volumes still have.
  virtual Result<RepairReport> repair(const BackupPlace& place, const Progress& progress) = 0;

  // Makes the backups that are due by the option `backup` of volumes, side by side where they go to
  // different servers, and removes old ones. Those that fail are noted in their volumes and tried
  // again later. The daemon calls it about once a minute. `progress`: by one thread at a time.
  virtual Result<ReconcileReport> keep_backups(const Progress& progress) = 0;
};

// Looks into volumes, snapshots and backups without restoring them. Thread-safe. Symbolic links are
// shown and copied, never followed: kInvalid for a path that leads through one. kNotFound for what
// is not there. Of a backup only the chunks that are needed are read. A present content is read as
// it is, also while it changes.
class VolumeContent {
 public:
  virtual ~VolumeContent() = default;
  using Visit = std::function<Status(const ContentEntry&)>;
  enum class Reach { kHere, kBelow };  // what is in the folder; everything below it

  // Visits what is in the folder at the place, without the folder itself, or the one entry that is
  // no folder; each folder's entries by the bytes of their names. A failure of `visit` ends it.
  virtual Result<LeftOut> list(const ContentPlace& place, Reach reach, const Visit& visit) = 0;
  // Writes the content of a file to `fd` (borrowed; may be a pipe). kInvalid for anything else.
  virtual Status read(const ContentPlace& place, int fd, const Progress& progress) = 0;
  // Copies a file or a folder to `path` (absolute), as docker cp does: into it when it is a folder,
  // else under that name. Owners, modes, times and extended attributes are kept.
  virtual Result<ContentReport> copy(const ContentPlace& place, const std::string& path,
                                     const Progress& progress) = 0;
  // Writes a file or a folder as a plain tar to `fd`, under its own name.
  virtual Result<ContentReport> archive(const ContentPlace& place, int fd,
                                        const Progress& progress) = 0;
};

// Long verbs that run, or have ended, in any process. Thread-safe.
class VolumeJobs {
 public:
  virtual ~VolumeJobs() = default;
  virtual Result<std::vector<Job>> list() = 0;  // newest first
  // Asks the job to stop at its next safe point. kNotFound when there is no such job, kConflict
  // when it has ended.
  virtual Status stop(const std::string& id) = 0;
  // Starts a stopped, failed or interrupted job again with the same arguments, under the same id.
  // Work that was done already is not repeated where the verb can tell. Returns what the verb could
  // not keep.
  virtual Result<LeftOut> resume(const std::string& id, const Progress& progress) = 0;
};

}  // namespace fairlead::volume
