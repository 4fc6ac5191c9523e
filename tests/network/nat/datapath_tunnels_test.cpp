// Whose packets of tunnels are taken, and which of them may leave: datagrams with VXLAN headers
// between the host and the outside.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

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

  void admit(const NatUnderlay& part) { change({}, {.underlay = part}); }
  void dismiss(const NatUnderlay& part) { change({.underlay = part}, {}); }

  struct Sender {
    std::string from;             // a namespace
    std::string source = {};      // one of its addresses; empty: as it is routed
    bool header_options = false;  // options of the IP header in front of the UDP header
  };

  // Does a packet of the VNI get from one namespace to the address in the other?
  bool passes(const Sender& sender, const std::string& to, const std::string& address,
              std::uint32_t vni, std::uint16_t port = 4789, std::size_t size = 64,
              std::uint16_t arrives_at = 0) {
    UniqueFd receiver;
    in(to, [&] { receiver = bound("::", arrives_at == 0 ? port : arrives_at); });
    in(sender.from, [&] { send(sender, address, port, vxlan(vni, size)); });
    return is_readable(receiver);
  }
  bool passes(const std::string& from, const std::string& to, const std::string& address,
              std::uint32_t vni, std::uint16_t port = 4789, std::size_t size = 64) {
    return passes(Sender{.from = from}, to, address, vni, port, size);
  }
  bool arrives(std::uint32_t vni, std::uint16_t port = 4789, std::size_t size = 64) {
    return passes("outside", "host", host(), vni, port, size);
  }
  bool leaves(std::uint32_t vni, std::uint16_t port = 4789) {
    return passes("host", "outside", outside(), vni, port);
  }

  static bool is_readable(const UniqueFd& socket) {
    pollfd ready{.fd = socket.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 200) > 0;
  }

  static sockaddr_in6 at(const std::string& address, std::uint16_t port) {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    const bool v4 = address.find(':') == std::string::npos;
    if (::inet_pton(AF_INET6, (v4 ? "::ffff:" + address : address).c_str(), &name.sin6_addr) != 1)
      throw std::runtime_error("inet_pton");
    return name;
  }

  static UniqueFd bound(const std::string& address, std::uint16_t port) {
    UniqueFd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in6 name = at(address, port);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0)
      throw std::runtime_error("bind");
    return socket;
  }

  static void send_to(const UniqueFd& socket, const std::string& address, std::uint16_t port,
                      const std::string& datagram) {
    const sockaddr_in6 name = at(address, port);
    (void)::sendto(socket.get(), datagram.data(), datagram.size(), 0,
                   reinterpret_cast<const sockaddr*>(&name), sizeof(name));
  }

 private:
  static std::string vxlan(std::uint32_t vni, std::size_t size) {
    std::string packet(size, 'x');
    packet[0] = 0x08;  // RFC 7348, section 5: the VNI is valid
    for (int i = 1; i < 8; ++i) packet[static_cast<std::size_t>(i)] = 0;
    for (int i = 0; i < 3; ++i)
      packet[static_cast<std::size_t>(4 + i)] = static_cast<char>(vni >> (16 - 8 * i));
    return packet;
  }

  static void send(const Sender& sender, const std::string& address, std::uint16_t port,
                   const std::string& datagram) {
    const UniqueFd socket = bound(sender.source.empty() ? "::" : sender.source, 0);
    if (sender.header_options) {
      const std::array<std::uint8_t, 4> nops{1, 1, 1, 1};                 // RFC 791
      const std::array<std::uint8_t, 8> padding{0, 0, 1, 4, 0, 0, 0, 0};  // RFC 8200, 4.6
      const bool v4 = address.find(':') == std::string::npos;
      if ((v4 ? ::setsockopt(socket.get(), IPPROTO_IP, IP_OPTIONS, nops.data(), nops.size())
              : ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_DSTOPTS, padding.data(),
                             padding.size())) != 0)
        throw std::runtime_error("setsockopt");
    }
    send_to(socket, address, port, datagram);
  }
};

