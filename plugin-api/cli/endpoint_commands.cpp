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
    const bool known = owner != by_id.end();
    const std::string name = known ? owner->second->name.str() : endpoint.network_id;
    found.push_back({std::move(endpoint), name, known ? owner->second->mtu : 0});
  }
  return found;
}

std::string full_name(const Session& session, const EndpointView& view) {
  return fmt::format("{}/{}", view.network, session.id_text(view.endpoint.id));
}

Table table_of(const Session& session, const std::vector<EndpointView>& endpoints) {
  using enum Column::Fit;
  Table table({{"ENDPOINT ID"},
               {"NETWORK", kShrink},
               {"CONTAINER", kShrink},
               {"INTERFACE"},
               {"ADDRESSES", kShrink},
               {"PORTS", kShrink},
               {"RUNTIME"},
               {"CREATED"}});
  for (const auto& [endpoint, network, mtu] : endpoints)
    table.add({session.id_text(endpoint.id), network, session.id_text(endpoint.container),
               endpoint.ifname, joined(endpoint.addresses),
               ports_text(endpoint.ports, families_of(endpoint.addresses)), endpoint.runtime,
               ago(endpoint.created, session.context.now)});
  return table;
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
  if (endpoint.id == text || endpoint.container == text) return true;
  return text.size() >= kShortestPrefix &&
         (endpoint.id.starts_with(text) || (short_id(endpoint.container) == text));
}

}  // namespace

Result<EndpointView> find_endpoint(Session& session, const std::string& text) {
  TRY(auto core, session.services());
  const std::size_t slash = text.find('/');
  const std::string network = slash == std::string::npos ? "" : text.substr(0, slash);
  const std::string_view wanted =
      std::string_view(text).substr(slash == std::string::npos ? 0 : slash + 1);
  TRY(auto all, views(core, network));
  std::erase_if(all, [&](const EndpointView& view) { return !is_meant(view.endpoint, wanted); });
  if (all.size() == 1) return std::move(all.front());
  if (all.empty())
    return fail(Code::kNotFound, "there is no such endpoint; \"fairlead endpoint ls\" lists them");
  std::string candidates;
  for (const EndpointView& view : all)
    candidates += (candidates.empty() ? "" : ", ") + full_name(session, view);
  return fail(Code::kInvalid, "{} endpoints are called so; say which: {}", all.size(), candidates);
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
  Table table(
      {{"PORT", kShrink}, {"TARGET", kShrink}, {"NETWORK", kShrink}, {"CONTAINER", kShrink}});
  for (const network::PortHolder& holder : holders) {
    if (session.quiet()) session.print(ports_text({holder.port}, families_of(holder.targets)));
    table.add({ports_text({holder.port}, families_of(holder.targets)), target_text(holder),
               holder.network_name, session.id_text(holder.container)});
  }
  if (!session.quiet()) session.print(table);
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
