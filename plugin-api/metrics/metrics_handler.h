// GET /metrics and /metrics/traffic, for Prometheus and whatever reads its formats.
#pragma once

#include <vector>

#include "plugin-api/http/message.h"
#include "plugin-api/metrics/collectors.h"

namespace fairlead::metrics {

inline constexpr const char* kPath = "/metrics";
// Apart, as its series grow with the containers and change with them: who wants them scrapes them, in an
// interval of their own.
inline constexpr const char* kTrafficPath = "/metrics/traffic";
bool is_scrape(const http::Request& request);

// Answers these paths (404 for all else), in the format that the Accept header asks for. A collector that
// fails leaves its families out and the scrape whole: fairlead_collector_success says so.
http::Handler make_metrics_handler(std::vector<Collector> collectors,
                                   std::vector<Collector> of_traffic);

}  // namespace fairlead::metrics
