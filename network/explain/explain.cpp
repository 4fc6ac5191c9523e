#include "network/explain/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace fairlead::explain {

using network::ExplainPath;
using network::ExplainPort;
using network::ExplainStep;
using network::Explanation;
using network::Reach;

namespace {

constexpr std::size_t kMostTargets = 8;

struct Target {
  IpAddress address;
  ExplainPort port;
  bool published = false;
};

std::string family_text(Family family) { return family == Family::kV4 ? "IPv4" : "IPv6"; }

std::string_view text_of(ExplainPort::Kind kind) {
  return kind == ExplainPort::Kind::kTcp ? "TCP" : "UDP";
}

std::string packet_text(const ExplainPort& port) {
  if (port.kind == ExplainPort::Kind::kPing) return "a ping";
  return fmt::format("{} to port {}", text_of(port.kind), port.port);
}

std::optional<IpAddress> of_family(const std::vector<IpAddress>& addresses, Family family) {
  const auto found = std::ranges::find(addresses, family, &IpAddress::family);
  return found == addresses.end() ? std::nullopt : std::optional(*found);
}

// The packets of one question.
class Paths {
 public:
  Paths(const World& world, const Question& question) : world_(world), question_(question) {}

  Result<Explanation> all() {
    Explanation explanation;
    for (const Family family : {Family::kV4, Family::kV6})
      if (!question_.family || *question_.family == family) of_family(family, explanation);
    if (explanation.paths.empty())
      return fail(
          Code::kInvalid, "{} and {} have no {} in common: there is no packet to follow",
          question_.from.title, question_.to.title,
          question_.family ? family_text(*question_.family) + " addresses" : "family of addresses");
    conclude(explanation);
    return explanation;
  }

 private:
  void of_family(Family family, Explanation& explanation) {
    const std::vector<IpAddress>& named = question_.to.addresses;
    const bool is_asked = named.empty() || explain::of_family(named, family);
    if (!is_asked || !can_begin(family)) return;
    std::vector<Target> targets = direct(family);
    const std::size_t own = targets.size();
    std::ranges::move(published(family), std::back_inserter(targets));
    bool reached = false;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      // Another container asks for B itself; whoever is outside asks for what is published.
      if (i >= own && reached && !from_outside()) break;
      ExplainPath path = follow(targets[i]);
      reached = reached || path.reach == Reach::kYes;
      if (i < own || path.reach == Reach::kYes) explanation.paths.push_back(std::move(path));
    }
  }

  bool from_outside() const {
    return question_.from.kind == End::Kind::kOutside || question_.from.kind == End::Kind::kAddress;
  }

  // ---- who sends, and where to

  bool can_begin(Family family) const {
    const End& from = question_.from;
    if (!from.addresses.empty()) return explain::of_family(from.addresses, family).has_value();
    if (from.kind != End::Kind::kContainers) return true;
    return std::ranges::any_of(from.places,
                               [&](const Place* place) { return has(*place, family); });
  }

  static bool has(const Place& place, Family family) {
    return std::ranges::any_of(place.endpoint.addresses,
                               [&](const Cidr& each) { return each.family() == family; });
  }

  std::vector<Target> direct(Family family) const {
    std::vector<Target> targets;
    for (const IpAddress& address : addresses_of(question_.to, family))
      if (targets.size() < kMostTargets) targets.push_back({address, question_.port});
    return targets;
  }

  std::vector<IpAddress> addresses_of(const End& end, Family family) const {
    if (!end.addresses.empty()) {
      std::vector<IpAddress> named = end.addresses;
      std::erase_if(named, [&](const IpAddress& each) { return each.family() != family; });
      return named;
    }
    switch (end.kind) {
      case End::Kind::kOutside:
        return {outside_address(family)};
      case End::Kind::kHost:
        if (const auto own = own_address(family)) return {*own};
        return {};
      default:
        return addresses_near(end, family);
    }
  }

  // Those on a network that both are on, where there is one: names lead there as well.
  std::vector<IpAddress> addresses_near(const End& end, Family family) const {
    std::vector<IpAddress> near, far;
    for (const Place* place : end.places) {
      const bool shared = std::ranges::any_of(question_.from.places, [&](const Place* from) {
        return from->endpoint.network_id == place->endpoint.network_id;
      });
      for (const Cidr& each : place->endpoint.addresses)
        if (each.family() == family) (shared ? near : far).push_back(each.address());
    }
    return near.empty() ? far : near;
  }

  // The host, as A knows it: a container by its gateway, the host itself by its loopback address.
  std::optional<IpAddress> own_address(Family family) const {
    if (question_.from.kind == End::Kind::kHost)
      return IpAddress::parse(family == Family::kV4 ? "127.0.0.1" : "::1").value();
    for (const Place* place : question_.from.places)
      if (const auto gateway = explain::of_family(place->endpoint.gateways, family);
          gateway && world_.facts.is_local(*gateway))
        return gateway;
    const Route out = world_.facts.route({.to = outside_address(family)});
    return out.kind == Route::Kind::kOut ? out.source : std::nullopt;
  }

