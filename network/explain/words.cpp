#include "network/explain/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fairlead::explain {

namespace {

using Kind = Decision::Kind;

struct Meaning {
  std::string_view chain;  // of the rule
  Kind kind;
  std::string_view element;  // how one of the elements that led there begins; empty: whichever
  std::string_view words;
};

// The first that fits counts. What the chains are for is said in network/nat/ruleset.cpp and bridge_chains.cpp.
constexpr auto kMeanings = std::to_array<Meaning>({
    {"guard", Kind::kDrop, "", "containers neither reach nor use the host's loopback addresses"},
    {"by_policy", Kind::kDrop, "", "a policy denies it"},
    {"answers", Kind::kDrop, "", "a policy denies the flow that it answers"},
    {"permitted", Kind::kAccept, "", "a policy allows it"},
    {"not_allowed", Kind::kDrop, "",
     "the network has egress=deny, and no policy and no entry of its egress_allow lets this out"},
    {"late_answers", Kind::kDrop, "",
     "what the network with egress=deny had asked is not allowed any more"},
    {"host_policies", Kind::kDrop, "", "a policy denies it"},
    {"host_policies", Kind::kAccept, "", "a policy allows it"},
    {"no_icc", Kind::kDrop, "", "containers of this network do not talk to each other (icc=false)"},
    {"no_icc", Kind::kAccept, "", "it goes to a published port"},
    {"from_bridge", Kind::kAccept, "same_",
     "both are on one network, whose containers talk to each other"},
    {"from_routed", Kind::kAccept, "same_",
     "both are on one network, whose containers talk to each other"},
    {"from_bridge", Kind::kDrop, "", "its source is not routed back to where it came from"},
    {"from_routed", Kind::kDrop, "", "containers send no answers of DHCP servers"},
    {"published_only", Kind::kAccept, "", "it goes to a published port"},
    {"published_only", Kind::kDrop, "",
     "from outside of it the network is reached by published ports only"},
    {"unprotected", Kind::kAccept, "",
     "every port of the network may be reached from outside (nat-unprotected)"},
    {"unprotected", Kind::kDrop, "", "networks are isolated from each other"},
    {"routed_only", Kind::kAccept, "routed",
     "the port is published, under the container's own address"},
    {"routed_only", Kind::kAccept, "",
     "the routed network answers pings, and what goes to published ports"},
    {"routed_only", Kind::kDrop, "",
     "the port is not published, or networks are isolated from each other"},
    {"forward", Kind::kDrop, "closed", "the network is internal, or has no way out in this family"},
    {"forward", Kind::kDrop, "towards", "the network is internal, or has no way in in this family"},
    {"forward", Kind::kAccept, "trusted", "it comes in by one of the network's trusted interfaces"},
    {"forward", Kind::kAccept, "", "it belongs to a flow that there is"},
    {"forward", Kind::kDrop, "", "it belongs to no flow, and would leave untranslated"},
    {"strangers", Kind::kDrop, "",
     "the host forwards for Fairlead's networks only (\"allow_forwarding\" lifts that)"},
    {"strangers", Kind::kAccept, "", "other programs' bridges are left to them"},
    {"to_tunnel", Kind::kDrop, "", "containers send nothing to the port of the tunnels"},
    {"gateway_only", Kind::kDrop, "", "the network reaches nothing of the host but its gateway"},
    {"gateway_only", Kind::kAccept, "", "it belongs to a flow that the host has begun"},
    {"gateway_services", Kind::kAccept, "", "the gateway answers pings and names to every network"},
    {"gateway_services", Kind::kDrop, "",
     "of the host the network reaches its gateway's ping and DNS only"},
    {"refused", Kind::kReject, "", "the port has as many connections as it may have"},
    {"refused", Kind::kDrop, "", "the port has as many connections as it may have"},
    {"plain_tunnel", Kind::kDrop, "", "packets of tunnels come from hosts of the cluster only"},
    {"from_ports", Kind::kDrop, "",
     "the container sends under a MAC or an IP address that is not its own (spoofing=deny)"},
    {"from_ports", Kind::kAccept, "unchecked", "the network checks no senders (spoofing=allow)"},
});

bool has_element(const Decision& decision, std::string_view beginning) {
  return beginning.empty() || std::ranges::any_of(decision.elements, [&](const std::string& each) {
           return each.starts_with(beginning);
         });
}

std::string_view meaning_of(const Decision& decision) {
  if (!decision.own || decision.chains.empty()) return {};
  for (const Meaning& each : kMeanings)
    if (each.chain == decision.chains.back() && each.kind == decision.kind &&
        has_element(decision, each.element))
      return each.words;
  return {};
}

bool is_of_source(const Decision& decision) { return decision.translation.starts_with("from"); }

std::string translation_in_words(const Decision& decision) {
  if (is_of_source(decision))
    return fmt::format("it goes on under another source, {}", decision.translation.substr(5));
  return fmt::format("{}: it goes on {}",
                     decision.own ? "a published port" : "its destination is translated",
                     decision.translation);
}

std::string_view verb_of(Kind kind) {
  switch (kind) {
    case Kind::kDrop:
      return "drops it";
    case Kind::kReject:
      return "rejects it";
    default:
      return "accepts it";
  }
}

std::string in_words(const Decision& decision) {
  if (decision.kind == Kind::kTranslate) return translation_in_words(decision);
  if (const std::string_view meaning = meaning_of(decision); !meaning.empty())
    return std::string(meaning);
  const std::string chain = decision.chains.empty() ? "" : decision.chains.back();
  if (decision.rule.empty())
    return fmt::format("chain {} of {} {}: no rule of it accepts this, and its policy is drop",
                       chain, decision.table, verb_of(decision.kind));
  return fmt::format("chain {} of {} {}: {}", chain, decision.table, verb_of(decision.kind),
                     decision.rule);
}

// That the interface is one of Fairlead's, and that there are policies, says nothing of this packet.
bool tells_something(std::string_view element) {
  for (const std::string_view set : {"bridges: ", "own_bridges: ", "policies: ", "not_routed: "})
    if (element.starts_with(set)) return false;
  return true;
}

}  // namespace

network::ExplainStep step_of(const Decision& decision) {
  network::ExplainStep step{
      .place = decision.hook,
      .what = in_words(decision),
      .table = decision.table,
      .rule = decision.rule,
      .chains = decision.chains,
      .elements = {},
      .stops = decision.kind == Kind::kDrop || decision.kind == Kind::kReject};
  std::ranges::copy_if(decision.elements, std::back_inserter(step.elements), tells_something);
  return step;
}

bool is_worth_telling(const Decision& decision) {
  if (decision.kind != Kind::kAccept) return true;
  const bool of_frames = decision.table.starts_with("bridge") && decision.own;
  return !of_frames;
}

}  // namespace fairlead::explain
