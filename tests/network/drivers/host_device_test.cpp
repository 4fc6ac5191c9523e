// The host-device driver on the real kernel: a device of the host goes into a container and comes back.
#include "network/drivers/host_device.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/hash.h"
#include "tests/support/alone.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using network::Endpoint;
using network::Liveness;
using network::Network;
using ::testing::Contains;
using ::testing::HasSubstr;

class HostDevice : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    run_in("host",
           "ip link add card type veth peer name wire && ip link set wire up && "
           "ip addr add 10.40.0.9/24 dev card && ip addr add 192.0.2.9/32 dev card && "
           "ip link set card up && ip addr add 10.40.0.1/24 dev wire");
    driver_ = network::make_host_device_driver(links(), "boot-1");
    network_.options.mode = "host-device";
    network_.options.parent = ifname("card");
    const auto plan = must(driver_->plan(network_, {}));
    network_.links = plan.links;
    network_.mtu = plan.mtu;
  }
  void TearDown() override {
    driver_.reset();
    KernelFixture::TearDown();
  }
  void run_in(const std::string& where, const std::string& command) {
    in(where, [&] { ASSERT_EQ(std::system(command.c_str()), 0) << command; });
  }
  Endpoint endpoint(const std::string& name) {
    Endpoint endpoint{.id = name,
                      .network_id = network_.id,
                      .container = name,
                      .addresses = {cidr("10.40.0.2/24")},
                      .ifname = "eth0",
                      .netns_path = fmt::format("/proc/self/fd/{}", netns(name)),
                      .boot_id = "boot-1",
                      .joined = true};
    endpoint.links = must(driver_->plan_endpoint(network_, endpoint));
    return endpoint;
  }
  Result<network::EndpointLinks> attach(const Endpoint& endpoint, const std::string& container) {
    Rollback undo;
    auto made = driver_->attach(
        network_, endpoint, network::IntoNetns{netns(container), ifname("eth0")}, context_, undo);
    if (made) undo.commit();
    return made;
  }
  void expect_back() {
    const auto card = must(links().find(ifname("card")));
    EXPECT_TRUE(card.up);
    const auto addresses = must(links().addresses(card.index));
    EXPECT_THAT(addresses, Contains(cidr("10.40.0.9/24")));
    EXPECT_THAT(addresses, Contains(cidr("192.0.2.9/32")));
  }

  std::unique_ptr<network::Driver> driver_;
  NoService context_;
  Network network_{.id = std::string(64, 'a'),
                   .name = must(NetworkName::parse("nic")),
                   .subnets = {{.subnet = cidr("10.40.0.0/24"), .gateway = ip("10.40.0.1")}}};
};

TEST_F(HostDevice, GoesIntoTheContainerAndComesBackAsItWas) {
  const auto a = endpoint("a");
  const auto mac = must(links().find(ifname("card"))).mac;
  const auto made = must(attach(a, "a"));
  EXPECT_EQ(made.container_mac, mac);
  EXPECT_FALSE(links().find(ifname("card")));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
  must(driver_->check(network_, a, netns("a"), "eth0"));
  EXPECT_EQ(must(driver_->liveness(network_, a)), Liveness::kAlive);
  must(driver_->detach(network_, a));
  expect_back();
  EXPECT_EQ(must(driver_->liveness(network_, a)), Liveness::kGone);
  must(driver_->detach(network_, a));
  must(attach(endpoint("b"), "b"));
  EXPECT_TRUE(ping("b", "10.40.0.1"));
}

TEST_F(HostDevice, OneContainerAtATimeAndTheHolderIsNamed) {
  const auto a = endpoint("a"), b = endpoint("b");
  must(attach(a, "a"));
  const auto second = attach(b, "b");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kInUse);
  EXPECT_THAT(second.error().text, HasSubstr("container a has it"));
  Endpoint c{.id = "c", .network_id = network_.id};
  EXPECT_THAT(driver_->plan_endpoint(network_, c).error().text, HasSubstr("container a has it"));
}

TEST_F(HostDevice, AFailedAttachLeavesItInTheHost) {
  run_in("a", "ip link add eth0 type veth peer name other");
  const auto a = endpoint("a");
  const auto made = attach(a, "a");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kExists);
  expect_back();
}

TEST_F(HostDevice, ARuntimeMayTakeItItselfAndGiveItBack) {
  auto a = endpoint("a");
  a.ifname.clear();
  Rollback undo;
  const auto made =
      must(driver_->attach(network_, a, network::LeaveInHost{a.netns_path}, context_, undo));
  undo.commit();
  EXPECT_EQ(made.container_ifname.str(), "card");
  EXPECT_EQ(must(driver_->liveness(network_, a)), Liveness::kWaiting);
  run_in("host",
         fmt::format("ip link set card netns /proc/{}/fd/{} name eth7", ::getpid(), netns("a")));
  EXPECT_EQ(must(driver_->liveness(network_, a)), Liveness::kAlive);
  must(driver_->detach(network_, a));
  expect_back();
}

// As the kernel returns a card whose namespace has ended.
TEST_F(HostDevice, UnderAnotherNameInTheHostItIsFound) {
  const auto a = endpoint("a");
  must(attach(a, "a"));
  in("a", [&] {});
  const auto inside = must(links().inspect(netns("a"), ifname("eth0")));
  must(links().move_back(netns("a"), inside.link.index, ifname("dev7")));
  must(driver_->detach(network_, a));
  expect_back();
  EXPECT_FALSE(links().find(ifname("dev7")));
}

