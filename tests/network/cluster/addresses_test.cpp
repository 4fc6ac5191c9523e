#include "network/cluster/block_layout.h"
#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(BlockLayout, BlocksFollowTheSizeOfTheSubnet) {
  const auto length = [](const char* subnet) { return block_length(cidr(subnet)); };
  EXPECT_EQ(length("10.0.0.0/8"), 26U);
  EXPECT_EQ(length("10.0.0.0/18"), 26U);
  EXPECT_EQ(length("10.0.0.0/19"), 28U);
  EXPECT_EQ(length("10.0.0.0/22"), 28U);
  EXPECT_FALSE(has_blocks(cidr("10.0.0.0/23")));
  EXPECT_EQ(length("fd00::/64"), 80U);
  EXPECT_EQ(length("fd00::/112"), 122U);
  EXPECT_FALSE(has_blocks(cidr("fd00::/120")));
  EXPECT_EQ(block_count(cidr("10.0.0.0/22")), 64U);
  EXPECT_EQ(block_count(cidr("fd00::/64")), 65536U);
}

TEST(BlockLayout, ExcludedAddressesAreInNoRange) {
  const Cidr block = cidr("10.0.0.0/28");
  const std::vector<IpAddress> excluded{ip("10.0.0.0"), ip("10.0.0.1"), ip("10.0.0.9")};
  const auto ranges = without(block, excluded);
  for (std::uint64_t i = 0; i < block.size(); ++i) {
    const IpAddress address = *block.first().plus(i);
    const bool given =
        std::ranges::any_of(ranges, [&](const Cidr& r) { return r.contains(address); });
    EXPECT_NE(given, std::ranges::count(excluded, address) > 0) << address.to_string();
  }
  EXPECT_THAT(without(block, {}), ElementsAre(block));
  EXPECT_EQ(without(cidr("fd00::/80"), {ip("fd00::5")}).size(), 48U);
}

TEST(BlockLayout, EveryBlockIsFoundOnce) {
  const Cidr area = cidr("10.0.0.0/22");
  std::set<IpAddress> taken;
  while (const auto block = free_block(area, "seed", taken)) {
    EXPECT_TRUE(area.contains(*block));
    EXPECT_TRUE(taken.insert(block->first()).second);
    ASSERT_LE(taken.size(), 64U);
  }
  EXPECT_EQ(taken.size(), 64U);
}

class AddressesTest : public ClusterTest {
 protected:
  std::string give(Machine& machine, const SharedNetwork& network, const std::string& endpoint_id,
                   std::string_view wanted = {}, Family family = Family::kV4) {
    const auto given =
        machine.allocate(network, endpoint_id, family,
                         wanted.empty() ? std::optional<IpAddress>() : std::optional(ip(wanted)));
    if (given) return given->to_string();
    refusal_ = given.error().text;
    return std::string(to_string(given.error().code));
  }
  Cidr only_block(Machine& machine) {
    const auto owned = machine.addresses().owned().value();
    EXPECT_EQ(owned.size(), 1U);
    return owned.empty() ? Cidr() : owned[0].block;
  }
  std::size_t blocks(Machine& machine) { return machine.addresses().owned()->size(); }

  std::string refusal_;
};

TEST_F(AddressesTest, EachHostGivesOutOfItsOwnBlock) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const auto one = a.allocate(net, "e1").value(), two = b.allocate(net, "e2").value();
  EXPECT_TRUE(only_block(a).contains(one));
  EXPECT_TRUE(only_block(b).contains(two));
  EXPECT_FALSE(only_block(a).overlaps(only_block(b)));
  EXPECT_EQ(only_block(a).prefix_length(), 28U);
}

TEST_F(AddressesTest, AnOwnedBlockWorksWithoutTheStoreAlsoAfterARestart) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  a.shared->is_open = false;
  EXPECT_TRUE(a.allocate(net, "e2"));
  world_.pass(3600);
  a.start();
  EXPECT_TRUE(a.allocate(net, "e3"));
  EXPECT_EQ(give(a, net, "fixed", "10.9.15.7"), "unavailable");
  SharedNetwork unknown = net;
  unknown.id = std::string(64, '5');
  EXPECT_EQ(a.addresses().offer({.network_id = unknown.id, .endpoint_id = "e"}).error().code,
            Code::kUnavailable);
}

