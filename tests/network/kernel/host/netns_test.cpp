#include "network/kernel/host/netns.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace fairlead::kernel {
namespace {

class Netns : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = new_netns();
    if (!made) GTEST_SKIP() << made.error().text;
    netns_ = std::move(*made);
  }
  UniqueFd netns_;
};

NetnsId here() { return *netns_id(current_netns()->get()); }

TEST_F(Netns, ANewOneIsAnother) { EXPECT_NE(*netns_id(netns_.get()), here()); }

TEST_F(Netns, WorkRunsInsideAndTheThreadComesBack) {
  const NetnsId before = here();
  NetnsId inside;
  ASSERT_TRUE(in_netns(netns_.get(), [&]() -> Status {
    inside = here();
    return {};
  }));
  EXPECT_EQ(inside, *netns_id(netns_.get()));
  EXPECT_EQ(here(), before);
}

TEST_F(Netns, AFailureOfTheWorkIsPassedOnAndTheThreadComesBack) {
  const NetnsId before = here();
  const Status outcome =
      in_netns(netns_.get(), [] { return Status(fail(Code::kExhausted, "no more")); });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kExhausted);
  EXPECT_EQ(here(), before);
}

TEST_F(Netns, OpensByPath) {
  auto opened = open_netns(fmt::format("/proc/self/fd/{}", netns_.get()));
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ(*netns_id(opened->get()), *netns_id(netns_.get()));
}

TEST(NetnsPath, AMissingPathIsNotFound) {
  const auto opened = open_netns("/run/netns/fairlead-has-no-such-namespace");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kNotFound);
}

TEST(NetnsPath, AStaleFileIsNotFound) {
  const std::string path = ::testing::TempDir() + "fairlead-stale-netns";
  std::ofstream(path) << "";
  const auto opened = open_netns(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kNotFound);
  ::unlink(path.c_str());
}

// Opening one waits for a writer, for good.
TEST(NetnsPath, AFifoAndADeviceAreNotFoundAtOnce) {
  const std::string path = ::testing::TempDir() + "fairlead-fifo-netns";
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const std::string behind_link = path + "-link";
  ::unlink(behind_link.c_str());
  ASSERT_EQ(::symlink(path.c_str(), behind_link.c_str()), 0);
  for (const std::string& each : {path, behind_link, std::string("/dev/null"), std::string("/")}) {
    const auto opened = open_netns(each);
    ASSERT_FALSE(opened) << each;
    EXPECT_EQ(opened.error().code, Code::kNotFound) << each;
  }
  ::unlink(behind_link.c_str());
  ::unlink(path.c_str());
}

TEST(NetnsPath, AnotherKindOfNamespaceIsNotFound) {
  const auto opened = open_netns("/proc/self/ns/mnt");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kNotFound);
}

TEST(NetnsPath, EnteringWhatIsNoNamespaceFails) {
  EXPECT_FALSE(in_netns(-1, [] { return Status(); }));
}

}  // namespace
}  // namespace fairlead::kernel
