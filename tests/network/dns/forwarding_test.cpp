// What the name service asks other servers, and what it takes for an answer.
#include <set>
#include <thread>

#include "tests/network/dns/server_fixture.h"

namespace fairlead::dns::tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Received = FakeNameServer::Received;

constexpr const char* kFirst = "127.0.1.1";
constexpr const char* kSecond = "127.0.1.2";

std::optional<Message> with_address(const Received& asked) { return answer(asked.message, {{}}); }
std::optional<Message> silent(const Received&) { return std::nullopt; }

FakeNameServer::Answer failing(Rcode rcode) {
  return [rcode](const Received& asked) { return answer(asked.message, {}, rcode); };
}

class Forwarding : public NameService {
 protected:
  void SetUp() override {
    NameService::SetUp();
    if (IsSkipped()) return;
    write_resolv_conf("nameserver 127.0.1.1\nnameserver 127.0.1.2\n");
    serve("127.0.0.10");
  }
  // How long it takes, too.
  std::pair<std::string, milliseconds> timed(const std::string& name) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string rcode = ask("127.0.0.10", name);
    return {rcode,
            std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin)};
  }
};

TEST_F(Forwarding, TheHostsServerIsAskedOnceAndItsAnswerKept) {
  const FakeNameServer server(kFirst, with_address);
  const Read first = read(*DatagramClient("127.0.0.10").ask(query("A.example", {.id = 1})));
  const Read second = read(*DatagramClient("127.0.0.10").ask(query("a.EXAMPLE", {.id = 2})));
  EXPECT_EQ(first.question, "A.example. IN A");
  EXPECT_EQ(second.question, "a.EXAMPLE. IN A");
  EXPECT_EQ(second.id, 2);
  ASSERT_EQ(server.received().size(), 1U);
  EXPECT_EQ(read(server.received()[0].message).question, "a.example. IN A");
  EXPECT_EQ(server_->counters().from_cache, 1U);
  EXPECT_EQ(server_->counters().forwarded, 1U);
}

TEST_F(Forwarding, EdnsIsAskedForAsTheClientDid) {
  const FakeNameServer server(kFirst, with_address);
  EXPECT_EQ(read(*DatagramClient("127.0.0.10").ask(query("a.example"))).edns, "");
  EXPECT_THAT(read(*DatagramClient("127.0.0.10").ask(query("a.example", {.udp_size = 4096}))).edns,
              HasSubstr("version 0"));
  ASSERT_EQ(server.received().size(), 2U) << "one is not the answer to the other";
  EXPECT_EQ(read(server.received()[0].message).edns, "");
  EXPECT_EQ(read(server.received()[1].message).edns, "version 0 size 1232");
}

TEST_F(Forwarding, SeveralWhoAskTheSameAreOneQuestion) {
  std::mutex gate;
  std::unique_lock closed(gate);
  const FakeNameServer server(kFirst, [&](const Received& asked) {
    const std::scoped_lock wait(gate);
    return answer(asked.message, {{}});
  });
  std::vector<std::unique_ptr<DatagramClient>> clients;
  for (std::uint16_t id = 0; id < 20; ++id) {
    clients.push_back(std::make_unique<DatagramClient>("127.0.0.10"));
    clients.back()->send(query("a.example", {.id = id}));
  }
  ASSERT_TRUE(wait_until([&] { return server_->counters().forwarded == 20; }));
  closed.unlock();
  for (std::uint16_t id = 0; id < 20; ++id) {
    const auto got = clients[id]->receive();
    ASSERT_TRUE(got);
    EXPECT_EQ(read(*got).id, id);
  }
  for (const Received& each : server.received())
    EXPECT_EQ(each.from_port, server.received()[0].from_port) << "asked again by another client";
}

TEST_F(Forwarding, EachQuestionHasAPortAndAnIdOfItsOwn) {
  const FakeNameServer server(kFirst, with_address);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(ask("127.0.0.10", "name" + std::to_string(i)), "NOERROR");
  std::set<std::uint16_t> ports, ids;
  for (const Received& each : server.received()) {
    ports.insert(each.from_port);
    ids.insert(read(each.message).id);
  }
  EXPECT_GT(ports.size(), 55U);
  EXPECT_GT(ids.size(), 55U);
}

