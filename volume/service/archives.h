// Export and import of volumes as tar archives, and backup folders.
#pragma once

#include <memory>

#include "base/lock.h"
#include "base/state/store.h"
#include "volume/api/backend.h"
#include "volume/api/service.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {

// Everything borrowed must outlive the result. The present content of a volume is read from a
// snapshot that is made for it ("for-archive-…") and dropped at the end, where that needs no copy;
// one that a killed process left is dropped by reconcile, or by the next export or backup of the
// volume. Otherwise, and where a snapshot cannot take subvolumes along (backends/btrfs.h), the live
// folder is read, and the log says so when somebody is using it. import and restore hold
// the lock of the new volume's name, and the volume exists only when all of it has been written.
// restore without options uses those of the volume that was backed up.
std::unique_ptr<VolumeArchives> make_volume_archives(VolumeService& service, state::Store& store,
                                                     NamedLocks& locks, BackendRegistry& backends,
                                                     Environment environment = {});

}  // namespace fairlead::volume
