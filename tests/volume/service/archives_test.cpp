// Export, import, backup and restore of real volumes.
#include <zstd.h>

#include <random>

#include "tests/volume/service/archive_world.h"
#include "tests/volume/tar_maker.h"

namespace fairlead::volume {
namespace {

using testing::ArchiveWorld;
using testing::Scratch;
using testing::TarMaker;
using testing::write_text;

using Options = std::map<std::string, std::string>;

// Backend and the options it needs.
struct Kind {
  std::string name;
  Options options;
};

class ArchivesTest : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners and mounts need root";
    world = std::make_unique<ArchiveWorld>(scratch.path());
    const auto made = world->service->create(ArchiveWorld::spec("shop", options()));
    if (!made && made.error().code == Code::kUnsupported) GTEST_SKIP() << made.error().text;
    ASSERT_TRUE(made) << made.error().text;
    write([](const std::string& data) { testing::make_rich_tree(data); });
  }
  static Options options(Options more = {}) {
    more.insert(GetParam().options.begin(), GetParam().options.end());
    return more;
  }
  void write(const std::function<void(const std::string& data)>& change) {
    const auto mounted = world->service->mount("shop", "test", "writer");
    ASSERT_TRUE(mounted) << mounted.error().text;
    change(mounted->mountpoint);
    ASSERT_TRUE(world->service->unmount("shop", "test", "writer"));
  }
  bool has(const std::string& name) { return world->service->inspect(name).has_value(); }
  void expect_nothing_left(std::size_t volumes) {
    const auto report = world->service->reconcile();
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->actions.empty()) << report->actions.front();
    EXPECT_TRUE(report->failures.empty()) << report->failures.front();
    EXPECT_EQ(testing::entries_in(scratch / "volumes/vol"), volumes);
    EXPECT_EQ(testing::entries_in(scratch / "volumes/tmp"), 0U);
  }

  Scratch scratch;
  std::unique_ptr<ArchiveWorld> world;
  std::string file = scratch / "archive.tar.zst", folder = scratch / "backup";
};

TEST_P(ArchivesTest, AnImportOfAnExportIsTheVolume) {
  const auto exported = world->export_to("shop", file);
  ASSERT_TRUE(exported) << exported.error().text;
  EXPECT_GT(exported->files, 5U);
  const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
  ASSERT_TRUE(imported) << imported.error().text;
  EXPECT_EQ(world->facts("copy"), world->facts("shop"));
  expect_nothing_left(2);
}

