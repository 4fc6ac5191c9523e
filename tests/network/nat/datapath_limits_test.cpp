// Published ports that take so many connections at once, with connections that stay.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "tests/network/nat/nat_fixture.h"

namespace fairlead::nat {
namespace {

using network::GatewayMode;
using network::Proto;
using testing::ip;
using testing::must;

struct Address {
  sockaddr_storage bytes{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

Address address_of(const std::string& text, std::uint16_t port) {
  Address address;
  if (const IpAddress parsed = ip(text); parsed.is_v4()) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.bytes);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    ::inet_pton(AF_INET, text.c_str(), &v4->sin_addr);
    address.length = sizeof(*v4);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.bytes);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    ::inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr);
    address.length = sizeof(*v6);
  }
  return address;
}

// web (published) and other on one network.
class PortLimit : public NatFixture, public ::testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    NatFixture::SetUp();
    if (IsSkipped()) return;
    create(dual_stack("fl-shop", "10.1.0.0/24", "fd00:1::/64"));
    run("web", "fl-shop", {"10.1.0.2/24", "fd00:1::2/64"});
    run("other", "fl-shop", {"10.1.0.3/24", "fd00:1::3/64"});
  }

  static NatPort web(std::uint32_t most, std::uint16_t host_port = 8080) {
    return {.host_port = host_port,
            .container_port = 80,
            .target_v4 = ip("10.1.0.2"),
            .target_v6 = ip("fd00:1::2"),
            .max_connections = most};
  }
  // The chains that count are made by the service, as they are needed.
  void publish_limited(const NatPort& port) {
    must(firewall().run(render_limits(limits_of({.ports = {port}}))));
    publish(port);
  }

  void listen(const std::string& where, std::uint16_t port) {
    in(where, [&] {
      listeners_.emplace_back(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      const Address any = address_of("::", port);
      ASSERT_EQ(::bind(listeners_.back().get(), any.get(), any.length), 0);
      ASSERT_EQ(::listen(listeners_.back().get(), 64), 0);
    });
  }
  // Both ends of one connection; the client alone, with errno, when it was refused.
  struct Connection {
    UniqueFd client, server;
    int error = 0;
  };
  Connection connect(const std::string& from, const std::string& to, std::uint16_t port) {
    Connection made;
    in(from, [&] {
      const Address address = address_of(to, port);
      made.client.reset(
          ::socket(address.get()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(made.client.get(), address.get(), address.length);
      pollfd done{.fd = made.client.get(), .events = POLLOUT, .revents = 0};
      socklen_t size = sizeof(made.error);
      if (::poll(&done, 1, 900) != 1)
        made.error = ETIMEDOUT;
      else
        ::getsockopt(made.client.get(), SOL_SOCKET, SO_ERROR, &made.error, &size);
    });
    for (const UniqueFd& listener : listeners_)
      if (made.error == 0 && !made.server)
        made.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return made;
  }
  // Reset at both ends, as the kernel sees it: the flow is closed when this returns.
  static void close(Connection& connection) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(connection.client.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    connection.client.reset();
    pollfd gone{.fd = connection.server.get(), .events = POLLIN, .revents = 0};
    ::poll(&gone, 1, 2000);
    connection.server.reset();
    // In the same tick the kernel does not look for flows that are closed.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  static std::string of(const char* v4, const char* v6) {
    return GetParam() == Family::kV4 ? v4 : v6;
  }

 private:
  std::vector<UniqueFd> listeners_;
};

TEST_P(PortLimit, OneMoreIsRefusedAndPassesWhenAnotherCloses) {
  listen("web", 80);
  publish_limited(web(3));
  publish(web(0, 8081));
  const std::string host = of("203.0.113.2", "2001:db8::2");
  std::vector<Connection> open;
  for (int number = 0; number < 3; ++number) {
    open.push_back(connect("outside", host, 8080));
    ASSERT_EQ(open.back().error, 0) << number;
  }
  for (int again = 0; again < 5; ++again)
    EXPECT_EQ(connect("outside", host, 8080).error, ECONNREFUSED) << "told at once, each time";
  EXPECT_EQ(connect("outside", host, 8081).error, 0) << "another port of the same container";
  close(open[1]);
  open[1] = connect("outside", host, 8080);
  EXPECT_EQ(open[1].error, 0) << "there is room for one";
  EXPECT_EQ(connect("outside", host, 8080).error, ECONNREFUSED);
}

TEST_P(PortLimit, EveryWayToThePortCounts) {
  listen("web", 80);
  publish_limited(web(3));
  const std::string host = of("203.0.113.2", "2001:db8::2"), loopback = of("127.0.0.1", "::1");
  const auto first = connect("outside", host, 8080), second = connect("host", loopback, 8080),
             third = connect("other", host, 8080);
  ASSERT_EQ(first.error + second.error + third.error, 0);
  for (const auto& [from, to] : {std::pair{"outside", host},
                                 {"host", host},
                                 {"host", loopback},
                                 {"other", host},
                                 {"web", host}})
    EXPECT_EQ(connect(from, to, 8080).error, ECONNREFUSED) << from << " to " << to;
  const std::string direct = of("10.1.0.2", "fd00:1::2");
  EXPECT_EQ(connect("other", direct, 80).error, 0) << "not through the port";
}

// A limit is asked where the container's frames pass netfilter, too.
TEST_P(PortLimit, IsAskedWhereBridgesCallIptables) {
  call_iptables_for_bridges();
  listen("web", 80);
  publish_limited(web(1));
  const std::string host = of("203.0.113.2", "2001:db8::2");
  const auto first = connect("other", host, 8080);
  ASSERT_EQ(first.error, 0);
  EXPECT_EQ(connect("other", host, 8080).error, ECONNREFUSED);
  EXPECT_EQ(connect("outside", host, 8080).error, ECONNREFUSED);
}

TEST_P(PortLimit, OfOneAddressIsOfThatOne) {
  listen("web", 80);
  NatPort here = web(1), elsewhere = web(2);
  here.host_ip = ip(of("203.0.113.2", "2001:db8::2"));
  elsewhere.host_ip = ip(of("10.1.0.1", "fd00:1::1"));
  publish_limited(here);
  publish_limited(elsewhere);
  const auto first = connect("outside", here.host_ip->to_string(), 8080),
             second = connect("other", elsewhere.host_ip->to_string(), 8080),
             third = connect("other", elsewhere.host_ip->to_string(), 8080);
  EXPECT_EQ(first.error + second.error + third.error, 0);
  EXPECT_EQ(connect("outside", here.host_ip->to_string(), 8080).error, ECONNREFUSED);
  EXPECT_EQ(connect("other", elsewhere.host_ip->to_string(), 8080).error, ECONNREFUSED);
}

// Somebody at the wrong interface cannot use up the connections of a port that he does not reach.
TEST_P(PortLimit, CountsNobodyWhoDoesNotReachThePort) {
  listen("web", 80);
  add_bridge("second", {"192.0.2.1/24", "2001:db8:2::1/64"});
  NatPort port = web(1);
  port.host_ip = ip(of("192.0.2.1", "2001:db8:2::1"));
  publish_limited(port);
  add_route("outside", "eth0", of("192.0.2.1/32", "2001:db8:2::1/128"),
            of("203.0.113.2", "2001:db8::2"));
  for (int number = 0; number < 3; ++number)
    EXPECT_EQ(connect("outside", of("192.0.2.1", "2001:db8:2::1"), 8080).error, ECONNREFUSED)
        << "of the host itself";
  EXPECT_TRUE(must(firewall().elements(limits_of({.ports = {port}}).front())).empty());
  EXPECT_EQ(connect("other", port.host_ip->to_string(), 8080).error, 0);
  NatPort weak = port;
  weak.host_port = 8082;
  weak.weak = true;
  publish_limited(weak);
  const auto first = connect("outside", of("192.0.2.1", "2001:db8:2::1"), 8082);
  EXPECT_EQ(first.error, 0);
  EXPECT_EQ(connect("outside", of("192.0.2.1", "2001:db8:2::1"), 8082).error, ECONNREFUSED);
  EXPECT_EQ(connect("other", of("192.0.2.1", "2001:db8:2::1"), 8082).error, ECONNREFUSED);
}

TEST_P(PortLimit, OfARangeIsForEachPortByOneElement) {
  listen("web", 7000);
  listen("web", 7099);
  NatPort range = web(1, 7000);
  range.container_port = 7000;
  range.host_port_end = 7099;
  publish_limited(range);
  EXPECT_EQ(must(firewall().elements("limits_v4")).size(), 1U);
  EXPECT_EQ(must(firewall().elements("limits_v6")).size(), 1U);
  const std::string host = of("203.0.113.2", "2001:db8::2");
  const auto first = connect("outside", host, 7000), last = connect("outside", host, 7099);
  EXPECT_EQ(first.error + last.error, 0);
  EXPECT_EQ(connect("outside", host, 7000).error, ECONNREFUSED);
  EXPECT_EQ(connect("outside", host, 7099).error, ECONNREFUSED);
}

TEST_P(PortLimit, WithoutNatIsOfTheContainersPort) {
  NatNetwork routed = dual_stack("fl-rout", "10.6.0.0/24", "fd00:6::/64");
  routed.mode_v4 = routed.mode_v6 = GatewayMode::kRouted;
  create(routed);
  run("far", "fl-rout", {"10.6.0.2/24", "fd00:6::2/64"});
  listen("far", 80);
  NatPort port = web(2);
  port.target_v4 = ip("10.6.0.2");
  port.target_v6 = ip("fd00:6::2");
  port.mode_v4 = port.mode_v6 = GatewayMode::kRouted;
  publish_limited(port);
  const std::string container = of("10.6.0.2", "fd00:6::2");
  add_route("outside", "eth0", of("10.6.0.0/24", "fd00:6::/64"), of("203.0.113.2", "2001:db8::2"));
  auto first = connect("outside", container, 80);
  const auto second = connect("outside", container, 80);
  ASSERT_EQ(first.error + second.error, 0);
  EXPECT_EQ(connect("outside", container, 80).error, ECONNREFUSED);
  close(first);
  EXPECT_EQ(connect("outside", container, 80).error, 0);
}

INSTANTIATE_TEST_SUITE_P(Families, PortLimit, ::testing::Values(Family::kV4, Family::kV6),
                         [](const auto& family) {
                           return family.param == Family::kV4 ? "V4" : "V6";
                         });

class LimitedPort : public PortLimit {};

TEST_F(LimitedPort, IsOfBothFamiliesTogether) {
  listen("web", 80);
  publish_limited(web(2));
  const auto v4 = connect("outside", "203.0.113.2", 8080),
             v6 = connect("outside", "2001:db8::2", 8080);
  ASSERT_EQ(v4.error + v6.error, 0);
  EXPECT_EQ(connect("outside", "203.0.113.2", 8080).error, ECONNREFUSED);
  EXPECT_EQ(connect("outside", "2001:db8::2", 8080).error, ECONNREFUSED);
}

TEST_F(LimitedPort, OfEveryAddressOfAFamilyIsOfThatFamily) {
  listen("web", 80);
  NatPort v4 = web(1), v6 = web(2);
  v4.host_ip = ip("0.0.0.0");
  v6.host_ip = ip("::");
  publish_limited(v4);
  publish_limited(v6);
  const auto first = connect("outside", "203.0.113.2", 8080),
             second = connect("outside", "2001:db8::2", 8080),
             third = connect("outside", "2001:db8::2", 8080);
  EXPECT_EQ(first.error + second.error + third.error, 0);
  EXPECT_EQ(connect("host", "10.1.0.1", 8080).error, ECONNREFUSED);
  EXPECT_EQ(connect("outside", "2001:db8::2", 8080).error, ECONNREFUSED);
}

// Datagrams of a flow that nobody answers are all new to conntrack.
TEST_F(LimitedPort, AUdpFlowCountsOnceAndOneMoreIsDropped) {
  const auto service = serve_udp("web", 80);
  NatPort port = web(2);
  port.proto = Proto::kUdp;
  publish_limited(port);
  auto silent = udp_client("outside", "203.0.113.2", 8080);
  for (int number = 0; number < 50; ++number) silent.send("one way");
  auto second = udp_client("outside", "203.0.113.2", 8080),
       third = udp_client("outside", "203.0.113.2", 8080);
  EXPECT_TRUE(second.ask());
  EXPECT_FALSE(third.ask(std::chrono::milliseconds(200)));
  EXPECT_TRUE(second.ask());
}

// The kernel collects what counts nothing after a second; the limit stays.
TEST_F(LimitedPort, StaysWhenNobodyHasUsedItForAWhile) {
  listen("web", 80);
  publish_limited(web(1));
  auto first = connect("outside", "203.0.113.2", 8080);
  EXPECT_EQ(must(firewall().elements("limit_1")).size(), 1U);
  close(first);
  for (int tries = 0; tries < 100 && !must(firewall().elements("limit_1")).empty(); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(must(firewall().elements("limit_1")).empty());
  const auto second = connect("outside", "203.0.113.2", 8080);
  EXPECT_EQ(second.error, 0);
  EXPECT_EQ(connect("outside", "203.0.113.2", 8080).error, ECONNREFUSED);
}

}  // namespace
}  // namespace fairlead::nat
