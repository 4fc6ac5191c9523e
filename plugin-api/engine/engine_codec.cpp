#include "plugin-api/engine/engine_codec.h"

#include <algorithm>
#include <cctype>
#include <initializer_list>

#include "base/json/json.h"

namespace fairlead::engine {

namespace {

using json::Json;

// dockerd's ids are hex digits. What is no id is never put into a path.
bool is_id(std::string_view id) {
  return !id.empty() &&
         std::ranges::all_of(id, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

const Json* member(const Json* document, std::initializer_list<const char*> path) {
  for (const char* key : path) {
    if (document == nullptr || !document->is_object()) return nullptr;
    document = document->find(key);
  }
  return document;
}

std::string text(const Json& document, std::initializer_list<const char*> path) {
  const Json* found = member(&document, path);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

}  // namespace

Result<std::vector<std::string>> decode_ids(std::string_view body) {
  TRY(const Json document, json::parse(body));
  if (!document.is_array()) return fail(Code::kInvalid, "not a list of containers");
  std::vector<std::string> ids;
  for (const Json& each : document) {
    std::string id = text(each, {"Id"});
    if (!is_id(id)) return fail(Code::kInvalid, "not a list of containers");
    ids.push_back(std::move(id));
  }
  return ids;
}

Result<StoppedContainer> decode_container(std::string_view body) {
  TRY(const Json document, json::parse(body));
  StoppedContainer container{
      .id = text(document, {"Id"}),
      .name = text(document, {"Name"}),
      .status = text(document, {"State", "Status"}),
      .error = text(document, {"State", "Error"}),
      .restart_policy = text(document, {"HostConfig", "RestartPolicy", "Name"})};
  if (!is_id(container.id)) return fail(Code::kInvalid, "not a container");
  if (container.name.starts_with('/')) container.name.erase(0, 1);
  return container;
}

std::string decode_message(std::string_view body) {
  const auto document = json::parse(body);
  std::string message = document ? text(*document, {"message"}) : std::string();
  return message.empty() ? std::string(body.substr(0, 200)) : message;
}

}  // namespace fairlead::engine
