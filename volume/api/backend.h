// Backend: how one kind of volume is kept on disk. A backend acts and reports; it never writes the
// store.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/rollback.h"
#include "base/unique_fd.h"
#include "volume/api/options.h"
#include "volume/api/types.h"

namespace fairlead::volume {

// Asked between the steps of long work: true = stop here; a later call goes on.
using StopRequest = std::function<bool()>;

enum class TrashState {
  kEmptied,  // the data is gone
  kLeft,     // stopped half way, or somebody still has it mounted: `sweep` will try again
};

// Called under the lock of the volume, from any thread; `purge` and `sweep` without a lock. Every
// verb is idempotent.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;  // "dir"

  // Refuses options that this backend or this host cannot honour, before anything is stored:
  // kUnsupported with a hint.
  virtual Status validate(const VolumeOptions& options) const = 0;
  // Builds the data beside, then renames it into place: the rename is the commit. A volume that is
  // there is kept.
  virtual Status create(const Volume& volume, Rollback& undo) = 0;
  // Removes what a create that did not finish left; the volume was never handed out. Succeeds when
  // there is nothing.
  virtual Status discard(const Volume& volume) = 0;
  // Renames the data into the trash under `volume.deleted`. Succeeds when it is gone.
  virtual Status remove(const Volume& volume) = 0;
  // Removes for good what `remove` put into the trash; never while somebody has it mounted.
  virtual Result<TrashState> purge(const Volume& volume, const StopRequest& stop) = 0;
  // Where the data is, absolute, while it is mounted. Touches nothing: List calls it.
  virtual std::string data_path(const Volume& volume) const = 0;
  // Makes the data available and returns the absolute path of its `_data` folder.
  virtual Result<std::string> mount(const Volume& volume) = 0;
  virtual Status unmount(const Volume& volume) = 0;
  // Who, in any mount namespace, has the volume's data mounted: a text for people, empty when
  // nobody.
  virtual Result<std::string> users(const Volume& volume) = 0;
  // Trouble with the data is told in `health`, not as an error. `reason`: what there is to add to
  // why this backend was chosen, which the service tells.
  virtual Result<VolumeStatus> status(const Volume& volume) = 0;
  // Ends trouble that can be ended without asking anybody, for reconcile, while status tells some:
  // what an older version did otherwise, for one. False, and the default: there was nothing to do.
  virtual Result<bool> mend(const Volume& volume);

  // --- What not every kind of volume can do. The defaults answer kUnsupported and say what to use
  // instead.

  // The hard limit becomes `size` bytes, online where the file system can. kExhausted when it is
  // below what is used; kUnsupported when this file system does not shrink, or grows only while
  // nobody has it mounted (kInUse then).
  virtual Status resize(const Volume& volume, std::uint64_t size);
  // The content of this moment, as after a power cut: the file system in it is frozen meanwhile,
  // for at most 2 s. One that is there is kept.
  virtual Status take_snapshot(const Volume& volume, const Snapshot& snapshot,
                               const Progress& progress);
  // Succeeds when there is none.
  virtual Status drop_snapshot(const Volume& volume, const std::string& snapshot_id);
  // The content becomes that of the snapshot, and what it was becomes the snapshot `kept`. kInUse
  // while somebody has the volume mounted. Called again after a crash it finishes: with `kept` on
  // the disk there is nothing to do.
  virtual Status roll_back(const Volume& volume, const Snapshot& snapshot, const Snapshot& kept,
                           const Progress& progress);
  // As create(), with the content of `source`, a volume of this backend: of now, or of its
  // snapshot. Shares the blocks where the file system can, else copies. `volume.options` decides on
  // limit and mount options; the owner and mode of the data stay those of the source.
  virtual Status clone(const Volume& volume, const Volume& source, const std::string& snapshot_id,
                       Rollback& undo, const Progress& progress);
  // fsck or scrub; with `repair` what can be mended is. kInUse where that needs the volume to
  // itself.
  virtual Result<CheckReport> check(const Volume& volume, bool repair, const Progress& progress);
  // The `_data` folder by descriptor, for archives; of a snapshot: read-only. What had to be
  // mounted for it is mounted nowhere in the tree and gone with the descriptor.
  virtual Result<UniqueFd> open_data(const Volume& volume, const std::string& snapshot_id);
  // Bytes and inodes by asking the file system, or by a walk where there is no other way.
  virtual Result<VolumeStatus> usage(const Volume& volume, const Progress& progress);
  // The removed volume is in its place again. kNotFound when the trash was emptied.
  virtual Status restore(const Volume& volume);

  // What is left by crashes: half-built data of ids that `is_known` denies is removed, trash whose
  // `retain` is over at `now` (Unix seconds) is emptied, and data of a finished volume without a
  // record is reported and left alone.
  virtual ReconcileReport sweep(long long now,
                                const std::function<Result<bool>(const std::string& id)>& is_known,
                                const StopRequest& stop) = 0;
};

// The backends of this host, and which one a volume gets.
class BackendRegistry {
 public:
  struct Choice {
    std::string name;
    std::string pool;  // empty: the volume folder itself
    Backend* backend = nullptr;
    std::string reason;  // for people: why this one
  };

  virtual ~BackendRegistry() = default;

  // By the options, or the default of this host. kUnsupported for a backend that is known but not
  // available here, kInvalid with the closest name for any other.
  virtual Result<Choice> choose(const VolumeOptions& options) = 0;
  // The backend of an existing volume; the same errors.
  virtual Result<Backend*> find(const std::string& name) = 0;
  virtual Result<Backend*> find(const Volume& volume) = 0;  // in its pool
  // Those whose sweep() together reaches every tree of volumes that is there: one for each tree.
  virtual std::vector<Backend*> all() = 0;
};

}  // namespace fairlead::volume
