// Giving addresses out of one pool and taking them back.
#include "tests/network/ipam/ipam_fixture.h"

namespace fairlead::network {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using AddressTest = IpamTest;

TEST_F(AddressTest, AreGivenInOrderWithThePrefixLengthOfThePool) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.1/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.2/24");
}

TEST_F(AddressTest, TheGatewayOfThePoolIsNotGivenEvenWithoutALease) {
  make_pool("10.1.0.0/29", "", "10.1.0.2");
  EXPECT_EQ(give("10.1.0.0/29"), "10.1.0.1/29");
  EXPECT_EQ(give("10.1.0.0/29"), "10.1.0.3/29");
  EXPECT_EQ(want("10.1.0.0/29", "10.1.0.2"), "exists");
  EXPECT_THAT(refusal_, HasSubstr("gateway"));
  EXPECT_EQ(want("10.1.0.0/29", "10.1.0.2", "bridge", AddressUse::kGateway), "10.1.0.2/29");
}

TEST_F(AddressTest, AnAddressThatCameBackIsNotGivenAgainAtOnce) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.1/24");
  take_back("10.1.0.0/24", "10.1.0.1");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.2/24");
}

TEST_F(AddressTest, TheSearchComesRoundToWhatCameBack) {
  make_pool("10.1.0.0/29");
  for (int i = 1; i <= 6; ++i) EXPECT_EQ(give("10.1.0.0/29"), fmt::format("10.1.0.{}/29", i));
  take_back("10.1.0.0/29", "10.1.0.4");
  EXPECT_EQ(give("10.1.0.0/29"), "10.1.0.4/29");
}

TEST_F(AddressTest, AnExhaustedPoolSaysWhichAndWhatToDo) {
  make_pool("10.1.0.0/30");
  give("10.1.0.0/30");
  give("10.1.0.0/30");
  EXPECT_EQ(give("10.1.0.0/30"), "exhausted");
  EXPECT_THAT(refusal_, HasSubstr("10.1.0.0/30"));
  EXPECT_THAT(refusal_, HasSubstr("larger subnet"));
}

TEST_F(AddressTest, AnExhaustedRangeIsNamed) {
  make_pool("10.1.0.0/24", "10.1.0.8/31");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.8/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.9/24");
  EXPECT_EQ(give("10.1.0.0/24"), "exhausted");
  EXPECT_THAT(refusal_, HasSubstr("10.1.0.8/31"));
}

TEST_F(AddressTest, AWantedAddressMayLieOutsideTheRange) {
  make_pool("10.1.0.0/24", "10.1.0.128/25");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.5"), "10.1.0.5/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.128/24");
}

TEST_F(AddressTest, AWantedAddressOutsideTheSubnetIsRefused) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.1.5"), "invalid");
  EXPECT_THAT(refusal_, HasSubstr("10.1.0.0/24"));
  EXPECT_EQ(want("10.1.0.0/24", "fd00::5"), "invalid");
}

TEST_F(AddressTest, NetworkAndBroadcastAddressesCannotBeHad) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.0"), "invalid");
  EXPECT_THAT(refusal_, HasSubstr("network address"));
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.255"), "invalid");
  EXPECT_THAT(refusal_, HasSubstr("broadcast address"));
}

TEST_F(AddressTest, ATakenAddressNamesItsOwner) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.5", "web"), "10.1.0.5/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.5", "db"), "exists");
  EXPECT_THAT(refusal_, HasSubstr("taken by web"));
}

TEST_F(AddressTest, TheSameOwnerGetsTheSameWantedAddressAgain) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.5"), "10.1.0.5/24");
  const auto revision = *store_->revision();
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.5"), "10.1.0.5/24");
  EXPECT_EQ(*store_->revision(), revision) << "nothing was written";
  const auto claim = ipam().plan(subnet("10.1.0.0/24"), {.owner = "web", .wanted = ip("10.1.0.5")});
  ASSERT_TRUE(claim);
  EXPECT_TRUE(claim->held);
}

TEST_F(AddressTest, AWantedAddressIsSkippedByTheSearch) {
  make_pool("10.1.0.0/24");
  for (const char* taken : {"10.1.0.1", "10.1.0.2", "10.1.0.4"}) want("10.1.0.0/24", taken);
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.3/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.5/24");
}

TEST_F(AddressTest, TheSearchPagesOverLongRuns) {
  make_pool("10.1.0.0/16", "", "10.1.1.45");
  for (int i = 1; i <= 300; ++i) want("10.1.0.0/16", fmt::format("10.1.{}.{}", i / 256, i % 256));
  EXPECT_EQ(give("10.1.0.0/16"), "10.1.1.46/16") << "256 + 44 are taken, then comes the gateway";
}

