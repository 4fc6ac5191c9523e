#include "volume/service/archive_snapshots.h"

namespace fairlead::volume {

std::string archive_lock_of(const Volume& volume) { return "volume.archive-" + volume.id; }

Result<std::vector<std::string>> drop_archive_leftovers(VolumeService& service,
                                                        const Volume& volume) {
  std::vector<std::string> dropped;
  for (const Snapshot& snapshot : volume.snapshots) {
    if (snapshot.origin != SnapshotOrigin::kArchive) continue;
    TRY_STATUS(service.drop_snapshot(volume.name.str(), snapshot.name.str()));
    dropped.push_back(snapshot.name.str());
  }
  return dropped;
}

}  // namespace fairlead::volume
