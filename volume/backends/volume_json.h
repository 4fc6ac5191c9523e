// volume.json, which is kept beside the data of each volume: enough to write the volume's record
// again when the store is lost, and to take the folder over on another host. It is written once,
// before the volume is renamed into place.
//
//   {"format":1,"id":"3f…","name":"shop","backend":"dir","options":{"uid":"1000"},"labels":{},"created":1767225600}
#pragma once

#include <string>
#include <string_view>

#include "volume/api/types.h"

namespace fairlead::volume {

std::string to_volume_json(const Volume& volume);

// kInvalid when the text is not one of these or has a newer format. The volume's phase is kReady.
Result<Volume> parse_volume_json(std::string_view text);

}  // namespace fairlead::volume
