#include <thread>

#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MembershipTest : public ClusterTest {
 protected:
  HostState state_of(Machine& asked, const std::string& name) {
    for (const Host& host : must(asked.membership().hosts()))
      if (host.info.name == name) return host.state;
    ADD_FAILURE() << "no host " << name;
    return HostState::kGone;
  }
  // Every member sends its heartbeat, second by second.
  void live_on(long long seconds, const std::vector<Machine*>& machines) {
    for (long long i = 0; i < seconds; ++i) {
      world_.pass(1);
      for (Machine* one : machines) ASSERT_TRUE(one->membership().keep_alive());
    }
  }
};

TEST_F(MembershipTest, HostsSeeEachOtherAndThoseWhoseHeartbeatsStop) {
  Machine &a = joined("a"), &b = joined("b");
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
  live_on(16, {&a});
  EXPECT_EQ(state_of(a, "b"), HostState::kSuspect);
  EXPECT_EQ(b.membership().keep_alive().value(), MembershipState::kReturned);
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
  EXPECT_EQ(b.membership().keep_alive().value(), MembershipState::kMember);
}

TEST_F(MembershipTest, AJoinReadsNoMoreWhenThereAreMoreHosts) {
  std::vector<std::pair<int, std::size_t>> costs;
  for (int number = 1; number <= 1'000; ++number) {
    Machine one(world_, fmt::format("node-{}", number), fmt::format("{:032x}", number),
                "192.0.2.50");
    ASSERT_TRUE(one.membership().join());
    if (number == 10 || number == 1'000)
      costs.emplace_back(one.shared->calls, one.shared->records_read);
  }
  EXPECT_EQ(costs[0], costs[1]);
  EXPECT_THAT(costs[1].first, ::testing::Le(8)) << "calls of the shared store";
}

TEST_F(MembershipTest, TheOthersAreKnownFromTheFirstHeartbeatOn) {
  Machine &a = joined("a"), &b = joined("b"), &c = joined("c"), &d = joined("d");
  EXPECT_FALSE(a.membership().is_holding());
  ASSERT_TRUE(a.membership().keep_alive());
  const auto before = a.shared->records_read;
  ASSERT_TRUE(a.membership().keep_alive());
  EXPECT_EQ(a.shared->records_read - before, 2U) << "its own two: the others are watched";
  for (Machine* one : {&b, &c, &d}) one->cluster.reset();
  live_on(16, {&a});
  for (int i = 0; i < 1000 && !a.membership().is_holding(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(a.membership().is_holding()) << "three of four vanished at once";
}

TEST_F(MembershipTest, LeavingIsNotFailing) {
  Machine &a = joined("a"), &b = joined("b");
  ASSERT_TRUE(b.membership().leave());
  EXPECT_EQ(state_of(a, "b"), HostState::kGone);
  EXPECT_EQ(b.membership().join().value(), MembershipState::kMember);
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
}

TEST_F(MembershipTest, ANewProcessOfTheSameBootTakesOverAtOnce) {
  Machine& a = joined("a");
  a.start();
  EXPECT_EQ(a.membership().join().value(), MembershipState::kMember);
  EXPECT_EQ(a.membership().keep_alive().value(), MembershipState::kMember);
}

TEST_F(MembershipTest, AfterARebootTheLastLifeRunsOutFirst) {
  Machine& a = joined("a");
  a.reboot();
  const auto early = a.membership().join();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kConflict);
  EXPECT_THAT(early.error().text, HasSubstr("after a restart this passes within 15 s"));
  world_.pass(15);
  EXPECT_EQ(a.membership().join().value(), MembershipState::kMember);
}

TEST_F(MembershipTest, WhileItsLastLifeRunsOutAHostGivesOutItsOwnAddresses) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  a.reboot();
  ASSERT_FALSE(a.membership().join());
  EXPECT_TRUE(a.allocate(net, "e2"));
  EXPECT_FALSE(a.endpoints().publish(endpoint(net, "e2", ip("10.9.0.5")))) << "it has not joined";
}

TEST_F(MembershipTest, AHostHasAnotherAddressAfterItsRestart) {
  Machine &a = joined("a"), &b = joined("b");
  ASSERT_TRUE(a.membership().leave());
  a.info.vtep = ip("192.0.2.44");
  a.start();
  EXPECT_EQ(a.membership().join().value(), MembershipState::kMember)
      << "at once after an orderly end";
  EXPECT_EQ(record_of(a).info.vtep, ip("192.0.2.44"));
  a.info.vtep = ip("192.0.2.45");
  a.start();
  EXPECT_EQ(a.membership().join().error().code, Code::kConflict) << "a copy looks like that";
  live_on(15, {&b});
  EXPECT_EQ(a.membership().join().value(), MembershipState::kMember);
  EXPECT_EQ(record_of(a).info.vtep, ip("192.0.2.45"));
  EXPECT_THAT(a.membership().problems(), IsEmpty());
}

// ---- clones

struct Copy {
  std::string name;
  bool has_disk = false;  // not only host-id
  std::string boot;       // "boot-0": in a namespace of the same kernel, or a copied memory
};

class CloneTest : public MembershipTest, public ::testing::WithParamInterface<Copy> {
 protected:
  void SetUp() override {
    a_ = &joined("a");
    b_ = &joined("b");
    large_ = make_network(*a_, "large", "10.9.0.0/20");
    small_ = make_network(*a_, "small", "10.9.240.0/28");
    address_ = must(a_->allocate(large_, "e1"));
    pinned_ = must(a_->allocate(small_, "e2"));
    ASSERT_TRUE(a_->endpoints().publish(endpoint(large_, "e1", address_)));
    live_on(5, {a_, b_});
  }
  std::unique_ptr<Machine> clone_of(Machine& original) {
    auto clone = std::make_unique<Machine>(world_, "clone", original.info.id, "192.0.2.99");
    if (GetParam().has_disk) original.copy_disk_to(*clone);
    clone->boot = GetParam().boot;
    clone->start();
    return clone;
  }
  static void expect_refused(const Result<MembershipState>& answer, std::string_view holder) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kConflict);
    EXPECT_THAT(answer.error().text, HasSubstr("another machine uses this host's id"));
    EXPECT_THAT(answer.error().text, HasSubstr(std::string(holder)));
    EXPECT_THAT(answer.error().text, HasSubstr("clone"));
  }

  Machine *a_ = nullptr, *b_ = nullptr;
  SharedNetwork large_, small_;
  IpAddress address_, pinned_;
};

