// status(): what reconcile() would do, without doing it.
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "network/api/options.h"
#include "network/service/neighbours.h"
#include "network/service/overlaps.h"
#include "network/service/policy_checks.h"
#include "network/service/reconciler.h"
#include "network/service/report.h"

namespace fairlead::network {

namespace {

// How often status() compares again before it reports the table as altered.
constexpr int kMoreLooks = 3;
constexpr std::chrono::milliseconds kBetweenLooks{20};

}  // namespace

// Reports stray leases and dead endpoints. No lock is held, so what looks like a stray may be about
// to change; each record is read a second time, and counts only when it is unchanged.
Status Reconciler::look_for_strays(const Network& network, ServiceStatus& status) {
  std::vector<std::string> addresses, containers, unleased;
  TRY(const auto strays, addresses_.stray_leases(network));
  for (const auto& [pool, lease] : strays.nobodys) {
    TRY(const auto now, context_.ipam.find_lease(pool, lease.address));
    if (now == lease) addresses.push_back(lease.address.to_string());
  }
  for (const auto& [pool, address, endpoint_id] : strays.lost) {
    TRY(const auto lease, context_.ipam.find_lease(pool, address));
    TRY(const auto endpoint, context_.records.endpoint(network.id, endpoint_id));
    if (endpoint && (!lease || lease->owner != endpoint_id))
      unleased.push_back(address.to_string());
  }
  if (!unleased.empty())
    status.problems.push_back(
        fmt::format("containers of network {} have {} without a lease, so that others may get {}; "
                    "`fairlead reconcile` leases {} again",
                    network.name.str(), listed("address", "addresses", unleased),
                    unleased.size() == 1 ? "it" : "them", unleased.size() == 1 ? "it" : "them"));
  TRY(const auto endpoints, context_.records.endpoints(network.id));
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.phase != Phase::kReady) continue;
    TRY(const auto reason, removal_.reason_to_drop(network, endpoint));
    if (reason.empty()) continue;
    TRY(const auto now, context_.records.endpoint(network.id, endpoint.id));
    if (now && now->value == endpoint) containers.push_back(short_name_of(endpoint));
  }
  if (!addresses.empty())
    status.problems.push_back(
        fmt::format("no container has {} of network {}; `fairlead reconcile` frees {}",
                    listed("address", "addresses", addresses), network.name.str(),
                    addresses.size() == 1 ? "it" : "them"));
  if (!containers.empty())
    status.problems.push_back(
        fmt::format("{} of network {} lost {}; `fairlead reconcile` removes {}",
                    listed("endpoint", "endpoints", containers), network.name.str(),
                    containers.size() == 1 ? "its container" : "their containers",
                    containers.size() == 1 ? "it" : "them"));
  return {};
}

void Reconciler::look_for_missing(const Network& network, ServiceStatus& status) {
  const auto driver = context_.driver_of(network.options);
  if (!driver) return status.problems.push_back(driver.error().text);
  for (const std::string& link : (*driver)->missing(network))
    status.problems.push_back(
        fmt::format("{} of network {} is missing; `fairlead reconcile` makes it again", link,
                    network.name.str()));
  if (const std::string problem = (*driver)->problem(network); !problem.empty())
    status.problems.push_back(fmt::format("network {}: {}", network.name.str(), problem));
}

// No lock is held: a record that has changed since then is another call's affair.
Status Reconciler::look_for_lost_claims(ServiceStatus& status) {
  std::vector<std::string> ports;
  TRY(const auto lost, find_lost_claims());
  if (lost.empty()) return {};
  TRY(const auto again, find_lost_claims());
  for (const LostClaim& each : lost)
    if (std::ranges::any_of(again, [&](const LostClaim& other) {
          return other.port == each.port && other.endpoint_id == each.endpoint_id;
        }))
      ports.push_back(fmt::format("{}/{}", each.port.host_port, to_string(each.port.proto)));
  if (!ports.empty())
    status.problems.push_back(
        fmt::format("{} {} published without a claim, so that another container may publish {} as "
                    "well; `fairlead reconcile` claims {} again",
                    listed("host port", "host ports", ports), ports.size() == 1 ? "is" : "are",
                    ports.size() == 1 ? "it" : "them", ports.size() == 1 ? "it" : "them"));
  return {};
}

// A VPN, a bridge of Docker's or a new network card may come up over a subnet at any time. That is said,
// and never mended by moving the network: its containers have their addresses.
Status Reconciler::look_for_overlaps(const std::vector<Network>& networks, SortedStatus& sorted) {
  if (networks.empty()) return {};
  TRY(const auto host, context_.parts.links.host_routing().host_subnets());
  for (const Network& network : networks) {
    const auto driver = context_.driver_of(network.options);
    if (!driver || (*driver)->is_on_host_network(network)) continue;
    auto own = (*driver)->links_of(network);
    TRY(const auto endpoints, context_.records.endpoints(network.id));
    for (const Endpoint& endpoint : endpoints)
      std::ranges::move((*driver)->links_of(endpoint), std::back_inserter(own));
    std::ranges::move(overlaps_of(network, own, host), std::back_inserter(sorted.overlaps));
  }
  return {};
}

