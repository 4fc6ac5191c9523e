// Other firewalls: their listings as text, and real iptables of both kinds in namespaces.
#include "network/kernel/firewall/foreign_firewall.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "network/kernel/firewall/foreign_firewall_rules.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::kernel {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// As dockerd 20.10 leaves it, with one network of a custom bridge name.
constexpr std::string_view kDocker = R"(-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N DOCKER
-N DOCKER-ISOLATION-STAGE-1
-N DOCKER-ISOLATION-STAGE-2
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o custom0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o custom0 -j DOCKER
-A FORWARD -i custom0 ! -o custom0 -j ACCEPT
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
)";

IfName name(const char* text) { return *IfName::parse(text); }

// As iptables would be told, in short.
std::vector<std::string> texts(const std::vector<PassRule>& rules) {
  std::vector<std::string> list;
  for (const PassRule& rule : rules)
    list.push_back(fmt::format("{}>{} {}", rule.in, rule.out, rule.accept ? "accept" : "return"));
  return list;
}

std::vector<PassRule> wanted(std::string_view listing, const std::vector<IfName>& bridges,
                             std::string_view uplink) {
  return pass_rules(bridges, parse_filter_table(listing).docker_bridges, uplink);
}

// An earlier version may have made networks on them.
TEST(ForeignFirewallRules, OddNamesOfOurRecordsAreNotPasted) {
  const std::vector<IfName> plain{name("br0")};
  const std::vector<IfName> odd{name("br0"), *stored_ifname("up+"), *stored_ifname("a\"b"),
                                *stored_ifname("docker%d"), *stored_ifname("a*")};
  EXPECT_EQ(wanted("-P FORWARD DROP\n", odd, "eth0"), wanted("-P FORWARD DROP\n", plain, "eth0"));
}

// "docker+" is every interface of Docker's to iptables, and a quote begins a word.
TEST(ForeignFirewallRules, OddNamesOfOthersAreNotPasted) {
  const std::string listing =
      "-P FORWARD DROP\n-N DOCKER\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n"
      "-A FORWARD -o a\"b -j DOCKER\n-A FORWARD -o cust+ -j DOCKER\n";
  EXPECT_THAT(*parse_filter_table(listing).docker_bridges, ElementsAre("cust+"));
  const std::vector<IfName> bridges{name("fl-1")};
  const auto plain = wanted(listing, bridges, "eth0");
  for (const char* uplink : {"docker+", "docker\"x", "br-*"})
    EXPECT_EQ(wanted(listing, bridges, uplink), plain) << uplink;
  EXPECT_NE(wanted(listing, bridges, "docker7"), plain);
}

TEST(ForeignFirewallRules, DockersTableIsUnderstood) {
  const FilterTable table = parse_filter_table(kDocker);
  EXPECT_TRUE(table.policy_drops);
  EXPECT_THAT(*table.docker_bridges, ElementsAre("custom0"));
  EXPECT_THAT(table.ours, IsEmpty());
  const Opening opening = *find_opening(table);
  EXPECT_TRUE(opening.drops);
  EXPECT_EQ(opening.before, 0U);
}

TEST(ForeignFirewallRules, DockersOwnContainersStayWithDocker) {
  EXPECT_THAT(texts(wanted(kDocker, {}, "eth0")),
              ElementsAre("docker*>fl-* return", "fl-*>docker* return", "br-*>fl-* return",
                          "fl-*>br-* return", "custom0>fl-* return", "fl-*>custom0 return",
                          ">fl-* accept", "fl-*> accept"));
}

