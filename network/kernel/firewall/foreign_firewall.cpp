#include "network/kernel/firewall/foreign_firewall.h"

#include <fmt/ranges.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>

#include "base/ip.h"
#include "base/log.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "network/kernel/firewall/foreign_firewall_rules.h"
#include "network/kernel/firewall/foreign_tables.h"
#include "network/kernel/firewall/xtables.h"
#include "network/kernel/host/own_names.h"

namespace fairlead::kernel {

namespace {

constexpr std::chrono::milliseconds kDeadline{10'000};
constexpr std::string_view kFirewalldTable = "inet firewalld,";

// iptables-legacy of one family. A distribution with only this variant may install it under the name
// of the plain tool.
struct Legacy {
  Family family;
  const char* tool;
  const char* plain_tool;
};
constexpr std::array kLegacy = {Legacy{Family::kV4, "iptables-legacy", "iptables"},
                                Legacy{Family::kV6, "ip6tables-legacy", "ip6tables"}};

// /proc/thread-self/net shows the network namespace of the calling thread; /proc/net shows that of
// the process' first thread.
std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
std::string proc_net(const std::string& name) { return text_of("/proc/thread-self/net/" + name); }

Result<std::string> run(std::vector<std::string> argv) {
  TRY(const ProcessResult result, run_process(argv, kDeadline));
  if (result.exit_code != 0)
    return fail(Code::kIo, "run {}: {}", argv[0],
                result.err.empty() ? result.out : result.err.substr(0, result.err.find('\n')));
  return result.out;
}

// The installed tool, and the table that its option -S lists; kNotFound when none is installed.
struct Listing {
  std::string tool;
  FilterTable table;
  Opening opening;
};
Result<Listing> list(const Legacy& legacy) {
  for (const char* tool : {legacy.tool, legacy.plain_tool}) {
    auto text = run({tool, "-w", "-S"});
    if (!text && text.error().code == Code::kNotFound) continue;
    if (!text) return fail(std::move(text).error());
    Listing listing{.tool = tool, .table = parse_filter_table(*text), .opening = {}};
    TRY(listing.opening, find_opening(listing.table));
    return listing;
  }
  return fail(Code::kNotFound, "{} is not installed", legacy.tool);
}

// iptables-restore reads the text from a memfd, which needs no clean-up.
Status restore(const std::string& tool, const std::string& text) {
  const UniqueFd file(::memfd_create("fairlead-iptables", MFD_CLOEXEC));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, "write rules for iptables-restore");
  TRY_STATUS(run({tool + "-restore", "-w", "--noflush",
                  fmt::format("/proc/{}/fd/{}", ::getpid(), file.get())}));
  return {};
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

// firewalld accepts all traffic of interfaces in its zone "trusted". The changes here are not
// permanent: they last until firewalld starts again.
class Firewalld {
 public:
  static bool runs() { return run({"firewall-cmd", "--state"}).has_value(); }
  static Result<std::vector<std::string>> trusted() {
    TRY(const std::string names, run({"firewall-cmd", "--zone=trusted", "--list-interfaces"}));
    return words_of(names);
  }
  static Status trust(const std::string& name) { return change("--change-interface=" + name); }
  static Status forget(const std::string& name) { return change("--remove-interface=" + name); }

 private:
  static Status change(const std::string& argument) {
    TRY_STATUS(run({"firewall-cmd", "--zone=trusted", argument}));
    return {};
  }
};

// The hint for chains that are left alone.
std::string how_to_open(const Obstacle& obstacle) {
  if (obstacle.chain.starts_with(kFirewalldTable))
    return "firewalld opens it with a policy: firewall-cmd --permanent --new-policy=fairlead; "
           "firewall-cmd --permanent --policy=fairlead --add-ingress-zone=ANY "
           "--add-egress-zone=trusted --set-target=ACCEPT; firewall-cmd --reload";
  if (obstacle.command.empty())
    return "accept there what comes from and goes to fl-*, flr* and vethfr-*";
  return "this opens it: " + obstacle.command;
}

// Its setting StrictForwardPorts, since version 2.3.
bool is_strict_firewalld() {
  std::istringstream lines(text_of("/etc/firewalld/firewalld.conf"));
  for (std::string line; std::getline(lines, line);)
    if (line == "StrictForwardPorts=yes" || line == "StrictForwardPorts=true") return true;
  return false;
}

void tell(const Obstacle& obstacle, ForeignReport& report) {
  // Its zone "trusted" is enough for all but published ports, and for these where it is not strict.
  if (obstacle.owned && obstacle.chain.starts_with(kFirewalldTable) && !is_strict_firewalld())
    return;
  if (obstacle.opened)
    return report.notes.push_back(
        fmt::format("{} drops what it does not accept: a rule after all others lets Fairlead's "
                    "bridges pass",
                    obstacle.chain));
  report.problems.push_back(fmt::format(
      "{} of another firewall drops what it does not accept, and so what containers send and "
      "what is sent to them{}; {}",
      obstacle.chain, obstacle.why.empty() ? "" : fmt::format(" ({})", obstacle.why),
      how_to_open(obstacle)));
}

class HostFirewalls : public ForeignFirewall {
 public:
  explicit HostFirewalls(ForeignFirewallOptions options) : options_(std::move(options)) {}

  Result<ForeignReport> admit(const std::vector<IfName>& bridges) override {
    const std::lock_guard lock(mutex_);
    using Do = ForeignTables::Do;
    TRY(auto report, report_of(options_.open ? Do::kOpen : Do::kClose, bridges));
    std::string now = state();
    if (key_of(now, bridges) != slow_key_) {
      slow_ = run_programs(bridges);
      now = state();
      slow_key_ = key_of(now, bridges);
    }
    report.notes.insert(report.notes.end(), slow_.notes.begin(), slow_.notes.end());
    report.problems.insert(report.problems.end(), slow_.problems.begin(), slow_.problems.end());
    remember(std::move(now));
    return report;
  }

  Result<ForeignReport> look() override {
    const std::lock_guard lock(mutex_);
    TRY(auto report, report_of(ForeignTables::Do::kLook, {}));
    for (const Legacy& legacy : kLegacy) {
      if (!has_xtables_filter(legacy.family)) continue;
      if (const auto listing = list(legacy); listing && listing->opening.drops)
        tell(obstacle_of(*listing, listing->opening.in_place), report);
    }
    return report;
  }

  bool changed() override {
    const std::lock_guard lock(mutex_);
    if (!remembered_ && !options_.memory.empty()) remembered_ = text_of(options_.memory);
    return state() != remembered_;
  }

  Status withdraw() override {
    const std::lock_guard lock(mutex_);
    Status outcome;
    const auto remember_failure = [&](const Error& error) {
      if (outcome && error.code != Code::kNotFound) outcome = fail(error);
    };
    slow_key_.clear();
    const bool firewalld = may_be_firewalld();
    if (auto done = tables_.pass(ForeignTables::Do::kClose, {}); !done)
      remember_failure(done.error());
    for (const Legacy& legacy : kLegacy)
      if (auto done = close(legacy); !done) remember_failure(done.error());
    if (firewalld && Firewalld::runs())
      if (auto done = withdraw_from_firewalld(); !done) remember_failure(done.error());
    remembered_.reset();
    if (!options_.memory.empty()) std::remove(options_.memory.c_str());
    return outcome;
  }

 private:
  Result<ForeignReport> report_of(ForeignTables::Do what, const std::vector<IfName>& bridges) {
    passage_ = {.bridges = bridges,
                .uplink_v4 = default_interface_v4(proc_net("route")),
                .uplink_v6 = default_interface_v6(proc_net("ipv6_route"))};
    TRY(const auto obstacles, tables_.pass(what, passage_));
    ForeignReport report;
    for (const Obstacle& obstacle : obstacles) tell(obstacle, report);
    return report;
  }

  // In a few words that change when the rules of others do.
  std::string state() {
    std::string text = tables_.fingerprint().value_or("");
    for (const Legacy& legacy : kLegacy)
      if (const auto digest = xtables_digest(legacy.family))
        text += fmt::format("{} {:x}\n", legacy.tool, *digest);
    return text;
  }

  static std::string key_of(std::string key, const std::vector<IfName>& bridges) {
    for (const IfName& bridge : bridges) key += bridge.str() + "\n";
    return key;
  }

  // A file that cannot be written costs other processes another look.
  void remember(std::string state) {
    if (remembered_ == state) return;
    remembered_ = std::move(state);
    if (options_.memory.empty()) return;
    const std::string fresh = fmt::format("{}.{}", options_.memory, ::getpid());
    {
      std::ofstream file(fresh);
      file << *remembered_;
    }
    if (std::rename(fresh.c_str(), options_.memory.c_str()) != 0) std::remove(fresh.c_str());
  }

  static Obstacle obstacle_of(const Listing& listing, bool opened) {
    std::vector<std::string> commands;
    for (const std::string_view links :
         {std::string_view("fl-"), kRoutedPrefixes[0], kRoutedPrefixes[1]})
      for (const char* way : {"-i", "-o"})
        commands.push_back(fmt::format("{} -I FORWARD {} {}+ -j ACCEPT", listing.tool, way, links));
    return {.chain = fmt::format("{}, chain FORWARD", listing.tool),
            .command = fmt::format("{}", fmt::join(commands, "; ")),
            .opened = opened};
  }

  // Failures are told, and the others are changed nevertheless. kNotFound is not told, since most
  // hosts have only one of these firewalls.
  ForeignReport run_programs(const std::vector<IfName>& bridges) {
    ForeignReport report;
    const auto complain = [&](const Error& error) {
      if (error.code == Code::kNotFound) return;
      report.problems.push_back(fmt::format("cannot change another firewall: {}", error.text));
    };
    for (const Legacy& legacy : kLegacy)
      if (auto done = options_.open ? open(legacy, bridges, report) : close(legacy, &report); !done)
        complain(done.error());
    if (may_be_firewalld() && Firewalld::runs())
      if (auto done =
              options_.open ? admit_in_firewalld(bridges, report) : withdraw_from_firewalld();
          !done)
        complain(done.error());
    return report;
  }

  Status open(const Legacy& legacy, const std::vector<IfName>& bridges, ForeignReport& report) {
    if (!has_xtables_filter(legacy.family)) return {};
    TRY(const Listing listing, list(legacy));
    std::vector<PassRule> wanted;
    if (listing.opening.drops)
      wanted = pass_rules(bridges, listing.table.docker_bridges,
                          legacy.family == Family::kV4 ? passage_.uplink_v4 : passage_.uplink_v6);
    if (const std::string text = restore_text(listing.table, listing.opening, wanted);
        !text.empty()) {
      TRY_STATUS(restore(listing.tool, text));
      log::info("rules for another firewall written",
                {{"tool", listing.tool}, {"rules", wanted.size()}});
    }
    if (listing.opening.drops) tell(obstacle_of(listing, true), report);
    return {};
  }

  static Status close(const Legacy& legacy, ForeignReport* report = nullptr) {
    if (!has_xtables_filter(legacy.family)) return {};
    TRY(const Listing listing, list(legacy));
    const std::string text = restore_text(listing.table, listing.opening, {});
    if (!text.empty()) TRY_STATUS(restore(listing.tool, text));
    if (report != nullptr && listing.opening.drops) tell(obstacle_of(listing, false), *report);
    return {};
  }

  // firewall-cmd takes 200 ms to say that no firewalld runs. One that runs has a table of its own, or
  // chains of these names with its backend "iptables".
  bool may_be_firewalld() {
    if (has_xtables_filter(Family::kV4)) return true;
    const auto there = tables_.has_firewalld();
    return !there || *there;
  }

  Status admit_in_firewalld(const std::vector<IfName>& bridges, ForeignReport& report) {
    TRY(const auto trusted, Firewalld::trusted());
    std::string names;
    for (const IfName& bridge : bridges) {
      if (!IfName::parse(bridge.str())) continue;
      // Of networks without a bridge this is how the names of their links begin.
      const std::string name = is_routed_link(bridge.str()) ? bridge.str() + "+" : bridge.str();
      if (std::ranges::find(trusted, name) == trusted.end()) TRY_STATUS(Firewalld::trust(name));
      trusted_.insert(name);
      names += " " + name;
    }
    report.notes.push_back(fmt::format("firewalld: in zone trusted:{}", names));
    return {};
  }

  Status withdraw_from_firewalld() {
    TRY(const auto trusted, Firewalld::trusted());
    for (const std::string& name : trusted)
      if (name.starts_with("fl-") || is_routed_link(name) || trusted_.contains(name))
        TRY_STATUS(Firewalld::forget(name));
    trusted_.clear();
    return {};
  }

  const ForeignFirewallOptions options_;
  std::mutex mutex_;
  ForeignTables tables_;
  Passage passage_;
  std::optional<std::string> remembered_;
  // What the programs made of it, and what the rules were like afterwards.
  std::string slow_key_;
  ForeignReport slow_;
  // The bridges that admit() put into the zone, for those whose names do not begin with fl-.
  std::set<std::string> trusted_;
};

}  // namespace

std::unique_ptr<ForeignFirewall> make_foreign_firewall(ForeignFirewallOptions options) {
  return std::make_unique<HostFirewalls>(std::move(options));
}

}  // namespace fairlead::kernel
