#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>

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

// ---- what really passes, against what is configured

struct Course {
  std::uint64_t rate;
  bool inwards;
  bool tcp;
};
std::string name_of(const ::testing::TestParamInfo<Course>& course) {
  return fmt::format("{}{}{}Mbit", course.param.tcp ? "Tcp" : "Udp",
                     course.param.inwards ? "In" : "Out", course.param.rate / 1'000'000);
}

class MeasuredRate : public Rates, public ::testing::WithParamInterface<Course> {
 protected:
  static constexpr std::uint16_t kPort = 9;
  static constexpr std::chrono::milliseconds kWarmUp{700}, kWindow{600};
  static constexpr std::size_t kPayload = 1400;

  UniqueFd open(const std::string& where, int type) {
    UniqueFd fd;
    in(where, [&] { fd = UniqueFd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)); });
    return fd;
  }
  static sockaddr_in at(const std::string& address) {
    sockaddr_in there{
        .sin_family = AF_INET, .sin_port = htons(kPort), .sin_addr = {}, .sin_zero = {}};
    EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &there.sin_addr), 1);
    return there;
  }

  // Sends from one namespace to an address of the other as fast as it can, and reads there.
  void connect(const std::string& from, const std::string& to, const std::string& address) {
    const int type = GetParam().tcp ? SOCK_STREAM : SOCK_DGRAM;
    UniqueFd listener = open(to, type);
    sender_ = open(from, type);
    const sockaddr_in there = at(address);
    const auto* name = reinterpret_cast<const sockaddr*>(&there);
    ASSERT_EQ(::bind(listener.get(), name, sizeof(there)), 0);
    if (GetParam().tcp) {
      ASSERT_EQ(::listen(listener.get(), 1), 0);
    }
    ASSERT_EQ(::connect(sender_.get(), name, sizeof(there)), 0);
    receiver_ = GetParam().tcp ? UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))
                               : std::move(listener);
    const timeval rest{.tv_sec = 0, .tv_usec = 100'000};
    for (const int fd : {sender_.get(), receiver_.get()})
      for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
        ASSERT_EQ(::setsockopt(fd, SOL_SOCKET, option, &rest, sizeof(rest)), 0);
  }

  // Bits of frames in a second: the median of some windows.
  double measure() {
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> payload = 0;
    std::thread writer([&] {
      const std::string text(GetParam().tcp ? 64 << 10 : kPayload, 'x');
      while (!stop) (void)::send(sender_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    });
    std::thread reader([&] {
      std::vector<char> room(256 << 10);
      while (!stop)
        if (const auto size = ::recv(receiver_.get(), room.data(), room.size(), 0); size > 0)
          payload += static_cast<std::uint64_t>(size);
    });
    std::this_thread::sleep_for(kWarmUp);
    std::vector<double> windows;
    for (int window = 0; window < 5; ++window) {
      const auto start = std::chrono::steady_clock::now();
      const std::uint64_t before = payload;
      std::this_thread::sleep_for(kWindow);
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
      windows.push_back(static_cast<double>(payload - before) * 8 / passed.count());
    }
    stop = true;
    (void)::shutdown(sender_.get(), SHUT_RDWR);
    (void)::shutdown(receiver_.get(), SHUT_RDWR);
    writer.join();
    reader.join();
    std::ranges::nth_element(windows, windows.begin() + 2);
    // Ethernet, IP, UDP; or TCP with its timestamps in full segments of 1448 bytes.
    return windows[2] * (GetParam().tcp ? 1514.0 / 1448 : (kPayload + 42.0) / kPayload);
  }

  UniqueFd sender_, receiver_;
};

// The shaper counts frames as they are on the wire.
TEST_P(MeasuredRate, IsTheConfiguredOneWithinThreePercent) {
  add_bridge("fl-one", {"10.1.0.1/24"});
  const Port port = attach("a", "fl-one", {"10.1.0.2/24"});
  const auto [rate, inwards, tcp] = GetParam();
  const auto limited =
      links().set_rates(port.host_index, inwards ? rate : 0, 0, inwards ? 0 : rate, 0);
  if (!limited && limited.error().code == Code::kUnsupported) GTEST_SKIP() << limited.error().text;
  ASSERT_TRUE(limited) << limited.error().text;
  if (inwards)
    connect("host", "a", "10.1.0.2");
  else
    connect("a", "host", "10.1.0.1");
  const double measured = measure() / static_cast<double>(rate);
  RecordProperty("measured", fmt::format("{:.4f}", measured));
  EXPECT_GT(measured, 0.97);
  EXPECT_LT(measured, 1.03);
}

INSTANTIATE_TEST_SUITE_P(
    Courses, MeasuredRate,
    ::testing::Values(Course{2'000'000, true, false}, Course{2'000'000, false, false},
                      Course{20'000'000, true, true}, Course{20'000'000, false, true},
                      Course{100'000'000, true, false}, Course{100'000'000, false, true}),
    name_of);

}  // namespace
}  // namespace fairlead::testing
