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

// "/web".
std::string name_of(const Json& container) {
  std::string name = text_at(container, "Name");
  if (name.starts_with('/')) name.erase(0, 1);
  return name.find('/') == std::string::npos ? name : "";
}

// The texts of a member that is a list; what is no name is left out.
std::vector<std::string> texts_at(const Json& object, std::string_view key, std::size_t most) {
  std::vector<std::string> texts;
  const Json* list = object.find(key);
  if (list == nullptr || !list->is_array()) return texts;
  for (const Json& each : *list) {
    if (texts.size() >= most) break;
    if (each.is_string() && !each.string().empty() && each.string().size() <= kMostNameBytes &&
        !has_nul(each.string()))
      texts.push_back(each.string());
  }
  return texts;
}

std::vector<IpAddress> servers_of(const Json& container) {
  std::vector<IpAddress> servers;
  for (const std::string& text : texts_at(object_at(container, "HostConfig"), "Dns", kMostServers))
    if (const auto server = IpAddress::parse(text)) servers.push_back(*server);
  return servers;
}

const Json& networks_of(const Json& container) {
  return object_at(object_at(container, "NetworkSettings"), "Networks");
}

Result<Json> array_of(std::string_view body) {
  TRY(auto document, json::parse(body));
  if (!document.is_array())
    return fail(Code::kInvalid, "a list is expected, not {}", document.type_name());
  return document;
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

Result<std::vector<std::string>> decode_containers(std::string_view body) {
  TRY(const auto list, array_of(body));
  std::vector<std::string> ids;
  for (const Json& container : list)
    if (auto id = text_at(container, "Id");
        !id.empty() && !networks_of(container).members().empty())
      ids.push_back(std::move(id));
  return ids;
}

Result<std::vector<NamedEndpoint>> decode_endpoints(std::string_view body) {
  TRY(const auto container, json::parse(body));
  if (!container.is_object())
    return fail(Code::kInvalid, "a container is expected, not {}", container.type_name());
  const Json& config = object_at(container, "Config");
  const Json& labels = object_at(config, "Labels");
  const std::string id = text_at(container, "Id");
  ContainerNames names{.name = name_of(container),
                       .project = text_at(labels, kProject),
                       .service = text_at(labels, kService),
                       .labels = labels_of(config),
                       .hostname = text_at(config, "Hostname"),
                       .dns_servers = servers_of(container)};
  std::vector<NamedEndpoint> endpoints;
  if (id.empty() || names.name.empty()) return endpoints;
  for (const auto& [called, settings] : networks_of(container).members()) {
    const std::string network = text_at(settings, "NetworkID"),
                      endpoint = text_at(settings, "EndpointID");
    names.aliases = texts_at(settings, "Aliases", kMostAliases);
    if (!network.empty() && !endpoint.empty()) endpoints.push_back({network, endpoint, id, names});
  }
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
