// Backup folders of strangers: nothing outside of the folder that is filled is touched, nothing is
// waited for, and what is not true is refused.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/host.h"
#include "tests/volume/service/archive_world.h"
#include "tests/volume/spec.h"
#include "tests/volume/tree_facts.h"
#include "volume/service/backup.h"
#include "volume/service/content.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using testing::facts_of;
using testing::Scratch;
using testing::Where;
using testing::write_text;

BackupEntry file(const std::string& path) {
  BackupEntry entry;
  entry.entry.path = path;
  entry.entry.mode = 0644;
  return entry;
}

BackupEntry folder(const std::string& path) {
  BackupEntry entry = file(path);
  entry.entry.kind = EntryKind::kFolder;
  entry.entry.mode = 0755;
  return entry;
}

BackupEntry link(const std::string& path, const std::string& target) {
  BackupEntry entry = file(path);
  entry.entry.kind = EntryKind::kSymlink;
  entry.entry.target = target;
  return entry;
}

BackupEntry hard_link(const std::string& path, const std::string& first) {
  BackupEntry entry = file(path);
  entry.entry.hard_link = first;
  return entry;
}

class HostileBackup : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    std::filesystem::create_directories(outside + "/sub");
    write_text(outside + "/secret", "untouched");
    before = facts_of(outside);
    ASSERT_TRUE(world.service->create(ArchiveWorld::spec("shop")));
    const auto mounted = world.service->mount("shop", "test", "fill");
    write_text(mounted->mountpoint + "/goods", testing::noise(100'000, 1));
    ASSERT_TRUE(world.service->unmount("shop", "test", "fill"));
    const auto made = world.archives->back_up("shop", backup, {});
    ASSERT_TRUE(made) << made.error().text;
    id = made->id;
  }
  void TearDown() override { EXPECT_EQ(facts_of(outside), before); }

  // An index that a stranger wrote, with all its digests right.
  std::string forge(const std::vector<BackupEntry>& entries) {
    const auto opened = BackupFolder::prepare(backup);
    BackupSummary summary = opened->list()->backups.front();
    summary.info.id = "20260101T000000Z-" + fmt::format("{:08x}", ++forged);
    summary.entries = entries.size();
    auto index = opened->write_index();
    for (const BackupEntry& entry : entries) EXPECT_TRUE(index->add(entry));
    EXPECT_TRUE(index->publish(summary));
    return summary.info.id;
  }
  Result<Volume> restore(const std::string& which) {
    return world.archives->restore(ArchiveWorld::spec("copy"), backup, which, {});
  }
  void expect_refused(const std::vector<BackupEntry>& entries) {
    const auto done = restore(forge(entries));
    ASSERT_FALSE(done) << entries.back().entry.path;
    EXPECT_FALSE(done.error().text.empty());
    EXPECT_FALSE(world.service->inspect("copy")) << "a part of it is left";
    EXPECT_EQ(testing::entries_in(scratch / "volumes/vol"), 1U);
  }
  // Every verb ends with an answer, whatever it is, and no other folder is changed.
  void expect_answers() {
    (void)world.archives->backups(backup);
    (void)world.archives->verify(backup, "", {});
    (void)world.archives->repair(backup, {});
    if (restore(id)) EXPECT_TRUE(world.service->remove("copy"));
    (void)world.archives->back_up("shop", backup, {});
    (void)world.archives->prune(backup, "shop", Retention{.last = 1}, {}, {});
    (void)world.archives->remove_backups(backup, {id}, {.force = true}, {});
  }

  Scratch scratch{Where::kMemory};
  std::string outside = scratch / "outside", backup = scratch / "backup", id;
  std::map<std::string, std::string> before;
  ArchiveWorld world{scratch.path()};
  unsigned forged = 0;
};

TEST_F(HostileBackup, PathsThatLeadOutAreRefused) {
  for (const char* path : {"../outside/new", "..", "a/../../outside/new", "./../outside/new"})
    expect_refused({folder(""), folder("a"), file(path)});
}

