// A small set of network namespaces for tests against the real kernel, removed with the test.
//
//   outside ── 203.0.113.0/24, 2001:db8::/64 ── host ── bridges ── containers
//   .1, ::1  eth0                      uplink0  .2, ::2
//
// The thread of the test is in "host", so that whatever it opens (links, firewall, monitor,
// threads) works there. The host has a default route to the outside; the outside has no route back
// to container subnets, as the internet does not. In the host, forwarding and br_netfilter's
// bridge-nf-call-* start switched off. A namespace is created when its name is first used. Helpers
// throw on failure, which fails the test.
//
//   class Nat : public KernelFixture {};
//   TEST_F(Nat, PublishedPortAnswersFromOutside) {
//     add_bridge("fl-test", {"10.1.0.1/24"});
//     attach("web", "fl-test", {"10.1.0.2/24"});
//     auto web = serve_tcp("web", 80);
//     ...
//     EXPECT_EQ(must(ask_tcp("outside", "203.0.113.2", 8080)).server, "web");
//   }
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/names.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "network/kernel/links/links.h"

namespace fairlead::testing {

// Returns the value; throws, and so fails the test, with the text of an error.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

IpAddress ip(const std::string& text);
Cidr cidr(const std::string& text);
IfName ifname(const std::string& text);

// What a service of the fixture answers to each client: its own name, and the client's address as
// the service saw it.
struct Answer {
  std::string server;
  IpAddress client;
};

// A TCP or UDP service on a thread of its own, which ends when this object is destroyed.
class Service {
 public:
  virtual ~Service() = default;
};

// A UDP client that keeps its port, so that the kernel sees one flow.
class UdpClient {
 public:
  explicit UdpClient(UniqueFd fd) : fd_(std::move(fd)) {}
  void send(std::string_view datagram);  // does not wait for an answer
  Result<Answer> ask(std::chrono::milliseconds timeout = std::chrono::milliseconds(500));

 private:
  UniqueFd fd_;
};

class KernelFixture : public ::testing::Test {
 public:
  static constexpr std::chrono::milliseconds kTimeout{700};

 protected:
  struct Port {
    IfName host_name;
    int host_index = 0;
    int container_index = 0;
    MacAddress mac;
  };

  void SetUp() override;  // skips the test when namespaces cannot be created
  void TearDown() override;

  kernel::Links& links() { return *links_; }  // of the host
  int netns(const std::string& name);         // borrowed
  void in(const std::string& name, const std::function<void()>& work);

  // Creates a bridge in the host with these addresses.
  kernel::Link add_bridge(const std::string& name, const std::vector<std::string>& cidrs);
  // Creates a veth into the container's `ifname` with these addresses and a default route to the
  // bridge's first address of the family. When there are IPv6 addresses the host's end gets none,
  // as in the product.
  Port attach(const std::string& container, const std::string& bridge,
              const std::vector<std::string>& cidrs, const std::string& ifname = "eth0",
              std::optional<MacAddress> mac = {});
  void add_route(const std::string& name, const std::string& ifname, const std::string& destination,
                 const std::string& via);
  void set_sysctl(const std::string& name, const std::string& path, const std::string& value);
  std::string sysctl(const std::string& name, const std::string& path);

  // Sends one echo request. Returns the round-trip time, or std::nullopt when no answer came in
  // time.
  std::optional<std::chrono::microseconds> ping(const std::string& from, const std::string& to,
                                                std::chrono::milliseconds timeout = kTimeout);
  // After a link was down, which may send nothing for a second yet (net/core/link_watch.c).
  bool ping_soon(const std::string& from, const std::string& to);

  // Services answer with the name of their namespace. An empty `address` means any address of both
  // families.
  std::unique_ptr<Service> serve_tcp(const std::string& where, std::uint16_t port,
                                     const std::string& address = "");
  std::unique_ptr<Service> serve_udp(const std::string& where, std::uint16_t port,
                                     const std::string& address = "");
  Result<Answer> ask_tcp(const std::string& from, const std::string& to, std::uint16_t port,
                         std::chrono::milliseconds timeout = kTimeout);
  Result<Answer> ask_udp(const std::string& from, const std::string& to, std::uint16_t port,
                         std::chrono::milliseconds timeout = kTimeout);
  UdpClient udp_client(const std::string& from, const std::string& to, std::uint16_t port);

 private:
  void make_uplink();

  UniqueFd home_;  // the namespace that the thread of the test was in before
  std::map<std::string, UniqueFd> namespaces_;
  std::map<std::string, std::vector<Cidr>> bridges_;
  std::unique_ptr<kernel::Links> links_;
  int next_port_ = 0;
};

}  // namespace fairlead::testing
