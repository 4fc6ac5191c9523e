#include <charconv>

#include "base/http_client/http_client.h"

namespace fairlead::http_client {

namespace {

bool is_port(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 && number <= 65535;
}

// Letters, digits and what names and addresses have between them.
bool is_host(std::string_view text) {
  constexpr std::string_view kLegal =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
  return !text.empty() && text.find_first_not_of(kLegal) == std::string_view::npos;
}

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text.remove_prefix(start.size());
  return true;
}

}  // namespace

Result<ServerAddress> ServerAddress::parse(std::string_view url) {
  const auto wrong = [&] {
    return fail(Code::kInvalid,
                "\"{}\" is not an endpoint: it must be http://HOST:PORT or https://HOST:PORT "
                "(an IPv6 address in brackets)",
                url.substr(0, 128));
  };
  ServerAddress endpoint;
  std::string_view rest = url;
  if (take(rest, "https://"))
    endpoint.scheme = Scheme::kHttps;
  else if (!take(rest, "http://"))
    return wrong();
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const bool bracketed = take(rest, "[");
  const std::size_t end = rest.find(bracketed ? "]:" : ":");
  if (end == std::string_view::npos) return wrong();
  endpoint.host = rest.substr(0, end);
  endpoint.port = rest.substr(end + (bracketed ? 2 : 1));
  const bool has_colon = endpoint.host.find(':') != std::string::npos;
  if (!is_host(endpoint.host) || has_colon != bracketed || !is_port(endpoint.port)) return wrong();
  return endpoint;
}

std::string ServerAddress::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", scheme == Scheme::kHttps ? "https" : "http",
                     brackets ? "[" : "", host, brackets ? "]" : "", port);
}

}  // namespace fairlead::http_client
