// Pictures of networks: what they show, and that names of whatever characters are text in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugin-api/cli/graph_model.h"
#include "plugin-api/cli/graph_svg.h"
#include "plugin-api/cli/graph_text.h"

namespace fairlead::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

network::Network network_called(const std::string& name) {
  network::Network network{.id = "id-" + name, .name = *NetworkName::parse(name)};
  network.subnets = {{.subnet = *Cidr::parse("10.89.0.0/24")}};
  return network;
}

network::Endpoint endpoint_of(const std::string& network, const std::string& container,
                              const std::string& address) {
  network::Endpoint endpoint{
      .id = "e" + container, .network_id = "id-" + network, .container = container};
  endpoint.addresses = {*Cidr::parse(address)};
  return endpoint;
}

GraphModel two_networks() {
  auto web = endpoint_of("shop", "web", "10.89.0.3/24");
  web.aliases = {"www", "web"};
  web.ports = {{.host_port = 8080, .container_port = 80}};
  auto backend = network_called("backend");
  backend.internal = true;
  return graph_of("node", {network_called("shop"), backend},
                  {web, endpoint_of("shop", "db", "10.89.0.2/24"),
                   endpoint_of("backend", "db", "10.90.0.2/24")});
}

TEST(Graph, HasWhatIsThereInTheOrderOfNames) {
  const GraphModel model = two_networks();
  ASSERT_EQ(model.networks.size(), 2U);
  EXPECT_EQ(model.networks[0].title, "backend");
  EXPECT_EQ(model.networks[0].kind, "bridge, internal");
  EXPECT_THAT(model.networks[1].subnets, ElementsAre("10.89.0.0/24"));
  const GraphEndpoint web{
      .title = "web", .addresses = {"10.89.0.3"}, .names = {"www"}, .ports = {"*:8080 -> 80/tcp"}};
  EXPECT_EQ(model.networks[1].endpoints[1], web);
}

TEST(Graph, ContainersOfSeveralNetworksAreLinks) {
  EXPECT_THAT(links_of(two_networks()), ElementsAre(GraphLink{0, 0, 1, 0}));
}

GraphModel hostile() {
  return {.host = "no<de & \"co\"",
          .networks = {{.title = "a]\"|<b>`#&\\n",
                        .kind = "bridge",
                        .endpoints = {{.title = "<script>alert('x')</script>\x1b[31m",
                                       .ports = {"\"];x -> y;//"}},
                                      {.title = "ü世界"}}}}};
}

TEST(Graph, DotHasNamesAsText) {
  const std::string text = dot_of(hostile());
  EXPECT_THAT(text, HasSubstr("label=\"a]\\\"|<b>`#&amp;\\\\n\\nbridge\\n\""));
  EXPECT_THAT(text, HasSubstr("label=\"\\\"];x -> y;//\\n\""));
  EXPECT_THAT(text, HasSubstr("ü世界"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Graph, MermaidHasNamesAsText) {
  const std::string text = mermaid_of(hostile());
  EXPECT_THAT(text, HasSubstr("[\"a]#quot;|#lt;b#gt;#96;#35;#amp;#92;n<br/>bridge\"]"));
  EXPECT_THAT(text, Not(HasSubstr("<script>")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Graph, SvgHasNamesAsText) {
  const std::string text = svg_of(hostile());
  EXPECT_THAT(text, HasSubstr("<title>Networks of no&lt;de &amp; &quot;co&quot;</title>"));
  EXPECT_THAT(text, HasSubstr("&lt;script&gt;alert(&apos;x&apos;)&lt;/script&gt;"));
  EXPECT_THAT(text, Not(HasSubstr("<script>")));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(Graph, NothingIsSaidToBeNothing) {
  EXPECT_THAT(svg_of({.host = "node", .networks = {}}), HasSubstr("There are no networks."));
}

TEST(Graph, LongNamesAreCutBetweenCharacters) {
  std::string name;
  for (int i = 0; i < 100; ++i) name += "世";
  const std::string text =
      svg_of({.host = "node", .networks = {{.title = name, .kind = "bridge"}}});
  EXPECT_THAT(text, HasSubstr("世…</text>"));
  EXPECT_THAT(text, Not(HasSubstr(name)));
}

}  // namespace
}  // namespace fairlead::cli
