#include <gtest/gtest.h>

#include <array>

#include "base/ip.h"

namespace fairlead {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(MacAddress, IsReadInTheUsualForms) {
  EXPECT_EQ(MacAddress::parse("02:42:ac:11:00:02").value().to_string(), "02:42:ac:11:00:02");
  EXPECT_EQ(MacAddress::parse("02-42-AC-11-00-02").value().to_string(), "02:42:ac:11:00:02");
}

TEST(MacAddress, WhatIsNoneIsRefused) {
  for (const char* bad : {"", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "02:42:ac:11:00:0g",
                          "0242ac110002", "2:42:ac:11:00:02", "02:42:ac:11:00:02 "})
    EXPECT_FALSE(MacAddress::parse(bad)) << bad;
}

TEST(MacAddress, MulticastBroadcastAndZeroCannotBeAnInterfacesOwn) {
  for (const char* bad : {"01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"}) {
    const auto refused = MacAddress::parse(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().text.find(bad), std::string::npos);
  }
}

TEST(MacAddress, HasSixBytes) {
  const std::array<std::uint8_t, 6> six{2, 0, 0, 0, 0, 1};
  EXPECT_EQ(MacAddress::from_bytes(six).value().to_string(), "02:00:00:00:00:01");
  EXPECT_FALSE(MacAddress::from_bytes(std::span(six).first(5)));
}

bool locally_administered_unicast(const MacAddress& mac) { return (mac.bytes()[0] & 3) == 2; }

TEST(MacAddress, FollowsTheAddressSoThatNeighboursNeedNotLearnAnew) {
  EXPECT_EQ(MacAddress::for_ip(ip("10.1.0.2")).to_string(), "02:fa:0a:01:00:02");
  EXPECT_EQ(MacAddress::for_ip(ip("fd00::2")), MacAddress::for_ip(ip("fd00::2")));
  EXPECT_NE(MacAddress::for_ip(ip("fd00::2")), MacAddress::for_ip(ip("fd00::3")));
  EXPECT_TRUE(locally_administered_unicast(MacAddress::for_ip(ip("255.255.255.255"))));
  EXPECT_TRUE(locally_administered_unicast(MacAddress::for_ip(ip("ff00::1"))));
}

TEST(MacAddress, OfATextIsFixedAndItsOwn) {
  EXPECT_EQ(MacAddress::from_hash("fl-12ab"), MacAddress::from_hash("fl-12ab"));
  EXPECT_NE(MacAddress::from_hash("fl-12ab"), MacAddress::from_hash("fl-12ac"));
  EXPECT_TRUE(locally_administered_unicast(MacAddress::from_hash("")));
}

}  // namespace
}  // namespace fairlead