TEST_P(CloneTest, IsRefusedAndWritesNothingAsLongAsTheFirstOneLives) {
  const auto clone = clone_of(*a_);
  const auto before = written();
  for (int i = 0; i < 10; ++i) {
    expect_refused(clone->membership().join(), "a at 192.0.2.1");
    live_on(5, {a_, b_});
  }
  EXPECT_EQ(clone->allocate(large_, "e9").error().code, Code::kConflict);
  EXPECT_FALSE(clone->allocate(small_, "e9"));
  EXPECT_FALSE(clone->endpoints().publish(endpoint(large_, "e1", address_)));
  EXPECT_FALSE(clone->endpoints().publish_all({}));
  EXPECT_FALSE(clone->endpoints().withdraw(large_.id, "e1"));
  EXPECT_FALSE(clone->networks().keep({}));
  EXPECT_FALSE(clone->networks().leave("small"));
  EXPECT_FALSE(clone->networks().remove("small"));
  EXPECT_FALSE(clone->networks().create_or_join(spec("new"), {}));
  EXPECT_TRUE(clone->addresses().give_back(small_.id, pinned_)) << "said when it has joined";
  EXPECT_FALSE(clone->maintain());
  EXPECT_FALSE(clone->membership().join_again());
  EXPECT_TRUE(clone->membership().leave());
  EXPECT_EQ(written(), before);
  clone->cluster.reset();
  live_on(20, {a_, b_});
  EXPECT_EQ(written(), before);
  EXPECT_EQ(state_of(*b_, "a"), HostState::kAlive);
  EXPECT_THAT(a_->membership().problems(), IsEmpty());
}

