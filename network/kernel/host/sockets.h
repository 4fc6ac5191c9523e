// Finds out whether a port of the host is free, by binding a socket to it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

// Works in the network namespace in which open_host_ports() was called.
class HostPorts {
 public:
  virtual ~HostPorts() = default;
  // kInUse when a socket of the host listens on (host_ip, port), or on the port of any address. The
  // text names the process ("port 8080/tcp is in use by nginx (pid 812)") when it can be found.
  // Without `host_ip` the port has to be free on any address of both families.
  virtual Status check_free(std::uint8_t proto, std::optional<IpAddress> host_ip,
                            std::uint16_t port) = 0;
  // The first and last port to choose from when the user names no port
  // (net.ipv4.ip_local_port_range).
  virtual std::pair<std::uint16_t, std::uint16_t> ephemeral_range() = 0;
};

Result<std::unique_ptr<HostPorts>> open_host_ports();

}  // namespace fairlead::kernel
