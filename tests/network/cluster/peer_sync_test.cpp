// The agent over a store in memory: lists, watches, losses, snapshots.
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "network/cluster/peer_snapshot.h"
#include "network/cluster/peers.h"
#include "tests/network/cluster/cluster_world.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

// A store whose watches can be cut, in silence or not.
class LossyStore : public state::Store {
 public:
  std::unique_ptr<state::Store> inner = state::make_memory_store();
  std::atomic<bool> is_open = true;
  std::atomic<bool> is_deaf = false;  // events are lost in silence
  std::atomic<int> lists = 0;

  Result<std::optional<state::Record>> get(std::string_view key) override {
    return inner->get(key);
  }
  Result<std::vector<state::Record>> list(std::string_view prefix, std::string_view start_after,
                                          std::size_t limit) override {
    if (!is_open) return closed();
    ++lists;
    return inner->list(prefix, start_after, limit);
  }
  Result<state::CommitResult> commit(const state::Txn& txn) override { return inner->commit(txn); }
  Result<std::unique_ptr<state::Watch>> watch(
      std::string_view prefix, std::int64_t after,
      std::function<void(const std::vector<state::Event>&)> on_events) override {
    if (!is_open) return closed();
    {
      const std::scoped_lock hold(guard_);
      callbacks_.push_back(on_events);
    }
    return inner->watch(prefix, after, [this, on_events](const auto& events) {
      if (!is_deaf) on_events(events);
    });
  }
  Result<std::int64_t> revision() override {
    if (!is_open) return closed();
    return inner->revision();
  }
  void say_lost() {
    const std::scoped_lock hold(guard_);
    for (const auto& callback : callbacks_) callback({{state::Event::Kind::kLost, {}}});
    callbacks_.clear();
  }

 private:
  static tl::unexpected<Error> closed() { return fail(Code::kUnavailable, "closed"); }
  std::mutex guard_;
  std::vector<std::function<void(const std::vector<state::Event>&)>> callbacks_;
};

class PeerSyncTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "fairlead-peers-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (int i = 1; i <= 3; ++i) put_host(i);
    start();
  }
  void TearDown() override {
    sync_.reset();
    std::filesystem::remove_all(folder_);
  }

  void start() {
    sync_.reset();
    given_.clear();
    given_hosts_.clear();
    sync_ = std::make_unique<PeerSync>(
        store_,
        PeerOptions{.host = {.id = "a0"},
                    .folder = folder_,
                    .apply_hosts = [this](const auto& hosts) { return apply_hosts(hosts); }},
        Clock{.running = [this] { return now_; }, .unix_time = [] { return 0LL; }},
        [this](const PeerChanges& changes) { return apply(changes); },
        [this](const std::string& network_id, const std::vector<RemoteEntry>& entries) -> Status {
          if (apply_fails_) return fail(Code::kIo, "no");
          replaced_.emplace_back(network_id, entries.size());
          return {};
        });
    sync_->attach(kNet);
  }
  Status apply(const PeerChanges& changes) {
    if (apply_fails_) return fail(Code::kIo, "no");
    batches_.push_back(changes);
    for (const RemoteEntry& entry : changes.to_remove) given_.erase(entry.ip);
    for (const RemoteEntry& entry : changes.to_set) given_[entry.ip] = entry;
    return {};
  }
  Status apply_hosts(const std::vector<HostInfo>& hosts) {
    if (apply_fails_) return fail(Code::kIo, "no");
    given_hosts_.emplace_back();
    for (const HostInfo& host : hosts) given_hosts_.back().push_back(host.vtep.to_string());
    entries_at_hosts_.push_back(given_.size());
    return {};
  }
  void put_host(int number, HostPhase phase = HostPhase::kMember) {
    const HostRecord host{.info = {.id = fmt::format("a{}", number),
                                   .name = "n",
                                   .vtep = ip(fmt::format("192.0.2.{}", number))},
                          .epoch = phase == HostPhase::kRemoved ? 2U : 1U,
                          .phase = phase};
    ASSERT_TRUE(store_.commit({.puts = {{keys::host(host.info.id), encode(host)}}}));
  }
  void put(int number, int host = 1) {
    const IpAddress address = *ip("10.9.0.0").plus(static_cast<std::uint64_t>(number));
    const SharedEndpoint endpoint{.host_id = fmt::format("a{}", host),
                                  .epoch = 1,
                                  .addresses = {address},
                                  .mac = MacAddress::for_ip(address)};
    const StaticClaimRecord claim{"e", endpoint.host_id, 1};
    ASSERT_TRUE(store_.commit({.puts = {{keys::address("net", address), encode(claim)},
                                        {key(number), encode(endpoint)}}}));
  }
  void drop(int number) { ASSERT_TRUE(store_.commit({.deletes = {key(number)}})); }
  static std::string key(int number) { return keys::endpoint("net", fmt::format("e{}", number)); }

  // Steps until that many entries are given, or for a second.
  bool settles_at(std::size_t entries) {
    for (int i = 0; i < 1000; ++i) {
      sync_->step();
      now_ += std::chrono::milliseconds(5);
      if (given_.size() == entries && sync_->queued() == 0) {
        sync_->step();
        return given_.size() == entries;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  void pass(long long seconds) {
    now_ += std::chrono::seconds(seconds);
    for (int i = 0; i < 3; ++i) {
      sync_->step();
      now_ += std::chrono::milliseconds(5);
    }
  }

  inline static const PeerNetwork kNet{
      .id = "net", .name = "shop", .subnets = {{.subnet = cidr("10.8.0.0/15")}}, .macs = {}};
  std::string folder_;
  LossyStore store_;
  std::chrono::milliseconds now_{1'000'000};
  std::map<IpAddress, RemoteEntry> given_;
  std::vector<PeerChanges> batches_;
  std::vector<std::pair<std::string, std::size_t>> replaced_;
  std::vector<std::vector<std::string>> given_hosts_;
  std::vector<std::size_t> entries_at_hosts_;  // how many were given before those hosts
  bool apply_fails_ = false;
  std::unique_ptr<PeerSync> sync_;
};

TEST_F(PeerSyncTest, ListsWhatIsThereAndFollowsWhatComes) {
  put(1);
  put(2, 2);
  EXPECT_TRUE(settles_at(2));
  EXPECT_EQ(given_.at(ip("10.9.0.2")).vtep, ip("192.0.2.2"));
  put(3);
  EXPECT_TRUE(settles_at(3));
  drop(1);
  EXPECT_TRUE(settles_at(2));
  EXPECT_EQ(sync_->status().hosts, 3U);
}

TEST_F(PeerSyncTest, ChangesWaitForEachOtherAndComeInBatches) {
  for (int i = 0; i < 1100; ++i) put(i);
  EXPECT_TRUE(settles_at(1100));
  EXPECT_THAT(batches_, SizeIs(3));
  batches_.clear();
  sync_->step();
  put(2000);
  while (sync_->queued() == 0) std::this_thread::yield();
  sync_->step();
  put(2001);
  while (sync_->queued() == 0) std::this_thread::yield();
  sync_->step();
  EXPECT_THAT(batches_, IsEmpty()) << "5 ms have not passed";
  now_ += std::chrono::milliseconds(5);
  sync_->step();
  ASSERT_THAT(batches_, SizeIs(1));
  EXPECT_THAT(batches_[0].to_set, SizeIs(2));
}

TEST_F(PeerSyncTest, ALostWatchIsMadeUpForAndNothingIsGivenTwice) {
  put(1);
  put(2);
  ASSERT_TRUE(settles_at(2));
  batches_.clear();
  store_.is_deaf = true;
  put(3);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  store_.is_deaf = false;
  store_.say_lost();
  EXPECT_TRUE(settles_at(3));
  ASSERT_THAT(batches_, SizeIs(1));
  EXPECT_THAT(batches_[0].to_set, SizeIs(1)) << "only the difference";
  put(4);
  EXPECT_TRUE(settles_at(4)) << "and the new watch runs";
}

TEST_F(PeerSyncTest, ADeletionThatWasLostIsBelievedAtTheSecondLook) {
  put(1);
  put(2);
  ASSERT_TRUE(settles_at(2));
  store_.is_deaf = true;
  drop(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  store_.is_deaf = false;
  store_.say_lost();
  sync_->step();
  EXPECT_THAT(given_, SizeIs(2));
  EXPECT_EQ(sync_->status().missing, 1U);
  pass(29);
  EXPECT_THAT(given_, SizeIs(2));
  pass(2);
  EXPECT_THAT(given_, SizeIs(1));
  EXPECT_EQ(sync_->status().missing, 0U);
}

TEST_F(PeerSyncTest, WhatWasLostInSilenceIsFoundByTheRegularList) {
  put(1);
  ASSERT_TRUE(settles_at(1));
  store_.is_deaf = true;
  put(2);
  pass(200);
  EXPECT_THAT(given_, SizeIs(1));
  pass(200);
  EXPECT_THAT(given_, SizeIs(2));
}

TEST_F(PeerSyncTest, AnOutageTakesNothingAway) {
  put(1);
  ASSERT_TRUE(settles_at(1));
  store_.is_open = false;
  store_.say_lost();
  pass(10'000);
  EXPECT_THAT(given_, SizeIs(1));
  store_.is_open = true;
  put(2);
  pass(2);
  EXPECT_THAT(given_, SizeIs(2));
}

TEST_F(PeerSyncTest, StartsFromItsSnapshotWithoutTheStore) {
  put(1);
  put(2);
  ASSERT_TRUE(settles_at(2));
  ASSERT_TRUE(sync_->save_snapshots());
  store_.is_open = false;
  start();
  EXPECT_TRUE(settles_at(2));
  for (const PeerChanges& batch : batches_) EXPECT_THAT(batch.to_remove, IsEmpty());
}

TEST_F(PeerSyncTest, AfterItsSnapshotItNeedsOnlyWhatChanged) {
  put(1);
  put(2);
  ASSERT_TRUE(settles_at(2));
  ASSERT_TRUE(sync_->save_snapshots());
  sync_.reset();
  drop(1);
  put(3);
  store_.lists = 0;
  start();
  put(4);
  EXPECT_TRUE(settles_at(3));
  EXPECT_EQ(store_.lists, 0);
  EXPECT_FALSE(given_.contains(ip("10.9.0.1"))) << "its deletion was watched, not guessed";
}

TEST_F(PeerSyncTest, ASnapshotThatIsTooOldLeadsToAListAndTwoLooks) {
  store_.inner = state::make_memory_store(8);
  for (int i = 1; i <= 3; ++i) put_host(i);
  start();
  put(1);
  put(2);
  ASSERT_TRUE(settles_at(2));
  ASSERT_TRUE(sync_->save_snapshots());
  sync_.reset();
  drop(1);
  for (int i = 10; i < 30; ++i) put(i);
  start();
  EXPECT_TRUE(settles_at(22)) << "the one that is gone is still there";
  pass(31);
  EXPECT_THAT(given_, SizeIs(21));
}

TEST_F(PeerSyncTest, ADamagedSnapshotIsMadeAnew) {
  put(1);
  ASSERT_TRUE(settles_at(1));
  ASSERT_TRUE(sync_->save_snapshots());
  std::filesystem::resize_file(folder_ + "/peers-net", 20);
  start();
  EXPECT_TRUE(settles_at(1));
}

TEST_F(PeerSyncTest, AStoreThatWasPutBackIsFollowed) {
  for (int i = 0; i < 10; ++i) put(i);
  ASSERT_TRUE(settles_at(10));
  ASSERT_TRUE(sync_->save_snapshots());
  sync_.reset();
  store_.inner = state::make_memory_store();  // from a backup: an earlier revision
  for (int i = 1; i <= 3; ++i) put_host(i);
  put(1, 2);
  start();
  EXPECT_TRUE(settles_at(10));
  EXPECT_EQ(given_.at(ip("10.9.0.1")).vtep, ip("192.0.2.2"));
  pass(31);
  EXPECT_THAT(given_, SizeIs(1));
}

TEST_F(PeerSyncTest, WhatCannotBeAppliedComesAgainASecondLater) {
  apply_fails_ = true;
  put(1);
  pass(0);
  pass(0);
  EXPECT_THAT(given_, IsEmpty());
  EXPECT_GE(sync_->status().failures, 1U);
  const auto failures = sync_->status().failures;
  apply_fails_ = false;
  pass(0);
  EXPECT_THAT(given_, IsEmpty()) << failures;
  pass(1);
  EXPECT_THAT(given_, SizeIs(1));
}

TEST_F(PeerSyncTest, OneRecordThatCannotBeReadIsNotTheEndOfTheOthers) {
  put(1);
  ASSERT_TRUE(store_.commit({.puts = {{key(2), "{broken"}}}));
  EXPECT_TRUE(settles_at(1));
  ASSERT_TRUE(store_.commit({.puts = {{key(3), "[]"}}}));
  put(4);
  EXPECT_TRUE(settles_at(2));
}

TEST_F(PeerSyncTest, AttachedAgainEverythingIsGivenAgain) {
  put(1);
  ASSERT_TRUE(settles_at(1));
  sync_->detach("net");
  sync_->attach(kNet);
  given_.clear();
  EXPECT_TRUE(settles_at(1));
  sync_->detach("net");
  sync_->step();
  EXPECT_THAT(sync_->entries("net"), IsEmpty());
  EXPECT_EQ(sync_->status().networks, 0U);
}

TEST_F(PeerSyncTest, ALinkThatWasMadeAnewGetsAllEntriesOnceTheyAreKnown) {
  for (int i = 0; i < 3; ++i) put(i);
  store_.is_open = false;
  sync_->refresh("net");
  pass(5);
  EXPECT_THAT(replaced_, IsEmpty()) << "nothing is known: what the kernel has must stay";
  store_.is_open = true;
  ASSERT_TRUE(settles_at(3));
  pass(1);
  EXPECT_THAT(replaced_, ElementsAre(Pair("net", 3)));
  pass(1);
  EXPECT_THAT(replaced_, SizeIs(1)) << "once for each wish";

  put(3);
  ASSERT_TRUE(settles_at(4));
  apply_fails_ = true;
  sync_->refresh("net");
  sync_->refresh("no such network");
  pass(1);
  apply_fails_ = false;
  pass(2);
  EXPECT_THAT(replaced_, ElementsAre(Pair("net", 3), Pair("net", 4)));
}

TEST_F(PeerSyncTest, IsCompleteOnlyWhenAllThatWasListedIsGiven) {
  put(1);
  EXPECT_FALSE(sync_->complete("net"));
  apply_fails_ = true;
  pass(0);
  EXPECT_FALSE(sync_->complete("net")) << "listed, and not given";
  apply_fails_ = false;
  pass(2);
  EXPECT_TRUE(sync_->complete("net"));
  EXPECT_TRUE(sync_->complete(""));
  EXPECT_FALSE(sync_->complete("another"));
  store_.is_open = false;
  store_.say_lost();
  pass(1'000);
  EXPECT_TRUE(sync_->complete("net")) << "an outage does not take it back";
  sync_->detach("net");
  sync_->attach(kNet);
  pass(2);
  EXPECT_FALSE(sync_->complete("net"));
}

TEST_F(PeerSyncTest, ASnapshotAloneIsNotComplete) {
  put(1);
  ASSERT_TRUE(settles_at(1));
  ASSERT_TRUE(sync_->save_snapshots());
  sync_.reset();
  put(2);
  store_.is_open = false;
  start();
  pass(100);
  EXPECT_THAT(given_, SizeIs(1));
  EXPECT_FALSE(sync_->complete("net"));
  store_.is_open = true;
  sync_->step();
  now_ += std::chrono::milliseconds(999);
  sync_->step();
  EXPECT_FALSE(sync_->complete("net")) << "what came meanwhile is on its way";
  EXPECT_TRUE(settles_at(2));
  pass(1);
  EXPECT_TRUE(sync_->complete("net"));
}

TEST_F(PeerSyncTest, HostsAreGivenWhenTheyChangeAndBeforeTheirEntries) {
  put(1);
  EXPECT_TRUE(settles_at(1));
  ASSERT_THAT(given_hosts_, ElementsAre(ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3")));
  EXPECT_EQ(entries_at_hosts_[0], 0U);
  put_host(0);                    // itself
  put_host(4, HostPhase::kLeft);  // its containers may still run
  put(2, 4);
  ASSERT_TRUE(settles_at(2));
  ASSERT_THAT(given_hosts_, SizeIs(2));
  EXPECT_THAT(given_hosts_[1], ElementsAre("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"));
  EXPECT_EQ(entries_at_hosts_[1], 1U);
  put_host(4, HostPhase::kRemoved);
  ASSERT_TRUE(settles_at(1));
  EXPECT_THAT(given_hosts_.back(), SizeIs(3));
  EXPECT_THAT(sync_->hosts(), SizeIs(3));
}

TEST_F(PeerSyncTest, HostsThatCannotBeAppliedComeAgainASecondLater) {
  apply_fails_ = true;
  pass(0);
  EXPECT_FALSE(sync_->complete(""));
  apply_fails_ = false;
  pass(0);
  EXPECT_THAT(given_hosts_, IsEmpty());
  pass(1);
  EXPECT_THAT(given_hosts_, SizeIs(1));
  EXPECT_TRUE(sync_->complete(""));
}

TEST_F(PeerSyncTest, HostsAreKnownFromTheSnapshotWithoutTheStore) {
  ASSERT_TRUE(settles_at(0));
  ASSERT_TRUE(sync_->save_snapshots());
  store_.is_open = false;
  start();
  pass(0);
  ASSERT_THAT(given_hosts_, SizeIs(1));
  EXPECT_THAT(given_hosts_[0], SizeIs(3));
}

TEST_F(PeerSyncTest, AStoreThatIsPutBackUnderAWatchIsSeenWithinSeconds) {
  for (int i = 0; i < 10; ++i) put(i);
  ASSERT_TRUE(settles_at(10));
  store_.inner = state::make_memory_store();  // the watches of the old one say nothing any more
  for (int i = 1; i <= 3; ++i) put_host(i);
  put(1, 2);
  pass(11);
  EXPECT_EQ(given_.at(ip("10.9.0.1")).vtep, ip("192.0.2.2"));
  put(50);
  EXPECT_TRUE(settles_at(11)) << "and the new watches run";
}

TEST_F(PeerSyncTest, OnItsOwnThreadItDoesTheSame) {
  sync_.reset();
  std::mutex guard;
  std::set<IpAddress> set;
  auto peers = make_peers(
      store_, {.host = {.id = "a0"}, .folder = folder_}, system_clock(),
      [&](const PeerChanges& changes) -> Status {
        const std::scoped_lock hold(guard);
        for (const auto& entry : changes.to_remove) set.erase(entry.ip);
        for (const auto& entry : changes.to_set) set.insert(entry.ip);
        return {};
      },
      [](const std::string&, const std::vector<RemoteEntry>&) -> Status { return {}; });
  ASSERT_TRUE(peers->attach(kNet));
  for (int i = 0; i < 300; ++i) put(i);
  for (int i = 0; i < 100; ++i) drop(i);
  for (int i = 0; i < 5000 && peers->entries("net").size() != 200; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_THAT(peers->entries("net"), SizeIs(200));
  for (int i = 0; i < 5000 && !peers->complete("net"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(peers->complete("net"));
  EXPECT_THAT(peers->hosts(), SizeIs(3));
  peers.reset();
  EXPECT_THAT(set, SizeIs(200));
  EXPECT_THAT(read_snapshot(folder_ + "/peers-net")->records, SizeIs(200 + 300))
      << "and the claims";
}

}  // namespace
}  // namespace fairlead::network::cluster
