// pool.json, which is kept beside the file of each pool: enough to write the pool's record again
// when the store is lost. Its form is in pools.h.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "volume/api/types.h"

namespace fairlead::volume {

std::string to_pool_json(const VolumePool& pool);
// kInvalid when the text is not one of these, kUnsupported when it has a newer format.
Result<VolumePool> parse_pool_json(std::string_view text);

}  // namespace fairlead::volume
