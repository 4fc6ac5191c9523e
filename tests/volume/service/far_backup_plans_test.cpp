// The option `backup` with targets on other hosts, over a script in the place of ssh.
#include <sys/stat.h>

#include <cstdlib>

#include "tests/volume/service/backup_plans_world.h"
#include "tests/volume/sftp_server.h"
#include "volume/service/backup_plans.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

// "nas" is a server, "hung" one that takes the connection and says nothing, "gone" refuses.
constexpr const char* kSsh = R"(#!/bin/sh
case "$*" in
  *" hung "*) exec sleep 1000 ;;
  *" gone "*) echo "no route to host" >&2; exit 255 ;;
  *) exec {} ;;
esac
)";

struct FarPlansTest : testing::BackupPlansWorld {
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    if (!testing::has_sftp_server()) GTEST_SKIP() << "openssh-sftp-server is not installed";
    testing::write_text(scratch / "ssh", fmt::format(kSsh, testing::kSftpServer));
    std::filesystem::permissions(scratch / "ssh", std::filesystem::perms::owner_all);
    ::setenv("FAIRLEAD_SSH", (scratch / "ssh").c_str(), 1);
    roots = {scratch / "srv", "sftp:nas:" + far, "sftp:hung:/b", "sftp:gone:/b"};
    open();
  }
  ~FarPlansTest() override { ::unsetenv("FAIRLEAD_SSH"); }

  const std::string far = scratch / "far";
};

TEST_F(FarPlansTest, OneIsMadeAndOldOnesGo) {
  const std::string key = scratch / "key";
  testing::write_text(key, std::string(64, 'k'));
  ::chmod(key.c_str(), 0600);
  make("data", {{"backup", "daily:2@sftp:nas:" + far + "/data"}, {"backup_keyfile", key}});
  for (int day = 0; day < 4; ++day) {
    now = kNoon + day * kDay;
    EXPECT_THAT(keep().failures, IsEmpty());
  }
  BackupPlace place("sftp:nas:" + far + "/data");
  place.key_file = key;
  EXPECT_THAT(made_in(place), ElementsAre(kNoon + 2 * kDay, kNoon + 3 * kDay));
  place.folder = far + "/data";  // the same folder on that host
  EXPECT_THAT(made_in(place), SizeIs(2));
}

TEST_F(FarPlansTest, OnlyTargetsThatWereListedAreUsed) {
  for (const std::string& target :
       {std::string("sftp:nas:/etc"), "sftp:root@nas:" + far, "sftp:nas:22:" + far,
        "sftp:other:" + far, "sftp:nas:" + far + "-not", std::string("rclone:cloud:b"),
        std::string("s3:bucket/b")})
    EXPECT_THAT(refusal({{"backup", "daily:1@" + target}}), HasSubstr("backup_roots")) << target;
  roots = {"/"};  // is this host's
  open();
  EXPECT_THAT(refusal({{"backup", "daily:1@sftp:nas:" + far}}), HasSubstr("backup_roots"));
}

TEST_F(FarPlansTest, WhatTheServerSaysIsNotedAndTheOthersGoOn) {
  make("lost", {{"backup", "daily:1@sftp:gone:/b"}});
  make("data", {{"backup", "daily:1@sftp:nas:" + far}});
  const auto report = keep();
  EXPECT_THAT(report.actions, ElementsAre(HasSubstr("backed up volume \"data\" to sftp:nas:")));
  EXPECT_THAT(report.failures, ElementsAre(HasSubstr("no route to host")));
  EXPECT_EQ(volume("lost").backup.failures, 1U);
  EXPECT_THAT(world->service->status(volume("lost"))->health,
              HasSubstr("the backup to sftp:gone:/b has failed since"));
}

// While it hangs, all others are made, also those that become due meanwhile, and a stop ends it.
TEST_F(FarPlansTest, AServerThatHangsHoldsUpNobodyElse) {
  make("a-hung", {{"backup", "daily:1@sftp:hung:/b"}});
  make("b-far", {{"backup", "daily:1@sftp:nas:" + far}});
  make("c-local", {{"backup", "daily:1@" + folder}});
  Records records(*world->store, "b");
  BackupPlans plans(
      *world->archives, records, world->locks, [this] { return now.load(); },
      std::chrono::milliseconds(20));
  const auto is_made = [this](const char* name, long long day) {
    return volume(name).backup.done == day;
  };
  const auto report = plans.keep([&](auto, auto) {
    if (is_made("b-far", kNoon) && is_made("c-local", kNoon)) now = kNoon + kDay;
    return !is_made("b-far", kNoon + kDay) || !is_made("c-local", kNoon + kDay);
  });
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->failures, IsEmpty());
  EXPECT_THAT(report->actions,
              UnorderedElementsAre(HasSubstr("\"b-far\""), HasSubstr("\"c-local\""),
                                   HasSubstr("\"b-far\""), HasSubstr("\"c-local\"")));
  EXPECT_EQ(volume("a-hung").backup, BackupState{});  // a stop is no failure
}

}  // namespace
}  // namespace fairlead::volume
