#include "network/explain/walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "network/explain/words.h"

namespace fairlead::explain {

using network::ExplainStep;

namespace {

class Walk {
 public:
  Walk(const World& world, Packet packet, Flow flow) : world_(world) {
    journey_.packet = std::move(packet);
    journey_.flow = std::move(flow);
  }

  Journey out_of(const Place& place);
  Journey out_of_host();
  Journey in_by(const std::string& link);

 private:
  using Kind = Arrival::Kind;

  // ---- steps

  void tell(std::string place, std::string what, bool stops = false) {
    journey_.steps.push_back({.place = std::move(place), .what = std::move(what), .stops = stops});
  }
  Journey stop(std::string place, std::string what) {
    tell(std::move(place), std::move(what), true);
    return arrive(Kind::kNowhere);
  }
  Journey arrive(Kind kind, const Place* place = nullptr, std::string link = {}) {
    journey_.arrival = {.kind = kind, .place = place, .link = std::move(link)};
    return std::move(journey_);
  }

  // Whether the packet passes the rules of the hook.
  bool passes(Layer layer, std::string_view hook) {
    Passage passage = pass(world_.rules, layer, hook, packet(), journey_.flow, world_.facts);
    for (const Decision& decision : passage.decisions)
      if (is_worth_telling(decision)) journey_.steps.push_back(step_of(decision));
    std::ranges::move(passage.unknown, std::back_inserter(journey_.unknown));
    return passage.passes;
  }

  Packet& packet() { return journey_.packet; }
  Flow& flow() { return journey_.flow; }

  // ---- out of a container

  Route way_out(const Place& place) const;
  bool is_on_own_subnet(const Place& place, const IpAddress& address) const;
  Journey beside_the_host(const Place& place, const IpAddress& next);
  Journey over_bridge(const Place& place, const IpAddress& next);
  Journey to_neighbour(const Place& from, const Place& to);
  bool pass_bridge_netfilter(const Place& from);
  void choose_source(const Place& place, const Route& route);
  void begin_flow();

  // ---- through the host

  void restore_destination();
  void restore_source();
  bool is_parted_by(const std::string& bridge) const;
  Journey receive(const std::string& link);
  Journey at_host();
  Journey leave(const std::string& link);
  Journey deliver(const std::string& link);

