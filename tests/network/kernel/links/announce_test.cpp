#include <gtest/gtest.h>

#include <functional>

#include "network/kernel/links/links.h"
#include "tests/network/kernel/links/links_fixture.h"

namespace fairlead::testing {
namespace {

class Announcements : public Links {
 protected:
  // A container takes over the addresses of another one under a new MAC, while a neighbour knows
  // the old one.
  void take_over(const std::function<void(const Port&)>& announce) {
    add_bridge("fl-one", {"10.1.0.1/24", "fd00:1::1/64"});
    attach("peer", "fl-one", {"10.1.0.2/24", "fd00:1::2/64"});
    const Port old =
        attach("old", "fl-one", {"10.1.0.3/24", "fd00:1::3/64"}, "eth0", mac("02:00:00:00:00:01"));
    for (const char* who : {"peer", "host"})
      for (const char* to : {"10.1.0.3", "fd00:1::3"})
        ASSERT_TRUE(ping(who, to)) << who << " " << to;
    must(links().remove(old.host_name));
    announce(
        attach("new", "fl-one", {"10.1.0.3/24", "fd00:1::3/64"}, "eth0", mac("02:00:00:00:00:02")));
  }
  static MacAddress mac(const char* text) { return must(MacAddress::parse(text)); }
  bool reached(const std::string& from) {
    const auto short_time = std::chrono::milliseconds(200);
    return ping(from, "10.1.0.3", short_time) && ping(from, "fd00:1::3", short_time);
  }
};

TEST_F(Announcements, WithoutOneTheNeighbourTalksToTheOldMac) {
  take_over([](const Port&) {});
  EXPECT_FALSE(reached("peer"));
}

TEST_F(Announcements, FromTheHostMakeTheNewMacKnownAtOnce) {
  take_over([this](const Port& port) {
    const int bridge = must(links().find(ifname("fl-one"))).index;
    for (const char* address : {"10.1.0.3", "fd00:1::3"})
      must(links().announce(bridge, ip(address), port.mac));
  });
  EXPECT_TRUE(reached("peer"));
  EXPECT_TRUE(reached("host"));
}

TEST_F(Announcements, FromTheContainerMakeTheNewMacKnownAtOnce) {
  take_over([this](const Port& port) {
    must(links().configure_container({.netns_fd = netns("new"),
                                      .ifindex = port.container_index,
                                      .name = ifname("eth0"),
                                      .addresses = {cidr("10.1.0.3/24"), cidr("fd00:1::3/64")},
                                      .announce = true}));
  });
  EXPECT_TRUE(reached("peer"));
  EXPECT_TRUE(reached("host"));
}

TEST_F(Announcements, ANeighbourThatIsNotKnownIsForgottenAllTheSame) {
  const int bridge = add_bridge("fl-one", {"10.1.0.1/24"}).index;
  EXPECT_TRUE(links().forget_neighbour(bridge, ip("10.1.0.77")));
  EXPECT_TRUE(links().forget_neighbour(bridge, ip("fd00:1::77")));
}

}  // namespace
}  // namespace fairlead::testing
