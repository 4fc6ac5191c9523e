// attach() once more for a runtime that did not get the answer. Over a kernel in memory.
#include <gmock/gmock.h>

#include "network/api/made_by.h"
#include "network/drivers/bridge.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::Attachment;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text;
  return std::move(*result);
}
void must(const Status& done) { EXPECT_TRUE(done) << done.error().text; }

class AttachAgain : public ::testing::Test {
 protected:
  AttachAgain() {
    host_.open();
    must(service().create_network({.name = NetworkName::parse("net").value(), .ipv6 = true}));
  }

  network::NetworkService& service() { return *host_.service; }
  network::EndpointRef ref() { return {network::NetworkText{"net"}, id_}; }
  Result<Attachment> attach(const std::string& digest) {
    return service().attach({.network = network::NetworkText{"net"},
                             .id = id_,
                             .container = "web",
                             .runtime = "cni",
                             .ports = {{.host_port = 8080, .container_port = 80}},
                             .digest = digest},
                            network::IntoNetns{FakeHost::kNetns, *IfName::parse("eth0")});
  }

  FakeHost host_;
  const std::string id_ = network::endpoint_id("web", "eth0");
};

TEST_F(AttachAgain, TheSameCallIsAnsweredWithTheSame) {
  const Attachment first = must(attach("d1"));
  for (int restart = 0; restart < 2; ++restart) {
    const Attachment again = must(attach("d1"));
    EXPECT_EQ(again.endpoint, first.endpoint);
    EXPECT_EQ(again.routes, first.routes);
    EXPECT_EQ(again.container_mac, first.container_mac);
    EXPECT_EQ(again.container_ifname, first.container_ifname);
    EXPECT_EQ(again.mtu, first.mtu);
    ASSERT_EQ(again.host_links.size(), first.host_links.size());
    for (std::size_t at = 0; at < first.host_links.size(); ++at) {
      EXPECT_EQ(again.host_links[at].name, first.host_links[at].name);
      EXPECT_EQ(again.host_links[at].mac, first.host_links[at].mac);
    }
    host_.open();
  }
  EXPECT_THAT(must(service().status()).problems, IsEmpty());
}

TEST_F(AttachAgain, AnotherCallIsRefused) {
  must(attach("d1"));
  for (const char* digest : {"d2", ""}) {
    const auto refused = attach(digest);
    ASSERT_FALSE(refused) << digest;
    EXPECT_EQ(refused.error().code, Code::kExists);
    EXPECT_THAT(refused.error().text, HasSubstr("remove it first"));
  }
}

TEST_F(AttachAgain, WithoutADigestNothingIsTheSameCall) {
  must(attach(""));
  EXPECT_EQ(attach("").error().code, Code::kExists);
}

TEST_F(AttachAgain, WhatHasChangedMeanwhileIsToldAndKept) {
  const Attachment first = must(attach("d1"));
  const auto bridge = must(host_.links.find(first.host_links.at(0).name));
  const auto port = must(host_.links.find(first.host_links.at(1).name));
  must(host_.links.set_master(port.index, 0, {}));
  const auto refused = attach("d1");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kExists);
  EXPECT_THAT(refused.error().text, HasSubstr("is not a port of bridge"));
  must(host_.links.set_master(port.index, bridge.index, {}));
  EXPECT_EQ(must(attach("d1")).endpoint, first.endpoint);
}

TEST_F(AttachAgain, AnEndpointWhoseContainerIsGoneIsMadeAnew) {
  const Attachment first = must(attach("d1"));
  must(host_.links.remove(host_side_of(first.endpoint)));
  must(attach("d1"));
  EXPECT_TRUE(host_.links.find(host_side_of(first.endpoint)));
}

// ---- a network whose configuration has changed

network::NetworkSpec of_conflist(const char* subnet) {
  return {.name = NetworkName::parse("pods").value(),
          .subnets = {{.family = Family::kV4, .subnet = Cidr::parse_subnet(subnet).value()}},
          .labels = {{network::kMadeByLabel, "cni"}}};
}

TEST_F(AttachAgain, AChangedConfigurationReplacesANetworkThatNobodyUses) {
  const auto before = must(service().create_network(of_conflist("10.81.0.0/24")));
  const auto after = must(service().create_network(of_conflist("10.82.0.0/24")));
  EXPECT_NE(after.id, before.id);
  EXPECT_EQ(after.subnets.at(0).subnet.to_string(), "10.82.0.0/24");
  EXPECT_EQ(must(service().list_networks()).size(), 2U);
  EXPECT_EQ(must(service().create_network(of_conflist("10.82.0.0/24"))).id, after.id);
  EXPECT_THAT(must(service().status()).problems, IsEmpty());
}

TEST_F(AttachAgain, ANetworkInUseIsNotReplaced) {
  must(service().create_network(of_conflist("10.81.0.0/24")));
  const auto refused = [&](const network::NetworkSpec& spec) {
    const auto made = service().create_network(spec);
    return !made && made.error().code == Code::kConflict;
  };
  must(service().attach(
      {.network = network::NetworkText{"pods"}, .id = "e1", .container = "web", .runtime = "cni"},
      network::IntoNetns{FakeHost::kNetns, *IfName::parse("eth1")}));
  EXPECT_TRUE(refused(of_conflist("10.82.0.0/24")));
  must(service().remove_endpoint({network::NetworkText{"pods"}, "e1"}));

  must(service().bind_network("docker-id", NetworkName::parse("pods").value()));
  EXPECT_TRUE(refused(of_conflist("10.82.0.0/24")));
  must(service().unbind_network("docker-id"));

  auto by_hand = of_conflist("10.82.0.0/24");
  by_hand.labels.clear();
  EXPECT_TRUE(refused(by_hand)) << "who else asks for it is told";
  EXPECT_EQ(must(service().create_network(of_conflist("10.82.0.0/24"))).subnets.at(0).subnet,
            Cidr::parse_subnet("10.82.0.0/24").value());
}

TEST_F(AttachAgain, ANetworkOfTheCommandLineIsNotReplaced) {
  auto by_hand = of_conflist("10.81.0.0/24");
  by_hand.labels.clear();
  must(service().create_network(by_hand));
  EXPECT_EQ(service().create_network(of_conflist("10.82.0.0/24")).error().code, Code::kConflict);
}

}  // namespace
}  // namespace fairlead::testing