TEST(ForeignFirewallRules, UplinkAndBridgesThatAreCalledLikeDockersAreNot) {
  const std::vector<IfName> bridges = {name("fl-1"), name("br-shop"), name("lan")};
  const auto rules = texts(wanted(kDocker, bridges, "br-lan"));
  const auto at = [&](const std::string& rule) {
    return std::ranges::find(rules, rule) - rules.begin();
  };
  for (const char* accepted :
       {"br-lan>fl-* accept", "lan>br-lan accept", "br-shop>br-shop accept", "fl-*>br-shop accept"})
    EXPECT_LT(at(accepted), at("br-*>fl-* return")) << accepted;
  EXPECT_THAT(rules, Contains(">lan accept"));
  EXPECT_THAT(rules, Not(Contains(HasSubstr("fl-1"))));
}

TEST(ForeignFirewallRules, NetworksWithoutABridgeHaveOneNameTogether) {
  const std::vector<IfName> links = {name("flr0abc"), name("flr1abc"), name("fl-1"),
                                     name("vethfr-0ab"), name("vethfr-1ab")};
  EXPECT_THAT(texts(wanted("-P FORWARD DROP\n", links, "eth0")),
              ElementsAre(">fl-* accept", "fl-*> accept", ">flr* accept", "flr*> accept",
                          ">vethfr-* accept", "vethfr-*> accept"));
}

// The place of our rule: 0 is the end.
struct Drop {
  const char* listing;
  std::uint64_t before;
};
TEST(ForeignFirewallRules, OursStandsBeforeTheRuleThatDropsAllOrAtTheEnd) {
  for (const auto& [listing, before] :
       {Drop{"-P FORWARD DROP\n", 0},
        Drop{"-P FORWARD DROP\n-A FORWARD -s 10.9.0.0/16 -j DROP\n", 0},
        Drop{"-P FORWARD ACCEPT\n-A FORWARD -i lo -j ACCEPT\n-A FORWARD -j DROP\n", 2},
        Drop{"-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n", 1},
        Drop{"-P FORWARD ACCEPT\n-A FORWARD -m comment --comment last -j DROP\n", 1},
        // ufw with DEFAULT_FORWARD_POLICY="REJECT"
        Drop{"-P FORWARD DROP\n-N one\n-N two\n-A FORWARD -j one\n-A FORWARD -j two\n"
             "-A one -p icmp -j ACCEPT\n-A two -j REJECT\n",
             2},
        Drop{"-P FORWARD DROP\n-N one\n-A FORWARD -g one\n-A one -j RETURN\n", 1}}) {
    const Opening opening = *find_opening(parse_filter_table(listing));
    EXPECT_TRUE(opening.drops) << listing;
    EXPECT_EQ(opening.before, before) << listing;
  }
}

TEST(ForeignFirewallRules, NothingIsWantedWhereNothingDrops) {
  for (const char* open :
       {"", "-P FORWARD ACCEPT\n-A FORWARD -s 10.9.0.0/16 -j DROP\n",
        "-P FORWARD ACCEPT\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n",
        "-P FORWARD DROP\n-A FORWARD -j ACCEPT\n",
        "-P FORWARD ACCEPT\n-N one\n-A FORWARD -j one\n-A one -j RETURN\n-A one -j DROP\n"})
    EXPECT_FALSE(find_opening(parse_filter_table(open))->drops) << open;
}

// The text for a listing without Docker.
std::string restored(std::string_view listing) {
  const FilterTable table = parse_filter_table(listing);
  const Opening opening = *find_opening(table);
  return restore_text(table, opening,
                      opening.drops ? pass_rules({}, std::nullopt, "") : std::vector<PassRule>());
}

