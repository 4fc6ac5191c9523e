// Pools: chosen, asked for, used and removed.
#include "network/ipam/subnets.h"
#include "tests/network/ipam/ipam_fixture.h"

namespace fairlead::network {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class PoolTest : public IpamTest {
 protected:
  std::string create(const NewPool& request, std::vector<std::string_view> occupied = {}) {
    std::vector<Cidr> cidrs;
    for (const auto one : occupied) cidrs.push_back(subnet(one));
    auto made = ipam().create_pool(request, cidrs);
    if (made) return made->subnet.to_string();
    refusal_ = made.error().text;
    return std::string(to_string(made.error().code));
  }
  std::string create(std::string_view text, const std::string& network = "") {
    return create({.subnet = subnet(text),
                   .network = network,
                   .owner = network.empty() ? "" : "net-" + network});
  }
  std::vector<std::string> pools() {
    std::vector<std::string> found;
    const auto listed = ipam().list_pools();
    EXPECT_TRUE(listed);
    for (const PoolRecord& pool : *listed) found.push_back(pool.subnet.to_string());
    return found;
  }
};

TEST_F(PoolTest, AreChosenOneBehindTheOther) {
  EXPECT_EQ(create(NewPool{}), "10.208.0.0/24");
  EXPECT_EQ(create(NewPool{}), "10.208.1.0/24");
  EXPECT_THAT(pools(), ElementsAre("10.208.0.0/24", "10.208.1.0/24"));
}

TEST_F(PoolTest, AreChosenBesideWhatTheHostUses) {
  EXPECT_EQ(create(NewPool{}, {"10.208.0.0/23", "10.208.2.9/32"}), "10.208.3.0/24");
  EXPECT_EQ(create(NewPool{}, {"10.208.0.0/12"}), "172.24.0.0/24");
  EXPECT_EQ(create(NewPool{}, {"10.208.0.0/12", "172.16.0.0/12"}), "exhausted");
  EXPECT_THAT(refusal_, HasSubstr("10.208.0.0/12 and 172.24.0.0/13"));
}

TEST_F(PoolTest, AreChosenBesideExplicitOnes) {
  EXPECT_EQ(create("10.208.0.128/25"), "10.208.0.128/25");
  EXPECT_EQ(create(NewPool{}), "10.208.1.0/24");
}

TEST_F(PoolTest, ARequestedSizeIsHonoured) {
  EXPECT_EQ(create({.prefix_length = 28}), "10.208.0.0/28");
  EXPECT_EQ(create({.prefix_length = 16}), "10.209.0.0/16");
  EXPECT_EQ(create({.prefix_length = 28}), "10.208.0.16/28");
  EXPECT_EQ(create({.prefix_length = 33}), "invalid");
}

TEST_F(PoolTest, Ipv6OnesAre64sOfTheHostsOwnPrefix) {
  const std::string first = create({.family = Family::kV6}),
                    second = create({.family = Family::kV6});
  EXPECT_THAT(first, HasSubstr("fd"));
  EXPECT_EQ(subnet(first).prefix_length(), 64U);
  EXPECT_NE(first, second);
  EXPECT_EQ(subnet(first).first().bytes()[0], 0xfd);
  EXPECT_EQ(subnet(create({.family = Family::kV6, .prefix_length = 80})).prefix_length(), 80U);
}

TEST_F(PoolTest, ThatNoNetworkUsesAreGrantedAgain) {
  EXPECT_EQ(create("10.1.0.0/24"), "10.1.0.0/24");
  EXPECT_EQ(create("10.1.0.0/24"), "10.1.0.0/24");
  EXPECT_THAT(pools(), ElementsAre("10.1.0.0/24"));
}

TEST_F(PoolTest, OfANetworkAreGrantedToThatNetworkOnly) {
  EXPECT_EQ(create("10.1.0.0/24", "n1"), "10.1.0.0/24");
  EXPECT_EQ(create("10.1.0.0/24", "n1"), "10.1.0.0/24");
  EXPECT_EQ(create("10.1.0.0/24", "n2"), "exists");
  EXPECT_THAT(refusal_, HasSubstr("is the subnet of network net-n1"));
  EXPECT_EQ(create("10.1.0.0/24"), "exists");
}

TEST_F(PoolTest, GrantedAgainTakeOverTheNewRequest) {
  create({.subnet = subnet("10.1.0.0/24"), .range = subnet("10.1.0.0/28")});
  create({.subnet = subnet("10.1.0.0/24"), .network = "n1"});
  const auto pool = ipam().find_pool(subnet("10.1.0.0/24"));
  ASSERT_TRUE(pool && *pool);
  EXPECT_EQ((*pool)->network, "n1");
  EXPECT_FALSE((*pool)->range);
}

TEST_F(PoolTest, ThatOverlapAnotherAreRefusedWithItsName) {
  create("10.1.0.0/24", "n1");
  for (const char* overlapping : {"10.1.0.0/16", "10.1.0.0/25", "10.1.0.128/25", "10.0.0.0/8"}) {
    EXPECT_EQ(create(overlapping, "n2"), "exists") << overlapping;
    EXPECT_THAT(refusal_, HasSubstr("overlaps 10.1.0.0/24, the subnet of network net-n1 (n1)"));
  }
  EXPECT_EQ(create("10.1.1.0/24", "n2"), "10.1.1.0/24");
}

TEST_F(PoolTest, ThatOverlapAnUnusedOneAreRefusedToo) {
  create({.subnet = subnet("10.1.0.0/24"), .owner = "docker"});
  EXPECT_EQ(create("10.1.0.0/16", "n2"), "exists");
  EXPECT_THAT(refusal_, HasSubstr("no network uses yet (asked for by docker)"));
}

TEST_F(PoolTest, ImpossibleOnesAreRefused) {
  for (const char* reserved :
       {"127.0.0.0/24", "224.0.0.0/24", "0.0.0.0/0", "::/0", "ff02::/64", "::1/128"})
    EXPECT_EQ(create(reserved), "invalid") << reserved;
  EXPECT_EQ(create("10.1.0.5/24"), "invalid");
  EXPECT_THAT(refusal_, HasSubstr("did you mean 10.1.0.0/24"));
  EXPECT_EQ(create({.subnet = subnet("10.1.0.0/24"), .range = subnet("10.2.0.0/28")}), "invalid");
  EXPECT_EQ(create({.subnet = subnet("10.1.0.0/24"), .gateway = ip("10.2.0.1")}), "invalid");
  EXPECT_EQ(create({.range = subnet("10.2.0.0/28")}), "invalid");
  EXPECT_EQ(create({.gateway = ip("10.2.0.1")}), "invalid");
  EXPECT_THAT(pools(), IsEmpty());
}

TEST_F(PoolTest, KeepWhatWasAskedFor) {
  const auto made = make_pool("10.1.0.0/24", "10.1.0.128/25", "10.1.0.1");
  const auto found = ipam().find_pool(subnet("10.1.0.0/24"));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, made);
  EXPECT_EQ((*found)->range, subnet("10.1.0.128/25"));
  EXPECT_EQ((*found)->gateway, ip("10.1.0.1"));
  EXPECT_EQ((*found)->owner, "shop");
}

