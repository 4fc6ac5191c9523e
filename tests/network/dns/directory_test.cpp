// Who is told which name, and what of it.
#include "network/dns/directory.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/network/dns/world.h"

namespace fairlead::dns {
namespace {

using tests::ip;
using tests::query;
using tests::World;

// Two networks, "shop" and "lab". web and db are in shop; probe is in lab; both is in both, as one container.
class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest()
      : world([](std::string_view service, std::string_view protocol) {
          return service == "http" && protocol == "tcp" ? std::optional<std::uint16_t>(80)
                                                        : std::nullopt;
        }) {
    world.put(World::zone("shop", 1));
    world.put(World::zone("lab", 2));
    world.put(World::host("shop", "e-web", {"web", "www"}, {"10.1.0.2", "fd00:1::2"}));
    world.put(World::host("shop", "e-db", {"db"}, {"10.1.0.3"}));
    world.put(World::host("lab", "e-probe", {"probe"}, {"10.2.0.2"}));
    world.put(World::host("shop", "e-both-shop", {"both"}, {"10.1.0.9"}, "docker/both"));
    world.put(World::host("lab", "e-both-lab", {"both"}, {"10.2.0.9"}, "docker/both"));
  }

  std::string from_web(const std::string& name, const std::string& type = "A") {
    return world.ask("shop", "10.1.0.2", name, type);
  }
  std::string from_both(const std::string& name, const std::string& type = "A") {
    return world.ask("shop", "10.1.0.9", name, type);
  }

