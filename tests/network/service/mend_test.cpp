// What mend() repairs after events of the kernel, and what it leaves alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstdlib>

#include "network/drivers/bridge.h"
#include "network/service/keys.h"
#include "network/service/records.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using network::bridge_of;
using network::Damage;
using network::host_side_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Mend : public ServiceWorld {
 protected:
  static void ip_command(const std::string& command) {
    ASSERT_EQ(std::system(("ip " + command).c_str()), 0) << command;
  }
  network::ReconcileReport mend(const Damage& damage) {
    const auto report = must(core_->mender().mend(damage));
    EXPECT_THAT(report.failures, IsEmpty());
    return report;
  }
  // Damage of the link and what mend() says of it.
  std::vector<std::string> mend_link(const std::string& link, const network::Network& network,
                                     const std::string& what) {
    return mend({.links = {{link, bridge_of(network).str(), what}}}).actions;
  }
};

TEST_F(Mend, AnAlteredTableIsRenderedAndOneThatIsRightIsNot) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(8080, 80)}));
  const auto server = serve_tcp("web", 80);
  EXPECT_THAT(mend({.table = true}).actions, IsEmpty());
  must(firewall_->run("flush ruleset"));
  EXPECT_THAT(mend({.settings = {"up0"}}).actions, IsEmpty());
  EXPECT_FALSE(ask_tcp("outside", "203.0.113.2", 8080));
  EXPECT_THAT(mend({.table = true}).actions, ElementsAre(HasSubstr("the table is missing")));
  EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8080));
}

TEST_F(Mend, AClientThatKeepsItsUdpPortIsServedAgain) {
  create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(5353, 53, network::Proto::kUdp)}));
  const auto server = serve_udp("web", 53);
  auto client = udp_client("outside", "203.0.113.2", 5353);
  EXPECT_TRUE(client.ask());
  auto early = udp_client("outside", "203.0.113.2", 5353);
  must(firewall_->run("flush ruleset"));
  EXPECT_FALSE(early.ask());
  mend({.table = true});
  EXPECT_TRUE(early.ask());
  EXPECT_TRUE(client.ask());
  must(firewall_->run("flush ruleset"));
  mend({.table = true});
  const kernel::FlowFilter of_port{.proto = IPPROTO_UDP, .destination_port = 5353};
  EXPECT_EQ(must(conntrack_->forget({&of_port, 1})), 2U) << "what was led to the container goes on";
}

// What that call changes may be missing in the table, so it has to be looked at again.
TEST_F(Mend, ATableIsRenderedThoughACallIsAtWorkAndIsThenComparedAgain) {
  const auto network = create("shop", "10.20.0.0/24");
  must(firewall_->run("flush ruleset"));
  const auto busy = must(locks_->lock("network-" + network.id, std::chrono::seconds(1)));
  const auto report = must(core_->mender().mend({.table = true}));
  EXPECT_THAT(report.actions, ElementsAre(HasSubstr("the table is missing")));
  EXPECT_THAT(report.failures, ElementsAre(HasSubstr("busy")));
}

// Creation on a busy host takes longer than mend() waits, and its own new bridge is what the kernel
// tells of.
TEST_F(Mend, ANetworkThatIsBeingCreatedIsLeftToWhoCreatesIt) {
  const auto made = create("shop", "10.20.0.0/24");
  const std::string key = network::keys::network(made.id);
  network::Network creating = made;
  creating.phase = network::Phase::kCreating;
  const auto put = [&](const network::Network& network) {
    must(store_->commit({.puts = {{key, network::encode(network)}}}));
  };
  put(creating);
  const std::string bridge = bridge_of(made).str();
  const Damage damage{.links = {{bridge, bridge, "went down"}}};
  {
    const auto creation = must(locks_->lock("networks", std::chrono::seconds(1)));
    EXPECT_THAT(must(core_->mender().mend(damage)).actions, IsEmpty());
  }
  EXPECT_THAT(mend(damage).actions, IsEmpty());  // reconcile() takes away what a crash has left
  put(made);
  must(attach_to("shop", "web"));  // its record, addresses and links are there
  EXPECT_TRUE(ping_soon("host", "10.20.0.2"));
}

TEST_F(Mend, WithoutNetworksNothingIsMade) {
  EXPECT_THAT(mend({.table = true, .forwarding = true, .settings = {"up0"}}).actions, IsEmpty());
  EXPECT_EQ(must(firewall_->list_text()), "");
}