  std::vector<Target> published(Family family) const {
    std::vector<Target> targets;
    if (question_.to.kind != End::Kind::kContainers || question_.port.port == 0) return targets;
    for (const Place* place : question_.to.places)
      for (const network::PublishedPort& port : place->endpoint.ports)
        if (const auto target = published_by(port, family)) targets.push_back(*target);
    return targets;
  }

  std::optional<Target> published_by(const network::PublishedPort& port, Family family) const {
    const bool is_tcp = question_.port.kind == ExplainPort::Kind::kTcp;
    if (port.proto != (is_tcp ? network::Proto::kTcp : network::Proto::kUdp)) return std::nullopt;
    if (question_.port.port < port.container_port || question_.port.port > port.container_last())
      return std::nullopt;
    if (port.host_ip && port.host_ip->family() != family) return std::nullopt;
    const auto address =
        port.host_ip && !port.host_ip->is_any() ? port.host_ip : own_address(family);
    if (!address) return std::nullopt;
    const auto number =
        static_cast<std::uint16_t>(port.host_port + (question_.port.port - port.container_port));
    return Target{*address, {question_.port.kind, number}, true};
  }

  // ---- one packet

  Packet packet_to(const Target& target) const {
    using Kind = ExplainPort::Kind;
    const bool v4 = target.address.is_v4();
    Packet packet{.source = IpAddress::any(target.address.family()),
                  .destination = target.address,
                  .proto = target.port.kind == Kind::kTcp   ? kTcp
                           : target.port.kind == Kind::kUdp ? kUdp
                           : v4                             ? kIcmp
                                                            : kIcmpv6};
    if (packet.has_ports()) packet.source_port = kSourcePort;
    packet.port = target.port.port;
    if (!packet.has_ports()) packet.icmp_type = v4 ? 8 : 128;
    return packet;
  }

  Journey journey_to(const Target& target) const {
    const End& from = question_.from;
    Packet packet = packet_to(target);
    const Family family = target.address.family();
    switch (from.kind) {
      case End::Kind::kContainers:
        return from_container(world_, place_for(target.address), packet);
      case End::Kind::kHost:
        if (!from.addresses.empty()) packet.source = *explain::of_family(from.addresses, family);
        return from_host(world_, packet);
      default:
        packet.source = from.addresses.empty() ? outside_address(family)
                                               : *explain::of_family(from.addresses, family);
        return from_link(world_, world_.facts.route({.to = packet.source}).link, packet);
    }
  }

  // By which of its networks the container would send.
  const Place& place_for(const IpAddress& to) const {
    const auto& places = question_.from.places;
    const auto route = world_.facts.route_inside(places.front()->endpoint.netns_path, to);
    for (const Place* place : places)
      if (route && route->source && place->has(*route->source)) return *place;
    for (const Place* place : places)
      for (const Cidr& subnet : place->subnets)
        if (subnet.contains(to)) return *place;
    for (const Place* place : places)
      if (has(*place, to.family())) return *place;
    return *places.front();
  }

  ExplainPath follow(const Target& target) const {
    Journey journey = journey_to(target);
    ExplainPath path{.from = title_of(question_.from, journey.flow.source),
                     .to = target.published
                               ? fmt::format("the host ({})", target.address.to_string())
                               : title_of(question_.to, target.address),
                     .source = journey.flow.source,
                     .destination = target.address,
                     .port = target.port,
                     .behind = journey.flow.answerer,
                     .port_behind = journey.packet.port,
                     .published = target.published,
                     .reach = reach_of(journey.arrival, question_.to),
                     .sentence = {},
                     .steps = journey.steps};
    if (question_.from.kind == End::Kind::kContainers)
      path.netns_path = question_.from.places.front()->endpoint.netns_path;
    path.can_send = question_.from.kind == End::Kind::kHost || !path.netns_path.empty();
    if (path.reach == Reach::kYes) path.answers = answers(journey, path);
    path.sentence = sentence_of(path, journey);
    add_unknown(journey, path);
    return path;
  }

  static std::string title_of(const End& end, const IpAddress& address) {
    if (end.title == address.to_string()) return end.title;
    return address.is_any() ? end.title : fmt::format("{} ({})", end.title, address.to_string());
  }

  Reach reach_of(const Arrival& arrival, const End& end) const {
    using Kind = Arrival::Kind;
    switch (arrival.kind) {
      case Kind::kNowhere:
        return Reach::kNo;
      case Kind::kUnseen:
        return Reach::kUnseen;
      case Kind::kContainer:
        // A published port of the host, or an address that is translated, leads there.
        return end.kind != End::Kind::kContainers || end.is(*arrival.place) ? Reach::kYes
                                                                            : Reach::kNo;
      case Kind::kHost:
        return end.kind == End::Kind::kHost ? Reach::kYes : Reach::kNo;
      case Kind::kOutside:
        break;
    }
    return end.kind == End::Kind::kOutside || end.kind == End::Kind::kAddress ? Reach::kYes
                                                                              : Reach::kNo;
  }

