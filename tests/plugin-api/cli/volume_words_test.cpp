// What volume ls, prune, snapshot ls, ls-files, cat and cp make of their words.
#include <fcntl.h>
#include <unistd.h>

#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::_;
using ::testing::HasSubstr;
using ::testing::Return;
using volume::Condition;
using volume::ContentEntry;
using volume::ContentKind;
using volume::ContentPlace;
using volume::Volume;
using volume::VolumeStatus;

class VolumeWords : public CliTest {
 protected:
  // A volume that nothing has mounted, unless `in_use`.
  void has(const std::string& name, const std::map<std::string, std::string>& labels = {},
           bool in_use = false, Condition condition = Condition::kOk) {
    Volume made = data_volume();
    made.name = VolumeName::parse(name).value();
    made.labels = labels;
    made.mounts.clear();
    made.snapshots.clear();
    made.options = {};
    all_.push_back(made);
    VolumeStatus status{.backend = made.backend};
    status.in_use = in_use;
    status.used = 1 << 20;
    status.condition = condition;
    statuses_[name] = status;
    ON_CALL(*volumes_, list).WillByDefault(Return(all_));
    ON_CALL(*volumes_, status).WillByDefault([this](const Volume& volume) {
      return Result<VolumeStatus>(statuses_[volume.name.str()]);
    });
  }
  std::string listed(const std::string& filters) { return run("volume ls -q " + filters).out; }

  std::vector<Volume> all_;
  std::map<std::string, VolumeStatus> statuses_;
  const std::string anonymous_ = std::string(64, 'a'), other_ = std::string(64, 'b');
};

TEST_F(VolumeWords, FiltersOfOneKeyAreAnyOfThemAndOfSeveralAll) {
  has("db", {{"team", "a"}, {"tier", "gold"}});
  has("web", {{"team", "b"}}, true);
  has("logs", {}, false, Condition::kFull);
  EXPECT_EQ(listed("-f label=team"), "db\nweb\n");
  EXPECT_EQ(listed("--filter label=team=a"), "db\n");
  EXPECT_EQ(listed("-f label=team=a -f label=team=b"), "db\nweb\n");
  EXPECT_EQ(listed("-f label=team -f dangling=true"), "db\n");
  EXPECT_EQ(listed("-f dangling=false"), "web\n");
  EXPECT_EQ(listed("-f in-use=true"), "web\n");
  EXPECT_EQ(listed("-f mounted=no"), "db\nlogs\n");
  EXPECT_EQ(listed("-f health=full"), "logs\n");
  EXPECT_EQ(listed("-f label!=team"), "logs\n");
  EXPECT_EQ(listed("-f label!=tier -f label=team"), "web\n");
  EXPECT_EQ(listed("-f driver=image -f name=w -f name=lo"), "web\nlogs\n");
  EXPECT_EQ(listed("-f backend=dir"), "");
  EXPECT_EQ(listed("-f pool=fast -f name=db"), "db\n");
}

TEST_F(VolumeWords, HealthIsOneWordAndTheSentenceIsInInspect) {
  has("db", {}, false, Condition::kDiskFull);
  statuses_["db"].health = "the disk below is full: free space there, then mount it again";
  const std::string table = run("volume ls").out;
  EXPECT_THAT(table, HasSubstr("disk-full"));
  EXPECT_THAT(table, ::testing::Not(HasSubstr("free space")));
  const std::string json = run("volume ls --json").out;
  EXPECT_THAT(json, HasSubstr("\"condition\": \"disk-full\""));
  EXPECT_THAT(json, HasSubstr("free space there"));
}

TEST_F(VolumeWords, PruneTakesThoseWithoutANameThatNobodyUses) {
  has(anonymous_);
  has(other_, {}, true);
  has("named");
  EXPECT_CALL(*volumes_, remove(anonymous_)).WillOnce(Return(Status()));
  const Outcome outcome = run("volume prune -f");
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
  EXPECT_EQ(outcome.out, anonymous_ + "\n1 volume removed, 1 MiB free again\n");
}

TEST_F(VolumeWords, PruneOfAllSparesWhatIsLabelledAndWhatAFilterLeaves) {
  has("one");
  has("kept", {{"keep", ""}});
  has("other", {{"team", "b"}});
  all_[0].options.retain = std::chrono::hours(1);
  ON_CALL(*volumes_, list).WillByDefault(Return(all_));
  EXPECT_CALL(*volumes_, remove("one")).WillOnce(Return(Status()));
  EXPECT_EQ(run("volume prune --all --filter label!=team -f").out,
            "one\n1 volume removed; 1 in the trash (fairlead trash ls)\n");
  EXPECT_EQ(run("volume prune --all --dry-run -q").out, "one\nother\n");
  EXPECT_THAT(run("volume prune --all --dry-run").out, HasSubstr("to the trash"));
}

