// The page on which a person sees this host: what is served at `fairleadd --ui`.
//
//   GET    /, /app.js, ...   the page: static, the same for everybody, without a secret in it
//   GET    /session          {"signed_in": true, "write": false, ...}; signed_in alone before that
//   POST   /session          {"token": "..."}: signs in; the answer sets the cookie (guard.h)
//   DELETE /session          signs out
//   *      /v1/...           Fairlead's API, for who has signed in, as far as check_call() lets it
//
// Errors are problem documents (RFC 9457), as the API's own.
#pragma once

#include <string>

#include "plugin-api/http/message.h"
#include "plugin-api/ui/guard.h"

namespace fairlead::ui {

struct UiSettings {
  Token token;
  Reach reach = Reach::kLoopback;
  Access access = Access::kReadOnly;
  // What the page shows of this daemon, and asks it for.
  std::string host, version;
  bool has_cluster = false, has_doctor = false;
};

// Thread-safe when `api` is, which answers what is below /v1. It gets no headers of the request.
http::Handler make_ui_handler(UiSettings settings, http::Handler api);

}  // namespace fairlead::ui
