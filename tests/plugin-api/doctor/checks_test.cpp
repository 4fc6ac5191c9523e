// Each check: a planted fault is found, in words, and what is beside it or just below its threshold is not.
#include "plugin-api/doctor/checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

namespace fairlead::doctor {
namespace {

network::Network network_named(const std::string& name) {
  network::Network network;
  network.id = "3f9a0123456789abcdef";
  network.name = NetworkName::parse(name).value();
  network.phase = network::Phase::kReady;
  network.subnets = {{.subnet = Cidr::parse("10.89.0.0/24").value()}};
  return network;
}

network::Network overlay_named(const std::string& name) {
  network::Network network = network_named(name);
  network.options.mode = "overlay";
  network.overlay = {.vni = 4711, .local = IpAddress::parse("10.0.0.1").value()};
  network.mtu = 1450;
  return network;
}

// A host with a network, a volume, a cluster, and everything in order.
Facts healthy() {
  Facts facts;
  facts.kernel.forwards_v4 = facts.kernel.forwards_v6 = true;
  facts.kernel.flows = Fill{100, 262144};
  facts.kernel.files = Fill{2000, 800000};
  facts.kernel.uplinks = {{"eth0", 1500, 2}};
  facts.network.networks = {network_named("shop"), overlay_named("wide")};
  facts.network.ports = 3;
  facts.storage.state = {.path = "/var/lib/fairlead", .there = true};
  facts.storage.reserve = 1 << 20;
  facts.storage.disks = {{"/var/lib/fairlead", "the database", {50, 100}, {10, 1000}}};
  facts.storage.volumes = 1;
  facts.storage.keeps_times = true;
  facts.daemon.version = facts.daemon.own_version = "1.2.3";
  facts.daemon.group = "fairlead";
  facts.daemon.files = Fill{20, 1048576};
  facts.docker = {.running = true,
                  .specs = {{"/etc/docker/plugins/fairlead.spec", "unix:///s", true}}};
  facts.systemd = {.running = true, .units = {{"fairleadd.service", "enabled", "active"}}};
  facts.cni = {.used_by = "/etc/cni/net.d/a.conflist",
               .program = "/p",
               .found = {"/opt/cni/bin/fairlead"},
               .folders = {"/opt/cni/bin"}};
  facts.etcd = {.configured = true, .members = {{"https://a:2379", ""}}, .milliseconds = 12};
  return facts;
}

std::vector<Finding> found(const Facts& facts) { return examine(facts, {}).findings; }

TEST(Doctor, FindsNothingOnAHealthyHost) {
  const Diagnosis diagnosis = examine(healthy(), {});
  EXPECT_TRUE(diagnosis.findings.empty()) << diagnosis.findings.front().wrong;
  EXPECT_EQ(diagnosis.checks.size(), checks().size());
  EXPECT_EQ(exit_code_of(diagnosis), 0);
}

struct Planted {
  const char* id;
  Severity severity;
  Cure cure;
  const char* words;  // a part of what is said
  std::function<void(Facts&)> plant;
};

std::vector<Planted> planted() {
  using S = Severity;
  return {
      {"forwarding", S::kProblem, Cure::kReconcile, "IPv4 packets",
       [](Facts& f) { f.kernel.forwards_v4 = false; }},
      {"forwarding", S::kProblem, Cure::kReconcile, "IPv6 packets",
       [](Facts& f) {
         f.kernel.forwards_v6 = false;
         f.network.networks[0].subnets[0].subnet = Cidr::parse("fd00::/64").value();
       }},
      {"foreign-drops", S::kProblem, Cure::kReconcile, "ip filter FORWARD drops",
       [](Facts& f) { f.network.foreign = {"ip filter FORWARD drops"}; }},
      {"foreign-drops", S::kProblem, Cure::kNone, "drops",
       [](Facts& f) {
         f.network.foreign = {"ip filter FORWARD drops"};
         f.network.opens_others = false;
       }},
      {"bridge-netfilter", S::kWarning, Cure::kNone, "br_netfilter",
       [](Facts& f) {
         f.kernel.iptables_sees_bridges = true;
         f.network.foreign = {"x"};
       }},
      {"kernel-features", S::kNote, Cure::kNone, "WireGuard",
       [](Facts& f) {
         f.kernel.missing = {{"WireGuard", "encrypted network"}};
       }},
      {"conntrack", S::kWarning, Cure::kNone, "80 % full",
       [](Facts& f) {
         f.kernel.flows = Fill{80, 100};
       }},
      {"conntrack", S::kProblem, Cure::kNone, "95 % full",
       [](Facts& f) {
         f.kernel.flows = Fill{95, 100};
       }},
      {"limits", S::kWarning, Cure::kNone, "may have open",
       [](Facts& f) {
         f.kernel.files = Fill{80, 100};
       }},
      {"limits", S::kWarning, Cure::kNone, "fairleadd may have only 256 files",
       [](Facts& f) {
         f.daemon.files = Fill{20, 256};
       }},
      {"limits", S::kWarning, Cure::kNone, "inotify",
       [](Facts& f) { f.kernel.inotify_left = false; }},
      {"reverse-path", S::kWarning, Cure::kNone, "eth1",
       [](Facts& f) {
         f.kernel.uplinks.push_back({"eth1", 1500, 1});
       }},
      {"clock", S::kWarning, Cure::kNone, "NTP",
       [](Facts& f) { f.kernel.clock_synchronised = false; }},
      {"clock", S::kWarning, Cure::kNone, "volume data was made",
       [](Facts& f) { f.storage.future = "volume data was made at ..."; }},
      {"networks", S::kProblem, Cure::kReconcile, "bridge fl-1",
       [](Facts& f) {
         f.network.problems = {"bridge fl-1 is away; `fairlead reconcile` makes it"};
       }},
      {"networks", S::kProblem, Cure::kNone, "another",
       [](Facts& f) { f.network.problems = {"another store owns it"}; }},
      {"subnet-overlap", S::kProblem, Cure::kNone, "tun0",
       [](Facts& f) { f.network.overlaps = {"tun0 has 10.89.0.0/24"}; }},
      {"mtu", S::kWarning, Cure::kNone, "eth0 only takes 1400",
       [](Facts& f) {
         f.kernel.uplinks[0].mtu = 1400;
         f.network.networks.pop_back();
       }},
      {"mtu", S::kProblem, Cure::kNone, "50 more around them",
       [](Facts& f) { f.network.networks[1].mtu = 1451; }},
      {"ports-taken", S::kWarning, Cure::kNone, "nginx (pid 812)",
       [](Facts& f) {
         f.network.taken = {{"80/tcp", "published", "nginx (pid 812)"}};
       }},
      {"name-service", S::kWarning, Cure::kNone, "dnsmasq",
       [](Facts& f) { f.network.name_service = {"dnsmasq has port 53"}; }},
      {"leftovers", S::kWarning, Cure::kReconcile, "flh",
       [](Facts& f) { f.network.left_links = {"interface flh belongs to nobody"}; }},
      {"leftovers", S::kWarning, Cure::kNone, "/var/lib/fairlead/volumes/vol/x",
       [](Facts& f) { f.storage.left_mounts = {"/var/lib/fairlead/volumes/vol/x"}; }},
      {"etcd", S::kProblem, Cure::kNone, "https://a:2379",
       [](Facts& f) { f.etcd.members[0].error = "refused"; }},
      {"etcd", S::kWarning, Cure::kNone, "https://b:2379",
       [](Facts& f) {
         f.etcd.members = {{"https://a:2379", ""}, {"https://b:2379", "refused"}, {"c", ""}};
       }},
      {"etcd", S::kWarning, Cure::kNone, "1001 ms", [](Facts& f) { f.etcd.milliseconds = 1001; }},
      {"state-folder", S::kProblem, Cure::kOwnersOnly, "write into",
       [](Facts& f) { f.storage.state.writable_by_others = true; }},
      {"state-folder", S::kWarning, Cure::kOwnersOnly, "read the database",
       [](Facts& f) { f.storage.state.database_readable_by_others = true; }},
      {"state-folder", S::kProblem, Cure::kNone, "another user",
       [](Facts& f) { f.storage.state.of_root = false; }},
      {"state-database", S::kProblem, Cure::kNone, "malformed",
       [](Facts& f) { f.storage.store_error = "malformed"; }},
      {"state-database", S::kProblem, Cure::kNone, "read-only",
       [](Facts& f) { f.storage.disks[0].read_only = true; }},
      {"reserve", S::kWarning, Cure::kNone, "896 KiB",
       [](Facts& f) { f.storage.reserve = 896 << 10; }},
      {"disk-space", S::kWarning, Cure::kNone, "90 % full",
       [](Facts& f) {
         f.storage.disks[0].bytes = {90, 100};
       }},
      {"disk-space", S::kProblem, Cure::kNone, "97 % full",
       [](Facts& f) {
         f.storage.disks[0].bytes = {97, 100};
       }},
      {"disk-space", S::kWarning, Cure::kNone, "inodes",
       [](Facts& f) {
         f.storage.disks[0].inodes = {900, 1000};
       }},
      {"volumes", S::kProblem, Cure::kNone, "data is not healthy",
       [](Facts& f) {
         f.storage.sick = {{"data", "gone", volume::Condition::kMissing}};
       }},
      {"volumes", S::kWarning, Cure::kNone, "data is not healthy",
       [](Facts& f) {
         f.storage.sick = {{"data", "old", volume::Condition::kWarning}};
       }},
      {"volumes", S::kWarning, Cure::kNone, "promised",
       [](Facts& f) { f.storage.problems = {"more is promised than there is"}; }},
      {"backups", S::kWarning, Cure::kNone, "overdue",
       [](Facts& f) { f.storage.overdue = {"The backup of volume data is overdue"}; }},
      {"configuration", S::kProblem, Cure::kNone, "volume_dri",
       [](Facts& f) { f.config_error = "unknown key volume_dri"; }},
      {"daemon", S::kProblem, Cure::kNone, "does not run",
       [](Facts& f) { f.daemon.api = Answers::kNothing; }},
      {"daemon", S::kProblem, Cure::kNone, "does not answer",
       [](Facts& f) { f.daemon.api = Answers::kNobody; }},
      {"versions", S::kWarning, Cure::kNone, "1.2.2", [](Facts& f) { f.daemon.version = "1.2.2"; }},
      {"api-group", S::kNote, Cure::kNone, "fairlead",
       [](Facts& f) { f.daemon.group_exists = false; }},
      {"units", S::kWarning, Cure::kNone, "does not start fairleadd.service",
       [](Facts& f) { f.systemd.units[0].enabled = "disabled"; }},
      {"units", S::kProblem, Cure::kNone, "gave up",
       [](Facts& f) { f.systemd.units[0].active = "failed"; }},
      {"units", S::kProblem, Cure::kNone, "masked",
       [](Facts& f) { f.systemd.units[0].enabled = "masked"; }},
      {"docker-plugin", S::kProblem, Cure::kNone, "nobody answers",
       [](Facts& f) { f.daemon.plugin = Answers::kNothing; }},
      {"docker-plugin", S::kWarning, Cure::kNone, "/tmp/other.sock",
       [](Facts& f) {
         f.docker.specs[0] = {"/etc/x", "/tmp/other.sock", false};
       }},
      {"cni-plugin", S::kProblem, Cure::kCniPlugin, "/etc/cni/net.d/a.conflist",
       [](Facts& f) { f.cni.found.clear(); }},
      {"cni-plugin", S::kWarning, Cure::kCniPlugin, "/opt/cni/bin/fairlead",
       [](Facts& f) { f.cni.other = {"/opt/cni/bin/fairlead"}; }},
      {"podman-plugin", S::kProblem, Cure::kNone, "Podman",
       [](Facts& f) { f.podman.used_by = "/etc/containers/networks/a.json"; }},
  };
}

TEST(Doctor, FindsWhatIsPlantedAndNothingElse) {
  std::set<std::string> met;
  for (const Planted& fault : planted()) {
    Facts facts = healthy();
    fault.plant(facts);
    std::vector<Finding> findings = found(facts);
    // What another firewall drops is told of by itself, too.
    if (fault.id != std::string("foreign-drops"))
      std::erase_if(findings, [](const Finding& each) { return each.id == "foreign-drops"; });
    ASSERT_EQ(findings.size(), 1U) << fault.id << " " << fault.words;
    const Finding& finding = findings.front();
    EXPECT_EQ(finding.id, fault.id);
    EXPECT_EQ(finding.severity, fault.severity) << finding.wrong;
    EXPECT_EQ(finding.cure, fault.cure) << finding.wrong;
    EXPECT_EQ(finding.fixable, fault.cure != Cure::kNone);
    EXPECT_NE(finding.wrong.find(fault.words), std::string::npos) << finding.wrong;
    for (const std::string& text : {finding.wrong, finding.why, finding.mend})
      EXPECT_GT(text.size(), 10U) << fault.id;
    met.insert(fault.id);
  }
  for (const Check& check : checks()) EXPECT_TRUE(met.contains(std::string(check.id))) << check.id;
}

TEST(Doctor, KeepsSilentBelowThresholdsAndWhereItDoesNotMatter) {
  const std::vector<std::function<void(Facts&)>> harmless{
      [](Facts& f) {
        f.kernel.flows = Fill{79, 100};
      },
      [](Facts& f) {
        f.storage.disks[0].bytes = {89, 100};
      },
      [](Facts& f) {
        f.storage.disks[0].inodes = {0, 0};
      },
      [](Facts& f) { f.kernel.forwards_v6 = false; },  // no network has IPv6
      [](Facts& f) {
        f.kernel.forwards_v4 = false;
        for (auto& network : f.network.networks) network.internal = true;
      },
      [](Facts& f) { f.kernel.iptables_sees_bridges = true; },  // and nobody drops anything
      [](Facts& f) { f.kernel.uplinks[0].rp_filter = 1; },      // there is one way out
      [](Facts& f) {
        f.kernel.clock_synchronised = false;
        f.storage.keeps_times = false;
        f.etcd = {};
      },
      [](Facts& f) { f.systemd.running = false, f.systemd.units[0].enabled = "disabled"; },
      [](Facts& f) { f.systemd.units[0].enabled = ""; },  // there is no unit
      [](Facts& f) { f.daemon.group.clear(), f.daemon.group_exists = false; },
      [](Facts& f) { f.docker.running = false, f.daemon.plugin = Answers::kNothing; },
      [](Facts& f) { f.kernel.uplinks.clear(); },
      [](Facts& f) { f.daemon.version.clear(); },
  };
  for (std::size_t i = 0; i < harmless.size(); ++i) {
    Facts facts = healthy();
    harmless[i](facts);
    EXPECT_TRUE(found(facts).empty()) << i << ": " << found(facts).front().wrong;
  }
}

TEST(Doctor, FindsAStaleSocketWhereNoDaemonRuns) {
  Facts facts = healthy();
  facts.daemon.api = facts.daemon.plugin = Answers::kRefused;
  facts.daemon.plugin_socket = "/run/docker/plugins/fairlead.sock";
  const auto findings = found(facts);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].id, "daemon");  // the worst first
  EXPECT_EQ(findings[1].cure, Cure::kStaleSocket);
  EXPECT_EQ(findings[1].target, "/run/docker/plugins/fairlead.sock");
}

