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

std::vector<std::string> texts(const std::vector<ForeignRule>& rules) {
  std::vector<std::string> list;
  for (const ForeignRule& rule : rules) {
    std::string text = rule.chain + " " + rule.rule;
    const std::string mark = "-m comment --comment fairlead ";
    EXPECT_THAT(text, HasSubstr(mark));
    text.erase(text.find(mark), mark.size());
    list.push_back(std::move(text));
  }
  return list;
}

// An earlier version may have made networks on them.
TEST(ForeignFirewallRules, OddNamesOfOurRecordsAreNotPasted) {
  const FilterTable table = parse_filter_table("-P FORWARD DROP\n");
  const std::vector<IfName> plain{name("br0")};
  const std::vector<IfName> odd{name("br0"), *stored_ifname("up+"), *stored_ifname("a\"b"),
                                *stored_ifname("docker%d")};
  EXPECT_EQ(wanted_rules(table, odd, "eth0"), wanted_rules(table, plain, "eth0"));
}

// "docker+" is every interface of Docker's to iptables, and a quote begins a word.
TEST(ForeignFirewallRules, OddNamesOfOthersAreNotPasted) {
  const FilterTable table = parse_filter_table(
      "-P FORWARD DROP\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n-A FORWARD -o a\"b -j DOCKER\n"
      "-A FORWARD -o cust+ -j DOCKER\n");
  EXPECT_THAT(table.docker_bridges, ElementsAre("cust+"));
  const std::vector<IfName> bridges{name("fl-1")};
  const auto plain = wanted_rules(table, bridges, "eth0");
  for (const char* uplink : {"docker+", "docker\"x", "br-*"})
    EXPECT_EQ(wanted_rules(table, bridges, uplink), plain) << uplink;
  EXPECT_NE(wanted_rules(table, bridges, "docker7"), plain);
}

TEST(ForeignFirewallRules, DockersTableIsUnderstood) {
  const FilterTable table = parse_filter_table(kDocker);
  EXPECT_TRUE(table.forward_drops);
  EXPECT_TRUE(table.docker_user);
  EXPECT_THAT(table.docker_bridges, ElementsAre("custom0"));
  EXPECT_THAT(table.ours, IsEmpty());
}

TEST(ForeignFirewallRules, DockersOwnContainersStayWithDocker) {
  EXPECT_THAT(
      texts(wanted_rules(parse_filter_table(kDocker), {}, "eth0")),
      ElementsAre(
          "DOCKER-USER -i docker+ -o fl-+ -j RETURN", "DOCKER-USER -i fl-+ -o docker+ -j RETURN",
          "DOCKER-USER -i br-+ -o fl-+ -j RETURN", "DOCKER-USER -i fl-+ -o br-+ -j RETURN",
          "DOCKER-USER -i custom0 -o fl-+ -j RETURN", "DOCKER-USER -i fl-+ -o custom0 -j RETURN",
          "DOCKER-USER -o fl-+ -j ACCEPT", "DOCKER-USER -i fl-+ -j ACCEPT"));
}

TEST(ForeignFirewallRules, UplinkAndBridgesThatAreCalledLikeDockersAreNot) {
  const std::vector<IfName> bridges = {name("fl-1"), name("br-shop"), name("lan")};
  const auto rules = texts(wanted_rules(parse_filter_table(kDocker), bridges, "br-lan"));
  const auto at = [&](const std::string& rule) {
    return std::ranges::find(rules, rule) - rules.begin();
  };
  for (const char* accepted :
       {"DOCKER-USER -i br-lan -o fl-+ -j ACCEPT", "DOCKER-USER -i lan -o br-lan -j ACCEPT",
        "DOCKER-USER -i br-shop -o br-shop -j ACCEPT", "DOCKER-USER -i fl-+ -o br-shop -j ACCEPT"})
    EXPECT_LT(at(accepted), at("DOCKER-USER -i br-+ -o fl-+ -j RETURN")) << accepted;
  EXPECT_THAT(rules, Contains("DOCKER-USER -o lan -j ACCEPT"));
  EXPECT_THAT(rules, Not(Contains(HasSubstr("fl-1"))));
}

TEST(ForeignFirewallRules, BareDropGetsTwoRules) {
  for (const char* drop :
       {"-P FORWARD DROP\n", "-P FORWARD ACCEPT\n-A FORWARD -i lo -j ACCEPT\n-A FORWARD -j DROP\n",
        "-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n"})
    EXPECT_THAT(texts(wanted_rules(parse_filter_table(drop), {}, "eth0")),
                ElementsAre("FORWARD -o fl-+ -j ACCEPT", "FORWARD -i fl-+ -j ACCEPT"))
        << drop;
}

