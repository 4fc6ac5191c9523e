// The shared store is put back to an earlier state, from a backup: every host writes what it owns
// anew, nobody loses anything, and nobody is given what another one has.
#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RestorationTest : public ClusterTest {
 protected:
  void SetUp() override {
    large_ = make_network(joined("a"), "large", "10.9.0.0/20");
    small_ = make_network(machine("a"), "small", "10.9.240.0/28");
  }
  IpAddress run_container(Machine& host, const SharedNetwork& network, const std::string& id,
                          std::optional<IpAddress> wanted = {}) {
    const auto address = host.allocate(network, id, Family::kV4, wanted);
    EXPECT_TRUE(address) << address.error().text;
    if (!address) return {};
    const auto published = host.endpoints().publish(endpoint(network, id, *address));
    EXPECT_TRUE(published) << published.error().text;
    return *address;
  }
  // What a daemon does every few seconds.
  MembershipState heartbeat(Machine& host) {
    const auto answer = host.membership().keep_alive();
    EXPECT_TRUE(answer) << answer.error().text;
    const auto maintained = host.maintain();
    EXPECT_TRUE(maintained) << maintained.error().text;
    return answer.value_or(MembershipState::kRemoved);
  }
  void live_on(long long seconds, const std::vector<Machine*>& hosts) {
    for (long long passed = 0; passed < seconds; passed += 5) {
      world_.pass(5);
      for (Machine* host : hosts) heartbeat(*host);
    }
  }
  // The claims and endpoints in the shared store, without revisions.
  std::map<std::string, std::string> claims() {
    std::map<std::string, std::string> found;
    for (const state::Record& record : must(world_.store->list(keys::kMembers)))
      found[record.key] = record.value;
    return found;
  }
  std::vector<std::string> problems(Machine& host) { return host.membership().problems(); }

  SharedNetwork large_, small_;
};

TEST_F(RestorationTest, AHostThatTheBackupDoesNotKnowWritesEverythingAnew) {
  Machine& a = machine("a");
  run_container(a, large_, "a1");
  const auto backup = world_.back_up();
  Machine& b = joined("b");
  const IpAddress fixed = ip("10.9.15.77");  // in nobody's block
  run_container(b, large_, "b1");
  run_container(b, small_, "b2");
  run_container(b, large_, "b3", fixed);
  for (int i = 0; i < 20; ++i) run_container(a, large_, fmt::format("a2{}", i));  // another block
  live_on(5, {&a, &b});
  const auto before = claims();

  world_.put_back(backup);
  EXPECT_EQ(heartbeat(b), MembershipState::kReturned) << "not removed";
  EXPECT_EQ(heartbeat(a), MembershipState::kMember);
  EXPECT_EQ(claims(), before);
  EXPECT_THAT(problems(b), Contains(HasSubstr("put back to an earlier state")));
  EXPECT_THAT(problems(a), Contains(HasSubstr("put back to an earlier state")));

  EXPECT_TRUE(b.allocate(large_, "b4")) << "out of its own block, at once";
  EXPECT_EQ(b.allocate(small_, "b5").error().code, Code::kUnavailable);
  EXPECT_EQ(b.addresses().extend(large_.id, Family::kV4).error().code, Code::kUnavailable);
  live_on(60, {&a, &b});
  EXPECT_THAT(problems(b), IsEmpty());
  EXPECT_TRUE(b.allocate(small_, "b5"));
  EXPECT_TRUE(b.addresses().extend(large_.id, Family::kV4));
}

TEST_F(RestorationTest, AClaimThatComesBeforeTheNextHeartbeatNoticesAsWell) {
  Machine &a = machine("a"), &b = joined("b");
  run_container(a, large_, "a1");
  const auto backup = world_.back_up();
  run_container(b, large_, "b1");
  ASSERT_TRUE(a.membership().keep_alive());
  world_.put_back(backup);
  const auto refused = a.addresses().extend(large_.id, Family::kV4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().text, HasSubstr("put back to an earlier state"));
}

TEST_F(RestorationTest, TheQuarantineOutlivesTheProcess) {
  Machine &a = machine("a"), &b = joined("b");
  const auto backup = world_.back_up();
  run_container(b, large_, "b1");
  live_on(5, {&a, &b});
  const auto before = claims();
  world_.put_back(backup);
  ASSERT_TRUE(b.membership().keep_alive());
  b.start();
  ASSERT_TRUE(b.membership().join());
  EXPECT_THAT(problems(b), Contains(HasSubstr("writes its records there anew")));
  heartbeat(b);
  EXPECT_EQ(claims(), before);
  EXPECT_THAT(problems(b), Contains(HasSubstr("wrote its records there anew")));
  live_on(60, {&a, &b});
  EXPECT_THAT(problems(b), IsEmpty());
}

