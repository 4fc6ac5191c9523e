// What every store must do (base/state/store.h): reads and transactions.
#include <gmock/gmock.h>

#include <thread>

#include "tests/conformance/store/stores.h"

namespace fairlead::state {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

INSTANTIATE_TEST_SUITE_P(Every, StoreTest, ::testing::ValuesIn(all_stores()), kind_name);

TEST_P(StoreTest, StartsEmpty) {
  EXPECT_EQ(value_of("network/a"), "<absent>");
  EXPECT_THAT(keys(""), IsEmpty());
  if (GetParam().first_revision >= 0) {
    EXPECT_EQ(start_, GetParam().first_revision);
  }
}

TEST_P(StoreTest, GivesBackWhatWasPut) {
  const auto revision = put("network/a", R"({"name":"a"})");
  const auto found = store_->get("network/a");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, (Record{"network/a", R"({"name":"a"})", revision}));
}

TEST_P(StoreTest, KeepsValuesByteForByte) {
  using std::string_literals::operator""s;
  for (const std::string& value : {""s, "\"h\xc3\xa9\""s, "a\0b"s, std::string(1U << 20, 'x')}) {
    put("k", value);
    EXPECT_EQ(value_of("k"), value);
  }
}

TEST_P(StoreTest, APutReplacesTheValueAndTheRevision) {
  const auto first = put("k", "1"), second = put("k", "2");
  EXPECT_GT(second, first);
  EXPECT_EQ(value_of("k"), "2");
  EXPECT_EQ(revision_of("k"), second);
}

TEST_P(StoreTest, AGetNeedsTheWholeKey) {
  put("network/ab", "1");
  EXPECT_EQ(value_of("network/a"), "<absent>");
  EXPECT_EQ(value_of("network/abc"), "<absent>");
  EXPECT_EQ(value_of("network/AB"), "<absent>");
  EXPECT_EQ(value_of(""), "<absent>");
}

TEST_P(StoreTest, ListsAPrefixInTheOrderOfKeys) {
  for (const char* key : {"b/2", "a/10", "b/1", "a/9", "b", "c/1"}) put(key, "{}");
  EXPECT_THAT(keys("a/"), ElementsAre("a/10", "a/9"));
  EXPECT_THAT(keys("b"), ElementsAre("b", "b/1", "b/2"));
  EXPECT_THAT(keys("b/"), ElementsAre("b/1", "b/2"));
  EXPECT_THAT(keys("d"), IsEmpty());
  EXPECT_THAT(keys(""), ElementsAre("a/10", "a/9", "b", "b/1", "b/2", "c/1"));
}

TEST_P(StoreTest, APrefixIsTextAndNoPattern) {
  for (const char* key : {"a%b", "a_b", "axb", "a~", "a~~", "b"}) put(key, "{}");
  EXPECT_THAT(keys("a%"), ElementsAre("a%b"));
  EXPECT_THAT(keys("a_"), ElementsAre("a_b"));
  EXPECT_THAT(keys("a~"), ElementsAre("a~", "a~~"));
  EXPECT_THAT(keys("A"), IsEmpty());
  EXPECT_THAT(keys("\xff"), IsEmpty());
}

TEST_P(StoreTest, ListsAtMostTheLimit) {
  for (const char* key : {"a/1", "a/2", "a/3"}) put(key, "{}");
  EXPECT_THAT(keys("a/", "", 1), ElementsAre("a/1"));
  EXPECT_THAT(keys("a/", "", 2), ElementsAre("a/1", "a/2"));
  EXPECT_THAT(keys("a/", "", 4), ElementsAre("a/1", "a/2", "a/3"));
}

TEST_P(StoreTest, GoesOnAfterAKeyWhetherItExistsOrNot) {
  for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) put(key, "{}");
  EXPECT_THAT(keys("a/", "a/1"), ElementsAre("a/2", "a/3"));
  EXPECT_THAT(keys("a/", "a/15"), ElementsAre("a/2", "a/3"));
  EXPECT_THAT(keys("a/", "a/1", 1), ElementsAre("a/2"));
  EXPECT_THAT(keys("a/", "a/3"), IsEmpty());
  EXPECT_THAT(keys("a/", "b/0"), IsEmpty());
  EXPECT_THAT(keys("a/", "A"), ElementsAre("a/1", "a/2", "a/3")) << "before the prefix";
  EXPECT_THAT(keys("a/", "a/"), ElementsAre("a/1", "a/2", "a/3")) << "the prefix itself";
}

