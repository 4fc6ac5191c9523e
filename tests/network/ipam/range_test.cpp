// The pure parts: which addresses may be given, in which order, and which subnets are free.
#include "network/ipam/ranges.h"
#include "network/ipam/subnets.h"
#include "tests/network/ipam/ipam_fixture.h"

namespace fairlead::network {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string text(const AddressRange& range) {
  return range.first.to_string() + " - " + range.last.to_string();
}
std::vector<std::string> texts(const std::vector<AddressRange>& ranges) {
  std::vector<std::string> found;
  for (const AddressRange& range : ranges) found.push_back(text(range));
  return found;
}
AddressRange range(std::string_view first, std::string_view last) { return {ip(first), ip(last)}; }

TEST(Usable, NetworkAndBroadcastAddressesAreNotGiven) {
  EXPECT_EQ(text(usable(subnet("10.1.0.0/24"))), "10.1.0.1 - 10.1.0.254");
  EXPECT_EQ(text(usable(subnet("10.1.0.0/30"))), "10.1.0.1 - 10.1.0.2");
}

TEST(Usable, PointToPointSubnetsUseBothAddressesAndHostsTheirOne) {
  EXPECT_EQ(text(usable(subnet("10.1.0.4/31"))), "10.1.0.4 - 10.1.0.5");
  EXPECT_EQ(text(usable(subnet("10.1.0.4/32"))), "10.1.0.4 - 10.1.0.4");
  EXPECT_EQ(text(usable(subnet("fd00::4/127"))), "fd00::4 - fd00::5");
  EXPECT_EQ(text(usable(subnet("fd00::4/128"))), "fd00::4 - fd00::4");
}

TEST(Usable, Ipv6HasNoBroadcastButAnAnycastAddress) {
  EXPECT_EQ(text(usable(subnet("fd00::/64"))), "fd00::1 - fd00::ffff:ffff:ffff:ffff");
  EXPECT_EQ(text(usable(subnet("fd00::/126"))), "fd00::1 - fd00::3");
}

TEST(Ranges, AreCutToWhatIsUsable) {
  const auto found =
      usable_ranges(subnet("10.1.0.0/24"), {subnet("10.1.0.0/25"), subnet("10.1.0.128/25")});
  ASSERT_TRUE(found);
  EXPECT_THAT(texts(*found), ElementsAre("10.1.0.1 - 10.1.0.127", "10.1.0.128 - 10.1.0.254"));
}

TEST(Ranges, OutsideTheSubnetAreRefused) {
  const auto found = usable_ranges(subnet("10.1.0.0/24"), {subnet("10.2.0.0/25")});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::kInvalid);
  EXPECT_FALSE(usable_ranges(subnet("10.1.0.0/24"), {subnet("10.1.0.0/16")}));
  EXPECT_FALSE(usable_ranges(subnet("10.1.0.0/24"), {subnet("fd00::/64")}));
  EXPECT_FALSE(usable_ranges(subnet("10.1.0.0/24"), {subnet("10.1.0.255/32")}))
      << "only the broadcast address";
}

TEST(SearchOrder, BeginsAtTheStartWithoutALastAddress) {
  const std::vector<AddressRange> all{range("10.0.0.1", "10.0.0.9")};
  EXPECT_EQ(search_order(all, std::nullopt, 0), all);
  EXPECT_EQ(search_order(all, ip("10.9.0.1"), 3), all) << "outside";
}

TEST(SearchOrder, GoesOnBehindTheLastAddressAndRoundOnce) {
  const auto order = search_order({range("10.0.0.1", "10.0.0.9")}, ip("10.0.0.4"), 0);
  EXPECT_THAT(texts(order), ElementsAre("10.0.0.5 - 10.0.0.9", "10.0.0.1 - 10.0.0.4"));
}

TEST(SearchOrder, VisitsTheOtherRangesBeforeItComesRound) {
  const std::vector<AddressRange> three{range("10.0.0.1", "10.0.0.2"),
                                        range("10.0.0.5", "10.0.0.8"),
                                        range("10.0.0.20", "10.0.0.20")};
  EXPECT_THAT(texts(search_order(three, ip("10.0.0.6"), 0)),
              ElementsAre("10.0.0.7 - 10.0.0.8", "10.0.0.20 - 10.0.0.20", "10.0.0.1 - 10.0.0.2",
                          "10.0.0.5 - 10.0.0.6"));
  EXPECT_THAT(texts(search_order(three, ip("10.0.0.20"), 5)),
              ElementsAre("10.0.0.1 - 10.0.0.2", "10.0.0.5 - 10.0.0.8", "10.0.0.20 - 10.0.0.20"));
}