TEST(ForeignFirewallRules, WhatIsInPlaceIsLeftAloneAndWhatIsNotIsReplaced) {
  const std::string rules =
      "-A fairlead -o fl-+ -m comment --comment fairlead -j ACCEPT\n"
      "-A fairlead -i fl-+ -m comment --comment fairlead -j ACCEPT\n";
  const std::string jump = "-A FORWARD -m comment --comment fairlead -j fairlead\n";
  EXPECT_EQ(restored("-P FORWARD DROP\n"),
            "*filter\n:fairlead - [0:0]\n" + rules + jump + "COMMIT\n");
  const std::string head = "-P FORWARD DROP\n-N fairlead\n";
  EXPECT_EQ(restored(head + jump + rules), "");
  // Somebody has added a rule behind ours.
  EXPECT_EQ(restored(head + jump + "-A FORWARD -s 10.9.0.0/16 -j DROP\n" + rules),
            "*filter\n:fairlead - [0:0]\n-D FORWARD -m comment --comment fairlead -j fairlead\n" +
                rules + jump + "COMMIT\n");
  // The number is that of the chain without our old rule.
  EXPECT_THAT(restored(head + jump + "-A FORWARD -i lo -j ACCEPT\n-A FORWARD -j DROP\n" + rules),
              HasSubstr("-I FORWARD 2 -m comment --comment fairlead -j fairlead\n"));
  // What earlier versions wrote goes, and so does everything where nothing drops any more.
  EXPECT_THAT(restored("-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -o fl-+ -m comment --comment "
                       "\"fairlead\" -j ACCEPT\n-A DOCKER-USER -i fl-+ -m comment --comment "
                       "fairlead -j ACCEPT\n"),
              AllOf(HasSubstr("-D FORWARD -o fl-+ -m comment --comment fairlead -j ACCEPT\n"),
                    HasSubstr("-D DOCKER-USER -i fl-+ ")));
  EXPECT_EQ(restored("-P FORWARD ACCEPT\n-N fairlead\n" + jump + rules),
            "*filter\n-D FORWARD -m comment --comment fairlead -j fairlead\n"
            "-F fairlead\n-X fairlead\nCOMMIT\n");
}

TEST(ForeignFirewallRules, DefaultInterfaceIsReadFromProc) {
  EXPECT_EQ(default_interface_v4(
                "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
                "eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
                "br-lan\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"),
            "br-lan");
  EXPECT_EQ(default_interface_v6(
                "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 "
                "00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n"
                "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
                "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                "20010db8000000000000000000000001 00000400 00000001 00000000 00000003     eth1\n"),
            "eth1");
  EXPECT_EQ(default_interface_v4(""), "");
  EXPECT_EQ(default_interface_v6("garbage\n"), "");
}

// ---- with the real tools

// Networks of ours (fl-one, odd0) and one of "Docker" (docker0), with another firewall in between.
class OtherFirewallWorld : public testing::KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    set_sysctl("host", "net/ipv4/ip_forward", "1");
    set_sysctl("host", "net/ipv6/conf/all/forwarding", "1");
    see_bridged_packets(true);
    set_sysctl("host", "net/ipv6/conf/default/accept_dad", "0");
    add("fl-one", 1, {"one", "two"});
    add("odd0", 2, {"odd"});
    add("docker0", 3, {"docked"});
    for (const char* subnet : {"10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"})
      add_route("outside", "eth0", subnet, "203.0.113.2");
    add_route("outside", "eth0", "fd00:1::/64", "2001:db8::2");
    services_.push_back(serve_tcp("outside", 80));
    ASSERT_TRUE(ping("host", "2001:db8::1"));
  }
  void TearDown() override {
    services_.clear();
    KernelFixture::TearDown();
  }

  // br_netfilter: whether iptables and nftables see what passes within a bridge.
  void see_bridged_packets(bool on) {
    for (const char* name :
         {"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"})
      set_sysctl("host", name, on ? "1" : "0");
  }
  void add(const std::string& bridge, int number, const std::vector<std::string>& containers) {
    add_bridge(bridge, {fmt::format("10.{}.0.1/24", number), fmt::format("fd00:{}::1/64", number)});
    int host = 2;
    for (const std::string& container : containers) {
      attach(container, bridge,
             {fmt::format("10.{}.0.{}/24", number, host),
              fmt::format("fd00:{}::{}/64", number, host)});
      services_.push_back(serve_tcp(container, 80));
      ++host;
    }
  }
  static std::string output(const std::string& command) {
    std::string text;
    FILE* pipe = ::popen(command.c_str(), "re");
    std::array<char, 4096> part{};
    for (std::size_t got = 0; (got = ::fread(part.data(), 1, part.size(), pipe)) > 0;)
      text.append(part.data(), got);
    ::pclose(pipe);
    return text;
  }
  ForeignReport admit() { return testing::must(firewalls_->admit({name("fl-one"), name("odd0")})); }
  void withdraw() { testing::must(firewalls_->withdraw()); }

  bool reaches(const std::string& from, const std::string& to) {
    return ask_tcp(from, to, 80, std::chrono::milliseconds(2500)).has_value();
  }
  bool is_kept_from(const std::string& from, const std::string& to) {
    return !ask_tcp(from, to, 80, std::chrono::milliseconds(200)).has_value();
  }

  std::unique_ptr<ForeignFirewall> firewalls_ = make_foreign_firewall();

 private:
  std::vector<std::unique_ptr<testing::Service>> services_;
};

