// A small blocking HTTP/1.1 client for Unix sockets: one request, one connection.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "plugin-api/http/message.h"

namespace fairlead::http {

// Sends `request` (method, path, headers, body) and waits for the whole response, whatever its
// status. `path` is sent unchanged, so it may carry a query; `query` and `peer` are ignored.
// Thread-safe. kNotFound when there is no socket, kUnavailable when nobody listens or the deadline
// passes, kIo when the connection breaks or the response is not HTTP.
Result<Response> call(const std::string& socket_path, const Request& request,
                      std::chrono::milliseconds deadline);

}  // namespace fairlead::http
