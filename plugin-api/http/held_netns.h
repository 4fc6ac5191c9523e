// A network namespace that the client of a request holds open, for thin clients: the path is opened in the
// client's mount namespace, which may not be the server's.
//
//   X-CNI-NETNS-FD: 3        the client has it open under this number
//   X-CNI-NETNS-ERROR: 2     or could not open it: errno
//   X-CNI-SAME-NETNS: 1      it is the client's own namespace
//
// Passing the descriptor itself (SCM_RIGHTS) was rejected: the HTTP server does not read control
// messages, and /proc needs no extra step.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "plugin-api/http/message.h"

namespace fairlead::http {

// How network namespaces are opened: by the functions of network/kernel, or by a test's own.
struct NetnsOpener {
  // Opens a path; kNotFound when it is missing or is no network namespace.
  std::function<Result<UniqueFd>(const std::string& path)> open;
  // Whether this is the namespace that the plugin itself runs in.
  std::function<bool(int fd)> is_own;
};

std::string header_or_empty(const Request& request, std::string_view name);

// Opens what the client of the request holds. `prefix`: of its headers, in lower case: "x-cni-". The request
// and `netns` are borrowed.
NetnsOpener held_by_client(const Request& request, std::string_view prefix,
                           const NetnsOpener& netns);

}  // namespace fairlead::http