  World world;
};

// ---- names and types

TEST_F(DirectoryTest, NamesAndAliasesInBothFamilies) {
  EXPECT_EQ(from_web("db"), "A 10.1.0.3");
  EXPECT_EQ(from_web("web"), "A 10.1.0.2");
  EXPECT_EQ(from_web("www"), "A 10.1.0.2");
  EXPECT_EQ(from_web("web", "AAAA"), "AAAA fd00:1::2");
}

TEST_F(DirectoryTest, ANameWithoutWhatIsAskedForIsNotAskedElsewhere) {
  EXPECT_EQ(from_web("db", "AAAA"), "NODATA by db.");
  for (const char* type : {"MX", "TXT", "HTTPS", "CNAME", "SRV", "PTR", "SOA", "NS"})
    EXPECT_EQ(from_web("web", type), "NODATA by web.") << type;
}

TEST_F(DirectoryTest, AnyGetsTheAddressesOfOneFamily) {
  EXPECT_EQ(from_web("web", "ANY"), "A 10.1.0.2");
  world.put(World::host("shop", "e-six", {"six"}, {"fd00:1::6"}));
  EXPECT_EQ(from_web("six", "ANY"), "AAAA fd00:1::6");
}

TEST_F(DirectoryTest, CaseDoesNotMatterAndIsRepeated) {
  world.put(World::host("shop", "e-cap", {"MyApp"}, {"10.1.0.20"}));
  EXPECT_EQ(from_web("myapp"), "A 10.1.0.20");
  const auto answer = world.full("shop", "10.1.0.2", "mYApP.ShOP");
  EXPECT_EQ(answer.question, "mYApP.ShOP. IN A");
  ASSERT_EQ(answer.answers.size(), 1U);
  EXPECT_EQ(answer.answers[0], "mYApP.ShOP. 0 IN A 10.1.0.20");
}

TEST_F(DirectoryTest, WhatIsInAnAnswer) {
  const auto answer =
      world.full("shop", "10.1.0.2", "web", {.id = 99, .udp_size = 4096, .dnssec_ok = true});
  EXPECT_EQ(answer.id, 99);
  EXPECT_EQ(answer.flags, "qr aa rd ra");
  EXPECT_EQ(answer.question, "web. IN A");
  EXPECT_EQ(answer.edns, "version 0 size 1232 do");
  EXPECT_EQ(world.full("shop", "10.1.0.2", "web", {.rd = false}).flags, "qr aa ra");
  EXPECT_EQ(world.full("shop", "10.1.0.2", "web", {.cd = true}).flags, "qr aa rd ra cd");
  EXPECT_EQ(world.full("shop", "10.1.0.2", "web").edns, "");
}

TEST_F(DirectoryTest, NobodyKeepsThatThereIsNoContainer) {
  const auto answer = world.full("shop", "10.1.0.2", "db", {.type = "AAAA"});
  ASSERT_EQ(answer.authorities.size(), 1U);
  EXPECT_EQ(answer.authorities[0], "db. 0 IN SOA db. nobody.invalid. 1 3600 1200 604800 0");
}

TEST_F(DirectoryTest, AnAnswerIsCompressed) {
  for (int i = 10; i < 60; ++i)
    world.put(World::host("shop", "e-" + std::to_string(i), {std::string(60, 'n')},
                          {"10.1.0." + std::to_string(i)}));
  const auto reply = world.reply("shop", "10.1.0.2", query(std::string(60, 'n')));
  EXPECT_EQ(std::get<Message>(reply).size(), 12U + 62 + 4 + 50 * 16);
}

// ---- names of networks

TEST_F(DirectoryTest, NameInANetwork) {
  EXPECT_EQ(from_web("db.shop"), "A 10.1.0.3");
  EXPECT_EQ(from_web("DB.SHOP"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db.shop", "AAAA"), "NODATA by db.shop.");
}

TEST_F(DirectoryTest, ANetworkHasSeveralNames) {
  Zone zone = World::zone("shop", 1);
  zone.names = {"shop_default", "docker-0123456789ab", "name.with.dots"};
  world.put(zone);
  EXPECT_EQ(from_web("db.shop_default"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db.docker-0123456789ab"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db.name.with.dots"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db.shop"), "forward");  // of before
}

TEST_F(DirectoryTest, AMissInANetworkMayBeSomebodyElses) {
  Zone zone = World::zone("shop", 1);
  zone.names = {"com"};
  world.put(zone);
  EXPECT_EQ(from_web("example.com"), "forward");
  EXPECT_EQ(from_web("db.com"), "A 10.1.0.3");
  EXPECT_EQ(from_web("com"), "forward");
}

TEST_F(DirectoryTest, TheExactNameGoesBeforeANetworks) {
  world.put(World::host("lab", "e-exact", {"db.shop"}, {"10.2.0.50"}));
  EXPECT_EQ(from_both("db.shop"), "A 10.2.0.50");
  EXPECT_EQ(from_both("db.shop.lab"), "A 10.2.0.50");
  EXPECT_EQ(from_both("db"), "A 10.1.0.3");
}

TEST_F(DirectoryTest, AContainerCalledAsANetwork) {
  world.put(World::host("shop", "e-shop", {"shop"}, {"10.1.0.51"}));
  EXPECT_EQ(from_web("shop"), "A 10.1.0.51");
  EXPECT_EQ(from_web("shop.shop"), "A 10.1.0.51");
  EXPECT_EQ(from_web("db.shop"), "A 10.1.0.3");
}

// ---- domains

class DomainTest : public DirectoryTest {
 protected:
  DomainTest() {
    Zone zone = World::zone("shop", 1);
    zone.domain = "shop.internal";
    world.put(zone);
  }
};

TEST_F(DomainTest, NamesAreInIt) {
  EXPECT_EQ(from_web("db.shop.internal"), "A 10.1.0.3");
  EXPECT_EQ(from_web("Db.Shop.Internal"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db.shop"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db.shop.internal", "AAAA"), "NODATA by shop.internal.");
}

TEST_F(DomainTest, WhatIsNotInItIsNowhere) {
  EXPECT_EQ(from_web("nobody.shop.internal"), "NXDOMAIN by shop.internal.");
  EXPECT_EQ(from_web("a.db.shop.internal"), "NXDOMAIN by shop.internal.");
  EXPECT_EQ(from_web("nobody.xshop.internal"), "forward");
  EXPECT_EQ(from_web("x\\004shop.internal"), "forward");  // a label that ends as the domain begins
  EXPECT_EQ(from_web("other.internal"), "forward");
}

TEST_F(DomainTest, TheDomainItselfIsThere) {
  EXPECT_EQ(from_web("shop.internal"), "NODATA by shop.internal.");
  EXPECT_EQ(from_web("shop.internal", "SOA"),
            "SOA shop.internal. nobody.invalid. 1 3600 1200 604800 0");
}

TEST_F(DomainTest, ANameBetweenIsThere) {
  world.put(World::host("shop", "e-ab", {"a.b"}, {"10.1.0.52"}));
  EXPECT_EQ(from_web("a.b.shop.internal"), "A 10.1.0.52");
  EXPECT_EQ(from_web("b.shop.internal"), "NODATA by shop.internal.");  // RFC 8020
  world.names->remove_host("shop", "e-ab");
  EXPECT_EQ(from_web("b.shop.internal"), "NXDOMAIN by shop.internal.");
}

TEST_F(DomainTest, OnlyForThoseWhoAreInTheNetwork) {
  EXPECT_EQ(world.ask("lab", "10.2.0.2", "db.shop.internal"), "forward");
  EXPECT_EQ(world.ask("lab", "10.2.0.9", "db.shop.internal"), "A 10.1.0.3");
}

TEST_F(DomainTest, TheLongerOfTwoDomains) {
  Zone lab = World::zone("lab", 2);
  lab.domain = "internal";
  world.put(lab);
  EXPECT_EQ(from_both("nobody.shop.internal"), "NXDOMAIN by shop.internal.");
  EXPECT_EQ(world.ask("lab", "10.2.0.9", "nobody.shop.internal"), "NXDOMAIN by shop.internal.");
  EXPECT_EQ(from_both("nobody.internal"), "NXDOMAIN by internal.");
  EXPECT_EQ(from_both("probe.internal"), "A 10.2.0.2");
}

TEST_F(DomainTest, PointersAndTargetsAreInIt) {
  EXPECT_EQ(from_web("3.0.1.10.in-addr.arpa", "PTR"), "PTR db.shop.internal.");
}

// ---- who sees what

TEST_F(DirectoryTest, OthersNetworksAreNotSeen) {
  EXPECT_EQ(from_web("probe"), "forward");
  EXPECT_EQ(from_web("probe.lab"), "forward");
  EXPECT_EQ(world.ask("lab", "10.2.0.2", "db"), "forward");
  EXPECT_EQ(world.ask("lab", "10.2.0.2", "db.shop"), "forward");
}

TEST_F(DirectoryTest, AContainerInTwoNetworksSeesBoth) {
  EXPECT_EQ(from_both("db"), "A 10.1.0.3");
  EXPECT_EQ(from_both("probe"), "A 10.2.0.2");
  EXPECT_EQ(from_both("probe.lab"), "A 10.2.0.2");
  EXPECT_EQ(world.ask("lab", "10.2.0.9", "db"), "A 10.1.0.3");
}

TEST_F(DirectoryTest, TheAskedNetworkGoesFirst) {
  EXPECT_EQ(from_both("both"), "A 10.1.0.9");
  EXPECT_EQ(world.ask("lab", "10.2.0.9", "both"), "A 10.2.0.9");
  EXPECT_EQ(from_both("both.lab"), "A 10.2.0.9");
}

TEST_F(DirectoryTest, TheFirstNetworkThatHasTheNameDecides) {
  // Only IPv4 there: the other network's IPv6 address is another container's.
  world.put(World::host("shop", "e-x", {"x"}, {"10.1.0.60"}));
  world.put(World::host("lab", "e-x", {"x"}, {"10.2.0.60", "fd00:2::60"}));
  EXPECT_EQ(from_both("x", "AAAA"), "NODATA by x.");
}

TEST_F(DirectoryTest, TheOthersHaveAStableOrder) {
  world.put(World::zone("aaa", 3));
  world.put(World::host("aaa", "e-both-aaa", {"both"}, {"10.3.0.9"}, "docker/both"));
  world.put(World::host("aaa", "e-t", {"twice"}, {"10.3.0.70"}));
  world.put(World::host("lab", "e-t", {"twice"}, {"10.2.0.70"}));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(from_both("twice"), "A 10.3.0.70");
  world.names->remove_host("aaa", "e-t");
  EXPECT_EQ(from_both("twice"), "A 10.2.0.70");
}

TEST_F(DirectoryTest, WhoIsNobodySeesTheAskedNetwork) {
  // The host, and addresses that no container has (yet).
  for (const char* client : {"10.1.0.1", "127.0.0.1", "::1", "10.1.0.200", "fd00:1::99"}) {
    EXPECT_EQ(world.ask("shop", client, "db"), "A 10.1.0.3") << client;
    EXPECT_EQ(world.ask("shop", client, "probe.lab"), "forward") << client;
  }
}

TEST_F(DirectoryTest, WhoIsOfNoNetworkOfTheGatewaysIsRefused) {
  // probe, which is in lab alone; both, from the wrong side; lab's gateway; a machine elsewhere.
  for (const char* client :
       {"10.2.0.2", "10.2.0.9", "10.2.0.1", "192.0.2.77", "2001:db8::1", "fe80::5"})
    for (const char* name : {"db", "probe", "example.com", "localhost", "3.0.1.10.in-addr.arpa"})
      EXPECT_EQ(world.ask("shop", client, name), "REFUSED") << client << " " << name;
  EXPECT_EQ(world.full("shop", "192.0.2.77", "db").flags, "qr rd ra");
}

TEST_F(DirectoryTest, WhoHasNoAddressButTheLinksAsksALinkLocalGateway) {
  Zone zone = World::zone("shop", 1);
  zone.gateways = {ip("fe80::1")};
  world.put(zone);
  EXPECT_EQ(world.ask("shop", "fe80::5", "db"), "A 10.1.0.3");
}

TEST_F(DirectoryTest, AContainerWithAnAddressFromElsewhereIsOfItsNetwork) {
  world.put(World::host("shop", "e-far", {"far"}, {"198.51.100.9"}));
  EXPECT_EQ(world.ask("shop", "198.51.100.9", "db"), "A 10.1.0.3");
}

TEST_F(DirectoryTest, OneIdOfTwoRuntimesIsTwoContainers) {
  world.put(World::host("shop", "e-1", {"one"}, {"10.1.0.80"}, "docker/abc"));
  world.put(World::host("lab", "e-2", {"two"}, {"10.2.0.80"}, "podman/abc"));
  EXPECT_EQ(world.ask("shop", "10.1.0.80", "two"), "forward");
}

TEST_F(DirectoryTest, WhoLeavesANetworkSeesItNoMore) {
  world.names->remove_host("lab", "e-both-lab");
  EXPECT_EQ(from_both("probe"), "forward");
  EXPECT_EQ(from_both("both"), "A 10.1.0.9");
}

TEST_F(DirectoryTest, NetworksWithOneGatewayAreToldApartByTheClient) {
  for (const unsigned n : {4U, 5U}) {
    Zone zone = World::zone("routed" + std::to_string(n), n);
    zone.gateways = {ip("169.254.1.1")};
    world.put(zone);
    const std::string net = "routed" + std::to_string(n), at = "10." + std::to_string(n) + ".0.";
    world.put(World::host(net, "e-a", {"a"}, {at + "2"}));
    world.put(World::host(net, "e-b", {"b"}, {at + "3"}));
  }
  EXPECT_EQ(world.ask("routed4", "10.4.0.2", "b"), "A 10.4.0.3");
  EXPECT_EQ(world.ask("routed4", "10.5.0.2", "b"), "A 10.5.0.3");
  EXPECT_EQ(world.ask("routed5", "10.4.0.2", "b"), "A 10.4.0.3");
  world.names->remove_zone("routed5");
  EXPECT_EQ(world.ask("routed4", "10.5.0.2", "b"), "REFUSED");
}

TEST_F(DirectoryTest, ANetworkWithoutDnsHasNoNames) {
  Zone lab = World::zone("lab", 2);
  lab.answers = false;
  world.put(lab);
  EXPECT_EQ(from_both("probe"), "forward");
  EXPECT_EQ(from_both("probe.lab"), "forward");
  EXPECT_EQ(from_both("2.0.2.10.in-addr.arpa", "PTR"), "forward");
  EXPECT_EQ(world.ask("lab", "10.2.0.9", "probe"), "forward");
  EXPECT_EQ(world.ask("lab", "10.2.0.9", "db"), "A 10.1.0.3");
}

// ---- several of one name

std::set<std::string> firsts(World& world, const std::string& name, const std::string& type,
                             int n) {
  std::set<std::string> result;
  for (int i = 0; i < n; ++i) {
    const auto answer = world.full("shop", "10.1.0.2", name, {.type = type});
    result.insert(answer.answers.empty() ? "" : answer.answers.front());
  }
  return result;
}

TEST_F(DirectoryTest, ReplicasTakeTurns) {
  for (int i = 0; i < 3; ++i)
    world.put(World::host("shop", "e-r" + std::to_string(i), {"r" + std::to_string(i), "api"},
                          {"10.1.0.10" + std::to_string(i)}));
  EXPECT_EQ(from_web("api"), "A 10.1.0.100; A 10.1.0.101; A 10.1.0.102");
  EXPECT_EQ(from_web("api"), "A 10.1.0.101; A 10.1.0.102; A 10.1.0.100");
  EXPECT_EQ(from_web("api"), "A 10.1.0.102; A 10.1.0.100; A 10.1.0.101");
  EXPECT_EQ(from_web("api"), "A 10.1.0.100; A 10.1.0.101; A 10.1.0.102");
}

TEST_F(DirectoryTest, EveryReplicaIsFirstWhereBothFamiliesAreAsked) {
  for (int i = 0; i < 2; ++i)
    world.put(World::host("shop", "e-r" + std::to_string(i), {"api"},
                          {"10.1.0.10" + std::to_string(i), "fd00:1::" + std::to_string(i + 8)}));
  std::set<std::string> v4, v6;
  for (int i = 0; i < 4; ++i) {
    v4.merge(firsts(world, "api", "A", 1));
    v6.merge(firsts(world, "api", "AAAA", 1));
  }
  EXPECT_EQ(v4.size(), 2U);
  EXPECT_EQ(v6.size(), 2U);
}

TEST_F(DirectoryTest, ManyReplicasAreWithinAMessageInTurn) {
  for (int i = 0; i < 5000; ++i)
    world.put(World::host("shop", "e-r" + std::to_string(i), {"many"},
                          {fmt::format("fd00:1::{:x}", i + 0x1000)}));
  for (int i = 0; i < 3; ++i) {
    const auto reply = world.reply("shop", "10.1.0.2", query("many", {.type = "AAAA"}));
    EXPECT_LE(std::get<Message>(reply).size(), 65535U);
    const auto answers = tests::read(std::get<Message>(reply)).answers;
    ASSERT_EQ(answers.size(), 2000U);
    EXPECT_EQ(answers.front(), fmt::format("many. 0 IN AAAA fd00:1::{:x}", i + 0x1000));
  }
}

// ---- containers come and go

TEST_F(DirectoryTest, ANamesakeStays) {
  world.put(World::host("shop", "e-db2", {"db"}, {"10.1.0.4"}));
  world.names->remove_host("shop", "e-db");
  EXPECT_EQ(from_web("db"), "A 10.1.0.4");
  world.names->remove_host("shop", "e-db2");
  EXPECT_EQ(from_web("db"), "forward");
}

TEST_F(DirectoryTest, AnAddressIsTheNewersAndStaysItsWhenTheOlderGoes) {
  world.put(World::host("shop", "e-new", {"new"}, {"10.1.0.3"}));  // db's, whose removal is late
  EXPECT_EQ(from_web("new"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db"), "NODATA by db.");
  EXPECT_EQ(from_web("3.0.1.10.in-addr.arpa", "PTR"), "PTR new.shop.");
  // What is told of the older again does not make it newer.
  world.put(World::host("shop", "e-db", {"db", "alias"}, {"10.1.0.3"}));
  EXPECT_EQ(from_web("3.0.1.10.in-addr.arpa", "PTR"), "PTR new.shop.");
  world.names->remove_host("shop", "e-db");
  EXPECT_EQ(from_web("new"), "A 10.1.0.3");
  EXPECT_EQ(from_web("3.0.1.10.in-addr.arpa", "PTR"), "PTR new.shop.");
  EXPECT_EQ(from_web("db"), "forward");
}

TEST_F(DirectoryTest, WhoHasTheAddressNowIsWhoAsks) {
  // both's address in shop is now another container's, which is in shop alone.
  world.put(World::host("shop", "e-new", {"new"}, {"10.1.0.9"}));
  EXPECT_EQ(world.ask("shop", "10.1.0.9", "probe"), "forward");
  world.names->remove_host("shop", "e-new");
  EXPECT_EQ(world.ask("shop", "10.1.0.9", "probe"), "A 10.2.0.2");
}

TEST_F(DirectoryTest, ARestartedContainerHasItsNewAddressAlone) {
  world.put(World::host("shop", "e-db", {"db"}, {"10.1.0.33"}));
  EXPECT_EQ(from_web("db"), "A 10.1.0.33");
  EXPECT_EQ(from_web("3.0.1.10.in-addr.arpa", "PTR"), "NXDOMAIN by 0.1.10.in-addr.arpa.");
}

TEST_F(DirectoryTest, NamesOfAnEndpointChange) {
  world.put(World::host("shop", "e-db", {"sql"}, {"10.1.0.3"}));
  EXPECT_EQ(from_web("sql"), "A 10.1.0.3");
  EXPECT_EQ(from_web("db"), "forward");
}

TEST_F(DirectoryTest, HostsMayComeBeforeTheirZone) {
  world.put(World::host("late", "e-l", {"l"}, {"10.7.0.2"}, "docker/both"));
  EXPECT_EQ(from_both("l"), "forward");
  EXPECT_EQ(world.ask("late", "10.7.0.2", "l"), "SERVFAIL");
  world.put(World::zone("late", 7));
  EXPECT_EQ(from_both("l"), "A 10.7.0.2");
  EXPECT_EQ(world.ask("late", "10.7.0.2", "l"), "A 10.7.0.2");
}

TEST_F(DirectoryTest, AZoneGoesWithItsHosts) {
  world.names->remove_zone("lab");
  EXPECT_EQ(from_both("probe"), "forward");
  EXPECT_EQ(from_both("db"), "A 10.1.0.3");
  world.put(World::zone("lab", 2));
  EXPECT_EQ(from_both("probe"), "forward");
  world.names->remove_host("lab", "e-probe");  // of before: nothing happens
  world.names->remove_zone("nothing");
}

TEST_F(DirectoryTest, ANetworkThatNobodyKnowsIsNotSaidToHaveNoNames) {
  EXPECT_EQ(world.ask("gone", "10.1.0.2", "db"), "SERVFAIL");
}

TEST_F(DirectoryTest, ReplacePutsAllInPlaceOfAll) {
  world.names->replace({World::zone("shop", 1)},
                       {World::host("shop", "old", {"old"}, {"10.1.0.2"}),
                        World::host("shop", "new", {"new"}, {"10.1.0.2"})});
  EXPECT_EQ(world.ask("shop", "10.1.0.2", "new"), "A 10.1.0.2");
  EXPECT_EQ(world.ask("shop", "10.1.0.2", "old"), "NODATA by old.");
  EXPECT_EQ(world.ask("shop", "10.1.0.2", "db"), "forward");
}

TEST_F(DirectoryTest, AnAddressIsAnsweredOnce) {
  world.put(World::host("shop", "e-t", {"t", "t"}, {"10.1.0.44", "10.1.0.44"}));
  EXPECT_EQ(from_web("t"), "A 10.1.0.44");
}

TEST_F(DirectoryTest, AnEndpointWithoutAddressesHasItsName) {
  world.put(World::host("shop", "e-none", {"none"}, {}));
  EXPECT_EQ(from_web("none"), "NODATA by none.");
}

// ---- texts that are names, and those that are not

TEST_F(DirectoryTest, UnusualNames) {
  const std::string longest(63, 'x');
  world.put(World::host("shop", "e-u",
                        {"my_app-1", "a.b", "_x", longest,
                         "B\xc3\xbc"
                         "cher"},
                        {"10.1.0.40"}));
  for (const std::string& name : {std::string("my_app-1"), std::string("a.b"), std::string("_x"),
                                  longest, std::string("a.b.shop")})
    EXPECT_EQ(from_web(name), "A 10.1.0.40") << name;
  EXPECT_EQ(from_web("b\\195\\188cher"), "A 10.1.0.40");
  EXPECT_EQ(from_web("b\\195\\156cher"), "forward");  // capital U umlaut: other bytes
  EXPECT_EQ(from_web("a\\.b"), "forward");            // one label, with a dot in it
  EXPECT_EQ(from_web("b"), "forward");
}

TEST_F(DirectoryTest, WhatIsNoNameIsNotAnswered) {
  world.put(World::host("shop", "e-u", {"", ".", "a..b", ".a", "a.", std::string(64, 'y'), "good"},
                        {"10.1.0.41"}));
  EXPECT_EQ(from_web("good"), "A 10.1.0.41");
  EXPECT_EQ(from_web("a"), "forward");
  EXPECT_EQ(from_web("a.b"), "forward");
  EXPECT_EQ(from_web(std::string(63, 'y')), "forward");
  EXPECT_EQ(from_web("."), "forward");
  EXPECT_EQ(from_web("41.0.1.10.in-addr.arpa", "PTR"), "PTR good.shop.");
}

TEST_F(DirectoryTest, TheLongestNames) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  ASSERT_EQ(longest.size(), 253U);
  world.put(World::host("shop", "e-l", {longest + "b", longest}, {"10.1.0.42"}));
  EXPECT_EQ(from_web(longest), "A 10.1.0.42");
  // It does not fit with the network's name behind it.
  EXPECT_EQ(from_web("42.0.1.10.in-addr.arpa", "PTR"), "PTR " + longest + ".");
}

// ---- names of their own meaning

TEST_F(DirectoryTest, LocalhostIsWhoAsks) {
  world.put(World::host("shop", "e-evil", {"localhost", "x.localhost"}, {"10.1.0.66"}));
  for (const char* name : {"localhost", "LOCALHOST", "x.localhost", "a.b.localhost"}) {
    EXPECT_EQ(from_web(name), "A 127.0.0.1") << name;
    EXPECT_EQ(from_web(name, "AAAA"), "AAAA ::1") << name;
  }
  EXPECT_EQ(from_web("localhost", "MX"), "NODATA by localhost.");
  EXPECT_EQ(from_web("1.0.0.127.in-addr.arpa", "PTR"), "PTR localhost.");
  EXPECT_EQ(from_web("xlocalhost"), "forward");
}

TEST_F(DirectoryTest, InvalidIsNothing) {
  world.put(World::host("shop", "e-evil", {"x.invalid"}, {"10.1.0.66"}));
  EXPECT_EQ(from_web("x.invalid"), "NXDOMAIN by invalid.");
  EXPECT_EQ(from_web("invalid"), "NXDOMAIN by .");
}

TEST_F(DirectoryTest, NobodyIsLedPastTheNames) {
  EXPECT_EQ(from_web("_dns.resolver.arpa", "SVCB"), "NODATA by resolver.arpa.");
  EXPECT_EQ(from_web("resolver.arpa"), "NODATA by resolver.arpa.");
}

TEST_F(DirectoryTest, TheHostIsTheAskedNetworksGateway) {
  for (const char* name :
       {"host.docker.internal", "host.containers.internal", "gateway.docker.internal"}) {
    EXPECT_EQ(from_web(name), "A 10.1.0.1") << name;
    EXPECT_EQ(from_web(name, "AAAA"), "AAAA fd00:1::1") << name;
    EXPECT_EQ(world.ask("lab", "10.2.0.9", name), "A 10.2.0.1") << name;
  }
  Zone zone = World::zone("shop", 1);
  zone.gateways = {ip("10.1.0.1")};
  world.put(zone);
  EXPECT_EQ(from_web("host.docker.internal", "AAAA"), "NODATA by host.docker.internal.");
  world.put(World::host("shop", "e-h", {"host.docker.internal"}, {"10.1.0.67"}));
  EXPECT_EQ(from_web("host.docker.internal"), "A 10.1.0.67");  // somebody wants it so
}

// ---- addresses to names

TEST_F(DirectoryTest, AddressesOfTheClientsNetworks) {
  EXPECT_EQ(from_web("2.0.1.10.in-addr.arpa", "PTR"), "PTR web.shop.");
  EXPECT_EQ(
      from_web("2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa", "PTR"),
      "PTR web.shop.");
  EXPECT_EQ(from_web("2.0.1.10.IN-ADDR.ARPA", "PTR"), "PTR web.shop.");
  EXPECT_EQ(from_web("2.0.1.10.in-addr.arpa", "ANY"), "PTR web.shop.");
  EXPECT_EQ(from_web("2.0.1.10.in-addr.arpa", "A"), "NODATA by 2.0.1.10.in-addr.arpa.");
  EXPECT_EQ(from_web("1.0.1.10.in-addr.arpa", "PTR"), "PTR host.containers.internal.");
  EXPECT_EQ(from_web("77.0.1.10.in-addr.arpa", "PTR"), "NXDOMAIN by 0.1.10.in-addr.arpa.");
}

TEST_F(DirectoryTest, AddressesOfOthers) {
  EXPECT_EQ(from_web("2.0.2.10.in-addr.arpa", "PTR"), "forward");  // in lab
  EXPECT_EQ(from_both("2.0.2.10.in-addr.arpa", "PTR"), "PTR probe.lab.");
  for (const char* name : {"8.8.8.8.in-addr.arpa", "0.1.10.in-addr.arpa", "02.0.1.10.in-addr.arpa",
                           "256.0.1.10.in-addr.arpa", "x.2.0.1.10.in-addr.arpa", "in-addr.arpa",
                           "ip6.arpa", "2.ip6.arpa", "-1.0.1.10.in-addr.arpa"})
    EXPECT_EQ(from_web(name, "PTR"), "forward") << name;
}

// ---- services

class ServicesTest : public DirectoryTest {
 protected:
  ServicesTest() {
    Host host = World::host("shop", "e-web", {"web", "www"}, {"10.1.0.2", "fd00:1::2"});
    host.ports = {{.proto = network::Proto::kTcp, .host_port = 8080, .container_port = 80},
                  {.proto = network::Proto::kUdp, .host_port = 53, .container_port = 53},
                  {.proto = network::Proto::kTcp,
                   .host_port = 7000,
                   .container_port = 9000,
                   .host_port_end = 7009}};
    world.put(host);
  }
};

TEST_F(ServicesTest, ByNumberAndByName) {
  EXPECT_EQ(from_web("_80._tcp.web", "SRV"), "SRV 0 0 80 web.shop.");
  EXPECT_EQ(from_web("_http._tcp.web", "SRV"), "SRV 0 0 80 web.shop.");
  EXPECT_EQ(from_web("_HTTP._TCP.WEB.SHOP", "SRV"), "SRV 0 0 80 web.shop.");
  EXPECT_EQ(from_web("_53._udp.www", "SRV"), "SRV 0 0 53 web.shop.");
  EXPECT_EQ(from_web("_80._tcp.web", "ANY"), "SRV 0 0 80 web.shop.");
}

TEST_F(ServicesTest, ARange) {
  EXPECT_EQ(from_web("_9000._tcp.web", "SRV"), "SRV 0 0 9000 web.shop.");
  EXPECT_EQ(from_web("_9009._tcp.web", "SRV"), "SRV 0 0 9009 web.shop.");
  EXPECT_EQ(from_web("_9010._tcp.web", "SRV"), "NXDOMAIN by _tcp.web.");
}

TEST_F(ServicesTest, WhatIsNotThere) {
  for (const char* name : {"_81._tcp.web", "_080._tcp.web", "_0._tcp.web", "_80x._tcp.web",
                           "_nothing._tcp.web", "_._tcp.web", "_99999._tcp.web"})
    EXPECT_EQ(from_web(name, "SRV"), "NXDOMAIN by _tcp.web.") << name;
  EXPECT_EQ(from_web("_80._udp.web", "SRV"), "NXDOMAIN by _udp.web.");
  EXPECT_EQ(from_web("_80._tcp.db", "SRV"), "NXDOMAIN by _tcp.db.");
  EXPECT_EQ(from_web("_80._tcp.web", "A"), "NODATA by _80._tcp.web.");
  EXPECT_EQ(from_web("_tcp.web", "A"), "NODATA by _tcp.web.");
  EXPECT_EQ(from_web("_sctp.web", "A"), "NXDOMAIN by web.");
}

TEST_F(ServicesTest, OfOthersAreForwarded) {
  for (const char* name : {"_ldap._tcp.example.com", "_80._tcp.probe", "_80._tcp", "_tcp",
                           "_dmarc.web", "80._tcp.web", "_80._xyz.web"})
    EXPECT_EQ(from_web(name, "SRV"), "forward") << name;
}

TEST_F(ServicesTest, TheTargetsAddressesAreToldAsWell) {
  const auto answer = world.full("shop", "10.1.0.2", "_80._tcp.web", {.type = "SRV"});
  EXPECT_EQ(answer.answers, std::vector<std::string>{"_80._tcp.web. 0 IN SRV 0 0 80 web.shop."});
  EXPECT_EQ(answer.additionals, (std::vector<std::string>{"web.shop. 0 IN A 10.1.0.2",
                                                          "web.shop. 0 IN AAAA fd00:1::2"}));
}

TEST_F(ServicesTest, EachReplicaHasARecord) {
  Host other = World::host("shop", "e-web2", {"web2", "web"}, {"10.1.0.22"});
  other.ports = {{.proto = network::Proto::kTcp, .host_port = 8081, .container_port = 80}};
  world.put(other);
  EXPECT_EQ(from_web("_80._tcp.web", "SRV"), "SRV 0 0 80 web.shop.; SRV 0 0 80 web2.shop.");
  EXPECT_EQ(from_web("_80._tcp.web", "SRV"), "SRV 0 0 80 web2.shop.; SRV 0 0 80 web.shop.");
}

TEST_F(ServicesTest, TheLongestTargetsAreWithinAMessage) {
  const std::string label(63, 'a');
  for (int i = 0; i < 300; ++i) {
    Host host = World::host(
        "shop", "e-s" + std::to_string(i),
        {fmt::format("{}.{}.{}.{:03}", label, label, label, i), "service"},
        {fmt::format("10.1.{}.{}", 1 + i / 250, i % 250), fmt::format("fd00:1::1:{:x}", i)});
    host.ports = {{.proto = network::Proto::kTcp, .host_port = 80, .container_port = 80}};
    world.put(host);
  }
  const auto reply = world.reply("shop", "10.1.0.2", query("_80._tcp.service", {.type = "SRV"}));
  const auto& message = std::get<Message>(reply);
  EXPECT_LE(message.size(), 65535U);
  EXPECT_EQ(tests::read(message).answers.size(), 64U);
}

TEST_F(ServicesTest, InADomain) {
  Zone zone = World::zone("shop", 1);
  zone.domain = "shop.internal";
  world.put(zone);
  EXPECT_EQ(from_web("_80._tcp.web.shop.internal", "SRV"), "SRV 0 0 80 web.shop.internal.");
  EXPECT_EQ(from_web("_81._tcp.web.shop.internal", "SRV"), "NXDOMAIN by shop.internal.");
}

// ---- what is asked of others

TEST_F(DirectoryTest, ForwardedToTheContainersOrTheNetworksServers) {
  EXPECT_EQ(from_web("example.com"), "forward");
  Zone zone = World::zone("shop", 1);
  zone.servers = {ip("192.0.2.53"), ip("2001:db8::53")};
  world.put(zone);
  EXPECT_EQ(from_web("example.com", "MX"), "forward to 192.0.2.53,2001:db8::53");
  Host host = World::host("shop", "e-own", {"own"}, {"10.1.0.70"});
  host.servers = {ip("198.51.100.1")};
  world.put(host);
  EXPECT_EQ(world.ask("shop", "10.1.0.70", "example.com"), "forward to 198.51.100.1");
  host.servers = {ip("10.1.0.1"), ip("198.51.100.1")};  // the gateway is nobody else
  world.put(host);
  EXPECT_EQ(world.ask("shop", "10.1.0.70", "example.com"), "forward to 198.51.100.1");
  host.servers = {ip("10.1.0.1")};
  world.put(host);
  EXPECT_EQ(world.ask("shop", "10.1.0.70", "example.com"), "forward to 192.0.2.53,2001:db8::53");
}

TEST_F(DirectoryTest, NothingLeavesAnInternalNetwork) {
  Zone zone = World::zone("shop", 1);
  zone.internal = true;
  zone.servers = {ip("192.0.2.53")};
  world.put(zone);
  Host host = World::host("shop", "e-own", {"own", "x.y"}, {"10.1.0.70"});
  host.servers = {ip("198.51.100.1")};
  world.put(host);
  for (const char* client : {"10.1.0.2", "10.1.0.70", "10.1.0.1"}) {
    EXPECT_EQ(world.ask("shop", client, "example.com"), "NXDOMAIN by com.");
    EXPECT_EQ(world.ask("shop", client, "nobody"), "NXDOMAIN by .");
    EXPECT_EQ(world.ask("shop", client, "8.8.8.8.in-addr.arpa", "PTR"),
              "NXDOMAIN by 8.8.8.in-addr.arpa.");
    EXPECT_EQ(world.ask("shop", client, ".", "NS"), "NODATA by .");
    EXPECT_EQ(world.ask("shop", client, "y"), "NODATA by y.");
    EXPECT_EQ(world.ask("shop", client, "db"), "A 10.1.0.3");
  }
}

TEST_F(DirectoryTest, AContainerWithAnotherNetworkHasAWayOut) {
  Zone shop = World::zone("shop", 1);
  shop.internal = true;
  world.put(shop);
  Zone lab = World::zone("lab", 2);
  lab.servers = {ip("192.0.2.99")};
  world.put(lab);
  EXPECT_EQ(from_web("example.com"), "NXDOMAIN by com.");
  EXPECT_EQ(from_both("example.com"), "forward to 192.0.2.99");
  // Also where the names of that network are not answered.
  lab.answers = false;
  world.put(lab);
  EXPECT_EQ(from_both("example.com"), "forward to 192.0.2.99");
}

// ---- queries that are none, or not for us

TEST_F(DirectoryTest, QueriesThatAreNotAnswered) {
  const auto say = [&](const Message& message) {
    return tests::said(world.reply("shop", "10.1.0.2", message));
  };
  EXPECT_EQ(say({}), "ignored");
  EXPECT_EQ(say(tests::bytes("1234 0100 0001 0000 0000 00")), "ignored");
  Message answer = query("web");
  answer[2] |= 0x80;
  EXPECT_EQ(say(answer), "ignored");
  EXPECT_EQ(say(query("web", {.opcode = 4})), "NOTIMPL");
  EXPECT_EQ(say(query("web", {.opcode = 5})), "NOTIMPL");
  EXPECT_EQ(say(tests::bytes("1234 0100 0000 0000 0000 0000")), "FORMERR");
  Message two = query("web");
  two[5] = 2;
  two.insert(two.end(), two.begin() + 12, two.end());
  EXPECT_EQ(say(two), "FORMERR");
  Message cut = query("web");
  cut.pop_back();
  EXPECT_EQ(say(cut), "FORMERR");
  for (const std::size_t count : {7U, 9U}) {  // of answers, of authorities
    Message with = query("web");
    with[count] = 1;
    const Message record = tests::bytes("00 0001 0001 00000000 0000");
    with.insert(with.end(), record.begin(), record.end());
    EXPECT_EQ(say(with), "FORMERR");
  }
  EXPECT_EQ(say(query("web", {.klass = "CH"})), "REFUSED");
  EXPECT_EQ(say(query("web", {.klass = "HS"})), "REFUSED");
  EXPECT_EQ(say(query("web", {.klass = "ANY"})), "A 10.1.0.2");
  EXPECT_EQ(say(query("web", {.type = "AXFR"})), "REFUSED");
  EXPECT_EQ(say(query("example.com", {.type = "IXFR"})), "REFUSED");
  EXPECT_EQ(say(query("web", {.type = "OPT"})), "FORMERR");
}

TEST_F(DirectoryTest, ALaterEdnsIsAnsweredWithOurs) {
  const auto answer = world.full("shop", "10.1.0.2", "web", {.udp_size = 1232, .edns_version = 1});
  EXPECT_EQ(answer.rcode, "BADVERS");
  EXPECT_EQ(answer.edns, "version 0 size 1232");
  EXPECT_TRUE(answer.answers.empty());
}

}  // namespace
}  // namespace fairlead::dns
