// The host's nftables rules as values, read from what the kernel has loaded: of Fairlead's tables and of all others.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/json.h"
#include "base/result.h"

namespace fairlead::explain {

struct Rule {
  std::uint64_t handle = 0;
  json::Json statements;  // as libnftables-json(5) has them
  std::string text;       // as `nft list` prints it; empty: not known
};

struct Chain {
  std::string name;
  // Of a base chain; empty of others.
  std::string type, hook;
  std::int64_t priority = 0;
  bool drops = false;  // its policy
  std::vector<Rule> rules{};
};

struct Table {
  std::string family, name;  // "inet", "fairlead"
  std::map<std::string, Chain, std::less<>> chains{};
  // Elements of sets and maps: an array; of a map each element is [key, data].
  std::map<std::string, json::Json, std::less<>> sets{};

  std::string title() const { return family + " " + name; }
  bool is_own() const { return name == "fairlead" && (family == "inet" || family == "bridge"); }
};

struct Ruleset {
  std::vector<Table> tables;

  // nullptr: there is none.
  const Table* find(std::string_view family, std::string_view name) const;
};

// `json` and `text` are what `nft -j list ruleset` and `nft -a list ruleset` print; of a rule that the text lacks, the
// text is empty. kInvalid where `json` is no list of rules.
Result<Ruleset> parse_ruleset(std::string_view json, std::string_view text);

}  // namespace fairlead::explain
