// The file that names the servers of a host: resolv.conf(5). Pure; takes any text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"

namespace fairlead::dns {

// A server of the host.
struct HostServer {
  IpAddress address;
  std::string zone{};  // of a link-local address: the name or the number of an interface

  auto operator<=>(const HostServer&) const = default;
};

inline constexpr std::size_t kMostHostServers = 8;        // of a file; the C library asks three
inline constexpr std::size_t kMostResolvConf = 64 << 10;  // bytes that are looked at

// The servers of its lines "nameserver ADDRESS", in their order, each once. What is no such line is passed over.
std::vector<HostServer> parse_resolv_conf(std::string_view text);

// Which servers the host asks. systemd-resolved's own address (127.0.0.53, 127.0.0.54) stands for the servers behind it,
// which are in `resolved`; where there are none it is asked itself. A host without any asks 127.0.0.1, as the C library does.
std::vector<HostServer> choose_servers(const std::vector<HostServer>& resolv,
                                       const std::vector<HostServer>& resolved);

}  // namespace fairlead::dns
