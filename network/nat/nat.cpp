#include "network/nat/nat.h"

#include <algorithm>

#include "network/nat/entries.h"

namespace fairlead::nat {

using kernel::Element;
using kernel::ElementChange;

namespace {

std::optional<IpAddress> address_of(const network::Endpoint& endpoint, Family family) {
  const auto found = std::ranges::find(endpoint.addresses, family, &Cidr::family);
  if (found == endpoint.addresses.end()) return std::nullopt;
  return found->address();
}

}  // namespace

NatNetwork nat_network(const network::Network& network, const IfName& interface, bool shared,
                       bool routed) {
  NatNetwork nat{
      .bridge = interface,
      .routed = routed,
      .mode_v4 = network.options.gateway_mode_v4,
      .mode_v6 = network.options.gateway_mode_v6,
      .icc = network.options.icc,
      .masquerade = network.options.masquerade,
      .internal = network.internal,
      .host_access = network.options.host_access ||
                     (!network.internal && network.options.egress == network::Egress::kAllow),
      .leaves = network.options.egress == network::Egress::kAllow,
      .shared = shared,
      .trusted_interfaces = network.options.trusted_interfaces,
      .snat_v4 = network.options.snat_v4,
      .snat_v6 = network.options.snat_v6,
      .snat_ports = network.options.snat_ports,
      .masquerade_exclude = network.options.masquerade_exclude};
  for (const network::Subnet& subnet : network.subnets) {
    nat.subnets.push_back(subnet.subnet);
    if (routed && subnet.gateway) nat.gateways.push_back(*subnet.gateway);
  }
  return nat;
}

NatPort nat_port(const network::Network& network, const network::Endpoint& endpoint,
                 const network::PublishedPort& port) {
  NatPort nat{.proto = port.proto,
              .host_ip = port.host_ip,
              .host_port = port.host_port,
              .container_port = port.container_port,
              .mode_v4 = network.options.gateway_mode_v4,
              .mode_v6 = network.options.gateway_mode_v6,
              .weak = network.options.publish == network::HostModel::kWeak,
              .host_port_end = port.host_port_end,
              .max_connections = port.max_connections};
  if (network.internal) return nat;
  nat.target_v4 = address_of(endpoint, Family::kV4);
  nat.target_v6 = address_of(endpoint, Family::kV6);
  return nat;
}

NatSender nat_sender(const network::Network& network, const network::Endpoint& endpoint,
                     const IfName& port) {
  NatSender sender{.port = port,
                   .mac = endpoint.mac.value_or(MacAddress()),
                   .addresses = {},
                   .checked = network.options.spoofing == network::Spoofing::kDeny,
                   .asks_dhcp = endpoint.address_source == network::AddressSource::kPlugin};
  for (const Cidr& address : endpoint.addresses) sender.addresses.push_back(address.address());
  return sender;
}

NatReporter nat_reporter(const network::Endpoint& endpoint, const IfName& link) {
  NatReporter reporter{.link = link, .addresses = {}};
  for (const Cidr& address : endpoint.addresses) reporter.addresses.push_back(address.address());
  return reporter;
}

std::vector<Element> elements_of(const NatState& state, TableFamily family) {
  std::vector<Element> elements;
  for (const Entry& entry : entries_of(state, family)) elements.push_back(to_element(entry));
  std::ranges::sort(elements);
  elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  return elements;
}

std::vector<ElementChange> difference(const NatState& before, const NatState& after,
                                      TableFamily family) {
  const std::vector<Element> had = elements_of(before, family), has = elements_of(after, family);
  std::vector<ElementChange> changes;
  const auto add = [&](ElementChange::Kind kind, const std::vector<Element>& these,
                       const std::vector<Element>& without) {
    for (const Element& element : these)
      if (!std::ranges::binary_search(without, element))
        changes.push_back({.kind = kind, .element = element});
  };
  add(ElementChange::Kind::kRemove, had, has);
  add(ElementChange::Kind::kAdd, has, had);
  return changes;
}

}  // namespace fairlead::nat
