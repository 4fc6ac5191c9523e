#include <map>

#include "network/api/traffic.h"
#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

namespace {

using network::EndpointTraffic;
using network::PortTraffic;
using network::TrafficCount;
using network::TrafficReport;

// A family by its labels: containers of one name on one network count together.
class Sums {
 public:
  Sums(std::string name, std::string help)
      : family_{.name = std::move(name), .help = std::move(help), .type = Type::kCounter} {}
  void add(const Labels& labels, std::uint64_t value) { sums_[labels] += value; }
  Family family() {
    for (const auto& [labels, sum] : sums_) family_.add(labels, static_cast<double>(sum));
    return std::move(family_);
  }

 private:
  Family family_;
  std::map<Labels, std::uint64_t> sums_;
};

// What is received and sent, as the container sees it.
class TwoWays {
 public:
  TwoWays(const std::string& prefix, const std::string& what)
      : bytes_in_(prefix + "_receive_bytes", "Bytes that " + what + " received."),
        bytes_out_(prefix + "_transmit_bytes", "Bytes that " + what + " sent."),
        packets_in_(prefix + "_receive_packets", "Packets that " + what + " received."),
        packets_out_(prefix + "_transmit_packets", "Packets that " + what + " sent.") {}

  void add(const Labels& labels, const TrafficCount& in, const TrafficCount& out) {
    bytes_in_.add(labels, in.bytes);
    bytes_out_.add(labels, out.bytes);
    packets_in_.add(labels, in.packets);
    packets_out_.add(labels, out.packets);
  }
  void move_to(Families& families) {
    for (Sums* sums : {&bytes_in_, &bytes_out_, &packets_in_, &packets_out_})
      families.push_back(sums->family());
  }

 private:
  Sums bytes_in_, bytes_out_, packets_in_, packets_out_;
};

Families families_of(const TrafficReport& report) {
  TwoWays endpoints("fairlead_endpoint", "the container");
  TwoWays ports("fairlead_port", "the published port");
  Sums dropped_in("fairlead_endpoint_receive_dropped",
                  "Packets to the container that its link dropped.");
  Sums dropped_out("fairlead_endpoint_transmit_dropped",
                   "Packets from the container that its link dropped.");
  for (const EndpointTraffic& each : report.endpoints) {
    const Labels labels{{"network", each.network}, {"container", each.container}};
    endpoints.add(labels, each.in, each.out);
    dropped_in.add(labels, each.dropped_in);
    dropped_out.add(labels, each.dropped_out);
    for (const PortTraffic& port : each.ports) {
      Labels of_port = labels;
      of_port.emplace_back("protocol", to_string(port.port.proto));
      of_port.emplace_back("port", std::to_string(port.container_port));
      ports.add(of_port, port.in, port.out);
    }
  }
  Families families;
  endpoints.move_to(families);
  families.push_back(dropped_in.family());
  families.push_back(dropped_out.family());
  ports.move_to(families);
  return families;
}

}  // namespace

Collector traffic_collector(network::TrafficReader& traffic) {
  return {"traffic", [&traffic]() -> Result<Families> {
            TRY(const auto report, traffic.read());
            return families_of(report);
          }};
}

}  // namespace fairlead::metrics
