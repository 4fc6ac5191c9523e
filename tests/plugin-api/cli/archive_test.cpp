// Archives and backups: where they are written to and read from.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "tests/plugin-api/cli/cli_fixture.h"

namespace fairlead::testing {
namespace {

using ::testing::_;
using ::testing::Return;

const volume::ArchiveReport kReport{.files = 3, .bytes = 5, .digest = "abc"};

// One of which nothing was left out.
volume::Volume whole_volume() {
  volume::Volume volume = data_volume();
  volume.left_out = {};
  return volume;
}

class Archive : public CliTest {
 protected:
  Archive() {
    std::string pattern = ::testing::TempDir() + "archive.XXXXXX";
    folder_ = mkdtemp(pattern.data());
    ON_CALL(*archives_, export_to)
        .WillByDefault([](const std::string&, int fd, const volume::Excludes&,
                          const volume::Progress&) -> Result<volume::ArchiveReport> {
          if (write(fd, "bytes", 5) != 5) return fail_errno(errno, "write");
          return kReport;
        });
  }
  ~Archive() override { std::filesystem::remove_all(folder_); }

  std::string content(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

TEST_F(Archive, IsWrittenToAFile) {
  const Outcome outcome = run("volume export data@monday -o " + path("a.tar.zst"));
  EXPECT_EQ(outcome.exit_code, cli::kDone) << outcome.err;
  EXPECT_EQ(outcome.out, path("a.tar.zst") + ": 3 files, 5 B, sha256 abc\n");
  EXPECT_EQ(content("a.tar.zst"), "bytes");
  EXPECT_EQ(files(), 1U);
}

// The file is written and the code says that it is not the whole volume.
TEST_F(Archive, ThatLacksSomethingSaysWhat) {
  volume::ArchiveReport report = kReport;
  report.left_out = {.count = 3, .notes = {"a is a socket; it was left out", "b\x1b[31m"}};
  EXPECT_CALL(*archives_, export_to).WillRepeatedly(Return(report));
  const Outcome outcome = run("volume export data -o " + path("a.tar.zst"));
  EXPECT_EQ(outcome.exit_code, cli::kIncomplete);
  EXPECT_EQ(outcome.out, path("a.tar.zst") + ": 3 files, 5 B, sha256 abc\n");
  EXPECT_EQ(outcome.err,
            "fairlead: export volume data: incomplete, 3 entries were left out\n"
            "  a is a socket; it was left out\n"
            "  b\\x1b[31m\n"
            "  and 1 more\n");
  EXPECT_EQ(files(), 1U);
  const Outcome json = run("--json volume export data -o " + path("a.tar.zst"));
  EXPECT_EQ(json.exit_code, cli::kIncomplete);
  EXPECT_NE(json.out.find("\"left_out\""), std::string::npos) << json.out;
}

TEST_F(Archive, ImportsAndBackupsThatLackSomethingSaySo) {
  volume::Volume made = whole_volume();
  made.left_out = {.count = 1, .notes = {"null is a device node; it was left out"}};
  volume::BackupInfo backup = data_backup();
  backup.left_out = made.left_out;
  ON_CALL(*archives_, import_from).WillByDefault(Return(made));
  ON_CALL(*archives_, restore).WillByDefault(Return(made));
  ON_CALL(*archives_, back_up).WillByDefault(Return(backup));
  ON_CALL(*jobs_, resume).WillByDefault(Return(made.left_out));
  ON_CALL(*archives_, backups).WillByDefault(Return(std::vector{backup}));
  for (const char* command : {"volume import data -", "volume restore data --from /srv",
                              "volume backup data --to /srv", "jobs resume 20260101T000000-1"}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, cli::kIncomplete) << command;
    EXPECT_NE(outcome.err.find("null is a device node"), std::string::npos) << outcome.err;
  }
  EXPECT_NE(run("backup ls /srv").out.find("1 left out"), std::string::npos);
}

TEST_F(Archive, ThatFailsLeavesTheOldFileAndNothingElse) {
  std::ofstream(folder_ / "a.tar.zst") << "old";
  ON_CALL(*archives_, export_to)
      .WillByDefault([](const std::string&, int fd, const volume::Excludes&,
                        const volume::Progress&) -> Result<volume::ArchiveReport> {
        if (write(fd, "half", 4) != 4) return fail_errno(errno, "write");
        return fail(Code::kIo, "the disk is full");
      });
  EXPECT_EQ(run("volume export data -o " + path("a.tar.zst")).exit_code, cli::kFailed);
  EXPECT_EQ(content("a.tar.zst"), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(Archive, GoesToAPipeWithItsSummaryOnStderr) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd in(ends[0]), out(ends[1]);
  out_fd_ = out.get();
  const Outcome outcome = run("volume export data");
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "data: 3 files, 5 B, sha256 abc\n");
  char bytes[8];
  EXPECT_EQ(read(in.get(), bytes, sizeof bytes), 5);
}

TEST_F(Archive, IsNotWrittenToATerminal) {
  width_ = 80;
  EXPECT_CALL(*archives_, export_to).Times(0);
  const Outcome outcome = run("volume export data");
  EXPECT_EQ(outcome.exit_code, cli::kUsage);
  EXPECT_EQ(outcome.err,
            "fairlead: an archive is nothing for a terminal: give -o FILE, or pipe it somewhere; "
            "see \"fairlead volume export --help\"\n");
}

TEST_F(Archive, IsReadFromAFileOrFromStdin) {
  std::ofstream(folder_ / "a.tar") << "tar";
  EXPECT_CALL(*archives_, import_from)
      .WillOnce([](const volume::VolumeSpec& spec, int fd, const std::string& sha256,
                   const volume::Progress&) {
        char bytes[8];
        EXPECT_EQ(read(fd, bytes, sizeof bytes), 3);
        EXPECT_EQ(sha256, "");
        EXPECT_EQ(spec.options.size, 1U << 30);
        return Result<volume::Volume>(whole_volume());
      })
      .WillOnce(Return(whole_volume()));
  EXPECT_EQ(run("volume import -o size=1g data " + path("a.tar")).out, "data\n");
  EXPECT_EQ(run("volume import data -").out, "data\n");
}

TEST_F(Archive, IsComparedWithADigest) {
  const std::string digest(64, 'a');
  EXPECT_CALL(*archives_, import_from(_, _, digest, _)).WillOnce(Return(whole_volume()));
  EXPECT_EQ(run("volume import data --sha256 " + std::string(64, 'A') + " -").out, "data\n");
  for (const std::string& bad : {std::string(63, 'a'), std::string(64, 'g')}) {
    const Outcome outcome = run("volume import data --sha256 " + bad + " -");
    EXPECT_EQ(outcome.exit_code, cli::kUsage);
    EXPECT_NE(outcome.err.find("--sha256 " + bad + ": it must have 64 hex digits"),
              std::string::npos)
        << outcome.err;
  }
}

TEST_F(Archive, IsNotReadFromAPipeThatNobodyWrites) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_CALL(*archives_, import_from).Times(0);
  const Outcome outcome = run("volume import data " + path("pipe"));
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_NE(outcome.err.find("it is a named pipe"), std::string::npos) << outcome.err;
}

TEST_F(Archive, IsReadFromAPipeThatIsOpenAlready) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd in(ends[0]), out(ends[1]);
  ASSERT_EQ(write(out.get(), "tar", 3), 3);
  EXPECT_CALL(*archives_, import_from)
      .WillOnce([](const volume::VolumeSpec&, int fd, const std::string&, const volume::Progress&) {
        char bytes[8];
        EXPECT_EQ(read(fd, bytes, sizeof bytes), 3);
        EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        return Result<volume::Volume>(whole_volume());
      });
  EXPECT_EQ(run("volume import data /dev/fd/" + std::to_string(in.get())).out, "data\n");
}

TEST_F(Archive, IsNotWaitedForOnATerminal) {
  in_is_tty_ = true;
  EXPECT_EQ(run("volume import data").exit_code, cli::kUsage);
}

TEST_F(Archive, ThatCannotBeReadIsSaidSo) {
  EXPECT_EQ(
      run("volume import data " + path("gone.tar")).err,
      "fairlead: import volume data: read " + path("gone.tar") + ": No such file or directory\n");
}

class Backup : public CliTest {
 protected:
  Backup() {
    volume::BackupInfo older = data_backup(), other = data_backup();
    older.id = "20250101T010000-1";
    other.id = "20270101T010000-1";
    other.volume = "shop";
    ON_CALL(*archives_, backups).WillByDefault(Return(std::vector{data_backup(), older, other}));
  }
};

TEST_F(Backup, OfTheVolumeThatIsNewestIsRestored) {
  EXPECT_CALL(*archives_, restore(_, volume::BackupPlace("/srv"), "20260101T010000-1", _))
      .WillOnce([](const volume::VolumeSpec& spec, const volume::BackupPlace&, const std::string&,
                   const volume::Progress&) {
        EXPECT_EQ(spec.name.str(), "again");
        return Result<volume::Volume>(whole_volume());
      });
  EXPECT_EQ(run("volume restore data --from /srv --as again").exit_code, cli::kDone);
}

TEST_F(Backup, ThatIsNotThereIsToldWithThoseThatAre) {
  EXPECT_CALL(*archives_, restore).Times(0);
  EXPECT_EQ(run("volume restore data --from /srv --backup 2024").err,
            "fairlead: restore volume data: there is no backup 2024 of data in /srv; the newest "
            "are 20250101T010000-1, 20260101T010000-1\n");
  EXPECT_EQ(run("volume restore dta --from /srv").err,
            "fairlead: restore volume dta: there is no backup of dta in /srv; see: fairlead "
            "backup ls /srv\n");
}

TEST_F(Backup, FoldersBecomeAbsolute) {
  EXPECT_CALL(
      *archives_,
      back_up("data", volume::BackupPlace(std::filesystem::current_path().string() + "/here"), _,
              _))
      .WillOnce(Return(data_backup()));
  EXPECT_EQ(run("volume backup data --to ./here").exit_code, cli::kDone);
}

TEST_F(Backup, TellsWhatIsLeftOutAndWhatIsKept) {
  const volume::BackupOptions options{
      .excludes = {.patterns = {"*.tmp", "logs/"}, .if_present = {".nobackup"}, .caches = true},
      .keep = volume::Retention{.last = 3, .periods = {.daily = 7}}};
  EXPECT_CALL(*archives_, back_up("data", volume::BackupPlace("/srv"), _, _))
      .WillOnce([&](const std::string&, const volume::BackupPlace&,
                    const volume::BackupOptions& given,
                    const volume::Progress&) -> Result<volume::BackupInfo> {
        EXPECT_EQ(given.excludes, options.excludes);
        EXPECT_EQ(given.keep, options.keep);
        return data_backup();
      });
  EXPECT_EQ(run("volume backup data --to /srv --exclude *.tmp --exclude logs/ --exclude-caches "
                "--exclude-if-present .nobackup --keep daily:7,last:3")
                .exit_code,
            cli::kDone);
}

TEST_F(Backup, ThatStaysDamagedFailsTheRepair) {
  ON_CALL(*archives_, repair)
      .WillByDefault(Return(volume::RepairReport{{"two are healed"}, {"one is lost"}}));
  const Outcome outcome = run("backup verify --repair /srv");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "two are healed\none is lost\nthe backup is damaged\n");
}

