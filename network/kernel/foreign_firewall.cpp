#include "network/kernel/foreign_firewall.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

#include "base/log.h"
#include "base/process.h"

namespace fairlead::kernel {

namespace {

constexpr std::chrono::seconds kDeadline{10};
constexpr std::string_view kComment = "fairlead";

// The four tables that another firewall may have its FORWARD chain in. Names of the tools; missing
// ones are left out.
constexpr std::array<std::string_view, 4> kTools{"iptables-nft", "iptables-legacy", "ip6tables-nft",
                                                 "ip6tables-legacy"};

using Rule = std::vector<std::string>;  // what stands behind -A CHAIN

Result<ProcessResult> run(std::vector<std::string> argv) { return run_process(argv, kDeadline); }

// The rules that let our bridges pass, in order. What goes from us to Docker's own bridges is left
// to Docker's rules: they let in what Docker publishes, and nothing else.
std::vector<Rule> wanted_rules(const std::vector<IfName>& bridges, const std::string& uplink) {
  std::vector<std::string> patterns;
  const auto ours = [](const IfName& bridge) { return bridge.str().starts_with("fl-"); };
  if (std::ranges::any_of(bridges, ours)) patterns.emplace_back("fl-+");
  for (const IfName& bridge : bridges)
    if (!ours(bridge)) patterns.push_back(bridge.str());
  std::vector<Rule> rules;
  for (const std::string& pattern : patterns) {
    rules.push_back({"-o", pattern, "-j", "ACCEPT"});
    if (uplink.starts_with("br-")) rules.push_back({"-i", pattern, "-o", uplink, "-j", "ACCEPT"});
    rules.push_back({"-i", pattern, "-o", "docker0", "-j", "RETURN"});
    rules.push_back({"-i", pattern, "-o", "br-+", "-j", "RETURN"});
    rules.push_back({"-i", pattern, "-j", "ACCEPT"});
  }
  return rules;
}

// What iptables -S prints for a rule of ours; the order of its words is fixed.
std::string as_listed(const std::string& chain, const Rule& rule) {
  std::string text = "-A " + chain;
  for (std::size_t i = 0; i + 2 < rule.size(); i += 2) text += " " + rule[i] + " " + rule[i + 1];
  return fmt::format("{} -m comment --comment {} -j {}", text, kComment, rule.back());
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return lines;
}

bool is_ours(const std::string& line) {
  return line.find(fmt::format("--comment {} ", kComment)) != std::string::npos;
}

// One tool's view of the filter table.
class Table {
 public:
  static Result<Table> read(std::string_view tool) {
    TRY(auto listed, run({std::string(tool), "-w", "5", "-S"}));
    if (listed.exit_code != 0) return fail(Code::kIo, "{} -S: {}", tool, listed.err);
    return Table(std::string(tool), lines_of(listed.out));
  }

  // Where rules have to stand for our traffic to pass: Docker's chain for users, else the top of a
  // FORWARD chain that drops what it does not know. Nothing when nothing drops.
  std::string chain() const {
    if (has("-N DOCKER-USER")) return "DOCKER-USER";
    return has("-P FORWARD DROP") ? "FORWARD" : "";
  }

  Status make(const std::string& chain, const std::vector<Rule>& rules) {
    std::vector<std::string> want;
    if (!chain.empty())
      for (const Rule& rule : rules) want.push_back(as_listed(chain, rule));
    if (want == own_lines()) return {};
    TRY_STATUS(clear());
    for (std::size_t i = 0; i < want.size(); ++i) {
      std::vector<std::string> argv{tool_, "-w", "5", "-I", chain, std::to_string(i + 1)};
      const Rule& rule = rules[i];
      argv.insert(argv.end(), rule.begin(), rule.end() - 2);
      for (const std::string_view word : {"-m", "comment", "--comment"}) argv.emplace_back(word);
      argv.emplace_back(kComment);
      argv.insert(argv.end(), rule.end() - 2, rule.end());
      TRY_STATUS(succeed(std::move(argv)));
    }
    return {};
  }

