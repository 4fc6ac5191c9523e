// A container on several networks that asks for the same ports on each; and ports that come and go
// while their container runs. Over a kernel in memory.
#include <gmock/gmock.h>

#include "network/drivers/bridge.h"
#include "network/service/keys.h"
#include "network/service/records.h"
#include "tests/support/fake_host.h"

namespace fairlead::testing {
namespace {

using network::Endpoint;
using network::PortChange;
using network::PortSpec;
using network::PublishedPort;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <class T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text;
  return std::move(*result);
}
void must(const Status& done) { EXPECT_TRUE(done) << done.error().text; }

PortSpec port(std::uint16_t host, std::uint16_t container = 80) {
  return {.host_port = host, .container_port = container};
}

class SharedPorts : public ::testing::Test {
 protected:
  SharedPorts() {
    host_.open();
    for (const char* name : {"one", "two", "three"})
      must(service().create_network({.name = NetworkName::parse(name).value()}));
  }

  network::NetworkService& service() { return *host_.service; }
  static std::string ifname_on(const std::string& net) {
    return net == "one" ? "eth0" : net == "two" ? "eth1" : "eth2";
  }
  static network::EndpointRef ref(const std::string& net, const std::string& container) {
    return {network::NetworkText{net}, network::endpoint_id(container, ifname_on(net))};
  }
  Result<network::Attachment> attach(const std::string& net, const std::string& container,
                                     std::vector<PortSpec> ports) {
    const std::string ifname = ifname_on(net);
    return service().attach({.network = network::NetworkText{net},
                             .id = network::endpoint_id(container, ifname),
                             .container = container,
                             .runtime = "cni",
                             .ports = std::move(ports)},
                            network::IntoNetns{FakeHost::kNetns, *IfName::parse(ifname)});
  }
  Endpoint endpoint(const std::string& net, const std::string& container) {
    return must(service().inspect_endpoint(ref(net, container)));
  }
  // The network whose endpoint has the port, by what `port ls` shows and by the table.
  std::string server_of(std::uint16_t host_port) {
    std::string server;
    for (const network::PortHolder& holder : must(service().list_ports()))
      if (holder.port.host_port == host_port) server += holder.network_name;
    return server;
  }
  std::size_t elements() { return must(host_.firewall.elements("published_any_v4")).size(); }
  std::vector<state::Record> port_records() { return must(host_.store.list("port", {}, 0)); }
  // Nothing differs between the records, the claims and the table.
  void expect_consistent() {
    EXPECT_THAT(must(service().status()).problems, IsEmpty());
    EXPECT_THAT(must(service().reconcile()).actions, IsEmpty());
  }
  void dies(const std::string& net, const std::string& container) {
    must(host_.links.remove(host_side_of(endpoint(net, container))));
  }