TEST_F(Forwarding, ForgedAnswersAreNotTaken) {
  FakeNameServer other(kSecond, silent), another_port(kFirst, silent, 5353);
  const Record forged{.data = {6, 6, 6, 6}};
  FakeNameServer server(kFirst, [&](const Received& asked) {
    const Message right = answer(asked.message, {forged});
    Message wrong_id = right, wrong_name = right;
    wrong_id[0] ^= 1;
    wrong_name[kHeaderSize + 1] ^= 0x20;
    for (const Message& message : {wrong_id, wrong_name, asked.message, Message{1}})
      server.send(message, asked.from, asked.from_port);
    other.send(right, asked.from, asked.from_port);
    another_port.send(right, asked.from, asked.from_port);
    return answer(asked.message, {{.data = {192, 0, 2, 1}}});
  });
  for (int i = 0; i < 20; ++i) {
    const auto got = DatagramClient("127.0.0.10").ask(query("name" + std::to_string(i)));
    ASSERT_TRUE(got);
    EXPECT_THAT(read(*got).answers.at(0), HasSubstr("192.0.2.1"));
  }
}

TEST_F(Forwarding, ASilentServerCostsAMomentAndThenNothing) {
  const FakeNameServer dead(kFirst, silent);
  const FakeNameServer alive(kSecond, with_address);
  const auto [rcode, took] = timed("first.example");
  EXPECT_EQ(rcode, "NOERROR");
  EXPECT_GE(took, milliseconds(190));
  EXPECT_LT(took, seconds(2));
  for (int i = 0; i < 4; ++i) timed("more" + std::to_string(i));
  const std::size_t asked = dead.received().size();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask("127.0.0.10", "name" + std::to_string(i)), "NOERROR");
  EXPECT_LE(dead.received().size(), asked + 1);
}

TEST_F(Forwarding, AServerThatIsNotThereIsPassedOverAtOnce) {
  const FakeNameServer alive(kSecond, with_address);
  const auto [rcode, took] = timed("a.example");
  EXPECT_EQ(rcode, "NOERROR");
  EXPECT_LT(took, milliseconds(190));
}

// The kernel refuses at once: an address of a link, and no link.
TEST_F(Forwarding, WhatCannotBeAskedAtAllFailsAtOnce) {
  write_resolv_conf("nameserver fe80::9\n");
  ASSERT_TRUE(wait_until([&] { return server_->upstreams().size() == 1; }));
  for (int i = 0; i < 3; ++i) {
    const auto [rcode, took] = timed("name" + std::to_string(i));
    EXPECT_EQ(rcode, "SERVFAIL");
    EXPECT_LT(took, seconds(1));
  }
  StreamClient client("127.0.0.10");
  for (std::uint16_t id = 0; id < 5; ++id) client.send(query("b.example", {.id = id}));
  for (std::uint16_t id = 0; id < 5; ++id) EXPECT_EQ(read(*client.receive()).id, id);
}

TEST_F(Forwarding, TheFailureOfOneIsNotTheLastWord) {
  for (const Rcode rcode : {Rcode::kServFail, Rcode::kRefused, Rcode::kNotImp}) {
    const FakeNameServer failing_one(kFirst, failing(rcode));
    const FakeNameServer alive(kSecond, with_address);
    EXPECT_EQ(ask("127.0.0.10", fmt::format("a{}.example", static_cast<int>(rcode))), "NOERROR");
  }
}

TEST_F(Forwarding, AServerThatDoesNotKnowEdnsIsAskedWithoutIt) {
  for (const bool header_alone : {false, true}) {
    const FakeNameServer old(kFirst, [&](const Received& asked) {
      if (read(asked.message).edns.empty()) return answer(asked.message, {{}});
      Message refusal = bare_answer({.id = scan(asked.message)->id}, Rcode::kFormErr);
      if (!header_alone) refusal = answer(asked.message, {}, Rcode::kFormErr);
      return refusal;
    });
    const auto got = DatagramClient("127.0.0.10")
                         .ask(query(header_alone ? "a" : "b", {.udp_size = 1232}), seconds(2));
    ASSERT_TRUE(got);
    EXPECT_EQ(read(*got).rcode, "NOERROR");
    EXPECT_EQ(old.received().size(), 2U);
  }
}

