// SIGKILL at every fault point of the archives' verbs: the same call again succeeds, no half volume
// is seen, and the backup folder is whole.
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/process.h"
#include "tests/volume/loop_disk.h"
#include "tests/volume/service/archive_world.h"
#include "tests/volume/service/crash_process.h"
#include "tests/volume/sftp_server.h"
#include "volume/service/backup_folder.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Scratch;
using testing::Where;

using testing::kKilled;

int run_child(const std::string& folder, const std::string& verb, const std::string& fault = {}) {
  return testing::run_program({ARCHIVE_CRASH_CHILD, folder, verb}, fault);
}

struct Case {
  std::string verb;
  std::vector<std::string> before;
  std::string more = {};  // in the name
};

void PrintTo(const Case& row, std::ostream* out) { *out << row.verb << row.more; }

std::string name_of(const ::testing::TestParamInfo<Case>& row) {
  std::string name = row.param.verb + row.param.more;
  std::ranges::replace(name, '-', '_');
  return name;
}

class ArchiveCrashTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    if (GetParam().verb.ends_with("far") && !testing::has_sftp_server())
      GTEST_SKIP() << "openssh-sftp-server is not installed";
  }
  // Each point once: the passages of one point differ in the entry only.
  std::set<std::string> points() {
    for (const std::string& verb : GetParam().before)
      EXPECT_EQ(run_child(folder.path(), verb), 0) << verb;
    folder.keep();
    const std::string list = folder.path() + "/points";
    EXPECT_EQ(run_child(folder.path(), GetParam().verb, "list:" + list), 0);
    std::set<std::string> found;
    for (const std::string& point : testing::read_points(list))
      found.insert(point.substr(0, point.rfind(':')));
    EXPECT_FALSE(found.empty());
    return found;
  }
  void die_at(const std::string& point) {
    folder.bring_back();
    ASSERT_EQ(run_child(folder.path(), GetParam().verb, point), kKilled);
  }
  bool is_made() const { return ArchiveWorld(folder.path()).service->inspect("copy").has_value(); }
  static bool makes_a_volume() {
    return GetParam().verb == "import" || GetParam().verb.starts_with("restore");
  }

  void check() const {
    const std::string path = folder.path();
    ArchiveWorld world(path);
    const auto report = world.service->reconcile();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->failures.empty()) << report->failures.front();
    EXPECT_EQ(testing::entries_in(path + "/volumes/vol"), world.service->list()->size());
    EXPECT_EQ(testing::entries_in(path + "/volumes/tmp"), 0U);
    if (world.service->inspect("copy")) {
      EXPECT_EQ(world.facts("copy"), world.facts("shop"));
    }
    if (testing::is_there(path + "/backup/fairlead-backup.json")) {
      const auto verified = world.archives->verify(testing::backup_place(path), "", {});
      if (world.archives->backups(testing::backup_place(path))
              ->empty()) {  // killed before there was one
        ASSERT_FALSE(verified);
        EXPECT_EQ(verified.error().code, Code::kNotFound) << verified.error().text;
        return;
      }
      ASSERT_TRUE(verified) << verified.error().text;
      EXPECT_TRUE(verified->clean) << verified->findings.front();
    }
  }

  Scratch scratch{Where::kMemory};
  testing::CrashFolder folder{scratch.path()};
};

TEST_P(ArchiveCrashTest, TheSameCallAgainSucceedsAndSoDoesAReconcileFirst) {
  for (const std::string& point : points()) {
    SCOPED_TRACE(point);
    die_at(point);
    const int again = run_child(folder.path(), GetParam().verb);
    EXPECT_TRUE(again == 0 || (again == 1 && makes_a_volume()));
    check();
    EXPECT_EQ(is_made(), makes_a_volume());
    die_at(point);
    check();
    const bool was_done = makes_a_volume() && is_made();
    EXPECT_EQ(run_child(folder.path(), GetParam().verb), was_done ? 1 : 0);
    check();
    EXPECT_EQ(is_made(), makes_a_volume());
  }
}