TEST_F(Mend, APortComesBackIntoItsBridge) {
  const auto network = create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web"));
  const std::string name = host_side_of(web.endpoint).str();
  EXPECT_THAT(mend_link(name, network, "went down"), IsEmpty());  // as its bridge wants it
  for (const char* change : {"nomaster", "down"}) {
    ip_command("link set " + name + " " + change);
    EXPECT_FALSE(ping("host", address_of(web))) << change;
    EXPECT_THAT(mend_link(name, network, "was touched"),
                ElementsAre(HasSubstr("put interface " + name + " back")));
    EXPECT_TRUE(ping_soon("host", address_of(web))) << change;
  }
}

TEST_F(Mend, PortsOfNobodyAndOfContainersThatAreGoneAreLeftAlone) {
  const auto network = create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web"));
  const kernel::Link bridge = must(links().find(bridge_of(network)));
  must(links().create_veth(
      {.host_name = ifname("mine"), .peer_name = ifname("minepeer"), .master = bridge.index}));
  ip_command("link set mine nomaster");
  EXPECT_THAT(mend_link("mine", network, "left its bridge"), IsEmpty());
  EXPECT_EQ(must(links().find(ifname("mine"))).master, 0);
  must(links().remove(host_side_of(web.endpoint)));
  EXPECT_THAT(mend_link(host_side_of(web.endpoint).str(), network, "went down"), IsEmpty());
  EXPECT_THAT(mend({.links = {{"eth7", "br-other", "went down"}}}).actions, IsEmpty());
}

TEST_F(Mend, ABridgeGetsBackWhatItHad) {
  const auto network = create("shop", "10.20.0.0/24");
  const auto web = must(attach_to("shop", "web", {port(8080, 80)}));
  const auto server = serve_tcp("web", 80);
  const std::string name = bridge_of(network).str();
  const kernel::Link before = must(links().find(bridge_of(network)));
  for (const std::string& change :
       {"address flush dev " + name, "link set " + name + " down", "link set " + name + " mtu 1400",
        "link set " + name + " address 02:00:00:00:00:99", "link delete " + name}) {
    ip_command(change);
    EXPECT_THAT(mend_link(name, network, "was touched"),
                ::testing::Contains(HasSubstr("mended bridge " + name)))
        << change;
    const kernel::Link after = must(links().find(bridge_of(network)));
    EXPECT_EQ(after.mtu, before.mtu);
    EXPECT_EQ(after.mac, before.mac);
    EXPECT_TRUE(after.route_localnet);
    EXPECT_TRUE(ask_tcp("outside", "203.0.113.2", 8080)) << change;
  }
}

TEST_F(Mend, OnlyTheDamagedNetworkIsTouched) {
  const auto shop = create("shop", "10.20.0.0/24"), lab = create("lab", "10.21.0.0/24");
  for (const network::Network& each : {shop, lab})
    ip_command("link set " + bridge_of(each).str() + " down");
  mend_link(bridge_of(lab).str(), lab, "went down");
  EXPECT_FALSE(must(links().find(bridge_of(shop))).up);
  EXPECT_TRUE(must(links().find(bridge_of(lab))).up);
}

TEST_F(Mend, ATunnelIsPutBack) {
  join_cluster();
  auto wanted = spec("wide", "10.30.0.0/24");
  wanted.options.mode = "overlay";
  const auto network = must(service_->create_network(wanted));
  const IfName device = network::overlay_device(*network.overlay);
  const kernel::Link bridge = must(links().find(bridge_of(network)));
  for (const std::string& change :
       {"link set " + device.str() + " down", "link set " + device.str() + " nomaster",
        "link delete " + device.str()}) {
    ip_command(change);
    EXPECT_THAT(mend_link(device.str(), network, "was touched"),
                ElementsAre(HasSubstr("mended interface " + device.str())));
    const kernel::Link after = must(links().find(device));
    EXPECT_EQ(after.master, bridge.index) << change;
    EXPECT_TRUE(after.up) << change;
  }
}

TEST_F(Mend, SettingsOfTheHostComeBack) {
  const auto network = create("shop", "10.20.0.0/24");
  must(attach_to("shop", "web", {port(8080, 80)}));
  const std::string localnet =
      fmt::format("net/ipv4/conf/{}/route_localnet", bridge_of(network).str());
  set_sysctl("host", "net/ipv4/ip_forward", "0");
  mend({.forwarding = true});
  EXPECT_EQ(sysctl("host", "net/ipv4/ip_forward"), "1");
  set_sysctl("host", localnet, "0");
  mend({.settings = {"fl-other"}});
  EXPECT_EQ(sysctl("host", localnet), "0");
  mend({.settings = {bridge_of(network).str()}});
  EXPECT_EQ(sysctl("host", localnet), "1");
}

}  // namespace
}  // namespace fairlead::testing
