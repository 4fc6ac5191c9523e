// Sockets of servers that are bound to one address of the host, and sockets that ask other servers. All of them are
// non-blocking and close-on-exec, and belong to the network namespace of the calling thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::kernel {

// An address of a socket, of either family.
struct SocketName {
  sockaddr_in6 bytes{};  // or the sockaddr_in at its start
  socklen_t size = 0;

  // `scope`: the index of the interface of a link-local address of IPv6; it is 0 for all others.
  static SocketName of(const IpAddress& address, std::uint16_t port, std::uint32_t scope = 0);
  IpAddress address() const;
  std::uint16_t port() const;
  std::uint32_t scope() const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
};

// Whether an address means something on one link only: fe80::/10.
bool is_link_local(const IpAddress& address);

// Of a server. `receive_buffer`: bytes, beyond the host's limit where this process may do that. The errno of a failure:
// EADDRNOTAVAIL, when the host does not have the address or IPv6 still looks whether it is the only one that has it;
// EADDRINUSE.
Result<UniqueFd> bind_datagram(const SocketName& name, int receive_buffer);
// `count` of them with one name, each with a queue of its own: the sender's address says which of them gets a datagram, so that
// one who sends more than is read loses what is his, and what others send whose addresses have the same rest of a division.
Result<std::vector<UniqueFd>> bind_datagram_group(const SocketName& name, std::size_t count,
                                                  int receive_buffer);
// It listens. Connections of a server before this one, which the kernel remembers for a minute, do not keep it from being
// bound.
Result<UniqueFd> bind_stream(const SocketName& name);
// Where a socket is bound.
Result<SocketName> bound_name(int socket_fd);

// Of a client. Datagrams of others than `server` do not come in, and the kernel chooses a random port of its own.
Result<UniqueFd> connect_datagram(const SocketName& server);
// It can be written to once the connection is there; where there will be none, the first write says why.
Result<UniqueFd> connect_stream(const SocketName& server);

}  // namespace fairlead::kernel
