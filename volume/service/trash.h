// Removed volumes whose data is kept for the time of `retain`.
#pragma once

#include <vector>

#include "volume/service/removal.h"

namespace fairlead::volume {

class Trash {
 public:
  Trash(LockedVolumes& volumes, Removal& removal) : volumes_(volumes), removal_(removal) {}

  Result<std::vector<TrashedVolume>> list();
  Result<Volume> restore(const std::string& name_or_id, const std::string& as);
  Result<std::size_t> empty(const std::string& name_or_id);
  // Empties the trash of one removed volume. kNotFound when somebody emptied or restored it.
  Result<TrashState> purge(const TrashedVolume& trashed);

 private:
  Result<std::vector<TrashedVolume>> find(const std::string& name_or_id);
  Result<Volume> bring_back(const TrashedVolume& trashed, const VolumeName& name);

  LockedVolumes& volumes_;
  Removal& removal_;
};

}  // namespace fairlead::volume