// The clone came while the first one was down, or cut off.
TEST_P(CloneTest, ThatTookThePlaceIsTheHostAndTheFirstOneIsRefused) {
  live_on(16, {b_});
  const auto clone = clone_of(*a_);
  ASSERT_TRUE(clone->membership().join());
  ASSERT_TRUE(clone->membership().keep_alive());
  const auto before = written();
  expect_refused(a_->membership().keep_alive(), "clone at 192.0.2.99");
  EXPECT_EQ(a_->allocate(large_, "e9").error().code, Code::kConflict);
  EXPECT_TRUE(a_->membership().leave());
  a_->start();
  expect_refused(a_->membership().join(), "clone at 192.0.2.99");
  a_->reboot();
  expect_refused(a_->membership().join(), "clone at 192.0.2.99");
  EXPECT_TRUE(a_->membership().leave());
  EXPECT_EQ(written(), before);
  EXPECT_EQ(clone->membership().keep_alive().value(), MembershipState::kMember);
}

TEST_P(CloneTest, ThatGoesLeavesItsPlaceToTheFirstOne) {
  for (const bool in_order : {true, false}) {
    live_on(16, {b_});
    const auto clone = clone_of(*a_);
    ASSERT_TRUE(clone->membership().join());
    expect_refused(a_->membership().keep_alive(), "clone at 192.0.2.99");
    if (in_order) ASSERT_TRUE(clone->membership().leave());
    if (!in_order) live_on(16, {b_});
    const auto back = a_->membership().keep_alive();
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_EQ(*back, MembershipState::kReturned);
    EXPECT_EQ(record_of(*a_).info, a_->info);
    EXPECT_EQ(state_of(*b_, "a"), HostState::kAlive);
    EXPECT_THAT(a_->membership().problems(), Contains(HasSubstr("another machine uses this host")));
    EXPECT_TRUE(a_->allocate(large_, fmt::format("after {}", in_order)));
    live_on(5, {a_, b_});
  }
}

TEST_P(CloneTest, AndTheFirstOneDoNotJoinAtTheSameMoment) {
  live_on(16, {b_});
  a_->reboot();
  const auto clone = clone_of(*a_);
  clone->shared->meanwhile = [&] { ASSERT_TRUE(a_->membership().join()); };
  EXPECT_EQ(clone->membership().join().error().code, Code::kUnavailable);
  EXPECT_EQ(record_of(*a_).info, a_->info);
  expect_refused(clone->membership().join(), "a at 192.0.2.1");
  EXPECT_EQ(a_->membership().keep_alive().value(), MembershipState::kMember);
}

INSTANTIATE_TEST_SUITE_P(Of, CloneTest,
                         ::testing::Values(Copy{"host_id", false, "another boot"},
                                           Copy{"host_id_on_one_kernel", false, "boot-0"},
                                           Copy{"disk", true, "another boot"},
                                           Copy{"disk_on_one_kernel", true, "boot-0"}),
                         [](const auto& one) { return one.param.name; });

// With the address as well it cannot be told from this host after a reboot, until that is over.
TEST_F(MembershipTest, ACloneWithTheAddressIsTakenForTheLastLifeForAWhile) {
  Machine& a = joined("a");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(a.allocate(net, "e1"));
  Machine clone(world_, "clone", a.info.id, "192.0.2.1");
  a.copy_disk_to(clone);
  clone.reboot();
  const auto before = written();
  EXPECT_THAT(clone.membership().join().error().text, HasSubstr("has not ended"));
  live_on(30, {&a});
  EXPECT_THAT(clone.membership().join().error().text, HasSubstr("another machine uses"));
  EXPECT_EQ(clone.allocate(net, "e2").error().code, Code::kConflict);
  EXPECT_EQ(written(), before);
}

// ---- somebody else wrote this host's record