class OtherFirewall : public OtherFirewallWorld, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    OtherFirewallWorld::SetUp();
    if (IsSkipped()) return;
    if (std::system(fmt::format("{} --version >/dev/null 2>&1", tool("iptables")).c_str()) != 0)
      GTEST_SKIP() << tool("iptables") << " is not installed";
  }
  static std::string tool(const std::string& family_tool) {
    return fmt::format("{}-{}", family_tool, GetParam());
  }
  // How reports name the table of IPv4.
  static std::string table() {
    return GetParam() == std::string("nft") ? "ip filter, chain FORWARD"
                                            : "iptables-legacy, chain FORWARD";
  }
  void iptables(const std::string& arguments) {
    for (const char* family_tool : {"iptables", "ip6tables"})
      ASSERT_EQ(std::system(fmt::format("{} -w {}", tool(family_tool), arguments).c_str()), 0)
          << arguments;
  }
  std::string listing() { return output(tool("iptables") + " -S; " + tool("ip6tables") + " -S"); }
  // What dockerd makes for its default network.
  void start_docker() {
    for (const char* line :
         {"-P FORWARD DROP", "-N DOCKER", "-N DOCKER-USER", "-A DOCKER-USER -j RETURN",
          "-I FORWARD -j DOCKER-USER",
          "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
          "-A FORWARD -o docker0 -j DOCKER", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
          "-A FORWARD -i docker0 -o docker0 -j ACCEPT"})
      iptables(line);
  }
};

TEST_P(OtherFirewall, DockersDropIsLiftedForOursAndStaysForDockers) {
  start_docker();
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_TRUE(is_kept_from("one", "10.1.0.3"));  // br_netfilter

  const auto report = admit();
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr(table()), HasSubstr("ip6")));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  EXPECT_TRUE(reaches("outside", "10.1.0.2"));
  EXPECT_TRUE(reaches("one", "10.1.0.3"));
  EXPECT_TRUE(reaches("one", "fd00:1::3"));
  EXPECT_TRUE(reaches("one", "2001:db8::1"));
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  EXPECT_TRUE(reaches("docked", "203.0.113.1"));
  EXPECT_TRUE(
      reaches("docked", "10.1.0.2"));  // as Docker lets its containers out; our own table decides
  EXPECT_TRUE(is_kept_from("one", "10.3.0.2"));
  EXPECT_TRUE(is_kept_from("odd", "10.3.0.2"));
  EXPECT_TRUE(is_kept_from("outside", "10.3.0.2"));
}

TEST_P(OtherFirewall, PolicyDropIsLiftedForOursAlone) {
  iptables("-P FORWARD DROP");
  iptables("-A FORWARD -i nowhere0 -j DROP");
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_THAT(admit().notes, Contains(HasSubstr(table())));
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  EXPECT_TRUE(reaches("outside", "10.2.0.2"));
  EXPECT_TRUE(is_kept_from("docked", "203.0.113.1"));
}