// Links are listed before records. One that is just being removed is looked for once more.
Status Reconciler::look_for_left_links(SortedStatus& sorted) {
  TRY(const auto left, left_links());
  if (left.empty()) return {};
  TRY(const auto again, left_links());
  for (const LeftLink& link : left)
    if (std::ranges::find(again, link.name, &LeftLink::name) != again.end())
      sorted.left_links.push_back(
          fmt::format("interface {} belongs to no network and no container that is known; "
                      "`fairlead reconcile` removes it",
                      link.name.str()));
  return {};
}

Result<ServiceStatus> Reconciler::status() {
  TRY(auto sorted, sorted_status());
  return std::move(sorted.status);
}

Result<SortedStatus> Reconciler::sorted_status() {
  SortedStatus sorted;
  ServiceStatus& status = sorted.status;
  TRY(auto networks, context_.records.networks());
  TRY(auto endpoints, context_.records.endpoints(""));
  TRY(auto pools, context_.ipam.list_pools());
  status.networks = networks.size();
  status.endpoints = endpoints.size();
  status.pools = pools.size();
  for (const Endpoint& endpoint : endpoints)
    for (const PublishedPort& port : endpoint.ports)
      status.ports += port.last() - port.host_port + 1U;
  TRY(status.leases, context_.ipam.count_leases());
  TRY(const auto stray_claims, context_.claims.count_strays());
  if (stray_claims > 0)
    status.problems.push_back(
        fmt::format("no container publishes {} that {} taken; `fairlead reconcile` frees {}",
                    counted(stray_claims, "host port"), stray_claims == 1 ? "is" : "are",
                    stray_claims == 1 ? "it" : "them"));
  TRY_STATUS(look_for_lost_claims(status));
  for (const Network& network : networks) {
    if (network.phase == Phase::kReady) TRY_STATUS(look_for_strays(network, status));
    if (network.phase != Phase::kReady)
      status.problems.push_back(fmt::format("network {} is {}; `fairlead reconcile` finishes it",
                                            network.name.str(), to_string(network.phase)));
    else
      look_for_missing(network, status);
  }
  TRY_STATUS(look_for_overlaps(networks, sorted));
  TRY_STATUS(look_for_left_links(sorted));
  TRY(const auto other_owner, context_.ownership.other_owner());
  if (other_owner) status.problems.push_back(context_.ownership.refusal(*other_owner).text);
  if (!networks.empty() && !other_owner) {
    auto differs = context_.firewall.difference();
    // While an endpoint is being attached or detached, the table differs for some milliseconds.
    for (int again = 0; again < kMoreLooks && differs && !differs->empty(); ++again) {
      std::this_thread::sleep_for(kBetweenLooks);
      differs = context_.firewall.difference();
    }
    if (!differs)
      status.problems.push_back(differs.error().text);
    else if (!differs->empty())
      status.problems.push_back(
          fmt::format("the nftables table is not as it was written: {}; `fairlead reconcile` "
                      "renders it again",
                      *differs));
  }
  if (const std::string why = context_.firewall.unsupported(); !why.empty())
    status.problems.push_back(
        fmt::format("what containers send is not checked, as this kernel has no nftables for "
                    "bridges (CONFIG_NF_TABLES_BRIDGE): {}",
                    why));
  if (!networks.empty()) {
    auto told = other_firewalls_.told();
    status.notes = std::move(told.notes);
    sorted.foreign = std::move(told.problems);
  }
  std::ranges::move(neighbour_problems(context_.parts.links.host_routing(), endpoints),
                    std::back_inserter(status.problems));
  TRY(const auto problems, surroundings_.problems());
  std::ranges::move(problems, std::back_inserter(status.problems));
  TRY(const auto servers, context_.records.name_servers(context_.parts.boot_id));
  for (const NameServer& place : servers.places)
    if (!place.problem.empty())
      (place.port == 0 ? sorted.name_service : status.notes).push_back(place.problem);
  TRY(const auto ways, surroundings_.notes());
  std::ranges::move(ways, std::back_inserter(status.notes));
  TRY(const auto policies, context_.records.policies());
  TRY(const auto world, context_.firewall.policy_world());
  auto remarks = remarks_on(policies.value, world);
  std::ranges::move(remarks.problems, std::back_inserter(status.problems));
  std::ranges::move(remarks.notes, std::back_inserter(status.notes));
  if (const auto rendered = context_.firewall.renderings(); rendered.count > 0)
    status.notes.push_back(
        fmt::format("the nftables table was rendered again {} time{} since the start, at last: {}",
                    rendered.count, rendered.count == 1 ? "" : "s", rendered.last_reason));
  for (const auto* matter :
       {&sorted.overlaps, &sorted.left_links, &sorted.foreign, &sorted.name_service})
    std::ranges::copy(*matter, std::back_inserter(status.problems));
  return sorted;
}

Result<SortedStatus> sorted_status(Mender& mender) {
  return static_cast<Reconciler&>(mender).sorted_status();  // the only one that there is
}

}  // namespace fairlead::network
