// How backups are stored: older folders, encrypted folders, what an interrupted writer left, and
// stages that fail.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/file.h>

#include <cstdlib>

#include "base/hash.h"
#include "base/host.h"
#include "tests/support/paths.h"
#include "tests/volume/spec.h"
#include "tests/volume/tree_facts.h"
#include "volume/kernel/folder.h"
#include "volume/kernel/process_id.h"
#include "volume/kernel/remove_tree.h"
#include "volume/service/backup.h"
#include "volume/service/chunk_stream.h"
#include "volume/service/local_storage.h"
#include "volume/service/parallel.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using testing::facts_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::noise;
using testing::read_text;
using testing::Scratch;
using testing::write_text;

constexpr std::size_t kMega = 1 << 20;
constexpr const char* kOldFolder = "tests/volume/service/old_backup";  // below the sources

struct BackupEngineTest : ::testing::Test {
  Scratch scratch;
  std::string from = scratch / "from";
  BackupPlace place = BackupPlace(scratch / "backup");
  Volume volume;
  long long now = 1'767'225'600;

  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directory(from);
    volume.id = std::string(32, 'a');
    volume.name = VolumeName::parse("shop").value();
    volume.backend = "dir";
  }
  Result<BackupResult> back_up(const Progress& progress = {}) {
    TRY(const auto folder, BackupFolder::prepare(place));
    TRY(const auto data, Folder::open(from));
    return run_backup(folder,
                      {.volume = volume,
                       .data = data.fd(),
                       .started = {.seconds = unix_time() + 5},
                       .created = now++},
                      progress);
  }
  Result<BackupFolder::Listing> list() {
    TRY(const auto folder, BackupFolder::open(place));
    return folder.list();
  }
  Result<CheckReport> verify() {
    TRY(const auto folder, BackupFolder::open(place));
    TRY(const auto listing, folder.list());
    return run_verify(folder, listing.backups, {});
  }
  Status restore(const BackupSummary& backup, const std::string& to) {
    std::filesystem::create_directory(to);
    TRY(const auto folder, BackupFolder::open(place));
    TRY(const auto data, Folder::open(to));
    TreeWriter writer(data.fd(), Origin::kOwn, {});
    return run_restore(folder, backup, writer, {});
  }
  std::vector<std::string> packs() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(place.folder + "/packs"))
      names.push_back(entry.path());
    return names;
  }
  void write_secret(const std::string& path, const std::string& text) {
    write_text(path, text);
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  }
};

// ---- folders of the first format

struct OldFolderTest : BackupEngineTest {
  void SetUp() override {
    BackupEngineTest::SetUp();
    std::filesystem::copy(fairlead::testing::source_path(kOldFolder), place.folder,
                          std::filesystem::copy_options::recursive);
  }
};

