#include "plugin-api/http/listen_tcp.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>

namespace fairlead::http::testing {
namespace {

// Of a port that was free a moment ago.
IpPort free_place(const char* address) {
  const auto any = IpAddress::parse(address);
  const UniqueFd probe(::socket(any->is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage bound{};
  bound.ss_family = any->is_v4() ? AF_INET : AF_INET6;
  socklen_t size = any->is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  EXPECT_EQ(::bind(probe.get(), reinterpret_cast<sockaddr*>(&bound), size), 0);
  EXPECT_EQ(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&bound), &size), 0);
  const in_port_t port = any->is_v4() ? reinterpret_cast<sockaddr_in&>(bound).sin_port
                                      : reinterpret_cast<sockaddr_in6&>(bound).sin6_port;
  return {*any, ntohs(port)};
}

// A connection to a port of 127.0.0.1.
UniqueFd connect_to(std::uint16_t port) {
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0)
    return UniqueFd();
  return client;
}

TEST(ListenTcp, AcceptsConnectionsThatHoldNothingBack) {
  const IpPort place = free_place("127.0.0.1");
  const auto socket = listen_tcp(place);
  ASSERT_TRUE(socket) << socket.error().text;
  const UniqueFd client = connect_to(place.port);
  ASSERT_TRUE(client);
  UniqueFd served;
  while (!served) served = UniqueFd(::accept4(socket->get(), nullptr, nullptr, SOCK_CLOEXEC));
  int no_delay = 0;
  socklen_t size = sizeof(no_delay);
  ASSERT_EQ(::getsockopt(served.get(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
  EXPECT_EQ(no_delay, 1);
}

TEST(ListenTcp, AnIpv6AddressTakesNoIpv4Connections) {
  const IpPort place = free_place("::1");
  const auto socket = listen_tcp({*IpAddress::parse("::"), place.port});
  ASSERT_TRUE(socket) << socket.error().text;
  EXPECT_FALSE(connect_to(place.port));
}

TEST(ListenTcp, SaysThatThePortIsTaken) {
  const IpPort place = free_place("127.0.0.1");
  const auto first = listen_tcp(place);
  ASSERT_TRUE(first);
  const auto second = listen_tcp(place);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kInUse);
  EXPECT_EQ(second.error().text,
            "listen on " + place.to_string() +
                ": another process has this port; stop it or choose another port");
}

TEST(ListenTcp, SaysThatTheHostDoesNotHaveTheAddress) {
  const auto socket = listen_tcp({*IpAddress::parse("192.0.2.1"), 7780});
  ASSERT_FALSE(socket);
  EXPECT_TRUE(socket.error().text.starts_with("listen on 192.0.2.1:7780: ")) << socket.error().text;
}

}  // namespace
}  // namespace fairlead::http::testing
