// Docker's plugin protocol on one socket: NetworkDriver, IpamDriver and VolumeDriver (which Podman
// uses as well).
#pragma once

#include <string_view>
#include <vector>

#include "network/api/service.h"
#include "plugin-api/http/message.h"
#include "volume/api/service.h"

namespace fairlead::docker {

// Answers every request with a JSON object: 200 on success; 400 when the body is empty or
// malformed; 404 for an unknown method; 405 for anything but POST; 500 {"Err":text,"Error":text}
// when the verb failed. Logs one line per request (reads at debug level). Thread-safe. The services
// must outlive the handler.
// What a call may have to wait for.
http::Work work_of(const http::Request& request);

// Every method that is answered: "NetworkDriver.Join".
std::vector<std::string_view> verb_names();

http::Handler make_docker_handler(network::NetworkService& networks, network::PoolService& pools,
                                  volume::VolumeService& volumes);

}  // namespace fairlead::docker
