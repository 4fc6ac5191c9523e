#include "plugin-api/native/docker_objects.h"

#include <optional>

namespace fairlead::native {

namespace {

constexpr std::string_view kDocker = "docker";

// The name by which Docker's commands know the network; std::nullopt when Docker did not make it.
// Docker tells plugins no names, so a network without a name of its own is named after Docker's id,
// which Docker's commands take as well, until Docker was asked for its name.
std::optional<std::string> name_in_docker(const network::Network& network) {
  const std::string id = network.id.substr(0, 12);
  if (title_of(network) != network.name.str()) return title_of(network);
  if (network.name.str() == fmt::format("{}-{}", kDocker, id)) return id;
  const auto made_for = network.labels.find(network::kMadeForLabel);
  if (made_for != network.labels.end() && made_for->second == kDocker) return network.name.str();
  return std::nullopt;
}

template <class Value>
Status unless_gone(const Result<Value>& found) {
  if (found.error().code == Code::kNotFound) return {};
  return fail(found.error());
}

}  // namespace

Status check_not_dockers(network::NetworkService& networks, const network::NetworkRef& ref) {
  const auto network = networks.inspect_network(ref);
  if (!network) return unless_gone(network);
  const auto name = name_in_docker(*network);
  if (!name) return {};
  const bool known = title_of(*network) != network->name.str();
  return fail(Code::kInUse,
              "network {} was made by Docker, which would go on using it; remove it with `docker "
              "network rm {}`{}; -f (force=true) removes one that Docker does not know any more",
              title_of(*network), *name,
              known ? "" : " (`docker network ls` shows what Docker calls it)");
}

Status check_not_dockers(network::NetworkService& networks, const network::EndpointRef& ref) {
  const auto endpoint = networks.inspect_endpoint(ref);
  if (!endpoint) return unless_gone(endpoint);
  return check_not_dockers(networks, *endpoint);
}

Status check_not_dockers(network::NetworkService& networks, const network::Endpoint& endpoint) {
  if (endpoint.runtime != kDocker) return {};
  const auto network = networks.inspect_network(network::NetworkId{endpoint.network_id});
  if (!network) return unless_gone(network);
  const std::string name = name_in_docker(*network).value_or(network->name.str());
  if (const std::string& container = endpoint.names.name; !container.empty())
    return fail(Code::kInUse,
                "container {} on network {} was attached by Docker, and would lose its network; "
                "remove it with `docker network disconnect -f {} {}` or `docker rm -f {}`; -f "
                "(force=true) removes what Docker does not know any more",
                container, title_of(*network), name, container, container);
  return fail(
      Code::kInUse,
      "endpoint {} on network {} was made by Docker, whose container would lose its "
      "network; remove it with `docker network disconnect -f {} CONTAINER` or `docker rm "
      "-f CONTAINER` (`docker network inspect {}` names the container); -f (force=true) removes "
      "one that Docker does not know any more",
      endpoint.id.substr(0, 12), title_of(*network), name, name);
}

}  // namespace fairlead::native
