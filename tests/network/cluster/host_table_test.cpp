// Who lives, who is suspect, and the mass-failure guard. And the host's id.
#include "network/cluster/host_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "network/cluster/host_id.h"

namespace fairlead::network::cluster {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class HostTableTest : public ::testing::Test {
 protected:
  HostTable::Now now() const {
    return {std::chrono::milliseconds(seconds_ * 1000), 1'800'000'000 + seconds_};
  }
  static std::string id(int number) { return fmt::format("{:032x}", number); }
  static HostRecord record(int number, HostPhase phase = HostPhase::kMember) {
    return {.info = {.id = id(number), .name = fmt::format("node-{:03}", number)}, .phase = phase};
  }
  void add(int count) {
    for (int i = 1; i <= count; ++i) {
      table_.set_host(record(i));
      table_.set_live(id(i), {});
    }
  }
  void vanish(int from, int to) {
    for (int i = from; i <= to; ++i) table_.remove_live(id(i), now());
  }
  std::vector<HostState> states() {
    std::vector<HostState> found;
    for (const Host& host : table_.hosts(now())) found.push_back(host.state);
    return found;
  }

  HostTable table_;
  long long seconds_ = 100;
};

TEST_F(HostTableTest, AHostWithoutItsLiveKeyIsSuspectSinceThenAndAliveAgainAtOnce) {
  add(2);
  EXPECT_THAT(states(), Each(HostState::kAlive));
  seconds_ = 200;
  vanish(1, 1);
  EXPECT_THAT(states(), ElementsAre(HostState::kSuspect, HostState::kAlive));
  seconds_ = 300;
  EXPECT_EQ(table_.hosts(now())[0].since, 1'800'000'200);
  EXPECT_THAT(table_.problems(now()),
              ElementsAre(HasSubstr("node-001 has not been heard of for 100 s")));
  table_.set_live(id(1), {});
  EXPECT_THAT(states(), Each(HostState::kAlive));
  EXPECT_THAT(table_.problems(now()), IsEmpty());
}

TEST_F(HostTableTest, AHostThatLeftOrWasRemovedIsGoneAndNoProblem) {
  add(3);
  table_.set_host(record(1, HostPhase::kLeft));
  table_.set_host(record(2, HostPhase::kRemoved));
  vanish(1, 2);
  EXPECT_THAT(states(), ElementsAre(HostState::kGone, HostState::kGone, HostState::kAlive));
  EXPECT_THAT(table_.problems(now()), IsEmpty());
}

TEST_F(HostTableTest, ManyAtOnceAreTheStoresFaultAndNobodyBecomesSuspect) {
  add(10);
  vanish(1, 3);
  EXPECT_FALSE(table_.is_holding(now())) << "30 % are not more than 30 %";
  vanish(4, 4);
  EXPECT_TRUE(table_.is_holding(now()));
  EXPECT_THAT(states(), Each(HostState::kAlive)) << "also the first three";
  EXPECT_THAT(table_.problems(now()), ElementsAre(HasSubstr("4 of 10 hosts vanished")));
  seconds_ += 3600;
  EXPECT_TRUE(table_.is_holding(now())) << "time alone does not bring them back";
  table_.set_live(id(1), {});
  EXPECT_FALSE(table_.is_holding(now()));
  EXPECT_EQ(std::ranges::count(states(), HostState::kSuspect), 3);
}

TEST_F(HostTableTest, TwoOfThreeAreNoMassFailure) {
  add(3);
  vanish(1, 2);
  EXPECT_FALSE(table_.is_holding(now()));
  EXPECT_EQ(std::ranges::count(states(), HostState::kSuspect), 2);
}

TEST_F(HostTableTest, AsManyOneByOneAreNoMassFailure) {
  add(10);
  for (int i = 1; i <= 9; ++i) {
    seconds_ += 31;
    vanish(i, i);
    EXPECT_FALSE(table_.is_holding(now())) << i;
  }
}

TEST_F(HostTableTest, AnOperatorReleasesTheHold) {
  add(4);
  vanish(1, 4);
  ASSERT_TRUE(table_.is_holding(now()));
  table_.release_hold(now());
  EXPECT_FALSE(table_.is_holding(now()));
  EXPECT_THAT(states(), Each(HostState::kSuspect));
}

TEST_F(HostTableTest, ACompleteListIsWhatCounts) {
  add(2);
  table_.replace({record(2), record(3)}, {{id(3), {}}}, now());
  EXPECT_THAT(states(), ElementsAre(HostState::kSuspect, HostState::kAlive));
}

class HostIdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "fairlead-host-id-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(HostIdTest, IsMadeOnceAndForTheOwnerOnly) {
  const auto made = load_or_make_host_id(folder_);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(*made, SizeIs(32));
  EXPECT_EQ(load_or_make_host_id(folder_).value(), *made);
  struct stat info {};
  ASSERT_EQ(::stat((folder_ + "/host-id").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing beside";
}

TEST_F(HostIdTest, IsOneForAllWhoMakeItAtOnce) {
  std::vector<std::string> ids(8);
  {
    std::vector<std::jthread> threads;
    for (std::string& id : ids)
      threads.emplace_back([&] { id = load_or_make_host_id(folder_).value_or("failed"); });
  }
  EXPECT_THAT(ids, Each(ids[0]));
  EXPECT_THAT(ids[0], SizeIs(32));
}

TEST_F(HostIdTest, ThatIsDamagedIsNotMadeAnew) {
  std::ofstream(folder_ + "/host-id") << "node-1\n";
  const auto read = load_or_make_host_id(folder_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInvalid);
  EXPECT_THAT(read.error().text, HasSubstr("host-id"));
}

}  // namespace
}  // namespace fairlead::network::cluster
