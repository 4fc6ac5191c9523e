#include "plugin-api/client/daemon_api.h"

#include <fmt/format.h>

#include "plugin-api/native/codec.h"
#include "plugin-api/native/headers.h"

namespace fairlead::client {

namespace {

constexpr int kOk = 200;

// What a server says that is over a limit, or no fairleadd.
Error error_of_status(const http_client::Response& response) {
  const Code code = response.status == 503 ? Code::kUnavailable : Code::kInternal;
  return {code, 0, fmt::format("fairleadd answered with the status {}", response.status)};
}

Error error_of(const http_client::Response& response) {
  const auto document = json::parse(response.body);
  if (!document) return error_of_status(response);
  auto problem = native::decode_problem(*document);
  return problem ? std::move(*problem) : error_of_status(response);
}

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

}  // namespace

std::string encode_segment(std::string_view text) {
  std::string encoded;
  for (const char c : text)
    encoded += is_unreserved(c) ? std::string(1, c)
                                : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return encoded;
}

std::string path_of(std::initializer_list<std::string_view> segments) {
  std::string path = "/v1";
  for (const std::string_view segment : segments) path += "/" + encode_segment(segment);
  return path;
}

DaemonApi::DaemonApi(const std::string& socket_path, const ClientOptions& options)
    : socket_path_(socket_path), options_(options), http_(http_client::unix_server(socket_path)) {}

// kUnavailable means that nothing was sent, kIo without an errno that it was.
Error DaemonApi::explain(Error error, std::string_view what) const {
  if (error.code == Code::kUnavailable)
    error.text = fmt::format("fairleadd does not run ({}); start it", error.text);
  else if (error.sys_errno == EACCES || error.sys_errno == EPERM)
    error.text += "; be root, or in the group of the socket";
  else if (error.code == Code::kIo && (error.sys_errno == 0 || error.sys_errno == EPIPE))
    return {Code::kUnavailable, 0,
            fmt::format("{}: no answer of fairleadd at {} ({}); it may have acted: try again", what,
                        socket_path_, error.text)};
  return error;
}

http_client::Request DaemonApi::request_of(std::string_view method, std::string_view path,
                                           const json::Json& body) const {
  http_client::Request request{.path = std::string(path),
                               .headers = {},
                               .body = body.is_null() ? "" : body.dump(),
                               .method = std::string(method)};
  if (!options_.state_dir.empty())
    request.headers.emplace_back(native::kStateDirHeader, options_.state_dir);
  return request;
}

Result<Reply> DaemonApi::call(std::string_view method, std::string_view path,
                              const json::Json& body) {
  const auto request = request_of(method, path, body);
  const auto response = http_.call(request, options_.timeout);
  if (!response) return fail(explain(response.error(), fmt::format("{} {}", method, path)));
  if (response->status >= 300) return fail(error_of(*response));
  if (response->body.empty()) return Reply{response->status, {}};
  auto document = json::parse(response->body);
  if (!document)
    return fail(Code::kInternal, "{} {}: the answer is no JSON: {}", method, path,
                document.error().text);
  return Reply{response->status, std::move(*document)};
}

Status DaemonApi::follow(std::string_view path,
                         const std::function<Status(std::string_view line)>& on_line) {
  constexpr std::chrono::seconds kMostSilence{30};
  const std::string what = fmt::format("GET {}", path);
  auto stream = http_client::LineStream::open(http_client::unix_server(socket_path_),
                                              request_of("GET", path, {}), options_.timeout, {});
  if (!stream) return fail(explain(stream.error(), what));
  while (true) {
    const auto line = (*stream)->next_line(kMostSilence);
    if (!line) return fail(explain(line.error(), what));
    if ((*stream)->status() != kOk)
      return fail(error_of({(*stream)->status(), line->value_or(""), {}}));
    if (!*line) return {};
    TRY_STATUS(on_line(**line));
  }
}

Result<json::Json> DaemonApi::get(std::string_view path) {
  TRY(auto reply, call("GET", path));
  return std::move(reply.document);
}

Result<json::Json> DaemonApi::post(std::string_view path, const json::Json& body) {
  TRY(auto reply, call("POST", path, body));
  return std::move(reply.document);
}

Status DaemonApi::remove(std::string_view path) { return status_of(call("DELETE", path)); }

}  // namespace fairlead::client
