#include "network/service/flows.h"

#include <netinet/in.h>

#include <algorithm>

#include "base/log.h"

namespace fairlead::network {

namespace {

using Filters = std::vector<kernel::FlowFilter>;

constexpr std::uint16_t kDomainPort = 53;

// In the order of ports, consecutive ones are one filter.
void add(Filters& filters, kernel::FlowFilter filter) {
  filter.to_host = true;
  if (filter.destination && filter.destination->is_any()) filter.destination.reset();
  const bool follows = !filters.empty() && filters.back().proto == filter.proto &&
                       filters.back().destination == filter.destination &&
                       filters.back().destination_port_last + 1 == filter.destination_port;
  if (follows)
    filters.back().destination_port_last = filter.destination_port_last;
  else
    filters.push_back(std::move(filter));
}

// Others ask the host's servers too: only the network's clients were led elsewhere.
void add(Filters& filters, const nat::NatQuestions& questions) {
  const kernel::FlowFilter filter{
      .proto = IPPROTO_UDP, .destination = questions.asked, .destination_port = kDomainPort};
  if (questions.asked == questions.gateway) return filters.push_back(filter);
  for (const Cidr& clients : questions.clients) {
    filters.push_back(filter);
    filters.back().source = clients;
  }
}

}  // namespace

void Flows::forget(const Endpoint& endpoint, std::span<const PublishedPort> ports) {
  std::vector<PublishedPort> of_udp;
  std::ranges::copy_if(ports, std::back_inserter(of_udp),
                       [](const PublishedPort& port) { return port.proto == Proto::kUdp; });
  forget_all(endpoint, std::move(of_udp));
}

void Flows::forget_all(const Endpoint& endpoint, std::vector<PublishedPort> ports) {
  std::ranges::sort(ports);
  Filters filters;
  for (const PublishedPort& port : ports)
    add(filters, {.proto = static_cast<std::uint8_t>(port.proto),
                  .destination = port.host_ip,
                  .destination_port = port.host_port,
                  .destination_port_last = port.last()});
  forget_filters(filters, endpoint.id.substr(0, 12));
}

void Flows::forget(std::span<const nat::NatQuestions> questions) {
  Filters filters;
  for (const nat::NatQuestions& each : questions) add(filters, each);
  forget_filters(filters, "questions for names");
}

void Flows::forget(const nat::NatState& state) {
  Filters filters;
  for (const nat::NatPort& port : state.ports)
    if (port.proto == Proto::kUdp)
      add(filters, {.proto = IPPROTO_UDP,
                    .destination = port.host_ip,
                    .destination_port = port.host_port,
                    .destination_port_last = std::max(port.host_port, port.host_port_end),
                    .led_nowhere = true});
  for (const nat::NatQuestions& each : state.host.questions) add(filters, each);
  forget_filters(filters, "the whole table");
}

void Flows::forget_filters(std::span<const kernel::FlowFilter> filters, std::string_view of) {
  if (filters.empty()) return;
  if (const auto forgotten = conntrack_.forget(filters); !forgotten)
    log::warn("forget flows that were led elsewhere",
              {{"of", of}, {"error", forgotten.error().text}});
}

}  // namespace fairlead::network
