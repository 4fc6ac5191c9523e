#include "plugin-api/http/response_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace fairlead::http {

namespace {

std::string one_line(std::string_view value) {
  std::string line(value);
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return line;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

void append_headers(std::string& text, const Response& response) {
  for (const auto& [name, value] : response.headers)
    fmt::format_to(std::back_inserter(text), "{}: {}\r\n", one_line(name), one_line(value));
}

struct Phrase {
  int status;
  std::string_view text;
};

// RFC 9110, section 15.
constexpr auto kPhrases = std::to_array<Phrase>({
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
});

}  // namespace

std::string_view reason_phrase(int status) {
  const auto* found = std::ranges::find(kPhrases, status, &Phrase::status);
  return found == kPhrases.end() ? "Unknown" : found->text;
}

std::string to_text(const Response& response, Connection connection, Body body) {
  std::string text;
  text.reserve(256 + response.body.size());
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  if (has_body(response.status))
    fmt::format_to(out, "Content-Type: {}\r\nContent-Length: {}\r\n",
                   one_line(response.content_type), response.body.size());
  append_headers(text, response);
  if (connection == Connection::kClose) text += "Connection: close\r\n";
  text += "\r\n";
  if (body == Body::kSend && has_body(response.status)) text += response.body;
  return text;
}

std::string stream_header(const Response& response) {
  std::string text =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n",
                  response.status, reason_phrase(response.status), one_line(response.content_type));
  append_headers(text, response);
  return text + "Connection: close\r\n\r\n";
}

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace fairlead::http
