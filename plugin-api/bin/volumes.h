// Wires the volumes: every concrete type is named in volumes.cpp, and only there. It is kept apart
// from core.cpp, so that an executable for networks alone links none of it.
#pragma once

#include "plugin-api/bin/core.h"

namespace fairlead {

// For open_core(). Nothing is touched before a verb is called.
std::unique_ptr<VolumeServices> make_volumes(const Paths& paths, state::Store& store,
                                             NamedLocks& locks);

}  // namespace fairlead
