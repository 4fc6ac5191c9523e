// Tells systemd's watchdog that the daemon lives (sd_watchdog_enabled(3)), as long as it answers:
// each time it asks at each of the daemon's own sockets, as any caller would. What is proved is that
// connections are accepted and read, that a worker is free and that its answer is sent. The store is
// not asked: to start anew does not make a slow disk faster.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plugin-api/bin/notify.h"
#include "plugin-api/bin/repair.h"
#include "plugin-api/http/server.h"

namespace fairlead {

// Where the sockets are bound, also those that systemd passed.
std::vector<std::string> socket_paths(std::span<const http::Listener> listeners);

// Asks on a thread of its own, four times in the time of the watchdog (and each second at most);
// does nothing when there is none. Borrows the notifier. To be destroyed before the server is.
class Watchdog {
 public:
  Watchdog(const Notifier& notifier, std::vector<std::string> sockets);

 private:
  void look();

  const Notifier& notifier_;
  const std::vector<std::string> sockets_;
  const std::chrono::milliseconds patience_;
  std::optional<Periodic> thread_;  // the last: it uses the others
};

}  // namespace fairlead