TEST_F(RestorationTest, AHostThatWasDownNoticesWhenItStarts) {
  Machine &a = machine("a"), &b = joined("b");
  const auto backup = world_.back_up();
  run_container(b, large_, "b1");
  live_on(5, {&a, &b});
  const auto before = claims();
  b.cluster.reset();
  world_.put_back(backup);
  world_.pass(20);
  b.start();
  EXPECT_EQ(b.membership().join().value(), MembershipState::kMember);
  heartbeat(b);
  EXPECT_EQ(claims(), before);
}

TEST_F(RestorationTest, AStoreThatIsPastItsOldRevisionIsFoundOutByAMissingBlock) {
  Machine &a = machine("a"), &b = joined("b");
  const auto backup = world_.back_up();
  const IpAddress address = run_container(b, large_, "b1");
  run_container(b, small_, "b2");
  live_on(5, {&a, &b});
  const auto before = claims();
  world_.put_back(backup);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(world_.store->commit({.puts = {{"filler", std::to_string(i)}}}));
  heartbeat(b);
  live_on(65, {&b});
  EXPECT_EQ(claims(), before);
  EXPECT_THAT(problems(b), Contains(HasSubstr("put back to an earlier state")));
  live_on(65, {&b});
  EXPECT_THAT(problems(b), IsEmpty());
  EXPECT_NE(b.allocate(large_, "b3").value(), address);
}

TEST_F(RestorationTest, WhatOthersHaveByNowStaysTheirsAndIsSaid) {
  Machine& b = joined("b");
  const auto backup = world_.back_up();
  const IpAddress address = run_container(b, large_, "b1"), single = run_container(b, small_, "b2");
  heartbeat(b);
  const Cidr block = b.addresses().owned()->at(0).block;
  world_.put_back(backup);
  // A host that knows nothing of all this, and was quicker.
  Machine& c = joined("c");
  const std::string block_key = keys::block(large_.id, block.first()),
                    single_key = keys::address(small_.id, single);
  ASSERT_TRUE(world_.store->commit(
      {.puts = {{block_key, encode(BlockRecord{c.info.id, 1})},
                {single_key, encode(StaticClaimRecord{"c1", c.info.id, 1})},
                {keys::endpoint(large_.id, "b1"),
                 encode(SharedEndpoint{.host_id = c.info.id,
                                       .epoch = 1,
                                       .addresses = {ip("10.9.9.9")},
                                       .mac = MacAddress::for_ip(ip("10.9.9.9"))})}}}));
  for (int i = 0; i < 2; ++i) {  // and stays said
    heartbeat(b);
    EXPECT_THAT(problems(b),
                Contains(::testing::AllOf(HasSubstr(block.to_string()), HasSubstr("is host c's"))));
    EXPECT_THAT(problems(b), Contains(::testing::AllOf(HasSubstr(single.to_string()),
                                                       HasSubstr("endpoint c1"))));
    EXPECT_THAT(problems(b), Contains(HasSubstr("publish endpoint b1")));
    live_on(60, {&b});
  }
  EXPECT_THAT(problems(b), Not(Contains(HasSubstr("put back to an earlier state (")))) << "settled";
  const auto next = b.allocate(large_, "b3");
  ASSERT_TRUE(next) << next.error().text;
  EXPECT_FALSE(block.contains(*next)) << "nothing more is given out of a lost block";
  ASSERT_TRUE(b.release(large_, address, "b1"));
  ASSERT_TRUE(b.release(small_, single, "b2"));
  ASSERT_TRUE(b.endpoints().withdraw(large_.id, "b1"));
  live_on(700, {&b});
  EXPECT_THAT(problems(b), IsEmpty()) << "when the containers are gone";
  EXPECT_EQ(read<BlockRecord>(*world_.store, block_key)->value().value.host_id, c.info.id);
  EXPECT_EQ(read<StaticClaimRecord>(*world_.store, single_key)->value().value.host_id, c.info.id);
}

TEST_F(RestorationTest, AnAddressClaimedInsideTheBlockMeanwhileBecomesAHole) {
  Machine &a = machine("a"), &b = joined("b");
  const auto backup = world_.back_up();
  const IpAddress used = run_container(b, large_, "b1");
  heartbeat(b);
  const Cidr block = b.addresses().owned()->at(0).block;
  world_.put_back(backup);
  const IpAddress unused = *block.last().plus(0);
  for (const IpAddress& address : {used, unused})
    ASSERT_TRUE(world_.store->commit(
        {.puts = {
             {keys::address(large_.id, address), encode(StaticClaimRecord{"a1", a.info.id, 1})},
             {keys::claim_guard(large_.id, block.first()), encode_last("x")}}}));
  heartbeat(b);
  live_on(60, {&b});
  EXPECT_THAT(problems(b), Contains(HasSubstr(used.to_string() + " is in use here")));
  EXPECT_THAT(problems(b), Not(Contains(HasSubstr(unused.to_string()))));
  for (int i = 0; i < 13; ++i)
    EXPECT_NE(b.allocate(large_, fmt::format("b3{}", i)).value(), unused);
  EXPECT_EQ(b.addresses().owned()->size(), 1U);
}

