#include "network/explain/evaluate.h"

#include <fmt/format.h>

#include <algorithm>

namespace fairlead::explain {

namespace {

using json::Json;

// What became of a rule or a chain.
enum class Outcome { kNone, kAccept, kDrop, kReject, kReturn };

struct BaseChain {
  const Table* table;
  const Chain* chain;
};

bool is_of(Layer layer, std::string_view family, const Packet& packet) {
  if (layer == Layer::kFrames) return family == "bridge";
  return family == "inet" || family == (packet.source.is_v4() ? "ip" : "ip6");
}

std::vector<BaseChain> base_chains(const Ruleset& rules, Layer layer, std::string_view hook,
                                   const Packet& packet) {
  std::vector<BaseChain> chains;
  for (const Table& table : rules.tables)
    if (is_of(layer, table.family, packet))
      for (const auto& [name, chain] : table.chains)
        if (chain.hook == hook) chains.push_back({&table, &chain});
  std::ranges::stable_sort(chains, {}, [](const BaseChain& each) { return each.chain->priority; });
  return chains;
}

std::string target_of(const Json& jump) {
  const Json* target = jump.find("target");
  return target != nullptr && target->is_string() ? target->string() : std::string();
}

std::string endpoint_text(const IpAddress& address, std::uint16_t port) {
  if (port == 0) return address.to_string();
  return fmt::format(fmt::runtime(address.is_v4() ? "{}:{}" : "[{}]:{}"), address.to_string(),
                     port);
}

std::string in_words(const Rule& rule) {
  return rule.text.empty() ? rule.statements.dump() : rule.text;
}

// Of one base chain.
class Run {
 public:
  Run(const Table& table, std::string_view hook, Packet& packet, Flow& flow, const Facts& facts,
      Passage& passage)
      : table_(table),
        hook_(hook),
        packet_(packet),
        flow_(flow),
        facts_(facts),
        passage_(passage) {}

  Outcome through(const Chain& chain) {
    const std::size_t elements = elements_.size();
    chains_.push_back(chain.name);
    Outcome outcome = chains_.size() > kMostDepth ? Outcome::kNone : rules_of(chain);
    if (outcome == Outcome::kReturn && chains_.size() > 1) outcome = Outcome::kNone;
    chains_.pop_back();
    elements_.resize(elements);
    return outcome;
  }

 private:
  static constexpr std::size_t kMostDepth = 16;  // NFT_JUMP_STACK_SIZE

  Outcome rules_of(const Chain& chain) {
    for (const Rule& rule : chain.rules) {
      const std::size_t elements = elements_.size();
      gone_to_ = nullptr;
      const Outcome outcome = try_rule(rule);
      if (outcome != Outcome::kNone) return outcome;
      // A goto does not come back, and what is left of this chain is not asked.
      if (gone_to_ != nullptr) return Outcome::kReturn;
      elements_.resize(elements);
    }
    return Outcome::kNone;
  }

  Outcome try_rule(const Rule& rule) {
    uncertain_ = false;
    for (const Json& statement : rule.statements) {
      if (const Json* match = statement.find("match")) {
        const Match found = holds(*match, sight());
        if (found.truth == Truth::kNo) return Outcome::kNone;
        if (found.truth == Truth::kUnknown) uncertain_ = true;
        note(found);
        continue;
      }
      if (const Json* foreign = statement.find("xt"); foreign != nullptr) {
        uncertain_ = uncertain_ || !is_remark(*foreign);
        continue;
      }
      if (uncertain_ && decides(statement)) {
        passage_.unknown.push_back(
            fmt::format("{}, chain {}: {}", table_.title(), chains_.back(), in_words(rule)));
        return Outcome::kNone;
      }
      const Outcome outcome = act(statement, rule);
      if (outcome != Outcome::kNone || gone_to_ != nullptr) return outcome;
    }
    return Outcome::kNone;
  }

  static bool is_remark(const Json& extension) {
    const Json* name = extension.find("name");
    return name != nullptr && name->is_string() && name->string() == "comment";
  }

  // Others (counter, log, comment) change nothing of its way.
  static bool decides(const Json& statement) {
    for (const char* kind : {"accept", "drop", "reject", "return", "jump", "goto", "vmap", "dnat",
                             "snat", "masquerade", "redirect", "queue", "mangle", "tproxy"})
      if (statement.find(kind) != nullptr) return true;
    return false;
  }

