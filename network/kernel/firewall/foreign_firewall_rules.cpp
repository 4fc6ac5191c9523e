#include "network/kernel/firewall/foreign_firewall_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace fairlead::kernel {

namespace {

constexpr std::string_view kMark = "-m comment --comment fairlead";
constexpr std::string_view kOurLinks = "fl-+";
constexpr std::array<std::string_view, 2> kDockerLinks = {"docker+", "br-+"};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool looks_like_dockers(std::string_view name) {
  return name.starts_with("docker") || name.starts_with("br-");
}

// Whether the name is one word that means only this interface when it is written into a rule. The
// last character may be iptables' wildcard.
bool can_be_pasted(std::string_view name) {
  if (name.ends_with('+')) name.remove_suffix(1);
  return IfName::parse(name).has_value();
}

// The word after the option `name`; empty when the option is missing or negated.
std::string_view option(const std::vector<std::string_view>& words, std::string_view name) {
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

void read_rule(std::string_view line, const std::vector<std::string_view>& words,
               FilterTable& table, std::set<std::string_view>& begun) {
  const std::string_view chain = words[1], target = option(words, "-j");
  if (option(words, "--comment").find("fairlead") != std::string_view::npos) {
    const std::string rule = without_quotes(line.substr(line.find(chain) + chain.size() + 1));
    table.ours.push_back({.chain = std::string(chain), .rule = rule});
    if (begun.contains(chain)) table.ours_on_top = false;
    return;
  }
  begun.insert(chain);
  if (chain == "FORWARD" && words[2] == "-j" && (target == "DROP" || target == "REJECT"))
    table.forward_drops = true;
  if (chain == "FORWARD" && target == "DOCKER-USER") table.docker_user = true;
  const std::string_view out = option(words, "-o");
  if (target == "DOCKER" && can_be_pasted(out) && !looks_like_dockers(out) &&
      std::ranges::find(table.docker_bridges, out) == table.docker_bridges.end())
    table.docker_bridges.emplace_back(out);
}

class RuleList {
 public:
  explicit RuleList(std::string chain) : chain_(std::move(chain)) {}

  void add(std::string_view in, std::string_view out, std::string_view target) {
    std::string rule;
    if (!in.empty()) rule += fmt::format("-i {} ", in);
    if (!out.empty()) rule += fmt::format("-o {} ", out);
    ForeignRule whole{.chain = chain_, .rule = fmt::format("{}{} -j {}", rule, kMark, target)};
    if (std::ranges::find(rules_, whole) == rules_.end()) rules_.push_back(std::move(whole));
  }
  void add_both_ways(std::string_view a, std::string_view b, std::string_view target) {
    add(a, b, target);
    add(b, a, target);
  }
  std::vector<ForeignRule> take() { return std::move(rules_); }

 private:
  std::string chain_;
  std::vector<ForeignRule> rules_;
};

}  // namespace

FilterTable parse_filter_table(std::string_view iptables_s) {
  FilterTable table;
  std::set<std::string_view> begun;  // the chains in which a rule of somebody else was read
  for (const std::string_view line : split(iptables_s, "\n")) {
    const auto words = split(line, " ");
    if (words.size() >= 3 && words[0] == "-P" && words[1] == "FORWARD" && words[2] == "DROP")
      table.forward_drops = true;
    if (words.size() >= 4 && words[0] == "-A") read_rule(line, words, table, begun);
  }
  return table;
}

std::vector<ForeignRule> wanted_rules(const FilterTable& table, std::span<const IfName> bridges,
                                      std::string_view uplink) {
  if (!table.forward_drops) return {};
  std::vector<std::string> own = {std::string(kOurLinks)};
  for (const IfName& bridge : bridges)
    if (!bridge.str().starts_with("fl-") && IfName::parse(bridge.str()))
      own.push_back(bridge.str());
  RuleList rules(table.docker_user ? "DOCKER-USER" : "FORWARD");
  if (table.docker_user) {
    // Fairlead's own bridges and the uplink may have names that look like Docker's.
    for (const std::string& a : own)
      for (const std::string& b : own)
        if (looks_like_dockers(a) || looks_like_dockers(b)) rules.add(a, b, "ACCEPT");
    if (looks_like_dockers(uplink) && IfName::parse(uplink))
      for (const std::string& a : own) rules.add_both_ways(uplink, a, "ACCEPT");
    for (const std::string& a : own) {
      for (const std::string_view docker : kDockerLinks) rules.add_both_ways(docker, a, "RETURN");
      for (const std::string& docker : table.docker_bridges)
        if (std::ranges::find(own, docker) == own.end()) rules.add_both_ways(docker, a, "RETURN");
    }
  }
  for (const std::string& a : own) {
    rules.add({}, a, "ACCEPT");
    rules.add(a, {}, "ACCEPT");
  }
  return rules.take();
}

std::string restore_text(const FilterTable& table, const std::vector<ForeignRule>& wanted) {
  if (table.ours == wanted && table.ours_on_top) return {};
  std::string text = "*filter\n";
  for (const ForeignRule& rule : table.ours)
    text += fmt::format("-D {} {}\n", rule.chain, rule.rule);
  std::size_t position = 1;
  for (const ForeignRule& rule : wanted)
    text += fmt::format("-I {} {} {}\n", rule.chain, position++, rule.rule);
  return text + "COMMIT\n";
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
