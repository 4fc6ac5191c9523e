// A backup folder on this host.
//
//   lock   flock(2): many readers, or one writer. The last writer has written into it what it does:
//          {"verb":"backup","host":"web1","pid":12,"since":1767225600}
//   tmp/   files that have no name yet
#pragma once

#include <memory>
#include <string>

#include "volume/service/backup_storage.h"

namespace fairlead::volume {

// Touches nothing before lock(), which makes the folder when it is for writing. A folder on a
// read-only medium may have no lock file: it has no writers to exclude.
std::unique_ptr<BackupStorage> make_local_storage(std::string path);

}  // namespace fairlead::volume
