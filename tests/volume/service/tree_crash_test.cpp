// SIGKILL at every fault point of the verbs that take subvolumes inside along: the same call again
// succeeds, each copy is whole and of one moment, and no subvolume is left over.
#include <gmock/gmock.h>

#include <algorithm>

#include "tests/volume/loop_disk.h"
#include "tests/volume/service/crash_backends.h"
#include "tests/volume/service/crash_process.h"
#include "tests/volume/service/disk_world.h"
#include "volume/kernel/btrfs.h"

namespace fairlead::volume {
namespace {

using ::testing::AnyOf;
using ::testing::IsEmpty;
using testing::kKilled;
using testing::read_text;

struct TreeCase {
  std::string name, verb;
  std::vector<std::string> before;
  std::set<int> again = {0};  // exit codes of the same call after the crash
};

class TreeCrash : public ::testing::TestWithParam<TreeCase> {
 protected:
  void SetUp() override {
    if (!disk.ok()) GTEST_SKIP() << disk.why();
  }
  int run(const std::string& folder, const std::string& verb, const std::string& fault = "") {
    return testing::run_program({CRASH_CHILD, folder, verb, "backend=btrfs,size=64m"}, fault);
  }
  std::string prepared(const std::string& name) {
    const std::string folder = disk / name;
    std::filesystem::create_directory(folder);
    for (const std::string& verb : GetParam().before) EXPECT_EQ(run(folder, verb), 0) << verb;
    return folder;
  }
  // The content is that of one moment in all three of them.
  static void expect_whole(const std::string& data) {
    if (GetParam().before.empty()) return;  // nobody has written yet
    const std::string goods = read_text(data + "/goods");
    EXPECT_THAT(goods, AnyOf("old", "new"));
    EXPECT_EQ(read_text(data + "/x/goods"), goods);
    EXPECT_EQ(read_text(data + "/x/y/goods"), goods);
  }
  std::size_t subvolumes() const {
    const auto top = Folder::open(disk.path());
    return btrfs::inner_ids(top->fd(), *btrfs::id_of(top->fd()))->size();
  }
  void heal(const std::string& folder) {
    const auto store = state::open_sqlite_store(folder + "/state.db").value();
    NamedLocks locks(folder + "/locks");
    const auto backends = testing::make_crash_backends(folder + "/volumes");
    const auto service = make_volume_service(*store, locks, *backends);
    const auto report = service->reconcile();
    ASSERT_TRUE(report) << report.error().text;
    EXPECT_THAT(report->failures, IsEmpty());
    std::size_t trees = 0;
    const auto volumes = service->list().value();
    for (const Volume& volume : volumes) {
      expect_whole(volume.mountpoint);
      EXPECT_EQ(service->status(volume)->health, "ok");
      const std::string place = folder + "/volumes/vol/" + volume.id;
      for (const Snapshot& snapshot : volume.snapshots)
        expect_whole(place + "/snapshots/" + snapshot.id + "/_data");
      trees += 1 + volume.snapshots.size();
    }
    EXPECT_EQ(testing::entries_in(folder + "/volumes/tmp"), 0U);
    EXPECT_EQ(subvolumes(), (GetParam().before.empty() ? 1 : 3) * trees);
  }
  void clear(const std::string& folder) {
    ASSERT_TRUE(remove_tree(*Folder::open(disk.path()), folder.substr(folder.rfind('/') + 1)));
    EXPECT_EQ(subvolumes(), 0U);
  }

  testing::LoopDisk disk{"btrfs"};
};

TEST_P(TreeCrash, NothingIsLostAndNothingLeft) {
  const std::string listed = prepared("list");
  ASSERT_EQ(run(listed, GetParam().verb, "list:" + (disk / "points")), 0);
  heal(listed);
  clear(listed);
  for (const std::string& point : testing::read_points(disk / "points")) {
    SCOPED_TRACE(point);
    const std::string folder = prepared("world");
    if (run(folder, GetParam().verb, point) == kKilled) {
      heal(folder);
      EXPECT_TRUE(GetParam().again.contains(run(folder, GetParam().verb)));
      heal(folder);
    }
    clear(folder);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Verbs, TreeCrash,
    ::testing::Values(
        TreeCase{"create", "create", {}},
        TreeCase{"resize", "resize", {"create", "nest", "write-new"}},
        TreeCase{"snapshot", "snapshot", {"create", "nest", "write-new"}, {0, 3}},
        TreeCase{"drop", "drop", {"create", "nest", "write-new", "snapshot"}, {0, 1}},
        TreeCase{"rollback", "rollback", {"create", "nest", "write-old", "snapshot", "write-new"}},
        TreeCase{"clone", "clone", {"create", "nest", "write-new"}},
        TreeCase{"clone_of_a_snapshot",
                 "clone-snapshot",
                 {"create", "nest", "write-old", "snapshot", "write-new"}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace fairlead::volume
