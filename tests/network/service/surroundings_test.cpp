// A host with a second uplink that has a routing table of its own, with packets: answers of published
// ports leave where the question came in. And broadcasts to published ports.
//
//   far (203.0.114.9) ── 198.51.100.0/24, 2001:db8:2::/64 ── host ── 203.0.113.0/24 ── outside
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>

#include "network/service/mender.h"
#include "tests/network/service/service_world.h"

namespace fairlead::network {
namespace {

using testing::ip;
using testing::must;

class SecondUplink : public testing::ServiceWorld {
 protected:
  void SetUp() override {
    ServiceWorld::SetUp();
    if (IsSkipped()) return;
    // A router asks for neighbours from its link-local address, once that is confirmed.
    for (const char* where : {"host", "far"})
      set_sysctl(where, "net/ipv6/conf/default/accept_dad", "0");
    const auto veth =
        must(links().create_veth({.host_name = testing::ifname("uplink1"),
                                  .peer_name = testing::ifname("eth0"),
                                  .peer_netns_fd = netns("far"),
                                  .peer_mac = must(MacAddress::parse("02:00:cb:00:71:02")),
                                  .host_up = true,
                                  .host_ipv6 = true}));
    must(links().configure_container(
        {.netns_fd = netns("far"),
         .ifindex = veth.peer_index,
         .name = testing::ifname("eth0"),
         .addresses = {testing::cidr("198.51.100.2/24"), testing::cidr("2001:db8:2::2/64")}}));
    run("host", "ip addr add 198.51.100.1/24 dev uplink1");
    run("host", "ip addr add 2001:db8:2::1/64 dev uplink1 nodad");
    // The client is behind the second uplink, and the host knows no other way to it than the first.
    run("far",
        "ip link set lo up; ip addr add 203.0.114.9/32 dev lo; ip addr add 2001:db8:9::9/128 dev "
        "lo");
    run("far", "ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:2::1");
  }

  void run(const std::string& where, const std::string& command) {
    in(where, [&] { ASSERT_EQ(std::system(command.c_str()), 0) << command; });
  }
  void add_rules() {
    run("host",
        "ip route add default via 198.51.100.2 table 200; ip rule add from 198.51.100.1 lookup "
        "200");
    run("host",
        "ip -6 route add default via 2001:db8:2::2 table 200; ip -6 rule add from 2001:db8:2::1 "
        "lookup 200");
  }
  void add_second_defaults() {
    run("host", "ip route add default via 198.51.100.2 dev uplink1 metric 500");
    run("host", "ip -6 route add default via 2001:db8:2::2 dev uplink1 metric 5000");
  }

  // A container with its port 80 published as 8080, over both families.
  void make_web() {
    NetworkSpec both = spec("shop", "10.74.0.0/24");
    both.subnets.push_back({.family = Family::kV6, .subnet = testing::cidr("fd00:74::/64")});
    must(service_->create_network(both));
    EndpointSpec web = endpoint("shop", "web");
    web.ports = {{.proto = Proto::kTcp, .host_port = 8080, .container_port = 80},
                 {.proto = Proto::kUdp, .host_port = 6767, .container_port = 69}};
    must(service_->attach(web, IntoNetns{netns("web"), testing::ifname("eth0")}));
  }
  // Whether a question under the client's own address, which is not on the link, is answered.
  bool answers(const std::string& to) {
    bool reached = false;
    in("far", [&] {
      const bool v6 = to.find(':') != std::string::npos;
      const UniqueFd client(
          ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const auto from = name_of(v6 ? "2001:db8:9::9" : "203.0.114.9", 0), there = name_of(to, 8080);
      const socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
      ASSERT_EQ(::bind(client.get(), reinterpret_cast<const sockaddr*>(&from), size), 0);
      (void)::connect(client.get(), reinterpret_cast<const sockaddr*>(&there), size);
      pollfd ready{.fd = client.get(), .events = POLLOUT, .revents = 0};
      reached = ::poll(&ready, 1, 1000) == 1 && (ready.revents & (POLLERR | POLLHUP)) == 0;
    });
    return reached;
  }
  static sockaddr_storage name_of(const std::string& address, std::uint16_t port) {
    sockaddr_storage name{};
    if (address.find(':') == std::string::npos) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(name);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &v4.sin_addr), 1);
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(name);
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      EXPECT_EQ(::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr), 1);
    }
    return name;
  }
  std::string output(const std::string& command) {
    std::string text;
    in("host", [&] {
      FILE* pipe = ::popen(command.c_str(), "r");
      char line[512];
      while (std::fgets(line, sizeof(line), pipe) != nullptr) text += line;
      ::pclose(pipe);
    });
    return text;
  }
};

TEST_F(SecondUplink, AnswersLeaveByTheTableOfTheAddress) {
  add_rules();
  make_web();
  const auto web = serve_tcp("web", 80);
  EXPECT_TRUE(answers("198.51.100.1"));
  EXPECT_TRUE(answers("2001:db8:2::1"));
  EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("host", "203.0.113.2", 8080)).server, "web");
}

