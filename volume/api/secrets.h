// Passwords in the options of volumes, where they do not belong: runtimes keep and print them.
#pragma once

#include "volume/api/options.h"

namespace fairlead::volume {

// Whether the words of o=, or the device, hold a password.
bool holds_secret(const VolumeOptions& options);
// kInvalid when they do; the text says where to write it instead.
Status refuse_secrets(const VolumeOptions& options);
// For people: records of earlier versions may hold some.
VolumeOptions without_secrets(VolumeOptions options);

}  // namespace fairlead::volume