INSTANTIATE_TEST_SUITE_P(Verbs, ArchiveCrashTest,
                         ::testing::Values(Case{"export", {"fill"}},
                                           Case{"import", {"fill", "export"}},
                                           Case{"backup", {"fill"}}, Case{"backup-far", {"fill"}},
                                           Case{"restore-far", {"fill", "backup-far"}},
                                           Case{"restore", {"fill", "backup"}},
                                           Case{"backup", {"seal", "fill"}, "-sealed"},
                                           Case{"restore", {"seal", "fill", "backup"}, "-sealed"}),
                         name_of);

// ---- backup folders kept in order

// Verbs that remove or mend something in a folder of backups.
class KeepingCrashTest : public ArchiveCrashTest {
 protected:
  // `done`: the newest backup has the content of now.
  static void expect_whole(const std::string& folder, bool done) {
    ArchiveWorld world(folder);
    const BackupPlace place = testing::backup_place(folder);
    const auto backups = world.archives->backups(place);
    ASSERT_TRUE(backups) << backups.error().text;
    for (const BackupInfo& one : *backups) {
      const auto restored = world.archives->restore(ArchiveWorld::spec("copy"), place, one.id, {});
      ASSERT_TRUE(restored) << restored.error().text;
      if (done && one.id == backups->back().id) {
        EXPECT_EQ(world.facts("copy"), world.facts("shop"));
      }
      ASSERT_TRUE(world.service->remove("copy"));
    }
  }
  static void expect_nothing_left(const std::string& folder) {
    const auto opened = BackupFolder::prepare(testing::backup_place(folder));
    ASSERT_TRUE(opened) << opened.error().text;
    std::set<Digest> listed;
    const auto listing = opened->list();
    for (const BackupSummary& one : listing->backups)
      listed.insert(one.packs.begin(), one.packs.end());
    EXPECT_EQ(testing::entries_in(folder + "/backup/packs"), listed.size());
    EXPECT_EQ(testing::entries_in(folder + "/backup/tmp"), 0U);
  }
  // What is damaged is no worse after a repair that was killed.
  static bool is_whole_meanwhile() { return GetParam().verb != "repair"; }
};

TEST_P(KeepingCrashTest, KilledAnywhereEveryBackupIsWholeAndTheNextCallFreesTheRest) {
  for (const std::string& point : points()) {
    SCOPED_TRACE(point);
    die_at(point);
    const bool has_backups = testing::is_there(folder.path() + "/backup/fairlead-backup.json");
    if (is_whole_meanwhile() && has_backups) expect_whole(folder.path(), false);
    ASSERT_EQ(run_child(folder.path(), GetParam().verb), 0);
    expect_whole(folder.path(), true);
    expect_nothing_left(folder.path());
    check();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Keeping, KeepingCrashTest,
    ::testing::Values(
        Case{"rm", {"fill", "backup", "replace", "backup"}},
        Case{"prune", {"fill", "backup", "replace", "backup", "backup"}},
        Case{"keep", {"fill", "backup", "replace"}},
        Case{"repair", {"fill", "backup", "change", "backup", "damage"}},
        Case{"rm", {"fill", "backup", "replace-all", "backup"}, "-all"},
        Case{"free", {"fill", "backup", "lose", "change", "backup"}},
        Case{"keep-far", {"fill", "backup", "replace"}},
        Case{"prune", {"seal", "fill", "backup", "replace", "backup", "backup"}, "-sealed"},
        Case{"plan", {"fill-plan"}}),
    name_of);

// Where blocks can be shared the content of now is read from a snapshot, also while it is in use.
TEST(ArchiveSourceTest, ASnapshotThatAKilledExportLeftGoesWithTheNext) {
  const testing::LoopDisk disk("xfs");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  ASSERT_EQ(run_child(disk.path(), "fill-image"), 0);
  ArchiveWorld world(disk.path());
  ASSERT_TRUE(world.service->mount("shop", "test", "user"));
  ASSERT_EQ(run_child(disk.path(), "export", "archive.source.snapshot"), kKilled);
  EXPECT_EQ(world.service->inspect("shop")->snapshots.size(), 1U);
  EXPECT_EQ(run_child(disk.path(), "export"), 0);
  EXPECT_TRUE(world.service->inspect("shop")->snapshots.empty());
  EXPECT_EQ(run_child(disk.path(), "import"), 0);
  EXPECT_EQ(world.facts("copy"), world.facts("shop"));
  ASSERT_TRUE(world.service->unmount("shop", "test", "user"));
}

TEST(ArchiveSourceTest, ASnapshotThatAKilledExportLeftGoesWithAReconcile) {
  const testing::LoopDisk disk("xfs");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  ASSERT_EQ(run_child(disk.path(), "fill-image"), 0);
  ArchiveWorld world(disk.path());
  // Whatever its name: one of the user's own stays.
  ASSERT_TRUE(world.service->take_snapshot("shop", "for-archive-0123456789abcdef", {}));
  ASSERT_EQ(run_child(disk.path(), "export", "archive.source.snapshot"), kKilled);
  const auto left = world.service->inspect("shop")->snapshots;
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[1].origin, SnapshotOrigin::kArchive);
  {
    // Held: somebody is reading it.
    const auto turn = world.locks.lock("volume.archive-" + world.service->inspect("shop")->id,
                                       std::chrono::milliseconds(0));
    ASSERT_TRUE(turn) << turn.error().text;
    EXPECT_TRUE(world.service->reconcile()->actions.empty());
    EXPECT_EQ(world.service->inspect("shop")->snapshots.size(), 2U);
  }
  const auto report = world.service->reconcile().value();
  EXPECT_THAT(report.actions, ElementsAre(HasSubstr(left[1].name.str())));
  EXPECT_THAT(report.failures, IsEmpty());
  const auto snapshots = world.service->inspect("shop")->snapshots;
  ASSERT_EQ(snapshots.size(), 1U);
  EXPECT_EQ(snapshots[0], left[0]);
}

