#include <thread>

#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NetworksTest : public ClusterTest {
 protected:
  static Code code(const Result<SharedNetwork>& result) {
    return result ? Code::kInternal : result.error().code;
  }
};

TEST_F(NetworksTest, TheSecondHostJoinsWhatTheFirstOneMade) {
  Machine &a = joined("a"), &b = joined("b");
  const auto made = make_network(a, "shop");
  EXPECT_EQ(made.mtu, 1450U);
  EXPECT_EQ(made.options.at("mode"), "overlay");
  EXPECT_GE(made.vni, 4096U);
  EXPECT_EQ(made.subnets.at(0).subnet, cidr("10.224.0.0/20"));
  EXPECT_EQ(made.subnets.at(0).gateway, ip("10.224.0.1"));
  EXPECT_EQ(make_network(b, "shop"), made);
  EXPECT_EQ(b.networks().inspect("shop").value(), made);
  EXPECT_EQ(b.networks().inspect(made.id).value(), made);
  EXPECT_EQ(b.networks().list()->size(), 1U);
}

TEST_F(NetworksTest, CreationIsOneTransaction) {
  Machine& a = joined("a");
  const auto before = world_.store->revision().value();
  make_network(a, "shop");
  EXPECT_EQ(world_.store->revision().value(), before + 1);
}

TEST_F(NetworksTest, WhatDiffersIsNamed) {
  Machine &a = joined("a"), &b = joined("b");
  make_network(a, "shop", "10.9.0.0/20");
  const auto refused = [&](const NetworkSpec& other) {
    const auto made = b.networks().create_or_join(other, {});
    EXPECT_EQ(code(made), Code::kConflict);
    return made ? "" : made.error().text;
  };
  auto other = spec("shop", "10.9.0.0/20");
  other.options.icc = false;
  EXPECT_THAT(refused(other), HasSubstr("its option \"icc\" is not set, not \"false\""));
  EXPECT_THAT(refused(spec("shop", "10.10.0.0/20")), HasSubstr("it has no subnet 10.10.0.0/20"));
  other = spec("shop");
  other.internal = true;
  EXPECT_THAT(refused(other), HasSubstr("it is not internal"));
  other = spec("shop");
  other.ipv6 = true;
  EXPECT_THAT(refused(other), HasSubstr("it has no IPv6 subnet"));
  other = spec("shop", "10.9.0.0/20");
  other.subnets[0].gateway = ip("10.9.0.9");
  EXPECT_THAT(refused(other), HasSubstr("its gateway is 10.9.0.1, not 10.9.0.9"));
  other = spec("shop");
  other.options.mtu = 1400;
  EXPECT_THAT(refused(other), HasSubstr("its MTU is 1450, not 1400"));
  other = spec("shop", "10.9.0.0/20");
  other.options.bridge = IfName::parse("br-mine").value();  // each host's own
  EXPECT_TRUE(b.networks().create_or_join(other, {}));
}

TEST_F(NetworksTest, OverlapsNameTheHolderAndChosenSubnetsAvoidEverybody) {
  Machine& a = joined("a");
  make_network(a, "shop", "10.9.0.0/20");
  const auto overlap = a.networks().create_or_join(spec("lab", "10.9.8.0/24"), {});
  EXPECT_EQ(code(overlap), Code::kExists);
  EXPECT_THAT(overlap.error().text, HasSubstr("network shop"));
  const auto occupied =
      a.networks().create_or_join(spec("lab", "10.11.0.0/20"), {cidr("10.11.3.0/24")});
  EXPECT_EQ(code(occupied), Code::kExists);
  EXPECT_THAT(occupied.error().text, HasSubstr("10.11.3.0/24"));
  const auto chosen = a.networks().create_or_join(spec("lab"), {cidr("10.224.0.0/16")});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->subnets[0].subnet, cidr("10.225.0.0/20"));
  EXPECT_EQ(count("net/"), 2U) << "nothing is left of what was refused";
  EXPECT_EQ(count("vni/"), 2U);
}

TEST_F(NetworksTest, AHostThatHasTheSubnetOtherwiseCannotJoin) {
  Machine &a = joined("a"), &b = joined("b");
  make_network(a, "shop", "10.9.0.0/20");
  const auto refused = b.networks().create_or_join(spec("shop"), {cidr("10.9.4.0/24")});
  EXPECT_EQ(code(refused), Code::kExists);
}

