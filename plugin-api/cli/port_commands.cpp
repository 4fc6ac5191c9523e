#include <algorithm>
#include <iterator>

#include "plugin-api/cli/commands.h"
#include "plugin-api/cli/find_endpoint.h"
#include "plugin-api/cli/port_arguments.h"
#include "plugin-api/cli/session.h"
#include "plugin-api/cli/text.h"

namespace fairlead::cli {

namespace {

using native::Document;
using native::EndpointView;
using network::PublishedPort;

struct Wanted {
  EndpointView view;
  network::EndpointRef ref;
};

// The endpoint that the first argument names, on the network of --network if that is given.
Result<Wanted> named(Session& session) {
  const std::string& network = session.line.network;
  const std::string& name = session.line.names.front();
  TRY(auto view, find_endpoint(session, network.empty() ? name : network + "/" + name));
  network::EndpointRef ref{network::NetworkId{view.endpoint.network_id}, view.endpoint.id};
  return Wanted{std::move(view), std::move(ref)};
}

void show(Session& session, const EndpointView& view, const std::vector<PublishedPort>& ports) {
  if (session.line.json) {
    Document documents = Document::array();
    for (Document& port : native::encode_ports(ports)) documents.push_back(std::move(port));
    session.print_json(documents);
  } else if (!session.quiet()) {
    session.print(ports_text(ports, families_of(view.endpoint.addresses)));
  }
}

Status publish(Session& session) {
  network::PortChange change;
  std::uint32_t connections = 0;
  if (const std::string& text = session.line.max_connections; !text.empty()) {
    auto given = network::parse_connections(text);
    if (!given) return fail(with_context(given.error(), "--max-connections"));
    connections = *given;
  }
  for (std::size_t at = 1; at < session.line.names.size(); ++at) {
    TRY(auto specs, parse_mapping(session.line.names[at]));
    for (network::PortSpec& spec : specs) spec.max_connections = connections;
    std::ranges::copy(specs, std::back_inserter(change.add));
  }
  TRY(auto core, session.services());
  TRY(const auto wanted, named(session));
  TRY(const auto ports, core.networks->change_ports(wanted.ref, change));
  show(session, wanted.view, ports);
  return {};
}

bool is_of(const PublishedPort& port, const network::PortChoice& choice) {
  return port.proto == choice.proto && port.last() >= choice.host_port &&
         port.host_port <= std::max(choice.host_port, choice.host_port_end) &&
         (!choice.host_ip || choice.host_ip == port.host_ip);
}

// A port that is not there was probably written wrong.
Status check_published(const EndpointView& view, const network::PortChoice& choice,
                       const std::string& text) {
  const auto fits = [&](const PublishedPort& port) { return is_of(port, choice); };
  if (std::ranges::any_of(view.endpoint.ports, fits) ||
      std::ranges::any_of(view.endpoint.standby_ports, fits))
    return {};
  const std::string has = ports_text(view.endpoint.ports, families_of(view.endpoint.addresses));
  return fail(Code::kNotFound, "port {} is not published on network {}; published: {}", text,
              view.network, has.empty() ? "none" : has);
}

Status unpublish(Session& session) {
  TRY(auto core, session.services());
  TRY(const auto wanted, named(session));
  network::PortChange change;
  for (std::size_t at = 1; at < session.line.names.size(); ++at) {
    const std::string& text = session.line.names[at];
    TRY(const auto choice, parse_choice(text));
    TRY_STATUS(check_published(wanted.view, choice, text));
    change.remove.push_back(choice);
  }
  if (change.remove.empty()) return core.networks->unpublish(wanted.ref);
  TRY(const auto ports, core.networks->change_ports(wanted.ref, change));
  show(session, wanted.view, ports);
  return {};
}

}  // namespace

int port_publish(Session& session) {
  return session.finish(fmt::format("publish ports of {}", session.line.names.front()),
                        publish(session));
}

int port_unpublish(Session& session) {
  return session.finish(fmt::format("unpublish ports of {}", session.line.names.front()),
                        unpublish(session));
}

}  // namespace fairlead::cli