TEST_F(VolumeWords, PruneAsksOnATerminalAndRefusesElsewhere) {
  has(anonymous_);
  EXPECT_CALL(*volumes_, remove).Times(0);
  const Outcome refused = run("volume prune");
  EXPECT_EQ(refused.exit_code, cli::kUsage);
  EXPECT_THAT(refused.err, HasSubstr("1 volume would be removed (--dry-run shows which); say -f"));
  in_is_tty_ = true;
  stdin_ = "n\n";
  const Outcome no = run("volume prune");
  EXPECT_EQ(no.exit_code, cli::kFailed);
  EXPECT_THAT(no.err, HasSubstr("Remove 1 volume? [y/N]"));
  ::testing::Mock::VerifyAndClearExpectations(volumes_.get());
  EXPECT_CALL(*volumes_, remove(anonymous_)).WillOnce(Return(Status()));
  stdin_ = "y\n";
  EXPECT_EQ(run("volume prune").exit_code, cli::kDone);
}

TEST_F(VolumeWords, PruneGoesOnAfterWhatIsInUseByNow) {
  has(anonymous_);
  has(other_);
  EXPECT_CALL(*volumes_, remove(anonymous_))
      .WillRepeatedly(Return(fail(Code::kInUse, "it is in use")));
  EXPECT_CALL(*volumes_, remove(other_)).WillRepeatedly(Return(Status()));
  const Outcome outcome = run("volume prune -f --json");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_THAT(outcome.out, HasSubstr(other_));
  EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr(anonymous_)));
  EXPECT_THAT(outcome.err, HasSubstr("it is in use"));
}

TEST_F(VolumeWords, SizeSaysTheSameAsTheOption) {
  volume::VolumeSpec asked;
  EXPECT_CALL(*volumes_, create)
      .WillOnce(::testing::DoAll(::testing::SaveArg<0>(&asked), Return(data_volume())));
  EXPECT_EQ(run("volume create --size 10g --label team=a data").exit_code, cli::kDone);
  EXPECT_EQ(asked.options.size, 10ULL << 30);
  EXPECT_EQ(asked.labels.at("team"), "a");
}

TEST_F(VolumeWords, SnapshotsAreListedWithWhatOnlyTheyHold) {
  has("db");
  all_[0].snapshots = {monday_snapshot()};
  ON_CALL(*volumes_, list).WillByDefault(Return(all_));
  ON_CALL(*volumes_, inspect("db")).WillByDefault(Return(all_[0]));
  EXPECT_CALL(*volumes_, snapshot_space("db"))
      .WillRepeatedly(
          Return(std::map<std::string, std::uint64_t>{{monday_snapshot().id, 3 << 20}}));
  EXPECT_THAT(run("snapshot ls").out, HasSubstr("3 MiB"));
  EXPECT_THAT(run("snapshot ls -f volume=db --json").out, HasSubstr("\"only_here\": 3145728"));
  EXPECT_CALL(*volumes_, snapshot_space("db"))
      .WillRepeatedly(Return(fail(Code::kUnsupported, "not here")));
  EXPECT_EQ(run("snapshot ls db").exit_code, cli::kDone);
}

// ---- looking inside

class Looking : public VolumeWords {
 protected:
  void SetUp() override { ASSERT_EQ(::pipe2(pipe_, O_CLOEXEC), 0); }
  void TearDown() override {
    ::close(pipe_[0]);
    ::close(pipe_[1]);
  }
  // What the services were asked for.
  void answer(const std::vector<ContentEntry>& entries, const volume::LeftOut& left_out = {}) {
    ON_CALL(*content_, list)
        .WillByDefault(
            [=, this](const ContentPlace& place, volume::VolumeContent::Reach reach,
                      const volume::VolumeContent::Visit& visit) -> Result<volume::LeftOut> {
              asked_ = place;
              reach_ = reach;
              for (const ContentEntry& entry : entries) TRY_STATUS(visit(entry));
              return left_out;
            });
  }

  int pipe_[2] = {-1, -1};
  ContentPlace asked_;
  volume::VolumeContent::Reach reach_{};
};

ContentEntry conf() {
  return {.path = "etc/app.conf",
          .kind = ContentKind::kFile,
          .mode = 0640,
          .uid = 7,
          .gid = 8,
          .size = 9,
          .modified = 1767225600};
}

