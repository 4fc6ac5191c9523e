#include "plugin-api/bin/daemon_metrics.h"

#include <algorithm>
#include <chrono>

#include "plugin-api/bin/version.h"
#include "plugin-api/docker/docker_handler.h"
#include "plugin-api/native/native_handler.h"

namespace fairlead {

namespace {

using metrics::Families;
using metrics::Outcome;
using metrics::Type;

// Prometheus scrapes every 15 to 60 s; file systems are asked once for all who scrape meanwhile.
constexpr std::chrono::seconds kVolumesAge{10}, kProblemsAge{30}, kClusterAge{10};
constexpr std::chrono::milliseconds kPatience{500};

constexpr std::array<const char*, kRepairs> kRepairNames{
    "firewall",        "links",    "forwarding", "settings",
    "other_firewalls", "networks", "volumes",    "pools"};

// The exit code that the thin client hands on.
metrics::Protocol thin_protocol(std::string name, std::vector<std::string> verbs,
                                std::string command, std::string exit_code) {
  return {.name = std::move(name),
          .verbs = std::move(verbs),
          .verb_of =
              [command = std::move(command)](const http::Request& request) {
                const auto found = request.headers.find(command);
                return found == request.headers.end() ? std::string() : found->second;
              },
          .outcome_of =
              [exit_code = std::move(exit_code)](const http::Response& response) {
                const auto found = response.headers.find(exit_code);
                if (found == response.headers.end()) return metrics::outcome_of_status(response);
                return found->second == "0" ? Outcome::kOk : Outcome::kFailed;
              }};
}

}  // namespace

Repair repair_of(const network::Damage& damage) {
  if (damage.table) return Repair::kFirewall;
  if (!damage.links.empty()) return Repair::kLinks;
  if (damage.forwarding || damage.routes) return Repair::kForwarding;
  return damage.other_firewalls ? Repair::kOtherFirewalls : Repair::kSettings;
}

DaemonMetrics::DaemonMetrics(Core& core, const StoreTimes& etcd)
    : core_(core),
      etcd_(etcd),
      volumes_(metrics::volume_collector({core.volumes(), core.volume_pools(), core.volume_jobs()}),
               kVolumesAge, kPatience),
      problems_(metrics::problem_collector(core.networks(), core.volumes()), kProblemsAge,
                kPatience) {
  if (core.cluster() != nullptr)
    cluster_.emplace(metrics::cluster_collector(*core.cluster()), kClusterAge, kPatience);
}

http::Handler DaemonMetrics::of_docker(http::Handler next) {
  const auto names = docker::verb_names();
  return calls_.measured(
      {.name = "docker",
       .verbs = {names.begin(), names.end()},
       .verb_of =
           [](const http::Request& request) {
             return request.path.substr(std::min<std::size_t>(1, request.path.size()));
           }},
      std::move(next));
}

http::Handler DaemonMetrics::of_native(http::Handler next) {
  metrics::Protocol protocol{.name = "native", .verbs = {}, .verb_of = native::verb_of};
  for (const native::RouteInfo& route : native::route_table())
    protocol.verbs.push_back(fmt::format("{} {}", route.method, route.pattern));
  return calls_.measured(std::move(protocol), std::move(next));
}

http::Handler DaemonMetrics::of_cni(http::Handler next) {
  return calls_.measured(thin_protocol("cni", {"ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"},
                                       "x-cni-command", "X-CNI-Exit"),
                         std::move(next));
}

http::Handler DaemonMetrics::of_netavark(http::Handler next) {
  return calls_.measured(
      thin_protocol("netavark", {"create", "setup", "teardown", "update", "info"},
                    "x-netavark-command", "X-Netavark-Exit"),
      std::move(next));
}

void DaemonMetrics::repaired(Repair kind, std::size_t count) {
  repairs_[static_cast<std::size_t>(kind)].add(count);
}

void DaemonMetrics::answers_names(const NameAnswering* names) {
  const std::scoped_lock hold(guard_);
  names_ = names;
}

Result<Families> DaemonMetrics::repairs() const {
  metrics::Family family{.name = "fairlead_repairs",
                         .help = "What others had broken and was put right, by kind.",
                         .type = Type::kCounter};
  for (std::size_t i = 0; i < kRepairs; ++i)
    family.add({{"kind", kRepairNames[i]}}, static_cast<double>(repairs_[i].value()));
  return Families{std::move(family)};
}

Result<Families> DaemonMetrics::names() {
  const std::scoped_lock hold(guard_);
  if (names_ == nullptr) return Families();
  const dns::ServerCounters counters = names_->counters();
  metrics::Family queries{.name = "fairlead_dns_queries",
                          .help = "Questions that containers asked the name service.",
                          .type = Type::kCounter};
  queries.add({}, static_cast<double>(counters.queries));
  metrics::Family results{
      .name = "fairlead_dns_results",
      .help =
          "What became of them: answered from the network's own names, from the "
          "cache, by other servers, failed, or ignored.",
      .type = Type::kCounter};
  for (const auto& [result, count] :
       {std::pair{"answered", counters.answered}, std::pair{"cache", counters.from_cache},
        std::pair{"forwarded", counters.forwarded}, std::pair{"failed", counters.failed},
        std::pair{"ignored", counters.ignored}})
    results.add({{"result", result}}, static_cast<double>(count));
  return Families{std::move(queries), std::move(results)};
}

http::Handler DaemonMetrics::handler() {
  std::vector<metrics::Collector> collectors{metrics::build_collector(std::string(kVersion)),
                                             calls_.collector(),
                                             metrics::network_collector(core_.networks()),
                                             volumes_.collector(),
                                             problems_.collector(),
                                             {"repairs", [this] { return repairs(); }},
                                             {"dns", [this] { return names(); }},
                                             metrics::process_collector()};
  if (cluster_) {
    collectors.push_back(cluster_->collector());
    collectors.push_back({"etcd", [this]() -> Result<Families> { return etcd_.families(); }});
  }
  return metrics::make_metrics_handler(std::move(collectors),
                                       {metrics::traffic_collector(core_.traffic())});
}

}  // namespace fairlead