TEST_P(StoreTest, PagesPutTogetherAreTheWholeList) {
  for (int i = 0; i < 50; ++i) put(fmt::format("p/{:02}", i), "{}");
  std::vector<std::string> all;
  for (std::string after;;) {
    const auto page = keys("p/", after, 7);
    all.insert(all.end(), page.begin(), page.end());
    if (page.size() < 7) break;
    after = page.back();
  }
  EXPECT_EQ(all, keys("p/"));
}

TEST_P(StoreTest, AllRecordsOfACommitHaveItsRevision) {
  const auto done = commit({.puts = {{"a", "1"}, {"b", "2"}}});
  ASSERT_TRUE(done);
  EXPECT_EQ(revision_of("a"), done->revision);
  EXPECT_EQ(revision_of("b"), done->revision);
  EXPECT_EQ(*store_->revision(), done->revision);
}

TEST_P(StoreTest, PutsAndDeletesOfACommitHappenTogether) {
  put("old", "1");
  ASSERT_TRUE(commit({.puts = {{"new", "1"}}, .deletes = {"old"}}));
  EXPECT_THAT(keys(""), ElementsAre("new"));
}

TEST_P(StoreTest, TheRevisionARecordHasIsAPreconditionThatHolds) {
  const auto revision = put("k", "1");
  EXPECT_TRUE(commit({.preconditions = {{"k", revision}}, .puts = {{"k", "2"}}}));
  EXPECT_EQ(value_of("k"), "2");
}

TEST_P(StoreTest, AnOlderRevisionIsAConflictThatNamesTheKey) {
  const auto revision = put("network/k", "1");
  put("network/k", "2");
  const auto done =
      commit({.preconditions = {{"network/k", revision}}, .puts = {{"network/k", "3"}}});
  EXPECT_EQ(code_of(done), Code::kConflict);
  EXPECT_THAT(done.error().text, HasSubstr("network/k"));
  EXPECT_EQ(value_of("network/k"), "2");
}

TEST_P(StoreTest, AbsenceCanBeRequired) {
  EXPECT_TRUE(commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "1"}}}));
  EXPECT_EQ(code_of(commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "2"}}})),
            Code::kConflict);
  EXPECT_EQ(value_of("k"), "1");
}

TEST_P(StoreTest, ADeletedKeyIsAbsentAgainAndHasNoOldRevision) {
  const auto revision = put("k", "1");
  remove("k");
  EXPECT_EQ(code_of(commit({.preconditions = {{"k", revision}}, .puts = {{"k", "2"}}})),
            Code::kConflict);
  EXPECT_TRUE(commit({.preconditions = {{"k", kAbsent}}, .puts = {{"k", "3"}}}));
  EXPECT_EQ(value_of("k"), "3");
}

TEST_P(StoreTest, AKeyMadeAgainNeverHasARevisionItHadBefore) {
  const auto first = put("k", "1");
  remove("k");
  EXPECT_GT(put("k", "1"), first);
}

TEST_P(StoreTest, PreconditionsMayBeOnKeysThatAreNotChanged) {
  const auto pool = put("pool/a", "{}");
  EXPECT_TRUE(commit({.preconditions = {{"pool/a", pool}}, .puts = {{"lease/a", "{}"}}}));
  remove("pool/a");
  EXPECT_EQ(code_of(commit({.preconditions = {{"pool/a", pool}}, .puts = {{"lease/b", "{}"}}})),
            Code::kConflict);
  EXPECT_EQ(value_of("lease/b"), "<absent>");
}

TEST_P(StoreTest, AConflictChangesNothing) {
  put("kept", "1");
  const auto revision = *store_->revision();
  const auto done = commit({.preconditions = {{"absent", 1}},
                            .puts = {{"kept", "2"}, {"fresh", "1"}},
                            .deletes = {"other"}});
  EXPECT_EQ(code_of(done), Code::kConflict);
  EXPECT_EQ(value_of("kept"), "1");
  EXPECT_EQ(value_of("fresh"), "<absent>");
  EXPECT_EQ(*store_->revision(), revision);
}

TEST_P(StoreTest, DeletingWhatIsAbsentIsNoError) {
  EXPECT_TRUE(commit({.deletes = {"k"}}));
  put("k", "1");
  remove("k");
  EXPECT_TRUE(commit({.deletes = {"k"}}));
}

TEST_P(StoreTest, ACommitThatChangesNothingHasThePresentRevision) {
  const auto revision = put("k", "1");
  const auto checked = commit({.preconditions = {{"k", revision}}});
  ASSERT_TRUE(checked);
  EXPECT_EQ(checked->revision, revision);
  EXPECT_EQ(code_of(commit({.preconditions = {{"k", revision + 1}}})), Code::kConflict);
}