TEST_F(Looking, FilesAreListedOneALine) {
  answer({{.path = "etc/deep", .kind = ContentKind::kFolder, .mode = 01777},
          conf(),
          {.path = "etc/out", .kind = ContentKind::kSymlink, .mode = 0777, .target = "/x"}});
  EXPECT_EQ(run("volume ls-files data@monday:/etc//./").out, "etc/deep/\netc/app.conf\netc/out\n");
  EXPECT_EQ(asked_.volume, "data");
  EXPECT_EQ(asked_.snapshot, "monday");
  EXPECT_EQ(asked_.path, "etc");
  EXPECT_EQ(reach_, volume::VolumeContent::Reach::kHere);
  const std::string table = run("volume ls-files -lR data").out;
  EXPECT_EQ(reach_, volume::VolumeContent::Reach::kBelow);
  EXPECT_EQ(asked_.path, "");
  EXPECT_THAT(
      table,
      HasSubstr("-rw-r-----      7      8            9 2026-01-01T00:00:00Z etc/app.conf\n"));
  EXPECT_THAT(table, HasSubstr("drwxrwxrwt"));
  EXPECT_THAT(table, HasSubstr("etc/out -> /x\n"));
}

TEST_F(Looking, OddNamesAreSafeOnATerminalAndWholeInJson) {
  ContentEntry odd = conf();
  odd.path = "a\x1b[31m\xff";
  answer({odd});
  EXPECT_EQ(run("volume ls-files data").out, "a\\x1b[31m\\xff\n");
  EXPECT_THAT(run("volume ls-files data --json").out,
              HasSubstr("\"path_hex\": \"611b5b33316dff\""));
}

TEST_F(Looking, WhatIsLeftOutIsSaidByTheExitCode) {
  answer({conf()}, {.count = 3, .notes = {"x is a socket; it was left out"}});
  const Outcome outcome = run("volume ls-files -R data");
  EXPECT_EQ(outcome.exit_code, cli::kIncomplete);
  EXPECT_EQ(outcome.out, "etc/app.conf\n");
  EXPECT_EQ(outcome.err,
            "fairlead: left out: x is a socket; it was left out\nfairlead: left out: 2 more\n");
}

TEST_F(Looking, ABackupIsNamedByItsFolder) {
  answer({});
  EXPECT_EQ(run("volume ls-files data:/etc --from /srv/backup --backup 2026x").exit_code,
            cli::kDone);
  EXPECT_EQ(asked_.from.folder, "/srv/backup");
  EXPECT_EQ(asked_.backup, "2026x");
}

TEST_F(Looking, AFileIsPrintedToStdout) {
  out_fd_ = pipe_[1];
  EXPECT_CALL(*content_, read(_, pipe_[1], _))
      .WillOnce([this](const ContentPlace& place, int, const volume::Progress&) -> Status {
        asked_ = place;
        return {};
      });
  const Outcome outcome = run("volume cat data:/etc/app.conf");
  EXPECT_EQ(outcome.exit_code, cli::kDone);
  EXPECT_EQ(outcome.out, "");  // nothing but the content
  EXPECT_EQ(asked_.path, "etc/app.conf");
}

TEST_F(Looking, ACopyGoesToAPathOrAsATarToStdout) {
  out_fd_ = pipe_[1];
  const volume::ContentReport report{.entries = 2, .bytes = 2048, .left_out = {}};
  EXPECT_CALL(*content_, copy(_, "/srv/new/", _)).WillOnce(Return(report));
  EXPECT_EQ(run("volume cp data@monday:/etc /srv/new/").out,
            "data@monday:/etc -> /srv/new/: 2 entries, 2 KiB\n");
  EXPECT_CALL(*content_, archive(_, pipe_[1], _)).WillOnce(Return(report));
  const Outcome tar = run("volume cp data:/etc -");
  EXPECT_EQ(tar.exit_code, cli::kDone);
  EXPECT_EQ(tar.out, "");
  EXPECT_CALL(*content_, copy)
      .WillOnce(Return(volume::ContentReport{
          .entries = 1, .bytes = 1, .left_out = {.count = 1, .notes = {"null is a device node"}}}));
  EXPECT_EQ(run("volume cp data:/etc /srv -q").exit_code, cli::kIncomplete);
}

TEST_F(Looking, AMistypedVolumeIsNamed) {
  has("data");
  ON_CALL(*content_, list)
      .WillByDefault(Return(fail(Code::kNotFound, "list dta: volume \"dta\" does not exist")));
  const Outcome outcome = run("volume ls-files dta");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"data\"?"));
}

}  // namespace
}  // namespace fairlead::testing
