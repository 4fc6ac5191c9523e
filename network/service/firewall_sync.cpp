#include "network/service/firewall_sync.h"

#include <algorithm>
#include <map>

#include "base/log.h"
#include "network/nat/nat.h"

namespace fairlead::network {

namespace {

using Changes = std::vector<kernel::ElementChange>;

void append(Changes& changes, Changes more) {
  changes.insert(changes.end(), more.begin(), more.end());
}

bool has_port(const Endpoint& endpoint, const PublishedPort& port) {
  return std::ranges::find(endpoint.ports, port) != endpoint.ports.end();
}

bool before(const kernel::Element& a, const kernel::Element& b) {
  return std::ranges::lexicographical_compare(a.key.bytes(), b.key.bytes());
}

// Ports of routed networks may share an element, which the kernel holds only once.
bool same_elements(std::vector<kernel::Element> have, std::vector<kernel::Element> want) {
  std::ranges::sort(have, before);
  std::ranges::sort(want, before);
  want.erase(std::unique(want.begin(), want.end()), want.end());
  return have == want;
}

nat::NatUnderlay tunnels_of(const FirewallLinks& links) {
  nat::NatUnderlay underlay;
  for (const FirewallLinks::Tunnel& tunnel : links.tunnels)
    underlay.tunnels.push_back(
        {.vni = tunnel.vni, .port = tunnel.port, .encrypted = tunnel.encrypted});
  return underlay;
}

nat::NatUnderlay underlay_of(const UnderlayRecord& record) {
  nat::NatUnderlay underlay{
      .tunnels = {}, .hosts = record.hosts, .wireguard_links = record.wireguard_links};
  if (record.port) underlay.ports.push_back(*record.port);
  return underlay;
}

}  // namespace

Status FirewallSync::apply(std::span<const kernel::ElementChange> changes) {
  const Status done = firewall_.apply(changes);
  const bool astray =
      !done && (done.error().code == Code::kNotFound || done.error().code == Code::kExists);
  if (!astray) return done;
  log::warn("firewall table was not as the records say: rendered again",
            {{"cause", done.error().text}});
  return render();
}

// Nothing of a network whose driver is unknown to this version.
FirewallLinks FirewallSync::links_of(const Network& network) const {
  const auto driver = drivers_.find(network.options.mode);
  return driver == drivers_.end() ? FirewallLinks() : driver->second->firewall_links(network);
}

Status FirewallSync::admit(const Network& network) {
  TRY_STATUS(ensure());
  const FirewallLinks links = links_of(network);
  Changes changes;
  for (const IfName& interface : links.interfaces)
    append(changes, nat::admit_network(nat::nat_network(network, interface)));
  append(changes, nat::admit_underlay(tunnels_of(links)));
  return apply(changes);
}

Status FirewallSync::dismiss(const Network& network) {
  TRY(const bool there, present());
  if (!there) return {};
  const FirewallLinks links = links_of(network);
  Changes changes;
  for (const IfName& interface : links.interfaces)
    append(changes, nat::dismiss_network(nat::nat_network(network, interface)));
  append(changes, nat::dismiss_underlay(tunnels_of(links)));
  return apply(changes);
}

Status FirewallSync::change_underlay(const UnderlayRecord& before, const UnderlayRecord& after) {
  TRY(const bool there, present());
  if (!there) return {};  // the table is rendered with the first network
  return apply(nat::change_underlay(underlay_of(before), underlay_of(after)));
}

Status FirewallSync::change_ports(const Network& network, const Endpoint& before,
                                  const Endpoint& after) {
  Changes changes;
  for (const PublishedPort& port : before.ports)
    if (!has_port(after, port))
      append(changes, nat::unpublish(nat::nat_port(network, before, port)));
  for (const PublishedPort& port : after.ports)
    if (!has_port(before, port)) append(changes, nat::publish(nat::nat_port(network, after, port)));
  if (changes.empty()) return {};
  return apply(changes);
}

Status FirewallSync::drop_ports(const Network& network, std::span<const Endpoint> endpoints) {
  Changes changes;
  for (const Endpoint& endpoint : endpoints) {
    if (endpoint.boot_id != boot_id_) continue;  // the elements may belong to another store by now
    for (const PublishedPort& port : endpoint.ports)
      append(changes, nat::unpublish(nat::nat_port(network, endpoint, port)));
  }
  if (changes.empty()) return {};
  const Status done = firewall_.apply(changes);
  if (!done && done.error().code == Code::kNotFound)
    return {};  // the whole table is gone, and with it the elements
  return done;
}

Status FirewallSync::check_ports(const Network& network, const Endpoint& endpoint) {
  TRY(const bool there, present());
  if (!there)
    return fail(Code::kConflict,
                "the firewall table is missing; `fairlead reconcile` makes it again");
  TRY(const std::string altered, altered_chains());
  if (!altered.empty())
    return fail(Code::kConflict,
                "the firewall table is not as it was written: {}; `fairlead reconcile` mends it",
                altered);
  std::map<std::string, std::vector<kernel::Element>> sets;
  for (const PublishedPort& port : endpoint.ports) {
    for (const kernel::ElementChange& change :
         nat::publish(nat::nat_port(network, endpoint, port))) {
      const auto [set, fresh] = sets.try_emplace(change.element.set);
      if (fresh) {
        TRY(set->second, firewall_.elements(change.element.set));
      }
      if (std::ranges::find(set->second, change.element) == set->second.end())
        return fail(Code::kConflict,
                    "port {}/{} is not published any more; `fairlead reconcile` mends it",
                    port.host_port, to_string(port.proto));
    }
  }
  return {};
}

Status FirewallSync::ensure() {
  TRY(const bool there, present());
  if (there) return {};
  return render();
}

// Everything that the table should contain.
struct FirewallSync::Wanted {
  std::vector<nat::NatNetwork> networks;
  std::vector<nat::NatPort> ports;
  nat::NatUnderlay underlay;
};

Result<FirewallSync::Wanted> FirewallSync::wanted() {
  Wanted wanted;
  TRY(const auto underlay, records_.underlay());
  wanted.underlay = underlay_of(underlay);
  TRY(auto stored, records_.networks());
  for (const Network& network : stored) {
    if (network.phase != Phase::kReady) continue;
    const FirewallLinks links = links_of(network);
    for (const IfName& interface : links.interfaces)
      wanted.networks.push_back(nat::nat_network(network, interface));
    for (const nat::NatTunnel& tunnel : tunnels_of(links).tunnels)
      wanted.underlay.tunnels.push_back(tunnel);
    TRY(auto endpoints, records_.endpoints(network.id));
    std::erase_if(endpoints, [&](const Endpoint& each) { return each.boot_id != boot_id_; });
    for (const Endpoint& endpoint : endpoints)
      for (const PublishedPort& port : endpoint.ports)
        wanted.ports.push_back(nat::nat_port(network, endpoint, port));
  }
  return wanted;
}

// Compares everything except the elements of sets.
Result<std::string> FirewallSync::altered_chains() {
  return firewall_.difference(nat::render_chains(nat::kTable, ownership_.mark()));
}

Result<std::string> FirewallSync::difference() {
  TRY(const bool there, present());
  if (!there) return std::string("missing, or of another version");
  TRY(std::string differs, altered_chains());
  if (!differs.empty()) return differs;
  TRY(const auto wanted, this->wanted());
  std::map<std::string, std::vector<kernel::Element>, std::less<>> sets;
  const auto collect = [&](const Changes& changes) {
    for (const kernel::ElementChange& change : changes)
      sets[change.element.set].push_back(change.element);
  };
  for (const nat::NatNetwork& network : wanted.networks) collect(nat::admit_network(network));
  for (const nat::NatPort& port : wanted.ports) collect(nat::publish(port));
  collect(nat::admit_underlay(wanted.underlay));
  for (const std::string_view name : nat::set_names()) {
    auto have = firewall_.elements(name);
    if (!have && have.error().code != Code::kNotFound) return fail(have.error());
    if (!have || !same_elements(std::move(*have), sets[std::string(name)]))
      return fmt::format("altered elements of set {}", name);
  }
  return std::string();
}

Result<std::string> FirewallSync::repair() {
  TRY(std::string differs, difference());
  if (!differs.empty()) TRY_STATUS(render());
  return differs;
}

Status FirewallSync::render() {
  TRY(auto wanted, this->wanted());
  return replace(wanted);
}

Status FirewallSync::replace(const Wanted& wanted) {
  TRY_STATUS(ownership_.claim());
  return firewall_.run(
      nat::render(wanted.networks, wanted.ports, wanted.underlay, nat::kTable, ownership_.mark()));
}

Status FirewallSync::withdraw() {
  TRY(const auto comment, firewall_.comment());
  if (!comment || ownership_.is_foreign(*comment)) return {};
  return firewall_.run(nat::render_nothing());
}

Result<bool> FirewallSync::present() {
  return firewall_.present(nat::table_comment(ownership_.mark()));
}

}  // namespace fairlead::network
