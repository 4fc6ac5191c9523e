// Backups that go, what they free, and what damage is mended: over plain folders.
#include "volume/service/backup_prune.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/host.h"
#include "tests/volume/spec.h"
#include "tests/volume/tree_facts.h"
#include "volume/service/backup.h"
#include "volume/service/backup_repair.h"

namespace fairlead::volume {
namespace {

using ::testing::ElementsAre;
using testing::facts_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::noise;
using testing::Scratch;
using ::testing::SizeIs;
using testing::write_text;

constexpr std::size_t kMega = 1 << 20;

struct BackupPruneTest : ::testing::Test {
  Scratch scratch;
  std::string from = scratch / "from", repository = scratch / "backup";
  Volume volume;
  long long now = 1'767'225'600;
  unsigned seed = 0;

  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directory(from);
    volume.id = std::string(32, 'a');
    volume.name = VolumeName::parse("shop").value();
    volume.backend = "dir";
  }
  // A backup after `change`; its id.
  std::string back_up(const std::map<std::string, std::string>& files = {}) {
    for (const auto& [name, text] : files) write_text(from + "/" + name, text);
    const auto folder = BackupFolder::prepare(repository);
    const auto data = Folder::open(from);
    const auto made = run_backup(*folder,
                                 {.volume = volume,
                                  .data = data->fd(),
                                  .started = {.seconds = unix_time() + 5},
                                  .created = now++},
                                 {});
    EXPECT_TRUE(made) << made.error().text;
    facts[made->info.id] = facts_of(from);
    return made->info.id;
  }
  std::string mega() { return noise(kMega, ++seed); }

  Result<PruneReport> remove(const std::vector<std::string>& ids, const PruneOptions& how = {}) {
    TRY(const auto folder,
        how.dry_run ? BackupFolder::open(repository) : BackupFolder::prepare(repository));
    TRY(const auto listing, folder.list());
    TRY(const auto removal, find_backups(folder, listing, ids));
    return run_prune(folder, listing, removal, how, {});
  }
  std::vector<std::string> ids() {
    std::vector<std::string> found;
    const auto listing = BackupFolder::open(repository)->list();
    for (const BackupSummary& one : listing->backups) found.push_back(one.info.id);
    return found;
  }
  std::set<std::string> packs() {
    std::set<std::string> found;
    for (const auto& pack : std::filesystem::directory_iterator(repository + "/packs"))
      found.insert(pack.path().string());
    return found;
  }
  std::uintmax_t size_of_packs() {
    std::uintmax_t bytes = 0;
    for (const std::string& pack : packs()) bytes += std::filesystem::file_size(pack);
    return bytes;
  }
  // Each backup restores to what it was, verify finds nothing, no pack is nobody's.
  void expect_whole() {
    const auto folder = BackupFolder::open(repository);
    const auto listing = folder->list();
    ASSERT_THAT(listing->damaged, IsEmpty());
    const auto verified = run_verify(*folder, listing->backups, {});
    EXPECT_TRUE(verified->clean) << verified->findings.front();
    std::set<Digest> listed;
    for (const BackupSummary& one : listing->backups) {
      listed.insert(one.packs.begin(), one.packs.end());
      const Scratch to;
      const auto data = Folder::open(to.path());
      TreeWriter writer(data->fd(), Origin::kOwn, {});
      const auto restored = run_restore(*folder, one, writer, {});
      ASSERT_TRUE(restored) << restored.error().text;
      EXPECT_EQ(facts_of(to.path()), facts[one.info.id]) << one.info.id;
    }
    EXPECT_EQ(listed.size(), packs().size());
  }
  Result<RepairReport> repair(bool with_volume = true) {
    TRY(const auto folder, BackupFolder::prepare(repository));
    std::optional<Folder> data;
    return run_repair(folder,
                      [&](const BackupSummary&) -> Result<int> {
                        if (!with_volume) return fail(Code::kNotFound, "it is gone");
                        TRY(data, Folder::open(from));
                        return data->fd();
                      },
                      {});
  }
  CheckReport verify() {
    const auto folder = BackupFolder::open(repository);
    return run_verify(*folder, folder->list()->backups, {}).value();
  }
  static void flip(const std::string& file, std::streamoff at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(at);
    const int byte = stream.get();
    stream.seekp(at);
    stream.put(static_cast<char>(byte ^ 0xff));
  }