TEST_F(Forwarding, WhatAllRefuseIsRefused) {
  const FakeNameServer first(kFirst, failing(Rcode::kRefused));
  const FakeNameServer second(kSecond, failing(Rcode::kRefused));
  EXPECT_EQ(ask("127.0.0.10", "a.example"), "REFUSED");
}

TEST_F(Forwarding, DenialsArePassedOnAndKept) {
  const FakeNameServer server(kFirst, [](const Received& asked) {
    return answer(asked.message, {soa(60, 60)}, Rcode::kNxDomain);
  });
  EXPECT_EQ(ask("127.0.0.10", "a.example"), "NXDOMAIN");
  EXPECT_EQ(ask("127.0.0.10", "a.example"), "NXDOMAIN");
  EXPECT_EQ(server.received().size(), 1U);
}

TEST_F(Forwarding, WithoutAnAnswerItFailsInFiveSecondsAndIsNotAskedAgainAtOnce) {
  const FakeNameServer first(kFirst, silent);
  const FakeNameServer second(kSecond, silent);
  const auto [rcode, took] = timed("a.example");
  EXPECT_EQ(rcode, "SERVFAIL");
  EXPECT_GE(took, milliseconds(4900));
  EXPECT_LT(took, seconds(7));
  EXPECT_LE(first.received().size() + second.received().size(), 8U);
  const auto [again, at_once] = timed("a.example");
  EXPECT_EQ(again, "SERVFAIL");
  EXPECT_LT(at_once, seconds(1));
}

TEST_F(Forwarding, ALostDatagramIsSentAgain) {
  std::atomic<int> count = 0;
  const FakeNameServer server(kFirst, [&](const Received& asked) -> std::optional<Message> {
    if (++count < 2) return std::nullopt;
    return with_address(asked);
  });
  write_resolv_conf("nameserver 127.0.1.1\n");
  ASSERT_TRUE(wait_until([&] { return server_->upstreams().size() == 1; }));
  EXPECT_EQ(ask("127.0.0.10", "a.example"), "NOERROR");
}

TEST_F(Forwarding, WhatIsTruncatedIsAskedForOverTcpByWhoAskedOverTcp) {
  const FakeNameServer server(kFirst, [](const Received& asked) {
    if (!asked.stream) return answer(asked.message, {}, Rcode::kNoError, kFlagTc);
    return answer(asked.message, std::vector<Record>(100));
  });
  EXPECT_THAT(read(*DatagramClient("127.0.0.10").ask(query("a.example"))).flags, HasSubstr("tc"));
  EXPECT_EQ(server.received().size(), 1U);
  StreamClient client("127.0.0.10");
  client.send(query("a.example"));
  const auto whole = client.receive();
  ASSERT_TRUE(whole);
  EXPECT_EQ(read(*whole).answers.size(), 100U);
  EXPECT_THAT(read(*DatagramClient("127.0.0.10").ask(query("a.example"))).flags, HasSubstr("tc"));
  EXPECT_EQ(server.received().size(), 3U) << "the whole answer is kept";
}

TEST_F(Forwarding, AMalformedAnswerIsNone) {
  const FakeNameServer broken(kFirst, [](const Received& asked) {
    Message message = answer(asked.message, {{}});
    message.resize(message.size() - 3);
    return message;
  });
  const FakeNameServer alive(kSecond, with_address);
  EXPECT_EQ(ask("127.0.0.10", "a.example"), "NOERROR");
}

TEST_F(Forwarding, OurOwnAddressesAreNotAsked) {
  write_resolv_conf("nameserver 127.0.0.10\n");
  ASSERT_TRUE(wait_until([&] { return server_->upstreams().empty(); }));
  const auto [rcode, took] = timed("a.example");
  EXPECT_EQ(rcode, "SERVFAIL");
  EXPECT_LT(took, seconds(1));
  EXPECT_EQ(server_->counters().queries, 1U);
}

