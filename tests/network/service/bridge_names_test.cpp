// Which bridges a network may be on, and which of them have the gateway's address.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

class BridgeNames : public ServiceWorld {
 protected:
  std::string refusal(const std::string& bridge) {
    auto wanted = spec("shop", "10.74.0.0/24");
    wanted.options.bridge = ifname(bridge);
    const auto made = service_->create_network(wanted);
    if (!made) return made.error().text;
    must(service_->remove_network(network::NetworkText{"shop"}));
    return "";
  }
  void run(const std::string& command) {
    in("host", [&] { ASSERT_EQ(std::system(command.c_str()), 0) << command; });
  }
};

TEST_F(BridgeNames, OfOtherProgramsAreTheirs) {
  for (const auto& [name, master] :
       std::map<std::string, std::string>{{"docker0", "Docker"},
                                          {"br-0123456789ab", "Docker"},
                                          {"virbr0", "libvirt"},
                                          {"lxdbr0", "LXC"},
                                          {"podman1", "another container runtime"},
                                          {"cni0", "another"}}) {
    EXPECT_NE(refusal(name).find("is " + master), std::string::npos) << name;
    run("ip link add " + name + " type bridge");
    EXPECT_NE(refusal(name).find("leave the option \"bridge\" out"), std::string::npos) << name;
  }
  EXPECT_EQ(leftovers(), "");
}

TEST_F(BridgeNames, OfPodmanAreThoseOfItsOwnNetworks) {
  auto wanted = spec("shop", "10.74.0.0/24");
  wanted.options.bridge = ifname("podman1");
  wanted.labels[network::kMadeForLabel] = "podman";
  must(service_->create_network(wanted));
  run("ip link show podman1");
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(leftovers(), "");
}

TEST_F(BridgeNames, OfTheAdminAreJoined) {
  for (const char* name : {"br0", "br-lan", "br-0123", "virbridge", "podmanlan"}) {
    run(std::string("ip link add ") + name + " type bridge");
    EXPECT_EQ(refusal(name), "") << name;
  }
}

TEST_F(BridgeNames, AreNotThoseOfOtherLinks) {
  run("ip link add card7 type veth peer name card8");
  EXPECT_NE(refusal("card7").find("is of the kind veth, not a bridge"), std::string::npos);
}

TEST_F(BridgeNames, AreNotThoseOfOtherNetworks) {
  auto other = spec("other", "10.75.0.0/24");
  other.options.bridge = ifname("br7");
  must(service_->create_network(other));
  EXPECT_NE(refusal("br7").find("belongs to network other"), std::string::npos);
}

// Another router on the bridge is the gateway.
TEST_F(BridgeNames, WithoutItsAddressTheBridgeIsNoGateway) {
  auto wanted = spec("shop", "10.74.0.0/24");
  wanted.options.inhibit_ipv4 = true;
  wanted.options.bridge = ifname("br7");
  wanted.ipv6 = true;
  must(service_->create_network(wanted));
  const auto attached = must(attach_to("shop", "web"));
  EXPECT_EQ(attached.endpoint.gateways.at(0), ip("10.74.0.1"));
  in("host", [] {
    EXPECT_NE(std::system("ip -4 address show dev br7 | grep -q inet"), 0);
    EXPECT_EQ(std::system("ip -6 address show dev br7 | grep -q 'inet6 fd'"), 0);
  });
  EXPECT_FALSE(ping("web", "10.74.0.1", std::chrono::milliseconds(200)));
}

}  // namespace
}  // namespace fairlead::testing