TEST_F(HostDevice, IsFoundByItsMacAddressAndGivenBackUnderItsName) {
  const auto mac = must(links().find(ifname("card"))).mac;
  network_.options.parent.reset();
  network_.options.parent_mac = mac;
  const auto plan = must(driver_->plan(network_, {}));
  EXPECT_EQ(plan.links.shown.at("parent"), "card");
  network_.links = plan.links;
  const auto a = endpoint("a");
  must(attach(a, "a"));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
  Endpoint b{.id = "b", .network_id = network_.id};
  EXPECT_THAT(driver_->plan_endpoint(network_, b).error().text, HasSubstr("container a has it"));
  must(driver_->detach(network_, a));
  expect_back();
  // Another boot may name it otherwise.
  run_in("host", "ip link set card down && ip link set card name card7");
  const auto c = endpoint("c");
  must(attach(c, "c"));
  EXPECT_EQ(network_.links.shown.at("parent"), "card7");
  must(driver_->detach(network_, c));
  EXPECT_TRUE(links().find(ifname("card7")));
}

TEST_F(HostDevice, NoneAndSeveralOfAMacAddressAreTold) {
  network_.options.parent.reset();
  network_.options.parent_mac = must(MacAddress::parse("02:00:00:00:00:99"));
  EXPECT_THAT(driver_->plan(network_, {}).error().text,
              HasSubstr("no interface of the host has the MAC address 02:00:00:00:00:99"));
  run_in("host",
         "ip link add twin0 type veth peer name twin1 && "
         "ip link set twin0 address 02:00:00:00:00:99 && "
         "ip link set twin1 address 02:00:00:00:00:99");
  EXPECT_THAT(driver_->plan(network_, {}).error().text,
              ::testing::AllOf(HasSubstr("several interfaces"), HasSubstr("twin0"),
                               HasSubstr("twin1"), HasSubstr("-o parent=IFACE")));
}

// sysfs as it is with a card of two ports, one of one, and one that a virtual machine has.
TEST_F(HostDevice, IsFoundByItsPciAddress) {
  const auto sysfs = std::filesystem::temp_directory_path() / ("fairlead-pci-" + random_hex(8));
  const auto device = [&](const std::string& address) {
    return sysfs / "bus/pci/devices" / address;
  };
  for (const char* name :
       {"0000:03:00.0/net/card", "0000:04:00.0/net/card", "0000:04:00.0/net/wire"})
    std::filesystem::create_directories(device(name));
  std::filesystem::create_directories(device("0000:05:00.0"));
  std::filesystem::create_directory_symlink("../../drivers/vfio-pci",
                                            device("0000:05:00.0/driver"));
  driver_ = network::make_host_device_driver(links(), "boot-1", sysfs.string());
  network_.options.parent.reset();
  const auto plan = [&](const char* address) {
    network_.options.parent_pci = address;
    return driver_->plan(network_, {});
  };
  network_.links = must(plan("0000:03:00.0")).links;
  const auto a = endpoint("a");
  must(attach(a, "a"));
  EXPECT_TRUE(ping("a", "10.40.0.1"));
  std::filesystem::remove(device("0000:03:00.0/net/card"));  // as the kernel shows the host's alone
  Endpoint b{.id = "b", .network_id = network_.id};
  EXPECT_THAT(driver_->plan_endpoint(network_, b).error().text, HasSubstr("container a has it"));
  must(driver_->detach(network_, a));
  expect_back();
  EXPECT_THAT(plan("0000:04:00.0").error().text, HasSubstr("several interfaces"));
  EXPECT_THAT(
      plan("0000:05:00.0").error().text,
      HasSubstr("no interface of the host has the PCI address 0000:05:00.0 (driver vfio-pci)"));
  EXPECT_THAT(plan("0000:06:00.0").error().text, HasSubstr("there is no PCI device 0000:06:00.0"));
  std::filesystem::remove_all(sysfs);
}

TEST_F(HostDevice, IsNamedOnce) {
  network::NetworkSpec spec{.name = network_.name, .options = network_.options};
  spec.options.parent_pci = "0000:03:00.0";
  EXPECT_THAT(driver_->validate(spec).error().text, HasSubstr("named more than once"));
  spec.options.parent.reset();
  must(driver_->validate(spec));
  spec.options.parent_pci.reset();
  EXPECT_FALSE(driver_->validate(spec));
}

TEST_F(HostDevice, WhatTheHostNeedsIsRefused) {
  const auto said = [&](const std::string& name) {
    Network other = network_;
    other.options.parent = ifname(name);
    return driver_->plan(other, {}).error().text;
  };
  EXPECT_THAT(said("uplink0"), HasSubstr("the host's own way out"));
  EXPECT_THAT(said("lo"), HasSubstr("has to stay in the host"));
  EXPECT_THAT(said("nothing"), HasSubstr("nothing"));
  run_in("host", "ip link add br9 type bridge && ip link set wire master br9");
  EXPECT_THAT(said("wire"), HasSubstr("is a port of another one"));
  EXPECT_THAT(said("br9"), HasSubstr("has to stay in the host"));
  const Network same = network_;
  EXPECT_THAT(driver_->plan(network_, {&same, 1}).error().text, HasSubstr("network nic already"));
}

}  // namespace
}  // namespace fairlead::testing
