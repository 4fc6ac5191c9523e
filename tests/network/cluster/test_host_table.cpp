// Who lives, who is suspect, and the brake. And the host's id.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "network/cluster/host_id.h"
#include "network/cluster/host_table.h"

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
    return {.facts = {.id = id(number), .name = fmt::format("node-{:03}", number)}, .phase = phase};
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

TEST_F(HostTableTest, a_host_without_its_live_key_is_suspect_since_then_and_alive_again_at_once) {
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

TEST_F(HostTableTest, a_host_that_left_or_was_removed_is_gone_and_no_problem) {
  add(3);
  table_.set_host(record(1, HostPhase::kLeft));
  table_.set_host(record(2, HostPhase::kRemoved));
  vanish(1, 2);
  EXPECT_THAT(states(), ElementsAre(HostState::kGone, HostState::kGone, HostState::kAlive));
  EXPECT_THAT(table_.problems(now()), IsEmpty());
}

TEST_F(HostTableTest, many_at_once_are_the_stores_fault_and_nobody_becomes_suspect) {
  add(10);
  vanish(1, 3);
  EXPECT_FALSE(table_.is_frozen(now())) << "30 % are not more than 30 %";
  vanish(4, 4);
  EXPECT_TRUE(table_.is_frozen(now()));
  EXPECT_THAT(states(), Each(HostState::kAlive)) << "also the first three";
  EXPECT_THAT(table_.problems(now()), ElementsAre(HasSubstr("4 of 10 hosts vanished")));
  seconds_ += 3600;
  EXPECT_TRUE(table_.is_frozen(now())) << "time alone does not bring them back";
  table_.set_live(id(1), {});
  EXPECT_FALSE(table_.is_frozen(now()));
  EXPECT_EQ(std::ranges::count(states(), HostState::kSuspect), 3);
}

TEST_F(HostTableTest, two_of_three_do_not_pull_the_brake) {
  add(3);
  vanish(1, 2);
  EXPECT_FALSE(table_.is_frozen(now()));
  EXPECT_EQ(std::ranges::count(states(), HostState::kSuspect), 2);
}

TEST_F(HostTableTest, as_many_one_by_one_do_not_pull_the_brake) {
  add(10);
  for (int i = 1; i <= 9; ++i) {
    seconds_ += 31;
    vanish(i, i);
    EXPECT_FALSE(table_.is_frozen(now())) << i;
  }
}

TEST_F(HostTableTest, an_operator_lets_the_brake_go) {
  add(4);
  vanish(1, 4);
  ASSERT_TRUE(table_.is_frozen(now()));
  table_.release_brake(now());
  EXPECT_FALSE(table_.is_frozen(now()));
  EXPECT_THAT(states(), Each(HostState::kSuspect));
}

TEST_F(HostTableTest, a_complete_list_is_what_counts) {
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

TEST_F(HostIdTest, is_made_once_and_for_the_owner_only) {
  const auto made = load_or_make_host_id(folder_);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_THAT(*made, SizeIs(32));
  EXPECT_EQ(load_or_make_host_id(folder_).value(), *made);
  struct stat info {};
  ASSERT_EQ(::stat((folder_ + "/host-id").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing beside";
}

TEST_F(HostIdTest, is_one_for_all_who_make_it_at_once) {
  std::vector<std::string> ids(8);
  {
    std::vector<std::jthread> threads;
    for (std::string& id : ids)
      threads.emplace_back([&] { id = load_or_make_host_id(folder_).value_or("failed"); });
  }
  EXPECT_THAT(ids, Each(ids[0]));
  EXPECT_THAT(ids[0], SizeIs(32));
}

TEST_F(HostIdTest, that_is_damaged_is_not_made_anew) {
  std::ofstream(folder_ + "/host-id") << "node-1\n";
  const auto read = load_or_make_host_id(folder_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::kInvalid);
  EXPECT_THAT(read.error().text, HasSubstr("host-id"));
}

}  // namespace
}  // namespace fairlead::network::cluster
