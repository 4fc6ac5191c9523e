// The database is lost, damaged or an older copy: no volume is made over data that is there, and all
// of it is taken back.
#include "volume/service/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/volume/service/disk_world.h"
#include "volume/service/volume_folder.h"

namespace fairlead::volume {
namespace {

using testing::DiskService;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::is_there;
using ::testing::IsEmpty;
using testing::Scratch;
using ::testing::SizeIs;

class RecoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "owners need root";
    open();
  }
  void open() { world_.emplace(scratch_.path()); }
  void lose_database() {
    world_.reset();
    for (const char* file : {"state.db", "state.db-wal", "state.db-shm"})
      std::filesystem::remove(scratch_ / file);
    open();
  }
  DiskService& world() { return *world_; }
  std::string made(const std::string& name, std::map<std::string, std::string> options = {}) {
    const auto volume = world().create(name, std::move(options));
    EXPECT_TRUE(volume) << volume.error().text;
    return volume ? volume->id : "";
  }
  std::string folder_of(const std::string& id) { return scratch_ / ("volumes/vol/" + id); }
  // Names of what was taken back, in order.
  std::vector<std::string> recover(const RecoverRequest& request = {}) {
    const auto report = world()->recover(request);
    EXPECT_TRUE(report) << report.error().text;
    std::vector<std::string> names;
    if (!report) return names;
    for (const Recovered& one : report->recovered) names.push_back(one.name);
    failures_ = report->failures;
    return names;
  }

  Scratch scratch_;
  std::optional<DiskService> world_;
  std::vector<std::string> failures_;
};

TEST_F(RecoveryTest, AllThatTheRecordSaidIsThereAgain) {
  made("plain", {{"uid", "7"}, {"label.team", "a"}});
  const auto mounted = world()->mount("plain", "docker", "a");
  testing::write_text(mounted->mountpoint + "/goods", "old");
  ASSERT_TRUE(world()->unmount("plain", "docker", "a"));
  ASSERT_TRUE(world()->take_snapshot("plain", "monday", {}));
  ASSERT_TRUE(world()->take_snapshot("plain", "gone", {}));
  ASSERT_TRUE(world()->drop_snapshot("plain", "gone"));
  ASSERT_TRUE(world()->set_labels("plain", {{"tier", "1"}, {"team", std::nullopt}}));
  ASSERT_TRUE(world()->rename("plain", "shop"));
  made("disk", {{"size", "16m"}, {"retain", "1h"}});
  ASSERT_TRUE(world()->resize("disk", 24 << 20));
  made("binned", {{"retain", "1d"}});
  ASSERT_TRUE(world()->remove("binned"));
  const auto before = world()->list().value();
  const auto trash = world()->trash().value();

  lose_database();
  EXPECT_THAT(world()->list().value(), IsEmpty());
  EXPECT_THAT(recover({.names = {}, .dry_run = true}), ElementsAre("binned", "disk", "shop"));
  EXPECT_THAT(world()->list().value(), IsEmpty());
  EXPECT_THAT(recover(), ElementsAre("binned", "disk", "shop"));
  EXPECT_THAT(failures_, IsEmpty());
  EXPECT_EQ(world()->list().value(), before);
  ASSERT_THAT(world()->trash().value(), SizeIs(1));
  EXPECT_EQ(world()->trash()->front().due, trash.front().due);
  EXPECT_EQ(world()->trash()->front().volume, trash.front().volume);
  EXPECT_THAT(recover(), IsEmpty());
  ASSERT_TRUE(world()->restore_from_trash("binned", ""));
  ASSERT_TRUE(world()->roll_back("shop", "monday", {}));
  EXPECT_EQ(testing::read_text(world()->inspect("shop")->mountpoint + "/goods"), "old");
  const auto report = world()->reconcile();
  EXPECT_THAT(report->failures, IsEmpty());
}