  Status clear() {
    for (const std::string& line : own_lines()) {
      std::vector<std::string> argv{tool_, "-w", "5", "-D"};
      for (std::size_t start = 3; start < line.size();) {  // behind "-A "
        const std::size_t end = std::min(line.find(' ', start), line.size());
        argv.push_back(line.substr(start, end - start));
        start = end + 1;
      }
      TRY_STATUS(succeed(std::move(argv)));
    }
    return {};
  }

  std::vector<std::string> own_lines() const {
    std::vector<std::string> own;
    std::ranges::copy_if(lines_, std::back_inserter(own), is_ours);
    return own;
  }

 private:
  Table(std::string tool, std::vector<std::string> lines)
      : tool_(std::move(tool)), lines_(std::move(lines)) {}

  bool has(std::string_view line) const { return std::ranges::find(lines_, line) != lines_.end(); }

  static Status succeed(std::vector<std::string> argv) {
    const std::string what = fmt::format("{}", fmt::join(argv, " "));
    TRY(auto done, run(std::move(argv)));
    if (done.exit_code != 0) return fail(Code::kIo, "{}: {}", what, done.err);
    return {};
  }

  std::string tool_;
  std::vector<std::string> lines_;
};

// The interface of the default route, from `ip route`'s own file: cold path, IPv4 only, empty when
// there is none.
std::string uplink_name() {
  auto listed = run({"ip", "-4", "route", "show", "default"});
  if (!listed || listed->exit_code != 0) return {};
  const std::size_t at = listed->out.find(" dev ");
  if (at == std::string::npos) return {};
  const std::size_t start = at + 5;
  return listed->out.substr(start, listed->out.find_first_of(" \n", start) - start);
}

class OtherFirewalls : public ForeignFirewall {
 public:
  Result<std::vector<std::string>> admit(const std::vector<IfName>& bridges) override {
    std::vector<std::string> notes, failures;
    const auto rules = wanted_rules(bridges, uplink_name());
    for (const std::string_view tool : kTools) {
      auto table = Table::read(tool);
      if (!table) continue;  // no such tool, or a kernel without its tables
      const std::string chain = bridges.empty() ? "" : table->chain();
      if (auto made = table->make(chain, rules); !made)
        failures.push_back(made.error().text);
      else if (!chain.empty())
        notes.push_back(fmt::format("{}: rules in {} let Fairlead's bridges pass", tool, chain));
    }
    trust(bridges, notes, failures);
    if (!failures.empty())
      return fail(Code::kIo, "let Fairlead's bridges pass another firewall: {}",
                  fmt::join(failures, "; "));
    return notes;
  }

  Status withdraw() override {
    Status result;
    for (const std::string_view tool : kTools) {
      auto table = Table::read(tool);
      if (!table) continue;
      if (auto cleared = table->clear(); !cleared) result = cleared;
    }
    std::vector<std::string> notes, failures;
    trust({}, notes, failures);
    if (!failures.empty())
      return fail(Code::kIo, "withdraw from firewalld: {}", fmt::join(failures, "; "));
    return result;
  }

 private:
  // firewalld: our bridges are in its zone "trusted" (at run time: its restart is a change of its
  // tables, which is seen).
  void trust(const std::vector<IfName>& bridges, std::vector<std::string>& notes,
             std::vector<std::string>& failures) {
    const auto state = run({"firewall-cmd", "--state"});
    if (!state || state->exit_code != 0) return;
    std::set<std::string> want;
    for (const IfName& bridge : bridges) want.insert(bridge.str());
    for (const std::string& bridge : want) change_zone("--add-interface=" + bridge, failures);
    for (const std::string& bridge : trusted_)
      if (!want.contains(bridge)) change_zone("--remove-interface=" + bridge, failures);
    trusted_ = std::move(want);
    if (!trusted_.empty())
      notes.emplace_back("firewalld: Fairlead's bridges are in the zone trusted");
  }

  static void change_zone(const std::string& change, std::vector<std::string>& failures) {
    const auto done = run({"firewall-cmd", "-q", "--zone=trusted", change});
    if (!done)
      failures.push_back(done.error().text);
    else if (done->exit_code != 0 && done->exit_code != 11)
      failures.push_back(done->err);  // 11: it is there already
  }

  std::set<std::string> trusted_;
};

}  // namespace

std::unique_ptr<ForeignFirewall> make_foreign_firewall() {
  return std::make_unique<OtherFirewalls>();
}

}  // namespace fairlead::kernel