TEST_P(ArchivesTest, ARestoreOfABackupIsTheVolume) {
  const auto backup = world->archives->back_up("shop", folder, {});
  ASSERT_TRUE(backup) << backup.error().text;
  EXPECT_TRUE(world->archives->verify(folder, "", {})->clean);
  EXPECT_GT(world->service->inspect("shop")->backed_up, 0);
  const auto restored =
      world->archives->restore(ArchiveWorld::spec("copy"), folder, backup->id, {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->backend, GetParam().name);  // its options are those of the backup
  EXPECT_EQ(world->facts("copy"), world->facts("shop"));
  expect_nothing_left(2);
}

TEST_P(ArchivesTest, WhatIsLeftOutIsPartOfEachResult) {
  write([](const std::string& data) {
    ASSERT_EQ(::mknod((data + "/null").c_str(), S_IFCHR | 0600, 259), 0);
  });
  const auto exported = world->export_to("shop", file);
  ASSERT_TRUE(exported) << exported.error().text;
  EXPECT_EQ(exported->left_out.count, 1U);
  const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
  ASSERT_TRUE(imported) << imported.error().text;
  EXPECT_EQ(imported->left_out, LeftOut{});  // the archive is whole in itself
  write_text(file, TarMaker().add({.name = "/dev/null", .type = '3'}).file("/a", "x").bytes());
  const auto foreign = world->import_from(ArchiveWorld::spec("other", options()), file);
  ASSERT_TRUE(foreign) << foreign.error().text;
  EXPECT_EQ(world->service->inspect("other")->left_out.count, 1U);
  const auto backup = world->archives->back_up("shop", folder, {});
  ASSERT_TRUE(backup) << backup.error().text;
  EXPECT_EQ(world->archives->backups(folder)->at(0).left_out, backup->left_out);
  EXPECT_EQ(world->service->inspect("shop")->backup_left_out, 1U);
  const auto restored =
      world->archives->restore(ArchiveWorld::spec("back", options()), folder, backup->id, {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->left_out, backup->left_out);
  EXPECT_EQ(world->service->inspect("back")->left_out, restored->left_out);
}

TEST_P(ArchivesTest, WhatIsOddGoesThroughEachOfThem) {
  write([](const std::string& data) { testing::make_odd_tree(data); });
  ASSERT_TRUE(world->export_to("shop", file));
  const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
  ASSERT_TRUE(imported) << imported.error().text;
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  const auto restored = world->archives->restore(ArchiveWorld::spec("back"), folder, "", {});
  EXPECT_FALSE(restored);  // there is none of that name
  auto again = ArchiveWorld::spec("back", options());
  const auto id = world->archives->backups(folder)->at(0).id;
  ASSERT_TRUE(world->archives->restore(again, folder, id, {}));
  EXPECT_EQ(world->facts("copy"), world->facts("shop"));
  EXPECT_EQ(world->facts("back"), world->facts("shop"));
  for (const char* name : {"copy", "back", "shop"}) {
    const auto gone = world->service->remove(name);
    EXPECT_TRUE(gone) << gone.error().text;
  }
  ASSERT_TRUE(world->service->reconcile());  // removes what is not removed behind the answer yet
  expect_nothing_left(0);
}

TEST_P(ArchivesTest, AFileOfTwentyGibibytesOfHolesFitsIntoASmallVolume) {
  write([](const std::string& data) {
    write_text(data + "/sparse", "begin");
    std::filesystem::resize_file(data + "/sparse", 20ULL << 30);
  });
  ASSERT_TRUE(world->export_to("shop", file));
  const auto imported =
      world->import_from(ArchiveWorld::spec("copy", {{"backend", "image"}, {"size", "64m"}}), file);
  ASSERT_TRUE(imported) << imported.error().text;
  const auto mounted = world->service->mount("copy", "test", "reader");
  ASSERT_TRUE(mounted) << mounted.error().text;
  EXPECT_EQ(std::filesystem::file_size(mounted->mountpoint + "/sparse"), 20ULL << 30);
  EXPECT_LT(testing::blocks_of(mounted->mountpoint + "/sparse"), 1U << 20);
  EXPECT_TRUE(world->service->unmount("copy", "test", "reader"));
}

TEST_P(ArchivesTest, TheNewestBackupOfTheNameIsRestored) {
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  write([](const std::string& data) { write_text(data + "/new", "newest"); });
  const auto second = world->archives->back_up("shop", folder, {});
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_TRUE(second->incremental);
  EXPECT_LT(second->stored, 100'000U);
  const auto facts = world->facts("shop");
  EXPECT_EQ(world->archives->backups(folder)->size(), 2U);
  ASSERT_TRUE(world->service->remove("shop"));
  const auto restored = world->archives->restore(ArchiveWorld::spec("shop"), folder, "", {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(world->facts("shop"), facts);
}

TEST_P(ArchivesTest, ASnapshotIsExportedAsItWas) {
  const auto snapshot = world->service->take_snapshot("shop", "monday", {});
  if (!snapshot && snapshot.error().code == Code::kUnsupported)
    GTEST_SKIP() << snapshot.error().text;
  ASSERT_TRUE(snapshot) << snapshot.error().text;
  const auto facts = world->facts("shop");
  write([](const std::string& data) { std::filesystem::remove_all(data + "/a"); });
  const auto exported = world->export_to("shop@monday", file);
  ASSERT_TRUE(exported) << exported.error().text;
  const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
  ASSERT_TRUE(imported) << imported.error().text;
  EXPECT_EQ(world->facts("copy"), facts);
  const auto unknown = world->export_to("shop@mondy", file);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().text.find("monday"), std::string::npos) << unknown.error().text;
}

TEST_P(ArchivesTest, NoSnapshotOfOursStays) {
  ASSERT_TRUE(world->export_to("shop", file));
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  EXPECT_TRUE(world->service->inspect("shop")->snapshots.empty());
}

TEST_P(ArchivesTest, AHostileArchiveLeavesNoVolume) {
  write_text(file, TarMaker().file("good", "x").file("../evil", "x").bytes());
  const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
  ASSERT_FALSE(imported);
  EXPECT_NE(imported.error().text.find("../evil"), std::string::npos) << imported.error().text;
  EXPECT_FALSE(has("copy"));
  expect_nothing_left(1);
  write_text(file, TarMaker().file("good", "x").bytes());
  EXPECT_TRUE(world->import_from(ArchiveWorld::spec("copy", options()), file));
}

// Of data that does not pack, where no rule of the compression is broken by another byte.
TEST_P(ArchivesTest, AnyChangedByteOfAnArchiveIsFoundBeforeTheVolumeIsThere) {
  write([](const std::string& data) {
    std::mt19937 random(7);
    std::string noise(600'000, '\0');
    for (char& byte : noise) byte = static_cast<char>(random());
    write_text(data + "/noise", noise);
  });
  ASSERT_TRUE(world->export_to("shop", file));
  const std::string whole = testing::read_text(file);
  std::vector<std::size_t> places{whole.size() - 1, whole.size() - 4, whole.size() - 6};
  for (std::size_t at = 1000; at < whole.size(); at += whole.size() / 12) places.push_back(at);
  for (const std::size_t at : places) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    write_text(file, changed);
    const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
    ASSERT_FALSE(imported) << at;
    EXPECT_EQ(imported.error().code, Code::kInvalid) << imported.error().text;
    EXPECT_NE(imported.error().text.find("damaged"), std::string::npos) << imported.error().text;
    EXPECT_FALSE(has("copy"));
  }
  for (const std::size_t size : {whole.size() - 1, whole.size() - 5, whole.size() / 2}) {
    write_text(file, whole.substr(0, size));
    EXPECT_FALSE(world->import_from(ArchiveWorld::spec("copy", options()), file)) << size;
    EXPECT_FALSE(has("copy"));
  }
  expect_nothing_left(1);
  write_text(file, whole);
  EXPECT_TRUE(world->import_from(ArchiveWorld::spec("copy", options()), file));
}

TEST_P(ArchivesTest, AnArchiveIsComparedWithTheDigestOfItsExport) {
  const auto exported = world->export_to("shop", file);
  ASSERT_TRUE(exported) << exported.error().text;
  const auto other =
      world->import_from(ArchiveWorld::spec("copy", options()), file, std::string(64, '0'));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::kInvalid);
  EXPECT_NE(other.error().text.find(exported->digest), std::string::npos) << other.error().text;
  EXPECT_FALSE(has("copy"));
  expect_nothing_left(1);
  const std::string whole = testing::read_text(file);
  write_text(file, whole + std::string(1'000'000, '\0'));  // behind the end counts too
  EXPECT_FALSE(world->import_from(ArchiveWorld::spec("copy", options()), file, exported->digest));
  write_text(file, whole);
  const auto imported =
      world->import_from(ArchiveWorld::spec("copy", options()), file, exported->digest);
  ASSERT_TRUE(imported) << imported.error().text;
  EXPECT_EQ(world->facts("copy"), world->facts("shop"));
}

TEST_P(ArchivesTest, AnArchiveWithoutAChecksumIsRead) {  // of an older version
  const std::string tar = TarMaker().file("good", "text").bytes();
  std::string packed(ZSTD_compressBound(tar.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), tar.data(), tar.size(), 3));
  write_text(file, packed);
  const auto imported = world->import_from(ArchiveWorld::spec("copy", options()), file);
  ASSERT_TRUE(imported) << imported.error().text;
  EXPECT_NE(world->facts("copy").find("/good"), world->facts("copy").end());
}

// Where its source was asked to lie: a clone says nothing of that itself.
TEST_P(ArchivesTest, ABackupOfACloneIsRestoredAsThatOfItsSource) {
  const Progress go_on = [](std::uint64_t, std::uint64_t) { return true; };
  const auto clone = world->service->create(ArchiveWorld::spec("twin", {{"from", "shop"}}), go_on);
  ASSERT_TRUE(clone) << clone.error().text;
  ASSERT_TRUE(world->archives->back_up("twin", folder, {}));
  ASSERT_TRUE(world->service->remove("twin"));
  const auto restored = world->archives->restore(ArchiveWorld::spec("twin"), folder, "", {});
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->backend, clone->backend);
  EXPECT_EQ(to_map(restored->options), GetParam().options);
  EXPECT_EQ(world->facts("twin"), world->facts("shop"));
}

TEST_P(ArchivesTest, AnImportThatIsStoppedLeavesNoVolume) {
  ASSERT_TRUE(world->export_to("shop", file));
  const UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const auto imported =
      world->archives->import_from(ArchiveWorld::spec("copy", options()), in.get(), {},
                                   [](std::uint64_t, std::uint64_t) { return false; });
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, Code::kUnavailable) << imported.error().text;
  EXPECT_FALSE(has("copy"));
  expect_nothing_left(1);
}