  Outcome act(const Json& statement, const Rule& rule) {
    if (const Json* map = statement.find("vmap")) return by_map(*map, rule);
    if (statement.find("dnat") != nullptr || statement.find("redirect") != nullptr)
      return translate_destination(statement, rule);
    if (statement.find("snat") != nullptr || statement.find("masquerade") != nullptr)
      return translate_source(statement, rule);
    if (const Json* mangle = statement.find("mangle")) return change(*mangle);
    if (const Json* limited = statement.find("set"); limited != nullptr && counts(*limited))
      uncertain_ = true;
    if (statement.find("limit") != nullptr || statement.find("quota") != nullptr) uncertain_ = true;
    return verdict(statement, rule);
  }

  // How many connections there are is not known here; a new one is taken to be one that fits.
  static bool counts(const Json& set) { return set.find("stmt") != nullptr; }

  Outcome verdict(const Json& statement, const Rule& rule) {
    if (statement.find("accept") != nullptr) return decide(Decision::Kind::kAccept, rule);
    if (statement.find("drop") != nullptr) return decide(Decision::Kind::kDrop, rule);
    if (statement.find("reject") != nullptr) return decide(Decision::Kind::kReject, rule);
    if (statement.find("return") != nullptr) return Outcome::kReturn;
    for (const char* kind : {"jump", "goto"})
      if (const Json* jump = statement.find(kind)) return lead(target_of(*jump), kind, rule);
    return Outcome::kNone;
  }

  Outcome by_map(const Json& map, const Rule& rule) {
    const Match found = look_up(map, sight());
    if (found.truth == Truth::kNo) return Outcome::kNone;
    if (found.truth == Truth::kUnknown || !found.element->is_array()) {
      passage_.unknown.push_back(
          fmt::format("{}, chain {}: {}", table_.title(), chains_.back(), in_words(rule)));
      return Outcome::kNone;
    }
    note(found);
    return verdict((*found.element)[1], rule);
  }

  Outcome lead(const std::string& target, std::string_view kind, const Rule&) {
    const auto chain = table_.chains.find(target);
    if (chain == table_.chains.end()) return Outcome::kNone;
    const bool is_goto = kind == "goto";
    const Outcome outcome = through(chain->second);
    gone_to_ = is_goto && outcome == Outcome::kNone ? &chain->second : nullptr;
    return outcome;
  }

  void note(const Match& found) {
    if (found.element != nullptr && !found.set.empty())
      elements_.push_back(fmt::format("{}: {}", found.set, element_text(*found.element)));
  }

  Decision decision(Decision::Kind kind, const Rule& rule) const {
    return {.kind = kind,
            .hook = std::string(hook_),
            .table = table_.title(),
            .own = table_.is_own(),
            .chains = chains_,
            .rule = in_words(rule),
            .elements = elements_};
  }

  Outcome decide(Decision::Kind kind, const Rule& rule) {
    passage_.decisions.push_back(decision(kind, rule));
    switch (kind) {
      case Decision::Kind::kDrop:
        return Outcome::kDrop;
      case Decision::Kind::kReject:
        return Outcome::kReject;
      default:
        return Outcome::kAccept;
    }
  }

  // ---- translation

  // The address and perhaps the port that a statement or an element of its map names.
  struct Place {
    std::optional<IpAddress> address;
    std::uint16_t port = 0;
  };

  static std::optional<IpAddress> address_in(const Json& json) {
    if (!json.is_string()) return std::nullopt;
    const auto address = IpAddress::parse(json.string());
    return address ? std::optional(*address) : std::nullopt;
  }

  static Place place_in(const Json& data) {
    Place place;
    const Json* parts = data.find("concat");
    if (parts == nullptr || parts->size() != 2) return {address_in(data)};
    place.address = address_in((*parts)[0]);
    if ((*parts)[1].is_number_unsigned() || (*parts)[1].is_number_integer())
      place.port = (*parts)[1].get<std::uint16_t>();
    return place;
  }

  // std::nullopt: the rule does not match. An address that is not known: the rule is beyond this.
  std::optional<Place> place_of(const Json& statement) {
    const Json* address = statement.find("addr");
    if (const Json* family = statement.find("family"); family != nullptr && family->is_string())
      if ((family->string() == "ip") != packet_.source.is_v4()) return std::nullopt;
    Place place;
    if (address != nullptr) {
      if (const Json* map = address->find("map")) {
        const Match found = look_up(*map, sight());
        if (found.truth == Truth::kNo) return std::nullopt;
        if (found.truth == Truth::kUnknown || !found.element->is_array()) return Place{};
        note(found);
        place = place_in((*found.element)[1]);
      } else {
        place = place_in(*address);
      }
    }
    if (const Json* port = statement.find("port"); port != nullptr && port->is_number_integer())
      place.port = port->get<std::uint16_t>();
    return place;
  }

