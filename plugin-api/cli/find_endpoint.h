// Which endpoint a person means.
#pragma once

#include <string>

#include "base/result.h"
#include "plugin-api/native/codec.h"

namespace fairlead::cli {

class Session;

// Finds "NETWORK/ENDPOINT" or "ENDPOINT", where ENDPOINT is an id, the beginning of an id, or the
// name of the container. kInvalid names the candidates when there are several.
Result<native::EndpointView> find_endpoint(Session& session, const std::string& text);

}  // namespace fairlead::cli