// With br_netfilter switched off nothing of another firewall is in the way within a bridge.
TEST_P(OtherFirewall, BridgedPacketsPassWhetherTheyAreSeenOrNot) {
  iptables("-P FORWARD DROP");
  admit();
  for (const bool seen : {false, true}) {
    see_bridged_packets(seen);
    EXPECT_TRUE(reaches("one", "10.1.0.3")) << seen;
    EXPECT_TRUE(reaches("one", "fd00:1::3")) << seen;
    EXPECT_TRUE(reaches("one", "203.0.113.1")) << seen;
    EXPECT_EQ(sysctl("host", "net/bridge/bridge-nf-call-iptables"), seen ? "1" : "0");
  }
}

TEST_P(OtherFirewall, AdmittingTwiceChangesNothingAndWithdrawingLeavesNoTrace) {
  start_docker();
  const std::string before = listing();
  admit();
  const std::string admitted = listing();
  EXPECT_NE(admitted, before);
  admit();
  EXPECT_EQ(listing(), admitted);
  withdraw();
  EXPECT_EQ(listing(), before);
  withdraw();
  EXPECT_EQ(listing(), before);
}

// In both orders: the admin's rule first, and ours first.
TEST_P(OtherFirewall, RulesOfTheAdminStayEffective) {
  iptables("-P FORWARD DROP");
  iptables("-A FORWARD -i fl-one -o uplink0 -j DROP");
  admit();
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  iptables("-A FORWARD -i odd0 -o uplink0 -j DROP");
  EXPECT_TRUE(firewalls_->changed());
  admit();
  EXPECT_TRUE(is_kept_from("odd", "203.0.113.1"));
  iptables("-D FORWARD -i odd0 -o uplink0 -j DROP");
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  // A last rule that drops everything is not one that the admin means for containers.
  iptables("-A FORWARD -j DROP");
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  admit();
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
}

TEST_P(OtherFirewall, RulesStandBehindDockersAndTheAdminsWheneverDockerComes) {
  iptables("-P FORWARD DROP");
  admit();
  start_docker();
  iptables("-I DOCKER-USER -i fl-one -o uplink0 -j DROP");
  admit();
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  EXPECT_TRUE(is_kept_from("odd", "10.3.0.2"));
  EXPECT_TRUE(reaches("docked", "203.0.113.1"));
}

// As ufw makes it with DEFAULT_FORWARD_POLICY="REJECT".
TEST_P(OtherFirewall, AChainThatRejectsEverythingIsNoWayPast) {
  iptables("-N last-reject");
  iptables("-A last-reject -j REJECT");
  iptables("-A FORWARD -i nowhere0 -j ACCEPT");
  iptables("-A FORWARD -j last-reject");
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_THAT(admit().notes, Contains(HasSubstr(table())));
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  EXPECT_TRUE(is_kept_from("docked", "203.0.113.1"));
}

// What earlier versions wrote at the top.
TEST_P(OtherFirewall, OldRulesGo) {
  start_docker();
  const std::string before = listing();
  iptables("-I DOCKER-USER -o fl-+ -m comment --comment fairlead -j ACCEPT");
  iptables("-I FORWARD -i fl-+ -m comment --comment fairlead -j ACCEPT");
  admit();
  EXPECT_THAT(listing(), Not(HasSubstr("-A DOCKER-USER -o fl-+")));
  withdraw();
  EXPECT_EQ(listing(), before);
}

TEST_P(OtherFirewall, ChangesAreSeenAndOwnOnesAreNot) {
  admit();
  EXPECT_FALSE(firewalls_->changed());
  iptables("-P FORWARD DROP");
  EXPECT_TRUE(firewalls_->changed());
  admit();
  EXPECT_FALSE(firewalls_->changed());
  EXPECT_TRUE(reaches("one", "203.0.113.1"));  // counters are no change
  EXPECT_FALSE(firewalls_->changed());
  iptables("-P FORWARD ACCEPT");
  EXPECT_TRUE(firewalls_->changed());
  admit();
  EXPECT_THAT(listing(), Not(HasSubstr("fairlead")));
}

