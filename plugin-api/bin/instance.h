// Several instances of Fairlead may run on one machine, and a client may find the socket of another
// one than that of its configuration: a run folder that was given without its store, a daemon with
// flags of its own at the default place, a file that was changed after the daemon read it. So a
// request says which configuration its client has, and a daemon refuses what is meant for another
// store. The client then does without the daemon, which leads to the right store or to a failure
// that names both.
//
//   X-Fairlead-State-Dir: /srv/fairlead      the folder of the store: FAIRLEAD_STATE_DIR, or
//                                            what the client has read
//   X-Fairlead-Config: /etc/fairlead/b.json  FAIRLEAD_CONFIG, of a client that reads no JSON
//
// A thin client (plugin-api/thin) sends both variables as they are. When it has neither, its
// configuration is that of the host.
#pragma once

#include <string>

#include "base/result.h"
#include "plugin-api/bin/config.h"
#include "plugin-api/http/message.h"
#include "plugin-api/native/headers.h"

namespace fairlead {

using native::kStateDirHeader;
inline constexpr const char* kConfigHeader = "x-fairlead-config";

// The instance that a daemon is. Thread-safe.
class Instance {
 public:
  // `host_file`: the configuration of clients that name none.
  explicit Instance(const Config& config, std::string host_file = kConfigFile)
      : file_(config.file), state_dir_(config.paths.state_dir), host_file_(std::move(host_file)) {}

  // For requests of clients that know their store: kConflict when the header names another one.
  // Without the header every request is accepted.
  Status accept(const http::Request& request) const;
  // For requests of thin clients: reads the file that the client would have read. A file of this
  // daemon's own that cannot be read any more is not held against the request.
  Status accept_thin(const http::Request& request) const;

 private:
  Status accept_store(const std::string& folder) const;

  std::string file_, state_dir_, host_file_;
};

}  // namespace fairlead