TEST_P(StoreTest, RevisionsGrowWithEveryCommit) {
  std::int64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    const auto revision =
        i % 3 == 2 ? remove("k" + std::to_string(i - 1)) : put("k" + std::to_string(i), "{}");
    EXPECT_GT(revision, last);
    EXPECT_EQ(*store_->revision(), revision);
    last = revision;
  }
}

TEST_P(StoreTest, BothDurabilitiesCommit) {
  for (const auto durability : {Durability::kDurable, Durability::kBoot, Durability::kDurable})
    ASSERT_TRUE(commit(
        {.puts = {{"k", std::to_string(static_cast<int>(durability))}}, .durability = durability}));
  EXPECT_EQ(value_of("k"), std::to_string(static_cast<int>(Durability::kDurable)));
}

struct Malformed {
  std::string what;
  Txn txn;
};

std::vector<Malformed> malformed() {
  return {
      {"the same key put twice", {.puts = {{"k", "1"}, {"k", "2"}}}},
      {"the same key deleted twice", {.deletes = {"k", "k"}}},
      {"a key put and deleted", {.puts = {{"k", "1"}}, .deletes = {"k"}}},
      {"an empty key", {.puts = {{"", "1"}}}},
      {"an empty key deleted", {.deletes = {""}}},
      {"an empty key required", {.preconditions = {{"", 0}}, .puts = {{"good", "1"}}}},
      {"a key with a control character", {.puts = {{"a\nb", "1"}}}},
      {"a key with a zero byte", {.puts = {{std::string("a\0b", 3), "1"}}}},
      {"a key that is not ASCII", {.puts = {{"h\xc3\xa9", "1"}}}},
      {"a key that is too long", {.puts = {{std::string(513, 'k'), "1"}}}},
      {"a value that is too long", {.puts = {{"k", std::string((1U << 20) + 1, 'v')}}}},
  };
}

TEST_P(StoreTest, MalformedTransactionsAreRefusedWhole) {
  for (Malformed& one : malformed()) {
    one.txn.puts.push_back({"innocent", "1"});
    EXPECT_EQ(code_of(commit(one.txn)), Code::kInvalid) << one.what;
    EXPECT_THAT(keys(""), IsEmpty()) << one.what;
  }
}

TEST_P(StoreTest, TheLongestKeyIsAccepted) {
  const std::string key(512, '~');
  put(key, "1");
  EXPECT_EQ(value_of(key), "1");
  EXPECT_THAT(keys("~"), ElementsAre(key));
}

TEST_P(StoreTest, ManyChangesCommitAtOnce) {
  const int changes = GetParam().most_changes;
  Txn txn;
  for (int i = 0; i < changes; ++i) txn.puts.push_back({fmt::format("k/{:04}", i), "{}"});
  ASSERT_TRUE(commit(txn));
  EXPECT_EQ(keys("k/").size(), static_cast<std::size_t>(changes));
  Txn away;
  for (const Put& put : txn.puts) away.deletes.push_back(put.key);
  ASSERT_TRUE(commit(away));
  EXPECT_THAT(keys(""), IsEmpty());
}

// Adds one by compare-and-set, retrying as often as needed.
bool increment(Store& store, const std::string& key) {
  for (int attempt = 0; attempt < 10'000; ++attempt) {
    const auto found = store.get(key);
    if (!found) return false;
    const int count = *found ? std::stoi((*found)->value) : 0;
    const auto done = store.commit({.preconditions = {{key, *found ? (*found)->revision : kAbsent}},
                                    .puts = {{key, std::to_string(count + 1)}}});
    if (done) return true;
    if (done.error().code != Code::kConflict) return false;
  }
  return false;
}

TEST_P(StoreTest, EightThreadsLoseNoIncrement) {
  constexpr int kThreads = 8, kTimes = 50;
  std::atomic<int> done{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < kTimes; ++n) done += increment(*store_, "counter") ? 1 : 0;
      });
  }
  EXPECT_EQ(done, kThreads * kTimes);
  EXPECT_EQ(value_of("counter"), std::to_string(kThreads * kTimes));
}

TEST_P(StoreTest, AListIsOneSnapshotWhileOthersCommit) {
  ASSERT_TRUE(commit({.puts = {{"pair/a", "0"}, {"pair/b", "0"}}}));
  std::jthread writer([&](std::stop_token stop) {
    for (int i = 1; !stop.stop_requested(); ++i)
      static_cast<void>(
          commit({.puts = {{"pair/a", std::to_string(i)}, {"pair/b", std::to_string(i)}}}));
  });
  for (int i = 0; i < 500; ++i) {
    const auto pair = store_->list("pair/");
    ASSERT_TRUE(pair);
    ASSERT_EQ(pair->size(), 2U);
    EXPECT_EQ((*pair)[0].value, (*pair)[1].value);
  }
}

}  // namespace
}  // namespace fairlead::state
