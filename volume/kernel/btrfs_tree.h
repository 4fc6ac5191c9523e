// Snapshots of a whole tree of btrfs subvolumes: of one and of all that were created inside it.
//
// The kernel snapshots one subvolume at a time, and has a placeholder (btrfs.h, is_hollow) where
// another one was. So each is snapshotted into a folder of its own, several at once, and then the
// copies are moved into their places. They belong to one moment: those that were taken in one
// transaction of the file system do, and so do those that nobody changed between their transaction
// and the last one. When some do not, all that were changed meanwhile are taken again, together:
// without those of the last transaction the others would only come into a later one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "volume/kernel/btrfs.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume::btrfs {

inline constexpr std::size_t kMostInTree = 1000;  // subvolumes inside that a snapshot takes along

// The steps of a snapshot of a tree, for who takes several trees at one moment. An error with
// sys_errno ESTALE: what was seen is different now; undo() it, and begin again. One thread.
class TreeTaking {
 public:
  // Finds the subvolumes inside, removes what a killed process left in `place`, and flushes. The
  // folders are borrowed for as long as this lives.
  static Result<TreeTaking> begin(const Folder& source, const Folder& place, std::string name,
                                  Writable writable);
  TreeTaking(TreeTaking&&) noexcept;
  TreeTaking& operator=(TreeTaking&&) = delete;
  ~TreeTaking();

  // Takes those that are not taken. Their transactions have ended when it returns.
  Status take();
  // The last transaction of those taken.
  std::uint64_t newest() const;
  // Whether all of them still held what was taken at the end of that transaction, which is a later
  // one, or the newest, and has ended.
  Result<bool> held_at(std::uint64_t transaction) const;
  // Those that were changed since they were taken are to be taken again.
  Status take_back();
  // Keeps the next transaction open while the present one is written, so that what is taken now is
  // likely to come together.
  void gather() const;
  // After the last take(): ESTALE when other subvolumes are inside than at the beginning.
  Status verify() const;
  // Gives it its name. It is on the disk when the call returns.
  Status finish();
  // Removes everything that was taken, unless it was finished.
  Status undo();

 private:
  struct Work;
  explicit TreeTaking(std::unique_ptr<Work> work);
  std::unique_ptr<Work> work_;
};

// From now on the calling thread goes before others where that is allowed: those that are to meet
// in one transaction are not to wait for a processor. For threads that end thereafter.
void ahead_of_others();

// Creates place/name with the content of the subvolume `source` and of all subvolumes inside it at
// this moment, everything written so far included. It has its name when it is whole, and is on the
// disk when the call returns. A subvolume inside that is read-only by itself is so again in a copy
// made kYes; a copy made kNo remembers which they were, for the copy that is made of it.
//
// kExhausted for more than kMostInTree subvolumes inside; kConflict when they were created,
// removed or written all the time (for 10 s at least); kUnsupported with full quotas, which would count each copy
// against the limit of its source; kInUse when something is mounted on one. What a killed process
// left in `place` is removed by the next call, or by forget_tree_snapshot().
Status snapshot_tree(const Folder& source, const Folder& place, const std::string& name,
                     Writable writable);
Status forget_tree_snapshot(const Folder& place);

// Makes the subvolume and all inside it read-only, and remembers which of those inside were. Called
// again after a crash it finishes the work.
Status seal_tree(const Folder& top);

// Removes the subvolumes inside, the innermost first, so that destroy() takes the rest at once. What
// cannot be removed so is left.
void destroy_inner(int subvolume);

}  // namespace fairlead::volume::btrfs
