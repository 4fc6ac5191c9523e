// Ports that come and go while connections run, and host addresses that come and go while ports are
// published: with packets.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "network/nat/nat.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using network::PortChange;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kHost = "203.0.113.2";

sockaddr_in address(const std::string& text, std::uint16_t number) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(number);
  inet_pton(AF_INET, text.c_str(), &to.sin_addr);
  return to;
}

// Both ends of a TCP connection that stays.
struct Connection {
  UniqueFd client, server;

  // Whether what one end sends arrives at the other.
  static bool passes(const UniqueFd& from, const UniqueFd& to) {
    if (::send(from.get(), "x", 1, MSG_NOSIGNAL) != 1) return false;
    pollfd ready{.fd = to.get(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 1000) != 1) return false;
    char byte = 0;
    return ::recv(to.get(), &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x';
  }
  bool lives() const { return passes(client, server) && passes(server, client); }
};

class LivePorts : public ServiceWorld {
 protected:
  void SetUp() override {
    ServiceWorld::SetUp();
    if (IsSkipped()) return;
    std::filesystem::create_directories(folder_);
    create("shop", "10.20.0.0/24");
  }

  UniqueFd listen_in(const std::string& where, std::uint16_t number) {
    UniqueFd listener;
    in(where, [&] {
      listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto any = address("0.0.0.0", number);
      ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
      ASSERT_EQ(::listen(listener.get(), 16), 0);
    });
    return listener;
  }
  Connection connect_to(const UniqueFd& listener, const std::string& from, const std::string& host,
                        std::uint16_t number) {
    Connection made;
    in(from, [&] {
      made.client.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto to = address(host, number);
      ASSERT_EQ(::connect(made.client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
                0);
    });
    made.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return made;
  }
  bool is_refused(const std::string& from, const std::string& host, std::uint16_t number) {
    int error = 0;
    in(from, [&] {
      const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto to = address(host, number);
      if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0)
        error = errno;
    });
    return error == ECONNREFUSED;
  }
  std::vector<network::PublishedPort> change(std::vector<network::PortChoice> remove,
                                             std::vector<network::PortSpec> add) {
    return must(service_->change_ports(ref("shop", "web"), {std::move(remove), std::move(add)}));
  }
};

TEST_F(LivePorts, ConnectionsOfOtherPortsGoOn) {
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto listener = listen_in("web", 80), other_listener = listen_in("web", 81);
  const auto kept = connect_to(listener, "outside", kHost, 8080);
  const auto local = connect_to(listener, "host", "127.0.0.1", 8080);
  ASSERT_TRUE(kept.lives() && local.lives());
  for (int turn = 0; turn < 3; ++turn) {
    change({}, {port(8081, 81), port(8081, 81, network::Proto::kUdp)});
    const auto passing = connect_to(other_listener, "outside", kHost, 8081);
    EXPECT_TRUE(passing.lives());
    EXPECT_TRUE(kept.lives() && local.lives());
    change({{.host_port = 8081}, {.proto = network::Proto::kUdp, .host_port = 8081}}, {});
    EXPECT_TRUE(kept.lives() && local.lives());
    EXPECT_FALSE(passing.lives()) << "a port that is closed is closed for those who are inside";
  }
  must(service_->unpublish(ref("shop", "web")));
  EXPECT_FALSE(kept.lives());
}

TEST_F(LivePorts, ConnectionsToTheSamePortOfOthersGoOn) {
  must(attach_to("shop", "web"));
  const auto far = listen_in("outside", 443);
  const auto out = connect_to(far, "web", "203.0.113.1", 443);
  ASSERT_TRUE(out.lives());
  change({}, {port(443, 443)});
  EXPECT_TRUE(out.lives()) << "it goes to port 443 of somebody else";
  change({{.host_port = 443}}, {});
  EXPECT_TRUE(out.lives());
}

TEST_F(LivePorts, ARangeGrowsAndShrinksAndItsConnectionsGoOn) {
  network::PortSpec range = port(7000, 7000);
  range.host_port_end = range.container_port_end = 7999;
  must(attach_to("shop", "web", {range}));
  const auto listener = listen_in("web", 7500), other_listener = listen_in("web", 7999);
  const auto kept = connect_to(listener, "outside", kHost, 7500);
  const auto cut = connect_to(other_listener, "outside", kHost, 7999);
  ASSERT_TRUE(kept.lives() && cut.lives());
  EXPECT_THAT(change({}, {port(8000, 8000)}), SizeIs(1)) << "still one range";
  EXPECT_TRUE(kept.lives() && cut.lives());
  EXPECT_THAT(change({{.host_port = 7999}}, {}), SizeIs(2));
  EXPECT_TRUE(kept.lives());
  EXPECT_FALSE(cut.lives());
  EXPECT_THAT(change({{.host_port = 7000, .host_port_end = 7400}}, {}), SizeIs(2));
  EXPECT_TRUE(kept.lives());
}

network::PortSpec limited(network::PortSpec port, std::uint32_t connections) {
  port.max_connections = connections;
  return port;
}

// Connections that were there are not ended by another limit, and chains of limits that nobody has are gone.
TEST_F(LivePorts, ALimitOfConnectionsChangesWhileTheyRun) {
  must(attach_to("shop", "web", {limited(port(8080, 80), 1)}));
  const auto listener = listen_in("web", 80);
  const auto first = connect_to(listener, "outside", kHost, 8080);
  EXPECT_TRUE(is_refused("outside", kHost, 8080));
  change({}, {limited(port(8080, 80), 2)});
  const auto second = connect_to(listener, "outside", kHost, 8080),
             third = connect_to(listener, "outside", kHost, 8080);
  EXPECT_TRUE(is_refused("outside", kHost, 8080)) << "it counts from the change on";
  change({}, {limited(port(8081, 80), 2)});
  EXPECT_TRUE(is_refused("outside", kHost, 8080)) << "what does not change goes on counting";
  change({}, {port(8080, 80)});
  const auto fourth = connect_to(listener, "outside", kHost, 8080);
  EXPECT_TRUE(first.lives() && second.lives() && third.lives() && fourth.lives());
  EXPECT_EQ(must(firewall_->chain_uses("limit_1")), 0U);
  EXPECT_NE(must(firewall_->chain_uses("limit_2")), 0U) << "of the other port";
  must(service_->unpublish(ref("shop", "web")));
  EXPECT_EQ(must(firewall_->chain_uses("limit_2")), 0U);
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(leftovers(), "");
}

TEST_F(LivePorts, ALimitOfConnectionsOutlivesTheDaemonAndIsMended) {
  network::NetworkSpec wanted = spec("held", "10.22.0.0/24");
  wanted.options.port_max_connections = 1;
  must(service_->create_network(wanted));
  must(attach_to("held", "web", {port(8080, 80)}));
  const auto listener = listen_in("web", 80);
  const auto first = connect_to(listener, "outside", kHost, 8080);
  start_service();
  must(service_->reconcile());
  EXPECT_TRUE(is_refused("outside", kHost, 8080)) << "a restart counts on";
  for (const char* alteration :
       {"delete table inet fairlead\n", "flush ruleset\n", "flush chain inet fairlead limit_1\n",
        "flush map inet fairlead limits_v4\n", "flush chain inet fairlead refused\n"}) {
    must(firewall_->run(alteration));
    must(service_->reconcile());
    const auto counted = connect_to(listener, "outside", kHost, 8080);
    EXPECT_TRUE(is_refused("outside", kHost, 8080)) << alteration;
    EXPECT_TRUE(first.lives());
  }
  must(firewall_->run("flush ruleset\n"));
  must(service_->reconcile());
  const auto counted = connect_to(listener, "outside", kHost, 8080);
  // A process was killed after the last port with that limit went.
  must(firewall_->run(nat::render_limits(std::vector<std::string>{"limit_9_family"})));
  EXPECT_THAT(must(service_->status()).problems, ::testing::IsEmpty());
  must(service_->reconcile());
  EXPECT_EQ(must(firewall_->chain_uses("limit_9_family")), 0U);
  EXPECT_TRUE(is_refused("outside", kHost, 8080)) << "no table was written anew for that";
}

TEST_F(LivePorts, AUdpClientFindsThePortAsSoonAsItIsPublished) {
  must(attach_to("shop", "web"));
  const auto service = serve_udp("web", 53);
  auto client = udp_client("outside", kHost, 5353);
  EXPECT_FALSE(client.ask(std::chrono::milliseconds(100)));
  change({}, {port(5353, 53, network::Proto::kUdp)});
  EXPECT_EQ(must(client.ask()).server, "web");
  change({{.proto = network::Proto::kUdp, .host_port = 5353}}, {});
  EXPECT_FALSE(client.ask(std::chrono::milliseconds(200)));
}

TEST_F(LivePorts, AnAddressMayComeLaterAndGoAndComeAgain) {
  for (const char* how : {"option", "sysctl"}) {
    SCOPED_TRACE(how);
    const bool by_option = std::string_view(how) == "option";
    network::NetworkSpec wanted = spec("vip", "10.21.0.0/24");
    wanted.options.host_ip_missing = by_option;
    must(service_->create_network(wanted));
    const std::vector ports{port(8090, 80, network::Proto::kTcp, "203.0.113.77")};
    if (!by_option) {
      const auto refused = attach_to("vip", "web", ports);
      ASSERT_FALSE(refused);
      EXPECT_THAT(refused.error().text, HasSubstr("host_ip_missing=allow"));
      set_sysctl("host", "net/ipv4/ip_nonlocal_bind", "1");
    }
    must(attach_to("vip", "web", ports));
    const auto service = serve_tcp("web", 80);
    for (int turn = 0; turn < 2; ++turn) {
      in("host", [] { EXPECT_EQ(std::system("ip addr add 203.0.113.77/24 dev uplink0"), 0); });
      EXPECT_EQ(must(ask_tcp("outside", "203.0.113.77", 8090, std::chrono::seconds(3))).server,
                "web");
      in("host", [] { EXPECT_EQ(std::system("ip addr del 203.0.113.77/24 dev uplink0"), 0); });
      EXPECT_FALSE(ask_tcp("outside", "203.0.113.77", 8090, std::chrono::milliseconds(200)));
    }
    must(service_->remove_endpoint(ref("vip", "web")));
    must(service_->remove_network(network::NetworkText{"vip"}));
  }
}

}  // namespace
}  // namespace fairlead::testing
