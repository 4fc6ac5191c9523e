// From an Attachment to the result of ADD, in the shape of the version asked for (SPEC 1.1.0 and
// its predecessors).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/json/json.h"
#include "network/api/types.h"
#include "plugin-api/cni/failure.h"
#include "plugin-api/cni/version.h"

namespace fairlead::cni {

// What a result says beside the attachment.
struct ResultParts {
  network::Dns dns{};
  std::string netns{};  // as the runtime gave it
  // By address: the gateways that another IPAM plugin has named. Others are the endpoint's.
  std::map<IpAddress, IpAddress> gateways{};
  std::optional<json::Json> earlier{};  // the result of earlier plugins, which comes first
};

// interfaces are [bridge, host's end, container's end], as bridge prints them; those that do not
// exist are left out. kConfiguration when the version cannot express it (before 0.3.0 there must be
// an address).
Decoded<std::string> encode_result(const network::Attachment& attachment, const ResultParts& parts,
                                   const Version& version);

// {"cniVersion","supportedVersions"}.
std::string encode_versions(const std::string& version_text);

}  // namespace fairlead::cni
