#include "network/explain/ruleset.h"

#include <algorithm>
#include <charconv>

namespace fairlead::explain {

namespace {

using json::Json;

std::string string_of(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

std::int64_t number_of(const Json& object, std::string_view key) {
  const Json* found = object.find(key);
  return found != nullptr && found->is_number_integer() ? found->integer() : 0;
}

Table& table_of(Ruleset& rules, const Json& object, std::string_view key) {
  const std::string family = string_of(object, "family"), name = string_of(object, key);
  for (Table& table : rules.tables)
    if (table.family == family && table.name == name) return table;
  rules.tables.push_back({.family = family, .name = name});
  return rules.tables.back();
}

void add_chain(Ruleset& rules, const Json& object) {
  Chain chain{.name = string_of(object, "name"),
              .type = string_of(object, "type"),
              .hook = string_of(object, "hook"),
              .priority = number_of(object, "prio"),
              .drops = string_of(object, "policy") == "drop"};
  table_of(rules, object, "table").chains.insert_or_assign(chain.name, chain);
}

void add_set(Ruleset& rules, const Json& object) {
  const Json* elements = object.find("elem");
  table_of(rules, object, "table")
      .sets.insert_or_assign(string_of(object, "name"), elements != nullptr && elements->is_array()
                                                            ? *elements
                                                            : Json::array());
}

// Where a rule is: "inet fairlead 116".
std::string place_of(std::string_view family, std::string_view table, std::uint64_t handle) {
  return fmt::format("{} {} {}", family, table, handle);
}

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// The rules of `nft -a list ruleset`: lines inside of chains that end with their handles. Anonymous sets may go over
// several lines.
class TextReader {
 public:
  std::map<std::string, std::string> read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      take(trimmed(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(found_);
  }

 private:
  static constexpr std::string_view kHandle = "# handle ";

  void take(std::string_view line) {
    if (line.starts_with("table ")) return enter_table(line.substr(6));
    if (line.starts_with("chain "))
      in_chain_ = true, pending_.clear();
    else if (line == "}")
      in_chain_ = false, pending_.clear();
    else if (in_chain_ && !line.starts_with("type "))
      take_rule(line);
  }

  void enter_table(std::string_view rest) {
    const std::size_t blank = rest.find(' ');
    family_ = rest.substr(0, blank);
    rest.remove_prefix(std::min(blank + 1, rest.size()));
    table_ = rest.substr(0, rest.find(' '));
    in_chain_ = false;
  }

  void take_rule(std::string_view line) {
    pending_ += pending_.empty() ? std::string(line) : fmt::format(" {}", line);
    const std::size_t at = pending_.rfind(kHandle);
    if (at == std::string::npos) return;
    std::uint64_t handle = 0;
    const std::string_view digits = std::string_view(pending_).substr(at + kHandle.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), handle);
    found_.emplace(place_of(family_, table_, handle),
                   trimmed(std::string_view(pending_).substr(0, at)));
    pending_.clear();
  }

  std::map<std::string, std::string> found_;
  std::string family_, table_, pending_;
  bool in_chain_ = false;
};

void add_rule(Ruleset& rules, const Json& object, const std::map<std::string, std::string>& texts) {
  Table& table = table_of(rules, object, "table");
  const auto chain = table.chains.find(string_of(object, "chain"));
  const Json* statements = object.find("expr");
  if (chain == table.chains.end() || statements == nullptr || !statements->is_array()) return;
  Rule rule{.handle = static_cast<std::uint64_t>(number_of(object, "handle")),
            .statements = *statements,
            .text = {}};
  if (const auto text = texts.find(place_of(table.family, table.name, rule.handle));
      text != texts.end())
    rule.text = text->second;
  chain->second.rules.push_back(std::move(rule));
}

}  // namespace

const Table* Ruleset::find(std::string_view family, std::string_view name) const {
  const auto found = std::ranges::find_if(
      tables, [&](const Table& table) { return table.family == family && table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

// Chains come before rules that jump to them in no particular order, so rules are read last.
Result<Ruleset> parse_ruleset(std::string_view json, std::string_view text) {
  TRY(const Json document, json::parse(json));
  const Json* objects = document.find("nftables");
  if (objects == nullptr || !objects->is_array())
    return fail(Code::kInvalid, "read the rules of nftables: libnftables lists none as JSON");
  const auto texts = TextReader().read(text);
  Ruleset rules;
  for (const Json& each : *objects) {
    if (const Json* table = each.find("table")) table_of(rules, *table, "name");
    if (const Json* chain = each.find("chain")) add_chain(rules, *chain);
    for (const char* kind : {"set", "map"})
      if (const Json* set = each.find(kind)) add_set(rules, *set);
  }
  for (const Json& each : *objects)
    if (const Json* rule = each.find("rule")) add_rule(rules, *rule, texts);
  return rules;
}

}  // namespace fairlead::explain
