// What the daemon tells systemd (sd_notify(3), without libsystemd): a datagram to $NOTIFY_SOCKET.
#pragma once

#include <string>

namespace fairlead {

// Takes the socket's address from the environment, so that no child speaks in the daemon's name.
// Where there is none, all calls do nothing. systemd may be gone: failures are logged only.
class Notifier {
 public:
  Notifier();

  void ready() const { tell("READY=1"); }
  void reloading() const;
  void stopping() const { tell("STOPPING=1"); }

 private:
  void tell(const std::string& text) const;

  std::string address_;  // a path, or '@' and an abstract name
};

}  // namespace fairlead
