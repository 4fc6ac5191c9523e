// Where a network's names are answered: what containers are told, and where the firewall leads their questions.
#include <gmock/gmock.h>

#include "network/api/options.h"
#include "network/service/keys.h"
#include "network/service/records.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::NameServer;
using network::NameServers;
using network::NetworkText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

class NameServersTest : public ::testing::Test {
 protected:
  NameServersTest() { host_.open(); }

  network::Network create(const std::string& name, const std::vector<std::string>& subnets,
                          const std::map<std::string, std::string>& options = {},
                          bool internal = false) {
    network::NetworkSpec spec{.name = *NetworkName::parse(name), .internal = internal};
    const auto parsed = network::parse_options(options);
    EXPECT_TRUE(parsed) << parsed.error().text;
    spec.options = *parsed;
    for (const std::string& subnet : subnets)
      spec.subnets.push_back({.subnet = Cidr::parse(subnet).value()});
    auto made = host_.service->create_network(spec);
    EXPECT_TRUE(made) << made.error().text;
    return made.value();
  }
  void serve(const NameServers& servers) {
    const Status done = host_.core->names().serve(servers);
    ASSERT_TRUE(done) << done.error().text;
  }
  network::Dns told(const std::string& network, const std::string& id) {
    const auto attached = host_.service->attach(
        {.network = NetworkText{network}, .id = id, .container = id, .runtime = "api"},
        network::IntoNetns{FakeHost::kNetns, *IfName::parse("eth0")});
    EXPECT_TRUE(attached) << attached.error().text;
    EXPECT_TRUE(host_.service->remove_endpoint({NetworkText{network}, id}));
    return attached ? attached->dns : network::Dns();
  }
  // "br-shop 10.20.0.1 to 10.20.0.1 port 10053", of the elements of a map.
  std::vector<std::string> led(const std::string& map) {
    std::vector<std::string> texts;
    const auto elements = host_.firewall.elements(map);
    for (const kernel::Element& element : *elements) {
      const Family family = map.ends_with("_v4") ? Family::kV4 : Family::kV6;
      auto key = element.key.bytes();
      std::string link;
      if (!map.starts_with("own_")) {
        constexpr std::size_t kNameBytes = 16;
        link = fmt::format("{} ", reinterpret_cast<const char*>(key.data()));
        key = key.subspan(kNameBytes);
      }
      const auto data = element.data.bytes();
      const std::size_t size = IpAddress::any(family).bytes().size();
      texts.push_back(fmt::format("{}{} to {} port {}", link,
                                  IpAddress::from_bytes(family, key.first(size)).to_string(),
                                  IpAddress::from_bytes(family, data.first(size)).to_string(),
                                  data[size] * 256 + data[size + 1]));
    }
    return texts;
  }

  FakeHost host_;
};

TEST_F(NameServersTest, AContainerIsToldItsGatewaysOnceSomebodyAnswersThere) {
  const auto shop =
      create("shop", {"10.20.0.0/24", "fd20::/64"}, {{"dns_domain", "shop.internal"}});
  EXPECT_THAT(shop.name_servers, ElementsAre(ip("10.20.0.1"), ip("fd20::1")));
  EXPECT_EQ(told("shop", "early"), network::Dns());
  serve({.running = true});
  const auto dns = told("shop", "web");
  EXPECT_THAT(dns.nameservers, ElementsAre("10.20.0.1", "fd20::1"));
  EXPECT_THAT(dns.search, ElementsAre("shop.internal"));
}

TEST_F(NameServersTest, NobodyIsToldOfAPlaceWhereNobodyAnswers) {
  const auto shop = create("shop", {"10.20.0.0/24"});
  serve({.running = true,
         .places = {{shop.id, ip("10.20.0.1"), 0, "names of network shop are not answered"}}});
  EXPECT_EQ(told("shop", "web"), network::Dns());
  EXPECT_THAT(host_.service->status()->problems,
              ::testing::Contains(HasSubstr("names of network shop are not answered")));
}