// Somebody who can write records names what is another network's.
TEST_F(NetworksTest, ANetworkWithAnothersNameVniOrSubnetIsRefusedAndItsRemovalTakesNothing) {
  Machine &a = joined("a"), &b = joined("b");
  const SharedNetwork shop = make_network(a, "shop", "10.9.0.0/20");
  const std::string id(64, 'f');
  SharedNetwork evil{.id = id,
                     .name = NetworkName::parse("evil").value(),
                     .vni = 4242,
                     .subnets = {{.subnet = cidr("10.66.0.0/16"), .gateway = ip("10.66.0.1")}},
                     .mtu = 1450,
                     .options = {{"mode", "overlay"}}};
  const auto put = [&](const SharedNetwork& network) {
    state::Txn txn{.puts = {{keys::network(id), encode(NetworkRecord{network})},
                            {keys::network_name("evil"), encode_id(id)}}};
    if (network.vni != shop.vni)
      txn.puts.push_back({keys::vni(network.vni), encode(VniRecord{.network_id = id})});
    for (const Subnet& subnet : network.subnets)
      if (subnet.subnet != shop.subnets[0].subnet)
        txn.puts.push_back({keys::pool(subnet.subnet), encode(SharedPool{id, "evil"})});
    ASSERT_TRUE(world_.store->commit(txn));
  };
  const auto refused = [&](const SharedNetwork& network, const char* text) {
    put(network);
    const auto joined = b.networks().create_or_join(spec("evil"), {});
    EXPECT_EQ(code(joined), Code::kConflict);
    EXPECT_THAT(joined ? "" : joined.error().text, HasSubstr(text));
    EXPECT_EQ(count("joined/" + id), 0U);
    ASSERT_TRUE(b.networks().remove("evil"));
    EXPECT_EQ(count("net/" + id), 0U);
  };
  SharedNetwork other = evil;
  other.vni = shop.vni;
  refused(other, "which is network shop's");
  other = evil;
  other.subnets = shop.subnets;
  refused(other, "network shop's");
  other.subnets[0].subnet = cidr("10.9.8.0/24");
  other.subnets[0].gateway = ip("10.9.8.1");
  refused(other, "in 10.9.0.0/20, network shop's");
  other = evil;
  other.name = shop.name;
  refused(other, "which is network shop");
  EXPECT_EQ(b.networks().inspect("shop").value(), shop);
  EXPECT_EQ(must(read<VniRecord>(*world_.store, keys::vni(shop.vni)))->value.network_id, shop.id);
  EXPECT_EQ(count(keys::pool(shop.subnets[0].subnet)), 1U);
  put(evil);
  EXPECT_TRUE(b.networks().create_or_join(spec("evil"), {})) << "one that is right is joined";
}

TEST_F(NetworksTest, BadSubnetsAreRefusedAsForBridges) {
  Machine& a = joined("a");
  for (const char* bad : {"10.9.0.1/20", "10.9.0.0/31", "224.0.0.0/20", "127.0.0.0/20"})
    EXPECT_EQ(code(a.networks().create_or_join(spec("shop", bad), {})), Code::kInvalid) << bad;
  auto two = spec("shop", "10.9.0.0/20");
  two.subnets.push_back({.subnet = cidr("10.10.0.0/20")});
  EXPECT_EQ(code(a.networks().create_or_join(two, {})), Code::kUnsupported);
  auto outside = spec("shop", "10.9.0.0/20");
  outside.subnets[0].gateway = ip("10.10.0.1");
  EXPECT_EQ(code(a.networks().create_or_join(outside, {})), Code::kInvalid);
}

TEST_F(NetworksTest, BothFamiliesComeInTheSameTransaction) {
  Machine& a = joined("a");
  auto wanted = spec("shop");
  wanted.ipv6 = true;
  const auto before = world_.store->revision().value();
  const auto made = a.networks().create_or_join(wanted, {});
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(world_.store->revision().value(), before + 1);
  ASSERT_EQ(made->subnets.size(), 2U);
  EXPECT_EQ(made->subnets[1].subnet.prefix_length(), 64U);
  EXPECT_FALSE(made->subnets[1].subnet.is_v4());
}

