// The number that tells which version of Fairlead wrote a document: {"format":1,...}
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json/json.h"
#include "base/result.h"

namespace fairlead::json {

// The "format" of the document. kInvalid when it has none, kUnsupported when it is above `newest`;
// `what` is for the message: "pool.json".
Result<std::int64_t> read_format(const Json& document, std::string_view what, std::int64_t newest);

}  // namespace fairlead::json