TEST_F(Backup, IsRemovedById) {
  EXPECT_CALL(*archives_,
              remove_backups(volume::BackupPlace("/srv"), std::vector<std::string>{"a", "b"}, _, _))
      .WillOnce(Return(fail(Code::kNotFound, "there is no backup \"b\"")));
  const Outcome outcome = run("backup rm /srv a b");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.err, "fairlead: remove backups in /srv: there is no backup \"b\"\n");
}

TEST_F(Backup, WhatOpensThemGoesWithTheFolder) {
  volume::BackupPlace place("/srv");
  place.key_file = std::filesystem::current_path().string() + "/key";
  EXPECT_CALL(*archives_, back_up("data", place, _, _)).WillOnce(Return(data_backup()));
  EXPECT_EQ(run("volume backup data --to /srv --key-file key").exit_code, cli::kDone);
  EXPECT_CALL(*archives_, verify(place, "", _)).WillOnce(Return(volume::CheckReport{true, {}}));
  EXPECT_EQ(run("backup verify /srv --key-file key").exit_code, cli::kDone);
  place.key_file.clear();
  place.passphrase_file = "/etc/words";
  EXPECT_CALL(*archives_, backups(place))
      .Times(2)
      .WillRepeatedly(Return(std::vector{data_backup()}));
  EXPECT_EQ(run("backup ls /srv --passphrase-file /etc/words").exit_code, cli::kDone);
  volume::Volume whole = data_volume();
  whole.left_out = {};
  EXPECT_CALL(*archives_, restore(_, place, data_backup().id, _)).WillOnce(Return(whole));
  EXPECT_EQ(run("volume restore data --from /srv --passphrase-file /etc/words").exit_code,
            cli::kDone);
}

