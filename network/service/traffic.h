// Traffic by endpoint and port: which link and which element is whose, by the records.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "network/api/service.h"
#include "network/api/traffic.h"
#include "network/kernel/firewall/counters.h"
#include "network/kernel/links/traffic.h"

namespace fairlead::network {

struct TrafficParts {
  NetworkService& networks;  // must outlive the reader
  // kernel::read_link_traffic
  std::function<Result<std::map<std::string, kernel::LinkTraffic>>(std::span<const std::string>)>
      read_links;
  std::unique_ptr<kernel::ElementCounters> counters;  // of the table inet fairlead
  kernel::Firewall& firewall;                         // the same table
  // Whether ports are counted. They are from the first reading on, so that nobody pays who never looks;
  // a table that is made anew begins again with the next one.
  bool counts_ports = true;
};
std::unique_ptr<TrafficReader> make_traffic_reader(TrafficParts parts);

}  // namespace fairlead::network