TEST_F(SecondUplink, WithoutTheWayTheAnswerIsLost) {
  add_rules();
  make_web();
  const auto web = serve_tcp("web", 80);
  run("host", "ip rule flush protocol 102; ip -6 rule flush protocol 102");
  EXPECT_FALSE(answers("198.51.100.1"));
  EXPECT_FALSE(answers("2001:db8:2::1"));
  must(core_->mender().mend({.routes = true}));
  EXPECT_TRUE(answers("198.51.100.1"));
  EXPECT_TRUE(answers("2001:db8:2::1"));
}

TEST_F(SecondUplink, AnswersLeaveByTheSecondDefaultRoute) {
  add_second_defaults();
  make_web();
  const auto web = serve_tcp("web", 80);
  EXPECT_TRUE(answers("198.51.100.1"));
  EXPECT_TRUE(answers("2001:db8:2::1"));
}

TEST_F(SecondUplink, StrictSourceChecksLetTheQuestionIn) {
  for (const char* link : {"all", "uplink0", "uplink1", "default"})
    set_sysctl("host", std::string("net/ipv4/conf/") + link + "/rp_filter", "1");
  for (const bool by_rule : {true, false}) {
    if (by_rule)
      add_rules();
    else
      add_second_defaults();
    if (by_rule)
      make_web();
    else
      must(core_->mender().mend({.routes = true}));
    const auto web = serve_tcp("web", 80);
    EXPECT_TRUE(answers("198.51.100.1")) << by_rule;
    if (by_rule) run("host", "ip rule del from 198.51.100.1; ip -6 rule del from 2001:db8:2::1");
  }
}

// As wg-quick sets it for everything.
TEST_F(SecondUplink, MarksThatCountEverywhereDoNotHarmTheBridge) {
  set_sysctl("host", "net/ipv4/conf/all/src_valid_mark", "1");
  for (const char* link : {"all", "default"})
    set_sysctl("host", std::string("net/ipv4/conf/") + link + "/rp_filter", "1");
  add_rules();
  make_web();
  const auto web = serve_tcp("web", 80);
  EXPECT_TRUE(answers("198.51.100.1"));
}

TEST_F(SecondUplink, WhatComesLaterIsFollowed) {
  make_web();
  const auto web = serve_tcp("web", 80);
  EXPECT_FALSE(answers("198.51.100.1"));
  add_rules();
  const auto report = must(core_->mender().mend({.routes = true}));
  EXPECT_EQ(report.actions.size(), 1u);
  EXPECT_TRUE(answers("198.51.100.1"));
  EXPECT_TRUE(must(core_->mender().mend({.routes = true})).actions.empty());
}

TEST_F(SecondUplink, IsToldAndGoesWithTheLastNetwork) {
  add_rules();
  create("one");
  create("two");
  EXPECT_NE(output("ip rule").find("fwmark 0x10000000/0xf0000000 lookup 200"), std::string::npos);
  const auto status = must(service_->status());
  const bool told = std::ranges::any_of(status.notes, [](const std::string& note) {
    return note.find("198.51.100.1, 2001:db8:2::1 leave through uplink1 by table 200") !=
           std::string::npos;
  });
  EXPECT_TRUE(told);
  EXPECT_TRUE(status.problems.empty());
  must(service_->remove_network(NetworkText{"one"}));
  EXPECT_NE(output("ip rule").find("fwmark"), std::string::npos);
  must(service_->remove_network(NetworkText{"two"}));
  EXPECT_EQ(output("ip rule").find("fwmark"), std::string::npos);
  EXPECT_EQ(output("ip -6 rule").find("fwmark"), std::string::npos);
}

TEST_F(SecondUplink, OfOneUplinkNothingIsAdded) {
  make_web();
  EXPECT_EQ(output("ip rule").find("fwmark"), std::string::npos);
  EXPECT_TRUE(must(firewall_->elements("uplinks_v4")).empty());
  EXPECT_TRUE(must(firewall_->elements("uplink_marks")).empty());
}

TEST_F(SecondUplink, FlowsThatOthersHaveMarkedKeepTheirMarks) {
  add_rules();
  make_web();
  const auto web = serve_tcp("web", 80);
  run("host",
      "nft 'add table inet other; add chain inet other c { type filter hook prerouting priority "
      "-150; }; "
      "add rule inet other c ct state new ct mark set 0x5; add counter inet other kept; add "
      "counter inet "
      "other lost; add chain inet other d { type filter hook postrouting priority 300; }; add rule "
      "inet "
      "other d tcp dport 80 ct mark 0x5 counter name kept; add rule inet other d tcp dport 80 ct "
      "mark != "
      "0x5 counter name lost'");
  EXPECT_FALSE(answers("198.51.100.1"));
  EXPECT_EQ(output("nft list counter inet other kept").find("packets 0 "), std::string::npos);
  EXPECT_NE(output("nft list counter inet other lost").find("packets 0 "), std::string::npos);
}

// ---- broadcasts

