// Data that lies on the disk without a record, because the database was lost or is an older copy:
// nobody makes an empty volume over it, and it can be taken back.
#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "volume/service/locked_volumes.h"

namespace fairlead::volume {

// Looks for it. Thread-safe. A process looks once before it first makes a volume, and the daemon with
// each reconcile: data without a record does not come by itself.
class LostVolumes {
 public:
  LostVolumes(Records& records, BackendRegistry& backends)
      : records_(records), backends_(backends) {}

  // Everything that is there, with the pool in `volume.pool`. Reads no record.
  Result<std::vector<FoundVolume>> look();
  // kConflict, with what to do, when there is such data of a volume of that name.
  Status refuse(const VolumeName& name);
  // For people, one line; empty when there is none. Of the last look.
  std::string text();

 private:
  Result<std::set<std::string>> known_names();

  Records& records_;
  BackendRegistry& backends_;
  std::mutex guard_;
  std::optional<std::set<std::string>> names_;  // of the last look
};

// Takes it back: writes the records anew, under the locks of the volumes, and changes no data.
class Recovery {
 public:
  Recovery(LockedVolumes& volumes, LostVolumes& lost) : volumes_(volumes), lost_(lost) {}

  Result<RecoverReport> recover(const RecoverRequest& request);

 private:
  // `promised`: the names that a dry run has given away.
  Result<Recovered> take_back(const FoundVolume& found, bool dry_run,
                              std::set<std::string>& promised);
  Result<Recovered> take_back_trash(const FoundVolume& found, bool dry_run);
  Result<VolumeName> free_name(const Volume& volume, const std::set<std::string>& promised);

  LockedVolumes& volumes_;
  LostVolumes& lost_;
};

}  // namespace fairlead::volume
