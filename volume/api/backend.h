// Backend: keeps one kind of volume on disk. A backend acts and reports; it never writes to the
// store.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/rollback.h"
#include "base/unique_fd.h"
#include "volume/api/moment.h"
#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

// Called between the steps of long work. True stops the work at this point; a later call continues
// it.
using StopRequest = std::function<bool()>;

enum class TrashState {
  kEmptied,  // the data is gone
  kLeft,     // stopped early, or still mounted by somebody: `sweep` tries again
};

// Called under the lock of the volume, from any thread; `purge` and `sweep` are called without a
// lock. Every verb is idempotent.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;  // "dir"

  // Refuses, before anything is stored, options that this backend or this host cannot honour:
  // kUnsupported with a hint.
  virtual Status validate(const VolumeOptions& options) const = 0;
  // Builds the data in a temporary place and renames it to its final one; the rename is the commit.
  // A volume that exists already is kept.
  virtual Status create(const Volume& volume, Rollback& undo) = 0;
  // Removes what an unfinished create left; that volume was never handed out. Succeeds when nothing
  // is left.
  virtual Status discard(const Volume& volume) = 0;
  // Renames the data into the trash, under `volume.deleted`. Succeeds when the data is gone
  // already.
  virtual Status remove(const Volume& volume) = 0;
  // Deletes for good what `remove` put into the trash; never while somebody has it mounted.
  virtual Result<TrashState> purge(const Volume& volume, const StopRequest& stop) = 0;

  // --- Answers that do not wait for the disk. A flush of a file system costs more than all else
  // that these verbs do; what follows from the record can be made again instead.

  // Whether, now, the data of a new volume with these options follows from its record alone (an empty
  // folder), so that create_unflushed() and settle() may be used in place of create(), and
  // remove_unflushed() in place of remove(). By default it does not.
  virtual bool follows_from_record(const VolumeOptions& options) const;
  // As create(), but a power cut may take the data away again: whole, or not at all.
  virtual Status create_unflushed(const Volume& volume, Rollback& undo);
  // Brings to the disk what create_unflushed() made, and makes it anew where a power cut has taken it
  // away: returns whether it did. Called before anybody gets the volume to write to.
  virtual Result<bool> settle(const Volume& volume);
  // As remove(), but a power cut may bring the data back into its place: then it is called again.
  virtual Status remove_unflushed(const Volume& volume);

  // The absolute path of the data while it is mounted. Touches nothing, because List calls it.
  virtual std::string data_path(const Volume& volume) const = 0;
  // Makes the data available and returns the absolute path of its `_data` folder.
  virtual Result<std::string> mount(const Volume& volume) = 0;
  virtual Status unmount(const Volume& volume) = 0;
  // Describes, for people, who has the volume's data mounted in any mount namespace; empty when
  // nobody has.
  virtual Result<std::string> users(const Volume& volume) = 0;
  // Reports trouble with the data in `health` instead of failing. `reason` holds only what this
  // backend adds to the reason for its choice, which the service fills in.
  virtual Result<VolumeStatus> status(const Volume& volume) = 0;
  // Repairs what needs nobody's decision, such as data that an older version stored differently.
  // Reconcile calls it when status() reports trouble. Returns whether it changed anything; by
  // default nothing.
  virtual Result<bool> mend(const Volume& volume);

  // --- Verbs that not every kind of volume supports. By default they return kUnsupported with a
  // hint on what to use instead.

  // Changes the hard limit to `size` bytes, online where the file system can. kExhausted when more
  // than that is used; kUnsupported when this file system cannot shrink; kInUse when it can be
  // resized only while nobody has it mounted, and somebody has.
  virtual Status resize(const Volume& volume, std::uint64_t size);
  // Keeps the content of this moment, consistent as after a power cut. A file system that has to be
  // frozen for it is frozen for at most 2 s. A snapshot that exists already is kept.
  virtual Status take_snapshot(const Volume& volume, const Snapshot& snapshot,
                               const Progress& progress);
  // The volume's part in a snapshot of several at one moment. `volume` and `snapshot` must outlive
  // the part. By default it works for volumes that nobody uses, by take_snapshot(); kInUse, naming
  // the users, while somebody does.
  virtual Result<std::unique_ptr<MomentPart>> begin_moment(const Volume& volume,
                                                           const Snapshot& snapshot);
  // Succeeds when there is no such snapshot.
  virtual Status drop_snapshot(const Volume& volume, const std::string& snapshot_id);
  // Replaces the content by that of the snapshot, and keeps the replaced content as the snapshot
  // `kept`. kInUse while somebody has the volume mounted. Leaves it unmounted, also after a failure.
  // Called again after a crash it finishes the work, and changes nothing when the work was finished.
  virtual Status roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                           const Progress& progress);
  // As create(), with the content of `source`, a volume of this backend: its present content, or
  // that of the snapshot. Shares blocks where the file system can, else copies. Limit and mount
  // options come from `volume.options`; the data keeps the owner and mode it has in the source.
  virtual Status clone(const Volume& volume, const Volume& source, const std::string& snapshot_id,
                       Rollback& undo, const Progress& progress);
  // Runs fsck or a scrub; with `repair` it repairs what can be repaired. kInUse where the check
  // needs the volume unmounted.
  virtual Result<CheckReport> check(const Volume& volume, bool repair, const Progress& progress);
  // Opens the `_data` folder for archives; that of a snapshot is read-only. A mount that is made
  // for this is attached nowhere in the tree and ends with the descriptor.
  virtual Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id);
  // Makes the content of a snapshot available, read-only, with the mount options and the id map of
  // the volume, and returns the absolute path of its data. Idempotent.
  virtual Result<std::string> mount_snapshot(const Volume& volume, const std::string& snapshot_id);
  // Succeeds when it is not mounted. Mounts that others made of it stay.
  virtual Status unmount_snapshot(const Volume& volume, const std::string& snapshot_id);
  // The path that mount_snapshot() returns. Touches nothing.
  virtual std::string snapshot_path(const Volume& volume, const std::string& snapshot_id) const;
  // The ids of the snapshots that mount_snapshot() mounted, and perhaps others; none by default.
  virtual Result<std::vector<std::string>> mounted_snapshots(const Volume& volume);
  // As users(), of this snapshot, or of any when the id is empty. users() does not count them.
  virtual Result<std::string> snapshot_users(const Volume& volume, const std::string& snapshot_id);
  // The bytes that only this one snapshot holds, by id, where that can be told without reading
  // everything; empty by default.
  virtual Result<std::map<std::string, std::uint64_t>> snapshot_space(const Volume& volume);
  // Counts bytes and inodes by asking the file system, or by walking the tree where there is no
  // other way.
  virtual Result<VolumeStatus> usage(const Volume& volume, const Progress& progress);
  // Moves the removed volume back into its place. kNotFound when the trash was emptied.
  virtual Status restore(const Volume& volume);

  // --- What the record needs to be written again, and the space that is promised.

  // Keeps beside the data what the record says now (volume.json). A hint that comes too late, or on
  // a full disk not at all, so it is called again by reconcile; by default nothing is kept.
  virtual Status write_down(const Volume& volume);
  // What the volume promises of the disk below; std::nullopt when it takes only what is written.
  virtual Result<std::optional<Promise>> promise(const Volume& volume);
  // How full a mounted volume with a limit is, by asking only its file system: cheap enough for each
  // second. std::nullopt when it is not mounted, or has no limit.
  virtual Result<std::optional<Fullness>> fill(const Volume& volume);
  // Whether a volume with these options would be such a promise.
  virtual bool promises(const VolumeOptions& options) const;
  // The disk below new volumes of this tree.
  virtual Result<DiskRoom> room();
  // What lies in the tree and has no record: `is_known` is asked for each id, after the folders were
  // listed. Of the whole tree, whatever the backend of the data.
  virtual Result<std::vector<FoundVolume>> find_lost(
      const std::function<Result<bool>(const std::string& id)>& is_known);

  // Cleans up after crashes: removes half-built data of ids for which `is_known` returns false,
  // empties trash whose `retain` is over at `now` (Unix seconds), and leaves data of finished volumes
  // that have no record alone: find_lost() tells of it.
  virtual ReconcileReport sweep(long long now,
                                const std::function<Result<bool>(const std::string& id)>& is_known,
                                const StopRequest& stop) = 0;
};

// Knows the backends of this host and chooses one for a volume.
class BackendRegistry {
 public:
  struct Choice {
    std::string name;
    std::string pool;  // empty: the volume folder itself
    Backend* backend = nullptr;
    std::string reason;  // for people: why this backend
  };

  virtual ~BackendRegistry() = default;

  // Chooses by the options, or takes the default of this host. kUnsupported for a backend that is
  // known but not available here; kInvalid, with the closest name, for an unknown one.
  virtual Result<Choice> choose(const VolumeOptions& options) = 0;
  // The backend of an existing volume. Fails with the same errors as choose().
  virtual Result<Backend*> find(const std::string& name) = 0;
  virtual Result<Backend*> find(const Volume& volume) = 0;  // in its pool
  // One backend for each tree of volumes, so that their sweep() together covers every tree.
  virtual std::vector<Backend*> all() = 0;
  // The same with the pool of each tree; empty: the volume folder itself.
  struct Tree {
    std::string pool;
    Backend* backend = nullptr;
  };
  virtual std::vector<Tree> trees();
};

}  // namespace fairlead::volume
