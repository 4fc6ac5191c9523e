// Backups of plain folders: what is stored, what is read, what survives.
#include "volume/service/backup.h"

#include <fmt/format.h>

#include "base/host.h"
#include "tests/volume/spec.h"
#include "tests/volume/tree_facts.h"
#include "volume/kernel/tree_reader.h"

namespace fairlead::volume {
namespace {

using testing::facts_of;
using testing::noise;
using testing::Scratch;
using testing::write_text;

constexpr std::size_t kMega = 1 << 20;

// Bytes that this process has asked read(2) and the like for.
std::uint64_t bytes_read() {
  std::ifstream file("/proc/self/io");
  std::string word;
  std::uint64_t value = 0;
  file >> word >> value;
  return value;
}

struct BackupTest : ::testing::Test {
  Scratch scratch;
  std::string from = scratch / "from", repository = scratch / "backup";
  Volume volume;
  long long now = 1'767'225'600;
  std::uint64_t read = 0;

  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directory(from);
    volume.id = std::string(32, 'a');
    volume.name = VolumeName::parse("shop").value();
    volume.backend = "dir";
    volume.options = testing::options_of({{"uid", "7"}});
  }
  Result<BackupResult> back_up(const Progress& progress = {}) {
    TRY(const auto folder, BackupFolder::prepare(repository));
    TRY(const auto data, Folder::open(from));
    // As if a while had passed: what changed within the last second is read again.
    const FileTime started{.seconds = unix_time() + 5};
    const std::uint64_t before = bytes_read();
    auto result = run_backup(
        folder,
        {.volume = volume, .data = data.fd(), .started = started, .created = now++, .total = 0},
        progress);
    read = bytes_read() - before;
    return result;
  }
  std::vector<BackupSummary> list() {
    return BackupFolder::open(repository)->list().value().backups;
  }
  Status restore(const BackupSummary& backup, const std::string& to) {
    std::filesystem::create_directory(to);
    TRY(const auto folder, BackupFolder::open(repository));
    TRY(const auto data, Folder::open(to));
    TreeWriter writer(data.fd(), Origin::kOwn, {});
    return run_restore(folder, backup, writer, {});
  }
  CheckReport verify() {
    const auto folder = BackupFolder::open(repository);
    return run_verify(*folder, folder->list().value().backups, {}).value();
  }
  void expect_restored(const BackupSummary& backup,
                       const std::map<std::string, std::string>& facts) {
    const std::string to = scratch / ("to-" + backup.info.id);
    const auto restored = restore(backup, to);
    ASSERT_TRUE(restored) << restored.error().text;
    EXPECT_EQ(facts_of(to), facts);
  }
};

TEST_F(BackupTest, EverythingComesBackAsItWas) {
  testing::make_rich_tree(from);
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_FALSE(done->info.incremental);
  EXPECT_TRUE(verify().clean);
  expect_restored(list().back(), facts_of(from));
  EXPECT_EQ(testing::blocks_of(scratch / ("to-" + done->info.id) + "/only-hole"), 0U);
}

TEST_F(BackupTest, WhatIsOddComesBackAsItWasASocketAsWell) {
  testing::make_odd_tree(from);
  testing::make_socket(from + "/socket");
  for (int k = 0; k < 2; ++k) {
    const auto done = back_up();
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_EQ(done->info.left_out, LeftOut{});
    expect_restored(list().back(), facts_of(from));
  }
}

TEST_F(BackupTest, TheSummarySaysWhatWasLeftOut) {
  write_text(from + "/kept", "k");
  ASSERT_EQ(::mknod((from + "/null").c_str(), S_IFCHR | 0600, 259), 0);
  ASSERT_TRUE(back_up());
  const LeftOut left_out = list().back().info.left_out;
  EXPECT_EQ(left_out.count, 1U);
  ASSERT_EQ(left_out.notes.size(), 1U);
  EXPECT_NE(left_out.notes[0].find("null is a device node"), std::string::npos);
  std::filesystem::remove(from + "/null");
  ASSERT_TRUE(back_up());
  EXPECT_EQ(list().back().info.left_out, LeftOut{});
}

TEST_F(BackupTest, EachBackupHasTheContentOfItsTime) {
  testing::make_rich_tree(from);
  ASSERT_TRUE(back_up());
  const auto first = facts_of(from);
  write_text(from + "/a/new", "new");
  std::filesystem::remove(from + "/z-second-name");
  std::filesystem::remove_all(from + "/a-b");
  ASSERT_EQ(::chmod((from + "/a/text").c_str(), 0600), 0);
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_TRUE(done->info.incremental);
  const auto backups = list();
  ASSERT_EQ(backups.size(), 2U);
  expect_restored(backups[0], first);
  expect_restored(backups[1], facts_of(from));
}

TEST_F(BackupTest, WhatDidNotChangeIsNotRead) {
  for (unsigned k = 0; k < 100; ++k)
    write_text(from + fmt::format("/file-{}", k), noise(kMega / 2, k + 1));
  ASSERT_TRUE(back_up());
  EXPECT_GT(read, 50 * kMega);
  write_text(from + "/file-7", noise(kMega / 2, 1000));
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  const double ratio = static_cast<double>(read) / static_cast<double>(kMega / 2);
  RecordProperty("read_per_changed_byte", fmt::format("{:.3f}", ratio));
  EXPECT_LE(ratio, 1.2);
  EXPECT_LE(done->info.stored, kMega / 2 + kMega / 8);
  expect_restored(list().back(), facts_of(from));
}

TEST_F(BackupTest, ALargeFileWithALittleChangedStoresLittle) {
  write_text(from + "/image", noise(40 * kMega, 1));
  ASSERT_TRUE(back_up());
  {
    std::fstream file(from + "/image");
    file.seekp(20 * kMega + 12345);
    file << noise(kMega / 2, 2);
  }
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_LE(done->info.stored, 2 * kMega);
  expect_restored(list().back(), facts_of(from));
}

TEST_F(BackupTest, TheSameContentIsStoredOnce) {
  const std::string content = noise(3 * kMega, 1);
  for (int k = 0; k < 5; ++k) write_text(from + fmt::format("/copy-{}", k), content);
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_LE(done->info.stored, 3 * kMega + kMega / 4);
}

// Same inode, size and time of change of the content: only the inode's own time tells.
TEST_F(BackupTest, AChangeBehindARestoredTimeIsFound) {
  write_text(from + "/file", "before");
  testing::set_mtime(from + "/file", 1'700'000'000, 1);
  ASSERT_TRUE(back_up());
  {
    std::fstream file(from + "/file");
    file << "after!";
  }
  testing::set_mtime(from + "/file", 1'700'000'000, 1);
  ASSERT_TRUE(back_up());
  expect_restored(list().back(), facts_of(from));
}

TEST_F(BackupTest, AStoppedBackupLeavesNoneAndItsChunksServeTheNext) {
  for (unsigned k = 0; k < 40; ++k)
    write_text(from + fmt::format("/file-{:02}", k), noise(kMega, k + 1));
  int asked = 0;
  const auto slow = [&](std::uint64_t, std::uint64_t) { return ++asked < 2; };
  const auto stopped = back_up([&](std::uint64_t done, std::uint64_t total) {
    return done < 20 * kMega || slow(done, total);
  });
  if (stopped) GTEST_SKIP() << "it was done before it was stopped";
  EXPECT_EQ(stopped.error().code, Code::kUnavailable);
  EXPECT_TRUE(list().empty());
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_LT(done->info.stored, 25 * kMega);
  EXPECT_TRUE(verify().clean);
}

TEST_F(BackupTest, FlippedBitsAreFoundAndTheFilesNamed) {
  write_text(from + "/good", noise(2 * kMega, 1));
  ASSERT_TRUE(back_up());
  const auto good = facts_of(from);
  write_text(from + "/bad", noise(2 * kMega, 2));
  ASSERT_TRUE(back_up());
  const auto newest = list().back();
  const auto oldest = list().front();
  Digest second{};
  for (const Digest& pack : newest.packs)
    if (std::ranges::find(oldest.packs, pack) == oldest.packs.end()) second = pack;
  {
    std::fstream file(repository + "/packs/" + to_hex(second) + ".pack");
    file.seekp(500'000);
    file << '!';
  }
  const auto report = verify();
  EXPECT_FALSE(report.clean);
  const std::string findings = fmt::format("{}", fmt::join(report.findings, "\n"));
  EXPECT_NE(findings.find("\"bad\""), std::string::npos) << findings;
  EXPECT_EQ(findings.find("\"good\""), std::string::npos) << findings;
  const auto restored = restore(newest, scratch / "to");
  ASSERT_FALSE(restored);
  EXPECT_NE(restored.error().text.find("\"bad\""), std::string::npos) << restored.error().text;
  expect_restored(oldest, good);
}

TEST_F(BackupTest, ALostPackIsFoundAndStoredAgain) {
  write_text(from + "/file", noise(2 * kMega, 1));
  ASSERT_TRUE(back_up());
  std::filesystem::remove(repository + "/packs/" + to_hex(list().back().packs.front()) + ".pack");
  EXPECT_FALSE(verify().clean);
  ASSERT_TRUE(back_up());
  expect_restored(list().back(), facts_of(from));
  EXPECT_TRUE(verify().clean);  // the same bytes: the older one is whole again
}

// Who opens one waits for its writer.
TEST_F(BackupTest, APipeInThePlaceOfAFileIsNotWaitedFor) {
  write_text(from + "/file", noise(2 * kMega, 1));
  ASSERT_TRUE(back_up());
  const auto backup = list().back();
  const std::string pack = repository + "/packs/" + to_hex(backup.packs.front()) + ".pack";
  std::filesystem::remove(pack);
  ASSERT_EQ(::mkfifo(pack.c_str(), 0600), 0);
  const auto report = verify();
  EXPECT_FALSE(report.clean);
  const std::string findings = fmt::format("{}", fmt::join(report.findings, "\n"));
  EXPECT_NE(findings.find("not a regular file"), std::string::npos) << findings;
  EXPECT_FALSE(restore(backup, scratch / "to"));
  const std::string index = repository + "/backups/" + backup.info.id + ".index";
  std::filesystem::remove(index);
  ASSERT_EQ(::mkfifo(index.c_str(), 0600), 0);
  EXPECT_EQ(BackupFolder::open(repository)->list()->damaged.size(), 1U);
  std::filesystem::remove(repository + "/lock");
  ASSERT_EQ(::mkfifo((repository + "/lock").c_str(), 0600), 0);
  EXPECT_TRUE(BackupFolder::open(repository));
}

TEST_F(BackupTest, AnIndexThatIsCutOrChangedIsSaid) {
  testing::make_rich_tree(from);
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  const std::string index = repository + "/backups/" + done->info.id + ".index";
  const std::string whole = testing::read_text(index);
  for (const std::size_t at : {whole.size() / 4, whole.size() / 2}) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_text(index, changed);
    EXPECT_FALSE(verify().clean);
  }
  write_text(index, whole.substr(0, whole.size() - 3));
  const auto listing = BackupFolder::open(repository)->list();
  EXPECT_TRUE(listing->backups.empty());
  ASSERT_EQ(listing->damaged.size(), 1U);
  EXPECT_NE(listing->damaged.front().find(done->info.id), std::string::npos);
}

TEST_F(BackupTest, ACopyOfTheFolderIsTheBackup) {
  testing::make_rich_tree(from);
  ASSERT_TRUE(back_up());
  std::filesystem::copy(repository, scratch / "copy", std::filesystem::copy_options::recursive);
  std::filesystem::remove(scratch / "copy/lock");
  repository = scratch / "copy";
  EXPECT_TRUE(verify().clean);
  expect_restored(list().back(), facts_of(from));
}

TEST_F(BackupTest, AFolderWithOtherThingsIsLeftAlone) {
  write_text(from + "/file", "x");
  std::filesystem::create_directory(repository);
  write_text(repository + "/diary", "mine");
  const auto done = back_up();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kConflict) << done.error().text;
  EXPECT_NE(done.error().text.find("diary"), std::string::npos);
  const auto opened = BackupFolder::open(from);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kInvalid);
}

TEST_F(BackupTest, AFolderThatWasHalfMadeIsMadeAnew) {
  write_text(from + "/file", "x");
  for (const char* part : {"/packs", "/tmp"})
    std::filesystem::create_directories(repository + part);
  EXPECT_EQ(BackupFolder::open(repository).error().code, Code::kInvalid);  // it is not one yet
  ASSERT_TRUE(back_up());
  EXPECT_TRUE(verify().clean);
}

TEST_F(BackupTest, AFolderWithOtherThingsUnderOurNamesIsLeftAlone) {
  write_text(from + "/file", "x");
  std::filesystem::create_directories(repository + "/backups");
  write_text(repository + "/backups/diary", "mine");
  const auto done = back_up();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kConflict) << done.error().text;
}