  const World& world_;
  Journey journey_;
};

std::string text_of(const IpAddress& address) { return address.to_string(); }

// What the container's records say, where its namespace cannot be looked into.
Route Walk::way_out(const Place& place) const {
  const IpAddress& to = journey_.packet.destination;
  if (const auto seen = world_.facts.route_inside(place.endpoint.netns_path, to)) return *seen;
  if (is_on_own_subnet(place, to)) return {.kind = Route::Kind::kOut};
  for (const IpAddress& gateway : place.endpoint.gateways)
    if (gateway.family() == to.family()) return {.kind = Route::Kind::kOut, .via = gateway};
  return {.reason = "it has no gateway of that family"};
}

bool Walk::is_on_own_subnet(const Place& place, const IpAddress& address) const {
  return std::ranges::any_of(place.subnets,
                             [&](const Cidr& subnet) { return subnet.contains(address); });
}

void Walk::choose_source(const Place& place, const Route& route) {
  if (flow().answer) return;
  if (route.source) packet().source = *route.source;
  for (const Cidr& address : place.endpoint.addresses)
    if (!route.source && address.family() == packet().destination.family())
      packet().source = address.address();
}

void Walk::begin_flow() {
  if (flow().answer) return;
  flow() = {.source = packet().source,
            .destination = packet().destination,
            .answerer = packet().destination,
            .port = packet().port};
}

Journey Walk::out_of(const Place& place) {
  const Route route = way_out(place);
  const IpAddress to = packet().destination;
  if (route.kind == Route::Kind::kNone)
    return stop(place.title(), fmt::format("it has no route to {}: {}", text_of(to), route.reason));
  choose_source(place, route);
  begin_flow();
  if (route.kind == Route::Kind::kLocal) {
    tell(place.title(), fmt::format("{} is an address of its own", text_of(to)));
    return arrive(Kind::kContainer, &place);
  }
  const IpAddress next = route.via.value_or(to);
  tell(place.title(), route.via ? fmt::format("it sends from {} through its gateway {}",
                                              text_of(packet().source), text_of(next))
                                : fmt::format("it sends from {} to its neighbour {}",
                                              text_of(packet().source), text_of(next)));
  packet().mac = place.endpoint.mac.value_or(MacAddress());
  if (!place.routed_link.empty()) return receive(place.routed_link);
  if (place.bridge.empty()) return beside_the_host(place, next);
  return over_bridge(place, next);
}

Journey Walk::beside_the_host(const Place& place, const IpAddress& next) {
  tell(fmt::format("network {}", place.network),
       fmt::format("mode={}: its packets go to {} over the parent interface, and no rule and no "
                   "route of this host sees them",
                   place.mode, text_of(next)));
  return arrive(Kind::kUnseen);
}

Journey Walk::over_bridge(const Place& place, const IpAddress& next) {
  packet().in = place.port;
  packet().out.clear();
  if (!passes(Layer::kFrames, "prerouting")) return arrive(Kind::kNowhere);
  if (world_.facts.is_local(next)) {
    if (!passes(Layer::kFrames, "input")) return arrive(Kind::kNowhere);
    return receive(place.bridge);
  }
  const Place* neighbour = world_.holder_of(next);
  if (neighbour != nullptr && neighbour->bridge == place.bridge) {
    if (next == packet().destination) return to_neighbour(place, *neighbour);
    tell(neighbour->title(), "it is the router on the way; where it sends this is not seen here");
    return arrive(Kind::kUnseen);
  }
  const std::string bridge = fmt::format("bridge {}", place.bridge);
  if (place.mode == "overlay") {
    tell(bridge, fmt::format("{} is not on this host: it goes into the tunnel to another one, "
                             "whose rules are not seen here",
                             text_of(next)));
    return arrive(Kind::kUnseen);
  }
  return stop(bridge, fmt::format("nobody on it is known to have {}", text_of(next)));
}

Journey Walk::to_neighbour(const Place& from, const Place& to) {
  const std::string bridge = fmt::format("bridge {}", from.bridge);
  if (world_.facts.is_isolated(from.port) && world_.facts.is_isolated(to.port) &&
      from.port != to.port)
    return stop(bridge, fmt::format("the ports {} and {} are isolated from each other: containers "
                                    "of network {} do not talk to each other (icc=false)",
                                    from.port, to.port, from.network));
  packet().out = to.port;
  if (!passes(Layer::kFrames, "forward")) return arrive(Kind::kNowhere);
  if (world_.facts.bridges_pass_packets(packet().family()) && !pass_bridge_netfilter(from))
    return arrive(Kind::kNowhere);
  if (!passes(Layer::kFrames, "postrouting")) return arrive(Kind::kNowhere);
  tell(bridge,
       fmt::format("it goes from port {} to port {}, without being routed", from.port, to.port));
  return arrive(Kind::kContainer, &to);
}

// Rules for packets see the bridge as the interface on both sides (net/bridge/br_netfilter_hooks.c).
bool Walk::pass_bridge_netfilter(const Place& from) {
  const std::string in = std::exchange(packet().in, from.bridge);
  const std::string out = std::exchange(packet().out, std::string());
  bool passed = passes(Layer::kPackets, "prerouting");
  packet().out = from.bridge;
  for (const char* hook : {"forward", "postrouting"})
    passed = passed && passes(Layer::kPackets, hook);
  packet().in = in;
  packet().out = out;
  return passed;
}

// Answers are translated back before they are routed, and under their own source only when they leave.
void Walk::restore_destination() {
  if (flow().answer && flow().masked) packet().destination = flow().source;
}

void Walk::restore_source() {
  if (flow().answer && flow().translated) packet().source = flow().destination;
}

// What br_netfilter has translated to a neighbour on the same bridge is not routed: it goes from port to port there
// (net/bridge/br_netfilter_hooks.c, br_nf_pre_routing_finish), and isolated ports part it.
bool Walk::is_parted_by(const std::string& bridge) const {
  const Flow& flow = journey_.flow;
  if (!flow.translated || flow.answer) return false;
  if (!world_.facts.bridges_pass_packets(journey_.packet.family())) return false;
  const Place* from = world_.holder_of(flow.source);
  const Place* to = world_.holder_of(flow.answerer);
  return from != nullptr && to != nullptr && from != to && from->bridge == bridge &&
         to->bridge == bridge && world_.facts.is_isolated(from->port) &&
         world_.facts.is_isolated(to->port);
}

Journey Walk::receive(const std::string& link) {
  packet().in = link;
  packet().out.clear();
  if (!passes(Layer::kPackets, "prerouting")) return arrive(Kind::kNowhere);
  if (is_parted_by(link))
    return stop("bridge " + link,
                "br_netfilter leads what is translated to a neighbour over the bridge itself, and "
                "the ports are isolated from each other (icc=false)");
  restore_destination();
  const IpAddress to = packet().destination;
  const Route route =
      world_.facts.route({.to = to, .from = packet().source, .in = link, .mark = packet().mark});
  const bool forwards = world_.facts.forwards(packet().family());
  if (route.kind == Route::Kind::kNone && forwards)
    return stop("routing", fmt::format("the host does not take {} on from {} to {}: {}",
                                       text_of(packet().source), link, text_of(to), route.reason));
  if (route.kind == Route::Kind::kLocal) return at_host();
  if (!forwards)
    return stop("routing", fmt::format("the host does not forward {}",
                                       to.is_v4() ? "IPv4 (net.ipv4.ip_forward=0)"
                                                  : "IPv6 (net.ipv6.conf.all.forwarding=0)"));
  tell("routing", fmt::format("the host sends what goes to {} from {} to {}{}", text_of(to), link,
                              route.link, route.via ? " by " + text_of(*route.via) : ""));
  packet().out = route.link;
  if (!passes(Layer::kPackets, "forward")) return arrive(Kind::kNowhere);
  return leave(route.link);
}

Journey Walk::at_host() {
  tell("routing", fmt::format("{} is an address of the host", text_of(packet().destination)));
  if (!passes(Layer::kPackets, "input")) return arrive(Kind::kNowhere);
  return arrive(Kind::kHost);
}

Journey Walk::leave(const std::string& link) {
  packet().out = link;
  if (!passes(Layer::kPackets, "postrouting")) return arrive(Kind::kNowhere);
  restore_source();
  return deliver(link);
}

Journey Walk::deliver(const std::string& link) {
  const IpAddress& to = packet().destination;
  const Place* last = nullptr;
  for (const Place& place : world_.places) {
    if (place.routed_link == link && place.has(to)) return arrive(Kind::kContainer, &place);
    if (place.bridge == link) last = &place;
    if (place.bridge != link || !place.has(to)) continue;
    packet().in = link;
    packet().out = place.port;
    for (const char* hook : {"output", "postrouting"})
      if (!passes(Layer::kFrames, hook)) return arrive(Kind::kNowhere);
    return arrive(Kind::kContainer, &place);
  }
  if (last == nullptr) {
    tell("interface " + link, "it leaves the host");
    return arrive(Kind::kOutside, nullptr, link);
  }
  if (last->mode != "overlay")
    return stop("bridge " + link, fmt::format("nobody on it is known to have {}", text_of(to)));
  tell("bridge " + link,
       fmt::format("{} is on another host: it goes into the tunnel, and the other "
                   "host's rules are not seen here",
                   text_of(to)));
  return arrive(Kind::kUnseen);
}

Journey Walk::out_of_host() {
  restore_destination();
  const auto ask = [&] {
    return world_.facts.route(
        {.to = packet().destination,
         .from = flow().answer ? std::optional(packet().source) : std::optional<IpAddress>(),
         .mark = packet().mark});
  };
  Route route = ask();
  if (route.kind == Route::Kind::kNone)
    return stop("host", fmt::format("it has no route to {}: {}", text_of(packet().destination),
                                    route.reason));
  if (!flow().answer && packet().source.is_any() && route.source) packet().source = *route.source;
  begin_flow();
  tell("host", fmt::format("it sends from {} to {}", text_of(packet().source),
                           text_of(packet().destination)));
  const IpAddress before = packet().destination;
  packet().out = route.kind == Route::Kind::kLocal ? "lo" : route.link;
  if (!passes(Layer::kPackets, "output")) return arrive(Kind::kNowhere);
  if (packet().destination != before) route = ask();
  if (route.kind == Route::Kind::kOut) {
    tell("routing",
         fmt::format("the host sends what goes to {} to {}{}", text_of(packet().destination),
                     route.link, route.via ? " by " + text_of(*route.via) : ""));
    return leave(route.link);
  }
  packet().out = "lo";
  if (!passes(Layer::kPackets, "postrouting")) return arrive(Kind::kNowhere);
  packet().in = "lo";
  packet().out.clear();
  return at_host();
}

Journey Walk::in_by(const std::string& link) {
  begin_flow();
  tell("interface " + link, fmt::format("it comes in from {}", text_of(packet().source)));
  return receive(link);
}

bool is_echo(const Packet& packet) { return packet.proto == kIcmp || packet.proto == kIcmpv6; }

Packet turned(const Packet& packet) {
  Packet back{.source = packet.destination,
              .destination = packet.source,
              .proto = packet.proto,
              .source_port = packet.port,
              .port = packet.source_port};
  if (is_echo(packet)) back.icmp_type = packet.source.is_v4() ? 0 : 129;
  return back;
}

}  // namespace

bool Place::has(const IpAddress& address) const {
  return std::ranges::any_of(endpoint.addresses,
                             [&](const Cidr& each) { return each.address() == address; });
}

std::string Place::title() const { return title_of(endpoint); }

const Place* World::holder_of(const IpAddress& address) const {
  const auto found =
      std::ranges::find_if(places, [&](const Place& place) { return place.has(address); });
  return found == places.end() ? nullptr : &*found;
}

Journey from_container(const World& world, const Place& place, Packet packet) {
  return Walk(world, std::move(packet), {}).out_of(place);
}

Journey from_host(const World& world, Packet packet) {
  return Walk(world, std::move(packet), {}).out_of_host();
}

Journey from_link(const World& world, const std::string& link, Packet packet) {
  return Walk(world, std::move(packet), {}).in_by(link);
}

Journey answer_to(const World& world, const Journey& question) {
  Flow flow = question.flow;
  flow.answer = true;
  Walk walk(world, turned(question.packet), flow);
  return question.arrival.kind == Arrival::Kind::kContainer ? walk.out_of(*question.arrival.place)
                                                            : walk.out_of_host();
}

}  // namespace fairlead::explain