TEST_F(NameServersTest, AfterARebootNobodyAnswersUntilTheDaemonDoes) {
  create("shop", {"10.20.0.0/24"});
  serve({.running = true});
  host_.open_in("boot-2");
  EXPECT_EQ(told("shop", "web"), network::Dns());
}

TEST_F(NameServersTest, SomeNetworksHaveNone) {
  serve({.running = true});
  EXPECT_THAT(create("off", {"10.21.0.0/24"}, {{"dns", "off"}}).name_servers, IsEmpty());
  EXPECT_EQ(told("off", "a"), network::Dns());
  EXPECT_THAT(
      create("isolated", {"10.22.0.0/24"}, {{"gateway_mode_ipv4", "isolated"}}, true).name_servers,
      IsEmpty());
  EXPECT_THAT(create("inhibited", {"10.23.0.0/24"}, {{"inhibit_ipv4", "true"}}, true).name_servers,
              IsEmpty());
}

TEST_F(NameServersTest, OneGatewayOfSeveralSubnetsIsOne) {
  network::NetworkSpec spec{.name = *NetworkName::parse("routed")};
  spec.options.mode = "routed";
  for (const char* subnet : {"10.20.0.5/32", "10.20.0.6/32"})
    spec.subnets.push_back({.subnet = Cidr::parse(subnet).value(), .gateway = ip("169.254.1.1")});
  const auto made = host_.service->create_network(spec);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(made->name_servers, ElementsAre(ip("169.254.1.1")));
}

TEST_F(NameServersTest, QuestionsAreLedToTheAnswerer) {
  const auto shop = create("shop", {"10.20.0.0/24", "fd20::/64"}, {{"bridge", "br-shop"}});
  const auto lab =
      create("lab", {"10.21.0.0/24"}, {{"bridge", "br-lab"}, {"dns_intercept", "off"}});
  serve({.running = true,
         .places = {{shop.id, ip("10.20.0.1"), 10053},
                    {shop.id, ip("fd20::1"), 10053},
                    {lab.id, ip("10.21.0.1"), 53}},
         .upstreams = {ip("192.0.2.53"), ip("127.0.0.1"), ip("2001:db8::53")}});
  EXPECT_THAT(led("questions_v4"),
              UnorderedElementsAre("br-shop 10.20.0.1 to 10.20.0.1 port 10053",
                                   "br-shop 192.0.2.53 to 10.20.0.1 port 10053",
                                   "br-lab 10.21.0.1 to 10.21.0.1 port 53"));
  EXPECT_THAT(led("questions_v6"),
              UnorderedElementsAre("br-shop fd20::1 to fd20::1 port 10053",
                                   "br-shop 2001:db8::53 to fd20::1 port 10053"));
  EXPECT_THAT(led("own_questions_v4"), UnorderedElementsAre("10.20.0.1 to 10.20.0.1 port 10053",
                                                            "10.21.0.1 to 10.21.0.1 port 53"));
  // What the table is to contain is what it contains, whoever asks.
  EXPECT_THAT(host_.service->status()->problems, IsEmpty());
}

TEST_F(NameServersTest, ChangesAreFollowedAndNothingIsLeft) {
  const auto shop = create("shop", {"10.20.0.0/24"}, {{"bridge", "br-shop"}});
  serve({.running = true,
         .places = {{shop.id, ip("10.20.0.1"), 10053}},
         .upstreams = {ip("192.0.2.53")}});
  serve({.running = true,
         .places = {{shop.id, ip("10.20.0.1"), 10054}},
         .upstreams = {ip("192.0.2.54")}});
  EXPECT_THAT(led("questions_v4"),
              UnorderedElementsAre("br-shop 10.20.0.1 to 10.20.0.1 port 10054",
                                   "br-shop 192.0.2.54 to 10.20.0.1 port 10054"));
  const auto other = create("other", {"10.21.0.0/24"});
  ASSERT_TRUE(host_.service->remove_network(NetworkText{"shop"}));
  EXPECT_THAT(led("questions_v4"), IsEmpty());
  EXPECT_THAT(led("own_questions_v4"), IsEmpty());
  serve({.running = true, .places = {{other.id, ip("10.21.0.1"), 10053}}});
  serve({});
  EXPECT_FALSE(host_.store.get(network::keys::kNameServers).value());
  EXPECT_THAT(led("questions_v4"), IsEmpty());
  EXPECT_THAT(led("own_questions_v4"), IsEmpty());
  EXPECT_THAT(host_.service->status()->problems, IsEmpty());
}

