// The page for people of this daemon: its token, its link and its socket.
//
//   <state_dir>/ui-token   64 hex digits, made at the first start with a page. Remove it, and start again:
//                          everybody has to sign in with the new one
//   <run_dir>/ui-link      the link with the token in it, while the daemon runs: what `fairlead ui` prints
//
// Both can be read by root and by the group of the API socket.
#pragma once

#include <optional>
#include <string>

#include "plugin-api/bin/config.h"
#include "plugin-api/http/server.h"

namespace fairlead {

class UiPage {
 public:
  // `group`: of the API socket, or empty.
  UiPage(const Config& config, std::string group, bool has_cluster);
  ~UiPage();  // removes the link
  UiPage(const UiPage&) = delete;
  UiPage& operator=(const UiPage&) = delete;

  // std::nullopt when none is configured, and when it cannot be served, which the log then says:
  // containers need the daemon all the same. `api` must outlive the listener's server.
  std::optional<http::Listener> open(const http::Handler& api, http::Classify classify) const;

 private:
  Result<http::Listener> listen(const http::Handler& api, http::Classify classify) const;

  const UiConfig ui_;
  const Paths paths_;
  const std::string group_;
  const bool has_cluster_;
};

}  // namespace fairlead
