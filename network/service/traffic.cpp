#include "network/service/traffic.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "network/nat/traffic.h"

namespace fairlead::network {

namespace {

// Towards the container and from it, by the key of nat/traffic.h.
using PortCounts = std::map<kernel::ElementBytes, std::pair<TrafficCount, TrafficCount>>;

kernel::ElementBytes key_of(Proto proto, const IpAddress& address, std::uint16_t port) {
  return kernel::ElementBytes().proto(static_cast<std::uint8_t>(proto)).address(address).port(port);
}

// The driver shows the name of the host's side, where there is one (DriverRecord::shown).
std::string host_side_of(const Endpoint& endpoint) {
  const auto found = endpoint.links.shown.find("host_ifname");
  return found == endpoint.links.shown.end() ? std::string() : found->second;
}

std::string shown_name(const Endpoint& endpoint) {
  if (!endpoint.names.name.empty()) return endpoint.names.name;
  return endpoint.container.empty() ? endpoint.id : endpoint.container;
}

class Reader : public TrafficReader {
 public:
  explicit Reader(TrafficParts parts) : parts_(std::move(parts)) {}

  Result<TrafficReport> read() override;

 private:
  Result<bool> switch_ports();
  Result<bool> read_ports(PortCounts& counts);

  TrafficParts parts_;
};

// Switches the counting on, or off. Returns whether ports are counted.
Result<bool> Reader::switch_ports() {
  std::vector<kernel::ElementChange> changes;
  for (const Family family : {Family::kV4, Family::kV6})
    changes.push_back({.kind = parts_.counts_ports ? kernel::ElementChange::Kind::kAdd
                                                   : kernel::ElementChange::Kind::kRemove,
                       .element = {.set = std::string(nat::kCountedSet),
                                   .key = kernel::ElementBytes().family(family)}});
  const Status done = parts_.firewall.apply(changes);
  if (!done && done.error().code != Code::kNotFound) return fail(done.error());
  return done.has_value() && parts_.counts_ports;
}

// Returns false when there is no table.
Result<bool> Reader::read_ports(PortCounts& counts) {
  for (const nat::TrafficWay way : {nat::TrafficWay::kIn, nat::TrafficWay::kOut})
    for (const Family family : {Family::kV4, Family::kV6}) {
      const auto elements =
          parts_.counters->read(nat::traffic_set(way, family), nat::kTrafficKeyFields);
      if (!elements && elements.error().code == Code::kNotFound) return false;
      if (!elements) return fail(elements.error());
      for (const kernel::CountedElement& element : *elements) {
        auto& both = counts[element.key];
        (way == nat::TrafficWay::kIn ? both.first : both.second) +=
            {.packets = element.packets, .bytes = element.bytes};
      }
    }
  return true;
}

// The port is the last field, in network order, padded to four bytes.
std::uint16_t port_of(const kernel::ElementBytes& key) {
  const auto bytes = key.bytes().last(4);
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

// Of each container port that has traffic, with that of both families.
void add_ports(const Endpoint& endpoint, const PortCounts& counts, EndpointTraffic& traffic) {
  std::map<std::pair<Proto, std::uint16_t>, PortTraffic> ports;
  std::set<kernel::ElementBytes> counted;  // two host ports may lead to one of the container
  for (const PublishedPort& port : endpoint.ports)
    for (const Cidr& address : endpoint.addresses) {
      const auto last = key_of(port.proto, address.address(), port.container_last());
      for (auto each =
               counts.lower_bound(key_of(port.proto, address.address(), port.container_port));
           each != counts.end() && each->first <= last; ++each) {
        if (!counted.insert(each->first).second) continue;
        const std::uint16_t number = port_of(each->first);
        auto& of_port = ports[{port.proto, number}];
        of_port.port = port;
        of_port.container_port = number;
        of_port.in += each->second.first;
        of_port.out += each->second.second;
      }
    }
  for (const auto& [key, port] : ports) traffic.ports.push_back(port);
}

// What the host's side sends is what the container receives.
EndpointTraffic traffic_of(const Endpoint& endpoint, const std::string& network,
                           const kernel::LinkTraffic& link) {
  return {.network_id = endpoint.network_id,
          .network = network,
          .endpoint_id = endpoint.id,
          .container = shown_name(endpoint),
          .in = {.packets = link.tx_packets, .bytes = link.tx_bytes},
          .out = {.packets = link.rx_packets, .bytes = link.rx_bytes},
          .dropped_in = link.tx_dropped,
          .dropped_out = link.rx_dropped,
          .ports = {}};
}

Result<TrafficReport> Reader::read() {
  TRY(const auto usages, parts_.networks.list_networks());
  std::map<std::string, std::string> titles;
  for (const NetworkUsage& usage : usages) titles[usage.network.id] = title_of(usage.network);
  TRY(const auto endpoints, parts_.networks.list_endpoints(std::nullopt));
  std::vector<std::string> names;
  for (const Endpoint& endpoint : endpoints)
    if (auto name = host_side_of(endpoint); !name.empty()) names.push_back(std::move(name));
  TRY(const auto links, parts_.read_links(names));
  TrafficReport report;
  PortCounts counts;
  TRY(report.counts_ports, switch_ports());
  if (report.counts_ports) {
    TRY(report.counts_ports, read_ports(counts));
  }
  for (const Endpoint& endpoint : endpoints) {
    const auto link = links.find(host_side_of(endpoint));
    if (link == links.end()) continue;
    report.endpoints.push_back(traffic_of(endpoint, titles[endpoint.network_id], link->second));
    add_ports(endpoint, counts, report.endpoints.back());
  }
  std::ranges::sort(report.endpoints, {}, [](const EndpointTraffic& each) {
    return std::tie(each.network, each.container, each.endpoint_id);
  });
  return report;
}

}  // namespace

std::unique_ptr<TrafficReader> make_traffic_reader(TrafficParts parts) {
  return std::make_unique<Reader>(std::move(parts));
}

}  // namespace fairlead::network
