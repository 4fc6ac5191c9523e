// What a backend does not have is refused before anything is stored: an option that is silently
// ignored would be a promise broken.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/result.h"
#include "volume/api/options.h"

namespace fairlead::volume {

// kUnsupported for the first option that is set and not in `supported`, by its name ("size"), with
// what to do instead. Words of o= are the backend's own affair. Those that the service keeps
// (backend, pool, retain, access, labels) are always allowed.
Status refuse_unsupported(std::string_view backend, const VolumeOptions& options,
                          std::initializer_list<std::string_view> supported);

}  // namespace fairlead::volume
