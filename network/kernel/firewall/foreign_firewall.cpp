#include "network/kernel/firewall/foreign_firewall.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>
#include <sstream>

#include "base/ip.h"
#include "base/log.h"
#include "base/process.h"
#include "base/unique_fd.h"
#include "network/kernel/firewall/foreign_firewall_rules.h"

namespace fairlead::kernel {

namespace {

constexpr std::chrono::milliseconds kDeadline{10'000};

// A variant of iptables, for one family and one of the kernel's interfaces. A distribution with
// only one variant may install it under the name of the plain tool.
struct Variant {
  Family family;
  const char* tool;
  const char* plain_tool;
  // For iptables-legacy, the file with the names of the tables that exist; listing them with the
  // tool would make one.
  const char* legacy_tables;
};
constexpr std::array kVariants = {
    Variant{Family::kV4, "iptables-nft", "iptables", nullptr},
    Variant{Family::kV4, "iptables-legacy", "iptables", "ip_tables_names"},
    Variant{Family::kV6, "ip6tables-nft", "ip6tables", nullptr},
    Variant{Family::kV6, "ip6tables-legacy", "ip6tables", "ip6_tables_names"},
};

// /proc/thread-self/net shows the network namespace of the calling thread; /proc/net shows that of
// the process' first thread.
std::string proc_net(const std::string& name) {
  std::ifstream file("/proc/thread-self/net/" + name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool is_in_use(const Variant& variant) {
  return variant.legacy_tables == nullptr ||
         proc_net(variant.legacy_tables).find("filter") != std::string::npos;
}

Result<std::string> run(std::vector<std::string> argv) {
  TRY(const ProcessResult result, run_process(argv, kDeadline));
  if (result.exit_code != 0)
    return fail(Code::kIo, "run {}: {}", argv[0],
                result.err.empty() ? result.out : result.err.substr(0, result.err.find('\n')));
  return result.out;
}

// The installed tool of the variant, and the table that its option -S lists; kNotFound when none is
// installed.
struct Listing {
  std::string tool;
  FilterTable table;
};
Result<Listing> list(const Variant& variant) {
  for (const char* tool : {variant.tool, variant.plain_tool}) {
    auto text = run({tool, "-w", "-S"});
    if (text) return Listing{.tool = tool, .table = parse_filter_table(*text)};
    if (text.error().code != Code::kNotFound) return fail(std::move(text).error());
  }
  return fail(Code::kNotFound, "{} is not installed", variant.tool);
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

// Logs that a firewall could not be changed; the others are changed nevertheless. kNotFound is not
// logged, since most hosts have only one of these firewalls.
void complain(const Error& error) {
  if (error.code != Code::kNotFound)
    log::warn("cannot change another firewall", {{"error", error.text}});
}

class HostFirewalls : public ForeignFirewall {
 public:
  Result<std::vector<std::string>> admit(const std::vector<IfName>& bridges) override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> notes;
    const std::string uplink_v4 = default_interface_v4(proc_net("route"));
    const std::string uplink_v6 = default_interface_v6(proc_net("ipv6_route"));
    for (const Variant& variant : kVariants) {
      auto note = admit_in(variant, bridges, variant.family == Family::kV4 ? uplink_v4 : uplink_v6);
      if (!note)
        complain(note.error());
      else if (!note->empty())
        notes.push_back(std::move(*note));
    }
    if (Firewalld::runs()) {
      auto note = admit_in_firewalld(bridges);
      if (!note)
        complain(note.error());
      else
        notes.push_back(std::move(*note));
    }
    return notes;
  }

  Status withdraw() override {
    const std::lock_guard lock(mutex_);
    Status outcome;
    const auto remember = [&](const Error& error) {
      if (outcome && error.code != Code::kNotFound) outcome = fail(error);
    };
    for (const Variant& variant : kVariants)
      if (auto done = withdraw_from(variant); !done) remember(done.error());
    if (Firewalld::runs())
      if (auto done = withdraw_from_firewalld(); !done) remember(done.error());
    return outcome;
  }

 private:
  static Result<std::string> admit_in(const Variant& variant, const std::vector<IfName>& bridges,
                                      const std::string& uplink) {
    if (!is_in_use(variant)) return std::string();
    TRY(const Listing listing, list(variant));
    const auto wanted = wanted_rules(listing.table, bridges, uplink);
    if (const std::string text = restore_text(listing.table, wanted); !text.empty()) {
      TRY_STATUS(restore(listing.tool, text));
      log::info("rules for another firewall written",
                {{"tool", listing.tool}, {"rules", wanted.size()}});
    }
    if (wanted.empty()) return std::string();
    return fmt::format(
        "{}: {} rules at the top of {} let Fairlead's bridges pass, since FORWARD drops",
        listing.tool, wanted.size(), wanted.front().chain);
  }

  static Status withdraw_from(const Variant& variant) {
    if (!is_in_use(variant)) return {};
    TRY(const Listing listing, list(variant));
    const std::string text = restore_text(listing.table, {});
    return text.empty() ? Status() : restore(listing.tool, text);
  }

  Result<std::string> admit_in_firewalld(const std::vector<IfName>& bridges) {
    TRY(const auto trusted, Firewalld::trusted());
    std::string names;
    for (const IfName& bridge : bridges) {
      if (!IfName::parse(bridge.str())) continue;
      if (std::ranges::find(trusted, bridge.str()) == trusted.end())
        TRY_STATUS(Firewalld::trust(bridge.str()));
      trusted_.insert(bridge.str());
      names += " " + bridge.str();
    }
    return fmt::format("firewalld: in zone trusted:{}", names);
  }

  Status withdraw_from_firewalld() {
    TRY(const auto trusted, Firewalld::trusted());
    for (const std::string& name : trusted)
      if (name.starts_with("fl-") || trusted_.contains(name)) TRY_STATUS(Firewalld::forget(name));
    trusted_.clear();
    return {};
  }

  std::mutex mutex_;
  // The bridges that admit() put into the zone, for those whose names do not begin with fl-.
  std::set<std::string> trusted_;
};

}  // namespace

std::unique_ptr<ForeignFirewall> make_foreign_firewall() {
  return std::make_unique<HostFirewalls>();
}

}  // namespace fairlead::kernel
