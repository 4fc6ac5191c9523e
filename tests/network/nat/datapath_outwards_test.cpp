// What leaves the host, with packets: under which address and from which ports.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/network/nat/nat_fixture.h"

namespace fairlead::nat {
namespace {

using testing::cidr;
using testing::ip;
using testing::must;

// The host has a second address of each family, under which a network may leave.
class Outwards : public NatFixture {
 protected:
  void SetUp() override {
    NatFixture::SetUp();
    if (IsSkipped()) return;
    in("host", [] {
      ASSERT_EQ(std::system("ip addr add 203.0.113.77/24 dev uplink0"), 0);
      ASSERT_EQ(std::system("ip addr add 2001:db8::77/64 dev uplink0 nodad"), 0);
    });
  }

  static NatNetwork shop() { return dual_stack("fl-shop", "10.1.0.0/24", "fd00:1::/64"); }
  void make(const NatNetwork& network) {
    create(network);
    run("web", network.bridge.str(), {"10.1.0.2/24", "fd00:1::2/64"});
  }
  IpAddress source(network::Proto proto, const std::string& to) {
    const auto service =
        proto == network::Proto::kTcp ? serve_tcp("outside", 9000) : serve_udp("outside", 9000);
    return must(ask(proto, "web", to, 9000)).client;
  }

  // The port from which a datagram of the container arrives outside.
  std::uint16_t source_port(const std::string& to) {
    UniqueFd receiver;
    in("outside", [&] {
      receiver = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in any{
          .sin_family = AF_INET, .sin_port = htons(9001), .sin_addr = {}, .sin_zero = {}};
      ASSERT_EQ(::bind(receiver.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)), 0);
    });
    udp_client("web", to, 9001).send("?");
    pollfd ready{.fd = receiver.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ready, 1, 2000), 1);
    sockaddr_in from{};
    socklen_t size = sizeof(from);
    char byte = 0;
    EXPECT_EQ(::recvfrom(receiver.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size),
              1);
    return ntohs(from.sin_port);
  }
};

TEST_F(Outwards, ANetworkLeavesUnderItsOwnAddress) {
  NatNetwork network = shop();
  network.snat_v4 = ip("203.0.113.77");
  network.snat_v6 = ip("2001:db8::77");
  make(network);
  for (const auto proto : {network::Proto::kTcp, network::Proto::kUdp}) {
    EXPECT_EQ(source(proto, "203.0.113.1"), ip("203.0.113.77"));
    EXPECT_EQ(source(proto, "2001:db8::1"), ip("2001:db8::77"));
  }
  EXPECT_TRUE(ping("web", "203.0.113.1"));
  EXPECT_TRUE(ping("web", "2001:db8::1"));
}

TEST_F(Outwards, AnotherNetworkLeavesUnderTheInterfacesAddress) {
  NatNetwork other = dual_stack("fl-else", "10.2.0.0/24", "fd00:2::/64");
  other.snat_v4 = ip("203.0.113.77");
  create(other);
  make(shop());
  EXPECT_EQ(source(network::Proto::kTcp, "203.0.113.1"), ip("203.0.113.2"));
}

TEST_F(Outwards, ItsPortsAreOfItsRange) {
  NatNetwork network = shop();
  network.snat_v4 = ip("203.0.113.77");
  network.snat_ports = network::PortRange{20000, 20009};
  make(network);
  for (int i = 0; i < 5; ++i) {
    const std::uint16_t port = source_port("203.0.113.1");
    EXPECT_GE(port, 20000);
    EXPECT_LE(port, 20009);
  }
  EXPECT_EQ(source(network::Proto::kTcp, "203.0.113.1"), ip("203.0.113.77"));
  EXPECT_TRUE(ping("web", "203.0.113.1")) << "ICMP has no ports";
}

// As the pods of another node have it: who has a route to them sees them as they are.
TEST_F(Outwards, SomeDestinationsSeeTheContainersOwnAddress) {
  NatNetwork network = shop();
  network.masquerade_exclude = {cidr("203.0.113.0/24"), cidr("203.0.113.1/32"),
                                cidr("2001:db8::/64")};
  make(network);
  in("outside", [] {
    ASSERT_EQ(std::system("ip addr add 198.51.100.1/32 dev lo; ip link set lo up"), 0);
    ASSERT_EQ(std::system("ip route add 10.1.0.0/24 via 203.0.113.2"), 0);
    ASSERT_EQ(std::system("ip route add fd00:1::/64 via 2001:db8::2"), 0);
  });
  EXPECT_EQ(source(network::Proto::kTcp, "203.0.113.1"), ip("10.1.0.2"));
  EXPECT_EQ(source(network::Proto::kTcp, "2001:db8::1"), ip("fd00:1::2"));
  EXPECT_EQ(source(network::Proto::kTcp, "198.51.100.1"), ip("203.0.113.2"));
}

// nat-unprotected and masquerade_exclude together: what Kubernetes asks of a pod network.
TEST_F(Outwards, NodesAndPodsReachEachOtherUnmasqueraded) {
  NatNetwork network = shop();
  network.mode_v4 = network::GatewayMode::kNatUnprotected;
  network.masquerade_exclude = {cidr("203.0.113.0/24")};
  make(network);
  in("outside", [] { ASSERT_EQ(std::system("ip route add 10.1.0.0/24 via 203.0.113.2"), 0); });
  const auto pod = serve_tcp("web", 80);
  EXPECT_EQ(must(ask_tcp("outside", "10.1.0.2", 80)).client, ip("203.0.113.1"));
  EXPECT_EQ(source(network::Proto::kTcp, "203.0.113.1"), ip("10.1.0.2"));
}

}  // namespace
}  // namespace fairlead::nat