TEST(SearchOrder, StepsStayInsideTheRangeAndSkipNothingForGood) {
  for (std::uint64_t steps = 0; steps < 30; ++steps) {
    std::uint64_t covered = 0;
    for (const AddressRange& piece :
         search_order({range("10.0.0.1", "10.0.0.9")}, ip("10.0.0.4"), steps)) {
      EXPECT_LE(ip("10.0.0.1"), piece.first);
      EXPECT_LE(piece.last, ip("10.0.0.9"));
      covered += piece.first.distance_to(piece.last) + 1;
    }
    EXPECT_EQ(covered, 9U) << steps;
  }
}

std::string first_free(std::string_view base, unsigned length,
                       std::vector<std::string_view> taken) {
  std::vector<Cidr> cidrs;
  for (const auto one : taken) cidrs.push_back(subnet(one));
  const auto found = first_free_subnet(subnet(base), length, cidrs);
  return found ? found->to_string() : "none";
}

TEST(FreeSubnet, IsTheFirstThatOverlapsNothing) {
  EXPECT_EQ(first_free("10.0.0.0/8", 24, {}), "10.0.0.0/24");
  EXPECT_EQ(first_free("10.0.0.0/8", 24, {"10.0.0.0/24"}), "10.0.1.0/24");
  EXPECT_EQ(first_free("10.0.0.0/8", 24, {"10.0.1.0/24"}), "10.0.0.0/24");
  EXPECT_EQ(first_free("10.0.0.0/8", 24, {"10.0.0.7/32", "10.0.1.128/25", "10.0.2.0/23"}),
            "10.0.4.0/24");
}

TEST(FreeSubnet, IsAlignedBehindWhatIsSmaller) {
  EXPECT_EQ(first_free("10.0.0.0/8", 16, {"10.0.5.0/24"}), "10.1.0.0/16");
  EXPECT_EQ(first_free("10.0.0.0/8", 30, {"10.0.0.0/32"}), "10.0.0.4/30");
}

TEST(FreeSubnet, WhatIsNestedOrWrittenWithHostBitsCountsWhole) {
  EXPECT_EQ(first_free("10.0.0.0/8", 24, {"10.0.3.0/24", "10.0.0.0/16", "10.0.0.0/24"}),
            "10.1.0.0/24");
  EXPECT_EQ(first_free("10.0.0.0/8", 24, {"10.0.0.77/24"}), "10.0.1.0/24");
}

TEST(FreeSubnet, WhatLiesOutsideOrInTheOtherFamilyDoesNotCount) {
  EXPECT_EQ(first_free("10.0.0.0/16", 24, {"10.1.0.0/24", "fd00::/8", "9.0.0.0/8"}), "10.0.0.0/24");
}

TEST(FreeSubnet, ThereMayBeNone) {
  EXPECT_EQ(first_free("10.0.0.0/16", 24, {"10.0.0.0/8"}), "none");
  EXPECT_EQ(first_free("10.0.0.0/30", 31, {"10.0.0.0/31", "10.0.0.2/32"}), "none");
  EXPECT_EQ(first_free("255.255.255.0/24", 24, {"255.255.255.255/32"}), "none");
  EXPECT_EQ(first_free("10.0.0.0/16", 8, {}), "none");
}

TEST(FreeSubnet, WorksInIpv6) {
  EXPECT_EQ(first_free("fd00::/48", 64, {"fd00::/64", "fd00:0:0:1::/64"}), "fd00:0:0:2::/64");
}

TEST(Ula, IsA48OfTheLocalPrefixThatDependsOnTheHost) {
  const Cidr one = ula_prefix("a host"), other = ula_prefix("another host");
  EXPECT_EQ(one.prefix_length(), 48U);
  EXPECT_TRUE(subnet("fd00::/8").contains(one));
  EXPECT_EQ(one.network(), one);
  EXPECT_EQ(one, ula_prefix("a host"));
  EXPECT_NE(one, other);
}

TEST(ChooseSubnet, SizesNobodyCanHaveAreRefusedWithTheLegalOnes) {
  const auto tiny = choose_subnet(Family::kV4, 32, {}, {});
  ASSERT_FALSE(tiny);
  EXPECT_EQ(tiny.error().code, Code::kInvalid);
  EXPECT_THAT(tiny.error().text, HasSubstr("12 to 30"));
  EXPECT_FALSE(choose_subnet(Family::kV4, 8, {}, {}));
  EXPECT_FALSE(choose_subnet(Family::kV6, 32, ula_prefix("h"), {}));
}

}  // namespace
}  // namespace fairlead::network