TEST_F(MembershipTest, WhatOthersWroteInAHostsPlaceIsPutBackAndSaid) {
  Machine &a = joined("a"), &b = joined("b");
  a.info.wireguard = {"a key", 51820, ip("fd00::1")};
  a.start();
  ASSERT_TRUE(a.membership().join());
  ASSERT_TRUE(b.membership().keep_alive());
  const HostRecord right = record_of(a);
  std::vector<HostRecord> wrong(5, right);
  wrong[0].info.vtep = ip("192.0.2.99");
  wrong[1].info.name = "clone";
  wrong[2].info.wireguard->key = "another key";
  wrong[3].info.underlay_mtu = 9000;
  wrong[4].phase = HostPhase::kLeft;
  for (const HostRecord& record : wrong) {
    ASSERT_TRUE(world_.store->commit({.puts = {{keys::host(a.info.id), encode(record)}}}));
    const auto heartbeat = a.membership().keep_alive();
    ASSERT_TRUE(heartbeat) << heartbeat.error().text;
    EXPECT_EQ(*heartbeat, MembershipState::kReturned) << "what depends on it is compared";
    EXPECT_EQ(record_of(a).info, right.info);
    EXPECT_EQ(record_of(a).phase, HostPhase::kMember);
    EXPECT_EQ(record_of(a).epoch, right.epoch);
    EXPECT_THAT(a.membership().problems(),
                Contains(HasSubstr("another machine uses this host's id")));
    EXPECT_EQ(a.membership().keep_alive().value(), MembershipState::kMember);
    EXPECT_TRUE(a.networks().create_or_join(spec(fmt::format("n{}", world_.seconds++)), {}));
  }
  EXPECT_THAT(b.membership().problems(), IsEmpty());
  live_on(600, {&a, &b});
  EXPECT_THAT(a.membership().problems(), IsEmpty());
}

TEST_F(MembershipTest, WhatIsPutBackNeverUndoesARemoval) {
  Machine &a = joined("a"), &b = joined("b");
  HostRecord wrong = record_of(b);
  wrong.info.vtep = ip("192.0.2.99");
  ASSERT_TRUE(world_.store->commit({.puts = {{keys::host(b.info.id), encode(wrong)}}}));
  b.shared->meanwhile = [&] { ASSERT_TRUE(a.membership().remove_host("b")); };
  EXPECT_EQ(b.membership().keep_alive().error().code, Code::kUnavailable);
  EXPECT_EQ(record_of(b).phase, HostPhase::kRemoved);
  EXPECT_EQ(record_of(b).epoch, wrong.epoch + 1);
  EXPECT_EQ(b.membership().keep_alive().value(), MembershipState::kRemoved);
  EXPECT_EQ(record_of(b).phase, HostPhase::kRemoved);
  EXPECT_TRUE(b.membership().leave());
  EXPECT_EQ(record_of(b).phase, HostPhase::kRemoved);
}

TEST_F(MembershipTest, AStoreThatWasPutBackAccusesNobody) {
  Machine &a = joined("a"), &b = joined("b");
  ASSERT_TRUE(a.membership().leave());
  const auto backup = world_.back_up();
  a.info.vtep = ip("192.0.2.44");
  a.start();
  ASSERT_TRUE(a.membership().join());
  live_on(5, {&a, &b});
  world_.put_back(backup);
  ASSERT_TRUE(a.membership().keep_alive());
  EXPECT_EQ(record_of(a).info.vtep, ip("192.0.2.44"));
  EXPECT_EQ(record_of(a).phase, HostPhase::kMember);
  EXPECT_THAT(a.membership().problems(), Not(Contains(HasSubstr("another machine"))));
}

// ---- records that nobody can read

TEST_F(MembershipTest, OneRecordThatCannotBeReadStopsNoOtherHost) {
  Machine& a = joined("a");
  joined("b");
  const std::string damaged = keys::host(std::string(32, 'd'));
  ASSERT_TRUE(world_.store->commit({.puts = {{damaged, "xx"}, {"pool/0a090000-20", "xx"}}}));
  const std::string id(64, 'd');
  ASSERT_TRUE(world_.store->commit({.puts = {{keys::live(std::string(32, 'd')), "xx"},
                                             {keys::network(id), "xx"},
                                             {keys::endpoint(id, "e"), "xx"},
                                             {keys::block(id, ip("10.1.0.0")), "xx"},
                                             {keys::address(id, ip("10.1.0.1")), "xx"}}}));
  EXPECT_EQ(a.membership().keep_alive().value(), MembershipState::kMember);
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
  EXPECT_EQ(must(a.membership().hosts()).size(), 2U);
  const std::vector<std::string> others{"host/Z", "netname/other", "pool/x", "vni/nothing",
                                        keys::network(id)};
  state::Txn txn;
  for (const std::string& key : others) txn.puts.push_back({key, "xx"});
  for (const char* key : {"ip/zz", "blk/zz", "ep/Z", "what"})
    txn.puts.push_back({keys::members_of(id) + key, "{}"});
  ASSERT_TRUE(world_.store->commit(txn));
  const auto named = a.membership().unreadable();
  EXPECT_THAT(named, Contains(HasSubstr(damaged)));
  for (const std::string& key : others) EXPECT_THAT(named, Contains(HasSubstr(key)));
  const auto network = a.networks().create_or_join(spec("shop"), {});
  ASSERT_TRUE(network) << network.error().text;
  EXPECT_TRUE(a.networks().keep({network->id, id})) << "of one of them nothing is known";
  EXPECT_FALSE(a.networks().create_or_join(spec("another", "10.9.0.0/24"), {}))
      << "a pool that cannot be read is taken";
  EXPECT_EQ(must(a.networks().list()).size(), 1U);
  EXPECT_TRUE(a.endpoints().publish_all({}));
  EXPECT_TRUE(a.maintain());
  ASSERT_TRUE(a.membership().remove_host("b"));
  live_on(20, {&a});
  EXPECT_TRUE(must(a.membership().remove_host("b")).complete);
  ASSERT_TRUE(world_.store->commit({.deletes = {damaged}}));
  EXPECT_THAT(a.membership().unreadable(), Not(Contains(HasSubstr(damaged))));
  EXPECT_THAT(a.membership().problems(), IsEmpty());
}