TEST_F(AddressTest, APoolThatDoesNotExistIsNotFound) {
  EXPECT_EQ(give("10.1.0.0/24"), "not_found");
  EXPECT_THAT(refusal_, HasSubstr("10.1.0.0/24"));
  make_pool("10.1.0.0/24");
  EXPECT_EQ(give("10.1.0.0/25"), "not_found");
}

TEST_F(AddressTest, AnAddressNeedsAnOwner) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(give_as("10.1.0.0/24", AddressRequest{}), "invalid");
}

TEST_F(AddressTest, LeasesOfAnotherBootAreVoid) {
  make_pool("10.1.0.0/30");
  EXPECT_EQ(give_as("10.1.0.0/30", {.owner = "old"}, "boot-1"), "10.1.0.1/30");
  EXPECT_EQ(give_as("10.1.0.0/30", {.owner = "old"}, "boot-1"), "10.1.0.2/30");
  EXPECT_EQ(give_as("10.1.0.0/30", {.owner = "old"}, "boot-1"), "exhausted");
  EXPECT_THAT(leases("10.1.0.0/30", "boot-2"), IsEmpty());
  EXPECT_EQ(give_as("10.1.0.0/30", {.owner = "new", .wanted = ip("10.1.0.2")}, "boot-2"),
            "10.1.0.2/30");
  EXPECT_EQ(give_as("10.1.0.0/30", {.owner = "new"}, "boot-2"), "10.1.0.1/30");
  EXPECT_EQ(give_as("10.1.0.0/30", {.owner = "new"}, "boot-2"), "exhausted");
}

TEST_F(AddressTest, GatewaysAndReservedAddressesSurviveReboots) {
  make_pool("10.1.0.0/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.1", "bridge", AddressUse::kGateway), "10.1.0.1/24");
  EXPECT_EQ(want("10.1.0.0/24", "10.1.0.2", "printer", AddressUse::kReserved), "10.1.0.2/24");
  EXPECT_EQ(give_as("10.1.0.0/24", {.owner = "old"}, "boot-1"), "10.1.0.3/24");
  EXPECT_THAT(leases("10.1.0.0/24", "boot-2"), ElementsAre("10.1.0.1", "10.1.0.2"));
}

TEST_F(AddressTest, AnEndpointsAddressCanBecomeTheSameOwnersGateway) {
  make_pool("10.1.0.0/24");
  want("10.1.0.0/24", "10.1.0.1", "bridge");
  want("10.1.0.0/24", "10.1.0.1", "bridge", AddressUse::kGateway);
  EXPECT_THAT(leases("10.1.0.0/24", "boot-2"), ElementsAre("10.1.0.1"));
}

TEST_F(AddressTest, VoidLeasesCanBeTidiedAway) {
  make_pool("10.1.0.0/16");
  for (int i = 0; i < 300; ++i) give_as("10.1.0.0/16", {.owner = "old"}, "boot-1");
  want("10.1.0.0/16", "10.1.200.1", "printer", AddressUse::kReserved);
  give_as("10.1.0.0/16", {.owner = "new"}, "boot-2");
  EXPECT_EQ(*ipam("boot-2").drop_void_leases(subnet("10.1.0.0/16")), 300U);
  EXPECT_EQ(leases("10.1.0.0/16", "boot-2").size(), 2U);
  EXPECT_EQ(store_->list("lease/")->size(), 2U);
}

TEST_F(AddressTest, OnlyTheOwnerGivesBack) {
  make_pool("10.1.0.0/24");
  give("10.1.0.0/24", "web");
  take_back("10.1.0.0/24", "10.1.0.1", "somebody else");
  EXPECT_THAT(leases("10.1.0.0/24"), ElementsAre("10.1.0.1"));
  take_back("10.1.0.0/24", "10.1.0.1", "web");
  EXPECT_THAT(leases("10.1.0.0/24"), IsEmpty());
  take_back("10.1.0.0/24", "10.1.0.1", "web");
}

TEST_F(AddressTest, RangesOfTheRequestReplaceThatOfThePool) {
  make_pool("10.1.0.0/24", "10.1.0.128/25");
  const AddressRequest request{.owner = "web",
                               .ranges = {subnet("10.1.0.16/31"), subnet("10.1.0.32/31")}};
  for (const char* expected :
       {"10.1.0.16/24", "10.1.0.17/24", "10.1.0.32/24", "10.1.0.33/24", "exhausted"})
    EXPECT_EQ(give_as("10.1.0.0/24", request), expected);
  EXPECT_THAT(refusal_, HasSubstr("10.1.0.16/31, 10.1.0.32/31"));
}

