#include "plugin-api/engine/names_codec.h"

#include <algorithm>
#include <map>

#include "base/json/json.h"

namespace fairlead::engine {

using json::Json;
using network::ContainerNames;
using network::NamedEndpoint;
using network::RuntimeNetwork;

namespace {

constexpr std::string_view kProject = "com.docker.compose.project";
constexpr std::string_view kService = "com.docker.compose.service";

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// A member that is a text; empty when it is anything else, or longer than a name or an id can be.
std::string text_at(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_string()) return "";
  const std::string& text = value->string();
  return text.size() <= kMostNameBytes && !has_nul(text) ? text : "";
}

// A member that is an object; one without members when it is anything else.
const Json& object_at(const Json& object, std::string_view key) {
  static const Json kNone = Json::object();
  const Json* value = object.find(key);
  return value != nullptr && value->is_object() ? *value : kNone;
}

std::map<std::string, std::string> labels_of(const Json& container) {
  std::map<std::string, std::string> labels;
  for (const auto& [key, value] : object_at(container, "Labels").members()) {
    if (labels.size() >= kMostLabels) break;
    if (!value.is_string() || key.empty() || key.size() > kMostLabelKeyBytes ||
        value.string().size() > kMostLabelBytes || has_nul(key) || has_nul(value.string()))
      continue;
    labels[key] = value.string();
  }
  return labels;
}

// "/web". Links of the old kind give a container further names, with a second slash.
std::string name_of(const Json& container) {
  const Json* names = container.find("Names");
  if (names == nullptr || !names->is_array()) return "";
  for (const Json& name : *names) {
    if (!name.is_string() || name.string().size() > kMostNameBytes || has_nul(name.string()))
      continue;
    std::string_view text = name.string();
    if (text.starts_with('/')) text.remove_prefix(1);
    if (!text.empty() && text.find('/') == std::string_view::npos) return std::string(text);
  }
  return "";
}

Result<Json> array_of(std::string_view body) {
  TRY(auto document, json::parse(body));
  if (!document.is_array())
    return fail(Code::kInvalid, "a list is expected, not {}", document.type_name());
  return document;
}

void add_endpoints(const Json& container, std::vector<NamedEndpoint>& endpoints) {
  const std::string id = text_at(container, "Id");
  const Json& labels = object_at(container, "Labels");
  const ContainerNames names{.name = name_of(container),
                             .project = text_at(labels, kProject),
                             .service = text_at(labels, kService),
                             .labels = labels_of(container)};
  if (id.empty() || names.name.empty()) return;
  const Json& networks = object_at(object_at(container, "NetworkSettings"), "Networks");
  for (const auto& [name, settings] : networks.members()) {
    const std::string network = text_at(settings, "NetworkID"),
                      endpoint = text_at(settings, "EndpointID");
    if (!network.empty() && !endpoint.empty()) endpoints.push_back({network, endpoint, id, names});
  }
}

}  // namespace

Result<std::vector<RuntimeNetwork>> decode_networks(std::string_view body) {
  TRY(const auto list, array_of(body));
  std::vector<RuntimeNetwork> networks;
  for (const Json& network : list) {
    RuntimeNetwork found{.id = text_at(network, "Id"),
                         .name = text_at(network, "Name"),
                         .project = text_at(object_at(network, "Labels"), kProject)};
    if (!found.id.empty() && !found.name.empty()) networks.push_back(std::move(found));
  }
  return networks;
}

Result<std::vector<NamedEndpoint>> decode_containers(std::string_view body) {
  TRY(const auto list, array_of(body));
  std::vector<NamedEndpoint> endpoints;
  for (const Json& container : list) add_endpoints(container, endpoints);
  return endpoints;
}

Result<NameEvent> decode_event(std::string_view line) {
  TRY(const auto event, json::parse(line));
  if (!event.is_object())
    return fail(Code::kInvalid, "an event is expected, not {}", event.type_name());
  const Json& actor = object_at(event, "Actor");
  const std::string type = text_at(event, "Type"), id = text_at(actor, "ID");
  const bool runs = text_at(event, "Action") != "create";  // what does not run has no endpoint
  if (type == "container") return runs ? NameEvent{.network = {}, .container = id} : NameEvent{};
  if (type != "network") return NameEvent{};
  return NameEvent{.network = id,
                   .container = text_at(object_at(actor, "Attributes"), "container")};
}

}  // namespace fairlead::engine
