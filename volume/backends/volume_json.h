// volume.json beside the data of each volume: enough to write its record again when the store is
// lost, and to take the folder over on another host. Written once, before the volume is renamed
// into place.
//
//   {"format":1,"id":"3f…","name":"shop","backend":"dir","options":{"uid":"1000"},"labels":{},"created":1767225600}
#pragma once

#include <string>
#include <string_view>

#include "volume/api/types.h"

namespace fairlead::volume {

std::string to_volume_json(const Volume& volume);

// kInvalid when it is not such a text, or of a newer format. The phase is kReady.
Result<Volume> parse_volume_json(std::string_view text);

}  // namespace fairlead::volume
