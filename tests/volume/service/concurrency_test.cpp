// Sixteen threads and two services (as two processes would have) over one store and one folder.
#include <atomic>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "tests/volume/service/disk_world.h"

namespace fairlead::volume {
namespace {

using testing::DiskService;
using testing::expect_agreement;

constexpr int kThreads = 16;

struct ConcurrencyTest : ::testing::Test {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
  }
  // Every second thread works through the second service.
  void in_threads(const std::function<void(DiskService&, int)>& work) {
    std::vector<std::thread> threads;
    for (int k = 0; k < kThreads; ++k)
      threads.emplace_back([&, k] { work(k % 2 == 0 ? first : second, k); });
    for (std::thread& thread : threads) thread.join();
  }
  void unexpected(const Error& error) {
    ++surprises;
    ADD_FAILURE() << error.text;
  }

  testing::Scratch scratch{testing::Where::kMemory};
  DiskService first{scratch.path()}, second{scratch.path()};
  std::atomic<int> surprises = 0;
};

TEST_F(ConcurrencyTest, OneNameCreatedByAllIsOneVolume) {
  std::mutex guard;
  std::set<std::string> ids;
  in_threads([&](DiskService& world, int) {
    const auto made = world.create("shop");
    if (!made) return unexpected(made.error());
    const std::scoped_lock hold(guard);
    ids.insert(made->id);
  });
  EXPECT_EQ(ids.size(), 1U);
  expect_agreement(first, scratch.path());
}

TEST_F(ConcurrencyTest, DifferentNamesDoNotDisturbEachOther) {
  in_threads([&](DiskService& world, int k) {
    const std::string name = fmt::format("shop-{}", k);
    for (int round = 0; round < 5; ++round) {
      if (auto made = world.create(name); !made) return unexpected(made.error());
      if (auto mounted = world->mount(name, "docker", "a"); !mounted)
        return unexpected(mounted.error());
      if (auto unmounted = world->unmount(name, "docker", "a"); !unmounted)
        return unexpected(unmounted.error());
      if (auto removed = world->remove(name); !removed) return unexpected(removed.error());
    }
  });
  EXPECT_EQ(surprises, 0);
  EXPECT_TRUE(first->list()->empty());
  expect_agreement(first, scratch.path());
}

// Who comes too late finds no volume; nothing else may go wrong.
TEST_F(ConcurrencyTest, OneNameUnderAllVerbsStaysWhole) {
  in_threads([&](DiskService& world, int k) {
    const auto allowed = [&](const Error& error) {
      if (error.code != Code::kNotFound) unexpected(error);
    };
    for (int round = 0; round < 8; ++round) {
      if (k % 4 == 0) {
        if (auto made = world.create("shop"); !made) allowed(made.error());
      } else if (k % 4 == 1) {
        if (auto removed = world->remove("shop"); !removed) allowed(removed.error());
      } else if (auto mounted = world->mount("shop", "docker", std::to_string(k)); !mounted) {
        allowed(mounted.error());
      } else if (auto unmounted = world->unmount("shop", "docker", std::to_string(k)); !unmounted) {
        allowed(unmounted.error());
      }
    }
  });
  ASSERT_TRUE(first->reconcile());
  expect_agreement(first, scratch.path());
}

TEST_F(ConcurrencyTest, ReconcileDoesNotDisturbWhatIsGoingOn) {
  std::atomic<bool> end = false;
  std::thread healer([&] {
    while (!end)
      if (auto report = second->reconcile(); !report) unexpected(report.error());
  });
  in_threads([&](DiskService& world, int k) {
    const std::string name = fmt::format("shop-{}", k);
    for (int round = 0; round < 4; ++round) {
      if (auto made = world.create(name); !made) return unexpected(made.error());
      if (auto mounted = world->mount(name, "docker", "a"); !mounted)
        return unexpected(mounted.error());
      if (round < 3)
        if (auto removed = world->remove(name); !removed) return unexpected(removed.error());
    }
  });
  end = true;
  healer.join();
  EXPECT_EQ(first->list()->size(), static_cast<std::size_t>(kThreads));
  ASSERT_TRUE(first->reconcile());
  expect_agreement(first, scratch.path());
}

TEST_F(ConcurrencyTest, CountsAreExact) {
  ASSERT_TRUE(first.create("shop"));
  in_threads([&](DiskService& world, int) {
    for (int round = 0; round < 4; ++round)
      if (auto mounted = world->mount("shop", "podman", "constant"); !mounted)
        unexpected(mounted.error());
  });
  EXPECT_EQ(first->inspect("shop")->mounts,
            (std::vector<MountHint>{{"podman", "constant", kThreads * 4}}));
}

}  // namespace
}  // namespace fairlead::volume
