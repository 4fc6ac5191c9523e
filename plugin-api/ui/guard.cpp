#include "plugin-api/ui/guard.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/ip.h"
#include "base/text.h"
#include "plugin-api/http/path.h"

namespace fairlead::ui {

namespace {

std::string_view header(const http::Request& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string_view() : std::string_view(found->second);
}

// ---- where a request is meant to go, and where it comes from

// A Host (RFC 9110, 7.2): "127.0.0.1:7780", "[::1]:7780", "localhost".
struct Host {
  std::string_view name, port;  // without brackets
};

std::optional<Host> split_host(std::string_view text) {
  const std::size_t end = text.starts_with('[') ? text.find(']') : text.find(':');
  if (text.starts_with('[')) {
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return std::nullopt;
    return Host{text.substr(1, end - 1), rest.empty() ? rest : rest.substr(1)};
  }
  if (end == std::string_view::npos) return Host{text, {}};
  return Host{text.substr(0, end), text.substr(end + 1)};
}

bool is_port(std::string_view text) {
  return text.size() <= 5 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

// No name but localhost, which browsers and resolvers keep for this machine (RFC 6761, 6.3): an address
// in the address bar cannot have been led here by somebody's name server.
bool is_meant_for_us(std::string_view text, Reach reach) {
  const auto host = split_host(text);
  if (!host || !is_port(host->port)) return false;
  if (host->name == "localhost") return true;
  const auto address = IpAddress::parse(host->name);
  return address && (reach == Reach::kAnywhere || address->is_loopback());
}

bool only_reads(const http::Request& request) {
  return request.method == "GET" || request.method == "HEAD";
}

// A browser says where a request comes from in one of these; what is no browser says nothing, and has
// no cookies of somebody else.
bool is_of_own_page(const http::Request& request) {
  const std::string_view site = header(request, "sec-fetch-site"),
                         mode = header(request, "sec-fetch-mode");
  const bool opens_page =
      only_reads(request) && mode == "navigate" && !request.path.starts_with("/v1/");
  if (!site.empty() && site != "same-origin" && site != "none" && !opens_page) return false;
  const std::string_view origin = header(request, "origin");
  if (origin.empty()) return only_reads(request);
  constexpr std::string_view kScheme = "http://";
  return origin.starts_with(kScheme) && origin.substr(kScheme.size()) == header(request, "host");
}

// ---- the token

// Takes as long for a wrong text as for the right one.
bool same_text(std::string_view one, std::string_view other) {
  if (one.size() != other.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < one.size(); ++i)
    difference |= static_cast<unsigned>(one[i] ^ other[i]);
  return difference == 0;
}

// Cookies do not tell ports apart, so that two daemons, or two tunnels to them, need two names.
std::string cookie_name(const http::Request& request) {
  const auto host = split_host(header(request, "host"));
  return fmt::format("fairlead-{}", host && !host->port.empty() ? host->port : "80");
}

// The value of the cookie (RFC 6265, 4.2.1); empty without it.
std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const std::size_t end = std::min(cookies.find(';'), cookies.size());
    std::string_view pair = cookies.substr(0, end);
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

std::string set_cookie(const http::Request& request, std::string_view value,
                       std::string_view more) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}", cookie_name(request), value,
                     more);
}

// ---- what may be asked of the API

struct Action {
  std::string_view method, path;  // "*": one segment, whichever
};

// What the page has buttons for; each asks before it does it.
constexpr auto kActions = std::to_array<Action>({
    {"PATCH", "/v1/endpoints/*/*/ports"},
    {"POST", "/v1/volumes/*/snapshots"},
    {"DELETE", "/v1/volumes/*/snapshots/*"},
    {"POST", "/v1/volumes/*/rollback"},
    {"DELETE", "/v1/volumes/*"},
    {"POST", "/v1/jobs/*/stop"},
    {"POST", "/v1/reconcile"},
});

bool is_action(const http::Request& request) {
  const auto path = http::path_segments(request.path);
  return std::ranges::any_of(kActions, [&](const Action& action) {
    return action.method == request.method &&
           std::ranges::equal(http::path_segments(action.path), path, [](auto want, auto have) {
             return want == "*" ? !have.empty() : want == have;
           });
  });
}

}  // namespace

Status check_source(const http::Request& request, Reach reach) {
  const std::string_view host = header(request, "host");
  if (!is_meant_for_us(host, reach))
    return fail(Code::kInvalid,
                "the page answers to its address and to localhost, not to the name {}: open it as "
                "`fairlead ui` prints it",
                shown(host));
  if (!is_of_own_page(request))
    return fail(Code::kInvalid, "the request comes from another page than this server's own");
  return {};
}

Result<Token> Token::parse(std::string_view text) {
  const auto is_digit = [](unsigned char c) { return std::isxdigit(c) != 0; };
  if (text.size() == kDigits && std::ranges::all_of(text, is_digit))
    return Token(std::string(text));
  return fail(Code::kInvalid, "a token has {} hex digits", kDigits);
}

bool Token::is(std::string_view text) const { return same_text(text, text_); }

bool Token::signs(const http::Request& request) const {
  const bool has_cookie =
      same_text(cookie_value(header(request, "cookie"), cookie_name(request)), cookie());
  return same_text(header(request, "x-fairlead-key"), key()) && has_cookie;
}

std::string Token::cookie_for(const http::Request& request) const {
  return set_cookie(request, cookie(), "");
}

std::string Token::no_cookie_for(const http::Request& request) {
  return set_cookie(request, "", "; Max-Age=0");
}

Status check_call(const http::Request& request, Access access) {
  if (only_reads(request)) return {};
  if (access == Access::kReadOnly)
    return fail(
        Code::kInvalid,
        "the page is read-only: start fairleadd with --ui-write, or with \"ui_write\": true in "
        "its configuration");
  if (is_action(request)) return {};
  return fail(Code::kInvalid, "the page has no such action: use the command line");
}

}  // namespace fairlead::ui
