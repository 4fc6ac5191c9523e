// What dockerd says of its networks and containers, and what it does not.
#include "plugin-api/engine/names_codec.h"

#include <gmock/gmock.h>

namespace fairlead::engine {
namespace {

using network::NamedEndpoint;
using network::RuntimeNetwork;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(NamesCodec, ANetworkHasANameAndAProjectOfCompose) {
  const auto networks = decode_networks(R"([
    {"Name":"shop_default","Id":"6cdb","Driver":"fairlead","Scope":"local",
     "Labels":{"com.docker.compose.network":"default","com.docker.compose.project":"shop"}},
    {"Name":"bridge","Id":"77aa","Labels":null},
    {"Name":"lab","Id":"88bb","Labels":{}}])");
  ASSERT_TRUE(networks) << networks.error().text;
  EXPECT_THAT(*networks,
              ElementsAre(RuntimeNetwork{"6cdb", "shop_default", "shop"},
                          RuntimeNetwork{"77aa", "bridge", ""}, RuntimeNetwork{"88bb", "lab", ""}));
}

TEST(NamesCodec, AContainerIsNamedOnceForEachOfItsEndpoints) {
  const auto endpoints = decode_endpoints(R"(
    {"Id":"f1e2","Name":"/web","HostConfig":{"Dns":["192.0.2.53","2001:db8::53","no address"]},
     "Config":{"Hostname":"front","Labels":{"com.docker.compose.project":"shop",
     "com.docker.compose.service":"web","tier":"front"}},
     "NetworkSettings":{"Networks":{"a":{"NetworkID":"n1","EndpointID":"e1","Aliases":["w","f1e2"]},
                                    "b":{"NetworkID":"n2","EndpointID":"e2","Aliases":null}}}})");
  ASSERT_TRUE(endpoints) << endpoints.error().text;
  network::ContainerNames names{
      .name = "web",
      .project = "shop",
      .service = "web",
      .labels = {{"com.docker.compose.project", "shop"},
                 {"com.docker.compose.service", "web"},
                 {"tier", "front"}},
      .hostname = "front",
      .aliases = {"w", "f1e2"},
      .dns_servers = {*IpAddress::parse("192.0.2.53"), *IpAddress::parse("2001:db8::53")}};
  ASSERT_EQ(endpoints->size(), 2U);
  EXPECT_EQ((*endpoints)[0], (NamedEndpoint{"n1", "e1", "f1e2", names}));
  names.aliases.clear();
  EXPECT_EQ((*endpoints)[1], (NamedEndpoint{"n2", "e2", "f1e2", names}));
}

TEST(NamesCodec, TheListTellsTheContainersThatHaveNetworks) {
  const auto ids = decode_containers(R"([7,{"Id":5},{"Id":"none"},
    {"Id":"empty","NetworkSettings":{"Networks":{}}},
    {"Id":"f1e2","NetworkSettings":{"Networks":{"a":{}}}}])");
  ASSERT_TRUE(ids) << ids.error().text;
  EXPECT_THAT(*ids, ElementsAre("f1e2"));
}

// A container that does not run has no endpoint; the host's network gives none either.
TEST(NamesCodec, WhatHasNoEndpointIsLeftOut) {
  for (const char* networks :
       {R"({"host":{"NetworkID":"n1","EndpointID":""}})", R"({"host":null})", "{}", "null", "7",
        R"({"host":{"EndpointID":"e1"}})", R"([{"NetworkID":"n1","EndpointID":"e1"}])"}) {
    const auto endpoints =
        decode_endpoints(std::string(R"({"Id":"f1","Name":"/web","NetworkSettings":)") +
                         R"({"Networks":)" + networks + "}}");
    ASSERT_TRUE(endpoints) << networks;
    EXPECT_THAT(*endpoints, IsEmpty()) << networks;
  }
}