TEST(ArchiveSourceTest, AVolumeInUseIsBackedUpFromASnapshotAndIncrementally) {
  const testing::LoopDisk disk("xfs");
  if (!disk.ok()) GTEST_SKIP() << disk.why();
  ASSERT_EQ(run_child(disk.path(), "fill-image"), 0);
  ArchiveWorld world(disk.path());
  const auto mounted = world.service->mount("shop", "test", "user");
  ASSERT_TRUE(mounted) << mounted.error().text;
  ASSERT_EQ(run_child(disk.path(), "backup"), 0);
  ::usleep(1'500'000);  // what changed in the last second is read again
  ASSERT_EQ(run_child(disk.path(), "backup"), 0);
  testing::write_text(mounted->mountpoint + "/later", "later");
  ASSERT_EQ(run_child(disk.path(), "backup"), 0);
  const auto backups = world.archives->backups(disk / "backup").value();
  ASSERT_EQ(backups.size(), 3U);
  EXPECT_TRUE(backups[2].incremental);
  EXPECT_LT(backups[2].stored, 10'000U);
  ASSERT_EQ(run_child(disk.path(), "restore"), 0);
  EXPECT_EQ(world.facts("copy"), world.facts("shop"));
  ASSERT_TRUE(world.service->unmount("shop", "test", "user"));
}

// What an unfinished backup stored is used or removed by the next one.
TEST(ArchiveCrashBackupTest, AnIncrementalOneKilledAnywhereKeepsTheFirst) {
  for (const char* point :
       {"backup.folder.made", "backup.folder.ready", "backup.pack.written", "backup.pack.renamed",
        "backup.content.stored", "backup.index.written", "backup.index.renamed", "backup.done"}) {
    SCOPED_TRACE(point);
    const Scratch scratch(Where::kMemory);
    for (const char* verb : {"fill", "backup", "change"})
      ASSERT_EQ(run_child(scratch.path(), verb), 0) << verb;
    ASSERT_EQ(run_child(scratch.path(), "backup", point), kKilled);
    {
      ArchiveWorld world(scratch.path());
      EXPECT_TRUE(world.archives->verify(scratch / "backup", "", {})->clean);
      EXPECT_GE(world.archives->backups(scratch / "backup")->size(), 1U);
    }
    ASSERT_EQ(run_child(scratch.path(), "backup"), 0);
    ASSERT_EQ(run_child(scratch.path(), "restore"), 0);
    ArchiveWorld world(scratch.path());
    EXPECT_EQ(world.facts("copy"), world.facts("shop"));
    EXPECT_EQ(testing::entries_in(scratch / "backup/tmp"), 0U);
    EXPECT_EQ(testing::entries_in(scratch / "backup/packs"), 2U);
  }
}

}  // namespace
}  // namespace fairlead::volume
