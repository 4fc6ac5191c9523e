// What commits mean for networks, endpoints and ports.
#include "network/service/events.h"

#include <gmock/gmock.h>

#include "base/state/memory_store.h"
#include "network/service/keys.h"
#include "network/service/records.h"

namespace fairlead::network {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::string kId(64, 'a');

Network shop(Phase phase = Phase::kReady) {
  Network network{.id = kId, .name = NetworkName::parse("shop").value()};
  network.subnets.push_back({Cidr::parse("10.89.0.0/24").value(), {}, {}, {}, {}});
  network.phase = phase;
  return network;
}

PublishedPort port(std::uint16_t host_port) {
  return {
      .host_ip = IpAddress::parse("0.0.0.0").value(), .host_port = host_port, .container_port = 80};
}

Endpoint web(bool joined, std::vector<PublishedPort> ports = {}, Phase phase = Phase::kReady) {
  Endpoint endpoint{.id = "e1", .network_id = kId, .container = "web", .runtime = "docker"};
  endpoint.addresses = {Cidr::parse("10.89.0.2/24").value()};
  endpoint.mac = MacAddress::parse("02:fa:0a:59:00:02").value();
  endpoint.ports = std::move(ports);
  endpoint.phase = phase;
  endpoint.joined = joined;
  return endpoint;
}

std::string name_of(const std::string& id) { return id == kId ? "shop" : ""; }

std::vector<std::string> words(const std::vector<Change>& changes) {
  std::vector<std::string> texts;
  for (const Change& change : changes)
    texts.push_back(change.kind + " " + change.action + " " + change.name);
  return texts;
}

std::vector<std::string> of(const std::optional<Endpoint>& before,
                            const std::optional<Endpoint>& after) {
  return words(changes_of(before, after, name_of));
}

TEST(NetworkEvents, ANetworkIsThereWhenItIsReadyAndGoneWithTheFirstStepOfItsRemoval) {
  EXPECT_THAT(changes_of(std::nullopt, shop(Phase::kCreating)), IsEmpty());
  EXPECT_THAT(words(changes_of(shop(Phase::kCreating), shop())),
              ElementsAre("network create shop"));
  EXPECT_THAT(words(changes_of(shop(), shop(Phase::kDeleting))),
              ElementsAre("network remove shop"));
  EXPECT_THAT(changes_of(shop(Phase::kDeleting), std::nullopt), IsEmpty());
  EXPECT_THAT(words(changes_of(shop(), std::nullopt)), ElementsAre("network remove shop"));
}

TEST(NetworkEvents, WhatIsUndoneWasNeverThere) {
  EXPECT_THAT(changes_of(shop(Phase::kCreating), shop(Phase::kDeleting)), IsEmpty());
  EXPECT_THAT(changes_of(shop(Phase::kCreating), std::nullopt), IsEmpty());
  EXPECT_THAT(of(web(false, {port(1)}, Phase::kCreating), std::nullopt), IsEmpty());
}

TEST(NetworkEvents, ANetworkIsUpdatedByWhatOthersSeeOfIt) {
  Network changed = shop();
  changed.links.kept["localnet_opened"] = "true";
  EXPECT_THAT(changes_of(shop(), changed), IsEmpty());
  changed.links.shown["bridge"] = "fl-1";
  EXPECT_THAT(words(changes_of(shop(), changed)), ElementsAre("network update shop"));
  EXPECT_THAT(changes_of(shop(), shop()), IsEmpty());
}

TEST(NetworkEvents, AnEndpointIsUpdatedByWhatOthersSeeOfIt) {
  Endpoint changed = web(true);
  changed.links.kept["link"] = "flv1";
  EXPECT_THAT(of(web(true), changed), IsEmpty());
  changed.aliases = {"db", "db.shop"};
  EXPECT_THAT(of(web(true), changed), ElementsAre("endpoint update web"));
  EXPECT_EQ(changes_of(web(true), changed, name_of).at(0).attributes.at("aliases"), "db,db.shop");
  changed = web(true, {port(1)});
  changed.mac = MacAddress::parse("02:fa:0a:59:00:03").value();
  EXPECT_THAT(of(web(true), changed),
              ElementsAre("endpoint update web", "port publish 0.0.0.0:1->80/tcp"));
}

TEST(NetworkEvents, AnEndpointOfAnEarlierBootIsAnotherOne) {
  Endpoint now = web(true);
  now.boot_id = "boot-2";
  EXPECT_THAT(of(web(true), now), ElementsAre("endpoint leave web", "endpoint remove web",
                                              "endpoint create web", "endpoint join web"));
}

TEST(NetworkEvents, AnAttachmentOfDockerComesInSteps) {
  EXPECT_THAT(of(std::nullopt, web(false, {}, Phase::kCreating)), IsEmpty());
  EXPECT_THAT(of(web(false, {}, Phase::kCreating), web(false)), ElementsAre("endpoint create web"));
  EXPECT_THAT(of(web(false), web(true)), ElementsAre("endpoint join web"));
  EXPECT_THAT(of(web(true), web(true, {port(8080)})),
              ElementsAre("port publish 0.0.0.0:8080->80/tcp"));
  EXPECT_THAT(
      of(web(true, {port(8080)}), web(true, {port(8081)})),
      ElementsAre("port unpublish 0.0.0.0:8080->80/tcp", "port publish 0.0.0.0:8081->80/tcp"));
  PublishedPort limited = port(8080);
  limited.max_connections = 5;
  EXPECT_THAT(of(web(true, {port(8080)}), web(true, {limited})),
              ElementsAre("port publish 0.0.0.0:8080->80/tcp"))
      << "it was not closed";
  EXPECT_EQ(
      changes_of(web(true), web(true, {limited}), name_of)[0].attributes.at("max_connections"),
      "5");
  EXPECT_THAT(of(web(true, {port(8081)}), web(false)),
              ElementsAre("port unpublish 0.0.0.0:8081->80/tcp", "endpoint leave web"));
  EXPECT_THAT(of(web(false), std::nullopt), ElementsAre("endpoint remove web"));
}

TEST(NetworkEvents, AnAttachmentOfCniIsOneCommit) {
  EXPECT_THAT(
      of(web(false, {}, Phase::kCreating), web(true, {port(8080)})),
      ElementsAre("endpoint create web", "endpoint join web", "port publish 0.0.0.0:8080->80/tcp"));
  EXPECT_THAT(of(web(true, {port(8080)}), web(true, {port(8080)}, Phase::kDeleting)),
              ElementsAre("port unpublish 0.0.0.0:8080->80/tcp", "endpoint leave web",
                          "endpoint remove web"));
}

TEST(NetworkEvents, SayWhatPeopleAndProgramsNeed) {
  const auto changes = changes_of(std::nullopt, web(false, {port(8080)}), name_of);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].id, "e1");
  EXPECT_THAT(changes[0].attributes,
              ElementsAre(std::pair("addresses", "10.89.0.2/24"), std::pair("container", "web"),
                          std::pair("mac", "02:fa:0a:59:00:02"), std::pair("network", kId),
                          std::pair("network_name", "shop"), std::pair("runtime", "docker")));
  EXPECT_EQ(changes[1].attributes.at("host_port"), "8080");
  EXPECT_EQ(changes[1].attributes.at("protocol"), "tcp");
  EXPECT_EQ(changes_of(std::nullopt, shop())[0].attributes.at("subnets"), "10.89.0.0/24");
}

TEST(NetworkEvents, AreReadFromACommitAndNamesFromTheStore) {
  const auto store = state::make_memory_store();
  ASSERT_TRUE(store->commit({.puts = {{keys::network(kId), encode(shop())}}}));
  using Kind = state::Event::Kind;
  const std::string key = keys::endpoint(kId, "e1");
  const auto changes = network_changes_in(*store)(
      {{Kind::kPut, {keys::network_name("shop"), encode_id(kId), 1}},
       {Kind::kPut, {key, encode(web(true)), 1}, encode(web(false))},
       {Kind::kDelete, {keys::endpoint(kId, "e2"), "", 1}, encode(web(false))},
       {Kind::kPut, {keys::endpoint(kId, "e3"), "no record", 1}}});
  EXPECT_THAT(words(changes), ElementsAre("endpoint join web", "endpoint remove web"));
  EXPECT_EQ(changes[0].attributes.at("network_name"), "shop");
}

}  // namespace
}  // namespace fairlead::network
