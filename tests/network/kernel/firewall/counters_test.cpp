// What the kernel counts: elements that packets make, and interfaces.
#include "network/kernel/firewall/counters.h"

#include <gtest/gtest.h>

#include <array>

#include "network/kernel/firewall/firewall.h"
#include "network/kernel/links/traffic.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using kernel::CountedElement;
using kernel::ElementBytes;

constexpr const char* kTable = R"(
table inet fairlead-count {
	set asked_v4 {
		type inet_proto . ipv4_addr . inet_service
		size 1024
		flags dynamic,timeout
		timeout 1d
	}
	set plain {
		type ipv4_addr
		elements = { 10.9.0.1 }
	}
	chain count {
		type filter hook postrouting priority filter; policy accept;
		update @asked_v4 { meta l4proto . ip daddr . th dport counter }
	}
}
)";

class Counters : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    add_bridge("fl-count", {"10.9.0.1/24"});
    web_ = attach("web", "fl-count", {"10.9.0.2/24"});
    firewall_ = must(kernel::open_nft_firewall({"fairlead-count"}, false));
    must(firewall_->run(kTable));
    counters_ = kernel::make_element_counters({"fairlead-count"});
  }

  // Sends that many questions to a port of the container, each of 8 bytes of UDP and one of payload.
  void ask(std::uint16_t port, int times) {
    const auto service = serve_udp("web", port);
    auto client = udp_client("host", "10.9.0.2", port);
    for (int i = 0; i < times; ++i) ASSERT_TRUE(client.ask());
  }

  std::map<ElementBytes, CountedElement> read() {
    std::map<ElementBytes, CountedElement> found;
    for (const CountedElement& each : must(counters_->read("asked_v4", 3))) found[each.key] = each;
    return found;
  }

  Port web_;
  std::unique_ptr<kernel::Firewall> firewall_;
  std::unique_ptr<kernel::ElementCounters> counters_;
};

TEST_F(Counters, APacketMakesAnElementThatCountsIt) {
  EXPECT_TRUE(read().empty());
  ask(5000, 3);
  ask(5001, 1);
  const auto found = read();
  const auto key = [](std::uint16_t port) {
    return ElementBytes().proto(17).address(ip("10.9.0.2")).port(port);
  };
  ASSERT_TRUE(found.contains(key(5000)));
  ASSERT_TRUE(found.contains(key(5001)));
  EXPECT_EQ(found.at(key(5000)).packets, 3U);
  EXPECT_EQ(found.at(key(5001)).packets, 1U);
  EXPECT_EQ(found.at(key(5000)).bytes, 3 * found.at(key(5001)).bytes);
  EXPECT_GE(found.at(key(5001)).bytes, 28U);
}

TEST_F(Counters, ElementsWithoutACounterAreLeftOut) {
  EXPECT_TRUE(must(counters_->read("plain", 1)).empty());
}

TEST_F(Counters, AMissingSetOrTableIsNotFound) {
  const auto no_set = counters_->read("nothing", 1);
  ASSERT_FALSE(no_set);
  EXPECT_EQ(no_set.error().code, Code::kNotFound) << no_set.error().text;
  const auto no_table = kernel::make_element_counters({"fairlead-nothing"})->read("asked_v4", 3);
  ASSERT_FALSE(no_table);
  EXPECT_EQ(no_table.error().code, Code::kNotFound) << no_table.error().text;
}

TEST_F(Counters, ATableMadeByPacketsDiffersFromWhatIsWrittenInNothing) {
  ask(5000, 1);
  ASSERT_FALSE(read().empty());
  EXPECT_EQ(must(firewall_->differences(kTable)), std::vector<std::string>());
}

TEST_F(Counters, ALinkCountsWhatItsContainerReceivesAndSends) {
  const std::array<std::string, 3> names{web_.host_name.str(), "fl-nothing", ""};
  const auto before = must(kernel::read_link_traffic(names));
  ask(5000, 10);
  const auto after = must(kernel::read_link_traffic(names));
  ASSERT_EQ(after.size(), 1U) << "what is not there is left out";
  const auto &was = before.at(names[0]), &is = after.at(names[0]);
  EXPECT_GE(is.tx_packets - was.tx_packets, 10U);
  EXPECT_GE(is.rx_packets - was.rx_packets, 10U);
  EXPECT_GE(is.tx_bytes - was.tx_bytes, 290U);
  EXPECT_LT(is.tx_packets - was.tx_packets, 100U);
}

TEST(ParseCounted, BytesThatAreCutShortAreRefused) {
  std::vector<CountedElement> into;
  const std::vector<std::uint8_t> bytes{16, 0, 0, 0};
  EXPECT_FALSE(kernel::parse_counted(bytes, 1, into));
  EXPECT_FALSE(kernel::parse_counted({}, 1, into));
  EXPECT_TRUE(into.empty());
}

}  // namespace
}  // namespace fairlead::testing