TEST_F(RecoveryTest, NoVolumeIsMadeOverDataThatIsThere) {
  const std::string id = made("data");
  lose_database();
  const auto refused = world().create("data");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_THAT(refused.error().text,
              ::testing::AllOf(HasSubstr("fairlead volume recover data"), HasSubstr(id)));
  EXPECT_TRUE(world().create("other"));
  EXPECT_THAT(world()->problems(),
              ElementsAre(HasSubstr("the data of volume data is on the disk")));
  const auto report = world()->reconcile();
  EXPECT_THAT(report->failures, ElementsAre(HasSubstr("fairlead volume recover")));
  EXPECT_TRUE(is_there(folder_of(id)));
  // another process takes it back: this one knows
  DiskService beside(scratch_.path());
  ASSERT_TRUE(beside->recover({}));
  const auto again = world().create("data");
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->id, id);
  EXPECT_THAT(world()->problems(), IsEmpty());
}

TEST_F(RecoveryTest, AnOlderCopyOfTheDatabaseLacksWhatCameLater) {
  const std::string early = made("early");
  world_.reset();
  const std::vector<std::string> files{"state.db", "state.db-wal", "state.db-shm"};
  std::filesystem::create_directory(scratch_ / "older");
  for (const std::string& file : files)
    if (is_there(scratch_ / file))
      std::filesystem::copy_file(scratch_ / file, scratch_ / ("older/" + file));
  open();
  const std::string late = made("late");
  const std::string gone = made("gone");
  ASSERT_TRUE(world()->remove("gone"));
  world_.reset();
  for (const std::string& file : files) {
    std::filesystem::remove(scratch_ / file);
    if (is_there(scratch_ / ("older/" + file)))
      std::filesystem::rename(scratch_ / ("older/" + file), scratch_ / file);
  }
  open();
  EXPECT_FALSE(world().create("late"));
  EXPECT_THAT(recover({.names = {"late", "nobody"}, .dry_run = false}), ElementsAre("late"));
  EXPECT_THAT(failures_, ElementsAre(HasSubstr("\"nobody\"")));
  EXPECT_EQ(world()->inspect("late")->id, late);
  EXPECT_EQ(world()->inspect("early")->id, early);
}

TEST_F(RecoveryTest, TwoOfOneNameAndANameThatIsTakenGetOthers) {
  const std::string first = made("data");
  lose_database();
  std::filesystem::rename(folder_of(first), scratch_ / "aside");
  const std::string second = made("data");
  lose_database();
  std::filesystem::rename(folder_of(second), scratch_ / "aside2");
  const std::string third = made("data");
  std::filesystem::rename(scratch_ / "aside", folder_of(first));
  std::filesystem::rename(scratch_ / "aside2", folder_of(second));
  const auto names = recover();
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("data-recovered-" + first.substr(0, 8),
                                                     "data-recovered-" + second.substr(0, 8)));
  EXPECT_EQ(world()->inspect("data")->id, third);
  EXPECT_EQ(world()->inspect("data-recovered-" + first.substr(0, 8))->id, first);
  lose_database();  // the new names are kept beside the data
  EXPECT_THAT(recover(), ::testing::Contains("data-recovered-" + first.substr(0, 8)));
}

TEST_F(RecoveryTest, TheDataItselfTellsWhereNothingIsWrittenBesideIt) {
  const std::string plain = made("plain"), disk = made("disk", {{"size", "16m"}});
  ASSERT_TRUE(world()->take_snapshot("disk", "monday", {}));
  lose_database();
  std::filesystem::remove(folder_of(plain) + "/volume.json");
  testing::write_text(folder_of(disk) + "/volume.json", "{\"format\":1,");
  EXPECT_THAT(recover(), ::testing::UnorderedElementsAre("recovered-" + plain.substr(0, 8),
                                                         "recovered-" + disk.substr(0, 8)));
  const auto volume = world()->inspect("recovered-" + disk.substr(0, 8));
  ASSERT_TRUE(volume);
  EXPECT_EQ(volume->backend, "image");
  EXPECT_EQ(volume->options.size, 16U << 20);
  ASSERT_THAT(volume->snapshots, SizeIs(1));
  EXPECT_TRUE(world()->mount("recovered-" + disk.substr(0, 8), "test", "a"));
  EXPECT_TRUE(world()->unmount("recovered-" + disk.substr(0, 8), "test", "a"));
  EXPECT_EQ(world()->inspect("recovered-" + plain.substr(0, 8))->backend, "dir");
}

