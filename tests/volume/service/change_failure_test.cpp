// Every commit and every step of snapshots, rollbacks, sizes, clones and restores fails once:
// afterwards store and "disk" agree, nothing is lost, and the same call succeeds.
#include <gmock/gmock.h>

#include <functional>

#include "tests/volume/service/world.h"

namespace fairlead::volume {
namespace {

using testing::FailingStore;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Error kBroken{Code::kIo, EIO, "input/output error"};

struct Verb {
  std::string name, step;  // of the service, and as the fake calls it
  std::function<bool(VolumeService&)> run;
};

bool call(const Verb& verb, VolumeService& service) { return verb.run(service); }

const std::vector<Verb>& verbs() {
  static const auto progress = [](std::uint64_t, std::uint64_t) { return true; };
  static const std::vector<Verb> all{
      {"snapshot", "snapshot",
       [](VolumeService& s) { return s.take_snapshot("shop", "tuesday", {}).has_value(); }},
      {"drop", "drop",
       [](VolumeService& s) { return s.drop_snapshot("shop", "monday").has_value(); }},
      {"rollback", "rollback",
       [](VolumeService& s) { return s.roll_back("shop", "monday", {}).has_value(); }},
      {"resize", "resize",
       [](VolumeService& s) { return s.resize("shop", 2ULL << 30).has_value(); }},
      {"clone", "clone",
       [](VolumeService& s) {
         return testing::create_volume(s, "copy", {{"from", "shop"}}, progress).has_value();
       }},
      {"restore", "restore",
       [](VolumeService& s) { return s.restore_from_trash("old", "").has_value(); }},
      {"empty", "purge", [](VolumeService& s) { return s.empty_trash("").has_value(); }},
      {"rename", "", [](VolumeService& s) { return s.rename("shop", "bazaar").has_value(); }},
      {"label", "",
       [](VolumeService& s) {
         return s.set_labels("shop", {{"a", "1"}}).has_value();
       }},
  };
  return all;
}

class ChangeFails : public testing::FakeServiceTest, public ::testing::WithParamInterface<Verb> {
 protected:
  void SetUp() override {
    const auto shop = create("shop", {{"size", "1g"}});
    fake->write(shop->id, "old goods");
    ASSERT_TRUE(service->take_snapshot("shop", "monday", {}));
    fake->write(shop->id, "goods");
    const auto old = create("old", {{"retain", "1d"}});
    fake->write(old->id, "antiques");
    ASSERT_TRUE(service->remove("old"));
    id = shop->id;
    old_id = old->id;
  }

  // Store and disk agree, and no content is lost: it is in the volume or in one of its snapshots.
  void expect_agreement() {
    const auto listed = service->list();
    const Volume* shop = nullptr;
    for (const Volume& volume : *listed) {
      EXPECT_TRUE(fake->has(volume.id)) << volume.name.str();
      if (volume.id == id) shop = &volume;
    }
    ASSERT_NE(shop, nullptr);
    EXPECT_FALSE(shop->change);
    std::set<std::string> ids;
    for (const Snapshot& snapshot : shop->snapshots) ids.insert(snapshot.id);
    EXPECT_EQ(fake->snapshots(id), ids);
    EXPECT_EQ(fake->size(id), shop->options.size == 2ULL << 30 ? 2ULL << 30 : 1ULL << 30);
    const bool back = fake->read(id) == "old goods";
    EXPECT_TRUE(!back || ids.size() >= 2);
    const bool restored = fake->has(old_id);
    const std::size_t trashed = fake->has_trash() ? 1 : 0;
    EXPECT_FALSE(restored && trashed == 1);
    EXPECT_EQ(service->trash()->size(), trashed);
    EXPECT_EQ(fake->leftovers(), listed->size() + trashed);
    EXPECT_EQ(store.list("volume-name/", "", 0)->size(), listed->size());
    EXPECT_EQ(store.list("volume/", "", 0)->size(), listed->size());
  }
  void heal() {
    const auto report = service->reconcile();
    ASSERT_TRUE(report);
    EXPECT_THAT(report->failures, IsEmpty());
    EXPECT_THAT(service->reconcile()->actions, IsEmpty());  // once is enough
  }

