// Refuses options that a backend does not support before anything is stored, because an option that
// is silently ignored would break a promise.
#pragma once

#include <initializer_list>
#include <string_view>

#include "base/result.h"
#include "volume/api/options.h"

namespace fairlead::volume {

// kUnsupported for the first option that is set and not in `supported`, with its name ("size") and
// what to do instead. Words of o= are left to the backend. Options that the service handles
// (backend, pool, retain, access, labels) are always allowed.
// kInvalid for an autogrow= without the size= that grows.
Status check_autogrow(const VolumeOptions& options);

Status refuse_unsupported(std::string_view backend, const VolumeOptions& options,
                          std::initializer_list<std::string_view> supported);

}  // namespace fairlead::volume
