// Volumes that show a snapshot of another volume, read-only: snapshot=data@monday, for runtimes
// whose names of volumes may hold no '@'. They have a record and no data of their own.
//
// Their backend is called "snapshot". It mounts through the volume that it shows, where it counts
// as the client "volume" with the id of the view, so that the snapshot stays mounted until the last
// of its users has gone, whichever way each of them came.
#pragma once

#include <memory>

#include "volume/service/volume_service.h"

namespace fairlead::volume {

// The backends of `backends`, and that of the views. Everything borrowed must outlive the result.
std::unique_ptr<BackendRegistry> make_view_backends(state::Store& store, NamedLocks& locks,
                                                    BackendRegistry& backends,
                                                    Environment environment = {});

}  // namespace fairlead::volume