  std::string id, old_id;
};

TEST_P(ChangeFails, AtACommit) {
  for (const auto when : {FailingStore::When::kBefore, FailingStore::When::kAfter})
    for (int nth = 1; nth <= 2; ++nth) {
      SCOPED_TRACE(
          fmt::format("{} {}", when == FailingStore::When::kBefore ? "before" : "after", nth));
      store.fail_commit(nth, when);
      const bool done = call(GetParam(), *service);
      store.heal();
      heal();
      expect_agreement();
      if (done) return;  // it has fewer commits than that
    }
}

TEST_P(ChangeFails, AtACommitAndAtAllAfterIt) {
  store.fail_commit(2, FailingStore::When::kBefore, 100);
  (void)call(GetParam(), *service);
  restart();  // the process gives up
  store.heal();
  heal();
  expect_agreement();
}

class BackendFails : public ChangeFails {};

TEST_P(BackendFails, BeforeTheBackendActs) {
  fake->fail_next(GetParam().step, kBroken);
  EXPECT_FALSE(call(GetParam(), *service));
  heal();
  expect_agreement();
}

TEST_P(BackendFails, AfterTheBackendActed) {
  fake->fail_after(GetParam().step, kBroken);
  EXPECT_FALSE(call(GetParam(), *service));
  heal();
  expect_agreement();
}

TEST_P(BackendFails, BecauseTheBackendRefuses) {
  fake->fail_next(GetParam().step, {Code::kExhausted, ENOSPC, "no space left on device"});
  EXPECT_FALSE(call(GetParam(), *service));
  EXPECT_FALSE(service->inspect("shop")->change);
  expect_agreement();
  EXPECT_TRUE(call(GetParam(), *service));
  expect_agreement();
}

INSTANTIATE_TEST_SUITE_P(Verbs, ChangeFails, ::testing::ValuesIn(verbs()),
                         [](const auto& verb) { return verb.param.name; });

INSTANTIATE_TEST_SUITE_P(Verbs, BackendFails,
                         ::testing::ValuesIn(verbs().begin(), verbs().begin() + 7),
                         [](const auto& verb) { return verb.param.name; });

class OpenChange : public ChangeFails {};

// The process died between the backend's part and the last commit.
void leave_open(FailingStore& store, const Verb& verb, VolumeService& service) {
  store.fail_commit(2, FailingStore::When::kBefore, 100);
  EXPECT_FALSE(call(verb, service));
  store.heal();
}

TEST_P(OpenChange, IsSettledByTheNextVerb) {
  leave_open(store, GetParam(), *service);
  restart();
  EXPECT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_TRUE(service->unmount("shop", "docker", "a"));
  expect_agreement();
}

TEST_P(OpenChange, IsNoHindranceToARemoval) {
  leave_open(store, GetParam(), *service);
  restart();
  EXPECT_TRUE(service->remove("shop"));
  EXPECT_EQ(service->inspect("shop").error().code, Code::kNotFound);
  EXPECT_TRUE(service->reconcile()->failures.empty());
}

INSTANTIATE_TEST_SUITE_P(Verbs, OpenChange,
                         ::testing::Values(verbs()[0], verbs()[1], verbs()[2], verbs()[3]),
                         [](const auto& verb) { return verb.param.name; });

class UnfinishedRollback : public testing::FakeServiceTest {};

TEST_F(UnfinishedRollback, KeepsTheVolumeFromMounts) {
  const auto shop = create("shop");
  ASSERT_TRUE(service->take_snapshot("shop", "monday", {}));
  fake->fail_next("rollback", kBroken, 2);
  EXPECT_FALSE(service->roll_back("shop", "monday", {}));
  const auto mounted = service->mount("shop", "docker", "a");
  EXPECT_EQ(mounted.error().code, Code::kIo);
  EXPECT_THAT(mounted.error().text, HasSubstr("an earlier rollback of it cannot be finished"));
  EXPECT_TRUE(service->mount("shop", "docker", "a"));
  EXPECT_EQ(service->inspect("shop")->snapshots.size(), 2U);
}

}  // namespace
}  // namespace fairlead::volume
