// Sixteen threads and two services (as two processes would have: locks and stores of their own)
// over one database, one backend in memory.
#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "base/state/sqlite_store.h"
#include "tests/support/fake_backend.h"
#include "tests/volume/scratch.h"
#include "tests/volume/spec.h"
#include "volume/backends/registry.h"
#include "volume/service/volume_service.h"

namespace fairlead::volume {
namespace {

constexpr int kThreads = 16, kRounds = 6;

// One process, with the "disk" that all of them share.
struct Process {
  Process(const std::string& folder, Backend& disk)
      : store(state::open_sqlite_store(folder + "/state.db").value()),
        locks(folder + "/locks"),
        registry(disk),
        service(make_volume_service(*store, locks, registry)) {}

  // Both processes see the one backend.
  struct Registry : BackendRegistry {
    explicit Registry(Backend& backend) : shared(backend) {}
    Result<Choice> choose(const VolumeOptions&) override {
      return Choice{.name = "fake", .pool = {}, .backend = &shared, .reason = "the only one"};
    }
    Result<Backend*> find(const std::string&) override { return &shared; }
    Result<Backend*> find(const Volume&) override { return &shared; }
    std::vector<Backend*> all() override { return {&shared}; }
    Backend& shared;
  };

  VolumeService* operator->() { return service.get(); }
  Status create(const std::string& name, const testing::Texts& options = {}) {
    return status_of(testing::create_volume(*service, name, options));
  }

  std::unique_ptr<state::Store> store;
  NamedLocks locks;
  Registry registry;
  std::unique_ptr<VolumeService> service;
};

class DepthConcurrency : public ::testing::Test {
 protected:
  void in_threads(const std::function<void(Process&, int)>& work) {
    std::vector<std::thread> threads;
    for (int k = 0; k < kThreads; ++k)
      threads.emplace_back([&, k] { work(k % 2 == 0 ? first : second, k); });
    for (std::thread& thread : threads) thread.join();
  }
  // Who comes too late finds nothing, or finds it done; nothing else may go wrong.
  static void expect_allowed(const Status& done, const std::set<Code>& allowed) {
    if (!done) {
      EXPECT_TRUE(allowed.contains(done.error().code)) << done.error().text;
    }
  }
  template <class T>
  static Status plain(const Result<T>& result) {
    if (!result) return fail(result.error());
    return {};
  }
  void expect_agreement() {
    const auto report = first->reconcile();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->failures.empty()) << report->failures.front();
    const auto volumes = second->list();
    for (const Volume& volume : *volumes) {
      ASSERT_TRUE(disk.has(volume.id)) << volume.name.str();
      std::set<std::string> ids;
      for (const Snapshot& snapshot : volume.snapshots) ids.insert(snapshot.id);
      EXPECT_EQ(disk.snapshots(volume.id), ids);
      EXPECT_FALSE(volume.change);
    }
    EXPECT_EQ(disk.leftovers(), volumes->size() + second->trash()->size());
    EXPECT_EQ(first.store->list("volume-name/")->size(), volumes->size());
  }

  testing::Scratch scratch{testing::Where::kMemory};
  fairlead::testing::FakeBackend disk;
  Process first{scratch.path(), disk}, second{scratch.path(), disk};
};

TEST_F(DepthConcurrency, EverySnapshotThatWasAcknowledgedIsThere) {
  ASSERT_TRUE(first.create("shop"));
  in_threads([&](Process& process, int k) {
    for (int round = 0; round < kRounds; ++round)
      expect_allowed(plain(process->take_snapshot("shop", fmt::format("at-{}-{}", k, round), {})),
                     {});
  });
  EXPECT_EQ(first->inspect("shop")->snapshots.size(), std::size_t{kThreads} * kRounds);
  expect_agreement();
}

TEST_F(DepthConcurrency, OneCloneIsMadeForManyRequests) {
  ASSERT_TRUE(first.create("shop"));
  disk.copy_slowly(5, std::chrono::milliseconds(10));
  in_threads([&](Process& process, int) {
    expect_allowed(process.create("copy", {{"from", "shop"}}), {});
  });
  EXPECT_EQ(first->list()->size(), 2U);
  expect_agreement();
}

TEST_F(DepthConcurrency, ClonesAcrossDoNotWaitForEachOtherForever) {
  ASSERT_TRUE(first.create("east"));
  ASSERT_TRUE(first.create("west"));
  in_threads([&](Process& process, int k) {
    const std::string from = k % 4 < 2 ? "east" : "west", to = k % 4 < 2 ? "west" : "east";
    for (int round = 0; round < kRounds; ++round) {
      expect_allowed(process.create(to, {{"from", from}}), {Code::kConflict});
      expect_allowed(process.create(fmt::format("copy-{}-{}", k, round), {{"from", from}}), {});
    }
  });
  expect_agreement();
}

TEST_F(DepthConcurrency, ANameThatGoesToAndFroNeverLeadsNowhere) {
  ASSERT_TRUE(first.create("east"));
  in_threads([&](Process& process, int k) {
    for (int round = 0; round < kRounds; ++round)
      expect_allowed(
          plain(k % 4 < 2 ? process->rename("east", "west") : process->rename("west", "east")),
          {Code::kNotFound});
  });
  EXPECT_EQ(first->list()->size(), 1U);
  expect_agreement();
}

TEST_F(DepthConcurrency, AllVerbsOnOneVolumeLeaveItWhole) {
  ASSERT_TRUE(first.create("shop", {{"size", "1g"}}));
  ASSERT_TRUE(first->take_snapshot("shop", "base", {}));
  in_threads([&](Process& process, int k) {
    const std::string own = fmt::format("of-{}", k);
    for (int round = 0; round < kRounds; ++round) switch (k % 5) {
        case 0:
          expect_allowed(plain(process->take_snapshot("shop", own, {})), {Code::kExists});
          break;
        case 1:
          expect_allowed(process->drop_snapshot("shop", fmt::format("of-{}", k - 1)),
                         {Code::kNotFound});
          break;
        case 2:
          expect_allowed(plain(process->roll_back("shop", "base", {})), {});
          break;
        case 3:
          expect_allowed(
              plain(process->resize("shop", (2ULL + static_cast<unsigned>(round)) << 30)), {});
          break;
        default:
          expect_allowed(plain(process->mount("shop", "docker", own)), {});
          expect_allowed(process->unmount("shop", "docker", own), {});
          expect_allowed(plain(process->reconcile()), {});
      }
  });
  expect_agreement();
}

TEST_F(DepthConcurrency, WhatIsRestoredWhileTheTrashIsEmptiedIsWholeOrGone) {
  for (int k = 0; k < kThreads; ++k) {
    ASSERT_TRUE(first.create(fmt::format("shop-{}", k), {{"retain", "1d"}}));
    ASSERT_TRUE(first->remove(fmt::format("shop-{}", k)));
  }
  in_threads([&](Process& process, int k) {
    for (int other = 0; other < kThreads; ++other) {
      const std::string name = fmt::format("shop-{}", other);
      if (k % 4 < 2)
        expect_allowed(plain(process->restore_from_trash(name, "")),
                       {Code::kNotFound, Code::kExists});
      else
        expect_allowed(plain(process->empty_trash(name)), {Code::kNotFound});
    }
  });
  EXPECT_TRUE(first->trash()->empty());
  expect_agreement();
}

}  // namespace
}  // namespace fairlead::volume
