// Checks of the kernel, its settings and its tables.
#include <fmt/format.h>

#include <algorithm>

#include "plugin-api/doctor/checks.h"

namespace fairlead::doctor {

namespace {

using network::Network;

constexpr unsigned kNearlyFull = 80, kFull = 95;  // percent

// Whether the host passes on what containers of the network send to others.
bool passes_host(const Network& network) {
  return !network.internal && !network.options.parent && !network.options.parent_mac &&
         !network.options.parent_pci && network.options.mode != "macvlan" &&
         network.options.mode != "ipvlan" && network.options.mode != "host-device";
}

// The names of some networks, for people: "shop", "shop and db", "shop and 3 others".
std::string names_of(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  if (names.size() == 2) return names.front() + " and " + names.back();
  return fmt::format("{} and {} others", names.front(), names.size() - 1);
}

struct Forwarding {
  Family family;
  std::optional<bool> on;
  std::string_view name, setting;
};

void judge_forwarding(const Facts& facts, const Forwarding& forwarding, Findings& findings) {
  if (forwarding.on.value_or(true)) return;
  std::vector<std::string> names;
  for (const Network& network : facts.network.networks)
    if (passes_host(network) && network.has(forwarding.family))
      names.push_back(network::title_of(network));
  if (names.empty()) return;
  findings.add(
      {.severity = Severity::kProblem,
       .wrong = fmt::format("The kernel does not pass {} packets on from one interface to another "
                            "(forwarding is off).",
                            forwarding.name),
       .why = fmt::format("Containers of {} cannot reach anything outside of this host, and their "
                          "published ports cannot be reached.",
                          names_of(names)),
       .mend = fmt::format("`fairlead reconcile` switches it on, and so does fairleadd. If it goes "
                           "off again, look for \"{}\" in /etc/sysctl.conf and /etc/sysctl.d.",
                           forwarding.setting),
       .cure = Cure::kReconcile});
}

}  // namespace

void check_forwarding(const Facts& facts, Findings& findings) {
  judge_forwarding(facts, {Family::kV4, facts.kernel.forwards_v4, "IPv4", "net.ipv4.ip_forward"},
                   findings);
  judge_forwarding(facts,
                   {Family::kV6, facts.kernel.forwards_v6, "IPv6", "net.ipv6.conf.all.forwarding"},
                   findings);
}

void check_foreign_drops(const Facts& facts, Findings& findings) {
  for (const std::string& problem : facts.network.foreign)
    findings.add({.severity = Severity::kProblem,
                  .wrong = "Another firewall of this host is in the way: " + problem + ".",
                  .why = "A packet needs the consent of every firewall. What one drops, Fairlead "
                         "cannot let pass: containers lose connections, or never get any.",
                  .mend =
                      "Do what is said above, or let Fairlead do it: with \"foreign_firewalls\": "
                      "\"open\" in /etc/fairlead/fairlead.json, `fairlead reconcile` adds one "
                      "rule there after all others.",
                  .cure = facts.network.opens_others ? Cure::kReconcile : Cure::kNone});
}

void check_bridge_netfilter(const Facts& facts, Findings& findings) {
  if (!facts.kernel.iptables_sees_bridges || facts.network.foreign.empty()) return;
  findings.add(
      {.severity = Severity::kWarning,
       .wrong = "The kernel shows iptables also the packets between two containers of one network "
                "(br_netfilter), and a firewall of this host drops what it does not know.",
       .why = "Containers of one network may not reach each other, although nothing leaves the "
              "host.",
       .mend = "`sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables"
               "=0` unless Kubernetes runs here, which needs it; then open the other firewall "
               "(`fairlead doctor foreign-drops`)."});
}

void check_kernel_features(const Facts& facts, Findings& findings) {
  for (const MissingFeature& each : facts.kernel.missing)
    findings.add(
        {.severity = Severity::kNote,
         .wrong = fmt::format("This kernel has no {}.", each.what),
         .why = fmt::format("Without it there is no {}. Everything else works.", each.needed_by),
         .mend = "Only if you need it: boot a kernel that has it; distributions often "
                 "have it in a package for additional modules (linux-modules-extra)."});
}

void check_conntrack(const Facts& facts, Findings& findings) {
  if (!facts.kernel.flows) return;
  const Fill& flows = *facts.kernel.flows;
  if (flows.percent() < kNearlyFull) return;
  findings.add(
      {.severity = flows.percent() >= kFull ? Severity::kProblem : Severity::kWarning,
       .wrong = fmt::format("The kernel's table of connections is {} % full: {} of {}.",
                            flows.percent(), flows.used, flows.most),
       .why = "When it is full, the kernel drops every packet that begins a connection: nobody can "
              "connect to containers or from them, while old connections go on.",
       .mend = fmt::format("`sysctl -w net.netfilter.nf_conntrack_max={}` (each entry takes some "
                           "300 bytes of memory), and in a file below /etc/sysctl.d for the next "
                           "boot. `conntrack -L` shows who opens so many.",
                           flows.most * 2)});
}

void check_limits(const Facts& facts, Findings& findings) {
  if (facts.kernel.files && facts.kernel.files->percent() >= kNearlyFull)
    findings.add({.severity = facts.kernel.files->percent() >= kFull ? Severity::kProblem
                                                                     : Severity::kWarning,
                  .wrong = fmt::format("Of the {} files that this machine may have open at once, "
                                       "{} are.",
                                       facts.kernel.files->most, facts.kernel.files->used),
                  .why = "At the limit no program can open a file or a connection any more.",
                  .mend = fmt::format("`sysctl -w fs.file-max={}`", facts.kernel.files->most * 2)});
  constexpr std::uint64_t kEnough = 1024;  // sockets of callers, watches, files of volumes
  if (const auto& files = facts.daemon.files;
      files && (files->most < kEnough || files->percent() >= kNearlyFull))
    findings.add({.severity = Severity::kWarning,
                  .wrong = fmt::format("fairleadd may have only {} files open at once, and has {}.",
                                       files->most, files->used),
                  .why = "Each call, each watch and each volume at work takes some. When none is "
                         "left, calls of Docker and others fail.",
                  .mend = "Start it by its systemd unit, which allows 1048576 (LimitNOFILE), or "
                          "after `ulimit -n 65536`."});
  if (!facts.kernel.inotify_left)
    findings.add({.severity = Severity::kWarning,
                  .wrong = "No program of root can watch files for changes any more (inotify).",
                  .why = "fairleadd then learns late that /etc/resolv.conf has changed, and "
                         "containers ask name servers that are gone.",
                  .mend = "`sysctl -w fs.inotify.max_user_instances=1024`"});
}

void check_reverse_path(const Facts& facts, Findings& findings) {
  constexpr int kStrict = 1;
  const bool overlay = std::ranges::any_of(
      facts.network.networks, [](const Network& network) { return network.overlay.has_value(); });
  const bool ipvlan = std::ranges::any_of(facts.network.networks, [](const Network& network) {
    return network.options.mode == "ipvlan";
  });
  // With one way out there is no other way by which an answer can come.
  if (facts.kernel.uplinks.size() < 2 || (!overlay && !ipvlan && facts.network.ports == 0)) return;
  for (const Uplink& uplink : facts.kernel.uplinks)
    if (uplink.rp_filter == kStrict)
      findings.add(
          {.severity = Severity::kWarning,
           .wrong =
               fmt::format("This host has several ways out, and the kernel drops what comes in "
                           "at {0} when it would answer by another way (rp_filter is "
                           "\"strict\").",
                           uplink.name),
           .why = overlay ? "Packets from other hosts of an overlay network, and to published "
                            "ports, may be lost without a word."
                          : "Packets to containers and their published ports may be lost without "
                            "a word.",
           .mend =
               fmt::format("`sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.{}.rp_filter="
                           "2` (\"loose\": the sender must be reachable by some way)",
                           uplink.name)});
}

void check_clock(const Facts& facts, Findings& findings) {
  if (!facts.storage.future.empty())
    findings.add(
        {.severity = Severity::kWarning,
         .wrong = fmt::format("The clock has gone back, or was wrong: {}.", facts.storage.future),
         .why = "Schedules of snapshots and backups, and what is removed after some time, "
                "go by the clock: they are late until that time has come.",
         .mend = "`date` shows the time that this host believes in; `timedatectl set-ntp "
                 "true` keeps it right."});
  if (facts.kernel.clock_synchronised || !(facts.storage.keeps_times || facts.etcd.configured))
    return;
  findings.add({.severity = Severity::kWarning,
                .wrong = "Nothing keeps the clock of this host right (no NTP).",
                .why = facts.etcd.configured
                           ? "Hosts that share networks compare times: certificates, and who is "
                             "still there. Schedules of snapshots and backups go by the clock too."
                           : "Schedules of snapshots and backups go by the clock: they are made at "
                             "the wrong time.",
                .mend = "`timedatectl set-ntp true`, or install chrony. In a virtual machine whose "
                        "clock the host keeps, this may be ignored."});
}

}  // namespace fairlead::doctor
