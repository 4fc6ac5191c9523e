// Checks of networks, and of what hosts share.
#include <fmt/format.h>

#include <algorithm>

#include "plugin-api/doctor/checks.h"

namespace fairlead::doctor {

namespace {

using network::Network;

// What VXLAN puts around each packet (RFC 7348): Ethernet, IPv4, UDP and its own header.
constexpr unsigned kTunnelBytes = 50;

Cure cure_of(const std::string& problem) {
  return problem.find("`fairlead reconcile`") == std::string::npos ? Cure::kNone : Cure::kReconcile;
}

// A text of `status`, which may begin with the name of an interface and has no full stop.
std::string sentence(const std::string& text) { return text + "."; }

}  // namespace

void check_networks(const Facts& facts, Findings& findings) {
  for (const std::string& problem : facts.network.problems)
    findings.add({.severity = Severity::kProblem,
                  .wrong = sentence(problem),
                  .why = "What the kernel has is not what Fairlead has written down, so containers "
                         "may lack something that they were promised.",
                  .mend = cure_of(problem) == Cure::kReconcile
                              ? "`fairlead reconcile`; fairleadd does the same by itself."
                              : "As it says; `fairlead status` shows it as well.",
                  .cure = cure_of(problem)});
}

void check_subnet_overlap(const Facts& facts, Findings& findings) {
  for (const std::string& overlap : facts.network.overlaps)
    findings.add({.severity = Severity::kProblem,
                  .wrong = sentence(overlap),
                  .why = "Two things have the same addresses. The kernel sends packets to one of "
                         "them, so that the other cannot be reached.",
                  .mend =
                      "`ip address` and `ip route` show whose it is. Take it away, or remove the "
                      "network and make it again: `fairlead network create --subnet "
                      "ANOTHER/24 NAME`."});
}

void check_mtu(const Facts& facts, Findings& findings) {
  if (facts.kernel.uplinks.empty()) return;
  const auto& uplinks = facts.kernel.uplinks;
  const Uplink& narrowest = *std::ranges::min_element(uplinks, {}, &Uplink::mtu);
  for (const Network& network : facts.network.networks) {
    const bool leaves = !network.internal && !network.options.parent;
    const unsigned around = network.overlay ? kTunnelBytes : 0;
    if (!leaves || network.mtu + around <= narrowest.mtu || narrowest.mtu == 0) continue;
    findings.add(
        {.severity = network.overlay ? Severity::kProblem : Severity::kWarning,
         .wrong = fmt::format(
             "Packets of network {} may have {} bytes{}, but {} only takes {} (its MTU).",
             network::title_of(network), network.mtu,
             network.overlay ? fmt::format(", and {} more around them on their way to other hosts",
                                           kTunnelBytes)
                             : "",
             narrowest.name, narrowest.mtu),
         .why = "Large packets are cut into pieces or lost: a connection is made and then hangs, "
                "downloads stop, while ping works.",
         .mend = fmt::format("`ip link set {} mtu {}` if everything behind it takes that, or make "
                             "the network again with `-o mtu={}`.",
                             narrowest.name, network.mtu + around, narrowest.mtu - around)});
  }
}

void check_ports_taken(const Facts& facts, Findings& findings) {
  for (const TakenPort& port : facts.network.taken)
    findings.add({.severity = Severity::kWarning,
                  .wrong = fmt::format("Port {} is {}, and another program has it as well: {}.",
                                       port.port, port.use, port.error),
                  .why = "Only one of the two is reached at this port: from outside it is the "
                         "container, and the other program waits in vain.",
                  .mend = "Let the other program use another port, or publish another one: "
                          "`fairlead port ls` shows them."});
}

void check_name_service(const Facts& facts, Findings& findings) {
  for (const std::string& problem : facts.network.name_service)
    findings.add({.severity = Severity::kWarning,
                  .wrong = sentence(problem),
                  .why = "Containers of that network do not find each other by name.",
                  .mend =
                      "End the program that has the address and port (`ss -lnup` shows it), or "
                      "give Fairlead another port: \"dns_port\" in /etc/fairlead/fairlead.json."});
}

void check_leftovers(const Facts& facts, Findings& findings) {
  for (const std::string& link : facts.network.left_links)
    findings.add({.severity = Severity::kWarning,
                  .wrong = sentence(link),
                  .why =
                      "It was left by a program that was killed, or by an older database. It may "
                      "have an address that another container gets.",
                  .mend = "`fairlead reconcile` removes it.",
                  .cure = Cure::kReconcile});
  for (const std::string& place : facts.storage.left_mounts)
    findings.add(
        {.severity = Severity::kWarning,
         .wrong = fmt::format("Something is mounted at {}, of which no volume is known.", place),
         .why = "It keeps a file or a disk in use, so that this cannot be removed, and its "
                "space is lost.",
         .mend = fmt::format("`umount {}` when no container uses it; if it is the data of a "
                             "volume that is missing, `fairlead volume recover --dry-run` "
                             "first.",
                             place)});
}

namespace {

void judge_members(const EtcdFacts& etcd, Findings& findings) {
  const auto away = std::ranges::count_if(
      etcd.members, [](const EtcdMember& member) { return !member.error.empty(); });
  const bool most = 2 * static_cast<std::size_t>(away) >= etcd.members.size();
  for (const EtcdMember& member : etcd.members)
    if (!member.error.empty())
      findings.add(
          {.severity = most ? Severity::kProblem : Severity::kWarning,
           .wrong = fmt::format("The etcd server {} does not answer: {}.", member.endpoint,
                                member.error),
           .why = most ? "etcd is where hosts write down what they share. Without most of its "
                         "servers no network can be made and no other host learns of new "
                         "containers. Those that run go on."
                       : "etcd is where hosts write down what they share. The other servers do the "
                         "work, but one failure less is survived.",
           .mend = "On that server: `systemctl status etcd`. From here: `fairlead cluster status`, "
                   "and look at \"etcd\" in /etc/fairlead/fairlead.json."});
}

}  // namespace

void check_etcd(const Facts& facts, Findings& findings) {
  constexpr std::uint64_t kSlow = 1000;  // milliseconds; a healthy one takes less than 20
  const EtcdFacts& etcd = facts.etcd;
  judge_members(etcd, findings);
  const bool all_answer = std::ranges::all_of(
      etcd.members, [](const EtcdMember& member) { return member.error.empty(); });
  if (all_answer && etcd.milliseconds > kSlow)
    findings.add({.severity = Severity::kWarning,
                  .wrong = fmt::format("etcd takes {} ms to answer.", etcd.milliseconds),
                  .why = "New containers on shared networks wait for it, and at 5 seconds hosts "
                         "begin to count as gone.",
                  .mend = "Mostly its disk is slow: give etcd a disk of its own (an SSD), and look "
                          "for \"took too long\" in `journalctl -u etcd`."});
  for (const std::string& problem : etcd.problems)
    findings.add(
        {.severity = Severity::kWarning,
         .wrong = sentence(problem),
         .why = "It is about the networks that this host shares with others.",
         .mend = "As it says; `fairlead cluster status` and `fairlead host ls` show more."});
}

}  // namespace fairlead::doctor
