#include "base/ip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fairlead {
namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

TEST(IpAddress, IsPrintedInItsShortestForm) {
  EXPECT_EQ(ip("10.1.0.2").to_string(), "10.1.0.2");
  EXPECT_EQ(ip("FD00:0:0::0002").to_string(), "fd00::2");
  EXPECT_EQ(ip("::").to_string(), "::");
  EXPECT_EQ(ip("::ffff:10.1.0.2").to_string(), "::ffff:10.1.0.2");
}

TEST(IpAddress, WhatIsNotAnAddressIsRefused) {
  using std::string_literals::operator""s;
  for (const std::string& bad :
       {""s, "10.1.0"s, "10.1.0.256"s, "10.1.0.2 "s, " 10.1.0.2"s, "10.1.0.2/24"s, "010.1.0.2"s,
        "0x0a.1.0.2"s, "10.1.0.2\0"s, "fd00"s, "fd00:::2"s, "[fd00::2]"s, "fd00::2%eth0"s,
        "1:2:3:4:5:6:7:8:9"s, "localhost"s, std::string(500, '1')})
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
}

TEST(IpAddress, TheErrorShowsTheBadTextButNotAllOfALongOne) {
  const auto error = IpAddress::parse(std::string(500, 'x')).error();
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_LT(error.text.size(), 150U);
}

TEST(IpAddress, KnowsItsKind) {
  EXPECT_TRUE(ip("0.0.0.0").is_any());
  EXPECT_TRUE(ip("::").is_any());
  EXPECT_FALSE(ip("::1").is_any());
  EXPECT_TRUE(ip("127.8.0.1").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("128.0.0.1").is_loopback());
  EXPECT_FALSE(ip("fd00::1").is_loopback());
  EXPECT_TRUE(ip("224.0.0.1").is_multicast());
  EXPECT_TRUE(ip("239.255.255.255").is_multicast());
  EXPECT_FALSE(ip("240.0.0.1").is_multicast());
  EXPECT_TRUE(ip("ff02::1").is_multicast());
  EXPECT_FALSE(ip("fe80::1").is_multicast());
}

TEST(IpAddress, OrdersByFamilyThenByNumber) {
  std::vector<IpAddress> all{ip("fd00::1"), ip("10.0.0.10"), ip("::"), ip("10.0.0.9"),
                             ip("255.255.255.255")};
  std::ranges::sort(all);
  std::vector<std::string> texts;
  for (const auto& one : all) texts.push_back(one.to_string());
  EXPECT_EQ(texts, (std::vector<std::string>{"10.0.0.9", "10.0.0.10", "255.255.255.255",
                                             "::", "fd00::1"}));
  EXPECT_NE(ip("0.0.0.0"), ip("::"));
}

TEST(IpAddress, HexGoesThereAndBackAndSortsAsNumbersDo) {
  EXPECT_EQ(ip("10.1.0.2").to_hex(), "0a010002");
  EXPECT_EQ(ip("fd00::2").to_hex(), "fd000000000000000000000000000002");
  for (const char* text : {"10.1.0.2", "255.255.255.255", "0.0.0.0", "fd00::2", "::"})
    EXPECT_EQ(IpAddress::from_hex(ip(text).to_hex()).value(), ip(text));
  EXPECT_LT(ip("9.255.255.255").to_hex(), ip("10.0.0.0").to_hex());
  for (const char* bad : {"", "0a01000", "0a0100020", "0a01000g", "-a010002"})
    EXPECT_FALSE(IpAddress::from_hex(bad));
}

TEST(IpAddress, AdditionCarriesOverBytes) {
  EXPECT_EQ(ip("10.0.0.255").plus(1), ip("10.0.1.0"));
  EXPECT_EQ(ip("10.0.0.0").plus(0), ip("10.0.0.0"));
  EXPECT_EQ(ip("10.0.0.0").plus(65536), ip("10.1.0.0"));
  EXPECT_EQ(ip("0.0.0.0").plus(UINT32_MAX), ip("255.255.255.255"));
  EXPECT_EQ(ip("fd00::ffff:ffff:ffff:ffff").plus(1), ip("fd00:0:0:1::"));
  EXPECT_EQ(ip("::").plus(UINT64_MAX), ip("::ffff:ffff:ffff:ffff"));
  EXPECT_EQ(ip("::ffff").plus(UINT64_MAX), ip("::1:0:0:0:fffe"));
}

TEST(IpAddress, AdditionBeyondTheLastAddressIsNothing) {
  EXPECT_FALSE(ip("255.255.255.255").plus(1));
  EXPECT_FALSE(ip("10.0.0.0").plus(UINT64_MAX));
  EXPECT_FALSE(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").plus(1));
  EXPECT_TRUE(ip("255.255.255.254").plus(1));
}

TEST(IpAddress, DistanceIsTheInverseOfAddition) {
  EXPECT_EQ(ip("10.0.0.0").distance_to(ip("10.0.1.0")), 256U);
  EXPECT_EQ(ip("10.0.0.9").distance_to(ip("10.0.0.9")), 0U);
  EXPECT_EQ(ip("0.0.0.0").distance_to(ip("255.255.255.255")), UINT32_MAX);
  EXPECT_EQ(ip("fd00::ffff").distance_to(ip("fd00::1:0")), 1U);
  for (const std::uint64_t offset : {0UL, 1UL, 255UL, 256UL, 99999UL})
    EXPECT_EQ(ip("10.3.2.250").distance_to(*ip("10.3.2.250").plus(offset)), offset);
}

TEST(IpAddress, DistanceBackwardsOrToTheOtherFamilyIsNothing) {
  EXPECT_EQ(ip("10.0.0.9").distance_to(ip("10.0.0.8")), 0U);
  EXPECT_EQ(ip("10.0.0.9").distance_to(ip("fd00::")), 0U);
}

TEST(IpAddress, DistanceIsSaturated) {
  EXPECT_EQ(ip("::").distance_to(ip("0:0:0:1::")), UINT64_MAX);
  EXPECT_EQ(ip("::1").distance_to(ip("0:0:0:1::")), UINT64_MAX);
  EXPECT_EQ(ip("::2").distance_to(ip("0:0:0:1::")), UINT64_MAX - 1);
  EXPECT_EQ(ip("::").distance_to(ip("ffff::")), UINT64_MAX);
}

TEST(IpAddress, TakesTheBytesOfItsFamily) {
  const std::array<std::uint8_t, 4> four{10, 1, 0, 2};
  EXPECT_EQ(IpAddress::from_bytes(Family::kV4, four), ip("10.1.0.2"));
  EXPECT_EQ(IpAddress::from_bytes(Family::kV4, {}), ip("0.0.0.0"));
  std::array<std::uint8_t, 16> sixteen{};
  sixteen.fill(0xff);
  EXPECT_EQ(IpAddress::from_bytes(Family::kV4, sixteen), ip("255.255.255.255"))
      << "the rest does not count";
  EXPECT_EQ(IpAddress::any(Family::kV6), ip("::"));
  EXPECT_EQ(IpAddress(), ip("0.0.0.0"));
}

TEST(IpAddress, LinkLocalOfAMacIsWhatTheKernelMakes) {
  EXPECT_EQ(IpAddress::link_local(*MacAddress::parse("02:fa:0a:01:00:02")).to_string(),
            "fe80::fa:aff:fe01:2");
  EXPECT_EQ(IpAddress::link_local(*MacAddress::parse("52:54:00:12:34:56")).to_string(),
            "fe80::5054:ff:fe12:3456");
}

}  // namespace
}  // namespace fairlead
