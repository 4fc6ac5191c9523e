#include "volume/service/archive_snapshots.h"

namespace fairlead::volume {

std::string archive_lock_of(const Volume& volume) { return "volume.archive-" + volume.id; }

Result<std::vector<std::string>> drop_archive_leftovers(const Volume& volume,
                                                        const DropSnapshot& drop) {
  std::vector<std::string> dropped;
  for (const Snapshot& snapshot : volume.snapshots) {
    if (snapshot.origin != SnapshotOrigin::kArchive) continue;
    TRY_STATUS(drop(volume.name.str(), snapshot.name.str()));
    dropped.push_back(snapshot.name.str());
  }
  return dropped;
}

}  // namespace fairlead::volume
