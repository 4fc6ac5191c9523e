// The volume commands with --group.
#include <gmock/gmock.h>

#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::cli {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Return;
using volume::Snapshot;
using volume::VolumeSnapshot;

class CliGroupTest : public fairlead::testing::CliTest {
 protected:
  static Snapshot snapshot(const std::string& group = "5b") {
    return {
        .id = "77", .name = SnapshotName::parse("monday").value(), .created = 1000, .group = group};
  }
  static VolumeName name(const std::string& text) { return VolumeName::parse(text).value(); }
  static std::vector<VolumeSnapshot> both() {
    return {{name("db"), snapshot()}, {name("files"), snapshot()}};
  }
  static Result<volume::Volume> volume_of(const std::string& text, const Snapshot& one) {
    volume::Volume volume;
    volume.name = name(text);
    volume.snapshots = {one};
    return volume;
  }
};

TEST_F(CliGroupTest, ASnapshotOfAllIsTakenAndShown) {
  EXPECT_CALL(*groups_, take("db,files", "monday", _)).WillRepeatedly(Return(both()));
  EXPECT_EQ(run("snapshot create --group db,files monday").out, "db@monday\nfiles@monday\n");
  EXPECT_EQ(run("snapshot create -q --group db,files monday").out, "");
  EXPECT_THAT(run("snapshot create --json --group db,files monday").out,
              AllOf(HasSubstr("\"group\": \"5b\""), HasSubstr("\"files\"")));
}

TEST_F(CliGroupTest, OneThatFailsSaysWhichGroup) {
  EXPECT_CALL(*groups_, take("shop", "", _)).WillOnce(Return(fail(Code::kInUse, "volume x")));
  const auto failed = run("snapshot create --group shop");
  EXPECT_EQ(failed.exit_code, kFailed);
  EXPECT_EQ(failed.err, "fairlead: snapshot group shop: volume x\n");
}

TEST_F(CliGroupTest, AllAreRemoved) {
  EXPECT_CALL(*groups_, drop("shop", "monday"))
      .WillOnce(Return(both()))
      .WillRepeatedly(Return(fail(Code::kNotFound, "none")));
  EXPECT_EQ(run("snapshot rm --group shop monday").out, "db@monday\nfiles@monday\n");
  EXPECT_EQ(run("snapshot rm --group shop monday").exit_code, kFailed);
  EXPECT_EQ(run("snapshot rm -f --group shop monday").exit_code, kDone);
}

TEST_F(CliGroupTest, AllGoBack) {
  auto kept = both();
  kept[0].snapshot.name = SnapshotName::parse("before-monday").value();
  EXPECT_CALL(*groups_, roll_back("shop", "monday", _)).WillOnce(Return(kept));
  EXPECT_THAT(run("volume rollback --group shop monday").out,
              HasSubstr("db is as in db@monday; what it held is kept as db@before-monday\n"));
}

TEST_F(CliGroupTest, ClonesOfAllHaveASuffixOrAPrefix) {
  EXPECT_CALL(*groups_, members("shop"))
      .WillRepeatedly(Return(std::vector{name("db"), name("files")}));
  ON_CALL(*volumes_, inspect).WillByDefault([](const std::string& text) {
    if (text == "db" || text == "files") return volume_of(text, snapshot());
    return Result<volume::Volume>(fail(Code::kNotFound, "none"));
  });
  std::vector<std::string> made;
  ON_CALL(*volumes_, create(_, _))
      .WillByDefault([&](const volume::VolumeSpec& spec, const volume::Progress&) {
        made.push_back(fmt::format("{}={}@{}", spec.name.str(), spec.options.from_volume,
                                   spec.options.from_snapshot));
        volume::Volume volume;
        volume.name = spec.name;
        return Result<volume::Volume>(volume);
      });
  EXPECT_EQ(run("volume clone --group shop monday --suffix test").out, "db-test\nfiles-test\n");
  EXPECT_EQ(run("volume clone --group shop monday --prefix my_").out, "my_db\nmy_files\n");
  EXPECT_THAT(made, ::testing::ElementsAre("db-test=db@monday", "files-test=files@monday",
                                           "my_db=db@monday", "my_files=files@monday"));
}

