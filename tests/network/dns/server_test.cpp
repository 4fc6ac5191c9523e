// Sockets of the name service: where it answers, and who keeps it from that.
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "network/dns/places.h"
#include "network/kernel/host/bound_sockets.h"
#include "tests/network/dns/server_fixture.h"

namespace fairlead::dns::tests {
namespace {

using ::testing::HasSubstr;

class NameServerSockets : public NameService {};

TEST_F(NameServerSockets, AnswersOverUdpAndTcpOfBothFamilies) {
  serve({place("127.0.0.10"), place("::1")});
  for (const char* address : {"127.0.0.10", "::1"}) {
    const auto datagram = DatagramClient(address).ask(query("web.shop"));
    ASSERT_TRUE(datagram) << address;
    EXPECT_EQ(read(*datagram).answers[0], "web.shop. 60 IN A 192.0.2.1");
    StreamClient client(address);
    client.send(query("web.shop", {.id = 5}));
    const auto stream = client.receive();
    ASSERT_TRUE(stream) << address;
    EXPECT_EQ(read(*stream).id, 5);
  }
  EXPECT_EQ(server_->counters().answered, 4U);
}

TEST_F(NameServerSockets, TheNetworkIsTheOneOfTheAddress) {
  serve({place("127.0.0.10", "n1"), place("127.0.0.11", "n2"), place("127.0.0.12", "n3"),
         place("127.0.0.12", "n4")});
  const auto who = [](const std::string& server) {
    return read(*DatagramClient(server).ask(query("who", {.type = "TXT"}))).answers.at(0);
  };
  EXPECT_THAT(who("127.0.0.10"), HasSubstr("\"n1\""));
  EXPECT_THAT(who("127.0.0.11"), HasSubstr("\"n2\""));
  EXPECT_THAT(who("127.0.0.12"), HasSubstr("\"n3\"")) << "of two networks";
  serve({place("127.0.0.12", "n4")});
  EXPECT_THAT(who("127.0.0.12"), HasSubstr("\"n4\""));
}

TEST_F(NameServerSockets, WhatIsTooLargeForUdpIsShortenedAndWholeOverTcp) {
  serve("127.0.0.10");
  for (const auto& [size, limit] :
       {std::pair{0, 512U}, std::pair{1000, 1000U}, std::pair{4096, 1232U}}) {
    const auto udp_size = static_cast<std::uint16_t>(size);
    const auto answer = DatagramClient("127.0.0.10").ask(query("big", {.udp_size = udp_size}));
    ASSERT_TRUE(answer);
    EXPECT_LE(answer->size(), limit);
    EXPECT_THAT(read(*answer).flags, HasSubstr("tc"));
  }
  StreamClient client("127.0.0.10");
  client.send(query("big"));
  const auto whole = client.receive();
  ASSERT_TRUE(whole);
  EXPECT_EQ(read(*whole).answers.size(), 125U);
}

TEST_F(NameServerSockets, WhatIsNoQueryGetsNoAnswer) {
  serve("127.0.0.10");
  DatagramClient client("127.0.0.10");
  client.send(answer(query("web"), {{}}));
  client.send({});
  client.send({1, 2, 3});
  client.send(Message(5000, 0));
  EXPECT_TRUE(client.ask(query("web", {.id = 42})));
  EXPECT_FALSE(client.receive(milliseconds(50)));
  EXPECT_EQ(server_->counters().answered, 1U);
}

TEST_F(NameServerSockets, AnAddressThatComesLaterIsServedSoon) {
  start();
  server_->serve({place("10.9.0.1"), place("2001:db8:9::1")});
  ASSERT_TRUE(wait_until([&] { return server_->served().size() == 2; }));
  EXPECT_EQ(server_->served()[0].port, 0);
  EXPECT_THAT(server_->served()[0].problem, HasSubstr("10.9.0.1"));
  add_bridge("fl-dns", {"10.9.0.1/24", "2001:db8:9::1/64"});
  EXPECT_TRUE(wait_until([&] {
    return std::ranges::all_of(server_->served(), [](const Served& each) {
      return each.port == 53 && each.problem.empty();
    });
  }));
  EXPECT_EQ(ask("10.9.0.1", "web"), "NOERROR");
  EXPECT_EQ(ask("2001:db8:9::1", "web"), "NOERROR");
}

TEST_F(NameServerSockets, ALinkLocalAddressIsTheOneOfItsInterface) {
  add_bridge("fl-one", {"fe80::1/64"});
  add_bridge("fl-two", {"fe80::1/64"});
  attach("web", "fl-one", {"10.9.0.2/24"});
  serve({place("fe80::1", "n1", "fl-one"), place("fe80::1", "n2", "fl-two")});
  for (const auto& [interface, network] : {std::pair{"fl-one", "n1"}, std::pair{"fl-two", "n2"}}) {
    const auto link = must(links().find(fairlead::testing::ifname(interface)));
    const auto to =
        kernel::SocketName::of(ip("fe80::1"), 53, static_cast<std::uint32_t>(link.index));
    const UniqueFd fd = must(kernel::connect_datagram(to));
    const Message asked = query("who", {.type = "TXT"});
    ASSERT_EQ(::send(fd.get(), asked.data(), asked.size(), 0), static_cast<ssize_t>(asked.size()));
    Message got(512);
    ASSERT_TRUE(
        wait_until([&] { return ::recv(fd.get(), got.data(), got.size(), MSG_DONTWAIT) > 0; }));
    EXPECT_THAT(std::string(got.begin(), got.end()), HasSubstr(network));
  }
}

TEST_F(NameServerSockets, ALinkLocalAddressIsServedAgainOnAnInterfaceThatWasMadeAnew) {
  add_bridge("fl-one", {"fe80::1/64"});
  serve({place("fe80::1", "n1", "fl-one")});
  must(links().remove(fairlead::testing::ifname("fl-one")));
  ASSERT_TRUE(wait_until([&] { return server_->served()[0].port == 0; }));
  add_bridge("fl-one", {"fe80::1/64"});
  EXPECT_TRUE(wait_until([&] { return server_->served()[0].port == 53; }));
}

TEST_F(NameServerSockets, AnAddressThatGoesAndComesAgainIsAnsweredAt) {
  for (int i = 0; i < 2; ++i) {
    add_bridge("fl-dns", {"10.9.0.1/24", "2001:db8:9::1/64"});
    if (i == 0) serve({place("10.9.0.1"), place("2001:db8:9::1")});
    EXPECT_EQ(ask("10.9.0.1", "web"), "NOERROR");
    EXPECT_EQ(ask("2001:db8:9::1", "web"), "NOERROR");
    StreamClient client("10.9.0.1");
    client.send(query("web"));
    EXPECT_TRUE(client.receive());
    must(links().remove(fairlead::testing::ifname("fl-dns")));
  }
}

TEST_F(NameServerSockets, ATakenPortIsLeftAloneUntilItIsFree) {
  auto holder = std::make_optional(must(
      kernel::bind_datagram(kernel::SocketName::of(IpAddress::any(Family::kV4), 53), 1 << 16)));
  serve("127.0.0.10");
  const Served other = server_->served()[0];
  EXPECT_NE(other.port, 53);
  EXPECT_THAT(other.problem, HasSubstr("port 53/udp of 127.0.0.10 is in use by"));
  EXPECT_TRUE(DatagramClient("127.0.0.10", other.port).ask(query("web")));
  StreamClient stream("127.0.0.10", other.port);
  stream.send(query("web"));
  EXPECT_TRUE(stream.receive());
  holder.reset();
  server_->serve({place("127.0.0.10")});  // sooner than in ten seconds
  ASSERT_TRUE(wait_until([&] { return server_->served()[0].port == 53; }));
  EXPECT_EQ(server_->served()[0].problem, "");
  EXPECT_EQ(ask("127.0.0.10", "web"), "NOERROR");
  EXPECT_TRUE(DatagramClient("127.0.0.10", other.port).ask(query("web"))) << "who was led there";
  stream.send(query("web"));
  EXPECT_TRUE(stream.receive());
}

// Gives back what it gets.
class Echo final : public Front {
 public:
  std::optional<Message> ask(const dns::Asked& asked, const std::function<Answer()>&) override {
    return Message(asked.message.begin(), asked.message.end());
  }
};

// Without being told, and for how long the other port is served.
TEST_F(NameServerSockets, ItLooksWhetherThePortHasBecomeFree) {
  auto holder = std::make_optional(
      must(kernel::bind_stream(kernel::SocketName::of(IpAddress::any(Family::kV4), 53))));
  const auto loop = must(Loop::make());
  std::atomic<std::uint16_t> port = 0;
  std::thread thread([&] {
    std::unique_ptr<Places> places = make_places(
        *loop, 53, [](const std::string&) { return std::make_unique<Echo>(); },
        [&] { port = places->served().at(0).port; },
        {.patience = milliseconds(60),
         .look_again = milliseconds(100),
         .grace = milliseconds(200)});
    places->serve({place("127.0.0.10")});
    loop->run();
  });
  const bool has_other = wait_until([&] { return port != 0 && port != 53; });
  const std::uint16_t other = port;
  holder.reset();
  const bool moved = wait_until([&] { return port == 53; });
  const auto at_other = DatagramClient("127.0.0.10", other).ask({1, 2, 3});
  const bool closed = wait_until([&] {
    return !DatagramClient("127.0.0.10", other).ask({1, 2, 3}, milliseconds(20));
  });
  const auto at_own = DatagramClient("127.0.0.10").ask({1, 2, 3});
  loop->stop();
  thread.join();
  EXPECT_TRUE(has_other);
  EXPECT_TRUE(moved);
  EXPECT_TRUE(at_other) << "who was led there";
  EXPECT_TRUE(closed);
  EXPECT_TRUE(at_own);
}

TEST_F(NameServerSockets, APortThatIsTakenForTcpAloneIsTakenForBoth) {
  const auto holder = must(kernel::bind_stream(kernel::SocketName::of(ip("127.0.0.10"), 53)));
  serve("127.0.0.10");
  const Served other = server_->served()[0];
  EXPECT_NE(other.port, 53);
  EXPECT_THAT(other.problem, HasSubstr("port 53/tcp"));
  EXPECT_TRUE(DatagramClient("127.0.0.10", other.port).ask(query("web")));
}

TEST_F(NameServerSockets, TheProgramThatHasThePortIsNamed) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto held =
        kernel::bind_datagram(kernel::SocketName::of(IpAddress::any(Family::kV4), 53), 1 << 16);
    ::pause();
    ::_exit(held ? 0 : 1);
  }
  // The child has it once nobody else can.
  ASSERT_TRUE(wait_until([&] {
    return !kernel::bind_datagram(kernel::SocketName::of(ip("127.0.0.9"), 53), 1 << 16);
  }));
  serve("127.0.0.10");
  EXPECT_THAT(server_->served()[0].problem, HasSubstr("(pid " + std::to_string(child) + ")"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_F(NameServerSockets, ADaemonThatEndsABitLaterDoesNotCostThePort) {
  auto before = std::make_optional(
      must(kernel::bind_datagram(kernel::SocketName::of(ip("127.0.0.10"), 53), 1 << 16)));
  start();
  server_->serve({place("127.0.0.10")});
  ASSERT_TRUE(wait_until([&] { return !server_->served().empty(); }));
  before.reset();
  ASSERT_TRUE(wait_until([&] { return server_->served()[0].port != 0; }));
  EXPECT_EQ(server_->served()[0].port, 53);
}

TEST_F(NameServerSockets, ThePortIsThereAgainAtOnceAfterARestart) {
  for (int i = 0; i < 3; ++i) {
    serve("127.0.0.10");
    EXPECT_EQ(server_->served()[0].port, 53) << i;
    StreamClient client("127.0.0.10");
    client.send(query("web"));
    EXPECT_TRUE(client.receive());
    server_.reset();  // closes first: TIME_WAIT is on its side
  }
}

TEST_F(NameServerSockets, NoQueryIsLostWhilePlacesComeAndGo) {
  serve("127.0.0.10");
  std::atomic<bool> over = false;
  std::atomic<int> asked = 0, lost = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 20; ++i)
    clients.emplace_back([&, i] {
      DatagramClient client("127.0.0.10");
      for (std::uint16_t id = 0; !over; ++id) {
        ++asked;
        const auto answer = client.ask(query("web" + std::to_string(i), {.id = id}));
        if (!answer || read(*answer).id != id) ++lost;
      }
    });
  for (int round = 0; round < 30 || asked < 2000; ++round) {
    std::vector<Place> places{place("127.0.0.10")};
    for (int i = 1; i <= 5 * (round % 30); ++i)
      places.push_back(place(fmt::format("127.0.{}.{}", 2 + round % 2, i)));
    serve(places);
  }
  over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(lost, 0);
}

TEST_F(NameServerSockets, APlaceThatIsTakenAwayAnswersNoMore) {
  serve({place("127.0.0.10"), place("127.0.0.11")});
  StreamClient there("127.0.0.11");
  serve("127.0.0.10");
  EXPECT_FALSE(DatagramClient("127.0.0.11").ask(query("web"), milliseconds(100)));
  EXPECT_FALSE(StreamClient("127.0.0.11").connected());
  EXPECT_TRUE(there.closed(seconds(2)));
}

}  // namespace
}  // namespace fairlead::dns::tests
