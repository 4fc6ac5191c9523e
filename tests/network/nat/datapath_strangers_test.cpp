// The host as a router between interfaces that are not Fairlead's: "outside" on the uplink, and
// "lab" on another interface.
#include "tests/network/nat/nat_fixture.h"

namespace fairlead::nat {
namespace {

using testing::must;

const char* const kLab4 = "10.9.0.2";
const char* const kLab6 = "fd09::2";

class Strangers : public NatFixture {
 protected:
  void SetUp() override {
    NatFixture::SetUp();
    if (IsSkipped()) return;
    connect_lab("lab0");
    in("outside", [] {
      run_command(
          "ip route add 10.9.0.0/24 via 203.0.113.2; ip -6 route add fd09::/64 via 2001:db8::2");
    });
    create(dual_stack("fl-shop", "10.1.0.0/24", "fd00:1::/64"));
    run("web", "fl-shop", {"10.1.0.2/24", "fd00:1::2/64"});
    server_ = serve_tcp("lab", 80);
  }
  static void run_command(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  void connect_lab(const std::string& host_side) {
    const auto veth = must(links().create_veth({.host_name = testing::ifname("lab0"),
                                                .peer_name = testing::ifname("eth0"),
                                                .peer_netns_fd = netns("lab"),
                                                .host_ipv6 = true}));
    must(links().configure_container(
        {.netns_fd = netns("lab"),
         .ifindex = veth.peer_index,
         .name = testing::ifname("eth0"),
         .addresses = {testing::cidr("10.9.0.2/24"), testing::cidr("fd09::2/64")},
         .routes = {{.destination = testing::cidr("0.0.0.0/0"), .via = testing::ip("10.9.0.1")},
                    {.destination = testing::cidr("::/0"), .via = testing::ip("fd09::1")}}}));
    run_command(fmt::format(
        "ip addr add 10.9.0.1/24 dev {0} && ip addr add fd09::1/64 dev {0} nodad", host_side));
  }
  void hold(std::vector<Family> families) {
    const NatState before = held_;
    held_ = {.host = {.not_routed = std::move(families)}};
    change(before, held_);
  }
  bool passes(Family family) {
    const char* to = family == Family::kV4 ? kLab4 : kLab6;
    return ask_tcp("outside", to, 80, std::chrono::milliseconds(300)).has_value();
  }

  NatState held_;
  std::unique_ptr<testing::Service> server_;
};

TEST_F(Strangers, AreRoutedOnlyInTheFamiliesThatOthersHaveSwitchedOn) {
  EXPECT_TRUE(passes(Family::kV4)) << "the control";
  EXPECT_TRUE(passes(Family::kV6)) << "the control";
  hold({Family::kV4});
  EXPECT_FALSE(passes(Family::kV4));
  EXPECT_TRUE(passes(Family::kV6));
  hold({Family::kV6});
  EXPECT_TRUE(passes(Family::kV4));
  EXPECT_FALSE(passes(Family::kV6));
  hold({Family::kV4, Family::kV6});
  EXPECT_FALSE(passes(Family::kV4));
  EXPECT_FALSE(passes(Family::kV6));
  hold({});
  EXPECT_TRUE(passes(Family::kV4));
}

TEST_F(Strangers, AFlowThatTheyHadDoesNotGoOn) {
  auto client = udp_client("outside", kLab4, 53);
  const auto service = serve_udp("lab", 53);
  EXPECT_TRUE(client.ask());
  hold({Family::kV4});
  EXPECT_FALSE(client.ask(std::chrono::milliseconds(200)));
}

TEST_F(Strangers, ContainersReachThemAllTheSame) {
  hold({Family::kV4, Family::kV6});
  EXPECT_TRUE(ask_tcp("web", kLab4, 80));
  EXPECT_TRUE(ask_tcp("web", kLab6, 80));
  publish({.host_port = 8080, .container_port = 80, .target_v4 = testing::ip("10.1.0.2")});
  const auto web = serve_tcp("web", 80);
  EXPECT_EQ(must(ask_tcp("lab", "10.9.0.1", 8080)).server, "web");
  EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080)).server, "web");
}

// Those who run containers or machines on a bridge may have relied on what they found.
TEST_F(Strangers, BridgesOfOthersAreLeftToTheirMasters) {
  in("host", [] {
    run_command(
        "ip link add virbr0 type bridge && ip link set virbr0 up && "
        "ip link set lab0 master virbr0 && ip addr flush dev lab0 && "
        "ip addr add 10.9.0.1/24 dev virbr0 && ip addr add fd09::1/64 dev virbr0 nodad");
  });
  hold({Family::kV4, Family::kV6});
  EXPECT_TRUE(ask_tcp("outside", kLab4, 80));
  EXPECT_TRUE(ask_tcp("lab", "203.0.113.1", 80).error().sys_errno == ECONNREFUSED);
}

// With br_netfilter the frames within a bridge pass the chain as well.
TEST_F(Strangers, FramesWithinABridgeOfOthersPass) {
  call_iptables_for_bridges();
  add_bridge("br-lan", {});
  attach("a", "br-lan", {"192.168.7.2/24"});
  attach("b", "br-lan", {"192.168.7.3/24"});
  hold({Family::kV4});
  const auto service = serve_tcp("b", 80);
  EXPECT_EQ(must(ask_tcp("a", "192.168.7.3", 80)).server, "b");
}

}  // namespace
}  // namespace fairlead::nat