TEST_F(NameServersTest, FlowsOfQuestionsAreForgottenWhereTheyAreLedElsewhere) {
  const auto shop = create("shop", {"10.20.0.0/24", "10.21.0.0/24"}, {{"bridge", "br-shop"}});
  const auto forgotten = [&] {
    std::vector<std::string> texts;
    for (const kernel::FlowFilter& filter : host_.conntrack.take())
      texts.push_back(fmt::format("{} {} to {} port {}", filter.proto,
                                  filter.source ? filter.source->to_string() : "any",
                                  filter.destination->to_string(), filter.destination_port));
    return texts;
  };
  NameServers servers{.running = true, .places = {{shop.id, ip("10.20.0.1"), 10053}}};
  serve(servers);
  EXPECT_THAT(forgotten(), ElementsAre("17 any to 10.20.0.1 port 53"));
  serve(servers);
  EXPECT_THAT(forgotten(), IsEmpty());
  servers.upstreams = {ip("192.0.2.53")};
  serve(servers);
  EXPECT_THAT(forgotten(), ElementsAre("17 10.20.0.0/24 to 192.0.2.53 port 53",
                                       "17 10.21.0.0/24 to 192.0.2.53 port 53"));
  serve({.running = true});
  EXPECT_THAT(forgotten(), UnorderedElementsAre("17 any to 10.20.0.1 port 53",
                                                "17 10.20.0.0/24 to 192.0.2.53 port 53",
                                                "17 10.21.0.0/24 to 192.0.2.53 port 53"));
}

// Two gateways of a family answer both; what the host's servers are asked can be led to one alone.
TEST_F(NameServersTest, SeveralGatewaysOfAFamily) {
  const auto shop = create("shop", {"10.20.0.0/24", "10.21.0.0/24"}, {{"bridge", "br-shop"}});
  serve({.running = true,
         .places = {{shop.id, ip("10.20.0.1"), 10053}, {shop.id, ip("10.21.0.1"), 10053}},
         .upstreams = {ip("192.0.2.53")}});
  EXPECT_THAT(led("questions_v4"),
              UnorderedElementsAre("br-shop 10.20.0.1 to 10.20.0.1 port 10053",
                                   "br-shop 10.21.0.1 to 10.21.0.1 port 10053",
                                   "br-shop 192.0.2.53 to 10.20.0.1 port 10053"));
}

TEST_F(NameServersTest, ABridgeThatIsAlsoOthersIsNotIntercepted) {
  host_.links.put(
      {.name = "br-lan", .kind = "bridge", .mac = MacAddress::from_hash("br-lan"), .up = true});
  const auto lan = create("lan", {"10.20.0.0/24"}, {{"bridge", "br-lan"}});
  serve({.running = true,
         .places = {{lan.id, ip("10.20.0.1"), 10053}},
         .upstreams = {ip("192.0.2.53")}});
  EXPECT_THAT(led("questions_v4"),
              UnorderedElementsAre("br-lan 10.20.0.1 to 10.20.0.1 port 10053"));
}

TEST(NameServersRecord, IsReadAsItWasWritten) {
  const network::NameServersRecord record{
      "boot",
      {true,
       {{"id", ip("10.20.0.1"), 53, "why"}, {"id", ip("fd20::1"), 0, ""}},
       {ip("192.0.2.53")}}};
  EXPECT_EQ(network::decode_name_servers(encode(record)).value(), record);
  EXPECT_FALSE(network::decode_name_servers("{"));
  EXPECT_FALSE(network::decode_name_servers(R"({"boot":"b","places":[{"network":"x"}]})"));
}

}  // namespace
}  // namespace fairlead::testing
