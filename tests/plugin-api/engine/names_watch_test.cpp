// Names are kept when dockerd comes and when its events tell of them, whatever dockerd does.
#include "plugin-api/engine/names_watch.h"

#include <gmock/gmock.h>

#include "tests/plugin-api/engine/fake_names_client.h"

namespace fairlead::engine {
namespace {

using namespace std::chrono_literals;
using network::NamedEndpoint;
using network::RuntimeNetwork;

class KeptNames : public network::NameService {
 public:
  Status keep(std::span<const RuntimeNetwork> networks) override {
    const std::scoped_lock hold(guard_);
    for (const RuntimeNetwork& network : networks) names_[network.id] = network.name;
    changed_.notify_all();
    return {};
  }
  Status keep(std::span<const NamedEndpoint> endpoints) override {
    const std::scoped_lock hold(guard_);
    for (const NamedEndpoint& endpoint : endpoints) names_[endpoint.endpoint] = endpoint.names.name;
    changed_.notify_all();
    return {};
  }
  Status serve(const network::NameServers&) override { return {}; }
  void expect(bool coming) override {
    const std::scoped_lock hold(guard_);
    coming_ = coming;
    changed_.notify_all();
  }
  bool becomes(const std::string& id, const std::string& name) {
    return eventually([&] { return names_[id] == name; });
  }
  bool comes(bool coming) {
    return eventually([&] { return coming_ == coming; });
  }

 private:
  template <class Condition>
  bool eventually(const Condition& condition) {
    std::unique_lock hold(guard_);
    return changed_.wait_for(hold, 20s, condition);
  }
  std::mutex guard_;
  std::condition_variable changed_;
  std::map<std::string, std::string> names_;
  bool coming_ = false;
};

constexpr WatchTimes kSoon{
    .first_pause = 1ms, .longest_pause = 5ms, .second_look = 1ms, .awake = std::chrono::hours(1)};

class NamesWatchTest : public ::testing::Test {
 protected:
  std::unique_ptr<NamesWatch> watch(bool docker_runs = true, WatchTimes times = kSoon) {
    return std::make_unique<NamesWatch>(
        std::make_unique<FakeNamesClient>(docker_), kept_, [docker_runs] { return docker_runs; },
        times);
  }
  FakeDocker docker_;
  KeptNames kept_;
};

TEST_F(NamesWatchTest, AllNamesAreKeptWhenItConnects) {
  docker_.add(RuntimeNetwork{"n1", "shop", ""});
  docker_.add(NamedEndpoint{"n1", "e1", "c1", {.name = "web"}});
  const auto watching = watch();
  EXPECT_TRUE(kept_.becomes("n1", "shop"));
  EXPECT_TRUE(kept_.becomes("e1", "web"));
  EXPECT_TRUE(kept_.comes(true));
}

TEST_F(NamesWatchTest, EventsTellOfNewNames) {
  const auto watching = watch();
  ASSERT_TRUE(kept_.comes(true));
  docker_.add(RuntimeNetwork{"n1", "shop", ""});
  docker_.tell({.network = "n1", .container = {}});
  EXPECT_TRUE(kept_.becomes("n1", "shop"));
  docker_.add(NamedEndpoint{"n1", "e1", "c1", {.name = "web"}});
  docker_.tell({.network = {}, .container = "c1"});
  EXPECT_TRUE(kept_.becomes("e1", "web"));
  docker_.rename("c1", "front");
  docker_.tell({.network = {}, .container = "c1"});
  EXPECT_TRUE(kept_.becomes("e1", "front"));
}

// dockerd tells of a connection before it shows it.
TEST_F(NamesWatchTest, AContainerIsLookedAtAgainUntilItHasItsEndpoint) {
  const auto watching = watch();
  ASSERT_TRUE(kept_.comes(true));
  docker_.tell({.network = "n1", .container = "c1"});
  while (docker_.questions() < 4) std::this_thread::yield();  // all, and one look at least
  docker_.add(NamedEndpoint{"n1", "e1", "c1", {.name = "web"}});
  EXPECT_TRUE(kept_.becomes("e1", "web"));
}

TEST_F(NamesWatchTest, ItConnectsAgainWhenDockerComesBack) {
  const auto watching = watch();
  ASSERT_TRUE(kept_.comes(true));
  docker_.go_away();
  ASSERT_TRUE(kept_.comes(false));
  docker_.add(RuntimeNetwork{"n1", "shop", ""});  // while nobody listened
  docker_.come_back();
  EXPECT_TRUE(kept_.becomes("n1", "shop"));
  EXPECT_TRUE(kept_.comes(true));
}

TEST_F(NamesWatchTest, WhatItDoesNotGetIsAskedForAgain) {
  docker_.set_broken(true);
  docker_.add(RuntimeNetwork{"n1", "shop", ""});
  const auto watching = watch();
  while (docker_.questions() < 3) std::this_thread::yield();
  docker_.set_broken(false);
  EXPECT_TRUE(kept_.becomes("n1", "shop"));
}

// systemd starts a dockerd that was stopped on purpose as soon as somebody connects to its socket.
TEST_F(NamesWatchTest, ADockerdThatDoesNotRunIsNotConnectedTo) {
  docker_.add(RuntimeNetwork{"n1", "shop", ""});
  const auto watching = watch(/*docker_runs=*/false);
  std::this_thread::yield();
  EXPECT_EQ(docker_.connections(), 0U);
  watching->wake();  // Docker has called
  EXPECT_TRUE(kept_.becomes("n1", "shop"));
}

TEST_F(NamesWatchTest, ItEndsAtOnceWhateverItWaitsFor) {
  const auto start = std::chrono::steady_clock::now();
  const WatchTimes never{.first_pause = 1h, .longest_pause = 1h, .second_look = 1h, .awake = 1h};
  docker_.go_away();
  { const auto pausing = watch(true, never); }
  docker_.come_back();
  { const auto listening = watch(true, never); }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST(NamesDue, IsBoundedAndThenMeansAll) {
  NamesDue due;
  const auto now = NamesDue::Clock::now();
  for (std::size_t i = 0; i < 2 * NamesDue::kMost; ++i)
    due.add({.network = {}, .container = std::to_string(i)}, now);
  const auto work = due.take(now);
  EXPECT_TRUE(work.all);
  EXPECT_LE(work.containers.size(), NamesDue::kMost);
}

TEST(NamesDue, IsGivenOutWhenItsTimeHasCome) {
  NamesDue due;
  const auto now = NamesDue::Clock::now();
  EXPECT_FALSE(due.due());
  due.again("c1", {}, now + 1h);
  EXPECT_EQ(due.due(), now + 1h);
  EXPECT_TRUE(due.take(now).empty());
  EXPECT_EQ(due.take(now + 1h).containers.size(), 1U);
  EXPECT_FALSE(due.due());
  due.again("c1", {.network = "n1", .looks = NamesDue::kMostLooks - 1}, now);
  EXPECT_FALSE(due.due()) << "it is looked at for ever";
}

}  // namespace
}  // namespace fairlead::engine