TEST_F(Backup, AMissingKeyFileIsNoMissingVolume) {
  has_volumes();
  EXPECT_CALL(*archives_, back_up)
      .WillOnce(Return(tl::unexpected(Error{Code::kNotFound, ENOENT, "open the key file /k"})));
  const Outcome refused = run("volume backup data --to /srv --key-file /k");
  EXPECT_EQ(refused.exit_code, cli::kFailed);
  EXPECT_EQ(refused.err.find("did you mean"), std::string::npos) << refused.err;
}

TEST_F(Backup, TargetsOnOtherHostsStayAsTheyAre) {
  EXPECT_CALL(*archives_, back_up("data", volume::BackupPlace("sftp:me@nas:/b"), _, _))
      .WillOnce(Return(data_backup()));
  EXPECT_EQ(run("volume backup data --to sftp:me@nas:/b").exit_code, cli::kDone);
  EXPECT_CALL(*archives_, backups(volume::BackupPlace("s3:bucket/b")))
      .WillOnce(Return(std::vector{data_backup()}));
  EXPECT_EQ(run("backup ls -q s3:bucket/b").exit_code, cli::kDone);
  const Outcome refused = run("volume backup data --to sftp:nas");
  EXPECT_EQ(refused.exit_code, cli::kUsage);
  EXPECT_THAT(refused.err, ::testing::HasSubstr("sftp:host:/folder"));
}

TEST_F(Backup, ThatIsDamagedFailsTheVerify) {
  EXPECT_CALL(*archives_, verify(volume::BackupPlace("/srv"), "", _))
      .WillOnce(Return(volume::CheckReport{false, {"chunk 7 of 20260101T010000-1 is damaged"}}));
  const Outcome outcome = run("backup verify /srv");
  EXPECT_EQ(outcome.exit_code, cli::kFailed);
  EXPECT_EQ(outcome.out, "chunk 7 of 20260101T010000-1 is damaged\nthe backup is damaged\n");
}

}  // namespace
}  // namespace fairlead::testing
