#include "network/service/policy_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace fairlead::network {

namespace {

using Kind = PolicyEnd::Kind;

// By its name, or by an unambiguous beginning of its id.
const Network* find_network(const std::string& text, const PolicyWorld& world) {
  for (const Network& network : world.networks)
    if (network.name.str() == text || network.id == text) return &network;
  const Network* found = nullptr;
  for (const Network& network : world.networks) {
    if (std::ranges::find(network.runtimes, text, &RuntimeNetwork::name) == network.runtimes.end())
      continue;
    if (found != nullptr) return nullptr;
    found = &network;
  }
  if (found != nullptr) return found;
  constexpr std::size_t kLeast = 3;
  for (const Network& network : world.networks) {
    if (text.size() < kLeast || !network.id.starts_with(text)) continue;
    if (found != nullptr) return nullptr;
    found = &network;
  }
  return found;
}

bool is_container(const std::string& text, const PolicyWorld& world) {
  const PolicyEnd end{.kind = Kind::kContainer, .name = text};
  return std::ranges::any_of(
      world.endpoints, [&](const Endpoint& each) { return selects(end, each, world.networks); });
}

tl::unexpected<Error> no_network(const std::string& name) {
  return fail(Code::kNotFound,
              "network \"{}\" does not exist; `fairlead network ls` shows those that do",
              name.substr(0, 64));
}

Result<PolicyEnd> bare(const PolicyEnd& end, const PolicyWorld& world, bool is_to) {
  const Network* network = find_network(end.name, world);
  const bool container = is_container(end.name, world);
  if (network != nullptr && container)
    return fail(Code::kInvalid,
                "\"{0}\" is a network and a container; say net:{0} or container:{0}", end.name);
  if (network != nullptr) return PolicyEnd{.kind = Kind::kNetwork, .name = network->name.str()};
  if (container) return PolicyEnd{.kind = Kind::kContainer, .name = end.name};
  const auto name = parse_policy_end("dns:" + end.name);
  if (name && is_to) return *name;
  return fail(Code::kNotFound,
              "\"{0}\" is no network and no container that runs; `fairlead network ls` and "
              "`fairlead endpoint "
              "ls` show those that there are, and container:{0} is one that comes later",
              end.name);
}

Result<PolicyEnd> looked_up(PolicyEnd end, const PolicyWorld& world, bool is_to) {
  if (end.kind == Kind::kBare) return bare(end, world, is_to);
  const bool network = end.kind == Kind::kNetwork;
  std::string& name = network ? end.name : end.network;
  if (!network && name.empty()) return end;
  const Network* found = find_network(name, world);
  if (found == nullptr) return no_network(name);
  name = found->name.str();
  return end;
}

// The networks in which the end has somebody at present.
std::set<std::string> networks_of(const PolicyEnd& end, const PolicyWorld& world) {
  std::set<std::string> names;
  for (const Network& network : world.networks) {
    const auto is_in = [&](const Endpoint& endpoint) {
      return endpoint.network_id == network.id && selects(end, endpoint, world.networks);
    };
    const bool by_endpoint = end.kind == Kind::kContainer || end.kind == Kind::kLabel;
    const bool has = by_endpoint ? std::ranges::any_of(world.endpoints, is_in)
                                 : end.kind == Kind::kNetwork && end.name == network.name.str();
    const bool holds = end.kind == Kind::kSubnet &&
                       std::ranges::any_of(network.subnets, [&](const Subnet& subnet) {
                         return subnet.subnet.network().contains(*end.subnet);
                       });
    if (has || holds) names.insert(network.name.str());
  }
  return names;
}

// Frames between ports of one bridge are not routed, and so pass no policy.
Status check_not_within(const PolicySpec& spec, const PolicyWorld& world) {
  const auto from = networks_of(spec.from, world), to = networks_of(spec.to, world);
  for (const std::string& name : from)
    if (to.contains(name))
      return fail(Code::kUnsupported,
                  "both ends are on network {0}, and what its containers say to each other passes "
                  "no policy: "
                  "icc=false parts all of them, two networks part some",
                  name);
  return {};
}

// Of networks whose packets this host does not route.
Status check_routed(const PolicyEnd& end, const PolicyWorld& world, ServiceContext& context) {
  if (end.kind != Kind::kNetwork) return {};
  for (const Network& network : world.networks) {
    if (network.name.str() != end.name) continue;
    if (context.firewall.links_of(network).interfaces.empty())
      return fail(Code::kUnsupported,
                  "network {} has mode {}: its containers are on the wire of the host's interface, "
                  "and the host sees "
                  "nothing of what they send",
                  end.name, network.options.mode);
  }
  return {};
}

Status check_internal(const PolicySpec& spec, const PolicyWorld& world) {
  if (spec.action == PolicyAction::kDeny || spec.to.kind == Kind::kHost) return {};
  for (const PolicyEnd* end : {&spec.from, &spec.to})
    for (const Network& network : world.networks)
      if (end->kind == Kind::kNetwork && end->name == network.name.str() && network.internal)
        return fail(Code::kUnsupported,
                    "network {0} is internal: its containers have no route out. A network that "
                    "reaches only "
                    "what is allowed is made with `fairlead network create -o egress=deny`",
                    end->name);
  return {};
}

std::string described(const Policy& policy) {
  return fmt::format("policy {} ({} {} to {})", policy.id, to_string(policy.spec.action),
                     to_string(policy.spec.from), to_string(policy.spec.to));
}

// Containers came after the policy, or got their labels.
void remark_on_neighbours(const Policy& policy, const PolicyWorld& world, PolicyRemarks& remarks) {
  if (policy.spec.action != PolicyAction::kDeny) return;
  const auto from = networks_of(policy.spec.from, world), to = networks_of(policy.spec.to, world);
  for (const std::string& name : from)
    if (to.contains(name))
      remarks.problems.push_back(
          fmt::format("{} does not hold between containers of network {}: what they say to each "
                      "other passes no policy; "
                      "icc=false parts all of them, two networks part some",
                      described(policy), name));
}

void remark_on_missing(const Policy& policy, const PolicyWorld& world, PolicyRemarks& remarks) {
  for (const PolicyEnd* end : {&policy.spec.from, &policy.spec.to}) {
    const std::string& name = end->kind == Kind::kNetwork ? end->name : end->network;
    if (!name.empty() && find_network(name, world) == nullptr)
      remarks.notes.push_back(fmt::format("{} means nothing at present: there is no network {}",
                                          described(policy), name));
  }
}

void remark_on_name(const PolicyEnd& end, const PolicyWorld& world, PolicyRemarks& remarks) {
  if (end.kind != Kind::kName) return;
  const auto known = world.names.find(end.name);
  if (known == world.names.end() || known->second.addresses.empty())
    remarks.notes.push_back(fmt::format(
        "{} has had no address yet, for which policies wait; fairleadd asks the name servers of "
        "/etc/resolv.conf, and so does `fairlead reconcile`",
        end.name));
}

}  // namespace

