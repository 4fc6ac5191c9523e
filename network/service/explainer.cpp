#include "network/service/explainer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "network/explain/explain.h"
#include "network/kernel/firewall/listing.h"
#include "network/service/kernel_facts.h"
#include "network/service/policy_state.h"

namespace fairlead::network {

namespace {

using explain::Place;

Place place_of(const Endpoint& endpoint, const Network& network, const Driver& driver) {
  Place place{.endpoint = endpoint, .network = title_of(network), .mode = network.options.mode};
  for (const Subnet& subnet : network.subnets) place.subnets.push_back(subnet.subnet.network());
  if (const auto link = driver.routed_link(endpoint)) place.routed_link = link->str();
  const auto port = driver.bridge_port(endpoint);
  const FirewallLinks links = driver.firewall_links(network);
  if (!port || links.interfaces.empty()) return place;
  place.port = port->str();
  place.bridge = links.interfaces.front().str();
  return place;
}

bool contains(const std::vector<nat::AddressRange>& ranges, const IpAddress& address) {
  return std::ranges::any_of(ranges, [&](const nat::AddressRange& range) {
    return range.first.family() == address.family() && range.first <= address &&
           address <= range.last;
  });
}

struct PolicyFlow {
  IpAddress source, destination;
  std::uint8_t proto = 0;
  std::uint16_t port = 0;
};

bool is_about(const nat::NatPolicy& policy, const PolicyFlow& flow) {
  if (!contains(policy.from, flow.source)) return false;
  if (!policy.to_host && !contains(policy.to, flow.destination)) return false;
  return std::ranges::any_of(policy.services, [&](const nat::NatService& service) {
    return service.first_proto <= flow.proto && flow.proto <= service.last_proto &&
           service.first_port <= flow.port && flow.port <= service.last_port;
  });
}

std::uint8_t proto_of(const ExplainPath& path) {
  if (path.port.kind == ExplainPort::Kind::kTcp) return explain::kTcp;
  if (path.port.kind == ExplainPort::Kind::kUdp) return explain::kUdp;
  return path.destination.is_v4() ? explain::kIcmp : explain::kIcmpv6;
}

// A step whose rule looked up a policy.
bool is_by_policy(const ExplainStep& step) {
  return std::ranges::any_of(
      step.elements, [](const std::string& element) { return element.starts_with("policy_"); });
}

std::string text_of(const Policy& policy) {
  std::string text = fmt::format("policy {}: {} {} -> {}", policy.id, to_string(policy.spec.action),
                                 to_string(policy.spec.from), to_string(policy.spec.to));
  for (const PolicyPort& port : policy.spec.ports) text += " " + to_string(port);
  return text;
}

constexpr std::string_view kListedByNetwork = "the egress_allow of the network";

// Those that say this of the path's flow, in words.
std::string policies_about(const std::vector<Policy>& policies, const PolicyWorld& world,
                           const ExplainPath& path, bool denied) {
  const PolicyFlow flow{path.source, path.behind, proto_of(path), path.port_behind};
  std::vector<std::string> names;
  for (const Policy& policy : policies) {
    if ((policy.spec.action == PolicyAction::kDeny) != denied) continue;
    const auto meanings = meaning_of(PolicyRecord{.policies = {policy}}, world);
    if (std::ranges::any_of(meanings, [&](const auto& each) { return is_about(each, flow); }))
      names.push_back(text_of(policy));
  }
  return fmt::format("{}", fmt::join(names, "; "));
}

void replace(std::string& text, const std::string& old, const std::string& with) {
  if (const std::size_t at = text.find(old); at != text.npos) text.replace(at, old.size(), with);
}

}  // namespace

// Those whose links are there; a record of another boot is void.
Result<std::vector<Place>> ServiceExplainer::places() {
  TRY(auto networks, context_.records.networks());
  TRY(auto endpoints, context_.records.endpoints(""));
  context_.records.add_names(networks);
  context_.records.add_names(endpoints);
  std::vector<Place> places;
  for (const Endpoint& endpoint : endpoints) {
    const auto network = std::ranges::find(networks, endpoint.network_id, &Network::id);
    const bool here = endpoint.boot_id == context_.parts.boot_id && endpoint.joined;
    if (!here || network == networks.end()) continue;
    const auto driver = context_.driver_of(network->options);
    if (driver) places.push_back(place_of(endpoint, *network, **driver));
  }
  return places;
}

Result<std::vector<IpAddress>> ServiceExplainer::resolve(const std::string& name) {
  if (context_.parts.resolver == nullptr)
    return fail(Code::kUnavailable, "names are not looked up here");
  TRY(auto found, context_.parts.resolver->resolve(name));
  return std::move(found.addresses);
}

Result<Explanation> ServiceExplainer::explain(const ExplainQuery& query) {
  TRY(const auto listing, kernel::list_ruleset());
  TRY(const auto rules, explain::parse_ruleset(listing.json, listing.text));
  TRY(const auto facts, KernelFacts::open());
  TRY(auto attached, places());
  const explain::World world{.rules = rules, .facts = *facts, .places = std::move(attached)};
  const explain::Resolve resolve = [this](const std::string& name) { return this->resolve(name); };
  TRY(auto from, explain::find_end(query.from, world, resolve));
  TRY(auto to, explain::find_end(query.to, world, resolve));
  TRY(auto explanation, explain::explain(world, {.from = std::move(from),
                                                 .to = std::move(to),
                                                 .port = query.port,
                                                 .family = query.family}));
  TRY_STATUS(name_policies(explanation));
  TRY_STATUS(add_notes(explanation));
  return explanation;
}

// The elements in the kernel are what all policies say together, so the ones behind an element are looked for.
Status ServiceExplainer::name_policies(Explanation& explanation) {
  TRY(const auto stored, context_.records.policies());
  TRY(auto world, context_.firewall.policy_world());
  // What a network lists for itself has no name.
  for (Network& network : world.networks) network.options.egress_allow.clear();
  for (ExplainPath& path : explanation.paths)
    for (ExplainStep& step : path.steps) {
      if (!is_by_policy(step)) continue;
      const std::string names = policies_about(stored.value.policies, world, path, step.stops);
      const std::string named =
          fmt::format("{} ({})", step.what, names.empty() ? kListedByNetwork : names);
      replace(path.sentence, step.what, named);
      replace(explanation.sentence, step.what, named);
      step.what = named;
    }
  return {};
}

Status ServiceExplainer::add_notes(Explanation& explanation) {
  TRY(const auto difference, context_.firewall.difference());
  if (!difference.empty())
    explanation.notes.push_back(
        fmt::format("this is what is loaded in the kernel, and it is not what is recorded: {}; "
                    "`fairlead reconcile` mends it",
                    difference));
  for (const std::string& problem : other_firewalls_.told().problems)
    explanation.notes.push_back(fmt::format("another firewall: {}", problem));
  return {};
}

}  // namespace fairlead::network