TEST(ForeignFirewallRules, NothingIsWantedWhereNothingDrops) {
  for (const char* open : {"", "-P FORWARD ACCEPT\n-A FORWARD -s 10.9.0.0/16 -j DROP\n",
                           "-P FORWARD ACCEPT\n-N DOCKER-USER\n-A FORWARD -j DOCKER-USER\n"})
    EXPECT_THAT(wanted_rules(parse_filter_table(open), {}, "eth0"), IsEmpty()) << open;
}

std::string with_rules(const FilterTable& before, const std::vector<ForeignRule>& rules) {
  std::string text = before.forward_drops ? "-P FORWARD DROP\n" : "";
  for (const ForeignRule& rule : rules) text += "-A " + rule.chain + " " + rule.rule + "\n";
  return text;
}

TEST(ForeignFirewallRules, WhatIsInPlaceIsLeftAloneAndWhatIsNotIsReplaced) {
  const FilterTable empty = parse_filter_table("-P FORWARD DROP\n");
  const auto wanted = wanted_rules(empty, {}, "");
  EXPECT_EQ(restore_text(empty, wanted),
            "*filter\n"
            "-I FORWARD 1 -o fl-+ -m comment --comment fairlead -j ACCEPT\n"
            "-I FORWARD 2 -i fl-+ -m comment --comment fairlead -j ACCEPT\n"
            "COMMIT\n");
  const std::string in_place = with_rules(empty, wanted);
  EXPECT_EQ(restore_text(parse_filter_table(in_place), wanted), "");
  EXPECT_EQ(
      restore_text(
          parse_filter_table(
              "-P FORWARD DROP\n-A FORWARD -o fl-+ -m comment --comment \"fairlead\" -j ACCEPT\n"),
          {}),
      "*filter\n-D FORWARD -o fl-+ -m comment --comment fairlead -j ACCEPT\nCOMMIT\n");
  // Somebody inserted a rule above ours.
  const FilterTable below =
      parse_filter_table("-P FORWARD DROP\n-A FORWARD -j LOG\n" + in_place.substr(16));
  EXPECT_THAT(restore_text(below, wanted),
              AllOf(HasSubstr("-D FORWARD"), HasSubstr("-I FORWARD 1")));
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

// Networks of ours (fl-one, odd0) and one of "Docker" (docker0), with an iptables variant in
// between.
class OtherFirewall : public testing::KernelFixture,
                      public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    if (std::system(fmt::format("{} --version >/dev/null 2>&1", tool("iptables")).c_str()) != 0)
      GTEST_SKIP() << tool("iptables") << " is not installed";
    set_sysctl("host", "net/ipv4/ip_forward", "1");
    set_sysctl("host", "net/ipv6/conf/all/forwarding", "1");
    set_sysctl("host", "net/bridge/bridge-nf-call-iptables", "1");
    set_sysctl("host", "net/bridge/bridge-nf-call-ip6tables", "1");
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
  static std::string tool(const std::string& family_tool) {
    return fmt::format("{}-{}", family_tool, GetParam());
  }
  void iptables(const std::string& arguments) {
    for (const char* family_tool : {"iptables", "ip6tables"})
      ASSERT_EQ(std::system(fmt::format("{} -w {}", tool(family_tool), arguments).c_str()), 0)
          << arguments;
  }
  std::string listing() {
    std::string text;
    for (const char* family_tool : {"iptables", "ip6tables"}) {
      FILE* pipe = ::popen(fmt::format("{} -S", tool(family_tool)).c_str(), "re");
      std::array<char, 4096> part{};
      for (std::size_t got = 0; (got = ::fread(part.data(), 1, part.size(), pipe)) > 0;)
        text.append(part.data(), got);
      ::pclose(pipe);
    }
    return text;
  }
  // What dockerd makes for its default network.
  void start_docker() {
    for (const char* line :
         {"-P FORWARD DROP", "-N DOCKER", "-N DOCKER-USER", "-A DOCKER-USER -j RETURN",
          "-A FORWARD -j DOCKER-USER",
          "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
          "-A FORWARD -o docker0 -j DOCKER", "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
          "-A FORWARD -i docker0 -o docker0 -j ACCEPT"})
      iptables(line);
  }
  std::vector<std::string> admit() {
    return testing::must(firewalls_->admit({name("fl-one"), name("odd0")}));
  }
  void withdraw() { testing::must(firewalls_->withdraw()); }

  bool reaches(const std::string& from, const std::string& to) {
    return ask_tcp(from, to, 80, std::chrono::milliseconds(2500)).has_value();
  }
  bool is_kept_from(const std::string& from, const std::string& to) {
    return !ask_tcp(from, to, 80, std::chrono::milliseconds(200)).has_value();
  }

 private:
  std::unique_ptr<ForeignFirewall> firewalls_ = make_foreign_firewall();
  std::vector<std::unique_ptr<testing::Service>> services_;
};