TEST_P(OtherFirewall, OnlyReportedItIsLeftAlone) {
  iptables("-P FORWARD DROP");
  admit();
  const auto before = output(tool("iptables") + " -S FORWARD");
  firewalls_ = make_foreign_firewall({.open = false});
  const auto report = admit();
  EXPECT_THAT(report.notes, IsEmpty());
  EXPECT_THAT(report.problems, Contains(AllOf(HasSubstr(table()), HasSubstr("drops"))));
  EXPECT_THAT(listing(), Not(HasSubstr("fairlead")));
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_THAT(testing::must(firewalls_->look()).problems, Contains(HasSubstr(table())));
}

TEST_P(OtherFirewall, NothingIsInstalledWhereNothingDrops) {
  iptables("-A FORWARD -i nowhere0 -j DROP");
  const std::string before = listing();
  EXPECT_EQ(admit(), ForeignReport());
  EXPECT_EQ(listing(), before);
}

TEST_P(OtherFirewall, MissingToolsKeepNobodyFromTheNetwork) {
  start_docker();
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  admit();
  withdraw();
  ::setenv("PATH", path.c_str(), 1);
}

INSTANTIATE_TEST_SUITE_P(Iptables, OtherFirewall, ::testing::Values("nft", "legacy"),
                         [](const auto& variant) { return std::string(variant.param); });

// ---- nftables

class NftFirewalls : public OtherFirewallWorld {
 protected:
  void nft(const std::string& text) {
    ASSERT_EQ(std::system(fmt::format("nft '{}'", text).c_str()), 0) << text;
  }
  static std::string ruleset() { return output("nft -s list ruleset"); }
};

// Of each family, by its policy and by its last rule.
TEST_F(NftFirewalls, ChainsThatDropAreOpenedForOurBridges) {
  struct Case {
    const char *family, *policy, *last, *from, *to;
  };
  for (const auto& [family, policy, last, from, to] :
       {Case{"inet", "drop", "counter", "one", "203.0.113.1"},
        Case{"inet", "drop", "counter", "one", "2001:db8::1"},
        Case{"inet", "accept", "counter drop", "one", "203.0.113.1"},
        Case{"inet", "accept", "log reject with icmpx admin-prohibited", "one", "203.0.113.1"},
        Case{"ip", "drop", "counter", "one", "203.0.113.1"},
        Case{"ip", "accept", "drop", "outside", "10.2.0.2"},
        Case{"ip6", "drop", "counter", "one", "2001:db8::1"},
        Case{"ip6", "accept", "drop", "outside", "fd00:1::2"}}) {
    nft(fmt::format(
        "table {} mine {{ chain fwd1 {{ type filter hook forward priority filter; policy "
        "{}; ct state established accept; {}; }}; }}",
        family, policy, last));
    const std::string before = ruleset();
    EXPECT_TRUE(is_kept_from(from, to)) << before;
    const auto report = admit();
    EXPECT_THAT(report.notes, ElementsAre(HasSubstr(fmt::format("{} mine, chain fwd1", family))));
    EXPECT_TRUE(reaches(from, to)) << ruleset();
    EXPECT_FALSE(firewalls_->changed());
    const std::string admitted = ruleset();
    admit();
    EXPECT_EQ(ruleset(), admitted);
    EXPECT_TRUE(
        is_kept_from("docked", family == std::string("ip6") ? "2001:db8::1" : "203.0.113.1"));
    withdraw();
    EXPECT_EQ(ruleset(), before);
    nft(fmt::format("delete table {} mine", family));
  }
}