TEST_F(BackupTest, OnlyOneWritesAtATime) {
  const auto first = BackupFolder::prepare(repository);
  ASSERT_TRUE(first);
  const auto second = BackupFolder::prepare(repository);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_FALSE(BackupFolder::open(repository));
}

TEST_F(BackupTest, WhatNoBackupNeedsIsRemoved) {
  write_text(from + "/one", noise(2 * kMega, 1));
  ASSERT_TRUE(back_up());
  std::filesystem::remove(from + "/one");
  write_text(from + "/two", noise(2 * kMega, 2));
  ASSERT_TRUE(back_up());
  {
    const auto folder = BackupFolder::prepare(repository);
    ASSERT_TRUE(folder->remove(folder->list()->backups.front()));
  }
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(done->notes.size(), 1U);
  EXPECT_EQ(testing::entries_in(repository + "/packs"), 1U);
  EXPECT_TRUE(verify().clean);
}

TEST_F(BackupTest, SeveralVolumesShareOneFolder) {
  const std::string content = noise(2 * kMega, 1);
  write_text(from + "/file", content);
  ASSERT_TRUE(back_up());
  volume.id = std::string(32, 'b');
  volume.name = VolumeName::parse("other").value();
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_FALSE(done->info.incremental);
  EXPECT_LT(done->info.stored, kMega);
  EXPECT_EQ(list().size(), 2U);
}

}  // namespace
}  // namespace fairlead::volume