TEST_F(AddressesTest, AnAllocationInAnOwnedBlockAsksTheStoreNothing) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  const int before = a.shared->calls;
  ASSERT_TRUE(a.allocate(net, "e2"));
  EXPECT_EQ(a.shared->calls, before);
}

TEST_F(AddressesTest, TheNextBlockIsClaimedWhenTheFirstIsNearlyFull) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(a.allocate(net, fmt::format("e{}", i)));
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(blocks(a), 1U) << "12 of 16 are 75 %";
  ASSERT_TRUE(a.allocate(net, "e12"));
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(blocks(a), 2U);
  a.shared->is_open = false;
  for (int i = 13; i < 28; ++i)
    EXPECT_TRUE(a.allocate(net, fmt::format("e{}", i))) << "out of both blocks";
}

TEST_F(AddressesTest, AFullBlockIsExtendedAtOnce) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(a.allocate(net, fmt::format("e{}", i)));
  EXPECT_EQ(blocks(a), 3U);
}

TEST_F(AddressesTest, AnEmptyBlockIsGivenBackAfterTenMinutes) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const auto address = a.allocate(net, "e1").value();
  ASSERT_TRUE(a.maintain());
  ASSERT_TRUE(a.release(net, address, "e1"));
  ASSERT_TRUE(a.maintain());
  world_.pass(599);
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(blocks(a), 1U);
  world_.pass(1);
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(blocks(a), 0U);
  EXPECT_EQ(count("blk/"), 0U);
}

TEST_F(AddressesTest, ABlockInUseIsNeverGivenBack) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  for (int i = 0; i < 5; ++i) {
    world_.pass(600);
    ASSERT_TRUE(a.maintain());
  }
  EXPECT_EQ(blocks(a), 1U);
}

// The offer is made while the block is ours, the lease is committed after it began to go.
TEST_F(AddressesTest, ALeasePlannedBeforeABlockWentIsNotCommitted) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const auto address = a.allocate(net, "e1").value();
  ASSERT_TRUE(a.release(net, address, "e1"));
  ASSERT_TRUE(a.maintain());
  world_.pass(600);
  const auto offer = a.addresses().offer({.network_id = net.id, .endpoint_id = "e2"}).value();
  ASSERT_TRUE(a.maintain());
  ASSERT_THAT(offer.guards, ::testing::SizeIs(1));
  const auto late = a.local->commit(
      {.preconditions = {{offer.guards[0].key, offer.guards[0].revision}}, .puts = {{"x", "{}"}}});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kConflict);
}

TEST_F(AddressesTest, AnOutageDuringTheGivingBackIsNoObstacle) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const auto address = a.allocate(net, "e1").value();
  ASSERT_TRUE(a.release(net, address, "e1"));
  ASSERT_TRUE(a.maintain());
  world_.pass(600);
  a.shared->is_open = false;
  EXPECT_FALSE(a.maintain());
  EXPECT_EQ(give(a, net, "e2"), "unavailable") << "it is going: nothing is given out of it";
  a.shared->is_open = true;
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(count("blk/"), 0U);
}

TEST_F(AddressesTest, SmallSubnetsAreClaimedAddressByAddress) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/29");
  std::set<std::string> given;
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(given.insert(give(i % 2 == 0 ? a : b, net, fmt::format("e{}", i))).second);
  EXPECT_EQ(give(a, net, "e9"), "exhausted");
  EXPECT_EQ(count("blk/"), 0U);
  EXPECT_EQ(count("ip/"), 5U);
  EXPECT_FALSE(given.contains("10.9.0.1")) << "the gateway";
  a.shared->is_open = false;
  EXPECT_EQ(give(a, net, "e8"), "unavailable");
}

TEST_F(AddressesTest, AnAddressGivenBackDuringAnOutageIsFreeAfterIt) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/30");
  const auto only = a.allocate(net, "e1").value();
  EXPECT_EQ(give(b, net, "e2"), "exhausted");
  a.shared->is_open = false;
  ASSERT_TRUE(a.release(net, only, "e1"));
  EXPECT_EQ(give(b, net, "e2"), "exhausted");
  a.shared->is_open = true;
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(give(b, net, "e2"), only.to_string());
}

TEST_F(AddressesTest, AClaimWhoseCallerDiedIsGivenBackAfterAMinute) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/24");
  ASSERT_TRUE(a.addresses().offer({.network_id = net.id, .endpoint_id = "e1"}));
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(count("ip/"), 1U);
  world_.pass(60);
  ASSERT_TRUE(a.maintain());
  EXPECT_EQ(count("ip/"), 0U);
}

