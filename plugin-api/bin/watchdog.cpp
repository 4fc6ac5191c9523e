#include "plugin-api/bin/watchdog.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>

#include "base/http_client/http_client.h"
#include "base/log.h"

namespace fairlead {

namespace {

constexpr int kLooksInTime = 4;
constexpr std::chrono::seconds kShortestPeriod{1};

// Any answer will do, a refusal too. A socket that somebody has removed shows nothing about the
// daemon, and would not be there after a new start either.
bool answers(const std::string& socket, std::chrono::milliseconds patience) {
  http_client::Client client(http_client::unix_server(socket));
  const auto answer =
      client.call({.path = "/Plugin.Activate", .headers = {}, .body = "{}"}, patience);
  if (answer || answer.error().sys_errno == ENOENT) return true;
  log::warn("the daemon does not answer itself; systemd will start it anew when that lasts",
            {{"socket", socket}, {"error", answer.error().text}});
  return false;
}

}  // namespace

std::vector<std::string> socket_paths(std::span<const http::Listener> listeners) {
  std::vector<std::string> paths;
  for (const http::Listener& listener : listeners) {
    sockaddr_un address{};
    socklen_t size = sizeof(address);
    if (::getsockname(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0)
      paths.emplace_back(address.sun_path);
  }
  return paths;
}

Watchdog::Watchdog(const Notifier& notifier, std::vector<std::string> sockets)
    : notifier_(notifier),
      sockets_(std::move(sockets)),
      patience_(std::chrono::duration_cast<std::chrono::milliseconds>(notifier.watchdog()) /
                kLooksInTime) {
  if (notifier.watchdog().count() == 0) return;
  const auto period = std::chrono::duration_cast<std::chrono::seconds>(patience_);
  thread_.emplace([this] { look(); }, std::max(period, kShortestPeriod));
}

void Watchdog::look() {
  const bool all = std::ranges::all_of(
      sockets_, [this](const std::string& socket) { return answers(socket, patience_); });
  if (all) notifier_.alive();
}

}  // namespace fairlead
