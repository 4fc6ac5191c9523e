#include <gtest/gtest.h>

#include "base/ip.h"

namespace fairlead {
namespace {

Cidr cidr(std::string_view text) { return Cidr::parse(text).value(); }
IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(Cidr, KeepsTheAddressItWasWrittenWith) {
  EXPECT_EQ(cidr("10.1.0.5/24").to_string(), "10.1.0.5/24");
  EXPECT_EQ(cidr("10.1.0.5/24").network(), cidr("10.1.0.0/24"));
  EXPECT_EQ(cidr("FD00::5/64").network().to_string(), "fd00::/64");
}

TEST(Cidr, WhatIsNotAPrefixIsRefused) {
  for (const char* bad :
       {"", "/", "10.1.0.0", "10.1.0.0/", "10.1.0.0/33", "10.1.0.0/-1", "10.1.0.0/+1",
        "10.1.0.0/2 4", "10.1.0.0/24 ", "10.1.0.0/24/24", "10.1.0.0/0x8",
        "10.1.0.0/99999999999999999999", "/24", "fd00::/129", "fd00::1", "10.1.0.0/255.255.255.0"})
    EXPECT_FALSE(Cidr::parse(bad)) << bad;
}

TEST(Cidr, ErrorsSayWhatIsLegal) {
  EXPECT_NE(Cidr::parse("10.1.0.0/33").error().text.find("0 to 32"), std::string::npos);
  EXPECT_NE(Cidr::parse("fd00::/129").error().text.find("0 to 128"), std::string::npos);
  EXPECT_NE(Cidr::parse("10.1.0.0").error().text.find("prefix length is missing"),
            std::string::npos);
}

TEST(Cidr, ASubnetHasNoHostBitsAndTheErrorSaysWhatItWouldBe) {
  EXPECT_TRUE(Cidr::parse_subnet("10.1.0.0/24"));
  EXPECT_TRUE(Cidr::parse_subnet("10.1.0.7/32"));
  const auto refused = Cidr::parse_subnet("10.1.0.5/24");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("did you mean 10.1.0.0/24"), std::string::npos);
}

TEST(Cidr, HasAFirstAndALastAddress) {
  EXPECT_EQ(cidr("10.1.2.3/22").first(), ip("10.1.0.0"));
  EXPECT_EQ(cidr("10.1.2.3/22").last(), ip("10.1.3.255"));
  EXPECT_EQ(cidr("0.0.0.0/0").last(), ip("255.255.255.255"));
  EXPECT_EQ(cidr("10.1.2.3/32").first(), cidr("10.1.2.3/32").last());
  EXPECT_EQ(cidr("fd00::1/65").last(), ip("fd00::7fff:ffff:ffff:ffff"));
  EXPECT_EQ(cidr("::/0").last(), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(Cidr, ContainsTheAddressesOfItsSubnet) {
  EXPECT_TRUE(cidr("10.1.0.5/24").contains(ip("10.1.0.0")));
  EXPECT_TRUE(cidr("10.1.0.0/24").contains(ip("10.1.0.255")));
  EXPECT_FALSE(cidr("10.1.0.0/24").contains(ip("10.1.1.0")));
  EXPECT_FALSE(cidr("10.1.0.0/24").contains(ip("fd00::1")));
  EXPECT_FALSE(cidr("0.0.0.0/0").contains(ip("::1")));
}

TEST(Cidr, ContainsSmallerSubnetsAndItself) {
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(cidr("10.1.3.0/24")));
  EXPECT_TRUE(cidr("10.1.0.0/16").contains(cidr("10.1.0.0/16")));
  EXPECT_FALSE(cidr("10.1.3.0/24").contains(cidr("10.1.0.0/16")));
  EXPECT_FALSE(cidr("10.1.0.0/16").contains(cidr("10.2.0.0/24")));
}

TEST(Cidr, OverlapsWhicheverIsLarger) {
  EXPECT_TRUE(cidr("10.1.0.0/16").overlaps(cidr("10.1.3.0/24")));
  EXPECT_TRUE(cidr("10.1.3.0/24").overlaps(cidr("10.1.0.0/16")));
  EXPECT_TRUE(cidr("10.1.3.9/24").overlaps(cidr("10.1.3.0/25"))) << "host bits do not matter";
  EXPECT_FALSE(cidr("10.1.3.0/25").overlaps(cidr("10.1.3.128/25")));
  EXPECT_TRUE(cidr("0.0.0.0/0").overlaps(cidr("10.1.3.0/24")));
  EXPECT_FALSE(cidr("0.0.0.0/0").overlaps(cidr("::/0")));
}

TEST(Cidr, SizeIsSaturated) {
  EXPECT_EQ(cidr("10.1.0.0/24").size(), 256U);
  EXPECT_EQ(cidr("10.1.0.0/32").size(), 1U);
  EXPECT_EQ(cidr("0.0.0.0/0").size(), std::uint64_t{1} << 32);
  EXPECT_EQ(cidr("fd00::/65").size(), std::uint64_t{1} << 63);
  EXPECT_EQ(cidr("fd00::/64").size(), UINT64_MAX);
  EXPECT_EQ(cidr("::/0").size(), UINT64_MAX);
}

TEST(Cidr, MadeOfAnAddressHasAtMostItsWidth) {
  EXPECT_EQ(Cidr::of(ip("10.1.0.5"), 24), cidr("10.1.0.5/24"));
  EXPECT_EQ(Cidr::of(ip("10.1.0.5"), 128), cidr("10.1.0.5/32"));
}

}  // namespace
}  // namespace fairlead