TEST_F(PoolTest, TwoCreatorsThatOverlapCannotBothCommit) {
  const auto small = ipam().plan_pool({.subnet = subnet("10.1.0.0/24"), .network = "n1"});
  const auto large = ipam().plan_pool({.subnet = subnet("10.1.0.0/16"), .network = "n2"});
  ASSERT_TRUE(small && large);
  state::Txn first, second;
  small->change.add_to(first);
  large->change.add_to(second);
  EXPECT_TRUE(store_->commit(first));
  const auto refused = store_->commit(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
}

TEST_F(PoolTest, AreTakenIntoUseAndGivenUp) {
  create("10.1.0.0/24");
  const auto use = [&](const std::string& network) -> std::string {
    auto change = ipam().plan_use(subnet("10.1.0.0/24"), network, ip("10.1.0.1"));
    if (!change) return std::string(to_string(change.error().code));
    state::Txn txn;
    change->add_to(txn);
    return store_->commit(txn) ? (*ipam().find_pool(subnet("10.1.0.0/24")))->network : "conflict";
  };
  EXPECT_EQ(use("n1"), "n1");
  EXPECT_EQ(use("n1"), "n1");
  EXPECT_EQ(use("n2"), "exists");
  EXPECT_EQ(use(""), "");
  EXPECT_EQ(use("n2"), "n2");
  EXPECT_EQ(ipam().plan_use(subnet("10.2.0.0/24"), "n1").error().code, Code::kNotFound);
}

TEST_F(PoolTest, AreRemovedWithEverythingOfTheirsAndNothingElse) {
  make_pool("10.1.0.0/16");
  make_pool("10.2.0.0/16");
  for (int i = 0; i < 300; ++i) give("10.1.0.0/16");
  give_as("10.1.0.0/16", {.owner = "web", .ranges = {subnet("10.1.9.0/24")}});
  want("10.1.0.0/16", "10.1.200.1", "bridge", AddressUse::kGateway);
  give("10.2.0.0/16");
  ASSERT_TRUE(ipam().remove_pool(subnet("10.1.0.0/16")));
  EXPECT_THAT(pools(), ElementsAre("10.2.0.0/16"));
  EXPECT_EQ(store_->list("lease/")->size(), 1U);
  EXPECT_EQ(store_->list("cursor/")->size(), 1U);
  EXPECT_TRUE(ipam().remove_pool(subnet("10.1.0.0/16"))) << "removing what is gone succeeds";
}

TEST_F(PoolTest, APrefixOfTheKeyIsAnotherPool) {
  make_pool("10.0.0.0/24");
  make_pool("11.0.0.0/8");
  give("10.0.0.0/24");
  EXPECT_FALSE(*ipam().find_pool(subnet("10.0.0.0/2")));
  ASSERT_TRUE(ipam().remove_pool(subnet("10.0.0.0/2")));
  EXPECT_THAT(leases("10.0.0.0/24"), ElementsAre("10.0.0.1"));
}

TEST_F(PoolTest, MadeAgainStartAfresh) {
  make_pool("10.1.0.0/24");
  give("10.1.0.0/24");
  ASSERT_TRUE(ipam().remove_pool(subnet("10.1.0.0/24")));
  make_pool("10.1.0.0/24");
  EXPECT_EQ(give("10.1.0.0/24"), "10.1.0.1/24");
}

// ---- the host's prefix for IPv6 (RFC 4193 section 3.2)

Cidr chosen_in(state::Store& store) {
  Ipam ipam(store, {.boot_id = "boot-1", .ula_seed = "a host"});
  const auto made = ipam.create_pool({.family = Family::kV6, .owner = "shop"});
  EXPECT_TRUE(made) << made.error().text;
  return made ? made->subnet : Cidr();
}

TEST(UlaPrefix, IsChosenAtRandomOnceForEachHost) {
  const auto one = state::make_memory_store(), clone = state::make_memory_store();
  const Cidr first = chosen_in(*one), second = chosen_in(*one), other = chosen_in(*clone);
  EXPECT_TRUE(subnet("fd00::/8").contains(first));
  EXPECT_EQ(Cidr::of(first.first(), 48).network(), Cidr::of(second.first(), 48).network());
  EXPECT_NE(first, second);
  // A machine that was copied with its machine id has another one.
  EXPECT_NE(Cidr::of(first.first(), 48).network(), Cidr::of(other.first(), 48).network());
}

TEST(UlaPrefix, OfAnEarlierVersionStaysWhereItIsInUse) {
  const auto store = state::make_memory_store();
  const Cidr before = ula_prefix("a host");
  const Cidr used = Cidr::of(before.first(), 64);
  ASSERT_TRUE(Ipam(*store, {.boot_id = "boot-1", .ula_seed = "a host"})
                  .create_pool({.subnet = used, .owner = "shop"}));
  EXPECT_TRUE(before.contains(chosen_in(*store)));
  EXPECT_TRUE(before.contains(chosen_in(*store)));
}

TEST(PoolId, IsTheTextOfTheSubnet) {
  EXPECT_EQ(parse_pool_id("10.1.0.0/24").value(), subnet("10.1.0.0/24"));
  for (const char* bad : {"", "10.1.0.0", "10.1.0.5/24", "pool"})
    EXPECT_FALSE(parse_pool_id(bad)) << bad;
}

TEST(UlaSeed, IsStableAndNotEmpty) {
  EXPECT_FALSE(ula_seed_of_host().empty());
  EXPECT_EQ(ula_seed_of_host(), ula_seed_of_host());
}

}  // namespace
}  // namespace fairlead::network
