#include "plugin-api/cli/graph_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace fairlead::cli {

using network::Endpoint;
using network::Network;

namespace {

std::string title_of_container(const Endpoint& endpoint) {
  constexpr std::size_t kShortId = 12;
  if (!endpoint.names.name.empty()) return endpoint.names.name;
  const std::string& id = endpoint.container.empty() ? endpoint.id : endpoint.container;
  return id.size() == 64 ? id.substr(0, kShortId) : id;
}

std::string port_text(const network::PublishedPort& port) {
  const std::string host = !port.host_ip           ? std::string("*")
                           : port.host_ip->is_v4() ? port.host_ip->to_string()
                                                   : fmt::format("[{}]", port.host_ip->to_string());
  const auto range = [](std::uint16_t first, std::uint16_t last) {
    return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
  };
  return fmt::format("{}:{} -> {}/{}", host, range(port.host_port, port.last()),
                     range(port.container_port, port.container_last()), to_string(port.proto));
}

void add_name(const std::string& name, const std::string& title, std::vector<std::string>& names) {
  if (!name.empty() && name != title && std::ranges::find(names, name) == names.end())
    names.push_back(name);
}

GraphEndpoint endpoint_of(const Endpoint& endpoint) {
  GraphEndpoint drawn{.title = title_of_container(endpoint)};
  for (const Cidr& address : endpoint.addresses)
    drawn.addresses.push_back(address.address().to_string());
  add_name(endpoint.names.service, drawn.title, drawn.names);
  for (const auto* aliases : {&endpoint.aliases, &endpoint.names.aliases})
    for (const std::string& alias : *aliases)
      if (!endpoint.container.starts_with(alias)) add_name(alias, drawn.title, drawn.names);
  for (const network::PublishedPort& port : endpoint.ports) drawn.ports.push_back(port_text(port));
  return drawn;
}

GraphNetwork network_of(const Network& network, const std::vector<Endpoint>& endpoints) {
  GraphNetwork drawn{.title = title_of(network), .kind = network.options.mode};
  if (network.internal) drawn.kind += ", internal";
  if (network.options.egress == network::Egress::kDeny) drawn.kind += ", egress=deny";
  if (!network.options.icc) drawn.kind += ", icc=false";
  for (const network::Subnet& subnet : network.subnets)
    drawn.subnets.push_back(subnet.subnet.network().to_string());
  for (const Endpoint& endpoint : endpoints)
    if (endpoint.network_id == network.id) drawn.endpoints.push_back(endpoint_of(endpoint));
  std::ranges::sort(drawn.endpoints, {}, [](const GraphEndpoint& each) {
    return std::pair(each.title, each.addresses);
  });
  return drawn;
}

}  // namespace

GraphModel graph_of(std::string host, const std::vector<Network>& networks,
                    const std::vector<Endpoint>& endpoints) {
  GraphModel model{.host = std::move(host)};
  for (const Network& network : networks) model.networks.push_back(network_of(network, endpoints));
  std::ranges::sort(model.networks, {}, &GraphNetwork::title);
  return model;
}

std::vector<GraphLink> links_of(const GraphModel& model) {
  std::vector<GraphLink> links;
  std::map<std::string, std::pair<std::size_t, std::size_t>> last;
  for (std::size_t n = 0; n < model.networks.size(); ++n)
    for (std::size_t e = 0; e < model.networks[n].endpoints.size(); ++e) {
      const auto [known, fresh] =
          last.try_emplace(model.networks[n].endpoints[e].title, std::pair(n, e));
      if (fresh) continue;
      if (known->second.first != n)
        links.push_back({known->second.first, known->second.second, n, e});
      known->second = {n, e};
    }
  return links;
}

}  // namespace fairlead::cli
