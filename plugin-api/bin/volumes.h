// Wires the volumes: every concrete type is named in volumes.cpp, and only there. It is kept apart
// from core.cpp, so that an executable for networks alone links none of it.
#pragma once

#include "plugin-api/bin/core.h"

namespace fairlead {

// Nothing is touched before a verb is called.
std::unique_ptr<VolumeServices> make_volumes(const Paths& paths, state::Store& store,
                                             NamedLocks& locks);
// Refuses a volume folder that is not that of the store (volume/service/volume_folder.h).
Status agree_on_volumes(const Paths& paths, state::Store& store);

inline constexpr MakeVolumes kMakeVolumes{make_volumes, agree_on_volumes};  // for open_core()

}  // namespace fairlead