TEST_F(RecoveryTest, WhatWasBeingRemovedAndWhatIsNoVolumeStay) {
  const std::string id = made("half");
  lose_database();
  std::filesystem::rename(folder_of(id) + "/volume.json", folder_of(id) + "/going");
  std::filesystem::create_directory(folder_of(std::string(32, 'a')));
  EXPECT_THAT(recover(), IsEmpty());
  EXPECT_THAT(failures_, ::testing::UnorderedElementsAre(HasSubstr("its removal had begun"),
                                                         HasSubstr("no data is in it")));
  EXPECT_TRUE(world().create("half"));
}

TEST_F(RecoveryTest, OptionsOfANewerVersionAreKeptAndTheVolumeIsNotUsed) {
  const std::string id = made("newer");
  const std::string path = folder_of(id) + "/volume.json";
  std::string text = testing::read_text(path);
  const std::string none = "\"options\":{}";
  ASSERT_THAT(text, HasSubstr(none));
  text.replace(text.find(none), none.size(), "\"options\":{\"uid\":\"7\",\"warp\":\"9\"}");
  testing::write_text(path, text);
  lose_database();
  EXPECT_THAT(recover(), ElementsAre("newer"));
  const auto volume = world()->inspect("newer");
  EXPECT_EQ(volume->options.uid, 7U);
  EXPECT_EQ(volume->options.unread, (testing::Texts{{"warp", "9"}}));
  EXPECT_THAT(world()->status(*volume)->health, HasSubstr("warp=9"));
  EXPECT_EQ(world()->status(*volume)->condition, Condition::kWarning);
  EXPECT_EQ(world()->mount("newer", "docker", "a").error().code, Code::kUnsupported);
  EXPECT_EQ(world()->take_snapshot("newer", "s", {}).error().code, Code::kUnsupported);
  ASSERT_TRUE(world()->set_labels("newer", {{"a", "1"}}));
  EXPECT_EQ(world()->inspect("newer")->options.unread, (testing::Texts{{"warp", "9"}}));
  EXPECT_TRUE(world()->remove("newer"));
}

TEST_F(RecoveryTest, ReconcileWritesDownWhatIsMissingBesideTheData) {
  const std::string id = made("data");
  std::filesystem::remove(folder_of(id) + "/volume.json");
  ASSERT_TRUE(world()->reconcile());
  lose_database();
  EXPECT_THAT(recover(), ElementsAre("data"));
}

TEST_F(RecoveryTest, AnotherVolumeFolderIsRefusedUnlessTheDataIsThere) {
  const std::string id = made("data");
  const std::string here = scratch_ / "volumes", there = scratch_ / "elsewhere";
  const HoldsData holds = [](const std::string& folder, const FolderOf& of) {
    return std::ranges::any_of(of.volumes,
                               [&](const auto& one) { return is_there(folder + "/vol/" + one); });
  };
  state::Store& store = *world().store;
  ASSERT_TRUE(agree_on_volume_folder(store, here, holds));
  const auto refused = agree_on_volume_folder(store, there, holds);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, ::testing::AllOf(HasSubstr(here), HasSubstr(there)));
  EXPECT_TRUE(agree_on_volume_folder(store, here, holds));
  std::filesystem::rename(here, there);  // moved on purpose
  EXPECT_TRUE(agree_on_volume_folder(store, there, holds));
  EXPECT_FALSE(agree_on_volume_folder(store, here, holds));
  std::filesystem::rename(there, here);
  EXPECT_TRUE(agree_on_volume_folder(store, here, holds));
  ASSERT_TRUE(world()->remove("data"));
  EXPECT_TRUE(agree_on_volume_folder(store, there, holds));  // there is nothing to lose
}

}  // namespace
}  // namespace fairlead::volume