TEST_F(NftFirewalls, RulesOfTheAdminStayEffectiveAndReloadsAreSurvived) {
  const std::string text =
      "table inet mine { chain forward { type filter hook forward priority filter; policy drop; "
      "iifname \"fl-one\" oifname \"uplink0\" drop; }; }";
  nft(text);
  admit();
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  nft("add rule inet mine forward iifname \"odd0\" oifname \"uplink0\" drop");
  admit();
  EXPECT_TRUE(is_kept_from("odd", "203.0.113.1"));
  // nft -f of a file that begins so.
  nft("flush ruleset; " + text);
  EXPECT_TRUE(is_kept_from("odd", "203.0.113.1"));
  EXPECT_TRUE(firewalls_->changed());
  admit();
  EXPECT_TRUE(reaches("odd", "203.0.113.1"));
  nft("flush chain inet mine forward");
  EXPECT_TRUE(firewalls_->changed());
  admit();
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
}

// As firewalld has it.
TEST_F(NftFirewalls, TheLastRejectIsFoundBehindChainsWithConditions) {
  nft("table inet firewalls { chain zones { iifname \"lan0\" accept; }; chain filter_FORWARD { "
      "type "
      "filter hook forward priority filter + 10; policy accept; ct state { established, related } "
      "accept; iifname \"lo\" accept; jump zones; reject with icmpx admin-prohibited; }; }");
  EXPECT_TRUE(is_kept_from("outside", "10.1.0.2"));
  admit();
  EXPECT_TRUE(reaches("outside", "10.1.0.2"));
  EXPECT_TRUE(is_kept_from("docked", "203.0.113.1"));
}

TEST_F(NftFirewalls, SeveralChainsAreAllOpened) {
  nft("table inet a { chain one { type filter hook forward priority -5; policy drop; }; chain two "
      "{ "
      "type filter hook forward priority 5; policy drop; }; }");
  nft("table ip b { chain one { type filter hook forward priority 7; policy drop; }; }");
  const std::string before = ruleset();
  EXPECT_EQ(admit().notes.size(), 3U);
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  nft("chain inet a two { policy accept; }");
  admit();
  EXPECT_THAT(output("nft list chain inet a two"), Not(HasSubstr("fairlead")));
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  nft("chain inet a two { policy drop; }");
  withdraw();
  EXPECT_EQ(ruleset(), before);
}

// Names of others are no text for nft, and a chain of theirs may have our name.
TEST_F(NftFirewalls, OddTables) {
  nft("table inet fwd1 { chain snat1 { type filter hook forward priority 0; policy drop; }; }");
  nft("table ip theirs { chain fairlead { accept; }; chain base { type filter hook forward "
      "priority "
      "0; policy drop; }; }");
  nft("table inet asleep { flags dormant; chain base { type filter hook forward priority 0; policy "
      "drop; }; }");
  const auto report = admit();
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("inet fwd1, chain snat1")));
  EXPECT_THAT(report.problems, ElementsAre(AllOf(HasSubstr("ip theirs, chain base"),
                                                 HasSubstr("fairlead is not Fairlead"))));
  withdraw();
  EXPECT_THAT(output("nft list table ip theirs"), HasSubstr("chain fairlead"));
}

TEST_F(NftFirewalls, OwnTablesAreNotAnothersFirewall) {
  nft("table inet fairlead { chain forward { type filter hook forward priority 0; policy drop; }; "
      "}");
  EXPECT_EQ(admit(), ForeignReport());
  EXPECT_FALSE(firewalls_->changed());
}

TEST_F(NftFirewalls, OthersBridgeFilterIsOpenedForPorts) {
  if (std::system("nft 'table bridge mine { chain forward { type filter hook forward priority 0; "
                  "policy drop; }; }' 2>/dev/null") != 0)
    GTEST_SKIP() << "no nftables for bridges";
  EXPECT_THAT(admit().notes, ElementsAre(HasSubstr("bridge mine, chain forward")));
  const std::string rules = output("nft list table bridge mine");
  for (const char* rule : {"oifname \"flh*\" accept", "iifname \"flh*\" accept"})
    EXPECT_THAT(rules, HasSubstr(rule));
  withdraw();
  EXPECT_THAT(output("nft list table bridge mine"), Not(HasSubstr("fairlead")));
}