class Broadcasts : public SecondUplink {
 protected:
  // Whether a broadcast from there is answered, and by whom.
  std::string answer_to(const std::string& where, const std::string& source,
                        const std::string& to) {
    std::string by;
    in(where, [&] {
      const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const int on = 1;
      ASSERT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
      ASSERT_EQ(::setsockopt(client.get(), SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5), 0);
      sockaddr_in from{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
      ASSERT_EQ(::inet_pton(AF_INET, source.c_str(), &from.sin_addr), 1);
      ASSERT_EQ(::bind(client.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)), 0);
      sockaddr_in at{
          .sin_family = AF_INET, .sin_port = htons(6767), .sin_addr = {}, .sin_zero = {}};
      ASSERT_EQ(::inet_pton(AF_INET, to.c_str(), &at.sin_addr), 1);
      ASSERT_EQ(::sendto(client.get(), "?", 1, 0, reinterpret_cast<sockaddr*>(&at), sizeof(at)), 1);
      pollfd ready{.fd = client.get(), .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, 1000) != 1) return;
      socklen_t size = sizeof(from);
      char bytes[64];
      ASSERT_GT(::recvfrom(client.get(), bytes, sizeof(bytes), 0,
                           reinterpret_cast<sockaddr*>(&from), &size),
                0);
      char text[INET_ADDRSTRLEN];
      by = ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
    });
    return by;
  }
};

TEST_F(Broadcasts, ReachAPortOnEveryAddressAndAreAnsweredByTheHost) {
  make_web();
  const auto server = serve_udp("web", 69);
  EXPECT_EQ(answer_to("outside", "203.0.113.1", "203.0.113.255"), "203.0.113.2");
  EXPECT_EQ(answer_to("outside", "203.0.113.1", "255.255.255.255"), "203.0.113.2");
  EXPECT_EQ(answer_to("far", "198.51.100.2", "198.51.100.255"), "198.51.100.1");
  EXPECT_EQ(answer_to("outside", "203.0.113.1", "203.0.113.2"), "203.0.113.2");
}

// Containers are no DHCP servers of their own network, unless they may send anything.
TEST_F(Broadcasts, ADhcpServerAnswersWhereItMaySendAnything) {
  NetworkSpec open = spec("open", "10.77.0.0/24");
  open.options.spoofing = Spoofing::kAllow;
  must(service_->create_network(open));
  must(attach_to("open", "dhcp", {port(6767, 67, Proto::kUdp)}));
  const auto server = serve_udp("dhcp", 67);
  EXPECT_EQ(answer_to("outside", "203.0.113.1", "203.0.113.255"), "203.0.113.2");
}

// Who is not on the link would have all hosts of the subnet answer to somebody.
TEST_F(Broadcasts, OfSomebodyFarAwayAreNotAnswered) {
  add_rules();
  make_web();
  const auto server = serve_udp("web", 69);
  EXPECT_EQ(answer_to("far", "203.0.114.9", "198.51.100.255"), "");
  EXPECT_EQ(answer_to("far", "203.0.114.9", "255.255.255.255"), "");
  EXPECT_EQ(answer_to("far", "203.0.114.9", "198.51.100.1"), "198.51.100.1");
}

TEST_F(Broadcasts, OfContainersReachNobodysPublishedPort) {
  make_web();
  create("other", "10.75.0.0/24");
  must(service_->attach(endpoint("other", "guest"),
                        IntoNetns{netns("guest"), testing::ifname("eth0")}));
  const auto server = serve_udp("web", 69);
  EXPECT_EQ(answer_to("guest", "10.75.0.2", "10.75.0.255"), "");
  EXPECT_EQ(answer_to("guest", "10.75.0.2", "255.255.255.255"), "");
}

TEST_F(Broadcasts, OfThePortsOfOneAddressAreNotTheirs) {
  create("shop", "10.74.0.0/24");
  EndpointSpec web = endpoint("shop", "web");
  web.ports = {{.proto = Proto::kUdp,
                .host_ip = ip("203.0.113.2"),
                .host_port = 6767,
                .container_port = 69}};
  must(service_->attach(web, IntoNetns{netns("web"), testing::ifname("eth0")}));
  const auto server = serve_udp("web", 69);
  EXPECT_EQ(answer_to("outside", "203.0.113.1", "203.0.113.255"), "");
  EXPECT_EQ(answer_to("outside", "203.0.113.1", "203.0.113.2"), "203.0.113.2");
}

// ---- the address under which a network leaves

TEST_F(SecondUplink, AnAddressThatTheHostDoesNotHaveIsAProblem) {
  NetworkSpec out = spec("out", "10.76.0.0/24");
  out.options.snat_v4 = ip("203.0.113.99");
  must(service_->create_network(out));
  const auto problems = must(service_->status()).problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_NE(problems[0].find("network out leaves under 203.0.113.99, which no interface"),
            std::string::npos);
  run("host", "ip addr add 203.0.113.99/24 dev uplink0");
  EXPECT_TRUE(must(service_->status()).problems.empty());
}

}  // namespace
}  // namespace fairlead::network