TEST_F(CliGroupTest, ACloneThatFailsTakesTheOthersAway) {
  EXPECT_CALL(*groups_, members("shop"))
      .WillRepeatedly(Return(std::vector{name("db"), name("files")}));
  ON_CALL(*volumes_, inspect).WillByDefault([](const std::string& text) {
    if (text == "db" || text == "files") return volume_of(text, snapshot());
    return Result<volume::Volume>(fail(Code::kNotFound, "none"));
  });
  ON_CALL(*volumes_, create(_, _))
      .WillByDefault([](const volume::VolumeSpec& spec, const volume::Progress&) {
        if (spec.name.str() == "files-x") return Result<volume::Volume>(fail(Code::kIo, "full"));
        volume::Volume volume;
        volume.name = spec.name;
        return Result<volume::Volume>(volume);
      });
  EXPECT_CALL(*volumes_, remove("db-x")).WillOnce(Return(Status()));
  EXPECT_EQ(run("volume clone --group shop monday --suffix x").exit_code, kFailed);
}

TEST_F(CliGroupTest, SnapshotsOfTwoMomentsAreNotCloned) {
  EXPECT_CALL(*groups_, members("shop"))
      .WillRepeatedly(Return(std::vector{name("db"), name("files")}));
  ON_CALL(*volumes_, inspect).WillByDefault([](const std::string& text) {
    return volume_of(text, snapshot(text));
  });
  EXPECT_CALL(*volumes_, create(_, _)).Times(0);
  EXPECT_THAT(run("volume clone --group shop monday --suffix x").err,
              HasSubstr("not of one moment"));
}

TEST_F(CliGroupTest, ABackupReadsTheSnapshotsAndDropsThem) {
  EXPECT_CALL(*groups_, take("shop", "", _)).WillRepeatedly(Return(both()));
  EXPECT_CALL(*archives_, back_up("db@monday", volume::BackupPlace("/b"), _, _))
      .WillRepeatedly(Return(volume::BackupInfo{.id = "1", .volume = "db", .group = "5b"}));
  EXPECT_CALL(*archives_, back_up("files@monday", volume::BackupPlace("/b"), _, _))
      .WillOnce(Return(volume::BackupInfo{.id = "2", .volume = "files", .group = "5b"}))
      .WillRepeatedly(Return(fail(Code::kIo, "broken")));
  EXPECT_CALL(*volumes_, drop_snapshot("db", "monday")).Times(2).WillRepeatedly(Return(Status()));
  EXPECT_CALL(*volumes_, drop_snapshot("files", "monday"))
      .Times(2)
      .WillRepeatedly(Return(Status()));
  EXPECT_EQ(run("volume backup -q --group shop --to /b").out, "1\n2\n");
  const auto failed = run("volume backup --group shop --to /b");
  EXPECT_EQ(failed.exit_code, kFailed);
  EXPECT_THAT(failed.err, HasSubstr("broken"));
}

TEST_F(CliGroupTest, WhatIsMissingOrTooMuchIsSaid) {
  for (const auto& [line, said] : std::map<std::string, std::string>{
           {"snapshot create", "VOLUME[@SNAPSHOT] is required"},
           {"snapshot rm", "VOLUME@SNAPSHOT is required"},
           {"snapshot rm --group shop", "which snapshot of group shop?"},
           {"volume rollback", "NAME[@SNAPSHOT] is required"},
           {"volume rollback --group shop", "which snapshot of group shop?"},
           {"volume clone data", "NEW is required"},
           {"volume clone --group shop monday", "--suffix"},
           {"volume backup --to /b", "NAME is required"},
           {"volume backup --group shop data --to /b", "\"data\" is too much"},
           {"snapshot create --group shop data monday", "\"monday\" is too much"}}) {
    const auto misused = run(line);
    EXPECT_EQ(misused.exit_code, kUsage) << line;
    EXPECT_THAT(misused.err, HasSubstr(said)) << line;
  }
}

TEST_F(CliGroupTest, HooksCanBeLeftOut) {
  EXPECT_CALL(*groups_, take("shop", "", _)).WillRepeatedly(Return(both()));
  (void)run("snapshot create --group shop");
  EXPECT_FALSE(settings_.no_hooks);
  (void)run("snapshot create --no-hooks --group shop");
  EXPECT_TRUE(settings_.no_hooks);
}

}  // namespace
}  // namespace fairlead::cli
