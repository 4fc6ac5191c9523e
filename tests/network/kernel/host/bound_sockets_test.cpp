#include "network/kernel/host/bound_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "network/kernel/host/sockets.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::SocketName;

TEST(SocketName, KeepsWhatItIsMadeOf) {
  const SocketName v4 = SocketName::of(ip("192.0.2.1"), 53);
  EXPECT_EQ(v4.address(), ip("192.0.2.1"));
  EXPECT_EQ(v4.port(), 53);
  EXPECT_EQ(v4.scope(), 0U);
  const SocketName v6 = SocketName::of(ip("fe80::1"), 5353, 7);
  EXPECT_EQ(v6.address(), ip("fe80::1"));
  EXPECT_EQ(v6.port(), 5353);
  EXPECT_EQ(v6.scope(), 7U);
}

TEST(SocketName, LinkLocalIsATenthOfIpv6) {
  for (const char* text : {"fe80::1", "febf::1"}) EXPECT_TRUE(kernel::is_link_local(ip(text)));
  for (const char* text : {"fec0::1", "fe7f::1", "2001:db8::1", "169.254.1.1"})
    EXPECT_FALSE(kernel::is_link_local(ip(text)));
}

class BoundSockets : public KernelFixture {
 protected:
  static int refusal(const Result<UniqueFd>& bound) { return bound ? 0 : bound.error().sys_errno; }
};

TEST_F(BoundSockets, SayWhyTheyCannotBeBound) {
  const SocketName here = SocketName::of(ip("127.0.0.1"), 53);
  const SocketName elsewhere = SocketName::of(ip("192.0.2.77"), 53);
  const UniqueFd datagrams = must(kernel::bind_datagram(here, 1 << 16));
  const UniqueFd streams = must(kernel::bind_stream(here));
  EXPECT_EQ(refusal(kernel::bind_datagram(here, 1 << 16)), EADDRINUSE);
  EXPECT_EQ(refusal(kernel::bind_stream(here)), EADDRINUSE);
  EXPECT_EQ(refusal(kernel::bind_datagram(elsewhere, 1 << 16)), EADDRNOTAVAIL);
  EXPECT_EQ(refusal(kernel::bind_stream(elsewhere)), EADDRNOTAVAIL);
}

// One of IPv6 does not take the port of IPv4.
TEST_F(BoundSockets, FamiliesHavePortsOfTheirOwn) {
  const auto any6 = kernel::bind_datagram(SocketName::of(IpAddress::any(Family::kV6), 53), 1 << 16);
  EXPECT_TRUE(any6);
  EXPECT_TRUE(kernel::bind_datagram(SocketName::of(ip("127.0.0.1"), 53), 1 << 16));
}

TEST_F(BoundSockets, ALinkLocalAddressNeedsItsInterface) {
  const kernel::Link link = add_bridge("fl-bound", {"fe80::1/64"});
  const auto scope = static_cast<std::uint32_t>(link.index);
  EXPECT_FALSE(kernel::bind_datagram(SocketName::of(ip("fe80::1"), 53), 1 << 16));
  EXPECT_TRUE(kernel::bind_datagram(SocketName::of(ip("fe80::1"), 53, scope), 1 << 16));
  EXPECT_TRUE(kernel::bind_stream(SocketName::of(ip("fe80::1"), 53, scope)));
}

TEST_F(BoundSockets, AClientHearsItsServerAlone) {
  const UniqueFd server = must(kernel::bind_datagram(SocketName::of(ip("127.0.0.1"), 53), 1 << 16));
  const UniqueFd other = must(kernel::bind_datagram(SocketName::of(ip("127.0.0.2"), 53), 1 << 16));
  const UniqueFd client = must(kernel::connect_datagram(SocketName::of(ip("127.0.0.1"), 53)));
  const SocketName to = must(kernel::bound_name(client.get()));
  std::array<char, 8> got{};
  (void)::sendto(other.get(), "false", 5, 0, to.get(), to.size);
  EXPECT_LT(::recv(client.get(), got.data(), got.size(), 0), 0);
  EXPECT_EQ(::sendto(server.get(), "true", 4, 0, to.get(), to.size), 4);
  EXPECT_EQ(::recv(client.get(), got.data(), got.size(), 0), 4);
}

TEST_F(BoundSockets, OfAGroupTheSendersAddressChooses) {
  const auto group =
      must(kernel::bind_datagram_group(SocketName::of(ip("127.0.0.1"), 53), 4, 1 << 16));
  ASSERT_EQ(group.size(), 4U);
  for (std::uint8_t sender = 8; sender < 16; ++sender) {
    const SocketName from = SocketName::of(ip("127.0.0." + std::to_string(sender)), 0);
    const SocketName to = SocketName::of(ip("127.0.0.1"), 53);
    const UniqueFd client = must(kernel::bind_datagram(from, 1 << 16));
    for (int i = 0; i < 3; ++i) ASSERT_EQ(::sendto(client.get(), "x", 1, 0, to.get(), to.size), 1);
    for (std::size_t i = 0; i < group.size(); ++i) {
      std::array<char, 8> got{};
      int count = 0;
      while (::recv(group[i].get(), got.data(), got.size(), 0) > 0) ++count;
      EXPECT_EQ(count, i == sender % 4U ? 3 : 0) << int{sender} << " at " << i;
    }
  }
}

TEST_F(BoundSockets, AHolderOfThisProcessIsNotNamed) {
  const UniqueFd held = must(kernel::bind_datagram(SocketName::of(ip("127.0.0.1"), 53), 1 << 16));
  EXPECT_EQ(kernel::port_holder(IPPROTO_UDP, ip("127.0.0.1"), 53), "");
}

}  // namespace
}  // namespace fairlead::testing