TEST_F(HostileBackup, WaysThroughItsOwnLinksAreRefused) {
  expect_refused({folder(""), link("way", outside), file("way/new")});
  expect_refused({folder(""), link("way", outside), folder("way/sub/new")});
  expect_refused({folder(""), hard_link("new", "../outside/secret")});
  expect_refused({folder(""), link("way", outside), hard_link("new", "way/secret")});
}

// What a file says of its size takes no room, and can be left at any time.
TEST_F(HostileBackup, SizesAreNoPromises) {
  BackupEntry lost = file("lost");
  lost.entry.size = 1 << 20;
  lost.chunks.push_back({.offset = 0, .length = 1 << 20, .digest = {}});
  expect_refused({folder(""), lost});
  BackupEntry large = file("large");
  large.entry.size = INT64_MAX;
  large.has_holes = true;
  const std::string forged_id = forge({folder(""), large});
  const auto content =
      make_volume_content(*world.service, *world.store, world.locks, *world.backends);
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  int asked = 0;
  const auto read = content->read(
      {.volume = "shop", .snapshot = {}, .from = backup, .backup = forged_id, .path = "large"},
      null.get(), [&](auto, auto) { return ++asked < 3; });
  EXPECT_EQ(read.error().code, Code::kUnavailable) << read.error().text;
  const auto restored = restore(forged_id);
  if (!restored) return;  // no file is as large here
  struct stat info {};
  ASSERT_EQ(::stat((restored->mountpoint + "/large").c_str(), &info), 0);
  EXPECT_LT(info.st_blocks, 100);
}

TEST_F(HostileBackup, APathIsNoLongerThanOnesThatAreWritten) {
  expect_refused({folder(""), file(std::string(100'000, 'a'))});
}

// In the place of each folder and file one after the other.
TEST_F(HostileBackup, LinksInThePlaceOfItsFoldersAreNotFollowed) {
  std::filesystem::create_directories(outside + "/packs");
  write_text(outside + "/packs/" + std::string(64, 'a') + ".pack", "another");
  write_text(outside + "/" + id + ".index", "another");
  before = facts_of(outside);
  for (const char* part : {"packs", "backups", "tmp"}) {
    SCOPED_TRACE(part);
    const std::string place = backup + "/" + part;
    std::filesystem::rename(place, scratch / "aside");
    std::filesystem::create_directory_symlink(outside, place);
    expect_answers();
    std::filesystem::remove(place);
    std::filesystem::rename(scratch / "aside", place);
  }
}

TEST_F(HostileBackup, NoFifoAndNoDeviceIsOpened) {
  const std::string index = backup + "/backups/" + id + ".index";
  for (const mode_t type : {mode_t{S_IFIFO}, mode_t{S_IFCHR}}) {
    std::filesystem::remove(index);
    ASSERT_EQ(::mknod(index.c_str(), type | 0600, makedev(1, 5)), 0);  // /dev/zero
    expect_answers();
  }
  for (const char* name : {"lock", "fairlead-backup.json"}) {
    const std::string place = backup + "/" + name;
    std::filesystem::remove(place);
    ASSERT_EQ(::mkfifo(place.c_str(), 0600), 0);
    expect_answers();
    std::filesystem::remove(place);
  }
}

// A summary of a few kilobytes that unpacks to hundreds of megabytes.
TEST_F(HostileBackup, ASummaryThatUnpacksWithoutEndIsRefused) {
  const std::string index = backup + "/backups/" + id + ".index";
  ZstdWriter zstd;
  std::string stored;
  const std::string zeros(1 << 20, ' ');
  for (int k = 0; k < 300; ++k) stored += zstd.add(zeros);
  stored += zstd.finish();
  ASSERT_LT(stored.size(), 1U << 20);
  const std::uint32_t head[2] = {0x184D2A50, 8};
  const std::uint64_t size = stored.size();
  stored.append(reinterpret_cast<const char*>(head), sizeof head);
  stored.append(reinterpret_cast<const char*>(&size), sizeof size);
  write_text(index, stored);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const long peak = usage.ru_maxrss;
  const auto verified = world.archives->verify(backup, id, {});
  EXPECT_FALSE(verified && verified->clean);
  ::getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss - peak, 600 << 10) << "KiB";
}

}  // namespace
}  // namespace fairlead::volume