  Reach answers(const Journey& journey, ExplainPath& path) const {
    using Kind = Arrival::Kind;
    if (journey.arrival.kind != Kind::kContainer && journey.arrival.kind != Kind::kHost)
      return Reach::kUnseen;
    const Journey answer = answer_to(world_, journey);
    const Reach back = reach_of(answer.arrival, question_.from);
    if (back != Reach::kNo) return back;
    for (const ExplainStep& step : answer.steps)
      if (step.stops) {
        path.steps.push_back(step);
        path.steps.back().place = "answer, " + step.place;
      }
    return Reach::kNo;
  }

  static void add_unknown(const Journey& journey, ExplainPath& path) {
    for (const std::string& rule : journey.unknown)
      path.steps.push_back(
          {.place = "not known", .what = fmt::format("what this rule does: {}", rule)});
  }

  // ---- words

  static std::string reason_of(const std::vector<ExplainStep>& steps) {
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
      if (step->stops) return fmt::format("{}: {}", step->place, step->what);
    return {};
  }

  static std::string place_of(const Journey& journey) {
    const Arrival& arrival = journey.arrival;
    switch (arrival.kind) {
      case Arrival::Kind::kContainer:
        return fmt::format("{} ({})", arrival.place->title(),
                           journey.packet.destination.to_string());
      case Arrival::Kind::kHost:
        return "the host itself";
      case Arrival::Kind::kOutside:
        return "interface " + arrival.link;
      default:
        return {};
    }
  }

  std::string sentence_of(const ExplainPath& path, const Journey& journey) const {
    const std::string packet = packet_text(path.port);
    const std::string& to = path.to;
    switch (path.reach) {
      case Reach::kUnseen:
        return fmt::format("{} from {} to {} goes where this host does not see it: {}", packet,
                           path.from, to, path.steps.empty() ? "" : path.steps.back().what);
      case Reach::kNo:
        if (const std::string reason = reason_of(path.steps); !reason.empty())
          return fmt::format("{} from {} does not reach {}: {}", packet, path.from, to, reason);
        return fmt::format("{} from {} does not reach {}: it comes to {}", packet, path.from, to,
                           place_of(journey));
      case Reach::kYes:
        break;
    }
    std::string text = fmt::format("{} from {} reaches {}", packet, path.from, to);
    if (journey.flow.translated) text += fmt::format(", which leads to {}", place_of(journey));
    if (journey.arrival.kind == Arrival::Kind::kOutside)
      text += fmt::format(" as far as this host goes: it leaves by {}", place_of(journey));
    if (path.answers == Reach::kNo)
      text += fmt::format("; but its answer does not come back: {}", reason_of(path.steps));
    return text;
  }

  void conclude(Explanation& explanation) const {
    const auto counts = [&](const ExplainPath& path) { return from_outside() || !path.published; };
    bool unseen = false;
    for (const ExplainPath& path : explanation.paths) {
      if (counts(path) && path.reach == Reach::kYes) explanation.reach = Reach::kYes;
      unseen = unseen || (counts(path) && path.reach == Reach::kUnseen);
    }
    if (explanation.reach == Reach::kNo && unseen) explanation.reach = Reach::kUnseen;
    const ExplainPath& main = main_path(explanation, counts);
    explanation.sentence =
        fmt::format("{}: {}.",
                    explanation.reach == Reach::kYes  ? "Yes"
                    : explanation.reach == Reach::kNo ? "No"
                                                      : "Not to be seen from here",
                    main.sentence);
    add_notes(explanation, main);
  }

  template <class Counts>
  static const ExplainPath& main_path(const Explanation& explanation, const Counts& counts) {
    for (const ExplainPath& path : explanation.paths)
      if (counts(path) && path.reach == explanation.reach) return path;
    return explanation.paths.front();
  }

  void add_notes(Explanation& explanation, const ExplainPath& main) const {
    for (const ExplainPath& path : explanation.paths) {
      if (&path == &main) continue;
      if (path.family() != main.family() && path.reach == main.reach && !path.published) {
        explanation.notes.push_back(
            fmt::format("over {} it is the same", family_text(path.family())));
        continue;
      }
      explanation.notes.push_back(
          fmt::format("over {}: {}", family_text(path.family()), path.sentence));
    }
    for (const End* end : {&question_.from, &question_.to})
      if (end->kind == End::Kind::kOutside)
        explanation.notes.push_back(fmt::format(
            "outside is taken to be {}, an address of nobody behind the host's default route",
            outside_address(main.family()).to_string()));
  }

  const World& world_;
  const Question& question_;
};

}  // namespace

Result<Explanation> explain(const World& world, const Question& question) {
  return Paths(world, question).all();
}

}  // namespace fairlead::explain