  FakeHost host_;
};

TEST_F(SharedPorts, OneNetworkServesThemAndTheNextTakesOver) {
  for (const char* net : {"one", "two", "three"})
    must(attach(net, "web", {port(8080), port(8081)}));
  EXPECT_EQ(server_of(8080), "one");
  EXPECT_EQ(elements(), 2U);
  EXPECT_THAT(endpoint("two", "web").standby_ports, SizeIs(2));
  for (const char* net : {"one", "two", "three"})
    must(service().check(ref(net, "web"), {.netns_fd = -1}));
  expect_consistent();

  must(service().remove_endpoint(ref("one", "web")));
  EXPECT_EQ(server_of(8080), "two");
  EXPECT_EQ(elements(), 2U);
  expect_consistent();

  must(attach("one", "web", {port(8080), port(8081)}));
  EXPECT_THAT(endpoint("one", "web").ports, IsEmpty()) << "whoever serves goes on";
  must(service().remove_endpoint(ref("two", "web")));
  must(service().remove_endpoint(ref("three", "web")));
  EXPECT_EQ(server_of(8080), "one");
  EXPECT_EQ(server_of(8081), "one");
  expect_consistent();

  must(service().remove_endpoint(ref("one", "web")));
  EXPECT_EQ(elements(), 0U);
  EXPECT_THAT(port_records(), IsEmpty());
}

// Answers leave by the container's default route, whose packets the host expects from that network.
TEST_F(SharedPorts, TheHeirIsWhoTakesOverTheDefaultRoute) {
  std::vector<std::string> names;
  for (int number = 9; number > 2; --number) names.push_back(fmt::format("n{}", number));
  const auto id_of = [](const std::string& name) { return network::endpoint_id("web", name); };
  for (const std::string& name : names) {  // all in one second
    must(service().create_network({.name = NetworkName::parse(name).value()}));
    must(service().attach({.network = network::NetworkText{name},
                           .id = id_of(name),
                           .container = "web",
                           .runtime = "cni",
                           .ports = {port(8080), port(9090)}},
                          network::IntoNetns{FakeHost::kNetns, *IfName::parse(name)}));
  }
  for (auto name = names.begin(); name != names.end(); ++name) {
    EXPECT_EQ(server_of(8080), *name);
    EXPECT_EQ(server_of(9090), *name);
    must(service().remove_endpoint({network::NetworkText{*name}, id_of(*name)}));
  }
  EXPECT_THAT(port_records(), IsEmpty());
}

// Docker sets the routes itself: what is known is when it attached them.
TEST_F(SharedPorts, WithoutRoutesOfOursTheHeirIsTheOneThatCameFirst) {
  std::vector<std::string> names;
  for (int number = 9; number > 2; --number) names.push_back(fmt::format("n{}", number));
  for (const std::string& name : names) {
    must(service().create_network({.name = NetworkName::parse(name).value()}));
    must(service().create_endpoint({.network = network::NetworkText{name},
                                    .id = "web-on-" + name,
                                    .container = "web",
                                    .runtime = "docker"}));
    must(service().join({network::NetworkText{name}, "web-on-" + name}, network::LeaveInHost{}));
    ++host_.now;
  }
  // Published in another order than attached, and served by the first that asks.
  for (auto name = names.rbegin(); name != names.rend(); ++name) {
    const std::vector<PortSpec> ports{port(8080)};
    must(service().publish({network::NetworkText{*name}, "web-on-" + *name}, ports));
  }
  EXPECT_EQ(server_of(8080), names.back());
  must(service().remove_endpoint({network::NetworkText{names.back()}, "web-on-" + names.back()}));
  names.pop_back();
  for (const std::string& name : names) {
    EXPECT_EQ(server_of(8080), name);
    must(service().remove_endpoint({network::NetworkText{name}, "web-on-" + name}));
  }
}

TEST_F(SharedPorts, TheDefaultRouteOfALaterNetworkIsAttachedAsItIs) {
  const auto first = must(attach("one", "web", {}));
  const auto second = must(attach("two", "web", {}));
  ASSERT_THAT(first.routes, SizeIs(1));
  ASSERT_THAT(second.routes, SizeIs(1));
  EXPECT_FALSE(first.routes[0].priority);
  EXPECT_TRUE(second.routes[0].priority);
  EXPECT_EQ(network::container_routes(endpoint("two", "web")), second.routes);
  for (const char* net : {"one", "two"})
    must(
        service().check(ref(net, "web"), {.netns_fd = FakeHost::kNetns, .ifname = ifname_on(net)}));
}

TEST_F(SharedPorts, AnotherContainerIsRefusedAndToldByWhom) {
  must(attach("one", "web", {port(8080)}));
  must(attach("two", "web", {port(8080)}));
  EXPECT_THAT(attach("three", "other", {port(8080)}).error().text,
              HasSubstr("port 8080/tcp is published by container web of network one"));
  must(service().remove_endpoint(ref("one", "web")));
  EXPECT_THAT(attach("three", "other", {port(8080)}).error().text,
              HasSubstr("port 8080/tcp is published by container web of network two"));
}

TEST_F(SharedPorts, WhoeverIsDeadServesNobody) {
  must(attach("one", "web", {port(8080)}));
  dies("one", "web");
  must(attach("two", "web", {port(8080)}));  // the container was started again
  EXPECT_EQ(server_of(8080), "two");
  EXPECT_THAT(endpoint("two", "web").standby_ports, IsEmpty());
}

TEST_F(SharedPorts, AHeirThatAKilledProcessLeftIsFoundByReconcile) {
  must(attach("one", "web", {port(8080)}));
  must(attach("two", "web", {port(8080)}));
  // As when the process dies between the transaction of the removal and the takeover.
  const Endpoint first = endpoint("one", "web");
  const std::string key = network::keys::port(network::Proto::kTcp, 8080);
  auto claims = must(network::decode_claims(must(host_.store.get(key))->value));
  std::erase_if(claims, [&](const network::PortClaim& claim) { return !claim.standby; });
  dies("one", "web");
  must(status_of(
      host_.store.commit({.puts = {{key, network::encode(claims)}},
                          .deletes = {network::keys::endpoint(first.network_id, first.id)}})));
  EXPECT_EQ(server_of(8080), "");
  must(service().reconcile());
  EXPECT_EQ(server_of(8080), "two");
  EXPECT_EQ(elements(), 1U);
}

TEST_F(SharedPorts, AnUnpublishedPortMovesToo) {
  must(attach("one", "web", {port(8080), port(8081)}));
  must(attach("two", "web", {port(8080), port(8081)}));
  must(service().change_ports(ref("one", "web"), {.remove = {{.host_port = 8080}}, .add = {}}));
  EXPECT_EQ(server_of(8080), "two");
  EXPECT_EQ(server_of(8081), "one");
  must(service().unpublish(ref("two", "web")));
  EXPECT_EQ(server_of(8080), "");
  must(service().unpublish(ref("one", "web")));
  EXPECT_EQ(server_of(8081), "");
  EXPECT_EQ(elements(), 0U);
  EXPECT_THAT(port_records(), IsEmpty());
}

TEST_F(SharedPorts, LeavingANetworkHandsThemOn) {
  must(attach("one", "web", {port(8080)}));
  must(attach("two", "web", {port(8080)}));
  must(service().leave(ref("one", "web")));
  EXPECT_EQ(server_of(8080), "two");
  must(service().leave(ref("two", "web")));
  EXPECT_EQ(elements(), 0U);
  EXPECT_THAT(port_records(), IsEmpty());
}

TEST_F(SharedPorts, AnAttachThatFailsLeavesNoClaim) {
  must(attach("one", "web", {port(8080)}));
  // The leases, the endpoint and the claims are committed by then.
  host_.store.fail_commit(2, FailingStore::When::kBefore);
  ASSERT_FALSE(attach("two", "web", {port(8080), port(9090)}));
  EXPECT_EQ(server_of(8080), "one");
  EXPECT_EQ(elements(), 1U);
  EXPECT_THAT(port_records(), SizeIs(1));
  expect_consistent();
}

TEST_F(SharedPorts, SinglePortsComeAndGoAndTheOthersStay) {
  must(attach("one", "web", {port(8080)}));
  must(service().change_ports(ref("one", "web"), {.remove = {}, .add = {port(8081), port(8082)}}));
  EXPECT_EQ(elements(), 3U);
  EXPECT_THAT(must(service().change_ports(ref("one", "web"),
                                          {.remove = {{.host_port = 8080, .host_port_end = 8081}},
                                           .add = {port(8080, 81)}})),
              SizeIs(2));
  EXPECT_EQ(elements(), 2U);
  expect_consistent();
  EXPECT_EQ(must(service().change_ports(
                     ref("one", "web"),
                     {.remove = {{.proto = network::Proto::kUdp, .host_port = 8080}}, .add = {}}))
                .size(),
            2U)
      << "the protocol is part of the choice";
}

}  // namespace
}  // namespace fairlead::testing