INSTANTIATE_TEST_SUITE_P(Underlays, Tunnels, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(Tunnels, ThoseOfOthersAreLeftAlone) {
  admit({.tunnels = {{.vni = 42}, {.vni = 43, .encrypted = true}},
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

TEST_P(Tunnels, EncryptedOnesComeAndGoThroughAWireguardLinkOnly) {
  admit({.tunnels = {{.vni = 42, .encrypted = true}}, .hosts = {ip(outside())}});
  EXPECT_FALSE(arrives(42));
  EXPECT_FALSE(leaves(42));
  const NatUnderlay link{.wireguard_links = {ifname("uplink0")}};  // as if it were one
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
  after.tunnels[0].encrypted = true;
  admit(before);
  EXPECT_TRUE(leaves(42));
  change({.underlay = before}, {.underlay = after});
  EXPECT_FALSE(arrives(42));
  EXPECT_FALSE(leaves(42));
  change({.underlay = after}, {.underlay = before});
  EXPECT_TRUE(arrives(42));
  EXPECT_TRUE(leaves(42));
}

// What a container can try, each with its outcome while the port of the tunnels is not guarded.
class Containers : public Tunnels {
 protected:
  static constexpr const char* kGateways[] = {"10.1.0.1", "fd00:1::1"};
  static constexpr const char* kPlainSources[] = {"10.1.0.2", "fd00:1::2"};
  const NatUnderlay guard_{.ports = {4789}};

  void SetUp() override {
    Tunnels::SetUp();
    if (IsSkipped()) return;
    // Whose sources nobody checks: what is looked at is the guard of tunnels.
    NatNetwork one = dual_stack("fl-one", "10.1.0.0/24", "fd00:1::/64");
    one.shared = true;
    create(one);
    run("web", "fl-one", {"10.1.0.2/24", "fd00:1::2/64"});
  }
  static bool v6() { return GetParam() == Family::kV6; }
  static std::string gateway() { return kGateways[v6()]; }

  // Any address can be used by who may send raw packets; an address of its own does the same.
  Sender forging(const std::string& container, const std::string& source) {
    in(container, [&] {
      const std::string command =
          fmt::format("ip address add {} dev lo {}", source, v6() ? "nodad" : "");
      if (std::system(command.c_str()) != 0) throw std::runtime_error(command);
    });
    return {.from = container, .source = source};
  }
};

INSTANTIATE_TEST_SUITE_P(Underlays, Containers, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(Containers, CannotSpeakIntoANetworkOfTheirHost) {
  EXPECT_TRUE(passes("web", "host", host(), 42));
  admit({.tunnels = {{.vni = 42}}, .hosts = {ip(outside())}});
  EXPECT_FALSE(passes("web", "host", host(), 42));
  EXPECT_TRUE(passes("web", "host", host(), 41));
  admit(guard_);
  EXPECT_FALSE(passes("web", "host", host(), 41));
  EXPECT_FALSE(passes("web", "host", gateway(), 41));
  EXPECT_TRUE(passes("web", "host", host(), 41, 4790));
  EXPECT_TRUE(arrives(42));
  EXPECT_TRUE(leaves(42));
}

TEST_P(Containers, CannotSpeakForAnotherHost) {
  admit({.tunnels = {{.vni = 42}}, .hosts = {ip(outside())}});
  const Sender forger = forging("web", outside());
  EXPECT_TRUE(passes(forger, "host", host(), 42));
  admit(guard_);
  EXPECT_FALSE(passes(forger, "host", host(), 42));
  EXPECT_FALSE(passes(forger, "host", host(), 42, 4789, 4000));
}

TEST_P(Containers, CannotSpeakIntoNetworksOfOtherHosts) {
  const Sender plain{.from = "web"}, with_options{.from = "web", .header_options = true};
  const auto reaches = [&](const Sender& sender, std::size_t size = 64) {
    return passes(sender, "outside", outside(), 42, 4789, size);
  };
  EXPECT_TRUE(reaches(plain));  // masqueraded: this host speaks
  EXPECT_TRUE(reaches(plain, 4000));
  EXPECT_TRUE(reaches(with_options));
  admit(guard_);
  EXPECT_FALSE(reaches(plain));
  EXPECT_FALSE(reaches(plain, 4000));  // in fragments, put together before any rule
  EXPECT_FALSE(reaches(with_options));
  EXPECT_FALSE(reaches(forging("web", host())));
  EXPECT_TRUE(passes("web", "outside", outside(), 42, 4790));
}

TEST_P(Containers, CannotSpeakIntoNetworksByAPortThatIsTranslated) {
  NatPort port{.proto = network::Proto::kUdp, .host_port = 5000, .container_port = 4789};
  (v6() ? port.target_v6 : port.target_v4) = ip(outside());
  publish(port);
  const auto reaches = [&] {
    return passes(Sender{.from = "web"}, "outside", host(), 42, 5000, 64, 4789);
  };
  EXPECT_TRUE(reaches());
  admit(guard_);
  EXPECT_FALSE(reaches());
}

// The other end has begun the flow: an accomplice in a container there, whose host masquerades it.
TEST_P(Containers, CannotAnswerIntoANetwork) {
  NatPort port{.proto = network::Proto::kUdp, .host_port = 5000, .container_port = 53};
  (v6() ? port.target_v6 : port.target_v4) = ip(kPlainSources[v6()]);
  publish(port);
  const auto web = serve_udp("web", 53);
  const auto is_answered = [&](std::uint16_t from) {
    UniqueFd client;
    in("outside", [&] {
      client = bound("::", from);
      send_to(client, host(), 5000, "?");
    });
    return is_readable(client);
  };
  EXPECT_TRUE(is_answered(4789));
  admit(guard_);
  EXPECT_FALSE(is_answered(4789));
  EXPECT_TRUE(is_answered(4790));
}

TEST_P(Containers, DoNotReachWhatIsBehindAWireguardLink) {
  const auto web = serve_udp("outside", 7000);
  EXPECT_TRUE(ask_udp("web", outside(), 7000));
  admit({.wireguard_links = {ifname("uplink0")}});  // as if it were one
  EXPECT_FALSE(ask_udp("web", outside(), 7000));
  EXPECT_TRUE(ask_udp("host", outside(), 7000));
}

TEST_P(Containers, OfOneNetworkMayHaveTunnelsOfTheirOwn) {
  call_iptables_for_bridges();
  run("db", "fl-one", {"10.1.0.3/24", "fd00:1::3/64"});
  admit(guard_);
  EXPECT_TRUE(passes("web", "db", v6() ? "fd00:1::3" : "10.1.0.3", 42));
}

// A bridge of the host that a network has joined, and that is the underlay as well.
TEST_P(Containers, OnTheBridgeOfTheUnderlayAreToldFromTheHostsThere) {
  create(dual_stack("br0", "10.9.0.0/24", "fd00:9::/64"));
  run("peer", "br0",
      {"10.9.0.5/24", "fd00:9::5/64"});  // a port of the bridge, as its host's link is
  run("lan", "br0", {"10.9.0.6/24", "fd00:9::6/64"});
  const std::string here = v6() ? "fd00:9::1" : "10.9.0.1", peer = v6() ? "fd00:9::5" : "10.9.0.5";
  admit({.tunnels = {{.vni = 42}}, .hosts = {ip(peer)}});
  EXPECT_TRUE(passes("lan", "host", here, 41));
  const Sender forger = forging("web", peer);
  EXPECT_TRUE(passes(forger, "host", here, 42));
  admit(guard_);
  EXPECT_FALSE(passes("lan", "host", here, 41));
  EXPECT_FALSE(passes("lan", "outside", outside(), 41));
  EXPECT_FALSE(passes(forger, "host", here, 42));
  EXPECT_TRUE(passes("peer", "host", here, 42));
  EXPECT_TRUE(passes("host", "peer", peer, 42));
}

}  // namespace
}  // namespace fairlead::nat
