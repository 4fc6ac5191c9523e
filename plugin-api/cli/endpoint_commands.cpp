#include <algorithm>
#include <map>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/find_endpoint.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"
#include "plugin-api/native/docker_objects.h"

namespace fairlead::cli {

using native::Document;
using native::EndpointView;
using network::Endpoint;

namespace {

// The endpoints of one network, or of all when the name is empty, each with its network's name.
Result<std::vector<EndpointView>> views(const CliServices& core, const std::string& network) {
  std::optional<network::NetworkRef> only;
  if (!network.empty()) only = network::NetworkText{network};
  TRY(auto endpoints, core.networks->list_endpoints(only));
  TRY(auto networks, core.networks->list_networks());
  std::map<std::string, const network::Network*> by_id;
  for (const auto& usage : networks) by_id[usage.network.id] = &usage.network;
  std::vector<EndpointView> found;
  for (Endpoint& endpoint : endpoints) {
    const auto owner = by_id.find(endpoint.network_id);
    if (owner != by_id.end()) {
      found.push_back(native::view_of(std::move(endpoint), *owner->second));
      continue;
    }
    const std::string id = endpoint.network_id;
    found.push_back({std::move(endpoint), id, 0});
  }
  return found;
}

std::string title_of(const EndpointView& view) {
  return view.network_title.empty() ? view.network : view.network_title;
}

std::string container_text(const Session& session, const std::string& container,
                           const network::ContainerNames& names) {
  return names.name.empty() ? session.id_text(container) : names.name;
}

std::string full_name(const Session& session, const EndpointView& view) {
  return fmt::format("{}/{}", view.network, session.id_text(view.endpoint.id));
}

Table table_of(const Session& session, const std::vector<EndpointView>& endpoints) {
  using enum Column::Fit;
  Columns columns({{"ENDPOINT ID"},
                   {"NETWORK", kShrink},
                   {"CONTAINER", kShrink},
                   {"PROJECT", kShrink},
                   {"INTERFACE"},
                   {"ADDRESSES", kShrink},
                   {"PORTS", kShrink},
                   {"RUNTIME"},
                   {"CREATED"}},
                  3);
  for (const EndpointView& view : endpoints) {
    const Endpoint& endpoint = view.endpoint;
    columns.add({session.id_text(endpoint.id), title_of(view),
                 container_text(session, endpoint.container, endpoint.names),
                 endpoint.names.project, endpoint.ifname, joined(endpoint.addresses),
                 ports_text(endpoint.ports, families_of(endpoint.addresses)), endpoint.runtime,
                 ago(endpoint.created, session.context.now)});
  }
  return columns.table();
}

Status list(Session& session) {
  TRY(auto core, session.services());
  TRY(auto endpoints, views(core, session.line.network));
  if (session.line.json) {
    Document documents = Document::array();
    for (const EndpointView& view : endpoints) documents.push_back(native::encode_endpoint(view));
    session.print_json(documents);
  } else if (session.quiet()) {
    for (const EndpointView& view : endpoints) session.print(full_name(session, view));
  } else {
    session.print(table_of(session, endpoints));
  }
  return {};
}

// ---- finding an endpoint

constexpr std::size_t kShortestPrefix = 3;

// Whether the text is the endpoint's id or container, or the beginning of either's id.
bool is_meant(const Endpoint& endpoint, std::string_view text) {
  const std::string_view name = endpoint.names.name;
  if (endpoint.id == text || endpoint.container == text || name == text) return true;
  if (const auto slash = name.find('/');  // a pod without its namespace
      slash != std::string_view::npos && name.substr(slash + 1) == text)
    return true;
  return text.size() >= kShortestPrefix &&
         (endpoint.id.starts_with(text) || (short_id(endpoint.container) == text));
}

Result<EndpointView> the_only_one(const Session& session, std::vector<EndpointView> found) {
  if (found.size() == 1) return std::move(found.front());
  if (found.empty())
    return fail(Code::kNotFound, "there is no such endpoint; \"fairlead endpoint ls\" lists them");
  std::string candidates;
  for (const EndpointView& view : found)
    candidates += (candidates.empty() ? "" : ", ") + full_name(session, view);
  return fail(Code::kInvalid, "{} endpoints are called so; say which: {}", found.size(),
              candidates);
}

Result<EndpointView> find_in(Session& session, const std::string& network, std::string_view text) {
  TRY(auto core, session.services());
  TRY(auto all, views(core, network));
  std::erase_if(all, [&](const EndpointView& view) { return !is_meant(view.endpoint, text); });
  return the_only_one(session, std::move(all));
}

}  // namespace

// Finds "NETWORK/ENDPOINT" or "ENDPOINT", where ENDPOINT is an id, the beginning of an id, or the
// name of the container. What is no such thing may be the "namespace/pod" that a pod is called.
Result<EndpointView> find_endpoint(Session& session, const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return find_in(session, "", text);
  auto found = find_in(session, text.substr(0, slash), std::string_view(text).substr(slash + 1));
  if (found || found.error().code != Code::kNotFound) return found;
  auto pod = find_in(session, "", text);
  return pod ? pod : found;
}

// ---- ports

namespace {

std::string target_text(const network::PortHolder& holder) {
  std::string text;
  std::string number = std::to_string(holder.port.container_port);
  if (holder.port.is_range()) number += fmt::format("-{}", holder.port.container_last());
  for (const IpAddress& ip : holder.targets)
    text += fmt::format(fmt::runtime(ip.is_v4() ? "{}{}:{}" : "{}[{}]:{}"),
                        text.empty() ? "" : ", ", ip.to_string(), number);
  return text;
}

Status list_published(Session& session) {
  TRY(auto core, session.services());
  TRY(auto holders, core.networks->list_ports());
  if (!session.line.network.empty()) {
    TRY(const auto network,
        core.networks->inspect_network(network::NetworkText{session.line.network}));
    std::erase_if(holders, [&](const network::PortHolder& holder) {
      return holder.network_id != network.id;
    });
  }
  if (session.line.json) {
    Document documents = Document::array();
    for (const network::PortHolder& holder : holders)
      documents.push_back(native::encode_port_holder(holder));
    session.print_json(documents);
    return {};
  }
  using enum Column::Fit;
  Columns columns({{"PORT", kShrink},
                   {"TARGET", kShrink},
                   {"NETWORK", kShrink},
                   {"CONTAINER", kShrink},
                   {"PROJECT", kShrink}},
                  4);
  for (const network::PortHolder& holder : holders) {
    if (session.quiet()) session.print(ports_text({holder.port}, families_of(holder.targets)));
    columns.add({ports_text({holder.port}, families_of(holder.targets)), target_text(holder),
                 holder.network_title.empty() ? holder.network_name : holder.network_title,
                 container_text(session, holder.container, holder.names), holder.names.project});
  }
  if (!session.quiet()) session.print(columns.table());
  return {};
}

}  // namespace

int endpoint_list(Session& session) { return session.finish("list endpoints", list(session)); }

int endpoint_inspect(Session& session) {
  Document documents = Document::array();
  const int exit_code =
      session.for_each_name("inspect endpoint", [&](const std::string& name) -> Status {
        TRY(auto view, find_endpoint(session, name));
        documents.push_back(native::encode_endpoint(view));
        return {};
      });
  session.print_json(documents);
  return exit_code;
}

int endpoint_remove(Session& session) {
  return session.for_each_name("remove endpoint", [&](const std::string& name) -> Status {
    TRY(auto view, find_endpoint(session, name));
    TRY(auto core, session.services_for_removal());
    if (!session.line.force) TRY_STATUS(native::check_not_dockers(*core.networks, view.endpoint));
    TRY_STATUS(core.networks->remove_endpoint(
        {network::NetworkId{view.endpoint.network_id}, view.endpoint.id}));
    if (!session.quiet()) session.print(name);
    return {};
  });
}

int port_list(Session& session) { return session.finish("list ports", list_published(session)); }

}  // namespace fairlead::cli