  Outcome beyond(const Rule& rule) {
    passage_.unknown.push_back(
        fmt::format("{}, chain {}: {}", table_.title(), chains_.back(), in_words(rule)));
    return Outcome::kNone;
  }

  Outcome translate_destination(const Json& statement, const Rule& rule) {
    const Json* redirect = statement.find("redirect");
    const auto place = place_of(redirect != nullptr ? *redirect : statement["dnat"]);
    if (!place) return Outcome::kNone;
    if (!place->address) return beyond(rule);
    packet_.destination = *place->address;
    if (place->port != 0) packet_.port = place->port;
    flow_.translated = true;
    flow_.answerer = packet_.destination;
    return translated(rule,
                      fmt::format("to {}", endpoint_text(packet_.destination,
                                                         packet_.has_ports() ? packet_.port : 0)));
  }

  Outcome translate_source(const Json& statement, const Rule& rule) {
    if (const Json* snat = statement.find("snat")) {
      const auto place = place_of(*snat);
      if (!place) return Outcome::kNone;
      if (!place->address) return beyond(rule);
      packet_.source = *place->address;
    } else {
      const Route route = facts_.route({.to = packet_.destination, .mark = packet_.mark});
      if (route.source) packet_.source = *route.source;
    }
    flow_.masked = true;
    return translated(rule, fmt::format("from {}", packet_.source.to_string()));
  }

  Outcome translated(const Rule& rule, std::string translation) {
    Decision made = decision(Decision::Kind::kTranslate, rule);
    made.translation = std::move(translation);
    passage_.decisions.push_back(std::move(made));
    return Outcome::kAccept;
  }

  Outcome change(const Json& mangle) {
    const Json* key = mangle.find("key");
    const Json* value = mangle.find("value");
    if (key == nullptr || value == nullptr || !value->is_number_integer()) return Outcome::kNone;
    const auto is_mark = [&](const char* what) {
      const Json* found = key->find(what);
      return found != nullptr && (*found)["key"] == Json("mark");
    };
    if (is_mark("meta")) packet_.mark = value->get<std::uint32_t>();
    if (is_mark("ct")) flow_.mark = value->get<std::uint32_t>();
    return Outcome::kNone;
  }

  Sight sight() const { return {table_, packet_, flow_, facts_}; }

  const Table& table_;
  const std::string_view hook_;
  Packet& packet_;
  Flow& flow_;
  const Facts& facts_;
  Passage& passage_;
  std::vector<std::string> chains_, elements_;
  const Chain* gone_to_ = nullptr;
  bool uncertain_ = false;
};

// What a new flow is not translated by twice at one hook, and an older one not at all.
bool translates_no_more(const Chain& chain, const Flow& before, const Flow& flow) {
  if (chain.type != "nat") return false;
  return flow.answer || flow.translated != before.translated || flow.masked != before.masked;
}

}  // namespace

Passage pass(const Ruleset& rules, Layer layer, std::string_view hook, Packet& packet, Flow& flow,
             const Facts& facts) {
  Passage passage;
  const Flow before = flow;
  for (const BaseChain& base : base_chains(rules, layer, hook, packet)) {
    if (translates_no_more(*base.chain, before, flow)) continue;
    const Outcome outcome =
        Run(*base.table, hook, packet, flow, facts, passage).through(*base.chain);
    passage.passes = outcome != Outcome::kDrop && outcome != Outcome::kReject;
    if (!passage.passes) return passage;
    const bool left_to_policy = outcome == Outcome::kNone || outcome == Outcome::kReturn;
    if (!left_to_policy || !base.chain->drops) continue;
    passage.passes = false;
    passage.decisions.push_back({.kind = Decision::Kind::kDrop,
                                 .hook = std::string(hook),
                                 .table = base.table->title(),
                                 .own = base.table->is_own(),
                                 .chains = {base.chain->name},
                                 .rule = {},
                                 .elements = {},
                                 .translation = {}});
    return passage;
  }
  return passage;
}

}  // namespace fairlead::explain
