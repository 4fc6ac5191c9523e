// Drivers on a parent interface: over fakes what they decide and refuse.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>

#include "network/drivers/ipvlan.h"
#include "network/drivers/macvlan.h"
#include "tests/support/alone.h"
#include "tests/support/child_program.h"
#include "tests/support/fake_links.h"
#include "tests/support/kernel_fixture.h"

namespace fairlead::testing {
namespace {

using network::Endpoint;
using network::Network;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OnAParent : public ::testing::Test {
 protected:
  OnAParent() {
    links_.put({.name = "eth1", .mac = MacAddress::from_hash("eth1"), .mtu = 1500, .up = true});
  }

  static Network on(const std::string& mode, const std::string& parent,
                    std::map<std::string, std::string> own = {}, char id = 'a') {
    Network network{.id = std::string(64, id),
                    .name = must(NetworkName::parse(std::string("n") + id))};
    network.options.mode = mode;
    network.options.parent = ifname(parent);
    network.options.driver = std::move(own);
    return network;
  }
  network::Driver& driver(const Network& network) {
    return network.options.mode == "ipvlan" ? *ipvlan_ : *macvlan_;
  }
  Network planned(Network network, std::span<const Network> others = {}) {
    const auto plan = must(driver(network).plan(network, others));
    network.links = plan.links;
    network.mtu = plan.mtu;
    return network;
  }
  void ensure(Network& network) {
    Rollback undo;
    must(driver(network).ensure(network, undo));
    undo.commit();
  }
  std::string refusal(const Network& network, std::span<const Network> others = {}) {
    const auto plan = driver(network).plan(network, others);
    return plan ? std::string() : plan.error().text;
  }

  FakeLinks links_;
  NoService context_;
  std::unique_ptr<network::Driver> macvlan_ = network::make_macvlan_driver(links_, "boot-1");
  std::unique_ptr<network::Driver> ipvlan_ = network::make_ipvlan_driver(links_, "boot-1");
};

TEST_F(OnAParent, IpvlanIsMadeAsTheOptionsSay) {
  Network network =
      planned(on("ipvlan", "eth1", {{"ipvlan_mode", "l3s"}, {"ipvlan_flag", "private"}}));
  Endpoint endpoint{.id = "web", .network_id = network.id, .addresses = {cidr("10.9.0.2/24")}};
  endpoint.links = must(ipvlan_->plan_endpoint(network, endpoint));
  Rollback undo;
  const auto made =
      must(ipvlan_->attach(network, endpoint, network::LeaveInHost{}, context_, undo));
  undo.commit();
  EXPECT_EQ(made.container_mac, MacAddress::from_hash("eth1"));
  EXPECT_EQ(links_.last_ipvlan().mode, kernel::IpvlanMode::kL3s);
  EXPECT_EQ(links_.last_ipvlan().flag, kernel::IpvlanFlag::kPrivate);
}

TEST_F(OnAParent, IpvlanRefusesWhatTheKernelCannotDo) {
  EXPECT_THAT(refusal(on("ipvlan", "eth1")), IsEmpty());
  const Network first = planned(on("ipvlan", "eth1", {{"ipvlan_mode", "l3"}}, 'a'));
  EXPECT_THAT(refusal(on("ipvlan", "eth1", {}, 'b'), {&first, 1}),
              HasSubstr("parent of network na"));
  EXPECT_THAT(refusal(on("ipvlan", "eth1", {{"ipvlan_mode", "l3"}}, 'b'), {&first, 1}), IsEmpty());
  Endpoint endpoint{.id = "web", .mac = MacAddress::from_hash("mine")};
  EXPECT_THAT(ipvlan_->plan_endpoint(first, endpoint).error().text, HasSubstr("use mode macvlan"));
  links_.lack("ipvlan");
  EXPECT_THAT(refusal(on("ipvlan", "eth1")), HasSubstr("no ipvlan"));
}

TEST_F(OnAParent, WrongOptionsAreNamed) {
  const auto said = [&](std::map<std::string, std::string> own) {
    return ipvlan_->validate({.options = on("ipvlan", "eth1", std::move(own)).options})
        .error()
        .text;
  };
  EXPECT_THAT(said({{"ipvlan_mode", "l4"}}), HasSubstr("none of l2, l3, l3s"));
  EXPECT_THAT(said({{"ipvlan_flag", "passthru"}}), HasSubstr("none of bridge, private, vepa"));
  EXPECT_THAT(said({{"ipvlan_mod", "l2"}}), HasSubstr("ipvlan_mode"));
  network::NetworkSpec limited{.options = on("ipvlan", "eth1").options};
  limited.options.port_max_connections = 5;
  EXPECT_THAT(ipvlan_->validate(limited).error().text, HasSubstr("\"port_max_connections\""));
}

TEST_F(OnAParent, AMissingVlanIsMadeWithTheNetworkAndRemovedWithIt) {
  for (const char* mode : {"macvlan", "ipvlan"}) {
    Network network = planned(on(mode, "eth1.10"));
    EXPECT_THAT(driver(network).missing(network), ElementsAre("VLAN eth1.10"));
    ensure(network);
    const auto vlan = must(links_.find(ifname("eth1.10")));
    EXPECT_EQ(vlan.kind, "vlan");
    EXPECT_THAT(driver(network).missing(network), IsEmpty());
    EXPECT_THAT(driver(network).links_of(network), ElementsAre(ifname("eth1.10")));
    must(driver(network).remove(network));
    EXPECT_FALSE(links_.find(ifname("eth1.10")));
    must(driver(network).remove(network));
  }
}

TEST_F(OnAParent, AVlanOfTheHostStays) {
  links_.put({.name = "eth1.10", .kind = "vlan", .mtu = 1500, .up = true});
  Network network = planned(on("macvlan", "eth1.10"));
  ensure(network);
  must(macvlan_->remove(network));
  EXPECT_TRUE(links_.find(ifname("eth1.10")));
}

TEST_F(OnAParent, AVlanThatWasMadeBelongsToOneNetwork) {
  Network first = planned(on("macvlan", "eth1.10"));
  ensure(first);
  EXPECT_THAT(refusal(on("ipvlan", "eth1.10", {}, 'b'), {&first, 1}),
              HasSubstr("ip link add link eth1 name eth1.10 type vlan id 10"));
}

TEST_F(OnAParent, ANameThatIsNoVlanIsNotMade) {
  for (const char* name : {"eth1.0", "eth1.4095", "eth1.x", "eth1.", ".10", "eth2.10", "eth9"})
    EXPECT_THAT(refusal(on("macvlan", name)), HasSubstr("does not exist")) << name;
  links_.lack("vlan");
  EXPECT_THAT(refusal(on("macvlan", "eth1.10")), HasSubstr("8021q"));
}

// With packets, where the kernel has them.
class OnAParentInTheKernel : public KernelFixture {
 protected:
  void SetUp() override {
    KernelFixture::SetUp();
    if (IsSkipped()) return;
    for (const char* kind : {"vlan", "ipvlan"})
      if (!must(links().has_kind(kind))) GTEST_SKIP() << "this kernel has no " << kind;
    const auto lan = must(links().create_veth({.host_name = ifname("lan0"),
                                               .peer_name = ifname("lan0"),
                                               .peer_netns_fd = netns("switch"),
                                               .peer_mac = MacAddress::from_hash("switch")}));
    must(links().configure_container({.netns_fd = netns("switch"),
                                      .ifindex = lan.peer_index,
                                      .name = ifname("lan0"),
                                      .addresses = {}}));
  }
  void attach(network::Driver& driver, Network& network, const std::string& name,
              const std::string& address) {
    Endpoint endpoint{.id = name, .network_id = network.id, .addresses = {cidr(address)}};
    if (driver.traits().macs) endpoint.mac = MacAddress::for_ip(endpoint.addresses[0].address());
    endpoint.links = must(driver.plan_endpoint(network, endpoint));
    Rollback undo;
    must(driver.attach(network, endpoint, network::IntoNetns{netns(name), ifname("eth0")}, context_,
                       undo));
    undo.commit();
  }
  NoService context_;
};

TEST_F(OnAParentInTheKernel, ContainersMeetOnAVlanThatWasMade) {
  int number = 0;
  for (const auto& [mode, own] :
       std::vector<std::pair<std::string, std::map<std::string, std::string>>>{
           {"macvlan", {}},
           {"ipvlan", {{"ipvlan_mode", "l2"}}},
           {"ipvlan", {{"ipvlan_mode", "l3"}}},
           {"ipvlan", {{"ipvlan_mode", "l3s"}}}}) {
    const auto driver = mode == "ipvlan" ? network::make_ipvlan_driver(links(), "boot-1")
                                         : network::make_macvlan_driver(links(), "boot-1");
    Network network{.id = std::string(64, 'a'), .name = must(NetworkName::parse("lan"))};
    network.options.mode = mode;
    network.options.parent = ifname("lan0.10");
    network.options.driver = own;
    const auto plan = must(driver->plan(network, {}));
    network.links = plan.links;
    network.mtu = plan.mtu;
    const std::string one = fmt::format("one{}", number), two = fmt::format("two{}", number);
    attach(*driver, network, one, fmt::format("10.44.{}.2/24", number));
    attach(*driver, network, two, fmt::format("10.44.{}.3/24", number));
    EXPECT_TRUE(ping(one, fmt::format("10.44.{}.3", number))) << mode;
    must(driver->remove(network));
    EXPECT_FALSE(links().find(ifname("lan0.10")));
    ++number;
  }
}

Network on_a_vlan(network::Driver& driver, const std::string& vlan) {
  Network network{.id = std::string(64, 'a'), .name = must(NetworkName::parse("lan"))};
  network.options.mode = "macvlan";
  network.options.parent = ifname(vlan);
  const auto plan = must(driver.plan(network, {}));
  network.links = plan.links;
  network.mtu = plan.mtu;
  return network;
}

// What the next test starts and kills, in its own network namespace.
constexpr const char* kMakeAVlan = "--make-a-vlan";
void make_a_vlan(const std::string& name) {
  const auto links = must(kernel::open_netlink_links(kernel::RemovalMode::kThread));
  const auto driver = network::make_macvlan_driver(*links, "boot-1");
  Network network = on_a_vlan(*driver, name);
  Rollback undo;
  must(driver->ensure(network, undo));
}

TEST_F(OnAParentInTheKernel, AVlanOfAProcessThatWasKilledIsTakenAwayOrUsed) {
  const auto driver = network::make_macvlan_driver(links(), "boot-1");
  const std::string itself = std::filesystem::read_symlink("/proc/self/exe").string();
  for (const bool again : {false, true}) {
    const std::string vlan = again ? "lan0.11" : "lan0.10";
    Network network = on_a_vlan(*driver, vlan);
    const pid_t pid = start_program(
        {"env", "FAIRLEAD_FAULT=parent.vlan.made", itself, kMakeAVlan, vlan}, "/dev/null");
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    ASSERT_TRUE(links().find(ifname(vlan)));
    if (again) {
      Rollback undo;
      must(driver->ensure(network, undo));
      undo.commit();
    }
    must(driver->remove(network));
    EXPECT_FALSE(links().find(ifname(vlan)));
  }
}

}  // namespace

// In place of GoogleTest's own.
int run(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == kMakeAVlan) {
    make_a_vlan(argv[2]);
    return 0;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}

}  // namespace fairlead::testing

int main(int argc, char** argv) { return fairlead::testing::run(argc, argv); }
