// Volumes that are there: name, size, labels, content, trash, pools.
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::_;
using ::testing::Return;

using Labels = std::map<std::string, std::optional<std::string>>;

class VolumeChange : public CliTest {
 protected:
  VolumeChange() {
    has_volumes();
    ON_CALL(*volumes_, inspect).WillByDefault(Return(data_volume()));
  }
};

TEST_F(VolumeChange, AResizeTakesASizeOrSoMuchMore) {
  EXPECT_CALL(*volumes_, resize("data", 20ULL << 30)).WillOnce(Return(data_volume()));
  EXPECT_EQ(run("volume resize data 20g").out, "data: 20 GiB\n");
  EXPECT_CALL(*volumes_, resize("data", 15ULL << 30)).WillOnce(Return(data_volume()));
  EXPECT_EQ(run("volume resize data +5g").out, "data: 15 GiB\n");
}

TEST_F(VolumeChange, AVolumeWithoutALimitHasNothingToAddTo) {
  ON_CALL(*volumes_, status).WillByDefault(Return(volume::VolumeStatus{.backend = "dir"}));
  EXPECT_CALL(*volumes_, resize).Times(0);
  const Outcome outcome = run("volume resize data +5g");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err,
            "fairlead: resize volume data: volume data has no limit to add to: give the size "
            "itself\n");
}

TEST_F(VolumeChange, LabelsAreSetAndTakenAway) {
  const Labels wanted{{"team", "a=b"}, {"tier", std::nullopt}, {"empty", ""}};
  EXPECT_CALL(*volumes_, set_labels("data", wanted)).WillOnce(Return(data_volume()));
  EXPECT_EQ(run("volume label data team=a=b tier- empty=").exit_code, cli::kDone);
}

TEST_F(VolumeChange, ACloneIsACreateFromTheOther) {
  EXPECT_CALL(*volumes_, create)
      .WillOnce([](const volume::VolumeSpec& spec, const volume::Progress&) {
        EXPECT_EQ(spec.name.str(), "copy");
        EXPECT_EQ(to_map(spec.options),
                  (std::map<std::string, std::string>{{"from", "data@monday"}, {"size", "20g"}}));
        return Result<volume::Volume>(data_volume());
      });
  EXPECT_EQ(run("volume clone data@monday copy -o size=20g").exit_code, cli::kDone);
}

TEST_F(VolumeChange, ACloneHasOneSource) {
  EXPECT_CALL(*volumes_, create).WillOnce(Return(data_volume()));
  EXPECT_EQ(run("volume clone data@monday copy -o from=data@monday").exit_code, cli::kDone);
  const Outcome other = run("volume clone data@monday copy -o from=data@tuesday");
  EXPECT_EQ(other.exit_code, cli::kUsage);
  EXPECT_THAT(other.err, ::testing::HasSubstr("the source is named twice"));
}

TEST_F(VolumeChange, ACheckThatFindsSomethingFails) {
  EXPECT_CALL(*volumes_, check("data", true, _)).WillOnce(Return(troubled_check()));
  const Outcome outcome = run("volume check data --repair");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "inode 12 has no name: put into lost+found\ndata: not clean\n");
}

TEST_F(VolumeChange, NamesTheClosestSnapshotWhenOneIsMissing) {
  const auto missing = fail(Code::kNotFound, "volume data has no snapshot mondy");
  EXPECT_CALL(*volumes_, roll_back("data", "mondy", _)).WillOnce(Return(missing));
  EXPECT_EQ(run("volume rollback data mondy").err,
            "fairlead: roll back to snapshot mondy of volume data: volume data has no snapshot "
            "mondy; did you mean "
            "\"monday\"?\n");
  EXPECT_CALL(*volumes_, drop_snapshot("data", "mondy")).WillOnce(Return(missing));
  EXPECT_EQ(
      run("snapshot rm data@mondy").err,
      "fairlead: remove snapshot mondy of volume data: volume data has no snapshot mondy; did you "
      "mean \"monday\"?\n");
}

TEST_F(VolumeChange, AFailureThatTellsItsActionIsNotToldTwice) {
  EXPECT_CALL(*volumes_, resize)
      .WillOnce(Return(fail(Code::kInUse, "resize volume \"data\": it is mounted")));
  EXPECT_EQ(run("volume resize data 20g").err, "fairlead: resize volume \"data\": it is mounted\n");
}

TEST_F(VolumeChange, ASnapshotTakesItsNameAsAWordOrBehindAnAt) {
  EXPECT_CALL(*volumes_, take_snapshot("data", "monday", _))
      .Times(3)
      .WillRepeatedly(Return(monday_snapshot()));
  for (const std::string line : {"snapshot create data monday", "snapshot create data@monday",
                                 "volume snapshot create data monday"})
    EXPECT_EQ(run(line).out, "data@monday\n");
}

TEST_F(VolumeChange, TrashIsFoundByTheIdThatTheTableShows) {
  ON_CALL(*volumes_, trash).WillByDefault(Return(std::vector{old_volume()}));
  EXPECT_CALL(*volumes_, restore_from_trash(std::string(32, 'f'), ""))
      .WillOnce(Return(data_volume()));
  EXPECT_EQ(run("trash restore ffffffffffff").exit_code, cli::kDone);
}

TEST_F(VolumeChange, EmptyingAllOfTheTrashIsAskedAboutOnATerminal) {
  in_is_tty_ = true;
  EXPECT_CALL(*volumes_, empty_trash).Times(0);
  EXPECT_EQ(run("trash empty").exit_code, cli::kFailed);
  ::testing::Mock::VerifyAndClearExpectations(volumes_.get());
  EXPECT_CALL(*volumes_, empty_trash("")).Times(2).WillRepeatedly(Return(std::size_t{2}));
  EXPECT_EQ(run("trash empty -f").out, "2 volumes gone for good\n");
  stdin_ = "y\n";
  EXPECT_EQ(run("trash empty").out, "2 volumes gone for good\n");
}

TEST_F(VolumeChange, APoolIsMadeInAFileOrOnADevice) {
  EXPECT_CALL(*pools_, create)
      .WillOnce([](const volume::PoolSpec& spec) {
        EXPECT_EQ(spec.size, 20ULL << 30);
        EXPECT_EQ(spec.fstype, "btrfs");
        return Result<volume::VolumePool>(fast_pool());
      })
      .WillOnce([](const volume::PoolSpec& spec) {
        EXPECT_EQ(spec.device, "/dev/vdb");
        EXPECT_EQ(spec.fstype, "xfs");
        EXPECT_TRUE(spec.overwrite);
        return Result<volume::VolumePool>(fast_pool());
      });
  EXPECT_EQ(run("pool create fast --size 20g").out, "fast\n");
  EXPECT_EQ(run("pool create fast --device /dev/vdb --fstype xfs --overwrite").out, "fast\n");
}

}  // namespace
}  // namespace fairlead::testing
