// Notifies systemd of the daemon's state, as sd_notify(3) does but without libsystemd: by a
// datagram to $NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <string>

namespace fairlead {

// Removes the socket's address and the watchdog's time from the environment, so that no child
// process can notify in the daemon's name. Without an address all calls do nothing. Failures are only logged, because systemd
// may be gone.
class Notifier {
 public:
  Notifier();

  void ready() const { tell("READY=1"); }
  void reloading() const;
  void stopping() const { tell("STOPPING=1"); }
  void alive() const { tell("WATCHDOG=1"); }

  // After this time without alive() systemd ends the daemon and starts it anew (WatchdogSec=). 0: it
  // does not watch.
  std::chrono::microseconds watchdog() const { return watchdog_; }

 private:
  void tell(const std::string& text) const;

  std::chrono::microseconds watchdog_{0};
  std::string address_;  // a path, or '@' and an abstract name
};

}  // namespace fairlead
