// What commits to the store mean for people and for programs that follow the change feed.
//
//   kind      action                  id        name             attributes
//   volume    create                  volume    its name         backend, pool, size, left_out
//             remove                  volume    its name         backend, pool, size
//             rename                  volume    the new name     the same, former
//             resize, label           volume    its name         the same; "auto" of a resize that
//                                                                autogrow= asked for
//             backup                  volume    its name         the same, left_out
//             grow-failed             volume                     error: of autogrow=
//             backup-failed           volume    its name         the same, folder, error; of a
//                                                                backup that its option makes
//             set                     volume    its name         the same; options were changed
//             rollback                volume    its name         the same, snapshot, kept
//             mount, unmount          volume    its name         the same, client, user (the id
//                                                                that the runtime gave)
//             trash                   volume    its name         the same
//             restore                 volume    its name         the same; out of the trash
//             purge                   volume    its name         the same; gone for good
//   snapshot  create, remove          snapshot  volume@snapshot  volume, origin, group (the id that
//                                                                those of one moment share)
//             mount, unmount          snapshot  the same         the same, client, user
//   volume-pool  create, remove, grow pool      its name         fstype, device, size
//   volume-disk  disk-filling,        its name  its name         path, percent; of the disk below
//             disk-full, disk-ok      "volumes", "state", "pool-<pool>"
//
// left_out is how many entries could not be kept: of what a volume was filled with, of a backup. A
// volume exists while its record is in the phase "ready". A mount is reported for each user, when
// the runtime's count of it becomes larger or smaller. Snapshots that only serve an export or a
// backup are left out. Attributes without a value are left out.
#pragma once

#include <optional>
#include <vector>

#include "base/changes.h"
#include "base/state/store.h"
#include "volume/api/types.h"

namespace fairlead::volume {

// Pure functions. std::nullopt: there was, or is, no such record. `restored`: the volume was in the
// trash before.
std::vector<fairlead::Change> changes_of(const std::optional<Volume>& before,
                                         const std::optional<Volume>& after, bool restored = false);
// Of one commit. Records that cannot be read count as absent.
std::vector<fairlead::Change> volume_changes(const std::vector<state::Event>& commit);

}  // namespace fairlead::volume
