// What dockerd's API says of containers that do not run. Pure; any text is safe to read.
//
//   GET /containers/json?all=true&filters={"status":["created","exited"]}
//       [{"Id": "...", ...}]
//   GET /containers/ID/json
//       {"Id": "...", "Name": "/web",
//        "State": {"Status": "exited", "Error": "error while mounting volume ..."},
//        "HostConfig": {"RestartPolicy": {"Name": "always"}}}
//   POST /containers/ID/start
//       204, 304 when it runs already; otherwise {"message": "..."}
//
// (moby's api/swagger.yaml; the same since API 1.24.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace fairlead::engine {

struct StoppedContainer {
  std::string id, name;
  std::string status;          // "exited", "created", "running", ...
  std::string error;           // of the last start; empty when it succeeded
  std::string restart_policy;  // "no", "always", "unless-stopped", "on-failure"
  bool operator==(const StoppedContainer&) const = default;
};

// kInvalid for anything but an answer of dockerd's.
Result<std::vector<std::string>> decode_ids(std::string_view body);
Result<StoppedContainer> decode_container(std::string_view body);
// The message of a refusal; the text itself when it is no document of dockerd's.
std::string decode_message(std::string_view body);

}  // namespace fairlead::engine
