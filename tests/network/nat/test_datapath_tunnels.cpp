// Whose packets of tunnels are taken, and which of them may leave: datagrams with VXLAN headers
// between the host and the outside.
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/network/nat/nat_fixture.h"

namespace fairlead::nat {
namespace {

using testing::ifname;
using testing::ip;
using testing::must;

class Tunnels : public NatFixture, public ::testing::WithParamInterface<Family> {
 protected:
  static constexpr const char* kHostAddresses[] = {"203.0.113.2", "2001:db8::2"};
  static constexpr const char* kOutsideAddresses[] = {"203.0.113.1", "2001:db8::1"};

  static std::string host() { return kHostAddresses[GetParam() == Family::kV6]; }
  static std::string outside() { return kOutsideAddresses[GetParam() == Family::kV6]; }

  void admit(const NatUnderlay& part) { must(firewall().apply(admit_underlay(part))); }
  void dismiss(const NatUnderlay& part) { must(firewall().apply(dismiss_underlay(part))); }

  // Does a packet of the VNI get from one namespace to the address in the other?
  bool passes(const std::string& from, const std::string& to, const std::string& address,
              std::uint32_t vni, std::uint16_t port = 4789, std::size_t size = 64) {
    UniqueFd receiver;
    in(to, [&] { receiver = bound(port); });
    std::string packet(size, 'x');
    packet[0] = 0x08;  // RFC 7348, section 5: the VNI is valid
    for (int i = 1; i < 8; ++i) packet[static_cast<std::size_t>(i)] = 0;
    for (int i = 0; i < 3; ++i)
      packet[static_cast<std::size_t>(4 + i)] = static_cast<char>(vni >> (16 - 8 * i));
    udp_client(from, address, port).send(packet);
    pollfd ready{.fd = receiver.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 200) > 0;
  }
  bool arrives(std::uint32_t vni, std::uint16_t port = 4789, std::size_t size = 64) {
    return passes("outside", "host", host(), vni, port, size);
  }
  bool leaves(std::uint32_t vni, std::uint16_t port = 4789) {
    return passes("host", "outside", outside(), vni, port);
  }

 private:
  static UniqueFd bound(std::uint16_t port) {
    UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error("bind");
    return socket;
  }
};

INSTANTIATE_TEST_SUITE_P(Underlays, Tunnels, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(Tunnels, ThoseOfOthersAreLeftAlone) {
  admit({.tunnels = {{.vni = 42}, {.vni = 43, .secure = true}},
         .hosts = {ip("192.0.2.9"), ip("2001:db8::9")}});
  for (const std::uint32_t vni : {41U, 44U, 42U << 8, 0xffffffU}) {
    EXPECT_TRUE(arrives(vni)) << vni;
    EXPECT_TRUE(leaves(vni)) << vni;
  }
  EXPECT_TRUE(arrives(42, 8472));
  EXPECT_TRUE(arrives(43, 8472));
  EXPECT_TRUE(leaves(43, 8472));
}

TEST_P(Tunnels, OursAreTakenFromTheHostsOfTheClusterOnly) {
  const NatUnderlay tunnel{.tunnels = {{.vni = 42}}}, peer{.hosts = {ip(outside())}};
  EXPECT_TRUE(arrives(42));
  admit(tunnel);
  EXPECT_FALSE(arrives(42));
  EXPECT_FALSE(arrives(42, 4789, 4000));  // in fragments, of which only the first has a header
  admit(peer);
  EXPECT_TRUE(arrives(42));
  EXPECT_TRUE(arrives(42, 4789, 4000));
  EXPECT_TRUE(leaves(42));
  dismiss(peer);
  EXPECT_FALSE(arrives(42));
  dismiss(tunnel);
  EXPECT_TRUE(arrives(42));
}

TEST_P(Tunnels, EncryptedOnesComeAndGoThroughASecureLinkOnly) {
  admit({.tunnels = {{.vni = 42, .secure = true}}, .hosts = {ip(outside())}});
  EXPECT_FALSE(arrives(42));
  EXPECT_FALSE(leaves(42));
  const NatUnderlay link{.secure_links = {ifname("uplink0")}};  // as if it were one
  admit(link);
  EXPECT_TRUE(arrives(42));
  EXPECT_TRUE(leaves(42));
  dismiss({.hosts = {ip(outside())}});
  EXPECT_FALSE(arrives(42));
  EXPECT_TRUE(leaves(42));
  dismiss(link);
  EXPECT_FALSE(leaves(42));
}

TEST_P(Tunnels, ANetworkThatBecomesEncryptedIsSoAtOnce) {
  NatUnderlay before{.tunnels = {{.vni = 42}}, .hosts = {ip(outside())}}, after = before;
  after.tunnels[0].secure = true;
  admit(before);
  EXPECT_TRUE(leaves(42));
  must(firewall().apply(change_underlay(before, after)));
  EXPECT_FALSE(arrives(42));
  EXPECT_FALSE(leaves(42));
  must(firewall().apply(change_underlay(after, before)));
  EXPECT_TRUE(arrives(42));
  EXPECT_TRUE(leaves(42));
}

TEST_P(Tunnels, AContainerCannotSpeakIntoANetwork) {
  create(dual_stack("fl-one", "10.1.0.0/24", "fd00:1::/64"));
  run("web", "fl-one", {"10.1.0.2/24", "fd00:1::2/64"});
  EXPECT_TRUE(passes("web", "host", host(), 42));
  admit({.tunnels = {{.vni = 42}}, .hosts = {ip(outside())}});
  EXPECT_FALSE(passes("web", "host", host(), 42));
  EXPECT_TRUE(passes("web", "host", host(), 41));
}

}  // namespace
}  // namespace fairlead::nat
