// Packets between containers of three hosts, over an underlay of IPv4 and of IPv6.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "network/drivers/bridge.h"
#include "network/kernel/links/messages.h"
#include "network/kernel/tunnels/vxlan_messages.h"
#include "tests/network/drivers/overlay_lab.h"
#include "tests/support/tap.h"

namespace fairlead::testing {
namespace {

using namespace std::chrono_literals;

class Overlay : public OverlayLab, public ::testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    OverlayLab::SetUp();
    if (!IsSkipped()) start(GetParam(), options());
  }
  virtual network::NetworkOptions options() { return {}; }
  std::unique_ptr<Tap> tap(const std::string& where) {
    std::unique_ptr<Tap> made;
    in(where, [&] { made = std::make_unique<Tap>("eth0"); });
    return made;
  }
  // One UDP datagram of `size` payload bytes that may not be fragmented. The errno of the send, or
  // 0.
  int send_whole(const std::string& from, const std::string& to, std::size_t size) {
    int failure = 0;
    in(from, [&] {
      const bool v4 = ip(to).is_v4();
      const UniqueFd socket(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      const int discover = v4 ? int{IP_PMTUDISC_DO} : int{IPV6_PMTUDISC_DO};
      ASSERT_EQ(::setsockopt(socket.get(), v4 ? IPPROTO_IP : IPPROTO_IPV6,
                             v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &discover, sizeof(discover)),
                0);
      sockaddr_in to4{.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {}, .sin_zero = {}};
      sockaddr_in6 to6{};
      to6.sin6_family = AF_INET6;
      to6.sin6_port = htons(9);
      const IpAddress target = ip(to);
      std::ranges::copy(target.bytes(), v4 ? reinterpret_cast<std::uint8_t*>(&to4.sin_addr)
                                           : reinterpret_cast<std::uint8_t*>(&to6.sin6_addr));
      const std::vector<char> payload(size);
      const auto* address =
          v4 ? reinterpret_cast<const sockaddr*>(&to4) : reinterpret_cast<const sockaddr*>(&to6);
      if (::sendto(socket.get(), payload.data(), size, 0, address, v4 ? sizeof(to4) : sizeof(to6)) <
          0)
        failure = errno;
    });
    return failure;
  }
};

INSTANTIATE_TEST_SUITE_P(Underlays, Overlay, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& each) {
                           return each.param == Family::kV4 ? "Ipv4" : "Ipv6";
                         });

TEST_P(Overlay, ContainersOfAllHostsReachEachOtherAndTheirGateway) {
  const std::vector<Container> all{run(1, "a", 2), run(1, "b", 3), run(2, "c", 4), run(3, "d", 5)};
  publish(all);
  for (const Container& from : all) {
    for (const Container& to : all)
      for (const Cidr& address : to.endpoint.addresses)
        EXPECT_TRUE(ping(from.netns, address.address().to_string()))
            << from.netns << " to " << address.to_string();
    EXPECT_TRUE(ping(from.netns, "10.9.0.1"));
    EXPECT_TRUE(ping(from.netns, "fd00:9::1"));
  }
}

TEST_P(Overlay, TheGatewayIsThatOfTheOwnHost) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  const auto other = tap("h2");
  EXPECT_TRUE(ping("a", "10.9.0.1"));
  EXPECT_TRUE(ping("a", "fd00:9::1"));
  EXPECT_TRUE(other->tunnelled().empty());
}

TEST_P(Overlay, NothingIsFlooded) {
  const Container a = run(1, "a", 2), quiet = run(1, "quiet", 3);
  publish({a, quiet, run(2, "b", 4), run(3, "c", 5)});
  EXPECT_TRUE(ping("a", "10.9.0.5"));
  const auto second = tap("h2"), third = tap("h3"), neighbour = tap("quiet");

  EXPECT_FALSE(ping("a", "10.9.0.99", 200ms));  // nobody has it
  EXPECT_FALSE(ping("a", "fd00:9::99", 200ms));
  const MacAddress nobody = MacAddress::from_hash("nobody");
  in("a", [&] {  // a MAC that nobody has, without asking
    auto socket = must(kernel::NetlinkSocket::open(NETLINK_ROUTE));
    const int eth0 = static_cast<int>(::if_nametoindex("eth0"));
    must(socket.request(kernel::set_neighbour(eth0, ip("10.9.0.98"), nobody), "set a neighbour"));
  });
  EXPECT_FALSE(ping("a", "10.9.0.98", 200ms));
  EXPECT_EQ(send_whole("a", "239.1.2.3", 100), 0);  // multicast, to the default route
  const auto bridge = must(host(1).links->find(bridge_of(host(1).network)));
  for (const Cidr& address : a.endpoint.addresses)
    must(host(1).links->announce(bridge.index, address.address(), *a.endpoint.mac));

  EXPECT_TRUE(second->tunnelled().empty());
  EXPECT_TRUE(third->tunnelled().empty());
  for (const auto& frame : neighbour->frames())
    EXPECT_FALSE(std::equal(nobody.bytes().begin(), nobody.bytes().end(), frame.begin()));
  EXPECT_TRUE(ping("a", "10.9.0.5"));  // what is counted would have been seen
  EXPECT_TRUE(second->tunnelled().empty());
  EXPECT_FALSE(third->tunnelled().empty());
}

