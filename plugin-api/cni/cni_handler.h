// Handles CNI calls in the daemon: the thin client fairlead-cni sends each call as one HTTP
// request.
//
//   POST /v1/cni HTTP/1.1
//   X-CNI-COMMAND: ADD                  the CNI_* variables that are set
//   X-CNI-NETNS: /run/netns/web
//   X-CNI-NETNS-FD: 3                   the client has CNI_NETNS open under this number: it is
//                                       opened in the client's mount namespace, which may not be
//                                       the daemon's
//   X-CNI-NETNS-ERROR: 2                or could not open it: errno
//   X-CNI-SAME-NETNS: 1                 it is the client's own namespace
//
//   {stdin}
//
// The response is a 200 with the text for stdout as its body and the exit code in X-CNI-Exit. A call for
// which another IPAM plugin has to be run is answered with 421, before anything was done: the plugin is run in the
// environment that the runtime has given, which the daemon has not, and so the client's process does all of it.
#pragma once

#include "plugin-api/cni/adapter.h"
#include "plugin-api/http/message.h"

namespace fairlead::cni {

// Thread-safe, as the service is. `netns` holds the daemon's own functions.
http::Response handle_cni(const http::Request& request, network::NetworkService& service,
                          const NetnsOpener& netns);

}  // namespace fairlead::cni
