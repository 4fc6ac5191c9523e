#include "network/nat/nat.h"

#include <algorithm>
#include <map>
#include <string>

#include "network/nat/entries.h"

namespace fairlead::nat {

using kernel::ElementChange;

namespace {

template <class T>
std::vector<ElementChange> changes(ElementChange::Kind kind, const T& thing) {
  std::vector<ElementChange> list;
  for (const Entry& entry : entries_of(thing))
    list.push_back({.kind = kind, .element = to_element(entry)});
  return list;
}

// The elements of one state, by set and text; equal ones are contained once.
using Elements = std::map<std::string, kernel::Element>;

void collect(const std::vector<Entry>& entries, Elements& into) {
  for (const Entry& entry : entries)
    into.emplace(entry.set + " " + to_text(entry), to_element(entry));
}

Elements elements_of(std::span<const NatPort> ports) {
  Elements all;
  for (const NatPort& port : ports) collect(entries_of(port), all);
  return all;
}

Elements elements_of(const NatUnderlay& underlay) {
  Elements all;
  collect(entries_of(underlay), all);
  return all;
}

std::vector<ElementChange> difference(const Elements& had, const Elements& has) {
  std::vector<ElementChange> list;
  for (const auto& [identity, element] : had)
    if (!has.contains(identity))
      list.push_back({.kind = ElementChange::Kind::kRemove, .element = element});
  for (const auto& [identity, element] : has)
    if (!had.contains(identity))
      list.push_back({.kind = ElementChange::Kind::kAdd, .element = element});
  return list;
}

std::optional<IpAddress> address_of(const network::Endpoint& endpoint, Family family) {
  const auto found = std::ranges::find(endpoint.addresses, family, &Cidr::family);
  if (found == endpoint.addresses.end()) return std::nullopt;
  return found->address();
}

}  // namespace

NatNetwork nat_network(const network::Network& network, const IfName& interface) {
  NatNetwork nat{.bridge = interface,
                 .mode_v4 = network.options.gateway_mode_v4,
                 .mode_v6 = network.options.gateway_mode_v6,
                 .icc = network.options.icc,
                 .masquerade = network.options.masquerade,
                 .internal = network.internal};
  for (const network::Subnet& subnet : network.subnets) nat.subnets.push_back(subnet.subnet);
  return nat;
}

NatPort nat_port(const network::Network& network, const network::Endpoint& endpoint,
                 const network::PublishedPort& port) {
  NatPort nat{.proto = port.proto,
              .host_ip = port.host_ip,
              .host_port = port.host_port,
              .container_port = port.container_port,
              .mode_v4 = network.options.gateway_mode_v4,
              .mode_v6 = network.options.gateway_mode_v6};
  if (network.internal) return nat;
  nat.target_v4 = address_of(endpoint, Family::kV4);
  nat.target_v6 = address_of(endpoint, Family::kV6);
  return nat;
}

std::vector<ElementChange> admit_network(const NatNetwork& network) {
  return changes(ElementChange::Kind::kAdd, network);
}

std::vector<ElementChange> dismiss_network(const NatNetwork& network) {
  return changes(ElementChange::Kind::kRemove, network);
}

std::vector<ElementChange> publish(const NatPort& port) {
  return changes(ElementChange::Kind::kAdd, port);
}

std::vector<ElementChange> unpublish(const NatPort& port) {
  return changes(ElementChange::Kind::kRemove, port);
}

std::vector<ElementChange> change_ports(std::span<const NatPort> before,
                                        std::span<const NatPort> after) {
  return difference(elements_of(before), elements_of(after));
}

std::vector<ElementChange> admit_underlay(const NatUnderlay& part) {
  return changes(ElementChange::Kind::kAdd, part);
}

std::vector<ElementChange> dismiss_underlay(const NatUnderlay& part) {
  return changes(ElementChange::Kind::kRemove, part);
}

std::vector<ElementChange> change_underlay(const NatUnderlay& before, const NatUnderlay& after) {
  return difference(elements_of(before), elements_of(after));
}

}  // namespace fairlead::nat
