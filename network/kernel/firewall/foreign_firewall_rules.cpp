#include "network/kernel/firewall/foreign_firewall_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace fairlead::kernel {

namespace {

constexpr std::string_view kMark = "-m comment --comment fairlead";

using Words = std::vector<std::string_view>;
using Verdict = ForeignStep::Verdict;

Words split(std::string_view text, std::string_view separators) {
  Words parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// The word after the option `name`; empty when the option is missing or negated.
std::string_view option(const Words& words, std::string_view name) {
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == name && (i == 0 || words[i - 1] != "!")) return words[i + 1];
  return {};
}

// Older versions of iptables quote every comment.
std::string without_quotes(std::string_view text) {
  std::string result(text);
  std::erase(result, '"');
  return result;
}

// A comment is no condition. One of several words is taken for one, which moves our rule at most
// behind that rule.
bool has_conditions(Words words) {
  const auto comment = std::ranges::find(words, "--comment");
  if (comment != words.end() && words.end() - comment > 1 && comment - words.begin() > 1)
    words.erase(comment - 2, comment + 2);
  const auto verdict = std::ranges::find_if(
      words, [](std::string_view word) { return word == "-j" || word == "-g"; });
  return verdict != words.begin();
}

void give_verdict(const Words& words, const FilterTable& table, ForeignStep& step) {
  const std::string_view target = option(words, "-j"), next = option(words, "-g");
  if (!next.empty()) {
    step.verdict = Verdict::kGoto;
    step.target = next;
  } else if (target == "ACCEPT") {
    step.verdict = Verdict::kAccept;
  } else if (target == "DROP" || target == "REJECT") {
    step.verdict = Verdict::kDrop;
  } else if (target == "RETURN") {
    step.verdict = Verdict::kReturn;
  } else if (table.chains.contains(target)) {
    step.verdict = Verdict::kJump;
    step.target = target;
  }
}

// The words begin with "-A CHAIN".
void read_rule(std::string_view line, const Words& words, FilterTable& table) {
  const std::string_view chain = words[1];
  const Words rest(words.begin() + 2, words.end());
  std::vector<ForeignStep>& steps = table.chains[std::string(chain)];
  ForeignStep step{.handle = steps.size() + 1, .always = !has_conditions(rest)};
  give_verdict(rest, table, step);
  step.out = option(rest, "-o");
  step.ours = without_quotes(option(rest, "--comment")) == kForeignMark;
  if (step.ours)
    table.ours.push_back(
        {.chain = std::string(chain),
         .rule = without_quotes(line.substr(line.find(chain) + chain.size() + 1))});
  if (chain == "FORWARD" && step.target == "DOCKER-USER" && !table.docker_bridges)
    table.docker_bridges.emplace();
  steps.push_back(std::move(step));
}

void find_dockers_bridges(FilterTable& table) {
  if (!table.docker_bridges) return;
  std::set<std::string> names;
  for (const auto& [chain, steps] : table.chains)
    for (const ForeignStep& step : steps)
      if (step.target == "DOCKER" && is_dockers_own_name(step.out)) names.insert(step.out);
  table.docker_bridges->assign(names.begin(), names.end());
}

// iptables' wildcard is another one.
std::string interface(std::string_view option, std::string name) {
  if (name.empty()) return {};
  if (name.ends_with('*')) name.back() = '+';
  return fmt::format("{} {} ", option, name);
}

std::string text_of(const PassRule& rule) {
  return fmt::format("{}{}{} -j {}", interface("-i", rule.in), interface("-o", rule.out), kMark,
                     rule.accept ? "ACCEPT" : "RETURN");
}

bool holds(const FilterTable& table, std::span<const PassRule> wanted) {
  std::vector<std::string> have, want;
  for (const FilterTable::Ours& each : table.ours)
    if (each.chain == kForeignChain) have.push_back(each.rule);
  for (const PassRule& rule : wanted) want.push_back(text_of(rule));
  const auto chain = table.chains.find(kForeignChain);
  return have == want && chain != table.chains.end() && chain->second.size() == want.size();
}

// Also what earlier versions put at the top of FORWARD and DOCKER-USER.
std::string deletions(const FilterTable& table) {
  std::string text;
  for (const FilterTable::Ours& each : table.ours)
    if (each.chain != kForeignChain) text += fmt::format("-D {} {}\n", each.chain, each.rule);
  return text;
}

std::string jump(const FilterTable& table, const Opening& opening) {
  const std::string rule = fmt::format("{} -j {}\n", kMark, kForeignChain);
  if (opening.before == 0) return "-A FORWARD " + rule;
  std::uint64_t place = opening.before;  // without ours, which are deleted first
  for (const ForeignStep& step : table.chains.find("FORWARD")->second)
    if (step.ours && step.handle < opening.before) --place;
  return fmt::format("-I FORWARD {} {}", place, rule);
}

}  // namespace

