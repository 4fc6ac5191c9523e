// Handles netavark's calls in the daemon: the thin client fairlead-netavark sends each call as one HTTP
// request.
//
//   POST /v1/netavark HTTP/1.1
//   X-Netavark-Command: setup
//   X-Netavark-Netns: /run/netns/netns-1           and how it is held open: plugin-api/http/held_netns.h,
//   X-Netavark-Netns-Fd: 3                         with this protocol's prefix
//   X-Netavark-Network: shop                       update: the network
//   X-Netavark-Dns-Servers: 192.0.2.53,192.0.2.54  update
//   X-Netavark-Networks: /etc/containers/networks  where Podman keeps its networks, when it is elsewhere
//   X-Netavark-Rootless: true
//
//   {stdin}
//
// The response is a 200 with the text for stdout as its body and the exit code in X-Netavark-Exit. A call
// for which a plugin of another driver has to be run is answered with 421, before anything was done: it is
// run in the environment that Podman has given, which the daemon has not.
#pragma once

#include "plugin-api/http/message.h"
#include "plugin-api/netavark/adapter.h"

namespace fairlead::netavark {

struct HostFunctions {
  NetnsOpener netns;
  std::function<Status(int netns_fd)> bring_up_loopback;
  std::function<Status(const IfName& link, const IfName& name)> name_link;
};

// Thread-safe, as the services are. `host` holds the daemon's own functions.
http::Response handle_netavark(const http::Request& request, const Services& services,
                               const HostFunctions& host);

}  // namespace fairlead::netavark
