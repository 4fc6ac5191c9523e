#include "network/service/firewall_sync.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "network/nat/nat.h"

namespace fairlead::network {

namespace {

nat::NatState as_state(const UnderlayRecord& record) {
  nat::NatUnderlay underlay{
      .tunnels = {}, .hosts = record.hosts, .wireguard_links = record.wireguard_links};
  if (record.port) underlay.ports.push_back(*record.port);
  return {.underlay = std::move(underlay)};
}

nat::NatState ports_of(const Network& network, const Endpoint& endpoint) {
  nat::NatState state;
  for (const PublishedPort& port : endpoint.ports)
    state.ports.push_back(nat::nat_port(network, endpoint, port));
  return state;
}

std::string in_short(std::vector<std::string> words) {
  constexpr std::size_t kMost = 3;
  const std::string more =
      words.size() > kMost ? fmt::format(", and {} more differences", words.size() - kMost) : "";
  words.resize(std::min(words.size(), kMost));
  return fmt::format("{}{}", fmt::join(words, ", "), more);
}

}  // namespace

FirewallSync::FirewallSync(const Tables& tables, RecordStore& records, Ownership& ownership,
                           const Drivers& drivers, NamedLocks& locks, Host host)
    : packets_(tables.packets, kernel::TableFamily::kInet, ownership, [this] { return wanted(); }),
      frames_(tables.frames, kernel::TableFamily::kBridge, ownership, [this] { return wanted(); }),
      records_(records),
      drivers_(drivers),
      locks_(locks),
      host_(std::move(host)) {}

// Nothing of a network whose driver is unknown to this version.
FirewallLinks FirewallSync::links_of(const Network& network) const {
  const auto driver = drivers_.find(network.options.mode);
  return driver == drivers_.end() ? FirewallLinks() : driver->second->firewall_links(network);
}

void FirewallSync::add_network(const Network& network, nat::NatState& state) const {
  const FirewallLinks links = links_of(network);
  for (const IfName& interface : links.interfaces)
    state.networks.push_back(nat::nat_network(network, interface, links.shared, links.routed));
  for (const FirewallLinks::Tunnel& tunnel : links.tunnels)
    state.underlay.tunnels.push_back(
        {.vni = tunnel.vni, .port = tunnel.port, .encrypted = tunnel.encrypted});
}

Result<nat::NatState> FirewallSync::state_of(const Network& network) {
  nat::NatState state;
  add_network(network, state);
  TRY(const auto servers, records_.name_servers(host_.boot_id));
  add_questions(network, servers, state.host);
  return state;
}

namespace {

// A gateway that several networks have in common is answered at one place, whatever the client's network.
std::optional<std::uint16_t> port_at(const NameServers& servers, const IpAddress& gateway) {
  for (const NameServer& place : servers.places)
    if (place.address == gateway && place.port != 0) return place.port;
  return std::nullopt;
}

std::vector<Cidr> subnets_of(const Network& network, Family family) {
  std::vector<Cidr> subnets;
  for (const Subnet& subnet : network.subnets)
    if (subnet.subnet.family() == family) subnets.push_back(subnet.subnet);
  return subnets;
}

bool is_inside(const Network& network, const IpAddress& address) {
  return std::ranges::any_of(network.subnets,
                             [&](const Subnet& subnet) { return subnet.subnet.contains(address); });
}

}  // namespace

// What is asked at a gateway, and by the family's first one what the host's own servers are asked: those on a bridge that is
// also others' are left alone, and a server of the host's loopback interface is out of reach anyway.
void FirewallSync::add_questions(const Network& network, const NameServers& servers,
                                 nat::NatHost& host) const {
  const auto driver = drivers_.find(network.options.mode);
  if (!network.options.dns || driver == drivers_.end()) return;
  const FirewallLinks links = links_of(network);
  std::set<Family> intercepted;
  for (const IpAddress& gateway : driver->second->own_gateways(network)) {
    const auto port = port_at(servers, gateway);
    if (!port) continue;
    std::vector<IpAddress> asked{gateway};
    const bool first = intercepted.insert(gateway.family()).second;
    if (network.options.dns_intercept && !links.shared && first)
      std::ranges::copy_if(
          servers.upstreams, std::back_inserter(asked), [&](const IpAddress& each) {
            return each.family() == gateway.family() && each != gateway && !each.is_loopback();
          });
    for (const IfName& link : links.interfaces)
      for (const IpAddress& each : asked)
        host.questions.push_back({.link = link,
                                  .routed = links.routed,
                                  .asked = each,
                                  .gateway = gateway,
                                  .port = *port,
                                  .by_host = each == gateway && is_inside(network, gateway),
                                  .clients = subnets_of(network, gateway.family())});
  }
}

// On a bridge that is Fairlead's alone the whole network is confined, if it is.
void FirewallSync::add_endpoint(const Network& network, const Endpoint& endpoint,
                                nat::NatState& state) const {
  const auto driver = drivers_.find(network.options.mode);
  if (driver == drivers_.end()) return;
  if (const auto link = driver->second->routed_link(endpoint))
    state.reporters.push_back(nat::nat_reporter(endpoint, *link));
  const auto port = driver->second->bridge_port(endpoint);
  if (!port) return;
  state.senders.push_back(nat::nat_sender(network, endpoint, *port));
  const FirewallLinks links = driver->second->firewall_links(network);
  if (!network.internal || network.options.host_access || !links.shared) return;
  for (const IfName& bridge : links.interfaces)
    for (const Cidr& address : endpoint.addresses)
      state.confined.push_back({.bridge = bridge, .address = address.address()});
}

Status FirewallSync::change(TableSync& table, const nat::NatState& before,
                            const nat::NatState& after) {
  TRY(const std::string rendered, table.change(before, after));
  if (!rendered.empty()) note_rendered(rendered);
  return {};
}

Status FirewallSync::admit(const Network& network) {
  TRY_STATUS(ensure());
  TRY(const auto state, state_of(network));
  TRY_STATUS(change(packets_, {}, state));
  return policies_of_networks(nullptr);
}

// A table that is not present may be another store's.
Status FirewallSync::dismiss(const Network& network) {
  TRY(const bool there, packets_.present());
  if (!there) return {};
  TRY(const auto state, state_of(network));
  TRY_STATUS(packets_.drop(state));
  return policies_of_networks(&network);
}

// "outside" is what no network has, and a network may have a list of its own.
Status FirewallSync::policies_of_networks(const Network* leaving) {
  TRY(const auto stored, records_.policies());
  TRY(const auto networks, records_.networks());
  const bool any =
      !stored.value.policies.empty() || std::ranges::any_of(networks, [](const Network& network) {
        return !network.options.egress_allow.empty();
      });
  if (!any) return {};
  TRY(const auto guard, lock_policies());
  return write_policies({.network = leaving});
}

Status FirewallSync::change_underlay(const UnderlayRecord& before, const UnderlayRecord& after) {
  TRY(const bool there, packets_.present());
  if (!there) return {};  // the table is rendered with the first network
  return change(packets_, as_state(before), as_state(after));
}

nat::NatHost FirewallSync::host_of(const ForwardingRecord& record) const {
  nat::NatHost host;
  if (host_.allow_forwarding || record.boot_id != host_.boot_id) return host;
  if (record.v4) host.not_routed.push_back(Family::kV4);
  if (record.v6) host.not_routed.push_back(Family::kV6);
  return host;
}

Result<bool> FirewallSync::holds_strangers() {
  TRY(const auto forwarding, records_.forwarding());
  return !host_of(forwarding).not_routed.empty();
}

Status FirewallSync::change_forwarding(const ForwardingRecord& before,
                                       const ForwardingRecord& after) {
  TRY(const bool there, packets_.present());
  if (!there) return packets_.render();
  return change(packets_, {.host = host_of(before)}, {.host = host_of(after)});
}

// The marks and addresses of another boot are void.
void FirewallSync::add_surroundings(const SurroundingsRecord& record, nat::NatHost& host) const {
  if (record.boot_id != host_.boot_id) return;
  for (const UplinkRecord& each : record.uplinks)
    if (const auto link = IfName::parse(each.link))
      host.uplinks.push_back({*link, each.address, each.mark});
  for (const BroadcastRecord& each : record.broadcasts)
    if (const auto link = IfName::parse(each.link))
      host.broadcasts.push_back({*link, each.subnet, each.destination, each.address});
}

Status FirewallSync::change_surroundings(const SurroundingsRecord& before,
                                         const SurroundingsRecord& after) {
  TRY(const bool there, packets_.present());
  if (!there) return {};  // the table is rendered with the first network
  nat::NatState had, has;
  add_surroundings(before, had.host);
  add_surroundings(after, has.host);
  return change(packets_, had, has);
}

Result<nat::NatHost> FirewallSync::questions_of(const NameServers& servers) {
  nat::NatHost host;
  TRY(const auto networks, records_.networks());
  for (const Network& network : networks)
    if (network.phase == Phase::kReady) add_questions(network, servers, host);
  return host;
}

Result<std::vector<nat::NatQuestions>> FirewallSync::change_names(const NameServers& before,
                                                                  const NameServers& after) {
  TRY(const bool there, packets_.present());
  if (!there)
    return std::vector<nat::NatQuestions>();  // the table is rendered with the first network
  TRY(auto had, questions_of(before));
  TRY(auto has, questions_of(after));
  TRY_STATUS(change(packets_, {.host = had}, {.host = has}));
  std::ranges::sort(had.questions);
  std::ranges::sort(has.questions);
  std::vector<nat::NatQuestions> changed;
  std::ranges::set_symmetric_difference(had.questions, has.questions, std::back_inserter(changed));
  return changed;
}

Status FirewallSync::admit(const Network& network, const Endpoint& endpoint) {
  nat::NatState state = ports_of(network, endpoint);
  add_endpoint(network, endpoint, state);
  TRY_STATUS(select_endpoint());
  TRY_STATUS(change(frames_, {}, state));
  return change(packets_, {}, state);
}

Result<NamedLocks::Guard> FirewallSync::lock_policies() {
  constexpr std::chrono::milliseconds kDeadline{8000};
  return locks_.lock("policies", kDeadline);
}

// With the networks that are being made: what policies say of one holds before it is ready.
Result<PolicyWorld> FirewallSync::policy_world() {
  PolicyWorld world;
  TRY(world.networks, records_.networks());
  std::erase_if(world.networks,
                [](const Network& network) { return network.phase == Phase::kDeleting; });
  TRY(world.endpoints, records_.endpoints(""));
  std::erase_if(world.endpoints, [&](const Endpoint& endpoint) {
    return endpoint.boot_id != host_.boot_id || endpoint.phase == Phase::kDeleting;
  });
  records_.add_names(world.networks);
  records_.add_names(world.endpoints);
  TRY(world.names, records_.policy_names());
  return world;
}

Status FirewallSync::write_policies() { return write_policies(Leaving{}); }

Status FirewallSync::write_policies(const Leaving& leaving) {
  TRY(const bool there, packets_.present());
  if (!there) return {};  // it is rendered with all of them
  TRY(const auto stored, records_.policies());
  TRY(auto world, policy_world());
  if (leaving.network != nullptr)
    std::erase_if(world.networks,
                  [&](const Network& network) { return network.id == leaving.network->id; });
  if (leaving.endpoint != nullptr)
    std::erase_if(world.endpoints, [&](const Endpoint& endpoint) {
      return endpoint.id == leaving.endpoint->id &&
             endpoint.network_id == leaving.endpoint->network_id;
    });
  TRY(const std::string rendered,
      packets_.replace(nat::policy_set_names(), {.policies = meaning_of(stored.value, world)}));
  if (!rendered.empty()) note_rendered(rendered);
  return {};
}

Status FirewallSync::select_endpoint(const Endpoint* leaving) {
  TRY(const bool any, records_.any_policy_selects());
  if (!any) return {};
  TRY(const auto guard, lock_policies());
  return write_policies({.endpoint = leaving});
}

Status FirewallSync::change(const Network& network, const Endpoint& before, const Endpoint& after) {
  nat::NatState had = ports_of(network, before), has = ports_of(network, after);
  add_endpoint(network, before, had);
  add_endpoint(network, after, has);
  TRY_STATUS(select_endpoint());
  TRY_STATUS(change(frames_, had, has));
  return change(packets_, had, has);
}

Status FirewallSync::change_ports(const Network& network, const Endpoint& before,
                                  const Endpoint& after) {
  return change(packets_, ports_of(network, before), ports_of(network, after));
}

Status FirewallSync::drop_ports(const Network& network, std::span<const Endpoint> endpoints) {
  nat::NatState present;
  for (const Endpoint& endpoint : endpoints)
    if (endpoint.boot_id == host_.boot_id)
      std::ranges::move(ports_of(network, endpoint).ports, std::back_inserter(present.ports));
  return packets_.drop(present);
}

Status FirewallSync::dismiss(const Network& network, const Endpoint& endpoint) {
  if (endpoint.boot_id != host_.boot_id) return {};
  nat::NatState state;
  add_endpoint(network, endpoint, state);
  TRY_STATUS(packets_.drop(state));
  TRY_STATUS(frames_.drop(state));
  return select_endpoint(&endpoint);
}

Status FirewallSync::check(const Network& network, const Endpoint& endpoint) {
  nat::NatState state = ports_of(network, endpoint);
  add_endpoint(network, endpoint, state);
  for (TableSync* table : {&packets_, &frames_}) {
    TRY(const bool there, table->present());
    if (!there)
      return fail(Code::kConflict,
                  "the firewall table is missing; `fairlead reconcile` makes it again");
    TRY(const auto altered, table->altered_chains(state));
    if (!altered.empty())
      return fail(Code::kConflict,
                  "the firewall table is not as it was written: {}; `fairlead reconcile` mends it",
                  in_short(altered));
    TRY(const auto lacking, table->lacking(state));
    if (!lacking.empty())
      return fail(Code::kConflict, "{}: {} is missing; `fairlead reconcile` mends it",
                  table == &packets_ ? "a port is not published any more"
                                     : "the container can send nothing any more",
                  lacking);
  }
  return {};
}

Status FirewallSync::ensure() {
  TRY_STATUS(packets_.ensure());
  return frames_.ensure();
}

Result<nat::NatState> FirewallSync::wanted() {
  TRY(const auto underlay, records_.underlay());
  nat::NatState wanted = as_state(underlay);
  TRY(const auto forwarding, records_.forwarding());
  wanted.host = host_of(forwarding);
  TRY(const auto surroundings, records_.surroundings());
  add_surroundings(surroundings, wanted.host);
  TRY(const auto servers, records_.name_servers(host_.boot_id));
  TRY(const auto stored, records_.networks());
  for (const Network& network : stored) {
    if (network.phase != Phase::kReady) continue;
    add_network(network, wanted);
    add_questions(network, servers, wanted.host);
    TRY(const auto endpoints, records_.endpoints(network.id));
    for (const Endpoint& endpoint : endpoints) {
      if (endpoint.boot_id != host_.boot_id) continue;
      add_endpoint(network, endpoint, wanted);
      std::ranges::move(ports_of(network, endpoint).ports, std::back_inserter(wanted.ports));
    }
  }
  TRY(const auto policies, records_.policies());
  TRY(const auto world, policy_world());
  wanted.policies = meaning_of(policies.value, world);
  return wanted;
}

// That of packets stays without networks where it holds strangers; that of bridges does not.
Result<std::vector<TableSync*>> FirewallSync::tables() {
  TRY(const auto networks, records_.networks());
  if (networks.empty()) return std::vector{&packets_};
  return std::vector{&packets_, &frames_};
}

Result<std::string> FirewallSync::difference() {
  TRY(const auto all, tables());
  std::vector<std::string> words;
  for (TableSync* table : all) {
    TRY(auto of_table, table->differences());
    std::ranges::move(of_table, std::back_inserter(words));
  }
  return in_short(std::move(words));
}

Status FirewallSync::tidy() { return packets_.tidy_limits(); }

Result<std::string> FirewallSync::restore() {
  TRY(const auto all, tables());
  std::string reason;
  for (TableSync* table : all) {
    TRY(const bool restored, table->restore());
    if (restored && reason.empty())
      reason = table == &packets_ ? "the table is missing" : "the table of bridges is missing";
  }
  if (!reason.empty()) note_rendered(reason);
  return reason;
}

// A table that somebody alters so fast that it cannot be read is altered.
Result<std::string> FirewallSync::repair() {
  TRY(const auto all, tables());
  std::vector<std::string> reasons;
  for (TableSync* table : all) {
    auto differs = table->differences();
    if (!differs && differs.error().code == Code::kUnavailable)
      differs = std::vector{differs.error().text};
    if (!differs) return fail(differs.error());
    if (differs->empty()) continue;
    TRY_STATUS(table->render());
    std::ranges::move(*differs, std::back_inserter(reasons));
  }
  if (reasons.empty()) return std::string();
  const std::string reason = in_short(std::move(reasons));
  note_rendered(reason);
  return reason;
}

void FirewallSync::note_rendered(const std::string& reason) {
  const std::scoped_lock hold(guard_);
  ++renderings_.count;
  renderings_.last_reason = reason;
  if (const auto skipped = log_limit_.admit(std::chrono::steady_clock::now()))
    log::warn("rendered the firewall table again",
              {{"cause", reason}, {"renderings", renderings_.count}, {"not_logged", *skipped}});
}

FirewallSync::Renderings FirewallSync::renderings() const {
  const std::scoped_lock hold(guard_);
  return renderings_;
}

std::string FirewallSync::unsupported() const { return frames_.unsupported(); }

Status FirewallSync::withdraw() {
  TRY_STATUS(frames_.withdraw());
  TRY(const bool needed, holds_strangers());
  return needed ? packets_.keep() : packets_.withdraw();
}

}  // namespace fairlead::network