TEST_P(OtherFirewall, DockersDropIsLiftedForOursAndStaysForDockers) {
  start_docker();
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_TRUE(is_kept_from("one", "10.1.0.3"));  // br_netfilter

  const auto notes = admit();
  EXPECT_THAT(notes, ElementsAre(AllOf(HasSubstr(tool("iptables")), HasSubstr("DOCKER-USER")),
                                 HasSubstr(tool("ip6tables"))));
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

TEST_P(OtherFirewall, PolicyDropIsLiftedAtTheTopOfForward) {
  iptables("-P FORWARD DROP");
  iptables("-A FORWARD -i nowhere0 -j DROP");
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  EXPECT_THAT(admit(), Contains(HasSubstr("top of FORWARD")));
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  EXPECT_TRUE(reaches("outside", "10.2.0.2"));
  EXPECT_TRUE(is_kept_from("docked", "203.0.113.1"));
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

TEST_P(OtherFirewall, RulesMoveWhenDockerComesLaterAndReturnToTheTop) {
  iptables("-P FORWARD DROP");
  admit();
  start_docker();
  iptables("-I DOCKER-USER -j DROP");
  EXPECT_THAT(admit(), Contains(HasSubstr("DOCKER-USER")));
  EXPECT_THAT(listing(), Not(HasSubstr("-A FORWARD -o fl-+")));
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
  iptables("-I DOCKER-USER -j DROP");
  EXPECT_TRUE(is_kept_from("one", "203.0.113.1"));
  admit();
  EXPECT_TRUE(reaches("one", "203.0.113.1"));
}

TEST_P(OtherFirewall, NothingIsInstalledWhereNothingDrops) {
  iptables("-A FORWARD -i nowhere0 -j DROP");
  const std::string before = listing();
  EXPECT_THAT(admit(), IsEmpty());
  EXPECT_EQ(listing(), before);
}

TEST_P(OtherFirewall, MissingToolsKeepNobodyFromTheNetwork) {
  start_docker();
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  EXPECT_THAT(admit(), IsEmpty());
  withdraw();
  ::setenv("PATH", path.c_str(), 1);
}

INSTANTIATE_TEST_SUITE_P(Iptables, OtherFirewall, ::testing::Values("nft", "legacy"),
                         [](const auto& variant) { return std::string(variant.param); });

// ---- firewalld

// A firewall-cmd that keeps the trusted zone in a file: the daemon itself wants the host's D-Bus.
class FirewalldTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::getenv("PATH");
    folder_ = std::filesystem::path(::testing::TempDir()) / fmt::format("firewalld-{}", ::getpid());
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "firewall-cmd") << "#!/bin/sh\ncd " << folder_.string() << R"(
touch trusted
case "$1 $2" in
"--state "*) [ -e stopped ] && exit 252; echo running;;
"--zone=trusted --list-interfaces") tr '\n' ' ' < trusted;;
"--zone=trusted --change-interface="*) echo "${2#*=}" >> trusted; echo "$2" >> calls;;
"--zone=trusted --remove-interface="*) grep -vx "${2#*=}" trusted > rest; mv rest trusted;;
*) exit 2;;
esac
)";
    std::filesystem::permissions(folder_ / "firewall-cmd", std::filesystem::perms::owner_all);
    ::setenv("PATH", (folder_.string() + ":/usr/bin:/bin").c_str(), 1);
  }
  void TearDown() override {
    ::setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }
  std::string file(const char* name) {
    std::ifstream stream(folder_ / name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  void write(const char* name, const char* text) { std::ofstream(folder_ / name) << text; }
  std::unique_ptr<ForeignFirewall> firewalls_ = make_foreign_firewall();

 private:
  std::string path_;
  std::filesystem::path folder_;
};

TEST_F(FirewalldTest, BridgesBecomeTrustedOnceAndLeaveAlone) {
  write("trusted", "eth7\n");
  const std::vector<IfName> bridges = {name("fl-one"), name("odd0")};
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(*firewalls_->admit(bridges), Contains("firewalld: in zone trusted: fl-one odd0"));
  EXPECT_EQ(file("calls"), "--change-interface=fl-one\n--change-interface=odd0\n");
  EXPECT_TRUE(firewalls_->withdraw());
  EXPECT_EQ(file("trusted"), "eth7\n");
}

TEST_F(FirewalldTest, StoppedFirewalldIsLeftAlone) {
  write("stopped", "");
  EXPECT_THAT(*firewalls_->admit({name("fl-one")}), Not(Contains(HasSubstr("firewalld"))));
  EXPECT_EQ(file("calls"), "");
}

}  // namespace
}  // namespace fairlead::kernel