TEST_P(ArchivesTest, AnExistingVolumeIsNotOverwritten) {
  ASSERT_TRUE(world->export_to("shop", file));
  const auto facts = world->facts("shop");
  const auto imported = world->import_from(ArchiveWorld::spec("shop", options()), file);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code, Code::kExists) << imported.error().text;
  EXPECT_EQ(world->facts("shop"), facts);
}

TEST_P(ArchivesTest, WhatIsAskedForTheFolderWinsOverTheArchive) {
  ASSERT_TRUE(world->export_to("shop", file));
  const auto imported = world->import_from(
      ArchiveWorld::spec("copy", options({{"uid", "42"}, {"mode", "0700"}})), file);
  ASSERT_TRUE(imported) << imported.error().text;
  const std::string top = world->facts("copy").at("");
  EXPECT_TRUE(top.starts_with("mode 40700 owner 42:8")) << top;
}

TEST_P(ArchivesTest, WhatDoesNotExistIsSaid) {
  EXPECT_EQ(world->export_to("nothing", file).error().code, Code::kNotFound);
  EXPECT_EQ(world->archives->back_up("nothing", folder, {}).error().code, Code::kNotFound);
  EXPECT_FALSE(testing::is_there(folder));
  ASSERT_TRUE(world->archives->back_up("shop", folder, {}));
  EXPECT_EQ(world->archives->restore(ArchiveWorld::spec("copy"), folder, "", {}).error().code,
            Code::kNotFound);
  EXPECT_EQ(world->archives->verify(folder, "nothing", {}).error().code, Code::kNotFound);
  std::filesystem::remove_all(folder + "/backups");
  std::filesystem::create_directory(folder + "/backups");
  const auto none = world->archives->verify(folder, "", {});
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().text.find("there is no backup in " + folder), std::string::npos)
      << none.error().text;
}

INSTANTIATE_TEST_SUITE_P(Backends, ArchivesTest,
                         ::testing::Values(Kind{"dir", {{"backend", "dir"}}},
                                           Kind{"image", {{"backend", "image"}, {"size", "64m"}}}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace fairlead::volume