PolicyRemarks remarks_on(const PolicyRecord& record, const PolicyWorld& world) {
  PolicyRemarks remarks;
  for (const Policy& policy : record.policies) {
    remark_on_neighbours(policy, world, remarks);
    remark_on_missing(policy, world, remarks);
    remark_on_name(policy.spec.to, world, remarks);
  }
  for (const Network& network : world.networks)
    for (const EgressRule& rule : network.options.egress_allow)
      remark_on_name(rule.to, world, remarks);
  for (const auto& [name, known] : world.names)
    for (const NameAddress& each : known.addresses)
      if (!is_of_the_internet(each.address))
        remarks.notes.push_back(
            fmt::format("{} has the address {}, which is nobody's in the internet: policies that "
                        "allow the name do not "
                        "open it; name the address itself to do that",
                        name, each.address.to_string()));
  return remarks;
}

Result<PolicySpec> looked_up(const PolicySpec& spec, const PolicyWorld& world) {
  PolicySpec known = spec;
  TRY(known.from, looked_up(spec.from, world, false));
  TRY(known.to, looked_up(spec.to, world, true));
  return known;
}

Status check(const PolicySpec& spec, const PolicyWorld& world, ServiceContext& context) {
  if (spec.from.kind == Kind::kHost)
    return fail(Code::kUnsupported,
                "what the host itself sends is not held by policies; FROM is a network, a "
                "container, a label, a subnet, outside or any");
  if (spec.from.kind == Kind::kName)
    return fail(Code::kUnsupported,
                "names of the DNS are for TO: who speaks from an address is not told by its name");
  if (spec.from == spec.to &&
      (spec.from.kind == Kind::kNetwork || spec.from.kind == Kind::kContainer))
    return fail(Code::kInvalid, "both ends are {}", to_string(spec.from));
  for (const PolicyEnd* end : {&spec.from, &spec.to})
    TRY_STATUS(check_routed(*end, world, context));
  TRY_STATUS(check_internal(spec, world));
  return check_not_within(spec, world);
}

}  // namespace fairlead::network
