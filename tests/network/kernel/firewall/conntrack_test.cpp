// Real UDP flows, tracked by the kernel, forgotten by us.
#include "network/kernel/firewall/conntrack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "network/kernel/firewall/conntrack_messages.h"
#include "network/kernel/firewall/firewall.h"
#include "network/kernel/firewall/socket.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::kernel {
namespace {

using testing::ip;
using testing::must;

constexpr std::uint8_t kTcp = 6, kUdp = 17;

// The host forwards its ports 53 and 54 to "old" or "new", as somebody's DNAT would, and asks the
// outside on its own.
class ConntrackTest : public testing::KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    set_sysctl("host", "net/ipv4/ip_forward", "1");
    firewall_ = must(open_nft_firewall({"nat"}, false));
    conntrack_ = must(open_conntrack());
    add_bridge("fl-test", {"10.1.0.1/24"});
    attach("old", "fl-test", {"10.1.0.2/24"});
    attach("new", "fl-test", {"10.1.0.3/24"});
    for (const char* where : {"old", "new", "outside"})
      for (const std::uint16_t port : {std::uint16_t{53}, std::uint16_t{54}})
        services_.push_back(serve_udp(where, port));
    forward_to("10.1.0.2");
  }
  void TearDown() override {
    services_.clear();
    conntrack_.reset();
    firewall_.reset();
    KernelFixture::TearDown();
  }

  void forward_to(const char* address) {
    constexpr std::string_view kRules = R"(
add table inet nat
delete table inet nat
table inet nat {
	chain pre {
		type nat hook prerouting priority dstnat; policy accept;
		ct state invalid drop
		udp dport { 53, 54 } dnat ip to )";
    must(firewall_->run(fmt::format("{}{}\n}}\n}}\n", kRules, address)));
  }
  std::size_t forget(std::vector<FlowFilter> filters) { return must(conntrack_->forget(filters)); }

 private:
  std::unique_ptr<Firewall> firewall_;
  std::unique_ptr<Conntrack> conntrack_;
  std::vector<std::unique_ptr<testing::Service>> services_;
};

TEST_F(ConntrackTest, ForgottenFlowFollowsThePortToItsNewOwner) {
  auto client = udp_client("outside", "203.0.113.2", 53);
  EXPECT_EQ(must(client.ask()).server, "old");
  forward_to("10.1.0.3");
  EXPECT_EQ(must(client.ask()).server, "old");  // the kernel remembers: the reason for this module
  EXPECT_EQ(forget({{.proto = kUdp, .destination_port = 53}}), 1U);
  EXPECT_EQ(must(client.ask()).server, "new");
}

TEST_F(ConntrackTest, FlowsOfOtherPortsAddressesAndProtocolsStay) {
  auto client = udp_client("outside", "203.0.113.2", 53);
  EXPECT_EQ(must(client.ask()).server, "old");
  EXPECT_EQ(forget({{.proto = kUdp, .destination_port = 54},
                    {.proto = kTcp, .destination_port = 53},
                    {.proto = kUdp, .destination = ip("203.0.113.9"), .destination_port = 53},
                    {.proto = kUdp, .destination = ip("2001:db8::2"), .destination_port = 53},
                    {.proto = kUdp, .destination_port = 53, .reply_source = ip("10.1.0.3")}}),
            0U);
  forward_to("10.1.0.3");
  EXPECT_EQ(must(client.ask()).server, "old");
}

TEST_F(ConntrackTest, FlowsAreFoundByTheContainerBehindTheNat) {
  auto first = udp_client("outside", "203.0.113.2", 53);
  auto second = udp_client("outside", "203.0.113.2", 54);
  auto unrelated = udp_client("host", "203.0.113.1", 53);
  for (auto* client : {&first, &second, &unrelated}) EXPECT_TRUE(client->ask());
  EXPECT_EQ(forget({{.proto = kUdp, .reply_source = ip("10.1.0.2")}}), 2U);
  EXPECT_EQ(forget({{.proto = kUdp, .reply_source = ip("10.1.0.2")}}), 0U);
  EXPECT_EQ(forget({{.proto = kUdp, .destination = ip("203.0.113.1")}}), 1U);
}

TEST_F(ConntrackTest, Ipv6FlowsAreForgotten) {
  auto client = udp_client("outside", "2001:db8::2", 53);
  auto service = serve_udp("host", 53);
  EXPECT_EQ(must(client.ask()).server, "host");
  EXPECT_EQ(forget({{.proto = kUdp, .destination = ip("203.0.113.2"), .destination_port = 53}}),
            0U);
  EXPECT_EQ(forget({{.proto = kUdp, .destination = ip("2001:db8::2"), .destination_port = 53}}),
            1U);
}

