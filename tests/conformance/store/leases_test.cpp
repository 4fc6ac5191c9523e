// What every store with leases must do (base/state/leases.h).
#include "base/state/leases.h"

#include <gmock/gmock.h>

#include <future>
#include <thread>

#include "tests/conformance/store/stores.h"

namespace fairlead::state {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A store, its leases, and how a test lets time pass for them.
struct Leased {
  std::unique_ptr<Store> store;
  Leases* leases = nullptr;
  std::function<void(seconds)> let_pass;
};

Leased leased_memory() {
  auto now = std::make_shared<steady_clock::time_point>();
  auto store = make_memory_store(kRememberedCommits, [now] { return *now; });
  Leases* leases = store.get();
  return {std::move(store), leases, [now](seconds time) { *now += time; }};
}

Leased leased_etcd() {
  auto store = open_on_shared_etcd();
  if (!store) throw std::runtime_error(store.error().text);
  Leases* leases = store->get();
  return {std::move(*store), leases, [](seconds time) { std::this_thread::sleep_for(time); }};
}

struct LeasedKind {
  std::string name;
  std::function<Leased()> open;
};

class LeasesTest : public ::testing::TestWithParam<LeasedKind> {
 protected:
  LeaseId grant(int time_to_live = 60) {
    auto lease = leases().grant(seconds(time_to_live));
    EXPECT_TRUE(lease) << lease.error().text;
    return lease ? *lease : 0;
  }
  Result<CommitResult> put(const std::string& key, LeaseId lease) {
    return leased_.store->commit({.puts = {{key, "1", lease}}});
  }
  std::vector<std::string> keys() {
    std::vector<std::string> found;
    const auto records = leased_.store->list("");
    EXPECT_TRUE(records) << records.error().text;
    for (const Record& record : *records) found.push_back(record.key);
    return found;
  }
  bool heartbeat(LeaseId lease) {
    const auto heartbeat = leases().heartbeat(lease);
    EXPECT_TRUE(heartbeat) << heartbeat.error().text;
    return heartbeat && *heartbeat;
  }
  Leases& leases() { return *leased_.leases; }

