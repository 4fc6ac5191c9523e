// The host forwards for Fairlead's networks, and is no router between "outside" and "lab", which are
// on interfaces that are not Fairlead's.
#include <gmock/gmock.h>

#include "network/nat/nat.h"
#include "tests/network/service/service_world.h"

namespace fairlead::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Forwarding : public ServiceWorld {
 protected:
  void SetUp() override {
    before_forwarding_ = [this](Family family) -> Status {
      TRY_STATUS(core_->before_forwarding(family));
      // The rule comes first.
      EXPECT_EQ(sysctl("host", setting(family)), "0");
      EXPECT_THAT(held(), Contains(family == Family::kV4 ? "ipv4" : "ipv6"));
      return {};
    };
    ServiceWorld::SetUp();
    if (IsSkipped()) return;
    set_sysctl("host", "net/ipv6/conf/default/accept_dad", "0");
    const auto veth = must(links().create_veth({.host_name = ifname("lab0"),
                                                .peer_name = ifname("eth0"),
                                                .peer_netns_fd = netns("lab"),
                                                .host_ipv6 = true}));
    must(links().configure_container(
        {.netns_fd = netns("lab"),
         .ifindex = veth.peer_index,
         .name = ifname("eth0"),
         .addresses = {cidr("10.9.0.2/24"), cidr("fd09::2/64")},
         .routes = {{.destination = cidr("0.0.0.0/0"), .via = ip("10.9.0.1")},
                    {.destination = cidr("::/0"), .via = ip("fd09::1")}}}));
    run("ip addr add 10.9.0.1/24 dev lab0 && ip addr add fd09::1/64 dev lab0 nodad");
    in("outside", [] {
      run("ip route add 10.9.0.0/24 via 203.0.113.2; ip -6 route add fd09::/64 via 2001:db8::2");
    });
    server_ = serve_tcp("lab", 80);
  }
  static void run(const std::string& command) {
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  static std::string setting(Family family) {
    return family == Family::kV4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding";
  }
  void create_dual() {
    auto wanted = spec("shop", "10.20.0.0/24");
    wanted.ipv6 = true;
    must(service_->create_network(wanted));
  }
  // The families that the firewall's table does not route.
  std::vector<std::string> held() {
    std::vector<std::string> families;
    const auto elements = firewall_->elements("not_routed");
    if (!elements) return families;
    for (const auto& [family, name] :
         {std::pair(Family::kV4, "ipv4"), std::pair(Family::kV6, "ipv6")}) {
      const auto wanted = fairlead::nat::elements_of({.host = {.not_routed = {family}}});
      if (std::ranges::find(*elements, wanted.front()) != elements->end())
        families.emplace_back(name);
    }
    return families;
  }
  bool passes(const std::string& to) {
    return ask_tcp("outside", to, 80, std::chrono::milliseconds(300)).has_value();
  }
  void expect_held(const std::string& when) {
    EXPECT_EQ(sysctl("host", setting(Family::kV4)), "1");
    EXPECT_FALSE(passes("10.9.0.2")) << when;
    EXPECT_FALSE(passes("fd09::2")) << when;
  }

  std::unique_ptr<Service> server_;
};

TEST_F(Forwarding, IsNotForStrangers) {
  create_dual();
  expect_held("with the network");
  must(attach_to("shop", "web"));
  EXPECT_TRUE(ping("web", "203.0.113.1"));
  EXPECT_TRUE(ask_tcp("web", "10.9.0.2", 80));
  start_service();
  must(service_->reconcile());
  expect_held("after a restart");
  must(firewall_->run("flush ruleset"));
  EXPECT_TRUE(passes("10.9.0.2")) << "the control";
  must(service_->reconcile());
  expect_held("after a flush");
  must(service_->remove_endpoint(ref("shop", "web")));
  must(service_->remove_network(network::NetworkText{"shop"}));
  expect_held("after the last network: forwarding stays on");
  EXPECT_THAT(must(service_->reconcile()).actions, ::testing::IsEmpty());
  EXPECT_THAT(must(service_->status()).problems, ::testing::IsEmpty());
  must(firewall_->run("flush ruleset"));
  must(core_->mender().mend({.table = true}));
  expect_held("after a flush without networks");
  EXPECT_THAT(must(service_->reconcile()).actions, IsEmpty());
}

TEST_F(Forwarding, OfAFamilyThatWasOnBeforeIsLeftAlone) {
  set_sysctl("host", setting(Family::kV6), "1");
  create_dual();
  EXPECT_FALSE(passes("10.9.0.2"));
  EXPECT_TRUE(passes("fd09::2"));
  EXPECT_THAT(held(), ::testing::ElementsAre("ipv4"));
}

TEST_F(Forwarding, ThatWasOnBeforeLeavesNoTableBehind) {
  for (const Family family : {Family::kV4, Family::kV6}) set_sysctl("host", setting(family), "1");
  create_dual();
  EXPECT_TRUE(passes("10.9.0.2"));
  EXPECT_TRUE(passes("fd09::2"));
  must(service_->remove_network(network::NetworkText{"shop"}));
  EXPECT_EQ(leftovers(), "");
}

TEST_F(Forwarding, IsForAllWhereTheConfigurationAllowsIt) {
  allow_forwarding_ = true;
  before_forwarding_ = [this](Family family) { return core_->before_forwarding(family); };
  start_service();
  create_dual();
  EXPECT_TRUE(passes("10.9.0.2"));
  EXPECT_TRUE(passes("fd09::2"));
  allow_forwarding_ = false;  // and no more: it was Fairlead who switched it on
  start_service();
  EXPECT_THAT(must(service_->reconcile()).actions, Contains(HasSubstr("firewall table")));
  expect_held("after the configuration was changed");
}

// macvlan stands for a network card.
TEST_F(Forwarding, LetsACardThatIsPluggedInLaterHearItsRouters) {
  const auto plug = [&](const std::string& name) {
    run(fmt::format("ip link add link uplink0 name {} type macvlan", name));
  };
  const auto accept_ra = [&](const std::string& name) {
    return sysctl("host", fmt::format("net/ipv6/conf/{}/accept_ra", name));
  };
  create_dual();
  plug("wan0");
  must(core_->mender().mend({.settings = {"wan0"}}));
  EXPECT_EQ(accept_ra("wan0"), "2");
  plug("wan1");
  run("ip link set wan1 name wan2");  // as udev does
  must(service_->reconcile());
  EXPECT_EQ(accept_ra("wan2"), "2");
  EXPECT_EQ(accept_ra("lab0"), "1");
}

TEST_F(Forwarding, ThatWasOnBeforeChangesNoOtherCard) {
  set_sysctl("host", setting(Family::kV6), "1");
  create_dual();
  run("ip link add link uplink0 name wan0 type macvlan");
  must(service_->reconcile());
  EXPECT_EQ(sysctl("host", "net/ipv6/conf/wan0/accept_ra"), "1");
}

TEST_F(Forwarding, IsJudgedAnewInEachBoot) {
  create_dual();
  start_service("the next boot");  // forwarding is on: others have done it
  must(service_->reconcile());
  EXPECT_TRUE(passes("10.9.0.2"));
  for (const Family family : {Family::kV4, Family::kV6}) set_sysctl("host", setting(family), "0");
  must(core_->mender().mend({.forwarding = true}));
  expect_held("after Fairlead has switched it on");
}

TEST_F(Forwarding, IsNotSwitchedOnWithoutTheRule) {
  before_forwarding_ = [](Family) {
    return Status(fail(Code::kIo, "nftables: input/output error"));
  };
  start_service();
  EXPECT_FALSE(service_->create_network(spec("shop", "10.20.0.0/24")));
  EXPECT_EQ(sysctl("host", setting(Family::kV4)), "0");
  EXPECT_EQ(leftovers(), "");
}

}  // namespace
}  // namespace fairlead::testing