  std::map<std::string, std::map<std::string, std::string>> facts;
};

TEST_F(BackupPruneTest, WhatARemovedBackupAloneHadIsFree) {
  const auto first = back_up({{"a", mega()}, {"b", mega()}});
  const auto second = back_up({{"a", mega()}, {"b", mega()}});
  const auto report = remove({first});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_GT(report->freed, 2 * kMega);
  ASSERT_THAT(report->removed, SizeIs(1));
  EXPECT_EQ(report->removed[0].id, first);
  EXPECT_THAT(ids(), ElementsAre(second));
  EXPECT_LT(size_of_packs(), 3 * kMega);
  expect_whole();
}

TEST_F(BackupPruneTest, WhatAnotherBackupNeedsStays) {
  const auto first = back_up({{"a", mega()}});
  const auto second = back_up({{"b", mega()}});
  ASSERT_TRUE(remove({first}));
  EXPECT_THAT(ids(), ElementsAre(second));
  expect_whole();
  ASSERT_TRUE(remove({second}));
  EXPECT_THAT(packs(), IsEmpty());
  back_up();
  expect_whole();
}

TEST_F(BackupPruneTest, APackThatIsMostlyDeadIsPackedAnew) {
  const auto first = back_up({{"a", mega()}, {"b", mega()}, {"c", mega()}, {"keep", mega()}});
  back_up({{"a", mega()}, {"b", mega()}, {"c", mega()}});
  back_up({{"d", mega()}});
  const auto before = packs();
  const auto dry = remove({first}, {.dry_run = true});
  EXPECT_EQ(packs(), before);
  EXPECT_THAT(ids(), SizeIs(3));
  const auto report = remove({first});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->notes, IsEmpty());
  EXPECT_LT(size_of_packs(), 5 * kMega + kMega / 2);  // keep, a, b, c, d
  EXPECT_GT(report->freed, 3 * kMega - 10'000);
  EXPECT_NEAR(static_cast<double>(dry->freed), static_cast<double>(report->freed), 10'000);
  expect_whole();
}

TEST_F(BackupPruneTest, BeginningsOfIdsWillDo) {
  const auto first = back_up({{"a", "1"}}), second = back_up({{"a", "2"}});
  const auto several = remove({first.substr(0, 4)});
  EXPECT_EQ(several.error().code, Code::kNotFound);
  EXPECT_THAT(several.error().text, HasSubstr("more than one"));
  const auto unknown = remove({first, "1999"});
  EXPECT_THAT(unknown.error().text, HasSubstr(second));  // the newest are named
  EXPECT_FALSE(remove({""}));
  EXPECT_THAT(ids(), SizeIs(2));
  ASSERT_TRUE(remove({first.substr(0, first.size() - 2)}));
  EXPECT_THAT(ids(), ElementsAre(second));
}

TEST_F(BackupPruneTest, NothingGoesWhileAnIndexCannotBeRead) {
  const auto first = back_up({{"a", mega()}}), second = back_up({{"a", mega()}}),
             third = back_up({{"a", mega()}});
  const std::string index = repository + "/backups/" + second + ".index";
  flip(index, static_cast<std::streamoff>(std::filesystem::file_size(index)) - 30);
  const auto before = packs();
  const auto refused = remove({first});
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text, HasSubstr(second));
  EXPECT_EQ(packs(), before);
  EXPECT_THAT(ids(), ElementsAre(first, third));
  ASSERT_TRUE(remove({first}, {.force = true}));
  EXPECT_THAT(ids(), ElementsAre(third));
  ASSERT_TRUE(remove({second}));  // the unreadable one, by its whole id
  EXPECT_FALSE(std::filesystem::exists(index));
  expect_whole();
}

// Its summary still says which packs it needs, and perhaps it can be saved.
TEST_F(BackupPruneTest, PacksOfABackupWithADamagedIndexAreLeftAlone) {
  std::map<std::string, std::string> many;
  for (int k = 0; k < 50; ++k) many[fmt::format("file{}", k)] = mega().substr(0, 1000);
  const auto first = back_up({{"a", mega()}, {"b", mega()}, {"c", mega()}});
  many["a"] = mega();
  many["b"] = mega();
  const auto second = back_up(many);
  const auto third = back_up({{"c", mega()}});
  const auto before = packs();
  flip(repository + "/backups/" + second + ".index", 200);
  ASSERT_TRUE(remove({first}));
  EXPECT_EQ(packs(), before);
}

// Stored again in another pack after the first was lost: the older backup still lists the first.
TEST_F(BackupPruneTest, ABackupKeepsWhatANewerOneStoredAgainForIt) {
  const auto first = back_up({{"a", mega()}});
  std::filesystem::remove(*packs().begin());
  const auto second = back_up({{"b", mega()}});
  ASSERT_TRUE(remove({second}));
  EXPECT_THAT(ids(), ElementsAre(first));
  expect_whole();
}

TEST_F(BackupPruneTest, TheNewestOfEachVolumeStays) {
  std::vector<std::string> first;
  for (int k = 0; k < 3; ++k) first.push_back(back_up());
  volume.name = VolumeName::parse("other").value();
  volume.id = std::string(32, 'b');
  const auto other = back_up();
  const auto listing = BackupFolder::open(repository)->list();
  const auto gone = [&](const Retention& keep) {
    std::vector<std::string> found;
    for (const auto& one : plan_removal(listing->backups, keep, now).backups)
      found.push_back(one.info.id);
    return found;
  };
  EXPECT_THAT(gone({}), ElementsAre(first[0], first[1]));
  EXPECT_THAT(gone({.last = 2}), ElementsAre(first[0]));
  EXPECT_THAT(gone({.last = 0, .periods = {.yearly = 1}}), ElementsAre(first[0], first[1]));
  EXPECT_THAT(gone({.last = 9}), IsEmpty());
}

TEST_F(BackupPruneTest, BackupsFromTheFutureNeitherCountNorGo) {
  const auto first = back_up(), second = back_up();
  now += 86400;
  back_up();
  const auto listing = BackupFolder::open(repository)->list();
  const auto plan = plan_removal(listing->backups, {.last = 1}, now - 86400);
  ASSERT_THAT(plan.backups, SizeIs(1));
  EXPECT_EQ(plan.backups[0].info.id, first);
}

TEST_F(BackupPruneTest, DamageIsMendedFromTheVolume) {
  back_up({{"a", mega()}, {"b", mega()}});
  back_up({{"c", mega()}});
  for (const std::string& pack : packs()) flip(pack, 100'000);
  EXPECT_FALSE(verify().clean);
  const auto report = repair();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->findings, IsEmpty());
  EXPECT_THAT(report->healed, ::testing::Contains(HasSubstr("taken from volume \"shop\"")));
  expect_whole();
  const auto again = repair();
  EXPECT_THAT(again->healed, IsEmpty());
  EXPECT_THAT(again->findings, IsEmpty());
}

// The mended pack has the bytes, and so the name, of the one that was damaged.
TEST_F(BackupPruneTest, APackThatIsMendedAsAWholeStays) {
  back_up({{"a", mega()}});
  flip(*packs().begin(), 100'000);
  const auto report = repair();
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->findings, IsEmpty());
  expect_whole();
}

TEST_F(BackupPruneTest, WhatALaterBackupStoredAgainIsListedInTheOlderOne) {
  back_up({{"a", mega()}});
  std::filesystem::remove(*packs().begin());
  back_up({{"b", mega()}});
  EXPECT_FALSE(verify().clean);  // the pack that is gone is listed still
  EXPECT_THAT(repair(false)->findings, IsEmpty());
  expect_whole();
}

// Of a small pack the list is the largest part.
TEST_F(BackupPruneTest, ASmallPackIsNotTakenForADeadOne) {
  back_up({{"a", "1"}});
  back_up({{"b", "2"}});
  const auto before = packs();
  ASSERT_TRUE(remove({}));
  EXPECT_EQ(packs(), before);
  expect_whole();
}

TEST_F(BackupPruneTest, WhatIsGoodInADamagedPackIsKeptAndTheRestIsNamed) {
  back_up({{"a", mega()}, {"b", mega()}, {"c", mega()}});
  flip(*packs().begin(), 1000);
  const auto report = repair(false);
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_THAT(report->findings, ElementsAre(HasSubstr("1 of 1 chunks are lost")));
  EXPECT_THAT(report->healed, ElementsAre(HasSubstr("2 chunks that are good are packed anew")));
  EXPECT_THAT(verify().findings, SizeIs(1));
  EXPECT_LT(size_of_packs(), 2 * kMega + 10'000);
  // The next backup stores what is lost, and then a repair lists it in the old one too.
  back_up();
  EXPECT_THAT(repair(false)->findings, IsEmpty());
}

// Only what has the digest of the backup is taken.
TEST_F(BackupPruneTest, AVolumeThatHasChangedMendsWhatIsStillTheSame) {
  const auto old = mega();
  const auto id = back_up({{"a", old}, {"b", mega()}});
  for (const std::string& pack : packs()) std::filesystem::remove(pack);
  write_text(from + "/b", mega());
  std::filesystem::remove(from + "/a");
  std::filesystem::create_symlink("b", from + "/a");
  auto report = repair();
  EXPECT_THAT(report->findings, SizeIs(2));
  std::filesystem::remove(from + "/a");
  write_text(from + "/a", old);
  report = repair();
  EXPECT_THAT(report->findings, ElementsAre(HasSubstr("\"b\"")));
  EXPECT_THAT(verify().findings, ::testing::Not(IsEmpty()));
}

TEST_F(BackupPruneTest, AFolderWithoutABackupIsNotRepaired) {
  ASSERT_TRUE(BackupFolder::prepare(repository));
  EXPECT_EQ(repair().error().code, Code::kNotFound);
}

// What a backup that failed on a full disk had stored so far.
TEST_F(BackupPruneTest, PacksOfABackupThatFailedAreFreed) {
  const auto first = back_up({{"a", mega()}});
  {
    const auto folder = BackupFolder::prepare(repository);
    auto store = folder->chunks();
    const std::string lost = mega();
    ASSERT_TRUE(store->put(sha256(lost), lost));
    ASSERT_TRUE(store->flush());
  }
  EXPECT_THAT(packs(), SizeIs(2));
  const auto report = remove({});
  ASSERT_TRUE(report) << report.error().text;
  EXPECT_GT(report->freed, kMega);
  EXPECT_THAT(ids(), ElementsAre(first));
  expect_whole();
}

}  // namespace
}  // namespace fairlead::volume
