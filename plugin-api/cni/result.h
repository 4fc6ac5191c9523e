// From an Attachment to the result of ADD, in the shape of the version asked for (SPEC 1.1.0 and
// its predecessors).
#pragma once

#include <string>

#include "network/api/types.h"
#include "plugin-api/cni/failure.h"
#include "plugin-api/cni/version.h"

namespace fairlead::cni {

// interfaces are [bridge, host's end, container's end], as bridge prints them; those that do not
// exist are left out. `netns` is printed as the runtime gave it. kConfiguration when the version
// cannot express it (before 0.3.0 there must be an address).
Decoded<std::string> encode_result(const network::Attachment& attachment, const network::Dns& dns,
                                   const std::string& netns, const Version& version);

// {"cniVersion","supportedVersions"}.
std::string encode_versions(const std::string& version_text);

}  // namespace fairlead::cni