TEST_F(NetworksTest, TheNarrowestHostDecidesOnTheMtuAndNarrowerOnesCannotJoin) {
  Machine wide(world_, "wide", std::string(32, 'a'), "192.0.2.1", 9000);
  Machine narrow(world_, "narrow", std::string(32, 'b'), "192.0.2.2", 1400);
  ASSERT_TRUE(wide.membership().join());
  const auto jumbo = wide.networks().create_or_join(spec("jumbo"), {});
  EXPECT_EQ(jumbo.value().mtu, 8950U);
  ASSERT_TRUE(narrow.membership().join());
  EXPECT_EQ(wide.networks().create_or_join(spec("shop"), {})->mtu, 1350U);
  const auto refused = narrow.networks().create_or_join(spec("jumbo"), {});
  EXPECT_EQ(code(refused), Code::kUnsupported);
  EXPECT_THAT(refused.error().text, HasSubstr("needs 9000"));
  auto too_much = spec("lab");
  too_much.options.mtu = 1500;
  EXPECT_THAT(wide.networks().create_or_join(too_much, {}).error().text, HasSubstr("host narrow"));
}

TEST_F(NetworksTest, RemovalIsRefusedWhileAnyHostUsesIt) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.endpoints().publish(endpoint(net, "e1", ip("10.9.0.5"))));
  const auto refused = a.networks().remove("shop");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInUse);
  EXPECT_THAT(refused.error().text, HasSubstr("1 endpoint on host b (1)"));
  EXPECT_TRUE(a.networks().leave("shop"));
  EXPECT_EQ(b.networks().leave("shop").error().code, Code::kInUse);
  ASSERT_TRUE(b.endpoints().withdraw(net.id, "e1"));
  EXPECT_TRUE(b.networks().leave("shop"));
  ASSERT_TRUE(a.networks().remove("shop"));
  EXPECT_TRUE(a.networks().remove("shop")) << "again";
  for (const char* prefix : {"net/", "netname/", "pool/", "blk/", "ip/", "ep/"})
    EXPECT_EQ(count(prefix), 0U) << prefix;
  EXPECT_EQ(b.networks().inspect("shop").error().code, Code::kNotFound);
}

TEST_F(NetworksTest, TheLastHostThatLeavesTakesTheNetworkAway) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.networks().create_or_join(spec("shop"), {}));
  ASSERT_TRUE(b.networks().create_or_join(spec("shop"), {})) << "again";
  EXPECT_EQ(count("joined/"), 2U);
  ASSERT_TRUE(a.networks().leave(net.id));
  EXPECT_TRUE(b.networks().inspect("shop")) << "b has it";
  ASSERT_TRUE(a.networks().leave(net.id)) << "again";
  EXPECT_TRUE(b.networks().inspect("shop"));
  ASSERT_TRUE(b.networks().leave(net.id));
  EXPECT_EQ(code(b.networks().inspect("shop")), Code::kNotFound);
  for (const char* prefix : {"net/", "netname/", "pool/", "joined/"})
    EXPECT_EQ(count(prefix), 0U) << prefix;
}

TEST_F(NetworksTest, AHostHasExactlyTheNetworksItSaysItHas) {
  Machine &a = joined("a"), &b = joined("b");
  const auto kept = make_network(a, "kept", "10.9.0.0/20");
  const auto left = make_network(a, "left", "10.10.0.0/20");
  ASSERT_TRUE(b.networks().create_or_join(spec("left"), {}));
  const auto gone = b.networks().keep({kept.id, "0123456789ab"});
  ASSERT_TRUE(gone) << gone.error().text;
  EXPECT_THAT(*gone, ElementsAre("0123456789ab"));
  EXPECT_EQ(count("joined/" + kept.id), 2U);
  EXPECT_EQ(count("joined/" + left.id), 2U) << "b is about to make it";
  ASSERT_TRUE(b.networks().keep({kept.id, left.id}));  // it has made it
  ASSERT_TRUE(b.networks().keep({kept.id}));           // and removed it
  EXPECT_EQ(count("joined/" + left.id), 1U);
  ASSERT_TRUE(a.networks().keep({}));
  EXPECT_TRUE(a.networks().inspect("left"));
  a.start();  // it died in the middle
  ASSERT_TRUE(a.membership().join());
  ASSERT_TRUE(a.networks().keep({}));
  EXPECT_EQ(code(a.networks().inspect("left")), Code::kNotFound);
  EXPECT_TRUE(a.networks().inspect("kept"));
}

