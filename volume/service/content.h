// Looks into volumes, snapshots and backups without restoring them (VolumeContent).
#pragma once

#include <memory>
#include <string>

#include "base/host.h"
#include "base/lock.h"
#include "base/state/store.h"
#include "volume/api/backend.h"
#include "volume/api/service.h"
#include "volume/service/records.h"

namespace fairlead::volume {

// Everything borrowed must outlive the result. While something of a volume is read the volume is
// not removed and loses no snapshot, unless somebody else reads it for longer.
std::unique_ptr<VolumeContent> make_volume_content(VolumeService& service, state::Store& store,
                                                   NamedLocks& locks, BackendRegistry& backends,
                                                   const std::string& boot = boot_id());

}  // namespace fairlead::volume