TEST_F(AddressTest, RangesOfTheRequestHaveACursorOfTheirOwn) {
  make_pool("10.1.0.0/24");
  const AddressRequest request{.owner = "web", .ranges = {subnet("10.1.0.16/28")}};
  EXPECT_EQ(give_as("10.1.0.0/24", request), "10.1.0.16/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.1/24");
  take_back("10.1.0.0/24", "10.1.0.16");
  EXPECT_EQ(give_as("10.1.0.0/24", request), "10.1.0.17/24");
  EXPECT_EQ(give_as("10.1.0.0/24", {.owner = "web", .ranges = {subnet("10.2.0.0/28")}}), "invalid");
}

TEST_F(AddressTest, SmallSubnetsGiveWhatTheyHave) {
  make_pool("10.1.0.4/31");
  EXPECT_EQ(give("10.1.0.4/31"), "10.1.0.4/31");
  EXPECT_EQ(give("10.1.0.4/31"), "10.1.0.5/31");
  EXPECT_EQ(give("10.1.0.4/31"), "exhausted");
  make_pool("10.1.0.9/32");
  EXPECT_EQ(give("10.1.0.9/32"), "10.1.0.9/32");
  EXPECT_EQ(give("10.1.0.9/32"), "exhausted");
  make_pool("fd00::8/127");
  EXPECT_EQ(give("fd00::8/127"), "fd00::8/127");
  EXPECT_EQ(give("fd00::8/127"), "fd00::9/127");
  EXPECT_EQ(give("fd00::8/127"), "exhausted");
}

TEST_F(AddressTest, A64IsNeverEnumerated) {
  make_pool("fd00:1::/64", "", "fd00:1::1");
  EXPECT_EQ(give("fd00:1::/64"), "fd00:1::2/64");
  EXPECT_EQ(want("fd00:1::/64", "fd00:1::ffff:ffff:ffff:ffff"), "fd00:1::ffff:ffff:ffff:ffff/64");
  EXPECT_EQ(give("fd00:1::/64"), "fd00:1::3/64");
  EXPECT_EQ(want("fd00:1::/64", "fd00:1::"), "invalid");
}

TEST_F(AddressTest, TheLastAddressThereIsDoesNotWrap) {
  make_pool("223.255.255.254/31");
  EXPECT_EQ(give("223.255.255.254/31"), "223.255.255.254/31");
  EXPECT_EQ(give("223.255.255.254/31"), "223.255.255.255/31");
  EXPECT_EQ(give("223.255.255.254/31"), "exhausted");
}

TEST_F(AddressTest, APlanIsVoidWhenSomebodyWasFaster) {
  make_pool("10.1.0.0/24");
  const auto mine = ipam().plan(subnet("10.1.0.0/24"), {.owner = "web"});
  ASSERT_TRUE(mine);
  EXPECT_EQ(give("10.1.0.0/24", "db"), "10.1.0.1/24");
  state::Txn txn{.puts = {{"endpoint/web", "{}"}}};
  mine->change.add_to(txn);
  const auto done = store_->commit(txn);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kConflict);
  EXPECT_FALSE(*store_->get("endpoint/web"));
}

TEST_F(AddressTest, APlanIsVoidWhenThePoolIsGone) {
  make_pool("10.1.0.0/24");
  const auto mine = ipam().plan(subnet("10.1.0.0/24"), {.owner = "web"});
  ASSERT_TRUE(mine);
  ASSERT_TRUE(ipam().remove_pool(subnet("10.1.0.0/24")));
  state::Txn txn;
  mine->change.add_to(txn);
  EXPECT_EQ(store_->commit(txn).error().code, Code::kConflict);
}

TEST_F(AddressTest, AddressesOfTwoPoolsAndTheEndpointCommitTogether) {
  make_pool("10.1.0.0/24");
  make_pool("fd00:1::/64");
  const auto v4 = ipam().plan(subnet("10.1.0.0/24"), {.owner = "web"});
  const auto v6 = ipam().plan(subnet("fd00:1::/64"), {.owner = "web"});
  ASSERT_TRUE(v4 && v6);
  state::Txn txn{.puts = {{"endpoint/web", "{}"}}};
  v4->change.add_to(txn);
  v6->change.add_to(txn);
  ASSERT_TRUE(store_->commit(txn));
  EXPECT_THAT(leases("10.1.0.0/24"), ElementsAre("10.1.0.1"));
  EXPECT_THAT(leases("fd00:1::/64"), ElementsAre("fd00:1::1"));
}

