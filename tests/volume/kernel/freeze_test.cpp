#include "volume/kernel/freeze.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <atomic>
#include <thread>

#include "tests/volume/loop_disk.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LoopDisk;
using namespace std::chrono_literals;

struct FreezeTest : ::testing::Test {
  void SetUp() override {
    if (!disk.ok()) GTEST_SKIP() << disk.why();
    fs = UniqueFd(::open(disk.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  void TearDown() override {
    if (fs) ::ioctl(fs.get(), FITHAW, 0);
  }
  bool is_holding() const {  // and thaws it
    return ::ioctl(fs.get(), FITHAW, 0) == 0;
  }
  LoopDisk disk{"ext4", "64M"};
  UniqueFd fs;
};

TEST_F(FreezeTest, WritersWaitUntilTheThaw) {
  auto frozen = Frozen::freeze(fs.get());
  ASSERT_TRUE(frozen) << frozen.error().text;
  std::atomic<bool> written = false;
  std::thread writer([&] {
    testing::write_text(disk / "file", "text");
    written = true;
  });
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(written);
  const auto thawed = frozen->thaw();
  EXPECT_TRUE(thawed) << thawed.error().text;
  writer.join();
  EXPECT_TRUE(written);
  EXPECT_FALSE(is_holding());
}

TEST_F(FreezeTest, ItIsLetGoWhenItTakesTooLongAndThatIsTold) {
  auto frozen = Frozen::freeze(fs.get(), 50ms);
  ASSERT_TRUE(frozen);
  testing::write_text(disk / "file", "text");  // waits
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(frozen->thaw().error().code, Code::kUnavailable);
  EXPECT_FALSE(is_holding());
}

TEST_F(FreezeTest, ItIsThawedWhenWeForget) {
  { ASSERT_TRUE(Frozen::freeze(fs.get())); }
  EXPECT_FALSE(is_holding());
}

TEST_F(FreezeTest, ItIsThawedWhenTheFreezerIsKilled) {
  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto frozen = Frozen::freeze(fs.get(), 60s);
    if (frozen && ::write(ready[1], "y", 1) == 1) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  ::close(ready[1]);
  char answer = 0;
  EXPECT_EQ(::read(ready[0], &answer, 1), 1);
  ::close(ready[0]);
  ::waitpid(pid, nullptr, 0);
  testing::write_text(disk / "file", "text");  // would hang for ever
  EXPECT_FALSE(is_holding());
}

TEST_F(FreezeTest, SomebodyElsesThawIsNoticed) {
  auto frozen = Frozen::freeze(fs.get());
  ASSERT_TRUE(frozen);
  EXPECT_TRUE(is_holding());
  EXPECT_EQ(frozen->thaw().error().code, Code::kUnavailable);
}

TEST_F(FreezeTest, AFrozenOneIsNotFrozenTwice) {
  const auto frozen = Frozen::freeze(fs.get());
  EXPECT_EQ(Frozen::freeze(fs.get()).error().code, Code::kInUse);
}

TEST_F(FreezeTest, WhatCannotBeFrozenIsUnsupported) {
  const UniqueFd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(Frozen::freeze(proc.get()).error().code, Code::kUnsupported);
}

TEST_F(FreezeTest, WhatAKilledFreezerLeftIsThawedAtTheStart) {
  const std::string above = disk.path().substr(0, disk.path().rfind('/'));
  EXPECT_THAT(thaw_all_beneath(above).value(), IsEmpty());
  ASSERT_EQ(::ioctl(fs.get(), FIFREEZE, 0), 0);
  EXPECT_THAT(thaw_all_beneath(above).value(), ElementsAre(disk.path()));
  EXPECT_FALSE(is_holding());
}

}  // namespace
}  // namespace fairlead::volume
