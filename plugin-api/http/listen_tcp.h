// A listening TCP socket, for what programs of people speak. Its peers have no user: a Peer of it has
// pid 0 and uid and gid ~0, and all of them share what one peer may have.
#pragma once

#include "base/ip_port.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace fairlead::http {

// kInUse when the port is taken. An IPv6 address takes no IPv4 connections. What is sent is not held
// back for more (TCP_NODELAY), so that a stream's lines arrive as they are written.
Result<UniqueFd> listen_tcp(const IpPort& place);

}  // namespace fairlead::http