TEST_F(AddressTest, ARecordOfSomebodyElseIsAnErrorThatNamesTheKey) {
  make_pool("10.1.0.0/24");
  ASSERT_TRUE(store_->commit({.puts = {{"lease/0a010000-24/0a010001", "not json"}}}));
  EXPECT_EQ(give("10.1.0.0/24"), "io");
  EXPECT_THAT(refusal_, HasSubstr("lease/0a010000-24/0a010001"));
}

TEST_F(AddressTest, LeasesTellOwnerAndUse) {
  make_pool("10.1.0.0/24");
  want("10.1.0.0/24", "10.1.0.1", "bridge", AddressUse::kGateway);
  give("10.1.0.0/24", "web");
  const auto gateway = ipam().find_lease(subnet("10.1.0.0/24"), ip("10.1.0.1"));
  ASSERT_TRUE(gateway && *gateway);
  EXPECT_EQ((*gateway)->owner, "bridge");
  EXPECT_EQ((*gateway)->use, AddressUse::kGateway);
  EXPECT_EQ((*gateway)->boot_id, "");
  const auto endpoint = ipam().find_lease(subnet("10.1.0.0/24"), ip("10.1.0.2"));
  ASSERT_TRUE(endpoint && *endpoint);
  EXPECT_EQ((*endpoint)->boot_id, "boot-1");
  EXPECT_FALSE(*ipam("boot-2").find_lease(subnet("10.1.0.0/24"), ip("10.1.0.2")));
  EXPECT_FALSE(*ipam().find_lease(subnet("10.1.0.0/24"), ip("10.1.0.9")));
}

// ---- kept for a container by its name

class KeptAddress : public IpamTest {
 protected:
  void keep(std::string_view address, const std::string& container, std::string_view owner = "") {
    auto change = ipam().keep_plan(subnet("10.1.0.0/29"), ip(address), container, owner);
    ASSERT_TRUE(change) << change.error().text;
    state::Txn txn;
    change->add_to(txn);
    ASSERT_TRUE(store_->commit(txn));
  }
  std::string give_named(std::string_view address, const std::string& name,
                         const std::string& boot = "boot-1") {
    return give_as("10.1.0.0/29", {.owner = "web", .wanted = ip(address), .reserved_for = name},
                   boot);
  }
};

TEST_F(KeptAddress, IsGivenUnderItsNameInEveryBoot) {
  make_pool("10.1.0.0/29", {}, "10.1.0.1");
  keep("10.1.0.2", "web");
  EXPECT_EQ(give("10.1.0.0/29", "other"), "10.1.0.3/29");
  EXPECT_EQ(give_named("10.1.0.2", ""), "exists");
  EXPECT_EQ(give_named("10.1.0.2", "db"), "exists");
  EXPECT_EQ(give_named("10.1.0.2", "web"), "10.1.0.2/29");
  EXPECT_EQ(give_named("10.1.0.2", "web"), "10.1.0.2/29");  // held already
  // In the next boot nobody has it, and it is kept still.
  EXPECT_EQ(give_as("10.1.0.0/29", {.owner = "other"}, "boot-2"), "10.1.0.4/29");  // next fit
  EXPECT_EQ(give_as("10.1.0.0/29", {.owner = "thief", .wanted = ip("10.1.0.2")}, "boot-2"),
            "exists");
  ASSERT_TRUE(ipam("boot-2").drop_void_leases(subnet("10.1.0.0/29")));
  EXPECT_EQ(give_named("10.1.0.2", std::string(kAnyReservation), "boot-2"), "10.1.0.2/29");
}

TEST_F(KeptAddress, IsKeptWhenItsHolderGivesItBack) {
  make_pool("10.1.0.0/29", {}, "10.1.0.1");
  keep("10.1.0.2", "web");
  EXPECT_EQ(give_named("10.1.0.2", "web"), "10.1.0.2/29");
  take_back("10.1.0.0/29", "10.1.0.2", "web");
  EXPECT_EQ(give("10.1.0.0/29", "other"), "10.1.0.3/29");
  const auto lease = ipam().find_lease(subnet("10.1.0.0/29"), ip("10.1.0.2"));
  ASSERT_TRUE(lease && *lease);
  EXPECT_EQ((*lease)->owner, "");
  EXPECT_EQ((*lease)->reserved_for, "web");
}

}  // namespace
}  // namespace fairlead::network
