// Asks dockerd, over its own API's socket, for containers that do not run, and starts them.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "plugin-api/engine/engine_codec.h"

namespace fairlead::engine {

// Never to be used while dockerd waits for an answer of this process: dockerd holds locks while it
// calls a plugin, and may answer only when it has given them back. A stop request ends every call
// that waits. Thread-safe.
//
// Errors: kUnavailable when nobody listens; kIo, kExhausted and kInvalid for a broken, too long or
// unreadable answer; kConflict with dockerd's own words when it refuses.
class Engine {
 public:
  virtual ~Engine() = default;

  // Those that have exited, or never ran.
  virtual Result<std::vector<std::string>> stopped(std::stop_token stop) = 0;
  // kNotFound when it is gone.
  virtual Result<StoppedContainer> inspect(const std::string& id, std::stop_token stop) = 0;
  // Returns when it runs, or ran. dockerd asks its plugins meanwhile.
  virtual Status start(const std::string& id, std::stop_token stop) = 0;
};

// `socket`: a path.
std::unique_ptr<Engine> make_engine(const std::string& socket);

}  // namespace fairlead::engine
