#include "plugin-api/bin/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead {

namespace {
constexpr const char* kVariable = "NOTIFY_SOCKET";
constexpr const char* kWatchdogTime = "WATCHDOG_USEC";
constexpr const char* kWatchdogProcess = "WATCHDOG_PID";

long number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? 0 : std::strtol(text, nullptr, 10);
}

// sd_watchdog_enabled(3): what is meant for another process is not ours.
std::chrono::microseconds watchdog_time() {
  const long process = number_of(kWatchdogProcess);
  if (process != 0 && process != ::getpid()) return {};
  return std::chrono::microseconds(std::max(0L, number_of(kWatchdogTime)));
}
}  // namespace

Notifier::Notifier() : watchdog_(watchdog_time()) {
  if (const char* address = std::getenv(kVariable); address != nullptr) address_ = address;
  for (const char* variable : {kVariable, kWatchdogTime, kWatchdogProcess}) ::unsetenv(variable);
}

// The time is needed for Type=notify-reload of newer versions of systemd.
void Notifier::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}{:06}", now.tv_sec, now.tv_nsec / 1000));
}

void Notifier::tell(const std::string& text) const {
  if (address_.empty()) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (address_.size() >= sizeof(address.sun_path))
    return log::warn("cannot tell systemd", {{"cause", "the address is too long"}});
  std::memcpy(address.sun_path, address_.data(), address_.size());
  if (address_.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || ::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&address), size) < 0)
    log::warn("cannot tell systemd", {{"socket", address_}, {"cause", std::strerror(errno)}});
}

}  // namespace fairlead