TEST_F(MembershipTest, NamesOfHostsAreTextForTerminals) {
  Machine& a = joined("a");
  HostRecord record{
      .info = {.id = std::string(32, 'd'), .name = "\x1b[2J", .vtep = ip("192.0.2.9")}};
  const std::string key = keys::host(record.info.id);
  ASSERT_TRUE(world_.store->commit({.puts = {{key, encode(record)}}}));
  EXPECT_EQ(must(a.membership().hosts()).size(), 1U);
  record.info.name = "d";
  ASSERT_TRUE(world_.store->commit({.puts = {{key, encode(record)}}}));
  EXPECT_EQ(must(a.membership().hosts()).size(), 2U);
}

TEST_F(MembershipTest, AHostWhoseOwnRecordCannotBeReadWritesItAnew) {
  Machine& a = joined("a");
  const HostRecord right = record_of(a);
  ASSERT_TRUE(world_.store->commit({.puts = {{keys::host(a.info.id), "xx"}}}));
  EXPECT_EQ(a.membership().keep_alive().value(), MembershipState::kReturned);
  EXPECT_EQ(record_of(a).info, right.info);
  EXPECT_EQ(record_of(a).epoch, right.epoch);
}

TEST_F(MembershipTest, AHostWhoseOwnRecordWasDeletedWritesItAnew) {
  Machine& a = joined("a");
  const HostRecord right = record_of(a);
  ASSERT_TRUE(world_.store->commit({.deletes = {keys::host(a.info.id)}}));
  EXPECT_EQ(a.membership().keep_alive().value(), MembershipState::kReturned);
  EXPECT_EQ(record_of(a).info, right.info);
  EXPECT_EQ(record_of(a).epoch, right.epoch);
}

TEST_F(MembershipTest, AnotherClusterIsRefused) {
  Machine& a = joined("a");
  ASSERT_TRUE(world_.store->commit(
      {.puts = {{std::string(keys::kMeta), encode(ClusterMeta{.uuid = "another"})}}}));
  const auto refused = a.membership().join();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("another"));
}

TEST_F(MembershipTest, RecordsOfANewerFairleadAreRefused) {
  Machine& a = joined("a");
  auto meta = decode<ClusterMeta>(**world_.store->get(keys::kMeta));
  ASSERT_TRUE(meta);
  meta->format = kClusterFormat + 1;
  ASSERT_TRUE(world_.store->commit({.puts = {{std::string(keys::kMeta), encode(*meta)}}}));
  const auto refused = a.membership().join();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
  EXPECT_THAT(refused.error().text, HasSubstr("upgrade Fairlead on this host"));
}

TEST_F(MembershipTest, AStoreOutOfReachRemovesNobody) {
  Machine& a = joined("a");
  a.shared->is_open = false;
  const auto heartbeat = a.membership().keep_alive();
  ASSERT_FALSE(heartbeat);
  EXPECT_EQ(heartbeat.error().code, Code::kUnavailable);
  world_.pass(3600);
  a.shared->is_open = true;
  EXPECT_EQ(a.membership().keep_alive().value(), MembershipState::kReturned);
}

