#include "plugin-api/metrics/metrics_handler.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "base/log.h"

namespace fairlead::metrics {

namespace {

// The samples of one name stand together, whichever collectors they are from.
void merge(Families& into, Families&& more) {
  for (Family& family : more) {
    const auto same = std::ranges::find(into, family.name, &Family::name);
    if (same == into.end())
      into.push_back(std::move(family));
    else
      std::ranges::move(family.samples, std::back_inserter(same->samples));
  }
}

Families collect_all(const std::vector<Collector>& collectors) {
  Families all;
  Family success{.name = "fairlead_collector_success",
                 .help = "Whether this part could be read (1) or is left out (0)."};
  Family took{.name = "fairlead_collector_duration_seconds",
              .help = "How long this scrape has taken for this part."};
  for (const Collector& collector : collectors) {
    const auto start = std::chrono::steady_clock::now();
    auto families = collector.collect();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    success.add({{"collector", collector.name}}, families ? 1 : 0);
    took.add({{"collector", collector.name}}, seconds.count());
    if (families)
      merge(all, *std::move(families));
    else
      log::warn("collect metrics",
                {{"collector", collector.name}, {"error", families.error().text}});
  }
  all.push_back(std::move(success));
  all.push_back(std::move(took));
  return all;
}

http::Response refuse(int status, std::string text) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .body = std::move(text),
          .headers = {}};
}

struct Scrapes {
  std::vector<Collector> collectors, of_traffic;
};

http::Response answer(const Scrapes& scrapes, const http::Request& request) {
  if (!is_scrape(request)) return refuse(404, "Here are /metrics and /metrics/traffic.\n");
  if (request.method != "GET" && request.method != "HEAD") {
    auto refused = refuse(405, request.path + " answers GET only.\n");
    refused.headers["Allow"] = "GET, HEAD";
    return refused;
  }
  const auto& collectors = request.path == kPath ? scrapes.collectors : scrapes.of_traffic;
  const auto accept = request.headers.find("accept");
  const Format format = format_for(accept == request.headers.end() ? "" : accept->second);
  return {.status = 200,
          .content_type = std::string(content_type(format)),
          .body = to_text(collect_all(collectors), format),
          .headers = {}};
}

}  // namespace

bool is_scrape(const http::Request& request) {
  return request.path == kPath || request.path == kTrafficPath;
}

http::Handler make_metrics_handler(std::vector<Collector> collectors,
                                   std::vector<Collector> of_traffic) {
  auto scrapes =
      std::make_shared<const Scrapes>(Scrapes{std::move(collectors), std::move(of_traffic)});
  return [scrapes](const http::Request& request) { return answer(*scrapes, request); };
}

}  // namespace fairlead::metrics