TEST_F(RestorationTest, WhatWasGivenBackSinceTheBackupIsDeletedAgain) {
  Machine &a = machine("a"), &b = joined("b");
  const IpAddress address = run_container(b, large_, "b1"), single = run_container(b, small_, "b2");
  live_on(5, {&a, &b});
  const auto backup = world_.back_up();
  ASSERT_TRUE(b.endpoints().withdraw(large_.id, "b1"));
  ASSERT_TRUE(b.endpoints().withdraw(small_.id, "b2"));
  ASSERT_TRUE(b.release(large_, address, "b1"));
  ASSERT_TRUE(b.release(small_, single, "b2"));
  live_on(620, {&a, &b});
  ASSERT_THAT(claims(), IsEmpty());
  world_.put_back(backup);
  heartbeat(a);
  heartbeat(b);
  EXPECT_THAT(claims(), IsEmpty());
}

TEST_F(RestorationTest, ARemovalThatTheBackupKnowsStands) {
  Machine &a = machine("a"), &b = joined("b");
  run_container(b, large_, "b1");
  ASSERT_TRUE(a.membership().remove_host("b"));
  const auto backup = world_.back_up();
  run_container(a, large_, "a1");
  live_on(5, {&a});
  world_.put_back(backup);
  EXPECT_EQ(b.membership().keep_alive().value(), MembershipState::kRemoved);
}

TEST_F(RestorationTest, AHostThatJoinedAgainSinceTheBackupKeepsItsNewLife) {
  Machine &a = machine("a"), &b = joined("b");
  run_container(b, large_, "b1");
  const auto backup = world_.back_up();
  ASSERT_TRUE(a.membership().remove_host("b"));
  ASSERT_EQ(b.membership().keep_alive().value(), MembershipState::kRemoved);
  ASSERT_TRUE(b.membership().join_again());
  run_container(b, large_, "b2");
  live_on(5, {&a, &b});
  const auto before = claims();
  world_.put_back(backup);
  EXPECT_EQ(heartbeat(b), MembershipState::kReturned);
  EXPECT_EQ(claims(), before) << "also without what it had in its first life";
  EXPECT_EQ(read<HostRecord>(*world_.store, keys::host(b.info.id))->value().value.epoch, 2U);
}

TEST_F(RestorationTest, ANetworkThatTheBackupDoesNotKnowIsSaid) {
  Machine& a = machine("a");
  heartbeat(a);
  const auto backup = world_.back_up();
  const auto net = make_network(a, "new", "10.9.32.0/20");
  run_container(a, net, "a1");
  heartbeat(a);
  world_.put_back(backup);
  heartbeat(a);
  EXPECT_THAT(problems(a),
              Contains(HasSubstr(net.id.substr(0, 12) + " is not in the shared store")));
}

TEST_F(RestorationTest, AnEmptyStoreIsNoNewClusterForAHostThatBelongsToOne) {
  Machine& a = machine("a");
  a.start();
  world_.put_back({});
  const auto refused = a.membership().join();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr("restore its backup"));
  EXPECT_EQ(count(""), 0U);
}

// Dies at each commit of noticing and writing anew, and is started again.
TEST_F(RestorationTest, OneThatIsKilledAnywhereIsEndedByTheNextProcess) {
  Machine& b = joined("b");
  const auto backup = world_.back_up();
  run_container(b, large_, "b1");
  run_container(b, small_, "b2");
  heartbeat(b);
  const auto before = claims();
  int died = 0;
  for (int at = 1; at < 14; ++at)
    for (const auto when : {Fate::When::kBefore, Fate::When::kAfter}) {
      world_.put_back(backup);
      b.fate = {at, when};
      try {
        (void)b.membership().keep_alive();
        (void)b.maintain();
      } catch (const Crash&) {
        ++died;
      }
      b.start();
      world_.pass(16);
      ASSERT_TRUE(b.membership().join());
      heartbeat(b);
      ASSERT_EQ(claims(), before) << at;
      live_on(60, {&b});
      ASSERT_THAT(problems(b), Not(Contains(HasSubstr("put back")))) << at;
    }
  EXPECT_GE(died, 10);
}

}  // namespace
}  // namespace fairlead::network::cluster