bool is_dockers_own_name(std::string_view name) {
  if (name.starts_with("docker") || name.starts_with("br-")) return false;
  if (name.ends_with('+') || name.ends_with('*')) name.remove_suffix(1);
  return IfName::parse(name).has_value();
}

// -S lists the chains before the rules.
FilterTable parse_filter_table(std::string_view iptables_s) {
  FilterTable table;
  for (const std::string_view line : split(iptables_s, "\n")) {
    const Words words = split(line, " ");
    if (words.size() >= 3 && words[0] == "-P" && words[1] == "FORWARD")
      table.policy_drops = words[2] == "DROP";
    if (words.size() == 2 && words[0] == "-N") table.chains[std::string(words[1])];
    if (words.size() >= 4 && words[0] == "-A") read_rule(line, words, table);
  }
  find_dockers_bridges(table);
  return table;
}

Result<Opening> find_opening(const FilterTable& table) {
  const auto steps = [&](const std::string& chain) -> Result<std::vector<ForeignStep>> {
    const auto found = table.chains.find(chain);
    return found == table.chains.end() ? std::vector<ForeignStep>() : found->second;
  };
  TRY(const auto forward, steps("FORWARD"));
  return find_opening(ForeignChain{.policy_drops = table.policy_drops}, forward, steps);
}

std::string restore_text(const FilterTable& table, const Opening& opening,
                         std::span<const PassRule> wanted) {
  const bool strays = std::ranges::any_of(table.ours, [](const FilterTable::Ours& each) {
    return each.chain != kForeignChain && each.chain != "FORWARD";
  });
  if (wanted.empty()) {
    if (table.ours.empty() && !table.chains.contains(kForeignChain)) return {};
    std::string text = "*filter\n" + deletions(table);
    if (table.chains.contains(kForeignChain))
      text += fmt::format("-F {0}\n-X {0}\n", kForeignChain);
    return text + "COMMIT\n";
  }
  if (opening.in_place && !strays && holds(table, wanted)) return {};
  // Declaring a chain empties it.
  std::string text = fmt::format("*filter\n:{} - [0:0]\n", kForeignChain) + deletions(table);
  for (const PassRule& rule : wanted)
    text += fmt::format("-A {} {}\n", kForeignChain, text_of(rule));
  return text + jump(table, opening) + "COMMIT\n";
}

// The columns are: Iface Destination Gateway Flags RefCnt Use Metric Mask ..., numbers in hex.
std::string default_interface_v4(std::string_view proc_net_route) {
  for (const std::string_view line : split(proc_net_route, "\n")) {
    const auto words = split(line, " \t");
    if (words.size() >= 8 && words[1] == "00000000" && words[7] == "00000000")
      return std::string(words[0]);
  }
  return {};
}

// The columns are: destination prefix-length source prefix-length next-hop metric refcnt use flags
// interface.
std::string default_interface_v6(std::string_view proc_net_ipv6_route) {
  for (const std::string_view line : split(proc_net_ipv6_route, "\n")) {
    const auto words = split(line, " \t");
    if (words.size() >= 10 && words[1] == "00" && words[9] != "lo") return std::string(words[9]);
  }
  return {};
}

}  // namespace fairlead::kernel
