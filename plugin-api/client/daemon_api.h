// Requests to the API of a running fairleadd: documents out, documents or failures back.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/http_client/http_client.h"
#include "base/json/json.h"
#include "plugin-api/client/client.h"

namespace fairlead::client {

// What the daemon answered when it did not fail.
struct Reply {
  int status = 0;       // 200, 201 (created) or 204
  json::Json document;  // null when there is none
};

// Thread-safe. Errors: those of the daemon with code and text; kUnavailable when it cannot be
// reached or does not answer in time; kIo when this process may not use the socket; kInternal when
// what answers is no fairleadd.
class DaemonApi {
 public:
  DaemonApi(const std::string& socket_path, const ClientOptions& options);

  // `body`: null sends none.
  Result<Reply> call(std::string_view method, std::string_view path, const json::Json& body = {});
  // The document of the answer.
  Result<json::Json> get(std::string_view path);
  Result<json::Json> post(std::string_view path, const json::Json& body = {});
  Status remove(std::string_view path);
  // A GET whose answer is lines without an end. `on_line` is called for each of them, on this
  // thread; its failure ends the call. Done when the daemon ends the answer; kUnavailable when it
  // says nothing for half a minute.
  Status follow(std::string_view path, const std::function<Status(std::string_view line)>& on_line);

 private:
  Error explain(Error error, std::string_view what) const;
  http_client::Request request_of(std::string_view method, std::string_view path,
                                  const json::Json& body) const;

  const std::string socket_path_;
  const ClientOptions options_;
  http_client::Client http_;
};

// "/v1/networks/shop": the segments are percent-encoded.
std::string path_of(std::initializer_list<std::string_view> segments);
std::string encode_segment(std::string_view text);

// What `decode` makes of an answer; kInternal when it is none that this client knows.
template <class T>
Result<T> understand(const json::Json& document, Result<T> (*decode)(const json::Json&)) {
  auto value = decode(document);
  if (!value)
    return fail(Code::kInternal, "the answer of fairleadd was not understood: {}",
                value.error().text);
  return value;
}

// The elements of the array under `key`, each read by `decode`.
template <class T>
Result<std::vector<T>> decode_all(const json::Json& document, std::string_view key,
                                  Result<T> (*decode)(const json::Json&)) {
  const auto object = json::Object::of(document);
  const Result<std::vector<json::Object>> elements =
      object ? object->objects_or_empty(key) : fail(object.error());
  if (!elements)
    return fail(Code::kInternal, "the answer of fairleadd was not understood: {}",
                elements.error().text);
  std::vector<T> values;
  for (const json::Object& element : *elements) {
    TRY(auto value, understand(element.raw(), decode));
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace fairlead::client