TEST_F(OldFolderTest, IsReadVerifiedAndRestored) {
  const auto backups = list()->backups;
  ASSERT_EQ(backups.size(), 2U);
  EXPECT_EQ(backups[0].format, kLinesFormat);
  EXPECT_EQ(backups[0].info.volume, "shop");
  EXPECT_TRUE(backups[1].info.incremental);
  const auto report = verify();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_TRUE(report->clean) << fmt::format("{}", fmt::join(report->findings, "\n"));
  const std::string first = scratch / "first", second = scratch / "second";
  ASSERT_TRUE(restore(backups[0], first));
  ASSERT_TRUE(restore(backups[1], second));
  EXPECT_EQ(read_text(second + "/a/text"), "hello, old one\n");
  EXPECT_EQ(read_text(second + "/a/later"), "changed later\n");
  EXPECT_EQ(to_hex(sha256(read_text(second + "/a/noise"))),
            "f604c66340382ba2df482225a0cdd2370ce54f7e47924095c3fd921444fb3593");
  EXPECT_EQ(to_hex(sha256(read_text(second + "/holes"))),
            "224aecff2c0af98c6504162c8e11aff292cdb6d7ded73f3878af8dcfaafb08ef");
  EXPECT_EQ(std::filesystem::read_symlink(second + "/a/b/link"), "../text");
  EXPECT_TRUE(std::filesystem::is_fifo(second + "/a-b/pipe"));
  EXPECT_FALSE(std::filesystem::exists(second + "/a/b/words"));
  EXPECT_EQ(std::filesystem::file_size(first + "/a/b/words"), 27'999U);
  struct stat info {};
  ASSERT_EQ(::stat((second + "/a/noise").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0711U);
  EXPECT_EQ(info.st_uid, 7U);
  EXPECT_EQ(info.st_mtim.tv_sec, 1'577'934'245);
  EXPECT_EQ(info.st_mtim.tv_nsec, 678'901'234);
  ASSERT_EQ(::stat((second + "/a/text").c_str(), &info), 0);
  EXPECT_EQ(info.st_nlink, 2U);
}

TEST_F(OldFolderTest, TakesNewBackupsThatUseItsChunks) {
  ASSERT_TRUE(restore(list()->backups[0], from));
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_EQ(packs().size(), 2U);  // no new one: all of it was there
  // The newest, although the clock says that the old ones are of the future.
  EXPECT_EQ(list()->backups.back().info.id, done->info.id);
  EXPECT_EQ(list()->backups.back().format, kRecordsFormat);
  EXPECT_TRUE(verify()->clean);
  ASSERT_TRUE(restore(list()->backups.back(), scratch / "to"));
  EXPECT_EQ(facts_of(scratch / "to"), facts_of(from));
}

// ---- encrypted folders

TEST_F(BackupEngineTest, AnEncryptedFolderComesBackWithItsKeyOnly) {
  testing::make_rich_tree(from);
  write_text(from + "/secret-name", std::string(5000, 's') + "the secret content");
  write_secret(scratch / "key", noise(64, 1));
  write_secret(scratch / "other", noise(64, 2));
  write_secret(scratch / "words", "correct horse\n");
  place.key_file = scratch / "key";
  ASSERT_TRUE(back_up());
  ASSERT_TRUE(back_up());
  EXPECT_TRUE(verify()->clean);
  const auto backups = list()->backups;
  ASSERT_EQ(backups.size(), 2U);
  ASSERT_TRUE(restore(backups[1], scratch / "to"));
  EXPECT_EQ(facts_of(scratch / "to"), facts_of(from));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(place.folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string text = read_text(entry.path());
    // Four bytes alone are found by chance in what is encrypted, once in thousands of runs.
    for (const char* word : {"secret", "\"shop\"", "\"dir\"", "ssssssss"})
      EXPECT_EQ(text.find(word), std::string::npos) << entry.path() << " " << word;
    EXPECT_EQ(entry.status().permissions() & std::filesystem::perms(077),
              std::filesystem::perms::none);
  }
  place.key_file = scratch / "other";
  EXPECT_THAT(list().error().text, HasSubstr("this is not their key file"));
  EXPECT_FALSE(back_up());
  place.key_file.clear();
  EXPECT_THAT(list().error().text, HasSubstr("encrypted: its key file is needed: --key-file"));
  EXPECT_EQ(back_up().error().code, Code::kInvalid);
  place.passphrase_file = scratch / "words";
  EXPECT_THAT(list().error().text, HasSubstr("its key file is needed"));
}

TEST_F(BackupEngineTest, APassphraseOpensToo) {
  write_text(from + "/file", noise(2 * kMega, 1));
  write_secret(scratch / "words", "correct horse\n");
  place.passphrase_file = scratch / "words";
  ASSERT_TRUE(back_up());
  EXPECT_TRUE(verify()->clean);
  place.passphrase_file.clear();
  EXPECT_THAT(list().error().text, HasSubstr("FAIRLEAD_BACKUP_PASSPHRASE"));
  ASSERT_EQ(::setenv("FAIRLEAD_BACKUP_PASSPHRASE", "correct horse", 1), 0);
  EXPECT_TRUE(list());
  ASSERT_EQ(::setenv("FAIRLEAD_BACKUP_PASSPHRASE", "wrong horse", 1), 0);
  EXPECT_THAT(list().error().text, HasSubstr("this is not their passphrase"));
  ASSERT_EQ(::unsetenv("FAIRLEAD_BACKUP_PASSPHRASE"), 0);
}

TEST_F(BackupEngineTest, SecretsThatOthersCanReadAreRefused) {
  write_text(from + "/file", "x");
  write_text(scratch / "key", noise(64, 1));
  ASSERT_EQ(::chmod((scratch / "key").c_str(), 0640), 0);
  place.key_file = scratch / "key";
  EXPECT_THAT(back_up().error().text, HasSubstr("nobody else may read"));
  write_secret(scratch / "key", "short");
  EXPECT_THAT(back_up().error().text, HasSubstr("32 random bytes at least, not 5"));
  place.passphrase_file = scratch / "key";
  EXPECT_THAT(back_up().error().text, HasSubstr("not both"));
  place.key_file.clear();
  write_secret(scratch / "key", "\n");
  EXPECT_THAT(back_up().error().text, HasSubstr("empty"));
  place.passphrase_file.clear();
  ASSERT_TRUE(back_up());  // plain
  write_secret(scratch / "key", noise(64, 1));
  place.key_file = scratch / "key";
  EXPECT_THAT(back_up().error().text, HasSubstr("are not encrypted"));
}

TEST_F(BackupEngineTest, TheSameContentHasOtherNamesInAnotherEncryptedFolder) {
  write_text(from + "/file", "known content");
  write_secret(scratch / "key", noise(64, 1));
  place.key_file = scratch / "key";
  ASSERT_TRUE(back_up());
  const auto chunk_name = [&] {
    const auto folder = BackupFolder::open(place);
    auto index = folder->read_index(folder->list()->backups.front());
    for (;;) {
      const auto entry = index->next().value();
      if (!entry) return Digest{};
      if (!entry->chunks.empty()) return entry->chunks.front().digest;
    }
  };
  const Digest first = chunk_name();
  EXPECT_NE(first, sha256("known content"));
  place.folder = scratch / "another";
  ASSERT_TRUE(back_up());
  EXPECT_NE(chunk_name(), first);
}

TEST_F(BackupEngineTest, ChangedBitsOfAnEncryptedFolderAreFound) {
  write_text(from + "/file", noise(kMega, 1));
  write_secret(scratch / "key", noise(64, 1));
  place.key_file = scratch / "key";
  ASSERT_TRUE(back_up());
  const auto backup = list()->backups.front();
  {
    std::fstream file(packs().front());
    file.seekp(5000);
    file << '!';
  }
  EXPECT_FALSE(verify()->clean);
  EXPECT_THAT(restore(backup, scratch / "to").error().text, HasSubstr("\"file\""));
  const std::string index = place.folder + "/" + index_name(backup.info.id);
  std::string text = read_text(index);
  text[text.size() - 30] = static_cast<char>(text[text.size() - 30] ^ 1);
  write_text(index, text);
  EXPECT_TRUE(list()->backups.empty());
  EXPECT_EQ(list()->damaged.size(), 1U);
}

// ---- what an interrupted writer left

// A power cut may leave a pack under its name with zeros in it, for its bytes were not flushed yet.
TEST_F(BackupEngineTest, APackThatNoBackupNamesIsReadBeforeItIsTrusted) {
  write_text(from + "/file", noise(2 * kMega, 1));
  ASSERT_TRUE(back_up());
  ASSERT_EQ(packs().size(), 1U);
  const std::string pack = packs().front();
  std::filesystem::remove(place.folder + "/" + index_name(list()->backups.front().info.id));
  std::string text = read_text(pack);
  std::fill_n(text.begin() + 4096, 65536, '\0');
  write_text(pack, text);
  const auto done = back_up();
  ASSERT_TRUE(done) << done.error().text;
  EXPECT_GT(done->info.stored, 2 * kMega);
  EXPECT_TRUE(verify()->clean);
  ASSERT_TRUE(restore(list()->backups.front(), scratch / "to"));
  EXPECT_EQ(facts_of(scratch / "to"), facts_of(from));
}

TEST_F(BackupEngineTest, AWholePackThatNoBackupNamesIsUsed) {
  write_text(from + "/file", noise(2 * kMega, 1));
  ASSERT_TRUE(back_up());
  std::filesystem::remove(place.folder + "/" + index_name(list()->backups.front().info.id));
  const auto done = back_up();
  ASSERT_TRUE(done);
  EXPECT_LT(done->info.stored, 10'000U);
  EXPECT_TRUE(verify()->clean);
}

TEST_F(BackupEngineTest, AFolderThatWasKilledWhileItWasMarkedIsMadeAnew) {
  write_text(from + "/file", "x");
  std::filesystem::create_directories(place.folder + "/tmp");
  write_text(place.folder + "/tmp/" + random_hex(32), "{\"form");
  ASSERT_TRUE(back_up());
  EXPECT_EQ(testing::entries_in(place.folder + "/tmp"), 0U);
}

TEST_F(BackupEngineTest, WhoIsRefusedHearsWhoHasTheFolder) {
  const std::string who =
      fmt::format("in use by prune on {} (process {}, since ", host_name(), ::getpid());
  {
    const auto writer = BackupFolder::prepare(place, "prune");
    ASSERT_TRUE(writer);
    EXPECT_THAT(BackupFolder::open(place).error().text, HasSubstr(who));
    EXPECT_THAT(BackupFolder::prepare(place).error().text, HasSubstr(who));
  }
  {  // what an older version wrote
    write_text(place.folder + "/lock", R"({"verb":"backup","pid":7,"since":1})");
    const UniqueFd held(::open((place.folder + "/lock").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::flock(held.get(), LOCK_EX), 0);
    EXPECT_THAT(BackupFolder::open(place).error().text,
                HasSubstr("in use by backup (process 7, since "));
  }
  const auto reader = BackupFolder::open(place);
  ASSERT_TRUE(reader) << reader.error().text;
  EXPECT_THAT(BackupFolder::prepare(place).error().text,
              HasSubstr("in use by a restore, a verify or a list"));
}

// ---- stages that fail

// A storage whose files cannot grow beyond some bytes, as on a full disk.
class SmallStorage : public BackupStorage {
 public:
  SmallStorage(std::unique_ptr<BackupStorage> inner, std::uint64_t room)
      : inner_(std::move(inner)), room_(room) {}
  std::string name() const override { return inner_->name(); }
  Result<std::unique_ptr<Lock>> lock(Use use, const std::string& verb) override {
    return inner_->lock(use, verb);
  }
  Result<std::vector<BackupFile>> list(const std::string& folder) override {
    return inner_->list(folder);
  }
  Result<std::unique_ptr<BackupReader>> open(const std::string& name) override {
    return inner_->open(name);
  }
  Status prepare() override { return inner_->prepare(); }
  Result<std::unique_ptr<BackupWriter>> create() override {
    TRY(auto writer, inner_->create());
    return std::make_unique<SmallWriter>(std::move(writer), room_);
  }
  Status remove(const std::string& name) override { return inner_->remove(name); }
  Status sync() override { return inner_->sync(); }

 private:
  class SmallWriter : public BackupWriter {
   public:
    SmallWriter(std::unique_ptr<BackupWriter> inner, std::uint64_t& room)
        : inner_(std::move(inner)), room_(room) {}
    Status append(std::string_view bytes) override {
      if (bytes.size() > room_) return fail(Code::kExhausted, "no space is left");
      room_ -= bytes.size();
      return inner_->append(bytes);
    }
    Status publish(const std::string& name) override { return inner_->publish(name); }

   private:
    std::unique_ptr<BackupWriter> inner_;
    std::uint64_t& room_;
  };
  std::unique_ptr<BackupStorage> inner_;
  std::uint64_t room_;
};

// With the whole path in memory for each folder this takes gigabytes. What no program can name is
// kept nevertheless, except for further names of a file there.
TEST_F(BackupEngineTest, AnyDepthIsBackedUpAndRestored) {
  testing::make_deep_file(from, "far down", testing::kVeryDeepLevels);
  write_text(from + "/z", "behind it");
  const std::string first(250, 'd'), to = scratch / "to";
  testing::set_mtime(from + "/" + first, 1'234'567'890, 5);
  ASSERT_TRUE(back_up());
  const auto again = back_up();
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->info.left_out.count, 1U);
  EXPECT_THAT(again->info.left_out.notes, ElementsAre(HasSubstr("is a hard link to a file whose")));
  EXPECT_TRUE(verify()->clean);
  const auto restored = restore(list()->backups.back(), to);
  ASSERT_TRUE(restored) << restored.error().text;
  const auto bottom = testing::deep_folder(to, testing::kVeryDeepLevels);
  ASSERT_TRUE(bottom);
  UniqueFd file;
  ASSERT_TRUE(read_entry(bottom.get(), "file", file));
  EXPECT_EQ(read_range(file.get(), 0, 64).value(), "far down");
  EXPECT_EQ(read_text(to + "/z"), "behind it");
  struct stat top {};
  ASSERT_EQ(::stat((to + "/" + first).c_str(), &top), 0);
  EXPECT_EQ(top.st_mtim.tv_sec, 1'234'567'890);
  for (const std::string& folder : {from, to})
    EXPECT_TRUE(remove_tree(*Folder::open(folder), first));
}

TEST_F(BackupEngineTest, AFullDiskEndsAllStagesAndWhatWasPublishedStays) {
  std::shared_ptr<BackupStorage> storage =
      std::make_unique<SmallStorage>(make_local_storage(place.folder), 40 * kMega);
  const auto lock = storage->lock(BackupStorage::Use::kWrite, "test");
  ASSERT_TRUE(lock);
  ASSERT_TRUE(storage->prepare());
  {
    auto store = ChunkStore::open({storage, nullptr}).value();
    Status put;
    for (unsigned k = 0; k < 200 && put; ++k) {
      const std::string bytes = noise(kMega, k + 1);
      put = store.put(sha256(bytes), bytes);
    }
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::kExhausted);
    EXPECT_FALSE(store.flush());
  }
  EXPECT_EQ(packs().size(), 2U);
  EXPECT_EQ(testing::entries_in(place.folder + "/tmp"), 0U);
  const auto again = ChunkStore::open({storage, nullptr}).value();
  EXPECT_THAT(again.damaged(), IsEmpty());
  EXPECT_EQ(again.get(sha256(noise(kMega, 1))).value(), noise(kMega, 1));
}

// ---- reading ahead

TEST_F(BackupEngineTest, ChunksComeInTheOrderInWhichTheyWereAskedFor) {
  std::shared_ptr<BackupStorage> storage = make_local_storage(place.folder);
  const auto lock = storage->lock(BackupStorage::Use::kWrite, "test");
  ASSERT_TRUE(storage->prepare());
  auto store = ChunkStore::open({storage, nullptr}).value();
  std::vector<std::string> texts;
  for (unsigned k = 0; k < 3000; ++k)
    texts.push_back(k % 100 == 7 ? noise(kMega, k) : fmt::format("chunk {}", k));
  for (const std::string& text : texts) ASSERT_TRUE(store.put(sha256(text), text));
  ASSERT_TRUE(store.flush());
  ChunkStream stream(store);
  const auto ask = [&](const std::string& text) {
    stream.ask(
        {.offset = 0, .length = static_cast<std::uint32_t>(text.size()), .digest = sha256(text)});
  };
  std::size_t asked = 0;
  for (std::size_t k = 0; k < texts.size(); ++k) {
    while (asked < texts.size() && asked < k + 50) ask(texts[asked++]);
    EXPECT_EQ(stream.next().value(), texts[k]) << k;
  }
  EXPECT_EQ(stream.pending(), 0U);
  ask("never stored");
  stream.ask({.offset = 0, .length = 5, .digest = sha256(texts[0])});  // it has another length
  ask(texts[1]);
  EXPECT_FALSE(stream.next());
  EXPECT_FALSE(stream.next());
  EXPECT_EQ(stream.next().value(), texts[1]);
  ask(texts[2]);  // ends while it is on its way
}

TEST(ParallelTest, EachIsDoneOnceUntilOneSaysStop) {
  std::vector<int> done(1000);
  in_parallel(done.size(), 4, [&](std::size_t k) { return ++done[k] == 1; });
  EXPECT_THAT(done, ::testing::Each(1));
  std::atomic<int> count = 0;
  in_parallel(1'000'000, 4, [&](std::size_t) { return ++count < 10; });
  EXPECT_LT(count, 100);
  EXPECT_THROW(in_parallel(10, 4,
                           [](std::size_t k) -> bool {
                             return k == 5 ? throw std::runtime_error("x") : true;
                           }),
               std::runtime_error);
}

TEST(ChunkTableTest, FindsWhatWasAdded) {
  ChunkTable table;
  const auto digest = [](std::uint32_t k) { return sha256(std::to_string(k)); };
  for (std::uint32_t k = 0; k < 20'000; ++k)
    ASSERT_TRUE(table.add(digest(k), {.pack = k, .offset = 1}));
  EXPECT_FALSE(table.add(digest(7), {.pack = 9}));
  table.move(digest(8), {.pack = 99});
  EXPECT_EQ(table.size(), 20'000U);
  for (std::uint32_t k = 0; k < 20'000; ++k)
    ASSERT_EQ(table.find(digest(k))->pack, k == 8 ? 99U : k) << k;
  EXPECT_EQ(table.find(digest(20'000)), nullptr);
}

}  // namespace
}  // namespace fairlead::volume
