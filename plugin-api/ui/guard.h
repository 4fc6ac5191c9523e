// Who may speak to the page's server: pure checks of a request. Everybody on the host, and every page
// in a browser there, can reach a port of the loopback interface, so nothing is trusted because of
// where it comes from.
//
//   another site under a name that it makes lead here (DNS rebinding)   the Host is an address or localhost
//   another site that sends requests of its own (CSRF)                  Origin, Sec-Fetch-Site
//   another server at another port of the same address, which the       what signs in is half a cookie
//   browser sends the same cookies to                                   and half a header
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "plugin-api/http/message.h"

namespace fairlead::ui {

enum class Reach { kLoopback, kAnywhere };
enum class Access { kReadOnly, kWrite };

// kInvalid unless the request is meant for this server and comes from its own page, or from no page.
// kLoopback also refuses addresses that are not loopback ones as the Host.
Status check_source(const http::Request& request, Reach reach);

// The two halves of the token. What another server sees of it, the cookie, is worth nothing alone.
//
//   Cookie: fairlead-<port of the Host>=<first half>     HttpOnly: no script reads it
//   X-Fairlead-Key: <second half>                        no other origin has it
class Token {
 public:
  static constexpr unsigned kDigits = 64;  // hex, from getrandom(2)
  static Result<Token> parse(std::string_view text);

  bool is(std::string_view text) const;
  bool signs(const http::Request& request) const;
  // What Set-Cookie says after signing in, and after signing out.
  std::string cookie_for(const http::Request& request) const;
  static std::string no_cookie_for(const http::Request& request);

 private:
  explicit Token(std::string text) : text_(std::move(text)) {}
  std::string_view cookie() const { return std::string_view(text_).substr(0, kDigits / 2); }
  std::string_view key() const { return std::string_view(text_).substr(kDigits / 2); }

  std::string text_;
};

// kInvalid says why the page may not send it to the API: it changes something, and the page is
// read-only or has no such action.
Status check_call(const http::Request& request, Access access);

}  // namespace fairlead::ui
