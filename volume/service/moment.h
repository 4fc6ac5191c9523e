// Snapshots of several volumes, of one moment.
//
//   1. What nobody uses is copied (it may take long), and what is used is flushed.
//   2. Volumes that can be held are frozen.
//   3. Those of btrfs, with the subvolumes inside them, are snapshotted in one transaction, which is
//      tried until it is one; what has not changed between two transactions is of both.
//   4. Those that are held are shared, and thawed.
//
// That is a consistent cut: when 3 happens, nobody can have seen a write to a held volume that is
// not in its snapshot, and what was written to a btrfs volume before is in the transaction.
#pragma once

#include <span>

#include "volume/api/backend.h"

namespace fairlead::volume {

struct MomentVolume {
  Backend* backend;
  const Volume* volume;
  const Snapshot* snapshot;  // to be made
};

// The caller holds the locks of all volumes. After a failure some snapshots may be there, but no
// volume is held. kUnsupported, naming two of them, when volumes in use are on several btrfs file
// systems; kUnavailable when the moment could not be found (too busy).
Status take_moment(std::span<const MomentVolume> volumes, const Progress& progress);

}  // namespace fairlead::volume
