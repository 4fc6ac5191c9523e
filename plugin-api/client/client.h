// Fairlead's services for programs in C++, over the socket of a running fairleadd:
//
//   const auto networks = fairlead::client::make_remote_network_service(
//       fairlead::client::kDefaultSocket);
//   auto network = networks->create_network({.name = *fairlead::NetworkName::parse("shop")});
//
// They are the services of network/api/service.h and volume/api/service.h, with their contracts.
// Errors keep the code and the text that the daemon gave them. What differs:
//
//   - A call that cannot reach the daemon, or gets no answer in time, fails with kUnavailable. The
//     text says whether the daemon may have acted; every verb can be repeated.
//   - A namespace is named by its path: attach() needs `spec.netns_path`, as the daemon sees it,
//     and does not look at the descriptor. The attachment names the container's side of the link and
//     no links of the host.
//   - Long verbs are stopped by the daemon after half a minute, and their error names the command
//     to use. A Progress is not called.
//   - The two steps of Docker (create_endpoint, join, leave), its bindings and turns are the
//     daemon's own: kUnsupported. It takes the turn of an endpoint by itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "network/api/service.h"
#include "volume/api/service.h"

namespace fairlead::client {

inline constexpr const char* kDefaultSocket = "/run/fairlead/api.sock";

struct ClientOptions {
  // How long one call may take.
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  // The folder of the store that is meant: a daemon that works with another one refuses every call
  // with kConflict. Empty: whichever it is.
  std::string state_dir = {};
};

// Thread-safe: concurrent calls use a connection each, and connections are kept for later calls.
// Nothing is sent before the first call, so the daemon may be started later, and again at any time.
std::unique_ptr<network::NetworkService> make_remote_network_service(
    const std::string& socket_path, const ClientOptions& options = {});
std::unique_ptr<volume::VolumeService> make_remote_volume_service(
    const std::string& socket_path, const ClientOptions& options = {});

}  // namespace fairlead::client
