// Asks dockerd what it calls its networks and containers, over its own API's socket.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "plugin-api/engine/names_codec.h"

namespace fairlead::engine {

// Never to be used while dockerd waits for an answer of this process: dockerd holds locks while it
// calls a plugin, and may answer only when it has given them back. Thread-safe. A stop request ends
// every call that waits.
class NamesClient {
 public:
  virtual ~NamesClient() = default;

  // All networks, or one; the ids of all running containers, and the endpoints of one. An id that dockerd does not
  // know gives an empty list. kUnavailable when nobody listens; kIo, kExhausted and kInvalid for a broken, too
  // long or unreadable answer.
  virtual Result<std::vector<network::RuntimeNetwork>> networks(const std::string& id,
                                                                std::stop_token stop) = 0;
  virtual Result<std::vector<std::string>> containers(std::stop_token stop) = 0;
  virtual Result<std::vector<network::NamedEndpoint>> endpoints(const std::string& container,
                                                                std::stop_token stop) = 0;

  // Calls `on_ready` once events are listened to, so that nothing that happens after it is missed,
  // then `on_event` for each event that may change a name. Returns when the stream has ended or
  // `stop` is requested (done), or with the error that ended it.
  virtual Status follow(std::stop_token stop, const std::function<void()>& on_ready,
                        const std::function<void(const NameEvent&)>& on_event) = 0;
};

// `socket`: a path.
std::unique_ptr<NamesClient> make_names_client(const std::string& socket);

}  // namespace fairlead::engine