TEST_F(NetworksTest, ANetworkThatNobodyHasGoesThoughTheLastHostGotNoAnswerWhenItLeft) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.networks().keep({net.id}));
  a.shared->lost_answers = 1;
  const auto unanswered = a.networks().keep({});
  ASSERT_FALSE(unanswered);
  EXPECT_EQ(unanswered.error().code, Code::kUnavailable);
  ASSERT_TRUE(a.networks().keep({}));
  for (const char* prefix : {"net/", "netname/", "pool/", "joined/"})
    EXPECT_EQ(count(prefix), 0U) << prefix;
}

TEST_F(NetworksTest, ANetworkThatNobodyHasGoesThoughTheLastHostDiedWhileItLeft) {
  Machine& a = joined("a");
  joined("b");
  bool died = true;
  for (int nth = 1; died; ++nth) {
    const auto net = make_network(a, "shop", "10.9.0.0/20");
    a.fate.commits_left = nth;
    a.fate.when = Fate::When::kAfter;
    died = false;
    try {
      (void)a.networks().leave(net.id);
    } catch (const Crash&) {
      died = true;
    }
    a.start();
    ASSERT_TRUE(a.membership().join());
    ASSERT_TRUE(machine("b").networks().keep({})) << nth;  // the other host tidies up, too
    if (nth == 1) EXPECT_EQ(count("net/"), 0U);
    ASSERT_TRUE(a.networks().keep({})) << nth;
    for (const char* prefix : {"net/", "netname/", "pool/", "joined/"})
      EXPECT_EQ(count(prefix), 0U) << prefix << " after commit " << nth;
  }
}

TEST_F(NetworksTest, AJoinThatWasUndoneWithoutAnAnswerIsCompletedLater) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  a.shared->is_open = false;
  EXPECT_FALSE(a.networks().leave(net.id));
  a.shared->is_open = true;
  ASSERT_TRUE(a.networks().keep({}));
  for (const char* prefix : {"net/", "joined/"}) EXPECT_EQ(count(prefix), 0U) << prefix;
}

TEST_F(NetworksTest, EndpointsOfANetworkThatAHostNoLongerHasDoNotKeepItThere) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.networks().create_or_join(spec("shop"), {}));
  ASSERT_TRUE(a.endpoints().publish(endpoint(net, "e1", ip("10.9.0.5"))));
  ASSERT_TRUE(b.endpoints().publish(endpoint(net, "e2", ip("10.9.0.6"))));
  ASSERT_TRUE(a.networks().keep({net.id}));
  ASSERT_TRUE(b.networks().keep({net.id}));
  EXPECT_EQ(count("ep/"), 2U);
  ASSERT_TRUE(a.networks().keep({}));
  EXPECT_EQ(count("ep/"), 1U) << "b's";
  EXPECT_EQ(count("joined/" + net.id), 1U);
  ASSERT_TRUE(b.networks().keep({}));
  for (const char* prefix : {"ep/", "joined/", "net/"}) EXPECT_EQ(count(prefix), 0U) << prefix;
}

TEST_F(NetworksTest, ASuggestedSubnetIsFree) {
  Machine& a = joined("a");
  const auto first = a.networks().free_subnet(Family::kV4, {});
  ASSERT_TRUE(first) << first.error().text;
  const auto other = a.networks().free_subnet(Family::kV4, {*first});
  ASSERT_TRUE(other);
  EXPECT_FALSE(first->overlaps(*other));
  const auto net = make_network(a, "shop", first->to_string());
  EXPECT_EQ(*a.networks().free_subnet(Family::kV4, {}), *other);
}

TEST_F(NetworksTest, NothingIsPublishedIntoANetworkThatGoes) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  a.fate = {1, Fate::When::kAfter};  // dies once the removal has begun
  EXPECT_THROW((void)a.networks().remove("shop"), Crash);
  const auto late = b.endpoints().publish(endpoint(net, "e1", ip("10.9.0.5")));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kUnavailable);
  EXPECT_EQ(b.allocate(net, "e1").error().code, Code::kUnavailable);
  const auto again = make_network(b, "shop", "10.9.0.0/20");  // ends the removal first
  EXPECT_NE(again.id, net.id);
  EXPECT_EQ(count("net/"), 1U);
  EXPECT_EQ(b.endpoints().publish(endpoint(net, "e1", ip("10.9.0.5"))).error().code,
            Code::kNotFound);
}

