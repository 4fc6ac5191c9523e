// The part of a subvolume in a snapshot of several volumes. Nobody is stopped: snapshots that btrfs
// makes in one transaction are of one moment, and each says of which transaction it is. (Freezing
// the file system was rejected: a frozen one makes no snapshots.)
#pragma once

#include <memory>
#include <string>

#include "volume/api/moment.h"
#include "volume/kernel/folder.h"

namespace fairlead::volume {

struct SubvolumeMoment {
  Folder fs;         // the subvolume; those inside it are taken along
  Folder snapshots;  // where the snapshot is made
  std::string name;  // of the snapshot
};
Result<std::unique_ptr<MomentPart>> make_subvolume_part(SubvolumeMoment moment);

}  // namespace fairlead::volume
