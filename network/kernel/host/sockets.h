// Finds out whether ports of the host are free.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/ip.h"
#include "base/result.h"

namespace fairlead::kernel {

struct HostPort {
  std::uint8_t proto = 0;            // IANA protocol number
  std::optional<IpAddress> host_ip;  // std::nullopt: any address of both families
  std::uint16_t number = 0;
  std::uint16_t last = 0;  // of a range; 0: `number` alone
};

// For whom ports are asked.
struct PortUser {
  // The container's id. A port that is held by this container's own conmon (Podman's monitor, which
  // binds the host ports of its container as long as it runs) counts as free.
  std::string_view container{};
  // Also one that is held by Podman itself, which binds the ports of a container before it asks for its
  // network. Two containers cannot have it so: the second one's Podman fails.
  bool by_podman = false;
  bool allow_missing_address = false;  // also where the host does not have the address
};

// Works in the network namespace in which open_host_ports() was called.
class HostPorts {
 public:
  virtual ~HostPorts() = default;
  // kInUse when a socket of the host listens on one of the ports, or on the port of any address. The
  // text names the process ("port 8080/tcp is in use by nginx (pid 812)") when it can be found.
  // kInvalid when an address is not one of the host's, unless the kernel lets sockets be bound to
  // such (net.ipv4.ip_nonlocal_bind, net.ipv6.ip_nonlocal_bind) or the user allows it. Many ports
  // are compared with a list of the host's sockets, few of them are bound.
  virtual Status check_free(std::span<const HostPort> ports, const PortUser& user) = 0;
  // The first and last port to choose from when the user names no port
  // (net.ipv4.ip_local_port_range).
  virtual std::pair<std::uint16_t, std::uint16_t> ephemeral_range() = 0;
};

Result<std::unique_ptr<HostPorts>> open_host_ports();

// Who keeps the port of this address from being bound in the thread's network namespace, as "dnsmasq (pid 812)"; empty
// where no process shows it, and for sockets of this process. Looks at the descriptors of every process.
std::string port_holder(std::uint8_t proto, const IpAddress& address, std::uint16_t port);

}  // namespace fairlead::kernel
