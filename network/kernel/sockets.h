// Is a port of the host free? Asked of the kernel by binding to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

// kInUse when a socket of the host listens on (address, port), or on the port of any address; the
// text names the process ("port 8080/tcp is in use by nginx (pid 812)") when it can be found.
// `host_ip` nothing: both families. Works in the network namespace that was current at the first
// call of the process' main thread (open_host_ports).
class HostPorts {
 public:
  virtual ~HostPorts() = default;
  virtual Status check_free(std::uint8_t proto, std::optional<IpAddress> host_ip,
                            std::uint16_t port) = 0;
  // First and last port to choose from when the user leaves the choice
  // (net.ipv4.ip_local_port_range).
  virtual std::pair<std::uint16_t, std::uint16_t> ephemeral_range() = 0;
};

Result<std::unique_ptr<HostPorts>> open_host_ports();

}  // namespace fairlead::kernel
