#include "network/kernel/host/sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/hash.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17;

// Listens on 8080/tcp as Podman's monitor does: the kernel calls a process by the file that it was
// started from.
class Monitor {
 public:
  Monitor(const std::string& container, int netns, const char* name = "conmon") {
    std::filesystem::create_directory(folder_);
    const std::string conmon = folder_ / name;
    std::filesystem::create_symlink("/usr/bin/python3", conmon);
    constexpr const char* kListen =
        "import socket,time\ns=socket.socket()\n"
        "s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
        "s.bind(('0.0.0.0',8080))\ns.listen()\ntime.sleep(600)";
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setns(netns, CLONE_NEWNET);
    ::execl(conmon.c_str(), conmon.c_str(), "-c", kListen, container.c_str(), nullptr);
    ::_exit(127);
  }
  ~Monitor() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("fairlead-conmon-" + random_hex(8));
  pid_t pid_ = -1;
};

class Sockets : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (!IsSkipped()) ports_ = must(kernel::open_host_ports());
  }
  static kernel::HostPort of(std::uint8_t proto, const std::string& address, std::uint16_t port) {
    return {proto, address.empty() ? std::nullopt : std::optional(ip(address)), port};
  }
  Status check(std::uint8_t proto, const std::string& address, std::uint16_t port,
               const kernel::PortUser& user = {}) {
    const kernel::HostPort asked = of(proto, address, port);
    return ports_->check_free({&asked, 1}, user);
  }
  // From so many on they are compared with a list.
  Status check_many(std::uint8_t proto, const std::string& address, std::uint16_t first,
                    unsigned count = 1000) {
    std::vector<kernel::HostPort> asked;
    for (unsigned step = 0; step < count; ++step)
      asked.push_back(of(proto, address, static_cast<std::uint16_t>(first + step)));
    return ports_->check_free(asked, {});
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

TEST_F(Sockets, OneTakenPortOfManyIsFoundAndNamed) {
  EXPECT_TRUE(check_many(kTcp, "", 8000));
  const auto tcp = serve_tcp("host", 8999, "127.0.0.1");
  const auto udp = serve_udp("host", 8500);
  EXPECT_THAT(check_many(kTcp, "", 8000).error().text, ::testing::HasSubstr("port 8999/tcp is in"));
  EXPECT_THAT(check_many(kUdp, "", 8000).error().text, ::testing::HasSubstr("port 8500/udp is in"));
  EXPECT_TRUE(check_many(kTcp, "203.0.113.2", 8000)) << "the socket is on another address";
  EXPECT_TRUE(check_many(kTcp, "", 8000, 999)) << "the one after the last";
  EXPECT_EQ(check_many(kTcp, "198.51.100.7", 8000).error().code, Code::kInvalid);
}

TEST_F(Sockets, AnAddressThatComesLaterMayBeAllowed) {
  EXPECT_THAT(check(kTcp, "198.51.100.7", 8080).error().text,
              ::testing::HasSubstr("host_ip_missing=allow"));
  EXPECT_TRUE(check(kTcp, "198.51.100.7", 8080, {.allow_missing_address = true}));
  EXPECT_TRUE(check(kTcp, "2001:db8:77::7", 8080, {.allow_missing_address = true}));
  set_sysctl("host", "net/ipv4/ip_nonlocal_bind", "1");
  set_sysctl("host", "net/ipv6/ip_nonlocal_bind", "1");
  EXPECT_TRUE(check(kTcp, "198.51.100.7", 8080));
  EXPECT_TRUE(check(kTcp, "2001:db8:77::7", 8080));
}

TEST_F(Sockets, TheContainersOwnMonitorIsNotInTheWay) {
  const Monitor conmon("4ba1c0ffee", netns("host"));
  for (int tries = 0; tries < 500 && check(kTcp, "", 8080); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  expect_in_use(check(kTcp, "", 8080));
  expect_in_use(check(kTcp, "", 8080, {.container = "another"}));
  expect_in_use(check(kTcp, "", 8080, {.container = "4ba1"}));
  EXPECT_TRUE(check(kTcp, "", 8080, {.container = "4ba1c0ffee"}));
}

TEST_F(Sockets, PodmanItselfIsInTheWayOfOthersAlone) {
  const Monitor podman("start", netns("host"), "podman");
  for (int tries = 0; tries < 500 && check(kTcp, "", 8080); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  expect_in_use(check(kTcp, "", 8080, {.container = "4ba1c0ffee"}));
  EXPECT_TRUE(check(kTcp, "", 8080, {.container = "4ba1c0ffee", .by_podman = true}));
}

TEST_F(Sockets, AnotherProgramIsInTheWayOfPodmansContainersToo) {
  const auto service = serve_tcp("host", 8080);
  expect_in_use(check(kTcp, "", 8080, {.container = "4ba1c0ffee", .by_podman = true}));
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
