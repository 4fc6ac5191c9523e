// Clients of TCP: good ones, slow ones and bad ones.
#include <sys/resource.h>

#include <ctime>
#include <thread>

#include "tests/network/dns/server_fixture.h"

namespace fairlead::dns::tests {
namespace {

using Received = FakeNameServer::Received;

class Streams : public NameService {
 protected:
  void SetUp() override {
    NameService::SetUp();
    if (!IsSkipped()) serve("127.0.0.10");
  }
  static bool answers_others() {
    if (ask("127.0.0.10", "web") != "NOERROR") return false;
    StreamClient client("127.0.0.10", 53, "127.0.0.99");
    client.send(query("web"));
    return client.receive(seconds(2)).has_value();
  }
  static seconds::rep used() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;  // milliseconds
  }
};

TEST_F(Streams, SeveralQueriesInOnePieceAreAllAnswered) {
  StreamClient client("127.0.0.10");
  Message bytes;
  for (std::uint16_t id = 0; id < 200; ++id) {
    const Message each = query("web", {.id = id});
    put(bytes, static_cast<std::uint32_t>(each.size()), 2);
    bytes.insert(bytes.end(), each.begin(), each.end());
  }
  client.send_bytes(bytes);
  for (std::uint16_t id = 0; id < 200; ++id) {
    const auto answer = client.receive();
    ASSERT_TRUE(answer) << id;
    EXPECT_EQ(read(*answer).id, id);
  }
}

TEST_F(Streams, AQueryMayComeByteByByte) {
  StreamClient client("127.0.0.10");
  const Message asked = query("web");
  client.send_bytes({0});
  client.send_bytes({static_cast<std::uint8_t>(asked.size())});
  for (const std::uint8_t byte : asked) client.send_bytes({byte});
  EXPECT_TRUE(client.receive());
}

TEST_F(Streams, AQuickAnswerDoesNotWaitForASlowOne) {
  std::mutex gate;
  std::unique_lock closed(gate);
  const FakeNameServer server("127.0.1.1", [&](const Received& asked) {
    const std::scoped_lock wait(gate);
    return answer(asked.message, {{}});
  });
  StreamClient client("127.0.0.10");
  client.send(query("slow.example", {.id = 1}));
  client.send(query("web", {.id = 2}));
  EXPECT_EQ(read(*client.receive()).id, 2);
  closed.unlock();
  EXPECT_EQ(read(*client.receive()).id, 1);
}

TEST_F(Streams, WhoSendsNothingMoreStillGetsWhatHeAskedFor) {
  std::mutex gate;
  std::unique_lock closed(gate);
  const FakeNameServer server("127.0.1.1", [&](const Received& asked) {
    const std::scoped_lock wait(gate);
    return answer(asked.message, {{}});
  });
  StreamClient client("127.0.0.10");
  client.send(query("slow.example"));
  client.shut_down_sending();
  ASSERT_TRUE(wait_until([&] { return server_->counters().forwarded == 1; }));
  const auto before = used();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_LT(used() - before, 100) << "waits by looking again and again";
  closed.unlock();
  EXPECT_TRUE(client.receive());
  EXPECT_TRUE(client.closed(seconds(1)));
}

TEST_F(Streams, AGiantLengthEndsTheConnectionAtOnce) {
  StreamClient client("127.0.0.10");
  client.send_bytes({0xff, 0xff});
  EXPECT_TRUE(client.closed(seconds(1)));
  StreamClient empty("127.0.0.10");
  empty.send_bytes({0, 0});
  EXPECT_TRUE(empty.closed(seconds(1)));
}

TEST_F(Streams, WhatIsNoQueryEndsTheConnection) {
  StreamClient client("127.0.0.10");
  client.send(answer(query("web"), {{}}));
  EXPECT_TRUE(client.closed(seconds(1)));
  StreamClient garbage("127.0.0.10");
  garbage.send_bytes(Message(60'000, 0x41));
  EXPECT_TRUE(garbage.closed(seconds(1)));
}

TEST_F(Streams, WhoIsSlowOrSilentBlocksNobodyAndIsClosedAfterSeconds) {
  StreamClient silent("127.0.0.10"), half("127.0.0.10"), dribbling("127.0.0.10");
  half.send_bytes({0});
  EXPECT_TRUE(answers_others());
  // A byte now and then does not make the time longer.
  const auto begin = std::chrono::steady_clock::now();
  dribbling.send_bytes({1, 0});
  for (int i = 0; i < 6; ++i) {
    std::this_thread::sleep_for(milliseconds(600));
    dribbling.send_bytes({0});
  }
  const auto before = used();
  EXPECT_TRUE(dribbling.closed(seconds(5)));
  EXPECT_TRUE(silent.closed(seconds(5)));
  EXPECT_TRUE(half.closed(seconds(5)));
  EXPECT_LT(used() - before, 300);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(9));
  EXPECT_TRUE(answers_others());
}

TEST_F(Streams, WhoDoesNotReadIsClosedAndBlocksNobody) {
  StreamClient client("127.0.0.10");
  client.set_receive_buffer(2048);
  std::thread sender([&] {
    for (int i = 0; i < 20'000; ++i) client.send(query("big"));
  });
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(answers_others());
  sender.join();
  EXPECT_TRUE(answers_others());
  EXPECT_TRUE(client.closed(seconds(10)));
}

TEST_F(Streams, AConnectionThatIsResetWhileItWaitsIsGone) {
  for (int i = 0; i < 100; ++i) {
    StreamClient client("127.0.0.10");
    client.send(query("slow.example"));
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  const auto before = used();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_LT(used() - before, 100);
  EXPECT_TRUE(answers_others());
}

TEST_F(Streams, AThousandConnectionsOfManyClientsKeepNobodyOut) {
  std::vector<std::unique_ptr<StreamClient>> clients;
  for (int i = 0; i < 1000; ++i)
    clients.push_back(
        std::make_unique<StreamClient>("127.0.0.10", 53, fmt::format("127.0.9.{}", 1 + i % 100)));
  EXPECT_TRUE(answers_others());
  const auto before = used();
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_LT(used() - before, 150);
  const auto open = std::ranges::count_if(clients, [](const auto& each) {
    return each->connected() && !each->closed(milliseconds(0));
  });
  EXPECT_LE(open, 256);
  EXPECT_GT(open, 200);
}

// All of them wait for an answer, so that none is idle.
TEST_F(Streams, ManyClientsThatAreAtWorkLeaveRoomForAnother) {
  const FakeNameServer server("127.0.1.1", [](const Received&) { return std::nullopt; });
  std::vector<std::unique_ptr<StreamClient>> clients;
  const auto forwarded = [&] { return server_->counters().forwarded; };
  for (int i = 0; i < 300; ++i) {
    clients.push_back(
        std::make_unique<StreamClient>("127.0.0.10", 53, fmt::format("127.0.9.{}", 1 + i % 30)));
    const auto before = forwarded();
    clients.back()->send(query("slow.example"));
    wait_until([&] { return forwarded() > before; }, milliseconds(i < 230 ? 1000 : 1));
  }
  EXPECT_GE(forwarded(), 230U);
  EXPECT_TRUE(answers_others());
}

TEST_F(Streams, OneClientHasSixteenConnectionsAndTheNewestLive) {
  std::vector<std::unique_ptr<StreamClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(std::make_unique<StreamClient>("127.0.0.10"));
    clients.back()->send(query("web"));
    EXPECT_TRUE(clients.back()->receive());
  }
  const auto open = std::ranges::count_if(
      clients, [](const auto& each) { return !each->closed(milliseconds(0)); });
  EXPECT_EQ(open, 16);
}

// accept(2) fails, and the socket stays readable.
TEST_F(Streams, WithoutDescriptorsItWaitsInsteadOfTrying) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  std::vector<std::unique_ptr<StreamClient>> clients;
  StreamClient first("127.0.0.10");
  const UniqueFd next(::dup(0));
  rlimit few = limit;
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  few.rlim_cur = static_cast<rlim_t>(next.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto to = kernel::SocketName::of(ip("127.0.0.10"), 53);
  EXPECT_EQ(::connect(client, to.get(), to.size), 0);
  const auto before = used();
  std::this_thread::sleep_for(milliseconds(300));
  const auto spent = used() - before;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  ::close(client);
  EXPECT_LT(spent, 150);
  EXPECT_TRUE(answers_others());
}

}  // namespace
}  // namespace fairlead::dns::tests