TEST_F(NftFirewalls, AnotherProcessKnowsWhatWasThere) {
  const std::string memory = ::testing::TempDir() + fmt::format("other-firewalls-{}", ::getpid());
  nft("table inet mine { chain forward { type filter hook forward priority 0; policy drop; }; }");
  firewalls_ = make_foreign_firewall({.memory = memory});
  EXPECT_TRUE(firewalls_->changed());
  admit();
  EXPECT_FALSE(make_foreign_firewall({.memory = memory})->changed());
  nft("add chain inet mine late { type filter hook forward priority 3; policy drop; }");
  EXPECT_TRUE(make_foreign_firewall({.memory = memory})->changed());
  std::filesystem::remove(memory);
}

// ---- firewalld

// A firewall-cmd that keeps the trusted zone in a file, and the table that shows that firewalld runs.
class FirewalldTest : public NftFirewalls {
 protected:
  void SetUp() override {
    NftFirewalls::SetUp();
    if (IsSkipped()) return;
    path_ = std::getenv("PATH");
    folder_ = std::filesystem::path(::testing::TempDir()) / fmt::format("firewalld-{}", ::getpid());
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "firewall-cmd") << "#!/bin/sh\ncd " << folder_.string() << R"(
touch trusted
echo "$1" >> asked
case "$1 $2" in
"--state "*) [ -e stopped ] && exit 252; echo running;;
"--zone=trusted --list-interfaces") tr '\n' ' ' < trusted;;
"--zone=trusted --change-interface="*) echo "${2#*=}" >> trusted; echo "$2" >> calls;;
"--zone=trusted --remove-interface="*) grep -vx "${2#*=}" trusted > rest; mv rest trusted;;
*) exit 2;;
esac
)";
    std::filesystem::permissions(folder_ / "firewall-cmd", std::filesystem::perms::owner_all);
    ::setenv("PATH", (folder_.string() + ":/usr/sbin:/usr/bin:/sbin:/bin").c_str(), 1);
  }
  void TearDown() override {
    if (!path_.empty()) ::setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(folder_);
    NftFirewalls::TearDown();
  }
  void start_firewalld() { nft("table inet firewalld { chain filter_INPUT { }; }"); }
  std::string file(const char* name) {
    std::ifstream stream(folder_ / name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const char* name, const char* text) { std::ofstream(folder_ / name) << text; }

 private:
  std::string path_;
  std::filesystem::path folder_;
};

TEST_F(FirewalldTest, BridgesBecomeTrustedOnceAndLeaveAlone) {
  start_firewalld();
  write("trusted", "eth7\n");
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(admit().notes, Contains("firewalld: in zone trusted: fl-one odd0"));
  EXPECT_EQ(file("calls"), "--change-interface=fl-one\n--change-interface=odd0\n");
  const std::string asked = file("asked");
  admit();
  EXPECT_EQ(file("asked"), asked);  // nothing has changed since
  withdraw();
  EXPECT_EQ(file("trusted"), "eth7\n");
}

TEST_F(FirewalldTest, StoppedFirewalldIsLeftAlone) {
  start_firewalld();
  write("stopped", "");
  EXPECT_THAT(admit().notes, Not(Contains(HasSubstr("firewalld"))));
  EXPECT_EQ(file("calls"), "");
}

// Its program takes 200 ms to say that it does not run.
TEST_F(FirewalldTest, WithoutItsTableNobodyAsks) {
  admit();
  EXPECT_EQ(file("asked"), "");
}

}  // namespace
}  // namespace fairlead::kernel
