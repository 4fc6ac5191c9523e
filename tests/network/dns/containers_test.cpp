// Containers ask at their gateway, over the bridge, and are told what the directory says.
#include <thread>

#include "network/dns/directory.h"
#include "tests/network/dns/server_fixture.h"

namespace fairlead::dns::tests {
namespace {

class Containers : public NameService {
 protected:
  void SetUp() override {
    NameService::SetUp();
    if (IsSkipped()) return;
    add_bridge("fl-shop", {"10.1.0.1/24", "2001:db8:1::1/64"});
    attach("web", "fl-shop", {"10.1.0.2/24", "2001:db8:1::2/64"});
    attach("db", "fl-shop", {"10.1.0.3/24", "2001:db8:1::3/64"});
    directory_ = make_directory();
    Zone zone{.network = "n1", .names = {"shop"}, .domain = {}};
    zone.gateways = {ip("10.1.0.1"), ip("2001:db8:1::1")};
    zone.subnets = {fairlead::testing::cidr("10.1.0.0/24"),
                    fairlead::testing::cidr("2001:db8:1::/64")};
    directory_->replace({zone}, {host("web", "2"), host("db", "3")});
    server_ = must(start_server(*directory_, options_, {.on_served = {}, .on_upstreams = {}}));
    serve({place("10.1.0.1"), place("2001:db8:1::1")});
  }
  void TearDown() override {
    server_.reset();
    directory_.reset();
    NameService::TearDown();
  }
  static Host host(const std::string& name, const std::string& number) {
    return {.network = "n1",
            .endpoint = name,
            .owner = name,
            .names = {name},
            .addresses = {ip("10.1.0." + number), ip("2001:db8:1::" + number)},
            .ports = {},
            .servers = {}};
  }
  std::vector<std::string> answers_in(const std::string& container, const std::string& server,
                                      const std::string& name, const std::string& type) {
    std::vector<std::string> answers;
    in(container, [&] {
      const auto got = DatagramClient(server).ask(query(name, {.type = type}));
      if (got) answers = read(*got).answers;
    });
    return answers;
  }

  std::unique_ptr<Directory> directory_;
};

TEST_F(Containers, FindEachOtherAtEitherGateway) {
  using ::testing::ElementsAre;
  using ::testing::EndsWith;
  for (const char* server : {"10.1.0.1", "2001:db8:1::1"}) {
    EXPECT_THAT(answers_in("web", server, "db", "A"), ElementsAre(EndsWith("A 10.1.0.3")));
    EXPECT_THAT(answers_in("db", server, "web.shop", "AAAA"),
                ElementsAre(EndsWith("AAAA 2001:db8:1::2")));
  }
}

// The one who floods has a thread that does nothing else; what it sends is more than is read.
TEST_F(Containers, OneThatFloodsDoesNotKeepTheOthersFromTheirNames) {
  for (const char* server : {"10.1.0.1", "2001:db8:1::1"}) {
    std::atomic<bool> over = false;
    std::atomic<long> sent = 0;
    std::thread flood([&] {
      in("db", [&] {
        DatagramClient client(server);
        const Message asked = query("web");
        for (; !over; ++sent) client.send(asked);
      });
    });
    EXPECT_TRUE(wait_until([&] { return sent > 10'000; }));
    int answered = 0;
    in("web", [&] {
      DatagramClient client(server);
      // The queues of links are the kernel's, and full now and then: a resolver asks again. An answer may be late.
      const auto gets = [&](std::uint16_t id) {
        for (int attempt = 0; attempt < 3; ++attempt) {
          auto got = client.ask(query("db", {.id = id}), milliseconds(700));
          while (got && read(*got).id != id) got = client.receive(milliseconds(700));
          if (got) return true;
        }
        return false;
      };
      for (std::uint16_t id = 0; id < 100; ++id)
        if (gets(id)) ++answered;
    });
    over = true;
    flood.join();
    EXPECT_GE(answered, 95) << server;
  }
}

}  // namespace
}  // namespace fairlead::dns::tests
