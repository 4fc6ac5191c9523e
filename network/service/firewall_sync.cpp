#include "network/service/firewall_sync.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/log.h"
#include "network/nat/describe.h"

namespace fairlead::network {

namespace {

using kernel::Element;

nat::NatState as_state(const UnderlayRecord& record) {
  nat::NatUnderlay underlay{
      .tunnels = {}, .hosts = record.hosts, .wireguard_links = record.wireguard_links};
  if (record.port) underlay.ports.push_back(*record.port);
  return {.underlay = std::move(underlay)};
}

void add_ports(const Network& network, const Endpoint& endpoint, nat::NatState& state) {
  for (const PublishedPort& port : endpoint.ports)
    state.ports.push_back(nat::nat_port(network, endpoint, port));
}

nat::NatState ports_of(const Network& network, const Endpoint& endpoint) {
  nat::NatState state;
  add_ports(network, endpoint, state);
  return state;
}

std::string named(const Element& element) {
  return fmt::format("element {} of set {}", nat::describe(element), element.set);
}

// Both are sorted.
std::vector<std::string> compare(const std::vector<Element>& have,
                                 const std::vector<Element>& want) {
  std::vector<Element> missing, foreign;
  std::ranges::set_difference(want, have, std::back_inserter(missing));
  std::ranges::set_difference(have, want, std::back_inserter(foreign));
  std::vector<std::string> words;
  for (const Element& element : missing) {
    const auto other = std::ranges::find(foreign, element.key, &Element::key);
    words.push_back(named(element) +
                    (other == foreign.end() ? " is missing" : " is not as written"));
    if (other != foreign.end()) foreign.erase(other);
  }
  for (const Element& element : foreign) words.push_back(named(element) + " is nobody's");
  return words;
}

std::string in_short(std::vector<std::string> words) {
  constexpr std::size_t kMost = 3;
  const std::string more =
      words.size() > kMost ? fmt::format(", and {} more differences", words.size() - kMost) : "";
  words.resize(std::min(words.size(), kMost));
  return fmt::format("{}{}", fmt::join(words, ", "), more);
}

}  // namespace

Status FirewallSync::apply(std::span<const kernel::ElementChange> changes) {
  if (changes.empty()) return {};
  const Status done = firewall_.apply(changes);
  const bool astray =
      !done && (done.error().code == Code::kNotFound || done.error().code == Code::kExists);
  return astray ? render_because(done.error().text) : done;
}

// Nothing of a network whose driver is unknown to this version.
FirewallLinks FirewallSync::links_of(const Network& network) const {
  const auto driver = drivers_.find(network.options.mode);
  return driver == drivers_.end() ? FirewallLinks() : driver->second->firewall_links(network);
}

void FirewallSync::add_network(const Network& network, nat::NatState& state) const {
  const FirewallLinks links = links_of(network);
  for (const IfName& interface : links.interfaces)
    state.networks.push_back(nat::nat_network(network, interface));
  for (const FirewallLinks::Tunnel& tunnel : links.tunnels)
    state.underlay.tunnels.push_back(
        {.vni = tunnel.vni, .port = tunnel.port, .encrypted = tunnel.encrypted});
}

nat::NatState FirewallSync::state_of(const Network& network) const {
  nat::NatState state;
  add_network(network, state);
  return state;
}

Status FirewallSync::admit(const Network& network) {
  TRY_STATUS(ensure());
  return apply(nat::difference({}, state_of(network)));
}

Status FirewallSync::dismiss(const Network& network) {
  TRY(const bool there, present());
  if (!there) return {};
  return apply(nat::difference(state_of(network), {}));
}

Status FirewallSync::change_underlay(const UnderlayRecord& before, const UnderlayRecord& after) {
  TRY(const bool there, present());
  if (!there) return {};  // the table is rendered with the first network
  return apply(nat::difference(as_state(before), as_state(after)));
}

Status FirewallSync::change_ports(const Network& network, const Endpoint& before,
                                  const Endpoint& after) {
  return apply(nat::difference(ports_of(network, before), ports_of(network, after)));
}

Status FirewallSync::drop_ports(const Network& network, std::span<const Endpoint> endpoints) {
  nat::NatState present;
  for (const Endpoint& endpoint : endpoints)
    if (endpoint.boot_id == boot_id_) add_ports(network, endpoint, present);
  const Status done = firewall_.apply(nat::difference(present, {}));
  if (!done && done.error().code == Code::kNotFound)
    return {};  // the whole table is gone, and with it the elements
  return done;
}

Status FirewallSync::check_ports(const Network& network, const Endpoint& endpoint) {
  TRY(const bool there, present());
  if (!there)
    return fail(Code::kConflict,
                "the firewall table is missing; `fairlead reconcile` makes it again");
  TRY(const auto altered, altered_chains());
  if (!altered.empty())
    return fail(Code::kConflict,
                "the firewall table is not as it was written: {}; `fairlead reconcile` mends it",
                in_short(altered));
  std::map<std::string, std::vector<Element>> sets;
  for (const PublishedPort& port : endpoint.ports) {
    const nat::NatState published{.ports = {nat::nat_port(network, endpoint, port)}};
    for (const Element& element : nat::elements_of(published)) {
      const auto [set, fresh] = sets.try_emplace(element.set);
      if (fresh) {
        TRY(set->second, firewall_.elements(element.set));
      }
      if (std::ranges::find(set->second, element) == set->second.end())
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
Result<nat::NatState> FirewallSync::wanted() {
  TRY(const auto underlay, records_.underlay());
  nat::NatState wanted = as_state(underlay);
  TRY(const auto stored, records_.networks());
  for (const Network& network : stored) {
    if (network.phase != Phase::kReady) continue;
    add_network(network, wanted);
    TRY(const auto endpoints, records_.endpoints(network.id));
    for (const Endpoint& endpoint : endpoints)
      if (endpoint.boot_id == boot_id_) add_ports(network, endpoint, wanted);
  }
  return wanted;
}

// Compares everything except the elements of sets.
Result<std::vector<std::string>> FirewallSync::altered_chains() {
  return firewall_.differences(nat::render_chains(nat::kTable, ownership_.mark()));
}

// Compares the elements of all sets, also of those that should be empty. Missing sets are left out.
Result<std::vector<std::string>> FirewallSync::altered_elements() {
  TRY(const auto wanted, this->wanted());
  std::map<std::string, std::vector<Element>, std::less<>> sets;
  for (Element& element : nat::elements_of(wanted)) sets[element.set].push_back(std::move(element));
  std::vector<std::string> words;
  for (const std::string_view name : nat::set_names()) {
    auto have = firewall_.elements(name);
    if (!have && have.error().code == Code::kNotFound) continue;
    if (!have) return fail(have.error());
    std::ranges::sort(*have);
    std::ranges::move(compare(*have, sets[std::string(name)]), std::back_inserter(words));
  }
  return words;
}

Result<std::vector<std::string>> FirewallSync::differences() {
  TRY(const auto comment, firewall_.comment());
  if (!comment) return std::vector<std::string>{"the table is missing"};
  if (*comment != nat::table_comment(ownership_.mark()))
    return std::vector<std::string>{"the table is of another version"};
  TRY(auto words, altered_chains());
  TRY(auto elements, altered_elements());
  std::ranges::move(elements, std::back_inserter(words));
  return words;
}

Result<std::string> FirewallSync::difference() {
  TRY(auto words, differences());
  return in_short(std::move(words));
}

// A table that somebody alters so fast that it cannot be read is altered.
Result<std::string> FirewallSync::repair() {
  auto differs = difference();
  if (!differs && differs.error().code == Code::kUnavailable) differs = differs.error().text;
  if (!differs || differs->empty()) return differs;
  TRY_STATUS(render_because(*differs));
  return differs;
}

Status FirewallSync::render_because(const std::string& reason) {
  TRY_STATUS(render());
  const std::scoped_lock hold(guard_);
  ++renderings_.count;
  renderings_.last_reason = reason;
  if (const auto skipped = log_limit_.admit(std::chrono::steady_clock::now()))
    log::warn("rendered the firewall table again",
              {{"cause", reason}, {"renderings", renderings_.count}, {"not_logged", *skipped}});
  return {};
}

FirewallSync::Renderings FirewallSync::renderings() const {
  const std::scoped_lock hold(guard_);
  return renderings_;
}

Status FirewallSync::render() {
  TRY(const auto wanted, this->wanted());
  TRY_STATUS(ownership_.claim());
  return firewall_.run(nat::render(wanted, nat::kTable, ownership_.mark()));
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