  Leased leased_ = GetParam().open();
};

INSTANTIATE_TEST_SUITE_P(Every, LeasesTest,
                         ::testing::Values(LeasedKind{"memory", leased_memory},
                                           LeasedKind{"etcd", leased_etcd}),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(LeasesTest, EachGrantIsAnotherLease) {
  const LeaseId one = grant(), two = grant();
  EXPECT_GT(one, 0);
  EXPECT_GT(two, 0);
  EXPECT_NE(one, two);
}

TEST_P(LeasesTest, ARevokedLeaseTakesItsRecordsAndNoOthers) {
  const LeaseId one = grant(), two = grant();
  ASSERT_TRUE(put("a", one));
  ASSERT_TRUE(put("b", two));
  ASSERT_TRUE(put("c", 0));
  EXPECT_THAT(keys(), ElementsAre("a", "b", "c"));
  ASSERT_TRUE(leases().revoke(one));
  EXPECT_THAT(keys(), ElementsAre("b", "c"));
  EXPECT_FALSE(heartbeat(one));
  EXPECT_TRUE(heartbeat(two));
}

TEST_P(LeasesTest, ALeaseWithoutHeartbeatsEnds) {
  const LeaseId lease = grant(2);
  ASSERT_TRUE(put("live/a", lease));
  leased_.let_pass(seconds(1));
  EXPECT_THAT(keys(), ElementsAre("live/a")) << "too early";
  leased_.let_pass(seconds(3));
  EXPECT_THAT(keys(), IsEmpty());
  EXPECT_FALSE(heartbeat(lease));
}

TEST_P(LeasesTest, AHeartbeatLetsTheLeaseLastForItsWholeTimeAgain) {
  const LeaseId lease = grant(3);
  ASSERT_TRUE(put("live/a", lease));
  for (int i = 0; i < 3; ++i) {
    leased_.let_pass(seconds(2));
    EXPECT_TRUE(heartbeat(lease));
  }
  EXPECT_THAT(keys(), ElementsAre("live/a")) << "twice the time has passed";
}

TEST_P(LeasesTest, TheEndOfALeaseIsOneCommitThatWatchesSee) {
  const LeaseId lease = grant();
  ASSERT_TRUE(leased_.store->commit({.puts = {{"live/a", "1", lease}, {"live/b", "1", lease}}}));
  std::promise<std::vector<Event>> reported;
  const auto watch =
      leased_.store->watch("live/", *leased_.store->revision(),
                           [&](const std::vector<Event>& events) { reported.set_value(events); });
  ASSERT_TRUE(watch);
  ASSERT_TRUE(leases().revoke(lease));
  auto report = reported.get_future();
  ASSERT_EQ(report.wait_for(seconds(10)), std::future_status::ready);
  const auto events = report.get();
  ASSERT_EQ(events.size(), 2U);
  for (const Event& event : events) EXPECT_EQ(event.kind, Event::Kind::kDelete);
}

TEST_P(LeasesTest, ARecordBelongsToTheLeaseOfItsLastPut) {
  const LeaseId one = grant(), two = grant();
  for (const char* key : {"freed", "moved", "kept"}) ASSERT_TRUE(put(key, one));
  ASSERT_TRUE(put("freed", 0));
  ASSERT_TRUE(put("moved", two));
  ASSERT_TRUE(leases().revoke(one));
  EXPECT_THAT(keys(), ElementsAre("freed", "moved"));
  ASSERT_TRUE(leases().revoke(two));
  EXPECT_THAT(keys(), ElementsAre("freed"));
}

TEST_P(LeasesTest, ARecordThatWasDeletedAndMadeAgainHasNoLease) {
  const LeaseId lease = grant();
  ASSERT_TRUE(put("a", lease));
  ASSERT_TRUE(leased_.store->commit({.deletes = {"a"}}));
  ASSERT_TRUE(put("a", 0));
  ASSERT_TRUE(leases().revoke(lease));
  EXPECT_THAT(keys(), ElementsAre("a"));
}

TEST_P(LeasesTest, APutWithALeaseThatIsGoneChangesNothing) {
  const LeaseId lease = grant();
  ASSERT_TRUE(leases().revoke(lease));
  const auto done = leased_.store->commit({.puts = {{"a", "1", lease}, {"b", "1"}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_THAT(done.error().text, HasSubstr("lease"));
  EXPECT_THAT(keys(), IsEmpty());
}

TEST_P(LeasesTest, WhatIsGoneCanBeRevokedAgain) {
  const LeaseId lease = grant();
  ASSERT_TRUE(leases().revoke(lease));
  EXPECT_TRUE(leases().revoke(lease));
}

TEST_P(LeasesTest, ATimeThatNoLeaseHasIsRefused) {
  for (const int time : {-1, 0, 9'000'001}) {
    const auto lease = leases().grant(seconds(time));
    ASSERT_FALSE(lease) << time;
    EXPECT_EQ(lease.error().code, Code::kInvalid);
  }
}

TEST(MemoryLeases, CanBeEndedBeforeTheirTime) {
  const auto store = make_memory_store();
  const LeaseId lease = *store->grant(seconds(60));
  ASSERT_TRUE(store->commit({.puts = {{"live/a", "1", lease}}}));
  store->expire(lease);
  EXPECT_THAT(*store->list(""), IsEmpty());
  EXPECT_FALSE(*store->heartbeat(lease));
}

TEST(SqliteLeases, AreRefused) {
  const TempFolder folder;
  const auto store = open_sqlite_store(folder.path("state.db"));
  ASSERT_TRUE(store);
  const auto done = (*store)->commit({.puts = {{"a", "1"}, {"live/b", "1", 7}}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnsupported);
  EXPECT_THAT(done.error().text, HasSubstr("live/b"));
  EXPECT_THAT(*(*store)->list(""), IsEmpty());
}

}  // namespace
}  // namespace fairlead::state