TEST_F(Forwarding, TransfersAreRefused) {
  const FakeNameServer server(kFirst, with_address);
  EXPECT_EQ(ask("127.0.0.10", "example", {.type = "AXFR"}), "REFUSED");
  EXPECT_TRUE(server.received().empty());
}

TEST_F(Forwarding, WhoFloodsLeavesRoomForOthers) {
  const FakeNameServer server(kFirst, [](const Received& asked) -> std::optional<Message> {
    if (read(asked.message).question.starts_with("flood")) return std::nullopt;
    return answer(asked.message, {{}});
  });
  write_resolv_conf("nameserver 127.0.1.1\n");
  ASSERT_TRUE(wait_until([&] { return server_->upstreams().size() == 1; }));
  DatagramClient flood("127.0.0.10", 53, "127.0.0.66");
  for (int i = 0; i < 4000; ++i) {
    flood.send(query("flood" + std::to_string(i)));
    if (i % 100 == 0)
      std::this_thread::sleep_for(milliseconds(1));  // the socket's buffer is finite
  }
  ASSERT_TRUE(wait_until([&] { return server_->counters().failed > 100; }))
      << "it has had its part";
  for (int i = 0; i < 20; ++i) {
    const auto [rcode, took] = timed("name" + std::to_string(i));
    EXPECT_EQ(rcode, "NOERROR");
    EXPECT_LT(took, seconds(2));
  }
}

class HostServersOf : public NameService {
 protected:
  bool become(const std::vector<std::string>& wanted) {
    return wait_until([&] {
      std::vector<std::string> texts;
      for (const IpAddress& each : server_->upstreams()) texts.push_back(each.to_string());
      return texts == wanted;
    });
  }
};

TEST_F(HostServersOf, TheFileIsFollowedWhereverItGoes) {
  start();
  EXPECT_TRUE(become({"127.0.1.1"}));
  write_resolv_conf("nameserver 192.0.2.1\n");
  EXPECT_TRUE(become({"192.0.2.1"}));
  std::ofstream(folder_ / "new") << "nameserver 192.0.2.2\n";
  std::filesystem::rename(folder_ / "new", options_.resolv_conf);
  EXPECT_TRUE(become({"192.0.2.2"}));
  std::filesystem::remove(options_.resolv_conf);
  EXPECT_TRUE(become({"127.0.0.1"}));
  std::filesystem::create_directory(folder_ / "run");
  std::filesystem::create_symlink(folder_ / "run" / "resolv.conf", options_.resolv_conf);
  std::ofstream(folder_ / "run" / "resolv.conf") << "nameserver 192.0.2.3\n";
  EXPECT_TRUE(become({"192.0.2.3"}));
  std::ofstream(folder_ / "run" / "new") << "nameserver 192.0.2.4\n";
  std::filesystem::rename(folder_ / "run" / "new", folder_ / "run" / "resolv.conf");
  EXPECT_TRUE(become({"192.0.2.4"}));
}

TEST_F(HostServersOf, ServersBehindResolvedAreFoundWhenTheyCome) {
  write_resolv_conf("nameserver 127.0.0.53\n");
  start();
  EXPECT_TRUE(become({"127.0.0.53"}));
  std::ofstream(options_.resolved_conf) << "nameserver 192.0.2.1\nnameserver 2001:db8::1\n";
  EXPECT_TRUE(become({"192.0.2.1", "2001:db8::1"}));
}

TEST_F(HostServersOf, AServerOfALinkLocalAddressIsAskedOnItsInterface) {
  add_bridge("fl-dns", {"fe80::53/64"});
  const auto link = must(links().find(fairlead::testing::ifname("fl-dns")));
  const UniqueFd server = must(kernel::bind_datagram(
      kernel::SocketName::of(ip("fe80::53"), 53, static_cast<std::uint32_t>(link.index)), 1 << 16));
  write_resolv_conf("nameserver fe80::53%fl-dns\n");
  serve("127.0.0.10");
  DatagramClient("127.0.0.10").send(query("a.example"));
  Message got(512);
  EXPECT_TRUE(
      wait_until([&] { return ::recv(server.get(), got.data(), got.size(), MSG_DONTWAIT) > 0; }));
}

}  // namespace
}  // namespace fairlead::dns::tests
