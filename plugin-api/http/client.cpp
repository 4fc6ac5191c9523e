#include "plugin-api/http/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <optional>

#include "base/unique_fd.h"

namespace fairlead::http {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMostResponse = 64 << 20;

Status wait_for(int fd, short events, Clock::time_point until) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return fail(Code::kUnavailable, "the deadline passed");
    pollfd entry{.fd = fd, .events = events, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "wait for the socket");
  }
}

Result<UniqueFd> connect_to(const std::string& path, Clock::time_point until) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return fail(Code::kInvalid, "the socket's path is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno(errno, "open a Unix socket");
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
         0) {
    if (errno == ECONNREFUSED)
      return fail(Error{Code::kUnavailable, errno, "nobody listens there"});
    if (errno != EAGAIN && errno != EINTR) return fail_errno(errno, "connect");
    // The backlog is full. poll(2) does not report when it no longer is, hence the pause.
    if (Clock::now() >= until) return fail(Code::kUnavailable, "the deadline passed");
    ::poll(nullptr, 0, 5);
  }
  return socket;
}

std::string to_text(const Request& request) {
  std::string text = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
      request.method, request.path, request.body.size());
  for (const auto& [name, value] : request.headers)
    fmt::format_to(std::back_inserter(text), "{}: {}\r\n", name, value);
  return text + "\r\n" + request.body;
}

// A server that refuses a request may answer and close before it has read all of it; the response
// is read then.
Status send_all(int fd, std::string_view text, Clock::time_point until) {
  while (!text.empty()) {
    const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EPIPE || errno == ECONNRESET) return {};
    if (errno != EAGAIN && errno != EINTR) return fail_errno(errno, "send");
    TRY_STATUS(wait_for(fd, POLLOUT | POLLIN, until));
  }
  return {};
}

// Reads once and appends to `text`. Returns false at the end of the stream.
Result<bool> receive(int fd, std::string& text, Clock::time_point until) {
  char buffer[16 << 10];
  while (true) {
    const ssize_t got = ::recv(fd, buffer, sizeof(buffer), 0);
    if (got == 0) return false;
    if (got > 0) {
      if (text.size() > kMostResponse) return fail(Code::kIo, "the response is too large");
      text.append(buffer, static_cast<std::size_t>(got));
      return true;
    }
    if (errno == ECONNRESET) return false;
    if (errno != EAGAIN && errno != EINTR) return fail_errno(errno, "receive");
    TRY_STATUS(wait_for(fd, POLLIN, until));
  }
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string_view trim(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

// Parses the status line and the headers, up to the empty line.
Result<Response> parse_head(std::string_view head) {
  Response response;
  if (!head.starts_with("HTTP/1.") || head.size() < 12)
    return fail(Code::kIo, "the response is not HTTP");
  if (std::from_chars(head.data() + 9, head.data() + 12, response.status).ec != std::errc{})
    return fail(Code::kIo, "the response is not HTTP");
  while (true) {
    head.remove_prefix(std::min(head.find('\n'), head.size() - 1) + 1);
    if (head.empty()) return response;
    const std::string_view line = head.substr(0, head.find('\n'));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    response.headers[lower_case(line.substr(0, colon))] = trim(line.substr(colon + 1));
  }
}

// The body of a complete chunked response (RFC 9112, 7.1); std::nullopt while chunks are missing.
Result<std::optional<std::string>> join_chunks(std::string_view text) {
  std::string body;
  while (true) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return std::optional<std::string>();
    std::size_t size = 0;
    if (std::from_chars(text.data(), text.data() + end, size, 16).ec != std::errc{} ||
        size > kMostResponse)
      return fail(Code::kIo, "the response's chunks are malformed");
    text.remove_prefix(end + 2);
    if (size == 0) return std::optional<std::string>(std::move(body));
    if (text.size() < size + 2) return std::optional<std::string>();
    body += text.substr(0, size);
    text.remove_prefix(size + 2);
  }
}

// The body once all of it has arrived; std::nullopt before. Without a length the body ends with the
// stream.
Result<std::optional<std::string>> body_of(const Response& response, std::string_view rest,
                                           bool ended) {
  if (const auto encoding = response.headers.find("transfer-encoding");
      encoding != response.headers.end())
    return join_chunks(rest);
  const auto length = response.headers.find("content-length");
  if (length == response.headers.end()) {
    if (!ended && response.status != 204) return std::optional<std::string>();
    return std::optional<std::string>(rest);
  }
  std::size_t size = 0;
  const std::string& text = length->second;
  if (std::from_chars(text.data(), text.data() + text.size(), size).ec != std::errc{})
    return fail(Code::kIo, "the response's length is malformed");
  if (rest.size() < size) return std::optional<std::string>();
  return std::optional<std::string>(rest.substr(0, size));
}

Result<std::optional<Response>> parse_response(std::string_view text, bool ended) {
  while (text.starts_with("HTTP/1.1 1")) {  // 100 Continue
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return std::optional<Response>();
    text.remove_prefix(end + 4);
  }
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::optional<Response>();
  TRY(Response response, parse_head(text.substr(0, end + 2)));
  TRY(auto body, body_of(response, text.substr(end + 4), ended));
  if (!body) return std::optional<Response>();
  response.body = *std::move(body);
  if (const auto type = response.headers.find("content-type"); type != response.headers.end())
    response.content_type = type->second;
  return std::optional<Response>(std::move(response));
}

Result<Response> exchange(const std::string& socket_path, const Request& request,
                          Clock::time_point until) {
  TRY(const UniqueFd socket, connect_to(socket_path, until));
  TRY_STATUS(send_all(socket.get(), to_text(request), until));
  std::string text;
  while (true) {
    TRY(const bool more, receive(socket.get(), text, until));
    TRY(auto response, parse_response(text, !more));
    if (response) return *std::move(response);
    if (!more)
      return fail(Code::kIo, "the connection was closed before the whole response had come");
  }
}

}  // namespace

Result<Response> call(const std::string& socket_path, const Request& request,
                      std::chrono::milliseconds deadline) {
  auto response = exchange(socket_path, request, Clock::now() + deadline);
  if (!response)
    return fail(with_context(response.error(), fmt::format("call {} {} on {}", request.method,
                                                           request.path, socket_path)));
  return response;
}

}  // namespace fairlead::http
