// Docker's plugin protocol on one socket: NetworkDriver, IpamDriver and VolumeDriver (which Podman
// speaks as well).
#pragma once

#include "network/api/service.h"
#include "plugin-api/http/message.h"
#include "volume/api/service.h"

namespace fairlead::docker {

// Answers every request with a JSON object: 200; 400 for a body that is empty or wrong; 404 for an
// unknown method; 405 for anything but POST; 500 {"Err":text,"Error":text} when the verb failed.
// Writes one line to the log per request (reads: at debug). Thread-safe. The services must outlive
// the handler.
http::Handler make_docker_handler(network::NetworkService& networks, network::PoolService& pools,
                                  volume::VolumeService& volumes);

}  // namespace fairlead::docker
