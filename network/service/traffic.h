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
};
std::unique_ptr<TrafficReader> make_traffic_reader(TrafficParts parts);

}  // namespace fairlead::network
