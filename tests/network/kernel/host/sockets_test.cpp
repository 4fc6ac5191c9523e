#include "network/kernel/host/sockets.h"

#include <gtest/gtest.h>

#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17;

class Sockets : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (!IsSkipped()) ports_ = must(kernel::open_host_ports());
  }
  Status check(std::uint8_t proto, const std::string& address, std::uint16_t port) {
    return ports_->check_free(proto, address.empty() ? std::nullopt : std::optional(ip(address)),
                              port);
  }
  static void expect_in_use(const Status& status) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kInUse) << status.error().text;
  }
  std::unique_ptr<kernel::HostPorts> ports_;
};

TEST_F(Sockets, APortNobodyHoldsIsFree) {
  EXPECT_TRUE(check(kTcp, "", 8080));
  EXPECT_TRUE(check(kUdp, "", 8080));
  EXPECT_TRUE(check(kTcp, "203.0.113.2", 8080));
  EXPECT_TRUE(check(kTcp, "2001:db8::2", 8080));
}

TEST_F(Sockets, ATakenPortNamesItsHolder) {
  const auto service = serve_tcp("host", 8080);
  const Status status = check(kTcp, "", 8080);
  expect_in_use(status);
  EXPECT_EQ(status.error().text,
            fmt::format("port 8080/tcp is in use by sockets_test (pid {})", ::getpid()));
}

TEST_F(Sockets, AUdpSocketHoldsOnlyUdp) {
  const auto service = serve_udp("host", 8080);
  expect_in_use(check(kUdp, "", 8080));
  EXPECT_NE(check(kUdp, "", 8080).error().text.find(fmt::format("pid {}", ::getpid())),
            std::string::npos);
  EXPECT_TRUE(check(kTcp, "", 8080));
}

TEST_F(Sockets, AnAddressIsTakenByItsOwnAndByAnyAddressButNotByAnother) {
  const auto service = serve_tcp("host", 8080, "127.0.0.1");
  expect_in_use(check(kTcp, "127.0.0.1", 8080));
  expect_in_use(check(kTcp, "", 8080));
  expect_in_use(check(kTcp, "0.0.0.0", 8080));
  EXPECT_TRUE(check(kTcp, "203.0.113.2", 8080));
  EXPECT_TRUE(check(kTcp, "::", 8080));
}

TEST_F(Sockets, ASocketOfBothFamiliesHoldsIpv4Too) {
  const auto service = serve_tcp("host", 8080, "::");
  expect_in_use(check(kTcp, "203.0.113.2", 8080));
}

TEST_F(Sockets, ASocketInAnotherNamespaceHoldsNothingHere) {
  const auto service = serve_tcp("outside", 8080);
  EXPECT_TRUE(check(kTcp, "", 8080));
}

TEST_F(Sockets, AClosedPortIsFreeAgainAtOnce) {
  {
    const auto service = serve_tcp("host", 8080);
    must(ask_tcp("outside", "203.0.113.2", 8080));  // leaves a lingering connection (TIME_WAIT)
  }
  EXPECT_TRUE(check(kTcp, "", 8080));
}

TEST_F(Sockets, AnAddressOfAnotherHostIsInvalid) {
  const Status status = check(kTcp, "198.51.100.7", 8080);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kInvalid);
  EXPECT_NE(status.error().text.find("address 198.51.100.7 is not one of this host's"),
            std::string::npos)
      << status.error().text;
}

TEST_F(Sockets, ThePortRangeIsTheKernels) {
  set_sysctl("host", "net/ipv4/ip_local_port_range", "40000 41000");
  EXPECT_EQ(ports_->ephemeral_range(), (std::pair<std::uint16_t, std::uint16_t>(40000, 41000)));
}

}  // namespace
}  // namespace fairlead::testing
