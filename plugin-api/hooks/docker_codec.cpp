#include "plugin-api/hooks/docker_codec.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/json/json.h"
#include "base/text.h"

namespace fairlead::hooks {

namespace {

using json::Json;

const Json& object_at(const Json& object, std::string_view key) {
  static const Json kNone = Json::object();
  const Json* const value = object.is_object() ? object.find(key) : nullptr;
  return value != nullptr && value->is_object() ? *value : kNone;
}

std::string text_at(const Json& object, std::string_view key) {
  const Json* const value = object.is_object() ? object.find(key) : nullptr;
  return value != nullptr && value->is_string() ? value->string() : "";
}

std::map<std::string, std::string> labels_at(const Json& object) {
  std::map<std::string, std::string> labels;
  for (const auto& [key, value] : object_at(object, "Labels").members())
    if (value.is_string()) labels[key] = value.string();
  return labels;
}

bool is_id(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return !text.empty() && text.size() <= 128 && text.find_first_not_of(kDigits) == text.npos;
}

// "/db"; of several the one without another slash.
std::string name_at(const Json& container) {
  const Json* const names = container.find("Names");
  if (names == nullptr || !names->is_array()) return "";
  for (const Json& each : *names)
    if (each.is_string() && each.string().starts_with('/') &&
        each.string().find('/', 1) == std::string::npos)
      return each.string().substr(1);
  return "";
}

std::vector<std::string> volumes_at(const Json& container, const std::string& driver,
                                    const std::vector<std::string>& wanted) {
  std::vector<std::string> found;
  const Json* const mounts = container.find("Mounts");
  if (mounts == nullptr || !mounts->is_array()) return found;
  for (const Json& mount : *mounts) {
    const std::string name = text_at(mount, "Name");
    if (text_at(mount, "Type") == "volume" && text_at(mount, "Driver") == driver &&
        std::ranges::find(wanted, name) != wanted.end() &&
        std::ranges::find(found, name) == found.end())
      found.push_back(name);
  }
  return found;
}

Json texts(const std::vector<std::string>& words) {
  Json list = Json::array();
  for (const std::string& word : words) list.push_back(word);
  return list;
}

}  // namespace

Result<std::vector<Container>> decode_containers(std::string_view body, const std::string& driver,
                                                 const std::vector<std::string>& volumes) {
  TRY(const auto document, json::parse(body));
  if (!document.is_array()) return fail(Code::kInvalid, "a list of containers is expected");
  std::vector<Container> containers;
  for (const Json& each : document) {
    if (!each.is_object()) return fail(Code::kInvalid, "a container is expected");
    Container one{.id = text_at(each, "Id"),
                  .name = name_at(each),
                  .image = text_at(each, "ImageID"),
                  .labels = labels_at(each),
                  .volumes = volumes_at(each, driver, volumes)};
    if (!is_id(one.id)) return fail(Code::kInvalid, "the id of a container is expected");
    if (!one.volumes.empty()) containers.push_back(std::move(one));
  }
  return containers;
}

// Names of volumes need no escapes.
std::string filters_path(const std::vector<std::string>& volumes) {
  return fmt::format("/containers/json?filters=%7B%22volume%22%3A%5B%22{}%22%5D%7D",
                     fmt::join(volumes, "%22%2C%22"));
}

Result<std::map<std::string, std::string>> decode_image_labels(std::string_view body) {
  TRY(const auto document, json::parse(body));
  return labels_at(object_at(document, "Config"));
}

std::string encode_command(const Command& command) {
  std::vector<std::string> environment;
  for (const auto& [key, value] : command.environment) environment.push_back(key + "=" + value);
  Json document = Json::object();
  document.add("AttachStdout", true);
  document.add("AttachStderr", true);
  document.add("Cmd", texts(command.words));
  document.add("Env", texts(environment));
  document.add("User", command.user);
  return json::dump(document);
}

Result<std::string> decode_id(std::string_view body) {
  TRY(const auto document, json::parse(body));
  std::string id = text_at(document, "Id");
  if (!is_id(id)) return fail(Code::kInvalid, "the id of a command is expected");
  return id;
}

Result<std::optional<int>> decode_exit(std::string_view body) {
  TRY(const auto document, json::parse(body));
  TRY(const auto object, json::Object::of(document));
  TRY(const bool running, object.bool_or("Running", false));
  if (running || object.find("ExitCode") == nullptr) return std::optional<int>();
  TRY(const auto code, object.integer("ExitCode", INT32_MIN, INT32_MAX));
  return std::optional(static_cast<int>(code));
}

std::string decode_refusal(std::string_view body) {
  const auto document = json::parse(body);
  const std::string message = document ? text_at(*document, "message") : std::string();
  return shown(message.empty() ? body.substr(0, 200) : std::string_view(message));
}

std::string decode_frames(std::string_view frames) {
  constexpr std::size_t kHead = 8;
  std::string text;
  while (frames.size() >= kHead) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(frames[i]); };
    if (byte(0) > 2 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0) break;
    const std::size_t length = (std::size_t{byte(4)} << 24) | (std::size_t{byte(5)} << 16) |
                               (std::size_t{byte(6)} << 8) | byte(7);
    text += frames.substr(kHead, length);
    frames.remove_prefix(std::min(frames.size(), kHead + length));
  }
  return text + std::string(frames.size() >= kHead ? frames : std::string_view());
}

}  // namespace fairlead::hooks
