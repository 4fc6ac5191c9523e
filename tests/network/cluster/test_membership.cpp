#include <thread>

#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::HasSubstr;

class MembershipTest : public ClusterTest {
 protected:
  HostState state_of(Machine& asked, const std::string& name) {
    for (const Host& host : must(asked.membership().hosts()))
      if (host.facts.name == name) return host.state;
    ADD_FAILURE() << "no host " << name;
    return HostState::kGone;
  }
  // Every member beats, second by second.
  void live_on(long long seconds, const std::vector<Machine*>& machines) {
    for (long long i = 0; i < seconds; ++i) {
      world_.pass(1);
      for (Machine* one : machines) ASSERT_TRUE(one->membership().keep_alive());
    }
  }
};

TEST_F(MembershipTest, hosts_see_each_other_and_those_that_stop_beating) {
  Machine &a = joined("a"), &b = joined("b");
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
  live_on(16, {&a});
  EXPECT_EQ(state_of(a, "b"), HostState::kSuspect);
  EXPECT_EQ(b.membership().keep_alive().value(), Standing::kReturned);
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
  EXPECT_EQ(b.membership().keep_alive().value(), Standing::kMember);
}

TEST_F(MembershipTest, a_join_reads_no_more_when_there_are_more_hosts) {
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

TEST_F(MembershipTest, the_others_are_known_from_the_first_beat_on) {
  Machine &a = joined("a"), &b = joined("b"), &c = joined("c"), &d = joined("d");
  EXPECT_FALSE(a.membership().is_frozen());
  ASSERT_TRUE(a.membership().keep_alive());
  const auto before = a.shared->records_read;
  ASSERT_TRUE(a.membership().keep_alive());
  EXPECT_EQ(a.shared->records_read - before, 2U) << "its own two: the others are watched";
  for (Machine* one : {&b, &c, &d}) one->cluster.reset();
  live_on(16, {&a});
  for (int i = 0; i < 1000 && !a.membership().is_frozen(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(a.membership().is_frozen()) << "three of four vanished at once";
}

TEST_F(MembershipTest, leaving_is_not_failing) {
  Machine &a = joined("a"), &b = joined("b");
  ASSERT_TRUE(b.membership().leave());
  EXPECT_EQ(state_of(a, "b"), HostState::kGone);
  EXPECT_EQ(b.membership().join().value(), Standing::kMember);
  EXPECT_EQ(state_of(a, "b"), HostState::kAlive);
}

TEST_F(MembershipTest, a_new_process_of_the_same_boot_takes_over_at_once) {
  Machine& a = joined("a");
  a.start();
  EXPECT_EQ(a.membership().join().value(), Standing::kMember);
  EXPECT_EQ(a.membership().keep_alive().value(), Standing::kMember);
}

TEST_F(MembershipTest, after_a_reboot_the_last_life_runs_out_first) {
  Machine& a = joined("a");
  a.reboot();
  const auto early = a.membership().join();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kConflict);
  EXPECT_THAT(early.error().text, HasSubstr("after a restart this passes within 15 s"));
  world_.pass(15);
  EXPECT_EQ(a.membership().join().value(), Standing::kMember);
}

TEST_F(MembershipTest, a_cloned_machine_is_refused_as_long_as_the_first_one_lives) {
  Machine& a = joined("a");
  Machine clone(world_, "clone", a.facts.id, "192.0.2.99");
  a.copy_disk_to(clone);
  clone.boot = "the clone's boot";
  clone.start();
  for (int i = 0; i < 10; ++i) {
    const auto refused = clone.membership().join();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kConflict);
    EXPECT_THAT(refused.error().text, HasSubstr("clone"));
    live_on(5, {&a});
  }
  EXPECT_EQ(a.membership().keep_alive().value(), Standing::kMember);
}

TEST_F(MembershipTest, a_life_that_was_taken_over_is_said_loudly) {
  Machine& a = joined("a");
  Machine twin(world_, "twin", a.facts.id, "192.0.2.99");
  a.copy_disk_to(twin);  // with the memory of a snapshot: the same boot
  twin.start();
  ASSERT_TRUE(twin.membership().join());
  const auto beat = a.membership().keep_alive();
  ASSERT_FALSE(beat);
  EXPECT_EQ(beat.error().code, Code::kConflict);
}

TEST_F(MembershipTest, another_cluster_is_refused) {
  Machine& a = joined("a");
  ASSERT_TRUE(world_.store->commit(
      {.puts = {{std::string(keys::kMeta), encode(ClusterMeta{.uuid = "another"})}}}));
  const auto refused = a.membership().join();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("another"));
}

TEST_F(MembershipTest, a_store_out_of_reach_removes_nobody) {
  Machine& a = joined("a");
  a.shared->is_open = false;
  const auto beat = a.membership().keep_alive();
  ASSERT_FALSE(beat);
  EXPECT_EQ(beat.error().code, Code::kUnavailable);
  world_.pass(3600);
  a.shared->is_open = true;
  EXPECT_EQ(a.membership().keep_alive().value(), Standing::kReturned);
}

TEST_F(MembershipTest, removal_takes_everything_but_not_before_the_host_can_have_seen_it) {
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

TEST_F(MembershipTest, a_zombie_is_told_and_joins_again_with_nothing) {
  Machine &a = joined("a"), &b = joined("b");
  const auto net = make_network(a, "shop", "10.9.0.0/20");
  ASSERT_TRUE(b.allocate(net, "e1"));
  ASSERT_TRUE(a.membership().remove_host("b"));
  EXPECT_EQ(b.membership().keep_alive().value(), Standing::kRemoved);
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

TEST_F(MembershipTest, a_zombie_that_was_paused_asks_before_it_gives_out_anything) {
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

TEST_F(MembershipTest, hosts_are_named_by_name_or_id_and_never_guessed) {
  Machine &a = joined("a"), &b = joined("b");
  Machine namesake(world_, "b", std::string(32, 'f'), "192.0.2.77");
  ASSERT_TRUE(namesake.membership().join());
  EXPECT_EQ(a.membership().remove_host("b").error().code, Code::kInvalid);
  EXPECT_EQ(a.membership().remove_host("nobody").error().code, Code::kNotFound);
  EXPECT_EQ(a.membership().remove_host("a").error().code, Code::kInvalid) << "itself";
  EXPECT_TRUE(a.membership().remove_host("fff"));
  EXPECT_EQ(b.membership().keep_alive().value(), Standing::kMember);
}

// Dies at each commit of joining, before and after it, and is started again.
TEST_F(MembershipTest, a_join_that_is_killed_anywhere_is_done_by_the_next) {
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
      const auto beat = one.membership().keep_alive();
      ASSERT_TRUE(beat) << at << ": " << beat.error().text;
      EXPECT_EQ(*beat, Standing::kMember);
    }
  EXPECT_GE(died, 6);
}

}  // namespace
}  // namespace fairlead::network::cluster