TEST_F(AddressesTest, ARepeatedRequestGetsTheSameSingleAddress) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/24");
  const AddressRequest request{.network_id = net.id, .endpoint_id = "e1"};
  EXPECT_EQ(a.addresses().offer(request)->exact, a.addresses().offer(request)->exact);
  EXPECT_EQ(count("ip/"), 1U);
}

TEST_F(AddressesTest, AHostThatLeavesANetworkGivesBackWhatItOwnedOfIt) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const std::string fixed = "10.9.15.7";
  const auto any = b.allocate(net, "any").value();
  ASSERT_EQ(give(b, net, "fixed", fixed), fixed);
  ASSERT_TRUE(b.addresses().forget(net.id));
  ASSERT_TRUE(b.maintain());
  EXPECT_EQ(count("blk/"), 1U) << "it is leased still";
  EXPECT_EQ(count("ip/"), 1U);
  EXPECT_EQ(blocks(b), 1U) << "and is b's as before";

  ASSERT_TRUE(b.release(net, any, "any"));
  ASSERT_TRUE(b.release(net, ip(fixed), "fixed"));
  b.shared->is_open = false;
  ASSERT_TRUE(b.addresses().forget(net.id));
  EXPECT_FALSE(b.maintain());
  b.shared->is_open = true;
  ASSERT_TRUE(b.maintain());
  EXPECT_EQ(count("blk/"), 0U);
  EXPECT_EQ(count("ip/"), 0U);
  EXPECT_EQ(must(b.local->list("cluster/block/", {}, 9)).size(), 0U);
}

TEST_F(AddressesTest, AWantedAddressIsKeptOutOfTheBlockClaimedOverIt) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.allocate(net, "probe"));
  const Cidr future = only_block(b);  // where b's search begins
  ASSERT_TRUE(a.networks().remove("shop"));
  Machine& c = joined("c");
  auto again = spec("shop", "10.9.0.0/20");
  again.id = net.id;
  const auto shop = c.networks().create_or_join(again, {}).value();
  ASSERT_TRUE(b.addresses().forget(net.id));
  ASSERT_TRUE(b.maintain());
  const std::string fixed = future.first().plus(5)->to_string();
  EXPECT_EQ(give(a, shop, "fixed", fixed), fixed);
  b.reboot();  // its old leases are void
  world_.pass(16);
  ASSERT_TRUE(b.membership().join());
  std::set<std::string> given;
  for (int i = 0; i < 15; ++i) given.insert(give(b, shop, fmt::format("e{}", i)));
  EXPECT_EQ(only_block(b), future);
  EXPECT_EQ(given.size(), 15U);
  EXPECT_FALSE(given.contains(fixed));
  ASSERT_TRUE(a.release(shop, ip(fixed), "fixed"));
  ASSERT_TRUE(c.membership().keep_alive());
  EXPECT_EQ(give(c, shop, "moved", fixed), fixed) << "a hole can be claimed again";
}

// Both read before either writes.
TEST_F(AddressesTest, ABlockIsNotClaimedPastAnAddressClaimedMeanwhile) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const Cidr block = *free_block(cidr("10.9.0.0/20"), net.id + b.info.id, {});
  const std::string fixed = block.first().plus(5)->to_string();
  std::string given_meanwhile;
  b.shared->meanwhile = [&] { given_meanwhile = give(a, net, "fixed", fixed); };
  std::set<std::string> given;
  for (int i = 0; i < 15; ++i) given.insert(give(b, net, fmt::format("e{}", i)));
  EXPECT_EQ(given_meanwhile, fixed);
  EXPECT_EQ(only_block(b), block);
  EXPECT_EQ(given.size(), 15U);
  EXPECT_FALSE(given.contains(fixed));
}

TEST_F(AddressesTest, AnAddressIsNotClaimedInABlockClaimedMeanwhile) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const Cidr block = *free_block(cidr("10.9.0.0/20"), net.id + b.info.id, {});
  a.shared->meanwhile = [&] { give(b, net, "e1"); };
  EXPECT_EQ(give(a, net, "fixed", block.first().plus(5)->to_string()), "exists");
  EXPECT_EQ(only_block(b), block);
}

