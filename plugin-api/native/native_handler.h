// Fairlead's own API v1 over HTTP: networks and volumes for any runtime that can send JSON over a
// Unix socket. openapi.json describes every path; a test keeps the two consistent.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/changes.h"
#include "base/unique_fd.h"
#include "network/api/cluster.h"
#include "network/api/service.h"
#include "plugin-api/doctor/doctor.h"
#include "plugin-api/http/message.h"
#include "volume/api/groups.h"
#include "volume/api/service.h"

namespace fairlead::native {

// Opens the network namespace at a path. Fails when the path is missing or is no network namespace.
using NetnsOpener = std::function<Result<UniqueFd>(const std::string& path)>;

// What the API gives access to. References and functions must stay valid as long as the handler.
struct Services {
  network::NetworkService& networks;
  volume::VolumeService& volumes;
  volume::VolumePools& pools;
  volume::VolumeJobs& jobs;
  volume::VolumeGroups& groups;
  network::cluster::Control* cluster = nullptr;  // nullptr: this host is in no cluster
  NetnsOpener open_netns;
  ChangeFeed* changes = nullptr;  // nullptr: nobody can follow what happens
  std::string version;
  doctor::Doctor* doctor = nullptr;  // nullptr: nobody looks
  // How long a verb that copies or reads a whole volume may keep its client waiting. After that it
  // is stopped, and the response names the command to use instead.
  std::chrono::milliseconds request_deadline = std::chrono::seconds(30);
};

// Handles every path below /v1. Thread-safe when the services are; they must outlive it.
//
// Idempotent by name: a POST returns 201 when it created the object, 200 when the same object
// existed, 409 when a different one did. A DELETE returns 204, also for an endpoint that is gone;
// 404 for anything else that does not exist. Errors are problem documents (RFC 9457) with the
// status of http_status().
http::Handler make_native_handler(Services services);

// What a request may have to wait for.
http::Work work_of(const http::Request& request);

// The row of the route table that answers the request: "GET /v1/networks/{network}"; empty: none does.
std::string verb_of(const http::Request& request);

// The HTTP status for a failure.
int http_status(Code code);

// One row of the route table, for tests and documents: "POST", "/v1/networks", and the query
// parameters that it takes, separated by commas.
struct RouteInfo {
  std::string_view method, pattern, query;
};
std::vector<RouteInfo> route_table();

}  // namespace fairlead::native