TEST_F(NetworksTest, ARemovalThatDiedDoesNotTakeWhatCameBeforeIt) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  a.fate = {1, Fate::When::kAfter};
  EXPECT_THROW((void)a.networks().remove("shop"), Crash);
  // As if it had been published between the look and the change.
  ASSERT_TRUE(world_.store->commit(
      {.puts = {{keys::endpoint(net.id, "e1"),
                 encode(SharedEndpoint{.host_id = b.info.id,
                                       .epoch = 1,
                                       .addresses = {ip("10.9.0.5")},
                                       .mac = MacAddress::for_ip(ip("10.9.0.5"))})}}}));
  EXPECT_EQ(b.networks().remove("shop").error().code, Code::kInUse);
  EXPECT_EQ(make_network(b, "shop"), net) << "it is there, ready as before";
  EXPECT_TRUE(b.endpoints().publish(endpoint(net, "e2", ip("10.9.0.6"))));
}

TEST_F(NetworksTest, AVniRestsAfterARemoval) {
  Machine& a = joined("a");
  auto wanted = spec("shop");
  wanted.id = std::string(64, '7');
  const auto first = a.networks().create_or_join(wanted, {}).value();
  ASSERT_TRUE(a.networks().remove("shop"));
  const auto second = a.networks().create_or_join(wanted, {}).value();
  EXPECT_EQ(second.vni, first.vni + 1) << "the next one that is free";
  ASSERT_TRUE(a.networks().remove("shop"));
  world_.pass(600);
  EXPECT_EQ(a.networks().create_or_join(wanted, {}).value().vni, first.vni);
}

TEST_F(NetworksTest, VnisAreNeverBelow4096AndGoRound) {
  for (int i = 0; i < 1000; ++i) EXPECT_GE(VniProbe(std::to_string(i)).current(), 4096U);
  VniProbe probe("x");
  while (probe.current() != 0xffffff) probe.next();
  probe.next();
  EXPECT_EQ(probe.current(), 4096U);
}

TEST_F(NetworksTest, ManyHostsThatCreateAtOnceAgree) {
  constexpr int kHosts = 6, kNames = 5;
  std::vector<Machine*> hosts;
  for (int i = 0; i < kHosts; ++i) hosts.push_back(&joined(fmt::format("h{}", i)));
  std::vector<std::vector<std::string>> ids(kHosts);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kHosts; ++i)
      threads.emplace_back([&, i] {
        for (int name = 0; name < kNames; ++name) {
          const auto made = hosts[static_cast<std::size_t>(i)]->networks().create_or_join(
              spec(fmt::format("net-{}", name)), {});
          ids[static_cast<std::size_t>(i)].push_back(made ? made->id : made.error().text);
        }
      });
  }
  for (const auto& one : ids) EXPECT_EQ(one, ids[0]);
  EXPECT_EQ(count("net/"), static_cast<std::size_t>(kNames));
  std::vector<Cidr> subnets;
  for (const SharedNetwork& net : must(hosts[0]->networks().list()))
    for (const Cidr& other : subnets) EXPECT_FALSE(other.overlaps(net.subnets[0].subnet));
}

TEST_F(NetworksTest, ARemovedHostCreatesNothing) {
  Machine &a = joined("a"), &b = joined("b");
  ASSERT_TRUE(a.membership().remove_host("b"));
  EXPECT_FALSE(b.networks().create_or_join(spec("shop"), {}));
  EXPECT_EQ(count("net/"), 0U);
}

TEST_F(NetworksTest, AHostsEndpointsBecomeExactlyWhatItSaysTheyAre) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.endpoints().publish(endpoint(net, "other", ip("10.9.0.9"))));
  ASSERT_TRUE(b.endpoints().publish(endpoint(net, "old", ip("10.9.0.5"))));
  const auto stays = endpoint(net, "stays", ip("10.9.0.6")),
             fresh = endpoint(net, "new", ip("10.9.0.7"));
  ASSERT_TRUE(b.endpoints().publish(stays));
  EXPECT_EQ(b.endpoints().publish_all({stays, fresh}).value(), 2U);
  EXPECT_EQ(b.endpoints().publish_all({stays, fresh}).value(), 0U);
  std::vector<std::string> ids;
  for (const SharedEndpoint& one : must(b.endpoints().list(net.id))) ids.push_back(one.id);
  EXPECT_THAT(ids, ::testing::ElementsAre("new", "other", "stays"));
  EXPECT_EQ(b.endpoints().publish(endpoint(net, "other", ip("10.9.0.9"))).error().code,
            Code::kExists);
}

}  // namespace
}  // namespace fairlead::network::cluster
