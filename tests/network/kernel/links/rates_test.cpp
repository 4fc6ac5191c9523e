#include <gtest/gtest.h>

#include <chrono>
#include <fstream>

#include "network/kernel/links/links.h"
#include "tests/network/kernel/links/links_fixture.h"

namespace fairlead::testing {
namespace {

class Rates : public Links {
 protected:
  static constexpr std::uint64_t kRate = 8'000'000;  // bits per second
  static constexpr std::uint64_t kBurst = 800'000;   // bits

  // Bits that an interface has received so far.
  std::uint64_t received(const std::string& where, const std::string& name) {
    std::uint64_t bytes = 0;
    in(where, [&] {
      std::ifstream table("/proc/thread-self/net/dev");
      for (std::string word; table >> word;)
        if (word == name + ":") table >> bytes;
    });
    return bytes * 8;
  }
  // Sends datagrams as fast as it can for a while; the bits that arrived at `interface`, and what
  // the limit allows.
  struct Flood {
    std::uint64_t arrived, allowed;
  };
  Flood flood(const std::string& from, const std::string& to, const std::string& where,
              const std::string& interface) {
    const std::uint64_t before = received(where, interface);
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    UdpClient client = udp_client(from, to, 9);
    while (elapsed() < 0.3) client.send(std::string(1400, 'x'));
    const std::uint64_t arrived = received(where, interface) - before;
    const auto allowed = static_cast<double>(kRate) * elapsed() + static_cast<double>(kBurst);
    return {arrived,
            static_cast<std::uint64_t>(allowed * 1.3)};  // headers, and what a timer comes late
  }
  // The limits, or a skipped test where the kernel has none.
  void limit(const Port& port, std::uint64_t in_bits, std::uint64_t out_bits) {
    const auto limited = links().set_rates(port.host_index, in_bits, kBurst, out_bits, kBurst);
    if (!limited && limited.error().code == Code::kUnsupported)
      GTEST_SKIP() << limited.error().text;
    ASSERT_TRUE(limited) << limited.error().text;
  }
};

TEST_F(Rates, LimitWhatGoesIntoTheContainer) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const Port port = attach("a", "fl-one", {"10.1.0.2/24"});
  const Flood free = flood("host", "10.1.0.2", "a", "eth0");
  EXPECT_GT(free.arrived, free.allowed);
  limit(port, kRate, 0);
  if (IsSkipped()) return;
  const Flood limited = flood("host", "10.1.0.2", "a", "eth0");
  EXPECT_LT(limited.arrived, limited.allowed);
  EXPECT_GT(limited.arrived, 0U);
}

TEST_F(Rates, LimitWhatComesOutOfTheContainer) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const Port port = attach("a", "fl-one", {"10.1.0.2/24"});
  const Flood free = flood("a", "10.1.0.1", "host", "fl-one");
  EXPECT_GT(free.arrived, free.allowed);
  limit(port, 0, kRate);
  if (IsSkipped()) return;
  const Flood limited = flood("a", "10.1.0.1", "host", "fl-one");
  EXPECT_LT(limited.arrived, limited.allowed);
  EXPECT_GT(limited.arrived, 0U);
}

TEST_F(Rates, AreSetChangedAndTakenAway) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const Port port = attach("a", "fl-one", {"10.1.0.2/24"});
  const auto limited = links().set_rates(port.host_index, 10'000'000, 0, 10'000'000, 0);
  if (!limited && limited.error().code == Code::kUnsupported) GTEST_SKIP() << limited.error().text;
  ASSERT_TRUE(limited) << limited.error().text;
  const auto count = must(links().list()).size();
  EXPECT_TRUE(ping("a", "10.1.0.1"));
  must(links().set_rates(port.host_index, 20'000'000, 800'000, 20'000'000, 800'000));
  EXPECT_EQ(must(links().list()).size(), count);
  EXPECT_TRUE(ping("a", "10.1.0.1"));
  must(links().set_rates(port.host_index, 0, 0, 0, 0));
  must(links().set_rates(port.host_index, 0, 0, 0, 0));
  EXPECT_EQ(must(links().list()).size(), count - 1);
  EXPECT_TRUE(ping("a", "10.1.0.1"));
}

TEST_F(Rates, NothingIsLeftWhenTheLinkGoes) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const auto count = must(links().list()).size();
  const Port port = attach("a", "fl-one", {"10.1.0.2/24"});
  const auto limited = links().set_rates(port.host_index, 10'000'000, 0, 10'000'000, 0);
  if (!limited && limited.error().code == Code::kUnsupported) GTEST_SKIP() << limited.error().text;
  ASSERT_TRUE(limited) << limited.error().text;
  must(links().remove(port.host_name));
  EXPECT_EQ(must(links().list()).size(), count);
}

}  // namespace
}  // namespace fairlead::testing
