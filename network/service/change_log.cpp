#include "network/service/change_log.h"

#include <fmt/format.h>

#include <vector>

#include "base/log.h"

namespace fairlead::network {

namespace {

// "8080->80/tcp", "127.0.0.1:53->53/udp"
std::string text_of(const PublishedPort& port) {
  std::string host;
  if (port.host_ip)
    host = fmt::format(fmt::runtime(port.host_ip->is_v4() ? "{}:" : "[{}]:"),
                       port.host_ip->to_string());
  return fmt::format("{}{}->{}/{}", host, port.host_port, port.container_port,
                     to_string(port.proto));
}

std::string details_of(const Endpoint& endpoint) {
  constexpr std::size_t kMostPorts = 8;
  std::vector<std::string> details;
  for (const Cidr& address : endpoint.addresses) details.push_back(address.address().to_string());
  for (const PublishedPort& port : endpoint.ports) {
    if (details.size() >= endpoint.addresses.size() + kMostPorts) break;
    details.push_back(text_of(port));
  }
  if (endpoint.ports.size() > kMostPorts)
    details.push_back(fmt::format("{} more ports", endpoint.ports.size() - kMostPorts));
  return fmt::format("{}{}", details.empty() ? "" : ": ", fmt::join(details, ", "));
}

void write(std::string_view event, const Endpoint& endpoint) {
  log::info(event, {{"network", endpoint.network_id.substr(0, 12)},
                    {"endpoint", endpoint.id.substr(0, 12)},
                    {"runtime", endpoint.runtime}});
}

}  // namespace

bool log_changes() { return log::enabled(log::Level::kInfo); }

void log_attached(std::string_view network, const Endpoint& endpoint) {
  write(fmt::format("attached {}{} to network {}{}", title_of(endpoint),
                    project_note(endpoint.names), network, details_of(endpoint)),
        endpoint);
}

void log_detached(std::string_view network, const Endpoint& endpoint) {
  write(fmt::format("detached {}{} from network {}", title_of(endpoint),
                    project_note(endpoint.names), network),
        endpoint);
}

}  // namespace fairlead::network