TEST_P(Overlay, AnAddressMovesBetweenHostsWithoutLoss) {
  const Container client = run(1, "client", 2), before = run(2, "before", 3);
  publish({client, before});
  Container after = run(3, "after", 3);
  std::atomic<bool> stop_pinging = false;
  std::atomic<int> answered = 0, lost = 0;
  std::thread pinging([&] {
    while (!stop_pinging) {
      const bool reached = ping("client", "10.9.0.3") && ping("client", "fd00:9::3");
      ++(reached ? answered : lost);
    }
  });
  const auto both_ways = [&](const Container& from, const Container& to) {
    const auto old_entries = entries(from), new_entries = entries(to);
    must(host(1).tunnels->apply(device(), new_entries, old_entries));
    must(host(to.host).tunnels->apply(device(), {}, old_entries));
    must(host(from.host).tunnels->apply(device(), new_entries, {}));
  };
  for (int turn = 0; turn < 20; ++turn) {
    std::this_thread::sleep_for(20ms);
    turn % 2 == 0 ? both_ways(before, after) : both_ways(after, before);
  }
  both_ways(before, after);
  stop(before);
  std::this_thread::sleep_for(20ms);
  stop_pinging = true;
  pinging.join();
  EXPECT_EQ(lost, 0);
  EXPECT_GT(answered, 100);
  EXPECT_TRUE(ping("client", "10.9.0.3"));
}

TEST_P(Overlay, StaleEntriesAreSwept) {
  const Container a = run(1, "a", 2), b = run(2, "b", 3), c = run(3, "c", 4);
  publish({a, b, c});
  EXPECT_TRUE(ping("a", "10.9.0.3"));
  stop(b);
  publish({a, c});
  EXPECT_EQ(must(host(1).tunnels->dump(device())), entries(c));
  EXPECT_FALSE(ping("a", "10.9.0.3", 200ms));
  EXPECT_TRUE(ping("a", "10.9.0.4"));
  run(2, "again", 3);
  publish({a, c, {.host = 2, .netns = "again", .endpoint = b.endpoint}});
  EXPECT_TRUE(ping("a", "10.9.0.3"));
}

TEST_P(Overlay, TheLargestPacketFillsTheUnderlayAndALargerOneIsRefused) {
  publish({run(1, "a", 2), run(2, "b", 3)});
  const std::size_t mtu = GetParam() == Family::kV4 ? 1450 : 1430;
  EXPECT_EQ(host(1).network.mtu, mtu);
  for (const auto& [to, headers] : {std::pair("10.9.0.3", 28U), std::pair("fd00:9::3", 48U)}) {
    EXPECT_TRUE(ping("a", to));
    const auto other = tap("h2");
    EXPECT_EQ(send_whole("a", to, mtu - headers), 0);
    EXPECT_EQ(send_whole("a", to, mtu - headers + 1), EMSGSIZE);
    std::this_thread::sleep_for(20ms);
    const auto sizes = other->tunnelled();
    ASSERT_FALSE(sizes.empty());
    EXPECT_EQ(std::ranges::max(sizes), 1500U);
  }
}

TEST_P(Overlay, ALostTunnelIsMadeAgainAndFilledBySync) {
  const Container a = run(1, "a", 2), b = run(2, "b", 3);
  publish({a, b});
  must(host(1).links->remove(device()));
  EXPECT_FALSE(ping("a", "10.9.0.3", 200ms));
  Rollback undo;
  must(host(1).driver().ensure(host(1).network, undo));
  undo.commit();
  EXPECT_FALSE(ping("a", "10.9.0.3", 200ms));
  publish({a, b});
  EXPECT_TRUE(ping("a", "10.9.0.3"));
}

TEST_P(Overlay, ContainersAreMendedAfterTheBridgeWasLost) {
  const Container a = run(1, "a", 2), b = run(2, "b", 3);
  publish({a, b});
  must(host(1).links->remove(bridge_of(host(1).network)));
  Rollback undo;
  must(host(1).driver().ensure(host(1).network, undo));
  undo.commit();
  EXPECT_TRUE(must(host(1).driver().mend(host(1).network, a.endpoint)));
  EXPECT_TRUE(ping_soon("a", "10.9.0.3"));
  EXPECT_TRUE(ping_soon("b", "10.9.0.2"));
}

class OverlayWithoutCommunication : public Overlay {
 protected:
  network::NetworkOptions options() override { return {.icc = false}; }
};

INSTANTIATE_TEST_SUITE_P(Underlays, OverlayWithoutCommunication, ::testing::Values(Family::kV4),
                         [](const auto&) { return "Ipv4"; });

TEST_P(OverlayWithoutCommunication, ContainersReachTheirGatewayOnly) {
  publish({run(1, "a", 2), run(1, "b", 3), run(2, "c", 4)});
  EXPECT_TRUE(ping("a", "10.9.0.1"));
  EXPECT_FALSE(ping("a", "10.9.0.3", 200ms));
  EXPECT_FALSE(ping("a", "10.9.0.4", 200ms));
}

}  // namespace
}  // namespace fairlead::testing
