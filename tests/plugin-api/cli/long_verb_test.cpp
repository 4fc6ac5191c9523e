// Long verbs on a terminal: the bar, Ctrl-C, and how to go on.
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::Return;

class LongVerb : public CliTest {
 protected:
  LongVerb() {
    ON_CALL(*volumes_, inspect).WillByDefault(Return(data_volume()));
    ON_CALL(*archives_, back_up)
        .WillByDefault([this](const std::string&, const volume::BackupPlace&,
                              const volume::BackupOptions&,
                              const volume::Progress& progress) -> Result<volume::BackupInfo> {
          for (std::uint64_t part = 0; part <= 4; ++part) {
            interrupted_ = interrupted_ || part == stop_at_;
            if (!progress(part << 30, 4ULL << 30)) return fail(Code::kUnavailable, "stopped");
          }
          return data_backup();
        });
  }

  static volume::Job stopped_job(long long started) {
    volume::Job job = failed_job();
    job.state = volume::JobState::kStopped;
    job.started = started;
    return job;
  }

  static constexpr long long kNow = kCreated + 3 * 3600;  // of the fixture
  std::uint64_t stop_at_ = 99;
};

TEST_F(LongVerb, DrawsABarOnATerminalAndTakesItAway) {
  err_is_tty_ = true;
  const Outcome outcome = run("volume backup data --to /srv");
  EXPECT_NE(outcome.err.find("back up volume data    50 % ["), std::string::npos) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with("\r\x1b[K"));
  EXPECT_EQ(outcome.out, "20260101T010000-1: 4 GiB of data, 40 MiB newly written\n");
}

TEST_F(LongVerb, DrawsNothingWhereNobodyLooks) {
  EXPECT_EQ(run("volume backup data --to /srv").err, "");
  err_is_tty_ = true;
  EXPECT_EQ(run("volume backup data --to /srv -q").err, "");
}

TEST_F(LongVerb, StopsAtCtrlCAndSaysHowToGoOn) {
  stop_at_ = 2;
  EXPECT_CALL(*jobs_, list)
      .WillOnce(Return(std::vector{stopped_job(kNow), stopped_job(kNow - 60)}));
  const Outcome outcome = run("volume backup data --to /srv");
  EXPECT_EQ(outcome.exit_code, cli::kInterrupted);
  EXPECT_EQ(outcome.err,
            "fairlead: back up volume data: stopped; go on with: fairlead jobs resume "
            "20260101T000000-1\n");
}

// `fairlead jobs stop` in another shell.
TEST_F(LongVerb, ThatAnotherShellStoppedSaysHowToGoOn) {
  ON_CALL(*archives_, back_up).WillByDefault(Return(fail(Code::kUnavailable, "it was stopped")));
  ON_CALL(*jobs_, list).WillByDefault(Return(std::vector{stopped_job(kNow)}));
  const Outcome outcome = run("volume backup data --to /srv");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err,
            "fairlead: back up volume data: stopped; go on with: fairlead jobs resume "
            "20260101T000000-1\n");
  // What is unavailable for another reason says its own.
  ON_CALL(*jobs_, list).WillByDefault(Return(std::vector<volume::Job>()));
  EXPECT_EQ(run("volume backup data --to /srv").err,
            "fairlead: back up volume data: it was stopped\n");
}

TEST_F(LongVerb, ThatLeavesNoJobIsSimplyRunAgain) {
  stop_at_ = 0;
  EXPECT_CALL(*jobs_, list).WillOnce(Return(std::vector{stopped_job(kNow - 60), failed_job()}));
  EXPECT_EQ(run("volume backup data --to /srv").err,
            "fairlead: back up volume data: stopped; nothing is left half done: run the same "
            "command again\n");
}

TEST_F(LongVerb, WhoseFileIsItsOwnIsSimplyRunAgain) {
  volume::Job exported = stopped_job(kNow);
  exported.verb = "export";
  stop_at_ = 0;
  EXPECT_CALL(*jobs_, list).WillOnce(Return(std::vector{exported}));
  EXPECT_NE(run("volume backup data --to /srv").err.find("run the same command again"),
            std::string::npos);
}

TEST_F(LongVerb, ThatFailsByItselfTellsItsOwnReason) {
  ON_CALL(*archives_, back_up).WillByDefault(Return(fail(Code::kIo, "write /srv: disk full")));
  const Outcome outcome = run("volume backup data --to /srv");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: back up volume data: write /srv: disk full\n");
}

}  // namespace
}  // namespace fairlead::testing
