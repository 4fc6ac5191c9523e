// Lists the volumes with which something is wrong, for `status`.
#pragma once

#include <string>
#include <vector>

#include "volume/api/service.h"

namespace fairlead::volume {

// One line for each of `volumes` that is not healthy, and what else is wrong with volumes.
std::vector<std::string> problems_of(VolumeService& service, const std::vector<Volume>& volumes);

}  // namespace fairlead::volume