TEST(Doctor, TellsAbsenceOfTheDaemonLouderWhereItIsNeeded) {
  Facts facts;
  facts.daemon.api = Answers::kNothing;
  EXPECT_EQ(exit_code_of(examine(facts, {})), 1);
  facts.docker.running = true;
  EXPECT_EQ(exit_code_of(examine(facts, {})), 2);
}

TEST(Doctor, MakesOnlyTheChecksThatAreAskedFor) {
  Facts facts = healthy();
  facts.kernel.forwards_v4 = false;
  facts.daemon.version = "1";
  facts.unread = {{"etcd", "no answer"}, {"versions", "no answer"}};
  const std::vector<std::string> ids{"versions"};
  const Diagnosis diagnosis = examine(facts, ids);
  EXPECT_EQ(diagnosis.checks, ids);
  ASSERT_EQ(diagnosis.findings.size(), 1U);
  EXPECT_EQ(diagnosis.unseen, std::vector<std::string>{"versions: no answer"});
}

TEST(Doctor, SaysWhatACheckIsCalled) {
  const auto status = check_ids(std::vector<std::string>{"mtu", "forwading"});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text, "there is no check \"forwading\"; did you mean \"forwarding\"?");
  EXPECT_TRUE(check_ids(std::vector<std::string>{"mtu"}));
}

TEST(Doctor, AnswersMonitoringByTheWorst) {
  Facts facts = healthy();
  facts.unread = {{"etcd", "no answer"}};
  EXPECT_EQ(exit_code_of(examine(facts, {})), 3);
  facts.daemon.group_exists = false;  // a note
  EXPECT_EQ(exit_code_of(examine(facts, {})), 3);
  facts.daemon.version = "1";
  EXPECT_EQ(exit_code_of(examine(facts, {})), 1);
  facts.storage.store_error = "malformed";
  EXPECT_EQ(exit_code_of(examine(facts, {})), 2);
}

}  // namespace
}  // namespace fairlead::doctor