TEST_F(MembershipTest, RemovalTakesEverythingButNotBeforeTheHostCanHaveSeenIt) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  const auto address = b.allocate(net, "e1");
  ASSERT_TRUE(address) << address.error().text;
  ASSERT_TRUE(b.endpoints().publish(endpoint(net, "e1", *address)));
  auto removal = a.membership().remove_host("b");
  ASSERT_TRUE(removal) << removal.error().text;
  EXPECT_FALSE(removal->complete);
  EXPECT_EQ(removal->retry_after, 20);
  EXPECT_EQ(removal->endpoints, 1U);
  EXPECT_EQ(count("blk/"), 1U);
  EXPECT_EQ(state_of(a, "b"), HostState::kGone);
  world_.pass(20);
  removal = a.membership().remove_host("b");
  ASSERT_TRUE(removal);
  EXPECT_TRUE(removal->complete);
  EXPECT_EQ(removal->addresses, 1U);
  EXPECT_EQ(count("blk/") + count("ep/"), 0U);
}

TEST_F(MembershipTest, AZombieIsToldAndJoinsAgainWithNothing) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.allocate(net, "e1"));
  ASSERT_TRUE(a.membership().remove_host("b"));
  EXPECT_EQ(b.membership().keep_alive().value(), MembershipState::kRemoved);
  const auto refused = b.allocate(net, "e2");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_FALSE(b.endpoints().publish(endpoint(net, "e1", ip("10.9.0.5"))));
  EXPECT_THAT(b.membership().problems(), ::testing::Contains(HasSubstr("was removed")));
  ASSERT_TRUE(b.membership().join_again());
  EXPECT_EQ(count("blk/"), 0U) << "it gives back what it had by itself";
  EXPECT_TRUE(b.addresses().owned()->empty());
  EXPECT_TRUE(a.membership().remove_host("b")->complete) << "the end of the same removal";
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
  EXPECT_TRUE(b.allocate(net, "e2"));
}

TEST_F(MembershipTest, AZombieThatWasPausedAsksBeforeItGivesOutAnything) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.allocate(net, "e1"));
  ASSERT_TRUE(a.membership().remove_host("b"));
  world_.pass(20);
  ASSERT_TRUE(a.membership().remove_host("b")->complete);
  const auto refused = b.allocate(net, "e2");  // the very first thing it does
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
}

TEST_F(MembershipTest, HostsAreNamedByNameOrIdAndNeverGuessed) {
  Machine &a = joined("a"), &b = joined("b");
  Machine namesake(world_, "b", std::string(32, 'f'), "192.0.2.77");
  ASSERT_TRUE(namesake.membership().join());
  EXPECT_EQ(a.membership().remove_host("b").error().code, Code::kInvalid);
  EXPECT_EQ(a.membership().remove_host("nobody").error().code, Code::kNotFound);
  EXPECT_EQ(a.membership().remove_host("a").error().code, Code::kInvalid) << "itself";
  EXPECT_TRUE(a.membership().remove_host("fff"));
  EXPECT_EQ(b.membership().keep_alive().value(), MembershipState::kMember);
}

// Dies at each commit of joining, before and after it, and is started again.
TEST_F(MembershipTest, AJoinThatIsKilledAnywhereIsDoneByTheNext) {
  int died = 0;
  for (int at = 1; at < 8; ++at)
    for (const auto when : {Fate::When::kBefore, Fate::When::kAfter}) {
      Machine one(world_, fmt::format("m{}{}", at, when == Fate::When::kAfter),
                  fmt::format("{:031x}{}", at, when == Fate::When::kAfter ? "a" : "b"),
                  "192.0.2.50");
      one.fate = {at, when};
      try {
        (void)one.membership().join();
      } catch (const Crash&) {
        ++died;
      }
      one.start();
      world_.pass(16);
      const auto again = one.membership().join();
      ASSERT_TRUE(again) << at << ": " << again.error().text;
      const auto heartbeat = one.membership().keep_alive();
      ASSERT_TRUE(heartbeat) << at << ": " << heartbeat.error().text;
      EXPECT_EQ(*heartbeat, MembershipState::kMember);
    }
  EXPECT_GE(died, 6);
}

}  // namespace
}  // namespace fairlead::network::cluster