TEST(NamesCodec, OneThatCannotBeReadDoesNotHideTheOthers) {
  const auto networks = decode_networks(
      R"([7,null,[],{},{"Name":5,"Id":"a"},{"Name":"x"},{"Name":"\u0000","Id":"b"},)"
      R"({"Name":"shop","Id":"6cdb","Labels":[1]}])");
  ASSERT_TRUE(networks);
  EXPECT_THAT(*networks, ElementsAre(RuntimeNetwork{"6cdb", "shop", ""}));
  const auto endpoints = decode_endpoints(
      R"({"Id":"f2","Name":"/b","Config":[],"HostConfig":{"Dns":"8.8.8.8"},"NetworkSettings":{"Networks":)"
      R"({"x":7,"y":{"NetworkID":5,"EndpointID":"e"},"z":{"NetworkID":"n1","EndpointID":"e1","Aliases":[3,"","\u0000"]}}}})");
  ASSERT_TRUE(endpoints);
  EXPECT_THAT(*endpoints, ElementsAre(NamedEndpoint{"n1", "e1", "f2", {.name = "b"}}));
  for (const char* unnamed : {R"({"Id":"f1"})", R"({"Name":"/a"})", R"({"Id":"f1","Name":"/a/b"})",
                              R"({"Id":"f1","Name":7})"}) {
    const auto none = decode_endpoints(unnamed);
    ASSERT_TRUE(none) << unnamed;
    EXPECT_THAT(*none, IsEmpty()) << unnamed;
  }
}

TEST(NamesCodec, LabelsAndAliasesAreBounded) {
  std::string labels, aliases;
  for (int i = 0; i < 1000; ++i) {
    labels += fmt::format(R"("k{:04}":"v",)", i);
    aliases += fmt::format(R"("a{:04}",)", i);
  }
  labels += R"("":"no","n":7,"z":")" + std::string(2000, 'x') + "\"";
  const auto endpoints = decode_endpoints(
      R"({"Id":"f1","Name":"/web","Config":{"Labels":{)" + labels +
      R"(}},"NetworkSettings":{"Networks":{"a":{"NetworkID":"n1","EndpointID":"e1","Aliases":[)" +
      aliases + R"("z"]}}}})");
  ASSERT_TRUE(endpoints);
  ASSERT_EQ(endpoints->size(), 1U);
  EXPECT_EQ(endpoints->front().names.labels.size(), kMostLabels);
  EXPECT_EQ(endpoints->front().names.aliases.size(), kMostAliases);
}

TEST(NamesCodec, WhatIsNoListIsRefused) {
  for (const char* body : {"", "null", "{}", "7", "[", R"({"message":"page not found"})"}) {
    EXPECT_FALSE(decode_networks(body)) << body;
    EXPECT_FALSE(decode_containers(body)) << body;
  }
  for (const char* body : {"", "null", "[]", "7", "{"}) {
    EXPECT_FALSE(decode_endpoints(body)) << body;
  }
}

NameEvent event(const std::string& text) {
  const auto decoded = decode_event(text);
  return decoded ? *decoded : NameEvent{"refused", "refused"};
}

TEST(NamesCodec, AnEventSaysWhoseNamesMayBeNew) {
  EXPECT_EQ(event(R"({"Type":"container","Action":"start","Actor":{"ID":"f1e2","Attributes":{}}})"),
            (NameEvent{.network = {}, .container = "f1e2"}));
  EXPECT_EQ(event(R"({"Type":"container","Action":"create","Actor":{"ID":"f1e2"}})"), NameEvent{});
  EXPECT_EQ(event(R"({"Type":"network","Action":"create","Actor":{"ID":"6cdb","Attributes":
                  {"name":"shop","type":"fairlead"}}})"),
            (NameEvent{.network = "6cdb", .container = {}}));
  EXPECT_EQ(event(R"({"Type":"network","Action":"connect","Actor":{"ID":"6cdb","Attributes":
                  {"container":"f1e2","name":"shop"}}})"),
            (NameEvent{.network = "6cdb", .container = "f1e2"}));
  for (const char* text : {"{}", R"({"Type":"image","Actor":{"ID":"x"}})", R"({"Type":7})",
                           R"({"Type":"container","Actor":[]})"})
    EXPECT_EQ(event(text), NameEvent{}) << text;
  EXPECT_FALSE(decode_event("[]"));
  EXPECT_FALSE(decode_event("HTTP/1.1 400"));
}

}  // namespace
}  // namespace fairlead::engine