TEST_F(AddressesTest, NothingIsClaimedByAHostThatIsRemovedMeanwhile) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  b.shared->meanwhile = [&] { ASSERT_TRUE(a.membership().remove_host("b")); };
  EXPECT_EQ(give(b, net, "e1"), "conflict");
  b.shared->meanwhile = nullptr;
  EXPECT_EQ(count("blk/") + count("ip/"), 0U);
}

TEST_F(AddressesTest, AWantedAddressInOnesOwnBlockNeedsNoStore) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  const std::string wanted = only_block(a).first().plus(9)->to_string();
  a.shared->is_open = false;
  EXPECT_EQ(give(a, net, "fixed", wanted), wanted);
  EXPECT_EQ(give(a, net, "again", wanted), "exists");
  EXPECT_EQ(count("ip/"), 0U);
}

TEST_F(AddressesTest, AWantedAddressInAnothersBlockIsRefusedAndSaysWhy) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  EXPECT_EQ(give(b, net, "fixed", only_block(a).first().plus(9)->to_string()), "exists");
  EXPECT_THAT(refusal_, HasSubstr("host a gives out by itself"));
}

TEST_F(AddressesTest, AddressesOutsideTheRangeAreFreeToBeAskedFor) {
  Machine &a = joined("a"), &b = joined("b");
  auto wanted = spec("shop", "10.9.0.0/20");
  wanted.subnets[0].range = cidr("10.9.8.0/21");
  const auto net = a.networks().create_or_join(wanted, {}).value();
  EXPECT_TRUE(cidr("10.9.8.0/21").contains(a.allocate(net, "e1").value()));
  EXPECT_EQ(give(b, net, "f1", "10.9.1.2"), "10.9.1.2");
  EXPECT_EQ(give(a, net, "f2", "10.9.1.2"), "exists");
  EXPECT_THAT(refusal_, HasSubstr("taken by endpoint f1"));
  EXPECT_EQ(give(a, net, "f3", "10.9.0.1"), "exists");
  EXPECT_EQ(give(a, net, "f4", "10.10.0.1"), "invalid");
}

TEST_F(AddressesTest, Ipv6BlocksWorkTheSameWay) {
  Machine &a = joined("a"), &b = joined("b");
  auto wanted = spec("shop", "10.9.0.0/24");
  wanted.ipv6 = true;
  const auto net = a.networks().create_or_join(wanted, {}).value();
  const auto one = a.allocate(net, "e1", Family::kV6), two = b.allocate(net, "e2", Family::kV6);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(only_block(a).prefix_length(), 80U);
  EXPECT_TRUE(only_block(a).contains(*one));
  EXPECT_FALSE(only_block(a).contains(*two));
  a.shared->is_open = false;
  EXPECT_TRUE(a.allocate(net, "e3", Family::kV6));
}

TEST_F(AddressesTest, AClaimWhoseAnswerWasLostIsFoundAgain) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  a.shared->lost_answers = 1;
  EXPECT_EQ(give(a, net, "e1"), "unavailable");
  EXPECT_EQ(count("blk/"), 1U);
  EXPECT_EQ(blocks(a), 0U);
  EXPECT_TRUE(a.allocate(net, "e1"));
  EXPECT_EQ(count("blk/"), 1U) << "the same block";
}

TEST_F(AddressesTest, WhenAllBlocksHaveOwnersItSaysSo) {
  constexpr int kHosts = 32;
  const auto name = [](int i) { return fmt::format("h{:02}", i); };
  Machine& late = joined("late");
  const auto net = make_network(late, "shop", "10.9.0.0/22");
  for (int i = 0; i < kHosts; ++i) {
    Machine& host = joined(name(i));
    for (int blocks = 0; blocks < 2; ++blocks)
      ASSERT_TRUE(host.addresses().extend(net.id, Family::kV4));
  }
  EXPECT_EQ(give(late, net, "e"), "exhausted");
  EXPECT_THAT(refusal_, HasSubstr("the hosts have all 64"));
  std::set<std::string> given;
  for (int i = 0; i < kHosts; ++i)
    for (std::string one;
         (one = give(machine(name(i)), net, fmt::format("e{}", given.size()))) != "exhausted";)
      ASSERT_TRUE(given.insert(one).second) << one;
  EXPECT_EQ(given.size(), 1022U - 1) << "all but the gateway's";
}

}  // namespace
}  // namespace fairlead::network::cluster