TEST_F(ConntrackTest, ManyFiltersAndManyFlowsAreForgottenTogether) {
  std::vector<testing::UdpClient> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(udp_client("outside", "203.0.113.2", static_cast<std::uint16_t>(53 + i % 2)));
    EXPECT_TRUE(clients.back().ask());
  }
  std::vector<FlowFilter> filters;
  for (std::uint16_t port = 1000; port < 1020; ++port)
    filters.push_back({.proto = kUdp, .destination_port = port});
  EXPECT_EQ(forget(filters), 0U);
  filters.assign(20, {.proto = kUdp, .destination = ip("203.0.113.9"), .destination_port = 53});
  EXPECT_EQ(forget(filters), 0U);
  filters.push_back({.proto = kUdp, .destination_port = 53});
  EXPECT_EQ(forget(filters), 50U) << "all of one port";
  filters.push_back({.proto = kTcp});
  filters.push_back({.proto = kUdp, .destination = ip("203.0.113.2")});
  EXPECT_EQ(forget(filters), 50U) << "of several protocols";
}

TEST_F(ConntrackTest, TheKernelSendsOnlyWhatMatches) {
  auto first = udp_client("outside", "203.0.113.2", 53);
  auto second = udp_client("outside", "203.0.113.2", 54);
  EXPECT_TRUE(first.ask());
  EXPECT_TRUE(second.ask());
  auto socket = must(NetfilterSocket::open());
  const auto count = [&](const std::optional<FlowFilter>& filter) {
    std::size_t entries = 0;
    const auto seq = socket.next_seq();
    must(socket.dump(build_dump_flows(Family::kV4, filter, seq), seq, [&](auto) -> Status {
      ++entries;
      return {};
    }));
    return entries;
  };
  EXPECT_EQ(count({}), 2U);
  EXPECT_EQ(count(FlowFilter{.proto = kUdp}), 2U);
  EXPECT_EQ(count(FlowFilter{.proto = kTcp}), 0U);
  EXPECT_EQ(count(FlowFilter{.proto = kUdp, .destination_port = 53}), 1U);
  EXPECT_EQ(count(FlowFilter{.proto = kUdp, .destination = ip("203.0.113.9")}), 0U);
  EXPECT_EQ(
      count(FlowFilter{.proto = kUdp, .destination_port = 54, .reply_source = ip("10.1.0.2")}), 1U);
  EXPECT_EQ(count(FlowFilter{.proto = kUdp, .reply_source = ip("10.1.0.3")}), 0U);
}

TEST_F(ConntrackTest, FlowsOfOneSubnetAreForgotten) {
  auto client = udp_client("outside", "203.0.113.2", 53);
  EXPECT_TRUE(client.ask());
  const auto from = [](const char* subnet) {
    return FlowFilter{.proto = kUdp,
                      .source = Cidr::parse(subnet).value(),
                      .destination = ip("203.0.113.2"),
                      .destination_port = 53};
  };
  EXPECT_EQ(forget({from("10.9.0.0/16"), from("2001:db8::/32")}), 0U);
  EXPECT_EQ(forget({from("203.0.113.0/24")}), 1U);
}

TEST_F(ConntrackTest, FlowsThatWereLedSomewhereMayBeKept) {
  auto led = udp_client("outside", "203.0.113.2", 53);
  EXPECT_TRUE(led.ask());
  auto not_led = udp_client("outside", "203.0.113.2", 55);
  EXPECT_FALSE(not_led.ask());
  const FlowFilter filter{
      .proto = kUdp, .destination_port = 53, .destination_port_last = 55, .led_nowhere = true};
  EXPECT_EQ(forget({filter}), 1U);
  EXPECT_EQ(forget({{.proto = kUdp, .destination_port = 53}}), 1U);
}

TEST_F(ConntrackTest, NothingToForgetIsNothing) { EXPECT_EQ(forget({}), 0U); }

TEST(ConntrackMessages, TruncatedEntriesAreRefused) {
  const std::vector<std::uint8_t> request = build_delete_flow(
      {.original = {.source = ip("10.1.0.2"), .destination = ip("10.1.0.3"), .proto = kUdp}}, 1);
  for (std::size_t size = 0; size <= request.size(); ++size)
    EXPECT_FALSE(parse_flow({request.data(), size})) << size;
}

}  // namespace
}  // namespace fairlead::kernel
